// A channel's members at its home: what is announced, to whom, and what a later change makes of it.
#include "engine/presence/roster.hpp"

#include <gtest/gtest.h>

#include "engine/stats/shard_block.hpp"

namespace ringcast {
namespace {

class RosterTest : public testing::Test {
 protected:
  void came(std::string_view user, std::uint16_t shard = 0) { apply(Report::Kind::came, user, shard); }
  void went(std::string_view user, std::uint16_t shard = 0) { apply(Report::Kind::went, user, shard); }
  void anonymous(std::int32_t change) {
    rosters.apply(ShardIndex{0}, {.kind = Report::Kind::anonymous, .change = change, .channel = "room", .user = {}},
                  grace, now);
  }
  void apply(Report::Kind kind, std::string_view user, std::uint16_t shard) {
    rosters.apply(ShardIndex{shard}, {.kind = kind, .channel = "room", .user = user}, grace, now);
  }
  /// Shards 0 and 1 read the channel, but for `mask`.
  void spread(std::uint64_t mask = 0b11) {
    rosters.spread([&](std::string_view) { return mask; });
    rosters.validate();
  }
  /// What a shard is told, one after another: "+a-b".
  std::string told(std::uint16_t shard) {
    std::string text;
    while (const auto notice = rosters.next_notice(ShardIndex{shard})) {
      EXPECT_EQ(notice->channel, "room");
      text += notice->joined ? '+' : '-';
      text += notice->user;
      rosters.notice_told(ShardIndex{shard});
    }
    rosters.validate();
    return text;
  }
  std::vector<std::string> listed() {
    Answer answer;
    rosters.answer({.kind = Question::Kind::channel_users, .subject = "room"}, answer);
    EXPECT_EQ(answer.users, answer.names.size());
    unlisted = answer.unlisted;
    nobodies = answer.anonymous;
    return answer.names;
  }
  void advance(milliseconds by) {
    now.mono += by;
    rosters.expire(now);
  }

  std::unique_ptr<ShardBlock> block = std::make_unique<ShardBlock>();
  ShardStats stats{*block};
  Budget budget;
  Now now{.mono = Instant{seconds{1'000}}, .wall = {}};
  milliseconds grace{1'000};
  Rosters rosters{3, 4, budget, stats, now};
  std::uint64_t unlisted = 0;
  std::uint64_t nobodies = 0;
};
using Names = std::vector<std::string>;

TEST_F(RosterTest, AUserOnTwoShardsJoinsOnceAndLeavesOnce) {
  came("a", 0);
  came("a", 1);
  spread();
  EXPECT_EQ(told(0), "+a");
  EXPECT_EQ(told(1), "+a");
  EXPECT_EQ(told(2), "") << "nobody there reads it";
  went("a", 0);
  advance(milliseconds{5'000});
  spread();
  EXPECT_EQ(told(0), "");
  went("a", 1);
  advance(milliseconds{999});
  spread();
  EXPECT_EQ(told(1), "");
  EXPECT_EQ(listed(), Names{"a"});
  advance(milliseconds{2});
  spread();
  EXPECT_EQ(told(0), "-a");
  EXPECT_EQ(told(1), "-a");
  EXPECT_EQ(rosters.rosters(), 0U) << "nothing is kept of it";
}

TEST_F(RosterTest, WhatChangedBackBeforeItWasToldIsNotTold) {
  grace = milliseconds{0};
  came("a");
  spread();
  went("a");
  spread();
  EXPECT_EQ(told(0), "");
  came("a");
  spread();
  EXPECT_EQ(told(0), "+a");
  went("a");
  spread();
  came("a");
  spread();
  went("a");
  spread();
  EXPECT_EQ(told(0), "-a");
  EXPECT_EQ(told(1), "") << "shard 1 was never told that it came";
  EXPECT_EQ(rosters.rosters(), 0U);
  EXPECT_GT(stats.get(CounterId::notices_superseded), 0U);
}

TEST_F(RosterTest, AShardThatBeganToReadLaterIsToldOfWhatComesAfter) {
  came("a");
  spread(0b01);
  EXPECT_EQ(told(1), "");
  came("b");
  spread(0b11);
  EXPECT_EQ(told(1), "+b");
  grace = milliseconds{0};
  went("a");
  spread(0b11);
  EXPECT_EQ(told(1), "-a");
  EXPECT_EQ(told(0), "+b") << "of a it was told nothing, and a has gone";
}

TEST_F(RosterTest, WhoseGraceTimeRunsIsListedAndMakesRoomForOthers) {
  for (const std::string_view user : {"a", "b", "c", "d"}) came(user);
  came("e");
  EXPECT_EQ(listed(), (Names{"a", "b", "c", "d"}));
  EXPECT_EQ(unlisted, 1U);
  went("c");
  went("a");
  EXPECT_EQ(listed(), (Names{"a", "b", "c", "d"}));
  came("f");
  EXPECT_EQ(listed(), (Names{"a", "b", "d", "f"})) << "the one that left first goes";
  came("c");
  EXPECT_EQ(listed(), (Names{"b", "c", "d", "f"}));
  came("a");
  EXPECT_EQ(listed(), (Names{"b", "c", "d", "f"})) << "nobody is left to make room";
  EXPECT_EQ(unlisted, 2U);
  went("e");
  went("a");
  EXPECT_EQ(listed().size(), 4U);
  EXPECT_EQ(unlisted, 0U);
  EXPECT_EQ(stats.get(CounterId::presence_unlisted), 2U);
  EXPECT_EQ(stats.get(CounterId::presence_graces_cut), 2U);
}

TEST_F(RosterTest, AUserThatOneShardCouldNotListMayBeListedByAnother) {
  for (const std::string_view user : {"a", "b", "c", "d"}) came(user);
  came("e", 1);
  went("a");
  came("e", 2);
  EXPECT_EQ(listed(), (Names{"b", "c", "d", "e"}));
  went("e", 1);  // it was counted, not listed
  EXPECT_EQ(listed(), (Names{"b", "c", "d", "e"}));
  EXPECT_EQ(unlisted, 0U);
  went("e", 2);
  advance(milliseconds{1'001});
  EXPECT_EQ(listed(), (Names{"b", "c", "d"}));
}

TEST_F(RosterTest, ThoseWithoutAUserAreANumber) {
  anonymous(5);
  came("a");
  anonymous(-3);
  EXPECT_EQ(listed(), Names{"a"});
  EXPECT_EQ(nobodies, 2U);
  grace = milliseconds{0};
  went("a");
  spread();
  (void)told(0);
  (void)told(1);
  EXPECT_EQ(rosters.rosters(), 1U);
  anonymous(-2);
  EXPECT_EQ(rosters.rosters(), 0U);
}

TEST_F(RosterTest, WhoLeftIsRememberedUntilEveryShardKnows) {
  grace = milliseconds{0};
  came("a");
  spread();
  EXPECT_EQ(told(0), "+a");
  EXPECT_EQ(told(1), "+a");
  went("a");
  spread();
  EXPECT_EQ(told(0), "-a");
  EXPECT_EQ(rosters.rosters(), 1U);
  EXPECT_TRUE(listed().empty());
  EXPECT_EQ(told(1), "-a");
  EXPECT_EQ(rosters.rosters(), 0U);
}

}  // namespace
}  // namespace ringcast
