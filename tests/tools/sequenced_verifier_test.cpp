// tests/tools/sequenced_verifier_test.cpp: the verifiers of both dialects that number their messages see each fault
// that a server could commit.
#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "codec/dialect/binary.hpp"
#include "codec/dialect/encode.hpp"
#include "codec/dialect/native_reply.hpp"
#include "tools/load/binary_publisher.hpp"
#include "tools/load/binary_verifier.hpp"
#include "tools/load/native_verifier.hpp"

namespace ringcast {
namespace {

constexpr std::uint32_t kPayloadBytes = 100;

/// One subscriber of one channel or several, and what a server would say to it.
class Bench {
 public:
  explicit Bench(Form form, std::uint32_t channels = 1, double slow = 0, bool resumes = false) : form_{form} {
    options_.connections = 1;
    options_.channels = channels;
    options_.slow = slow;
    plan_ = plan_synthetic(options_);
    bases_.emplace(plan_.names.size());
    const SequencedParts parts{.plan = plan_,
                               .connections = plan_.connections,
                               .payload_bytes = kPayloadBytes,
                               .bases = *bases_,
                               .publishing = publishing_,
                               .measure_from = measure_from_,
                               .resumes = resumes};
    if (form == Form::binary) {
      verifier_ = std::make_unique<BinaryVerifier>(parts);
    } else {
      verifier_ = std::make_unique<NativeVerifier>(parts);
    }
  }
  Verifier::Taken join(std::uint64_t seq = 0, std::optional<bool> recovered = {}, Epoch epoch = Epoch{1}) {
    std::string text;
    NativeSubscribed subscribed{text, "1"};
    for (std::uint32_t channel = 0; channel < plan_.names.size(); ++channel) {
      SubscribedChannel entry;
      entry.channel = plan_.names[channel];
      entry.epoch = epoch;
      entry.seq = Sequence{seq};
      entry.recovered = recovered;
      if (form_ == Form::binary) entry.channel_id = id_of(channel);
      subscribed.add(entry);
    }
    subscribed.finish();
    return reply(text);
  }
  /// What a connection is told whose URL names a user: the server has joined that user's own channel.
  Verifier::Taken join_personal_channel(std::string_view channel, std::uint32_t channel_id) {
    std::string text;
    NativeSubscribed subscribed{text, ""};
    SubscribedChannel entry;
    entry.channel = channel;
    entry.epoch = Epoch{9};
    if (form_ == Form::binary) entry.channel_id = channel_id;
    subscribed.add(entry);
    subscribed.finish();
    return reply(text);
  }
  /// A message of a channel that is none of the run's.
  Verifier::Taken foreign(std::string_view channel, std::uint32_t channel_id) {
    return verifier_->take(0, encoded({.channel = channel,
                                       .epoch = Epoch{9},
                                       .seq = Sequence{1},
                                       .published_at = WallTime{seconds{1}},
                                       .event = {},
                                       .message_id = {},
                                       .data = "17",
                                       .snapshot = false,
                                       .channel_id = channel_id}), Instant{});
  }
  /// JSON that is about no message.
  Verifier::Taken reply(std::string_view text) {
    if (form_ == Form::binary) return verifier_->take_other(0, text).value();
    return verifier_->take(0, text, Instant{});
  }
  void message(std::uint64_t seq, std::uint64_t counter, std::uint32_t channel = 0, std::string_view event = {}) {
    (void)verifier_->take(0, text_of(seq, writer_.write({Instant{seconds{1}}, counter, 0}), channel, event),
                          Instant{seconds{1} + milliseconds{5}});
  }
  void raw(std::uint64_t seq, std::string_view payload) {
    (void)verifier_->take(0, text_of(seq, payload, 0, {}), Instant{seconds{2}});
  }
  void gap(std::uint64_t from, std::uint64_t to) {
    const GapView view{.channel = plan_.names[0],
                       .from = Sequence{from},
                       .to = Sequence{to},
                       .reason = GapReason::dropped,
                       .channel_id = id_of(0)};
    std::string text(gap_payload_size(form_, view), '\0');
    (void)write_gap_payload(form_, view, reinterpret_cast<std::uint8_t*>(text.data()));
    (void)verifier_->take(0, text, Instant{});
  }
  const Tally& settle(std::uint64_t published, bool open = true) {
    verifier_->publishing_ended(std::vector<std::uint64_t>(plan_.names.size(), published));
    behind = verifier_->behind({open});
    verifier_->settle({open});
    return plan_.connections[0].slow ? verifier_->slow() : verifier_->ordinary();
  }
  Verifier& verifier() { return *verifier_; }
  void begin_publishing() { publishing_ = true; }
  std::uint64_t behind = 0;

  std::string text_of(std::uint64_t seq, std::string_view payload, std::uint32_t channel, std::string_view event) {
    const MessageView message{.channel = plan_.names[channel],
                              .epoch = Epoch{1},
                              .seq = Sequence{seq},
                              .published_at = WallTime{seconds{1}},
                              .event = event,
                              .message_id = {},
                              .data = payload,
                              .snapshot = false,
                              .channel_id = id_of(channel)};
    return encoded(message);
  }
  std::string encoded(const MessageView& message) {
    std::string text(message_payload_size(form_, message), '\0');
    (void)write_message_payload(form_, message, reinterpret_cast<std::uint8_t*>(text.data()));
    return text;
  }
  /// Not in the order of the names.
  static std::uint32_t id_of(std::uint32_t channel) { return 100 - 7 * channel; }

 private:
  Form form_;
  LoadOptions options_;
  LoadPlan plan_;
  std::optional<ChannelBases> bases_;
  std::atomic<bool> publishing_{false};
  std::atomic<std::int64_t> measure_from_{0};
  std::unique_ptr<Verifier> verifier_;
  PayloadTemplate writer_{kPayloadBytes};
};

class SequencedVerifierTest : public testing::TestWithParam<Form> {};

TEST_P(SequencedVerifierTest, IsContentWithAWholeStream) {
  for (const std::string_view event : {"", "trade"}) {           // with an event JSON goes through the general reader
    if (GetParam() == Form::binary && !event.empty()) continue;  // nobody published one
    Bench bench{GetParam()};
    EXPECT_EQ(bench.join(40), Verifier::Taken::joined);
    for (std::uint64_t i = 1; i <= 9; ++i) bench.message(40 + i, i, 0, event);
    const Tally& tally = bench.settle(9);
    EXPECT_EQ(tally.expected, 9U);
    EXPECT_EQ(tally.delivered, 9U);
    EXPECT_TRUE(tally.clean());
    EXPECT_EQ(bench.behind, 0U);
    EXPECT_EQ(bench.verifier().latency().count(), 9U);
    EXPECT_EQ(bench.verifier().latency().max(), 5'000'000U) << "from the instant at which it was due";
  }
}

struct FaultRow {
  std::string_view sentence;
  std::function<void(Bench&)> play;  // of ten messages, each seq = counter
  std::uint64_t delivered, lost, duplicated, reordered, gap_messages, altered;
};

TEST_P(SequencedVerifierTest, SeesEachFault) {
  const auto messages = [](Bench& bench, std::initializer_list<std::uint64_t> numbers) {
    for (const std::uint64_t number : numbers) bench.message(number, number);
  };
  const FaultRow rows[] = {
      {"lost in the middle",
       [&](Bench& b) {
         messages(b, {1, 2, 3, 4, 6, 7, 8, 9, 10});
       },
       9, 1, 0, 0, 0, 0},
      {"the end never came",
       [&](Bench& b) {
         messages(b, {1, 2, 3, 4, 5, 6, 7});
       },
       7, 3, 0, 0, 0, 0},
      {"nothing came", [&](Bench&) {}, 0, 10, 0, 0, 0, 0},
      {"one twice",
       [&](Bench& b) {
         messages(b, {1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10});
       },
       11, 0, 1, 0, 0, 0},
      {"two exchanged",
       [&](Bench& b) {
         messages(b, {1, 2, 4, 3, 5, 6, 7, 8, 9, 10});
       },
       10, 0, 0, 1, 0, 0},
      {"a gap that was told",
       [&](Bench& b) {
         messages(b, {1, 2, 3});
         b.gap(4, 8);
         messages(b, {9, 10});
       },
       5, 0, 0, 0, 5, 0},
      {"a gap that was told too small",
       [&](Bench& b) {
         messages(b, {1, 2, 3});
         b.gap(4, 7);
         messages(b, {9, 10});
       },
       5, 1, 0, 0, 4, 0},
      {"a gap in the payload's counter that seq hides",
       [&](Bench& b) {
         for (const std::uint64_t n : {1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U, 9U}) b.message(n, n < 5 ? n : n + 1);
         b.message(10, 11);
       },
       10, 1, 0, 0, 0, 0},
      {"published twice under two seqs",
       [&](Bench& b) {
         messages(b, {1, 2, 3, 4, 5});
         b.message(6, 5);
         for (const std::uint64_t n : {7U, 8U, 9U, 10U}) b.message(n, n - 1);
       },
       10, 0, 1, 0, 0, 0},
      {"a foreign payload",
       [&](Bench& b) {
         messages(b, {1, 2, 3, 4, 5, 6, 7, 8, 9});
         b.raw(10, R"({"hello":"world"})");
       },
       10, 0, 0, 0, 0, 1},
      {"a byte of padding changed",
       [&](Bench& b) {
         messages(b, {1, 2, 3, 4, 5, 6, 7, 8, 9});
         PayloadTemplate writer{kPayloadBytes};
         std::string payload{writer.write({Instant{}, 10, 0})};
         payload[payload.size() - 5] ^= 1;
         b.raw(10, payload);
       },
       10, 0, 0, 0, 0, 1},
  };
  for (const FaultRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    Bench bench{GetParam()};
    (void)bench.join();
    row.play(bench);
    const Tally& tally = bench.settle(10);
    EXPECT_EQ(tally.expected, 10U);
    EXPECT_EQ(tally.delivered, row.delivered);
    EXPECT_EQ(tally.lost, row.lost);
    EXPECT_EQ(tally.duplicated, row.duplicated);
    EXPECT_EQ(tally.reordered, row.reordered);
    EXPECT_EQ(tally.gap_messages, row.gap_messages);
    EXPECT_EQ(tally.altered, row.altered);
    EXPECT_EQ(tally.clean(), row.lost + row.duplicated + row.reordered + row.altered == 0);
  }
}

TEST_P(SequencedVerifierTest, KeepsTheChannelsOfAConnectionApart) {
  Bench bench{GetParam(), 3};
  EXPECT_EQ(bench.join(), Verifier::Taken::joined);
  for (std::uint64_t i = 1; i <= 5; ++i) {
    bench.message(i, i, 0);
    bench.message(i, i, 2, GetParam() == Form::binary ? "" : "event");
    if (i != 3) bench.message(i, i, 1);
  }
  const Tally& tally = bench.settle(5);
  EXPECT_EQ(tally.expected, 15U);
  EXPECT_EQ(tally.lost, 1U);
}

TEST_P(SequencedVerifierTest, LeavesTheChannelOfItsOwnUserAloneAndNoOtherThatItDidNotAskFor) {
  Bench bench{GetParam()};
  EXPECT_EQ(bench.join_personal_channel("user:alice", 7), Verifier::Taken::notice);
  EXPECT_EQ(bench.join(), Verifier::Taken::joined);
  bench.message(1, 1);
  EXPECT_EQ(bench.foreign("user:alice", 7), Verifier::Taken::notice) << "somebody writes to alice";
  bench.message(2, 2);
  (void)bench.foreign("orders", 8);
  const Tally& tally = bench.settle(2);
  EXPECT_EQ(tally.expected, 2U);
  EXPECT_EQ(tally.delivered, 2U);
  EXPECT_EQ(tally.lost, 0U);
  EXPECT_EQ(tally.altered, 1U) << "of a channel that nobody subscribed to";
}

TEST_P(SequencedVerifierTest, RefusesToRunWhereSomebodyElsePublishes) {
  Bench bench{GetParam()};
  EXPECT_EQ(bench.join(3), Verifier::Taken::joined);
  EXPECT_EQ(bench.join(4), Verifier::Taken::refused);
  EXPECT_TRUE(bench.verifier().trouble().contains("--prefix"));
}

TEST_P(SequencedVerifierTest, TellsWhyASubscriptionWasRefused) {
  Bench bench{GetParam()};
  std::string text;
  append_native_error(text,
                      NativeError{"1", ErrorCode::too_many_subscriptions, "at most 1", "load.000000", std::nullopt});
  EXPECT_EQ(bench.reply(text), Verifier::Taken::refused);
  EXPECT_TRUE(bench.verifier().trouble().contains("too_many_subscriptions: at most 1"));
}

TEST_P(SequencedVerifierTest, ExpectsOfAReconnectedSubscriberWhatWasPublishedMeanwhileItWasThere) {
  Bench bench{GetParam()};
  (void)bench.join();
  bench.begin_publishing();
  for (const std::uint64_t n : {1U, 2U, 3U}) bench.message(n, n);
  bench.verifier().left(0);
  EXPECT_EQ(bench.join(6), Verifier::Taken::joined);
  for (const std::uint64_t n : {7U, 8U, 9U, 10U}) bench.message(n, n);
  const Tally& tally = bench.settle(10);
  EXPECT_EQ(tally.expected, 7U);
  EXPECT_EQ(tally.delivered, 7U);
  EXPECT_TRUE(tally.clean());
}

struct ReturnRow {
  std::string_view sentence;
  std::function<void(Bench&)> play;  // after 1 to 3 arrived and the connection ended; ten are published
  std::uint64_t expected, delivered, lost, duplicated, resumed, unrecovered, caught_up;
};

TEST_P(SequencedVerifierTest, HoldsWhoResumesToOneUnbrokenRunOverAllItsConnections) {
  const auto messages = [](Bench& bench, std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t n = from; n <= to; ++n) bench.message(n, n);
  };
  const ReturnRow rows[] = {
      {"back where it was, with everything",
       [&](Bench& b) {
         b.join(6, true);
         messages(b, 4, 10);
       },
       10, 10, 0, 0, 1, 0, 3},
      {"twice away",
       [&](Bench& b) {
         b.join(6, true);
         messages(b, 4, 7);
         b.verifier().left(0);
         b.join(7, true);
         messages(b, 8, 10);
       },
       10, 10, 0, 0, 2, 0, 3},
      {"one is missing between the connections",
       [&](Bench& b) {
         b.join(6, true);
         messages(b, 5, 10);
       },
       10, 9, 1, 0, 1, 0, 3},
      {"one comes on both connections",
       [&](Bench& b) {
         b.join(6, true);
         messages(b, 3, 10);
       },
       10, 11, 0, 1, 1, 0, 3},
      {"the server says recovered and gives nothing of what was missed",
       [&](Bench& b) {
         b.join(6, true);
         messages(b, 7, 10);
       },
       10, 7, 3, 0, 1, 0, 3},
      {"told that it could not go on",
       [&](Bench& b) {
         b.join(6, false);
         messages(b, 7, 10);
       },
       10, 7, 3, 0, 0, 1, 0},
      {"a server that does not say whether it recovered has not",
       [&](Bench& b) {
         b.join(6);
         messages(b, 7, 10);
       },
       10, 7, 3, 0, 0, 1, 0},
      {"it never came back", [](Bench&) {}, 10, 3, 7, 0, 0, 0, 0},
      {"dropped while it joined",
       [&](Bench& b) {
         b.verifier().left(0);
         b.join(9, true);
         messages(b, 4, 10);
       },
       10, 10, 0, 0, 1, 0, 6},
  };
  for (const ReturnRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    Bench bench{GetParam(), 1, 0, true};
    EXPECT_EQ(bench.verifier().greeting(0), R"({"type":"subscribe","id":1,"channels":["load.000000"]})");
    (void)bench.join();
    bench.begin_publishing();
    messages(bench, 1, 3);
    bench.verifier().left(0);
    EXPECT_EQ(bench.verifier().greeting(0), R"({"type":"subscribe","id":1,"channels":["load.000000"],)"
                                            R"("resume":{"load.000000":{"epoch":"0000000000000001","seq":3}}})");
    row.play(bench);
    const Tally& tally = bench.settle(10);
    EXPECT_EQ(tally.expected, row.expected);
    EXPECT_EQ(tally.delivered, row.delivered);
    EXPECT_EQ(tally.lost, row.lost);
    EXPECT_EQ(tally.duplicated, row.duplicated);
    EXPECT_EQ(tally.resumed, row.resumed);
    EXPECT_EQ(tally.unrecovered, row.unrecovered);
    EXPECT_EQ(tally.caught_up, row.caught_up);
  }
}

TEST_P(SequencedVerifierTest, DoesNotTimeWhatWasPublishedWhileItsReaderWasAway) {
  Bench bench{GetParam(), 1, 0, true};
  (void)bench.join();
  bench.begin_publishing();
  bench.message(1, 1);
  bench.verifier().left(0);
  (void)bench.join(4, true);
  for (std::uint64_t n = 2; n <= 5; ++n) bench.message(n, n);
  EXPECT_EQ(bench.verifier().latency().count(), 2U) << "the first and the fifth";
}

TEST_P(SequencedVerifierTest, ForgivesASlowReaderOnlyTheTailThatItWasClosedBefore) {
  Bench cut{GetParam(), 1, 100};
  (void)cut.join();
  for (const std::uint64_t n : {1U, 2U, 3U}) cut.message(n, n);
  const Tally& closed = cut.settle(10, false);
  EXPECT_EQ(closed.cut_off, 7U);
  EXPECT_TRUE(closed.clean());

  Bench silent{GetParam(), 1, 100};
  (void)silent.join();
  for (const std::uint64_t n : {1U, 3U}) silent.message(n, n);
  EXPECT_EQ(silent.settle(10, false).lost, 1U) << "silence about a gap is a bug, for slow readers too";

  Bench open{GetParam(), 1, 100};
  (void)open.join();
  open.message(1, 1);
  EXPECT_EQ(open.settle(10, true).lost, 9U) << "still connected, so the rest was due";
}

INSTANTIATE_TEST_SUITE_P(Dialects, SequencedVerifierTest, testing::Values(Form::native_json, Form::binary),
                         [](const auto& parameter) { return parameter.param == Form::binary ? "binary" : "native"; });

// ---- what only records can get wrong ----

TEST(BinaryVerifier, TakesEveryRecordOfAMessage) {
  Bench bench{Form::binary};
  (void)bench.join();
  PayloadTemplate writer{kPayloadBytes};
  std::string together;
  for (std::uint64_t n = 1; n <= 4; ++n) together += bench.text_of(n, writer.write({Instant{}, n, 0}), 0, {});
  EXPECT_EQ(bench.verifier().take(0, together, Instant{}), Verifier::Taken::message);
  EXPECT_EQ(bench.settle(4).delivered, 4U);
}

TEST(BinaryVerifier, FindsRecordsThatAreNotAsTheyWerePublished) {
  struct Row {
    std::string_view sentence;
    std::function<void(std::string&)> change;  // of the third of ten
  };
  const Row rows[] = {
      {"of another channel", [](std::string& record) { record[4] ^= 1; }},
      {"with a flag", [](std::string& record) { record[2] = RCB_SNAPSHOT; }},
      {"without a time", [](std::string& record) { record.replace(16, 8, 8, '\0'); }},
      {"with a byte more", [](std::string& record) { record += 'x'; }},
      {"a byte short", [](std::string& record) { record.pop_back(); }},
      {"of another version", [](std::string& record) { record[0] = 2; }},
      {"a byte of the padding changed", [](std::string& record) { record[record.size() - 5] ^= 1; }},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    Bench bench{Form::binary};
    (void)bench.join();
    PayloadTemplate writer{kPayloadBytes};
    for (std::uint64_t n = 1; n <= 10; ++n) {
      std::string record = bench.text_of(n, writer.write({Instant{}, n, 0}), 0, {});
      if (n == 3) row.change(record);
      (void)bench.verifier().take(0, record, Instant{});
    }
    EXPECT_GE(bench.settle(10).altered, 1U);
    EXPECT_FALSE(bench.verifier().first_fault().empty());
  }
}

TEST(BinaryVerifier, WantsRecordsWhereRecordsAreDueAndSkipsTheKindsOfALaterVersion) {
  Bench bench{Form::binary};
  (void)bench.join();
  std::string unknown(RCB_HEADER_BYTES, '\0');
  unknown[0] = RCB_VERSION;
  unknown[1] = 60;
  EXPECT_EQ(bench.verifier().take(0, unknown, Instant{}), Verifier::Taken::notice);
  EXPECT_TRUE(bench.settle(0).clean());
  (void)bench.reply(R"({"type":"message","channel":"load.000000","seq":1,"data":1})");
  EXPECT_EQ(bench.settle(0).altered, 1U);
}

TEST(BinaryPublisher, WritesItsRecordsAroundAPayloadOfThatSizeAndCountsEachRefusal) {
  BinaryPublisherDialect dialect{5};
  const auto around = dialect.around("orders");
  const std::string record = around.before + "12345" + around.after;
  BinaryDecoder decoder;
  const auto decoded = decoder.decode(as_bytes(record));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->bytes, record.size());
  EXPECT_EQ(decoded->command.kind, CommandKind::publish);
  EXPECT_EQ(decoded->command.channel, "orders");
  EXPECT_EQ(decoded->command.data, "12345");
  EXPECT_FALSE(read_binary_id(decoded->command.id)->wants_answer) << "only an error is answered";

  std::string answers;
  append_binary_error(answers, {.request = 0, .code = ErrorCode::overloaded, .message = "not now"});
  append_binary_error(answers, {.request = 0, .code = ErrorCode::rate_limited, .message = "too fast"});
  const auto refused = dialect.take(0, answers);
  EXPECT_EQ(refused.refusals, 2U);
  EXPECT_EQ(refused.refusal, "overloaded: not now");
  EXPECT_TRUE(dialect.take_other(0, R"({"type":"welcome"})").refusal.empty());
}

TEST(BinaryPublisher, HearsWhatIsPublishedToTheUserOfItsUrlAndTakesItForNoRefusal) {
  BinaryPublisherDialect dialect{5};
  const auto message = [](std::uint32_t channel_id) {
    const MessageView view{.channel = "user:alice",
                           .epoch = Epoch{9},
                           .seq = Sequence{1},
                           .published_at = WallTime{seconds{1}},
                           .event = {},
                           .message_id = {},
                           .data = "17",
                           .snapshot = false,
                           .channel_id = channel_id};
    std::string record(message_payload_size(Form::binary, view), '\0');
    (void)write_message_payload(Form::binary, view, reinterpret_cast<std::uint8_t*>(record.data()));
    return record;
  };
  const std::string given = R"({"type":"subscribed","channels":[{"channel":"user:alice",)"
                            R"("epoch":"0000000000000009","seq":0,"channel_id":7}]})";
  EXPECT_TRUE(dialect.take_other(0, given).refusal.empty());
  EXPECT_TRUE(dialect.take(0, message(7)).refusal.empty());
  EXPECT_FALSE(dialect.take(0, message(8)).refusal.empty()) << "of a channel that it has not";
}

}  // namespace
}  // namespace ringcast
