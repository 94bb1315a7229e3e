// engine/reactor/idle_policy.hpp: how long an idle shard polls before it sleeps.
//
// Owner    shard, by value.  Thread  the shard's.  Memory  two words.  Failure  none.
// Not here polling and sleeping themselves (shard), the flags that wake a sleeper (doorbell.hpp).
//
// To be woken from sleep costs 26 us where polling notices in 1 us, but an idle node must sleep. So a shard polls for
// the longest time that lately paid: a wait that polling would have covered brings the whole time back, one that it
// would not have halves it, down to none.
#pragma once

#include <algorithm>

#include "alloc/base/time.hpp"

namespace ringcast {

class IdlePolicy {
 public:
  /// spin_max  the longest time to poll; zero: always sleep at once.
  explicit IdlePolicy(nanoseconds spin_max) : spin_max_{std::max(spin_max, nanoseconds{0})}, spin_{spin_max_} {}

  /// How long to poll now before sleeping.
  [[nodiscard]] nanoseconds spin_time() const { return spin_; }
  /// A wait is over: work came after `spun` of polling and then `slept` (zero: while polling).
  void waited(nanoseconds spun, nanoseconds slept) {
    if (slept <= nanoseconds{0} || spun + slept <= spin_max_) {
      spin_ = spin_max_;
    } else {
      spin_ = spin_ / 2 < spin_max_ / kSmallestPart ? nanoseconds{0} : spin_ / 2;
    }
  }

 private:
  static constexpr int kSmallestPart = 16;  // a shorter poll than a 16th of the whole costs more than it finds

  nanoseconds spin_max_;
  nanoseconds spin_;
};

}  // namespace ringcast
