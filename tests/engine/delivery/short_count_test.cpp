// A send that took a part of its bytes: nothing is lost, sent twice or sent between the halves of a frame.
#include "engine/delivery/rolling_send.hpp"

#include <gtest/gtest.h>

#include "tests/engine/delivery/rolling_send_fixture.hpp"

namespace ringcast {
namespace {

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

}  // namespace
}  // namespace ringcast
