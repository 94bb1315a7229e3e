#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "engine/stats/health_record.hpp"
#include "engine/stats/memory_record.hpp"
#include "engine/stats/ranking.hpp"

namespace ringcast {
namespace {

struct Named {
  std::uint64_t score = 0;
  int name = 0;
};

TEST(Ranking, KeepsTheHighestScoresHighestFirst) {
  std::mt19937_64 random{3};
  for (int round = 0; round < 200; ++round) {
    std::vector<Named> all(random() % 40);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = {random() % 20, static_cast<int>(i)};
    Ranking<Named, 8> ranking;
    for (const Named& one : all) ranking.offer(one.score, [&one](Named& row) { row = one; });
    std::erase_if(all, [](const Named& one) { return one.score == 0; });
    std::ranges::stable_sort(all, [](const Named& a, const Named& b) { return a.score > b.score; });
    all.resize(std::min<std::size_t>(all.size(), 8));
    std::vector<Named> ranked(8);
    ranked.resize(ranking.write_to(ranked));
    ASSERT_EQ(ranked.size(), all.size());
    for (std::size_t i = 0; i < ranked.size(); ++i) {
      EXPECT_EQ(ranked[i].score, all[i].score);
      EXPECT_EQ(ranked[i].name, all[i].name) << "of equal scores, the first offered stands higher";
    }
  }
}

TEST(Ranking, MakesARowOnlyForWhoStandsAmongTheBest) {
  Ranking<Named, 2> ranking;
  int made = 0;
  for (const std::uint64_t score : {9U, 8U, 7U, 8U, 0U, 10U}) ranking.offer(score, [&made](Named&) { ++made; });
  EXPECT_EQ(made, 3);
}

TEST(Ranking, GivesNoMoreThanItIsAskedFor) {
  Ranking<Named, 4> ranking;
  for (int i = 1; i <= 4; ++i) ranking.offer(static_cast<std::uint64_t>(i), [i](Named& row) { row.name = i; });
  std::vector<Named> two(2);
  EXPECT_EQ(ranking.write_to(two), 2U);
  EXPECT_EQ(two[0].name, 4);
  EXPECT_EQ(two[1].name, 3);
  ranking.clear();
  EXPECT_EQ(ranking.write_to(two), 0U);
}

struct HealthRow {
  const char* sentence;
  HealthInputs inputs;
  HealthState state;
  const char* reason;  // the first one; empty: none
};
const HealthRow kHealthRows[] = {
    {"an idle node", {}, HealthState::healthy, ""},
    {"memory just under the first bound", {.memory_share = 0.69}, HealthState::healthy, ""},
    {"memory at the first bound", {.memory_share = 0.70}, HealthState::degraded, "memory at 70% of the budget"},
    {"memory at the second bound", {.memory_share = 0.85}, HealthState::unhealthy, "memory at 85% of the budget"},
    {"memory at the third bound", {.memory_share = 0.95}, HealthState::critical, "memory at 95% of the budget"},
    {"nine tenths of the connections", {.connection_share = 0.9}, HealthState::degraded, "connections at 90% of the limit"},
    {"full", {.connection_share = 1.0}, HealthState::unhealthy, "connections at 100% of the limit"},
    {"a shard busy for a while", {.shard_silent = milliseconds{249}}, HealthState::healthy, ""},
    {"a shard late", {.shard_silent = milliseconds{250}}, HealthState::degraded, "a shard has not turned for 250 ms"},
    {"a shard very late", {.shard_silent = seconds{1}}, HealthState::unhealthy, "a shard has not turned for 1000 ms"},
    {"a shard stuck", {.shard_silent = seconds{5}}, HealthState::critical, "a shard has not turned for 5000 ms"},
    {"an accept failed", {.accept_errors = 1}, HealthState::degraded, "1 accepts failed"},
    {"buffers ran out", {.receive_buffers_exhausted = 3}, HealthState::degraded, "receive buffers ran out 3 times"},
    {"one slow reader of a thousand", {.slow_disconnects = 1, .connections = 1'000}, HealthState::healthy, ""},
    {"many slow readers", {.slow_disconnects = 60, .connections = 1'000}, HealthState::degraded, "60 slow readers were disconnected"},
    {"slow readers, nobody left", {.slow_disconnects = 9}, HealthState::healthy, ""},
    {"a ledger that does not close", {.ledger_closed = false}, HealthState::critical, "the ledger does not close"},
    {"stopping", {.stopping = true}, HealthState::degraded, "the node is stopping"},
    {"two troubles: the worse one first", {.memory_share = 0.96, .accept_errors = 2}, HealthState::critical, "memory at 96% of the budget"},
};

TEST(Health, IsAsBadAsItsWorstCheck) {
  for (const HealthRow& row : kHealthRows) {
    const HealthVerdict verdict = judge_health(row.inputs);
    EXPECT_EQ(verdict.state, row.state) << row.sentence;
    EXPECT_EQ(verdict.reasons.empty() ? "" : verdict.reasons.front(), row.reason) << row.sentence;
  }
  EXPECT_EQ(judge_health({.memory_share = 0.96, .accept_errors = 2}).reasons.size(), 2U);
}

Now at(std::int64_t second) { return {Instant{seconds{second}}, WallTime{seconds{1'700'000'000 + second}}}; }

TEST(HealthRecord, KeepsTheLast256ChecksAndSinceWhenTheStateHolds) {
  const auto published = std::make_unique<Seqlock<rcs_health>>();
  const auto record = std::make_unique<HealthRecord>(*published);
  EXPECT_TRUE(record->add_check({HealthState::healthy, {}}, at(0))) << "the first check is news";
  EXPECT_FALSE(record->add_check({HealthState::healthy, {}}, at(1)));
  EXPECT_TRUE(record->add_check({HealthState::degraded, {"memory at 71% of the budget"}}, at(2)));
  EXPECT_FALSE(record->add_check({HealthState::degraded, {"memory at 72% of the budget", "1 accepts failed"}}, at(3)));
  const auto seen = std::make_unique<rcs_health>();
  ASSERT_TRUE(published->try_read(*seen));
  EXPECT_EQ(seen->state, static_cast<unsigned>(RCS_DEGRADED));
  EXPECT_EQ(seen->since_wall, 1'700'000'002'000'000'000U);
  EXPECT_EQ(seen->checked_wall, 1'700'000'003'000'000'000U);
  EXPECT_EQ(seen->checks, 4U);
  EXPECT_EQ(seen->reason_count, 2U);
  EXPECT_STREQ(seen->reasons[0], "memory at 72% of the budget");
  EXPECT_STREQ(seen->reasons[1], "1 accepts failed");
  for (int i = 4; i < 300; ++i) record->add_check({HealthState::healthy, {}}, at(i));
  ASSERT_TRUE(published->try_read(*seen));
  EXPECT_EQ(seen->checks, 300U);
  EXPECT_EQ(seen->reason_count, 0U);
  EXPECT_STREQ(seen->reasons[0], "") << "old reasons are gone";
  EXPECT_EQ(seen->history[299 % RCS_HEALTH_CHECKS].wall, 1'700'000'299'000'000'000U);
  EXPECT_EQ(seen->history[44].wall, 1'700'000'044'000'000'000U) << "the oldest that is kept";
  EXPECT_EQ(seen->history[3].wall, 1'700'000'259'000'000'000U) << "the degraded one was overwritten";
}

TEST(HealthRecord, ShowsAtMostItsRoomOfReasons) {
  const auto published = std::make_unique<Seqlock<rcs_health>>();
  const auto record = std::make_unique<HealthRecord>(*published);
  record->add_check({HealthState::critical, std::vector<std::string>(20, std::string(200, 'r'))}, at(0));
  const auto seen = std::make_unique<rcs_health>();
  ASSERT_TRUE(published->try_read(*seen));
  EXPECT_EQ(seen->reason_count, unsigned{RCS_HEALTH_REASONS});
  EXPECT_EQ(std::string{seen->reasons[0]}.size(), sizeof seen->reasons[0] - 1);
}

TEST(MemoryRecord, AddsUpTheShardsAndRemembersTheMost) {
  Budget one;
  Budget two;
  one.charge(Purpose::history, 1'000);
  two.charge(Purpose::history, 500);
  two.charge(Purpose::connections, 64);
  const std::vector<const Budget*> budgets{&one, &two};
  MemoryRecord record;
  rcs_memory memory = record.sample(budgets, 10'000, PressureLevel::warning, {.rss_bytes = 77}, at(1));
  EXPECT_EQ(memory.accounted_bytes, 1'564U);
  EXPECT_EQ(memory.budget_bytes, 10'000U);
  EXPECT_EQ(memory.rss_bytes, 77U);
  EXPECT_EQ(memory.pressure, static_cast<unsigned>(RCS_PRESSURE_WARNING));
  ASSERT_EQ(memory.purpose_count, kPurposeCount);
  const rcs_purpose& history = memory.purposes[std::to_underlying(Purpose::history)];
  EXPECT_STREQ(history.label, "history");
  EXPECT_EQ(history.bytes, 1'500U);
  one.release(Purpose::history, 900);
  memory = record.sample(budgets, 10'000, PressureLevel::normal, {}, at(2));
  EXPECT_EQ(memory.purposes[std::to_underlying(Purpose::history)].bytes, 600U);
  EXPECT_EQ(memory.purposes[std::to_underlying(Purpose::history)].bytes_peak, 1'500U);
}

}  // namespace
}  // namespace ringcast
