// alloc/base/time.hpp: instants are values that are passed in; nothing below the shell reads a clock.
#pragma once

#include <chrono>
#include <cstdint>

namespace ringcast {

using std::chrono::nanoseconds;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::minutes;
using std::chrono::hours;

struct MonotonicTag {
  using duration = nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  static constexpr bool is_steady = true;
};
/// CLOCK_MONOTONIC: for deadlines and latencies.
using Instant = std::chrono::time_point<MonotonicTag, nanoseconds>;
/// CLOCK_REALTIME, since the Unix epoch: for what people read.
using WallTime = std::chrono::time_point<std::chrono::system_clock, nanoseconds>;

/// One reading of both clocks, taken once a loop turn.
struct Now {
  Instant mono{};
  WallTime wall{};
};

}  // namespace ringcast
