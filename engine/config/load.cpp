#include "engine/config/load.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "engine/config/assign.hpp"
#include "engine/config/contradictions.hpp"
#include "engine/config/schema.hpp"
#include "engine/config/suggest.hpp"
#include "engine/config/value_text.hpp"

namespace ringcast {
namespace {

// Variables that are not keys: they are read by tools.
constexpr std::string_view kVariablesOfTools[] = {"RINGCAST_CONFIG", "RINGCAST_TOKEN", "RINGCAST_URL"};
// The secret that tokens are signed with. It has no key and no flag: files are copied, command lines are seen by all.
constexpr std::string_view kSecretVariable = "RINGCAST_AUTH_SECRET";
constexpr std::string_view kSecretVariableElsewhere = "JWT_SECRET";  // what existing systems set; ours wins

// On a node that strangers can reach, unless somebody said otherwise.
constexpr std::uint32_t kConnectionsPerAddress = 10;
constexpr std::uint32_t kMessagesPerSecond = 10;
constexpr std::uint32_t kUserMessagesPerSecond = 50;      // five connections' worth
constexpr std::uint32_t kAddressMessagesPerSecond = 100;  // as many connections as an address has
constexpr std::string_view kConnectionTimeoutOrigin = "environment WEBSOCKET_CONNECTION_TIMEOUT";
constexpr std::int64_t kMissedMost = 1'000;  // the range of heartbeat.missed_max

RawValue raw_value(const toml::node& node) {
  if (const auto truth = node.value_exact<bool>()) return *truth;
  if (const auto number = node.value_exact<std::int64_t>()) return *number;
  if (const auto text = node.value_exact<std::string>()) return *text;
  if (const auto* array = node.as_array()) {
    std::vector<std::string> texts;
    for (const toml::node& element : *array) {
      const auto text = element.value_exact<std::string>();
      if (!text) return OtherType{"a list of other things than texts"};
      texts.push_back(*text);
    }
    return texts;
  }
  return OtherType{node.is_table()            ? "a table"
                   : node.is_floating_point() ? "a number with a fraction"
                                              : "a date or time"};
}

/// Does the value say what the row accepts, although the feature is not there?
bool is_accepted(const LaterRow& row, const RawValue& value) {
  if (row.accepted.empty()) return false;
  if (const auto* plain = std::get_if<PlainText>(&value)) {
    return plain->text == row.accepted || toml_string(plain->text) == row.accepted;
  }
  if (const auto* truth = std::get_if<bool>(&value)) return row.accepted == (*truth ? "true" : "false");
  if (const auto* number = std::get_if<std::int64_t>(&value)) return row.accepted == fmt::format("{}", *number);
  if (const auto* text = std::get_if<std::string>(&value)) return row.accepted == toml_string(*text);
  const auto* list = std::get_if<std::vector<std::string>>(&value);
  return list != nullptr && list->empty() && row.accepted == "[]";
}
std::string not_supported(const LaterRow& row) {
  return fmt::format("not supported in this version ({}){}", row.description,
                     row.accepted.empty() ? "" : fmt::format("; only {} may be written", row.accepted));
}

/// The rows of one kind of table and what their values go into.
template <class Target>
struct Scope {
  std::span<const KeyRow<Target>> rows;
  std::span<const LaterRow> later;
  Target& target;
  std::vector<std::string>& origins;
  std::string_view prefix;  // in front of a key when it is reported: "namespace."
};

/// What a variable says for every rule of a namespace.
struct NamespaceDefault {
  std::size_t row = 0;  // of namespace_keys()
  std::string text;
  std::string where;
};

class Loader {
 public:
  Result<Configuration, std::vector<ConfigProblem>> run(const ConfigSources& sources) {
    configuration_.origins.assign(node_keys().size(), std::string{kOriginDefault});
    if (sources.file) read_file(*sources.file);
    for (const OtherVariableRow& row : other_variables()) take_other_variable(row, sources.environment);
    for (const Setting& setting : sources.environment) take_variable(setting);
    for (const Setting& setting : sources.flags) take_flag(setting);
    add_shipped_namespaces();
    for (const NamespaceDefault& other : namespace_defaults_) apply(other);
    settle_connection_timeout();
    settle_resume();
    settle_exposure(configuration_);
    if (problems_.empty()) problems_ = find_contradictions(configuration_);
    if (!problems_.empty()) return unexpected(std::move(problems_));
    return std::move(configuration_);
  }

 private:
  Scope<NodeOptions> node_scope() {
    return {node_keys(), later_node_keys(), configuration_.options, configuration_.origins, ""};
  }
  void report(ConfigProblem::Source source, std::string where, std::string key, std::string sentence) {
    problems_.push_back({source, std::move(where), std::move(key), std::move(sentence)});
  }

  // ---- file ----

  void read_file(const std::string& path) {
    path_ = path;
    std::ifstream file{path, std::ios::binary};
    std::string text;
    for (std::array<char, 4'096> piece; file && text.size() <= kConfigBytesMax;) {
      file.read(piece.data(), piece.size());
      text.append(piece.data(), static_cast<std::size_t>(file.gcount()));
    }
    if (!file.is_open() || file.bad()) {
      return report(ConfigProblem::Source::file, path, "", fmt::format("cannot be read: {}", std::strerror(errno)));
    }
    if (text.size() > kConfigBytesMax) {
      return report(ConfigProblem::Source::file, path, "",
                    fmt::format("is larger than {}: not a configuration", size_text(kConfigBytesMax)));
    }
    if (text.find_first_not_of(" \t\r\n") == std::string::npos) {  // cut off, or not yet written
      return report(ConfigProblem::Source::file, path, "", "is empty: what changes nothing says so in a comment");
    }
    if (const std::size_t zero = text.find('\0'); zero != std::string::npos) {
      const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(zero), '\n');
      return report(ConfigProblem::Source::file, fmt::format("{}:{}", path, line), "", "has a zero byte: not a text");
    }
    try {
      const toml::table table = toml::parse(std::string_view{text}, std::string_view{path});
      walk(node_scope(), table, "");
    } catch (const toml::parse_error& error) {
      report(ConfigProblem::Source::file, place(error.source()), "", std::string{error.description()});
    }
  }
  std::string place(const toml::source_region& source) const { return fmt::format("{}:{}", path_, source.begin.line); }

  template <class Target>
  void walk(Scope<Target> scope, const toml::table& table, const std::string& prefix) {
    for (const auto& [name, node] : table) {
      const std::string key = prefix + std::string{name.str()};
      const std::string where = place(name.source());
      if (key == "namespace" && scope.prefix.empty()) {
        walk_namespaces(node, where);
        continue;
      }
      const bool is_section = std::ranges::any_of(scope.rows, [&](const auto& row) { return within(row.key, key); }) ||
                              std::ranges::any_of(scope.later, [&](const auto& row) { return within(row.key, key); });
      if (!is_section) {
        take(scope, ConfigProblem::Source::file, where, key, raw_value(node));
      } else if (const toml::table* section = node.as_table()) {
        walk(scope, *section, key + ".");
      } else {
        report(ConfigProblem::Source::file, where, std::string{scope.prefix} + key, "is a table of keys");
      }
    }
  }
  static bool within(std::string_view row_key, std::string_view section) {
    return row_key.size() > section.size() && row_key.starts_with(section) && row_key[section.size()] == '.';
  }

  void walk_namespaces(const toml::node& node, const std::string& where) {
    const toml::array* rules = node.as_array();
    const bool all_tables =
        rules != nullptr && std::ranges::all_of(*rules, [](const toml::node& rule) { return rule.is_table(); });
    if (!all_tables) {
      return report(ConfigProblem::Source::file, where, "namespace", "is written [[namespace]], once for each rule");
    }
    for (const toml::node& element : *rules) {
      NamespaceRule& rule = configuration_.options.core.namespaces.emplace_back();
      NamespaceOrigin& origin = configuration_.namespaces.emplace_back();
      origin.table = place(element.source());
      origin.keys.assign(namespace_keys().size(), std::string{kOriginDefault});
      walk(Scope<NamespaceRule>{namespace_keys(), later_namespace_keys(), rule, origin.keys, "namespace."},
           *element.as_table(), "");
      if (!element.as_table()->contains("match")) {
        report(ConfigProblem::Source::file, origin.table, "namespace.match", "is missing: which channels is this for?");
      }
    }
  }

  // ---- environment and flags ----

  void take_variable(const Setting& setting) {
    if (std::ranges::find(kVariablesOfTools, setting.name) != std::end(kVariablesOfTools)) return;
    if (std::ranges::find(other_variables(), setting.name, &OtherVariableRow::name) != other_variables().end()) return;
    if (setting.name == kSecretVariable || setting.name == kSecretVariableElsewhere) return take_secret(setting);
    const std::string where = "environment " + setting.name;
    for (const auto& row : node_keys()) {
      if (environment_name(row.key) == setting.name)
        return take_text(ConfigProblem::Source::environment, where, row.key, setting);
    }
    for (const auto& row : later_node_keys()) {
      if (environment_name(row.key) == setting.name)
        return take_text(ConfigProblem::Source::environment, where, row.key, setting);
    }
    std::vector<std::string> names;
    for (const auto& row : node_keys()) names.push_back(environment_name(row.key));
    report(ConfigProblem::Source::environment, where, "", "stands for no key" + did_you_mean(setting.name, names));
  }

  void take_secret(const Setting& setting) {
    std::string& origin = configuration_.secret_origin;
    if (setting.text.empty() || origin == kSecretVariable) return;
    configuration_.options.auth.secret = setting.text;
    origin = setting.name;
  }

  void take_other_variable(const OtherVariableRow& row, const std::vector<Setting>& environment) {
    const auto setting = std::ranges::find(environment, row.name, &Setting::name);
    if (setting == environment.end() || setting->text.empty()) return;
    const std::string where = "environment " + setting->name;
    std::string text = setting->text;
    if (row.unit == OtherVariableRow::Unit::in_ms) {
      if (!parse_count(text)) {
        const std::string_view prefix = row.of == OtherVariableRow::Of::namespaces ? "namespace." : "";
        return report(ConfigProblem::Source::environment, where, fmt::format("{}{}", prefix, row.key),
                      fmt::format("'{}' is not a whole number of milliseconds", text));
      }
      text += "ms";
    }
    if (row.of == OtherVariableRow::Of::node) {
      return take_text(ConfigProblem::Source::environment, where, row.key, {setting->name, std::move(text)});
    }
    const auto rows = namespace_keys();
    const auto at = std::ranges::find(rows, row.key, &KeyRow<NamespaceRule>::key);
    NamespaceRule scratch;
    if (const Assigned assigned = assign(*at, scratch, PlainText{text}); !assigned) {
      return report(ConfigProblem::Source::environment, where, fmt::format("namespace.{}", row.key), assigned.error());
    }
    namespace_defaults_.push_back({static_cast<std::size_t>(at - rows.begin()), std::move(text), where});
  }

  /// For each rule that does not say it itself.
  void apply(const NamespaceDefault& other) {
    const KeyRow<NamespaceRule>& row = namespace_keys()[other.row];
    bool used = false;
    for (std::size_t i = 0; i < configuration_.namespaces.size(); ++i) {
      NamespaceRule& rule = configuration_.options.core.namespaces[i];
      std::string& origin = configuration_.namespaces[i].keys[other.row];
      const bool is_said = origin != kOriginDefault && origin != kOriginShipped;
      const bool nothing_waits = row.key == "batch_max" && rule.batch_delay.count() == 0;
      used = used || !nothing_waits;
      if (is_said || nothing_waits) continue;
      (void)assign(row, rule, PlainText{other.text});  // it could be assigned before
      origin = other.where;
    }
    if (!used) {
      report(ConfigProblem::Source::environment, other.where, fmt::format("namespace.{}", row.key),
             "nothing waits: no namespace has a batch_delay");
    }
  }

  /// Where that variable comes from, whoever is silent for so long is closed. Here he is pinged meanwhile, as often as
  /// fits into the time.
  void settle_connection_timeout() {
    std::string& idle = origin_of("limits.idle_time");
    std::string& missed = origin_of("heartbeat.missed_max");
    const bool is_below = missed == kOriginDefault || (!path_.empty() && missed.starts_with(path_ + ":"));
    if (idle != kConnectionTimeoutOrigin || !is_below) return;
    CoreOptions& core = configuration_.options.core;
    if (core.heartbeat.interval.count() == 0) return;
    const std::int64_t pings = core.limits.idle_time / core.heartbeat.interval;
    core.heartbeat.missed_max = static_cast<std::uint32_t>(std::clamp<std::int64_t>(pings, 1, kMissedMost));
    missed = kConnectionTimeoutOrigin;
  }
  std::string& origin_of(std::string_view key) {
    const auto rows = node_keys();
    const auto row = std::ranges::find(rows, key, &KeyRow<NodeOptions>::key);
    return configuration_.origins[static_cast<std::size_t>(row - rows.begin())];
  }

  void take_flag(const Setting& setting) {
    const std::string where = "flag --" + setting.name;
    for (const auto& row : node_keys()) {
      if (flag_name(row.key) == setting.name || row.flag_alias == setting.name) {
        return take_text(ConfigProblem::Source::flag, where, row.key, setting);
      }
    }
    for (const auto& row : later_node_keys()) {
      if (flag_name(row.key) == setting.name) return take_text(ConfigProblem::Source::flag, where, row.key, setting);
    }
    report(ConfigProblem::Source::flag, where, "", "stands for no key");
  }
  void take_text(ConfigProblem::Source source, const std::string& where, std::string_view key, const Setting& setting) {
    take(node_scope(), source, where, std::string{key}, PlainText{setting.text});
  }

  // ---- all ----

  template <class Target>
  void take(Scope<Target> scope, ConfigProblem::Source source, const std::string& where, const std::string& key,
            const RawValue& value) {
    const std::string shown = std::string{scope.prefix} + key;
    if (const auto row = std::ranges::find(scope.rows, key, &KeyRow<Target>::key); row != scope.rows.end()) {
      const Assigned assigned = assign(*row, scope.target, value);
      if (!assigned) return report(source, where, shown, assigned.error());
      scope.origins[static_cast<std::size_t>(row - scope.rows.begin())] = where;
      return;
    }
    if (const auto row = std::ranges::find(scope.later, key, &LaterRow::key); row != scope.later.end()) {
      if (!is_accepted(*row, value)) report(source, where, shown, not_supported(*row));
      return;
    }
    if (key == "include" || key == "includes") {
      return report(source, where, shown, "unknown key: a configuration is one file, nothing is included");
    }
    std::vector<std::string> names;
    for (const auto& row : scope.rows) names.emplace_back(row.key);
    report(source, where, printable(shown), "unknown key" + did_you_mean(key, names));
  }

  /// Puts the shipped rules behind the user's: those that still can match, with room for one largest message.
  void add_shipped_namespaces() {
    auto& rules = configuration_.options.core.namespaces;
    const std::size_t own = rules.size();
    const auto is_own = [&](std::string_view match) {
      return std::any_of(rules.begin(), rules.begin() + static_cast<std::ptrdiff_t>(own),
                         [&](const NamespaceRule& rule) { return rule.match == match; });
    };
    if (is_own(">")) return;  // nothing gets past it
    for (NamespaceRule& rule : shipped_namespaces()) {
      if (is_own(rule.match)) continue;
      fit_shipped(rule, configuration_.options.core.limits.message_bytes);
      rules.push_back(std::move(rule));
      configuration_.namespaces.push_back(
          {std::string{kOriginShipped},
           std::vector<std::string>(namespace_keys().size(), std::string{kOriginShipped})});
    }
  }

  /// Where nothing is kept, nothing can be resumed: so it is printed, and what is printed can be loaded.
  void settle_resume() {
    const auto rows = namespace_keys();
    const auto row = std::ranges::find(rows, "resume", &KeyRow<NamespaceRule>::key);
    const auto index = static_cast<std::size_t>(row - rows.begin());
    for (std::size_t i = 0; i < configuration_.namespaces.size(); ++i) {
      NamespaceRule& rule = configuration_.options.core.namespaces[i];
      if (!keeps_history(rule) && configuration_.namespaces[i].keys[index] == kOriginDefault) rule.resume = false;
    }
  }

  Configuration configuration_;
  std::vector<NamespaceDefault> namespace_defaults_;
  std::vector<ConfigProblem> problems_;
  std::string path_;
};

}  // namespace

std::vector<FlagRow> configuration_flags() {
  std::vector<FlagRow> flags;
  for (const auto& row : node_keys()) {
    FlagRow& flag = flags.emplace_back();
    flag.name = flag_name(row.key);
    if (!row.flag_alias.empty()) flag.name += fmt::format(",{}", row.flag_alias);
    flag.form = form_of(row);
    flag.description = row.description;
    flag.is_switch = std::holds_alternative<bool& (*)(NodeOptions&)>(row.field);
    flag.is_list = std::holds_alternative<std::vector<ListenAddress>& (*)(NodeOptions&)>(row.field) ||
                   std::holds_alternative<std::vector<std::string>& (*)(NodeOptions&)>(row.field) ||
                   std::holds_alternative<std::vector<IpRange>& (*)(NodeOptions&)>(row.field);
  }
  for (const LaterRow& row : later_node_keys()) {
    flags.push_back({flag_name(row.key), "value", std::string{row.description}, false, false, true});
  }
  return flags;
}

std::vector<Setting> environment_settings(const char* const* environment) {
  std::vector<Setting> settings;
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    const std::string_view variable{*environment};
    const std::size_t equals = variable.find('=');
    if (equals == std::string_view::npos) continue;
    const bool is_other = std::ranges::find(other_variables(), variable.substr(0, equals), &OtherVariableRow::name) !=
                              other_variables().end() ||
                          variable.substr(0, equals) == kSecretVariableElsewhere;
    if (!variable.starts_with("RINGCAST_") && !is_other) continue;
    settings.push_back({std::string{variable.substr(0, equals)}, std::string{variable.substr(equals + 1)}});
  }
  return settings;
}

std::string text_of(const ConfigProblem& problem) {
  std::string text = problem.where;
  if (!problem.key.empty()) text += ": " + problem.key;
  return text + ": " + problem.sentence;
}

void settle_exposure(Configuration& configuration) {
  NodeOptions& options = configuration.options;
  CoreOptions& core = options.core;
  const auto is_default = [&](std::string_view key) {
    const auto rows = node_keys();
    const auto row = std::ranges::find(rows, key, &KeyRow<NodeOptions>::key);
    return configuration.origins[static_cast<std::size_t>(row - rows.begin())] == kOriginDefault;
  };
  core.access.authenticates = options.auth.has_key();
  core.access.spares_loopback =
      is_default("limits.connections_per_address") && is_default("rate.address_messages_per_second");
  const bool reachable = std::ranges::any_of(options.listen, [](const auto& address) { return !address.loopback; });
  const bool strangers = reachable || core.access.authenticates;
  const auto settle = [&](std::string_view key, std::uint32_t& field, std::uint32_t number) {
    if (is_default(key)) field = number;
  };
  settle("limits.connections_per_address", core.limits.connections_per_address,
         reachable ? kConnectionsPerAddress : LimitOptions{}.connections_per_address);
  settle("rate.messages_per_second", core.rate.messages_per_second,
         strangers ? kMessagesPerSecond : RateOptions{}.messages_per_second);
  // Those of a user or an address are never below what somebody gave each connection.
  const std::uint32_t each = core.rate.messages_per_second;
  const bool limited = strangers && each != 0;
  settle("rate.user_messages_per_second", core.rate.user_messages_per_second,
         limited ? std::max(kUserMessagesPerSecond, each) : RateOptions{}.user_messages_per_second);
  settle("rate.address_messages_per_second", core.rate.address_messages_per_second,
         limited ? std::max(kAddressMessagesPerSecond, each) : RateOptions{}.address_messages_per_second);
}

Result<Configuration, std::vector<ConfigProblem>> load_configuration(const ConfigSources& sources) {
  return Loader{}.run(sources);
}

}  // namespace ringcast
