// engine/access/token_bucket.hpp: so many a second on average, so many at once.
//
// Owner    what is limited: a connection, a shard; by value.  Thread  the owner's.
// Memory   8 bytes: when it will be full again says how full it is now, so an idle bucket costs no timer.
// Failure  none: take() says how long to wait.
// Not here limits that hold over all shards (shared_board.hpp), what is done to who exceeds them (session).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "alloc/base/time.hpp"

namespace ringcast {

struct BucketLimits {
  std::uint32_t per_second = 0;  // 0: no limit
  std::uint32_t burst = 1;       // at least 1: as many at once as a full bucket holds

  [[nodiscard]] constexpr bool on() const { return per_second != 0; }
  [[nodiscard]] constexpr nanoseconds interval() const { return nanoseconds{1'000'000'000 / per_second}; }
};

class TokenBucket {
 public:
  /// Takes one. Nothing: it was there; else how long until one is. A bucket starts full.
  std::optional<nanoseconds> take(const BucketLimits& limits, Instant now) {
    if (!limits.on()) return std::nullopt;
    const nanoseconds interval = limits.interval();
    const Instant full_at = std::max(full_at_, now) + interval;
    const nanoseconds over = (full_at - now) - interval * limits.burst;
    if (over > nanoseconds{0}) return over;
    full_at_ = full_at;
    return std::nullopt;
  }
  /// When take() gives one again, if it does not now.
  [[nodiscard]] Instant ready_at(const BucketLimits& limits) const {
    return limits.on() ? full_at_ + limits.interval() - limits.interval() * limits.burst : Instant{};
  }
  /// Whether take() would give one.
  [[nodiscard]] bool has(const BucketLimits& limits, Instant now) const {
    TokenBucket copy = *this;
    return !copy.take(limits, now);
  }

 private:
  Instant full_at_{};
};
static_assert(sizeof(TokenBucket) == 8, "two are part of every connection of a node with limits");

}  // namespace ringcast
