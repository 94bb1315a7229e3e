#include "engine/shard/shard_core.hpp"

#include <algorithm>
#include <utility>

#include "alloc/base/ensure.hpp"
#include "engine/delivery/delivery.hpp"
#include "engine/delivery/rolling_send.hpp"
#include "engine/presence/presence.hpp"
#include "engine/session/sessions.hpp"
#include "engine/session/usage_feed.hpp"
#include "engine/shard/admin_desk.hpp"
#include "engine/shard/channel_router.hpp"
#include "engine/shard/rankings.hpp"
#include "engine/time/prng.hpp"

namespace ringcast {
namespace {

// Of logs and subscriptions: slots are taken as they are needed, and what bounds them is how many channels there are,
// and what each connection may have. A reload may change both.
constexpr std::uint32_t kSlotsMax = Handle::kNone - 1;

}  // namespace

struct ShardCore::State final : AnswerSink {
  State(const ShardContext& context, Now now)
      : options{&context.options},
        stats{&context.stats},
        prng{context.seed},
        delivery{kSlotsMax, kSlotsMax, context.budget, context.stats},
        rankings{delivery, context.stats},
        sends{delivery, context.budget, context.stats},
        usage{context.usage == nullptr
                  ? nullptr
                  : std::make_unique<UsageFeed>(*context.usage, context.budget, context.stats, now)},
        presence{context.index, context.options, delivery, sends, context.budget, context.stats, now},
        router{context.index,
               context.options,
               context.mesh,
               delivery,
               presence,
               context.budget,
               context.stats,
               rankings,
               prng,
               context.store,
               context.channel_ids_given,
               now},
        sessions{context.options, router, router.patterns(), presence, sends, context.budget, context.stats, prng, now},
        lag_check_at{now.mono + kLagCheckInterval},
        housekeeping_at{now.mono + kHousekeepingInterval} {
    presence.set_sink(*this);
    if (context.admin != nullptr) desk.emplace(*context.admin, sessions, router, delivery, context.stats);
  }

  /// Tells sessions what sending found out. Not under a batch: sessions may end what a batch refers to.
  void handle_send_events(Now now) {
    if (sends.in_batch()) return;
    for (const OutboxEvent& event : sends.take_events()) {
      if (event.kind == OutboxEvent::Kind::chunk_wanted) {
        router.refill(event.subscription, now);
      } else {
        sessions.handle(event, now);
      }
    }
  }
  void after_input(Now now) {
    handle_send_events(now);
    if (router.has_store()) serve_store(now);
    router.pump(now);
    if (!answered_askers.empty()) release_askers(now);
  }
  /// To the connection that asked, at once; or to whoever asked through ask().
  void answered(Answered answered, Now now) override {
    if (answered.asker.connection.valid()) {
      sessions.answer(answered, now);
      answered_askers.push_back(answered.asker.connection);
    } else {
      answers.push_back(std::move(answered));
    }
  }
  /// Who was answered is listened to again.
  void release_askers(Now now) {
    released_askers.swap(answered_askers);
    for (const Handle connection : released_askers) sessions.answered(connection, now);
    released_askers.clear();
  }
  /// To the connection that published; without one, to the administrator who did.
  void published(const PublishReply& reply, Now now) {
    if (!reply.connection.valid() && desk) {
      desk->stored(reply);
    } else {
      sessions.handle(reply, now);
    }
  }
  void serve_store(Now now) {
    const auto& loaded = router.serve_store(now, [&](const PublishReply& reply) { published(reply, now); });
    for (const Handle subscription : loaded) join_ready(subscription, now);
  }
  /// Its log is there: to whoever waits for that, a pattern or a command.
  void join_ready(Handle subscription, Now now) {
    PatternTraffic& patterns = router.patterns();
    if (patterns.owns(subscription)) {
      patterns.join_ready(subscription, now);
    } else {
      sessions.join_ready(subscription, now);
    }
  }
  /// Publishers that were held back go on if they may.
  void serve_publishers(Now now) {
    const auto& connections = router.take_room(now);
    for (const Handle connection : connections) sessions.room_made(connection, now);
    if (!connections.empty()) after_input(now);
  }
  void advance_shutdown(Now now);
  void rank_connections(Now now);

  const CoreOptions* options;
  ShardStats* stats;
  Prng prng;
  Delivery delivery;
  Rankings rankings;
  RollingSend sends;
  std::unique_ptr<UsageFeed> usage;  // before sessions: told of subscriptions until the last has gone
  Presence presence;
  ChannelRouter router;
  Sessions sessions;
  std::optional<AdminDesk> desk;
  std::vector<Action> taken_actions;
  std::vector<Answered> answers;
  std::vector<Handle> answered_askers;
  std::vector<Handle> released_askers;
  Instant lag_check_at;
  Instant housekeeping_at;
  Instant shutdown_at{};
  Instant shutdown_check_at{};
  bool shutting_down = false;
  bool said_goodbye = false;
};

ShardCore::ShardCore(const ShardContext& context, Now now) : state_{std::make_unique<State>(context, now)} {
  UsageFeed* usage = state_->usage.get();
  state_->sessions.set_access({.here = context.index,
                               .authenticator = context.authenticator,
                               .boards = context.boards,
                               .journal = usage == nullptr ? nullptr : &usage->journal()});
  if (usage == nullptr) return;
  usage->set_sessions(state_->sessions);
  state_->delivery.set_recorder(*usage);
}
ShardCore::~ShardCore() = default;

// ---- what happened ----

std::optional<Handle> ShardCore::accept(const PeerInfo& peer, Now now) { return state_->sessions.accept(peer, now); }

void ShardCore::receive(Handle connection, MutableBytes bytes, Now now) {
  state_->sessions.receive(connection, bytes, now);
  state_->handle_send_events(now);
}

void ShardCore::receive_ended(Handle connection, int error, Now now) {
  state_->sessions.receive_ended(connection, error, now);
}

void ShardCore::writable(Handle connection, Now now) {
  state_->sessions.writable(connection, now);
  state_->handle_send_events(now);
}

void ShardCore::remainder_sent(Handle connection, std::int32_t result, Now now) {
  state_->sessions.remainder_sent(connection, result, now);
  state_->handle_send_events(now);
}

void ShardCore::closed(Handle connection) { state_->sessions.closed(connection); }

void ShardCore::drain_mesh(Now now) {
  State& state = *state_;
  const auto& arrivals =
      state.router.drain(now, [&](const PublishReply& reply) { state.sessions.handle(reply, now); });
  PatternTraffic& patterns = state.router.patterns();
  if (patterns.active()) state.sessions.tell_patterns(now);
  for (const Handle subscription : arrivals.ready) state.join_ready(subscription, now);
  for (const auto& history : arrivals.histories) {
    state.sessions.handle(HistoryReply{.connection = history.connection,
                                       .refused = history.refused,
                                       .text = history.text,
                                       .refusal = history.refusal},
                          now);
  }
  if (patterns.active()) {
    patterns.work(now);
    state.sessions.serve_patterns(now);
    patterns.acknowledge();
  }
  if (state.desk) state.desk->advance(now);
  state.after_input(now);
  state.serve_publishers(now);
}

void ShardCore::expire_timers(Now now) {
  State& state = *state_;
  if (state.usage != nullptr) state.usage->keep_time(now);
  state.sessions.expire_timers(now);
  state.delivery.release_held(now.mono);
  state.router.expire_timers(now);
  if (now.mono >= state.lag_check_at) {
    state.lag_check_at = now.mono + kLagCheckInterval;
    state.sends.check_blocked(now);
  }
  if (now.mono >= state.housekeeping_at) {
    state.housekeeping_at = now.mono + kHousekeepingInterval;
    state.router.sweep(now);
    if (state.router.patterns().active()) state.sessions.tell_patterns(now);
    if (state.usage != nullptr) state.usage->settle();
    state.sessions.follow_options(now);
    if (const auto ledger = state.delivery.ledger_news()) state.stats->publish_ledger(*ledger);
    state.rank_connections(now);
  }
  state.handle_send_events(now);
  if (state.shutting_down) state.advance_shutdown(now);
  state.after_input(now);
}

void ShardCore::set_authenticator(const Authenticator* authenticator) {
  state_->sessions.set_authenticator(authenticator);
}

bool ShardCore::settle_usage() {
  UsageFeed* usage = state_->usage.get();
  if (usage == nullptr) return true;
  usage->settle();
  return usage->settled();
}

void ShardCore::reconfigure(const CoreOptions& options) {
  State& state = *state_;
  state.sessions.reconfigure(options);
  state.router.reconfigure(options);
  state.options = &options;
}

void ShardCore::begin_shutdown(Now now) {
  State& state = *state_;
  if (state.shutting_down) return;
  state.shutting_down = true;
  state.shutdown_at = now.mono;
  state.shutdown_check_at = now.mono + std::min<nanoseconds>(kShutdownSettle, state.options->shutdown.deadline / 2);
  state.sessions.begin_shutdown(now);
}

/// First everybody gets what was published: publishes have ended, lanes run dry. Then the 1001s; at last, resets.
void ShardCore::State::advance_shutdown(Now now) {
  const nanoseconds deadline = options->shutdown.deadline;
  const nanoseconds since = now.mono - shutdown_at;
  if (since >= deadline) {
    sessions.reset_all(now);
    shutdown_check_at = Instant::max();
    return;
  }
  const bool settled = since >= kShutdownSettle && router.settled();
  if (!said_goodbye && (settled || since >= deadline / 2)) {
    said_goodbye = true;
    delivery.stop_holding(now.mono);  // what waited for its time goes out before the goodbye; so does what just came
    delivery.expand_dirty(Delivery::Expand::all, now.mono);
    sessions.finish_shutdown(now);
  }
  shutdown_check_at = shutdown_at + deadline;
  if (!said_goodbye) shutdown_check_at = std::min(now.mono + kShutdownSettle, shutdown_at + deadline / 2);
}

void ShardCore::State::rank_connections(Now now) {
  rankings.begin_connections();
  for (const Outbox* outbox : sends.blocked()) {
    if (const Connection* connection = sessions.look(outbox->connection)) rankings.see(*connection);
  }
  rankings.publish_connections(now);
}

// ---- who is there ----

void ShardCore::ask(Question question, std::uint64_t token) {
  state_->presence.ask(std::move(question), Asker{.connection = {}, .token = token});
}

std::vector<Answered> ShardCore::take_answers() { return std::exchange(state_->answers, {}); }

// ---- what it wants ----

std::span<const SendEntry> ShardCore::prepare_sends(Now now) {
  State& state = *state_;
  state.after_input(now);
  state.serve_publishers(now);
  for (int attempt = 0; attempt < 2; ++attempt) {  // a turn may find only a slow reader: then its goodbye is the news
    const auto batch = state.sends.prepare(now);
    if (!batch.empty()) return batch;
    state.handle_send_events(now);
  }
  return {};
}

void ShardCore::finish_sends(std::span<const SendReport> reports, Now now) {
  state_->sends.finish(reports, now);
  state_->handle_send_events(now);
}

std::span<const Action> ShardCore::take_actions() {
  State& state = *state_;
  state.taken_actions.clear();
  state.taken_actions.swap(state.sessions.actions());
  return state.taken_actions;
}

std::uint64_t ShardCore::take_doorbells(Now now) {
  state_->router.pump(now);
  return state_->router.take_doorbells();
}

bool ShardCore::take_store_bell() { return state_->router.take_store_bell(); }

// ---- questions ----

Instant ShardCore::next_deadline() const {
  const State& state = *state_;
  Instant next = state.housekeeping_at;
  if (state.sends.has_blocked()) next = std::min(next, state.lag_check_at);
  next = std::min({next, state.router.pace_deadline(), state.router.timer_deadline()});
  if (const auto held = state.delivery.held_until()) next = std::min(next, *held);
  if (state.shutting_down) next = std::min(next, state.shutdown_check_at);
  if (const auto timer = state.sessions.next_deadline()) next = std::min(next, *timer);
  return next;
}

bool ShardCore::idle() const {
  const State& state = *state_;
  return state.delivery.queued_connections() == 0 && !state.delivery.has_dirty() && !state.router.has_work() &&
         state.answered_askers.empty() && !(state.desk && state.desk->has_work());
}

bool ShardCore::drained() const {
  return state_->shutting_down && state_->sessions.connections() == 0 && state_->router.told();
}
std::uint32_t ShardCore::connections() const { return state_->sessions.connections(); }
Ledger ShardCore::ledger() const { return state_->delivery.ledger(); }

void ShardCore::validate() const {
  state_->delivery.validate();
  state_->presence.validate();
  state_->router.validate();
  state_->sessions.validate();
}

}  // namespace ringcast
