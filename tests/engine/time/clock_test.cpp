#include <ctime>

#include <gtest/gtest.h>

#include "engine/time/system_clock.hpp"
#include "tests/doubles/manual_clock.hpp"

namespace ringcast {
namespace {

TEST(SystemClock, LiesBetweenTwoReadingsOfTheKernelsClocks) {
  const auto read = [](clockid_t id) {
    timespec reading{};
    clock_gettime(id, &reading);
    return nanoseconds{seconds{reading.tv_sec}} + nanoseconds{reading.tv_nsec};
  };
  SystemClock clock;
  const nanoseconds before = read(CLOCK_MONOTONIC);
  const Now now = clock.now();
  const nanoseconds after = read(CLOCK_MONOTONIC);
  EXPECT_LE(before, now.mono.time_since_epoch());
  EXPECT_LE(now.mono.time_since_epoch(), after);
  EXPECT_LT(std::chrono::abs(now.wall.time_since_epoch() - read(CLOCK_REALTIME)), minutes{1});
}

TEST(SystemClock, NeverGoesBack) {
  SystemClock clock;
  Instant last{};
  for (int i = 0; i < 10'000; ++i) {
    const Instant now = clock.now().mono;
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(ManualClock, StandsStillUntilItIsMoved) {
  ManualClock manual;
  Clock& clock = manual;
  const Now first = clock.now();
  EXPECT_EQ(clock.now().mono, first.mono);
  manual.advance(seconds{3});
  EXPECT_EQ(clock.now().mono, first.mono + seconds{3});
  EXPECT_EQ(clock.now().wall, first.wall + seconds{3});
  manual.set_wall(WallTime{seconds{5}});
  EXPECT_EQ(clock.now().wall, WallTime{seconds{5}});
  EXPECT_EQ(clock.now().mono, first.mono + seconds{3});
}

}  // namespace
}  // namespace ringcast
