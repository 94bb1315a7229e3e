#include "engine/channel/channel_table.hpp"

#include <gtest/gtest.h>

namespace ringcast {
namespace {

const NamespaceRule kRule;
const NamespaceRule& rule_of(std::string_view) { return kRule; }

TEST(ChannelTable, AChannelIsMadeOnceAndFoundByItsName) {
  Budget budget;
  ChannelTable table{10, budget};
  EXPECT_EQ(table.find("orders"), nullptr);
  Channel* made = table.find_or_create("orders", ShardIndex{2}, rule_of);
  ASSERT_NE(made, nullptr);
  EXPECT_EQ(made->name, "orders");
  EXPECT_EQ(made->home, ShardIndex{2});
  EXPECT_EQ(made->rule, &kRule);
  EXPECT_EQ(&table[made->slot], made);
  EXPECT_TRUE(made->unused());
  EXPECT_EQ(table.find("orders"), made);
  EXPECT_EQ(table.find_or_create("orders", ShardIndex{2}, rule_of), made);
  EXPECT_EQ(table.size(), 1U);
}

TEST(ChannelTable, AFullTableAnswersNullUntilAChannelEnds) {
  Budget budget;
  ChannelTable table{2, budget};
  ASSERT_NE(table.find_or_create("a", ShardIndex{}, rule_of), nullptr);
  ASSERT_NE(table.find_or_create("b", ShardIndex{}, rule_of), nullptr);
  EXPECT_EQ(table.find_or_create("c", ShardIndex{}, rule_of), nullptr);
  EXPECT_NE(table.find_or_create("a", ShardIndex{}, rule_of), nullptr);  // known: takes no room
  table.erase(*table.find("a"));
  EXPECT_EQ(table.find("a"), nullptr);
  EXPECT_NE(table.find_or_create("c", ShardIndex{}, rule_of), nullptr);
}

TEST(ChannelTable, AnotherBoundHoldsForChannelsThatAreMadeLater) {
  Budget budget;
  ChannelTable table{2, budget};
  for (const std::string_view name : {"a", "b"}) ASSERT_NE(table.find_or_create(name, ShardIndex{}, rule_of), nullptr);
  table.set_channels_max(1);
  EXPECT_NE(table.find("b"), nullptr);
  EXPECT_EQ(table.find_or_create("c", ShardIndex{}, rule_of), nullptr);
  table.set_channels_max(3);
  EXPECT_NE(table.find_or_create("c", ShardIndex{}, rule_of), nullptr);
  EXPECT_EQ(table.find_or_create("d", ShardIndex{}, rule_of), nullptr);
}

TEST(ChannelTable, NamesStayFoundWhenTheTableGrowsAndShrinks) {
  Budget budget;
  ChannelTable table{10'000, budget};
  const auto name = [](int i) { return "a.rather.long.channel.name." + std::to_string(i); };
  for (int i = 0; i < 5'000; ++i) ASSERT_NE(table.find_or_create(name(i), ShardIndex{}, rule_of), nullptr);
  for (int i = 0; i < 5'000; i += 2) table.erase(*table.find(name(i)));
  for (int i = 0; i < 5'000; ++i) {
    const Channel* found = table.find(name(i));
    ASSERT_EQ(found != nullptr, i % 2 == 1) << i;
    if (found != nullptr) {
      ASSERT_EQ(found->name, name(i));
    }
  }
}

TEST(ChannelTable, AChannelIsUsedWhileItIsHomeOrHasALog) {
  Channel channel;
  EXPECT_TRUE(channel.unused());
  channel.home_state = Handle{.slot = 0, .generation = 1};
  EXPECT_FALSE(channel.unused());
  channel.home_state = Handle{};
  for (Handle& log : channel.logs) {
    log = Handle{.slot = 3, .generation = 1};
    EXPECT_FALSE(channel.unused());
    log = Handle{};
  }
  EXPECT_TRUE(channel.unused());
}

}  // namespace
}  // namespace ringcast
