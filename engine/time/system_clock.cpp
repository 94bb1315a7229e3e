#include "engine/time/system_clock.hpp"

#include <ctime>

#include "alloc/base/ensure.hpp"

namespace ringcast {

namespace {
nanoseconds read_clock(clockid_t id) {
  timespec reading{};
  ensure(clock_gettime(id, &reading) == 0, "the kernel has the clocks that POSIX demands");
  return seconds{reading.tv_sec} + nanoseconds{reading.tv_nsec};
}
}  // namespace

Now SystemClock::now() {
  return {.mono = Instant{read_clock(CLOCK_MONOTONIC)}, .wall = WallTime{read_clock(CLOCK_REALTIME)}};
}

}  // namespace ringcast
