// Buckets and boards: how much is too much.
#include <gtest/gtest.h>

#include "codec/hash/xxh3.hpp"
#include "engine/access/shared_board.hpp"
#include "engine/access/token_bucket.hpp"
#include "engine/time/prng.hpp"

namespace ringcast {
namespace {

constexpr Instant kStart{seconds{1'000}};

TEST(TokenBucket, GivesABurstAndThenTheRate) {
  constexpr BucketLimits kLimits{.per_second = 10, .burst = 20};
  TokenBucket bucket;
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(bucket.take(kLimits, kStart)) << i;
  EXPECT_FALSE(bucket.has(kLimits, kStart));
  EXPECT_EQ(bucket.take(kLimits, kStart), nanoseconds{milliseconds{100}});
  EXPECT_EQ(bucket.take(kLimits, kStart + milliseconds{40}), nanoseconds{milliseconds{60}});  // refusals cost nothing
  EXPECT_FALSE(bucket.take(kLimits, kStart + milliseconds{100}));
  EXPECT_TRUE(bucket.take(kLimits, kStart + milliseconds{100}));
  EXPECT_TRUE(bucket.has(kLimits, kStart + milliseconds{200}));
}

TEST(TokenBucket, IsFullAgainAfterARestAndNeverFuller) {
  constexpr BucketLimits kLimits{.per_second = 10, .burst = 20};
  TokenBucket bucket;
  for (int round = 0; round < 3; ++round) {
    const Instant now = kStart + hours{round};
    int taken = 0;
    while (!bucket.take(kLimits, now)) ++taken;
    EXPECT_EQ(taken, 20);
  }
}

TEST(TokenBucket, ALongRunGetsExactlyTheRate) {
  for (const BucketLimits limits : {BucketLimits{1, 1}, {10, 20}, {1'000, 1}, {7, 3}}) {
    TokenBucket bucket;
    std::uint32_t taken = 0;
    for (int ms = 0; ms < 60'000; ++ms) taken += bucket.take(limits, kStart + milliseconds{ms}) ? 0 : 1;
    EXPECT_NEAR(taken, limits.burst + 60 * limits.per_second, 1) << limits.per_second;
  }
}

TEST(TokenBucket, NoRateIsNoLimit) {
  TokenBucket bucket;
  for (int i = 0; i < 100'000; ++i) ASSERT_FALSE(bucket.take({.per_second = 0, .burst = 1}, kStart));
}

TEST(ConnectionBoard, CountsOverAllShards) {
  ConnectionBoard board{4, 10'000, 7};
  const std::uint64_t alice = hash64("alice"), bob = hash64("bob");
  for (std::uint16_t shard = 0; shard < 4; ++shard) {
    for (int i = 0; i <= shard; ++i) board.add(ShardIndex{shard}, alice);
  }
  EXPECT_EQ(board.count(alice), 10U);
  EXPECT_EQ(board.count(bob), 0U);
  board.remove(ShardIndex{3}, alice);
  EXPECT_EQ(board.count(alice), 9U);
  EXPECT_DEATH(board.remove(ShardIndex{0}, bob), "taken off once");
}

TEST(ConnectionBoard, AStrangersConnectionsHardlyEverCountForAnother) {
  constexpr std::uint32_t kConnections = 10'000;
  ConnectionBoard board{2, kConnections, 12345};
  Prng prng{1};
  std::vector<std::uint64_t> addresses;
  for (std::uint32_t i = 0; i < kConnections / 5; ++i) addresses.push_back(prng.next());
  for (const std::uint64_t address : addresses) {  // five each: the node is full
    for (int i = 0; i < 5; ++i) board.add(ShardIndex{static_cast<std::uint16_t>(i % 2)}, address);
  }
  std::uint32_t wrong = 0, over = 0;
  for (const std::uint64_t address : addresses) {
    EXPECT_GE(board.count(address), 5U);  // never too few
    wrong += board.count(address) != 5 ? 1 : 0;
    over += board.count(address) >= 10 ? 1 : 0;
  }
  EXPECT_LE(wrong, 10U);
  EXPECT_LE(over, 10U);
}

TEST(RateBoard, AllowsTheRateOverAnyTwoSecondsOnAllShardsTogether) {
  RateBoard board{4, 99};
  const std::uint64_t user = hash64("alice");
  constexpr std::uint32_t kRate = 50;
  int taken = 0;
  for (int i = 0; i < 1'000; ++i)
    taken += board.take(ShardIndex{static_cast<std::uint16_t>(i % 4)}, user, kRate, kStart) ? 1 : 0;
  EXPECT_EQ(taken, 100);
  EXPECT_TRUE(board.take(ShardIndex{0}, hash64("bob"), kRate, kStart));
  taken = 0;
  for (int ms = 2'000; ms < 62'000; ms += 5) {  // 200 a second are tried
    taken += board.take(ShardIndex{static_cast<std::uint16_t>(ms % 4)}, user, kRate, kStart + milliseconds{ms}) ? 1 : 0;
  }
  EXPECT_NEAR(taken, 60 * kRate, kRate * 3);
}

TEST(RateBoard, ForgetsWhoIsQuiet) {
  RateBoard board{1, 99};
  const std::uint64_t user = hash64("alice");
  for (int round = 0; round < 5; ++round) {
    const Instant now = kStart + seconds{4} * round;
    int taken = 0;
    while (taken < 1'000 && board.take(ShardIndex{0}, user, 10, now)) ++taken;
    EXPECT_EQ(taken, 20) << round;
  }
}

TEST(RateBoard, AnotherInTheSameCellsIsUnlikely) {
  RateBoard board{1, 5};
  Prng prng{3};
  int refused = 0;
  for (int i = 0; i < 500; ++i) {  // as many users at once, each just within the rate
    const std::uint64_t user = prng.next();
    for (int n = 0; n < 20; ++n) refused += board.take(ShardIndex{0}, user, 10, kStart) ? 0 : 1;
  }
  EXPECT_LE(refused, 40);
}

}  // namespace
}  // namespace ringcast
