#include "tests/simulation/world.hpp"

#include <algorithm>
#include <utility>

#include "codec/deflate/message_deflater.hpp"
#include "codec/deflate/message_inflater.hpp"
#include "codec/dialect/command.hpp"
#include "engine/limits.hpp"
#include "tests/simulation/checkers.hpp"

namespace ringcast::simulation {
namespace {

constexpr std::size_t kValidateEvery = 32;         // audits; validate() looks at everything
constexpr std::size_t kFruitlessTurnsMax = 2'000;  // of a shard that says it is not idle, while all others rest

Scenario scenario_from(Dice& dice, bool is_long) {
  Scenario scenario = Scenario::from(dice);
  if (is_long) scenario.lengthen();
  return scenario;
}

NetworkHabits habits_of(const Scenario& scenario) { return {.short_sends = scenario.short_sends, .healthy = false}; }

}  // namespace

World::World(std::uint64_t seed, bool print_trace, bool is_long)
    : dice_{seed},
      trace_{print_trace},
      is_long_{is_long},
      scenario_{scenario_from(dice_, is_long)},
      clock_{Now{.mono = Instant{seconds{1'000}}, .wall = WallTime{seconds{1'790'000'000}}}},
      truth_{scenario_},
      network_{dice_, trace_, coverage_, scenario_.options.shards},
      mesh_{scenario_.options.shards, scenario_.bulk_bytes},
      usage_{scenario_.options.shards, seed % 2 == 0},  // in half of the runs the entitlement record is kept
      shards_(scenario_.options.shards),
      delivered_(scenario_.options.shards),
      surroundings_{scenario_, dice_, network_, truth_, coverage_, trace_, delivered_, conversations_} {
  network_.habits = habits_of(scenario_);
  network_.on_taken = [this](ConnectionId connection, Bytes bytes) {
    conversations_[connection]->taken(bytes, clock_.now().mono);
  };
  trace_.set_now(clock_.now().mono);
  trace_.note("seed {}: {} shards, {} channels, {} clients, lanes of {} bytes, messages to {} bytes, ending {}", seed,
              scenario_.options.shards, scenario_.channels.size(), scenario_.clients.size(), scenario_.bulk_bytes,
              scenario_.options.limits.message_bytes, static_cast<int>(scenario_.ending));
  for (std::uint32_t i = 0; i < shards_.size(); ++i) {
    Shard& shard = shards_[i];
    shard.stats = std::make_unique<ShardStats>(*shard.block);
    shard.core = std::make_unique<ShardCore>(ShardContext{.index = ShardIndex{static_cast<std::uint16_t>(i)},
                                                          .options = scenario_.options,
                                                          .mesh = mesh_,
                                                          .stats = *shard.stats,
                                                          .budget = *shard.budget,
                                                          .seed = dice_.next(),
                                                          .usage = usage_.lane(i)},
                                             now());
    shard.options = &scenario_.options;
    for (const PurposeRow& row : kPurposes) shard.floor.push_back(shard.budget->used(row.purpose));
  }
  note_bounds(scenario_.options);
  for (std::uint32_t i = 0; i < scenario_.clients.size(); ++i) {
    clients_.push_back(std::make_unique<Client>(i, scenario_.clients[i], surroundings_));
  }
}

World::~World() {
  // The cores go first: what they release is charged to budgets, and their lanes are still there.
  for (Shard& shard : shards_) shard.core.reset();
}

// ---- the loop ----

void World::run(std::size_t steps) {
  const std::size_t last_steps = dice_.between(50, 400);
  for (step_ = 0; step_ < steps || (is_long_ && !is_long_enough() && step_ < kLongStepsMax); ++step_) {
    if (scenario_.starving != 0 && step_ + last_steps == steps &&
        dice_.one_in(2)) {  // lanes are full as the end begins
      dice_.pick(shards_).starved_until = steps;
      trace_.note("a shard gets no turn until the end");
    }
    chaos_step();
  }
  switch (scenario_.ending) {
    case Ending::everybody_leaves:
      heal();
      everybody_leaves();
      break;
    case Ending::shutdown_when_quiet:
      heal();
      shut_down_in_peace();
      break;
    case Ending::shutdown_in_chaos:
      coverage_.add(Seen::shutdowns_in_chaos);
      shut_down_in_chaos();
      break;
  }
  check_nothing_is_left();
}

bool World::is_long_enough() {
  if (was_long_enough_) return true;  // in the end those that have read may be gone
  const std::uint64_t joins = coverage_.of(Seen::subscribes) + coverage_.of(Seen::subscribes_again);
  if (truth_.messages() < kLongMessagesMin || joins < kLongJoinsMin) return false;
  was_long_enough_ =
      std::ranges::count_if(clients_, [](const auto& client) { return client->has_read(); }) >= kLongReadersMin;
  return was_long_enough_;
}

void World::pass_time(nanoseconds by) {
  clock_.advance(by);
  trace_.set_now(clock_.now().mono);
}

void World::chaos_step() {
  pass_time(nanoseconds{dice_.size(100, static_cast<std::size_t>(scenario_.step_time_max.count()))});
  if (dice_.below(1'000) < scenario_.jumps) {
    pass_time(milliseconds{dice_.size(1, 20'000)});
    trace_.note("time leaps");
  }
  if (scenario_.reloads != 0 && dice_.below(1'000) < scenario_.reloads) reload();
  for (std::size_t i = 0; i < scenario_.actions_per_turn; ++i) dice_.pick(clients_)->act(now().mono);
  if (network_.connections() != 0) {
    const std::size_t moves = dice_.between(1, 8);
    for (std::size_t i = 0; i < moves; ++i) {
      if (is_long_ && dice_.one_in(2)) {  // in a long run those who stay are as old as those who come and go are many
        if (const auto connection = dice_.pick(clients_)->connection()) network_.step(*connection);
        continue;
      }
      // The newer connections are the living ones.
      const std::size_t among = std::min<std::size_t>(network_.connections(), 3 * clients_.size());
      network_.step(static_cast<ConnectionId>(network_.connections() - 1 - dice_.below(among)));
    }
  }
  const auto index = static_cast<std::uint32_t>(dice_.below(shards_.size()));
  Shard& shard = shards_[index];
  if (step_ >= shard.starved_until && dice_.below(100) < scenario_.starving) {
    shard.starved_until = step_ + dice_.between(10, scenario_.starving_steps);
    coverage_.add(Seen::shards_starved);
    trace_.note("shard {} gets no turn for a while", index);
  }
  if (step_ >= shard.starved_until && wants_turn(index)) turn(index);
}

/// The control thread has loaded other options, and wakes every shard; each takes them when its turn comes.
void World::reload() {
  trace_.note("reload");
  coverage_.add(Seen::reloads);
  reloaded_.push_back(std::make_unique<const CoreOptions>(scenario_.reloaded(dice_)));
  note_bounds(*reloaded_.back());
  truth_.note_state_ages(reloaded_.back()->namespaces);
  for (Shard& shard : shards_) shard.doorbell = true;
}

void World::follow_reload(std::uint32_t index) {
  const CoreOptions* newest = reloaded_.back().get();
  if (shards_[index].options == newest) return;
  trace_.note("shard {} goes by what was loaded", index);
  shards_[index].core->reconfigure(*newest);
  shards_[index].options = newest;
  if (std::ranges::all_of(shards_, [&](const Shard& shard) { return shard.options == newest; })) {
    reloaded_.erase(reloaded_.begin(), reloaded_.end() - 1);  // who still looked at them would be found out
  } else {
    coverage_.add(Seen::reloads_apart);
  }
}

bool World::wants_turn(std::uint32_t index) {
  const Shard& shard = shards_[index];
  return !network_.arrivals(index).empty() || shard.doorbell || !shard.asleep || shard.wakes_at <= clock_.now().mono;
}

bool World::deliver(std::uint32_t index, std::size_t most) {
  ShardCore& core = *shards_[index].core;
  auto& arrivals = network_.arrivals(index);
  std::size_t taken = 0;
  for (; taken < most && !arrivals.empty(); ++taken) {
    Arrival arrival = std::move(arrivals.front());
    arrivals.pop_front();
    const ConnectionId id = arrival.connection;
    if (arrival.kind == Arrival::Kind::accepted) {
      PeerInfo peer;
      peer.address[10] = peer.address[11] = 0xff;
      peer.address[12] = 127;
      peer.address[15] = 1;
      peer.port = static_cast<std::uint16_t>(1'024 + id);
      peer.tls = Network::is_sealed(id);
      for (const Shard& other : shards_) peer.node_connections += other.core->connections();
      network_.accepted(id, core.accept(peer, now()));
      continue;
    }
    network_.looked_at(id, arrival.bytes.size());
    const std::optional<Handle> handle = network_.handle_of(id);
    if (!handle) continue;
    switch (arrival.kind) {
      case Arrival::Kind::accepted: break;
      case Arrival::Kind::bytes:
        trace_.note("shard {} receives {} bytes of c{}", index, arrival.bytes.size(), id);
        conversations_[id]->heard(arrival.bytes.size(), now().mono);
        core.receive(*handle, MutableBytes{arrival.bytes}, now());
        std::ranges::fill(arrival.bytes, std::uint8_t{0xdd});  // the buffer is free: who kept a view of it reads this
        break;
      case Arrival::Kind::ended:
        trace_.note("shard {} hears the end of c{}: {}", index, id, arrival.result);
        core.receive_ended(*handle, arrival.result, now());
        break;
      case Arrival::Kind::writable: core.writable(*handle, now()); break;
      case Arrival::Kind::remainder: core.remainder_sent(*handle, arrival.result, now()); break;
      case Arrival::Kind::closed:
        trace_.note("shard {} has closed c{}", index, id);
        network_.forget_handle(id);
        core.closed(*handle);
        break;
    }
    audit(index);
  }
  return taken != 0;
}

bool World::carry_out(std::uint32_t index) {
  const std::span<const Action> actions = shards_[index].core->take_actions();
  for (const Action& action : actions) {
    if (action.kind == ActionKind::shutdown_write || action.kind == ActionKind::close) {
      for (std::size_t id = 0; id < conversations_.size(); ++id) {
        const auto connection = static_cast<ConnectionId>(id);
        if (network_.handle_of(connection) == action.connection && network_.shard_of(connection) == index &&
            !network_.broken(connection)) {
          conversations_[id]->ended_in_order();
        }
      }
    }
    network_.act(index, action);
  }
  audit(index);
  return !actions.empty();
}

bool World::turn(std::uint32_t index) {
  Shard& shard = shards_[index];
  ShardCore& core = *shard.core;
  const bool claimed_work = !shard.asleep;
  const bool was_rung = std::exchange(shard.doorbell, false);
  if (!reloaded_.empty()) follow_reload(index);
  bool did = deliver(index, dice_.one_in(3) ? dice_.between(1, 4) : ~std::size_t{0});
  did = carry_out(index) || did;
  core.drain_mesh(now());
  did = carry_out(index) || did;
  const bool timer_due = core.next_deadline() <= now().mono;
  core.expire_timers(now());
  did = carry_out(index) || did || timer_due;

  const std::size_t batches = dice_.between(1, 4);
  for (std::size_t i = 0; i < batches; ++i) {
    const std::span<const SendEntry> batch = core.prepare_sends(now());
    network_.send(index, batch, reports_);
    network_.sends_finished(batch);
    const bool sent = !batch.empty();
    if (sent) trace_.note("shard {} batch of {}", index, batch.size());
    core.finish_sends(reports_, now());
    did = carry_out(index) || did || sent;
    if (!sent) break;
    if (dice_.one_in(4)) {  // completions are taken between batches
      did = deliver(index, 2) || did;
      did = carry_out(index) || did;
    }
  }
  const std::uint64_t doorbells = core.take_doorbells(now());
  check((doorbells >> shards_.size()) == 0 && (doorbells >> index & 1U) == 0, Checker::seam, "shard {} rings {:x}",
        index, doorbells);
  for (std::uint32_t other = 0; other < shards_.size(); ++other) {
    if ((doorbells >> other & 1U) != 0) {
      shards_[other].doorbell = true;
      did = true;
    }
  }
  usage_.drain(index, *shard.stats, now().wall, coverage_);
  shard.asleep = core.idle();
  shard.wakes_at = core.next_deadline();
  const bool alone =
      std::ranges::none_of(shards_, [&](const Shard& other) { return &other != &shard && other.doorbell; });
  shard.fruitless_turns = did || was_rung || !claimed_work || !alone ? 0 : shard.fruitless_turns + 1;
  check(shard.fruitless_turns < kFruitlessTurnsMax, Checker::busy_loop,
        "shard {} is not idle, and {} turns changed nothing", index, kFruitlessTurnsMax);
  return did;
}

// ---- the checks ----

void World::audit(std::uint32_t index) {
  Shard& shard = shards_[index];
  const ShardCore& core = *shard.core;
  const Ledger ledger = core.ledger();
  check(ledger.closed(), Checker::ledger,
        "shard {}: offered {} is not sent {} + conflated {} + dropped {} + abandoned {} + queued {}", index,
        ledger.offered, ledger.sent, ledger.conflated, ledger.dropped, ledger.abandoned, ledger.queued);
  // A remainder's last bytes are with the kernel before its completion is with the core.
  std::uint64_t under_way = network_.remainders_pending(index);
  for (const Arrival& arrival : network_.arrivals(index)) under_way += arrival.kind == Arrival::Kind::remainder ? 1 : 0;
  const Delivered& real = delivered_[index];
  check(ledger.sent <= real.messages && real.messages <= ledger.sent + under_way, Checker::sent,
        "shard {}: the ledger says {} sent, the sockets took {} (with {} remainders under way)", index, ledger.sent,
        real.messages, under_way);
  check(real.skipped_told <= ledger.conflated + ledger.dropped, Checker::skipped,
        "shard {}: gap notices name {} messages, the ledger has {} conflated and {} dropped", index, real.skipped_told,
        ledger.conflated, ledger.dropped);
  check(core.connections() == network_.held_by(index), Checker::bounds,
        "shard {} counts {} connections, the network {}", index, core.connections(), network_.held_by(index));
  check_memory(index);
  if (++shard.audits % kValidateEvery == 0) core.validate();
  resolve_exchange(false);
}

void World::note_bounds(const CoreOptions& options) {
  for (const NamespaceRule& rule : options.namespaces) {
    lag_bytes_max_ = std::max(lag_bytes_max_, rule.lag.bytes);
    history_bytes_max_ = std::max(history_bytes_max_, rule.history.bytes);
  }
}

void World::check_memory(std::uint32_t index) {
  const Shard& shard = shards_[index];
  const Budget& budget = *shard.budget;
  const CoreOptions& options = scenario_.options;
  const std::uint64_t connections = shard.core->connections();
  const std::uint64_t channels = scenario_.channels.size() + 5;  // and what vandals name, and personal ones
  const std::uint64_t logs = lag_bytes_max_;
  const std::uint64_t history = history_bytes_max_;
  const std::uint64_t slack = 2 * (options.limits.message_bytes + 64_KiB);  // a last frame and a block not yet full
  struct Bound {
    Purpose purpose;
    std::uint64_t bytes;
  };
  const Bound bounds[] = {
      {Purpose::log_blocks, channels * kForms * (logs + slack) + connections * slack},  // pinned blocks outlive the log
      {Purpose::history, channels * (history + slack)},
      {Purpose::inboxes, connections * 2 * (options.limits.message_bytes + options.limits.header_bytes + 64_KiB)},
      {Purpose::control, connections * 2 * (kControlBytesMax + kReplyBytesMax)},
      {Purpose::remainders, connections * (options.limits.message_bytes + 4_KiB)},  // large ones are pinned
      {Purpose::compression, 2 * kDeflaterBytes + kInflaterBytes + 6 * (options.limits.message_bytes + 64_KiB)},
  };
  for (const Bound& bound : bounds) {
    const std::uint64_t floor = shard.floor[std::to_underlying(bound.purpose)];
    check(budget.used(bound.purpose) <= floor + bound.bytes, Checker::bounds,
          "shard {} holds {} bytes for {}, more than {}", index, budget.used(bound.purpose),
          kPurposes[std::to_underlying(bound.purpose)].name, floor + bound.bytes);
  }
}

void World::resolve_exchange(bool final) {
  for (const auto& client : clients_) {
    if (Conversation* talk = client->conversation()) talk->resolve(final);
  }
  if (final) {
    for (const auto& talk : conversations_) talk->resolve(true);
  }
}

}  // namespace ringcast::simulation
