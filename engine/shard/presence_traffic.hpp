// engine/shard/presence_traffic.hpp: carries what Presence has for other shards, and for this one.
//
// Owner    channel_router, by value.  Thread  the shard's.
// Memory   none of its own.
// Failure  no credit or no room in a lane: it waits where it stands.
// Not here who is where (engine/presence), the channel's state (liveness_traffic), who may ask (session).
//
//   report    control lane, a credit each, answered at once: the sum over shards is exact because none is lost or
//             overtaken. A report that has to wait is not yet made: what changed back meanwhile is never told.
//   notice    bulk lane, made when there is room; at most kNoticeBacklogBytes of them lie in a lane, because each costs
//             its receiver a look at every reader of the channel.
//   question  control lane, a credit each; its answer comes by the bulk lane behind every notice, so that a list and
//             the notices after it together are how things are.
#pragma once

#include <cstddef>
#include <string_view>

#include "alloc/base/bytes.hpp"
#include "alloc/base/identifiers.hpp"
#include "alloc/base/time.hpp"
#include "alloc/base/units.hpp"
#include "engine/channel/channel_table.hpp"
#include "engine/presence/presence.hpp"

namespace ringcast {

class ChannelRouter;

inline constexpr std::size_t kNoticeBacklogBytes = 16_KiB;  // of a lane in use: no more notices go in
inline constexpr std::uint32_t kMeshCreditsForJoins = 32;   // left alone by reports and questions
inline constexpr std::size_t kNoticeReadersPerPump =
    8'192;  // readers here that are looked at before others have a turn

class PresenceTraffic {
 public:
  PresenceTraffic(ShardIndex here, std::uint32_t shards, ChannelRouter& router, Presence& presence, Delivery& delivery,
                  ShardStats& stats)
      : here_{here}, shards_{shards}, router_{&router}, presence_{&presence}, delivery_{&delivery}, stats_{&stats} {}

  /// Nothing to do: what it costs while nobody has a user and no namespace has presence.
  [[nodiscard]] bool active() const { return presence_->awake(); }
  void pump(Now now);
  /// pump() would get something done here, whatever other shards do.
  [[nodiscard]] bool has_work() const;

  void on_report(ShardIndex from, Bytes record, Now now);
  void on_reported(ShardIndex from);
  void on_question(ShardIndex from, Bytes record);
  void on_answer(ShardIndex from, Bytes record, Now now);
  /// Returns how many readers were looked at.
  [[nodiscard]] std::size_t on_notice(Bytes record, Now now);

 private:
  void apply(ShardIndex from, const Report& report, Now now);
  void take_own(Now now);
  void tell_here(Now now);
  void answer_here(Now now);
  void send_reports(ShardIndex to);
  void send_questions(ShardIndex to);
  void send_notices(ShardIndex to);
  void send_answers(ShardIndex to);
  void work_on_answer(ShardIndex from);
  [[nodiscard]] std::uint64_t shards_reading(std::string_view channel);
  [[nodiscard]] std::size_t tell_readers(std::string_view channel, std::string_view user, bool joined, Now now);

  ShardIndex here_;
  std::uint32_t shards_;
  ChannelRouter* router_;
  Presence* presence_;
  Delivery* delivery_;
  ShardStats* stats_;
};

}  // namespace ringcast
