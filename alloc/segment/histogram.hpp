// alloc/segment/histogram.hpp: a distribution of nanoseconds in fixed memory, at most 1% off.
//
// Owner    lies by value in a stats segment or anywhere else; no pointer, all zero is empty.
// Thread   one writer; readers anywhere, in another process too. What they copy is not of one instant, but each bucket
//          only grows, so a copy is some mix of states between its start and its end.
// Memory   18 KiB.
// Failure  none: what is longer than the range counts as the range's end, and the exact maximum is kept beside.
// Not here reading it from a segment (ringcast_stats.h), what is measured (engine/stats/counters.hpp).
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "alloc/base/ensure.hpp"

namespace ringcast {

/// Log-linear buckets: values below 2^kBits have one each; above, each power of two is cut into 2^(kBits-1) equal ones.
/// A bucket stands for its middle, so the relative error is at most 1 / 2^kBits: 0.8%.
struct HistogramLayout {
  static constexpr std::uint32_t kBits = 7;
  static constexpr std::uint32_t kHalf = 1U << (kBits - 1);
  static constexpr std::uint32_t kRangeBits = 40;  // 2^40 ns are 1,099 s: longer than any timeout of the node
  static constexpr std::uint64_t kValueMax = (std::uint64_t{1} << kRangeBits) - 1;
  static constexpr std::uint32_t kBuckets = (kRangeBits - kBits) * kHalf + 2 * kHalf;

  [[nodiscard]] static constexpr std::uint32_t bucket_of(std::uint64_t value) {
    const std::uint64_t within = value < kValueMax ? value : kValueMax;
    const auto shift = static_cast<std::uint32_t>(std::bit_width(within | kHalf)) - kBits;
    return shift * kHalf + static_cast<std::uint32_t>(within >> shift);
  }
  [[nodiscard]] static constexpr std::uint64_t lowest_of(std::uint32_t bucket) {
    const std::uint32_t shift = shift_of(bucket);
    return std::uint64_t{bucket - shift * kHalf} << shift;
  }
  [[nodiscard]] static constexpr std::uint64_t width_of(std::uint32_t bucket) {
    return std::uint64_t{1} << shift_of(bucket);
  }
  [[nodiscard]] static constexpr std::uint64_t middle_of(std::uint32_t bucket) {
    return lowest_of(bucket) + (width_of(bucket) - 1) / 2;
  }

 private:
  [[nodiscard]] static constexpr std::uint32_t shift_of(std::uint32_t bucket) {
    return bucket < 2 * kHalf ? 0 : bucket / kHalf - 1;
  }
};
static_assert(HistogramLayout::bucket_of(0) == 0);
static_assert(HistogramLayout::bucket_of(HistogramLayout::kValueMax) == HistogramLayout::kBuckets - 1);

class Histogram {
 public:
  using Layout = HistogramLayout;

  /// Counts `count` values of `value` ns. The writer's; a few instructions, no locked one.
  void record(std::uint64_t value, std::uint64_t count = 1) {
    add(buckets_[Layout::bucket_of(value)], count);
    add(sum_, value * count);
    if (value > max_.load(std::memory_order_relaxed)) max_.store(value, std::memory_order_relaxed);
  }
  /// Adds everything that `other` counted. The writer's.
  void merge(const Histogram& other) {
    for (std::uint32_t i = 0; i < Layout::kBuckets; ++i) {
      const std::uint64_t counted = other.buckets_[i].load(std::memory_order_relaxed);
      if (counted != 0) add(buckets_[i], counted);
    }
    add(sum_, other.sum());
    if (other.max() > max()) max_.store(other.max(), std::memory_order_relaxed);
  }

  [[nodiscard]] std::uint64_t count() const {
    std::uint64_t total = 0;
    for (const auto& bucket : buckets_) total += bucket.load(std::memory_order_relaxed);
    return total;
  }
  [[nodiscard]] std::uint64_t sum() const { return sum_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t max() const { return max_.load(std::memory_order_relaxed); }

  /// The smallest value that `share` (0 to 1) of the recorded ones do not exceed, within 0.8%; 0 when empty. The
  /// share 1 is the exact maximum.
  [[nodiscard]] std::uint64_t percentile(double share) const {
    ensure(share >= 0 && share <= 1, "a percentile's share lies between 0 and 1");
    const std::uint64_t total = count();
    if (total == 0) return 0;
    if (share >= 1) return max();
    const auto wanted =
        std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(total))));
    std::uint64_t seen = 0;
    for (std::uint32_t i = 0; i < Layout::kBuckets; ++i) {
      seen += buckets_[i].load(std::memory_order_relaxed);
      if (seen >= wanted) return std::min(Layout::middle_of(i), max());
    }
    return max();
  }

 private:
  static void add(std::atomic<std::uint64_t>& word, std::uint64_t amount) {
    word.store(word.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }

  std::atomic<std::uint64_t> sum_{0};  // written by the owner, as all of this
  std::atomic<std::uint64_t> max_{0};
  std::array<std::atomic<std::uint64_t>, Layout::kBuckets> buckets_{};
};

}  // namespace ringcast
