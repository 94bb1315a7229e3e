// engine/delivery/delivery.hpp: the subscriber side of one shard: its logs, its cursors, and who has news.
//
// Owner    shard_core, by value.  Thread  the shard's.
// Memory   slabs of logs and subscriptions, blocks within the namespaces' bounds; charged to the shard's Budget.
// Failure  no slot for a log or subscription: the caller refuses the subscribe.
// Not here sending (rolling_send), the home's side (channel), commands (session).
//
// delivery.cpp: logs and cursors.  turn_queue.cpp: who has news, and whose turn is next.  held_news.cpp: what of it
// waits, for an interval or for company.  catch_up.cpp: who is sent from history.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "alloc/base/identifiers.hpp"
#include "alloc/log/block_pool.hpp"
#include "alloc/memory/slab.hpp"
#include "engine/delivery/channel_log.hpp"
#include "engine/delivery/outbox.hpp"
#include "engine/delivery/subscription_recorder.hpp"
#include "engine/delivery/subscription_watch.hpp"
#include "engine/delivery/terms.hpp"
#include "engine/stats/ledger.hpp"
#include "engine/stats/shard_stats.hpp"
#include "engine/time/timer_wheel.hpp"

namespace ringcast {

class Delivery {
 public:
  Delivery(std::uint32_t logs_max, std::uint32_t subscriptions_max, Budget& budget, ShardStats& stats);

  /// Who is told of subscriptions to channels with presence; nobody before this. It outlives every subscription.
  void set_watch(SubscriptionWatch& watch) { watch_ = &watch; }
  /// Who is told of each subscription; nobody before this. It outlives every subscription.
  void set_recorder(SubscriptionRecorder& recorder) { recorder_ = &recorder; }

  // ---- logs ----

  /// Not valid() when there is no room. A log that is `attaching` takes joiners, but no readers yet.
  Handle open_log(const NamespaceRule& rule, const std::string& name, std::uint32_t channel, Form form,
                  Sequence next, Epoch epoch, ChannelLog::State state);
  /// Nobody may read or join it any more.
  void close_log(Handle log);
  /// Its channel goes by another rule now: new bounds hold from the next message on, and news that waits for company
  /// goes out. Subscriptions keep the terms that they were granted.
  /// high_last  the newest message of high priority, where it is known: for a rule that gives none to all of them.
  void set_rule(std::uint32_t log, const NamespaceRule& rule, Sequence high_last);
  [[nodiscard]] ChannelLog* find_log(Handle log) { return logs_.find(log); }
  [[nodiscard]] const ChannelLog* find_log(Handle log) const { return logs_.find(log); }
  [[nodiscard]] ChannelLog& log(std::uint32_t slot) { return logs_[slot]; }
  [[nodiscard]] Slab<ChannelLog>& logs() { return logs_; }
  [[nodiscard]] BlockPool& blocks() { return blocks_; }

  /// `count` frames, or a hole of that size, were put at the log's head: counts them for every reader. Once that is
  /// done for all logs that got the message, settle_moves() for each: who moves between two calls is counted twice.
  void appended(std::uint32_t log, std::uint64_t count);
  /// The message `seq`, which this log has or is about to get, is of high priority.
  void mark_high(std::uint32_t log, Sequence seq) {
    ChannelLog& marked = logs_[log];
    marked.high_last = std::max(marked.high_last, seq);
  }

  // ---- subscriptions ----

  /// Not valid() when there is no room. It neither reads nor joins a log yet.
  Handle create_subscription(Outbox& reader, std::uint32_t channel);
  /// What only some subscriptions have: made when it is first asked for, gone with the subscription.
  [[nodiscard]] SubscriptionExtra& extra_of(Subscription& subscription);
  [[nodiscard]] SubscriptionExtra* find_extra(const Subscription& subscription) {
    return subscription.extra == kNoSlot ? nullptr : &extras_[subscription.extra];
  }
  [[nodiscard]] const SubscriptionExtra* find_extra(const Subscription& subscription) const {
    return subscription.extra == kNoSlot ? nullptr : &extras_[subscription.extra];
  }
  /// Gives an extra back in which nothing is left.
  void drop_extra_if_empty(Subscription& subscription);
  /// A pattern of its connection holds it, or does no more.
  void set_by_pattern(Subscription& subscription, bool by_pattern);
  [[nodiscard]] Subscription& subscription(std::uint32_t slot) { return subscriptions_[slot]; }
  [[nodiscard]] Handle handle_of(std::uint32_t subscription) const { return subscriptions_.handle_of(subscription); }
  [[nodiscard]] Subscription* find_subscription(Handle handle) { return subscriptions_.find(handle); }
  [[nodiscard]] std::uint32_t subscriptions() const { return subscriptions_.size(); }
  /// The subscription of this connection to this channel, whatever the form; kNoSlot if there is none.
  [[nodiscard]] std::uint32_t find_of(const Outbox& reader, std::uint32_t channel) const;

  /// Waits for an attaching log.
  void join_later(std::uint32_t subscription, std::uint32_t log);
  /// Takes a subscription back from the log that it waited for.
  void leave_joiners(std::uint32_t subscription);
  /// Reads from `next` on, which the log holds or will hold next: what it holds already is offered now.
  void start_reading(std::uint32_t subscription, std::uint32_t log, Sequence next, Instant now);
  /// "subscribed" has been queued: news may be sent from now on.
  void release_messages(std::uint32_t subscription, Instant now);
  /// Goes on in another form's log as soon as that holds what this cursor wants. The other log is live or attaching.
  void move_to(std::uint32_t subscription, std::uint32_t log, Instant now);
  /// The log that a subscription was to move to will not come: it stays where it is.
  void cancel_move(std::uint32_t subscription) { forget_move(subscriptions_[subscription]); }
  /// Nobody but patterns reads this log, and they have been sent all that it held.
  [[nodiscard]] bool only_patterns_read(const ChannelLog& log) const;
  /// Up to which seq the kernel took everything, in whole frames. A pattern's reader sees messages, but is not whom
  /// they are for.
  [[nodiscard]] static Sequence delivered_to(const Subscription& subscription);
  /// Ends it. What it had not been sent is abandoned.
  void end_subscription(std::uint32_t subscription, Instant now);
  /// Moves a subscription that move_to() left waiting, if it can go now.
  bool try_move(std::uint32_t subscription, Instant now);
  /// Moves whoever waits to move into or out of this log and now can.
  void settle_moves(std::uint32_t log, Instant now);

  // ---- catching up (catch_up.cpp) ----

  /// What this subscription is sent from: its log, or a chunk of history that is its own.
  [[nodiscard]] const FrameLog& source_of(const Subscription& subscription) const {
    return subscription.catching_up ? extras_[subscription.extra].catch_up->chunk : logs_[subscription.cursor.log].log;
  }
  /// Its catch-up, made when it is first asked for. It is sent from only once `catching_up` is set.
  CatchUp& catch_up_of(std::uint32_t subscription);
  /// Becomes a plain cursor if its log holds what it wants. True: it wants another chunk, to be asked for now.
  bool settle_catch_up(std::uint32_t subscription, Instant now);
  /// Goes on in its log from where it is, whether that holds it or not.
  void end_catch_up(std::uint32_t subscription, Instant now);
  /// The chunk that it asked for is there. True: there was nothing in it for this reader, and it wants another one.
  [[nodiscard]] bool chunk_filled(std::uint32_t subscription, Instant now);
  void forget_catch_up(Subscription& subscription);
  [[nodiscard]] std::uint32_t catch_ups() const { return catch_ups_; }
  /// It catches up, and the snapshot that its chunk begins with goes by the number of a message that it was to get:
  /// that one is lost, and to be told. Who has just joined was not to get it.
  [[nodiscard]] bool place_taken(const Subscription& subscription) const;

  // ---- on what terms (held_news.cpp) ----

  /// From now on; what was sent before does not count.
  void set_terms(std::uint32_t subscription, const Terms& terms, Instant now);
  /// A `rated` subscription has been sent a message.
  void begin_interval(std::uint32_t subscription, Instant now);
  /// Puts what has waited long enough into the turn queue.
  void release_held(Instant now) {
    if (held_.size() != 0) release_held(now, now);
  }
  /// When release_held() next has something to do.
  [[nodiscard]] std::optional<Instant> held_until() const {
    return held_.size() == 0 ? std::nullopt : held_.next_deadline();
  }
  /// The node ends: what waits goes into the turn queue, and nothing waits any more.
  void stop_holding(Instant now);

  // ---- who has news (turn_queue.cpp) ----

  enum class Expand : std::uint8_t { all, cheap };
  /// Puts the readers of logs with news into the turn queue. `cheap` leaves logs for later whose readers were looked at
  /// fewer turns ago than a quarter of their number: most of them still wait for their turn, and get it all then.
  void expand_dirty(Expand which, Instant now);
  [[nodiscard]] bool has_dirty() const { return !dirty_.empty(); }
  /// Queues a connection that has something to send, unless it is queued or waits for its socket.
  void enqueue(Outbox& outbox, Instant now);
  /// The next connection in turn; null when the queue is empty.
  Outbox* take_turn();
  /// Takes a connection that is going away out of the queue.
  void forget(Outbox& outbox);
  [[nodiscard]] std::size_t queued_connections() const { return turn_size_; }

  // ---- how fast a channel may grow ----

  /// Whether this log has grown in the present lap of the turn queue by as much as its readers can be given in one: who
  /// appends more before the lap ends leaves behind readers that only wait for their turn. Blocked ones do not count.
  /// Not where readers conflate: they want the newest, whatever they miss.
  [[nodiscard]] bool ahead_of_turns(const ChannelLog& log) const;
  /// Counts the laps: in each, everybody who was in the queue when it began has turns until there is no more to send.
  [[nodiscard]] std::uint64_t lap() const { return lap_; }
  void begin_lap() { ++lap_; }
  /// Whether it has news of a channel that does not conflate: whoever is left with some after a turn needs another one
  /// before the lap is over.
  [[nodiscard]] bool lacks_messages(const Outbox& outbox) const;
  /// Somebody waits for a turn.
  [[nodiscard]] bool has_backlog() const { return turn_size_ != 0 || !dirty_.empty(); }

  /// Puts a subscription with news behind its connection's others, or takes it out. Those that lack a message of high
  /// priority stand before the others, in the order of their coming.
  void link_pending(Subscription& subscription, std::uint32_t slot);
  void unlink_pending(Subscription& subscription);
  /// Called where a turn begins and a high channel stands in front: sees to it that others begin one now and then.
  void yield_to_normal(Outbox& outbox);

  // ---- how far behind ----

  struct Lag {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    std::optional<Instant> oldest;  // when the oldest message that it lacks was appended
  };
  [[nodiscard]] Lag lag_of(std::uint32_t subscription) const;
  [[nodiscard]] std::uint32_t next_pending(std::uint32_t subscription) const {
    return subscriptions_[subscription].pending_next;
  }

  // ---- the ledger ----

  /// The five counters; rolling_send adds what it sends and skips.
  Ledger& counted() { return counted_; }
  /// Remainders that hold a frame of a message: taken from their cursor, not yet sent.
  std::uint64_t remainder_messages = 0;
  /// The counters and `queued`, summed from the cursors. Linear in subscriptions.
  [[nodiscard]] Ledger ledger() const;
  /// The same if anything was counted since the last call, and then only. No cursor moves uncounted, so that a shard at
  /// rest does not sum up the cursors of its readers again and again.
  [[nodiscard]] std::optional<Ledger> ledger_news();

  /// Gives back the chunks of logs and subscriptions that are gone, if most of them are.
  void release_unused();
  void validate() const;

 private:
  [[nodiscard]] static std::uint64_t key_of(const Outbox& reader, std::uint32_t channel) {
    return (std::uint64_t{reader.connection.slot} << 32) | channel;
  }
  void add_to_readers(ChannelLog& log, std::uint32_t log_slot, std::uint32_t subscription);
  void remove_from_readers(Subscription& subscription);
  void forget_move(Subscription& subscription);
  [[nodiscard]] bool can_read_log(const Subscription& subscription) const;
  [[nodiscard]] bool snapshot_is_next(const Subscription& subscription) const;
  void settle_news(std::uint32_t subscription, Instant now);
  void make_dirty(ChannelLog& log, std::uint32_t slot);
  void validate_place(const Subscription& subscription, std::uint32_t slot) const;
  void link_pending(Subscription& subscription, std::uint32_t slot, const ChannelLog& log);
  void link_high(Subscription& subscription, std::uint32_t slot, std::uint32_t behind);
  void offer_turn(Subscription& subscription, std::uint32_t slot, Instant now);
  [[nodiscard]] bool waits_for_interval(Subscription& subscription, Instant now);
  [[nodiscard]] bool waits_for_company(ChannelLog& log, std::uint32_t slot, std::uint64_t count);
  void release_held(Instant until, Instant now);
  [[nodiscard]] bool is_held(const Subscription& subscription) const;

  BlockPool blocks_;
  Slab<ChannelLog> logs_;
  Slab<Subscription> subscriptions_;
  Slab<SubscriptionExtra> extras_;
  TimerWheel held_;               // of logs and extras, which it disarms when it goes: behind them
  bool holding_ = true;
  absl::flat_hash_map<std::uint64_t, std::uint32_t> by_reader_;  // (connection slot, channel slot) -> subscription
  std::vector<std::uint32_t> dirty_;
  std::vector<std::uint32_t> expanding_;
  Outbox* turn_first_ = nullptr;
  Outbox* turn_last_ = nullptr;
  std::size_t turn_size_ = 0;
  std::uint32_t catch_ups_ = 0;
  std::uint64_t lap_ = 1;
  std::uint64_t turns_ = 0;  // taken from the queue
  Ledger counted_;
  std::optional<Ledger> told_;  // what was counted when ledger_news() last told it; remainders as `queued`
  ShardStats* stats_;
  SubscriptionWatch* watch_ = nullptr;
  SubscriptionRecorder* recorder_ = nullptr;
};

}  // namespace ringcast
