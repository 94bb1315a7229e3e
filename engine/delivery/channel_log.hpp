// engine/delivery/channel_log.hpp: one channel's recent frames in one wire form, on one shard, and who reads them.
//
// Owner    Delivery's slab.  Thread  the shard's; no other, ever.
// Memory   about 200 bytes, the log's blocks within the namespace's lag bounds, 4 bytes a reader.
// Failure  none: append drops the oldest block at the bound; a cursor it overruns finds out when its turn comes.
// Not here sending (rolling_send), what to do about a lag (lag_policy), encoding (channel/frame_encoder).
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "alloc/base/identifiers.hpp"
#include "alloc/log/frame_log.hpp"
#include "codec/dialect/command.hpp"
#include "engine/channel/join_start.hpp"
#include "engine/delivery/outbox.hpp"
#include "engine/limits.hpp"
#include "engine/time/timer_wheel.hpp"

namespace ringcast {

/// What a subscription is: the next seq it wants, of which log.
struct Cursor {
  Sequence next{};
  std::uint32_t log = kNoSlot;
};
static_assert(sizeof(Cursor) <= 16, "a thousand subscriptions are 16 KB of cursors");

/// A cursor and its places in three lists: its log's readers, its connection's subscriptions, those with news.
struct Subscription {
  Cursor cursor;
  Outbox* reader = nullptr;
  std::uint32_t reader_index = kNoSlot;   // in ChannelLog::readers; kNoSlot while it waits for its log
  std::uint32_t channel = kNoSlot;        // slot in the shard's channel table
  std::uint32_t of_reader_previous = kNoSlot;
  std::uint32_t of_reader_next = kNoSlot;
  std::uint32_t pending_previous = kNoSlot;
  std::uint32_t pending_next = kNoSlot;
  std::uint32_t moving_to = kNoSlot;      // another form's log, to be read from once it has what is wanted next
  std::uint32_t extra = kNoSlot;          // SubscriptionExtra: what few subscriptions have
  std::uint32_t whole_from = 0;           // the low half of a seq: from that on, nothing was left out
  bool pending : 1 = false;
  bool answered : 1 = false;              // "subscribed" has been queued: messages may follow
  bool catching_up : 1 = false;           // is sent from its extra's chunk until its log holds what it wants
  bool by_pattern : 1 = false;            // a pattern of its connection bound it; an exact subscribe takes it over
  bool conflates : 1 = false;             // wants the newest only, whenever its turn comes
  bool complete : 1 = false;              // wants every message: the namespace's conflation is not for it
  bool rated : 1 = false;                 // is sent one message an interval; its extra says when
  bool high : 1 = false;                  // pending, among those of its connection that go first
  bool told_stale : 1 = false;            // the state of the channel that its reader knows of
  bool presence_missed : 1 = false;       // was left out when users joined or left: to be told so
  bool state_missed : 1 = false;          // was left out when the channel's state changed

  /// Its reader is sent every message from this one on, until it is said again.
  void begins_whole(Sequence seq) { whole_from = static_cast<std::uint32_t>(value(seq)); }
  /// Its reader was sent this message and every later one before the cursor. Of runs longer than two billion messages
  /// half a seq says nothing: then no, which is the careful answer.
  [[nodiscard]] bool sent_all_from(Sequence seq) const {
    const auto run = static_cast<std::int32_t>(static_cast<std::uint32_t>(value(cursor.next)) - whole_from);
    return run >= 0 && seq <= cursor.next && distance(seq, cursor.next) <= static_cast<std::uint64_t>(run);
  }
  /// Sent from its log, and its namespace's policy is for it.
  [[nodiscard]] bool ordinary() const { return !(catching_up || conflates || complete); }
};
static_assert(sizeof(Subscription) <= 64, "one cache line a subscription");

/// History on its way to one reader: whole frames in its form, a chunk at a time, until its log holds what it wants.
struct CatchUp {
  explicit CatchUp(BlockPool& pool)
      : chunk{pool, {.frames = ~0ULL, .bytes = ~0ULL}, Purpose::log_blocks, Sequence{}} {}

  FrameLog chunk;                         // bounded by who fills it: kCatchUpBytesMax, or one frame
  JoinWish wish;                          // what the home is asked for a joiner's first chunk
  JoinStart start;                        // and what it said
  std::uint32_t serial = 0;               // of the chunk asked for last: an answer to an older question is not wanted
  bool asked = false;                     // a chunk is on its way
  bool joins = false;                     // it is the first: "subscribed" waits for it
  bool snapshot_first = false;            // the chunk's first frame is a snapshot, numbered one before its as_of
  Sequence live_from{};                   // of a durable channel: what lies before it is sent as stored, from history
};

/// A subscription that a pattern makes, until its log is there.
struct PatternBinding {
  Handle owner;  // the PatternSubscription that it is for
  ResumePoint from{};
  bool resumes = false;    // from there on
  bool announced = false;  // `from` is what the home said, and not what the client has
  bool in_round = false;   // the answer to the pattern's subscribe waits for it
  bool plain = false;      // its namespace does not allow the pattern's options
};

/// What only some subscriptions have; Subscription::extra names it.
struct SubscriptionExtra {
  std::unique_ptr<CatchUp> catch_up;
  std::uint32_t max_rate = 0;             // messages a second; 0: no bound
  Instant interval_end{};                 // max_rate: nothing more is sent until then
  TimerEntry interval;                    // armed while news waits for that
  std::unique_ptr<PatternBinding> binding;
};

/// News of a channel that waits for company, where its namespace has a batch_delay.
struct Batch {
  TimerEntry until;                       // armed while news waits
  Sequence first{};                       // of what waits
};

struct ChannelLog {
  enum class State : std::uint8_t { attaching, live, refused };  // refused: the home has no room for the channel

  ChannelLog(BlockPool& pool, const NamespaceRule& namespace_rule, const std::string& channel_name,
             std::uint32_t channel_slot, Form wire_form, Sequence next, Epoch channel_epoch, State first_state)
      : log{pool,
            {.frames = namespace_rule.lag.messages, .bytes = namespace_rule.lag.bytes},
            Purpose::log_blocks,
            next},
        rule{&namespace_rule},
        name{&channel_name},
        epoch{channel_epoch},
        channel{channel_slot},
        form{wire_form},
        state{first_state} {
    if (namespace_rule.priority == Priority::high) high_last = Sequence{~std::uint64_t{0}};
    if (namespace_rule.batch_delay.count() != 0) batch = std::make_unique<Batch>();
  }

  FrameLog log;
  const NamespaceRule* rule;
  const std::string* name;              // the channel's, in the channel table
  Epoch epoch;
  Sequence begin_at{};                  // attaching: where it is to begin, in that epoch; 0: with the next message
  Handle home;                          // where it is fed by another shard: that shard's HomeChannel
  std::vector<std::uint32_t> readers;   // subscriptions that read; each knows its index here
  std::vector<std::uint32_t> joiners;   // subscriptions that wait until the log is live
  Instant unread_since{};               // when the last reader left; meaningful while nobody reads
  std::uint32_t channel;                // its slot in the shard's channel table
  std::uint32_t channel_id = 0;         // its number in the binary dialect
  std::uint32_t rotation = 0;           // where the next expansion starts: nobody is always first
  std::uint32_t moving = 0;             // readers that want to move away, or to come
  std::uint32_t remote_readers = 0;     // at home: other shards that read this log
  Form form;
  State state;
  bool dirty = false;                   // in the queue of logs with news
  bool stale = false;                   // the channel has been silent for its namespace's stale_after
  bool refused_by_store = false;        // refused: what is stored of the channel cannot be read
  Sequence done{};                      // offline: up to here, included, some reader was sent it all
  Sequence done_told{};                 // what the home knows of that
  std::uint64_t expanded_turn = 0;      // the turn before which its readers were last looked at for news
  std::uint64_t lap = 0;                // the lap of the turn queue in which the two below were noted
  std::uint64_t lap_position = 0;       // where the head was early in that lap
  Sequence lap_next{};
  Sequence high_last{};                 // the newest message of high priority: who lacks it is served first
  std::unique_ptr<Batch> batch;         // null: news goes out as soon as there are turns

  /// A reader that wants this next would be well within its lag bounds here.
  [[nodiscard]] bool near_head(Sequence wanted) const {
    if (wanted == log.next()) return true;
    return log.holds(wanted) && log.frames_from(wanted) <= std::max(rule->lag.messages / 2, 1U) &&
           (log.bytes_from(wanted) <= rule->lag.bytes / 2 || log.frames_from(wanted) == 1);
  }
  [[nodiscard]] bool has_done() const { return done > done_told; }
  [[nodiscard]] bool unread() const { return readers.empty() && joiners.empty() && moving == 0 && remote_readers == 0; }
};

}  // namespace ringcast
