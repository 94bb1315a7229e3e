#include "alloc/memory/allocator_figures.hpp"

#ifndef RINGCAST_SYSTEM_ALLOCATOR
#include <mimalloc.h>

#include <cstddef>
#endif

namespace ringcast {

AllocatorFigures allocator_figures() {
#ifdef RINGCAST_SYSTEM_ALLOCATOR
  return {};
#else
  std::size_t committed = 0;
  std::size_t committed_peak = 0;
  mi_process_info(nullptr, nullptr, nullptr, nullptr, nullptr, &committed, &committed_peak, nullptr);
  return {.committed_bytes = committed, .committed_peak_bytes = committed_peak};
#endif
}

}  // namespace ringcast
