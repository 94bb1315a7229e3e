// tests/simulation/served.hpp: on what terms a subscription is served, as its client may expect: what it asked for,
// within what the scenario's namespace allows; and whether it gets no more than that.
//
// Owner    a conversation's subscription, by value.  Thread  one.  Memory  a few words.
// Failure  none: it answers questions; who asks them fails the run.
// Not here gaps and order (conversation). Nothing of engine/delivery: two readings of one contract are compared.
#pragma once

#include <array>
#include <cstdint>

#include "alloc/base/time.hpp"
#include "codec/dialect/command.hpp"
#include "tests/simulation/scenario.hpp"

namespace ringcast::simulation {

class Served {
 public:
  /// protocol.md section 3: conflate and max_rate are refused where the namespace does not conflate, and every message
  /// is where it limits the rate.
  [[nodiscard]] static bool refused(const SubscribeOptions& asked, const ChannelPlan& plan) {
    const bool every = asked.has_conflate && !asked.conflate;
    if (plan.slow == SlowPolicy::conflate) return every && plan.max_rate != 0;
    return asked.conflate || asked.max_rate != 0;
  }
  [[nodiscard]] static bool chosen(const SubscribeOptions& asked) { return asked.has_conflate || asked.max_rate != 0; }

  /// A subscription is made, or served on other terms from now on.
  void begin(const SubscribeOptions& asked, const ChannelPlan& plan) {
    every_ = plan.slow == SlowPolicy::conflate && asked.has_conflate && !asked.conflate;
    rate_ = plan.max_rate;
    if (asked.max_rate != 0 && (rate_ == 0 || asked.max_rate < rate_)) rate_ = asked.max_rate;
    last_ = {};
    seen_ = 0;
    open_ = false;
  }
  /// One of several patterns serves it, and which one is not known: only the namespace's terms are sure.
  void begin_open(const ChannelPlan& plan) {
    begin({}, plan);
    open_ = plan.slow == SlowPolicy::conflate;
  }
  [[nodiscard]] bool every_message() const { return every_; }
  /// Its news may wait for an interval.
  [[nodiscard]] bool has_rate() const { return rate_ != 0 || open_; }

  /// A message is complete. False: it is the third of one interval.
  [[nodiscard]] bool takes(Instant now) {
    if (rate_ == 0) return true;
    const nanoseconds interval{(1'000'000'000 + rate_ - 1) / rate_};
    const bool kept = seen_ < 2 || now - last_[seen_ % 2] >= interval;
    last_[seen_ % 2] = now;
    ++seen_;
    return kept;
  }

 private:
  bool every_ = false;
  bool open_ = false;
  std::uint32_t rate_ = 0;
  std::uint64_t seen_ = 0;
  std::array<Instant, 2> last_{};  // when the last two were complete
};

}  // namespace ringcast::simulation
