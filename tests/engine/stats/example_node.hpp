// tests/engine/stats/example_node.hpp: a node that wrote its statistics, without being one: for the tests of reports.
#pragma once

#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "alloc/base/ensure.hpp"
#include "engine/stats/health_record.hpp"
#include "engine/stats/memory_record.hpp"
#include "engine/stats/shard_stats.hpp"
#include "engine/stats/stats_segment.hpp"

namespace ringcast {

inline Now example_now() {
  return {Instant{std::chrono::steady_clock::now().time_since_epoch()},
          WallTime{std::chrono::system_clock::now().time_since_epoch()}};
}

/// Two shards, a health check, memory, tables and events. The segment lies in /dev/shm under a name of this process.
class ExampleNode {
 public:
  explicit ExampleNode(const std::string& suffix)
      : name_{"test-" + std::to_string(::getpid()) + "-" + suffix}, segment_{create(name_)} {
    for (std::uint32_t s = 0; s < 2; ++s) shards_.push_back(std::make_unique<ShardStats>(segment_.shard_block(s)));
    health_ = std::make_unique<HealthRecord>(segment_.node_block().health);
    segment_.set_run_state(RCS_RUN_RUNNING);
    write_shards();
    write_node(HealthState::healthy, {});
  }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] StatsSegment& segment() { return segment_; }
  [[nodiscard]] ShardStats& shard(std::size_t index) { return *shards_[index]; }
  void check(HealthState state, std::vector<std::string> reasons) {
    health_->add_check({state, std::move(reasons)}, example_now());
  }

 private:
  static StatsSegment create(const std::string& name) {
    auto segment = StatsSegment::create(name, "ringcast/9.9", 2, example_now());
    ensure(segment.has_value(), "the example's segment can be created");
    return std::move(*segment);
  }
  void write_shards() {
    const Now now = example_now();
    for (std::uint64_t s = 0; s < 2; ++s) {
      ShardStats& stats = *shards_[s];
      stats.add(CounterId::connections_accepted, 10 + s);
      stats.add(CounterId::connections_open, 4);
      stats.raise(CounterId::connections_peak, 7 + s);
      stats.add(CounterId::closed_4008, 2);
      stats.add(CounterId::messages_received, 100);
      stats.add(CounterId::messages_published, 90);
      stats.add(CounterId::messages_duplicate, 3);
      stats.add(CounterId::conflations, 5);
      stats.add(CounterId::slow_disconnects, 2);
      stats.add(CounterId::bytes_sent, 1'000'000);
      stats.raise(CounterId::last_activity, static_cast<std::uint64_t>(now.wall.time_since_epoch().count()));
      stats.publish_ledger(
          {.offered = 1'000, .sent = 900, .conflated = 40, .dropped = 10, .abandoned = 20, .queued = 30});
      for (int i = 1; i <= 100; ++i) stats.record(LatencyId::receive_to_send, microseconds{i});
    }
    auto channels = std::make_unique<rcs_channel_table>();
    channels->count = 1;
    channels->rows[0].messages_per_second = 50;
    channels->rows[0].epoch = 0x5f3c9a1e07d2b846;
    copy_text(channels->rows[0].channel, "eth\x1b[2J\"usdt");
    shards_[0]->publish_channels(*channels);
    channels->rows[0].messages_per_second = 70;
    copy_text(channels->rows[0].channel, "btcusdt@trade");
    shards_[1]->publish_channels(*channels);
    auto connections = std::make_unique<rcs_connection_table>();
    connections->count = 1;
    connections->rows[0].lag_messages = 99;
    copy_text(connections->rows[0].peer, "[::1]:40000");
    copy_text(connections->rows[0].dialect, "native");
    shards_[1]->publish_connections(*connections);
    shards_[0]->event(EventCode::slow_disconnected, now, 4'097, 5, "10.0.0.9:1 \x1b]0;evil\x07 \xff");
  }
  void write_node(HealthState state, std::vector<std::string> reasons) {
    check(state, std::move(reasons));
    MemoryRecord memory;
    Budget budget;
    budget.charge(Purpose::history, 2'048);
    const Budget* budgets[] = {&budget};
    segment_.node_block().memory.write(
        memory.sample(budgets, 1U << 20, PressureLevel::normal, {.rss_bytes = 50U << 20}, example_now()));
    rcs_findings findings{};
    findings.count = 1;
    copy_text(findings.rows[0].key, "kernel");
    copy_text(findings.rows[0].value, "6.1.0");
    segment_.node_block().findings.write(findings);
  }

  std::string name_;
  StatsSegment segment_;
  std::vector<std::unique_ptr<ShardStats>> shards_;
  std::unique_ptr<HealthRecord> health_;
};

}  // namespace ringcast
