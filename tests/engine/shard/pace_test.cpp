// Publishers that outrun the node: held back until the readers that only wait for their turn have had it.
#include <gtest/gtest.h>

#include "tests/doubles/core_harness.hpp"

namespace ringcast {
namespace {

constexpr int kMessages = 1'000;
constexpr std::uint32_t kLagMessages = 64;  // far fewer

CoreOptions with_lag(std::uint32_t shards, SlowPolicy policy = SlowPolicy::disconnect) {
  CoreOptions options;
  options.shards = shards;
  options.limits.message_bytes = 8'000;
  NamespaceRule rule;
  rule.slow = policy;
  rule.lag.messages = kLagMessages;
  options.namespaces.push_back(rule);
  return options;
}

std::string publish(std::string_view channel, std::string_view data = "1", int id = 0) {
  std::string text = R"({"type":"publish",)";
  if (id != 0) text += R"("id":)" + std::to_string(id) + ",";
  return text + R"("channel":")" + std::string{channel} + R"(","data":)" + std::string{data} + "}";
}

std::vector<CoreClient*> readers_of(CoreHarness& node, std::string_view channel, int count, std::uint32_t shard = 0) {
  std::vector<CoreClient*> readers;
  for (int i = 0; i < count; ++i) {
    readers.push_back(&node.native(shard));
    node.say(*readers.back(), R"({"type":"subscribe","channels":[")" + std::string{channel} + R"("]})");
    CoreHarness::take_texts(*readers.back());
  }
  return readers;
}

/// Every message, once and in order.
void expect_everything(CoreClient& reader, std::uint64_t messages = kMessages) {
  const auto texts = CoreHarness::take_texts(reader);
  ASSERT_EQ(texts.size(), messages);
  for (std::uint64_t i = 0; i < messages; ++i) {
    ASSERT_NE(texts[i].find(R"("seq":)" + std::to_string(i + 1) + ","), std::string::npos) << texts[i];
  }
}

TEST(Pace, APublisherThatOutrunsTheTurnsIsHeldBackAndNobodyIsTooSlow) {
  CoreHarness node{with_lag(1)};
  const auto readers = readers_of(node, "c", 40);
  CoreClient& publisher = node.native();
  for (int i = 1; i <= kMessages; ++i) node.text(publisher, publish("c", "1", i));  // and nobody has a turn meanwhile
  EXPECT_GT(node.count(CounterId::publishes_parked), 0U);
  node.run();
  for (CoreClient* reader : readers) expect_everything(*reader);
  EXPECT_EQ(CoreHarness::take_texts(publisher).size(), std::size_t{kMessages}) << "each is acknowledged";
  EXPECT_EQ(node.count(CounterId::slow_disconnects), 0U);
  EXPECT_EQ(node.ledger(), (Ledger{.offered = 40 * kMessages, .sent = 40 * kMessages}));
}

struct PaceRow {
  std::string_view sentence;
  std::uint32_t publisher, home, reader;
};

TEST(Pace, HoldsAcrossShards) {
  constexpr PaceRow kRows[] = {
      {"the publisher is at home, the readers are not", 0, 0, 1},
      {"the readers are at home, the publisher is not", 1, 0, 0},
      {"the home has neither", 1, 0, 1},
      {"everybody is elsewhere", 1, 0, 2},
  };
  for (const PaceRow& row : kRows) {
    SCOPED_TRACE(row.sentence);
    CoreHarness node{with_lag(3), 65'536};
    const std::string channel = node.channel_on(row.home);
    const auto readers = readers_of(node, channel, 20, row.reader);
    CoreClient& publisher = node.native(row.publisher);
    for (int i = 1; i <= kMessages; ++i) {
      node.text(publisher, publish(channel, "1", i));
      if (i % 100 == 0) node.turn(row.home);  // it takes in more than the readers' shard gives out
    }
    node.run();
    for (CoreClient* reader : readers) expect_everything(*reader);
    EXPECT_EQ(CoreHarness::take_texts(publisher).size(), std::size_t{kMessages});
    EXPECT_EQ(node.count(CounterId::slow_disconnects), 0U);
    EXPECT_EQ(node.count(CounterId::mesh_gaps), 0U);
    EXPECT_EQ(node.ledger(), (Ledger{.offered = 20 * kMessages, .sent = 20 * kMessages}));
  }
}

TEST(Pace, ShardsThatPublishToEachOthersChannelsDoNotWaitForEachOther) {
  CoreHarness node{with_lag(2), 65'536};
  const std::string channels[] = {node.channel_on(0), node.channel_on(1)};
  std::vector<CoreClient*> readers, publishers;
  for (std::uint32_t shard = 0; shard < 2; ++shard) {  // all is away from home
    for (CoreClient* reader : readers_of(node, channels[1 - shard], 10, shard)) readers.push_back(reader);
    publishers.push_back(&node.native(shard));
  }
  for (int i = 0; i < kMessages; ++i) {
    for (std::uint32_t shard = 0; shard < 2; ++shard) {
      node.text(*publishers[shard], publish(channels[1 - shard], '"' + std::string(500, 'x') + '"'));
      if (i % 50 == 0) node.turn(shard);
    }
  }
  node.run();
  for (CoreClient* reader : readers) expect_everything(*reader);
  EXPECT_EQ(node.count(CounterId::mesh_gaps), 0U);
}

TEST(Pace, PublishersOfOneChannelTakeTurns) {
  CoreHarness node{with_lag(1)};
  const auto readers = readers_of(node, "c", 40);
  CoreClient* publishers[] = {&node.native(), &node.native()};
  for (CoreClient* publisher : publishers) {
    const char* name = publisher == publishers[0] ? "\"a\"" : "\"b\"";
    for (int i = 0; i < kMessages; ++i) node.text(*publisher, publish("c", name));
  }
  node.run();
  const auto texts = CoreHarness::take_texts(*readers[0]);
  ASSERT_EQ(texts.size(), std::size_t{2} * kMessages);
  const auto first = texts.begin(), middle = first + kMessages;
  const auto by_b = std::count_if(first, middle, [](const std::string& text) { return text.ends_with(R"("b"})"); });
  EXPECT_GT(by_b, kMessages / 4) << "of the first half";
  EXPECT_LT(by_b, kMessages * 3 / 4);
}

TEST(Pace, AReaderWhoseSocketIsFullHoldsNobody) {
  CoreHarness node{with_lag(1)};
  const auto readers = readers_of(node, "c", 2);
  readers[1]->room = 0;
  CoreClient& publisher = node.native();
  for (int i = 1; i <= kMessages; ++i) node.say(publisher, publish("c"));
  node.advance(kLagCheckInterval);  // blocked readers are looked at from time to time
  expect_everything(*readers[0]);
  EXPECT_EQ(node.count(CounterId::slow_disconnects), 1U);
  EXPECT_EQ(node.count(CounterId::publishes_parked), 0U);
}

TEST(Pace, WhereReadersConflateThePublisherIsNotHeld) {
  CoreHarness node{with_lag(1, SlowPolicy::conflate)};
  const auto readers = readers_of(node, "c", 10);
  CoreClient& publisher = node.native();
  for (int i = 1; i <= kMessages; ++i) node.text(publisher, publish("c", std::to_string(i)));
  EXPECT_EQ(node.count(CounterId::publishes_parked), 0U);
  node.run();
  for (CoreClient* reader : readers) {
    const auto texts = CoreHarness::take_texts(*reader);
    ASSERT_FALSE(texts.empty());
    EXPECT_TRUE(texts.back().ends_with(R"("data":1000})")) << texts.back();
  }
}

TEST(Pace, AShardThatTakesNothingIsWaitedForAWhileAndThenLeftBehind) {
  CoreHarness node{with_lag(2, SlowPolicy::drop_oldest), 65'536};
  const std::string channel = node.channel_on(1);
  const auto readers = readers_of(node, channel, 3, 0);
  CoreClient& publisher = node.native(1);
  node.asleep[0] = true;
  for (int i = 1; i <= kMessages; ++i) node.say(publisher, publish(channel, '"' + std::string(2'000, 'x') + '"'));
  EXPECT_LT(node.count(CounterId::messages_published), std::uint64_t{kMessages} / 2);
  node.advance(kPaceTime + milliseconds{1});
  EXPECT_EQ(node.count(CounterId::messages_published), std::uint64_t{kMessages});
  node.asleep[0] = false;
  node.run();
  EXPECT_GT(node.count(CounterId::mesh_gaps), 0U);
  for (CoreClient* reader : readers) {
    const auto texts = CoreHarness::take_texts(*reader);
    ASSERT_FALSE(texts.empty());
    EXPECT_NE(texts.back().find(R"("seq":1000,)"), std::string::npos);
  }
}

}  // namespace
}  // namespace ringcast
