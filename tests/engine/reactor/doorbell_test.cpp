#include "engine/reactor/doorbell.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace ringcast {
namespace {

constexpr ShardIndex kFirst{0};
constexpr ShardIndex kSecond{1};

RingFeatures features(bool message_ring) {
  auto found = probe_ring_features();
  EXPECT_TRUE(found) << found.error();
  found->message_ring = found->message_ring && message_ring;
  return *found;
}

class DoorbellTest : public ::testing::TestWithParam<bool> {};

TEST_P(DoorbellTest, RingsASleeperOnceAndNobodyElse) {
  auto board = DoorbellBoard::make(2);
  ASSERT_TRUE(board);
  auto first_ring = Ring::open({.demand = {.neighbours = 1}, .features = features(GetParam())});
  auto second_ring = Ring::open({.demand = {.neighbours = 1}, .features = features(GetParam())});
  ASSERT_TRUE(first_ring && second_ring);
  Doorbell first{**board, kFirst, **first_ring};
  Doorbell second{**board, kSecond, **second_ring};
  (*second_ring)->submit_and_reap();

  EXPECT_EQ(first.ring(0b10), 0U) << "it does not sleep";
  (*board)->lie_down(kSecond);
  EXPECT_EQ(first.ring(0b01), 0U) << "the sleeper was not meant";
  EXPECT_EQ(first.ring(0b11), 1U);
  EXPECT_EQ(first.ring(0b10), 0U) << "it has been rung already";
  (*first_ring)->submit_and_reap();
  (*second_ring)->wait(seconds{5});
  for (const Completion& completion : (*second_ring)->take_completions()) second.handle(completion);
  EXPECT_EQ(second.heard(), 1U);
}

TEST_P(DoorbellTest, TheControlThreadRingsByEventAndCanDoSoAgain) {
  auto board = DoorbellBoard::make(1);
  auto ring = Ring::open({.demand = {}, .features = features(GetParam())});
  ASSERT_TRUE(board && ring);
  Doorbell bell{**board, kFirst, **ring};
  (*ring)->submit_and_reap();
  for (std::uint64_t round = 1; round <= 3; ++round) {
    (*board)->ring_event(kFirst);
    (*ring)->wait(seconds{5});
    for (const Completion& completion : (*ring)->take_completions()) bell.handle(completion);
    EXPECT_EQ(bell.heard(), round);
  }
}

TEST(DoorbellFallback, ARingThatCannotBeReachedIsWokenByEvent) {
  auto board = DoorbellBoard::make(2);
  auto ring = Ring::open({.demand = {.neighbours = 1}, .features = features(true)});
  ASSERT_TRUE(board && ring);
  Doorbell bell{**board, kFirst, **ring};
  (*board)->set_ring(kSecond, 0);  // standard input is no ring
  (*board)->lie_down(kSecond);
  EXPECT_EQ(bell.ring(0b10), 1U);
  (*ring)->submit_and_reap();
  for (const Completion& completion : (*ring)->take_completions()) bell.handle(completion);
  std::uint64_t count = 0;
  (*ring)->read_event({Operation::probe, {.slot = 0, .generation = 0}}, (*board)->event_fd(kSecond), count);
  (*ring)->wait(seconds{5});
  EXPECT_EQ((*ring)->take_completions().size(), 1U);
  EXPECT_EQ(count, 1U);
}

/// One of two threads that hand a number to and fro and sleep whenever it is not their turn. A lost wake-up is a wait
/// that ends by its time.
void play(DoorbellBoard& board, ShardIndex own, std::atomic<std::uint64_t>& mine, std::atomic<std::uint64_t>& theirs,
          std::atomic<int>& ready, std::uint64_t rounds, const RingFeatures& found, std::atomic<std::uint64_t>& lost) {
  auto ring = Ring::open({.demand = {.neighbours = 1}, .features = found});
  ASSERT_TRUE(ring) << ring.error();
  Doorbell bell{board, own, **ring};
  const ShardIndex other{static_cast<std::uint16_t>(1 - value(own))};
  ready.fetch_add(1);
  while (ready.load() != 2) std::this_thread::yield();
  for (std::uint64_t round = 1; round <= rounds; ++round) {
    if (own == kFirst) {
      theirs.store(round, std::memory_order_release);
      (void)bell.ring(1U << value(other));
    }
    while (mine.load(std::memory_order_acquire) < round) {
      board.lie_down(own);
      if (mine.load(std::memory_order_acquire) < round) {
        const auto before = std::chrono::steady_clock::now();
        (*ring)->wait(seconds{5});
        if (std::chrono::steady_clock::now() - before >= seconds{5}) lost.fetch_add(1);
      }
      board.get_up(own);
      (*ring)->poll();
      for (const Completion& completion : (*ring)->take_completions()) bell.handle(completion);
    }
    if (own == kSecond) {
      theirs.store(round, std::memory_order_release);
      (void)bell.ring(1U << value(other));
    }
    (*ring)->poll();
  }
  (*ring)->submit_and_reap();
  ready.fetch_add(1);
  while (ready.load() != 4) std::this_thread::yield();  // neither ring goes while the other may still be rung
}

TEST_P(DoorbellTest, LosesNoWakeUpBetweenTwoThreadsThatSleepAllTheTime) {
  constexpr std::uint64_t kRounds = 5'000;
  const RingFeatures found = features(GetParam());
  auto board = DoorbellBoard::make(2);
  ASSERT_TRUE(board);
  alignas(kCacheLineBytes) std::atomic<std::uint64_t> to_first{0};
  alignas(kCacheLineBytes) std::atomic<std::uint64_t> to_second{0};
  std::atomic<int> ready{0};
  std::atomic<std::uint64_t> lost{0};
  std::thread first{[&] { play(**board, kFirst, to_first, to_second, ready, kRounds, found, lost); }};
  std::thread second{[&] { play(**board, kSecond, to_second, to_first, ready, kRounds, found, lost); }};
  first.join();
  second.join();
  EXPECT_EQ(to_first.load(), kRounds);
  EXPECT_EQ(to_second.load(), kRounds);
  EXPECT_EQ(lost.load(), 0U);
}

INSTANTIATE_TEST_SUITE_P(BothWays, DoorbellTest, ::testing::Values(true, false),
                         [](const auto& row) { return row.param ? "ByMessageRing" : "ByEventfd"; });

}  // namespace
}  // namespace ringcast
