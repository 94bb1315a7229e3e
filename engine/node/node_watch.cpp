#include "engine/node/node_watch.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "alloc/memory/allocator_figures.hpp"

namespace ringcast {

namespace {

constexpr double kLevelShares[] = {0.70, 0.85, 0.95};
constexpr double kHysteresis = 0.05;

std::uint64_t resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  unsigned long long size = 0;
  unsigned long long resident = 0;
  const int read = std::fscanf(file, "%llu %llu", &size, &resident);
  std::fclose(file);
  return read == 2 ? resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

std::uint64_t counter(const ShardBlock& block, CounterId id) {
  return block.counters[std::to_underlying(id)].load(std::memory_order_relaxed);
}

}  // namespace

PressureLevel pressure_of(double share, PressureLevel before) {
  std::uint8_t level = 0;
  for (const double bound : kLevelShares) {
    const bool held = std::to_underlying(before) > level;
    if (share < (held ? bound - kHysteresis : bound)) break;
    ++level;
  }
  return static_cast<PressureLevel>(level);
}

void NodeWatch::look(Now now, bool stopping) {
  if (looked_at_ != Instant{} && now.mono - looked_at_ < kWatchInterval) return;
  looked_at_ = now.mono;
  look_at_memory(now);
  look_at_health(now, stopping);
}

void NodeWatch::look_at_memory(Now now) {
  std::uint64_t held = 0;
  for (const Budget* budget : setup_.budgets) held += budget->total();
  const std::uint64_t limit = setup_.options.memory_budget;
  memory_share_ = limit == 0 ? 0 : static_cast<double>(held) / static_cast<double>(limit);
  const PressureLevel level = pressure_of(memory_share_, pressure_);
  if (std::exchange(pressure_, level) != level) {
    setup_.own_stats.event(EventCode::pressure_changed, now, std::to_underlying(level), held);
  }
  const AllocatorFigures allocator = allocator_figures();
  setup_.segment.node_block().memory.write(
      memory_.sample(setup_.budgets, limit, level,
                     {.rss_bytes = resident_bytes(),
                      .allocator_committed_bytes = allocator.committed_bytes,
                      .allocator_committed_peak_bytes = allocator.committed_peak_bytes},
                     now));
}

NodeWatch::Totals NodeWatch::add_up() const {
  Totals totals;
  for (const ShardBlock* block : setup_.blocks) {
    totals.accept_errors += counter(*block, CounterId::accept_errors);
    totals.receive_buffers_exhausted += counter(*block, CounterId::receive_buffers_exhausted);
    totals.slow_disconnects += counter(*block, CounterId::slow_disconnects);
    totals.connections += counter(*block, CounterId::connections_open);
    const auto ledger = block->ledger.read();
    totals.ledger_closed = totals.ledger_closed && (!ledger || ledger->closed());
  }
  return totals;
}

void NodeWatch::look_at_health(Now now, bool stopping) {
  const Totals totals = add_up();
  HealthInputs inputs{.memory_share = memory_share_,
                      .connection_share = static_cast<double>(totals.connections) /
                                          static_cast<double>(std::max(setup_.options.limits.connections, 1U)),
                      .shard_silent = nanoseconds{0},
                      .accept_errors = totals.accept_errors - before_.accept_errors,
                      .receive_buffers_exhausted = totals.receive_buffers_exhausted - before_.receive_buffers_exhausted,
                      .slow_disconnects = totals.slow_disconnects - before_.slow_disconnects,
                      .connections = totals.connections,
                      .ledger_closed = totals.ledger_closed,
                      .stopping = stopping};
  before_ = totals;
  for (std::size_t i = 0; i < setup_.blocks.size(); ++i) {
    const auto state = setup_.controls[i].state.load(std::memory_order_acquire);
    if (state == ShardState::stopped || state == ShardState::failed) continue;
    inputs.shard_silent = std::max(inputs.shard_silent, setup_.controls[i].beacon.silent_for(now.mono));
  }
  if (setup_.bridge != nullptr) look_at_store(inputs);
  const HealthState state_before = health_.state();
  const HealthVerdict verdict = judge_health(inputs);
  if (health_.add_check(verdict, now) && verdict.state != state_before) {
    setup_.own_stats.event(EventCode::health_changed, now, std::to_underlying(verdict.state),
                           std::to_underlying(state_before), verdict.reasons.empty() ? "" : verdict.reasons.front());
  }
}

/// A store without room refuses messages; one that cannot be used may be about to lose some.
void NodeWatch::look_at_store(HealthInputs& inputs) {
  const BridgeReport report = setup_.bridge->report();
  const std::pair<CounterId, std::uint64_t> numbers[] = {
      {CounterId::store_commits, report.counters.commits},
      {CounterId::store_messages, report.counters.messages},
      {CounterId::store_bytes, report.counters.bytes},
      {CounterId::store_refused, report.counters.refused},
      {CounterId::store_faults, report.counters.faults},
      {CounterId::store_repairs, report.counters.repairs},
      {CounterId::store_expired, report.counters.expired},
      {CounterId::store_damaged, report.counters.damaged},
      {CounterId::store_state, std::to_underlying(report.state)},
  };
  for (const auto& [id, number] : numbers) setup_.own_stats.set(id, number);
  if (report.state == StoreState::good) return;
  inputs.store = report.state == StoreState::full ? HealthState::degraded : HealthState::unhealthy;
  inputs.store_sentence = "the offline store is " + std::string{name_of(report.state)};
}

}  // namespace ringcast
