// Channels whose news waits for company (engine/delivery/held_news).
#include <gtest/gtest.h>

#include "tests/engine/delivery/rolling_send_fixture.hpp"

namespace ringcast {
namespace {

NamespaceRule waiting(milliseconds delay, std::uint32_t most = 0) {
  NamespaceRule rule;
  rule.batch_delay = delay;
  rule.batch_max = most;
  return rule;
}

class BatchDelayTest : public RollingSendTest {
 protected:
  void pass(nanoseconds by) {
    now.mono += by;
    delivery.release_held(now.mono);
    run();
  }
  std::vector<std::string> got(Reader& reader) { return payloads_of(std::exchange(reader.stream, {})); }
  Reader& alice = reader();
};
using Payloads = std::vector<std::string>;

TEST_F(BatchDelayTest, NewsWaitsSoLongForCompanyAndGoesOutInOneSend) {
  const auto channel = open("c", waiting(milliseconds{10}));
  subscribe(alice, channel);
  feed(channel, 1);
  run();
  EXPECT_EQ(got(alice), Payloads{});
  EXPECT_FALSE(delivery.has_backlog());
  EXPECT_EQ(ledger().queued, 1U);
  for (int i = 0; i < 9; ++i) {
    pass(milliseconds{1});
    feed(channel, 1);
  }
  EXPECT_EQ(got(alice), Payloads{});
  pass(milliseconds{1});
  EXPECT_EQ(got(alice), numbered("c", 1, 10));
  EXPECT_EQ(alice.sends, 1U);
  EXPECT_EQ(count(CounterId::batch_waits), 1U);
  EXPECT_FALSE(delivery.held_until());
}

TEST_F(BatchDelayTest, EnoughOfItWaitsNoLonger) {
  const auto channel = open("c", waiting(seconds{1}, 5));
  subscribe(alice, channel);
  feed(channel, 4);
  run();
  EXPECT_EQ(got(alice), Payloads{});
  feed(channel, 1);
  run();
  EXPECT_EQ(got(alice), numbered("c", 1, 5));
  EXPECT_FALSE(delivery.held_until());
  feed(channel, 1);  // and the next ones wait for each other
  run();
  EXPECT_EQ(got(alice), Payloads{});
  pass(seconds{1});
  EXPECT_EQ(got(alice), numbered("c", 6, 6));
}

TEST_F(BatchDelayTest, NeverSoMuchWaitsThatReadersWereBehindForIt) {
  struct Row {
    std::string_view sentence;
    std::uint32_t lag_messages;
    std::uint64_t lag_bytes;
    std::size_t message_bytes;
    std::uint64_t waits_for;  // messages
  };
  const Row rows[] = {
      {"an eighth of the bound in messages", 80, 4_MiB, 10, 10},
      {"one at least", 4, 4_MiB, 10, 1},
      {"an eighth of the bound in bytes", 1'000'000, 80'000, 996, 10},  // 1,000 with its header
      {"and no more than a lap", 1'000'000, 1_GiB, 8'188, 8},           // 8,192
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    DeliveryHarness run;
    NamespaceRule rule = waiting(seconds{1});
    rule.lag.messages = row.lag_messages;
    rule.lag.bytes = row.lag_bytes;
    const auto channel = run.open("c", rule);
    Reader& bob = run.reader();
    run.subscribe(bob, channel);
    run.feed(channel, row.waits_for - 1, row.message_bytes);
    run.run();
    EXPECT_EQ(run.ledger().sent, 0U);
    run.feed(channel, 1, row.message_bytes);
    run.run();
    EXPECT_EQ(run.ledger().sent, row.waits_for);
  }
}

TEST_F(BatchDelayTest, WhoPublishesMoreThanThatIsHeldBackAsEverywhere) {
  const auto channel = open("c", waiting(seconds{1}));
  subscribe(alice, channel);
  std::uint64_t fed = 0;
  while (!delivery.ahead_of_turns(delivery.log(channel)) && fed < 10'000) {
    feed(channel, 1);
    ++fed;
  }
  EXPECT_LE(fed, 2 * LagLimits{}.pace_messages());
  run();
  EXPECT_EQ(got(alice).size(), fed);
  EXPECT_EQ(count(Kind::slow), 0U);
}

TEST_F(BatchDelayTest, WhoJoinsWithAResumeGetsAtOnceWhatTheOthersWaitFor) {
  const auto channel = open("c", waiting(milliseconds{10}));
  subscribe(alice, channel);
  feed(channel, 3);
  Reader& bob = reader();
  subscribe(bob, channel, Sequence{2});
  run();
  EXPECT_EQ(got(bob), numbered("c", 2, 3));
  EXPECT_EQ(got(alice), Payloads{});
  pass(milliseconds{10});
  EXPECT_EQ(got(alice), numbered("c", 1, 3));
  EXPECT_EQ(got(bob), Payloads{});
}

TEST_F(BatchDelayTest, NothingWaitsWhereNobodyReadsOrNothingCame) {
  const auto channel = open("c", waiting(milliseconds{10}));
  feed(channel, 3);
  EXPECT_FALSE(delivery.held_until());
  subscribe(alice, channel);
  lose(channel, 2);  // a hole is not kept from anybody
  run();
  EXPECT_EQ(got(alice), Payloads{gap_notice("c", 4, 5, "dropped")});
  EXPECT_FALSE(delivery.held_until());
}

TEST_F(BatchDelayTest, AHoleBehindWaitingMessagesWaitsWithThem) {
  const auto channel = open("c", waiting(milliseconds{10}));
  subscribe(alice, channel);
  feed(channel, 1);
  lose(channel, 2);
  run();
  EXPECT_EQ(got(alice), Payloads{});
  pass(milliseconds{10});
  EXPECT_EQ(got(alice), (Payloads{"c:1", gap_notice("c", 2, 3, "dropped")}));
}

TEST_F(BatchDelayTest, ALogThatIsClosedWaitsForNothing) {
  const auto channel = open("c", waiting(milliseconds{10}));
  const auto mine = subscribe(alice, channel);
  feed(channel, 1);
  EXPECT_TRUE(delivery.held_until());
  delivery.end_subscription(mine, now.mono);
  EXPECT_EQ(ledger(), (Ledger{.offered = 1, .abandoned = 1}));
  delivery.close_log(delivery.logs().handle_of(channel));
  EXPECT_FALSE(delivery.held_until());
}

TEST_F(BatchDelayTest, TheDelayEndsThoughAllReadersLeftAndOthersCame) {
  const auto channel = open("c", waiting(milliseconds{10}));
  const auto mine = subscribe(alice, channel);
  feed(channel, 1);
  delivery.end_subscription(mine, now.mono);
  pass(milliseconds{10});
  EXPECT_FALSE(delivery.has_dirty());
  Reader& bob = reader();
  subscribe(bob, channel);
  feed(channel, 1);
  pass(milliseconds{10});
  EXPECT_EQ(got(bob), numbered("c", 2, 2));
}

TEST_F(BatchDelayTest, OtherChannelsDoNotWait) {
  const auto channel = open("c", waiting(seconds{1}));
  const auto other = open("other");
  subscribe(alice, channel);
  subscribe(alice, other);
  feed(channel, 1);
  feed(other, 1);
  run();
  EXPECT_EQ(got(alice), numbered("other", 1, 1));
}

}  // namespace
}  // namespace ringcast
