// engine/config/load.hpp: from a file, the environment and flags to checked options, each with the place it came from.
//
// Owner    the caller owns what is returned.  Thread  any; once at start-up, later the control thread.
// Memory   the options and their origins; a file of at most kConfigBytesMax is read whole.
// Failure  every problem that was found, not only the first. Nothing is half applied: there are options or problems.
// Not here which keys there are (schema.hpp), how a command line is parsed (tools/config).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/result.hpp"
#include "alloc/base/units.hpp"
#include "engine/config/node_options.hpp"

namespace ringcast {

inline constexpr std::size_t kConfigBytesMax = 1_MiB;  // some 10,000 namespaces; more is not a configuration file
inline constexpr std::string_view kOriginDefault = "default";
inline constexpr std::string_view kOriginShipped = "shipped";

/// A value as the environment or a flag gives it. `name` is the whole name: RINGCAST_ECHO, or echo for --echo.
struct Setting {
  std::string name;
  std::string text;
};

/// A flag that stands for a key, for whoever parses command lines.
struct FlagRow {
  std::string name;  // "limits-connections", without dashes; "shards-count,shards" has two
  std::string form;  // "size"
  std::string description;
  bool is_switch = false;  // may stand without a value, and is true then
  bool is_list = false;    // may be repeated, or its elements separated by commas
  bool is_hidden = false;  // of a feature that this version lacks: known, and refused with a reason
};
[[nodiscard]] std::vector<FlagRow> configuration_flags();

/// The variables that configure a node: those whose name starts with RINGCAST_, other_variables() of the schema, and
/// JWT_SECRET, which existing systems set. `environment` is a null-terminated list of name=value.
[[nodiscard]] std::vector<Setting> environment_settings(const char* const* environment);

/// The later overrides the earlier: defaults, file, environment (other_variables() first), flags.
struct ConfigSources {
  std::optional<std::string> file;
  std::vector<Setting> environment;
  std::vector<Setting> flags;
};

struct ConfigProblem {
  enum class Source : std::uint8_t { file, environment, flag };
  Source source = Source::file;
  std::string where;     // "ringcast.toml:12", "environment RINGCAST_ECHO", "flag --echo"
  std::string key;       // "limits.connections"; empty if the problem is not one key's
  std::string sentence;  // "0 is out of range: 1 to 10000000"
};
/// "ringcast.toml:12: limits.connections: 0 is out of range: 1 to 10000000"
[[nodiscard]] std::string text_of(const ConfigProblem& problem);

/// Where the values of one namespace rule were written.
struct NamespaceOrigin {
  std::string table;              // "ringcast.toml:20", or kOriginShipped
  std::vector<std::string> keys;  // one a row of namespace_keys()
};
struct Configuration {
  NodeOptions options;
  std::vector<std::string> origins;         // one a row of node_keys(): kOriginDefault, or as ConfigProblem::where
  std::vector<NamespaceOrigin> namespaces;  // one a rule of options.core.namespaces
  std::string secret_origin;                // the variable that auth.secret came in; empty: there is none
};

/// Sets what follows from other values, where nobody has set it: limits of strangers are off where there are none.
void settle_exposure(Configuration& configuration);

[[nodiscard]] Result<Configuration, std::vector<ConfigProblem>> load_configuration(const ConfigSources& sources);

}  // namespace ringcast
