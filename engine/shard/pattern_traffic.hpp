// engine/shard/pattern_traffic.hpp: subscriptions to patterns, over all shards (docs/adr/0011).
//
// Owner    channel_router, by value.  Thread  the shard's.
// Memory   the tables of both sides (delivery/pattern_table, channel/pattern_watches).
// Failure  no credit or no room in a lane: it waits; no slot: the subscribe is refused; a channel that a limit forbids,
//          or whose past the store cannot read, stops the pattern, and its subscriber is told once.
// Not here which channels exist (pattern_watches), who wants them (pattern_table), permission (session), joining
//          (channel_router).
//
// A shard asks every home to watch a pattern (control lane, with a credit), and is told in the bulk lane of the
// channels that exist, and then for ever of those that begin. A home has at most kAnnounceWindow channels on their way
// to a shard, which says when it has dealt with them: a pattern that matches 100,000 channels moves as fast as they are
// bound, a few at a time, and nothing else waits for it.
//
// A channel that has been silent for channel_idle_time and that only patterns read is let go, so that it can expire:
// its home asks each shard in the bulk lane, behind every frame it sent there. Its next message begins it anew.
//
// pattern_traffic.cpp: what sessions ask for, binding, and what they are told.  pattern_homes.cpp: a turn, and what
// homes and the shards of subscribers say to each other.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "alloc/base/bytes.hpp"
#include "alloc/base/identifiers.hpp"
#include "alloc/base/time.hpp"
#include "engine/channel/channel_table.hpp"
#include "engine/channel/home_channel.hpp"
#include "engine/channel/pattern_watches.hpp"
#include "engine/delivery/delivery.hpp"
#include "engine/delivery/pattern_table.hpp"
#include "engine/limits.hpp"
#include "engine/session/pattern_port.hpp"
#include "engine/stats/shard_stats.hpp"

namespace ringcast {

class ChannelRouter;

class PatternTraffic final : public PatternPort {
 public:
  PatternTraffic(ShardIndex here, const CoreOptions& options, ChannelRouter& router, Delivery& delivery, Budget& budget,
                 ShardStats& stats);

  Handle join_pattern(Outbox& reader, const Pattern& pattern, const PatternRequest& request, Now now) override;
  bool leave_pattern(Outbox& reader, std::string_view pattern, Now now) override;
  void pattern_answered(Handle pattern) override;
  std::uint32_t patterns_of(const Outbox& reader) const override { return table_.count_of(reader); }
  bool has_pattern(const Outbox& reader, std::string_view pattern) const override;
  void list_patterns(const Outbox& reader, std::vector<std::string_view>& texts) const override;
  std::optional<Candidate> next_candidate() override;
  void bind(bool permitted, Now now) override;
  std::optional<Ready> take_ready() override;
  std::optional<News> take_news() override;
  void stop_told(Handle pattern) override;

  // ---- what the router says ----

  void leave_all(Outbox& reader);
  /// An exact subscribe takes over a channel that a pattern bound, or is about to.
  void taken_over(std::uint32_t subscription);
  /// An exact unsubscribe: a pattern of the connection that matches goes on with the channel, on its own terms. False:
  /// none does.
  bool goes_on_with(Outbox& reader, std::uint32_t subscription, std::string_view channel, Now now);
  /// Whether this subscription, whose log is there (or refused), is a pattern's; then join_ready() finishes it.
  [[nodiscard]] bool owns(Handle subscription) const;
  void join_ready(Handle subscription, Now now);
  /// The next message of this channel is the first that some shards may miss. Before it is sequenced.
  void begins(HomeChannel& home, Handle handle);
  /// A channel has been silent for long, and is read: if only patterns do, it is let go.
  void let_go(Channel& channel, HomeChannel& home, Now now);

  /// Other options from now on (a reload).
  void reconfigure(const CoreOptions& options) { options_ = &options; }

  // ---- a turn ----

  /// Anybody here subscribes to a pattern, or watches this shard.
  [[nodiscard]] bool active() const { return table_.any() || watches_.any() || table_.has_announcements(); }
  /// Asks homes and tells watchers, within a bound. Then sessions bind, and acknowledge() says what was dealt with.
  void work(Now now);
  void acknowledge();
  /// work() or binding would get something done.
  [[nodiscard]] bool has_work() const;
  /// Nothing is on its way.
  [[nodiscard]] bool settled() const;

  // ---- the mesh ----

  void on_watch(ShardIndex from, Bytes record);
  void on_unwatch(ShardIndex from, Bytes record);
  void on_unwatched(ShardIndex from, Bytes record);
  void on_announce(ShardIndex from, Bytes record);
  void on_announced(ShardIndex from, Bytes record);
  void on_idle(ShardIndex from, Bytes record, Now now);
  void on_let_go(ShardIndex from, Bytes record, Now now);

  void validate() const { table_.validate(); }

 private:
  struct Peer {                     // another shard, or this one
    std::uint32_t outstanding = 0;  // at home: words that it has not dealt with
    std::uint32_t dealt_with = 0;   // as a subscriber: words of that home, to be acknowledged
    bool blocked = false;           // at home: its lane had no room
  };

  WatchedPattern::Home ask(std::uint32_t pattern, ShardIndex home);
  WatchedPattern::Home leave(std::uint32_t pattern, ShardIndex home);
  void tell(ShardIndex to, std::uint32_t& steps);
  [[nodiscard]] bool can_tell(ShardIndex to) const;
  Peer& peer(ShardIndex shard) { return peers_[value(shard)]; }
  [[nodiscard]] const Peer& peer(ShardIndex shard) const { return peers_[value(shard)]; }

  void serve_on_terms_of(const PatternSubscription& owner, std::uint32_t subscription, Now now);
  void serve_on_terms_of(const PatternSubscription& owner, Now now);
  void placed(std::uint32_t owner, const JoinAnswer& answer, const PatternBinding& binding);
  void refused(std::uint32_t owner, const Refusal& refusal);
  void join_ended(const PatternBinding& binding);
  void ask_to_let_go(HomeChannel& home, Now now);
  void end_readers(ChannelLog& log, Now now);

  ShardIndex here_;
  std::uint32_t shards_;
  const CoreOptions* options_;
  ChannelRouter* router_;
  Delivery* delivery_;
  ShardStats* stats_;
  PatternTable table_;
  PatternWatches watches_;
  std::vector<Peer> peers_;                    // one a shard
  std::uint32_t candidate_ = kNoSlot;          // between next_candidate() and bind()
  std::uint32_t first_ = 0;                    // who is told first: nobody always
  std::uint32_t let_go_left_ = kLetGoPerTurn;  // of this turn
};

}  // namespace ringcast
