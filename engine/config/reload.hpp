// engine/config/reload.hpp: what a configuration that was loaded again changes on a node that runs, and what it cannot.
//
// Thread   any; the control thread.  Memory  the values returned.
// Failure  every problem that was found, and nothing to apply: a reload is taken as a whole or not at all.
// Not here loading (load.hpp), giving it to the shards (node/reloader.hpp).
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/result.hpp"
#include "engine/config/load.hpp"

namespace ringcast {

/// When the changed value of a key takes effect.
enum class Effect : std::uint8_t {
  restart,  // with the next start of the node: until then the value stays that it started with
  live,     // with the reload
  anew,     // with the reload, for connections or channels that begin after it
};
[[nodiscard]] Effect effect_of_node_key(std::string_view key);
[[nodiscard]] Effect effect_of_namespace_key(std::string_view key);
/// "restart", "live", "new".
[[nodiscard]] std::string_view word_of(Effect effect);

/// What was laid out when the node started: a reload may raise these limits so far.
struct ReloadBounds {
  std::uint64_t connections = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t message_bytes = std::numeric_limits<std::uint64_t>::max();
  bool counts_addresses = true;  // there is a board for connections by address
  bool counts_rates = true;      // and one for what users and addresses send
};

struct ReloadChange {
  std::string key;     // "limits.connections", "namespace *@trade lag.time"
  std::string before;  // as TOML; empty: the rule is new
  std::string after;   // empty: the rule is gone
  Effect effect = Effect::live;
  std::string note;  // why not now, where the key alone does not say it
  bool operator==(const ReloadChange&) const = default;
};

struct ReloadPlan {
  Configuration configuration;  // what is to be in force: the fresh one, with the running values where it must be
  std::vector<ReloadChange> changes;
};

[[nodiscard]] Result<ReloadPlan, std::vector<ConfigProblem>> plan_reload(const Configuration& running,
                                                                         const Configuration& fresh,
                                                                         const ReloadBounds& bounds);

}  // namespace ringcast
