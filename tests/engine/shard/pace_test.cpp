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

/// A publisher's bytes, all of them there at once.
std::string flood(std::string_view channel, std::size_t data_bytes, int messages, char letter = 'x') {
  const std::string one =
      CoreHarness::masked(Opcode::text, publish(channel, '"' + std::string(data_bytes, letter) + '"'));
  std::string all;
  for (int i = 0; i < messages; ++i) all += one;
  return all;
}

/// As the shell turns a shard: the mesh, then a few batches, then the doorbells.
void turn_as_the_shell(CoreHarness& node, std::uint32_t shard) {
  ShardCore& core = node.core(shard);
  core.drain_mesh(node.now);
  core.take_actions();
  for (int i = 0; i < 8; ++i) {
    if (core.prepare_sends(node.now).empty()) break;
    core.finish_sends({}, node.now);
    core.take_actions();
  }
  core.take_doorbells(node.now);
}

CoreOptions as_shipped(std::uint32_t shards) {
  CoreOptions options;
  options.shards = shards;
  options.namespaces.push_back(NamespaceRule{});
  return options;
}

struct FloodRow {
  std::string_view sentence;
  int channels, readers;
  std::size_t data_bytes;
  int messages;  // a channel
};

TEST(Pace, ALapIsOverWhenItsReadersHaveItAll) {
  constexpr FloodRow kRows[] = {
      {"a turn ends at the end of a block, before the head", 1, 64, 60, 20'000},
      {"a turn is shared by ten channels", 10, 64, 60, 6'000},
      {"two messages are more than a turn", 1, 40, 33'000, 200},
      {"one message is more than a turn", 1, 96, 100'000, 100},
  };
  for (const FloodRow& row : kRows) {
    SCOPED_TRACE(row.sentence);
    CoreHarness node{as_shipped(1)};
    std::vector<std::string> names;
    std::string list;
    for (int i = 0; i < row.channels; ++i) {
      names.push_back("c" + std::to_string(i));
      list += (list.empty() ? "\"" : ",\"") + names.back() + '"';
    }
    for (int i = 0; i < row.readers; ++i) {
      CoreClient& reader = node.native();
      node.say(reader, R"({"type":"subscribe","channels":[)" + list + "]}");
    }
    std::vector<CoreClient*> publishers;
    for (int i = 0; i < row.channels; ++i) publishers.push_back(&node.native());
    for (std::size_t i = 0; i < names.size(); ++i) {
      node.bytes(*publishers[i], flood(names[i], row.data_bytes, row.messages));
    }
    node.run();
    EXPECT_EQ(node.count(CounterId::slow_disconnects), 0U);
    EXPECT_EQ(node.ledger().sent, static_cast<std::uint64_t>(row.channels) * static_cast<std::uint64_t>(row.readers) *
                                      static_cast<std::uint64_t>(row.messages));
  }
}

TEST(Pace, ReadersOnAShardThatIsSlowerThanTheHomeAreNotTooSlow) {
  CoreHarness node{as_shipped(2)};
  const std::string channel = node.channel_on(0);
  readers_of(node, channel, 300, 1);
  CoreClient& publisher = node.native(0);
  node.bytes(publisher, flood(channel, 60, 30'000));
  for (int i = 0; i < 20'000 && node.ledger().sent < 300U * 30'000U; ++i) {
    turn_as_the_shell(node, 0);
    turn_as_the_shell(node, 1);
  }
  EXPECT_EQ(node.ledger(), (Ledger{.offered = 300U * 30'000U, .sent = 300U * 30'000U}));
  EXPECT_EQ(node.count(CounterId::slow_disconnects), 0U);
}

TEST(Pace, NobodyOfManyPublishersIsForgotten) {
  for (const int count : {3, 5, 10}) {
    CoreHarness node{with_lag(1)};
    const auto readers = readers_of(node, "c", 40);
    std::vector<CoreClient*> publishers;
    for (int i = 0; i < count; ++i) publishers.push_back(&node.native());
    for (int i = 0; i < count; ++i) {
      node.bytes(*publishers[static_cast<std::size_t>(i)], flood("c", 40, 1'000, static_cast<char>('a' + i)));
    }
    node.run();
    const auto texts = CoreHarness::take_texts(*readers[0]);
    ASSERT_GE(texts.size(), 1'000U);
    for (int i = 0; i < count; ++i) {
      const std::string end = std::string{static_cast<char>('a' + i)} + "\"}";
      const auto got = std::count_if(texts.begin(), texts.begin() + 1'000,
                                     [&](const std::string& text) { return text.ends_with(end); });
      EXPECT_GT(got, 1'000 / count / 3) << "publisher " << i << " of " << count << ", of the first 1,000";
    }
  }
}

TEST(Pace, APublishFromAnotherShardGoesOnBesideALocalFlood) {
  CoreHarness node{as_shipped(2)};
  const std::string channel = node.channel_on(0), quiet = node.channel_on(0, "quiet");
  readers_of(node, channel, 300);
  CoreClient& local = node.native(0);
  CoreClient* remotes[] = {&node.native(1), &node.native(1)};
  node.bytes(local, flood(channel, 60, 60'000));
  turn_as_the_shell(node, 0);
  node.text(*remotes[0], publish(channel, "1", 1));
  node.text(*remotes[1], publish(quiet, "1", 1));  // behind it in the lane
  turn_as_the_shell(node, 1);
  bool answered[] = {false, false};
  for (int turns = 0; turns < 1'000 && !(answered[0] && answered[1]); ++turns) {
    turn_as_the_shell(node, 0);
    node.turn(1);
    for (int i = 0; i < 2; ++i) answered[i] = answered[i] || !CoreHarness::take_texts(*remotes[i]).empty();
  }
  EXPECT_TRUE(answered[0] && answered[1]);
  EXPECT_LT(node.count(CounterId::messages_published), 30'000U) << "long before the flood is over";
}

TEST(Pace, AHoldForALaggingShardHidesNoOther) {
  CoreHarness node{as_shipped(2)};
  const std::string far = node.channel_on(0, "far"), here = node.channel_on(0, "here");
  readers_of(node, far, 1, 1);
  const auto readers = readers_of(node, here, 1, 0);
  CoreClient& lagging = node.native(0);
  CoreClient& publisher = node.native(0);
  node.asleep[1] = true;
  readers[0]->room = 0;
  node.say(publisher, publish(here));  // the reader's socket is found full
  node.bytes(lagging, flood(far, 60, 5'000));
  node.run();
  const std::uint64_t before = node.count(CounterId::messages_published);
  node.bytes(publisher, flood(here, 60, 3'000));
  node.run();
  EXPECT_EQ(node.count(CounterId::messages_published) - before, 3'000U);
}

TEST(Pace, ALaneHoldsLittleAndTheHomesLogsTheRest) {
  CoreHarness node{as_shipped(2)};
  std::vector<CoreClient*> publishers;
  std::vector<std::string> names;
  for (int i = 0; i < 40; ++i) {
    names.push_back(node.channel_on(0, "k" + std::to_string(i)));
    readers_of(node, names.back(), 1, 1);
    publishers.push_back(&node.native(0));
  }
  node.asleep[1] = true;
  for (std::size_t i = 0; i < names.size(); ++i) node.bytes(*publishers[i], flood(names[i], 1'000, 200));
  node.run();
  EXPECT_LE(node.mesh.bulk(ShardIndex{0}, ShardIndex{1}).bytes_used(), kMeshBacklogBytes + 2 * kMeshBatchBytesMax);
}

}  // namespace
}  // namespace ringcast
