// user:<id>: joined without being asked for, read by its user alone, written to by whoever may.
#include "tests/engine/presence/presence_fixture.hpp"

namespace ringcast {
namespace {

class PersonalChannelTest : public PresenceNode {
 protected:
  static std::string epoch_in(const std::string& text) { return text.substr(text.find(R"("epoch":")") + 9, 16); }
  void publish(CoreClient& who, std::string_view user, int data) {
    node.say(who,
             R"({"type":"publish","channel":"user:)" + std::string{user} + R"(","data":)" + std::to_string(data) + "}");
  }
};
INSTANTIATE_TEST_SUITE_P(Shards, PersonalChannelTest, testing::Values(1U, 3U));

TEST_P(PersonalChannelTest, ANativeConnectionOfAUserHasItsChannelFromTheStart) {
  for (std::uint32_t i = 0; i < shards; ++i) {
    CoreClient& alice = node.open("/ws/connect?user=alice", i);
    const Texts texts = got(alice);
    ASSERT_EQ(texts.size(), 2U);
    EXPECT_TRUE(texts[0].starts_with(R"({"type":"welcome")"));
    EXPECT_TRUE(texts[1].starts_with(R"({"type":"subscribed","channels":[{"channel":"user:alice","epoch":")"))
        << texts[1];
    EXPECT_EQ(texts[1].find(R"("id")"), std::string::npos) << "nobody asked";
  }
}

TEST_P(PersonalChannelTest, OnPlainWsItIsJoinedBeforeTheFirstCommandIsAnswered) {
  for (std::uint32_t i = 0; i < shards; ++i) {
    CoreClient& alice = node.open("/ws?user=alice", i);
    node.text(alice, R"({"type":"ping","id":1})");
    node.text(alice, R"({"type":"ping","id":2})");
    node.run();
    const Texts texts = got(alice);
    ASSERT_EQ(texts.size(), 4U) << "shard " << i;
    EXPECT_TRUE(texts[0].starts_with(R"({"type":"welcome")"));
    EXPECT_TRUE(texts[1].starts_with(R"({"type":"subscribed","channels":[{"channel":"user:alice")"));
    EXPECT_EQ(texts[2], R"({"type":"pong","id":1})");
    EXPECT_EQ(texts[3], R"({"type":"pong","id":2})");
  }
}

TEST_P(PersonalChannelTest, AMessageToAUserReachesEachOfItsConnectionsOnceAndNobodyElse) {
  std::vector<CoreClient*> connections;
  for (std::uint32_t i = 0; i < 60; ++i) connections.push_back(&client("alice", shard(i)));
  CoreClient& bob = client("bob", shard(1));
  CoreClient& nobody = client("", shard(2));
  publish(bob, "alice", 1);
  publish(nobody, "alice", 2);
  for (CoreClient* one : connections) {
    const Texts texts = got(*one);
    ASSERT_EQ(texts.size(), 2U);
    EXPECT_TRUE(texts[0].starts_with(R"({"type":"message","channel":"user:alice","seq":1,)") &&
                texts[0].ends_with("1}"));
    EXPECT_TRUE(texts[1].starts_with(R"({"type":"message","channel":"user:alice","seq":2,)") &&
                texts[1].ends_with("2}"));
  }
  EXPECT_EQ(got(bob), Texts{});
  EXPECT_EQ(got(nobody), Texts{});
}

TEST_P(PersonalChannelTest, OnlyItsUserMaySubscribeToIt) {
  CoreClient& alice = client("alice", shard(1));
  unsubscribe(alice, "user:alice");
  publish(alice, "alice", 1);
  EXPECT_EQ(got(alice), Texts{}) << "it has left its channel";
  subscribe(alice, "user:alice");
  publish(alice, "alice", 2);
  EXPECT_EQ(got(alice).size(), 1U);
  for (const std::string_view other : {"user:bob", "user:alice2", "user:alic", "user:"}) {
    node.say(alice, R"({"type":"subscribe","channels":[")" + std::string{other} + "\"]}");
    EXPECT_NE(got(alice).at(0).find(R"("code":"unauthorized")"), std::string::npos) << other;
  }
  CoreClient& nobody = client("", 0);
  node.say(nobody, R"({"type":"subscribe","channels":["user:alice"]})");
  EXPECT_NE(got(nobody).at(0).find(R"("code":"unauthorized")"), std::string::npos);
}

TEST_P(PersonalChannelTest, ItDoesNotCountAmongTheSubscriptionsThatAConnectionMayHave) {
  CoreOptions one = with_presence(shards);
  one.limits.subscriptions = 1;
  CoreHarness small{one};
  CoreClient& alice = small.open("/ws/connect?user=alice", shard(1));
  EXPECT_EQ(CoreHarness::take_texts(alice).size(), 2U);
  small.say(alice, R"({"type":"subscribe","channels":["a"]})");
  EXPECT_TRUE(CoreHarness::take_texts(alice).at(0).starts_with(R"({"type":"subscribed")"));
  small.say(alice, R"({"type":"subscribe","channels":["b"]})");
  EXPECT_NE(CoreHarness::take_texts(alice).at(0).find(R"("code":"too_many_subscriptions")"), std::string::npos);
}

TEST_P(PersonalChannelTest, AReconnectGoesOnSinceTheLastMessageItHas) {
  CoreClient& first = node.open("/ws/connect?user=alice", 0);
  const std::string epoch = epoch_in(got(first).at(1));
  CoreClient& bob = client("bob", shard(1));
  publish(bob, "alice", 1);
  node.end(first);
  for (int i = 2; i < 5; ++i) publish(bob, "alice", i);
  for (std::uint32_t on = 0; on < shards; ++on) {
    CoreClient& again = node.open("/ws/connect?user=alice&since=" + epoch + ":1", on);
    const Texts texts = got(again);
    ASSERT_EQ(texts.size(), 5U) << "shard " << on;
    EXPECT_NE(texts[1].find(R"("seq":4,"recovered":true)"), std::string::npos) << texts[1];
    for (int i = 2; i < 5; ++i) {
      EXPECT_TRUE(texts[static_cast<std::size_t>(i)].ends_with(R"("data":)" + std::to_string(i) + "}"));
    }
  }
  CoreClient& stranger = node.open("/ws/connect?user=alice&since=0123456789abcdef:1", shard(2));
  const Texts texts = got(stranger);
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_NE(texts[1].find(R"("recovered":false)"), std::string::npos) << "another epoch";
}

TEST_P(PersonalChannelTest, ASubscribeWithResumeGoesOnFromThereOnce) {
  CoreClient& first = node.open("/ws/connect?user=alice", 0);
  const std::string epoch = epoch_in(got(first).at(1));
  CoreClient& bob = client("bob", shard(1));
  for (int i = 1; i < 4; ++i) publish(bob, "alice", i);
  std::vector<CoreClient*> connections;
  for (std::uint32_t on = 0; on < shards; ++on) connections.push_back(&client("alice", on));
  publish(bob, "alice", 4);
  const std::string resume =
      R"({"type":"subscribe","id":1,"channels":["user:alice"],"resume":{"user:alice":{"epoch":")" + epoch +
      R"(","seq":1}}})";
  for (CoreClient* again : connections) {
    EXPECT_EQ(got(*again).size(), 1U);
    node.say(*again, resume);
    const Texts texts = got(*again);
    ASSERT_EQ(texts.size(), 4U);
    EXPECT_NE(texts[0].find(R"("seq":4,"recovered":true)"), std::string::npos) << texts[0];
    for (int i = 2; i < 5; ++i) {
      EXPECT_NE(texts[static_cast<std::size_t>(i) - 1].find(R"("seq":)" + std::to_string(i) + ","), std::string::npos);
    }
    node.say(*again, resume);  // now it is as with any channel that it has: everything since then was sent
    EXPECT_NE(got(*again).at(0).find(R"("recovered":true)"), std::string::npos);
    EXPECT_TRUE(got(*again).empty());
  }
}

TEST_P(PersonalChannelTest, AnExchangeConnectionIsNotJoined) {
  CoreClient& trader = node.open("/ws/a?user=alice", shard(1));
  CoreClient& bob = client("bob", shard(2));
  publish(bob, "alice", 1);
  EXPECT_EQ(got(trader), Texts{});
}

TEST_P(PersonalChannelTest, WhatCannotBeAUsersNameIsRefusedWithTheRequest) {
  struct Row {
    std::string_view sentence;
    std::string query;
    bool accepted;
  };
  const Row rows[] = {
      {"the longest name", "user=" + std::string(250, 'u'), true},
      {"one byte too long", "user=" + std::string(251, 'u'), false},
      {"far too long, with an escape", "user=%61" + std::string(400, 'u'), false},
      {"no name is nobody", "user=", true},
      {"a space and UTF-8", "user=a%20b%C3%A9", true},
      {"not UTF-8", "user=%FF", false},
      {"a control character", "user=a%0Ab", false},
      {"a broken escape", "user=%4", false},
      {"a pattern", "user=a*", false},
      {"a pattern for the rest", "user=%3E", false},
      {"since without a user", "since=0123456789abcdef:1", false},
      {"since", "user=a&since=0123456789abcdef:1", true},
      {"since without a seq", "user=a&since=0123456789abcdef", false},
      {"since with a short epoch", "user=a&since=0123:1", false},
      {"since with words", "user=a&since=now", false},
  };
  for (const Row& row : rows) {
    CoreClient& made = node.connect(shard(1));
    node.bytes(made, CoreHarness::request("/ws/connect?" + row.query));
    node.run();
    EXPECT_TRUE(node.take_head(made).starts_with(row.accepted ? "HTTP/1.1 101 " : "HTTP/1.1 400 ")) << row.sentence;
  }
  for (const std::string_view path : {"/ws", "/ws/channel", "/stream?streams=a"}) {
    CoreClient& made = node.connect(0);
    const std::string sign = path.find('?') == std::string_view::npos ? "?" : "&";
    node.bytes(made, CoreHarness::request(std::string{path} + sign + "user=a&since=0123456789abcdef:1"));
    EXPECT_TRUE((node.run(), node.take_head(made)).starts_with("HTTP/1.1 400 ")) << path << " is not native yet";
  }
}

TEST_P(PersonalChannelTest, OnANodeThatOthersCanReachNobodyWritesToIt) {
  CoreOptions open = with_presence(shards);
  open.access.insecure = true;
  CoreHarness reachable{open};
  CoreClient& alice = reachable.native(shard(1));
  reachable.say(alice, R"({"type":"publish","id":1,"channel":"user:bob","data":1})");
  EXPECT_NE(CoreHarness::take_texts(alice).at(0).find(R"("code":"unauthorized")"), std::string::npos);
}

TEST_P(PersonalChannelTest, AMessageForNoUserIsRefused) {
  CoreClient& alice = client("alice", shard(1));
  for (const std::string_view channel : {"user:", "user:*", "user:a>"}) {
    node.say(alice, R"({"type":"publish","id":1,"channel":")" + std::string{channel} + R"(","data":1})");
    EXPECT_NE(got(alice).at(0).find(R"("code":"invalid_message")"), std::string::npos) << channel;
  }
}

TEST_P(PersonalChannelTest, ANodeFullOfChannelsSaysSoAndGoesOn) {
  CoreOptions few = with_presence(shards);
  few.limits.channels = 1;
  CoreHarness small{few};
  for (int i = 0; i < 9; ++i) small.open("/ws/connect?user=u" + std::to_string(i), 0);
  CoreClient& late = small.open("/ws/connect?user=late", 0);
  const Texts texts = CoreHarness::take_texts(late);
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_NE(texts[1].find(R"("code":"overloaded")"), std::string::npos) << texts[1];
  EXPECT_NE(texts[1].find(R"("channel":"user:late")"), std::string::npos) << texts[1];
  small.say(late, R"({"type":"ping","id":1})");
  EXPECT_EQ(CoreHarness::take_texts(late), Texts{R"({"type":"pong","id":1})"});
}

}  // namespace
}  // namespace ringcast
