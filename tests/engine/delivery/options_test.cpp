// What a subscription chose: the newest only, every message, or so many a second (engine/delivery/terms).
#include <gtest/gtest.h>

#include "tests/engine/delivery/rolling_send_fixture.hpp"

namespace ringcast {
namespace {

constexpr Terms kNewest{.conflates = true};
constexpr Terms kEvery{.complete = true};
constexpr Terms at_rate(std::uint32_t max_rate) { return {.conflates = true, .max_rate = max_rate}; }

class OptionsTest : public RollingSendTest {
 protected:
  std::uint32_t subscribe_on(Reader& reader, std::uint32_t log, const Terms& terms) {
    const std::uint32_t subscription = subscribe(reader, log);
    delivery.set_terms(subscription, terms, now.mono);
    return subscription;
  }
  /// Time passes, and what it releases is sent.
  void pass(nanoseconds by, const Kernel& kernel = take_all) {
    now.mono += by;
    delivery.release_held(now.mono);
    run(kernel);
  }
  std::vector<std::string> got(Reader& reader) { return payloads_of(std::exchange(reader.stream, {})); }

  const std::uint32_t quotes = open("quotes", rule_with(SlowPolicy::conflate));
  const std::uint32_t trades = open("trades");
  Reader& alice = reader();
};
using Payloads = std::vector<std::string>;

// ---- conflate ----

TEST_F(OptionsTest, WhoConflatesGetsTheNewestWhenItsTurnComesHoweverLittleItIsBehind) {
  Reader& bob = reader();
  subscribe_on(alice, quotes, kNewest);
  subscribe(bob, quotes);
  feed(quotes, 1);
  run();
  EXPECT_EQ(got(alice), numbered("quotes", 1, 1));
  feed(quotes, 2);
  run();
  EXPECT_EQ(got(alice), (Payloads{gap_notice("quotes", 2, 2, "conflated"), "quotes:3"}));
  EXPECT_EQ(got(bob), numbered("quotes", 1, 3));  // its neighbour did not ask for that
  feed(quotes, 100);
  run();
  EXPECT_EQ(got(alice), (Payloads{gap_notice("quotes", 4, 102, "conflated"), "quotes:103"}));
  EXPECT_EQ(ledger(), (Ledger{.offered = 206, .sent = 3 + 103, .conflated = 100}));
  EXPECT_EQ(count(CounterId::conflations_chosen), 2U);
  EXPECT_EQ(count(CounterId::conflations), 0U);  // nobody was slow
}

TEST_F(OptionsTest, TradesPassAndQuotesCollapseOnOneConnection) {
  subscribe(alice, trades);
  subscribe_on(alice, quotes, kNewest);
  feed(trades, 3);
  feed(quotes, 50);
  feed(trades, 3);
  batch(take_nothing);
  feed(quotes, 50);
  feed(trades, 4);
  unblock();
  run();
  EXPECT_EQ(of_channel(alice, "trades"), numbered("trades", 1, 10));
  EXPECT_EQ(of_channel(alice, "quotes"), (Payloads{gap_notice("quotes", 1, 99, "conflated"), "quotes:100"}));
}

TEST_F(OptionsTest, ADialectWithoutNoticesConflatesWithoutOne) {
  Reader& exchange = reader(Dialect::exchange);
  subscribe_on(exchange, quotes, kNewest);
  feed(quotes, 5);
  run();
  EXPECT_EQ(got(exchange), Payloads{"quotes:5"});
  EXPECT_EQ(ledger(), (Ledger{.offered = 5, .sent = 1, .conflated = 4}));
}

TEST_F(OptionsTest, AGapThatCameFromUpstreamIsPartOfTheNotice) {
  subscribe_on(alice, quotes, kNewest);
  feed(quotes, 2);
  lose(quotes, 3);
  run();  // the newest is in front of the hole
  EXPECT_EQ(got(alice),
            (Payloads{gap_notice("quotes", 1, 1, "conflated"), "quotes:2", gap_notice("quotes", 3, 5, "conflated")}));
  feed(quotes, 1);
  run();
  EXPECT_EQ(got(alice), Payloads{"quotes:6"});
}

TEST_F(OptionsTest, ANoticeThatWentOutWithoutItsMessageIsFollowedByAnother) {
  subscribe_on(alice, quotes, kNewest);
  feed(quotes, 9);
  const auto notice = text_frame(gap_notice("quotes", 1, 8, "conflated"));
  batch(take_at_most(static_cast<std::int64_t>(notice.size())));
  feed(quotes, 3);
  run();
  EXPECT_EQ(got(alice),
            (Payloads{gap_notice("quotes", 1, 8, "conflated"), gap_notice("quotes", 9, 11, "conflated"), "quotes:12"}));
}

// ---- every message ----

TEST_F(OptionsTest, WhoWantsEveryMessageOfAChannelThatConflatesGetsThemOrIsClosed) {
  const std::uint32_t few = open("few", rule_with(SlowPolicy::conflate, 5));
  Reader& bob = reader();
  subscribe_on(alice, few, kEvery);
  subscribe(bob, few);
  feed(few, 5);
  run();
  EXPECT_EQ(got(alice), numbered("few", 1, 5));
  feed(few, 6);
  const auto entries = sends.prepare(now);
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].connection, bob.outbox.connection);
  bob.stream.append(reinterpret_cast<const char*>(entries[0].data), entries[0].size);
  sends.finish({}, now);
  take_events();
  EXPECT_EQ(count(Kind::slow), 1U);
  EXPECT_EQ(events.back().messages, 6U);
  EXPECT_EQ(got(alice), Payloads{});
  EXPECT_EQ(got(bob),
            (Payloads{"few:1", "few:2", "few:3", "few:4", "few:5", gap_notice("few", 6, 10, "conflated"), "few:11"}));
}

TEST_F(OptionsTest, OneThatIsBlockedIsFoundThoughItsTurnDoesNotCome) {
  subscribe_on(alice, quotes, kEvery);
  Reader& bob = reader();
  subscribe(bob, quotes);
  feed(quotes, 1);
  batch(take_nothing);
  now.mono += seconds{10} + microseconds{1};
  sends.check_blocked(now);
  take_events();
  ASSERT_EQ(count(Kind::slow), 1U);
  EXPECT_EQ(events.back().connection, alice.outbox.connection);
}

// ---- a rate ----

TEST_F(OptionsTest, TheFirstMessageOfAnIntervalGoesOutAtOnceAndTheLastAtItsEnd) {
  subscribe_on(alice, quotes, at_rate(10));
  feed(quotes, 1);
  run();
  EXPECT_EQ(got(alice), numbered("quotes", 1, 1));
  pass(milliseconds{20});
  feed(quotes, 3);
  run();
  EXPECT_EQ(got(alice), Payloads{});
  EXPECT_EQ(delivery.queued_connections(), 0U);  // it waits, and nothing turns round for it
  EXPECT_FALSE(delivery.has_dirty());
  EXPECT_EQ(ledger().queued, 3U);
  pass(milliseconds{79});
  EXPECT_EQ(got(alice), Payloads{});
  pass(milliseconds{1});  // nothing new came
  EXPECT_EQ(got(alice), (Payloads{gap_notice("quotes", 2, 3, "conflated"), "quotes:4"}));
  EXPECT_EQ(ledger(), (Ledger{.offered = 4, .sent = 2, .conflated = 2}));
  EXPECT_EQ(count(CounterId::rate_waits), 1U);
  EXPECT_FALSE(delivery.held_until());
}

TEST_F(OptionsTest, AfterASilenceTheNextMessageGoesOutAtOnce) {
  subscribe_on(alice, quotes, at_rate(10));
  for (int i = 0; i < 5; ++i) {
    feed(quotes, 1);
    run();
    EXPECT_EQ(got(alice).size(), 1U);
    pass(milliseconds{100});
  }
  EXPECT_EQ(count(CounterId::rate_waits), 0U);
}

TEST_F(OptionsTest, HoweverMuchComesThereIsOneMessageAnIntervalAndTheLastIsNotMissing) {
  for (const std::uint32_t rate : {1U, 3U, 10U, 100U, 999U}) {
    DeliveryHarness run;
    const auto channel = run.open("quotes", rule_with(SlowPolicy::conflate));
    Reader& bob = run.reader();
    run.delivery.set_terms(run.subscribe(bob, channel), at_rate(rate), run.now.mono);
    std::vector<Instant> sent_at;
    std::uint64_t sent = 0;
    const auto step = [&](nanoseconds by) {
      run.now.mono += by;
      run.delivery.release_held(run.now.mono);
      run.run();
      if (run.ledger().sent != sent) sent_at.push_back(run.now.mono);
      EXPECT_LE(run.ledger().sent - sent, 1U);
      sent = run.ledger().sent;
    };
    for (int i = 0; i < 3'000; ++i) {
      run.feed(channel, i % 3);
      step(microseconds{700 + i % 7 * 100});
    }
    for (int i = 0; i < 1'200; ++i) step(milliseconds{1});
    for (std::size_t i = 1; i < sent_at.size(); ++i) ASSERT_GE(sent_at[i] - sent_at[i - 1], interval_of(rate)) << rate;
    const auto payloads = payloads_of(bob.stream);
    EXPECT_EQ(payloads.back(), "quotes:3000") << rate;
    EXPECT_EQ(run.ledger().queued, 0U);
    EXPECT_EQ(run.ledger().sent + run.ledger().conflated, 3'000U);
  }
}

TEST_F(OptionsTest, WhenItMayHaveOneItIsTheNewest) {
  subscribe_on(alice, quotes, at_rate(10));
  feed(quotes, 5);
  run();
  EXPECT_EQ(got(alice), (Payloads{gap_notice("quotes", 1, 4, "conflated"), "quotes:5"}));
}

TEST_F(OptionsTest, AnIntervalBeginsWhenTheKernelTookSomething) {
  subscribe_on(alice, quotes, at_rate(10));
  feed(quotes, 1);
  batch(take_nothing);
  now.mono += milliseconds{50};
  unblock();
  batch(take_at_most(3));  // begun is sent, as far as the rate goes
  feed(quotes, 1);
  complete_remainders();
  batch();
  complete_remainders();
  EXPECT_EQ(got(alice), numbered("quotes", 1, 1));
  pass(milliseconds{99});
  EXPECT_EQ(got(alice), Payloads{});
  pass(milliseconds{1});
  EXPECT_EQ(got(alice), numbered("quotes", 2, 2));
}

TEST_F(OptionsTest, ADeadlineIsKnownAndNoneIsLeftBehind) {
  const auto mine = subscribe_on(alice, quotes, at_rate(10));
  feed(quotes, 1);
  run();
  EXPECT_FALSE(delivery.held_until());
  feed(quotes, 1);
  run();
  const Instant end = now.mono + milliseconds{100};
  int looks = 0;
  for (; now.mono < end && looks < 20; ++looks) {  // earlier, it only looks closer
    ASSERT_TRUE(delivery.held_until());
    EXPECT_LE(*delivery.held_until(), end);
    now.mono = std::max(now.mono + nanoseconds{1}, *delivery.held_until());
    delivery.release_held(now.mono);
  }
  run();
  EXPECT_LT(looks, 20);
  EXPECT_EQ(got(alice), numbered("quotes", 1, 2));
  feed(quotes, 1);
  run();
  EXPECT_TRUE(delivery.held_until());
  delivery.end_subscription(mine, now.mono);
  EXPECT_FALSE(delivery.held_until());
  EXPECT_EQ(ledger(), (Ledger{.offered = 3, .sent = 2, .abandoned = 1}));
}

TEST_F(OptionsTest, OtherChannelsOfTheConnectionDoNotWaitAlong) {
  subscribe_on(alice, quotes, at_rate(1));
  subscribe(alice, trades);
  for (int i = 0; i < 10; ++i) {
    feed(quotes, 1);
    feed(trades, 1);
    pass(milliseconds{10});
  }
  EXPECT_EQ(of_channel(alice, "trades"), numbered("trades", 1, 10));
  EXPECT_EQ(of_channel(alice, "quotes"), numbered("quotes", 1, 1));
}

TEST_F(OptionsTest, TermsMayChangeWhileNewsWaits) {
  const auto mine = subscribe_on(alice, quotes, at_rate(1));
  feed(quotes, 1);
  run();
  feed(quotes, 2);
  run();
  got(alice);
  delivery.set_terms(mine, at_rate(100), now.mono);
  pass(milliseconds{9});
  EXPECT_EQ(got(alice), Payloads{});
  pass(milliseconds{1});
  EXPECT_EQ(got(alice), (Payloads{gap_notice("quotes", 2, 2, "conflated"), "quotes:3"}));
  feed(quotes, 2);
  run();
  EXPECT_EQ(got(alice), Payloads{});
  delivery.set_terms(mine, Terms{}, now.mono);
  run();
  EXPECT_EQ(got(alice), numbered("quotes", 4, 5));
  delivery.set_terms(mine, at_rate(10), now.mono);  // and the first one again goes out at once
  feed(quotes, 1);
  run();
  EXPECT_EQ(got(alice), numbered("quotes", 6, 6));
}

TEST_F(OptionsTest, AskingAgainDoesNotShortenAnInterval) {
  const auto mine = subscribe_on(alice, quotes, at_rate(10));
  feed(quotes, 1);
  run();
  got(alice);
  for (int i = 0; i < 9; ++i) {
    delivery.set_terms(mine, at_rate(10), now.mono);
    feed(quotes, 1);
    pass(milliseconds{10});
    EXPECT_EQ(got(alice), Payloads{}) << i;
  }
  pass(milliseconds{10});
  EXPECT_EQ(got(alice).size(), 2U);
}

TEST_F(OptionsTest, ASubscriptionThatChangesItsFormGoesOnWaiting) {
  Reader& exchange = reader(Dialect::exchange, Form::exchange_raw);
  const auto raw = open("quotes", rule_with(SlowPolicy::conflate), Form::exchange_raw);
  const auto combined = open_form(delivery.log(raw).channel, Form::exchange_combined, Sequence{1});
  const auto mine = subscribe_on(exchange, raw, at_rate(10));
  append({raw, combined}, "quotes:1");
  run();
  append({raw, combined}, "quotes:2");
  run();
  delivery.move_to(mine, combined, now.mono);
  run();
  append({raw, combined}, "quotes:3");
  run();
  EXPECT_EQ(got(exchange), Payloads{"quotes:1"});
  pass(milliseconds{100});
  EXPECT_EQ(got(exchange), Payloads{"quotes:3"});
  EXPECT_EQ(ledger(), (Ledger{.offered = 3, .sent = 2, .conflated = 1}));
}

TEST_F(OptionsTest, AtTheEndOfTheNodeNothingWaitsAnyMore) {
  const auto company = open("company", [] {
    NamespaceRule rule;
    rule.batch_delay = seconds{1};
    return rule;
  }());
  subscribe_on(alice, quotes, at_rate(1));
  subscribe(alice, company);
  feed(quotes, 1);
  run();
  got(alice);
  feed(quotes, 3);
  feed(company, 3);
  run();
  EXPECT_EQ(got(alice), Payloads{});
  delivery.stop_holding(now.mono);
  EXPECT_FALSE(delivery.held_until());
  run();
  EXPECT_EQ(of_channel(alice, "quotes"), (Payloads{gap_notice("quotes", 2, 3, "conflated"), "quotes:4"}));
  EXPECT_EQ(of_channel(alice, "company"), numbered("company", 1, 3));
  got(alice);
  feed(quotes, 1);
  feed(company, 1);
  run();
  EXPECT_EQ(got(alice).size(), 2U);
}

}  // namespace
}  // namespace ringcast
