// alloc/memory/allocator_figures.hpp: what the process allocator holds from the system, over all threads.
//
// Thread  any.  Memory  none.  Failure  zeros where the allocator does not say (RINGCAST_SYSTEM_ALLOCATOR).
// Not here one shard's heap (shard_heap.hpp), what the bytes are for (budget.hpp).
#pragma once

#include <cstdint>

namespace ringcast {

struct AllocatorFigures {
  std::uint64_t committed_bytes = 0;
  std::uint64_t committed_peak_bytes = 0;
};

[[nodiscard]] AllocatorFigures allocator_figures();

}  // namespace ringcast
