#include "engine/config/schema.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "alloc/base/units.hpp"
#include "engine/access/shared_board.hpp"

namespace ringcast {
namespace {

template <class Target, class Member>
Target target_of(Member Target::*);

/// The accessor of a member of a member: at<&NodeOptions::core, &CoreOptions::echo>().
template <auto First, auto... Rest>
constexpr auto at() {
  using Target = decltype(target_of(First));
  return +[](Target & target) -> auto& { return ((target.*First).*....*Rest); };
}
template <auto... Rest>
constexpr auto core() {
  return at<&NodeOptions::core, Rest...>();
}
template <auto Member>
constexpr auto limits() {
  return core<&CoreOptions::limits, Member>();
}
using NodeRow = KeyRow<NodeOptions>;
using RuleRow = KeyRow<NamespaceRule>;

template <auto First, auto... Rest>
constexpr auto choice(std::span<const std::string_view> words) {
  using Target = decltype(target_of(First));
  return ChoiceField<Target>{
      words,
      +[](const Target& target) { return static_cast<std::size_t>(std::to_underlying(((target.*First).*....*Rest))); },
      +[](Target& target, std::size_t index) {
        auto& member = ((target.*First).*....*Rest);
        member = static_cast<std::remove_reference_t<decltype(member)>>(index);
      }};
}

constexpr std::array<std::string_view, 6> kLogLevels{"trace", "debug", "info", "warn", "error", "off"};
constexpr std::array<std::string_view, 2> kLogFormats{"text", "json"};
constexpr std::array<std::string_view, 3> kSlowPolicies{"conflate", "drop_oldest", "disconnect"};
constexpr std::array<std::string_view, 3> kStates{"none", "last", "snapshot+delta"};
constexpr std::array<std::string_view, 2> kPriorities{"normal", "high"};
constexpr std::array<std::string_view, 2> kPayloadKinds{"json", "binary"};
constexpr std::array<std::string_view, 3> kDedupeBy{"id", "payload", "off"};
constexpr std::array<std::string_view, 2> kDedupeScopes{"publisher", "channel"};
constexpr std::array<std::string_view, 2> kDurabilities{"process", "power"};
static_assert(kLogLevels.size() == std::to_underlying(LogLevel::off) + 1U);
static_assert(kLogFormats.size() == std::to_underlying(LogFormat::json) + 1U);
static_assert(kSlowPolicies.size() == std::to_underlying(SlowPolicy::disconnect) + 1U);
static_assert(kStates.size() == std::to_underlying(StateKeeping::snapshot_delta) + 1U);
static_assert(kPriorities.size() == std::to_underlying(Priority::high) + 1U);
static_assert(kPayloadKinds.size() == std::to_underlying(PayloadKind::binary) + 1U);
static_assert(kDedupeBy.size() == std::to_underlying(DedupeBy::off) + 1U);
static_assert(kDurabilities.size() == std::to_underlying(StoreDurability::power) + 1U);
static_assert(kDedupeScopes.size() == std::to_underlying(DedupeScope::channel) + 1U);

constexpr Range between(nanoseconds least, nanoseconds most) {
  return {static_cast<std::uint64_t>(least.count()), static_cast<std::uint64_t>(most.count())};
}
constexpr auto kCount = Measure::count;
constexpr auto kBytes = Measure::bytes;
constexpr auto kTime = Measure::time;
constexpr auto kNone = Measure::none;
using std::chrono::days;
constexpr std::uint64_t kMessagesMost = 10'000'000;

// Where a range is not explained here, its upper end is what the types and the memory arithmetic of the engine bear,
// and its lower end is the smallest value that leaves a node which can still serve somebody.
// clang-format off
const std::array kNodeKeys{
    NodeRow{"name", at<&NodeOptions::name>(), kNone, {},
        "names the statistics segment /dev/shm/ringcast.<name> and the log; letters, digits, '.', '_' and '-'"},
    NodeRow{"listen", at<&NodeOptions::listen>(), kNone, {},
        "the data port: an address and port, unix:/path, or a list of them; port 0 takes a free one; "
        "plain: in front keeps TLS away from it"},
    NodeRow{"admin", at<&NodeOptions::admin>(), kNone, {},
        "the admin port: an address and port; port 0 takes a free one, off means that there is none"},
    NodeRow{"echo", core<&CoreOptions::echo>(), kNone, {},
        "serve /echo, which sends data messages back (conformance testing)"},

    NodeRow{"shards.count", at<&NodeOptions::shards, &ShardOptions::count>(), kCount, {0, kShardsMax},
        "shards, each a thread on a core; 0 means one a usable core", "shards"},
    NodeRow{"shards.cores", at<&NodeOptions::shards, &ShardOptions::cores>(), kNone, {},
        "the cores that shards are pinned to, in order, like 0-3; empty means those the process may use"},
    NodeRow{"shards.spin", at<&NodeOptions::shards, &ShardOptions::spin>(), kTime,
        between(nanoseconds{0}, seconds{1}), "how long an idle shard polls before it sleeps"},

    NodeRow{"limits.connections", limits<&LimitOptions::connections>(), kCount, {1, kConnectionsMax},
        "connections to the node; further ones get 503"},
    NodeRow{"limits.connections_per_address", limits<&LimitOptions::connections_per_address>(), kCount,
        {0, ConnectionBoard::kCountMax}, "connections from one address, or one /64 of IPv6; further ones get 429; 0 "
        "means no limit. Not said: 10 on a node that other hosts can reach, and not for those on its own"},
    NodeRow{"limits.subscriptions", limits<&LimitOptions::subscriptions>(), kCount, {1, kCommandChannelsMax},
        "subscriptions of a connection, the channels that its patterns bind among them"},
    NodeRow{"limits.patterns", limits<&LimitOptions::patterns>(), kCount, {0, kCommandChannelsMax},
        "patterns that a connection subscribes to; 0 refuses them all"},
    NodeRow{"limits.channels", limits<&LimitOptions::channels>(), kCount, {1, kChannelsMax},
        "channels of the node"},
    NodeRow{"limits.presence", limits<&LimitOptions::presence>(), kCount, {1, 1'000'000'000},
        "users in channels with presence that a shard lists; more are counted only"},
    NodeRow{"limits.notice_bytes", limits<&LimitOptions::notice_bytes>(), kBytes, {1_KiB, kReplyBytesMax},
        "what a connection may leave unread before it is told no more of users and channel states"},
    NodeRow{"limits.message_bytes", limits<&LimitOptions::message_bytes>(), kBytes, {125, 1_GiB},
        "the largest message that a client may send, fragments together"},
    NodeRow{"limits.header_bytes", limits<&LimitOptions::header_bytes>(), kBytes, {256, 1_MiB},
        "the largest header block of a request; a larger one gets 431"},
    NodeRow{"limits.header_fields", limits<&LimitOptions::header_fields>(), kCount, {5, 1'000},
        "header fields of a request; more get 431"},
    NodeRow{"limits.handshake_time", limits<&LimitOptions::handshake_time>(), kTime,
        between(milliseconds{10}, hours{1}), "from the connection to the end of its request"},
    NodeRow{"limits.idle_time", limits<&LimitOptions::idle_time>(), kTime, between(milliseconds{10}, days{7}),
        "a connection without any traffic is closed after this, while heartbeats are off"},
    NodeRow{"limits.lifetime", limits<&LimitOptions::lifetime>(), kTime, between(milliseconds{0}, days{365}),
        "a connection is closed with 1001 after this, however busy; 0s means never"},
    NodeRow{"limits.channel_idle_time", limits<&LimitOptions::channel_idle_time>(), kTime,
        between(milliseconds{10}, days{365}), "a channel without readers and messages is forgotten after this"},

    NodeRow{"heartbeat.interval", core<&CoreOptions::heartbeat, &HeartbeatOptions::interval>(),
        kTime, between(nanoseconds{0}, days{1}), "a ping frame is sent this often; 0s turns heartbeats off"},
    NodeRow{"heartbeat.interval_exchange",
        core<&CoreOptions::heartbeat, &HeartbeatOptions::interval_exchange>(),
        kTime, between(nanoseconds{0}, days{1}), "the same for connections of the exchange dialect"},
    NodeRow{"heartbeat.missed_max", core<&CoreOptions::heartbeat, &HeartbeatOptions::missed_max>(),
        kCount, {1, 1'000}, "unanswered pings after which a connection is closed with 4009"},

    NodeRow{"memory.budget", core<&CoreOptions::memory_budget>(), kBytes, {16_MiB, 16'384_GiB},
        "the bytes that the node may hold"},

    NodeRow{"access.origins", core<&CoreOptions::access, &AccessOptions::origins>(), kNone, {},
        "origins of web pages that may connect, exactly as a browser sends them"},
    NodeRow{"access.hosts", core<&CoreOptions::access, &AccessOptions::hosts>(), kNone, {},
        "names under which clients may address the node, besides those of loopback"},
    NodeRow{"access.insecure", core<&CoreOptions::access, &AccessOptions::insecure>(), kNone, {},
        "listen off loopback although nobody has to authenticate", "insecure"},
    NodeRow{"access.trusted_proxies", core<&CoreOptions::access, &AccessOptions::trusted_proxies>(), kNone, {},
        "proxies whose PROXY header or X-Forwarded-For says whose connection it is"},
    NodeRow{"access.usage_log", at<&NodeOptions::usage_log>(), kNone, {},
        "a file to which a line is appended for each subscription that begins or ends; empty means none"},

    NodeRow{"tls.certificate", at<&NodeOptions::tls, &TlsOptions::certificates>(), kNone, {},
        "PEM files, each a certificate with its chain: the data port speaks TLS, except where listen says plain:; "
        "the client's server name chooses among several, the first is for all others"},
    NodeRow{"tls.key", at<&NodeOptions::tls, &TlsOptions::keys>(), kNone, {},
        "PEM files with their keys, in the same order"},
    NodeRow{"tls.client_ca", at<&NodeOptions::tls, &TlsOptions::client_ca>(), kNone, {},
        "a PEM file: only clients with a certificate that one of its authorities signed may connect"},
    NodeRow{"tls.handshakes_max", at<&NodeOptions::tls, &TlsOptions::handshakes_max>(), kCount, {1, 100'000},
        "TLS handshakes under way at a time, a shard; others wait, within limits.handshake_time"},
    NodeRow{"tls.admin", at<&NodeOptions::tls, &TlsOptions::admin>(), kNone, {},
        "the admin port speaks TLS as well, with the same certificates and the same tls.client_ca"},

    NodeRow{"compression.enabled", core<&CoreOptions::compression, &CompressionOptions::enabled>(), kNone, {},
        "agree to permessage-deflate (RFC 7692) when a client offers it"},
    NodeRow{"compression.threshold", core<&CoreOptions::compression, &CompressionOptions::threshold>(), kBytes,
        {0, 1_GiB}, "smaller messages are sent as they are, whatever was agreed"},

    NodeRow{"auth.key_file", at<&NodeOptions::auth, &AuthOptions::key_file>(), kNone, {},
        "keys to check tokens with: public keys in PEM (RS256, ES256), or a secret of 32 bytes or more (HS256). "
        "A secret may also come in the variable RINGCAST_AUTH_SECRET or JWT_SECRET. With any key clients need a token"},
    NodeRow{"auth.jwks_file", at<&NodeOptions::auth, &AuthOptions::jwks_file>(), kNone, {},
        "the same as a JWK set"},
    NodeRow{"auth.issuer", at<&NodeOptions::auth, &AuthOptions::issuer>(), kNone, {},
        "only tokens of this issuer are taken; empty means any"},
    NodeRow{"auth.audience", at<&NodeOptions::auth, &AuthOptions::audience>(), kNone, {},
        "only tokens for this audience are taken; empty means those that name none"},
    NodeRow{"auth.clock_skew", at<&NodeOptions::auth, &AuthOptions::clock_skew>(), kTime,
        between(milliseconds{0}, hours{1}), "how far the clocks of issuer and node may be apart"},
    NodeRow{"auth.revocation_file", at<&NodeOptions::auth, &AuthOptions::revocation_file>(), kNone, {},
        "tokens and users that are taken no more; it is read again whenever it changes"},
    NodeRow{"auth.expiry_notice", core<&CoreOptions::access, &AccessOptions::expiry_notice>(), kTime,
        between(milliseconds{0}, hours{1}), "a client is told this long before its token expires; 0s means not at all"},
    NodeRow{"auth.verifications_per_second", core<&CoreOptions::access, &AccessOptions::verifications_per_second>(),
        kCount, {1, 1'000'000}, "tokens that a shard checks in a second; further ones wait their turn"},

    NodeRow{"rate.messages_per_second", core<&CoreOptions::rate, &RateOptions::messages_per_second>(),
        kCount, {0, RateBoard::kRateMax}, "commands other than publish that a connection may send; 0 means no limit. "
        "Not said: 10 on a node that other hosts can reach, or that authenticates"},
    NodeRow{"rate.burst", core<&CoreOptions::rate, &RateOptions::burst>(),
        kCount, {1, 1'000'000}, "how many of these at once"},
    NodeRow{"rate.publish_per_second", core<&CoreOptions::rate, &RateOptions::publish_per_second>(),
        kCount, {0, 10'000'000}, "messages that a connection may publish; 0 means no limit"},
    NodeRow{"rate.publish_burst", core<&CoreOptions::rate, &RateOptions::publish_burst>(),
        kCount, {0, 10'000'000}, "how many of these at once; 0 means what two seconds allow"},
    NodeRow{"rate.user_messages_per_second", core<&CoreOptions::rate, &RateOptions::user_messages_per_second>(),
        kCount, {0, RateBoard::kRateMax}, "as rate.messages_per_second, of a user on all of its connections. Not said: "
        "50 where that is 10"},
    NodeRow{"rate.address_messages_per_second",
        core<&CoreOptions::rate, &RateOptions::address_messages_per_second>(), kCount, {0, RateBoard::kRateMax},
        "the same of an address. Not said: 100 where that is 10"},
    NodeRow{"rate.errors_max", core<&CoreOptions::errors, &ErrorBudgetOptions::errors_max>(),
        kCount, {0, 1'000'000}, "errors within errors_window after which a client is closed with 4003; 0 means never"},
    NodeRow{"rate.errors_window", core<&CoreOptions::errors, &ErrorBudgetOptions::errors_window>(),
        kTime, between(milliseconds{10}, days{1}), "the time over which a client's errors are counted"},

    NodeRow{"offline.path", core<&CoreOptions::offline, &OfflineOptions::path>(), kNone, {},
        "the file that messages for those who are away are stored in; needed where a namespace says offline or ack"},
    NodeRow{"offline.messages", core<&CoreOptions::offline, &OfflineOptions::messages>(), kCount, {1, kMessagesMost},
        "messages of a channel that are stored; the oldest are forgotten first"},
    NodeRow{"offline.bytes", core<&CoreOptions::offline, &OfflineOptions::bytes>(), kBytes, {1_KiB, 64_GiB},
        "the same in bytes"},
    NodeRow{"offline.age", core<&CoreOptions::offline, &OfflineOptions::age>(), kTime,
        between(seconds{1}, days{365}), "the same in time"},
    NodeRow{"offline.disk", core<&CoreOptions::offline, &OfflineOptions::disk>(), kBytes, {1_MiB, 16'384_GiB},
        "what the file may grow to; then messages are refused until others are done with"},
    NodeRow{"offline.durability", choice<&NodeOptions::core, &CoreOptions::offline, &OfflineOptions::durability>(
        kDurabilities), kNone, {}, "what a stored message survives: the death of the process, or loss of power"},

    NodeRow{"log.level", choice<&NodeOptions::log, &LogOptions::level>(kLogLevels), kNone, {},
        "what is logged, to stderr"},
    NodeRow{"log.format", choice<&NodeOptions::log, &LogOptions::format>(kLogFormats), kNone, {},
        "one line of text or one JSON object an event"},

    NodeRow{"shutdown.deadline", core<&CoreOptions::shutdown, &ShutdownOptions::deadline>(),
        kTime, between(milliseconds{0}, hours{1}), "how long a node that is asked to end keeps flushing"},
};

const std::array kNamespaceKeys{
    RuleRow{"match", at<&NamespaceRule::match>(), kNone, {},
        "the channels that this rule is for: '*' within a segment, a last '>' for all that follows"},
    RuleRow{"history.messages", at<&NamespaceRule::history, &HistoryLimits::messages>(), kCount,
        {0, kMessagesMost}, "messages of a channel kept for those who resume"},
    RuleRow{"history.bytes", at<&NamespaceRule::history, &HistoryLimits::bytes>(), kBytes, {0, 64_GiB},
        "the same in bytes"},
    RuleRow{"history.age", at<&NamespaceRule::history, &HistoryLimits::age>(), kTime,
        between(nanoseconds{0}, days{365}), "the same in time"},
    RuleRow{"lag.messages", at<&NamespaceRule::lag, &LagLimits::messages>(), kCount, {1, kMessagesMost},
        "messages by which a subscription may be behind before it is slow"},
    RuleRow{"lag.bytes", at<&NamespaceRule::lag, &LagLimits::bytes>(), kBytes, {1_KiB, 64_GiB},
        "the same in bytes"},
    RuleRow{"lag.time", at<&NamespaceRule::lag, &LagLimits::time>(), kTime,
        between(milliseconds{50}, days{1}), "the same in time"},
    RuleRow{"slow", choice<&NamespaceRule::slow>(kSlowPolicies), kNone, {},
        "what becomes of a slow subscription: moved to the newest message, to the oldest kept, or closed with 4008"},
    RuleRow{"max_rate", at<&NamespaceRule::max_rate>(), kCount, {0, 1'000},
        "messages a second that a subscription is sent at the most, always the newest; 0 means as they come"},
    RuleRow{"state", choice<&NamespaceRule::state>(kStates), kNone, {},
        "what a new subscription is given: nothing, the last message, or the newest snapshot and what follows"},
    RuleRow{"priority", choice<&NamespaceRule::priority>(kPriorities), kNone, {},
        "which of a connection's channels is sent first"},
    RuleRow{"batch_delay", at<&NamespaceRule::batch_delay>(), kTime, between(nanoseconds{0}, seconds{10}),
        "how long a message waits for others to be sent with; 0s means as soon as there is a turn"},
    RuleRow{"batch_max", at<&NamespaceRule::batch_max>(), kCount, {0, kMessagesMost},
        "so many messages wait no longer; 0 means no such number"},
    RuleRow{"dedupe.by", choice<&NamespaceRule::dedupe, &DedupeOptions::by>(kDedupeBy), kNone, {},
        "what makes a message a duplicate: its message_id, its payload, or nothing"},
    RuleRow{"dedupe.entries", at<&NamespaceRule::dedupe, &DedupeOptions::entries>(), kCount, {1, 10'000'000},
        "ids that are remembered"},
    RuleRow{"dedupe.window", at<&NamespaceRule::dedupe, &DedupeOptions::window>(), kTime,
        between(milliseconds{1}, days{7}), "how long an id is remembered"},
    RuleRow{"dedupe.scope", choice<&NamespaceRule::dedupe, &DedupeOptions::scope>(kDedupeScopes), kNone, {},
        "whose ids may collide: those of one publisher, or all of the channel (redundant A/B feeds)"},
    RuleRow{"offline", at<&NamespaceRule::offline>(), kNone, {},
        "messages are stored until a subscriber was sent them; seq and epoch survive restarts"},
    RuleRow{"ack", at<&NamespaceRule::ack>(), kNone, {},
        "the same until a subscriber has acknowledged them"},
    RuleRow{"resume", at<&NamespaceRule::resume>(), kNone, {},
        "clients may resume from history"},
    RuleRow{"payload", choice<&NamespaceRule::payload>(kPayloadKinds), kNone, {},
        "what messages carry: one JSON value, or any bytes, which only the binary dialect can read"},
    RuleRow{"presence", at<&NamespaceRule::presence>(), kNone, {},
        "the users of a channel are listed, and told when one joins or leaves"},
    RuleRow{"presence_grace", at<&NamespaceRule::presence_grace>(), kTime, between(nanoseconds{0}, hours{24}),
        "how long after its last connection a user has left, so that a reconnect is not told"},
    RuleRow{"stale_after", at<&NamespaceRule::stale_after>(), kTime, between(nanoseconds{0}, days{1}),
        "a channel without a message for so long is stale, and its subscribers are told; 0s means never"},
};

constexpr std::array kLaterNodeKeys{
    LaterRow{"shards.min", "", "scaling shards at run time"},
    LaterRow{"shards.max", "", "scaling shards at run time"},
    LaterRow{"shards.scale_up", "", "scaling shards at run time"},
    LaterRow{"shards.scale_down", "", "scaling shards at run time"},
    LaterRow{"memory.warning", "70", "other steps of memory pressure"},
    LaterRow{"memory.critical", "85", "other steps of memory pressure"},
    LaterRow{"memory.emergency", "95", "other steps of memory pressure"},
};

constexpr std::array<LaterRow, 0> kLaterNamespaceKeys{};  // all are there

constexpr auto kNode = OtherVariableRow::Of::node;
constexpr auto kNamespaces = OtherVariableRow::Of::namespaces;
constexpr auto kAsWritten = OtherVariableRow::Unit::as_written;
constexpr auto kMilliseconds = OtherVariableRow::Unit::in_ms;
constexpr std::array kOtherVariables{
    OtherVariableRow{"WEBSOCKET_MAX_CONNECTIONS", "limits.connections", kNode, kAsWritten},
    OtherVariableRow{"WEBSOCKET_HEARTBEAT_INTERVAL", "heartbeat.interval", kNode, kMilliseconds},
    OtherVariableRow{"WEBSOCKET_CONNECTION_TIMEOUT", "limits.idle_time", kNode, kMilliseconds},
    OtherVariableRow{"MEMORY_WARNING_THRESHOLD", "memory.warning", kNode, kAsWritten},
    OtherVariableRow{"MEMORY_CRITICAL_THRESHOLD", "memory.critical", kNode, kAsWritten},
    OtherVariableRow{"MEMORY_EMERGENCY_THRESHOLD", "memory.emergency", kNode, kAsWritten},
    OtherVariableRow{"MESSAGE_BATCH_DELAY", "batch_delay", kNamespaces, kMilliseconds},
    OtherVariableRow{"MESSAGE_BATCH_SIZE", "batch_max", kNamespaces, kAsWritten},
    OtherVariableRow{"DEDUPE_CACHE_SIZE", "dedupe.entries", kNamespaces, kAsWritten},
};
// clang-format on

}  // namespace

std::span<const KeyRow<NodeOptions>> node_keys() { return kNodeKeys; }
std::span<const KeyRow<NamespaceRule>> namespace_keys() { return kNamespaceKeys; }
std::span<const LaterRow> later_node_keys() { return kLaterNodeKeys; }
std::span<const LaterRow> later_namespace_keys() { return kLaterNamespaceKeys; }
std::span<const OtherVariableRow> other_variables() { return kOtherVariables; }

std::vector<NamespaceRule> shipped_namespaces() {
  struct Row {
    std::string_view match;
    SlowPolicy slow;
    StateKeeping state;
  };
  const NamespaceRule usual;
  const Row rows[] = {
      // The newest quote makes the older worthless; a trade is an event, none may go missing; a book begins with a
      // snapshot, and with a missing delta it is a wrong book.
      {"*@bookTicker", SlowPolicy::conflate, StateKeeping::none},
      {"*@trade", SlowPolicy::disconnect, StateKeeping::none},
      {"*@aggTrade", SlowPolicy::disconnect, StateKeeping::none},
      {"*@depth>", SlowPolicy::disconnect, StateKeeping::snapshot_delta},
      {">", usual.slow, usual.state},
  };
  std::vector<NamespaceRule> rules;
  for (const Row& row : rows) {
    NamespaceRule& rule = rules.emplace_back();
    rule.match = row.match;
    rule.slow = row.slow;
    rule.state = row.state;
  }
  return rules;
}

void fit_shipped(NamespaceRule& rule, std::uint64_t message_bytes) {
  rule.lag.bytes = std::max(LagLimits{}.bytes, message_bytes);
  rule.history.bytes = std::max(HistoryLimits{}.bytes, message_bytes);
}

std::string flag_name(std::string_view key) {
  std::string name{key};
  for (char& c : name) {
    if (c == '.' || c == '_') c = '-';
  }
  return name;
}

std::string environment_name(std::string_view key) {
  std::string name = "RINGCAST_";
  for (const char c : key) name += c == '.' ? '_' : (c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  return name;
}

}  // namespace ringcast
