#include "alloc/segment/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

namespace ringcast {
namespace {

using Layout = HistogramLayout;
constexpr double kErrorMax = 0.01;  // protocol.md section 6

TEST(Histogram, BucketsFollowOneAnotherWithoutHoleOrOverlap) {
  std::uint64_t expected = 0;
  for (std::uint32_t bucket = 0; bucket < Layout::kBuckets; ++bucket) {
    ASSERT_EQ(Layout::lowest_of(bucket), expected) << "bucket " << bucket;
    ASSERT_EQ(Layout::bucket_of(expected), bucket);
    ASSERT_EQ(Layout::bucket_of(expected + Layout::width_of(bucket) - 1), bucket);
    expected += Layout::width_of(bucket);
  }
  EXPECT_EQ(expected, Layout::kValueMax + 1) << "the buckets cover the whole range";
}

TEST(Histogram, NoValueOfTheRangeIsReportedMoreThanOnePercentOff) {
  // Both ends of a bucket are its worst values, so two checks a bucket prove the bound for every value.
  for (std::uint32_t bucket = 0; bucket < Layout::kBuckets; ++bucket) {
    const std::uint64_t lowest = Layout::lowest_of(bucket);
    for (const std::uint64_t value : {lowest, lowest + Layout::width_of(bucket) - 1}) {
      const double reported = static_cast<double>(Layout::middle_of(bucket));
      const double actual = static_cast<double>(value);
      ASSERT_LE(std::abs(reported - actual), kErrorMax * actual) << "value " << value;
    }
  }
}

TEST(Histogram, CoversAThousandSeconds) { EXPECT_GE(Layout::kValueMax, 1'000'000'000'000U); }

struct ValueRow {
  const char* sentence;
  std::uint64_t value;
};
constexpr ValueRow kValueRows[] = {
    {"zero", 0},
    {"one", 1},
    {"the last value with a bucket of its own", 127},
    {"the first value that shares a bucket", 128},
    {"a microsecond", 1'000},
    {"just under a power of two", (1U << 20) - 1},
    {"a power of two", 1U << 20},
    {"a second", 1'000'000'000},
    {"a thousand seconds", 1'000'000'000'000},
    {"the end of the range", Layout::kValueMax},
    {"beyond the range", Layout::kValueMax + 1},
    {"far beyond the range", 1ULL << 62},
    {"the greatest number", ~0ULL},
};

TEST(Histogram, OneValueIsItsOwnMedianAndMaximum) {
  for (const ValueRow& row : kValueRows) {
    auto histogram = std::make_unique<Histogram>();
    histogram->record(row.value);
    EXPECT_EQ(histogram->count(), 1U) << row.sentence;
    EXPECT_EQ(histogram->max(), row.value) << row.sentence;
    EXPECT_EQ(histogram->percentile(1), row.value) << row.sentence;
    const double within = static_cast<double>(std::min(row.value, Layout::kValueMax));
    EXPECT_NEAR(static_cast<double>(histogram->percentile(0.5)), within, kErrorMax * within) << row.sentence;
  }
}

TEST(Histogram, AnEmptyOneHasNoPercentiles) {
  auto histogram = std::make_unique<Histogram>();
  EXPECT_EQ(histogram->count(), 0U);
  EXPECT_EQ(histogram->percentile(0), 0U);
  EXPECT_EQ(histogram->percentile(0.99), 0U);
  EXPECT_EQ(histogram->percentile(1), 0U);
}

TEST(Histogram, ManyRecordedAtOnceAreAsManyRecordedSingly) {
  auto at_once = std::make_unique<Histogram>();
  auto singly = std::make_unique<Histogram>();
  at_once->record(5'000, 1'000);
  for (int i = 0; i < 1'000; ++i) singly->record(5'000);
  EXPECT_EQ(at_once->count(), singly->count());
  EXPECT_EQ(at_once->sum(), singly->sum());
  EXPECT_EQ(at_once->percentile(0.5), singly->percentile(0.5));
}

TEST(Histogram, PercentilesOfManyValuesAreThoseOfTheSortedValuesWithinOnePercent) {
  std::mt19937_64 random{7};
  std::lognormal_distribution<double> shape{12, 3};  // from nanoseconds to minutes
  auto histogram = std::make_unique<Histogram>();
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 100'000; ++i) {
    const auto value = std::min<std::uint64_t>(static_cast<std::uint64_t>(shape(random)), Layout::kValueMax);
    values.push_back(value);
    histogram->record(value);
  }
  std::ranges::sort(values);
  for (const double share : {0.0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
    const double exact = static_cast<double>(values[rank == 0 ? 0 : rank - 1]);
    EXPECT_NEAR(static_cast<double>(histogram->percentile(share)), exact, kErrorMax * exact) << "share " << share;
  }
}

TEST(Histogram, AMergedOneKnowsWhatBothKnew) {
  auto both = std::make_unique<Histogram>();
  auto other = std::make_unique<Histogram>();
  auto all = std::make_unique<Histogram>();
  for (std::uint64_t i = 1; i <= 1'000; ++i) {
    (i % 3 == 0 ? *both : *other).record(i * i);
    all->record(i * i);
  }
  both->merge(*other);
  EXPECT_EQ(both->count(), all->count());
  EXPECT_EQ(both->sum(), all->sum());
  EXPECT_EQ(both->max(), all->max());
  for (const double share : {0.01, 0.5, 0.95, 1.0}) EXPECT_EQ(both->percentile(share), all->percentile(share));
}

}  // namespace
}  // namespace ringcast
