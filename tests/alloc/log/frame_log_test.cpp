#include "alloc/log/frame_log.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringcast {
namespace {

constexpr Instant kStart{seconds{100}};

class FrameLogTest : public testing::Test {
 protected:
  FrameLog make(LogBounds bounds = {}) { return FrameLog{pool, bounds, Purpose::log_blocks, Sequence{1}}; }
  static void append(FrameLog& log, std::string_view text, Instant received = kStart) {
    log.append(as_bytes(text), received);
  }
  static std::string text_of(const FrameLog::Run& run) {
    return {reinterpret_cast<const char*>(run.data), run.bytes};
  }

  Budget budget;
  BlockPool pool{&budget};
};

TEST_F(FrameLogTest, AnEmptyLogHoldsNoBlockAndAnswersNothing) {
  const FrameLog log = make();
  EXPECT_EQ(log.next(), Sequence{1});
  EXPECT_EQ(log.tail(), Sequence{1});
  EXPECT_FALSE(log.run_from(Sequence{1}, 100));
  EXPECT_FALSE(log.holds(Sequence{1}));
  EXPECT_FALSE(log.appended_at(Sequence{1}));
  EXPECT_EQ(log.bytes_from(Sequence{0}), 0U);
  EXPECT_EQ(budget.total(), 0U);
}

TEST_F(FrameLogTest, AChannelWithOneMessageCostsTheSmallestBlock) {
  FrameLog log = make();
  append(log, "one");
  EXPECT_EQ(budget.total(), 1'024U);
}

TEST_F(FrameLogTest, BlocksGrowFromTheSmallestToTheLargest) {
  FrameLog log = make({.frames = 1'000'000, .bytes = 1_GiB});
  std::vector<std::uint32_t> sizes;
  const std::string frame(200, 'x');
  while (sizes.size() < 6) {
    append(log, frame);
    const auto newest = log.run_from(Sequence{value(log.next()) - 1}, SIZE_MAX);
    if (newest->index == 0) sizes.push_back(newest->block->capacity + static_cast<std::uint32_t>(sizeof(LogBlock)));
  }
  EXPECT_EQ(sizes, (std::vector<std::uint32_t>{1'024, 4'096, 16'384, 65'536, 65'536, 65'536}));
}

TEST_F(FrameLogTest, AFrameThatFitsABlockToTheLastByteFillsItAndTheNextBeginsAnother) {
  constexpr std::size_t kRoom = 1'024 - sizeof(LogBlock);
  FrameLog log = make();
  append(log, std::string(100, 'a'));
  append(log, std::string(kRoom - 100 - 2 * sizeof(LogBlock::Entry), 'b'));
  const auto both = log.run_from(Sequence{1}, SIZE_MAX);
  EXPECT_EQ(both->frames, 2U);  // in one block, full to the last byte
  EXPECT_EQ(both->bytes + 2 * sizeof(LogBlock::Entry), kRoom);
  append(log, "c");
  EXPECT_EQ(log.run_from(Sequence{1}, SIZE_MAX)->frames, 2U);
  EXPECT_EQ(text_of(*log.run_from(Sequence{3}, SIZE_MAX)), "c");
  log.validate();
}

TEST_F(FrameLogTest, AFrameOneByteTooLongForItsBlockBeginsAnother) {
  constexpr std::size_t kRoom = 1'024 - sizeof(LogBlock);
  FrameLog log = make();
  append(log, std::string(100, 'a'));
  append(log, std::string(kRoom - 100 - 2 * sizeof(LogBlock::Entry) + 1, 'b'));
  EXPECT_EQ(log.run_from(Sequence{1}, SIZE_MAX)->frames, 1U);
  EXPECT_EQ(log.run_from(Sequence{2}, SIZE_MAX)->frames, 1U);
  log.validate();
}

TEST_F(FrameLogTest, AFrameLargerThanEveryBlockStandsAloneAndIsHandedOutWhole) {
  FrameLog log = make();
  append(log, "before");
  const std::string large(1'000'000, 'L');
  append(log, large);
  append(log, "behind");
  const auto run = log.run_from(Sequence{2}, 64_KiB);  // at least one frame, whatever its size
  EXPECT_EQ(run->frames, 1U);
  EXPECT_EQ(text_of(*run), large);
  EXPECT_EQ(text_of(*log.run_from(Sequence{3}, 64_KiB)), "behind");
  log.validate();
  log.clear();
  pool.release_free();
  EXPECT_EQ(budget.total(), 0U);
}

TEST_F(FrameLogTest, AHoleIsStillThereAfterBothItsSidesWereRead) {
  FrameLog log = make();
  append(log, "1");
  append(log, "2");
  log.skip_to(Sequence{6});
  append(log, "6");
  EXPECT_EQ(text_of(*log.run_from(Sequence{1}, 100)), "12");
  EXPECT_FALSE(log.holds(Sequence{3}));
  EXPECT_FALSE(log.holds(Sequence{5}));
  const auto behind = log.run_from(Sequence{3}, 100);
  EXPECT_EQ(behind->first, Sequence{6});
  EXPECT_EQ(text_of(*behind), "6");
  EXPECT_EQ(log.bytes_from(Sequence{4}), 1U);
  EXPECT_EQ(log.dropped_end(), Sequence{0});  // nothing was dropped: it never came
  log.validate();
}

TEST_F(FrameLogTest, AHoleAtTheHeadIsAnsweredWithNothingUntilAFrameComes) {
  FrameLog log = make();
  append(log, "1");
  log.skip_to(Sequence{4});
  EXPECT_EQ(log.next(), Sequence{4});
  EXPECT_FALSE(log.run_from(Sequence{2}, 100));
  EXPECT_EQ(log.bytes_from(Sequence{2}), 0U);
  append(log, "4");
  EXPECT_EQ(log.run_from(Sequence{2}, 100)->first, Sequence{4});
}

TEST_F(FrameLogTest, WhatWasDroppedIsToldFromWhatNeverCame) {
  FrameLog log = make({.frames = 2, .bytes = 1_MiB});
  const std::string frame(600, 'x');  // two do not share the first block
  for (int i = 0; i < 2; ++i) append(log, frame);
  log.skip_to(Sequence{5});
  while (log.tail() < Sequence{5}) append(log, frame);
  EXPECT_EQ(log.dropped_end(), Sequence{3});  // 3 and 4 never came
  while (log.tail() == Sequence{5}) append(log, frame);
  EXPECT_EQ(log.dropped_end(), log.tail());
}

TEST_F(FrameLogTest, TrimDropsWholeBlocksThatEverybodyHasReadAndThatAreOld) {
  struct Row {
    std::string_view sentence;
    std::uint64_t keep;
    seconds older_than;
    std::uint64_t frames_left;
  };
  const Row rows[] = {
      {"somebody still wants the first block", 2, seconds{1'000}, 4},
      {"its newest frame is not old enough", 5, seconds{101}, 4},
      {"read and old: the first block goes", 3, seconds{102}, 2},
      {"all read and old: everything goes, the newest block too", 5, seconds{1'000}, 0},
      {"a `keep` beyond the head is no harm", 50, seconds{1'000}, 0},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    FrameLog log = make();
    const std::string frame(400, 'x');
    append(log, frame, Instant{seconds{100}});
    append(log, frame, Instant{seconds{101}});
    append(log, frame, Instant{seconds{110}});  // begins the second block
    append(log, frame, Instant{seconds{111}});
    log.trim(Sequence{row.keep}, Instant{row.older_than});
    EXPECT_EQ(log.frames(), row.frames_left);
    EXPECT_EQ(log.next(), Sequence{5});  // numbers only grow
    log.validate();
  }
}

TEST_F(FrameLogTest, AfterEverythingWasTrimmedTheLogGoesOnWhereItWas) {
  FrameLog log = make();
  append(log, "1");
  log.trim(Sequence{2}, kStart + hours{1});
  EXPECT_EQ(budget.used(Purpose::log_blocks), 0U);
  EXPECT_EQ(log.tail(), Sequence{2});
  append(log, "2");
  EXPECT_EQ(log.run_from(Sequence{1}, 100)->first, Sequence{2});
  EXPECT_EQ(log.position(), 2U);
}

TEST_F(FrameLogTest, ShrinkDropsTheOldestUntilTheBytesAreWithin) {
  FrameLog log = make();
  for (int i = 0; i < 1'000; ++i) append(log, std::string(500, 'x'));
  log.shrink_to(200'000);
  EXPECT_LE(log.bytes(), 200'000U);
  EXPECT_GT(log.bytes(), 100'000U);  // blocks are dropped one by one
  EXPECT_EQ(log.next(), Sequence{1'001});
  log.shrink_to(0);
  EXPECT_EQ(log.bytes(), 0U);
  EXPECT_EQ(log.dropped_end(), Sequence{1'001});
  log.validate();
}

TEST_F(FrameLogTest, APinnedBlockThatWasDroppedStaysWhereItIsUntilItIsUnpinned) {
  FrameLog log = make();
  const std::string large(20'000, 'L');
  append(log, large);
  {
    const auto run = log.run_from(Sequence{1}, 64_KiB);
    const BlockPin pin{*run->block};
    log.clear();
    EXPECT_EQ(log.bytes(), 0U);
    EXPECT_EQ(text_of(*run), large);
    EXPECT_EQ(budget.used(Purpose::log_blocks), 65'536U);  // still ours to account for
  }
  EXPECT_EQ(budget.used(Purpose::log_blocks), 0U);
}

TEST_F(FrameLogTest, TimesAreKeptToTheMicrosecond) {
  struct Row {
    std::string_view sentence;
    nanoseconds received, appended;  // from kStart
    nanoseconds received_kept, appended_kept;
  };
  constexpr Row rows[] = {
      {"the first", nanoseconds{0}, nanoseconds{0}, nanoseconds{0}, nanoseconds{0}},
      {"received before the block began", seconds{-5}, seconds{1}, seconds{-5}, seconds{1}},
      {"to the microsecond", nanoseconds{1'500'000'800}, nanoseconds{1'500'001'900}, nanoseconds{1'500'000'000},
       nanoseconds{1'500'001'000}},
      {"received after it was appended, by another shard's clock", seconds{9}, seconds{2}, seconds{2}, seconds{2}},
      {"held back for hours: as long as can be said", hours{-3}, seconds{3}, seconds{3} - microseconds{0xffff'ffff},
       seconds{3}},
  };
  FrameLog log = make();
  for (const Row& row : rows) log.append(as_bytes("x"), kStart + row.received, kStart + row.appended);
  Sequence seq{1};
  for (const Row& row : rows) {
    EXPECT_EQ(log.run_from(seq, 1)->received - kStart, row.received_kept) << row.sentence;
    EXPECT_EQ(*log.appended_at(seq) - kStart, row.appended_kept) << row.sentence;
    seq = next(seq);
  }
  EXPECT_FALSE(log.appended_at(seq));
}

TEST_F(FrameLogTest, AMessageAfterHoursOfSilenceIsNotOld) {
  FrameLog log = make();
  append(log, "1", kStart);
  append(log, "2", kStart + hours{30});  // 32 bits of microseconds reach 71 minutes
  EXPECT_EQ(log.appended_at(Sequence{2}), kStart + hours{30});
  log.trim(Sequence{3}, kStart + hours{29});
  EXPECT_EQ(log.tail(), Sequence{2});  // what a history of an hour keeps
}

TEST_F(FrameLogTest, AFrameMayTurnOutShorterThanTheRoomThatWasReservedForIt) {
  FrameLog log = make();
  std::uint8_t* out = log.reserve(500, kStart);
  std::memcpy(out, "short", 5);
  log.commit(5, kStart);
  append(log, "next");
  EXPECT_EQ(text_of(*log.run_from(Sequence{1}, 100)), "shortnext");
}

using FrameLogDeathTest = FrameLogTest;

TEST_F(FrameLogDeathTest, StopsTheProcessRatherThanBreakItsNumbers) {
  FrameLog log = make();
  append(log, "1");
  EXPECT_DEATH((void)log.reserve(0, kStart), "neither empty");
  EXPECT_DEATH(log.skip_to(Sequence{1}), "numbers only grow");
  EXPECT_DEATH(log.commit(1, kStart), "room that was reserved");
  EXPECT_DEATH(((void)log.reserve(5, kStart), log.commit(6, kStart)), "room that was reserved");
  EXPECT_DEATH(((void)log.reserve(5, kStart), (void)log.reserve(5, kStart)), "one frame is reserved at a time");
  EXPECT_DEATH(((void)log.reserve(5, kStart), log.skip_to(Sequence{9})), "inside a frame");
}

}  // namespace
}  // namespace ringcast
