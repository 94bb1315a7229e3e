// engine/stats/shard_stats.hpp: how a shard counts, times and notes what it does.
//
// Owner    the shard (or the simulation), by value, over a ShardBlock that outlives it.
// Thread   the shard's for everything that writes; get() from any thread.
// Memory   none of its own beyond 1 KiB; the block is fixed.  Failure  none; taking more off a gauge than it holds is
//          our own mistake and stops the process.
// Not here what counters there are (counters.hpp), reading and formatting (ringcast_stats.h, report.hpp).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>
#include <utility>

#include "alloc/base/ensure.hpp"
#include "alloc/base/time.hpp"
#include "engine/stats/counters.hpp"
#include "engine/stats/events.hpp"
#include "engine/stats/ledger.hpp"
#include "engine/stats/shard_block.hpp"

namespace ringcast {

/// How many events of one code a thread records in a second. Beyond it the last one counts the rest (`repeats`), so an
/// attack that causes one kind of event cannot wash the others out of the recorder.
inline constexpr std::uint32_t kEventsPerCodeAndSecond = 16;

class ShardStats {
 public:
  explicit ShardStats(ShardBlock& block) : block_{&block} {}
  ShardStats(const ShardStats&) = delete;  // a copy would be a second writer
  ShardStats& operator=(const ShardStats&) = delete;

  void add(CounterId id, std::uint64_t amount = 1) { store(id, load(id) + amount); }
  /// Gauges only.
  void sub(CounterId id, std::uint64_t amount = 1) {
    const std::uint64_t before = load(id);
    ensure(amount <= before, "a gauge is never taken below zero");
    store(id, before - amount);
  }
  void set(CounterId id, std::uint64_t value) { store(id, value); }
  /// Peaks: keeps the greater one.
  void raise(CounterId id, std::uint64_t value) {
    if (value > load(id)) store(id, value);
  }
  [[nodiscard]] std::uint64_t get(CounterId id) const { return load(id); }

  /// A time difference below zero (clocks of different readings) counts as zero.
  void record(LatencyId id, nanoseconds value, std::uint64_t count = 1) {
    const auto ns = value.count();
    block_->latencies[std::to_underlying(id)].record(ns > 0 ? static_cast<std::uint64_t>(ns) : 0, count);
  }

  /// Notes something that happened in the flight recorder. `a` and `b` mean what the code's row says; `text` (what,
  /// where, whose) is cut at 79 bytes.
  void event(EventCode code, Now now, std::uint64_t a = 0, std::uint64_t b = 0, std::string_view text = {});

  /// Publishes the six numbers together: a reader sees those of one instant. The rows of the same names follow.
  void publish_ledger(const Ledger& ledger) {
    block_->ledger.write(ledger);
    set(CounterId::ledger_offered, ledger.offered);
    set(CounterId::ledger_sent, ledger.sent);
    set(CounterId::ledger_conflated, ledger.conflated);
    set(CounterId::ledger_dropped, ledger.dropped);
    set(CounterId::ledger_abandoned, ledger.abandoned);
    set(CounterId::ledger_queued, ledger.queued);
  }
  void publish_channels(const rcs_channel_table& table) { block_->channels.write(table); }
  void publish_connections(const rcs_connection_table& table) { block_->connections.write(table); }

  [[nodiscard]] const ShardBlock& block() const { return *block_; }

 private:
  struct EventWindow {
    Instant began{};
    std::uint64_t last = 0;  // number of the code's last recorded event
    std::uint32_t recorded = 0;
  };

  [[nodiscard]] std::uint64_t load(CounterId id) const {
    return block_->counters[std::to_underlying(id)].load(std::memory_order_relaxed);
  }
  void store(CounterId id, std::uint64_t value) {
    block_->counters[std::to_underlying(id)].store(value, std::memory_order_relaxed);
  }

  ShardBlock* block_;
  std::array<EventWindow, kEventCodes> windows_{};
};

}  // namespace ringcast
