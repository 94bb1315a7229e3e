#include "engine/stats/health_record.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "alloc/segment/event_ring.hpp"

namespace ringcast {
namespace {

struct Finding {
  HealthState state = HealthState::healthy;
  std::string sentence;
};

std::string percent(double share) { return std::to_string(static_cast<std::uint64_t>(share * 100 + 0.5)) + "%"; }

HealthState graded(double value, double degraded, double unhealthy, double critical) {
  if (value >= critical) return HealthState::critical;
  if (value >= unhealthy) return HealthState::unhealthy;
  return value >= degraded ? HealthState::degraded : HealthState::healthy;
}

constexpr double kNever = 1e300;  // for a check that has no such grade

}  // namespace

HealthVerdict judge_health(const HealthInputs& inputs, const HealthBounds& bounds) {
  const double silent = static_cast<double>(inputs.shard_silent.count());
  const double slow_share = inputs.connections == 0 ? 0
                                                    : static_cast<double>(inputs.slow_disconnects) /
                                                          static_cast<double>(inputs.connections);
  std::array findings{
      Finding{inputs.ledger_closed ? HealthState::healthy : HealthState::critical, "the ledger does not close"},
      Finding{graded(silent, static_cast<double>(bounds.silent_degraded.count()),
                     static_cast<double>(bounds.silent_unhealthy.count()),
                     static_cast<double>(bounds.silent_critical.count())),
              "a shard has not turned for " + std::to_string(inputs.shard_silent / milliseconds{1}) + " ms"},
      Finding{graded(inputs.memory_share, bounds.memory_degraded, bounds.memory_unhealthy, bounds.memory_critical),
              "memory at " + percent(inputs.memory_share) + " of the budget"},
      Finding{graded(inputs.connection_share, bounds.connections_degraded, bounds.connections_unhealthy, kNever),
              "connections at " + percent(inputs.connection_share) + " of the limit"},
      Finding{graded(static_cast<double>(inputs.accept_errors), 1, kNever, kNever),
              std::to_string(inputs.accept_errors) + " accepts failed"},
      Finding{graded(static_cast<double>(inputs.receive_buffers_exhausted), 1, kNever, kNever),
              "receive buffers ran out " + std::to_string(inputs.receive_buffers_exhausted) + " times"},
      Finding{graded(slow_share, bounds.slow_share_degraded, kNever, kNever),
              std::to_string(inputs.slow_disconnects) + " slow readers were disconnected"},
      Finding{inputs.store, inputs.store_sentence},
      Finding{inputs.stopping ? HealthState::degraded : HealthState::healthy, "the node is stopping"},
  };
  std::ranges::stable_sort(findings, [](const Finding& a, const Finding& b) { return a.state > b.state; });
  HealthVerdict verdict;
  verdict.state = findings.front().state;
  for (Finding& finding : findings) {
    if (finding.state == HealthState::healthy) break;
    verdict.reasons.push_back(std::move(finding.sentence));
  }
  return verdict;
}

bool HealthRecord::add_check(const HealthVerdict& verdict, Now now) {
  const auto wall = static_cast<std::uint64_t>(now.wall.time_since_epoch().count());
  const auto state = static_cast<std::uint32_t>(verdict.state);
  const bool changed = record_.checks == 0 || record_.state != state;
  if (changed) record_.since_wall = wall;
  record_.state = state;
  record_.checked_wall = wall;
  record_.reason_count = static_cast<std::uint32_t>(std::min<std::size_t>(verdict.reasons.size(), RCS_HEALTH_REASONS));
  for (std::uint32_t i = 0; i < RCS_HEALTH_REASONS; ++i) {
    copy_text(record_.reasons[i], i < record_.reason_count ? std::string_view{verdict.reasons[i]} : std::string_view{});
  }
  rcs_health_check& check = record_.history[record_.checks % RCS_HEALTH_CHECKS];
  check = {};
  check.wall = wall;
  check.state = state;
  check.reason_count = record_.reason_count;
  copy_text(check.reason, verdict.reasons.empty() ? std::string_view{} : std::string_view{verdict.reasons.front()});
  ++record_.checks;
  published_->write(record_);
  return changed;
}

}  // namespace ringcast
