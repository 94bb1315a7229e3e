// engine/reactor/turn_meter.hpp: what a shard's loop does with its time, and whether it still turns.
//
// Owner    shard; TurnBeacon lies where the control thread sees it.  Thread  the shard's; read_*() from any.
// Memory   one cache line and a few words.  Failure  none.
// Not here what a stalled loop means for health (node), the counters' names (stats).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "alloc/base/time.hpp"
#include "alloc/base/units.hpp"

namespace ringcast {

/// When the shard last began a turn, and until when it said it would sleep. Written by the shard alone.
class TurnBeacon {
 public:
  void turning(Instant now) { store(now, Instant{}); }
  void sleeping(Instant now, Instant until) { store(now, until); }
  /// How long the loop has been silent beyond what it announced; zero when it turns or sleeps as it said.
  [[nodiscard]] nanoseconds silent_for(Instant now) const {
    const Instant turned{nanoseconds{turned_.load(std::memory_order_acquire)}};
    const Instant until{nanoseconds{until_.load(std::memory_order_acquire)}};
    if (turned == Instant{}) return nanoseconds{0};  // not started
    return std::max(now - std::max(turned, until), nanoseconds{0});
  }

 private:
  void store(Instant turned, Instant until) {
    until_.store(until.time_since_epoch().count(), std::memory_order_release);
    turned_.store(turned.time_since_epoch().count(), std::memory_order_release);
  }
  alignas(kCacheLineBytes) std::atomic<std::int64_t> turned_{0};
  std::atomic<std::int64_t> until_{0};
};

/// Plain numbers since the start; the shard copies them into its counters.
struct TurnMeter {
  std::uint64_t turns = 0;
  std::uint64_t turns_idle = 0;  // found nothing to do
  std::uint64_t sleeps = 0;
  nanoseconds busy{0};     // in turns that found something
  nanoseconds longest{0};  // one turn

  void turn(nanoseconds took, bool worked) {
    ++turns;
    if (worked) {
      busy += took;
      longest = std::max(longest, took);
    } else {
      ++turns_idle;
    }
  }
};

}  // namespace ringcast
