#include "alloc/queue/circular_buffer.hpp"

#include <deque>
#include <memory>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace ringcast {
namespace {

TEST(CircularBuffer, HoldsNothingUntilTheFirstPushAndGrowsToExactlyItsBound) {
  CircularBuffer<std::uint64_t> buffer{10};
  EXPECT_EQ(buffer.bytes_reserved(), 0U);
  EXPECT_TRUE(buffer.empty());
  EXPECT_FALSE(buffer.full());
  ASSERT_TRUE(buffer.push(0));
  EXPECT_EQ(buffer.bytes_reserved(), 4 * sizeof(std::uint64_t));
  for (std::uint64_t i = 1; i < 10; ++i) ASSERT_TRUE(buffer.push(i));
  EXPECT_EQ(buffer.bytes_reserved(), 10 * sizeof(std::uint64_t));
  EXPECT_TRUE(buffer.full());
  EXPECT_FALSE(buffer.push(10));
  EXPECT_EQ(buffer.size(), 10U);
  EXPECT_EQ(buffer.oldest(), 0U);
  EXPECT_EQ(buffer.newest(), 9U);
}

TEST(CircularBuffer, OverwritingReturnsTheOldestOnlyWhenItHadToGo) {
  CircularBuffer<int> buffer{2};
  EXPECT_EQ(buffer.push_overwrite(1), std::nullopt);
  EXPECT_EQ(buffer.push_overwrite(2), std::nullopt);
  EXPECT_EQ(buffer.push_overwrite(3), 1);
  EXPECT_EQ(buffer[0], 2);
  EXPECT_EQ(buffer[1], 3);
}

TEST(CircularBuffer, ABoundOfOneKeepsTheNewest) {
  CircularBuffer<std::string> buffer{1};
  EXPECT_EQ(buffer.push_overwrite("first"), std::nullopt);
  EXPECT_EQ(buffer.push_overwrite("second"), "first");
  EXPECT_EQ(buffer.oldest(), "second");
  EXPECT_EQ(buffer.pop(), "second");
  EXPECT_TRUE(buffer.empty());
}

TEST(CircularBuffer, GivesBackTheRoomThatNoElementUses) {
  CircularBuffer<std::unique_ptr<int>> buffer{100};
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(buffer.push(std::make_unique<int>(i)));
  for (int i = 0; i < 97; ++i) EXPECT_EQ(*buffer.pop(), i);
  buffer.shrink_to_fit();
  EXPECT_EQ(buffer.bytes_reserved(), 3 * sizeof(std::unique_ptr<int>));
  EXPECT_EQ(*buffer.oldest(), 97);
  EXPECT_EQ(*buffer.newest(), 99);
  ASSERT_TRUE(buffer.push(std::make_unique<int>(100)));
  EXPECT_EQ(*buffer[3], 100);
  buffer.clear();
  buffer.shrink_to_fit();
  EXPECT_EQ(buffer.bytes_reserved(), 0U);
  EXPECT_TRUE(buffer.push(nullptr));
}

TEST(CircularBuffer, MovesAsAWhole) {
  CircularBuffer<std::string> buffer{4};
  ASSERT_TRUE(buffer.push("a"));
  CircularBuffer<std::string> second{std::move(buffer)};
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(second.oldest(), "a");
  CircularBuffer<std::string> third{9};
  ASSERT_TRUE(third.push("gone"));
  third = std::move(second);
  EXPECT_EQ(third.oldest(), "a");
  EXPECT_EQ(third.size_max(), 4U);
  ASSERT_TRUE(buffer.push("usable again"));
}

TEST(CircularBuffer, AgreesWithADequeOverRandomSteps) {
  for (const std::size_t bound : {1U, 2U, 3U, 4U, 5U, 7U, 8U, 33U}) {
    std::mt19937 random{static_cast<std::uint32_t>(bound)};
    CircularBuffer<std::string> buffer{bound};
    std::deque<std::string> model;
    for (int step = 0; step < 5'000; ++step) {
      const std::string value = "a string too long to lie inside the object " + std::to_string(step);
      switch (random() % 6) {
        case 0: case 1:
          ASSERT_EQ(buffer.push(value), model.size() < bound);
          if (model.size() < bound) model.push_back(value);
          break;
        case 2: case 3: {
          const std::optional<std::string> dropped = buffer.push_overwrite(value);
          ASSERT_EQ(dropped.has_value(), model.size() == bound);
          if (dropped) {
            ASSERT_EQ(*dropped, model.front());
            model.pop_front();
          }
          model.push_back(value);
          break;
        }
        case 4:
          if (model.empty()) break;
          ASSERT_EQ(buffer.pop(), model.front());
          model.pop_front();
          break;
        default:
          if (random() % 8 == 0) buffer.shrink_to_fit();
          if (random() % 64 == 0) {
            buffer.clear();
            model.clear();
          }
      }
      ASSERT_EQ(buffer.size(), model.size());
      ASSERT_EQ(buffer.empty(), model.empty());
      ASSERT_EQ(buffer.full(), model.size() == bound);
      for (std::size_t i = 0; i < model.size(); ++i) ASSERT_EQ(buffer[i], model[i]) << bound;
    }
  }
}

TEST(CircularBufferDeathTest, StopsAtMisuse) {
  EXPECT_DEATH(CircularBuffer<int>{0}, "at least one element");
  CircularBuffer<int> buffer{3};
  EXPECT_DEATH(buffer.pop(), "an element that is there");
  EXPECT_DEATH((void)buffer[0], "below its size");
  EXPECT_DEATH((void)buffer.newest(), "below its size");
}

}  // namespace
}  // namespace ringcast
