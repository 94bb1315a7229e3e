// Who wants which channels, in what state the homes are, and whom an announcement concerns.
#include "engine/delivery/pattern_table.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/limits.hpp"
#include "engine/stats/shard_block.hpp"

namespace ringcast {
namespace {

using Home = WatchedPattern::Home;
using Kind = Announcement::Kind;

class PatternTableTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kShards = 3;

  Outbox& connection(std::uint32_t slot) {
    auto& outbox = connections.emplace_back(std::make_unique<Outbox>());
    outbox->connection = {.slot = slot, .generation = 1};
    return *outbox;
  }
  Handle subscribe(Outbox& reader, std::string_view pattern) {
    return table.subscribe(reader, *Pattern::compile(pattern));
  }
  /// What settle() asks, in words: "?0" asks home 0, "-1" leaves home 1.
  std::string settle(int credits = 1'000) {
    std::string words;
    const auto word = [&](char what, ShardIndex home) {
      if (!words.empty()) words += ' ';
      words += what + std::to_string(value(home));
    };
    table.settle(
        [&](std::uint32_t pattern, ShardIndex home) {
          if (credits-- <= 0) return Home::away;
          word('?', home);
          last = table.watched_handle(pattern);
          return Home::asked;
        },
        [&](std::uint32_t, ShardIndex home) {
          if (credits-- <= 0) return Home::watching;
          word('-', home);
          return home == ShardIndex{0} ? Home::away : Home::leaving;
        });
    table.validate();
    return words;
  }
  void announce(Kind kind, std::uint32_t home, Handle pattern, std::string channel = {}) {
    table.announced({.kind = kind,
                     .home = ShardIndex{static_cast<std::uint16_t>(home)},
                     .pattern = pattern,
                     .epoch = Epoch{1},
                     .after = Sequence{},
                     .channel = std::move(channel)});
  }
  /// Whom the first announcement concerns, by connection.
  std::string concerned() {
    std::string words;
    for (std::uint32_t slot = table.next_concerned(); slot != kNoSlot; slot = table.next_concerned()) {
      if (!words.empty()) words += ' ';
      words += std::to_string(table[slot].reader->connection.slot);
    }
    table.done();
    table.validate();
    return words;
  }
  /// Every home says that nothing more exists.
  void everyone_looked(Handle pattern) {
    for (std::uint32_t home = 0; home < kShards; ++home) {
      announce(Kind::looked, home, pattern);
      concerned();
    }
  }
  std::size_t ready() { return std::exchange(table.ready, {}).size(); }

  std::vector<std::unique_ptr<Outbox>> connections;
  std::unique_ptr<ShardBlock> block = std::make_unique<ShardBlock>();
  ShardStats stats{*block};
  Budget budget;
  PatternTable table{kShards, 100'000, budget, stats};
  Handle last;  // the pattern that was asked for last
};

TEST_F(PatternTableTest, EveryHomeIsAskedAndTheSubscriberIsReadyWhenAllHaveLooked) {
  Outbox& reader = connection(4);
  const Handle handle = subscribe(reader, "a.*");
  EXPECT_TRUE(table.has_due());
  EXPECT_EQ(settle(), "?0 ?1 ?2");
  EXPECT_FALSE(table.has_due());
  for (std::uint32_t home : {2U, 0U}) {
    announce(Kind::looked, home, last);
    concerned();
    EXPECT_EQ(ready(), 0U);
  }
  announce(Kind::exists, 1, last, "a.1");
  announce(Kind::looked, 1, last);
  EXPECT_EQ(concerned(), "4");
  EXPECT_EQ(ready(), 0U);
  concerned();
  ASSERT_EQ(table.ready.size(), 1U);
  EXPECT_EQ(table.ready[0], handle);
  EXPECT_EQ(stats.get(CounterId::patterns), 1U);
}

TEST_F(PatternTableTest, WithoutCreditsItWaitsAndAsksTheRestLater) {
  subscribe(connection(4), "a.*");
  EXPECT_EQ(settle(1), "?0");
  EXPECT_FALSE(table.has_due());
  EXPECT_FALSE(table.settled());
  EXPECT_EQ(settle(1), "?1");
  EXPECT_EQ(settle(), "?2");
  EXPECT_TRUE(table.settled());
}

TEST_F(PatternTableTest, WhatExistsConcernsTheRoundAndWhatBeginsConcernsAll) {
  Outbox& first = connection(1);
  subscribe(first, "a.*");
  settle();
  const Handle pattern = last;
  subscribe(connection(2), "a.*");  // the round is under way
  EXPECT_EQ(settle(), "");
  announce(Kind::exists, 0, pattern, "a.1");
  announce(Kind::begins, 0, pattern, "a.2");
  EXPECT_EQ(concerned(), "1");
  EXPECT_EQ(concerned(), "1 2");
  everyone_looked(pattern);
  EXPECT_EQ(ready(), 1U);
  subscribe(connection(3), "a.*");
  EXPECT_EQ(settle(), "?0 ?1 ?2");  // for the second; the third waits again
  announce(Kind::exists, 0, pattern, "a.1");
  EXPECT_EQ(concerned(), "2");
  everyone_looked(pattern);
  EXPECT_EQ(settle(), "?0 ?1 ?2");
  announce(Kind::exists, 0, pattern, "a.1");
  EXPECT_EQ(concerned(), "3");
  everyone_looked(pattern);
  EXPECT_EQ(ready(), 2U);
  EXPECT_EQ(settle(), "");
}

TEST_F(PatternTableTest, WhoHasAllItsJoinsIsReady) {
  const Handle handle = subscribe(connection(1), "a.*");
  settle();
  table[handle.slot].joins = 2;
  everyone_looked(last);
  EXPECT_EQ(ready(), 0U);
  table.joined(handle.slot);
  EXPECT_EQ(ready(), 0U);
  table.joined(handle.slot);
  EXPECT_EQ(ready(), 1U);
}

TEST_F(PatternTableTest, APatternThatNobodyWantsIsGivenUpEverywhereAndForgotten) {
  Outbox& one = connection(1);
  Outbox& two = connection(2);
  subscribe(one, "a.*");
  settle();
  everyone_looked(last);
  subscribe(two, "a.*");
  settle();
  everyone_looked(last);
  table.end(table.first_of(one));
  EXPECT_EQ(settle(), "");
  table.end(table.first_of(two));
  EXPECT_EQ(settle(), "-0 -1 -2");
  EXPECT_TRUE(table.any());
  table.left(last, ShardIndex{1});
  settle();
  EXPECT_TRUE(table.any());
  table.left(last, ShardIndex{2});
  settle();
  EXPECT_FALSE(table.any());
  EXPECT_EQ(stats.get(CounterId::patterns), 0U);
}

TEST_F(PatternTableTest, WhoComesWhileItIsGivenUpIsAskedForAfterwards) {
  Outbox& one = connection(1);
  subscribe(one, "a.*");
  settle();
  everyone_looked(last);
  table.end(table.first_of(one));
  EXPECT_EQ(settle(), "-0 -1 -2");
  subscribe(one, "a.*");
  EXPECT_EQ(settle(), "?0");  // the others have not let go yet
  table.left(last, ShardIndex{2});
  EXPECT_EQ(settle(), "?2");
  table.left(last, ShardIndex{1});
  EXPECT_EQ(settle(), "?1");
  ready();
  everyone_looked(last);
  EXPECT_EQ(ready(), 1U);
}

TEST_F(PatternTableTest, WhoLeavesBeforeItsRoundIsAskedCostsNothing) {
  Outbox& one = connection(1);
  subscribe(one, "a.*");
  table.end(table.first_of(one));
  EXPECT_EQ(settle(), "");
  EXPECT_FALSE(table.any());
  subscribe(one, "a.*");
  EXPECT_EQ(settle(2), "?0 ?1");
  table.end(table.first_of(one));
  EXPECT_EQ(settle(), "");  // those asked have to answer first
  for (std::uint32_t home = 0; home < 2; ++home) {
    announce(Kind::exists, home, last, "a.1");
    announce(Kind::looked, home, last);
    EXPECT_EQ(concerned(), "");
    concerned();
  }
  EXPECT_EQ(settle(), "-0 -1");
  table.left(last, ShardIndex{1});
  settle();
  EXPECT_FALSE(table.any());
}

TEST_F(PatternTableTest, ReadersThatLeaveInTheMiddleMakeNobodyElseForgotten) {
  for (std::uint32_t leaves = 0; leaves < 5; ++leaves) {
    for (std::uint32_t shown = 0; shown <= 5; ++shown) {
      const std::string pattern = "p" + std::to_string(leaves) + std::to_string(shown) + ".*";
      std::vector<Outbox*> readers;
      for (std::uint32_t i = 0; i < 5; ++i) {
        readers.push_back(&connection(100 + i));
        subscribe(*readers.back(), pattern);
      }
      settle();
      const Handle handle = last;
      everyone_looked(handle);
      settle();
      everyone_looked(handle);
      announce(Kind::begins, 0, handle, "x");
      std::string expected;
      for (std::uint32_t i = 0; i < shown; ++i) {
        const std::uint32_t slot = table.next_concerned();
        EXPECT_EQ(table[slot].reader, readers[i]);
      }
      table.end(table.find_of(*readers[leaves], pattern));
      for (std::uint32_t i = shown; i < 5; ++i) {
        if (i != leaves) expected += (expected.empty() ? "" : " ") + std::to_string(100 + i);
      }
      EXPECT_EQ(concerned(), expected) << leaves << " leaves after " << shown;
      for (std::uint32_t i = 0; i < 5; ++i) {
        if (i != leaves) table.end(table.find_of(*readers[i], pattern));
      }
      settle();
    }
  }
}

TEST_F(PatternTableTest, WhatMetALimitBindsNothingMoreUntilItSubscribesAgain) {
  Outbox& reader = connection(1);
  const Handle handle = subscribe(reader, "a.*");
  settle();
  announce(Kind::exists, 0, last, "a.1");
  EXPECT_EQ(table.next_concerned(), handle.slot);
  table.stop(handle.slot, ErrorCode::too_many_subscriptions);
  EXPECT_EQ(ready(), 1U);  // it need not wait for the rest
  table.answered(handle.slot);
  EXPECT_EQ(std::exchange(table.to_tell, {}).size(), 1U);
  table[handle.slot].listed = false;
  EXPECT_EQ(concerned(), "");
  announce(Kind::begins, 0, last, "a.2");
  EXPECT_EQ(concerned(), "");
  everyone_looked(last);
  EXPECT_EQ(subscribe(reader, "a.*"), handle);
  settle();
  announce(Kind::begins, 0, last, "a.2");
  EXPECT_EQ(concerned(), "1");
}

TEST_F(PatternTableTest, NobodyIsToldBeforeItIsAnswered) {
  const Handle handle = subscribe(connection(1), "a.*");
  table.bound(handle.slot, BoundChannel{});
  EXPECT_TRUE(table.to_tell.empty());
  table.answered(handle.slot);
  EXPECT_EQ(table.to_tell.size(), 1U);
  table.bound(handle.slot, BoundChannel{});
  table.let_go(handle.slot, "a.1");
  EXPECT_EQ(table.to_tell.size(), 1U);  // once
}

TEST_F(PatternTableTest, AConnectionsPatternsAreItsOwn) {
  Outbox& one = connection(1);
  Outbox& two = connection(2);
  const Handle shallow = subscribe(one, "a.*");
  const Handle deep = subscribe(one, "a.>");
  subscribe(two, "b.*");
  EXPECT_EQ(table.count_of(one), 2U);
  EXPECT_EQ(table.find_of(one, "a.*"), shallow.slot);
  EXPECT_EQ(table.find_of(one, "b.*"), kNoSlot);
  EXPECT_EQ(table.match(one, "a.b.c"), deep.slot);
  EXPECT_EQ(table.match(one, "b.c"), kNoSlot);
  table.answered(shallow.slot);
  EXPECT_EQ(table.match(one, "a.b"), shallow.slot);  // the one that its reader knows of
  table.end(deep.slot);
  EXPECT_EQ(table.count_of(one), 1U);
  EXPECT_EQ(table.match(one, "a.b.c"), kNoSlot);
  table.validate();
}

}  // namespace
}  // namespace ringcast
