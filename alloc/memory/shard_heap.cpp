#include "alloc/memory/shard_heap.hpp"

#include <algorithm>
#include <bit>

#include "alloc/base/ensure.hpp"

#ifdef RINGCAST_SYSTEM_ALLOCATOR
#include <malloc.h>

#include <cstdlib>
#else
#include <mimalloc.h>
#endif

namespace ringcast {

#ifdef RINGCAST_SYSTEM_ALLOCATOR

namespace {
mi_heap_s* make_heap() { return nullptr; }
void end_heap(mi_heap_s*) {}
void* take(mi_heap_s*, std::size_t bytes, std::size_t alignment) {
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;  // aligned_alloc wants a multiple
  return std::aligned_alloc(alignment, rounded);
}
void give_back(void* memory) { std::free(memory); }
std::size_t usable_bytes(void* memory) { return malloc_usable_size(memory); }
std::uint64_t committed_bytes(mi_heap_s*, std::uint64_t bytes_live) { return bytes_live; }
void collect_heap(mi_heap_s*) {}
}  // namespace

#else

namespace {
mi_heap_s* make_heap() {
  mi_heap_s* heap = mi_heap_new();
  ensure(heap != nullptr, "there is memory for a shard's heap");
  return heap;
}
void end_heap(mi_heap_s* heap) { mi_heap_delete(heap); }
void* take(mi_heap_s* heap, std::size_t bytes, std::size_t alignment) {
  return mi_heap_malloc_aligned(heap, bytes, alignment);
}
void give_back(void* memory) { mi_free(memory); }
std::size_t usable_bytes(void* memory) { return mi_usable_size(memory); }
bool add_area(const mi_heap_t*, const mi_heap_area_t* area, void*, std::size_t, void* sum) {
  *static_cast<std::uint64_t*>(sum) += area->committed;
  return true;
}
std::uint64_t committed_bytes(mi_heap_s* heap, std::uint64_t) {
  std::uint64_t sum = 0;
  mi_heap_visit_blocks(heap, /*visit_all_blocks=*/false, &add_area, &sum);
  return sum;
}
void collect_heap(mi_heap_s* heap) { mi_heap_collect(heap, /*force=*/true); }
}  // namespace

#endif

ShardHeap::ShardHeap() : heap_{make_heap()} {}

ShardHeap::~ShardHeap() {
  ensure_own_thread();
  ensure(blocks_live_ == 0, "a shard's heap ends empty");
  end_heap(heap_);
}

void* ShardHeap::allocate(std::size_t bytes, std::size_t alignment) {
  void* memory = try_allocate(bytes, alignment);
  ensure(memory != nullptr, "the system has the memory that a shard needs to go on");
  return memory;
}

void* ShardHeap::try_allocate(std::size_t bytes, std::size_t alignment) {
  ensure_own_thread();
  ensure(std::has_single_bit(alignment), "an alignment is a power of two");
  if (bytes > PTRDIFF_MAX - alignment) return nullptr;
  void* memory = take(heap_, std::max<std::size_t>(bytes, 1), std::max(alignment, sizeof(void*)));
  if (memory == nullptr) return nullptr;
  bytes_live_ += usable_bytes(memory);
  ++blocks_live_;
  return memory;
}

void ShardHeap::free(void* memory) {
  ensure_own_thread();
  if (memory == nullptr) return;
  const std::size_t bytes = usable_bytes(memory);
  ensure(blocks_live_ > 0 && bytes <= bytes_live_, "a heap frees only what it handed out");
  bytes_live_ -= bytes;
  --blocks_live_;
  give_back(memory);
}

ShardHeap::Figures ShardHeap::figures() const {
  ensure_own_thread();
  return {.bytes_live = bytes_live_,
          .blocks_live = blocks_live_,
          .bytes_committed = committed_bytes(heap_, bytes_live_)};
}

void ShardHeap::collect() {
  ensure_own_thread();
  collect_heap(heap_);
}

void ShardHeap::ensure_own_thread() const {
  ensure(std::this_thread::get_id() == thread_, "a shard's heap is used from the shard's thread");
}

}  // namespace ringcast
