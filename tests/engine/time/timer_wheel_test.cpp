#include "engine/time/timer_wheel.hpp"

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/time/prng.hpp"

namespace ringcast {
namespace {

constexpr Instant at(nanoseconds since_zero) { return Instant{since_zero}; }
constexpr Instant kStart = at(hours{100});  // a machine that has been up for a while

std::vector<std::uint64_t> fired_at(TimerWheel& wheel, Instant now) {
  std::vector<std::uint64_t> tags;
  const std::size_t count = wheel.expire(now, [&](TimerEntry& entry) {
    EXPECT_FALSE(entry.armed());
    tags.push_back(entry.tag);
  });
  EXPECT_EQ(count, tags.size());
  EXPECT_TRUE(wheel.validate());
  return tags;
}
using Tags = std::vector<std::uint64_t>;

TEST(TimerWheel, AnEmptyWheelHasNoDeadlineAndFiresNothing) {
  TimerWheel wheel{kStart};
  EXPECT_EQ(wheel.next_deadline(), std::nullopt);
  EXPECT_EQ(fired_at(wheel, kStart + hours{1}), Tags{});
  EXPECT_EQ(wheel.next_deadline(), std::nullopt);
  EXPECT_EQ(wheel.size(), 0U);
}

struct RoundingRow {
  std::string_view sentence;
  nanoseconds after_start;  // deadline
  nanoseconds silent_until;
  nanoseconds fires_by;
};
constexpr RoundingRow kRoundingRows[] = {
    {"a deadline on a tick fires on it", milliseconds{5}, milliseconds{5} - nanoseconds{1}, milliseconds{5}},
    {"one just after a tick waits for the next", milliseconds{5} + nanoseconds{1}, milliseconds{6} - nanoseconds{1},
     milliseconds{6}},
    {"a second", seconds{1}, milliseconds{999}, seconds{1}},
    {"an hour", hours{1}, hours{1} - nanoseconds{1}, hours{1}},
    {"a year", hours{24 * 365}, hours{24 * 365} - nanoseconds{1}, hours{24 * 365}},
    {"two hundred years", hours{24 * 365 * 200}, hours{24 * 365 * 200} - nanoseconds{1}, hours{24 * 365 * 200}},
};
TEST(TimerWheel, NeverFiresEarlyAndAtMostATickLate) {
  for (const RoundingRow& row : kRoundingRows) {
    TimerWheel wheel{kStart};
    TimerEntry entry{1};
    wheel.arm(entry, kStart + row.after_start);
    EXPECT_TRUE(entry.armed());
    EXPECT_EQ(entry.deadline(), kStart + row.after_start);
    EXPECT_EQ(fired_at(wheel, kStart + row.silent_until), Tags{}) << row.sentence;
    EXPECT_EQ(fired_at(wheel, kStart + row.fires_by), Tags{1}) << row.sentence;
    EXPECT_EQ(wheel.size(), 0U);
  }
}

TEST(TimerWheel, ACoarseTickRoundsUpToItself) {
  TimerWheel wheel{kStart, seconds{10}};
  TimerEntry entry{1};
  wheel.arm(entry, kStart + seconds{11});
  EXPECT_EQ(wheel.next_deadline(), kStart + seconds{20});
  EXPECT_EQ(fired_at(wheel, kStart + seconds{19}), Tags{});
  EXPECT_EQ(fired_at(wheel, kStart + seconds{20}), Tags{1});
}

TEST(TimerWheel, WhatIsAlreadyDueFiresAtTheNextCallBeforeTheRest) {
  TimerWheel wheel{kStart};
  TimerEntry soon{1}, past{2}, ancient{3}, now{4};
  wheel.arm(soon, kStart + milliseconds{1});
  wheel.arm(past, kStart - seconds{1});
  wheel.arm(ancient, Instant::min());
  wheel.arm(now, kStart);
  ASSERT_TRUE(wheel.next_deadline());
  EXPECT_LE(*wheel.next_deadline(), kStart);
  EXPECT_EQ(fired_at(wheel, kStart + seconds{1}), (Tags{2, 3, 4, 1}));
}

TEST(TimerWheel, ADeadlineAtTheEndOfTimeIsHeldAndCancelled) {
  TimerWheel wheel{kStart};
  TimerEntry never{1}, day{2};
  wheel.arm(never, Instant::max());
  wheel.arm(day, kStart + hours{24});
  EXPECT_TRUE(wheel.validate());
  EXPECT_EQ(fired_at(wheel, kStart + hours{1'000'000}), Tags{2});
  EXPECT_EQ(wheel.size(), 1U);
  EXPECT_TRUE(wheel.cancel(never));
  EXPECT_EQ(wheel.next_deadline(), std::nullopt);
}

TEST(TimerWheel, OneJumpFiresEverythingInOrderOfTicksAndOfArmingWithinOne) {
  TimerWheel wheel{kStart};
  std::deque<TimerEntry> entries;
  const nanoseconds delays[] = {hours{5}, milliseconds{3}, seconds{70}, milliseconds{3}, minutes{9}, milliseconds{1},
                                hours{5}, milliseconds{64}, milliseconds{63}, milliseconds{4'096}, milliseconds{4'095},
                                milliseconds{256}, milliseconds{255}, milliseconds{65'536}, milliseconds{65'535}};
  for (std::size_t i = 0; i < std::size(delays); ++i) wheel.arm(entries.emplace_back(i), kStart + delays[i]);
  EXPECT_EQ(fired_at(wheel, kStart + hours{10}), (Tags{5, 1, 3, 8, 7, 12, 11, 10, 9, 14, 13, 2, 4, 0, 6}));
}

TEST(TimerWheel, OrderWithinATickIsThatOfArmingEvenAcrossLevels) {
  TimerWheel wheel{kStart};
  TimerEntry early{1}, late{2};
  wheel.arm(early, kStart + seconds{60});  // far away: on a high level
  EXPECT_EQ(fired_at(wheel, kStart + seconds{60} - milliseconds{2}), Tags{});
  wheel.arm(late, kStart + seconds{60});  // near: on the lowest
  EXPECT_EQ(fired_at(wheel, kStart + seconds{60}), (Tags{1, 2}));
}

TEST(TimerWheel, ArmingAgainMovesTheDeadline) {
  TimerWheel wheel{kStart};
  TimerEntry entry{1};
  wheel.arm(entry, kStart + seconds{1});
  wheel.arm(entry, kStart + seconds{3});
  EXPECT_EQ(wheel.size(), 1U);
  EXPECT_EQ(fired_at(wheel, kStart + seconds{2}), Tags{});
  wheel.arm(entry, kStart + milliseconds{2'500});
  EXPECT_EQ(fired_at(wheel, kStart + milliseconds{2'500}), Tags{1});
}

TEST(TimerWheel, ACancelledTimerDoesNotFire) {
  TimerWheel wheel{kStart};
  TimerEntry a{1}, b{2};
  EXPECT_FALSE(wheel.cancel(a));
  wheel.arm(a, kStart + milliseconds{2});
  wheel.arm(b, kStart + milliseconds{2});
  EXPECT_TRUE(wheel.cancel(a));
  EXPECT_FALSE(a.armed());
  EXPECT_FALSE(wheel.cancel(a));
  EXPECT_EQ(wheel.size(), 1U);
  EXPECT_EQ(fired_at(wheel, kStart + seconds{1}), Tags{2});
}

TEST(TimerWheel, TimeThatGoesBackIsTakenAsTheLast) {
  TimerWheel wheel{kStart};
  TimerEntry entry{1};
  EXPECT_EQ(fired_at(wheel, kStart + seconds{10}), Tags{});
  wheel.arm(entry, kStart + seconds{11});
  EXPECT_EQ(fired_at(wheel, kStart), Tags{});
  EXPECT_EQ(fired_at(wheel, kStart + seconds{11}), Tags{1});
}

TEST(TimerWheel, AFunctionMayArmItselfAnewAndThatFiresAtALaterCall) {
  TimerWheel wheel{kStart};
  TimerEntry entry{1};
  std::size_t calls = 0;
  const auto again = [&](nanoseconds delay) {
    return [&wheel, &calls, delay](TimerEntry& fired) {
      ++calls;
      wheel.arm(fired, fired.deadline() + delay);
    };
  };
  wheel.arm(entry, kStart + milliseconds{1});
  EXPECT_EQ(wheel.expire(kStart + seconds{1}, again(nanoseconds{0})), 1U) << "due already, and yet not twice";
  EXPECT_EQ(wheel.expire(kStart + seconds{1}, again(milliseconds{1})), 1U);
  EXPECT_LE(*wheel.next_deadline(), kStart + seconds{1}) << "one that is behind is due at once";
  EXPECT_EQ(wheel.expire(kStart + seconds{1}, again(seconds{60})), 1U);
  EXPECT_EQ(wheel.expire(kStart + seconds{2}, again(seconds{60})), 0U);
  EXPECT_TRUE(wheel.validate());
  EXPECT_EQ(calls, 3U);
  wheel.cancel(entry);
}

TEST(TimerWheel, AFunctionMayCancelOthersThatAreDueInTheSameCall) {
  TimerWheel wheel{kStart};
  TimerEntry first{1}, same_tick{2}, later_tick{3}, stays{4};
  for (TimerEntry* entry : {&first, &same_tick, &stays}) wheel.arm(*entry, kStart + milliseconds{2});
  wheel.arm(later_tick, kStart + milliseconds{9});
  Tags tags;
  wheel.expire(kStart + seconds{1}, [&](TimerEntry& entry) {
    tags.push_back(entry.tag);
    if (&entry != &first) return;
    EXPECT_TRUE(wheel.cancel(same_tick));
    EXPECT_TRUE(wheel.cancel(later_tick));
    EXPECT_TRUE(wheel.validate());
  });
  EXPECT_EQ(tags, (Tags{1, 4}));
  EXPECT_EQ(wheel.size(), 0U);
}

TEST(TimerWheel, AFunctionMayEndTheEntry) {
  TimerWheel wheel{kStart};
  auto* const entry = new TimerEntry{1};
  wheel.arm(*entry, kStart + milliseconds{1});
  EXPECT_EQ(wheel.expire(kStart + seconds{1}, [](TimerEntry& fired) { delete &fired; }), 1U);
  EXPECT_TRUE(wheel.validate());
}

TEST(TimerWheel, AWheelThatEndsDisarmsItsTimers) {
  TimerEntry far{1}, due{2};
  {
    TimerWheel wheel{kStart};
    wheel.arm(far, kStart + hours{1});
    wheel.arm(due, kStart);
  }
  EXPECT_FALSE(far.armed());
  EXPECT_FALSE(due.armed());
}

TEST(TimerWheel, WhoSleepsUntilTheNextDeadlineIsNeverLateAndWakesFewTimes) {
  for (const nanoseconds delay : {nanoseconds{milliseconds{1}}, nanoseconds{seconds{1}}, nanoseconds{hours{3}},
                                  nanoseconds{hours{24 * 365}}, nanoseconds{hours{24 * 365 * 100}}}) {
    TimerWheel wheel{kStart};
    TimerEntry entry{1};
    wheel.arm(entry, kStart + delay);
    int wakes = 0;
    while (entry.armed()) {
      ASSERT_LT(++wakes, 12) << "at most once a level";
      const std::optional<Instant> next = wheel.next_deadline();
      ASSERT_TRUE(next);
      ASSERT_LE(*next, kStart + delay);
      wheel.expire(*next, [&](TimerEntry&) { EXPECT_EQ(*next, kStart + delay); });
    }
  }
}

/// A list of what is armed, in the order of arming.
struct Armed {
  TimerEntry* entry;
  std::int64_t tick;  // rounded up
};

void agree_with_model(std::uint64_t seed, nanoseconds tick, nanoseconds delay_max, nanoseconds step_max) {
  SCOPED_TRACE(testing::Message() << "seed " << seed << " tick " << tick.count() << " ns");
  Prng random{seed};
  Instant now = kStart + nanoseconds{random.below(1'000'000'000'000)};
  TimerWheel wheel{now, tick};
  std::deque<TimerEntry> entries;
  for (std::uint64_t i = 0; i < 200; ++i) entries.emplace_back(i);
  std::vector<Armed> model;
  const auto forget = [&](const TimerEntry& entry) {
    return std::erase_if(model, [&](const Armed& armed) { return armed.entry == &entry; }) == 1;
  };
  const auto arm = [&](TimerEntry& entry) {
    // Spread over all magnitudes, so that every level is used; sometimes in the past.
    const auto magnitude = static_cast<std::int64_t>(delay_max.count() >> random.below(40));
    const nanoseconds delay{static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(magnitude) + 1)) -
                            (random.below(10) == 0 ? 5'000'000 : 0)};
    const Instant deadline = now + delay;
    const std::int64_t since_zero = deadline.time_since_epoch().count();
    forget(entry);
    wheel.arm(entry, deadline);
    model.push_back({&entry, (since_zero + tick.count() - 1) / tick.count()});
  };
  for (int step = 0; step < 3'000; ++step) {
    TimerEntry& some = entries[random.below(entries.size())];
    const std::uint64_t choice = random.below(10);
    if (choice < 5) {
      arm(some);
    } else if (choice < 7) {
      ASSERT_EQ(wheel.cancel(some), forget(some)) << step;
    } else {
      const auto step_most = static_cast<std::uint64_t>(step_max.count() >> random.below(40));
      const std::int64_t tick_before = now.time_since_epoch() / tick;
      const Instant before = now;
      now += nanoseconds{random.below(step_most + 1)};
      if (const std::optional<Instant> next = wheel.next_deadline(); next && *next > now) {
        ASSERT_TRUE(std::none_of(model.begin(), model.end(), [&](const Armed& armed) {
          return armed.tick <= now.time_since_epoch() / tick;
        })) << "the next deadline is never late";
      }
      std::vector<Armed> expected;
      for (const Armed& armed : model) {
        if (armed.tick <= now.time_since_epoch() / tick) expected.push_back(armed);
      }
      std::stable_sort(expected.begin(), expected.end(), [&](const Armed& a, const Armed& b) {
        return std::max(a.tick, tick_before) < std::max(b.tick, tick_before);
      });
      std::size_t fired = 0;
      std::vector<TimerEntry*> rearmed;
      wheel.expire(now, [&](TimerEntry& entry) {
        // Functions change the wheel under way; what they arm belongs to a later call.
        while (fired < expected.size() && expected[fired].entry == nullptr) ++fired;
        ASSERT_LT(fired, expected.size()) << step << " from " << before.time_since_epoch().count();
        ASSERT_EQ(entry.tag, expected[fired].entry->tag) << step;
        ++fired;
        ASSERT_TRUE(forget(entry));
        if (random.below(4) == 0) arm(entry);
        if (random.below(4) == 0) {
          TimerEntry& other = entries[random.below(entries.size())];
          ASSERT_EQ(wheel.cancel(other), forget(other));
          for (std::size_t i = fired; i < expected.size(); ++i) {
            if (expected[i].entry == &other) expected[i].entry = nullptr;  // cancelled before its turn
          }
        }
      });
      while (fired < expected.size() && expected[fired].entry == nullptr) ++fired;
      ASSERT_EQ(fired, expected.size()) << step;
    }
    ASSERT_EQ(wheel.size(), model.size()) << step;
    ASSERT_EQ(wheel.next_deadline().has_value(), !model.empty()) << step;
    ASSERT_TRUE(wheel.validate()) << step;
  }
  for (TimerEntry& entry : entries) wheel.cancel(entry);
}
TEST(TimerWheel, AgreesWithASortedListOverRandomSteps) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    agree_with_model(seed, milliseconds{1}, minutes{2}, seconds{20});
    agree_with_model(seed, milliseconds{1}, hours{24 * 365 * 10}, hours{24 * 365});
    agree_with_model(seed, nanoseconds{1}, seconds{1}, seconds{1});
    agree_with_model(seed, milliseconds{7}, seconds{30}, seconds{3});
  }
}

TEST(TimerWheelDeathTest, StopsAtMisuse) {
  EXPECT_DEATH((TimerWheel{kStart, nanoseconds{0}}), "a tick takes time");
  TimerWheel wheel{kStart};
  EXPECT_DEATH(
      {
        TimerEntry gone{1};
        wheel.arm(gone, kStart + seconds{1});
      },
      "cancelled before it ends");
  TimerEntry entry{1};
  wheel.arm(entry, kStart);
  EXPECT_DEATH(wheel.expire(kStart, [&](TimerEntry&) { wheel.expire(kStart, [](TimerEntry&) {}); }),
               "not called from a timer's function");
  wheel.cancel(entry);
}

}  // namespace
}  // namespace ringcast
