// engine/shard/channel_router.hpp: gets everything to where its channel lives: here, or over the mesh.
//
// Owner    shard_core, by value.  Thread  the shard's.
// Memory   the tables of channels and homes; queues of what waits for a lane, bounded by logs and connections.
// Failure  a full bulk lane is lag; a publisher that outruns the readers' turns is held back, and so is one whose lane
//          is full; no channel slot is an `overloaded` answer.
// Not here numbering (publish_pipeline), cursors (delivery), commands (session).
//
// durable.cpp: channels with stored messages.
// channel_router.cpp holds what sessions ask for and the sweep; mesh_traffic.cpp what other shards are told, and
// mesh_arrivals.cpp what they say; pace.cpp who is held back; catch_up.cpp where a joiner begins, and history on its
// way to it; liveness_traffic.cpp which channels are stale. What is to be done about patterns and about users are
// classes of their own, pattern_traffic and presence_traffic.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/channel/channel_ids.hpp"
#include "engine/channel/channel_table.hpp"
#include "engine/channel/home_channel.hpp"
#include "engine/channel/namespace_rules.hpp"
#include "engine/channel/publish_pipeline.hpp"
#include "engine/delivery/delivery.hpp"
#include "engine/offline/durable_channels.hpp"
#include "engine/presence/liveness.hpp"
#include "engine/presence/presence.hpp"
#include "engine/session/channel_port.hpp"
#include "engine/shard/mesh.hpp"
#include "engine/shard/mesh_records.hpp"
#include "engine/shard/pattern_traffic.hpp"
#include "engine/shard/presence_traffic.hpp"
#include "engine/shard/rankings.hpp"
#include "engine/time/prng.hpp"

namespace ringcast {

class ChannelRouter final : public ChannelPort, private DurableEvents {
 public:
  /// store  null where no namespace keeps messages.
  ChannelRouter(ShardIndex here, const CoreOptions& options, Mesh& mesh, Delivery& delivery, Presence& presence,
                Budget& budget, ShardStats& stats, Rankings& rankings, Prng& prng, StoreLane* store,
                std::uint64_t channel_ids_given, Now now);

  JoinAnswer join(Outbox& reader, std::string_view channel, const JoinRequest& request, Now now) override;
  JoinAnswer finish_join(Handle subscription, const JoinRequest& request, Now now) override;
  bool tell_stale(Handle subscription) override;
  void release_messages(Handle subscription, Now now) override;
  Handle reader_of(Handle subscription) override;
  bool has(const Outbox& reader, std::string_view channel) override;
  bool leave(Outbox& reader, std::string_view channel, Now now) override;
  void leave_all(Outbox& reader, Now now) override;
  void change_form(Outbox& reader, Now now) override;
  bool lists_users(std::string_view channel) override { return rule_of(channel).presence; }
  std::string_view channel_of(std::uint32_t subscription) override;
  std::uint32_t next_subscription(std::uint32_t subscription) override;
  bool is_by_pattern(std::uint32_t subscription) override { return delivery_->subscription(subscription).by_pattern; }
  PublishAnswer publish(const PublishRequest& request, Handle connection, std::string_view id, Now now) override;
  PublishAnswer acknowledge(const Outbox& reader, std::string_view channel, Sequence seq, std::string_view id,
                            Now now) override;
  HistoryAnswer history(const HistoryRequest& request, Handle connection, Now now) override;
  /// A subscription that catches up has sent its chunk.
  void refill(Handle subscription, Now now);
  PayloadKind payload_of(std::string_view channel) override;

  /// Where a channel is sequenced: the same answer on every shard for the life of the process.
  [[nodiscard]] ShardIndex home_of(std::string_view channel) const;

  // ---- what an administrator asks (admin_desk) ----

  [[nodiscard]] bool is_home_of(std::string_view channel) const { return home_of(channel) == here_; }
  /// A channel's place among those known here; kNoSlot if it is not.
  [[nodiscard]] std::uint32_t slot_of(std::string_view channel);
  [[nodiscard]] const Channel* channel_at(std::uint32_t slot) { return channels_.slab().at(slot); }
  [[nodiscard]] std::uint32_t channel_slots() { return channels_.slab().slot_end(); }
  /// Null where the channel does not live here.
  [[nodiscard]] const HomeChannel* home_at(const Channel& channel) { return homes_.find(channel.home_state); }
  /// Subscriptions of this shard, in all forms.
  [[nodiscard]] std::uint32_t readers_of(const Channel& channel) const;
  /// As publish(), at the channel's home; `no_room` is not retried. A message that is stored first is answered later,
  /// by a PublishReply with this id and without a connection (serve_store).
  PublishAnswer publish_for_admin(const PublishRequest& request, std::string_view id, Now now);
  /// What sweeps do by and by, at once and without their delays, for `looks` channels from `slot` on. True: no more.
  bool clean_up(std::uint32_t& slot, std::uint32_t looks, std::uint32_t& forgotten, Now now);

  // ---- the mesh (mesh_traffic.cpp, mesh_arrivals.cpp) ----

  /// What came out of draining the lanes, for the session; valid until the next drain.
  struct Arrivals {
    struct Text {
      Handle connection;
      bool refused = false;
      std::string text;          // refused: the query's id
      Refusal refusal{};
    };
    std::vector<Handle> ready;   // subscriptions whose log is live or was refused, or whose history is here
    std::vector<Text> histories;  // answers to history queries
    std::vector<Handle> room;    // connections whose publish may be tried again
  };
  /// Takes records from every lane, within a bound. Publish replies go to `on_reply` at once.
  template <class OnReply>
  const Arrivals& drain(Now now, OnReply&& on_reply) {
    arrivals_.ready.clear();
    arrivals_.room.clear();
    arrivals_.histories.clear();
    for (std::uint32_t from = 0; from < shards_; ++from) {
      if (from == value(here_)) continue;
      drain_control(ShardIndex{static_cast<std::uint16_t>(from)}, now, on_reply);
      drain_bulk(ShardIndex{static_cast<std::uint16_t>(from)}, now);
    }
    drain_publish_lanes(now);
    return arrivals_;
  }
  /// Copies what remote readers lack into the lanes, as far as there is room, and shows it to them.
  void pump(Now now);
  /// Connections whose publish was held back (for room in a lane, or for readers to have their turns) and may go on.
  const std::vector<Handle>& take_room(Now now);
  [[nodiscard]] std::uint64_t take_doorbells();
  /// Nothing arrived that has not been drained.
  [[nodiscard]] bool lanes_empty() const;
  /// Something can be drained, or a publisher let go on, right now.
  [[nodiscard]] bool has_work() const;
  /// When to look again at publishers that are held back although nobody here lacks a turn; none: Instant::max().
  [[nodiscard]] Instant pace_deadline() const { return holding_ ? held_at_ + kPaceTime : Instant::max(); }
  /// Nothing waits to be copied to another shard either.
  [[nodiscard]] bool settled() const;

  // ---- for pattern_traffic and presence_traffic ----

  [[nodiscard]] PatternTraffic& patterns() { return patterns_; }
  [[nodiscard]] Slab<HomeChannel>& homes() { return homes_; }
  [[nodiscard]] ChannelTable& channels() { return channels_; }
  /// What this channel goes by: one that exists may have begun under another rule than is in force.
  [[nodiscard]] const NamespaceRule& rule_of(std::string_view name) {
    const Channel* channel = channels_.find(name);
    return channel != nullptr ? *channel->rule : rules_.rule_of(name);
  }
  /// kNoSlot: the connection does not have the channel.
  [[nodiscard]] std::uint32_t subscription_of(const Outbox& reader, std::string_view channel);
  /// A subscription whose connection has switched its form goes on in that.
  void follow_form(std::uint32_t subscription, Now now);
  /// Another shard does not read this channel any more.
  void forget_reader(HomeChannel& home, std::vector<RemoteReader>::iterator reader, Now now);
  /// A log of another shard's channel that this shard has let go.
  void drop_log(Handle log);
  /// Room in the control lane for a request, for which a credit is taken; empty: there is none. push_control() follows.
  MutableBytes request_room(ShardIndex to, std::size_t bytes);
  /// The same for a reply, whose room was kept.
  MutableBytes reply_room(ShardIndex to, std::size_t bytes);
  void push_control(ShardIndex to, MutableBytes& room, std::size_t bytes);
  /// Room in the bulk lane, unless so much waits in it: then its reader will ring. push_bulk() follows.
  MutableBytes bulk_room(ShardIndex to, std::size_t bytes, std::size_t backlog_max = kMeshBacklogBytes);
  void push_bulk(ShardIndex to, std::size_t bytes);
  void take_credit(ShardIndex to) { --peer(to).credits; }
  void give_credit(ShardIndex from) { ++peer(from).credits; }
  [[nodiscard]] std::uint32_t credits(ShardIndex to) { return peer(to).credits; }
  [[nodiscard]] bool has_spare_credit(ShardIndex to) { return peer(to).credits > kMeshCreditsKept; }

  // ---- the offline store (durable.cpp) ----

  [[nodiscard]] bool has_store() const { return durable_.has_store(); }
  /// Grows with what the store says: what had to wait for it may be tried again.
  [[nodiscard]] std::uint64_t store_progress() const { return durable_.progress(); }
  /// Takes what the store has answered, and asks it for what waits. Publish replies go to `on_reply` at once; the
  /// subscriptions whose channel has been loaded, or could not be, are to be given to finish_join().
  template <class OnReply>
  const std::vector<Handle>& serve_store(Now now, OnReply&& on_reply) {
    struct Sink final : ReplySink {
      explicit Sink(OnReply& reply) : on_reply{reply} {}
      void push(const PublishReply& reply) override { on_reply(reply); }
      OnReply& on_reply;
    };
    loaded_.clear();
    Sink sink{on_reply};
    replies_ = &sink;
    durable_.drain(*this, now);
    durable_.flush(*this, now);
    replies_ = nullptr;
    return loaded_;
  }
  /// The bridge is to be rung.
  [[nodiscard]] bool take_store_bell() { return durable_.take_bell(); }
  /// The store, and other shards, know all that is to be known of what is done with.
  [[nodiscard]] bool told() const;

  // ---- upkeep ----

  /// Looks at some channels and logs: trims, closes and expires what is not used any more.
  void sweep(Now now);
  /// Channels that have become stale, and users whose grace time is over.
  void expire_timers(Now now);
  [[nodiscard]] Instant timer_deadline() const;
  /// Other options from now on. New channels go by the new rules at once, those that exist one after the other as the
  /// sweep comes by; the earlier options are not used any more when this returns.
  void reconfigure(const CoreOptions& options);
  [[nodiscard]] std::uint32_t channels_home() const { return homes_.size(); }
  [[nodiscard]] std::uint32_t channels_known() const { return channels_.size(); }
  void validate() const;

 private:
  struct Waiting {       // a remote reader with something to copy
    Handle home;
    Handle their_log;
  };
  struct Query {         // a history query of another shard
    Handle connection;
    std::string channel;
    std::string id;
    std::optional<ResumePoint> after;
    std::uint32_t limit = 0;
  };
  struct Refused {
    Handle log;
    MeshHello::Refused reason{};
  };
  struct Peer {          // another shard, as seen from here
    std::uint32_t credits = kMeshCredits;
    std::deque<Waiting> readers;
    std::deque<Handle> attaches;       // logs whose attach waits for a credit
    std::vector<Handle> publishers;    // connections whose publish waits for room or a credit
    bool publishes_held = false;       // what stands first in its publish lane outruns the readers, or the store
    std::deque<Handle> pulls_unsent;   // subscriptions whose pull waits for a credit
    std::deque<MeshPull> pulls;        // theirs, to be answered when the lane has room
    std::deque<Query> queries;         // the same
    std::deque<Refused> refusals;      // their logs that this home has no room for: a hello has to say so
  };
  class ReplySink {      // where answers to publishers on this shard go
   public:
    virtual void push(const PublishReply& reply) = 0;

   protected:
    ~ReplySink() = default;
  };

  HomeChannel* ensure_home(Channel& channel, Now now);
  Handle ensure_log(Channel& channel, Form form, const ResumePoint* after, Now now, Refusal& refusal);
  Handle open_home_log(Channel& channel, Form form, const ResumePoint* after, Now now, Refusal& refusal);
  JoinAnswer place(std::uint32_t subscription, Handle log, const JoinRequest& request, Now now);
  enum class Hold : bool { forbidden, allowed };
  PublishAnswer publish_at_home(const PublishRequest& request, const ReplyTo& to, Hold hold_allowed, Now now);
  void mark_high(const Channel& channel, HomeChannel& home, Sequence seq);
  Published publish_here(Channel& channel, HomeChannel& home, const PublishRequest& request, Now now);
  void announce(Channel& channel, HomeChannel& home, const PublishRequest& request, Sequence seq, Now now);
  PublishAnswer forward(ShardIndex home, const PublishRequest& request, Handle connection, std::string_view id);
  void end(std::uint32_t subscription, Now now);
  void forget_home(Channel& channel);
  void release_unused();
  void follow_rules();
  void follow_rule(Channel& channel);
  void sweep_log(std::uint32_t slot, Now now);
  void sweep_channel(Channel& channel, Now now);
  [[nodiscard]] bool is_in_use(const Channel& channel, const HomeChannel& home) const;
  void close_log(Channel& channel, Form form, Handle log);

  // durable.cpp
  PublishAnswer publish_durable(HomeChannel& home, const PublishRequest& request, const ReplyTo& to, Hold hold_allowed,
                                Now now);
  void wait_for_store(Handle connection);
  [[nodiscard]] bool waits_for_store(std::string_view channel);
  [[nodiscard]] bool waits_for_past(std::string_view channel, Now now);
  void channel_loaded(HomeChannel& home, Now now) override;
  void channel_refused(HomeChannel& home, Now now) override;
  void message_kept(HomeChannel& home, const PublishRequest& request, WallTime wall, Now now) override;
  void answered(const DurableReply& reply, Now now) override;
  enum class DoneKind : std::uint8_t { sent, acknowledged };
  bool send_done(ShardIndex to, Handle home, Sequence seq, Handle connection, std::string_view id, DoneKind kind);
  void on_done(ShardIndex from, Bytes record);
  void note_done(ChannelLog& log);
  void tell_done(ChannelLog& log);
  [[nodiscard]] Sequence keep_of(const HomeChannel& home, Now now) const;

  // catch_up.cpp
  [[nodiscard]] bool asks_home(const ChannelLog& log, const JoinRequest& request) const;
  JoinAnswer begin(std::uint32_t subscription, Handle log, const JoinStart& start, const JoinRequest& request, Now now);
  [[nodiscard]] bool was_sent_since(const Subscription& subscription, const ResumePoint& resume);
  void fill_here(HomeChannel& home, std::uint32_t subscription, Form form, Sequence from, bool snapshot_first,
                 Now now);
  bool send_pull(Handle subscription);
  void ask_for_chunk(Handle subscription);
  void serve_pulls(ShardIndex to, Now now);
  enum class Served : std::uint8_t { done, later, no_room };
  Served serve_pull(ShardIndex to, const MeshPull& pull);
  bool serve_query(ShardIndex to, const Query& query, Now now);
  Refusal answer_query(const HistoryRequest& request);
  void on_pull(ShardIndex from, Bytes record);
  void on_chunk(ShardIndex from, Bytes record, Now now);
  void on_history(ShardIndex from, Bytes record);

  Peer& peer(ShardIndex shard) { return peers_[value(shard)]; }
  bool send_attach(ShardIndex home, const ChannelLog& log, Handle handle);
  void remote_has_news(HomeChannel& home, Handle home_handle, Now now);
  bool pump_reader(ShardIndex to, HomeChannel& home, Handle home_handle, RemoteReader& reader);
  void pump_peer(ShardIndex to, Now now);
  template <class OnReply>
  void drain_control(ShardIndex from, Now now, OnReply& on_reply);
  void drain_bulk(ShardIndex from, Now now);
  void drain_publish_lanes(Now now);
  void drain_publishes(ShardIndex from, Now now);
  void release_lane(MeshLane& lane, ShardIndex from);
  [[nodiscard]] bool outruns_readers(std::string_view name, Now now);
  [[nodiscard]] bool outruns_readers(const Channel& channel, const HomeChannel& home, Now now) const;
  void hold(Now now);
  [[nodiscard]] bool may_go_on() const;
  void on_attach(ShardIndex from, Bytes record, Now now);
  void on_detach(ShardIndex from, Bytes record, Now now);
  void on_hello(ShardIndex from, Bytes record, Now now);
  void on_frames(Bytes record, Now now);
  void on_hole(Bytes record, Now now);
  void on_publish(ShardIndex from, Bytes record, Now now);
  void settle_joiners(Handle log, Now now, std::vector<Handle>& ready);
  void reply_over_mesh(ShardIndex to, const PublishReply& reply);
  /// What a home refused, in words: only the code travels.
  [[nodiscard]] static Refusal refusal_of(ErrorCode code);
  void note_published(Channel& channel, HomeChannel& home, Now now);
  void set_stale(Channel& channel, HomeChannel& home, bool stale, Now now);
  void forget_liveness(HomeChannel& home);
  bool pump_state(ShardIndex to, const HomeChannel& home, RemoteReader& reader);
  [[nodiscard]] std::size_t on_state(Bytes record, Now now);
  void ask_for_room(ShardIndex to);
  MutableBytes reserve(MeshLane& lane, ShardIndex to, std::size_t bytes);

  ShardIndex here_;
  std::uint32_t shards_;
  Mesh* mesh_;
  Delivery* delivery_;
  Presence* presence_;
  ShardStats* stats_;
  Rankings* rankings_;
  Prng* prng_;
  const CoreOptions* options_;
  NamespaceRules rules_;
  ChannelIds ids_;
  ChannelTable channels_;
  Slab<HomeChannel> homes_;
  PublishPipeline pipeline_;
  DurableChannels durable_;
  std::vector<Peer> peers_;
  ReplySink* replies_ = nullptr;      // while the store is served
  std::vector<Handle> loaded_;        // subscriptions whose channel's past is here, or cannot be read
  std::vector<Handle> store_waiters_;  // connections whose command waits for the store
  std::uint64_t store_progress_ = 0;  // of it when the first of them began to wait
  bool store_waited_for_ = false;     // by them, or by what stands first in a lane
  std::string history_text_;          // the answer to a history query, being written
  std::vector<std::uint32_t> sizes_;  // of the frames of a chunk, being counted
  PatternTraffic patterns_;
  PresenceTraffic presence_traffic_;
  Liveness liveness_;
  Arrivals arrivals_;
  std::vector<Handle> room_;
  std::vector<Handle> held_first_;    // connections whose publish was held back, and got nothing since the last time
  std::vector<Handle> held_;          // those that published meanwhile
  Handle published_last_;
  bool holding_ = false;              // something was held back; the next four say since when
  Instant held_at_{};
  bool held_backlog_ = false;         // readers here lacked a turn
  std::uint64_t held_lap_ = 0;
  std::uint64_t held_pumps_ = 0;
  std::uint64_t pumps_ = 0;           // records copied for remote readers
  bool lanes_first_ = false;          // the next time, publishes from other shards go on before those from here
  std::uint32_t first_lane_ = 0;      // whose publish lane is looked at first: nobody's always
  std::uint64_t doorbells_ = 0;
  Instant release_at_{};
  std::uint32_t sweep_log_ = 0;
  std::uint32_t sweep_channel_ = 0;
  std::uint32_t follow_next_ = 0;  // channels from here to the end may go by a rule of before the reload
  std::uint32_t follow_end_ = 0;
};

template <class OnReply>
void ChannelRouter::drain_control(ShardIndex from, Now now, OnReply& on_reply) {
  MeshLane& lane = mesh_->control(from, here_);
  for (std::uint32_t taken = 0; taken < kMeshRecordsPerDrain; ++taken) {
    const Bytes record = lane.peek();
    if (record.empty()) break;
    switch (kind_of(record)) {
      case MeshKind::attach:
        on_attach(from, record, now);
        break;
      case MeshKind::detach:
        on_detach(from, record, now);
        break;
      case MeshKind::detached:
        ++peer(from).credits;
        break;
      case MeshKind::done:
        on_done(from, record);
        break;
      case MeshKind::pull:
        on_pull(from, record);
        break;
      case MeshKind::history:
        on_history(from, record);
        break;
      case MeshKind::watch:
        patterns_.on_watch(from, record);
        break;
      case MeshKind::unwatch:
        patterns_.on_unwatch(from, record);
        break;
      case MeshKind::unwatched:
        patterns_.on_unwatched(from, record);
        break;
      case MeshKind::announced:
        patterns_.on_announced(from, record);
        break;
      case MeshKind::let_go:
        patterns_.on_let_go(from, record, now);
        break;
      case MeshKind::publish_reply: {
        ++peer(from).credits;
        const auto header = load<MeshPublishReply>(record.data());
        RecordTexts texts{record, sizeof header};
        PublishReply reply{.connection = header.connection,
                           .refused = header.refused != 0,
                           .acknowledges = header.acknowledges != 0};
        reply.channel = texts.take(header.channel_bytes);
        reply.id = texts.take(header.id_bytes);
        reply.published = {.epoch = header.epoch,
                           .seq = header.seq,
                           .duplicate = header.duplicate != 0,
                           .channel_id = header.channel_id};
        reply.refusal = reply.acknowledges ? Refusal{.code = header.code, .sentence = kAckNotStored}
                                           : refusal_of(header.code);
        on_reply(reply);
        break;
      }
      case MeshKind::report:
        presence_traffic_.on_report(from, record, now);
        break;
      case MeshKind::reported:
        presence_traffic_.on_reported(from);
        break;
      case MeshKind::question:
        presence_traffic_.on_question(from, record);
        break;
      default:
        ensure(false, "a control lane carries requests and replies");
    }
    lane.pop();
  }
  lane.release();
}

}  // namespace ringcast
