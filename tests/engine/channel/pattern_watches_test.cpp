// What a home tells the shards that watch patterns: everything, once, in order, and no more at a time than it may.
#include "engine/channel/pattern_watches.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "alloc/log/block_pool.hpp"

namespace ringcast {
namespace {

using Kind = PatternWatches::Word::Kind;
constexpr ShardIndex kHere{0};
constexpr ShardIndex kThere{1};

class PatternWatchesTest : public testing::Test {
 protected:
  /// A channel with so many messages.
  Handle home(std::string name, std::uint64_t messages = 1) {
    names.push_back(std::move(name));
    const Handle handle = homes.create(pool, names.back(), 0U, rule, Epoch{7});
    for (std::uint64_t i = 0; i < messages; ++i) homes[handle.slot].history.append(Bytes{byte}, Instant{});
    return handle;
  }
  /// Everything that it is told with so many steps a call, in words: "+a" begins, "a" exists, "." looked.
  std::string told(ShardIndex to, std::uint32_t steps_a_call = 1'000) {
    std::string words;
    for (int calls = 0; calls < 10'000 && watches.pending(to); ++calls) {
      std::uint32_t steps = steps_a_call;
      const auto word = watches.next(to, homes, steps);
      if (!word) continue;
      if (!words.empty()) words += ' ';
      if (word->kind == Kind::begins) words += "+" + std::to_string(value(word->after)) + ":";
      words += word->kind == Kind::looked ? "." : *word->home->name;
      words += "/" + std::to_string(word->pattern.slot);
    }
    return words;
  }
  static Handle pattern(std::uint32_t number) { return {.slot = number, .generation = 1}; }

  Budget budget;
  BlockPool pool{&budget};
  NamespaceRule rule;
  std::vector<std::uint8_t> byte{1};
  std::deque<std::string> names;  // which do not move
  Slab<HomeChannel> homes{1'000, &budget, Purpose::channels};
  PatternWatches watches{2};
};

TEST_F(PatternWatchesTest, NobodyWatchesAndNothingIsKept) {
  const Handle a = home("a");
  watches.begins(a, Sequence{}, ~0ULL);
  EXPECT_FALSE(watches.any());
  EXPECT_FALSE(watches.pending(kHere));
  watches.watch(kHere, pattern(1), "*");
  EXPECT_EQ(told(kHere), "a/1 ./1");  // it exists; that it began is old
}

TEST_F(PatternWatchesTest, WhatExistsIsToldOnceAndThenWhatBegins) {
  home("a.1");
  home("b.1");
  home("a.2");
  home("a.3", 0);  // has no message yet
  watches.watch(kHere, pattern(1), "a.*");
  EXPECT_EQ(told(kHere), "a.1/1 a.2/1 ./1");
  const Handle begun = home("a.4");
  watches.begins(begun, Sequence{}, ~0ULL);
  watches.begins(home("b.4"), Sequence{}, ~0ULL);
  EXPECT_EQ(told(kHere), "+0:a.4/1");
  EXPECT_EQ(told(kThere), "");
  EXPECT_FALSE(watches.any_of(kThere));
}

TEST_F(PatternWatchesTest, TheSameHoweverFewStepsATurnHas) {
  for (std::uint32_t steps : {1U, 2U, 3U, 7U}) {
    PatternWatchesTest::SetUp();
    PatternWatches fresh{2};
    std::swap(fresh, watches);
    for (int i = 0; i < 20; ++i) home(std::to_string(steps) + "." + std::to_string(i));
    watches.watch(kHere, pattern(1), std::to_string(steps) + ".*");
    watches.watch(kHere, pattern(2), std::to_string(steps) + ".1*");
    const std::string words = told(kHere, steps);
    EXPECT_EQ(std::ranges::count(words, '.'), 20 + 11 + 2) << words;
    for (int i = 0; i < 5; ++i)
      watches.begins(home(std::to_string(steps) + ".new" + std::to_string(i)), Sequence{}, ~0ULL);
    EXPECT_EQ(std::ranges::count(told(kHere, steps), '+'), 5);
  }
}

TEST_F(PatternWatchesTest, WhatBeganIsToldBeforeWhatExists) {
  watches.watch(kHere, pattern(1), "*");
  EXPECT_EQ(told(kHere), "./1");
  const Handle a = home("a");
  watches.begins(a, Sequence{}, ~0ULL);
  watches.watch(kHere, pattern(1), "*");  // asked again
  EXPECT_EQ(told(kHere), "+0:a/1 a/1 ./1");
}

TEST_F(PatternWatchesTest, AWatchDoesNotHearWhatBeganBeforeIt) {
  watches.watch(kHere, pattern(1), "*");
  told(kHere);
  watches.begins(home("a"), Sequence{}, ~0ULL);
  watches.watch(kHere, pattern(2), "*");
  EXPECT_EQ(told(kHere), "+0:a/1 a/2 ./2");
}

TEST_F(PatternWatchesTest, OnlyTheShardsConcernedHearThatItBeginsAnew) {
  watches.watch(kHere, pattern(1), "*");
  watches.watch(kThere, pattern(5), "*");
  told(kHere);
  told(kThere);
  watches.begins(home("a", 9), Sequence{9}, 2);
  EXPECT_EQ(told(kHere), "");
  EXPECT_EQ(told(kThere), "+9:a/5");
}

TEST_F(PatternWatchesTest, EveryoneIsToldAtItsOwnPace) {
  watches.watch(kHere, pattern(1), "*");
  watches.watch(kThere, pattern(5), "*");
  told(kHere);
  told(kThere);
  std::string expected;
  for (int i = 0; i < 50; ++i) {
    watches.begins(home(std::to_string(i)), Sequence{}, ~0ULL);
    EXPECT_EQ(told(kHere), "+0:" + std::to_string(i) + "/1");
    expected += (i == 0 ? "+0:" : " +0:") + std::to_string(i) + "/5";
  }
  EXPECT_EQ(told(kThere), expected);
}

TEST_F(PatternWatchesTest, WhatIsGivenUpIsNotToldAnyMore) {
  for (std::uint32_t i = 1; i <= 4; ++i) watches.watch(kHere, pattern(i), "*");
  told(kHere);
  watches.begins(home("a"), Sequence{}, ~0ULL);
  std::uint32_t steps = 1'000;
  EXPECT_EQ(watches.next(kHere, homes, steps)->pattern, pattern(1));
  EXPECT_EQ(watches.next(kHere, homes, steps)->pattern, pattern(2));
  watches.unwatch(kHere, pattern(1));  // behind the comparison under way
  watches.unwatch(kHere, pattern(3));  // and before it
  EXPECT_EQ(told(kHere), "+0:a/4");
  watches.unwatch(kHere, pattern(2));
  watches.unwatch(kHere, pattern(4));
  EXPECT_FALSE(watches.any());
}

TEST_F(PatternWatchesTest, AChannelThatIsGoneIsNotTold) {
  watches.watch(kHere, pattern(1), "*");
  told(kHere);
  const Handle a = home("a");
  watches.begins(a, Sequence{}, ~0ULL);
  watches.begins(home("b"), Sequence{}, ~0ULL);
  homes.destroy(a);
  EXPECT_EQ(told(kHere), "+0:b/1");
}

TEST_F(PatternWatchesTest, AHundredThousandChannelsAreLookedThroughInSteps) {
  Slab<HomeChannel> many{100'000, &budget, Purpose::channels};
  const std::string name = "b.1";
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    const Handle handle = many.create(pool, name, 0U, rule, Epoch{7});
    if (i % 1'000 == 0) many[handle.slot].history.append(Bytes{byte}, Instant{});
  }
  watches.watch(kHere, pattern(1), "b.*");
  int calls = 0;
  int words = 0;
  while (watches.pending(kHere)) {
    std::uint32_t steps = 512;
    words += watches.next(kHere, many, steps) ? 1 : 0;
    EXPECT_LE(steps, 512U);
    ++calls;
  }
  EXPECT_EQ(words, 101);
  EXPECT_GE(calls, 100'000 / 512);
  EXPECT_LE(calls, 100'000 / 512 + 200);
}

}  // namespace
}  // namespace ringcast
