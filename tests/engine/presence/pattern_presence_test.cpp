// Who reads a channel by a pattern is there like anybody: lists, notices and states; on one shard and over three.
#include "tests/engine/presence/presence_fixture.hpp"

namespace ringcast {
namespace {

CoreOptions with_short_lives(std::uint32_t shards) {
  CoreOptions options = with_presence(shards, milliseconds{1'000});
  options.namespaces[0].history.age = seconds{5};
  NamespaceRule feed;
  feed.match = "feed>";
  feed.stale_after = milliseconds{1'000};
  options.namespaces.push_back(feed);
  options.limits.channel_idle_time = seconds{20};
  options.heartbeat.interval = milliseconds{0};
  options.limits.idle_time = milliseconds{hours{1}};
  return options;
}

class PatternPresenceTest : public PresenceNode {
 protected:
  PatternPresenceTest() : PresenceNode(with_short_lives(GetParam())) {}
  void publish(std::string_view channel) {
    node.say(publisher, R"({"type":"publish","channel":")" + std::string{channel} + R"(","data":1})");
  }
  CoreClient& publisher = client("", shard(1));
};
INSTANTIATE_TEST_SUITE_P(Shards, PatternPresenceTest, testing::Values(1U, 3U));

TEST_P(PatternPresenceTest, WhoReadsByAPatternIsPresentAsLongAsThePatternHoldsTheChannel) {
  const std::string room = node.channel_on(0, "room");
  publish(room);
  CoreClient& watcher = reader("", room, shard(1));
  CoreClient& alice = reader("alice", "room.*", shard(2));
  EXPECT_EQ(got(watcher), Texts{joined(room, "alice")});
  EXPECT_EQ(list(watcher, room), listed(room, {"alice"}, 1));
  unsubscribe(alice, "room.*");
  node.advance(milliseconds{1'010});
  EXPECT_EQ(got(watcher), Texts{left(room, "alice")});
  EXPECT_EQ(list(watcher, room), listed(room, {}, 1));
}

TEST_P(PatternPresenceTest, WhoHasThePatternIsInAChannelThatBeginsLater) {
  CoreClient& alice = reader("alice", "room.>", shard(2));
  const std::string room = node.channel_on(shard(1), "room.new");
  EXPECT_EQ(list(publisher, room), listed(room, {}));
  publish(room);
  EXPECT_EQ(list(publisher, room), listed(room, {"alice"}));
  const Texts texts = got(alice);
  EXPECT_EQ(std::ranges::count(texts, joined(room, "alice")), 1) << "it is told that it is there";
}

TEST_P(PatternPresenceTest, AnExactSubscribeBesideItChangesNothingForOthers) {
  const std::string room = node.channel_on(0, "room");
  publish(room);
  CoreClient& watcher = reader("", room, shard(1));
  CoreClient& alice = reader("alice", "room.*", shard(2));
  subscribe(alice, room);
  unsubscribe(alice, "room.*");
  subscribe(alice, "room.*");
  unsubscribe(alice, room);
  node.advance(milliseconds{1'010});
  EXPECT_EQ(got(watcher), Texts{joined(room, "alice")});
  EXPECT_EQ(list(watcher, room), listed(room, {"alice"}, 1));
}

TEST_P(PatternPresenceTest, WhatThePatternLetsGoItsReaderIsNotInUntilItBeginsAgain) {
  const std::string room = node.channel_on(0, "room");
  CoreClient& alice = reader("alice", "room.*", shard(2));
  publish(room);
  got(alice);
  node.advance(seconds{60});
  const Texts ended = got(alice);
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_TRUE(ended[0].starts_with(R"({"type":"unsubscribed","pattern":"room.*")")) << ended[0];
  EXPECT_EQ(list(publisher, room), listed(room, {}));
  EXPECT_EQ(node.count(CounterId::presence_users), 0U);
  publish(room);
  EXPECT_EQ(list(publisher, room), listed(room, {"alice"}));
}

TEST_P(PatternPresenceTest, ThePersonalChannelIsNeitherBoundNorCounted) {
  CoreClient& alice = client("alice", 0);
  node.say(alice, R"({"type":"subscribe","id":1,"channels":[">"]})");
  publish("user:alice");
  const Texts texts = got(alice);
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_TRUE(texts[0].ends_with(R"({"channel":">","pattern":true,"matched":0}]})")) << texts[0];
  EXPECT_TRUE(texts[1].starts_with(R"({"type":"message","channel":"user:alice")")) << texts[1];
}

TEST_P(PatternPresenceTest, AChannelThatIsStaleWhenItIsBoundIsSaidToBe) {
  const std::string feed = node.channel_on(0, "feed");
  publish(feed);
  node.advance(milliseconds{1'010});
  CoreClient& one = client("", shard(2));
  node.say(one, R"({"type":"subscribe","id":1,"channels":["feed.*"]})");
  const Texts texts = got(one);
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_TRUE(texts[1].ends_with(R"(,"liveness":"stale"}]})")) << texts[1];
  publish(feed);
  const Texts more = got(one);
  ASSERT_EQ(more.size(), 2U);
  EXPECT_EQ(more[0], R"({"type":"channel_state",)" + member("channel", feed) + R"(,"state":"live"})");
  EXPECT_TRUE(more[1].starts_with(R"({"type":"message")"));
}

}  // namespace
}  // namespace ringcast
