// engine/config/schema.hpp: the table of configuration keys: one row a key, and nothing about keys anywhere else.
//
// The file, the environment, the flags, `config print`, the reference page and all checks loop over these rows. A row's
// default is whatever the option struct starts with, so it is written once. Only what a reload does with a key stands
// elsewhere, beside those who do it (reload.cpp).
//
// Thread   any (constants).  Memory  none.
// Not here how a value is read (assign.hpp), what two keys say together (contradictions.hpp).
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "alloc/base/time.hpp"
#include "engine/config/node_options.hpp"

namespace ringcast {

/// A value that is one word of a list; the words are the enumerators, in order.
template <class Target>
struct ChoiceField {
  std::span<const std::string_view> words;
  std::size_t (*get)(const Target&);
  void (*set)(Target&, std::size_t);
};

/// Where a value lands. Its C++ type says how it is written, together with Measure for plain numbers.
template <class Target>
using Field = std::variant<bool& (*)(Target&), std::uint32_t& (*)(Target&), std::uint64_t& (*)(Target&),
                           milliseconds& (*)(Target&), microseconds& (*)(Target&), std::string& (*)(Target&),
                           std::vector<std::string>& (*)(Target&), std::vector<std::uint32_t>& (*)(Target&),
                           std::vector<ListenAddress>& (*)(Target&), std::vector<IpRange>& (*)(Target&),
                           std::optional<ListenAddress>& (*)(Target&),
                           ChoiceField<Target>>;

/// What the number of a row counts; bytes are written as sizes.
enum class Measure : std::uint8_t { none, count, bytes, time };

/// Both ends included; in counts, bytes or nanoseconds.
struct Range {
  std::uint64_t least = 0;
  std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
};

template <class Target>
struct KeyRow {
  std::string_view key;  // as in the file: "limits.connections"
  Field<Target> field;
  Measure measure = Measure::none;
  Range range;
  std::string_view description;      // one line, for --help and the reference page
  std::string_view flag_alias = {};  // a second flag, without its dashes
};

/// A variable under a name that existing deployments set: a second name of a key, over the file and below the key's own
/// variable. Empty means not set, as it does there.
struct OtherVariableRow {
  enum class Of : std::uint8_t { node, namespaces };     // namespaces: the default of every rule
  enum class Unit : std::uint8_t { as_written, in_ms };  // how its number is to be read
  std::string_view name;
  std::string_view key;  // may be one of the later keys
  Of of = Of::node;
  Unit unit = Unit::as_written;
};

/// A key that users may expect, of a feature that this version lacks: setting it is an error, so that nobody believes
/// to have what they have not.
struct LaterRow {
  std::string_view key;
  std::string_view accepted;  // the one value that says what this version does anyway, as TOML; empty: none
  std::string_view description;
};

[[nodiscard]] std::span<const KeyRow<NodeOptions>> node_keys();
[[nodiscard]] std::span<const KeyRow<NamespaceRule>> namespace_keys();  // keys within a [[namespace]] table
[[nodiscard]] std::span<const LaterRow> later_node_keys();
[[nodiscard]] std::span<const LaterRow> later_namespace_keys();
/// A variable that bears on another one stands before it.
[[nodiscard]] std::span<const OtherVariableRow> other_variables();

/// The rules behind the user's: exchange streams by what their messages mean, then `>` for everything else.
[[nodiscard]] std::vector<NamespaceRule> shipped_namespaces();
/// Gives a shipped rule room for one largest message, and not more than it needs.
void fit_shipped(NamespaceRule& rule, std::uint64_t message_bytes);

/// limits.connections: --limits-connections, without the dashes in front.
[[nodiscard]] std::string flag_name(std::string_view key);
/// limits.connections: RINGCAST_LIMITS_CONNECTIONS.
[[nodiscard]] std::string environment_name(std::string_view key);

}  // namespace ringcast
