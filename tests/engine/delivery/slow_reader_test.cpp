// What becomes of readers that are behind, and of the runs that they never get (design.md, "Slow readers").
#include "engine/delivery/rolling_send.hpp"

#include <gtest/gtest.h>

#include "tests/engine/delivery/rolling_send_fixture.hpp"

namespace ringcast {
namespace {

struct SlowRow {
  std::string_view sentence;
  SlowPolicy policy;
  Dialect dialect;
  std::vector<std::string> received;  // of 20 messages, five may wait
  Ledger ledger;
  bool closed;
};

TEST_F(RollingSendTest, AReaderBeyondItsBoundGetsWhatItsNamespaceSays) {
  const SlowRow rows[] = {
      {"conflate: the newest, and a notice",
       SlowPolicy::conflate,
       Dialect::native,
       {gap_notice("orders", 1, 19, "conflated"), "orders:20"},
       {.offered = 20, .sent = 1, .conflated = 19},
       false},
      {"drop_oldest: what the bound holds, and a notice",
       SlowPolicy::drop_oldest,
       Dialect::native,
       {gap_notice("orders", 1, 15, "dropped"), "orders:16", "orders:17", "orders:18", "orders:19", "orders:20"},
       {.offered = 20, .sent = 5, .dropped = 15},
       false},
      {"disconnect", SlowPolicy::disconnect, Dialect::native, {}, {.offered = 20, .queued = 20}, true},
      {"the binary dialect is told by a record",
       SlowPolicy::conflate,
       Dialect::binary,
       {gap_record(7, 1, 19, GapReason::conflated), "orders:20"},
       {.offered = 20, .sent = 1, .conflated = 19},
       false},
      {"of what was dropped as well",
       SlowPolicy::drop_oldest,
       Dialect::binary,
       {gap_record(7, 1, 15, GapReason::dropped), "orders:16", "orders:17", "orders:18", "orders:19", "orders:20"},
       {.offered = 20, .sent = 5, .dropped = 15},
       false},
      {"the exchange's dialect conflates without a word",
       SlowPolicy::conflate,
       Dialect::exchange,
       {"orders:20"},
       {.offered = 20, .sent = 1, .conflated = 19},
       false},
      {"and never drops: it disconnects",
       SlowPolicy::drop_oldest,
       Dialect::exchange,
       {},
       {.offered = 20, .queued = 20},
       true},
      {"as it does when told to", SlowPolicy::disconnect, Dialect::exchange, {}, {.offered = 20, .queued = 20}, true},
  };
  for (const SlowRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    DeliveryHarness run;
    const auto orders = run.open("orders", rule_with(row.policy, 5));
    run.delivery.log(orders).channel_id = 7;
    Reader& alice = run.reader(row.dialect, row.dialect == Dialect::binary ? Form::binary : Form::native_json);
    run.subscribe(alice, orders);
    run.feed(orders, 20);
    const auto entries = run.sends.prepare(run.now);
    ASSERT_EQ(entries.size(), row.closed ? 0U : 1U);
    if (!row.closed) {
      alice.stream.append(reinterpret_cast<const char*>(entries[0].data), entries[0].size);
      run.sends.finish({}, run.now);
    }
    run.take_events();
    EXPECT_EQ(payloads_of(alice.stream), row.received);
    EXPECT_EQ(run.ledger(), row.ledger);
    EXPECT_EQ(run.count(Kind::slow), row.closed ? 1U : 0U);
    if (row.closed) {
      EXPECT_EQ(run.events.back().messages, 20U);
    }
  }
}

TEST_F(RollingSendTest, ANoticeIsWrittenWhenItsTurnComesSoThatOneNamesTheWholeGap) {
  const auto orders = open("orders", rule_with(SlowPolicy::conflate, 5));
  Reader& alice = reader();
  subscribe(alice, orders);
  feed(orders, 1);
  batch(take_nothing);
  for (int i = 0; i < 1'000; ++i) feed(orders, 10);  // conflated again and again: nothing piles up
  EXPECT_EQ(budget.used(Purpose::control), 0U);
  sends.writable(alice.outbox, now);
  batch();
  EXPECT_EQ(payloads_of(alice.stream),
            (std::vector<std::string>{gap_notice("orders", 1, 10'000, "conflated"), "orders:10001"}));
  EXPECT_EQ(count(CounterId::gap_notices_conflated), 1U);
  EXPECT_EQ(count(CounterId::gap_messages_conflated), 10'000U);
}

TEST_F(RollingSendTest, AGapFromUpstreamIsToldBeforeTheNextMessage) {
  const auto orders = open("orders");
  Reader& alice = reader();
  subscribe(alice, orders);
  feed(orders, 2);
  batch();
  lose(orders, 3);
  feed(orders, 1);
  run();
  EXPECT_EQ(payloads_of(alice.stream),
            (std::vector<std::string>{"orders:1", "orders:2", gap_notice("orders", 3, 5, "dropped"), "orders:6"}));
  EXPECT_EQ(ledger(), (Ledger{.offered = 6, .sent = 3, .dropped = 3}));
}

TEST_F(RollingSendTest, MessagesBeforeAndBehindAGapAreSentInOrderWhicheverWayTheyComeIn) {
  for (const SlowPolicy policy : {SlowPolicy::conflate, SlowPolicy::drop_oldest, SlowPolicy::disconnect}) {
    for (const Dialect dialect : {Dialect::native, Dialect::exchange}) {
      if (dialect == Dialect::exchange && policy != SlowPolicy::conflate) continue;  // closed, see above
      for (const bool turn_between : {false, true}) {
        DeliveryHarness run;
        const auto orders = run.open("orders", rule_with(policy));
        Reader& alice = run.reader(dialect);
        run.subscribe(alice, orders);
        run.feed(orders, 2);
        run.lose(orders, 3);
        if (turn_between) run.run();
        run.feed(orders, 2);
        run.run();
        const auto payloads = payloads_of(alice.stream);
        SCOPED_TRACE(testing::Message() << "policy " << static_cast<int>(policy) << ", dialect "
                                        << static_cast<int>(dialect) << ", a turn between: " << turn_between);
        ASSERT_FALSE(payloads.empty());
        EXPECT_EQ(payloads.back(), "orders:7");
        EXPECT_EQ(run.ledger().queued, 0U);
        EXPECT_EQ(run.ledger().offered, 7U);
      }
    }
  }
}

TEST_F(RollingSendTest, AReaderOfManyChannelsIsToldTheGapsOfEach) {
  std::vector<std::uint32_t> logs;
  Reader& alice = reader();
  for (int i = 0; i < 1'000; ++i) {
    logs.push_back(open("channel." + std::to_string(i), rule_with(SlowPolicy::conflate, 1)));
    subscribe(alice, logs.back());
  }
  for (const auto log : logs) feed(log, 3);
  run();
  const auto payloads = payloads_of(alice.stream);
  ASSERT_EQ(payloads.size(), 2'000U);
  for (std::size_t i = 0; i < payloads.size(); i += 2) {
    const std::string name = payloads[i + 1].substr(0, payloads[i + 1].find(':'));
    EXPECT_EQ(payloads[i], gap_notice(name, 1, 2, "conflated"));
    EXPECT_EQ(payloads[i + 1], name + ":3");
  }
}

TEST_F(RollingSendTest, ABlockedReaderBeyondItsBoundInTimeIsFoundThoughItsTurnDoesNotCome) {
  struct Row {
    SlowPolicy policy;
    Dialect dialect;
    bool closed;
  };
  const Row rows[] = {{SlowPolicy::disconnect, Dialect::native, true},
                      {SlowPolicy::disconnect, Dialect::exchange, true},
                      {SlowPolicy::drop_oldest, Dialect::native, false},
                      {SlowPolicy::drop_oldest, Dialect::exchange, true},
                      {SlowPolicy::conflate, Dialect::native, false},
                      {SlowPolicy::conflate, Dialect::exchange, false}};
  for (const Row& row : rows) {
    for (const bool with_remainder : {false, true}) {
      SCOPED_TRACE(testing::Message() << "policy " << static_cast<int>(row.policy) << ", dialect "
                                      << static_cast<int>(row.dialect) << ", remainder " << with_remainder);
      DeliveryHarness run;
      const auto orders = run.open("orders", rule_with(row.policy));
      Reader& alice = run.reader(row.dialect);
      run.subscribe(alice, orders);
      run.feed(orders, 2);
      run.batch(take_at_most(with_remainder ? 3 : 0));
      run.batch();
      run.feed(orders, 1);
      run.delivery.expand_dirty(Delivery::Expand::all, run.now.mono);
      EXPECT_TRUE(run.sends.has_blocked());
      run.sends.check_blocked(run.now);
      run.take_events();
      EXPECT_EQ(run.count(Kind::slow), 0U);
      run.now.mono += seconds{10} + microseconds{1};
      run.sends.check_blocked(run.now);
      run.take_events();
      EXPECT_EQ(run.count(Kind::slow), row.closed ? 1U : 0U);
    }
  }
}

TEST_F(RollingSendTest, WhoIsNoLongerBlockedIsNoLongerWatched) {
  const auto orders = open("orders");
  Reader& alice = reader();
  subscribe(alice, orders);
  feed(orders, 1);
  batch(take_nothing);
  EXPECT_TRUE(sends.has_blocked());
  run();
  sends.check_blocked(now);
  EXPECT_FALSE(sends.has_blocked());
}

}  // namespace
}  // namespace ringcast
