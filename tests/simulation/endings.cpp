// How a run ends: the network heals and everything must arrive; everybody leaves and nothing may remain; or the node
// ends.
#include <algorithm>
#include <numeric>
#include <string>

#include "alloc/base/units.hpp"
#include "alloc/log/block_pool.hpp"
#include "codec/deflate/message_deflater.hpp"
#include "codec/deflate/message_inflater.hpp"
#include "engine/limits.hpp"
#include "tests/simulation/checkers.hpp"
#include "tests/simulation/world.hpp"

namespace ringcast::simulation {
namespace {

constexpr std::size_t kRoundsMax = 20'000;  // of everybody, until nothing moves any more

/// What may stay charged when nobody is there: chunks of slabs and free blocks, for the next one to come.
std::uint64_t kept_for_reuse(Purpose purpose) {
  switch (purpose) {
    case Purpose::connections: return 128_KiB;
    case Purpose::subscriptions: return 256_KiB;
    case Purpose::channels: return 320_KiB;
    case Purpose::users: return 512_KiB;
    case Purpose::dedupe: return 1_MiB;  // the table of ids, which stays as large as it became
    case Purpose::compression: return 2 * kDeflaterBytes + kInflaterBytes + 3 * 2 * 64_KiB;  // a shard's
    case Purpose::other:
      return BlockPool::kFreeBlocksMax *
             std::accumulate(BlockPool::kBlockBytes.begin(), BlockPool::kBlockBytes.end(), std::size_t{0});
    default: return 0;
  }
}

}  // namespace

bool World::round(const Client* only) {
  bool did = false;
  for (const auto& client : clients_) {
    if (only == nullptr || only == client.get()) did = client->settle() || did;
  }
  for (ConnectionId id = 0; id < network_.connections(); ++id) did = network_.step(id) || did;
  for (std::uint32_t i = 0; i < shards_.size(); ++i) {
    if (wants_turn(i)) {
      turn(i);
      did = true;
    }
  }
  return did;
}

void World::run_until_quiet(const char* what) {
  for (std::size_t i = 0; i < kRoundsMax; ++i) {
    if (!round()) return;
  }
  std::string busy;
  for (std::uint32_t i = 0; i < shards_.size(); ++i) {
    fmt::format_to(std::back_inserter(busy), "; shard {}: {} arrivals, doorbell {}, asleep {}, deadline {}", i,
                   network_.arrivals(i).size(), shards_[i].doorbell, shards_[i].asleep,
                   shards_[i].wakes_at <= now().mono);
  }
  fail(Checker::liveness, fmt::format("{} rounds, and still not quiet: {}{}", kRoundsMax, what, busy));
}

void World::wait_for_next_deadline(nanoseconds at_most) {
  Instant next = now().mono + at_most;
  for (const Shard& shard : shards_) next = std::min(next, shard.wakes_at);
  pass_time(std::max<nanoseconds>(next - now().mono, milliseconds{1}));
}

void World::heal() {
  trace_.note("the network heals");
  network_.habits.healthy = true;
  for (Shard& shard : shards_) shard.starved_until = 0;
  for (const auto& client : clients_) {
    client->may_connect = false;
    client->give_up_if_hopeless();
  }
  // No time passes: a wake-up that only a timer makes up for is lost.
  run_until_quiet("after the network healed");
  everything_arrives();
  if (dice_.one_in(2)) check_presence();

  // One more message for every channel; everybody who reads it must get it.
  Client& talker = *clients_.front();
  if (talker.conversation() != nullptr && !talker.ready()) {
    talker.leave();
    run_until_quiet("as the talker left");
  }
  if (talker.conversation() == nullptr) {
    talker.connect(now().mono);
    run_until_quiet("as the talker came back");
  }
  if (!talker.ready()) return;  // the node is full
  one_message_each(talker);
  if (keep_silent() && talker.ready()) one_message_each(talker);
}

void World::one_message_each(Client& talker) {
  const auto first = static_cast<PublishId>(truth_.publishes() + 1);
  for (std::uint32_t channel = 0; channel < scenario_.channels.size(); ++channel)
    talker.publish_marker(channel, now().mono);
  std::vector<std::pair<std::uint32_t, PublishId>> markers;
  for (std::uint32_t channel = 0; channel < scenario_.channels.size(); ++channel)
    markers.emplace_back(channel, first + channel);
  run_until_quiet("after the last message of every channel");
  everything_arrives();
  check_markers(markers);
}

/// Until channels that only patterns read are let go, if that is not too long. False: it is, or nobody has a pattern.
bool World::keep_silent() {
  constexpr milliseconds kSilenceMax{400'000};
  milliseconds age{hours{1}};
  for (const NamespaceRule& rule : scenario_.options.namespaces) age = std::min(age, rule.history.age);
  const milliseconds silence = scenario_.options.limits.channel_idle_time + age + seconds{2};
  const bool patterns = std::ranges::any_of(clients_, [](const auto& client) {
    return client->conversation() != nullptr && !client->conversation()->patterns().empty();
  });
  if (!patterns || silence > kSilenceMax) return false;
  const Instant end = now().mono + silence;
  while (now().mono < end) {
    wait_for_next_deadline(end - now().mono);
    run_until_quiet("as nobody says anything");
  }
  return true;
}

/// What has no time of its own is there already; the rest is once its interval or its delay is over.
void World::everything_arrives() {
  const auto held = [&] {
    return std::ranges::any_of(clients_, [&](const auto& client) {
      if (client->conversation() == nullptr) return false;
      for (std::uint32_t channel = 0; channel < scenario_.channels.size(); ++channel) {
        if (client->conversation()->may_be_held(channel)) return true;
      }
      return false;
    });
  };
  if (held()) {
    check_everything_arrived(Held::apart);
    const Instant end = now().mono + scenario_.held_max();
    while (now().mono < end) {
      wait_for_next_deadline(end - now().mono);
      run_until_quiet("as intervals and delays end");
    }
  }
  check_everything_arrived(Held::too);
}

void World::check_everything_arrived(Held held) {
  resolve_exchange(false);
  for (const auto& client : clients_) {
    const Conversation* talk = client->conversation();
    if (talk == nullptr) continue;
    check(talk->open() && talk->owed(), Checker::liveness, "c{} still hangs: status {}, close {}", talk->connection(),
          talk->status(), talk->close_code().value_or(0));
    check(talk->requests_open() == 0, Checker::replies, "never answered: {}", talk->describe_open());
    if (!talk->native()) continue;
    for (std::uint32_t channel = 0; channel < scenario_.channels.size(); ++channel) {
      const Subscription& subscription = talk->subscriptions()[channel];
      if (!subscription.active || (held == Held::apart && talk->may_be_held(channel))) continue;
      const Sequence newest = truth_.newest(channel, subscription.next.epoch);
      check(value(subscription.next.seq) > value(newest), Checker::liveness,
            "c{} waits for seq {} of {}, which is at {}", talk->connection(), value(subscription.next.seq),
            scenario_.channels[channel].name, value(newest));
    }
  }
  for (std::uint32_t i = 0; i < shards_.size(); ++i) {
    const Ledger ledger = shards_[i].core->ledger();
    check(ledger.queued == 0 || held == Held::apart, Checker::liveness, "shard {} still has {} messages queued", i,
          ledger.queued);
    check(ledger.sent == delivered_[i].messages, Checker::sent, "shard {} says {} sent, clients got {}", i, ledger.sent,
          delivered_[i].messages);
    shards_[i].core->validate();
  }
}

void World::check_markers(const std::vector<std::pair<std::uint32_t, PublishId>>& markers) {
  for (const auto& [channel, id] : markers) {
    const Publish& marker = truth_.of(id);
    check(marker.at || marker.refused || marker.answered_duplicate || !clients_.front()->ready(), Checker::replies,
          "the last message of {} was never answered", scenario_.channels[channel].name);
    if (!marker.at) continue;
    for (const auto& client : clients_) {
      const Conversation* talk = client->conversation();
      if (talk == nullptr || !talk->open()) continue;
      const Subscription& subscription = talk->subscriptions()[channel];
      if (talk->native()) {
        check(subscription.active || !talk->binds(channel), Checker::replies,
              "c{} has a pattern for {}, and not the channel", talk->connection(), scenario_.channels[channel].name);
      }
      if (!subscription.active && !talk->binds(channel)) continue;
      const bool settled =
          subscription.combined.empty() || subscription.combined.front() == subscription.combined.back();
      check(settled, Checker::liveness, "c{} still gets {} in the form it had before", talk->connection(),
            scenario_.channels[channel].name);
      check(subscription.newest == id, Checker::liveness, "c{} did not get the last message of {}, seq {}",
            talk->connection(), scenario_.channels[channel].name, value(marker.at->seq));
    }
  }
}

void World::everybody_leaves() {
  trace_.note("everybody leaves");
  for (const auto& client : clients_) client->leave();
  // Now time may pass: handshakes and closing connections have deadlines.
  for (std::size_t i = 0; i < 200; ++i) {
    run_until_quiet("as everybody leaves");
    if (std::ranges::all_of(shards_, [](const Shard& shard) { return shard.core->connections() == 0; })) return;
    wait_for_next_deadline(seconds{60});
  }
  for (std::uint32_t i = 0; i < shards_.size(); ++i) {
    check(shards_[i].core->connections() == 0, Checker::leak, "shard {} still has {} connections", i,
          shards_[i].core->connections());
  }
}

/// The control thread tells a shard to end, and wakes it.
void World::tell_to_end(std::uint32_t index) {
  shards_[index].core->begin_shutdown(now());
  shards_[index].doorbell = true;
  carry_out(index);
}

void World::wait_until_drained() {
  const auto drained = [&] {
    return std::ranges::all_of(shards_, [](const Shard& shard) { return shard.core->drained(); });
  };
  const Instant deadline = now().mono + scenario_.options.shutdown.deadline;
  for (std::size_t i = 0; i < 2'000; ++i) {
    run_until_quiet("at the end of the node");
    if (drained()) return;
    wait_for_next_deadline(seconds{1});
    check(now().mono <= deadline + seconds{1}, Checker::shutdown, "the node does not end by its deadline");
  }
  check(drained(), Checker::shutdown, "the node does not end");
}

/// Everybody is well, but has not yet read the last messages when the node is told to end.
void World::shut_down_in_peace() {
  trace_.note("the node shuts down, in peace");
  for (const auto& talk : conversations_) talk->shutting_down = true;
  std::vector<Conversation*> readers;
  for (const auto& client : clients_) {
    if (client->ready()) readers.push_back(client->conversation());
  }
  Client& talker = *clients_.front();
  std::vector<std::pair<std::uint32_t, PublishId>> last;
  for (std::uint32_t channel = 0; channel < scenario_.channels.size() && talker.ready(); ++channel) {
    for (std::size_t i = 0; i < 8; ++i) talker.publish_marker(channel, now().mono, scenario_.payload_bytes_max / 4);
    last.emplace_back(channel, static_cast<PublishId>(truth_.publishes()));
  }
  const auto nobody_reads = [&] {
    for (std::size_t i = 0; i < kRoundsMax && round(&talker); ++i) {}
  };
  nobody_reads();
  for (std::uint32_t i = 0; i < shards_.size(); ++i) tell_to_end(i);
  const Instant goodbye = now().mono + std::min<nanoseconds>(kShutdownSettle, scenario_.options.shutdown.deadline / 2);
  while (now().mono < goodbye) {
    nobody_reads();
    wait_for_next_deadline(goodbye - now().mono);
  }
  nobody_reads();
  wait_until_drained();

  for (const Conversation* reader : readers) {
    const std::uint16_t code = reader->close_code().value_or(0);
    // It did not read: its bound in time may be short, and it may have left a ping before the last unanswered as well.
    if (code == value(CloseCode::slow_consumer) || code == value(CloseCode::heartbeat_timeout)) continue;
    check(code == value(CloseCode::going_away), Checker::shutdown, "c{} was closed with {} at the end of the node",
          reader->connection(), code);
    check(!network_.lost_bytes(reader->connection()), Checker::shutdown, "c{} lost bytes at the end of the node",
          reader->connection());
    for (const auto& [channel, id] : last) {
      const Subscription& subscription = reader->subscriptions()[channel];
      if (!subscription.active || !truth_.of(id).at) continue;
      check(subscription.newest == id, Checker::shutdown, "c{} was closed without the last message of {}, seq {}",
            reader->connection(), scenario_.channels[channel].name, value(truth_.of(id).at->seq));
    }
  }
}

/// Each shard hears of it at another time, in the middle of everything.
void World::shut_down_in_chaos() {
  trace_.note("the node shuts down");
  std::vector<bool> told(shards_.size(), false);
  for (std::size_t i = 0; i < 300; ++i, ++step_) {
    const std::size_t some = dice_.below(told.size());
    if (!told[some] && dice_.one_in(20)) {
      told[some] = true;
      tell_to_end(static_cast<std::uint32_t>(some));
    }
    for (const auto& talk : conversations_) talk->shutting_down = true;
    chaos_step();
  }
  for (std::size_t i = 0; i < told.size(); ++i) {
    if (!told[i]) tell_to_end(static_cast<std::uint32_t>(i));
  }
  for (const auto& talk : conversations_) talk->shutting_down = true;
  network_.habits.healthy = true;
  for (const auto& client : clients_) client->may_connect = false;
  wait_until_drained();
}

void World::check_nothing_is_left() {
  resolve_exchange(true);
  // Channels expire, the dedupe window passes.
  const Instant end = now().mono + hours{5};
  for (std::size_t i = 0; i < 5'000 && now().mono < end; ++i) {
    wait_for_next_deadline(minutes{5});
    if (i > 50) pass_time(minutes{5});
    for (std::uint32_t s = 0; s < shards_.size(); ++s) shards_[s].doorbell = true;
    run_until_quiet("after everybody has gone");
  }
  for (std::uint32_t i = 0; i < shards_.size(); ++i) {
    const Shard& shard = shards_[i];
    shard.core->validate();
    const Ledger ledger = shard.core->ledger();
    check(ledger.closed() && ledger.queued == 0, Checker::ledger,
          "shard {} has {} messages queued, and nobody is there", i, ledger.queued);
    usage_.check_all_ended(i);
    check(shard.core->connections() == 0 && network_.held_by(i) == 0, Checker::leak, "shard {} still has connections",
          i);
    coverage_.add(Seen::lane_overruns, shard.stats->get(CounterId::mesh_gaps));
    coverage_.add(Seen::channels_expired, shard.stats->get(CounterId::channels_expired));
    coverage_.add(Seen::conflations_chosen, shard.stats->get(CounterId::conflations_chosen));
    coverage_.add(Seen::rate_waits, shard.stats->get(CounterId::rate_waits));
    coverage_.add(Seen::batch_waits, shard.stats->get(CounterId::batch_waits));
    coverage_.add(Seen::priority_yields, shard.stats->get(CounterId::priority_yields));
    coverage_.add(Seen::notices_superseded, shard.stats->get(CounterId::notices_superseded));
    for (const CounterRow& row : kCounters) {
      if (row.kind != CounterKind::gauge) continue;
      check(shard.stats->get(row.id) == 0, Checker::leak, "shard {}: {} is {}, and nobody is there", i, row.label,
            shard.stats->get(row.id));
    }
    for (const PurposeRow& row : kPurposes) {
      const std::uint64_t used = shard.budget->used(row.purpose);
      const std::uint64_t kept = shard.floor[std::to_underlying(row.purpose)] + kept_for_reuse(row.purpose);
      check(used <= kept, Checker::leak, "shard {} still holds {} bytes for {}; {} may be kept", i, used, row.name,
            kept);
    }
  }
}

}  // namespace ringcast::simulation
