// engine/presence/liveness.hpp: which channels have been silent for as long as their namespace allows.
//
// Owner    ChannelRouter, by value.  Thread  the home shard's.
// Memory   a Watch (56 bytes) for each home channel whose namespace has stale_after, charged to Purpose::channels.
// Failure  none.
// Not here telling the readers (notice_fanout), other shards (channel_router), what is published (publish_pipeline).
//
// A publish only notes the time: the timer finds out when it fires whether the channel was silent since, so a busy
// channel costs one store a message and one timer each stale_after.
#pragma once

#include <cstdint>
#include <optional>

#include "alloc/base/identifiers.hpp"
#include "alloc/base/time.hpp"
#include "alloc/memory/slab.hpp"
#include "engine/limits.hpp"
#include "engine/time/timer_wheel.hpp"

namespace ringcast {

class Liveness {
 public:
  Liveness(Budget& budget, Now now)
      : wheel_{now.mono, kTimerTick}, watches_{Handle::kNone - 1, &budget, Purpose::channels} {}
  ~Liveness() {
    watches_.for_each([this](std::uint32_t, Watch& watch) { wheel_.cancel(watch.timer); });
  }
  Liveness(const Liveness&) = delete;
  Liveness& operator=(const Liveness&) = delete;

  /// A channel came to be: it is live until it has been silent for so long. Returns what it is known by here.
  [[nodiscard]] std::uint32_t watch(Handle home, nanoseconds stale_after, Now now) {
    const Handle handle = watches_.create();
    ensure(handle.valid(), "there are as many slots for watches as for channels");
    Watch& watch = watches_[handle.slot];
    watch.home = home;
    watch.stale_after = stale_after;
    watch.published_at = now.mono;
    watch.timer.tag = handle.slot;
    wheel_.arm(watch.timer, now.mono + stale_after);
    return handle.slot;
  }
  void forget(std::uint32_t slot) {
    wheel_.cancel(watches_[slot].timer);
    watches_.destroy(watches_.handle_of(slot));
  }
  /// Something was published.
  void published(std::uint32_t slot, Now now) {
    Watch& watch = watches_[slot];
    watch.published_at = now.mono;
    if (!watch.timer.armed()) wheel_.arm(watch.timer, now.mono + watch.stale_after);  // it was stale
  }
  /// Calls f(home) for each channel that has become stale.
  template <class Function>
  void expire(Now now, Function&& f) {
    wheel_.expire(now.mono, [&](TimerEntry& entry) {
      Watch& watch = watches_[static_cast<std::uint32_t>(entry.tag)];
      if (now.mono - watch.published_at < watch.stale_after) {
        wheel_.arm(watch.timer, watch.published_at + watch.stale_after);
      } else {
        f(watch.home);
      }
    });
  }
  [[nodiscard]] std::optional<Instant> next_deadline() const { return wheel_.next_deadline(); }
  [[nodiscard]] std::uint32_t size() const { return watches_.size(); }
  void release_unused() {
    if (watches_.size() < watches_.slot_end() / 4) watches_.release_unused();
  }

 private:
  struct Watch {
    TimerEntry timer;  // not armed while the channel is stale
    Handle home;
    nanoseconds stale_after{};
    Instant published_at{};
  };

  TimerWheel wheel_;
  Slab<Watch> watches_;
};

}  // namespace ringcast
