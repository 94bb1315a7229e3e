// Every refusal of a client, played: what it is told, and which counters and which event the operator has of it.
// docs/refusals.md is the list; tests/engine/stats/refusals_page_test.cpp holds that page against the code.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/deflate/message_deflater.hpp"
#include "engine/access/authenticator.hpp"
#include "engine/access/token_signer.hpp"
#include "tests/doubles/core_harness.hpp"
#include "tests/doubles/test_keys.hpp"

namespace ringcast {
namespace {

constexpr std::int64_t kHarnessTime = 1'790'000'000;  // CoreHarness::now begins here
constexpr std::size_t kUsageBytes = 1U << 14;

// ---- what a refused client was told ----

/// The status of the answer to its request.
std::string status(CoreHarness& node, CoreClient& client) {
  const std::string head = node.take_head(client);
  return head.size() < 12 ? std::string{} : head.substr(9, 3);
}
/// The code of the close frame.
std::string closed(CoreClient& client) { return std::to_string(CoreHarness::take_close(client)); }
/// The code of the last error that it was answered with; empty: none.
std::string error(CoreClient& client) {
  constexpr std::string_view kCode = R"("code":")";
  std::string code;
  for (const std::string& text : CoreHarness::take_texts(client)) {
    if (!text.starts_with(R"({"type":"error")")) continue;
    const std::size_t at = text.find(kCode) + kCode.size();
    code = text.substr(at, text.find('"', at) - at);
  }
  return code;
}

PeerInfo peer(std::string_view address) {
  PeerInfo info;
  info.address = *parse_ip_address(address);
  info.port = 4'711;
  return info;
}
std::string ask(CoreHarness& node, std::string_view request, const PeerInfo& from = {}) {
  CoreClient& client = node.connect(0, from);
  node.bytes(client, request);
  node.run();
  return status(node, client);
}
std::string get(std::string_view target, std::string_view fields = {}, std::string_view host = "localhost:9001") {
  return CoreHarness::request(target, fields, host);
}
std::string said(CoreHarness& node, CoreClient& client, std::string_view command) {
  node.say(client, command);
  return error(client);
}
std::string subscribe(std::string_view channel) {
  return R"({"type":"subscribe","id":1,"channels":[")" + std::string{channel} + R"("]})";
}
std::string publish(std::string_view channel) {
  return R"({"type":"publish","id":1,"channel":")" + std::string{channel} + R"(","data":1})";
}
constexpr std::string_view kPing = R"({"type":"ping"})";

// ---- tokens ----

Authenticator make_authenticator(std::string_view revoked) {
  AuthenticatorRules rules;
  rules.keys = *read_verify_keys(test_keys::kSecret);
  rules.keys.front().id = "this";
  rules.issuer = "desk";
  rules.audience = "feed";
  rules.revocations = *Revocations::read(revoked);
  return Authenticator{std::move(rules)};
}
/// `more` are members behind the usual ones: ,"subscribe":["orders"]
std::string token(std::string_view more = {}, std::string_view sub = "alice", std::int64_t lives = 3'600,
                  std::string_view secret = test_keys::kSecret, std::string id = {},
                  std::string_view from_to = R"("iss":"desk","aud":"feed")") {
  TokenKey key = *read_secret(secret);
  key.id = std::move(id);
  const std::string claims = "{" + std::string{from_to} + R"(,"sub":")" + std::string{sub} + R"(","exp":)" +
                             std::to_string(kHarnessTime + lives) + std::string{more} + "}";
  return *sign_token(claims, key);
}
std::string bearer(std::string_view text) { return "Authorization: Bearer " + std::string{text} + "\r\n"; }
std::string auth(std::string_view text) { return R"({"type":"auth","id":9,"token":")" + std::string{text} + "\"}"; }
CoreClient& known(CoreHarness& node, std::string_view claims = R"(,"subscribe":["orders"])",
                  std::int64_t lives = 3'600) {
  CoreClient& client = node.open("/ws/connect", 0, bearer(token(claims, "alice", lives)));
  (void)CoreHarness::take_texts(client);
  return client;
}
/// What a request with this token is answered.
std::string with_token(CoreHarness& node, std::string_view text, std::string_view target = "/ws/connect") {
  return ask(node, get(target, bearer(text)));
}

// ---- nodes ----

CoreOptions plain() {
  CoreOptions options;
  options.heartbeat.interval = milliseconds{0};
  return options;
}
CoreOptions authenticating() {
  CoreOptions options = plain();
  options.access.authenticates = true;
  return options;
}
CoreOptions with(const std::function<void(CoreOptions&)>& change) {
  CoreOptions options = plain();
  change(options);
  return options;
}

// ---- compression ----

constexpr std::string_view kDeflate = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
std::string packed(std::string_view message) {
  std::string out(message.size() + 64, '\0');
  MessageDeflater deflater;
  out.resize(deflater.deflate(as_bytes(message), {reinterpret_cast<std::uint8_t*>(out.data()), out.size()}));
  return out;
}
std::string closed_for(CoreHarness& node, std::string_view fields, std::string_view frame) {
  CoreClient& client = node.native(0, "/ws/connect", fields);
  node.bytes(client, frame);
  node.run();
  return closed(client);
}
std::string compressed(std::string_view payload) {
  return CoreHarness::masked({.opcode = Opcode::text, .compressed = true}, payload);
}

struct RefusalRow {
  std::string_view sentence;
  CoreOptions options;
  std::function<std::string(CoreHarness&)> play;  // what the client was told
  std::string_view told;
  std::vector<CounterId> counters;
  std::string_view event;  // empty: it is served all the same
};

void expect_rows(const std::vector<RefusalRow>& rows) {
  const Authenticator authenticator = make_authenticator("user mallory\n");
  for (const RefusalRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    CoreHarness node{row.options, 0, 0, nullptr, &authenticator, kUsageBytes};
    EXPECT_EQ(row.play(node), row.told);
    for (const CounterId counter : row.counters) {
      EXPECT_GE(node.count(counter), 1U) << kCounters[std::to_underlying(counter)].label << ' '
                                         << kCounters[std::to_underlying(counter)].label_set;
    }
    const auto events = node.events();
    EXPECT_TRUE(row.event.empty() || std::ranges::count(events, row.event) != 0) << testing::PrintToString(events);
    EXPECT_TRUE(!row.event.empty() || events.empty()) << testing::PrintToString(events);
  }
}

// ---- the tables ----

TEST(Refusals, OfARequestHaveTheirStatusTheirCountersAndTheirEvent) {
  using enum CounterId;
  const auto request = [](std::string sent) {
    return [text = std::move(sent)](CoreHarness& node) { return ask(node, text); };
  };
  expect_rows({
      {"no HTTP", plain(), request("\x16\x03\x01 hello\r\n\r\n"), "400", {handshakes_failed_400}, "handshake_failed"},
      {"no upgrade", plain(), request("POST /ws HTTP/1.1\r\nHost: localhost\r\n\r\n"), "405", {handshakes_failed_405},
       "handshake_failed"},
      {"a browser's visit", plain(), request("GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n"), "426",
       {handshakes_failed_426}, "handshake_failed"},
      {"no such path", plain(), request(get("/nothing")), "404", {handshakes_failed_404}, "handshake_failed"},
      {"a head too large", plain(), request(get("/ws", "X: " + std::string(20'000, 'x') + "\r\n")), "431",
       {handshakes_failed_431}, "handshake_failed"},
      {"a name that no user can have", plain(), request(get("/ws/connect?user=a*")), "400", {handshakes_failed_400},
       "handshake_failed"},
      {"a foreign page", plain(), request(get("/ws", "Origin: https://evil.example\r\n")), "403",
       {connections_refused_origin, handshakes_failed_403}, "handshake_failed"},
      {"a name that was made to point here", plain(), request(get("/ws", "", "evil.example")), "403",
       {connections_refused_host, handshakes_failed_403}, "handshake_failed"},
      {"terms of compression that are not to be had", plain(),
       request(get("/ws", "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=7\r\n")), "101",
       {deflate_declined}, ""},
  });
}

TEST(Refusals, OfWhoTakesPlacesHaveTheirAnswerTheirCountersAndTheirEvent) {
  using enum CounterId;
  const CoreOptions one = with([](CoreOptions& options) { options.limits.connections = 1; });
  const CoreOptions one_an_address = with([](CoreOptions& options) { options.limits.connections_per_address = 1; });
  const CoreOptions proxies =
      with([](CoreOptions& options) { options.access.trusted_proxies = {*parse_ip_range("10.0.0.0/8")}; });
  const auto taken = [](const CoreClient& client) { return std::string{client.accepted ? "taken" : "not taken"}; };
  expect_rows({
      {"a request that does not come", plain(),
       [](CoreHarness& node) {
         CoreClient& slow = node.connect();
         node.bytes(slow, "GET /ws HTT");
         node.advance(node.options.limits.handshake_time + milliseconds{1});
         return status(node, slow);
       },
       "408", {handshakes_failed_408, handshake_timeouts}, "handshake_failed"},
      {"one too many", one,
       [](CoreHarness& node) {
         node.native();
         return ask(node, get("/ws"));
       },
       "503", {connections_refused_capacity, handshakes_failed_503}, "connection_refused"},
      {"far too many", one,
       [&](CoreHarness& node) {
         for (std::uint32_t i = 0; i < 1 + kRefusalSlots; ++i) node.connect();
         return taken(node.connect());
       },
       "not taken", {connections_refused_capacity}, "connection_refused"},
      {"who says nothing while others wait outside", one,
       [](CoreHarness& node) {
         const CoreClient& silent = node.connect();
         node.advance(milliseconds{1'001});
         EXPECT_EQ(ask(node, get("/ws")), "101");
         return std::string{silent.reset ? "reset" : "there"};
       },
       "reset", {half_open_evicted}, "half_open_evicted"},
      {"one too many of an address", one_an_address,
       [](CoreHarness& node) {
         ask(node, get("/ws"), peer("192.0.2.7"));
         return ask(node, get("/ws"), peer("192.0.2.7"));
       },
       "429", {connections_refused_address, handshakes_failed_429}, "address_refused"},
      {"far too many of an address", one_an_address,
       [&](CoreHarness& node) {
         for (int i = 0; i < 50; ++i) node.connect(0, peer("192.0.2.7"));
         return taken(node.connect(0, peer("192.0.2.7")));
       },
       "not taken", {connections_refused_address}, "address_refused"},
      {"a PROXY header of anybody", proxies,
       [](CoreHarness& node) {
         return ask(node, "PROXY TCP4 192.0.2.9 10.0.0.1 4711 443\r\n" + get("/ws"), peer("192.0.2.7"));
       },
       "400", {proxy_headers_untrusted, handshakes_failed_400}, "proxy_refused"},
      {"a PROXY header that cannot be read", proxies,
       [](CoreHarness& node) { return ask(node, "PROXY TCP9 x\r\n" + get("/ws"), peer("10.0.0.1")); }, "400",
       {proxy_headers_malformed, handshakes_failed_400}, "proxy_refused"},
  });
}

TEST(Refusals, OfATokenHaveTheirStatusTheirReasonAndTheirEvent) {
  using enum CounterId;
  const auto row = [](std::string_view sentence, std::string sent, CounterId reason) {
    return RefusalRow{.sentence = sentence,
                      .options = authenticating(),
                      .play = [text = std::move(sent)](CoreHarness& node) { return with_token(node, text); },
                      .told = "401",
                      .counters = {reason, handshakes_failed_401, tokens_received_header},
                      .event = "token_refused"};
  };
  expect_rows({
      row("garbled", "abc.def.ghi", tokens_refused_malformed),
      row("oversize", std::string(8'193, 'a'), tokens_refused_too_large),
      row("unsigned", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.", tokens_refused_unsigned),
      row("another algorithm's", std::string{test_keys::kRs256Token}, tokens_refused_wrong_algorithm),
      row("of a key that nobody has", token("", "alice", 3'600, test_keys::kSecret, "other"),
          tokens_refused_unknown_key),
      row("signed with another key", token("", "alice", 3'600, test_keys::kOtherSecret), tokens_refused_bad_signature),
      row("a permission that is no pattern", token(R"(,"subscribe":[">x"])"), tokens_refused_bad_claims),
      row("expired", token("", "alice", -31), tokens_refused_expired),
      row("not valid yet", token(R"(,"nbf":)" + std::to_string(kHarnessTime + 60)), tokens_refused_not_yet_valid),
      row("another issuer's",
          token("", "alice", 3'600, test_keys::kSecret, "", R"("iss":"elsewhere","aud":"feed")"),
          tokens_refused_wrong_issuer),
      row("for another audience",
          token("", "alice", 3'600, test_keys::kSecret, "", R"("iss":"desk","aud":"elsewhere")"),
          tokens_refused_wrong_audience),
      row("revoked", token("", "mallory"), tokens_refused_revoked),
      {"none where one is needed at once", authenticating(),
       [](CoreHarness& node) { return ask(node, get("/ws/orders")); }, "401", {handshakes_failed_401},
       "handshake_failed"},
      {"in two places", authenticating(),
       [](CoreHarness& node) { return ask(node, get("/ws?token=" + token(), bearer(token()))); }, "400",
       {tokens_refused_malformed, handshakes_failed_400}, "handshake_failed"},
      {"more than can be checked in time", with([](CoreOptions& options) {
         options.access.authenticates = true;
         options.access.verifications_per_second = 1;
       }),
       [](CoreHarness& node) {
         std::vector<CoreClient*> clients;
         for (int i = 0; i < 20; ++i) {
           clients.push_back(&node.connect());
           node.bytes(*clients.back(), get("/ws/connect", bearer(token())));
         }
         node.advance(seconds{6});
         return status(node, *clients.back());
       },
       "503", {tokens_waited, handshakes_failed_503}, "handshake_failed"},
  });
}

TEST(Refusals, OfWhoIsInsideAndMayNotStayHaveTheirCloseCodeTheirCountersAndTheirEvent) {
  using enum CounterId;
  const Authenticator stricter = make_authenticator("user alice\n");
  expect_rows({
      {"a bad token in a message", authenticating(),
       [](CoreHarness& node) {
         CoreClient& client = node.native();
         node.say(client, auth(token("", "alice", -31)));
         return closed(client);
       },
       "4001", {tokens_refused_expired, errors_sent_auth_failed, closed_4001}, "token_refused"},
      {"another user's token", authenticating(),
       [](CoreHarness& node) {
         CoreClient& client = known(node);
         node.say(client, auth(token("", "bob")));
         return closed(client);
       },
       "4001", {tokens_refused_other_user, errors_sent_auth_failed, closed_4001}, "token_refused"},
      {"no token in time", authenticating(),
       [](CoreHarness& node) {
         CoreClient& client = node.native();
         node.advance(node.options.limits.handshake_time + milliseconds{1});
         return closed(client);
       },
       "4001", {auth_timeouts, closed_4001}, "auth_timeout"},
      {"a token that has expired meanwhile", authenticating(),
       [](CoreHarness& node) {
         CoreClient& client = known(node, "", 60);
         node.advance(seconds{91});
         return closed(client);
       },
       "4002", {closed_4002, auth_notices}, "auth_expired"},
      {"a token that was revoked", authenticating(),
       [&](CoreHarness& node) {
         CoreClient& client = known(node);
         node.core().set_authenticator(&stricter);
         node.run();
         return closed(client);
       },
       "1008", {permissions_revoked, closed_1008}, "access_revoked"},
      {"a newer token that does not allow what is subscribed", authenticating(),
       [](CoreHarness& node) {
         CoreClient& client = known(node);
         node.say(client, subscribe("orders"));
         node.say(client, auth(token(R"(,"subscribe":["trades"])")));
         return closed(client);
       },
       "1008", {permissions_revoked, closed_1008}, "access_revoked"},
      {"a stranger's message that is not small", authenticating(),
       [](CoreHarness& node) {
         CoreClient& client = node.native();
         node.say(client, std::string(kStrangerBytesMax + 1, ' '));
         return closed(client);
       },
       "1009", {protocol_errors, closed_1009}, "protocol_error"},
      {"too many mistakes", with([](CoreOptions& options) { options.errors.errors_max = 2; }),
       [](CoreHarness& node) {
         CoreClient& client = node.native();
         for (int i = 0; i < 3; ++i) node.text(client, "nonsense");
         node.run();
         return closed(client);
       },
       "4003", {errors_sent_invalid_message, closed_4003}, "client_errors"},
      {"a compressed message that does not unpack", plain(),
       [](CoreHarness& node) { return closed_for(node, kDeflate, compressed("garbage")); }, "1007",
       {inflate_refused_corrupt, protocol_errors, closed_1007}, "protocol_error"},
      {"a deflate bomb", plain(),
       [](CoreHarness& node) { return closed_for(node, kDeflate, compressed(packed(std::string(8U << 20, 'a')))); },
       "1009", {inflate_refused_too_large, protocol_errors, closed_1009}, "protocol_error"},
      {"a compressed text that is no UTF-8", plain(),
       [](CoreHarness& node) { return closed_for(node, kDeflate, compressed(packed(std::string(100, '\xff')))); },
       "1007", {inflate_refused_utf8, protocol_errors, closed_1007}, "protocol_error"},
      {"a compressed message where that was not agreed", plain(),
       [](CoreHarness& node) { return closed_for(node, "", compressed(packed("hello"))); }, "1002",
       {protocol_errors, closed_1002}, "protocol_error"},
  });
}

TEST(Refusals, OfACommandHaveTheirCodeTheirCountersAndTheirEvent) {
  using enum CounterId;
  const CoreOptions limited = with([](CoreOptions& options) {
    options.rate.messages_per_second = 1;
    options.rate.burst = 1;
    options.rate.publish_per_second = 1;
    options.rate.publish_burst = 1;
  });
  const auto twice = [](std::string sent) {
    return [command = std::move(sent)](CoreHarness& node) {
      CoreClient& client = node.native();
      (void)said(node, client, command);
      return said(node, client, command);
    };
  };
  expect_rows({
      {"a subscribe before it has said who it is", authenticating(),
       [](CoreHarness& node) { return said(node, node.native(), subscribe("orders")); }, "auth_required",
       {errors_sent_auth_required}, "permission_refused"},
      {"a channel that the token does not allow", authenticating(),
       [](CoreHarness& node) { return said(node, known(node), subscribe("secret")); }, "unauthorized",
       {permissions_refused_subscribe, errors_sent_unauthorized}, "permission_refused"},
      {"a publish that it does not allow", authenticating(),
       [](CoreHarness& node) { return said(node, known(node), publish("orders")); }, "unauthorized",
       {permissions_refused_publish, errors_sent_unauthorized}, "permission_refused"},
      {"a stream in the URL that it does not allow", authenticating(),
       [](CoreHarness& node) { return with_token(node, token(R"(,"subscribe":["orders"])"), "/ws/secret"); }, "403",
       {permissions_refused_subscribe, handshakes_failed_403}, "permission_refused"},
      {"too many commands", limited, twice(std::string{kPing}), "rate_limited",
       {rate_limited_connection, errors_sent_rate_limited}, "rate_limited"},
      {"too many publishes", limited, twice(publish("orders")), "rate_limited",
       {rate_limited_publish, errors_sent_rate_limited}, "rate_limited"},
      {"too many pings", limited,
       [](CoreHarness& node) {
         CoreClient& client = node.native();
         for (int i = 0; i < 3; ++i) node.bytes(client, CoreHarness::masked(Opcode::ping, "x"));
         node.run();
         return std::to_string(CoreHarness::take_frames(client).size()) + " pong";
       },
       "1 pong", {rate_limited_ping}, "rate_limited"},
      {"too many commands of a user", with([](CoreOptions& options) {
         options.access.authenticates = true;
         options.rate.user_messages_per_second = 1;
       }),
       [](CoreHarness& node) {
         for (int i = 0; i < 2; ++i) (void)said(node, known(node), kPing);
         return said(node, known(node), kPing);
       },
       "rate_limited", {rate_limited_user, errors_sent_rate_limited}, "rate_limited"},
      {"too many commands of an address",
       with([](CoreOptions& options) { options.rate.address_messages_per_second = 1; }),
       [](CoreHarness& node) {
         CoreClient& client = node.connect(0, peer("192.0.2.7"));
         node.bytes(client, get("/ws/connect"));
         node.run();
         (void)node.take_head(client);
         for (int i = 0; i < 2; ++i) (void)said(node, client, kPing);
         return said(node, client, kPing);
       },
       "rate_limited", {rate_limited_address, errors_sent_rate_limited}, "rate_limited"},
      {"a subscribe that could not be written down",
       with([](CoreOptions& options) { options.errors.errors_max = 0; }),
       [](CoreHarness& node) {
         CoreClient& client = node.native();
         for (int i = 0; i < 1'000 && node.count(usage_refusals) == 0; ++i) {
           node.say(client, subscribe("channel." + std::to_string(i)));
         }
         return error(client);
       },
       "overloaded", {usage_refusals, errors_sent_overloaded}, "usage_refused"},
  });
}

}  // namespace
}  // namespace ringcast
