#include "engine/offline/store_service.hpp"

#include <gtest/gtest.h>

#include "tests/doubles/memory_store.hpp"
#include "tests/doubles/store_directory.hpp"
#include "tests/doubles/store_lane_end.hpp"

namespace ringcast {
namespace {

using Texts = std::vector<std::string>;
constexpr Handle kHome = StoreLaneEnd::kHome;

class StoreServiceTest : public testing::Test {
 protected:
  void ask(std::uint32_t shard, const StoreMessage& header, std::string_view channel, Bytes record) {
    ASSERT_TRUE(end_of(shard).ask(header, channel, record));
  }
  void keep(std::uint32_t shard, std::string_view channel, std::uint64_t seq, std::uint32_t generation = 0) {
    ASSERT_TRUE(end_of(shard).keep(channel, seq, now.wall, generation));
  }
  void settle(std::uint32_t shard, std::string_view channel, std::uint64_t done, std::uint32_t generation = 0) {
    ASSERT_TRUE(end_of(shard).settle(channel, done, generation));
  }
  void load(std::uint32_t shard, std::string_view channel, std::uint64_t after = 0) {
    ASSERT_TRUE(end_of(shard).load(channel, after));
  }
  StoreLaneEnd end_of(std::uint32_t shard) {
    return StoreLaneEnd{lanes.of(ShardIndex{static_cast<std::uint16_t>(shard)})};
  }
  void serve() {
    for (int i = 0; i < 100 && service.serve(now); ++i) {}
  }
  void pass(nanoseconds time) {
    now.mono += time;
    now.wall += time;
    serve();
  }
  /// The answers to a shard, in words.
  Texts answers(std::uint32_t shard) {
    Texts texts;
    while (auto text = end_of(shard).answer()) texts.push_back(std::move(*text));
    return texts;
  }
  void fail_commits(int times) {
    store.fault = [left = times](MemoryStore::Operation operation) mutable -> std::optional<StoreState> {
      return operation == MemoryStore::Operation::commit && left-- > 0 ? std::optional{StoreState::full} : std::nullopt;
    };
  }

  Now now{.mono = Instant{seconds{100}}, .wall = WallTime{seconds{1'790'000'000}}};
  OfflineOptions options;
  MemoryStore store;
  StoreLanes lanes{2, 1U << 18};
  StoreService service{store, lanes, options, now};
};

TEST_F(StoreServiceTest, WhatTheRingsHoldBecomesOneTransaction) {
  for (std::uint64_t seq = 1; seq <= 3; ++seq) keep(0, "a", seq);
  keep(1, "b", 1);
  settle(0, "a", 2);
  serve();
  EXPECT_EQ(store.commits, 1U);
  EXPECT_EQ(answers(0), (Texts{"stored 1", "stored 2", "stored 3", "done 2"}));
  EXPECT_EQ(answers(1), Texts{"stored 1"});
  EXPECT_EQ(service.take_bells(), 3U);
  EXPECT_EQ(service.counters().messages, 4U);
  EXPECT_EQ(service.counters().settlements, 1U);
}

TEST_F(StoreServiceTest, NothingToDoIsNoTransaction) {
  EXPECT_FALSE(service.serve(now));
  EXPECT_EQ(store.commits, 0U);
  EXPECT_FALSE(service.has_requests());
  EXPECT_EQ(service.take_bells(), 0U);
  keep(0, "a", 1);
  EXPECT_TRUE(service.has_requests());
}

TEST_F(StoreServiceTest, AChannelIsReadAfterWhatItsShardAskedForBefore) {
  keep(0, "a", 1);
  load(0, "a");
  keep(0, "a", 2);
  load(0, "nobody");
  serve();
  EXPECT_EQ(answers(0), (Texts{"stored 1", "loaded next 2 done 0 1:1", "stored 2", "unknown"}));
}

TEST_F(StoreServiceTest, PagesAreReadOneAfterTheOtherAndWhatIsDoneWithIsLeftOut) {
  const auto record = record_of("\"" + std::string(30'000, 'x') + "\"", now.wall);
  for (std::uint64_t seq = 1; seq <= 5; ++seq) {
    ask(0,
        {.home = kHome,
         .epoch = Epoch{7},
         .seq = Sequence{seq},
         .done = Sequence{seq == 5 ? 1U : 0U},
         .published_ns = now.wall.time_since_epoch().count()},
        "a", record);
    serve();
  }
  answers(0);
  std::uint64_t after = 0;
  std::string pages;
  for (int i = 0; i < 3; ++i) {
    load(0, "a", after);
    serve();
    for (const std::string& text : answers(0)) {
      for (std::size_t at = text.find(":\""); at != std::string::npos; at = text.find(":\"", at + 1)) {
        after = static_cast<std::uint64_t>(text[at - 1] - '0');
        pages += text[at - 1];
      }
      pages += text.ends_with(" more") ? "+" : ".";
    }
  }
  EXPECT_EQ(pages, "23+45..");
}

TEST_F(StoreServiceTest, ATransactionThatFailsIsRefusedWithAllThatItsShardHadAskedForBehindIt) {
  fail_commits(1);
  keep(0, "a", 1);
  serve();
  keep(0, "a", 2);  // asked for before the answer was read
  settle(0, "a", 1);
  keep(1, "b", 1);
  EXPECT_EQ(answers(0), (Texts{"refused, of generation 0", "now full"}));
  serve();
  EXPECT_EQ(answers(0), (Texts{"refused, of generation 0", "refused, of generation 0"}));
  EXPECT_EQ(answers(1), (Texts{"now full", "refused, of generation 0"})) << "it has no room for anybody";
  EXPECT_EQ(store.messages(), 0U);
  pass(seconds{1});
  EXPECT_EQ(answers(0), Texts{}) << "it is full for a while at least";
  pass(kStoreFullTime);
  EXPECT_EQ(answers(0), Texts{"now good"});
  keep(0, "a", 1, 1);
  keep(1, "b", 1, 1);
  serve();
  EXPECT_EQ(answers(0), Texts{"stored 1"});
  EXPECT_EQ(answers(1), (Texts{"now good", "stored 1"}));
  EXPECT_EQ(service.counters().faults, 1U);
  EXPECT_EQ(service.counters().repairs, 1U);
  const auto notes = service.take_notes();
  ASSERT_EQ(notes.size(), 2U);
  EXPECT_EQ(notes[0].after, StoreState::full);
  EXPECT_EQ(notes[1].after, StoreState::good);
}

TEST_F(StoreServiceTest, ARepairIsTriedOnceASecondUntilItWorks) {
  int repairs = 0;
  store.fault = [&](MemoryStore::Operation operation) -> std::optional<StoreState> {
    if (operation == MemoryStore::Operation::repair)
      return ++repairs < 4 ? std::optional{StoreState::lost} : std::nullopt;
    return operation == MemoryStore::Operation::check && repairs == 0 ? std::optional{StoreState::lost} : std::nullopt;
  };
  for (int i = 0; i < 10; ++i) pass(milliseconds{500});
  EXPECT_EQ(repairs, 4);
  EXPECT_EQ(answers(0), (Texts{"now lost", "now good"}));
}

TEST_F(StoreServiceTest, AStoreThatIsLostOrDamagedIsNotRead) {
  for (const StoreState state : {StoreState::lost, StoreState::damaged, StoreState::failing, StoreState::full}) {
    store.fault = [&](MemoryStore::Operation operation) -> std::optional<StoreState> {
      const bool meant = operation == MemoryStore::Operation::check || operation == MemoryStore::Operation::repair;
      return meant ? std::optional{state} : std::nullopt;
    };
    pass(seconds{1});
    load(0, "a");
    serve();
    const bool read = state == StoreState::failing || state == StoreState::full;
    EXPECT_EQ(answers(0), (Texts{"now " + std::string{name_of(state)}, read ? "unknown" : "failed"}));
    store.fault = nullptr;
    pass(kStoreFullTime);
    EXPECT_EQ(answers(0), Texts{"now good"});
  }
}

TEST_F(StoreServiceTest, ReadingThatFailsIsAnAnswerAndAState) {
  store.fault = [](MemoryStore::Operation operation) -> std::optional<StoreState> {
    return operation == MemoryStore::Operation::read ? std::optional{StoreState::damaged} : std::nullopt;
  };
  load(0, "a");
  serve();
  EXPECT_EQ(answers(0), (Texts{"now damaged", "failed"}));
  EXPECT_EQ(answers(1), Texts{"now damaged"});
}

TEST_F(StoreServiceTest, AShardThatLeavesItsAnswersUnreadWaitsAndLosesNone) {
  const auto record = record_of("\"" + std::string(20'000, 'x') + "\"", now.wall);
  ask(0, {.home = kHome, .epoch = Epoch{7}, .seq = Sequence{1}, .published_ns = now.wall.time_since_epoch().count()},
      "a", record);
  serve();
  answers(0);
  for (int i = 0; i < 20; ++i) load(0, "a");  // 400 KB of answers, and the ring has 256
  keep(1, "b", 1);
  serve();
  EXPECT_EQ(answers(1), Texts{"stored 1"}) << "its neighbour goes on";
  EXPECT_EQ(service.next_deadline(), Instant{}) << "it looks again soon";
  std::size_t read = 0;
  for (int i = 0; i < 20; ++i) {
    read += answers(0).size();
    serve();
  }
  EXPECT_EQ(read, 20U);
  EXPECT_GT(service.next_deadline(), now.mono);
}

TEST_F(StoreServiceTest, OldMessagesAreNotLoadedAndGoInTime) {
  options.age = seconds{60};
  StoreService aged{store, lanes, options, now};
  keep(0, "a", 1);
  aged.serve(now);
  answers(0);
  now.mono += seconds{61};
  now.wall += seconds{61};
  load(0, "a");
  aged.serve(now);
  EXPECT_EQ(answers(0), Texts{"loaded next 2 done 0"});
  EXPECT_EQ(store.messages(), 0U);
  EXPECT_EQ(aged.counters().expired, 1U);
}

}  // namespace
}  // namespace ringcast
