// engine/stats/memory_record.hpp: what the node holds, added up over its shards' budgets, ready to publish.
//
// Owner    the node.  Thread  the node's own; the budgets are read while their shards write them.
// Memory   one purpose's greatest value each.  Failure  none.
// Not here reading RSS and the allocator (node), what to do about it (engine/pressure).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "alloc/base/time.hpp"
#include "alloc/memory/budget.hpp"
#include "alloc/segment/ringcast_stats.h"

namespace ringcast {

/// What only a system call can tell.
struct ProcessMemory {
  std::uint64_t rss_bytes = 0;
  std::uint64_t allocator_committed_bytes = 0;  // 0: the allocator does not say
  std::uint64_t allocator_committed_peak_bytes = 0;
};

enum class PressureLevel : std::uint8_t { normal, warning, critical, emergency };
static_assert(static_cast<unsigned>(PressureLevel::emergency) == RCS_PRESSURE_EMERGENCY);

class MemoryRecord {
 public:
  /// Adds up all budgets. Returns what Seqlock<rcs_memory>::write takes.
  [[nodiscard]] rcs_memory sample(std::span<const Budget* const> shards, std::uint64_t budget_bytes,
                                  PressureLevel level, const ProcessMemory& process, Now now);

 private:
  std::array<std::uint64_t, kPurposeCount> peaks_{};  // the greatest that a sample saw
};

}  // namespace ringcast
