#include "engine/shard/shard.hpp"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "alloc/base/ensure.hpp"
#include "codec/http/proxy_header.hpp"
#include "engine/access/shared_board.hpp"

namespace ringcast {

namespace {

constexpr BufferRingOptions kReceiveBuffers{};
constexpr int kLastWaitsMax = 1'000;  // of kDrainTick each: cancelled requests complete at once
constexpr int kPausesPerLook = 32;    // a polling shard looks about once a microsecond, and leaves its twin core room

RingDemand ring_demand(std::uint32_t connections, std::uint32_t shards, std::uint32_t listeners) {
  return {.connections = connections,
          .receive_buffers = kReceiveBuffers.count,
          .accepts = listeners * static_cast<std::uint32_t>(ListenerOptions{}.backlog),
          .neighbours = shards - 1};
}

/// A shard is charged for the lanes that lead to it.
std::size_t inward_lane_bytes(Mesh& mesh, ShardIndex own) {
  std::size_t bytes = 0;
  for (std::uint16_t from = 0; from < mesh.shards(); ++from) {
    if (from == value(own)) continue;
    const ShardIndex neighbour{from};
    bytes += mesh.bulk(neighbour, own).capacity() + mesh.publishes(neighbour, own).capacity() +
             mesh.control(neighbour, own).capacity();
  }
  return bytes;
}

std::size_t store_lane_bytes(const StoreLane* store) {
  return store == nullptr ? 0 : store->requests.capacity() + store->answers.capacity();
}

/// A shard is charged for its lane to the entitlement record, and its part of the boards.
std::size_t access_bytes(const ShardSetup& setup) {
  return (setup.usage != nullptr ? setup.usage->capacity() : 0) +
         (setup.boards != nullptr ? setup.boards->bytes() / setup.mesh.shards() : 0);
}

inline void pause_cpu() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

std::uint32_t shard_connections_max(const LimitOptions& limits, std::uint32_t shards, std::uint32_t listeners) {
  const std::uint64_t others = completions_max(ring_demand(0, shards, listeners));
  ensure(others < kCompletionEntriesMax, "a ring has room for more than its listeners");
  const std::uint64_t each = completions_max(ring_demand(1, shards, listeners)) - others;
  const std::uint64_t fitting = (kCompletionEntriesMax - others) / each;
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(fitting, std::uint64_t{limits.connections} + kRefusalSlots));
}

std::uint32_t shard_connections_room(const LimitOptions& limits, std::uint32_t shards, std::uint32_t listeners) {
  const std::uint64_t others = completions_max(ring_demand(0, shards, listeners));
  const std::uint64_t each = completions_max(ring_demand(1, shards, listeners)) - others;
  const std::uint32_t wanted = shard_connections_max(limits, shards, listeners);
  const std::uint64_t entries = std::bit_ceil(completions_max(ring_demand(wanted, shards, listeners)));
  return static_cast<std::uint32_t>((entries - others) / each);
}

Result<std::unique_ptr<Shard>, std::string> Shard::make(ShardSetup setup) {
  const auto listeners = static_cast<std::uint32_t>(setup.listeners.size());
  const std::uint32_t connections = shard_connections_max(setup.options.limits, setup.mesh.shards(), listeners);
  auto ring =
      Ring::open({.demand = ring_demand(connections, setup.mesh.shards(), listeners), .features = setup.features});
  if (!ring) return unexpected(ring.error());
  auto buffers = BufferRing::open(**ring, kReceiveBuffers);
  if (!buffers) return unexpected(buffers.error());
  const Now now = setup.clock.now();
  return std::unique_ptr<Shard>{new Shard{std::move(setup), std::move(*ring), std::move(*buffers), now}};
}

Shard::Shard(ShardSetup setup, std::unique_ptr<Ring> ring, std::unique_ptr<BufferRing> buffers, Now now)
    : setup_{std::move(setup)},
      options_{&setup_.options},
      connections_room_{shard_connections_room(setup_.options.limits, setup_.mesh.shards(),
                                               static_cast<std::uint32_t>(setup_.listeners.size()))},
      connections_max_{shard_connections_max(setup_.options.limits, setup_.mesh.shards(),
                                             static_cast<std::uint32_t>(setup_.listeners.size()))},
      stats_{setup_.block},
      ring_{std::move(ring)},
      buffers_{std::move(buffers)},
      core_{{.index = setup_.index,
             .options = setup_.options,
             .mesh = setup_.mesh,
             .stats = stats_,
             .budget = setup_.budget,
             .seed = setup_.seed,
             .store = setup_.store,
             .authenticator = setup_.control.authenticator.load(std::memory_order_acquire),
             .boards = setup_.boards,
             .usage = setup_.usage,
             .admin = setup_.admin},
            now},
      transport_{*ring_, *buffers_, *this, setup_.budget, std::move(setup_.listeners), setup_.tls_handshakes_max},
      doorbell_{setup_.doorbells, setup_.index, *ring_},
      idle_{setup_.spin},
      now_{now} {
  setup_.control.authenticator_used.store(setup_.control.authenticator.load(std::memory_order_acquire),
                                          std::memory_order_release);
  setup_.control.options_used.store(options_, std::memory_order_release);
  transport_.use_tls(std::move(setup_.tls));
  setup_.budget.charge(Purpose::receive_buffers, buffers_->bytes());
  setup_.budget.charge(Purpose::mesh, inward_lane_bytes(setup_.mesh, setup_.index));
  setup_.budget.charge(Purpose::offline, store_lane_bytes(setup_.store));
  setup_.budget.charge(Purpose::other, access_bytes(setup_));
  if (setup_.admin != nullptr) setup_.budget.charge(Purpose::admin, setup_.admin->bytes());
}

Shard::~Shard() {
  setup_.budget.release(Purpose::receive_buffers, buffers_->bytes());
  setup_.budget.release(Purpose::mesh, inward_lane_bytes(setup_.mesh, setup_.index));
  setup_.budget.release(Purpose::offline, store_lane_bytes(setup_.store));
  setup_.budget.release(Purpose::other, access_bytes(setup_));
  if (setup_.admin != nullptr) setup_.budget.release(Purpose::admin, setup_.admin->bytes());
}

void Shard::start() {
  transport_.start_accepting();
  set_state(ShardState::running);
}

void Shard::run() {
  start();
  while (!stopping_) {
    run_turn();
    rest();
  }
  finish();
}

bool Shard::run_turn() {
  now_ = setup_.clock.now();
  if (turn_began_) meter_.turn(now_.mono - *turn_began_, turn_worked_);
  turn_began_ = now_.mono;
  setup_.control.beacon.turning(now_.mono);

  turn_worked_ = has_work();
  obey();
  turn_worked_ |= transport_.begin_turn(now_.mono);  // handshakes that the last turn had no room for
  ring_->poll();                                     // kernel to plain data; nothing reacts yet
  turn_worked_ |= handle_completions();              // to the core
  core_.drain_mesh(now_);                            // other shards' records to the core
  expire_timers();
  apply_actions();
  ring_doorbells();                 // neighbours may begin while we send
  turn_worked_ |= advance_sends();  // each connection: from its cursors to the heads as they are now
  ring_doorbells();
  publish_counters();
  return turn_worked_;
}

/// The control thread has read keys or revocations anew, and keeps the old ones until every shard goes by the new.
void Shard::follow_authenticator() {
  const Authenticator* wanted = setup_.control.authenticator.load(std::memory_order_acquire);
  if (wanted == setup_.control.authenticator_used.load(std::memory_order_relaxed)) return;
  core_.set_authenticator(wanted);
  setup_.control.authenticator_used.store(wanted, std::memory_order_release);
}

/// The control thread has loaded others, and keeps the earlier ones until every shard goes by the new.
void Shard::follow_options() {
  const CoreOptions* wanted = setup_.control.options.load(std::memory_order_acquire);
  if (wanted == nullptr || wanted == options_) return;
  options_ = wanted;
  core_.reconfigure(*wanted);
  connections_max_ = std::min(connections_room_, wanted->limits.connections + kRefusalSlots);
  setup_.budget.set_limit(wanted->memory_budget / setup_.mesh.shards());
  setup_.control.options_used.store(wanted, std::memory_order_release);
}

void Shard::obey() {
  follow_authenticator();
  follow_options();
  if (setup_.control.tls_next.load(std::memory_order_relaxed) != nullptr) {
    const std::unique_ptr<const TlsHandover> next{setup_.control.tls_next.exchange(nullptr, std::memory_order_acquire)};
    transport_.use_tls(next->context);  // connections keep what they began with
  }
  switch (setup_.control.command.load(std::memory_order_acquire)) {
    case ShardCommand::run: return;
    case ShardCommand::drain:
      if (setup_.control.state.load(std::memory_order_relaxed) == ShardState::running) {
        set_state(ShardState::draining);
        transport_.stop_accepting();
        core_.begin_shutdown(now_);
      } else if (setup_.control.state.load(std::memory_order_relaxed) == ShardState::draining && core_.drained()) {
        set_state(ShardState::drained);
      }
      return;
    case ShardCommand::stop: stopping_ = true; return;
  }
}

/// Everything that was reaped before this call; what comes meanwhile waits for the next one.
bool Shard::handle_completions() {
  const auto completions = ring_->take_completions();
  for (const Completion& completion : completions) {
    if (!transport_.handle(completion, now_.mono)) doorbell_.handle(completion);
  }
  transport_.finish_completions();
  if (!completions.empty()) apply_actions();
  return !completions.empty();
}

void Shard::expire_timers() {
  transport_.expire(now_.mono);
  const bool ending = setup_.control.state.load(std::memory_order_relaxed) != ShardState::running;
  if (ending || now_.mono >= core_.next_deadline()) core_.expire_timers(now_);
}

bool Shard::advance_sends() {
  std::uint32_t batches = 0;
  for (; batches < kSendBatchesPerTurnMax; ++batches) {
    const auto batch = core_.prepare_sends(now_);
    if (batch.empty()) break;
    const auto reports = transport_.send(batch);
    core_.finish_sends(reports, now_);
    apply_actions();
    now_ = setup_.clock.now();
    handle_completions();  // new input: heads move on while the walk goes on
    ring_doorbells();
  }
  apply_actions();
  return batches != 0;
}

void Shard::apply_actions() {
  // Connections that the actions close are reported within apply(), and that may be an occasion for more.
  for (auto actions = core_.take_actions(); !actions.empty(); actions = core_.take_actions()) transport_.apply(actions);
}

void Shard::ring_doorbells() {
  if (const std::uint64_t shards = core_.take_doorbells(now_); shards != 0) wakes_sent_ += doorbell_.ring(shards);
  if (setup_.bridge != nullptr && core_.take_store_bell()) setup_.bridge->ring();
}

void Shard::publish_counters() {
  const AcceptPath::Counters& accepts = transport_.accepts().counters();
  const bool paused = transport_.accepts().paused();
  if (accepts.pauses != std::exchange(accept_pauses_seen_, accepts.pauses)) {
    stats_.event(EventCode::accept_paused, now_, static_cast<std::uint64_t>(accepts.last_error),
                 transport_.connections());
    if (!accept_paused_at_) accept_paused_at_ = now_.mono;
  }
  if (!paused && accept_paused_at_) {
    const auto took = std::chrono::duration_cast<milliseconds>(now_.mono - *accept_paused_at_);
    stats_.event(EventCode::accept_resumed, now_, static_cast<std::uint64_t>(took.count()), transport_.connections());
    accept_paused_at_.reset();
  }
  setup_.control.accept_paused.store(paused, std::memory_order_relaxed);
  const std::uint64_t exhausted = transport_.counters().buffers_exhausted;
  if (exhausted != std::exchange(buffers_exhausted_seen_, exhausted)) {
    stats_.event(EventCode::buffers_exhausted, now_, buffers_->count());
  }
  stats_.set(CounterId::accept_paused, accepts.pauses);
  stats_.set(CounterId::accept_errors, accepts.errors);
  stats_.set(CounterId::receive_buffers_exhausted, exhausted);
  if (transport_.tls().on()) publish_tls_counters();
  stats_.set(CounterId::turns, meter_.turns);
  stats_.set(CounterId::turns_idle, meter_.turns_idle);
  stats_.set(CounterId::sleeps, meter_.sleeps);
  stats_.set(CounterId::busy_ns, static_cast<std::uint64_t>(meter_.busy.count()));
  stats_.set(CounterId::wakes_sent, wakes_sent_);
  stats_.set(CounterId::wakes_received, doorbell_.heard());
}

void Shard::publish_tls_counters() {
  static_assert(kTlsFailures == std::to_underlying(TlsFailure::end), "each failure has its counter");
  const TlsPath::Counters& tls = transport_.tls().counters();
  stats_.set(CounterId::tls_handshakes, tls.handshakes);
  stats_.set(CounterId::tls_resumed, tls.resumed);
  stats_.set(CounterId::tls_waited, tls.waited);
  stats_.set(CounterId::tls_deferred, tls.deferred);
  stats_.set(CounterId::tls_unfinished, tls.unfinished);
  stats_.set(CounterId::tls_handshaking, transport_.tls().handshaking());
  for (std::size_t i = 0; i < tls.failed.size(); ++i) {
    stats_.set(tls_failed_counter(static_cast<std::uint8_t>(i)), tls.failed[i]);
  }
}

bool Shard::has_work() const {
  return !core_.idle() || ring_->has_news() || transport_.has_work() ||
         setup_.control.command.load(std::memory_order_acquire) == ShardCommand::stop;
}

Instant Shard::next_deadline() {
  Instant next = core_.next_deadline();
  if (const auto accept = transport_.next_deadline()) next = std::min(next, *accept);
  const auto state = setup_.control.state.load(std::memory_order_relaxed);
  if (state == ShardState::draining || state == ShardState::drained) next = std::min(next, now_.mono + kDrainTick);
  return next;
}

void Shard::rest() {
  ring_->poll();  // what the turn prepared last (a neighbour's bell, a wait for writability) goes out before the sleep
  if (has_work()) return;
  const Instant deadline = next_deadline();
  Instant now = setup_.clock.now().mono;
  const Instant began = now;
  if (turn_began_) meter_.turn(began - *std::exchange(turn_began_, std::nullopt), turn_worked_);

  const Instant polled = std::min(began + idle_.spin_time(), deadline);
  while (now < polled) {
    for (int i = 0; i < kPausesPerLook; ++i) pause_cpu();
    if (ring_->must_be_asked()) ring_->poll();
    now = setup_.clock.now().mono;
    if (!has_work()) continue;
    idle_.waited(now - began, nanoseconds{0});
    return;
  }
  if (now >= deadline) return;

  setup_.doorbells.lie_down(setup_.index);
  if (!has_work()) {  // looked at again after the flag: from here on others ring
    const nanoseconds spun = now - began;
    setup_.control.beacon.sleeping(now, deadline);
    ++meter_.sleeps;
    ring_->wait(deadline - now);
    const Instant woke = setup_.clock.now().mono;
    idle_.waited(spun, woke - now);
  }
  setup_.doorbells.get_up(setup_.index);
}

void Shard::set_state(ShardState state) {
  setup_.control.state.store(state, std::memory_order_release);
  setup_.control.state.notify_all();  // the control thread waits for the first change only
  const std::uint64_t one = 1;
  if (setup_.control_event_fd >= 0)
    ensure(::write(setup_.control_event_fd, &one, sizeof one) == sizeof one, "an eventfd takes a write");
}

void Shard::finish() {
  if (setup_.control.state.load(std::memory_order_relaxed) == ShardState::stopped) return;
  // For the core the deadline has come: it resets whoever is left.
  now_.mono += options_->shutdown.deadline;
  transport_.stop_accepting();
  core_.begin_shutdown(Now{.mono = now_.mono - options_->shutdown.deadline, .wall = now_.wall});
  core_.expire_timers(now_);
  apply_actions();
  for (int waits = 0; waits < kLastWaitsMax; ++waits) {
    if (transport_.connections() == 0 && transport_.accepts().in_flight() == 0) break;
    ring_->wait(kDrainTick);
    handle_completions();
  }
  ensure(transport_.connections() == 0, "every connection is closed when a shard ends");
  core_.drain_mesh(now_);  // and what is done with goes to the store
  ring_doorbells();
  for (int waits = 0; waits < kLastWaitsMax && !core_.settle_usage(); ++waits) ring_->wait(kDrainTick);
  stats_.publish_ledger(core_.ledger());
  publish_counters();
  set_state(ShardState::stopped);
}

std::optional<Handle> Shard::accept(const PeerInfo& peer) {
  if (transport_.connections() >= connections_max_) {
    stats_.add(CounterId::connections_refused_capacity);
    return std::nullopt;
  }
  PeerInfo known = peer;
  for (const ShardBlock* block : setup_.all_blocks) {
    known.node_connections += static_cast<std::uint32_t>(
        block->counters[std::to_underlying(CounterId::connections_open)].load(std::memory_order_relaxed));
  }
  return core_.accept(known, now_);
}

void Shard::receive(Handle connection, MutableBytes bytes) { core_.receive(connection, bytes, now_); }
/// A proxy that passes TLS through says in front of it for whom it connects: the core reads that. The sender sees to it
/// that the header comes at once (proxy-protocol.txt, section 2): half of one is no TLS either.
std::size_t Shard::receive_before_tls(Handle connection, MutableBytes bytes) {
  if (!looks_like_proxy_header(bytes)) return 0;
  const auto header = parse_proxy_header(bytes);
  if (!header || !*header) return 0;
  receive(connection, bytes.first((*header)->bytes));
  return (*header)->bytes;
}
void Shard::receive_ended(Handle connection, int error) { core_.receive_ended(connection, error, now_); }
void Shard::writable(Handle connection) { core_.writable(connection, now_); }
void Shard::remainder_sent(Handle connection, std::int32_t result) { core_.remainder_sent(connection, result, now_); }
void Shard::closed(Handle connection) { core_.closed(connection); }
void Shard::tls_failed(Handle connection, TlsFailure failure, std::string_view detail) {
  stats_.event(EventCode::tls_failed, now_, std::to_underlying(failure), connection.slot,
               detail.empty() ? sentence_of(failure) : detail);
}

}  // namespace ringcast
