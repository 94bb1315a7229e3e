// tools/client/backoff.hpp: how long to wait before the next attempt to connect: exponential, with full jitter.
//
// Owner    who reconnects, by value.  Thread  the owner's.  Memory  none.
// Failure  none; it never gives up: the caller counts if it wants to.
#pragma once

#include <algorithm>
#include <cstdint>

#include "alloc/base/time.hpp"
#include "tools/client/random.hpp"

namespace ringcast {

struct BackoffLimits {
  milliseconds first{250};  // the upper bound of the first wait
  milliseconds longest{10'000};
};

class Backoff {
 public:
  explicit Backoff(BackoffLimits limits = {}) : limits_{limits}, bound_{limits.first} {}

  /// A wait, uniform in [0, bound]: clients that lost one server at the same moment spread over the whole interval. The
  /// bound doubles each time up to the longest.
  [[nodiscard]] milliseconds next(Prng& random) {
    const auto limit = static_cast<std::uint64_t>(bound_.count());
    bound_ = std::min(bound_ * 2, limits_.longest);
    return milliseconds{static_cast<milliseconds::rep>(random.up_to(limit))};
  }
  /// The bound of the wait that next() gives.
  [[nodiscard]] milliseconds bound() const { return bound_; }
  /// Call when a connection works again.
  void reset() { bound_ = limits_.first; }

 private:
  BackoffLimits limits_;
  milliseconds bound_;
};

}  // namespace ringcast
