#include "engine/config/reload.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <utility>

#include "engine/config/assign.hpp"
#include "engine/config/contradictions.hpp"
#include "engine/config/schema.hpp"
#include "engine/config/value_text.hpp"

namespace ringcast {
namespace {

struct EffectRow {
  std::string_view key;
  Effect effect;
};

// A key that is not here needs a restart: whoever adds one has to find out what holds its value.
constexpr std::array kNodeEffects{
    EffectRow{"echo", Effect::live},
    EffectRow{"limits.connections", Effect::live},
    EffectRow{"limits.connections_per_address", Effect::anew},  // who is there may stay
    EffectRow{"limits.subscriptions", Effect::live},
    EffectRow{"limits.patterns", Effect::live},
    EffectRow{"limits.channels", Effect::live},
    EffectRow{"limits.message_bytes", Effect::live},
    EffectRow{"limits.header_bytes", Effect::live},
    EffectRow{"limits.header_fields", Effect::live},
    EffectRow{"limits.handshake_time", Effect::anew},  // of those under way the timer runs
    EffectRow{"limits.idle_time", Effect::live},
    EffectRow{"limits.lifetime", Effect::anew},
    EffectRow{"limits.channel_idle_time", Effect::live},
    EffectRow{"heartbeat.interval", Effect::live},
    EffectRow{"heartbeat.interval_exchange", Effect::live},
    EffectRow{"heartbeat.missed_max", Effect::live},
    EffectRow{"memory.budget", Effect::live},
    EffectRow{"access.origins", Effect::anew},
    EffectRow{"access.hosts", Effect::anew},
    EffectRow{"access.insecure", Effect::anew},
    EffectRow{"access.trusted_proxies", Effect::anew},
    EffectRow{"tls.certificate", Effect::anew},  // who is connected keeps what the handshake agreed on
    EffectRow{"tls.key", Effect::anew},
    EffectRow{"tls.client_ca", Effect::anew},
    EffectRow{"auth.expiry_notice", Effect::live},
    EffectRow{"auth.verifications_per_second", Effect::live},
    EffectRow{"rate.messages_per_second", Effect::live},
    EffectRow{"rate.burst", Effect::live},
    EffectRow{"rate.publish_per_second", Effect::live},
    EffectRow{"rate.publish_burst", Effect::live},
    EffectRow{"rate.user_messages_per_second", Effect::live},
    EffectRow{"rate.address_messages_per_second", Effect::live},
    EffectRow{"compression.enabled", Effect::anew},  // who has agreed on it keeps it
    EffectRow{"compression.threshold", Effect::live},
    EffectRow{"rate.errors_max", Effect::live},
    EffectRow{"rate.errors_window", Effect::live},
    EffectRow{"log.level", Effect::live},
    EffectRow{"log.format", Effect::live},
    EffectRow{"shutdown.deadline", Effect::live},
};

// What channels that exist take over: take_what_may_change() (channel/namespace_rules.hpp); a test compares the two.
constexpr std::array kNamespaceEffects{
    EffectRow{"match", Effect::live},          EffectRow{"history.messages", Effect::live},
    EffectRow{"history.bytes", Effect::live},  EffectRow{"history.age", Effect::live},
    EffectRow{"lag.messages", Effect::live},   EffectRow{"lag.bytes", Effect::live},
    EffectRow{"lag.time", Effect::live},       EffectRow{"slow", Effect::live},
    EffectRow{"max_rate", Effect::live},       EffectRow{"state", Effect::live},
    EffectRow{"priority", Effect::live},       EffectRow{"batch_delay", Effect::live},
    EffectRow{"batch_max", Effect::live},      EffectRow{"dedupe.by", Effect::live},
    EffectRow{"dedupe.entries", Effect::live}, EffectRow{"dedupe.window", Effect::live},
    EffectRow{"dedupe.scope", Effect::live},   EffectRow{"resume", Effect::live},
};

template <std::size_t Rows>
Effect effect_in(const std::array<EffectRow, Rows>& rows, std::string_view key, Effect otherwise) {
  const auto row = std::ranges::find(rows, key, &EffectRow::key);
  return row == rows.end() ? otherwise : row->effect;
}

class Planner {
 public:
  Planner(const Configuration& running, const Configuration& fresh, const ReloadBounds& bounds)
      : running_{running},
        bounds_{bounds},
        tls_switched_{running.options.tls.enabled() != fresh.options.tls.enabled()},
        plan_{.configuration = fresh, .changes = {}} {}

  Result<ReloadPlan, std::vector<ConfigProblem>> run() {
    const auto rows = node_keys();
    for (std::size_t i = 0; i < rows.size(); ++i) keep_what_needs_a_restart(rows[i], i);
    settle_exposure(plan_.configuration);  // it follows from values that may have stayed
    for (std::size_t i = 0; i < rows.size(); ++i) note_node_key(rows[i]);
    for (std::size_t i = 0; i < plan_.configuration.namespaces.size(); ++i) {
      CoreOptions& core = plan_.configuration.options.core;
      if (plan_.configuration.namespaces[i].table == kOriginShipped) {
        fit_shipped(core.namespaces[i], core.limits.message_bytes);  // which may have stayed as it was
      }
    }
    compare_namespaces();
    if (auto problems = find_contradictions(plan_.configuration); !problems.empty()) {
      explain(problems);
      return unexpected(std::move(problems));
    }
    return std::move(plan_);
  }

 private:
  /// It stays what it is, and is listed.
  void keep_what_needs_a_restart(const KeyRow<NodeOptions>& row, std::size_t index) {
    NodeOptions& options = plan_.configuration.options;
    ReloadChange change{.key = std::string{row.key},
                        .before = toml_value(row, running_.options),
                        .after = toml_value(row, options),
                        .effect = Effect::restart,
                        .note = room_for(row.key).value_or("")};
    if (change.before == change.after) return;
    if (effect_of_node_key(row.key) != Effect::restart && change.note.empty()) return;
    copy_value(row, options, running_.options);
    plan_.configuration.origins[index] = running_.origins[index];
    plan_.changes.push_back(std::move(change));
  }
  void note_node_key(const KeyRow<NodeOptions>& row) {
    std::string before = toml_value(row, running_.options);
    std::string after = toml_value(row, plan_.configuration.options);
    if (before == after) return;
    plan_.changes.push_back({.key = std::string{row.key},
                             .before = std::move(before),
                             .after = std::move(after),
                             .effect = effect_of_node_key(row.key),
                             .note = {}});
  }

  /// Why a limit cannot be raised so far while the node runs.
  std::optional<std::string> room_for(std::string_view key) const {
    const LimitOptions& limits = plan_.configuration.options.core.limits;
    if (key == "limits.connections" && limits.connections > bounds_.connections) {
      return fmt::format("the rings of this node have room for {}", bounds_.connections);
    }
    if (key == "limits.message_bytes" && limits.message_bytes > bounds_.message_bytes) {
      return fmt::format("the lanes of this node have room for {}", size_text(bounds_.message_bytes));
    }
    if (tls_switched_ && key.starts_with("tls.")) return "whether a node speaks TLS is settled when it starts";
    const bool by_address = key == "limits.connections_per_address" && limits.connections_per_address != 0;
    if (by_address && !bounds_.counts_addresses) return "this node was started without counting addresses";
    const RateOptions& rate = plan_.configuration.options.core.rate;
    const bool by_rate = (key == "rate.user_messages_per_second" && rate.user_messages_per_second != 0) ||
                         (key == "rate.address_messages_per_second" && rate.address_messages_per_second != 0);
    if (by_rate && !bounds_.counts_rates) return "this node was started without counting what users and addresses send";
    return std::nullopt;
  }

  void compare_namespaces() {
    const std::vector<NamespaceRule>& before = running_.options.core.namespaces;
    const std::vector<NamespaceRule>& after = plan_.configuration.options.core.namespaces;
    std::vector<std::string_view> order_before, order_after;
    for (const NamespaceRule& rule : before) {
      if (std::ranges::find(after, rule.match, &NamespaceRule::match) != after.end()) {
        order_before.push_back(rule.match);
      } else {
        add_namespace(rule, "", "in force", "");
      }
    }
    for (const NamespaceRule& rule : after) {
      const auto known = std::ranges::find(before, rule.match, &NamespaceRule::match);
      if (known == before.end()) {
        add_namespace(rule, "", "", "in force");
        continue;
      }
      order_after.push_back(rule.match);
      for (const auto& row : namespace_keys()) {
        add_namespace(rule, row.key, toml_value(row, *known), toml_value(row, rule));
      }
    }
    if (order_before != order_after) {
      plan_.changes.push_back({.key = "namespace order",
                               .before = fmt::format("{}", fmt::join(order_before, ", ")),
                               .after = fmt::format("{}", fmt::join(order_after, ", ")),
                               .effect = Effect::live,
                               .note = {}});
    }
  }
  void add_namespace(const NamespaceRule& rule, std::string_view key, std::string before, std::string after) {
    if (before == after) return;
    const Effect effect = key.empty() ? Effect::live : effect_of_namespace_key(key);
    plan_.changes.push_back({.key = fmt::format("namespace {}{}{}", rule.match, key.empty() ? "" : " ", key),
                             .before = std::move(before),
                             .after = std::move(after),
                             .effect = effect,
                             .note = effect == Effect::anew ? "channels that exist keep what they began with" : ""});
  }

  /// What was loaded is sound by itself. Only with the values that have to stay it is not.
  void explain(std::vector<ConfigProblem>& problems) const {
    std::string kept;
    for (const ReloadChange& change : plan_.changes) {
      if (change.effect == Effect::restart) kept += (kept.empty() ? "" : ", ") + change.key;
    }
    for (ConfigProblem& problem : problems) problem.sentence += fmt::format("; it needs a restart ({})", kept);
  }

  const Configuration& running_;
  const ReloadBounds& bounds_;
  bool tls_switched_;
  ReloadPlan plan_;
};

}  // namespace

Effect effect_of_node_key(std::string_view key) { return effect_in(kNodeEffects, key, Effect::restart); }
Effect effect_of_namespace_key(std::string_view key) { return effect_in(kNamespaceEffects, key, Effect::anew); }

std::string_view word_of(Effect effect) {
  switch (effect) {
    case Effect::restart: return "restart";
    case Effect::live: return "live";
    case Effect::anew: return "new";
  }
  return "";
}

Result<ReloadPlan, std::vector<ConfigProblem>> plan_reload(const Configuration& running, const Configuration& fresh,
                                                           const ReloadBounds& bounds) {
  return Planner{running, fresh, bounds}.run();
}

}  // namespace ringcast
