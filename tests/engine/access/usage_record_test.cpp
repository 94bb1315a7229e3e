// The entitlement record on its way from a shard to the writer: nothing is lost, whoever is slow.
#include "engine/access/usage_record.hpp"

#include <gtest/gtest.h>

#include "engine/stats/shard_block.hpp"

namespace ringcast {
namespace {

UsageRecord record_of(std::uint64_t connection, std::string_view user, std::string_view channel) {
  return {.kind = UsageRecord::Kind::ended,
          .at = WallTime{seconds{1'790'000'060}},
          .since = WallTime{seconds{1'790'000'000}},
          .connection = connection,
          .address = *parse_ip_address("192.0.2.7"),
          .port = 4'711,
          .user = user,
          .channel = channel};
}

TEST(UsageRecord, IsReadAsItWasWrittenAndNothingElseIs) {
  const UsageRecord record = record_of(7, "alice", "btcusdt@trade");
  std::vector<std::uint8_t> bytes(encoded_bytes(record));
  encode(record, bytes);
  const auto read = decode_usage_record(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->kind, record.kind);
  EXPECT_EQ(read->at, record.at);
  EXPECT_EQ(read->since, record.since);
  EXPECT_EQ(read->connection, 7U);
  EXPECT_EQ(read->address, record.address);
  EXPECT_EQ(read->port, 4'711);
  EXPECT_EQ(read->user, "alice");
  EXPECT_EQ(read->channel, "btcusdt@trade");
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode_usage_record(Bytes{bytes}.first(size)));
  bytes.push_back(0);
  EXPECT_FALSE(decode_usage_record(bytes));
}

TEST(UsageJournal, KeepsOrderAndLosesNothingWhileTheWriterIsBehind) {
  const auto block = std::make_unique<ShardBlock>();
  ShardStats stats{*block};
  Budget budget;
  UsageLane lane{1U << 14};
  std::uint64_t read = 0;
  const auto drain = [&](std::uint64_t at_most) {
    for (std::uint64_t i = 0; i < at_most; ++i) {
      const Bytes bytes = lane.peek();
      if (bytes.empty()) break;
      const auto record = decode_usage_record(bytes);
      ASSERT_TRUE(record);
      EXPECT_EQ(record->connection, read++);
      lane.pop();
    }
    lane.release();
  };
  {
    UsageJournal journal{lane, budget, stats};
    EXPECT_TRUE(journal.has_room());
    std::uint64_t noted = 0;
    while (journal.has_room()) journal.note(record_of(noted++, "alice", "orders"));
    EXPECT_TRUE(journal.settled());  // it stops before it has to hold anything
    const std::string channel(255, 'x');
    for (int i = 0; i < 100; ++i) journal.note(record_of(noted++, "alice", channel));  // ends are never refused
    EXPECT_FALSE(journal.settled());
    EXPECT_FALSE(journal.has_room());
    EXPECT_GT(budget.used(Purpose::other), 0U);
    drain(10);
    journal.note(record_of(noted++, "alice", "behind the others"));
    EXPECT_FALSE(journal.has_room());  // what is held goes first
    while (read < noted) {
      journal.flush();
      drain(7);
    }
    EXPECT_TRUE(journal.settled());
    EXPECT_EQ(budget.used(Purpose::other), 0U);
    EXPECT_EQ(stats.get(CounterId::usage_records), noted);
  }
}

}  // namespace
}  // namespace ringcast
