// The rules of the send path (design.md) that the core owns, one by one.
#include "engine/delivery/rolling_send.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

#include "tests/doubles/delivery_harness.hpp"

namespace ringcast {
namespace {

using Reader = DeliveryHarness::Reader;
using Kind = OutboxEvent::Kind;

std::int64_t take_nothing(const Reader&, const SendEntry&) { return -EAGAIN; }
DeliveryHarness::Kernel take_at_most(std::int64_t bytes) {
  return [bytes](const Reader&, const SendEntry& entry) { return std::min<std::int64_t>(bytes, entry.size); };
}

NamespaceRule rule_with(SlowPolicy policy, std::uint32_t messages = 4'096) {
  NamespaceRule rule;
  rule.slow = policy;
  rule.lag.messages = messages;
  return rule;
}

std::vector<std::string> numbered(std::string_view name, std::uint64_t from, std::uint64_t to) {
  std::vector<std::string> payloads;
  for (std::uint64_t seq = from; seq <= to; ++seq) payloads.push_back(std::string{name} + ":" + std::to_string(seq));
  return payloads;
}

class RollingSendTest : public testing::Test, protected DeliveryHarness {
 protected:
  /// What a reader got of one channel, and in which order.
  static std::vector<std::string> of_channel(const Reader& reader, std::string_view name) {
    std::vector<std::string> payloads;
    for (const std::string& payload : payloads_of(reader.stream)) {
      const std::string_view text{payload};
      if (text.starts_with(std::string{name} + ":") ||
          text.find("\"channel\":\"" + std::string{name} + "\"") != std::string_view::npos) {
        payloads.emplace_back(text.substr(0, text.find('.')));  // without what fills it up
      }
    }
    return payloads;
  }
  std::uint64_t next_of(std::uint32_t subscription) { return value(delivery.subscription(subscription).cursor.next); }
};

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
  delivery.expand_dirty(now.mono);  // she is in the queue now
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

// ---- a short count, at every byte ----

/// A turn with everything in it: replies, a gap notice, several channels with several frames.
class ShortCount : public DeliveryHarness {
 public:
  ShortCount() {
    a = open("a");
    b = open("b", rule_with(SlowPolicy::drop_oldest, 3));
    c = open("c");
    alice = &reader();
    subscriptions = {subscribe(*alice, a), subscribe(*alice, b), subscribe(*alice, c)};
    control(*alice, "reply 1");
    control(*alice, "reply 2");
    feed(a, 3);
    feed(b, 8, 30);
    feed(c, 4);
  }
  std::uint32_t a, b, c;
  Reader* alice;
  std::array<std::uint32_t, 3> subscriptions;
};

std::string gap_notice(std::string_view channel, std::uint64_t from, std::uint64_t to, std::string_view reason) {
  return R"({"type":"gap","channel":")" + std::string{channel} + R"(","from":)" + std::to_string(from) + R"(,"to":)" +
         std::to_string(to) + R"(,"reason":")" + std::string{reason} + R"("})";
}

TEST(ShortCountTest, AtEveryByteOfATurnTheStreamIsThatOfAnUnbrokenConnection) {
  std::string whole;
  {
    ShortCount unbroken;
    unbroken.batch();
    whole = unbroken.alice->stream;
    const std::vector<std::string> payloads = payloads_of(whole);
    ASSERT_EQ(payloads.size(), 2U + 3 + 1 + 3 + 4);
    EXPECT_EQ(payloads[5], gap_notice("b", 1, 5, "dropped"));
    EXPECT_EQ(unbroken.ledger(), (Ledger{.offered = 15, .sent = 10, .dropped = 5}));
  }
  const std::vector<std::string> frames = payloads_of(whole);
  for (std::size_t taken = 0; taken < whole.size(); ++taken) {
    SCOPED_TRACE(testing::Message() << taken << " of " << whole.size() << " bytes taken");
    ShortCount run;
    run.batch(take_at_most(static_cast<std::int64_t>(taken)));
    EXPECT_EQ(run.alice->stream, whole.substr(0, taken));

    // What was begun is accounted for, message by message.
    std::uint64_t sent = 0;
    std::uint64_t begun_messages = 0;
    bool gap_begun = false;
    bool broken_message = false;
    bool broken_reply = false;
    std::size_t at = 0;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const std::size_t end = at + text_frame(frames[i]).size();
      const bool is_gap = i == 5;
      const bool is_message = i >= 2 && !is_gap;
      if (taken > at && is_gap) gap_begun = true;
      if (taken > at && is_message) ++begun_messages;
      if (taken >= end && is_message) ++sent;
      if (taken > at && taken < end) (is_message ? broken_message : broken_reply) = !is_gap;
      at = end;
    }
    const Ledger ledger = run.ledger();
    EXPECT_EQ(ledger.sent, sent);
    EXPECT_EQ(ledger.dropped, gap_begun ? 5U : 0U);
    EXPECT_EQ(run.delivery.remainder_messages, broken_message ? 1U : 0U);
    std::uint64_t cursors = 0;
    for (const auto subscription : run.subscriptions) {
      cursors += value(run.delivery.subscription(subscription).cursor.next) - 1;
    }
    EXPECT_EQ(cursors, begun_messages + (gap_begun ? 5U : 0U));
    if (broken_reply) {  // it stays among the replies
      EXPECT_FALSE(run.alice->outbox.has_remainder());
    }

    // While it waits nothing else is sent; then the rest comes, nothing twice and nothing missing.
    if (run.alice->outbox.blocked) {
      EXPECT_TRUE(run.batch().empty());
      EXPECT_EQ(run.count(Kind::wait_writable), 1U);
    }
    run.run();
    const std::vector<std::string> got = payloads_of(run.alice->stream);
    EXPECT_TRUE(std::ranges::is_permutation(got, frames));
    for (const std::string_view name : {"reply", "a:", "b", "c:"}) {  // each in its own order
      const auto of = [&](const std::vector<std::string>& all) {
        std::vector<std::string> mine;
        for (const std::string& one : all) {
          const bool is_b = one.starts_with("b:") || one.starts_with("{");
          if (name == "b" ? is_b : one.starts_with(name)) mine.push_back(one);
        }
        return mine;
      };
      EXPECT_EQ(of(got), of(frames));
    }
    EXPECT_EQ(run.ledger(), (Ledger{.offered = 15, .sent = 10, .dropped = 5}));
    EXPECT_EQ(run.budget.used(Purpose::control), 0U);
    EXPECT_EQ(run.budget.used(Purpose::remainders), 0U);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(ShortCountTest, OneByteAtATimeStillGivesEveryByteOnce) {
  ShortCount run;
  run.run(take_at_most(1));
  EXPECT_EQ(payloads_of(run.alice->stream).size(), 13U);
  EXPECT_EQ(run.ledger(), (Ledger{.offered = 15, .sent = 10, .dropped = 5}));
}

TEST_F(RollingSendTest, AShortCountOfOneChannelBreaksItsRunAtEveryByte) {
  for (std::size_t taken = 0; taken <= 40; ++taken) {
    DeliveryHarness run;
    const auto orders = run.open("o");
    Reader& alice = run.reader();
    const auto subscription = run.subscribe(alice, orders);
    run.feed(orders, 8);  // frames of five bytes
    run.batch(take_at_most(static_cast<std::int64_t>(taken)));
    EXPECT_EQ(value(run.delivery.subscription(subscription).cursor.next), 1 + (taken + 4) / 5);
    EXPECT_EQ(run.ledger().sent, taken / 5);
    EXPECT_EQ(alice.outbox.has_remainder(), taken % 5 != 0);
    run.run();
    EXPECT_EQ(payloads_of(alice.stream), numbered("o", 1, 8));
  }
}

TEST_F(RollingSendTest, ASocketThatTakesNothingIsAskedToSayWhenItDoes) {
  const auto orders = open("orders");
  Reader& alice = reader();
  const auto subscription = subscribe(alice, orders);
  feed(orders, 3);
  batch(take_nothing);
  EXPECT_EQ(count(CounterId::sends_again), 1U);
  EXPECT_EQ(count(Kind::wait_writable), 1U);
  EXPECT_EQ(next_of(subscription), 1U);
  EXPECT_EQ(ledger(), (Ledger{.offered = 3, .queued = 3}));
  feed(orders, 2);
  control(alice, "reply");
  EXPECT_TRUE(batch().empty());  // not before it says so
  sends.writable(alice.outbox, now);
  EXPECT_EQ(batch().size(), 1U);
  EXPECT_EQ(payloads_of(alice.stream).size(), 6U);
  EXPECT_EQ(count(Kind::wait_writable), 1U);
}

TEST_F(RollingSendTest, ASlowReaderChangesNothingForTheOthers) {
  const auto orders = open("orders");
  Reader& slow = reader();
  Reader& quick = reader();
  subscribe(slow, orders);
  subscribe(quick, orders);
  const auto kernel = [&](const Reader& to, const SendEntry& entry) -> std::int64_t {
    return &to == &slow ? std::int64_t{-EAGAIN} : std::int64_t{entry.size};
  };
  for (int i = 0; i < 100; ++i) {
    feed(orders, 10);
    batch(kernel);
  }
  EXPECT_EQ(payloads_of(quick.stream), numbered("orders", 1, 1'000));
  EXPECT_EQ(slow.sends, 1U);
}

// ---- remainders ----

struct RemainderRow {
  std::string_view sentence;
  std::size_t payload_bytes;
  std::size_t taken;
  bool pinned;
};

TEST_F(RollingSendTest, TheRestOfASmallFrameIsCopiedThatOfALargeOneStaysInPlace) {
  constexpr std::size_t kHeader = 4;  // of a frame above 125 bytes
  const RemainderRow rows[] = {
      {"a small frame", 100, 50, false},
      {"the last byte of a large frame", 40'000, 40'000 + kHeader - 1, false},
      {"just under the limit", 40'000, 40'000 + kHeader - (kPinnedFrameBytesMin - 1), false},
      {"just at the limit", 40'000, 40'000 + kHeader - kPinnedFrameBytesMin, true},
      {"nearly all of a large frame", 40'000, 1, true},
      {"a frame larger than a turn", 500'000, 1'000, true},
  };
  for (const RemainderRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    DeliveryHarness run;
    const auto orders = run.open("orders");
    Reader& alice = run.reader();
    run.subscribe(alice, orders);
    run.feed(orders, 1, row.payload_bytes);
    const std::string expected = text_frame(run.payload_of(orders, Sequence{1}, row.payload_bytes));
    run.batch(take_at_most(static_cast<std::int64_t>(row.taken)));
    ASSERT_TRUE(alice.outbox.has_remainder());
    EXPECT_EQ(alice.outbox.unsent->pin.held(), row.pinned);
    EXPECT_EQ(run.count(CounterId::remainders_pinned), row.pinned ? 1U : 0U);
    EXPECT_EQ(run.count(CounterId::remainders_copied), row.pinned ? 0U : 1U);
    EXPECT_EQ(run.count(CounterId::remainder_bytes), expected.size() - row.taken);
    EXPECT_EQ(run.budget.used(Purpose::remainders), expected.size() - row.taken);
    EXPECT_EQ(run.ledger(), (Ledger{.offered = 1, .queued = 1}));

    // The log moves on over it, meanwhile.
    run.log(orders).clear();
    run.feed(orders, 3, row.payload_bytes);
    const auto entries = run.batch();
    ASSERT_EQ(entries.size(), 1U);
    EXPECT_TRUE(entries[0].remainder);
    EXPECT_EQ(entries[0].size, expected.size() - row.taken);
    run.complete_remainders();
    EXPECT_EQ(alice.stream, expected);
    EXPECT_EQ(run.ledger(), (Ledger{.offered = 4, .sent = 1, .queued = 3}));
    EXPECT_EQ(run.count(CounterId::remainder_bytes), 0U);
    EXPECT_EQ(run.budget.used(Purpose::remainders), 0U);
    run.run();
    EXPECT_EQ(payloads_of(alice.stream).size(), 4U);
  }
}

TEST_F(RollingSendTest, NothingElseGoesOutWhileARemainderIsPending) {
  const auto orders = open("orders");
  const auto trades = open("trades");
  Reader& alice = reader();
  subscribe(alice, orders);
  subscribe(alice, trades);
  feed(orders, 1);
  batch(take_at_most(3));
  feed(trades, 1);
  control(alice, "reply");
  const auto entries = batch();
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_TRUE(entries[0].remainder);
  for (int i = 0; i < 5; ++i) {  // in flight: no turn, whatever comes
    feed(orders, 1);
    control(alice, "another");
    EXPECT_TRUE(batch().empty());
  }
  complete_remainders();
  EXPECT_EQ(payloads_of(alice.stream), numbered("orders", 1, 1));
  batch();
  EXPECT_EQ(payloads_of(alice.stream)[1], "reply");
  EXPECT_EQ(payloads_of(alice.stream).size(), 1U + 6 + 6);
}

TEST_F(RollingSendTest, ARemainderThatEndsShortEndsTheConnectionAndItsMessageIsAbandoned) {
  struct Row {
    std::string_view sentence;
    std::int32_t result;
    std::int32_t error;
  };
  const Row rows[] = {
      {"cancelled half-way", 2, EPIPE}, {"nothing taken", 0, EPIPE}, {"reset", -ECONNRESET, ECONNRESET}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    DeliveryHarness run;
    const auto orders = run.open("orders");
    Reader& alice = run.reader();
    run.subscribe(alice, orders);
    run.feed(orders, 2);
    run.batch(take_at_most(3));
    run.batch();
    run.in_flight.clear();
    run.sends.remainder_sent(alice.outbox, row.result, run.now);
    run.take_events();
    ASSERT_EQ(run.count(Kind::failed), 1U);
    EXPECT_EQ(run.events.back().error, row.error);
    EXPECT_TRUE(run.batch().empty());
    run.leave(alice);
    EXPECT_EQ(run.ledger(), (Ledger{.offered = 2, .abandoned = 2}));
    EXPECT_EQ(run.budget.used(Purpose::remainders), 0U);
    EXPECT_EQ(run.count(CounterId::remainder_bytes), 0U);
  }
}

TEST_F(RollingSendTest, APinnedBlockIsGivenBackWhenItsConnectionEnds) {
  const auto orders = open("orders");
  Reader& alice = reader();
  subscribe(alice, orders);
  feed(orders, 1, 300'000);
  batch(take_at_most(10));
  log(orders).clear();
  EXPECT_GT(budget.used(Purpose::log_blocks), 300'000U);
  leave(alice);
  EXPECT_EQ(budget.used(Purpose::log_blocks), 0U);
  EXPECT_EQ(ledger(), (Ledger{.offered = 1, .abandoned = 1}));
}

TEST_F(RollingSendTest, ABrokenGapNoticeIsNoMessageInTheLedger) {
  const auto orders = open("orders", rule_with(SlowPolicy::conflate, 2));
  Reader& alice = reader();
  const auto subscription = subscribe(alice, orders);
  feed(orders, 9);
  batch(take_at_most(5));
  EXPECT_EQ(next_of(subscription), 9U);  // the gap was begun: it is told
  EXPECT_EQ(ledger(), (Ledger{.offered = 9, .conflated = 8, .queued = 1}));
  run();
  EXPECT_EQ(payloads_of(alice.stream), (std::vector<std::string>{gap_notice("orders", 1, 8, "conflated"), "orders:9"}));
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

// ---- slow readers ----

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
      {"conflate: the newest, and a notice", SlowPolicy::conflate, Dialect::native,
       {gap_notice("orders", 1, 19, "conflated"), "orders:20"}, {.offered = 20, .sent = 1, .conflated = 19}, false},
      {"drop_oldest: what the bound holds, and a notice", SlowPolicy::drop_oldest, Dialect::native,
       {gap_notice("orders", 1, 15, "dropped"), "orders:16", "orders:17", "orders:18", "orders:19", "orders:20"},
       {.offered = 20, .sent = 5, .dropped = 15}, false},
      {"disconnect", SlowPolicy::disconnect, Dialect::native, {}, {.offered = 20, .queued = 20}, true},
      {"the exchange's dialect conflates without a word", SlowPolicy::conflate, Dialect::exchange, {"orders:20"},
       {.offered = 20, .sent = 1, .conflated = 19}, false},
      {"and never drops: it disconnects", SlowPolicy::drop_oldest, Dialect::exchange, {},
       {.offered = 20, .queued = 20}, true},
      {"as it does when told to", SlowPolicy::disconnect, Dialect::exchange, {}, {.offered = 20, .queued = 20}, true},
  };
  for (const SlowRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    DeliveryHarness run;
    const auto orders = run.open("orders", rule_with(row.policy, 5));
    Reader& alice = run.reader(row.dialect);
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
      run.delivery.expand_dirty(run.now.mono);
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
