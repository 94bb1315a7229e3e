// Which of a connection's channels goes first (design.md: priority never reorders a channel, and starves none).
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/engine/delivery/rolling_send_fixture.hpp"

namespace ringcast {
namespace {

NamespaceRule generous(Priority priority = Priority::normal) {
  NamespaceRule rule = rule_with(SlowPolicy::disconnect, 10'000'000);
  rule.lag.bytes = 1_GiB;
  rule.priority = priority;
  return rule;
}

class PriorityTest : public RollingSendTest {
 protected:
  void feed_high(std::uint32_t slot, std::size_t bytes = 0) {
    delivery.mark_high(slot, log(slot).next());
    feed(slot, 1, bytes);
  }
  /// The channel of each message, in the order in which they came.
  static std::vector<std::string> channels_of(const Reader& reader) {
    std::vector<std::string> names;
    for (const std::string& payload : payloads_of(reader.stream)) names.push_back(payload.substr(0, payload.find(':')));
    return names;
  }
  static std::string first_channel(std::string_view stream) {
    const auto payloads = payloads_of(stream);
    return payloads.empty() ? "" : payloads[0].substr(0, payloads[0].find(':'));
  }
  const std::uint32_t a = open("a", generous());
  const std::uint32_t b = open("b", generous());
  const std::uint32_t high = open("high", generous(Priority::high));
  const std::uint32_t high_too = open("high2", generous(Priority::high));
  Reader& alice = reader();
};
using Names = std::vector<std::string>;

TEST_F(PriorityTest, AChannelOfHighPriorityGoesBeforeThoseWhoseNewsCameEarlier) {
  for (const auto log : {a, b, high, high_too}) subscribe(alice, log);
  feed(a, 1);
  feed(b, 1);
  feed(high_too, 1);
  feed(high, 1);
  control(alice, "reply:");
  run();
  EXPECT_EQ(channels_of(alice), (Names{"reply", "high2", "high", "a", "b"}));  // among themselves as they came
  EXPECT_EQ(alice.sends, 1U);
}

TEST_F(PriorityTest, AMessageOfHighPriorityTakesItsChannelToTheFront) {
  subscribe(alice, a);
  subscribe(alice, b);
  feed(a, 1);
  feed_high(b);
  run();
  EXPECT_EQ(channels_of(alice), (Names{"b", "a"}));
  alice.stream.clear();
  feed(a, 1);
  feed(b, 1);  // once it is sent the channel is like any other
  run();
  EXPECT_EQ(channels_of(alice), (Names{"a", "b"}));
}

TEST_F(PriorityTest, ItDoesSoForReadersWhoseNewsWaitsAlready) {
  subscribe(alice, a);
  subscribe(alice, b);
  feed(a, 1);
  feed(b, 1);
  batch(take_nothing);
  feed_high(b);
  delivery.expand_dirty(Delivery::Expand::all, now.mono);
  delivery.validate();
  unblock();
  run();
  EXPECT_EQ(payloads_of(alice.stream), (Names{"b:1", "b:2", "a:1"}));  // in order within the channel, always
}

TEST_F(PriorityTest, ForWhoHasTheMessageAlreadyItChangesNothing) {
  Reader& bob = reader();
  subscribe(alice, b);
  feed_high(b);
  run();
  subscribe(bob, a);
  subscribe(bob, b);
  feed(a, 1);
  feed(b, 1);
  run();
  EXPECT_EQ(channels_of(bob), (Names{"a", "b"}));
}

TEST_F(PriorityTest, ANormalChannelBeginsEveryFourthTurnAtLeast) {
  subscribe(alice, a);
  subscribe(alice, high);
  feed(high, 2'000, 1'000);  // for some thirty turns
  feed(a, 2'000, 1'000);
  std::vector<std::string> firsts;
  for (int turn = 0; turn < 24; ++turn) {
    alice.stream.clear();
    ASSERT_EQ(batch().size(), 1U);
    firsts.push_back(first_channel(alice.stream));
  }
  for (std::size_t turn = 0; turn < firsts.size(); ++turn) {
    EXPECT_EQ(firsts[turn], turn % (kHighTurnsMax + 1U) == kHighTurnsMax ? "a" : "high") << turn;
  }
  EXPECT_EQ(count(CounterId::priority_yields), 6U);
}

TEST_F(PriorityTest, EachOfManyNormalChannelsComesToItsTurn) {
  std::vector<std::uint32_t> normal;
  for (int i = 0; i < 10; ++i) {
    normal.push_back(open("n" + std::to_string(i), generous()));
    subscribe(alice, normal.back());
  }
  subscribe(alice, high);
  subscribe(alice, high_too);
  for (const auto log : normal) feed(log, 1'000, 1'000);
  feed(high, 5'000, 1'000);
  feed(high_too, 5'000, 1'000);
  std::map<std::string, int> last;
  const int bound = (kHighTurnsMax + 1) * 10;
  for (int turn = 0; turn < 120; ++turn) {
    alice.stream.clear();
    ASSERT_EQ(batch().size(), 1U);
    for (const std::string& name : channels_of(alice)) last[name] = turn;
    for (int i = 0; i < 10 && turn >= bound; ++i) {
      EXPECT_GE(last["n" + std::to_string(i)], turn - bound) << "n" << i << " at turn " << turn;
    }
  }
  EXPECT_GE(last["high"], 110);
  EXPECT_GE(last["high2"], 110);
}

TEST_F(PriorityTest, WhoWasLetInFrontStaysThereUntilTheKernelTakesSomething) {
  subscribe(alice, a);
  subscribe(alice, high);
  feed(high, 2'000, 1'000);
  feed(a, 2'000, 1'000);
  for (int turn = 0; turn < kHighTurnsMax; ++turn) batch();
  alice.stream.clear();
  for (int i = 0; i < 3; ++i) {
    batch(take_nothing);
    feed_high(high);
    unblock();
  }
  batch();
  EXPECT_EQ(first_channel(alice.stream), "a");
}

TEST_F(PriorityTest, WithoutNormalChannelsNobodyYields) {
  subscribe(alice, high);
  subscribe(alice, high_too);
  feed(high, 1'000, 1'000);
  feed(high_too, 1'000, 1'000);
  run();
  EXPECT_EQ(count(CounterId::priority_yields), 0U);
  EXPECT_EQ(payloads_of(alice.stream).size(), 2'000U);
}

TEST_F(PriorityTest, WhatIsLinkedAndUnlinkedInAnyOrderStaysInPlace) {
  std::mt19937 random{7};
  std::vector<std::uint32_t> logs{a, b, high, high_too};
  for (int i = 0; i < 6; ++i) logs.push_back(open("m" + std::to_string(i), generous()));
  Reader& bob = reader();
  std::map<std::pair<Reader*, std::uint32_t>, std::uint32_t> subscriptions;
  for (int step = 0; step < 4'000; ++step) {
    Reader& one = random() % 2 == 0 ? alice : bob;
    const std::uint32_t log = logs[random() % logs.size()];
    switch (random() % 6) {
      case 0:
        if (const auto at = subscriptions.find({&one, log}); at != subscriptions.end()) {
          delivery.end_subscription(at->second, now.mono);
          subscriptions.erase(at);
        } else {
          subscriptions[{&one, log}] = subscribe(one, log);
        }
        break;
      case 1: feed_high(log, 300); break;
      case 2: feed(log, random() % 5, 300); break;
      case 3: batch(take_at_most(static_cast<std::int64_t>(random() % 2'000))); break;
      case 4: unblock(); break;
      case 5: complete_remainders(); break;
    }
    delivery.validate();
  }
  run();
  EXPECT_EQ(ledger().queued, 0U);
  EXPECT_EQ(alice.outbox.pending_high_last, kNoSlot);
  EXPECT_EQ(bob.outbox.pending_high_last, kNoSlot);
}

}  // namespace
}  // namespace ringcast
