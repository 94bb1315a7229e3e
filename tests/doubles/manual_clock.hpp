// tests/doubles/manual_clock.hpp: a clock that stands still until the test moves it.
//
// Owner    the test.  Thread  one.  Memory  none.  Failure  none.
#pragma once

#include "engine/time/clock.hpp"

namespace ringcast {

class ManualClock final : public Clock {
 public:
  explicit ManualClock(Now start = Now{.mono = Instant{seconds{1}}, .wall = WallTime{seconds{1'700'000'000}}})
      : now_{start} {}

  [[nodiscard]] Now now() override { return now_; }
  /// Time passes: both clocks move.
  void advance(nanoseconds by) {
    now_.mono += by;
    now_.wall += by;
  }
  /// Somebody sets the wall clock, forwards or back.
  void set_wall(WallTime to) { now_.wall = to; }

 private:
  Now now_;
};

}  // namespace ringcast
