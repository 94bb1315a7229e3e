// alloc/segment/file.hpp: a node's statistics segment: created, kept alive, removed.
//
// Owner    the node, for its whole life; the blocks in it are written by the threads they were made for.
// Thread   create, heartbeat and set_run_state: the node's own thread. The blocks: one writer each.
// Memory   the mapping, fixed and reserved at creation: a full /dev/shm is an error at start, not SIGBUS later.
// Failure  SegmentError with a sentence for the operator. A process that dies leaves the file: it stays readable, and
//          the next node of the name replaces it.
// Not here what counters there are (engine/stats), reading (ringcast_stats.h).
//
// The file is made without a name, filled, and only then linked into the directory, version word last; so no reader
// ever sees a half-made one. The writer holds a lock (flock) on it, which the kernel drops with the process however it
// dies: that is what tells "two nodes with one name" from a stale segment, and no recycled pid can fool it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/result.hpp"
#include "alloc/base/time.hpp"
#include "alloc/segment/ringcast_stats.h"

namespace ringcast {

inline constexpr std::string_view kSegmentDirectory = "/dev/shm";
inline constexpr unsigned kSegmentMode = 0640;         // protocol.md section 6
inline constexpr seconds kHeartbeatIntervalMax{1};     // readers call a node stalled after RCS_STALLED_AFTER_NS

/// One part of a block: where in the block it lies, and what a reader is told about it.
struct SegmentPart {
  rcs_section_kind kind{};
  std::uint64_t offset = 0;       // in the block
  std::uint64_t bytes = 0;
  std::uint32_t entry_bytes = 0;
  std::uint32_t entry_count = 0;
};

/// What a segment consists of. All blocks start zeroed, aligned to a page.
struct SegmentSpec {
  std::string_view server;        // "ringcast/1.0.0"
  std::span<const rcs_counter_row> counters;
  std::span<const rcs_histogram_row> histograms;
  std::span<const rcs_event_row> events;
  std::uint32_t shards = 1;
  std::size_t shard_block_bytes = 0;
  std::span<const SegmentPart> shard_parts;  // the same in each shard's block
  std::size_t node_block_bytes = 0;
  std::span<const SegmentPart> node_parts;
};

struct SegmentError {
  enum class Kind : std::uint8_t { bad_name, in_use, foreign, system };
  Kind kind{};
  std::string sentence;
};

class SegmentFile {
 public:
  /// Creates <directory>/ringcast.<name>, replacing what a dead node left there.
  [[nodiscard]] static Result<SegmentFile, SegmentError> create(std::string_view name, const SegmentSpec& spec, Now now,
                                                                std::string_view directory = kSegmentDirectory);
  SegmentFile(SegmentFile&& other) noexcept;
  SegmentFile& operator=(SegmentFile&&) = delete;
  /// Says "stopped" to readers who have it open, and removes the file.
  ~SegmentFile();

  [[nodiscard]] void* shard_block(std::uint32_t shard) const;
  [[nodiscard]] void* node_block() const;
  /// To be called at least once every kHeartbeatIntervalMax.
  void heartbeat(Now now);
  void set_run_state(rcs_run_state state);
  /// Leaves the file behind when this object goes, as a crash would: for a successor or a post-mortem.
  void keep_file() { keep_ = true; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  SegmentFile() = default;

  std::string path_;
  int fd_ = -1;
  std::uint8_t* base_ = nullptr;
  std::size_t bytes_ = 0;
  std::uint32_t shards_ = 0;
  std::size_t shard_blocks_offset_ = 0;
  std::size_t shard_block_stride_ = 0;
  std::size_t node_block_offset_ = 0;
  bool keep_ = false;
};

}  // namespace ringcast
