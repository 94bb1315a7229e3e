// Tokens, permissions, rates and limits of an address, on a node of shard cores (docs/protocol.md sections 1 to 3).
#include <gtest/gtest.h>

#include "codec/deflate/message_deflater.hpp"
#include "engine/access/authenticator.hpp"
#include "engine/access/token_signer.hpp"
#include "tests/doubles/binary_records.hpp"
#include "tests/doubles/core_harness.hpp"
#include "tests/doubles/test_keys.hpp"

namespace ringcast {
namespace {

using Texts = std::vector<std::string>;

constexpr std::int64_t kHarnessTime = 1'790'000'000;  // CoreHarness::now begins here

Authenticator make_authenticator(std::string_view revoked = {}, std::string_view secret = test_keys::kSecret) {
  AuthenticatorRules rules;
  rules.keys = *read_verify_keys(secret);
  rules.revocations = *Revocations::read(revoked);
  return Authenticator{std::move(rules)};
}
CoreOptions authenticating(std::uint32_t shards = 1) {
  CoreOptions options;
  options.shards = shards;
  options.access.authenticates = true;
  options.heartbeat.interval = milliseconds{0};  // these clients answer no pings, and are to live for minutes
  return options;
}
/// `more` are members behind sub and exp: ,"subscribe":["orders"]
std::string token_of(std::string_view user, std::string_view more = {}, std::int64_t lives = 3'600) {
  const std::string claims = R"({"sub":")" + std::string{user} + R"(","exp":)" + std::to_string(kHarnessTime + lives) +
                             std::string{more} + "}";
  return *sign_token(claims, *read_secret(test_keys::kSecret));
}
std::string bearer(std::string_view token) { return "Authorization: Bearer " + std::string{token} + "\r\n"; }
std::string auth(std::string_view token) { return R"({"type":"auth","id":9,"token":")" + std::string{token} + "\"}"; }

class AccessTest : public testing::Test {
 protected:
  /// The answer's status line and fields; the client may be used on if it is 101.
  std::string ask(CoreHarness& node, std::string_view request, CoreClient** opened = nullptr) {
    CoreClient& client = node.connect();
    node.bytes(client, request);
    node.run();
    if (opened != nullptr) *opened = &client;
    return node.take_head(client);
  }
  /// A client whose token was good; what it was told at first has been taken off.
  static CoreClient& known(CoreHarness& node, std::string_view token, std::uint32_t shard = 0) {
    CoreClient& client = node.open("/ws/connect", shard, bearer(token));
    EXPECT_TRUE(contains(CoreHarness::take_texts(client), R"("auth":"ok")"));
    return client;
  }
  static Texts answers(CoreHarness& node, CoreClient& client, std::string_view command) {
    node.say(client, command);
    return CoreHarness::take_texts(client);
  }
  static bool contains(const Texts& texts, std::string_view part) {
    return std::ranges::any_of(texts, [part](const std::string& text) { return text.find(part) != std::string::npos; });
  }
  Authenticator authenticator = make_authenticator();
};

// ---- where a token may come from ----

struct WayRow {
  std::string_view sentence;
  std::string request;
  std::string_view status;
  std::string_view field;  // must be in the answer
  std::string_view welcome;
  CounterId counted;
};

TEST_F(AccessTest, ATokenComesInAFieldAUrlASubprotocolOrAMessageAndIsNeverToldBack) {
  const std::string token = token_of("alice", R"(,"subscribe":["orders"])");
  const auto request = [](std::string target, std::string fields = {}) { return CoreHarness::request(target, fields); };
  using enum CounterId;
  const WayRow rows[] = {
      {"in Authorization", request("/ws/connect", bearer(token)), "101", "", R"("auth":"ok")", tokens_received_header},
      {"the scheme in any case", request("/ws/connect", "authorization: bEARER " + token + "\r\n"), "101", "",
       R"("auth":"ok")", tokens_received_header},
      {"in the URL", request("/ws/connect?token=" + token), "101", "", R"("auth":"ok")", tokens_received_query},
      {"in the URL, encoded", request("/ws/connect?user=x&token=%65" + token.substr(1)), "101", "", R"("auth":"ok")",
       tokens_received_query},
      {"as a subprotocol beside ours",
       request("/ws/connect", "Sec-WebSocket-Protocol: bearer." + token + ", ringcast.v1.json\r\n"), "101",
       "Sec-WebSocket-Protocol: ringcast.v1.json\r\n", R"("auth":"ok")", tokens_received_subprotocol},
      {"as a subprotocol behind ours, in a field of its own",
       request("/ws", "Sec-WebSocket-Protocol: ringcast.v1.json\r\nSec-WebSocket-Protocol: bearer." + token + "\r\n"),
       "101", "Sec-WebSocket-Protocol: ringcast.v1.json\r\n", R"("auth":"ok")", tokens_received_subprotocol},
      {"nowhere yet: there is a message for it", request("/ws/connect"), "101", "", R"("auth":"required")",
       connections_accepted},
      {"somebody else's Authorization is none of ours", request("/ws/connect", "Authorization: Basic eDp5\r\n"), "101",
       "", R"("auth":"required")", connections_accepted},
      {"in two places", request("/ws/connect?token=" + token, bearer(token)), "400", "", "", handshakes_failed_400},
      {"twice in a URL", request("/ws/connect?token=" + token + "&token=" + token), "400", "", "",
       handshakes_failed_400},
      {"in two Authorizations", request("/ws/connect", bearer(token) + bearer(token)), "400", "", "",
       handshakes_failed_400},
      {"with a bad escape", request("/ws/connect?token=%zz"), "400", "", "", handshakes_failed_400},
      {"an empty one", request("/ws/connect", "Authorization: Bearer\r\n"), "401", "error=\"invalid_token\"", "",
       tokens_refused_malformed},
      {"an empty one in the URL", request("/ws/connect?token="), "401", "error=\"invalid_token\"", "",
       tokens_refused_malformed},
      {"a garbled one", request("/ws/connect", bearer("abc.def.ghi")), "401", "the token is malformed", "",
       tokens_refused_malformed},
      {"one that has expired", request("/ws/connect", bearer(token_of("alice", "", -31))), "401",
       "the token has expired", "", tokens_refused_expired},
      {"an oversize one", request("/ws/connect?token=" + std::string(8'193, 'a')), "401", "the token is too large", "",
       tokens_refused_too_large},
      {"an oversize one, encoded", request("/ws/connect?token=%61" + std::string(9'000, 'a')), "401",
       "the token is too large", "", tokens_refused_too_large},
      {"for a stream it is needed at once", request("/ws/orders"), "401",
       "WWW-Authenticate: Bearer realm=\"ringcast\"\r\n", "", handshakes_failed_401},
      {"for streams too", request("/stream?streams=orders"), "401", "WWW-Authenticate: Bearer realm=\"ringcast\"\r\n",
       "", handshakes_failed_401},
      {"for the echo too", request("/echo"), "401", "WWW-Authenticate: Bearer realm=\"ringcast\"\r\n", "",
       handshakes_failed_401},
      {"a stream that it does not allow", request("/ws/secret", bearer(token)), "403", "", "",
       permissions_refused_subscribe},
      {"one stream of several that it does not allow", request("/stream?streams=orders/secret", bearer(token)), "403",
       "", "", handshakes_failed_403},
      {"a stream that it allows", request("/ws/orders", bearer(token)), "101", "", "", tokens_accepted},
  };
  for (const WayRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    CoreOptions options = authenticating();
    options.echo = true;
    CoreHarness node{options, 0, 0, nullptr, &authenticator};
    CoreClient* client = nullptr;
    const std::string head = ask(node, row.request, &client);
    EXPECT_EQ(head.substr(0, 13), "HTTP/1.1 " + std::string{row.status} + " ") << head;
    EXPECT_NE(head.find(row.field), std::string::npos) << head;
    EXPECT_EQ((head + client->received).find(token.substr(0, 20)), std::string::npos);
    EXPECT_GE(node.count(row.counted), 1U);
    const Texts texts = row.status == "101" ? CoreHarness::take_texts(*client) : Texts{};
    if (!row.welcome.empty()) {
      ASSERT_FALSE(texts.empty());
      EXPECT_NE(texts[0].find(row.welcome), std::string::npos) << texts[0];
    }
    for (std::uint64_t i = 0; i < node.core().connections(); ++i) node.end(*client);
    EXPECT_EQ(node.budget().used(Purpose::inboxes), 0U);
  }
}

TEST_F(AccessTest, WithoutAuthenticationNobodyLooksAtTokens) {
  CoreHarness node;
  CoreClient& client = node.open("/ws/connect?token=nonsense", 0, "Authorization: Bearer nonsense\r\n");
  EXPECT_TRUE(contains(CoreHarness::take_texts(client), R"("auth":"anonymous")"));
  EXPECT_TRUE(contains(answers(node, client, auth("x")), R"("code":"not_supported")"));
  EXPECT_TRUE(contains(answers(node, client, R"({"type":"subscribe","id":1,"channels":["orders"]})"), "subscribed"));
}

// ---- the auth message ----

TEST_F(AccessTest, UntilItHasSaidWhoItIsAClientMayOnlyPing) {
  CoreHarness node{authenticating(), 0, 0, nullptr, &authenticator};
  CoreClient& client = node.native();
  const std::string_view commands[] = {R"({"type":"subscribe","id":1,"channels":["orders"]})",
                                       R"({"type":"publish","id":1,"channel":"orders","data":1})",
                                       R"({"type":"history","id":1,"channel":"orders"})",
                                       R"({"type":"unsubscribe","id":1,"channels":["orders"]})"};
  for (const std::string_view command : commands) {
    EXPECT_TRUE(contains(answers(node, client, command), R"("code":"auth_required")")) << command;
  }
  EXPECT_EQ(node.count(CounterId::errors_sent_auth_required), 4U);
  EXPECT_EQ(node.count(CounterId::messages_published), 0U);
  EXPECT_EQ(answers(node, client, R"({"type":"ping","id":2})"), Texts{R"({"type":"pong","id":2})"});
  const Texts granted = answers(node, client, auth(token_of("alice", R"(,"subscribe":["orders"])")));
  ASSERT_FALSE(granted.empty());
  EXPECT_EQ(granted.front(), R"({"type":"auth_success","id":9,"user":"alice","expires_in_ms":3630000})");
  EXPECT_TRUE(contains(answers(node, client, commands[0]), R"("type":"subscribed")"));
  EXPECT_TRUE(contains(answers(node, client, commands[1]), R"("code":"unauthorized")"));
}

TEST_F(AccessTest, AnExchangeClientWithoutATokenIsToldSo) {
  CoreHarness node{authenticating(), 0, 0, nullptr, &authenticator};
  CoreClient& client = node.open("/ws");
  const Texts texts = answers(node, client, R"({"method":"SUBSCRIBE","params":["orders"],"id":1})");
  ASSERT_EQ(texts.size(), 1U);
  EXPECT_NE(texts[0].find(R"("error")"), std::string::npos);
  EXPECT_EQ(node.count(CounterId::errors_sent_auth_required), 1U);
}

TEST_F(AccessTest, ABadTokenInAMessageCloses4001) {
  const struct {
    std::string_view sentence;
    std::string token;
    CounterId counted;
  } rows[] = {
      {"garbled", "nonsense", CounterId::tokens_refused_malformed},
      {"expired", token_of("alice", "", -31), CounterId::tokens_refused_expired},
      {"unsigned", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.", CounterId::tokens_refused_unsigned},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.sentence);
    CoreHarness node{authenticating(), 0, 0, nullptr, &authenticator};
    CoreClient& client = node.native();
    node.say(client, auth(row.token));
    const auto frames = CoreHarness::take_frames(client);
    ASSERT_EQ(frames.size(), 2U);
    EXPECT_NE(frames[0].payload.find(R"("id":9,"code":"auth_failed")"), std::string::npos) << frames[0].payload;
    EXPECT_EQ(frames[0].payload.find(row.token), std::string::npos);
    EXPECT_EQ(value(parse_close_payload(as_bytes(frames[1].payload))->code), 4001);
    EXPECT_EQ(node.count(row.counted), 1U);
    EXPECT_EQ(node.count(CounterId::closed_4001), 1U);
  }
}

TEST_F(AccessTest, WhoSendsNoTokenInTimeIsClosedWith4001) {
  CoreHarness node{authenticating(), 0, 0, nullptr, &authenticator};
  CoreClient& silent = node.native();
  CoreClient& chatty = node.native();
  CoreClient& good = node.native();
  node.say(good, auth(token_of("alice")));
  (void)CoreHarness::take_texts(good);
  for (int i = 0; i < 9; ++i) {
    node.advance(milliseconds{500});
    node.say(chatty, R"({"type":"ping"})");
  }
  EXPECT_FALSE(silent.server_fin);
  node.advance(milliseconds{501});
  EXPECT_EQ(CoreHarness::take_close(silent), 4001);
  EXPECT_EQ(CoreHarness::take_close(chatty), 4001);
  EXPECT_EQ(node.count(CounterId::auth_timeouts), 2U);
  EXPECT_EQ(answers(node, good, R"({"type":"ping"})"), Texts{R"({"type":"pong"})"});
}

TEST_F(AccessTest, AStrangersMessageIsSmall) {
  CoreHarness node{authenticating(), 0, 0, nullptr, &authenticator};
  CoreClient& stranger = node.native();
  node.say(stranger, R"({"type":"ping","x":")" + std::string(kStrangerBytesMax, 'x') + "\"}");
  EXPECT_EQ(CoreHarness::take_close(stranger), 1009);
  CoreClient& packer = node.native(0, "/ws/connect", "Sec-WebSocket-Extensions: permessage-deflate\r\n");
  const std::string text = R"({"type":"ping","x":")" + std::string(kStrangerBytesMax, 'x') + "\"}";
  std::vector<std::uint8_t> packed(text.size());
  MessageDeflater deflater;
  packed.resize(deflater.deflate(as_bytes(text), packed));  // it is small only on the wire
  node.bytes(packer, CoreHarness::masked({.opcode = Opcode::text, .compressed = true}, as_text(packed)));
  node.run();
  EXPECT_EQ(CoreHarness::take_close(packer), 1009);
  CoreClient& known = node.native();
  node.say(known, auth(token_of("alice")));
  (void)CoreHarness::take_texts(known);
  EXPECT_EQ(answers(node, known, R"({"type":"ping","x":")" + std::string(kStrangerBytesMax, 'x') + "\"}"),
            Texts{R"({"type":"pong"})"});
}

// ---- expiry ----

TEST_F(AccessTest, ATokenThatExpiresIsAnnouncedAndThenCloses4002) {
  CoreOptions options = authenticating();
  CoreHarness node{options, 0, 0, nullptr, &authenticator};
  const std::string token = token_of("alice", R"(,"subscribe":["orders"])", 60);  // and 30 s of clock skew
  CoreClient& native = node.open("/ws/connect", 0, bearer(token));
  CoreClient& exchange = node.open("/ws/orders", 0, bearer(token));
  CoreClient& later = node.open("/ws/connect", 0, bearer(token_of("bob", "", 600)));
  (void)CoreHarness::take_texts(native);
  (void)CoreHarness::take_texts(later);
  node.advance(seconds{59});
  EXPECT_EQ(CoreHarness::take_texts(native), Texts{});
  node.advance(seconds{1} + milliseconds{1});
  EXPECT_EQ(CoreHarness::take_texts(native), Texts{R"({"type":"auth_required","expires_in_ms":30000})"});
  EXPECT_EQ(CoreHarness::take_texts(exchange), Texts{});  // the dialect has no word for it
  node.advance(seconds{29});
  EXPECT_EQ(CoreHarness::take_texts(native), Texts{});
  node.advance(seconds{1});
  EXPECT_EQ(CoreHarness::take_close(native), 4002);
  EXPECT_EQ(CoreHarness::take_close(exchange), 4002);
  EXPECT_EQ(node.count(CounterId::closed_4002), 2U);
  EXPECT_EQ(node.count(CounterId::auth_notices), 1U);
  EXPECT_FALSE(later.server_fin);
}

TEST_F(AccessTest, ARefreshedTokenGoesOnWithoutAGap) {
  CoreHarness node{authenticating(), 0, 0, nullptr, &authenticator};
  constexpr std::string_view kMay = R"(,"subscribe":["orders"],"publish":["orders"])";
  CoreClient& client = node.open("/ws/connect", 0, bearer(token_of("alice", kMay, 60)));
  node.say(client, R"({"type":"subscribe","channels":["orders"]})");
  (void)CoreHarness::take_texts(client);
  node.advance(seconds{61});
  EXPECT_TRUE(contains(CoreHarness::take_texts(client), "auth_required"));
  EXPECT_TRUE(contains(answers(node, client, auth(token_of("alice", kMay, 300))), R"("expires_in_ms":269)"));
  node.advance(seconds{60});
  node.say(client, R"({"type":"publish","channel":"orders","data":1})");
  EXPECT_TRUE(contains(CoreHarness::take_texts(client), R"("seq":1)"));
  node.advance(seconds{300});
  EXPECT_EQ(CoreHarness::take_close(client), 4002);
}

TEST_F(AccessTest, ARefreshedTokenMustBeTheSameUsersAndAllowWhatIsSubscribed) {
  const struct {
    std::string_view sentence;
    std::string token;
    std::uint16_t code;  // 0: goes on
    CounterId counted;
  } rows[] = {
      {"the same rights", token_of("alice", R"(,"subscribe":["orders","trades"])"), 0, CounterId::tokens_accepted},
      {"more rights", token_of("alice", R"(,"subscribe":[">"])"), 0, CounterId::tokens_accepted},
      {"fewer, but what is subscribed", token_of("alice", R"(,"subscribe":["orders"])"), 0, CounterId::tokens_accepted},
      {"at a rate", token_of("alice", R"(,"subscribe":["orders"],"max_rate":5)"), 1008, CounterId::permissions_revoked},
      {"conflating", token_of("alice", R"(,"subscribe":["orders"],"conflate":true)"), 1008,
       CounterId::permissions_revoked},
      {"not what is subscribed", token_of("alice", R"(,"subscribe":["trades"])"), 1008, CounterId::permissions_revoked},
      {"another user", token_of("bob", R"(,"subscribe":["orders"])"), 4001, CounterId::tokens_refused_other_user},
      {"not good", token_of("alice", "", -100), 4001, CounterId::tokens_refused_expired},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.sentence);
    CoreHarness node{authenticating(), 0, 0, nullptr, &authenticator};
    CoreClient& client = node.open("/ws/connect", 0, bearer(token_of("alice", R"(,"subscribe":["orders","trades"])")));
    node.say(client, R"({"type":"subscribe","channels":["orders"]})");
    (void)CoreHarness::take_texts(client);
    node.say(client, auth(row.token));
    EXPECT_EQ(CoreHarness::take_close(client), row.code);
    EXPECT_GE(node.count(row.counted), 1U);
  }
}

// ---- the user ----

TEST_F(AccessTest, TheTokenNamesTheUserWhoseChannelItIsAndWhoIsListed) {
  CoreOptions options = authenticating();
  NamespaceRule room;
  room.match = "room.*";
  room.presence = true;
  options.namespaces = {room};
  for (const bool by_message : {false, true}) {
    SCOPED_TRACE(by_message);
    CoreHarness node{options, 0, 0, nullptr, &authenticator};
    const std::string token = token_of("alice", R"(,"subscribe":["room.*"],"conflate":true)");
    CoreClient& client =
        by_message ? node.native(0, "/ws/connect?user=bob") : node.open("/ws/connect?user=bob", 0, bearer(token));
    const Texts texts = by_message ? answers(node, client, auth(token)) : CoreHarness::take_texts(client);
    ASSERT_EQ(texts.size(), 2U);
    EXPECT_NE(texts[1].find(R"({"type":"subscribed","channels":[{"channel":"user:alice")"), std::string::npos)
        << texts[1];
    CoreClient& other = known(node, token_of("bob", R"(,"subscribe":["room.*"],"publish":["user:alice"])"));
    (void)answers(node, other, R"({"type":"subscribe","channels":["room.a"]})");
    EXPECT_TRUE(contains(answers(node, other, R"({"type":"presence","id":1,"channel":"room.a"})"), R"("bob")"));
    node.say(other, R"({"type":"publish","channel":"user:alice","data":"hello"})");
    EXPECT_TRUE(contains(CoreHarness::take_texts(client), R"("data":"hello")"));
  }
}

// ---- patterns ----

TEST_F(AccessTest, APatternBindsWhatTheTokenAllowsAlsoWhatIsCreatedLater) {
  for (const std::uint32_t shards : {1U, 2U}) {
    SCOPED_TRACE(shards);
    CoreHarness node{authenticating(shards), 0, 0, nullptr, &authenticator};
    CoreClient& writer = known(node, token_of("bob", R"(,"publish":[">"])"), shards - 1);
    const auto publish = [&](std::string_view channel) {
      node.say(writer, R"({"type":"publish","channel":")" + std::string{channel} + R"(","data":1})");
    };
    for (const std::string_view channel : {"orders.a", "secret.a", "orders.x.y"}) publish(channel);
    CoreClient& reader = known(node, token_of("alice", R"(,"subscribe":["orders.*","trades.*"])"));
    const Texts answer = answers(node, reader, R"({"type":"subscribe","id":1,"channels":[">"]})");
    EXPECT_TRUE(contains(answer, R"("matched":1)")) << answer.front();
    for (const std::string_view channel : {"orders.a", "secret.a", "secret.b", "orders.b", "trades.a", "orders.x.y"}) {
      publish(channel);
    }
    const Texts texts = CoreHarness::take_texts(reader);
    std::vector<std::string> messages;
    for (const std::string& text : texts) {
      EXPECT_FALSE(text.contains("secret") || text.contains("orders.x.y")) << text;
      if (text.starts_with(R"({"type":"message","channel":")")) messages.push_back(text.substr(29, 8));
    }
    std::ranges::sort(messages);
    EXPECT_EQ(messages, (Texts{"orders.a", "orders.b", "trades.a"}));
    EXPECT_EQ(node.count(CounterId::pattern_bindings), 3U);
    EXPECT_GE(node.count(CounterId::pattern_bindings_refused), 3U);
    EXPECT_EQ(node.count(CounterId::permissions_refused_subscribe), 0U);  // nobody asked for them by name

    node.say(reader, auth(token_of("alice", R"(,"subscribe":["orders.*"])")));
    EXPECT_EQ(CoreHarness::take_close(reader), 1008);  // trades.a is no longer allowed
    EXPECT_EQ(node.count(CounterId::pattern_bindings), 0U);
  }
}

TEST_F(AccessTest, APatternWithNothingInItForTheTokenIsRefusedAsAChannelIs) {
  CoreHarness node{authenticating(), 0, 0, nullptr, &authenticator};
  CoreClient& client = known(node, token_of("alice", R"(,"subscribe":["orders.*"])"));
  EXPECT_TRUE(contains(answers(node, client, R"({"type":"subscribe","id":1,"channels":["secret.*","secret"]})"),
                       R"("code":"unauthorized")"));
  EXPECT_EQ(node.count(CounterId::permissions_refused_subscribe), 2U);
  EXPECT_EQ(node.count(CounterId::patterns), 0U);
}

TEST_F(AccessTest, OnTheTermsThatATokenImposesOrNotAtAll) {
  CoreOptions options = authenticating();
  NamespaceRule quotes;
  quotes.match = "quotes.*";
  quotes.slow = SlowPolicy::conflate;
  NamespaceRule trades;
  trades.match = "trades.*";
  trades.slow = SlowPolicy::disconnect;
  options.namespaces = {quotes, trades};
  CoreHarness node{options, 0, 0, nullptr, &authenticator};
  CoreClient& writer = known(node, token_of("bob", R"(,"publish":[">"])"));
  for (const std::string_view channel : {"quotes.a", "trades.a"}) {
    node.say(writer, R"({"type":"publish","channel":")" + std::string{channel} + R"(","data":1})");
  }
  const struct {
    std::string_view sentence, claims, options;
    std::string_view matched, by_name;
  } rows[] = {
      {"nothing imposed, nothing asked for", "", "", R"("matched":2)", "subscribed"},
      {"asked for: others are served without", "", R"(,"options":{"conflate":true})", R"("matched":2)",
       "not_supported"},
      {"imposed: others are not served", R"(,"conflate":true)", "", R"("matched":1)", "not_supported"},
      {"a rate that is imposed", R"(,"max_rate":5)", "", R"("matched":1)", "not_supported"},
      {"imposed, and asked for otherwise", R"(,"conflate":true)", R"(,"options":{"conflate":false})", R"("matched":1)",
       "not_supported"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.sentence);
    const std::string claims = R"(,"subscribe":[">"])" + std::string{row.claims};
    CoreClient& client = known(node, token_of("alice", claims));
    const auto subscribe = [&](std::string_view channel) {
      return answers(node, client,
                     R"({"type":"subscribe","id":1,"channels":[")" + std::string{channel} + "\"]" +
                         std::string{row.options} + "}");
    };
    EXPECT_TRUE(contains(subscribe(">"), row.matched));
    (void)answers(node, client, R"({"type":"unsubscribe","channels":[">"]})");
    EXPECT_TRUE(contains(subscribe("trades.a"), row.by_name));
  }
}

// ---- revocation and other keys ----

TEST_F(AccessTest, AReloadEndsWhatNoLongerStandsAndNothingElse) {
  const Authenticator stricter = make_authenticator("token leaked\nuser mallory\n");
  CoreOptions options = authenticating(2);
  options.access.verifications_per_second = 1'000'000;
  CoreHarness node{options, 0, 0, nullptr, &authenticator};
  std::vector<CoreClient*> good, bad;
  for (std::uint32_t i = 0; i < 2'200; ++i) {  // more on each shard than one step looks at
    if (i % 8 == 0) node.advance(milliseconds{1});
    const bool is_bad = i % 1'000 == 7;
    const std::string token = is_bad ? token_of("mallory") : token_of("alice", R"(,"jti":"fine")");
    (is_bad ? bad : good).push_back(&node.open("/ws/connect", i % 2, bearer(token)));
  }
  bad.push_back(&node.open("/ws/connect", 0, bearer(token_of("alice", R"(,"jti":"leaked")"))));
  CoreClient& nobody = node.native();
  for (std::uint32_t shard = 0; shard < 2; ++shard) node.core(shard).set_authenticator(&stricter);
  node.run();
  for (CoreClient* client : bad) EXPECT_EQ(CoreHarness::take_close(*client), 1008);
  EXPECT_EQ(node.count(CounterId::permissions_revoked), bad.size());
  EXPECT_EQ(node.count(CounterId::closed_1008), bad.size());
  for (CoreClient* client : good) ASSERT_FALSE(client->server_fin);
  EXPECT_FALSE(nobody.server_fin);
  EXPECT_EQ(ask(node, CoreHarness::request("/ws", bearer(token_of("mallory")))).substr(0, 13), "HTTP/1.1 401 ");
  EXPECT_EQ(node.count(CounterId::tokens_refused_revoked), 1U);
}

TEST_F(AccessTest, WhenAKeyIsGoneSoAreThoseItVouchedFor) {
  const Authenticator other = make_authenticator("", test_keys::kOtherSecret);
  CoreHarness node{authenticating(), 0, 0, nullptr, &authenticator};
  CoreClient& client = node.open("/ws/connect", 0, bearer(token_of("alice")));
  node.core().set_authenticator(&other);
  node.run();
  EXPECT_EQ(CoreHarness::take_close(client), 1008);
}

// ---- how many tokens are checked ----

TEST_F(AccessTest, TokensBeyondTheRateWaitTheirTurnFirstComeFirstServed) {
  CoreOptions options = authenticating();
  options.access.verifications_per_second = 100;
  CoreHarness node{options, 0, 0, nullptr, &authenticator};
  const std::string token = token_of("alice", R"(,"subscribe":["orders"])");
  std::vector<CoreClient*> clients;
  for (int i = 0; i < 28; ++i) {
    clients.push_back(&node.connect());
    node.bytes(*clients.back(), CoreHarness::request("/ws/connect", bearer(token)) +
                                    CoreHarness::masked(Opcode::text, R"({"type":"ping"})"));
  }
  CoreClient& by_message = node.native();
  node.say(by_message, auth(token));
  EXPECT_EQ(node.count(CounterId::tokens_accepted), 8U);
  EXPECT_EQ(node.count(CounterId::tokens_waiting), 21U);
  EXPECT_EQ(CoreHarness::take_texts(by_message), Texts{});
  for (std::uint64_t served = 9; served <= 29; ++served) {
    node.advance(milliseconds{10});
    EXPECT_EQ(node.count(CounterId::tokens_accepted), served);
  }
  for (CoreClient* client : clients) {
    EXPECT_TRUE(node.take_head(*client).starts_with("HTTP/1.1 101 "));
    const Texts texts = CoreHarness::take_texts(*client);
    ASSERT_GE(texts.size(), 2U);
    EXPECT_EQ(texts.back(), R"({"type":"pong"})");  // what came behind the request is not lost
  }
  EXPECT_TRUE(contains(CoreHarness::take_texts(by_message), "auth_success"));
  EXPECT_EQ(node.count(CounterId::tokens_waiting), 0U);
  EXPECT_EQ(node.count(CounterId::tokens_waited), 21U);
  EXPECT_EQ(node.budget().used(Purpose::inboxes), 0U);
}

TEST_F(AccessTest, WhoWaitsTooLongIsToldToComeAgain) {
  CoreOptions options = authenticating();
  options.access.verifications_per_second = 1;
  CoreHarness node{options, 0, 0, nullptr, &authenticator};
  std::vector<CoreClient*> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(&node.connect());
    node.bytes(*clients.back(), CoreHarness::request("/ws/connect", bearer(token_of("alice"))));
  }
  node.end(*clients[10]);  // who leaves meanwhile is not waited for
  node.advance(seconds{6});
  EXPECT_EQ(node.count(CounterId::handshakes_failed_503), 7U);
  EXPECT_EQ(node.count(CounterId::tokens_accepted), 12U);  // eight at once, and four of those that waited
  const std::string head = node.take_head(*clients.back());
  EXPECT_TRUE(head.starts_with("HTTP/1.1 503 ")) << head;
  EXPECT_NE(head.find("Retry-After: 5\r\n"), std::string::npos);
  node.advance(seconds{3});
  EXPECT_EQ(node.budget().used(Purpose::inboxes), 0U);
}

TEST_F(AccessTest, WhatIsRefusedAtSightUsesUpNobodysVerification) {
  CoreOptions options = authenticating();
  options.access.verifications_per_second = 1;
  CoreHarness node{options, 0, 0, nullptr, &authenticator};
  const std::string unsigned_token = "eyJhbGciOiJub25lIn0.e30.";  // {"alg":"none"}
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(ask(node, CoreHarness::request("/ws/connect", bearer(i % 2 == 0 ? "x" : unsigned_token)))
                    .starts_with("HTTP/1.1 401 "));
  }
  EXPECT_EQ(node.count(CounterId::tokens_refused_malformed), 25U);
  EXPECT_EQ(node.count(CounterId::tokens_refused_unsigned), 25U);
  EXPECT_EQ(node.count(CounterId::tokens_received_header), 50U);
  CoreClient& by_message = node.native();
  node.say(by_message, auth("x"));
  EXPECT_EQ(CoreHarness::take_close(by_message), 4001);
  (void)known(node, token_of("alice"));
  EXPECT_EQ(node.count(CounterId::tokens_waited), 0U);
}

// ---- rates ----

CoreOptions limited() {
  CoreOptions options;
  options.rate.messages_per_second = 10;
  return options;
}

TEST_F(AccessTest, CommandsBeyondTheRateAreRefusedAndAtLastClose) {
  CoreHarness node{limited()};
  CoreClient& client = node.native();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(answers(node, client, R"({"type":"ping"})"), Texts{R"({"type":"pong"})"});
  EXPECT_EQ(
      answers(node, client, R"({"type":"ping","id":7})"),
      Texts{R"({"type":"error","id":7,"code":"rate_limited","message":"too many messages","retry_after_ms":100})"});
  node.advance(milliseconds{100});
  EXPECT_EQ(answers(node, client, R"({"type":"ping"})"), Texts{R"({"type":"pong"})"});
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(contains(answers(node, client, R"({"type":"ping"})"), "rate_limited"));
  node.say(client, R"({"type":"ping"})");
  EXPECT_EQ(CoreHarness::take_close(client), 4003);
  EXPECT_EQ(node.count(CounterId::rate_limited_connection), 6U);
  EXPECT_EQ(node.count(CounterId::errors_sent_rate_limited), 6U);
}

TEST_F(AccessTest, PublishesHaveARateOfTheirOwn) {
  CoreOptions options = limited();
  options.rate.publish_per_second = 5;
  CoreHarness node{options};
  CoreClient& client = node.native();
  constexpr std::string_view kPublish = R"({"type":"publish","id":1,"channel":"orders","data":1})";
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(contains(answers(node, client, kPublish), "published"));
  EXPECT_TRUE(
      contains(answers(node, client, kPublish),
               R"("code":"rate_limited","message":"too many messages","channel":"orders","retry_after_ms":200)"));
  EXPECT_EQ(answers(node, client, R"({"type":"ping"})"), Texts{R"({"type":"pong"})"});  // commands are counted apart
  EXPECT_EQ(node.count(CounterId::messages_published), 10U);
  EXPECT_EQ(node.count(CounterId::rate_limited_publish), 1U);
  CoreHarness unlimited{limited()};
  CoreClient& publisher = unlimited.native();
  for (int i = 0; i < 1'000; ++i) unlimited.text(publisher, R"({"type":"publish","channel":"orders","data":1})");
  unlimited.run();
  EXPECT_EQ(unlimited.count(CounterId::messages_published), 1'000U);
}

TEST_F(AccessTest, RecordsBeyondTheRateAreRefusedInRecordsAndThoseThatWaitedAreNotCountedTwice) {
  CoreOptions options = limited();
  options.rate.publish_per_second = 5;
  options.errors.errors_max = 0;
  CoreHarness node{options};
  CoreClient& client = node.native(0, "/ws/connect", "Sec-WebSocket-Protocol: ringcast.v1.bin\r\n");
  std::string records;
  for (std::uint64_t i = 1; i <= 12; ++i) {
    records += record_of({.channel = "orders", .data = "1", .request = i, .flags = RCB_ANSWER});
  }
  node.bytes(client, CoreHarness::masked(Opcode::binary, records));
  node.run();
  EXPECT_EQ(node.count(CounterId::messages_published), 10U);
  EXPECT_EQ(node.count(CounterId::rate_limited_publish), 2U);
  EXPECT_EQ(node.count(CounterId::errors_sent_rate_limited), 2U);
  std::size_t answers = 0;
  for (const ReceivedFrame& frame : CoreHarness::take_frames(client)) {
    ASSERT_EQ(frame.opcode, Opcode::binary);
    for (const std::string& words : words_of(frame.payload)) {
      ++answers;
      EXPECT_TRUE(words.starts_with((answers <= 10 ? "published " : "error ") + std::to_string(answers))) << words;
      EXPECT_EQ(words.contains("too many messages"), answers > 10) << words;
    }
  }
  EXPECT_EQ(answers, 12U);
}

TEST_F(AccessTest, PingFramesBeyondTheRateAreNotAnswered) {
  CoreHarness node{limited()};
  CoreClient& client = node.native();
  for (int i = 0; i < 50; ++i) node.bytes(client, CoreHarness::masked(Opcode::ping, "x"));
  node.run();
  EXPECT_EQ(CoreHarness::take_frames(client).size(), 20U);
  EXPECT_EQ(node.count(CounterId::rate_limited_ping), 30U);
  EXPECT_FALSE(client.server_fin);
}

PeerInfo peer_of(std::string_view address, std::uint16_t port = 4'711) {
  PeerInfo peer;
  peer.address = *parse_ip_address(address);
  peer.port = port;
  return peer;
}
CoreClient& open_from(CoreHarness& node, std::uint32_t shard, std::string_view address, std::string_view fields = {}) {
  CoreClient& client = node.connect(shard, peer_of(address));
  node.bytes(client, CoreHarness::request("/ws/connect", fields));
  node.run();
  return client;
}

TEST_F(AccessTest, AUserAndAnAddressHaveRatesOverAllTheirConnectionsOnAllShards) {
  CoreOptions options = authenticating(2);
  options.rate.messages_per_second = 10;
  options.rate.user_messages_per_second = 10;
  options.rate.address_messages_per_second = 20;
  CoreHarness node{options, 0, 0, nullptr, &authenticator};
  const auto pings = [&](CoreClient& client, int count) {
    int answered = 0;
    for (int i = 0; i < count; ++i) answered += contains(answers(node, client, R"({"type":"ping"})"), "pong") ? 1 : 0;
    return answered;
  };
  const std::string alice = bearer(token_of("alice")), bob = bearer(token_of("bob"));
  const auto open = [&](std::uint32_t shard, std::string_view address, std::string_view field) -> CoreClient& {
    CoreClient& client = open_from(node, shard, address, field);
    EXPECT_TRUE(node.take_head(client).starts_with("HTTP/1.1 101 "));
    return client;
  };
  CoreClient& one = open(0, "192.0.2.1", alice);
  CoreClient& two = open(1, "192.0.2.2", alice);
  CoreClient& three = open(1, "192.0.2.1", bob);
  CoreClient& four = open(0, "192.0.2.1", bearer(token_of("carol")));
  EXPECT_EQ(pings(one, 15), 15);
  EXPECT_EQ(pings(two, 15), 5);  // the user has had 20 in two seconds
  EXPECT_EQ(node.count(CounterId::rate_limited_user), 10U);
  EXPECT_EQ(pings(three, 20), 20);
  EXPECT_EQ(pings(four, 10), 5);  // the address has had 40
  EXPECT_EQ(node.count(CounterId::rate_limited_address), 5U);
  for (CoreClient* client : {&one, &two, &three, &four}) EXPECT_FALSE(client->server_fin);  // it is not their mistake
}

TEST_F(AccessTest, WhereLimitsAreOffNobodyHasAGuard) {
  CoreHarness node;
  CoreClient& client = node.native();
  for (int i = 0; i < 1'000; ++i) node.text(client, R"({"type":"ping"})");
  node.run();
  EXPECT_EQ(CoreHarness::take_texts(client).size(), 1'000U);
  EXPECT_EQ(node.boards.bytes(), 0U);
}

// ---- limits of an address ----

TEST_F(AccessTest, AnAddressHasAsManyConnectionsAsItMayHaveOnAllShardsTogether) {
  CoreOptions options;
  options.shards = 2;
  options.limits.connections_per_address = 3;
  CoreHarness node{options};
  std::vector<CoreClient*> clients;
  for (std::uint32_t i = 0; i < 3; ++i) {
    clients.push_back(&open_from(node, i % 2, "192.0.2.7"));
    EXPECT_TRUE(node.take_head(*clients.back()).starts_with("HTTP/1.1 101 "));
  }
  CoreClient& fourth = open_from(node, 1, "192.0.2.7");
  const std::string head = node.take_head(fourth);
  EXPECT_TRUE(head.starts_with("HTTP/1.1 429 ")) << head;
  EXPECT_NE(head.find("Retry-After: 10\r\n"), std::string::npos);
  EXPECT_EQ(node.count(CounterId::connections_refused_address), 1U);
  EXPECT_EQ(node.count(CounterId::handshakes_failed_429), 1U);
  EXPECT_TRUE(node.take_head(open_from(node, 0, "192.0.2.8")).starts_with("HTTP/1.1 101 "));
  EXPECT_TRUE(node.take_head(open_from(node, 0, "127.0.0.1")).starts_with("HTTP/1.1 101 "));
  node.end(*clients[0]);
  node.end(fourth);
  EXPECT_TRUE(node.take_head(open_from(node, 1, "192.0.2.7")).starts_with("HTTP/1.1 101 "));
}

TEST_F(AccessTest, ASiteOfIpv6IsOneAddressAndThisHostOnlyIfSomebodySaysSo) {
  CoreOptions options;
  options.limits.connections_per_address = 1;
  const auto second_is_refused = [&](std::string_view first, std::string_view second) {
    CoreHarness node{options};
    open_from(node, 0, first);
    return node.take_head(open_from(node, 0, second)).starts_with("HTTP/1.1 429 ");
  };
  EXPECT_TRUE(second_is_refused("2001:db8:1:2::1", "2001:db8:1:2:ffff::2"));
  EXPECT_FALSE(second_is_refused("2001:db8:1:2::1", "2001:db8:1:3::1"));
  EXPECT_FALSE(second_is_refused("127.0.0.1", "127.0.0.1"));
  EXPECT_FALSE(second_is_refused("::1", "::1"));
  options.access.spares_loopback = false;
  EXPECT_TRUE(second_is_refused("127.0.0.1", "127.0.0.1"));
}

TEST_F(AccessTest, WhoComesFarTooOftenIsNotEvenTold) {
  CoreOptions options;
  options.limits.connections_per_address = 2;
  CoreHarness node{options};
  int taken = 0;
  for (int i = 0; i < 100; ++i) taken += node.connect(0, peer_of("192.0.2.7")).accepted ? 1 : 0;
  EXPECT_EQ(taken, 10);
  EXPECT_TRUE(node.connect(0, peer_of("192.0.2.8")).accepted);
  EXPECT_EQ(node.count(CounterId::connections_refused_address), 98U);
}

// ---- proxies ----

struct ProxyRow {
  std::string_view sentence, peer;
  std::string before;  // the request
  std::string fields;
  std::string_view status;  // of the second such connection: one a client is allowed
  CounterId counted;
};

TEST_F(AccessTest, TheAddressIsTheOneThatATrustedProxySaysAndNobodyElse) {
  using namespace std::string_literals;
  const std::string binary = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x0a\0\0\x01\xa1\x2c\x01\xbb"s;
  const std::string local = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"s;
  using enum CounterId;
  const ProxyRow rows[] = {
      {"nobody in between", "192.0.2.7", "", "", "429", connections_refused_address},
      {"a proxy's own connections are not counted as one client's", "10.0.0.1", "", "X-Forwarded-For: 192.0.2.7\r\n",
       "429", forwarded_accepted},
      {"PROXY in text", "10.0.0.1", "PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\r\n", "", "429", proxy_headers_accepted},
      {"PROXY in bytes", "10.0.0.1", binary, "", "429", proxy_headers_accepted},
      {"PROXY names a proxy whose field names the client", "10.0.0.1", "PROXY TCP4 10.0.0.2 10.0.0.1 4711 443\r\n",
       "X-Forwarded-For: 192.0.2.7\r\n", "429", forwarded_accepted},
      {"a field that nobody vouches for", "192.0.2.7", "", "X-Forwarded-For: 10.9.9.9\r\n", "429", forwarded_untrusted},
      {"a field behind PROXY's client is that client's word", "10.0.0.1", binary, "X-Forwarded-For: 10.9.9.9\r\n",
       "429", forwarded_untrusted},
      {"PROXY from anybody", "192.0.2.7", "PROXY TCP4 192.0.2.9 10.0.0.1 4711 443\r\n", "", "400",
       proxy_headers_untrusted},
      {"PROXY in bytes from anybody", "192.0.2.7", binary, "", "400", proxy_headers_untrusted},
      {"PROXY that cannot be read", "10.0.0.1", "PROXY TCP9 x\r\n", "", "400", proxy_headers_malformed},
      {"PROXY twice", "10.0.0.1", "PROXY TCP4 10.0.0.2 10.0.0.1 1 2\r\nPROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n", "",
       "400", proxy_headers_untrusted},
      {"the proxy itself, looking", "10.0.0.1", local, "", "101", proxy_headers_accepted},
  };
  for (const ProxyRow& row : rows) {
    for (const bool byte_at_a_time : {false, true}) {
      SCOPED_TRACE(testing::Message() << row.sentence << (byte_at_a_time ? ", byte at a time" : ""));
      CoreOptions options;
      options.limits.connections_per_address = 1;
      options.access.trusted_proxies = {*parse_ip_range("10.0.0.0/8")};
      CoreHarness node{options};
      std::string head;
      for (int round = 0; round < 2; ++round) {
        CoreClient& client = node.connect(0, peer_of(row.peer));
        const std::string request = row.before + CoreHarness::request("/ws/connect", row.fields);
        for (std::size_t at = 0; at < request.size(); at += byte_at_a_time ? 1 : request.size()) {
          node.bytes(client, std::string_view{request}.substr(at, byte_at_a_time ? 1 : request.size()));
        }
        node.run();
        head = node.take_head(client);
      }
      EXPECT_EQ(head.substr(0, 13), "HTTP/1.1 " + std::string{row.status} + " ") << head;
      EXPECT_GE(node.count(row.counted), 1U);
    }
  }
}

// ---- half-open, lifetime ----

TEST_F(AccessTest, AtCapacityTheOldestHalfOpenMakesRoom) {
  CoreOptions options;
  options.limits.connections = 4;
  CoreHarness node{options};
  CoreClient& good = node.native();
  std::vector<CoreClient*> silent;
  for (int i = 0; i < 3; ++i) silent.push_back(&node.connect());
  EXPECT_TRUE(ask(node, CoreHarness::request("/ws")).starts_with("HTTP/1.1 503 "));  // they are young
  node.advance(milliseconds{1'001});
  EXPECT_TRUE(ask(node, CoreHarness::request("/ws")).starts_with("HTTP/1.1 101 "));
  EXPECT_TRUE(silent[0]->reset);
  EXPECT_FALSE(silent[1]->closed);
  EXPECT_FALSE(good.closed);
  EXPECT_EQ(node.count(CounterId::half_open_evicted), 1U);
}

TEST_F(AccessTest, WhoIsRefusedAnywayDrivesNobodyOut) {
  CoreOptions options;
  options.limits.connections = 14;
  options.limits.connections_per_address = 2;
  CoreHarness node{options};
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(node.connect(0, peer_of("192.0.2.7")).accepted);
  std::vector<CoreClient*> others;
  for (int i = 0; i < 4; ++i) others.push_back(&node.connect(0, peer_of("192.0.2." + std::to_string(10 + i))));
  node.advance(milliseconds{1'001});
  EXPECT_FALSE(node.connect(0, peer_of("192.0.2.7")).accepted);
  EXPECT_EQ(node.count(CounterId::half_open_evicted), 0U);
  EXPECT_TRUE(node.connect(0, peer_of("192.0.2.20")).accepted);
  EXPECT_EQ(node.count(CounterId::half_open_evicted), 1U);
}

TEST_F(AccessTest, WhoWaitsForItsTokenToBeCheckedIsNotHalfOpen) {
  CoreOptions options = authenticating();
  options.access.verifications_per_second = 1;
  options.limits.connections = 11;
  CoreHarness node{options, 0, 0, nullptr, &authenticator};
  for (int i = 0; i < 8; ++i) (void)known(node, token_of("alice"));
  std::vector<CoreClient*> waiting;
  for (int i = 0; i < 2; ++i) {
    waiting.push_back(&node.connect());
    node.bytes(*waiting.back(), CoreHarness::request("/ws/connect", bearer(token_of("alice"))));
  }
  CoreClient& silent = node.connect();
  node.advance(milliseconds{1'100});  // the first of the two is served meanwhile
  EXPECT_EQ(node.count(CounterId::tokens_waiting), 1U);
  EXPECT_TRUE(node.connect().accepted);
  node.run();
  EXPECT_FALSE(waiting[0]->reset);
  EXPECT_FALSE(waiting[1]->reset);
  EXPECT_TRUE(silent.reset);
}

TEST_F(AccessTest, HalfOpenIsCountedAndHowManyHaveEndedDoesNotMatter) {
  CoreHarness node;
  for (int round = 0; round < 300; ++round) {
    CoreClient& gone = node.connect();
    CoreClient& open = node.native();
    EXPECT_EQ(node.count(CounterId::half_open), 1U);
    node.end(gone);
    EXPECT_EQ(node.count(CounterId::half_open), 0U);
    node.end(open);
  }
  EXPECT_EQ(node.core().connections(), 0U);
}

TEST_F(AccessTest, AConnectionLivesAsLongAsItMay) {
  CoreOptions options;
  options.limits.lifetime = minutes{10};
  CoreHarness node{options};
  CoreClient& client = node.native();
  for (int i = 0; i < 9; ++i) {
    node.advance(minutes{1});
    node.pong(client);
    (void)CoreHarness::take_frames(client);
  }
  EXPECT_FALSE(client.server_fin);
  node.pong(client);
  node.advance(minutes{1});
  EXPECT_EQ(CoreHarness::take_close(client), 1001);
  EXPECT_EQ(node.count(CounterId::lifetime_ends), 1U);
}

}  // namespace
}  // namespace ringcast
