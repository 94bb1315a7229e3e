// alloc/log/block_pool.hpp: the memory that logs are made of: blocks of four sizes, and single larger ones.
//
// Owner    the shard; FrameLogs keep a reference.  Thread  the shard's.
// Memory   blocks in use, and at most kFreeBlocksMax free ones of each size kept for reuse; all charged to the purpose.
// Failure  none: how much a log may hold is the log's bound, how much the shard may hold is the budget's.
// Not here what lies in a block (frame_log).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "alloc/base/identifiers.hpp"
#include "alloc/base/time.hpp"
#include "alloc/base/units.hpp"
#include "alloc/memory/budget.hpp"

namespace ringcast {

class BlockPool;

/// A piece of a log: whole frames one behind the other, growing up; an index entry for each, growing down from the end.
struct LogBlock {
  struct Entry {
    std::uint32_t end = 0;          // where the frame ends, from the block's first data byte
    std::uint32_t age_us = 0;  // appended this long after the block's `first_time`; a block spans 71 minutes at most
    std::uint32_t wait_us = 0;      // from its receipt, on whichever shard, to here; saturates
  };

  LogBlock* older = nullptr;
  LogBlock* newer = nullptr;
  BlockPool* pool = nullptr;
  std::uint64_t position = 0;       // of the first data byte, in the log's ever growing count of bytes
  std::uint64_t ordinal = 0;        // how many frames the log had ever appended before it: holes do not count
  Sequence first{};                 // of the first frame
  Instant first_time{};             // when the first frame was appended
  std::uint32_t capacity = 0;       // bytes for data and index
  std::uint32_t used = 0;           // data bytes
  std::uint32_t frames = 0;
  std::uint32_t pins = 0;           // remainders that still send from here
  std::uint8_t size_class = 0;
  bool dropped = false;             // out of the log: freed with the last pin
  Purpose purpose = Purpose::log_blocks;

  [[nodiscard]] std::uint8_t* data() { return reinterpret_cast<std::uint8_t*>(this + 1); }
  [[nodiscard]] const std::uint8_t* data() const { return reinterpret_cast<const std::uint8_t*>(this + 1); }
  [[nodiscard]] Entry& entry(std::uint32_t index) {
    return reinterpret_cast<Entry*>(data() + capacity)[-1 - static_cast<std::ptrdiff_t>(index)];
  }
  [[nodiscard]] const Entry& entry(std::uint32_t index) const {
    return reinterpret_cast<const Entry*>(data() + capacity)[-1 - static_cast<std::ptrdiff_t>(index)];
  }
  [[nodiscard]] std::uint32_t begin_of(std::uint32_t index) const { return index == 0 ? 0 : entry(index - 1).end; }
  [[nodiscard]] bool fits(std::size_t bytes) const {
    return std::size_t{used} + bytes + (std::size_t{frames} + 1) * sizeof(Entry) <= capacity;
  }
  [[nodiscard]] Sequence end() const { return Sequence{value(first) + frames}; }
};
static_assert(sizeof(LogBlock) % 8 == 0, "data behind the header is aligned for the index at the other end");

class BlockPool {
 public:
  /// Whole blocks, header included. A channel with one message holds the smallest; the largest is what a turn sends.
  static constexpr std::array<std::uint32_t, 4> kBlockBytes{1'024, 4'096, 16'384, 65'536};
  static constexpr std::size_t kFreeBlocksMax = 64;

  explicit BlockPool(Budget* budget) : budget_{budget} {}
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  ~BlockPool();

  /// A block of `size_class`, or of the next one that holds a frame of `frame_bytes`, or one made to measure.
  [[nodiscard]] LogBlock* take(std::uint8_t size_class, std::size_t frame_bytes, Purpose purpose);
  void give_back(LogBlock* block);
  /// Frees what is kept for reuse.
  void release_free();
  [[nodiscard]] std::size_t blocks_in_use() const { return in_use_; }

 private:
  struct FreeList {
    LogBlock* first = nullptr;
    std::size_t size = 0;
  };
  std::array<FreeList, kBlockBytes.size()> free_{};
  std::size_t in_use_ = 0;
  Budget* budget_;
};

/// Keeps a block in place while a frame in it is still being sent, even after the log has dropped it.
class BlockPin {
 public:
  BlockPin() = default;
  explicit BlockPin(LogBlock& block) : block_{&block} { ++block.pins; }  // plain count: one shard
  BlockPin(BlockPin&& other) noexcept : block_{other.block_} { other.block_ = nullptr; }
  BlockPin& operator=(BlockPin&& other) noexcept {
    if (this != &other) {
      unpin();
      block_ = other.block_;
      other.block_ = nullptr;
    }
    return *this;
  }
  ~BlockPin() { unpin(); }
  [[nodiscard]] bool held() const { return block_ != nullptr; }

 private:
  void unpin() {
    if (block_ == nullptr) return;
    if (--block_->pins == 0 && block_->dropped) block_->pool->give_back(block_);
    block_ = nullptr;
  }
  LogBlock* block_ = nullptr;
};
static_assert(!std::is_copy_constructible_v<BlockPin>, "taking a pin is always written out");

}  // namespace ringcast
