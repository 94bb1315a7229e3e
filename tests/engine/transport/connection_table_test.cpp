#include "engine/transport/connection_table.hpp"

#include <gtest/gtest.h>

namespace ringcast {
namespace {

TEST(ConnectionTable, FindsAConnectionOnlyInItsOwnLife) {
  ConnectionTable table;
  const Handle first{.slot = 5, .generation = 1};
  const Handle second{.slot = 5, .generation = 2};
  EXPECT_EQ(table.find(first), nullptr);
  table.add(first, 40);
  ASSERT_NE(table.find(first), nullptr);
  EXPECT_EQ(table.find(second), nullptr) << "a later life of the slot";
  table.find(first)->ended = true;
  table.remove(first);
  EXPECT_EQ(table.find(first), nullptr);
  table.add(second, 41);
  EXPECT_EQ(table.find(first), nullptr) << "an earlier life of the slot";
  EXPECT_FALSE(table.find(second)->ended) << "a new life begins with nothing of the old one";
  EXPECT_EQ(table.open(), 1U);
}

TEST(ConnectionTableDeathTest, KeepsASlotUntilTheLastCompletion) {
  ConnectionTable table;
  const Handle handle{.slot = 0, .generation = 1};
  table.add(handle, 40);
  table.find(handle)->receiving = true;
  EXPECT_DEATH(table.remove(handle), "the last completion");
  EXPECT_DEATH(table.add({.slot = 0, .generation = 2}, 41), "one connection at a time");
}

}  // namespace
}  // namespace ringcast
