// engine/reactor/bridge_bell.hpp: how a shard wakes the bridge, without a system call while that is awake.
//
// Owner    the bridge.  Thread  ring() is any thread's, the rest the bridge's.
// Memory   two cache lines and an eventfd.  Failure  valid() says whether there was one left.
// Not here what the bridge is woken for (offline/store_lane), waking shards (doorbell.hpp).
//
// No wake-up is lost: the bridge sets its flag and only then looks whether there is work; a shard shows its request and
// only then exchanges the flag. Both touch it by read-modify-write, as in doorbell.hpp.
#pragma once

#include <atomic>
#include <cstdint>

#include "alloc/base/time.hpp"
#include "alloc/base/units.hpp"

namespace ringcast {

class BridgeBell {
 public:
  BridgeBell();
  ~BridgeBell();
  BridgeBell(const BridgeBell&) = delete;
  BridgeBell& operator=(const BridgeBell&) = delete;

  /// Any thread's: wakes the bridge if it sleeps. To be called after publishing what it is woken for.
  void ring() {
    if (asleep_.exchange(0, std::memory_order_acq_rel) != 0) ring_event();
  }
  void ring_event();

  // -- the bridge's --
  void lie_down() { asleep_.exchange(1, std::memory_order_acq_rel); }
  void get_up() { asleep_.exchange(0, std::memory_order_acq_rel); }
  /// Sleeps until it is rung, at most for so long.
  void wait(nanoseconds at_most);
  [[nodiscard]] bool valid() const { return event_fd_ >= 0; }

 private:
  alignas(kCacheLineBytes) std::atomic<std::uint32_t> asleep_{0};  // set by the bridge, taken by whoever rings it
  alignas(kCacheLineBytes) int event_fd_ = -1;                     // never changes
};

}  // namespace ringcast
