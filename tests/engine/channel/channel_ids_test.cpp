#include "engine/channel/channel_ids.hpp"

#include <gtest/gtest.h>

#include <set>

namespace ringcast {
namespace {

TEST(ChannelIds, NoTwoShardsGiveTheSameAndNoneGivesZero) {
  for (const std::uint32_t shards : {1U, 2U, 7U, 64U}) {
    std::set<std::uint32_t> seen;
    for (std::uint32_t shard = 0; shard < shards; ++shard) {
      ChannelIds ids{shards, ShardIndex{static_cast<std::uint16_t>(shard)}};
      for (int i = 0; i < 100; ++i) {
        const std::uint32_t id = ids.take();
        EXPECT_NE(id, 0U);
        EXPECT_TRUE(seen.insert(id).second) << id;
      }
    }
    EXPECT_EQ(seen.size(), 100 * shards);
    EXPECT_EQ(*seen.rbegin(), 100 * shards) << "none is left out";
  }
}

TEST(ChannelIds, AtTheEndThereIsNoneAndNoneComesAgain) {
  struct Row {
    std::uint32_t shards;
    std::uint16_t here;
    std::uint64_t given;
    std::uint32_t last;  // before the end
  };
  constexpr Row kRows[] = {{1, 0, 0xffff'fffe, 0xffff'ffff},
                           {2, 0, 0x7fff'ffff, 0xffff'ffff},
                           {2, 1, 0x7fff'fffe, 0xffff'fffe},
                           {64, 63, 0x03ff'fffe, 0xffff'ffc0}};
  for (const Row& row : kRows) {
    ChannelIds ids{row.shards, ShardIndex{row.here}, row.given};
    EXPECT_EQ(ids.take(), row.last);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(ids.take(), 0U);
  }
}

}  // namespace
}  // namespace ringcast
