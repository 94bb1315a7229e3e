// engine/time/system_clock.hpp: the kernel's clocks (through the vDSO: no system call is made in practice).
//
// Owner    the composition root.  Thread  any.  Memory  none.
// Failure  a kernel without CLOCK_MONOTONIC or CLOCK_REALTIME stops the process.
// Not here the core: only the shell reads a clock.
#pragma once

#include "engine/time/clock.hpp"

namespace ringcast {

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Now now() override;
};

}  // namespace ringcast
