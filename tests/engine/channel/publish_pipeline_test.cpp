#include "engine/channel/publish_pipeline.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "engine/channel/frame_encoder.hpp"
#include "engine/channel/stored_message.hpp"
#include "engine/stats/shard_block.hpp"

namespace ringcast {
namespace {

class PublishPipelineTest : public testing::Test {
 protected:
  PublishRequest request(std::string_view data, std::string_view message_id = {}, std::uint64_t publisher = 1) {
    return {.channel = name,
            .event = "tick",
            .message_id = message_id,
            .data = data,
            .publisher = publisher,
            .received = now.mono - microseconds{5}};
  }
  Published publish(HomeChannel& to, std::string_view data, std::string_view message_id = {},
                    std::uint64_t publisher = 1) {
    return pipeline.publish(to, request(data, message_id, publisher), now);
  }
  void wait(nanoseconds by) {
    now.mono += by;
    now.wall += by;
  }
  static std::string text_of(const FrameLog& log, Sequence seq) {
    const auto run = log.run_from(seq, 1);
    return run && run->first == seq ? std::string{reinterpret_cast<const char*>(run->data), run->bytes} : "nothing";
  }
  std::uint64_t count(CounterId id) const { return stats.get(id); }

  std::unique_ptr<ShardBlock> block = std::make_unique<ShardBlock>();
  ShardStats stats{*block};
  Budget budget;
  BlockPool pool{&budget};
  NamespaceRule rule;
  const std::string name = "orders";
  Now now{.mono = Instant{seconds{1'000}}, .wall = WallTime{seconds{1'790'000'000}}};
  PublishPipeline pipeline{100, {}, budget, stats};
  HomeChannel channel{pool, name, 0, rule, Epoch{11}};
};

TEST_F(PublishPipelineTest, SeqCountsUpByExactlyOneFromOne) {
  for (std::uint64_t seq = 1; seq <= 100; ++seq) {
    const Published published = publish(channel, "1");
    EXPECT_EQ(published.seq, Sequence{seq});
    EXPECT_EQ(published.epoch, Epoch{11});
    EXPECT_FALSE(published.duplicate);
    EXPECT_EQ(channel.last(), Sequence{seq});
  }
  EXPECT_EQ(count(CounterId::messages_published), 100U);
  EXPECT_EQ(count(CounterId::messages_encoded), 0U);  // nobody reads
}

TEST_F(PublishPipelineTest, EveryMessageIsEncodedOnceForEachFormThatIsReadAndForNoOther) {
  FrameLog native{pool, {}, Purpose::log_blocks, Sequence{1}};
  FrameLog combined{pool, {}, Purpose::log_blocks, Sequence{1}};
  channel.form_logs[static_cast<std::size_t>(Form::native_json)] = &native;
  publish(channel, "1");
  EXPECT_EQ(count(CounterId::messages_encoded), 1U);
  combined.skip_to(Sequence{2});
  channel.form_logs[static_cast<std::size_t>(Form::exchange_combined)] = &combined;
  publish(channel, "2");
  EXPECT_EQ(count(CounterId::messages_encoded), 3U);
  channel.form_logs[static_cast<std::size_t>(Form::native_json)] = nullptr;
  publish(channel, "3");
  EXPECT_EQ(count(CounterId::messages_encoded), 4U);

  EXPECT_EQ(native.next(), Sequence{3});
  EXPECT_EQ(combined.next(), Sequence{4});
  EXPECT_EQ(text_of(combined, Sequence{3}), std::string{"\x81\x1c"} + R"({"stream":"orders","data":3})");
  EXPECT_NE(text_of(native, Sequence{2}).find(R"("seq":2,"event":"tick")"), std::string::npos);
  EXPECT_EQ(native.run_from(Sequence{1}, 1)->received, now.mono - microseconds{5});  // latency counts from its receipt
  EXPECT_EQ(*native.appended_at(Sequence{1}), now.mono);                             // lag from when it could be sent
}

TEST_F(PublishPipelineTest, PublishedMeansKeptInHistory) {
  PublishRequest wanted = request(R"({"a":1})", "id-1");
  wanted.snapshot = true;
  const Published published = pipeline.publish(channel, wanted, now);
  const auto run = channel.history.run_from(published.seq, SIZE_MAX);
  ASSERT_TRUE(run);
  const MessageView kept = read_stored(Bytes{run->data, run->bytes});
  EXPECT_EQ(kept.event, "tick");
  EXPECT_EQ(kept.message_id, "id-1");
  EXPECT_EQ(kept.data, R"({"a":1})");
  EXPECT_EQ(kept.published_at, now.wall);
  EXPECT_TRUE(kept.snapshot);
}

TEST_F(PublishPipelineTest, HistoryKeepsItsBoundAndNoMoreThanABlockAboveIt) {
  rule.history.messages = 50;
  HomeChannel small{pool, name, 0, rule, Epoch{11}};
  for (int i = 0; i < 10'000; ++i) publish(small, "1");
  EXPECT_GE(small.history.frames(), 50U);
  EXPECT_EQ(small.last(), Sequence{10'000});
  EXPECT_EQ(text_of(small.history, Sequence{9'951}).size(), sizeof(StoredHeader) + 4 + 1);
  EXPECT_LE(budget.used(Purpose::history), 2 * 65'536U);
}

TEST_F(PublishPipelineTest, ADuplicateIsAnsweredWithTheFirstOnesNumberAndGoesNoFurther) {
  FrameLog native{pool, {}, Purpose::log_blocks, Sequence{1}};
  channel.form_logs[static_cast<std::size_t>(Form::native_json)] = &native;
  const Published first = publish(channel, "1", "id-1");
  publish(channel, "2", "id-2");
  const Published again = publish(channel, "3", "id-1");
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.seq, first.seq);
  EXPECT_EQ(again.epoch, first.epoch);
  EXPECT_EQ(channel.last(), Sequence{2});
  EXPECT_EQ(native.next(), Sequence{3});
  EXPECT_EQ(count(CounterId::messages_duplicate), 1U);
  EXPECT_EQ(count(CounterId::messages_published), 2U);
}

struct DuplicateRow {
  std::string_view sentence;
  DedupeOptions options;
  std::string_view id_first, data_first;
  std::uint64_t publisher_second;
  std::string_view id_second, data_second;
  seconds later;
  bool duplicate;
};
constexpr DuplicateRow kDuplicateRows[] = {
    {"the same id", {}, "a", "1", 1, "a", "2", seconds{0}, true},
    {"the same id just within the window", {}, "a", "1", 1, "a", "2", seconds{59}, true},
    {"the same id when the window has passed", {}, "a", "1", 1, "a", "2", seconds{60}, false},
    {"the same id of another publisher", {}, "a", "1", 2, "a", "2", seconds{0}, false},
    {"the same id of another publisher, scope channel", {.scope = DedupeScope::channel}, "a", "1", 2, "a", "2", seconds{0}, true},
    {"no id at all", {}, "", "1", 1, "", "1", seconds{0}, false},
    {"the same payload by payload", {.by = DedupeBy::payload}, "a", "1", 2, "b", "1", seconds{0}, true},
    {"another payload by payload, same id", {.by = DedupeBy::payload}, "a", "1", 1, "a", "2", seconds{0}, false},
    {"everything the same, dedupe off", {.by = DedupeBy::off}, "a", "1", 1, "a", "1", seconds{0}, false},
};

TEST_F(PublishPipelineTest, WhatADuplicateIsFollowsFromTheNamespace) {
  for (const DuplicateRow& row : kDuplicateRows) {
    SCOPED_TRACE(row.sentence);
    NamespaceRule own;
    own.dedupe = row.options;
    PublishPipeline fresh{100, {}, budget, stats};
    HomeChannel own_channel{pool, name, 0, own, Epoch{11}};
    EXPECT_FALSE(fresh.publish(own_channel, request(row.data_first, row.id_first), now).duplicate);
    wait(row.later);
    const Published second =
        fresh.publish(own_channel, request(row.data_second, row.id_second, row.publisher_second), now);
    EXPECT_EQ(second.duplicate, row.duplicate);
    EXPECT_EQ(second.seq, row.duplicate ? Sequence{1} : Sequence{2});
  }
}

TEST_F(PublishPipelineTest, AnIdOfAnEarlierEpochIsNoDuplicate) {
  publish(channel, "1", "id-1");
  HomeChannel reborn{pool, name, 0, rule, Epoch{12}};
  const Published published = publish(reborn, "1", "id-1");
  EXPECT_FALSE(published.duplicate);
  EXPECT_EQ(published.epoch, Epoch{12});
  EXPECT_EQ(published.seq, Sequence{1});
  const Published again = publish(reborn, "1", "id-1");  // remembered under its new epoch
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.epoch, Epoch{12});
}

TEST_F(PublishPipelineTest, AtTheBoundOfTheWindowTheLeastRecentlyUsedIdIsFresh) {
  for (int i = 0; i < 101; ++i) publish(channel, "1", "id-" + std::to_string(i));
  EXPECT_FALSE(publish(channel, "1", "id-0").duplicate);
  EXPECT_TRUE(publish(channel, "1", "id-100").duplicate);
}

TEST_F(PublishPipelineTest, ADuplicateKeepsTheChannelInUse) {
  publish(channel, "1", "id-1");
  wait(seconds{30});
  publish(channel, "1", "id-1");
  EXPECT_EQ(channel.used_at, now.mono);
}

}  // namespace
}  // namespace ringcast
