// engine/stats/stats_segment.hpp: the segment of this engine: its tables and blocks, laid out for readers.
//
// Owner    the node.  Thread  the node's own; a shard gets its ShardBlock before its thread starts, writes only that.
// Memory   about 620 KiB for each shard and for the node, in shared memory, reserved at creation.
// Failure  create() returns a SegmentError with a sentence for the operator; nothing after that fails.
// Not here the file's rules (alloc/segment/file.hpp), counting (shard_stats.hpp), reading (report.hpp).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "alloc/base/result.hpp"
#include "alloc/base/time.hpp"
#include "alloc/segment/file.hpp"
#include "engine/stats/shard_block.hpp"

namespace ringcast {

class StatsSegment {
 public:
  /// Creates /dev/shm/ringcast.<name>. `server` is "ringcast/<version>".
  [[nodiscard]] static Result<StatsSegment, SegmentError> create(std::string_view name, std::string_view server,
                                                                 std::uint32_t shards, Now now,
                                                                 std::string_view directory = kSegmentDirectory);

  [[nodiscard]] ShardBlock& shard_block(std::uint32_t shard) const;
  [[nodiscard]] NodeBlock& node_block() const;
  void heartbeat(Now now) { file_.heartbeat(now); }
  void set_run_state(rcs_run_state state) { file_.set_run_state(state); }
  /// Leaves the file behind, as a crash would.
  void keep_file() { file_.keep_file(); }
  [[nodiscard]] const std::string& path() const { return file_.path(); }

 private:
  explicit StatsSegment(SegmentFile&& file) : file_{std::move(file)} {}
  SegmentFile file_;
};

}  // namespace ringcast
