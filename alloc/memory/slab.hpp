// alloc/memory/slab.hpp: objects of one type at fixed addresses, named by slot and generation.
//
// Owner    whoever owns the objects, by value.  Thread  one.
// Memory   chunks of about kChunkBytesTarget, taken when a slot in them is first needed; none while never used.
//          8 bytes of bookkeeping a slot. Chunks are kept for reuse until release_unused() or the end. All of it is
//          charged to the purpose given. The heap's memory: mimalloc is the process allocator.
// Failure  at the bound, create() returns a Handle that is not valid(); a stale Handle finds nothing.
// Not here who may hold a slot how long (its owner), memory of varying size (shard_heap).
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "alloc/base/ensure.hpp"
#include "alloc/base/identifiers.hpp"
#include "alloc/base/units.hpp"
#include "alloc/memory/budget.hpp"

namespace ringcast {

/// A slot is reused last-freed-first, which keeps it in the cache. Its generation is odd while it lives and grows by
/// one at each birth and death, so a Handle matches again only after 2^31 reuses of the same slot.
template <class T>
class Slab {
 public:
  static constexpr std::size_t kChunkBytesTarget = 64 * 1024;  // a chunk is one object if the object is larger
  static constexpr std::uint32_t kChunkSlots =
      static_cast<std::uint32_t>(std::bit_floor(std::max<std::size_t>(1, kChunkBytesTarget / sizeof(T))));

  /// slots_max  the bound on live objects.  budget  may be null: nothing is charged; else it outlives the slab.
  explicit Slab(std::uint32_t slots_max, Budget* budget = nullptr, Purpose purpose = Purpose::other)
      : slots_max_{slots_max}, budget_{budget}, purpose_{purpose} {
    ensure(slots_max < Handle::kNone, "the last slot number means none");
  }
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  ~Slab() {
    for_each([this](std::uint32_t slot, T&) { destroy(handle_of(slot)); });
    if (budget_ != nullptr) budget_->release(purpose_, charged_);
  }

  /// Makes an object in a free slot. Not valid() when slots_max are alive.
  template <class... Args>
  [[nodiscard]] Handle create(Args&&... args) {
    if (free_first_ == Handle::kNone && !add_slots()) return Handle{};
    const std::uint32_t slot = free_first_;
    if (chunk_of(slot).memory == nullptr) take_chunk(chunk_of(slot), slot / kChunkSlots);
    free_first_ = states_[slot].free_next;
    ++states_[slot].generation;
    ++live_;
    ++chunk_of(slot).live;
    ::new (address(slot)) T(std::forward<Args>(args)...);
    return handle_of(slot);
  }

  /// The object, or null when it has been destroyed since the handle was given.
  [[nodiscard]] T* find(Handle handle) {
    return is_live(handle) ? object(handle.slot) : nullptr;
  }
  [[nodiscard]] const T* find(Handle handle) const {
    return is_live(handle) ? object(handle.slot) : nullptr;
  }

  /// The object of a slot that must be alive.
  [[nodiscard]] T& operator[](std::uint32_t slot) {
    ensure(is_live(slot), "a slot is alive when it is used by number");
    return *object(slot);
  }
  [[nodiscard]] const T& operator[](std::uint32_t slot) const {
    ensure(is_live(slot), "a slot is alive when it is used by number");
    return *object(slot);
  }

  /// The object of a slot, or null if none lives there: for sweeps that go over slots a few at a time.
  [[nodiscard]] T* at(std::uint32_t slot) { return is_live(slot) ? object(slot) : nullptr; }
  /// The object of a slot that has been in use will be needed soon: all its cache lines are fetched ahead.
  void prefetch(std::uint32_t slot) const {
    const auto* bytes = static_cast<const std::byte*>(address(slot));
    for (std::size_t i = 0; i < sizeof(T); i += kCacheLineBytes) __builtin_prefetch(bytes + i, 1);
    __builtin_prefetch(bytes + sizeof(T) - 1, 1);
  }
  /// Every live slot is below this.
  [[nodiscard]] std::uint32_t slot_end() const { return static_cast<std::uint32_t>(states_.size()); }

  /// The handle of a slot that must be alive.
  [[nodiscard]] Handle handle_of(std::uint32_t slot) const {
    ensure(is_live(slot), "only a live slot has a handle");
    return Handle{.slot = slot, .generation = states_[slot].generation};
  }

  /// Ends an object that must be alive. Its handles are stale before its destructor runs.
  void destroy(Handle handle) {
    ensure(is_live(handle), "an object is destroyed once, by its own handle");
    const std::uint32_t slot = handle.slot;
    ++states_[slot].generation;
    std::destroy_at(object(slot));
    --chunk_of(slot).live;
    --live_;
    states_[slot].free_next = free_first_;
    free_first_ = slot;
  }

  /// Calls f(slot, object) for each live object in slot order. `f` may destroy any object; one created meanwhile may be
  /// missed.
  template <class Function>
  void for_each(Function&& f) {
    for (std::uint32_t slot = 0; slot < states_.size(); ++slot) {
      if (is_live(slot)) f(slot, *object(slot));
    }
  }

  /// Gives back the chunks in which nothing lives, and says how many bytes those were. Handles into them stay stale.
  std::size_t release_unused() {
    std::size_t freed = 0;
    for (std::uint32_t number = 0; number < chunks_.size(); ++number) {
      Chunk& chunk = chunks_[number];
      if (chunk.memory == nullptr || chunk.live != 0) continue;
      chunk.memory.reset();
      freed += chunk_bytes(number);
    }
    if (freed == 0) return 0;
    chunk_bytes_held_ -= freed;
    relink_free();
    settle();
    return freed;
  }

  [[nodiscard]] std::uint32_t size() const { return live_; }
  [[nodiscard]] std::uint32_t capacity() const { return slots_max_; }
  [[nodiscard]] std::size_t bytes_reserved() const {
    return chunk_bytes_held_ + chunks_.capacity() * sizeof(Chunk) + states_.capacity() * sizeof(SlotState);
  }

 private:
  struct SlotState {
    std::uint32_t generation = 0;               // odd: alive
    std::uint32_t free_next = Handle::kNone;    // while free
  };
  struct FreeMemory {
    void operator()(std::byte* memory) const { ::operator delete(memory, std::align_val_t{alignof(T)}); }
  };
  struct Chunk {
    std::unique_ptr<std::byte, FreeMemory> memory;
    std::uint32_t live = 0;
  };

  [[nodiscard]] bool is_live(std::uint32_t slot) const {
    return slot < states_.size() && (states_[slot].generation & 1U) != 0;
  }
  [[nodiscard]] bool is_live(Handle handle) const {
    return is_live(handle.slot) && states_[handle.slot].generation == handle.generation;
  }
  [[nodiscard]] Chunk& chunk_of(std::uint32_t slot) { return chunks_[slot / kChunkSlots]; }
  [[nodiscard]] void* address(std::uint32_t slot) const {
    return chunks_[slot / kChunkSlots].memory.get() + std::size_t{slot % kChunkSlots} * sizeof(T);
  }
  [[nodiscard]] T* object(std::uint32_t slot) const { return std::launder(static_cast<T*>(address(slot))); }

  /// The last chunk is cut to the bound, so a slab of one object takes the room of one.
  [[nodiscard]] std::uint32_t chunk_slots(std::uint32_t number) const {
    return std::min(kChunkSlots, slots_max_ - number * kChunkSlots);
  }
  [[nodiscard]] std::size_t chunk_bytes(std::uint32_t number) const {
    return std::size_t{chunk_slots(number)} * sizeof(T);
  }

  bool add_slots() {
    const auto first = static_cast<std::uint32_t>(states_.size());
    if (first == slots_max_) return false;
    const auto number = static_cast<std::uint32_t>(chunks_.size());
    chunks_.emplace_back();
    states_.resize(first + chunk_slots(number));
    for (auto slot = static_cast<std::uint32_t>(states_.size()); slot-- > first;) push_free(slot);
    return true;
  }
  void take_chunk(Chunk& chunk, std::uint32_t number) {
    chunk.memory.reset(static_cast<std::byte*>(::operator new(chunk_bytes(number), std::align_val_t{alignof(T)})));
    chunk_bytes_held_ += chunk_bytes(number);
    settle();
  }
  void push_free(std::uint32_t slot) {
    states_[slot].free_next = free_first_;
    free_first_ = slot;
  }
  /// Slots whose chunk is still held come first, lowest first, so that the given-back chunks stay away longest.
  void relink_free() {
    free_first_ = Handle::kNone;
    for (const bool held : {false, true}) {
      for (auto slot = static_cast<std::uint32_t>(states_.size()); slot-- > 0;) {
        if (!is_live(slot) && (chunk_of(slot).memory != nullptr) == held) push_free(slot);
      }
    }
  }
  /// Brings the charge to what is reserved now.
  void settle() {
    const std::size_t reserved = bytes_reserved();
    if (budget_ != nullptr) {
      if (reserved > charged_) budget_->charge(purpose_, reserved - charged_);
      if (reserved < charged_) budget_->release(purpose_, charged_ - reserved);
    }
    charged_ = reserved;
  }

  std::vector<Chunk> chunks_;
  std::vector<SlotState> states_;
  std::uint32_t free_first_ = Handle::kNone;
  std::uint32_t live_ = 0;
  std::uint32_t slots_max_;
  std::size_t chunk_bytes_held_ = 0;
  std::size_t charged_ = 0;
  Budget* budget_;
  Purpose purpose_;
};

}  // namespace ringcast
