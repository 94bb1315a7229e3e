// engine/node/node_watch.hpp: once a second, looks at the node as a whole and publishes how it is: memory and health.
//
// Owner    node.  Thread  the control thread's; it reads what shards publish and asks them nothing.
// Memory   the last values, to tell what is new.
// Failure  /proc that cannot be read gives an RSS of zero.
// Not here the bounds and the verdict (engine/stats/health_record.hpp), doing something about pressure.
#pragma once

#include <cstdint>
#include <vector>

#include "alloc/memory/budget.hpp"
#include "engine/bridge/bridge.hpp"
#include "engine/limits.hpp"
#include "engine/shard/shard_control.hpp"
#include "engine/stats/health_record.hpp"
#include "engine/stats/memory_record.hpp"
#include "engine/stats/shard_stats.hpp"
#include "engine/stats/stats_segment.hpp"

namespace ringcast {

inline constexpr seconds kWatchInterval{1};

/// 70%, 85% and 95% of the budget (design.md, "Memory"). Leaving a level takes 5 points less than entering it.
[[nodiscard]] PressureLevel pressure_of(double share, PressureLevel before);

struct WatchSetup {
  const CoreOptions& options;
  StatsSegment& segment;
  ShardStats& own_stats;
  const ShardControl* controls = nullptr;
  std::vector<const ShardBlock*> blocks;
  std::vector<const Budget*> budgets;
  Bridge* bridge = nullptr;  // where there is an offline store
};

class NodeWatch {
 public:
  explicit NodeWatch(WatchSetup setup) : setup_{std::move(setup)}, health_{setup_.segment.node_block().health} {}

  /// Looks if kWatchInterval has passed since the last look.
  void look(Now now, bool stopping);

 private:
  struct Totals {
    std::uint64_t accept_errors = 0;
    std::uint64_t receive_buffers_exhausted = 0;
    std::uint64_t slow_disconnects = 0;
    std::uint64_t connections = 0;
    bool ledger_closed = true;
  };
  [[nodiscard]] Totals add_up() const;
  void look_at_memory(Now now);
  void look_at_health(Now now, bool stopping);
  void look_at_store(HealthInputs& inputs);

  WatchSetup setup_;
  MemoryRecord memory_;
  HealthRecord health_;
  PressureLevel pressure_ = PressureLevel::normal;
  double memory_share_ = 0;
  Totals before_;
  Instant looked_at_{};
};

}  // namespace ringcast
