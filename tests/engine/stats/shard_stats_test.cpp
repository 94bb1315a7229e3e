#include "engine/stats/shard_stats.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace ringcast {
namespace {

class ShardStatsTest : public testing::Test {
 protected:
  std::unique_ptr<ShardBlock> block = std::make_unique<ShardBlock>();
  ShardStats stats{*block};
  Now now{Instant{seconds{100}}, WallTime{seconds{1'700'000'000}}};

  void advance(nanoseconds by) {
    now.mono += by;
    now.wall += by;
  }
  rcs_event event(std::uint64_t number) {
    rcs_event seen{};
    EXPECT_TRUE(block->events.read(number, seen)) << "event " << number;
    return seen;
  }
};

TEST_F(ShardStatsTest, CountsAddsTakesOffSetsAndRaises) {
  stats.add(CounterId::turns);
  stats.add(CounterId::turns, 4);
  EXPECT_EQ(stats.get(CounterId::turns), 5U);
  stats.add(CounterId::connections_open, 3);
  stats.sub(CounterId::connections_open);
  EXPECT_EQ(stats.get(CounterId::connections_open), 2U);
  stats.set(CounterId::subscriptions, 17);
  EXPECT_EQ(stats.get(CounterId::subscriptions), 17U);
  stats.raise(CounterId::connections_peak, 9);
  stats.raise(CounterId::connections_peak, 7);
  EXPECT_EQ(stats.get(CounterId::connections_peak), 9U);
  EXPECT_EQ(stats.get(CounterId::bytes_sent), 0U) << "its neighbours are left alone";
}

using ShardStatsDeathTest = ShardStatsTest;
TEST_F(ShardStatsDeathTest, AGaugeBelowZeroIsOurOwnMistake) {
  stats.add(CounterId::connections_open);
  EXPECT_DEATH(stats.sub(CounterId::connections_open, 2), "never taken below zero");
}

TEST_F(ShardStatsTest, RecordsLatenciesEachInItsOwnHistogram) {
  stats.record(LatencyId::append_to_send, microseconds{50});
  stats.record(LatencyId::append_to_send, microseconds{70}, 10);
  stats.record(LatencyId::receive_to_append, nanoseconds{-5});
  const Histogram& sends = block->latencies[std::to_underlying(LatencyId::append_to_send)];
  EXPECT_EQ(sends.count(), 11U);
  EXPECT_EQ(sends.max(), 70'000U);
  const Histogram& appends = block->latencies[std::to_underlying(LatencyId::receive_to_append)];
  EXPECT_EQ(appends.count(), 1U);
  EXPECT_EQ(appends.max(), 0U) << "a difference below zero counts as zero";
  EXPECT_EQ(block->latencies[std::to_underlying(LatencyId::receive_to_send)].count(), 0U);
}

TEST_F(ShardStatsTest, PublishesTheLedgerAsOneAndItsRowsWithIt) {
  const Ledger ledger{100, 60, 10, 9, 8, 13};
  ASSERT_TRUE(ledger.closed());
  stats.publish_ledger(ledger);
  Ledger seen;
  ASSERT_TRUE(block->ledger.try_read(seen));
  EXPECT_EQ(seen, ledger);
  EXPECT_EQ(stats.get(CounterId::ledger_offered), 100U);
  EXPECT_EQ(stats.get(CounterId::ledger_sent), 60U);
  EXPECT_EQ(stats.get(CounterId::ledger_conflated), 10U);
  EXPECT_EQ(stats.get(CounterId::ledger_dropped), 9U);
  EXPECT_EQ(stats.get(CounterId::ledger_abandoned), 8U);
  EXPECT_EQ(stats.get(CounterId::ledger_queued), 13U);
}

struct LedgerRow {
  const char* sentence;
  Ledger ledger;
  bool closed;
};
constexpr LedgerRow kLedgerRows[] = {
    {"nothing offered, nothing sent", {}, true},
    {"all sent", {.offered = 5, .sent = 5}, true},
    {"one of each", {5, 1, 1, 1, 1, 1}, true},
    {"one lost", {.offered = 5, .sent = 4}, false},
    {"one sent twice", {.offered = 5, .sent = 6}, false},
};
TEST(Ledger, ClosesWhenEveryMessageIsAccountedFor) {
  for (const LedgerRow& row : kLedgerRows) EXPECT_EQ(row.ledger.closed(), row.closed) << row.sentence;
}

TEST(Ledger, TheSumOfClosedOnesIsClosed) {
  Ledger sum{5, 1, 1, 1, 1, 1};
  sum += Ledger{.offered = 7, .sent = 3, .queued = 4};
  EXPECT_EQ(sum, (Ledger{12, 4, 1, 1, 1, 5}));
  EXPECT_TRUE(sum.closed());
}

TEST_F(ShardStatsTest, NotesEventsWithTheirTimesNumbersAndText) {
  stats.event(EventCode::slow_disconnected, now, 4'097, 12, "10.0.0.9:5000 btcusdt@trade");
  const rcs_event seen = event(0);
  EXPECT_EQ(seen.code, std::to_underlying(EventCode::slow_disconnected));
  EXPECT_EQ(seen.a, 4'097U);
  EXPECT_EQ(seen.b, 12U);
  EXPECT_EQ(seen.mono, 100'000'000'000U);
  EXPECT_EQ(seen.wall, 1'700'000'000'000'000'000U);
  EXPECT_STREQ(seen.text, "10.0.0.9:5000 btcusdt@trade");
}

TEST_F(ShardStatsTest, CutsALongTextBetweenCharacters) {
  std::string text(78, 'x');
  text += "\u00e9";  // bytes 79 and 80: one too many
  stats.event(EventCode::fault, now, 0, 0, text);
  EXPECT_EQ(std::string{event(0).text}, std::string(78, 'x'));
}

TEST_F(ShardStatsTest, AFloodOfOneEventIsCountedAndDoesNotWashOutTheOthers) {
  stats.event(EventCode::node_started, now, 2, 0);
  for (int i = 0; i < 10'000; ++i) stats.event(EventCode::handshake_failed, now, 408, 0);
  stats.event(EventCode::slow_disconnected, now, 1, 0);
  EXPECT_EQ(block->events.written(), 1U + kEventsPerCodeAndSecond + 1U);
  EXPECT_EQ(event(0).code, std::to_underlying(EventCode::node_started));
  EXPECT_EQ(event(kEventsPerCodeAndSecond).repeats, 10'000U - kEventsPerCodeAndSecond);
  EXPECT_EQ(event(kEventsPerCodeAndSecond - 1).repeats, 0U);
  EXPECT_EQ(event(kEventsPerCodeAndSecond + 1).code, std::to_underlying(EventCode::slow_disconnected));
}

TEST_F(ShardStatsTest, ASecondLaterTheSameEventIsRecordedAgain) {
  for (std::uint32_t i = 0; i < kEventsPerCodeAndSecond + 5; ++i) stats.event(EventCode::accept_error, now, 24, 0);
  advance(milliseconds{999});
  stats.event(EventCode::accept_error, now, 24, 0);
  EXPECT_EQ(block->events.written(), kEventsPerCodeAndSecond) << "not yet";
  advance(milliseconds{1});
  stats.event(EventCode::accept_error, now, 23, 0);
  EXPECT_EQ(block->events.written(), kEventsPerCodeAndSecond + 1U);
  EXPECT_EQ(event(kEventsPerCodeAndSecond).a, 23U);
}

TEST_F(ShardStatsTest, PublishesItsTables) {
  auto channels = std::make_unique<rcs_channel_table>();
  channels->count = 2;
  channels->rows[1].messages = 5;
  stats.publish_channels(*channels);
  auto seen = std::make_unique<rcs_channel_table>();
  ASSERT_TRUE(block->channels.try_read(*seen));
  EXPECT_EQ(seen->count, 2U);
  EXPECT_EQ(seen->rows[1].messages, 5U);
}

}  // namespace
}  // namespace ringcast
