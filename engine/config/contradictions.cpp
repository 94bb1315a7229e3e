#include "engine/config/contradictions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

#include "codec/text/pattern.hpp"
#include "engine/access/token_key.hpp"
#include "engine/config/schema.hpp"
#include "engine/config/value_text.hpp"

namespace ringcast {
namespace {

constexpr std::size_t kNameBytesMax = 64;  // with "ringcast." in front it is a file name everywhere

bool is_letter_or_digit(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

class Checker {
 public:
  explicit Checker(const Configuration& configuration)
      : configuration_{configuration}, options_{configuration.options} {}

  std::vector<ConfigProblem> run() {
    check_name();
    check_listen();
    check_admin();
    check_shards();
    check_tls();
    check_origins();
    check_hosts();
    check_offline();
    check_auth();
    check_rates();
    for (std::size_t i = 0; i < options_.core.namespaces.size(); ++i) check_namespace(i);
    return std::move(problems_);
  }

 private:
  /// Reports at the first of `keys` that was set by somebody: a default is never to blame.
  void report(std::initializer_list<std::string_view> keys, std::string sentence) {
    std::string_view blamed = *keys.begin();
    for (const std::string_view key : keys) {
      if (origin_of(key) != kOriginDefault) {
        blamed = key;
        break;
      }
    }
    report_at(std::string{origin_of(blamed)}, std::string{blamed}, std::move(sentence));
  }
  void report_at(std::string where, std::string key, std::string sentence) {
    const auto source = where.starts_with("flag ")          ? ConfigProblem::Source::flag
                        : where.starts_with("environment ") ? ConfigProblem::Source::environment
                                                            : ConfigProblem::Source::file;
    const bool known = std::ranges::any_of(problems_, [&](const ConfigProblem& problem) {  // one variable, many rules
      return problem.where == where && problem.key == key && problem.sentence == sentence;
    });
    if (!known) problems_.push_back({source, std::move(where), std::move(key), std::move(sentence)});
  }
  std::string_view origin_of(std::string_view key) const {
    const auto rows = node_keys();
    const auto row = std::ranges::find(rows, key, &KeyRow<NodeOptions>::key);
    return configuration_.origins[static_cast<std::size_t>(row - rows.begin())];
  }

  /// Plain or not, it is one address.
  static bool is_same_place(const ListenAddress& a, const ListenAddress& b) {
    return a.family == b.family && a.host == b.host && a.port == b.port && a.path == b.path;
  }

  void check_name() {
    const std::string& name = options_.name;
    const bool good =
        !name.empty() && name.size() <= kNameBytesMax && name.front() != '.' &&
        std::ranges::all_of(name, [](char c) { return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-'; });
    if (!good) {
      report({"name"}, fmt::format("'{}' is not a name: 1 to {} letters, digits, '.', '_' or '-', no '.' in front",
                                   name, kNameBytesMax));
    }
  }

  void check_listen() {
    for (std::size_t i = 0; i < options_.listen.size(); ++i) {
      const ListenAddress& address = options_.listen[i];
      if (!address.loopback && !options_.core.access.insecure && !options_.auth.has_key()) {
        report({"listen"},
               fmt::format("{} is reachable from other hosts, and nobody has to authenticate: configure a key "
                           "(auth.key_file), listen on loopback, or say --insecure (access.insecure = true)",
                           address_text(address)));
      }
      const bool any_port = address.family != ListenAddress::Family::unix_path && address.port == 0;
      const auto before = options_.listen.begin() + static_cast<std::ptrdiff_t>(i);
      const auto same = [&address](const ListenAddress& other) { return is_same_place(address, other); };
      if (!any_port && std::find_if(options_.listen.begin(), before, same) != before) {
        report({"listen"}, fmt::format("{} is named twice", address_text(address)));
      }
    }
  }

  void check_admin() {
    if (!options_.admin) return;
    const ListenAddress& address = *options_.admin;
    if (address.family == ListenAddress::Family::unix_path) {
      report({"admin"},
             fmt::format("{} is no address and port: the admin port speaks HTTP over TCP", address_text(address)));
      return;
    }
    if (address.plain) {
      report({"admin"}, fmt::format("{}: 'plain:' is for the data port; the admin port speaks TLS if tls.admin says so",
                                    address_text(address)));
    }
    if (!address.loopback && !options_.core.access.insecure && !options_.auth.has_key()) {
      report({"admin"},
             fmt::format("{} is reachable from other hosts, and nobody has to authenticate: configure a key "
                         "(auth.key_file), put the admin port on loopback, turn it off, or say --insecure "
                         "(access.insecure = true)",
                         address_text(address)));
    }
    const auto same = [&address](const ListenAddress& other) { return is_same_place(address, other); };
    if (address.port != 0 && std::ranges::any_of(options_.listen, same)) {
      report({"admin", "listen"},
             fmt::format("{} is the data port: the admin port has one of its own", address_text(address)));
    }
  }

  void check_shards() {
    const ShardOptions& shards = options_.shards;
    if (!shards.cores.empty() && shards.count > shards.cores.size()) {
      report({"shards.count", "shards.cores"},
             fmt::format("{} shards do not fit on the {} cores of shards.cores", shards.count, shards.cores.size()));
    }
    if (shards.cores.size() > kShardsMax) {
      report({"shards.cores"},
             fmt::format("{} cores are more than the {} shards that a node can have", shards.cores.size(), kShardsMax));
    }
  }

  void check_tls() {
    const TlsOptions& tls = options_.tls;
    if (tls.certificates.size() != tls.keys.size()) {
      report({"tls.key", "tls.certificate"},
             fmt::format("{} certificates need as many keys, in the same order; there are {}", tls.certificates.size(),
                         tls.keys.size()));
      return;
    }
    if (tls.enabled()) return;
    if (!tls.client_ca.empty()) {
      report({"tls.client_ca"}, "clients show certificates to a node that speaks TLS: set tls.certificate and tls.key");
    }
    if (tls.admin) {
      report({"tls.admin"}, "the admin port speaks TLS with the node's certificates: set tls.certificate and tls.key");
    }
  }

  /// An origin as RFC 6454 section 6.2 serialises it: scheme, "://", host, and a port if it is not the scheme's own.
  void check_origins() {
    for (const std::string& origin : options_.core.access.origins) {
      const std::size_t separator = origin.find("://");
      const std::string_view scheme = std::string_view{origin}.substr(0, std::min(separator, origin.size()));
      const std::string_view host =
          separator == std::string::npos ? std::string_view{} : std::string_view{origin}.substr(separator + 3);
      const bool good =
          !scheme.empty() && !host.empty() && std::ranges::all_of(scheme, is_letter_or_digit) && is_host(host);
      if (!good) {
        report({"access.origins"},
               fmt::format("'{}' is not an origin: written like https://desk.example or http://10.0.0.7:8080, "
                           "no path, no pattern",
                           origin));
      }
    }
  }

  void check_hosts() {
    for (const std::string& host : options_.core.access.hosts) {
      if (!is_host(host)) {
        report({"access.hosts"},
               fmt::format("'{}' is not a host name: written like feed.example, no path, no pattern", host));
      }
    }
  }
  /// What says which tokens are taken means nothing where none are.
  void check_auth() {
    const AuthOptions& auth = options_.auth;
    if (auth.has_key()) {
      if (!auth.secret.empty() && auth.secret.size() < kSecretBytesMin) {
        problems_.push_back({ConfigProblem::Source::environment, "environment " + configuration_.secret_origin, "",
                             fmt::format("a secret of {} bytes is too short for HS256: {} random bytes at least",
                                         auth.secret.size(), kSecretBytesMin)});
      }
      return;
    }
    for (const auto& [key, text] : {std::pair{"auth.issuer", &auth.issuer},
                                    {"auth.audience", &auth.audience},
                                    {"auth.revocation_file", &auth.revocation_file}}) {
      if (text->empty()) continue;
      report({key}, "means nothing without a key: set auth.key_file, auth.jwks_file or the variable JWT_SECRET");
    }
  }

  void check_rates() {
    const RateOptions& rate = options_.core.rate;
    const auto smaller = [](std::uint32_t whole, std::uint32_t part) { return whole != 0 && whole < part; };
    if (smaller(rate.user_messages_per_second, rate.messages_per_second)) {
      report({"rate.user_messages_per_second", "rate.messages_per_second"},
             fmt::format("a user's {} messages a second are fewer than the {} of each of its connections",
                         rate.user_messages_per_second, rate.messages_per_second));
    }
    if (smaller(rate.address_messages_per_second, rate.messages_per_second)) {
      report({"rate.address_messages_per_second", "rate.messages_per_second"},
             fmt::format("an address's {} messages a second are fewer than the {} of each of its connections",
                         rate.address_messages_per_second, rate.messages_per_second));
    }
    if (rate.publish_burst != 0 && rate.publish_per_second == 0) {
      report({"rate.publish_burst"}, "means nothing without rate.publish_per_second");
    }
  }

  static bool is_host(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
      return is_letter_or_digit(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
    });
  }

  void check_offline() {
    const OfflineOptions& offline = options_.core.offline;
    if (!offline.path.empty() && offline.bytes < options_.core.limits.message_bytes) {
      report({"offline.bytes", "limits.message_bytes"},
             fmt::format("{} is less than one message of limits.message_bytes ({})", size_text(offline.bytes),
                         size_text(options_.core.limits.message_bytes)));
    }
  }

  void check_durable(const NamespaceRule& rule, const NamespaceOrigin& origin) {
    const std::string_view key = rule.ack ? "ack" : "offline";
    if (options_.core.offline.path.empty()) {
      report_at(where(origin, key), fmt::format("namespace.{}", key),
                "its messages are to be stored, and offline.path names no file for them");
    }
    if (rule.slow != SlowPolicy::disconnect) {
      report_at(where(origin, "slow"), "namespace.slow",
                fmt::format("a channel whose messages are stored ({} = true) may not skip any: its slow readers are "
                            "disconnected, and have the rest when they return",
                            key));
    }
  }

  void check_namespace(std::size_t index) {
    const NamespaceRule& rule = options_.core.namespaces[index];
    const NamespaceOrigin& origin = configuration_.namespaces[index];
    if (const auto pattern = Pattern::compile(rule.match); !pattern) {
      report_at(where(origin, "match"), "namespace.match",
                fmt::format("'{}' is no pattern: {}", rule.match, sentence_of(pattern.error())));
    }
    if (rule.batch_delay > rule.lag.time / 2) {  // of shipped rules as well: a variable may have set it
      report_at(where(origin, "batch_delay"), "namespace.batch_delay",
                fmt::format("{} is more than half of lag.time ({}): readers would be late through our own waiting",
                            duration_text(rule.batch_delay), duration_text(rule.lag.time)));
    }
    if (origin.table == kOriginShipped) return;
    for (std::size_t earlier = 0; earlier < index; ++earlier) {
      if (!hides(options_.core.namespaces[earlier].match, rule.match)) continue;
      report_at(where(origin, "match"), "namespace.match",
                fmt::format("'{}' never applies: the first match wins, and '{}' ({}) comes before it", rule.match,
                            options_.core.namespaces[earlier].match, configuration_.namespaces[earlier].table));
      break;
    }
    const LimitOptions& limits = options_.core.limits;
    if (rule.lag.bytes < limits.message_bytes) {
      report_at(where(origin, "lag.bytes"), "namespace.lag.bytes",
                fmt::format("{} is less than one message of limits.message_bytes ({})", size_text(rule.lag.bytes),
                            size_text(limits.message_bytes)));
    }
    for (const auto& [key, bytes] : {std::pair{"lag.bytes", rule.lag.bytes}, {"history.bytes", rule.history.bytes}}) {
      if (bytes > options_.core.memory_budget) {
        report_at(where(origin, key), fmt::format("namespace.{}", key),
                  fmt::format("{} is more than memory.budget ({})", size_text(bytes),
                              size_text(options_.core.memory_budget)));
      }
    }
    if (rule.max_rate != 0 && rule.slow != SlowPolicy::conflate) {
      report_at(where(origin, "max_rate"), "namespace.max_rate",
                "leaves messages out, and this rule does not: a limited rate needs slow = \"conflate\"");
    }
    if (rule.batch_max != 0 && rule.batch_delay.count() == 0) {
      report_at(where(origin, "batch_max"), "namespace.batch_max", "nothing waits: this rule has no batch_delay");
    }
    if (rule.durable()) check_durable(rule, origin);
    if (rule.resume && !keeps_history(rule) && is_set(origin, "resume")) {
      report_at(where(origin, "resume"), "namespace.resume", "nothing can be resumed: this rule keeps no history");
    }
  }
  static bool hides(std::string_view earlier, std::string_view later) {
    return earlier == later || (earlier == ">" && !later.starts_with('$') && !later.starts_with("user:"));
  }
  static const std::string& key_origin(const NamespaceOrigin& origin, std::string_view key) {
    const auto rows = namespace_keys();
    const auto row = std::ranges::find(rows, key, &KeyRow<NamespaceRule>::key);
    return origin.keys[static_cast<std::size_t>(row - rows.begin())];
  }
  static bool is_set(const NamespaceOrigin& origin, std::string_view key) {
    return key_origin(origin, key) != kOriginDefault;
  }
  static std::string where(const NamespaceOrigin& origin, std::string_view key) {
    return is_set(origin, key) ? key_origin(origin, key) : origin.table;
  }

  const Configuration& configuration_;
  const NodeOptions& options_;
  std::vector<ConfigProblem> problems_;
};

}  // namespace

bool keeps_history(const NamespaceRule& rule) {
  return rule.history.messages > 0 && rule.history.bytes > 0 && rule.history.age.count() > 0;
}

std::vector<ConfigProblem> find_contradictions(const Configuration& configuration) {
  return Checker{configuration}.run();
}

}  // namespace ringcast
