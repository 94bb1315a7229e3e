// alloc/log/frame_log.hpp: a bounded run of numbered frames in contiguous blocks: the circular buffer of the engine.
//
// Owner    a channel's home (raw history, one log a wire form it feeds) or a subscriber shard, by value; must not move
//          while a Run is in use.  Thread  the shard's; no other, ever.
// Memory   blocks from the shard's BlockPool: none before the first frame, small ones first, then 64 KiB; holds at
//          least LogBounds and at most one block more. 12 bytes of index a frame, in the same block.
// Failure  none: append drops the oldest block beyond the bound; whoever still wanted it sees that run_from() answers
//          with a later seq than was asked for.
// Not here cursors and who reads (delivery), what to do about a reader that was overrun (delivery/lag_policy).
//
// Positions and sequence numbers only grow. Frames are numbered without a hole inside a block; skip_to() leaves a hole
// between blocks, which is how a gap that happened upstream stays visible to every reader.
#pragma once

#include <cstdint>
#include <optional>

#include "alloc/base/bytes.hpp"
#include "alloc/base/identifiers.hpp"
#include "alloc/base/time.hpp"
#include "alloc/log/block_pool.hpp"

namespace ringcast {

struct LogBounds {
  std::uint64_t frames = 4'096;
  std::uint64_t bytes = 4_MiB;
};

class FrameLog {
 public:
  /// `next` is the number that the first frame will get.
  FrameLog(BlockPool& pool, LogBounds bounds, Purpose purpose, Sequence next)
      : pool_{&pool}, bounds_{bounds}, next_{next}, purpose_{purpose} {}
  FrameLog(const FrameLog&) = delete;
  FrameLog& operator=(const FrameLog&) = delete;
  ~FrameLog() { clear(); }

  /// Room for one frame of at most `bytes`; to be followed by commit() before anything else. Never empty.
  [[nodiscard]] std::uint8_t* reserve(std::size_t bytes, Instant now);
  /// Makes the reserved frame, of exactly `bytes`, the newest; then drops what lies beyond the bounds.
  /// received  when its message reached the node: for latencies. Lag and age count from `now`, when it could be read.
  void commit(std::size_t bytes, Instant received);
  void append(Bytes frame, Instant now) { append(frame, now, now); }
  void append(Bytes frame, Instant received, Instant now) {
    std::uint8_t* out = reserve(frame.size(), now);
    if (!frame.empty()) std::memcpy(out, frame.data(), frame.size());
    commit(frame.size(), received);
  }
  /// The frames before `next` that were not appended will never come: a hole. `next` is after next().
  void skip_to(Sequence next);

  /// Consecutive whole frames, contiguous in memory.
  struct Run {
    const std::uint8_t* data = nullptr;
    std::uint32_t bytes = 0;
    std::uint32_t frames = 0;
    Sequence first{};
    Instant received{};          // of the first frame
    LogBlock* block = nullptr;   // for a pin; and for frame_ends
    std::uint32_t index = 0;     // of the first frame in the block

    [[nodiscard]] Sequence end() const { return Sequence{value(first) + frames}; }
    /// Bytes from the start of the run to the end of its frame number `i` (0: the first).
    [[nodiscard]] std::uint32_t end_of(std::uint32_t i) const {
      return block->entry(index + i).end - block->begin_of(index);
    }
    [[nodiscard]] Instant received_at(std::uint32_t i) const {
      const LogBlock::Entry& entry = block->entry(index + i);
      return block->first_time + microseconds{entry.age_us} - microseconds{entry.wait_us};
    }
  };
  /// The first held frames from `wanted` on: whole frames of together at most `bytes_max`, but at least one, from one
  /// block. `first` is after `wanted` if that was dropped or skipped. nullopt: no frame at or after `wanted` is held.
  [[nodiscard]] std::optional<Run> run_from(Sequence wanted, std::size_t bytes_max) const;

  [[nodiscard]] Sequence next() const { return next_; }
  /// The oldest frame held, or next() when none is.
  [[nodiscard]] Sequence tail() const { return oldest_ != nullptr ? oldest_->first : next_; }
  /// The newest frame held, or next() when none is. A hole may lie behind it.
  [[nodiscard]] Sequence newest() const { return frames_ != 0 ? Sequence{value(newest_->end()) - 1} : next_; }
  [[nodiscard]] bool holds(Sequence seq) const;
  /// Frames before this were held once and dropped; a missing frame at or after it was never appended (a hole).
  [[nodiscard]] Sequence dropped_end() const { return dropped_end_; }
  [[nodiscard]] std::uint64_t frames() const { return frames_; }
  /// Data bytes held.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  /// Bytes that were ever appended.
  [[nodiscard]] std::uint64_t position() const { return position_; }
  /// Held frames from `from` on: the lag of a reader in messages; what lies in a hole does not wait for it.
  [[nodiscard]] std::uint64_t frames_from(Sequence from) const;
  /// Bytes of the held frames from `from` on: the lag of a reader in bytes.
  [[nodiscard]] std::uint64_t bytes_from(Sequence from) const;
  /// When the first held frame at or after `from` was appended; nullopt when there is none.
  [[nodiscard]] std::optional<Instant> appended_at(Sequence from) const;

  /// Drops whole blocks whose frames are all before `keep` and were all appended before `older_than`.
  void trim(Sequence keep, Instant older_than);
  /// Drops the oldest blocks until at most `bytes` of data are held (memory pressure).
  void shrink_to(std::uint64_t bytes);
  void clear();
  void set_bounds(LogBounds bounds) { bounds_ = bounds; }
  [[nodiscard]] const LogBounds& bounds() const { return bounds_; }

  /// Checks the structure against itself; stops the process when broken.
  void validate() const;

 private:
  [[nodiscard]] LogBlock* find(Sequence wanted) const;
  void drop_oldest();

  BlockPool* pool_;
  LogBlock* oldest_ = nullptr;
  LogBlock* newest_ = nullptr;
  LogBounds bounds_;
  Sequence next_;
  Sequence dropped_end_{};
  std::uint64_t frames_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t position_ = 0;
  std::uint64_t appended_ = 0;
  Instant reserved_at_{};
  std::uint32_t reserved_ = 0;
  Purpose purpose_;
};

}  // namespace ringcast
