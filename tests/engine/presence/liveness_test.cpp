// stale_after: a channel that is silent for so long, and what its readers are told; on one shard and over three.
#include "tests/engine/presence/presence_fixture.hpp"

namespace ringcast {
namespace {

CoreOptions with_stale(std::uint32_t shards) {
  CoreOptions options;
  options.shards = shards;
  options.limits.message_bytes = 8'000;
  NamespaceRule rule;
  rule.match = "feed>";
  rule.stale_after = milliseconds{1'000};
  options.namespaces.push_back(rule);
  return options;
}

class LivenessTest : public PresenceNode {
 protected:
  LivenessTest() : PresenceNode(with_stale(GetParam())) {}
  std::string say_live() const { return R"({"type":"channel_state",)" + member("channel", feed) + R"(,"state":"live"})"; }
  std::string say_stale(std::uint64_t last) const {
    return R"({"type":"channel_state",)" + member("channel", feed) + R"(,"state":"stale","seq":)" +
           std::to_string(last) + "}";
  }
  void publish(int data = 1, std::string_view more = "") {
    node.say(publisher, R"({"type":"publish",)" + std::string{more} + R"("channel":")" + feed + R"(","data":)" +
                            std::to_string(data) + "}");
  }
  Texts answer_of_subscribe(CoreClient& who) {
    node.say(who, R"({"type":"subscribe","id":1,"channels":[")" + feed + "\"]}");
    return got(who);
  }
  std::string feed = node.channel_on(0, "feed");
  CoreClient& publisher = client("", shard(1));
};
INSTANTIATE_TEST_SUITE_P(Shards, LivenessTest, testing::Values(1U, 3U));

TEST_P(LivenessTest, SilenceIsToldOnceAndLifeBeforeTheNextMessage) {
  std::vector<CoreClient*> readers;
  for (std::uint32_t i = 0; i < 3; ++i) readers.push_back(&reader("", feed, shard(i)));
  publish();
  for (CoreClient* one : readers) EXPECT_EQ(got(*one).size(), 1U);
  node.advance(milliseconds{995});
  for (CoreClient* one : readers) EXPECT_EQ(got(*one), Texts{}) << "not yet";
  node.advance(milliseconds{10});
  for (CoreClient* one : readers) EXPECT_EQ(got(*one), Texts{say_stale(1)});
  node.advance(milliseconds{20'000});
  for (CoreClient* one : readers) EXPECT_EQ(got(*one), Texts{}) << "once";
  EXPECT_EQ(node.count(CounterId::channels_stale), 1U);
  publish(2);
  for (CoreClient* one : readers) {
    const Texts texts = got(*one);
    ASSERT_EQ(texts.size(), 2U);
    EXPECT_EQ(texts[0], say_live());
    EXPECT_TRUE(texts[1].starts_with(R"({"type":"message")"));
  }
  EXPECT_EQ(node.count(CounterId::channels_stale), 0U);
  EXPECT_EQ(node.count(CounterId::channels_became_stale), 1U);
  EXPECT_EQ(node.count(CounterId::channels_became_live), 1U);
}

TEST_P(LivenessTest, AChannelThatIsPublishedToOftenEnoughIsNeverStale) {
  CoreClient& one = reader("", feed, shard(2));
  for (int i = 0; i < 50; ++i) {
    node.advance(milliseconds{900});
    publish(i);
  }
  EXPECT_EQ(got(one).size(), 50U);
  EXPECT_EQ(node.count(CounterId::channels_became_stale), 0U);
}

TEST_P(LivenessTest, WhoJoinsAStaleChannelLearnsItFromTheAnswer) {
  for (std::uint32_t i = 0; i < shards; ++i) {
    publish();
    CoreClient& early = client("", i);
    EXPECT_EQ(answer_of_subscribe(early).at(0).find("liveness"), std::string::npos);
    node.advance(milliseconds{1'010});
    got(early);
    CoreClient& late = client("", i);
    const Texts texts = answer_of_subscribe(late);
    ASSERT_EQ(texts.size(), 1U) << "the answer says it, no notice follows";
    EXPECT_NE(texts[0].find(R"(,"liveness":"stale"})"), std::string::npos) << texts[0];
    EXPECT_NE(answer_of_subscribe(late).at(0).find(R"(,"liveness":"stale"})"), std::string::npos) << "asked again";
    publish();
    EXPECT_EQ(got(late).at(0), say_live());
    EXPECT_EQ(got(early).at(0), say_live());
    leave(early);
    leave(late);
    node.advance(kLogLinger + seconds{2});  // the next one's log begins anew
  }
}

TEST_P(LivenessTest, ADuplicateIsNoSignOfLife) {
  CoreClient& one = reader("", feed, shard(2));
  publish(1, R"("message_id":"m",)");
  node.advance(milliseconds{1'010});
  got(one);
  publish(1, R"("message_id":"m",)");
  EXPECT_EQ(got(one), Texts{});
  EXPECT_EQ(node.count(CounterId::channels_stale), 1U);
}

TEST_P(LivenessTest, ANeverPublishedChannelIsStaleAfterTheSameTime) {
  CoreClient& one = reader("", feed, shard(2));
  node.advance(milliseconds{1'010});
  EXPECT_EQ(got(one), Texts{say_stale(0)});
}

TEST_P(LivenessTest, AReaderOfTheExchangeDialectIsToldNothing) {
  CoreClient& trader = node.open("/ws/" + feed, shard(2));
  publish(1);
  node.advance(milliseconds{1'010});
  publish(2);
  EXPECT_EQ(got(trader), (Texts{"1", "2"}));
}

TEST_P(LivenessTest, AReaderThatDoesNotReadHearsHowItIsWhenItReadsAgain) {
  CoreClient& sleeper = reader("", feed, shard(2));
  sleeper.room = 0;
  const std::string ping = R"({"type":"ping","id":")" + std::string(100, 'p') + "\"}";
  for (int i = 0; i < 200; ++i) node.text(sleeper, ping);  // more replies than notices may wait behind
  node.run();
  node.advance(milliseconds{1'010});
  publish();  // stale and live again: nothing to tell
  node.advance(milliseconds{500});
  node.make_room(sleeper);
  node.run();
  Texts texts = got(sleeper);
  EXPECT_EQ(texts.size(), 201U) << "the pongs and the message";
  sleeper.room = 0;
  for (int i = 0; i < 200; ++i) node.text(sleeper, ping);
  node.run();
  node.advance(milliseconds{1'010});
  node.make_room(sleeper);
  node.run();
  texts = got(sleeper);
  ASSERT_EQ(texts.size(), 201U);
  EXPECT_EQ(texts.back(), say_stale(1));
}

TEST_P(LivenessTest, AChannelThatExpiresIsForgottenWithItsState) {
  CoreOptions brief = with_stale(shards);
  brief.limits.channel_idle_time = milliseconds{2'000};
  brief.namespaces[0].history.age = milliseconds{1'500};
  CoreHarness small{brief};
  CoreClient& writer = small.native(shard(1));
  small.say(writer, R"({"type":"publish","channel":")" + feed + R"(","data":1})");
  small.advance(milliseconds{1'010});
  EXPECT_EQ(small.count(CounterId::channels_stale), 1U);
  small.advance(seconds{10});
  EXPECT_EQ(small.count(CounterId::channels_stale), 0U);
  EXPECT_EQ(small.count(CounterId::channels_home), 0U);
}

TEST_P(LivenessTest, AShardThatSleepsThroughSilenceAndLifeTellsNothing) {
  if (shards == 1) GTEST_SKIP() << "the home cannot sleep through its own timer";
  CoreClient& far = reader("", feed, 2);
  node.asleep[2] = true;
  node.advance(milliseconds{1'010});
  publish(1);
  node.advance(milliseconds{1'010});
  publish(2);
  node.asleep[2] = false;
  node.run();
  const Texts texts = got(far);
  bool stale = false;
  std::size_t messages = 0;
  for (const std::string& text : texts) {
    if (text.starts_with(R"({"type":"message")")) {
      EXPECT_FALSE(stale) << "live before the message";
      ++messages;
    } else {
      EXPECT_TRUE(stale ? text == say_live() : text == say_stale(0) || text == say_stale(1)) << text;
      stale = !stale;
    }
  }
  EXPECT_EQ(messages, 2U);
  EXPECT_FALSE(stale);
}

}  // namespace
}  // namespace ringcast
