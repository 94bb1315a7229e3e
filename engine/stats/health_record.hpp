// engine/stats/health_record.hpp: the state of health that the node publishes, and the simple checks behind it.
//
// Owner    the node, by value.  Thread  the node's own.  Memory  18 KiB.  Failure  none.
// Not here measuring (node), acting on pressure (engine/pressure), alerts and circuit breakers (engine/health).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "alloc/base/time.hpp"
#include "alloc/queue/seqlock.hpp"
#include "alloc/segment/ringcast_stats.h"

namespace ringcast {

enum class HealthState : std::uint8_t { healthy, degraded, unhealthy, critical };
static_assert(static_cast<unsigned>(HealthState::critical) == RCS_CRITICAL);

/// What a check looks at. Shares are of 1; `shard_silent` is how long the most silent shard has not finished a turn
/// although it had something to do.
struct HealthInputs {
  double memory_share = 0;
  double connection_share = 0;
  nanoseconds shard_silent{0};
  std::uint64_t accept_errors = 0;           // since the last check, as all that follow
  std::uint64_t receive_buffers_exhausted = 0;
  std::uint64_t slow_disconnects = 0;
  std::uint64_t connections = 0;             // open now; what the slow ones are a share of
  bool ledger_closed = true;
  bool stopping = false;
  HealthState store = HealthState::healthy;  // of the offline store, and why
  std::string store_sentence{};
};

struct HealthVerdict {
  HealthState state = HealthState::healthy;
  std::vector<std::string> reasons;          // worst first; none when healthy
};

/// The bounds of each check; memory's are those of [memory] in the configuration.
struct HealthBounds {
  double memory_degraded = 0.70;             // design.md, "Memory": 70%, 85%, 95% of the budget
  double memory_unhealthy = 0.85;
  double memory_critical = 0.95;
  double connections_degraded = 0.90;        // a tenth is left: time to act before anybody is refused
  double connections_unhealthy = 1.0;
  nanoseconds silent_degraded = milliseconds{250};  // a turn is bounded by its batches: some milliseconds
  nanoseconds silent_unhealthy = seconds{1};
  nanoseconds silent_critical = seconds{5};  // RCS_STALLED_AFTER_NS
  double slow_share_degraded = 0.05;         // one reader in twenty closed as slow between two checks
};

[[nodiscard]] HealthVerdict judge_health(const HealthInputs& inputs, const HealthBounds& bounds = {});

class HealthRecord {
 public:
  explicit HealthRecord(Seqlock<rcs_health>& published) : published_{&published} {}

  /// Adds one check to the history and publishes all. Returns whether the state is another than before.
  bool add_check(const HealthVerdict& verdict, Now now);
  [[nodiscard]] HealthState state() const { return static_cast<HealthState>(record_.state); }

 private:
  Seqlock<rcs_health>* published_;
  rcs_health record_{};
};

}  // namespace ringcast
