#include "engine/delivery/delivery.hpp"

#include <gtest/gtest.h>

#include <random>

#include "tests/doubles/delivery_harness.hpp"

namespace ringcast {
namespace {

using Reader = DeliveryHarness::Reader;

std::vector<std::string> numbered(std::string_view name, std::uint64_t from, std::uint64_t to) {
  std::vector<std::string> payloads;
  for (std::uint64_t seq = from; seq <= to; ++seq) payloads.push_back(std::string{name} + ":" + std::to_string(seq));
  return payloads;
}

class DeliveryTest : public testing::Test, protected DeliveryHarness {
 protected:
  ChannelLog& channel_log(std::uint32_t slot) { return delivery.log(slot); }
};

// ---- subscriptions ----

TEST_F(DeliveryTest, ANewReaderIsOfferedWhatComesAfterItAndNothingBefore) {
  const auto orders = open("orders");
  feed(orders, 5);
  Reader& alice = reader();
  subscribe(alice, orders);
  EXPECT_EQ(ledger(), Ledger{});
  feed(orders, 2);
  EXPECT_EQ(ledger(), (Ledger{.offered = 2, .queued = 2}));
  run();
  EXPECT_EQ(payloads_of(alice.stream), numbered("orders", 6, 7));
}

TEST_F(DeliveryTest, TheLedgerIsNewsOnceAfterEachTimeThatSomethingWasCounted) {
  const auto orders = open("orders");
  Reader& alice = reader();
  subscribe(alice, orders);
  EXPECT_EQ(delivery.ledger_news(), Ledger{});
  EXPECT_EQ(delivery.ledger_news(), std::nullopt);
  feed(orders, 2);
  EXPECT_EQ(delivery.ledger_news(), (Ledger{.offered = 2, .queued = 2}));
  EXPECT_EQ(delivery.ledger_news(), std::nullopt);
  run();
  EXPECT_EQ(delivery.ledger_news(), (Ledger{.offered = 2, .sent = 2}));
  EXPECT_EQ(delivery.ledger_news(), std::nullopt);
}

TEST_F(DeliveryTest, AReaderThatResumesIsOfferedWhatTheLogHolds) {
  const auto orders = open("orders");
  feed(orders, 5);
  Reader& alice = reader();
  subscribe(alice, orders, Sequence{3});
  EXPECT_EQ(ledger(), (Ledger{.offered = 3, .queued = 3}));
  EXPECT_EQ(alice.outbox.lag_floor, now.mono);  // not late for what was old when it came
  run();
  EXPECT_EQ(payloads_of(alice.stream), numbered("orders", 3, 5));
}

TEST_F(DeliveryTest, NoMessageGoesOutBeforeTheAnswerToItsSubscribe) {
  const auto orders = open("orders");
  Reader& alice = reader();
  const Handle handle = delivery.create_subscription(alice.outbox, channel_log(orders).channel);
  delivery.start_reading(handle.slot, orders, Sequence{1}, now.mono);
  feed(orders, 3);
  EXPECT_TRUE(batch().empty());
  EXPECT_EQ(ledger(), (Ledger{.offered = 3, .queued = 3}));
  control(alice, "subscribed");
  delivery.release_messages(handle.slot, now.mono);
  run();
  EXPECT_EQ(payloads_of(alice.stream),
            (std::vector<std::string>{"subscribed", "orders:1", "orders:2", "orders:3"}));
}

TEST_F(DeliveryTest, WhatALeavingReaderHadNotBeenSentIsAbandoned) {
  const auto orders = open("orders");
  const auto trades = open("trades");
  Reader& alice = reader();
  const auto first = subscribe(alice, orders);
  subscribe(alice, trades);
  feed(orders, 3);
  feed(trades, 4);
  delivery.end_subscription(first, now.mono);
  EXPECT_EQ(ledger(), (Ledger{.offered = 7, .abandoned = 3, .queued = 4}));
  run();
  EXPECT_EQ(payloads_of(alice.stream), numbered("trades", 1, 4));
  feed(orders, 1);
  EXPECT_EQ(ledger(), (Ledger{.offered = 7, .sent = 4, .abandoned = 3}));
}

TEST_F(DeliveryTest, AConnectionFindsItsSubscriptionByItsChannel) {
  const auto orders = open("orders");
  const auto trades = open("trades");
  Reader& alice = reader();
  Reader& bob = reader();
  const auto first = subscribe(alice, orders);
  const auto second = subscribe(alice, trades);
  EXPECT_EQ(delivery.find_of(alice.outbox, channel_log(orders).channel), first);
  EXPECT_EQ(delivery.find_of(alice.outbox, channel_log(trades).channel), second);
  EXPECT_EQ(delivery.find_of(bob.outbox, channel_log(orders).channel), kNoSlot);
  EXPECT_EQ(alice.outbox.subscriptions, 2U);
  EXPECT_EQ(count(CounterId::subscriptions), 2U);
  leave(alice);
  EXPECT_EQ(delivery.find_of(alice.outbox, channel_log(orders).channel), kNoSlot);
  EXPECT_EQ(count(CounterId::subscriptions), 0U);
  EXPECT_EQ(count(CounterId::subscriptions_total), 2U);
}

TEST_F(DeliveryTest, SubscriptionsBeyondTheBoundAreNotMade) {
  Delivery small{1, 2, budget, stats};
  Outbox outbox;
  outbox.connection = Handle{.slot = 0, .generation = 1};
  const Handle first = small.create_subscription(outbox, 0);
  const Handle second = small.create_subscription(outbox, 1);
  EXPECT_FALSE(small.create_subscription(outbox, 2).valid());
  small.end_subscription(first.slot, now.mono);
  const Handle third = small.create_subscription(outbox, 2);
  EXPECT_TRUE(third.valid());
  for (const Handle handle : {second, third}) small.end_subscription(handle.slot, now.mono);
  EXPECT_EQ(outbox.subscription_first, kNoSlot);

  const NamespaceRule rule;
  const std::string name = "orders";
  const Handle log = small.open_log(rule, name, 0, Form::native_json, Sequence{1}, Epoch{1}, ChannelLog::State::live);
  EXPECT_TRUE(log.valid());
  EXPECT_FALSE(
      small.open_log(rule, name, 0, Form::exchange_raw, Sequence{1}, Epoch{1}, ChannelLog::State::live).valid());
  EXPECT_EQ(count(CounterId::channel_logs), 1U);
  small.close_log(log);
  EXPECT_EQ(count(CounterId::channel_logs), 0U);
}

TEST_F(DeliveryTest, EverySubscriptionOfAConnectionCanEndInAnyOrder) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random{seed};
    DeliveryHarness run;
    std::vector<std::uint32_t> logs;
    for (int i = 0; i < 10; ++i) logs.push_back(run.open("c" + std::to_string(i)));
    Reader& alice = run.reader();
    std::vector<std::pair<std::uint32_t, std::uint32_t>> mine;  // log, subscription
    for (int step = 0; step < 300; ++step) {
      const auto log = logs[random() % logs.size()];
      const auto at = std::ranges::find(mine, log, &std::pair<std::uint32_t, std::uint32_t>::first);
      if (at == mine.end()) {
        mine.emplace_back(log, run.subscribe(alice, log));
      } else if (random() % 2 == 0) {
        run.delivery.end_subscription(at->second, run.now.mono);
        mine.erase(at);
      }
      run.feed(logs[random() % logs.size()], random() % 3);
      run.delivery.validate();
      if (random() % 4 == 0) run.batch();
      ASSERT_EQ(alice.outbox.subscriptions, mine.size());
    }
    run.run();
    EXPECT_EQ(run.ledger().queued, 0U);
    for (const std::string& payload : payloads_of(alice.stream)) EXPECT_NE(payload, "(broken)");
  }
}

// ---- logs ----

TEST_F(DeliveryTest, ALogIsUnreadOnlyWhenNobodyReadsItWaitsForItOrMovesBetweenItAndAnother) {
  const auto orders = open("orders");
  EXPECT_TRUE(channel_log(orders).unread());
  Reader& alice = reader();
  const auto subscription = subscribe(alice, orders);
  EXPECT_FALSE(channel_log(orders).unread());
  now.mono += seconds{5};
  delivery.end_subscription(subscription, now.mono);
  EXPECT_TRUE(channel_log(orders).unread());
  EXPECT_EQ(channel_log(orders).unread_since, now.mono);
  channel_log(orders).remote_readers = 1;
  EXPECT_FALSE(channel_log(orders).unread());
  channel_log(orders).remote_readers = 0;

  const auto later = open_form(0, Form::exchange_raw, Sequence{1}, ChannelLog::State::attaching);
  const Handle waiting = delivery.create_subscription(alice.outbox, 0);
  delivery.join_later(waiting.slot, later);
  EXPECT_FALSE(channel_log(later).unread());
  delivery.leave_joiners(waiting.slot);
  EXPECT_TRUE(channel_log(later).unread());
  delivery.end_subscription(waiting.slot, now.mono);
}

TEST_F(DeliveryTest, AJoinerThatLeavesWhileItWaitsIsForgotten) {
  const auto orders = open("orders");
  const auto later = open_form(0, Form::exchange_raw, Sequence{1}, ChannelLog::State::attaching);
  Reader& alice = reader();
  const Handle waiting = delivery.create_subscription(alice.outbox, channel_log(orders).channel);
  delivery.join_later(waiting.slot, later);
  delivery.end_subscription(waiting.slot, now.mono);
  EXPECT_TRUE(channel_log(later).joiners.empty());
  EXPECT_EQ(ledger(), Ledger{});
}

TEST_F(DeliveryTest, ALogThatIsClosedWithNewsIsTakenOutOfTheQueueOfThoseWithNews) {
  const auto orders = open("orders");
  Reader& alice = reader();
  subscribe(alice, orders);
  feed(orders, 1);
  leave(alice);
  EXPECT_TRUE(delivery.has_dirty());
  delivery.close_log(delivery.logs().handle_of(orders));
  EXPECT_FALSE(delivery.has_dirty());
  EXPECT_TRUE(batch().empty());
}

TEST(DeliveryDeathTest, ALogThatIsReadIsNotClosed) {
  DeliveryHarness run;
  const auto orders = run.open("orders");
  run.subscribe(run.reader(), orders);
  EXPECT_DEATH(run.delivery.close_log(run.delivery.logs().handle_of(orders)), "nobody reads");
}

TEST(DeliveryDeathTest, AConnectionHasOneCursorAChannel) {
  DeliveryHarness run;
  const auto orders = run.open("orders");
  Reader& alice = run.reader();
  run.subscribe(alice, orders);
  EXPECT_DEATH((void)run.delivery.create_subscription(alice.outbox, 0), "one cursor a channel");
}

// ---- moves between forms ----

class MoveTest : public DeliveryTest {
 protected:
  MoveTest() {
    raw = open("m", NamespaceRule{}, Form::exchange_raw);
    alice = &reader(Dialect::exchange, Form::exchange_raw);
    subscription = subscribe(*alice, raw);
  }
  std::uint32_t open_combined(Sequence next, ChannelLog::State state = ChannelLog::State::live) {
    return open_form(0, Form::exchange_combined, next, state);
  }
  std::uint32_t log_of() { return delivery.subscription(subscription).cursor.log; }

  std::uint32_t raw;
  Reader* alice;
  std::uint32_t subscription;
};

TEST_F(MoveTest, AReaderThatHasEverythingMovesAtOnce) {
  feed(raw, 3);
  run();
  const auto combined = open_combined(Sequence{4});
  delivery.move_to(subscription, combined, now.mono);
  EXPECT_EQ(log_of(), combined);
  EXPECT_TRUE(channel_log(raw).unread());
  append({raw, combined}, "m:4");
  run();
  EXPECT_EQ(payloads_of(alice->stream), numbered("m", 1, 4));
  EXPECT_EQ(ledger(), (Ledger{.offered = 4, .sent = 4}));
}

TEST_F(MoveTest, AReaderThatIsBehindFirstReadsWhatTheNewFormDoesNotHave) {
  feed(raw, 3);
  const auto combined = open_combined(Sequence{4});
  delivery.move_to(subscription, combined, now.mono);
  EXPECT_EQ(log_of(), raw);
  append({raw, combined}, "m:4");
  EXPECT_EQ(log_of(), raw);
  EXPECT_EQ(channel_log(combined).moving, 1U);
  EXPECT_EQ(channel_log(raw).moving, 1U);
  run();
  EXPECT_EQ(log_of(), combined);
  EXPECT_EQ(channel_log(combined).moving, 0U);
  EXPECT_EQ(channel_log(raw).moving, 0U);
  append({raw, combined}, "m:5");
  run();
  EXPECT_EQ(payloads_of(alice->stream), numbered("m", 1, 5));
  EXPECT_EQ(ledger(), (Ledger{.offered = 5, .sent = 5}));
}

TEST_F(MoveTest, AReaderMovesAsSoonAsTheNewFormHoldsWhatItWants) {
  feed(raw, 3);
  const auto combined = open_combined(Sequence{3});
  delivery.log(combined).log.append(as_bytes(text_frame("m:3")), now.mono);
  delivery.appended(combined, 1);
  delivery.move_to(subscription, combined, now.mono);
  EXPECT_EQ(log_of(), raw);
  batch([](const Reader&, const SendEntry&) -> std::int64_t { return 10; });  // two frames
  EXPECT_EQ(log_of(), combined);
  EXPECT_EQ(ledger(), (Ledger{.offered = 3, .sent = 2, .queued = 1}));
  run();
  EXPECT_EQ(payloads_of(alice->stream), numbered("m", 1, 3));
}

TEST_F(MoveTest, AReaderThatFindsNewsWhereItMovesWaitsForItsSocketAllTheSame) {
  const auto combined = open_combined(Sequence{1});
  append({raw, combined}, "m:1");
  append(combined, "m:2");  // the other log's record with it has not come yet
  const auto other = open("o", NamespaceRule{}, Form::exchange_raw);
  subscribe(*alice, other);
  feed(other, 1);
  channel_log(combined).state = ChannelLog::State::attaching;
  delivery.move_to(subscription, combined, now.mono);
  channel_log(combined).state = ChannelLog::State::live;
  batch([](const Reader&, const SendEntry&) -> std::int64_t { return 5; });  // one frame of two
  EXPECT_EQ(log_of(), combined);
  EXPECT_TRUE(alice->outbox.blocked);
  EXPECT_TRUE(batch().empty());
  append(raw, "m:2");
  run();
  EXPECT_EQ(payloads_of(alice->stream), (std::vector<std::string>{"m:1", "o:1", "m:2"}));
}

TEST_F(MoveTest, ALogThatIsBehindIsNotMovedToSoThatNothingIsOfferedTwice) {
  feed(raw, 3);
  run();
  const auto combined = open_combined(Sequence{2});  // another shard's record with 2 and 3 has not come yet
  delivery.move_to(subscription, combined, now.mono);
  EXPECT_EQ(log_of(), raw);
  append(combined, "m:2");
  EXPECT_EQ(log_of(), raw);
  append(combined, "m:3");
  EXPECT_EQ(log_of(), combined);
  append(combined, "m:4");  // and this one is ahead
  append(raw, "m:4");
  run();
  EXPECT_EQ(payloads_of(alice->stream), numbered("m", 1, 4));
  EXPECT_EQ(ledger(), (Ledger{.offered = 4, .sent = 4}));
}

TEST_F(MoveTest, ALogThatIsAheadOffersTheDifference) {
  feed(raw, 2);
  run();
  const auto combined = open_combined(Sequence{3});
  append(combined, "m:3");
  append(combined, "m:4");
  delivery.move_to(subscription, combined, now.mono);
  EXPECT_EQ(log_of(), combined);
  EXPECT_EQ(ledger(), (Ledger{.offered = 4, .sent = 2, .queued = 2}));
  run();
  EXPECT_EQ(payloads_of(alice->stream), numbered("m", 1, 4));
}

TEST_F(MoveTest, AnAttachingLogIsWaitedFor) {
  const auto combined = open_combined(Sequence{1}, ChannelLog::State::attaching);
  delivery.move_to(subscription, combined, now.mono);
  feed(raw, 2);
  run();
  EXPECT_EQ(log_of(), raw);
  channel_log(combined).state = ChannelLog::State::live;
  log(combined).skip_to(Sequence{3});
  delivery.settle_moves(combined, now.mono);
  EXPECT_EQ(log_of(), combined);
}

TEST_F(MoveTest, AMoveThatIsTakenBackLeavesTheReaderWhereItIs) {
  feed(raw, 2);
  const auto combined = open_combined(Sequence{3});
  delivery.move_to(subscription, combined, now.mono);
  delivery.move_to(subscription, raw, now.mono);  // back again
  EXPECT_EQ(channel_log(combined).moving, 0U);
  EXPECT_TRUE(channel_log(combined).unread());
  EXPECT_EQ(channel_log(raw).moving, 0U);
  append({raw, combined}, "m:3");
  run();
  EXPECT_EQ(log_of(), raw);
  EXPECT_EQ(payloads_of(alice->stream), numbered("m", 1, 3));

  delivery.move_to(subscription, open_form(0, Form::native_json, Sequence{9}, ChannelLog::State::attaching), now.mono);
  delivery.cancel_move(subscription);
  EXPECT_EQ(channel_log(raw).moving, 0U);
}

TEST_F(MoveTest, AReaderThatLeavesWhileItMovesLeavesBothLogs) {
  feed(raw, 2);
  const auto combined = open_combined(Sequence{3});
  delivery.move_to(subscription, combined, now.mono);
  leave(*alice);
  EXPECT_TRUE(channel_log(raw).unread());
  EXPECT_TRUE(channel_log(combined).unread());
  EXPECT_EQ(ledger(), (Ledger{.offered = 2, .abandoned = 2}));
}

TEST_F(MoveTest, WhoeverMovesGetsEachMessageExactlyOnceHoweverTheLogsAreFed) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random{seed};
    DeliveryHarness run;
    const auto a = run.open("m", NamespaceRule{}, Form::exchange_raw);
    const auto b = run.open_form(0, Form::exchange_combined, Sequence{1});
    struct One {
      Reader* reader;
      std::uint32_t subscription;
    };
    std::vector<One> ones;
    std::vector<std::uint64_t> joined;
    for (int i = 0; i < 4; ++i) {
      Reader& one = run.reader(Dialect::exchange, Form::exchange_raw);
      ones.push_back({&one, run.subscribe(one, a)});
    }
    const auto feed_to = [&](std::uint32_t log, std::uint64_t last) {
      while (value(run.log(log).next()) <= last) run.feed(log, 1);
    };
    std::uint64_t last = 0;
    for (int step = 0; step < 200; ++step) {
      switch (random() % 6) {
        case 0: ++last; break;
        case 1: feed_to(a, last); break;  // each lane's records come at their own pace
        case 2: feed_to(b, last); break;
        case 3:
        case 4: {
          const One& one = ones[random() % ones.size()];
          run.delivery.move_to(one.subscription, random() % 2 == 0 ? a : b, run.now.mono);
          break;
        }
        default:
          run.batch([&](const Reader&, const SendEntry& entry) -> std::int64_t {
            return random() % 3 == 0 ? static_cast<std::int64_t>(random() % (entry.size + 1)) : entry.size;
          });
          if (random() % 2 == 0) run.complete_remainders();
          if (random() % 2 == 0) run.unblock();
      }
      run.delivery.validate();
      ASSERT_TRUE(run.ledger().closed());
    }
    feed_to(a, last);
    feed_to(b, last);
    run.run();
    for (const One& one : ones) EXPECT_EQ(payloads_of(one.reader->stream), numbered("m", 1, last));
    EXPECT_EQ(run.ledger(), (Ledger{.offered = 4 * last, .sent = 4 * last}));
  }
}

// ---- the turn queue ----

TEST_F(DeliveryTest, AConnectionStandsInTheQueueOnceInTheOrderOfItsNews) {
  Reader& a = reader();
  Reader& b = reader();
  Reader& c = reader();
  control(b, "x");
  control(a, "x");
  control(b, "y");
  control(c, "x");
  EXPECT_EQ(delivery.queued_connections(), 3U);
  EXPECT_EQ(delivery.take_turn(), &b.outbox);
  EXPECT_EQ(delivery.take_turn(), &a.outbox);
  EXPECT_EQ(delivery.take_turn(), &c.outbox);
  EXPECT_EQ(delivery.take_turn(), nullptr);
}

TEST_F(DeliveryTest, AConnectionThatGoesAwayIsTakenOutOfTheQueueWhereverItStands) {
  for (std::size_t gone = 0; gone < 3; ++gone) {
    DeliveryHarness run;
    for (int i = 0; i < 3; ++i) run.control(run.reader(), "x");
    run.delivery.forget(run.readers[gone]->outbox);
    run.delivery.forget(run.readers[gone]->outbox);  // no harm
    EXPECT_EQ(run.delivery.queued_connections(), 2U);
    run.control(run.reader(), "x");  // the end of the queue is where it should be
    std::vector<Outbox*> order;
    while (Outbox* outbox = run.delivery.take_turn()) order.push_back(outbox);
    std::vector<Outbox*> expected;
    for (std::size_t i = 0; i < 4; ++i) {
      if (i != gone) expected.push_back(&run.readers[i]->outbox);
    }
    EXPECT_EQ(order, expected);
  }
}

struct EnqueueRow {
  std::string_view sentence;
  void (*change)(Outbox&);
  bool queued;
};

TEST_F(DeliveryTest, OnlyWhoHasSomethingToSendAndMaySendItIsQueued) {
  const EnqueueRow rows[] = {
      {"a reply", [](Outbox&) {}, true},
      {"nothing to send", [](Outbox& outbox) { outbox.unsent->control.clear(); }, false},
      {"waits for its socket", [](Outbox& outbox) { outbox.blocked = true; }, false},
      {"broken", [](Outbox& outbox) { outbox.failed = true; }, false},
      {"a remainder", [](Outbox& outbox) { outbox.unsent->rest_bytes = 5; }, true},
      {"a remainder that is under way",
       [](Outbox& outbox) {
         outbox.unsent->rest_bytes = 5;
         outbox.unsent->rest_in_flight = true;
       },
       false},
  };
  for (const EnqueueRow& row : rows) {
    Outbox outbox;
    outbox.unsent = std::make_unique<Unsent>();
    outbox.unsent->control = "reply";
    row.change(outbox);
    delivery.enqueue(outbox, now.mono);
    EXPECT_EQ(outbox.queued, row.queued) << row.sentence;
    delivery.forget(outbox);
  }
}

TEST_F(DeliveryTest, AFreshNodeCostsNoMemoryForSubscriptionsAndLogs) {
  EXPECT_EQ(budget.used(Purpose::subscriptions), 0U);
  EXPECT_EQ(budget.used(Purpose::channels), 0U);
  EXPECT_EQ(budget.used(Purpose::log_blocks), 0U);
}

}  // namespace
}  // namespace ringcast
