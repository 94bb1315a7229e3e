// From accept to the first frame: every way in, and every refusal with its counter.
#include <gtest/gtest.h>

#include "tests/doubles/core_harness.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kJson = "Sec-WebSocket-Protocol: ringcast.v1.json\r\n";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  ensure(at != std::string::npos, "the test replaces what is there");
  return text.replace(at, from.size(), to);
}

struct RefusalRow {
  std::string_view sentence;
  std::string request;
  std::string_view status;
  CounterId counter;
  std::optional<CounterId> also;
  std::string_view field;  // one of the answer's
};

TEST(Handshake, EveryRefusalHasItsStatusItsCounterAndAnEnd) {
  using enum CounterId;
  const auto request = [](std::string_view target) { return CoreHarness::request(target); };
  const std::string good = request("/ws");
  const RefusalRow rows[] = {
      {"no HTTP at all", "\x16\x03\x01 hello\r\n\r\n", "400", handshakes_failed_400, {}, ""},
      {"a method that is none", replaced(good, "GET", "G T"), "400", handshakes_failed_400, {}, ""},
      {"HTTP/2", replaced(good, "HTTP/1.1", "HTTP/2.0"), "505", handshakes_failed_400, {}, ""},
      {"HTTP/1.0", replaced(good, "HTTP/1.1", "HTTP/1.0"), "400", handshakes_failed_400, {}, ""},
      {"no Host", replaced(good, "Host: localhost:9001\r\n", ""), "400", handshakes_failed_400, {}, ""},
      {"a POST", replaced(good, "GET", "POST"), "405", handshakes_failed_405, {}, "Allow: GET"},
      {"a browser's plain visit", "GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n", "426", handshakes_failed_426, {},
       "Upgrade: websocket"},
      {"another version", replaced(good, "Version: 13", "Version: 8"), "426", handshakes_failed_426, {},
       "Sec-WebSocket-Version: 13"},
      {"no key", replaced(good, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), "400", handshakes_failed_400, {}, ""},
      {"a short key", replaced(good, "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ=="), "400", handshakes_failed_400, {}, ""},
      {"no such path", request("/nothing"), "404", handshakes_failed_404, {}, ""},
      {"the root", request("/"), "404", handshakes_failed_404, {}, ""},
      {"echo is off", request("/echo"), "404", handshakes_failed_404, {}, ""},
      {"a path that only begins like ours", request("/wsx"), "404", handshakes_failed_404, {}, ""},
      {"a foreign page", CoreHarness::request("/ws", "Origin: https://evil.example\r\n"), "403", handshakes_failed_403,
       connections_refused_origin, ""},
      {"a rebound name", CoreHarness::request("/ws", "", "evil.example"), "403", handshakes_failed_403,
       connections_refused_host, ""},
      {"a header block too large", CoreHarness::request("/ws", "X: " + std::string(20'000, 'x') + "\r\n"), "431",
       handshakes_failed_431, {}, ""},
      {"a header block too large that never ends", "GET /ws HTTP/1.1\r\nX: " + std::string(20'000, 'x'), "431",
       handshakes_failed_431, {}, ""},
      {"too many fields",
       [] {
         std::string fields;
         for (int i = 0; i < 101; ++i) fields += "X-" + std::to_string(i) + ": x\r\n";
         return CoreHarness::request("/ws", fields);
       }(),
       "431", handshakes_failed_431, {}, ""},
      {"a stream name that is no channel", request("/ws/a%01b"), "400", handshakes_failed_400, {}, ""},
      {"a bad escape in a stream name", request("/ws/a%zz"), "400", handshakes_failed_400, {}, ""},
      {"a stream name that is not UTF-8", request("/ws/%ff%fe"), "400", handshakes_failed_400, {}, ""},
      {"an empty stream name between others", request("/stream?streams=a//b"), "400", handshakes_failed_400, {}, ""},
      {"a stream name too long", request("/ws/" + std::string(256, 'x')), "400", handshakes_failed_400, {}, ""},
  };
  for (const RefusalRow& row : rows) {
    for (const bool byte_at_a_time : {false, true}) {
      SCOPED_TRACE(testing::Message() << row.sentence << (byte_at_a_time ? ", byte at a time" : ""));
      CoreHarness node;
      CoreClient& client = node.connect();
      if (byte_at_a_time) {
        for (const char c : row.request) node.bytes(client, {&c, 1});
      } else {
        node.bytes(client, row.request);
      }
      node.run();
      const std::string head = node.take_head(client);
      EXPECT_EQ(head.substr(0, 13), "HTTP/1.1 " + std::string{row.status} + " ");
      EXPECT_NE(head.find("close\r\n"), std::string::npos) << head;
      EXPECT_NE(head.find(row.field), std::string::npos) << head;
      EXPECT_FALSE(client.received.empty());  // a sentence for people
      EXPECT_EQ(node.count(row.counter), 1U);
      if (row.also) {
        EXPECT_EQ(node.count(*row.also), 1U);
      }
      EXPECT_TRUE(client.server_fin);
      node.end(client);
      EXPECT_TRUE(client.closed);
      EXPECT_FALSE(client.reset);
      EXPECT_EQ(node.count(CounterId::connections_open), 0U);
      EXPECT_EQ(node.count(CounterId::closed_no_close), 0U);  // it never was a WebSocket
      EXPECT_EQ(node.budget().used(Purpose::inboxes), 0U);
      EXPECT_EQ(node.budget().used(Purpose::control), 0U);
    }
  }
}

struct WayInRow {
  std::string_view sentence;
  std::string_view target;
  std::string_view more_fields;
  bool welcomed;  // at once
  std::string_view first_message;
  std::string_view answer_begins;
  bool welcomed_then;
};

TEST(Handshake, TheDialectFollowsFromThePathTheSubprotocolOrTheFirstMessage) {
  constexpr std::string_view kPing = R"({"type":"ping","id":7})";
  constexpr std::string_view kPong = R"({"type":"pong","id":7})";
  constexpr std::string_view kList = R"({"method":"LIST_SUBSCRIPTIONS","id":3})";
  const WayInRow rows[] = {
      {"/ws/connect is native from the start", "/ws/connect", "", true, kPing, kPong, false},
      {"the subprotocol is native from the start", "/ws", kJson, true, kPing, kPong, false},
      {"/ws/connect with the subprotocol welcomes once", "/ws/connect", kJson, true, kPing, kPong, false},
      {"plain /ws waits: a type is native, and the welcome comes first", "/ws", "", false, kPing, kPong, true},
      {"plain /ws waits: a method is the exchange's", "/ws", "", false, kList, R"({"result":[],"id":3})", false},
      {"both a type and a method are native", "/ws", "", false, R"({"method":"x","type":"ping","id":7})", kPong, true},
      {"what is no JSON is native, which says what is wrong", "/ws", "", false, "hello", R"({"type":"error","code":"invalid_message")", true},
      {"an unknown subprotocol chooses nothing", "/ws", "Sec-WebSocket-Protocol: mqtt\r\n", false, kList, R"({"result":[],"id":3})", false},
      {"a stream's path is the exchange's", "/ws/btcusdt@trade", "", false, kList, R"({"result":["btcusdt@trade"],"id":3})", false},
      {"so is the combined stream's", "/stream?streams=a@trade/b@trade", "", false, kList, R"({"result":["a@trade","b@trade"],"id":3})", false},
      {"an encoded name is decoded", "/ws/btcusdt%40trade", "", false, kList, R"({"result":["btcusdt@trade"],"id":3})", false},
      {"the subprotocol means nothing on a stream's path", "/ws/a@trade", kJson, false, kList, R"({"result":["a@trade"],"id":3})", false},
      {"a stream named twice is one", "/stream?streams=a@trade/a@trade", "", false, kList, R"({"result":["a@trade"],"id":3})", false},
      {"no streams yet", "/stream", "", false, kList, R"({"result":[],"id":3})", false},
      {"parameters that are not ours are ignored", "/stream?timeUnit=MICROSECOND&streams=a@trade", "", false, kList, R"({"result":["a@trade"],"id":3})", false},
  };
  for (const WayInRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    CoreHarness node;
    CoreClient& client = node.open(row.target, 0, row.more_fields);
    auto texts = CoreHarness::take_texts(client);
    EXPECT_EQ(texts.size(), row.welcomed ? 1U : 0U);
    if (row.welcomed) {
      EXPECT_TRUE(texts[0].starts_with(R"({"type":"welcome")"));
    }
    node.say(client, row.first_message);
    texts = CoreHarness::take_texts(client);
    ASSERT_EQ(texts.size(), row.welcomed_then ? 2U : 1U);
    if (row.welcomed_then) {
      EXPECT_TRUE(texts[0].starts_with(R"({"type":"welcome")"));
    }
    EXPECT_TRUE(texts.back().starts_with(row.answer_begins)) << texts.back();
    node.say(client, row.first_message);  // chosen once
    EXPECT_EQ(CoreHarness::take_texts(client).size(), 1U);
  }
}

TEST(Handshake, TheWelcomeSaysWhoIsThere) {
  CoreHarness node;
  CoreClient& first = node.open();
  CoreClient& second = node.open();
  const auto one = CoreHarness::take_texts(first);
  const auto two = CoreHarness::take_texts(second);
  constexpr std::string_view kBegin = R"({"type":"welcome","connection_id":")";
  constexpr std::string_view kEnd = R"(","server":"ringcast/1.0","heartbeat_ms":30000,"auth":"anonymous"})";
  ASSERT_EQ(one.size(), 1U);
  ASSERT_TRUE(one[0].starts_with(kBegin));
  ASSERT_TRUE(one[0].ends_with(kEnd));
  EXPECT_EQ(one[0].size(), kBegin.size() + 16 + kEnd.size());
  EXPECT_NE(one[0], two[0]);
}

TEST(Handshake, TheSubprotocolIsToldBack) {
  CoreHarness node;
  CoreClient& client = node.connect();
  node.bytes(client, CoreHarness::request("/ws", "Sec-WebSocket-Protocol: mqtt, ringcast.v1.json\r\n"));
  node.run();
  EXPECT_NE(node.take_head(client).find("Sec-WebSocket-Protocol: ringcast.v1.json\r\n"), std::string::npos);
}

TEST(Handshake, ByteAtATimeItIsTheSameAndWhatComesBehindItIsNotLost) {
  const std::string all = CoreHarness::request("/ws/connect") + CoreHarness::masked(Opcode::text, R"({"type":"ping","id":1})") +
                          CoreHarness::masked(Opcode::text, R"({"type":"ping","id":2})");
  for (std::size_t piece = 1; piece <= all.size(); piece = piece < 8 ? piece + 1 : piece * 2) {
    CoreHarness node;
    CoreClient& client = node.connect();
    for (std::size_t at = 0; at < all.size(); at += piece) node.bytes(client, std::string_view{all}.substr(at, piece));
    node.run();
    EXPECT_TRUE(node.take_head(client).starts_with("HTTP/1.1 101 "));
    const auto texts = CoreHarness::take_texts(client);
    ASSERT_EQ(texts.size(), 3U) << piece;
    EXPECT_EQ(texts[1], R"({"type":"pong","id":1})");
    EXPECT_EQ(texts[2], R"({"type":"pong","id":2})");
    EXPECT_EQ(node.budget().used(Purpose::inboxes), 0U);
  }
}

TEST(Handshake, EverySplitOfARequestAndAFrameBehindItGivesTheSame) {
  const std::string all = CoreHarness::request("/ws") + CoreHarness::masked(Opcode::text, R"({"method":"LIST_SUBSCRIPTIONS","id":3})");
  for (std::size_t split = 1; split < all.size(); ++split) {
    CoreHarness node;
    CoreClient& client = node.connect();
    node.bytes(client, std::string_view{all}.substr(0, split));
    node.run();
    node.bytes(client, std::string_view{all}.substr(split));
    node.run();
    ASSERT_TRUE(node.take_head(client).starts_with("HTTP/1.1 101 ")) << split;
    ASSERT_EQ(CoreHarness::take_texts(client), std::vector<std::string>{R"({"result":[],"id":3})"}) << split;
  }
}

TEST(Handshake, ARequestThatDoesNotComeInTimeIsAnswered408) {
  CoreHarness node;
  CoreClient& silent = node.connect();
  CoreClient& slow = node.connect();
  const std::string request = CoreHarness::request("/ws");
  for (int i = 0; i < 9; ++i) {  // bytes do not buy time
    node.bytes(slow, std::string_view{request}.substr(static_cast<std::size_t>(i), 1));
    node.advance(milliseconds{500});
  }
  EXPECT_FALSE(silent.server_fin);
  node.advance(milliseconds{501});
  for (CoreClient* client : {&silent, &slow}) {
    EXPECT_TRUE(node.take_head(*client).starts_with("HTTP/1.1 408 "));
    EXPECT_TRUE(client->server_fin);
  }
  EXPECT_EQ(node.count(CounterId::handshake_timeouts), 2U);
  EXPECT_EQ(node.count(CounterId::handshakes_failed_408), 2U);
  node.advance(seconds{3});  // they do not end either: reset
  EXPECT_TRUE(silent.reset);
  EXPECT_TRUE(slow.reset);
  EXPECT_EQ(node.count(CounterId::connections_open), 0U);
}

TEST(Handshake, APeerThatLeavesBeforeItIsDoneIsForgotten) {
  CoreHarness node;
  CoreClient& polite = node.connect();
  CoreClient& broken = node.connect();
  node.bytes(polite, "GET /ws HT");
  node.bytes(broken, "GET /ws HT");
  node.end(polite);
  node.end(broken, ECONNRESET);
  EXPECT_TRUE(polite.closed);
  EXPECT_TRUE(broken.closed);
  EXPECT_EQ(node.core().connections(), 0U);
  EXPECT_EQ(node.budget().used(Purpose::inboxes), 0U);
}

TEST(Handshake, ThousandsOfHalfOpenHandshakesEndByThemselves) {
  CoreHarness node;
  for (int i = 0; i < 5'000; ++i) node.bytes(node.connect(), "GET /ws HTTP/1.1\r\nHost: local");
  EXPECT_EQ(node.core().connections(), 5'000U);
  CoreClient& good = node.native();
  node.advance(seconds{8});
  EXPECT_EQ(node.core().connections(), 1U);
  EXPECT_EQ(node.count(CounterId::handshake_timeouts), 5'000U);
  EXPECT_EQ(node.budget().used(Purpose::inboxes), 0U);
  node.say(good, R"({"type":"ping"})");
  EXPECT_EQ(CoreHarness::take_texts(good), std::vector<std::string>{R"({"type":"pong"})"});
}

TEST(Handshake, AtCapacityANewConnectionIsToldWhenToComeAgain) {
  CoreOptions options;
  options.limits.connections = 2;
  CoreHarness node{options};
  node.native();
  CoreClient& second = node.native();
  CoreClient& third = node.connect();
  node.bytes(third, CoreHarness::request("/ws"));
  node.run();
  const std::string head = node.take_head(third);
  EXPECT_TRUE(head.starts_with("HTTP/1.1 503 "));
  EXPECT_NE(head.find("Retry-After: 1\r\n"), std::string::npos);
  EXPECT_EQ(node.count(CounterId::connections_refused_capacity), 1U);
  EXPECT_EQ(node.count(CounterId::handshakes_failed_503), 1U);
  node.end(third);
  node.end(second);
  EXPECT_EQ(node.core().connections(), 1U);
  node.native();  // there is room again
  EXPECT_EQ(node.count(CounterId::connections_peak), 3U);
}

TEST(Handshake, BeyondTheSlotsForRefusalsAConnectionIsNotTakenAtAll) {
  CoreOptions options;
  options.limits.connections = 1;
  CoreHarness node{options};
  for (std::uint32_t i = 0; i < 1 + kRefusalSlots; ++i) EXPECT_TRUE(node.connect().accepted);
  EXPECT_FALSE(node.connect().accepted);
  EXPECT_EQ(node.count(CounterId::connections_refused_capacity), 1U);
}

TEST(Handshake, AnAllowListedPageMayConnect) {
  CoreOptions options;
  options.access.origins = {"https://desk.example"};
  CoreHarness node{options};
  node.open("/ws", 0, "Origin: https://desk.example\r\n");
  node.open("/ws", 0, "Origin: http://localhost:9001\r\n");
  EXPECT_EQ(node.count(CounterId::connections_refused_origin), 0U);
}

}  // namespace
}  // namespace ringcast
