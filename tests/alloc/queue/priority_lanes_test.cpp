#include "alloc/queue/priority_lanes.hpp"

#include <array>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace ringcast {
namespace {

struct Waiting : LaneLink {
  explicit Waiting(char letter = '?') : name{letter} {}
  char name;
};

struct OrderRow {
  std::string_view sentence;
  std::uint32_t highs_in_row_max;
  std::string_view pushed;  // capitals go to the high lane
  std::string_view popped;
};
constexpr OrderRow kOrderRows[] = {
    {"an empty queue has nobody", 1, "", ""},
    {"one lane is first in, first out", 1, "abcd", "abcd"},
    {"so is the other", 1, "ABCD", "ABCD"},
    {"the high lane goes first", 9, "abAB", "ABab"},
    {"with a bound of one the lanes alternate", 1, "abcABC", "AaBbCc"},
    {"with a bound of two a normal follows two highs", 2, "abABCDE", "ABaCDbE"},
    {"the bound counts only while a normal waits", 2, "ABCDE", "ABCDE"},
    {"the rest of a lane follows when the other is empty", 3, "abcdA", "Aabcd"},
};
TEST(PriorityLanes, ServesTheHighLaneFirstWithinItsBound) {
  for (const OrderRow& row : kOrderRows) {
    std::deque<Waiting> elements;
    PriorityLanes<Waiting> lanes{row.highs_in_row_max};
    for (const char letter : row.pushed) {
      lanes.push(elements.emplace_back(letter), letter < 'a' ? Lane::high : Lane::normal);
    }
    EXPECT_EQ(lanes.size(), row.pushed.size());
    std::string popped;
    while (Waiting* next = lanes.pop()) {
      EXPECT_FALSE(next->queued());
      popped += next->name;
    }
    EXPECT_EQ(popped, row.popped) << row.sentence;
    EXPECT_TRUE(lanes.empty());
  }
}

TEST(PriorityLanes, HighsThatPassedNobodyDoNotCount) {
  Waiting a{'a'}, b{'B'}, c{'C'}, d{'D'};
  PriorityLanes<Waiting> lanes{1};
  lanes.push(b, Lane::high);
  EXPECT_EQ(lanes.pop(), &b);  // alone
  lanes.push(a, Lane::normal);
  lanes.push(c, Lane::high);
  lanes.push(d, Lane::high);
  EXPECT_EQ(lanes.pop(), &c);
  EXPECT_EQ(lanes.pop(), &a);
  EXPECT_EQ(lanes.pop(), &d);
}

TEST(PriorityLanes, AnElementLeavesFromAnyPlace) {
  for (std::size_t leaver = 0; leaver < 4; ++leaver) {
    std::array<Waiting, 4> elements{Waiting{'a'}, Waiting{'b'}, Waiting{'c'}, Waiting{'d'}};
    PriorityLanes<Waiting> lanes{1};
    for (Waiting& element : elements) lanes.push(element, Lane::normal);
    EXPECT_TRUE(lanes.remove(elements[leaver]));
    EXPECT_FALSE(lanes.remove(elements[leaver]));
    for (std::size_t i = 0; i < 4; ++i) {
      if (i == leaver) continue;
      EXPECT_EQ(lanes.pop(), &elements[i]);
    }
    EXPECT_EQ(lanes.pop(), nullptr);
  }
}

TEST(PriorityLanes, NoNormalWaitsLongerThanItsTurnAllows) {
  constexpr std::uint32_t kBound = 3;
  for (const std::uint32_t seed : {1U, 2U, 3U}) {
    std::mt19937 random{seed};
    std::deque<Waiting> elements(64);
    std::deque<Waiting*> high, normal;  // the model
    PriorityLanes<Waiting> lanes{kBound};
    std::uint32_t passed_over = 0;
    for (int step = 0; step < 20'000; ++step) {
      Waiting& some = elements[random() % elements.size()];
      const auto choice = random() % 10;
      if (choice < 5) {
        if (some.queued()) continue;
        const Lane lane = random() % 3 == 0 ? Lane::normal : Lane::high;
        lanes.push(some, lane);
        (lane == Lane::high ? high : normal).push_back(&some);
      } else if (choice < 9) {
        Waiting* const next = lanes.pop();
        if (high.empty() && normal.empty()) {
          ASSERT_EQ(next, nullptr);
        } else if (!high.empty() && next == high.front()) {
          high.pop_front();
          passed_over = normal.empty() ? 0 : passed_over + 1;
          ASSERT_LE(passed_over, kBound);
        } else {
          ASSERT_FALSE(normal.empty());
          ASSERT_EQ(next, normal.front());
          ASSERT_TRUE(high.empty() || passed_over == kBound) << "a normal goes first only when it must";
          normal.pop_front();
          passed_over = 0;
        }
      } else {
        ASSERT_EQ(lanes.remove(some), std::erase(high, &some) + std::erase(normal, &some) == 1);
      }
      ASSERT_EQ(lanes.size(), high.size() + normal.size());
    }
  }
}

TEST(PriorityLanesDeathTest, StopsAtMisuse) {
  Waiting a{'a'};
  PriorityLanes<Waiting> lanes{1};
  lanes.push(a, Lane::high);
  EXPECT_DEATH(lanes.push(a, Lane::normal), "waits in one place");
  EXPECT_DEATH(PriorityLanes<Waiting>{0}, "at least once");
  EXPECT_DEATH(
      {
        Waiting gone{'g'};
        lanes.push(gone, Lane::high);
      },
      "leaves its queue");
}

}  // namespace
}  // namespace ringcast
