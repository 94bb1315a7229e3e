// engine/channel/home_channel.hpp: what the home shard knows of a channel: who it is now, its last number, its history.
//
// Owner    shard_core's slab; named by Channel::home_state.  Thread  the home shard's.
// Memory   about 200 bytes, the history's blocks (bounded by the namespace), one RemoteReader for each shard and form
//          that reads it.
// Failure  none.
// Not here the numbering itself (publish_pipeline), the frame logs (delivery owns them; pointers to them are here).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "alloc/base/identifiers.hpp"
#include "alloc/base/time.hpp"
#include "alloc/log/frame_log.hpp"
#include "codec/dialect/command.hpp"
#include "engine/limits.hpp"

namespace ringcast {

/// Another shard that reads this channel in one form: one more reader of the home's log, with a cursor.
struct RemoteReader {
  Handle their_log;          // names their ChannelLog; echoed in every record
  ShardIndex shard{};
  Form form{};
  bool greeted = false;      // hello has been put into the lane
  bool waiting = false;      // in the queue of readers with something to copy
  bool asked = false;        // to let a silent channel go, and has not answered
  bool told_stale = false;   // the state of the channel that it was told
  Sequence next{};
  Instant moved_at{};        // when something was last copied for it, or had to be
  Instant asked_at{};        // when its shard was last asked to let a silent channel go
};

struct HomeChannel {
  HomeChannel(BlockPool& pool, const std::string& channel_name, std::uint32_t channel_slot,
              const NamespaceRule& namespace_rule, Epoch new_epoch)
      : name{&channel_name},
        rule{&namespace_rule},
        epoch{new_epoch},
        history{pool, {.frames = namespace_rule.history.messages, .bytes = namespace_rule.history.bytes},
                Purpose::history, Sequence{1}},
        channel{channel_slot} {}

  const std::string* name;
  const NamespaceRule* rule;
  Epoch epoch;
  FrameLog history;                           // kept messages (stored_message.hpp); its next() is the next seq
  std::array<FrameLog*, kForms> form_logs{};  // logs of forms that somebody reads, here or on another shard
  std::vector<RemoteReader> remote;
  Handle durable;                             // DurableChannel, where the store has its messages before anybody else
  std::optional<Sequence> join_from;          // who joins without a resume starts here, not at the head
  Sequence snapshot{};                        // the newest snapshot's own seq; 0: none was published
  Sequence high_last{};                       // the newest message of high priority
  Sequence as_of{};                           // what it is the state after: every message with a smaller seq
  Instant used_at{};
  std::uint64_t announce_to = ~std::uint64_t{0};  // shards whose patterns are to be told before the next message
  std::uint64_t ranked_seq = 0;               // the last one when the busiest channels were looked for
  std::uint32_t channel;                      // its slot in the channel table
  std::uint32_t channel_id = 0;               // its number in the binary dialect; 0: none is left (channel_ids.hpp)
  std::uint32_t liveness = Handle::kNone;     // its watch in presence/liveness, where the namespace has stale_after
  bool stale = false;                         // nothing was published for so long

  [[nodiscard]] Sequence last() const { return Sequence{value(history.next()) - 1}; }
};

}  // namespace ringcast
