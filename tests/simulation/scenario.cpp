#include "tests/simulation/scenario.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "alloc/base/units.hpp"

namespace ringcast::simulation {
namespace {

struct NamespacePlan {
  std::string_view prefix;
  SlowPolicy slow;
  DedupeBy by;
  DedupeScope scope;
  StateKeeping state = StateKeeping::none;
};
constexpr std::array kNamespaces{
    NamespacePlan{"slow", SlowPolicy::disconnect, DedupeBy::id, DedupeScope::publisher},
    NamespacePlan{"latest", SlowPolicy::conflate, DedupeBy::id, DedupeScope::publisher},
    NamespacePlan{"drop", SlowPolicy::drop_oldest, DedupeBy::id, DedupeScope::publisher},
    NamespacePlan{"feed", SlowPolicy::disconnect, DedupeBy::id, DedupeScope::channel},
    NamespacePlan{"same", SlowPolicy::conflate, DedupeBy::payload, DedupeScope::channel},
    NamespacePlan{"raw", SlowPolicy::drop_oldest, DedupeBy::off, DedupeScope::publisher},
    NamespacePlan{"last", SlowPolicy::conflate, DedupeBy::id, DedupeScope::publisher, StateKeeping::last},
    NamespacePlan{"book", SlowPolicy::disconnect, DedupeBy::id, DedupeScope::publisher, StateKeeping::snapshot_delta},
};

constexpr std::uint32_t kUsers = 3;  // few, so that each has several connections

std::uint32_t some_rate(Dice& dice) {
  constexpr std::array kRates{1U, 5U, 50U, 500U};
  return kRates[dice.below(kRates.size())];
}
constexpr std::array kBytesNamespaces{
    NamespacePlan{"bytes", SlowPolicy::drop_oldest, DedupeBy::id, DedupeScope::publisher},
    NamespacePlan{"blobs", SlowPolicy::conflate, DedupeBy::off, DedupeScope::publisher, StateKeeping::last},
};

void draw_bounds(NamespaceRule& rule, Dice& dice) {
  rule.lag.messages = static_cast<std::uint32_t>(dice.one_in(3) ? 4'096 : dice.between(1, 40));
  rule.lag.bytes = dice.one_in(3) ? 4_MiB : dice.size(2'048, 512 * 1'024);
  rule.lag.time = milliseconds{dice.one_in(3) ? 10'000 : dice.between(5, 2'000)};
  rule.history.messages = static_cast<std::uint32_t>(dice.one_in(3) ? 1'000 : dice.between(1, 50));
  rule.history.bytes = dice.one_in(3) ? 1_MiB : dice.size(1'024, 256 * 1'024);
  rule.history.age = milliseconds{dice.between(1'000, 300'000)};
}

NamespaceRule rule_for(const NamespacePlan& plan, Dice& dice) {
  NamespaceRule rule;
  rule.match = fmt::format("{}.>", plan.prefix);
  rule.slow = plan.slow;
  rule.dedupe.by = plan.by;
  rule.dedupe.scope = plan.scope;
  rule.dedupe.window =
      plan.by == DedupeBy::payload ? milliseconds{hours{4}} : milliseconds{dice.between(1'000, 60'000)};
  draw_bounds(rule, dice);
  rule.state = plan.state;
  rule.state_age = milliseconds{dice.between(1'000, 300'000)};
  rule.resume = !dice.one_in(5);
  if (plan.slow == SlowPolicy::conflate && dice.one_in(4)) rule.max_rate = some_rate(dice);
  if (dice.one_in(4)) rule.priority = Priority::high;
  if (dice.one_in(5)) {
    rule.batch_delay = std::min(milliseconds{dice.between(1, 50)}, rule.lag.time / 2);
    rule.batch_max = static_cast<std::uint32_t>(dice.one_in(2) ? 0 : dice.between(1, 20));
  }
  rule.presence = dice.one_in(2);
  rule.presence_grace = milliseconds{dice.one_in(4) ? 0 : dice.between(1, 3'000)};
  rule.stale_after = milliseconds{dice.one_in(3) ? dice.size(20, 5'000) : 0};
  return rule;
}

ClientPlan client_from(Dice& dice) {
  ClientPlan plan;
  plan.native = !dice.percent(40);
  plan.publishes = plan.native && dice.percent(60);
  plan.vandal = dice.percent(12);
  plan.dribbles = dice.percent(10);
  plan.mute = dice.percent(6);
  plan.churns = dice.percent(40);
  plan.floods = plan.publishes && dice.percent(30);
  plan.user = dice.percent(40) ? static_cast<std::uint32_t>(dice.between(1, kUsers)) : 0;
  const std::size_t habit = dice.below(100);
  plan.reading = habit < 55   ? Reading::eager
                 : habit < 75 ? Reading::sipping
                 : habit < 95 ? Reading::stalling
                              : Reading::never;
  return plan;
}

/// In half of the runs some of the native clients speak the binary dialect, and some channels carry bytes.
void add_binary(Scenario& plan, Dice& dice) {
  if (dice.one_in(2)) return;
  for (ClientPlan& client : plan.clients) client.binary = client.native && dice.one_in(2);
  plan.clients[0].binary = true;  // who talks can talk to every channel
  const NamespacePlan& space = kBytesNamespaces[dice.below(kBytesNamespaces.size())];
  NamespaceRule& rule = plan.options.namespaces.emplace_back(rule_for(space, dice));
  rule.payload = PayloadKind::binary;
  const std::size_t channels = dice.between(1, 2);
  for (std::size_t i = 0; i < channels; ++i) {
    plan.channels.push_back(ChannelPlan{.name = fmt::format("{}.{}", space.prefix, i),
                                        .slow = space.slow,
                                        .dedupe = rule.dedupe,
                                        .state = space.state,
                                        .max_rate = rule.max_rate,
                                        .batch_delay = rule.batch_delay,
                                        .bytes = true});
  }
}

}  // namespace

milliseconds Scenario::held_max() const {
  milliseconds longest{1'000};  // of an interval: one message a second
  for (const ChannelPlan& channel : channels) longest = std::max(longest, channel.batch_delay);
  return longest + kTimerTick;
}

CoreOptions Scenario::reloaded(Dice& dice) const {
  CoreOptions fresh = options;
  for (NamespaceRule& rule : fresh.namespaces) {
    if (dice.one_in(3)) continue;
    draw_bounds(rule, dice);
    rule.state_age = milliseconds{dice.between(1'000, 300'000)};
    rule.priority = dice.one_in(4) ? Priority::high : Priority::normal;
    if (rule.batch_delay.count() != 0) {  // never where nothing was to wait: clients may rely on that
      const milliseconds delay{dice.between(0, static_cast<std::size_t>(rule.batch_delay.count()))};
      rule.batch_delay = std::min(delay, rule.lag.time / 2);
      rule.batch_max = static_cast<std::uint32_t>(dice.one_in(2) ? 0 : dice.between(1, 20));
    }
  }
  if (dice.one_in(2)) fresh.heartbeat.interval *= static_cast<int>(dice.between(1, 3));
  if (dice.one_in(2)) fresh.heartbeat.interval_exchange *= static_cast<int>(dice.between(1, 3));
  if (dice.one_in(2)) fresh.limits.handshake_time *= static_cast<int>(dice.between(1, 3));
  if (dice.one_in(2)) fresh.limits.connections += static_cast<std::uint32_t>(dice.below(10));
  if (dice.one_in(2)) fresh.limits.subscriptions += static_cast<std::uint32_t>(dice.below(4));
  if (dice.one_in(2)) fresh.limits.channels += static_cast<std::uint32_t>(dice.below(10));
  fresh.limits.channel_idle_time = milliseconds{dice.between(500, 300'000)};
  fresh.compression.threshold = static_cast<std::uint32_t>(dice.one_in(3) ? 1'024 : dice.below(300));
  return fresh;
}

Scenario Scenario::from(Dice& dice) {
  Scenario plan;
  CoreOptions& options = plan.options;
  options.shards = static_cast<std::uint32_t>(dice.between(1, 4));
  constexpr std::array kMessageBytes{std::uint32_t{16'384}, std::uint32_t{40'000}, std::uint32_t{120'000},
                                     std::uint32_t{300'000}};
  options.limits.message_bytes = kMessageBytes[dice.below(kMessageBytes.size())];
  options.limits.connections = static_cast<std::uint32_t>(dice.one_in(6) ? dice.between(4, 16) : 200);
  options.limits.subscriptions = static_cast<std::uint32_t>(dice.one_in(4) ? dice.between(1, 4) : 64);
  options.limits.channels = static_cast<std::uint32_t>(dice.one_in(6) ? dice.between(2, 8) : 1'000);
  options.limits.presence = static_cast<std::uint32_t>(dice.one_in(6) ? dice.between(1, 2) : 1'000);
  options.limits.notice_bytes = static_cast<std::uint32_t>(dice.one_in(2) ? dice.between(1, 300) : 16'384);
  options.limits.handshake_time = milliseconds{dice.between(200, 5'000)};
  options.limits.channel_idle_time = milliseconds{dice.between(500, 300'000)};
  options.limits.idle_time = 2 * options.limits.channel_idle_time;
  options.heartbeat.interval = milliseconds{dice.one_in(4) ? 0 : dice.between(100, 30'000)};
  options.heartbeat.interval_exchange = milliseconds{dice.between(100, 20'000)};
  options.errors.errors_max = dice.one_in(2) ? 0 : 5;
  options.compression.threshold = static_cast<std::uint32_t>(dice.one_in(3) ? 1'024 : dice.below(300));
  options.shutdown.deadline = milliseconds{dice.one_in(2) ? dice.between(100, 300) : dice.between(300, 10'000)};
  for (const NamespacePlan& space : kNamespaces) options.namespaces.push_back(rule_for(space, dice));

  // A lane that holds two records of the largest size and no more: it is full all the time. A record is one message, or
  // as many as fit a block of a log.
  plan.bulk_bytes = 128 * 1'024;
  while (plan.bulk_bytes < std::size_t{2} * (options.limits.message_bytes + 4'096)) plan.bulk_bytes *= 2;
  if (dice.one_in(4)) plan.bulk_bytes *= 4;

  const std::size_t channels = dice.between(1, 6);
  for (std::size_t i = 0; i < channels; ++i) {
    const std::size_t space = dice.below(kNamespaces.size());
    plan.channels.push_back(ChannelPlan{.name = fmt::format("{}.{}", kNamespaces[space].prefix, i),
                                        .slow = kNamespaces[space].slow,
                                        .dedupe = options.namespaces[space].dedupe,
                                        .state = kNamespaces[space].state,
                                        .max_rate = options.namespaces[space].max_rate,
                                        .batch_delay = options.namespaces[space].batch_delay,
                                        .presence = options.namespaces[space].presence});
  }
  for (std::uint32_t user = 1; user <= kUsers; ++user) {
    if (dice.one_in(2))
      plan.channels.push_back(ChannelPlan{.name = fmt::format("user:{}", user), .dedupe = {}, .owner = user});
  }

  const std::size_t clients = dice.one_in(5) ? dice.between(15, 30) : dice.between(3, 14);
  for (std::size_t i = 0; i < clients; ++i) plan.clients.push_back(client_from(dice));
  plan.clients[0].native = plan.clients[0].publishes = true;  // somebody talks
  plan.clients[0].vandal = false;

  const std::size_t ending = dice.below(10);
  plan.ending = ending < 5   ? Ending::everybody_leaves
                : ending < 7 ? Ending::shutdown_when_quiet
                             : Ending::shutdown_in_chaos;
  plan.short_sends = dice.one_in(3) ? 0 : dice.between(1, 30);
  plan.starving = dice.one_in(2) ? 0 : dice.between(1, 4);
  plan.starving_steps = dice.between(20, 600);
  if (options.shards > 1 && dice.one_in(3)) {  // a storm: lanes are full more often than not
    plan.starving = dice.between(2, 6);
    for (ClientPlan& client : plan.clients) client.floods = client.publishes;
  }
  plan.step_time_max = nanoseconds{dice.size(1'000, 8'000'000)};
  plan.resets = dice.one_in(3) ? 0 : dice.between(1, 15);
  plan.jumps = dice.one_in(3) ? 0 : dice.between(1, 8);
  plan.socket_bytes_max = dice.size(512, 256 * 1'024);
  plan.payload_bytes_max = std::min<std::size_t>(dice.one_in(3) ? 96 * 1'024 : dice.size(16, 96 * 1'024),
                                                 options.limits.message_bytes - 1'024);
  plan.actions_per_turn = dice.between(1, 6);
  add_binary(plan, dice);

  // Drawn last: what the earlier draws mean stays as it was.
  plan.patterns = {">", "*.*", "none.*"};
  for (const NamespacePlan& space : kNamespaces) {
    plan.patterns.push_back(fmt::format("{}.{}", space.prefix, dice.one_in(2) ? "*" : ">"));
  }
  plan.patterns.push_back(fmt::format("*.{}", dice.below(6)));
  options.limits.patterns = static_cast<std::uint32_t>(dice.one_in(5) ? dice.between(1, 2) : 64);
  if (dice.one_in(2)) {
    for (ClientPlan& client : plan.clients) client.patterns = dice.percent(50);
  }
  plan.reloads = dice.one_in(3) ? dice.between(1, 8) : 0;
  // Not drawn at all, for the same reason.
  if (options.heartbeat.interval.count() % 6 == 1) options.heartbeat.interval_exchange = milliseconds{0};
  return plan;
}

void Scenario::lengthen() {
  constexpr std::size_t kClientsMin = 14;
  constexpr std::size_t kPayloadMax = 2'048;
  options.limits.connections = std::max(options.limits.connections, 2'000U);  // also of those that are gone unnoticed
  options.limits.channels = std::max(options.limits.channels, 64U);
  payload_bytes_max = std::min(payload_bytes_max, kPayloadMax);
  // Whoever vanished is noticed, and whoever waits for a time waits no longer than it: nobody is out for the whole run.
  HeartbeatOptions& heartbeat = options.heartbeat;
  if (heartbeat.interval.count() == 0) heartbeat.interval = heartbeat.interval_exchange;
  if (heartbeat.interval_exchange.count() == 0) heartbeat.interval_exchange = heartbeat.interval;
  jumps = std::max<std::size_t>(jumps, 1);
  while (clients.size() < kClientsMin) clients.push_back(clients[clients.size() % 3]);
  for (std::size_t i = 0; i < kClientsMin; ++i) {
    ClientPlan& client = clients[i];
    client.churns = true;
    client.vandal = client.mute = false;
    if (client.reading == Reading::never) client.reading = Reading::stalling;
    if (i % 3 != 1) client.dribbles = false;  // those who do are seldom done before their time is over
    if (i % 3 == 0) client.native = client.publishes = true;
  }
}

}  // namespace ringcast::simulation
