// alloc/memory/shard_heap.hpp: one shard's own heap, for memory of varying size off the message path.
//
// Owner    the shard.  Thread  the one that constructed it, checked at every call.
// Memory   mimalloc's pages; under RINGCAST_SYSTEM_ALLOCATOR (sanitizer builds) the C library's.
// Failure  allocate() stops the process when the system has no memory; try_allocate() tells by a null pointer.
// Not here charging what is taken (the caller, to its Budget), objects of one size (slab).
#pragma once

#include <cstddef>
#include <cstdint>
#include <thread>

struct mi_heap_s;

namespace ringcast {

class ShardHeap {
 public:
  /// What the allocator itself says; the leak detector compares it with the Budget. Walks the heap: not for every turn.
  struct Figures {
    std::uint64_t bytes_live = 0;       // handed out and not freed, as rounded up by the allocator
    std::uint64_t blocks_live = 0;
    std::uint64_t bytes_committed = 0;  // held from the system for this heap; bytes_live where that is not known
  };

  /// Made on the thread that will use it.
  ShardHeap();
  ShardHeap(const ShardHeap&) = delete;
  ShardHeap& operator=(const ShardHeap&) = delete;
  /// On the same thread, after everything has been freed: what is left is a leak and stops the process.
  ~ShardHeap();

  /// Never null. alignment is a power of two.
  [[nodiscard]] void* allocate(std::size_t bytes, std::size_t alignment = alignof(std::max_align_t));
  /// Null when the system has no memory.
  [[nodiscard]] void* try_allocate(std::size_t bytes, std::size_t alignment = alignof(std::max_align_t));
  /// Gives back what this heap allocated. Null is nothing.
  void free(void* memory);

  /// Bytes handed out and not freed: a plain number, cheap to read.
  [[nodiscard]] std::uint64_t bytes_live() const { return bytes_live_; }
  [[nodiscard]] Figures figures() const;
  /// Gives pages without live blocks back to the system.
  void collect();

 private:
  void ensure_own_thread() const;

  std::thread::id thread_ = std::this_thread::get_id();
  mi_heap_s* heap_ = nullptr;  // null under RINGCAST_SYSTEM_ALLOCATOR
  std::uint64_t bytes_live_ = 0;
  std::uint64_t blocks_live_ = 0;
};

}  // namespace ringcast
