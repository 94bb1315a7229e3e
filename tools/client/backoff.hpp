// tools/client/backoff.hpp: how long to wait before the next attempt to connect: exponential, with full jitter.
//
// Owner    who reconnects, by value.  Thread  the owner's.  Memory  none.
// Failure  none; it never gives up: failures() lets the caller do so.
#pragma once

#include <algorithm>
#include <cstdint>

#include "alloc/base/time.hpp"
#include "tools/client/random.hpp"

namespace ringcast {

struct BackoffLimits {
  milliseconds first{250};  // the upper bound of the first wait
  milliseconds longest{30'000};
  milliseconds stable{10'000};  // a connection that lasts so long has ended the trouble
};

class Backoff {
 public:
  explicit Backoff(BackoffLimits limits = {}) : limits_{limits}, bound_{limits.first} {}

  /// A wait, uniform in [0, bound]: clients that lost one server at the same moment spread over the whole interval. The
  /// bound doubles each time up to the longest.
  ///
  /// at_least  what the server asked for: the wait is that much longer, and as spread as ever.
  [[nodiscard]] milliseconds next(Prng& random, milliseconds at_least = milliseconds{0}) {
    ++failures_;
    const auto limit = static_cast<std::uint64_t>(bound_.count());
    bound_ = std::min(bound_ * 2, limits_.longest);
    return at_least + milliseconds{static_cast<milliseconds::rep>(random.up_to(limit))};
  }
  /// The bound of the wait that next() gives.
  [[nodiscard]] milliseconds bound() const { return bound_; }
  /// How many waits were needed since a connection lasted.
  [[nodiscard]] std::uint64_t failures() const { return failures_; }

  /// A connection has ended that lasted so long. One that was lost at once ends nothing: a server that takes everybody
  /// and drops them again would be run down otherwise.
  void lasted(nanoseconds time) {
    if (time >= limits_.stable) reset();
  }
  void reset() {
    bound_ = limits_.first;
    failures_ = 0;
  }

 private:
  BackoffLimits limits_;
  milliseconds bound_;
  std::uint64_t failures_ = 0;
};

}  // namespace ringcast
