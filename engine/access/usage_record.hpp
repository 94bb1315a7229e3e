// engine/access/usage_record.hpp: who was subscribed to what, from when to when: what a shard tells the writer of the
// entitlement record, and how it gets there.
//
// Owner    node owns the lanes, one a shard, and outlives both sides; a shard owns its UsageJournal.
// Thread   lane: the shard writes, the control thread reads. Journal: the shard's.
// Memory   a lane is fixed. The journal holds what the lane had no room for: an end of each subscription that there is,
//          because none is granted while it holds anything (has_room()); and beginnings and ends of channels that a
//          pattern binds meanwhile, since who has a pattern was promised all of them.
// Failure  none is lost, and none is dropped: while the writer is behind (or its disk is full), nobody subscribes.
// Not here the file and its lines (node/usage_file.hpp), what a refused subscribe is answered (session).
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "alloc/base/bytes.hpp"
#include "alloc/base/time.hpp"
#include "alloc/memory/budget.hpp"
#include "alloc/queue/spsc_ring.hpp"
#include "codec/text/ip_address.hpp"
#include "engine/stats/shard_stats.hpp"

namespace ringcast {

/// Views are valid as long as the bytes that it was read from.
struct UsageRecord {
  enum class Kind : std::uint8_t { began, ended };
  Kind kind{};
  WallTime at{};
  WallTime since{};              // ended: when it began
  std::uint64_t connection = 0;  // as in `welcome`
  IpAddress address{};
  std::uint16_t port = 0;  // 0: a unix socket
  std::string_view user;   // empty: nobody in particular
  std::string_view channel;
};

[[nodiscard]] std::size_t encoded_bytes(const UsageRecord& record);
void encode(const UsageRecord& record, MutableBytes out);  // encoded_bytes() of it
[[nodiscard]] std::optional<UsageRecord> decode_usage_record(Bytes bytes);

inline constexpr std::size_t kUsageLaneBytes = 1U << 20;  // some 8,000 records, written four times a second
using UsageLane = SpscByteRing<>;

class UsageJournal {
 public:
  UsageJournal(UsageLane& lane, Budget& budget, ShardStats& stats) : lane_{&lane}, budget_{&budget}, stats_{&stats} {}
  ~UsageJournal() { budget_->release(Purpose::other, held_bytes_); }
  UsageJournal(const UsageJournal&) = delete;
  UsageJournal& operator=(const UsageJournal&) = delete;

  /// A subscription may begin.
  [[nodiscard]] bool has_room() { return held_.empty() && lane_->has_room(kRoomBytes); }
  void note(const UsageRecord& record);
  /// Brings what is held to the writer, as far as there is room; called once a housekeeping, and at the end.
  void flush();
  /// Everything is with the writer.
  [[nodiscard]] bool settled() const { return held_.empty(); }

 private:
  static constexpr std::size_t kRoomBytes = 4'096;  // for a command with a few channels; a large one is held

  [[nodiscard]] bool pass_on(std::string_view record);

  UsageLane* lane_;
  Budget* budget_;
  ShardStats* stats_;
  std::deque<std::string> held_;
  std::string scratch_;
  std::size_t held_bytes_ = 0;
};

}  // namespace ringcast
