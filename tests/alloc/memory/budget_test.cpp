#include "alloc/memory/budget.hpp"

#include <thread>

#include <gtest/gtest.h>

namespace ringcast {
namespace {

TEST(Budget, CountsEachPurposeAndTheTotal) {
  Budget budget{1'000};
  for (const PurposeRow& row : kPurposes) {
    budget.charge(row.purpose, 10 + std::to_underlying(row.purpose));
  }
  std::uint64_t sum = 0;
  for (const PurposeRow& row : kPurposes) {
    EXPECT_EQ(budget.used(row.purpose), 10U + std::to_underlying(row.purpose)) << row.name;
    sum += budget.used(row.purpose);
  }
  EXPECT_EQ(budget.total(), sum);
  for (const PurposeRow& row : kPurposes) {
    budget.release(row.purpose, budget.used(row.purpose));
    EXPECT_EQ(budget.used(row.purpose), 0U) << row.name;
  }
  EXPECT_EQ(budget.total(), 0U);
}

TEST(Budget, EveryPurposeHasADistinctNameAndALabel) {
  for (const PurposeRow& row : kPurposes) {
    EXPECT_FALSE(row.label.empty()) << row.name;
    for (const PurposeRow& other : kPurposes) {
      EXPECT_EQ(row.name == other.name, row.purpose == other.purpose) << row.name;
    }
  }
}

struct FitsRow {
  std::string_view sentence;
  std::uint64_t limit, held, asked;
  bool fits;
};
constexpr FitsRow kFitsRows[] = {
    {"an empty budget has room for exactly its limit", 100, 0, 100, true},
    {"but not for one byte more", 100, 0, 101, false},
    {"what is held counts", 100, 60, 40, true},
    {"to the byte", 100, 60, 41, false},
    {"nothing fits a full budget", 100, 100, 1, false},
    {"except nothing", 100, 100, 0, true},
    {"above the limit not even nothing fits", 100, 101, 0, false},
    {"a huge request does not wrap around", 100, 60, UINT64_MAX, false},
    {"an unlimited budget takes what is left of 64 bits", Budget::kUnlimited, 1, UINT64_MAX - 1, true},
};
TEST(Budget, SaysWhatStillFits) {
  for (const FitsRow& row : kFitsRows) {
    Budget budget{row.limit};
    budget.charge(Purpose::other, row.held);
    EXPECT_EQ(budget.fits(row.asked), row.fits) << row.sentence;
  }
}

TEST(Budget, ALoweredLimitLetsNothingFitUntilMemoryIsReleased) {
  Budget budget{100};
  budget.charge(Purpose::history, 80);
  budget.set_limit(50);
  EXPECT_FALSE(budget.fits(1));
  budget.release(Purpose::history, 40);
  EXPECT_TRUE(budget.fits(10));
  EXPECT_FALSE(budget.fits(11));
}

TEST(BudgetDeathTest, StopsWhenMoreIsReleasedThanThePurposeWasCharged) {
  Budget budget;
  budget.charge(Purpose::mesh, 8);
  budget.charge(Purpose::other, 100);  // the total alone would allow it
  EXPECT_DEATH(budget.release(Purpose::mesh, 9), "releases at most what was charged");
}

TEST(Budget, CanBeReadWhileItsShardWrites) {
  Budget budget;
  std::thread shard{[&budget] {
    for (int i = 0; i < 10'000; ++i) budget.charge(Purpose::scratch, 3);
  }};
  std::uint64_t before = 0;
  for (int i = 0; i < 1'000; ++i) {
    const std::uint64_t now = budget.used(Purpose::scratch);
    EXPECT_GE(now, before);
    EXPECT_EQ(now % 3, 0U);
    before = now;
  }
  shard.join();
  EXPECT_EQ(budget.total(), 30'000U);
}

}  // namespace
}  // namespace ringcast
