// The rules of the send path (design.md) that the core owns, one by one.
#include "engine/delivery/rolling_send.hpp"

#include <gtest/gtest.h>

#include <set>

#include "tests/engine/delivery/rolling_send_fixture.hpp"

namespace ringcast {
namespace {

TEST_F(RollingSendTest, WhatIsPublishedIsSentInOneGo) {
  const auto orders = open("orders");
  Reader& alice = reader();
  subscribe(alice, orders);
  feed(orders, 3);
  EXPECT_EQ(batch().size(), 1U);
  EXPECT_EQ(payloads_of(alice.stream), numbered("orders", 1, 3));
  EXPECT_TRUE(batch().empty());
  EXPECT_EQ(ledger(), (Ledger{.offered = 3, .sent = 3}));
  EXPECT_EQ(count(CounterId::sends_submitted), 1U);
  EXPECT_EQ(count(CounterId::bytes_sent), alice.stream.size());
}

TEST_F(RollingSendTest, ATurnSendsToTheHeadAsItIsThenNotAsItWasWhenTheNewsCame) {
  const auto orders = open("orders");
  Reader& alice = reader();
  subscribe(alice, orders);
  feed(orders, 1);
  delivery.expand_dirty(Delivery::Expand::all, now.mono);  // she is in the queue now
  feed(orders, 5);
  EXPECT_EQ(batch().size(), 1U);
  EXPECT_EQ(payloads_of(alice.stream), numbered("orders", 1, 6));
}

TEST_F(RollingSendTest, OneChannelGoesStraightFromItsLogSeveralAreGathered) {
  const auto orders = open("orders");
  const auto trades = open("trades");
  Reader& alice = reader();
  subscribe(alice, orders);
  subscribe(alice, trades);
  feed(orders, 2);
  const auto straight = batch();
  EXPECT_EQ(straight[0].data, log(orders).run_from(Sequence{1}, SIZE_MAX)->data);

  feed(orders, 1);
  feed(trades, 1);
  const auto gathered = batch();
  ASSERT_EQ(gathered.size(), 1U);
  EXPECT_NE(gathered[0].data, log(orders).run_from(Sequence{3}, SIZE_MAX)->data);
  EXPECT_NE(gathered[0].data, log(trades).run_from(Sequence{1}, SIZE_MAX)->data);
  EXPECT_EQ(payloads_of(alice.stream).size(), 4U);
}

TEST_F(RollingSendTest, ALostMessageWhoseNumberASnapshotTakesIsToldToWhoWasToGetIt) {
  const auto books = open("books");
  lose(books, 5);  // the log has none of what they want
  const auto sent_a_snapshot = [&](Reader& reader) {
    const auto slot = subscribe(reader, books, Sequence{4});
    CatchUp& catch_up = delivery.catch_up_of(slot);
    catch_up.chunk.skip_to(Sequence{4});
    for (const char* payload : {"snapshot as of 5", "books:5"}) {
      catch_up.chunk.append(as_bytes(text_frame(payload)), now.mono);
    }
    catch_up.snapshot_first = true;
    delivery.subscription(slot).catching_up = true;
    return slot;
  };
  Reader& alice = reader();
  sent_a_snapshot(alice);  // she reads on
  Reader& bob = reader();
  delivery.subscription(sent_a_snapshot(bob)).begins_whole(Sequence{5});  // he has just joined
  run();
  const std::vector<std::string> snapshot{"snapshot as of 5", "books:5"};
  EXPECT_EQ(payloads_of(bob.stream), snapshot);
  EXPECT_EQ(payloads_of(alice.stream),
            (std::vector<std::string>{gap_notice("books", 4, 4, "expired"), snapshot[0], snapshot[1]}));
  EXPECT_EQ(ledger(), (Ledger{.offered = 5, .sent = 4, .dropped = 1}));
}

TEST_F(RollingSendTest, AConnectionHasOneSendABatchWhateverItIsToBeSent) {
  std::vector<std::uint32_t> logs;
  Reader& alice = reader();
  for (int i = 0; i < 20; ++i) {
    logs.push_back(open("c" + std::to_string(i)));
    subscribe(alice, logs.back());
  }
  control(alice, "reply 1");
  control(alice, "reply 2");
  for (const auto log : logs) feed(log, 2);
  EXPECT_EQ(batch().size(), 1U);  // the harness checks it for every batch
  const auto payloads = payloads_of(alice.stream);
  ASSERT_EQ(payloads.size(), 42U);
  EXPECT_EQ(payloads[0], "reply 1");  // control bytes go first
  EXPECT_EQ(payloads[1], "reply 2");
}

TEST_F(RollingSendTest, ABatchHasAtMostItsNumberOfSendsAndTheOthersComeNext) {
  const auto orders = open("orders");
  for (int i = 0; i < 75; ++i) subscribe(reader(), orders);
  feed(orders, 1);
  EXPECT_EQ(batch().size(), kSendBatchMax);
  EXPECT_EQ(batch().size(), kSendBatchMax);
  EXPECT_EQ(batch().size(), 75 - 2 * kSendBatchMax);
  EXPECT_TRUE(batch().empty());
  for (const auto& one : readers) EXPECT_EQ(payloads_of(one->stream), numbered("orders", 1, 1));
}

TEST_F(RollingSendTest, NobodyIsAlwaysFirst) {
  const auto orders = open("orders");
  for (int i = 0; i < 5; ++i) subscribe(reader(), orders);
  std::set<std::uint32_t> first;
  for (int i = 0; i < 5; ++i) {
    feed(orders, 1);
    first.insert(batch().front().connection.slot);
  }
  EXPECT_EQ(first.size(), 5U);
}

// ---- scratch ----


TEST_F(RollingSendTest, GatheredTurnsOfOneBatchDoNotShareMemoryUntilItIsFinished) {
  std::vector<std::uint32_t> logs;
  for (int i = 0; i < 3; ++i) logs.push_back(open("c" + std::to_string(i)));
  for (int i = 0; i < 32; ++i) {
    Reader& one = reader();
    for (const auto log : logs) subscribe(one, log);
  }
  for (const auto log : logs) feed(log, 8, 100);
  const auto entries = sends.prepare(now);
  ASSERT_EQ(entries.size(), kSendBatchMax);
  std::vector<std::pair<const std::uint8_t*, const std::uint8_t*>> spans;
  for (const SendEntry& entry : entries) {
    EXPECT_EQ(payloads_of(as_text(Bytes{entry.data, entry.size})).size(), 24U);  // all filled, none overwritten
    spans.emplace_back(entry.data, entry.data + entry.size);
  }
  std::ranges::sort(spans);
  for (std::size_t i = 1; i < spans.size(); ++i) EXPECT_LE(spans[i - 1].second, spans[i].first);
  EXPECT_DEATH((void)sends.prepare(now), "a batch is finished before the next one");
  sends.finish({}, now);
}

TEST_F(RollingSendTest, AGapNoticeThatWasBrokenSurvivesTheScratchItWasWrittenIn) {
  const auto slow = open("slow", rule_with(SlowPolicy::drop_oldest, 2));
  const auto other = open("other");
  Reader& alice = reader();
  Reader& bob = reader();
  subscribe(alice, slow);
  const auto bobs = subscribe(bob, other);
  feed(slow, 9);
  batch(take_at_most(5));
  for (int i = 0; i < 3; ++i) {  // others use the same scratch
    feed(other, 1, 200);
    control(bob, "reply");
    batch();
    in_flight.empty() ? void() : complete_remainders();
  }
  run();
  EXPECT_EQ(payloads_of(alice.stream)[0], gap_notice("slow", 1, 7, "dropped"));
  EXPECT_EQ(next_of(bobs), 4U);
}

// ---- how much a turn sends ----


TEST_F(RollingSendTest, AFrameLargerThanATurnIsSentWholeAndAlone) {
  const auto orders = open("orders");
  const auto trades = open("trades");
  Reader& alice = reader();
  subscribe(alice, trades);
  subscribe(alice, orders);
  feed(trades, 1);
  feed(orders, 1, 200'000);
  feed(orders, 1);
  std::vector<std::uint32_t> sizes;
  for (auto entries = batch(); !entries.empty(); entries = batch()) sizes.push_back(entries[0].size);
  ASSERT_GE(sizes.size(), 2U);
  EXPECT_EQ(std::ranges::count_if(sizes, [](std::uint32_t size) { return size > kTurnBytesMax; }), 1);
  EXPECT_EQ(payloads_of(alice.stream).size(), 3U);
  EXPECT_EQ(of_channel(alice, "orders"), numbered("orders", 1, 2));
}

TEST_F(RollingSendTest, ALargeFrameBehindALargeFrameOfAnotherChannelComesToItsTurn) {
  std::vector<std::uint32_t> logs;
  Reader& alice = reader();
  for (int i = 0; i < 4; ++i) {
    logs.push_back(open("c" + std::to_string(i)));
    subscribe(alice, logs.back());
  }
  for (int round = 0; round < 3; ++round) {
    for (const auto log : logs) {
      feed(log, 1, 70'000);
      feed(log, 1, 100);
    }
  }
  run();
  EXPECT_EQ(payloads_of(alice.stream).size(), 24U);
  for (int i = 0; i < 4; ++i) {
    const std::string name = "c" + std::to_string(i);
    EXPECT_EQ(of_channel(alice, name), numbered(name, 1, 6));
  }
}

TEST_F(RollingSendTest, AReaderFarBehindGetsATurnsWorthAndThenTheOthersAreServed) {
  NamespaceRule generous = rule_with(SlowPolicy::disconnect, 1'000'000);
  generous.lag.bytes = 1_GiB;
  const auto busy = open("busy", generous);
  const auto calm = open("calm");
  Reader& behind = reader();
  Reader& other = reader();
  subscribe(behind, busy);
  subscribe(other, calm);
  feed(busy, 2'000, 1'000);  // 2 MB
  feed(calm, 1);
  const auto first = batch();
  EXPECT_EQ(first.size(), 2U);
  for (const SendEntry& entry : first) EXPECT_LE(entry.size, kTurnBytesMax);
  for (int turn = 0; turn < 5; ++turn) {
    feed(calm, 1);
    const auto entries = batch();
    ASSERT_EQ(entries.size(), 2U);  // both, every time
    for (const SendEntry& entry : entries) EXPECT_LE(entry.size, kTurnBytesMax);
  }
  EXPECT_EQ(payloads_of(other.stream), numbered("calm", 1, 6));
  run();
  EXPECT_EQ(payloads_of(behind.stream).size(), 2'000U);
}

TEST_F(RollingSendTest, ChannelsOfOneConnectionAreServedInTurn) {
  NamespaceRule generous = rule_with(SlowPolicy::disconnect, 1'000'000);
  generous.lag.bytes = 1_GiB;
  const auto busy = open("busy", generous);
  const auto calm = open("calm");
  Reader& alice = reader();
  subscribe(alice, busy);
  subscribe(alice, calm);
  feed(busy, 1'000, 1'000);
  feed(calm, 1);
  batch();
  batch();
  EXPECT_EQ(of_channel(alice, "calm").size(), 1U);  // not behind the other's megabyte
}

TEST_F(RollingSendTest, NewsIsNotStarvedByConnectionsThatAlwaysHaveMore) {
  NamespaceRule generous = rule_with(SlowPolicy::disconnect, 10'000'000);
  generous.lag.bytes = 1_GiB;
  const auto busy = open("busy", generous);
  const auto calm = open("calm");
  constexpr int kBusy = 100;
  for (int i = 0; i < kBusy; ++i) subscribe(reader(), busy);
  Reader& alice = reader();
  subscribe(alice, calm);
  feed(busy, 20'000, 1'000);  // everybody queues again after each turn, for hundreds of turns
  for (int i = 0; i < 10; ++i) batch();
  feed(calm, 1);
  int batches = 0;
  while (alice.stream.empty() && batches < 1'000) {
    batch();
    ++batches;
  }
  EXPECT_LE(batches, 2 * (kBusy / static_cast<int>(kSendBatchMax) + 2));  // the lap under way and her own
}

TEST_F(RollingSendTest, ALargeFrameIsNotStarvedByRepliesThatComeEveryTurn) {
  for (const std::size_t bytes : {60'000UL, 65'530UL, 100'000UL}) {
    DeliveryHarness run;
    const auto orders = run.open("orders");
    const auto trades = run.open("trades", rule_with(SlowPolicy::conflate, 2));
    Reader& alice = run.reader();
    run.subscribe(alice, orders);
    run.subscribe(alice, trades);
    run.feed(orders, 10, bytes);
    run.feed(trades, 10, bytes);
    int replies = 0;
    for (int turn = 0; turn < 40; ++turn) {
      run.control(alice, "reply:" + std::string(6'000, 'r'));
      ++replies;
      run.batch();
      run.complete_remainders();
    }
    run.run();
    EXPECT_EQ(of_channel(alice, "orders"), numbered("orders", 1, 10));
    const auto payloads = payloads_of(alice.stream);
    const auto is_reply = [](const std::string& one) { return one.starts_with("reply:"); };
    EXPECT_EQ(std::ranges::count_if(payloads, is_reply), replies);
    EXPECT_EQ(payloads.back(), "reply:" + std::string(6'000, 'r'));  // the messages had gone out long before
    EXPECT_EQ(run.ledger().queued, 0U);
    EXPECT_EQ(run.budget.used(Purpose::remainders), 0U);
  }
}

TEST_F(RollingSendTest, AFrameThatBeginsBehindRepliesMayBreakAtEveryByte) {
  for (std::int64_t taken = 0; taken <= static_cast<std::int64_t>(kTurnBytesMax); taken += 997) {
    DeliveryHarness run;
    const auto orders = run.open("orders");
    Reader& alice = run.reader();
    run.subscribe(alice, orders);
    run.control(alice, std::string(20'000, 'r'));
    run.feed(orders, 2, 90'000);
    run.batch(take_at_most(taken));
    EXPECT_EQ(run.ledger().sent, 0U);
    run.run();
    const auto payloads = payloads_of(alice.stream);
    ASSERT_EQ(payloads.size(), 3U);
    EXPECT_EQ(payloads[0], std::string(20'000, 'r'));
    EXPECT_EQ(payloads[1], run.payload_of(orders, Sequence{1}, 90'000));
    EXPECT_EQ(payloads[2], run.payload_of(orders, Sequence{2}, 90'000));
    EXPECT_EQ(run.ledger(), (Ledger{.offered = 2, .sent = 2}));
  }
}

TEST_F(RollingSendTest, RepliesToAReaderThatIsNeverQuiteDoneDoNotPileUpInMemory) {
  Reader& alice = reader();
  alice.outbox.publishes = true;  // keeps its memory between replies
  control(alice, std::string(20'000, 'r'));
  std::size_t most = 0;
  for (int i = 0; i < 2'000; ++i) {
    control(alice, std::string(998, 'x'));  // a thousand more with its header
    batch(take_at_most(1'002));
    unblock();
    most = std::max(most, alice.outbox.unsent->control.capacity());
  }
  EXPECT_LT(most, 100'000U);
  run();
  EXPECT_LE(alice.outbox.unsent->control.capacity(), 4'096U);
  EXPECT_EQ(payloads_of(alice.stream).size(), 2'001U);
  EXPECT_EQ(budget.used(Purpose::control), 0U);
}

TEST_F(RollingSendTest, RepliesLargerThanATurnAreSentInPiecesAndNoMessageComesBetween) {
  const auto orders = open("orders");
  Reader& alice = reader();
  subscribe(alice, orders);
  control(alice, std::string(200'000, 'r'));
  feed(orders, 2);
  for (int i = 0; i < 20; ++i) {
    const auto entries = batch();
    for (const SendEntry& entry : entries) EXPECT_LE(entry.size, kTurnBytesMax);
  }
  const auto payloads = payloads_of(alice.stream);
  ASSERT_EQ(payloads.size(), 3U);
  EXPECT_EQ(payloads[0].size(), 200'000U);
  EXPECT_EQ(payloads[1], "orders:1");
}

// ---- events ----


TEST_F(RollingSendTest, ABrokenSocketIsToldOnceAndNothingIsSentToItAgain) {
  const auto orders = open("orders");
  Reader& alice = reader();
  subscribe(alice, orders);
  feed(orders, 1);
  batch([](const Reader&, const SendEntry&) -> std::int64_t { return -EPIPE; });
  EXPECT_EQ(count(Kind::failed), 1U);
  EXPECT_EQ(events.back().error, EPIPE);
  EXPECT_EQ(count(CounterId::sends_failed), 1U);
  feed(orders, 1);
  control(alice, "reply");
  EXPECT_TRUE(batch().empty());
  EXPECT_EQ(count(Kind::failed), 1U);
  leave(alice);
  EXPECT_EQ(ledger(), (Ledger{.offered = 2, .abandoned = 2}));
  EXPECT_EQ(budget.used(Purpose::control), 0U);
}

TEST_F(RollingSendTest, SaysWhenNothingIsLeftIfItWasAskedTo) {
  const auto orders = open("orders");
  Reader& alice = reader();
  subscribe(alice, orders);
  feed(orders, 1);
  control(alice, "goodbye");
  alice.outbox.messages_held = true;  // closing: only control bytes go out
  alice.outbox.tell_when_empty = true;
  batch(take_at_most(4));
  EXPECT_EQ(count(Kind::empty), 0U);
  run();
  EXPECT_EQ(payloads_of(alice.stream), std::vector<std::string>{"goodbye"});
  EXPECT_EQ(count(Kind::empty), 1U);
  EXPECT_FALSE(alice.outbox.tell_when_empty);
}

TEST_F(RollingSendTest, SaysWhenRepliesHaveDrainedIfItWasAskedTo) {
  Reader& alice = reader();
  control(alice, std::string(kControlBytesMax, 'r'));
  alice.outbox.tell_control_low = true;
  while (count(Kind::control_low) == 0) {
    ASSERT_FALSE(batch().empty());
    EXPECT_EQ(count(Kind::control_low) != 0, alice.outbox.control_bytes() <= kControlBytesMax / 2);
  }
}

TEST_F(RollingSendTest, RepliesAreChargedUntilTheKernelHasThem) {
  Reader& alice = reader();
  control(alice, "0123456789");
  EXPECT_EQ(budget.used(Purpose::control), 12U);
  batch(take_at_most(5));
  EXPECT_EQ(budget.used(Purpose::control), 7U);
  leave(alice);
  EXPECT_EQ(budget.used(Purpose::control), 0U);
}

TEST_F(RollingSendTest, AnIdleConnectionHoldsNoMemoryForOutput) {
  const auto orders = open("orders");
  Reader& alice = reader();
  subscribe(alice, orders);
  control(alice, "reply");
  feed(orders, 1);
  run();
  EXPECT_EQ(alice.outbox.unsent, nullptr);
  feed(orders, 1);
  batch(take_at_most(3));
  EXPECT_NE(alice.outbox.unsent, nullptr);
  run();
  EXPECT_EQ(alice.outbox.unsent, nullptr);
}

TEST_F(RollingSendTest, ScratchIsChargedWhileTheRollingSendLives) {
  EXPECT_EQ(budget.used(Purpose::scratch), kSendBatchMax * kTurnBytesMax);
  {
    Budget own;
    {
      Delivery empty{1, 1, own, stats};
      RollingSend idle{empty, own, stats};
      EXPECT_TRUE(idle.prepare(now).empty());
    }
    EXPECT_EQ(own.total(), 0U);
  }
}

// ---- reports ----


using RollingSendDeathTest = RollingSendTest;

TEST_F(RollingSendDeathTest, ReportsThatCannotBeStopTheProcess) {
  const auto orders = open("orders");
  subscribe(reader(), orders);
  feed(orders, 1);
  const auto entries = sends.prepare(now);
  ASSERT_EQ(entries.size(), 1U);
  const std::int32_t too_many = static_cast<std::int32_t>(entries[0].size) + 1;
  const SendReport more[] = {{.entry = 0, .result = too_many}};
  EXPECT_DEATH(sends.finish(more, now), "at most what it was given");
  const SendReport unknown[] = {{.entry = 1, .result = 0}};
  EXPECT_DEATH(sends.finish(unknown, now), "in the order of their entries");
  const SendReport twice[] = {{.entry = 0, .result = 0}, {.entry = 0, .result = 0}};
  EXPECT_DEATH(sends.finish(twice, now), "in the order of their entries");
  EXPECT_DEATH(sends.release(readers[0]->outbox), "under a batch");
  sends.finish({}, now);
  EXPECT_DEATH(sends.remainder_sent(readers[0]->outbox, 1, now), "a remainder completes once");
}

}  // namespace
}  // namespace ringcast
