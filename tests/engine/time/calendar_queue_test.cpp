#include "engine/time/calendar_queue.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "engine/time/prng.hpp"

namespace ringcast {
namespace {

constexpr milliseconds kStep{10};
constexpr Instant kStart{hours{100}};  // a machine that has been up for a while
constexpr nanoseconds kRound = CalendarQueue::kBuckets * nanoseconds{kStep};
using Members = std::vector<CalendarQueue::Member>;

Members met_at(CalendarQueue& queue, Instant now) {
  Members members;
  const std::size_t count = queue.expire(
      now,
      [&](CalendarQueue::Member member) {
        EXPECT_FALSE(queue.contains(member));
        members.push_back(member);
      },
      [&](CalendarQueue::Member member) { EXPECT_TRUE(queue.contains(member)); });
  EXPECT_EQ(count, members.size());
  EXPECT_TRUE(queue.validate());
  return members;
}

TEST(CalendarQueue, AnEmptyOneHasNoDeadlineAndMeetsNobody) {
  CalendarQueue queue{kStart, kStep};
  EXPECT_EQ(queue.next_deadline(), std::nullopt);
  EXPECT_EQ(met_at(queue, kStart + hours{1}), Members{});
  EXPECT_EQ(queue.next_deadline(), std::nullopt);
  EXPECT_EQ(queue.size(), 0U);
  EXPECT_FALSE(queue.contains(0));
  EXPECT_FALSE(queue.contains(1'000'000));
  EXPECT_FALSE(queue.remove(1'000'000));
}

struct RoundingRow {
  std::string_view sentence;
  nanoseconds after_start;  // deadline
  nanoseconds silent_until;
  nanoseconds met_by;
};
constexpr RoundingRow kRoundingRows[] = {
    {"a deadline on a step is met at it", kStep * 5, kStep * 5 - nanoseconds{1}, kStep * 5},
    {"one just after a step waits for the next", kStep * 5 + nanoseconds{1}, kStep * 6 - nanoseconds{1}, kStep * 6},
    {"the present is a step late", nanoseconds{0}, kStep - nanoseconds{1}, kStep},
    {"so is the past", -hours{1}, kStep - nanoseconds{1}, kStep},
    {"the last step of a round", kRound - kStep, kRound - kStep - nanoseconds{1}, kRound - kStep},
    {"a round exactly", kRound, kRound - nanoseconds{1}, kRound},
    {"a little more than a round", kRound + kStep, kRound + kStep - nanoseconds{1}, kRound + kStep},
    {"a week", hours{168}, hours{168} - nanoseconds{1}, hours{168}},
};
TEST(CalendarQueue, NobodyIsMetEarlyOrMoreThanAStepLate) {
  for (const RoundingRow& row : kRoundingRows) {
    CalendarQueue queue{kStart, kStep};
    queue.put(7, kStart + row.after_start);
    EXPECT_TRUE(queue.contains(7));
    EXPECT_EQ(met_at(queue, kStart + row.silent_until), Members{}) << row.sentence;
    EXPECT_EQ(met_at(queue, kStart + row.met_by), Members{7}) << row.sentence;
    EXPECT_EQ(queue.size(), 0U);
  }
}

TEST(CalendarQueue, WithinAStepTheOrderIsThatOfPut) {
  CalendarQueue queue{kStart, kStep};
  for (const CalendarQueue::Member member : {5U, 2'000U, 3U, 0U}) queue.put(member, kStart + kStep * 9);
  queue.put(8, kStart + kStep * 8);
  queue.put(3, kStart + kStep * 9);  // anew: the last now
  EXPECT_EQ(queue.size(), 5U);
  EXPECT_EQ(met_at(queue, kStart + seconds{1}), (Members{8, 5, 2'000, 0, 3}));
}

TEST(CalendarQueue, PutMovesAndRemoveTakesOut) {
  CalendarQueue queue{kStart, kStep};
  queue.put(1, kStart + seconds{1});
  queue.put(1, kStart + seconds{3});
  queue.put(2, kStart + seconds{1});
  EXPECT_EQ(queue.size(), 2U);
  EXPECT_TRUE(queue.remove(2));
  EXPECT_FALSE(queue.remove(2));
  EXPECT_EQ(queue.next_deadline(), kStart + seconds{3});
  EXPECT_EQ(met_at(queue, kStart + seconds{2}), Members{});
  queue.put(1, kStart + milliseconds{2'500});
  EXPECT_EQ(met_at(queue, kStart + milliseconds{2'500}), Members{1});
}

TEST(CalendarQueue, TimeThatGoesBackIsTakenAsTheLast) {
  CalendarQueue queue{kStart, kStep};
  EXPECT_EQ(met_at(queue, kStart + seconds{10}), Members{});
  queue.put(1, kStart + seconds{11});
  EXPECT_EQ(met_at(queue, kStart), Members{});
  EXPECT_EQ(met_at(queue, kStart + seconds{11}), Members{1});
}

TEST(CalendarQueue, AFunctionMayPutAndRemoveAny) {
  CalendarQueue queue{kStart, kStep};
  for (CalendarQueue::Member member = 0; member < 10; ++member) queue.put(member, kStart + kStep);
  Members met;
  const auto change = [&](CalendarQueue::Member member) {
    met.push_back(member);
    if (member == 0) {
      EXPECT_TRUE(queue.remove(1));            // would have been next
      EXPECT_TRUE(queue.remove(9));            // and last
      queue.put(2, kStart + kStep);            // due as well: and yet not in this call
      queue.put(0, kStart - seconds{1});       // itself
      EXPECT_LE(*queue.next_deadline(), kStart + kStep) << "others are due";
    }
    EXPECT_TRUE(queue.validate());
  };
  EXPECT_EQ(queue.expire(kStart + kStep, change, [](CalendarQueue::Member) {}), 7U);
  EXPECT_EQ(met, (Members{0, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(met_at(queue, kStart + kStep), Members{});
  EXPECT_EQ(queue.next_deadline(), kStart + kStep * 2);
  EXPECT_EQ(met_at(queue, kStart + kStep * 2), (Members{2, 0}));
}

TEST(CalendarQueue, EachIsAnnouncedSoManyCallsAhead) {
  CalendarQueue queue{kStart, kStep};
  for (CalendarQueue::Member member = 0; member < 20; ++member) queue.put(member, kStart + kStep);
  Members met, announced;
  queue.expire(
      kStart + kStep, [&](CalendarQueue::Member member) { met.push_back(member); },
      [&](CalendarQueue::Member member) {
        EXPECT_EQ(member, met.size() + CalendarQueue::kAhead);
        announced.push_back(member);
      });
  EXPECT_EQ(met.size(), 20U);
  EXPECT_EQ(announced.size(), 20U - CalendarQueue::kAhead);
}

/// Far deadlines share buckets with near ones: they cost a look a round, and are not met with them.
TEST(CalendarQueue, WhoSleepsUntilTheNextDeadlineIsNeverLateAndWakesOnceARound) {
  for (const nanoseconds delay : {nanoseconds{kStep}, nanoseconds{seconds{1}}, kRound, kRound * 20 + seconds{1}}) {
    CalendarQueue queue{kStart, kStep};
    queue.put(4, kStart + delay);
    int wakes = 0;
    while (queue.contains(4)) {
      ASSERT_LE(++wakes, delay / kRound + 1);
      const std::optional<Instant> next = queue.next_deadline();
      ASSERT_TRUE(next);
      ASSERT_LE(*next, kStart + delay);
      queue.expire(
          *next, [&](CalendarQueue::Member) { EXPECT_EQ(*next, kStart + delay); }, [](CalendarQueue::Member) {});
    }
  }
}

TEST(CalendarQueue, DeadlinesRoundsAwayWakeNoMoreOftenThanTheirGrid) {
  constexpr milliseconds kGrid{80};
  static_assert(kRound % kGrid == nanoseconds{0});
  CalendarQueue queue{kStart, kStep};
  for (CalendarQueue::Member member = 0; member < 10'000; ++member) {  // spread over half an hour
    queue.put(member, kStart + kGrid * (1 + member * 7'919 % (minutes{30} / kGrid)));
  }
  std::size_t wakes = 0;
  std::size_t met = 0;
  for (Instant now = kStart; now < kStart + kRound * 3; ++wakes) {
    now = *queue.next_deadline();
    met += met_at(queue, now).size();
  }
  EXPECT_LE(wakes, kRound * 3 / kGrid + 1);
  EXPECT_GT(met, 600U);
}

TEST(CalendarQueue, AFarOneInABucketBeforeTheNextWakesOnceAndIsNotMet) {
  CalendarQueue queue{kStart, kStep};
  queue.put(0, kStart + kStep * 2'000);
  queue.put(1, kStart + kStep * (CalendarQueue::kBuckets + 904));
  EXPECT_EQ(queue.next_deadline(), kStart + kStep * 904);
  EXPECT_EQ(met_at(queue, kStart + kStep * 904), Members{});
  EXPECT_EQ(queue.next_deadline(), kStart + kStep * 2'000);
  EXPECT_EQ(met_at(queue, kStart + kStep * 2'000), Members{0});
  EXPECT_EQ(queue.next_deadline(), kStart + kStep * (CalendarQueue::kBuckets + 904));
  EXPECT_EQ(met_at(queue, kStart + kStep * (CalendarQueue::kBuckets + 904)), Members{1});
}

TEST(CalendarQueue, AMemberThatIsMetEveryRoundAndAFarOneDoNotDisturbEachOther) {
  CalendarQueue queue{kStart, kStep};
  queue.put(0, kStart + kRound * 3);
  int beats = 0;
  for (int i = 1; i <= 3; ++i) {
    queue.put(1, kStart + kRound * i);
    for (const CalendarQueue::Member member : met_at(queue, kStart + kRound * i)) beats += member == 1 ? 1 : 0;
    EXPECT_EQ(queue.contains(0), i != 3);
  }
  EXPECT_EQ(beats, 3);
}

TEST(CalendarQueue, ItsMemoryIsChargedAndReleased) {
  Budget budget;
  {
    CalendarQueue queue{kStart, kStep, &budget, Purpose::connections};
    const std::size_t empty = budget.used(Purpose::connections);
    EXPECT_GT(empty, CalendarQueue::kBuckets * 12U);
    for (CalendarQueue::Member member = 0; member < 10'000; ++member) queue.put(member, kStart + seconds{20});
    const std::size_t full = budget.used(Purpose::connections);
    EXPECT_GE(full - empty, 10'000U * 12U - 12'288U);
    EXPECT_LE(full - empty, 10'000U * 12U + 12'288U);
  }
  EXPECT_EQ(budget.used(Purpose::connections), 0U);
}

/// Steps, rounded up, and in the order of put.
struct Waiting {
  CalendarQueue::Member member;
  std::int64_t step;
};

void agree_with_model(std::uint64_t seed, nanoseconds width, nanoseconds delay_max, nanoseconds pause_max) {
  SCOPED_TRACE(testing::Message() << "seed " << seed << " width " << width.count() << " ns");
  Prng random{seed};
  Instant now = kStart + nanoseconds{random.below(1'000'000'000'000)};
  CalendarQueue queue{now, width};
  std::vector<Waiting> model;
  const auto forget = [&](CalendarQueue::Member member) {
    return std::erase_if(model, [&](const Waiting& waiting) { return waiting.member == member; }) == 1;
  };
  const auto step_now = [&] { return now.time_since_epoch() / width; };
  const auto put = [&](CalendarQueue::Member member) {
    const auto magnitude = static_cast<std::uint64_t>(delay_max.count() >> random.below(30));
    const nanoseconds delay{static_cast<std::int64_t>(random.below(magnitude + 1)) -
                            (random.below(10) == 0 ? 5'000'000 : 0)};
    const std::int64_t since_zero = (now + delay).time_since_epoch().count();
    forget(member);
    queue.put(member, now + delay);
    model.push_back({member, std::max((since_zero + width.count() - 1) / width.count(), step_now() + 1)});
  };
  for (int i = 0; i < 3'000; ++i) {
    const auto some = static_cast<CalendarQueue::Member>(random.below(200));
    const std::uint64_t choice = random.below(10);
    if (choice < 5) {
      put(some);
    } else if (choice < 7) {
      ASSERT_EQ(queue.remove(some), forget(some)) << i;
    } else {
      const std::int64_t step_before = step_now();
      now += nanoseconds{random.below(static_cast<std::uint64_t>(pause_max.count() >> random.below(30)) + 1)};
      const std::int64_t step = step_now();
      if (const std::optional<Instant> next = queue.next_deadline(); next && *next > now) {
        ASSERT_TRUE(std::ranges::none_of(model, [&](const Waiting& waiting) { return waiting.step <= step; }))
            << "the next deadline is never late";
      }
      std::map<CalendarQueue::Member, std::int64_t> due;
      for (const Waiting& waiting : model) {
        if (waiting.step <= step) due.emplace(waiting.member, waiting.step);
      }
      std::int64_t last_step = 0;
      queue.expire(
          now,
          [&](CalendarQueue::Member member) {
            const auto found = due.find(member);
            ASSERT_NE(found, due.end()) << i << ": it was not due, or is met twice, or was removed";
            if (step - step_before <= CalendarQueue::kBuckets) {
              ASSERT_GE(found->second, last_step) << i;
              last_step = found->second;
            }
            due.erase(found);
            ASSERT_TRUE(forget(member));
            if (random.below(4) == 0) put(member);
            if (random.below(4) == 0) {
              const auto other = static_cast<CalendarQueue::Member>(random.below(200));
              ASSERT_EQ(queue.remove(other), forget(other));
              due.erase(other);
            }
          },
          [](CalendarQueue::Member) {});
      ASSERT_TRUE(due.empty()) << i;
    }
    ASSERT_EQ(queue.size(), model.size()) << i;
    ASSERT_EQ(queue.next_deadline().has_value(), !model.empty()) << i;
    ASSERT_TRUE(queue.validate()) << i;
  }
}

TEST(CalendarQueue, AgreesWithAModelUnderRandomUse) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    agree_with_model(seed, kStep, seconds{60}, seconds{2});
    agree_with_model(seed, kStep, hours{168}, hours{5});   // rounds and rounds ahead; pauses of many rounds
    agree_with_model(seed, milliseconds{1}, seconds{5}, milliseconds{50});
    agree_with_model(seed, nanoseconds{1}, milliseconds{1}, microseconds{20});
  }
}

using CalendarQueueDeathTest = testing::Test;
TEST(CalendarQueueDeathTest, WhatCannotBeIsRefused) {
  EXPECT_DEATH((CalendarQueue{kStart, nanoseconds{0}}), "a step takes time");
  CalendarQueue queue{kStart, nanoseconds{1}};
  EXPECT_DEATH(queue.put(0, kStart + seconds{3}), "not too many steps ahead");
  EXPECT_DEATH(queue.put(0xffff'fff0, kStart), "a member has a node");
  queue.put(0, kStart);
  const auto ignore = [](CalendarQueue::Member) {};
  EXPECT_DEATH(queue.expire(kStart + kStep, [&](CalendarQueue::Member) { queue.expire(kStart, ignore, ignore); }, ignore),
               "not called from a member's function");
}

}  // namespace
}  // namespace ringcast
