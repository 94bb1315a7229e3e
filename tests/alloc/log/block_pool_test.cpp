#include "alloc/log/block_pool.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace ringcast {
namespace {

constexpr std::size_t kOverhead = sizeof(LogBlock) + sizeof(LogBlock::Entry);  // of a block with one frame

std::size_t whole_bytes(const LogBlock& block) { return sizeof(LogBlock) + block.capacity; }

struct ClassRow {
  std::string_view sentence;
  std::uint8_t asked;
  std::size_t frame_bytes;
  std::size_t block_bytes;
};
constexpr ClassRow kClassRows[] = {
    {"a first small frame takes the smallest block", 0, 100, 1'024},
    {"a frame that just fits the smallest block", 0, 1'024 - kOverhead, 1'024},
    {"one byte more takes the next size", 0, 1'024 - kOverhead + 1, 4'096},
    {"a frame that just fits the second size", 0, 4'096 - kOverhead, 4'096},
    {"one byte more than the second size", 0, 4'096 - kOverhead + 1, 16'384},
    {"one byte more than the third size", 1, 16'384 - kOverhead + 1, 65'536},
    {"a small frame gets the size that was asked for", 3, 10, 65'536},
    {"a frame that just fits the largest block", 0, 65'536 - kOverhead, 65'536},
    {"a frame that fits no block gets one made to measure", 0, 65'536 - kOverhead + 1, 65'544},
    {"a made-to-measure block is rounded up to whole words", 3, 100'001, (100'001 + kOverhead + 7) / 8 * 8},
};

TEST(BlockPool, AFrameGetsTheSmallestBlockFromTheAskedSizeOnThatHoldsIt) {
  for (const ClassRow& row : kClassRows) {
    SCOPED_TRACE(row.sentence);
    Budget budget;
    BlockPool pool{&budget};
    LogBlock* block = pool.take(row.asked, row.frame_bytes, Purpose::history);
    EXPECT_EQ(whole_bytes(*block), row.block_bytes);
    EXPECT_TRUE(block->fits(row.frame_bytes));
    EXPECT_EQ(budget.used(Purpose::history), row.block_bytes);
    EXPECT_EQ(budget.total(), row.block_bytes);
    pool.give_back(block);
    EXPECT_EQ(budget.used(Purpose::history), 0U);
  }
}

TEST(BlockPool, AGivenBackBlockIsChargedAsFreeAndUsedAgain) {
  Budget budget;
  BlockPool pool{&budget};
  LogBlock* first = pool.take(0, 10, Purpose::log_blocks);
  EXPECT_EQ(pool.blocks_in_use(), 1U);
  pool.give_back(first);
  EXPECT_EQ(pool.blocks_in_use(), 0U);
  EXPECT_EQ(budget.used(Purpose::log_blocks), 0U);
  EXPECT_EQ(budget.used(Purpose::other), 1'024U);

  LogBlock* again = pool.take(0, 10, Purpose::history);
  EXPECT_EQ(again, first);
  EXPECT_EQ(again->used, 0U);
  EXPECT_EQ(again->frames, 0U);
  EXPECT_EQ(again->newer, nullptr);
  EXPECT_FALSE(again->dropped);
  EXPECT_EQ(again->purpose, Purpose::history);
  EXPECT_EQ(budget.used(Purpose::other), 0U);
  EXPECT_EQ(budget.used(Purpose::history), 1'024U);
  pool.give_back(again);
}

TEST(BlockPool, KeepsABoundedNumberOfFreeBlocksOfEachSizeAndNoneMadeToMeasure) {
  Budget budget;
  BlockPool pool{&budget};
  std::vector<LogBlock*> blocks;
  for (std::size_t i = 0; i < BlockPool::kFreeBlocksMax + 10; ++i) {
    blocks.push_back(pool.take(0, 10, Purpose::log_blocks));
    blocks.push_back(pool.take(1, 10, Purpose::log_blocks));
  }
  blocks.push_back(pool.take(0, 200'000, Purpose::log_blocks));
  for (LogBlock* block : blocks) pool.give_back(block);
  EXPECT_EQ(budget.used(Purpose::log_blocks), 0U);
  EXPECT_EQ(budget.used(Purpose::other), BlockPool::kFreeBlocksMax * (1'024U + 4'096U));
  pool.release_free();
  EXPECT_EQ(budget.total(), 0U);
  pool.release_free();  // again: nothing happens
  EXPECT_EQ(budget.total(), 0U);
}

TEST(BlockPool, EveryChargeIsBackAtZeroWhenThePoolEnds) {
  Budget budget;
  {
    BlockPool pool{&budget};
    for (int round = 0; round < 3; ++round) {
      std::vector<LogBlock*> blocks;
      for (const std::size_t bytes : {1UL, 2'000UL, 10'000UL, 50'000UL, 70'000UL, 1'000'000UL}) {
        blocks.push_back(pool.take(0, bytes, Purpose::log_blocks));
      }
      for (LogBlock* block : blocks) pool.give_back(block);
    }
    EXPECT_NE(budget.total(), 0U);
  }
  EXPECT_EQ(budget.total(), 0U);
}

TEST(BlockPool, WorksWithoutABudget) {
  BlockPool pool{nullptr};
  LogBlock* block = pool.take(0, 10, Purpose::log_blocks);
  pool.give_back(block);
  block = pool.take(0, 10, Purpose::log_blocks);
  pool.give_back(block);
}

TEST(BlockPoolDeathTest, APinnedBlockIsNotGivenBack) {
  BlockPool pool{nullptr};
  LogBlock* block = pool.take(0, 10, Purpose::log_blocks);
  {
    const BlockPin pin{*block};
    EXPECT_DEATH(pool.give_back(block), "still being sent from");
  }
  pool.give_back(block);
}

TEST(BlockPin, CountsAndMovesWithoutCountingTwice) {
  BlockPool pool{nullptr};
  LogBlock* block = pool.take(0, 10, Purpose::log_blocks);
  LogBlock* other = pool.take(0, 10, Purpose::log_blocks);
  {
    BlockPin first{*block};
    BlockPin second{*block};
    EXPECT_EQ(block->pins, 2U);
    BlockPin moved{std::move(first)};
    EXPECT_EQ(block->pins, 2U);
    EXPECT_TRUE(moved.held());
    second = BlockPin{*other};
    EXPECT_EQ(block->pins, 1U);
    EXPECT_EQ(other->pins, 1U);
    moved = BlockPin{};
    EXPECT_EQ(block->pins, 0U);
    EXPECT_FALSE(moved.held());
  }
  EXPECT_EQ(other->pins, 0U);
  EXPECT_EQ(pool.blocks_in_use(), 2U);  // neither had been dropped
  pool.give_back(block);
  pool.give_back(other);
}

TEST(BlockPin, TheLastPinOfADroppedBlockGivesItBack) {
  BlockPool pool{nullptr};
  LogBlock* block = pool.take(0, 10, Purpose::log_blocks);
  {
    BlockPin first{*block};
    {
      const BlockPin second{*block};
      block->dropped = true;
    }
    EXPECT_EQ(pool.blocks_in_use(), 1U);
  }
  EXPECT_EQ(pool.blocks_in_use(), 0U);
}

}  // namespace
}  // namespace ringcast
