#include "engine/config/print.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "engine/config/assign.hpp"
#include "engine/config/reload.hpp"
#include "engine/config/schema.hpp"

namespace ringcast {
namespace {

constexpr std::size_t kCommentColumn = 44;

std::string line(std::string_view key, std::string_view value, std::string_view origin, Effect effect) {
  const std::string assignment = fmt::format("{} = {}", key, value);
  return fmt::format("{:<{}}  # {}; {}\n", assignment, kCommentColumn, origin, word_of(effect));
}

struct Split {
  std::string_view section;
  std::string_view name;
};
/// "limits.connections" is in section limits; "echo" is in none.
Split split(std::string_view key) {
  const std::size_t dot = key.find('.');
  if (dot == std::string_view::npos) return {"", key};
  return {key.substr(0, dot), key.substr(dot + 1)};
}

template <class Target>
void write_rows(std::string& page, std::span<const KeyRow<Target>> rows, const Target& initial, bool has_flags) {
  page += has_flags ? "| key | written as | default | range | what it does | reload | flag and variable |\n"
                      "| --- | --- | --- | --- | --- | --- | --- |\n"
                    : "| key | written as | default | range | what it does | reload |\n"
                      "| --- | --- | --- | --- | --- | --- |\n";
  for (const auto& row : rows) {
    std::string form = form_of(row);
    for (std::size_t bar = form.find('|'); bar != std::string::npos; bar = form.find('|', bar + 2)) {
      form.replace(bar, 1, "\\|");
    }
    const Effect effect = has_flags ? effect_of_node_key(row.key) : effect_of_namespace_key(row.key);
    page += fmt::format("| `{}` | {} | `{}` | {} | {} | {} |", row.key, form, toml_value(row, initial),
                        range_text(row.measure, row.range), row.description, word_of(effect));
    if (has_flags) {
      const std::string alias = row.flag_alias.empty() ? std::string{} : fmt::format(", `--{}`", row.flag_alias);
      page += fmt::format(" `--{}`{}, `{}` |", flag_name(row.key), alias, environment_name(row.key));
    }
    page += '\n';
  }
}

void write_later(std::string& page, std::span<const LaterRow> rows) {
  page += "| key | what it belongs to | value that may be written |\n| --- | --- | --- |\n";
  for (const LaterRow& row : rows) {
    const std::string accepted = row.accepted.empty() ? std::string{"none"} : fmt::format("`{}`", row.accepted);
    page += fmt::format("| `{}` | {} | {} |\n", row.key, row.description, accepted);
  }
}

void write_other_variables(std::string& page) {
  page += "| variable | key | its number is |\n| --- | --- | --- |\n";
  for (const OtherVariableRow& row : other_variables()) {
    const bool later = std::ranges::find(later_node_keys(), row.key, &LaterRow::key) != later_node_keys().end();
    page += fmt::format("| `{}` | `{}`{} | {} |\n", row.name, row.key,
                        later                                        ? ", which is not in this version"
                        : row.of == OtherVariableRow::Of::namespaces ? " of every namespace that does not say it itself"
                                                                     : "",
                        row.unit == OtherVariableRow::Unit::in_ms ? "in milliseconds" : "as the key's");
  }
}

constexpr std::string_view kReferenceHead = R"(# Configuration

This page is made from the schema in `engine/config/schema.cpp`; a test compares the two. To renew it:
`UPDATE_DOCS=1 build/tests/engine/config/test_engine_config`.

A node takes its options from four places, the later winning over the earlier: what it ships with, the file that
`--config` (or `RINGCAST_CONFIG`) names, the environment, the command line. `ringcast config print FILE` shows the
effective configuration with the origin of each value, `ringcast config check FILE` only says what is wrong with it.

The file is TOML. Durations are written `30s`, `250ms`, `5m` or `1m30s`, with the units `ns us ms s m h d`. Sizes are
written `1500`, `64KiB`, `1MiB` or `2GiB`. A list may be written as a single text if it has one element; in a variable
or a flag its elements are separated by commas, and a flag may be repeated. A switch such as `--echo` needs no value.

An unknown key, a value of the wrong type or out of range, and values that contradict each other are errors at the
start: each is reported with file, line and key, all of them at once. That holds for variables too: one that begins with
`RINGCAST_` and stands for no key is an error.

A node that runs reads all of this again on SIGHUP ([operations.md](operations.md), "Reloading"). The column *reload*
says when a changed value takes effect: `live` with the reload; `new` with the reload, for connections or channels that
begin after it; `restart` with the next start. `config print` says the same behind each value.

## Keys of a node

)";

constexpr std::string_view kNamespaceHead = R"(
## Keys of a namespace

A `[[namespace]]` table gives its options to the channels whose name its `match` pattern covers. They are written in the
file only. The first match wins; behind the rules of the file stand those that are shipped with the program, which
differ from the defaults below in `match` and `slow`:

)";

constexpr std::string_view kNamespaceRest = R"(
A rule of the file with the same `match` takes the place of a shipped one. `history.bytes` and `lag.bytes` of the
shipped rules are never less than `limits.message_bytes`; a rule of the file that says less for `lag.bytes` is an error.

)";

constexpr std::string_view kOtherHead = R"(
## Variables under other names

Deployments of earlier systems set these. Each is a second name of a key: above the file, below the key's own variable.
An empty one is not set. `WEBSOCKET_CONNECTION_TIMEOUT` also sets `heartbeat.missed_max` to as many pings as fit into
the time, unless a variable or flag says that one.

)";

constexpr std::string_view kLaterHead = R"(
## Keys of features that are not in this version

They are known and refused, so that nobody believes to have what is not there. Where a value says what this version does
anyway, it may be written.

)";

}  // namespace

std::string print_configuration(const Configuration& configuration) {
  std::string text =
      "# The effective configuration of a node; behind each value, where it comes from, and when a change of it takes\n"
      "# effect: with a reload (live), with a reload but for what begins after it (new), or with a restart.\n\n";
  std::string_view section;
  const auto node_rows = node_keys();
  for (std::size_t i = 0; i < node_rows.size(); ++i) {
    const auto [row_section, name] = split(node_rows[i].key);
    if (row_section != section) {
      section = row_section;
      text += fmt::format("\n[{}]\n", section);
    }
    text += line(name, toml_value(node_rows[i], configuration.options), configuration.origins[i],
                 effect_of_node_key(node_rows[i].key));
  }
  if (!configuration.secret_origin.empty()) {
    text += fmt::format("\n# Tokens are checked with the secret in the environment variable {}, which is not shown.\n",
                        configuration.secret_origin);
  }
  const auto rule_rows = namespace_keys();
  for (std::size_t rule = 0; rule < configuration.namespaces.size(); ++rule) {
    const NamespaceOrigin& origin = configuration.namespaces[rule];
    text += fmt::format("\n[[namespace]]  # {}\n", origin.table);
    for (std::size_t i = 0; i < rule_rows.size(); ++i) {
      text += line(rule_rows[i].key, toml_value(rule_rows[i], configuration.options.core.namespaces[rule]),
                   origin.keys[i], effect_of_namespace_key(rule_rows[i].key));
    }
  }
  return text;
}

std::string configuration_reference() {
  std::string page{kReferenceHead};
  write_rows(page, node_keys(), NodeOptions{}, true);
  page += kNamespaceHead;
  page += "| match | slow |\n| --- | --- |\n";
  const auto rows = namespace_keys();
  const auto slow = std::ranges::find(rows, "slow", &KeyRow<NamespaceRule>::key);
  for (const NamespaceRule& rule : shipped_namespaces()) {
    page += fmt::format("| `{}` | `{}` |\n", rule.match, toml_value(*slow, rule));
  }
  page += kNamespaceRest;
  write_rows(page, rows, NamespaceRule{}, false);
  page += kOtherHead;
  write_other_variables(page);
  page += kLaterHead;
  write_later(page, later_node_keys());
  if (!later_namespace_keys().empty()) {
    page += "\nand in a namespace:\n\n";
    write_later(page, later_namespace_keys());
  }
  return page;
}

}  // namespace ringcast
