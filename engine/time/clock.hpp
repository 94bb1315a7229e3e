// engine/time/clock.hpp: where the shell gets the time that it hands to the core.
//
// Owner    the composition root.  Thread  any; each shard reads once a turn.  Memory  none.  Failure  none.
// Not here the core: it gets Now and Instant as parameters.  Kinds: SystemClock, and ManualClock in tests/doubles.
#pragma once

#include "alloc/base/time.hpp"

namespace ringcast {

class Clock {
 public:
  virtual ~Clock() = default;
  /// Both clocks, read together. `mono` never goes back; `wall` may.
  [[nodiscard]] virtual Now now() = 0;
};

}  // namespace ringcast
