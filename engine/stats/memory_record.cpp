#include "engine/stats/memory_record.hpp"

#include <algorithm>

#include "alloc/segment/event_ring.hpp"

namespace ringcast {

static_assert(kPurposeCount <= RCS_PURPOSES, "every purpose has a row in the segment");

rcs_memory MemoryRecord::sample(std::span<const Budget* const> shards, std::uint64_t budget_bytes, PressureLevel level,
                                const ProcessMemory& process, Now now) {
  rcs_memory memory{};
  memory.updated_wall = static_cast<std::uint64_t>(now.wall.time_since_epoch().count());
  memory.budget_bytes = budget_bytes;
  memory.rss_bytes = process.rss_bytes;
  memory.allocator_committed_bytes = process.allocator_committed_bytes;
  memory.allocator_committed_peak_bytes = process.allocator_committed_peak_bytes;
  memory.pressure = static_cast<std::uint32_t>(level);
  memory.purpose_count = kPurposeCount;
  for (std::size_t i = 0; i < kPurposeCount; ++i) {
    std::uint64_t bytes = 0;
    for (const Budget* budget : shards) bytes += budget->used(kPurposes[i].purpose);
    peaks_[i] = std::max(peaks_[i], bytes);
    copy_text(memory.purposes[i].label, kPurposes[i].name);
    memory.purposes[i].bytes = bytes;
    memory.purposes[i].bytes_peak = peaks_[i];
    memory.accounted_bytes += bytes;
  }
  return memory;
}

}  // namespace ringcast
