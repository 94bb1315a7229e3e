// The graceful end, and what a node holds when nobody is there any more.
#include "engine/shard/shard_core.hpp"

#include <gtest/gtest.h>

#include "alloc/log/block_pool.hpp"
#include "tests/doubles/core_harness.hpp"

namespace ringcast {
namespace {

using Texts = std::vector<std::string>;

CoreOptions shards(std::uint32_t count) {
  CoreOptions options;
  options.shards = count;
  options.limits.message_bytes = 8'000;
  return options;
}
std::string publish(std::string_view channel, std::string_view data = "1", std::string_view more = "") {
  return R"({"type":"publish",)" + std::string{more} + R"("channel":")" + std::string{channel} + R"(","data":)" + std::string{data} + "}";
}
std::string subscribe(std::string_view channel) {
  return R"({"type":"subscribe","channels":[")" + std::string{channel} + R"("]})";
}
void begin_shutdown(CoreHarness& node) {
  for (std::uint32_t shard = 0; shard < node.options.shards; ++shard) node.core(shard).begin_shutdown(node.now);
}

// ---- shutdown ----

TEST(Shutdown, EverybodyGetsWhatWasPublishedAndThen1001) {
  CoreHarness node{shards(2), 65'536};
  const std::string channel = node.channel_on(1);
  std::vector<CoreClient*> readers;
  for (const std::uint32_t shard : {0U, 1U}) {
    for (int i = 0; i < 3; ++i) {
      readers.push_back(&node.native(shard));
      node.say(*readers.back(), subscribe(channel));
      CoreHarness::take_texts(*readers.back());
    }
  }
  CoreClient& publisher = node.native(0);
  readers[0]->room = 100;  // it reads, but not yet
  node.asleep[0] = true;
  for (int i = 0; i < 100; ++i) node.text(publisher, publish(channel));
  begin_shutdown(node);
  node.asleep[0] = false;
  node.run();
  node.advance(kShutdownSettle * 2);
  EXPECT_FALSE(readers[0]->server_fin);
  node.make_room(*readers[0]);
  node.advance(kShutdownSettle);
  for (CoreClient* reader : readers) {
    const auto frames = CoreHarness::take_frames(*reader);
    ASSERT_EQ(frames.size(), 101U);
    EXPECT_EQ(frames.back().opcode, Opcode::close);
    EXPECT_TRUE(frames.back().payload.starts_with("\x03\xe9"));
    EXPECT_TRUE(reader->server_fin);
    node.end(*reader);
  }
  EXPECT_EQ(CoreHarness::take_close(publisher), 1001);
  node.end(publisher);
  EXPECT_TRUE(node.core(0).drained());
  EXPECT_TRUE(node.core(1).drained());
  EXPECT_EQ(node.count(CounterId::closed_1001), 7U);
  EXPECT_EQ(node.ledger(), (Ledger{.offered = 600, .sent = 600}));
}

TEST(Shutdown, NewWorkIsRefusedMeanwhile) {
  CoreHarness node;
  CoreClient& client = node.native();
  CoreClient& half_open = node.connect();
  node.bytes(half_open, "GET /ws HT");
  begin_shutdown(node);
  node.run();
  EXPECT_TRUE(half_open.closed);
  EXPECT_FALSE(node.connect().accepted);
  node.say(client, publish("c", "1", R"("id":1,)"));
  const Texts texts = CoreHarness::take_texts(client);
  ASSERT_EQ(texts.size(), 1U);
  EXPECT_NE(texts[0].find(R"("code":"overloaded","message":"the node is shutting down")"), std::string::npos);
}

TEST(Shutdown, APublishThatWaitedForALaneIsStillDeliveredAndAcknowledged) {
  CoreHarness node{shards(2), 65'536};
  const std::string channel = node.channel_on(1);
  CoreClient& reader = node.native(1);
  node.say(reader, subscribe(channel));
  CoreHarness::take_texts(reader);
  CoreClient& publisher = node.native(0);
  node.asleep[1] = true;
  std::size_t sent = 0;
  while (node.count(CounterId::publishes_parked) == 0) {
    node.text(publisher, publish(channel, '"' + std::string(2'000, 'x') + '"', R"("id":1,)"));
    ++sent;
  }
  node.asleep[1] = false;
  begin_shutdown(node);
  node.run();
  node.advance(kShutdownSettle * 3);
  const auto acknowledged = CoreHarness::take_frames(publisher);
  const auto delivered = CoreHarness::take_frames(reader);
  EXPECT_GE(acknowledged.size(), sent);  // and 1001
  EXPECT_EQ(delivered.size(), sent);     // all but the one that was refused, and 1001
  EXPECT_EQ(delivered.back().opcode, Opcode::close);
  EXPECT_EQ(acknowledged.back().opcode, Opcode::close);
}

TEST(Shutdown, AtTheDeadlineWhoeverIsLeftIsReset) {
  CoreHarness node;
  CoreClient& silent = node.native();
  CoreClient& stuck = node.native();
  node.say(stuck, subscribe("c"));
  stuck.room = 0;
  CoreClient& publisher = node.native();
  node.say(publisher, publish("c"));
  begin_shutdown(node);
  node.advance(seconds{9});
  EXPECT_TRUE(silent.closed);  // it did not answer its 1001
  EXPECT_FALSE(stuck.closed);
  node.advance(seconds{1} + kHousekeepingInterval);
  EXPECT_TRUE(stuck.reset);
  EXPECT_TRUE(node.core().drained());
  EXPECT_EQ(node.ledger(), (Ledger{.offered = 1, .abandoned = 1}));
}

TEST(Shutdown, ANodeWithoutConnectionsIsDrainedAtOnce) {
  CoreHarness node{shards(3), 65'536};
  EXPECT_FALSE(node.core(1).drained());
  begin_shutdown(node);
  for (std::uint32_t shard = 0; shard < 3; ++shard) EXPECT_TRUE(node.core(shard).drained());
}

// ---- channels that nobody uses any more ----

TEST(ChannelMemory, ChannelsThatAreIdleExpireAndGiveEverythingBack) {
  for (const std::uint32_t count : {1U, 2U}) {
    SCOPED_TRACE(testing::Message() << count << " shards");
    CoreOptions options = shards(count);
    options.namespaces.emplace_back();
    options.namespaces[0].dedupe.by = DedupeBy::off;  // its window is one table that stays
    CoreHarness node{options, 65'536};
    std::vector<std::array<std::uint64_t, kPurposeCount>> floor(count);
    for (std::uint32_t shard = 0; shard < count; ++shard) {
      for (const PurposeRow& row : kPurposes) {
        floor[shard][static_cast<std::size_t>(row.purpose)] = node.budget(shard).used(row.purpose);
      }
    }
    CoreClient& client = node.native(0);
    for (int i = 0; i < 100; ++i) {
      const std::string channel = "idle." + std::to_string(i);
      node.say(client, subscribe(channel));
      node.say(client, publish(channel, '"' + std::string(3'000, 'x') + '"'));
    }
    EXPECT_EQ(node.count(CounterId::channels_home), 100U);
    EXPECT_EQ(CoreHarness::take_texts(client).size(), 200U);
    node.end(client);
    EXPECT_EQ(node.count(CounterId::subscriptions), 0U);
    std::uint64_t in_use = 0;
    for (std::uint32_t shard = 0; shard < count; ++shard) in_use += node.budget(shard).used(Purpose::history);
    EXPECT_GE(in_use, 100U * 3'000);

    node.advance(minutes{5});  // history's age
    node.advance(minutes{6});
    EXPECT_EQ(node.count(CounterId::channels_home), 0U);
    EXPECT_EQ(node.count(CounterId::channels_expired), 100U);
    EXPECT_EQ(node.count(CounterId::channel_logs), 0U);
    for (std::uint32_t shard = 0; shard < count; ++shard) {
      for (const PurposeRow& row : kPurposes) {
        const std::uint64_t now = node.budget(shard).used(row.purpose);
        const std::uint64_t then = floor[shard][static_cast<std::size_t>(row.purpose)];
        if (row.purpose == Purpose::other) {  // free blocks, kept for reuse, a bounded number
          EXPECT_LE(now - then, BlockPool::kFreeBlocksMax * (1'024U + 4'096 + 16'384 + 65'536));
        } else if (row.purpose == Purpose::connections || row.purpose == Purpose::subscriptions ||
                   row.purpose == Purpose::channels) {
          EXPECT_LE(now - then, 3U * 70'000) << row.name;  // a chunk of each slab, kept for reuse
        } else {
          EXPECT_EQ(now, then) << row.name;
        }
      }
    }
  }
}

TEST(ChannelMemory, AChannelThatIsReadDoesNotExpireAndKeepsItsNumbers) {
  CoreHarness node;
  CoreClient& reader = node.native();
  node.say(reader, subscribe("c"));
  node.say(reader, publish("c"));
  for (int i = 0; i < 40; ++i) {
    node.advance(seconds{29});
    node.pong(reader);
  }
  CoreHarness::take_frames(reader);
  EXPECT_EQ(node.count(CounterId::channels_home), 1U);
  node.say(reader, publish("c"));
  const Texts texts = CoreHarness::take_texts(reader);
  ASSERT_EQ(texts.size(), 1U);
  EXPECT_NE(texts[0].find(R"("seq":2,)"), std::string::npos);
}

TEST(ChannelMemory, AChannelThatExpiredBeginsANewEpoch) {
  CoreHarness node;
  CoreClient& client = node.native();
  const auto epoch_and_seq = [&] {
    node.say(client, publish("c", "1", R"("id":1,)"));
    const std::string text = CoreHarness::take_texts(client).back();
    return text.substr(text.find(R"("epoch")"));
  };
  const std::string first = epoch_and_seq();
  EXPECT_NE(first.find(R"("seq":1,)"), std::string::npos);
  for (int i = 0; i < 30; ++i) {
    node.advance(seconds{29});
    node.pong(client);
  }
  EXPECT_EQ(node.count(CounterId::channels_expired), 1U);
  const std::string second = epoch_and_seq();
  EXPECT_NE(second.find(R"("seq":1,)"), std::string::npos);
  EXPECT_NE(first.substr(0, 26), second.substr(0, 26));
}

TEST(ChannelMemory, ALogIsTrimmedOfWhatEverybodyHasRead) {
  CoreHarness node;
  CoreClient& reader = node.native();
  node.say(reader, subscribe("c"));
  for (int i = 0; i < 100; ++i) node.say(reader, publish("c", '"' + std::string(3'000, 'x') + '"'));
  EXPECT_GT(node.budget().used(Purpose::log_blocks), 300'000U);
  node.advance(seconds{12});
  EXPECT_EQ(node.budget().used(Purpose::log_blocks), 0U);
}

// ---- the seam ----

TEST(ShardCoreSeam, AnIdleShardSaysSoAndHasADeadline) {
  CoreHarness node;
  EXPECT_TRUE(node.core().idle());
  EXPECT_LE(node.core().next_deadline(), node.now.mono + kHousekeepingInterval);
  CoreClient& client = node.native();
  EXPECT_TRUE(node.core().idle());
  node.text(client, R"({"type":"ping"})");
  EXPECT_FALSE(node.core().idle());  // somebody has news
  node.run();
  EXPECT_TRUE(node.core().idle());
}

TEST(ShardCoreSeam, AShardIsRungWhenItHasBeenSentSomethingAndOnce) {
  CoreHarness node{shards(2), 65'536};
  CoreClient& publisher = node.native(0);
  node.run();
  node.text(publisher, publish(node.channel_on(1)));
  EXPECT_EQ(node.core(0).take_doorbells(node.now), 2U);
  EXPECT_EQ(node.core(0).take_doorbells(node.now), 0U);
  EXPECT_FALSE(node.core(1).idle());  // it would not sleep over it
  node.run();
}

TEST(ShardCoreSeam, WhatIsSaidOfAConnectionThatHasEndedIsIgnored) {
  CoreHarness node;
  CoreClient& client = node.native();
  const Handle handle = client.handle;
  node.end(client);
  ASSERT_TRUE(client.closed);
  std::vector<std::uint8_t> bytes{0x81, 0x80, 0, 0, 0, 0};
  node.core().receive(handle, bytes, node.now);
  node.core().receive_ended(handle, 0, node.now);
  node.core().writable(handle, node.now);
  EXPECT_TRUE(node.core().take_actions().empty());
  EXPECT_EQ(node.core().connections(), 0U);
}

}  // namespace
}  // namespace ringcast
