// tests/tools/client_test.cpp: what the tools' WebSocket client is made of, without a server.
#include <gtest/gtest.h>

#include <set>

#include "tools/client/backoff.hpp"
#include "tools/client/endpoint.hpp"
#include "tools/client/server_message.hpp"

namespace ringcast {
namespace {

struct EndpointRow {
  std::string_view sentence, url, host;
  std::uint16_t port;
  std::string_view unix_path, authority, target;
};
constexpr EndpointRow kEndpointRows[] = {
    {"host and port", "ws://127.0.0.1:9001", "127.0.0.1", 9001, "", "127.0.0.1:9001", ""},
    {"a path", "ws://localhost:9001/ws", "localhost", 9001, "", "localhost:9001", "/ws"},
    {"a lone slash names no path", "ws://localhost:9001/", "localhost", 9001, "", "localhost:9001", ""},
    {"path and query", "ws://h:1/ws/connect?user=7", "h", 1, "", "h:1", "/ws/connect?user=7"},
    {"a query without a path", "ws://h:1?user=7", "h", 1, "", "h:1", "/?user=7"},
    {"the default port", "ws://example.com/ws", "example.com", 80, "", "example.com", "/ws"},
    {"IPv6 in brackets", "ws://[::1]:9001/ws", "::1", 9001, "", "[::1]:9001", "/ws"},
    {"a Unix socket", "unix:/run/ringcast.sock", "", 0, "/run/ringcast.sock", "localhost", ""},
    {"a Unix socket and a target", "unix:/run/r.sock:/ws?user=7", "", 0, "/run/r.sock", "localhost", "/ws?user=7"},
};

TEST(Endpoint, SaysWhereEachUrlLeads) {
  for (const EndpointRow& row : kEndpointRows) {
    SCOPED_TRACE(row.sentence);
    const auto endpoint = parse_endpoint(row.url);
    ASSERT_TRUE(endpoint.has_value()) << endpoint.error();
    EXPECT_EQ(endpoint->host, row.host);
    EXPECT_EQ(endpoint->port, row.port);
    EXPECT_EQ(endpoint->unix_path, row.unix_path);
    EXPECT_EQ(endpoint->authority, row.authority);
    EXPECT_EQ(endpoint->target, row.target);
    EXPECT_EQ(endpoint->text, row.url);
    EXPECT_FALSE(endpoint->secure);
  }
}

TEST(Endpoint, ASecureUrlComesWithWhomToBelieve) {
  for (const std::string_view url : {"wss://h:1/ws", "https://h:1/ws", "WSS://h:1/ws"}) {
    const auto endpoint = parse_endpoint(url, {.insecure = true});
    ASSERT_TRUE(endpoint.has_value()) << endpoint.error();
    EXPECT_TRUE(endpoint->secure);
    EXPECT_NE(endpoint->trust, nullptr);
  }
  EXPECT_EQ(parse_endpoint("wss://h/ws")->port, 443);
  EXPECT_EQ(parse_endpoint("ws://h:1/ws", TlsTrustOptions{})->trust, nullptr);
  const auto refused = parse_endpoint("wss://h:1/ws", {.ca = "/nowhere.pem"});
  ASSERT_FALSE(refused.has_value());
  EXPECT_TRUE(refused.error().contains("/nowhere.pem")) << refused.error();
}

TEST(Endpoint, RefusesWhatCannotBeConnectedToAndSaysWhy) {
  struct Row {
    std::string_view url, why;
  };
  const std::string long_path = "unix:/" + std::string(108, 'x');
  const Row rows[] = {
      {"ws://h:0/ws", "port is not a number"},
      {"ws://h:65536/ws", ""},
      {"ws://:9001/ws", ""},
      {"h:9001", ""},
      {"", ""},
      {"unix:", "needs a path"},
      {long_path, "longer than 107 bytes"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.url);
    const auto endpoint = parse_endpoint(row.url);
    ASSERT_FALSE(endpoint.has_value());
    EXPECT_TRUE(endpoint.error().contains(row.url)) << "names the URL: " << endpoint.error();
    EXPECT_TRUE(endpoint.error().contains(row.why)) << endpoint.error();
  }
}

TEST(Endpoint, GetsTheNativePathOnlyWhereTheUrlNamesNone) {
  const auto target = [](std::string_view url) { return with_native_target(*parse_endpoint(url)).target; };
  EXPECT_EQ(target("ws://h:1"), "/ws/connect");
  EXPECT_EQ(target("ws://h:1/"), "/ws/connect");
  EXPECT_EQ(target("ws://h:1?user=7"), "/ws/connect?user=7");
  EXPECT_EQ(target("ws://h:1/ws"), "/ws");
  EXPECT_EQ(target("unix:/s"), "/ws/connect");
}

TEST(Endpoint, GetsTheExchangePathOfItsStreams) {
  const auto target = [](std::string_view url, std::vector<std::string> streams, bool combined) {
    return with_exchange_target(*parse_endpoint(url), streams, combined).target;
  };
  EXPECT_EQ(target("ws://h:1", {"btcusdt@trade"}, false), "/ws/btcusdt@trade");
  EXPECT_EQ(target("ws://h:1/ws/connect?user=7", {"btcusdt@trade"}, false), "/ws/btcusdt@trade?user=7");
  EXPECT_EQ(target("ws://h:1", {"a@trade", "b@depth"}, true), "/stream?streams=a@trade/b@depth");
  EXPECT_EQ(target("ws://h:1?user=7", {"a@trade"}, true), "/stream?streams=a@trade&user=7");
  EXPECT_EQ(target("ws://h:1", {"a&b/c d?é"}, true), "/stream?streams=a%26b%2Fc%20d%3F%C3%A9");
}

TEST(Endpoint, SaysWhereTheUsersOwnChannelGoesOn) {
  const auto target = [](std::string_view url) {
    return with_since(with_native_target(*parse_endpoint(url)), {Epoch{0x5f3c'9a1e'07d2'b846}, Sequence{41}}).target;
  };
  EXPECT_EQ(target("ws://h:1?user=7"), "/ws/connect?user=7&since=5f3c9a1e07d2b846:41");
  EXPECT_EQ(target("ws://h:1"), "/ws/connect?since=5f3c9a1e07d2b846:41") << "of the token's user";
}

TEST(Endpoint, AsksForTheBinaryDialectAndKeepsItsTokenToItself) {
  const Endpoint endpoint = with_binary_target(*parse_endpoint("ws://h:1?user=7&token=secret&x=1"));
  EXPECT_EQ(endpoint.subprotocol, "ringcast.v1.bin");
  EXPECT_EQ(endpoint.target, "/ws/connect?user=7&token=secret&x=1");
  EXPECT_EQ(endpoint.text, "ws://h:1?user=7&token=***&x=1");
  EXPECT_EQ(parse_endpoint("ws://h:1?token=secret")->text, "ws://h:1?token=***");
  EXPECT_EQ(parse_endpoint("ws://h:1/ws?mytoken=1")->text, "ws://h:1/ws?mytoken=1");
}

TEST(Backoff, WaitsWithinABoundThatDoublesUpToTheLongest) {
  Prng random{7};
  Backoff backoff{{.first = milliseconds{100}, .longest = milliseconds{1'500}}};
  for (const int bound : {100, 200, 400, 800, 1'500, 1'500, 1'500}) {
    EXPECT_EQ(backoff.bound(), milliseconds{bound});
    const milliseconds wait = backoff.next(random);
    EXPECT_GE(wait, milliseconds{0});
    EXPECT_LE(wait, milliseconds{bound});
  }
  EXPECT_EQ(backoff.failures(), 7U);
  backoff.reset();
  EXPECT_EQ(backoff.bound(), milliseconds{100});
  EXPECT_EQ(backoff.failures(), 0U);
}

TEST(Backoff, OfAConnectionThatDidNotLastGoesOn) {
  Prng random{7};
  Backoff backoff{{.first = milliseconds{100}, .longest = milliseconds{1'500}, .stable = milliseconds{5'000}}};
  (void)backoff.next(random);
  (void)backoff.next(random);
  backoff.lasted(milliseconds{4'999});
  EXPECT_EQ(backoff.bound(), milliseconds{400});
  EXPECT_EQ(backoff.failures(), 2U);
  backoff.lasted(milliseconds{5'000});
  EXPECT_EQ(backoff.bound(), milliseconds{100});
  EXPECT_EQ(backoff.failures(), 0U);
}

TEST(Backoff, WaitsAtLeastAsLongAsItIsAskedToAndIsStillSpread) {
  Prng random{7};
  std::set<std::int64_t> waits;
  for (int i = 0; i < 100; ++i) {
    Backoff backoff{{.first = milliseconds{1'000}}};
    const milliseconds wait = backoff.next(random, seconds{5});
    EXPECT_GE(wait, seconds{5});
    EXPECT_LE(wait, seconds{6});
    waits.insert(wait.count());
  }
  EXPECT_GT(waits.size(), 50U);
}

TEST(Backoff, SpreadsItsWaitsOverTheWholeBound) {
  Prng random{7};
  std::set<int> tenths;
  for (int i = 0; i < 1'000; ++i) {
    Backoff backoff{{.first = milliseconds{1'000}, .longest = milliseconds{1'000}}};
    tenths.insert(static_cast<int>(backoff.next(random).count() / 100));
  }
  for (int tenth = 0; tenth < 10; ++tenth) EXPECT_TRUE(tenths.contains(tenth)) << tenth;
}

TEST(Prng, GivesDifferentKeysAndStaysWithinItsLimit) {
  Prng first, second;
  EXPECT_NE(first.nonce(), second.nonce()) << "seeded by the operating system";
  std::set<MaskKey> keys;
  for (int i = 0; i < 1'000; ++i) keys.insert(first.mask_key());
  EXPECT_GE(keys.size(), 999U);
  std::set<std::uint64_t> dice;
  for (int i = 0; i < 1'000; ++i) dice.insert(first.up_to(5));
  EXPECT_EQ(dice, (std::set<std::uint64_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(first.up_to(0), 0U);
}

TEST(ServerMessage, ReadsWhatTheServerSays) {
  ServerMessageReader reader;
  using Kind = ServerMessage::Kind;
  const auto message = reader.read(R"({"type":"message","channel":"a\"b","seq":45,"event":"x","timestamp":"t",)"
                                   R"("message_id":"m","data":{"k":[1, 2]}})");
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->kind, Kind::message);
  EXPECT_EQ(message->channel, "a\"b");
  EXPECT_EQ(message->seq, Sequence{45});
  EXPECT_EQ(message->event, "x");
  EXPECT_EQ(message->message_id, "m");
  EXPECT_EQ(message->data, R"({"k":[1, 2]})") << "byte for byte";

  const auto published =
      reader.read(R"({"type":"published","id":3,"channel":"o","epoch":"5f3c9a1e07d2b846","seq":7,"duplicate":true})");
  ASSERT_TRUE(published.has_value());
  EXPECT_EQ(published->kind, Kind::published);
  EXPECT_EQ(published->id, "3");
  EXPECT_TRUE(published->duplicate);
  EXPECT_EQ(published->epoch, Epoch{0x5f3c'9a1e'07d2'b846});

  const auto gap = reader.read(R"({"type":"gap","channel":"o","from":46,"to":57,"reason":"conflated"})");
  ASSERT_TRUE(gap.has_value());
  EXPECT_EQ(gap->kind, Kind::gap);
  EXPECT_EQ(gap->from, Sequence{46});
  EXPECT_EQ(gap->to, Sequence{57});

  const auto error = reader.read(R"({"type":"error","code":"unauthorized","message":"no","channel":"o"})");
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->kind, Kind::error);
  EXPECT_EQ(error->code, "unauthorized");
  EXPECT_EQ(error->words, "no");
  EXPECT_EQ(error->channel, "o");

  const auto joined = reader.read(R"({"type":"user_joined","channel":"o","user":"42"})");
  EXPECT_EQ(joined->kind, Kind::user_joined);
  EXPECT_EQ(joined->user, "42");
  EXPECT_EQ(reader.read(R"({"type":"user_left","channel":"o","user":"42"})")->kind, Kind::user_left);
  const auto state = reader.read(R"({"type":"channel_state","channel":"o","state":"stale"})");
  EXPECT_EQ(state->kind, Kind::channel_state);
  EXPECT_EQ(state->state, "stale");
  EXPECT_EQ(reader.read(R"({"type":"news_of_a_later_version"})")->kind, Kind::other);
}

TEST(ServerMessage, ReadsSnapshots) {
  ServerMessageReader reader;
  const auto plain = reader.read(R"({"type":"message","channel":"o","seq":4,"data":1})");
  EXPECT_FALSE(plain->snapshot);
  const auto own = reader.read(R"({"type":"message","channel":"o","seq":4,"state":"snapshot","data":1})");
  EXPECT_TRUE(own->snapshot);
  EXPECT_FALSE(own->as_of.has_value());
  const auto older =
      reader.read(R"({"type":"message","channel":"o","seq":9,"state":"snapshot","as_of_seq":7,"data":1})");
  EXPECT_TRUE(older->snapshot);
  EXPECT_EQ(older->as_of, Sequence{7});
}

TEST(ServerMessage, ReadsHistory) {
  ServerMessageReader reader;
  const auto history =
      reader.read(R"({"type":"history","id":2,"channel":"o","epoch":"5f3c9a1e07d2b846","seq":44,"recovered":false,)"
                  R"("messages":[{"type":"message","channel":"o","seq":43,"data":1}],"more":true})");
  ASSERT_TRUE(history.has_value());
  EXPECT_EQ(history->kind, ServerMessage::Kind::history);
  EXPECT_EQ(history->seq, Sequence{44});
  EXPECT_EQ(history->epoch, Epoch{0x5f3c'9a1e'07d2'b846});
  EXPECT_EQ(history->recovered, false);
  EXPECT_TRUE(history->more);
  EXPECT_EQ(history->messages, R"([{"type":"message","channel":"o","seq":43,"data":1}])");
  const auto empty =
      reader.read(R"({"type":"history","channel":"o","epoch":"5f3c9a1e07d2b846","seq":0,"messages":[],"more":false})");
  ASSERT_TRUE(empty.has_value());
  EXPECT_FALSE(empty->recovered.has_value());
  EXPECT_FALSE(empty->more);
}

TEST(ServerMessage, ReadsTheEntriesOfSubscribed) {
  ServerMessageReader reader;
  const auto message = reader.read(
      R"({"type":"subscribed","id":1,"channels":[{"channel":"a","epoch":"5f3c9a1e07d2b846","seq":44,"recovered":true},)"
      R"({"channel":"b","epoch":"0000000000000001","seq":0},)"
      R"({"channel":"c","epoch":"0000000000000002","seq":1,"recovered":false},)"
      R"({"channel":"d","epoch":"0000000000000003","seq":9,"state":"snapshot","as_of_seq":7},)"
      R"({"channel":"e","epoch":"0000000000000004","seq":9,"state":"none"}]})");
  ASSERT_TRUE(message.has_value());
  std::vector<std::pair<std::string, std::optional<bool>>> seen;
  EXPECT_TRUE(reader.for_each_subscribed(*message, [&](const SubscribedEntry& entry) {
    seen.emplace_back(entry.channel, entry.recovered);
    if (entry.channel == "a") {
      EXPECT_EQ(entry.seq, Sequence{44});
    }
    EXPECT_EQ(entry.state, entry.channel == "d" ? "snapshot" : entry.channel == "e" ? "none" : "");
    EXPECT_EQ(entry.as_of, entry.channel == "d" ? std::optional{Sequence{7}} : std::nullopt);
  }));
  EXPECT_EQ(seen,
            (decltype(seen){{"a", true}, {"b", std::nullopt}, {"c", false}, {"d", std::nullopt}, {"e", std::nullopt}}));
}

TEST(ServerMessage, RefusesWhatIsNotTheDialect) {
  ServerMessageReader reader;
  for (const std::string_view text :
       {"", "null", "[]", "{", R"({"type":"message","seq":1,"data":1})", R"({"type":"message","channel":"o","data":1})",
        R"({"type":"message","channel":"o","seq":1})", R"({"type":"message","channel":"o","seq":-1,"data":1})",
        R"({"type":"gap","channel":"o","from":1})", R"({"type":"subscribed","id":1})", R"({"type":"published","id":1})",
        R"({"type":"history","channel":"o","seq":1,"messages":[]})",
        R"({"type":"history","channel":"o","epoch":"5f3c9a1e07d2b846","seq":1})"}) {
    EXPECT_FALSE(reader.read(text).has_value()) << text;
  }
  const auto odd = reader.read(R"({"type":"subscribed","channels":[{"channel":"a","epoch":"zz","seq":1}]})");
  ASSERT_TRUE(odd.has_value());
  EXPECT_FALSE(reader.for_each_subscribed(*odd, [](const SubscribedEntry&) {}));
}

}  // namespace
}  // namespace ringcast
