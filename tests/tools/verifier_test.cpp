// tests/tools/verifier_test.cpp: the two verifiers see each fault that a server could commit.
#include <gtest/gtest.h>

#include <fstream>

#include "codec/dialect/encode.hpp"
#include "codec/dialect/native_reply.hpp"
#include "tests/doubles/temporary_file.hpp"
#include "tools/load/feed_verifier.hpp"
#include "tools/load/native_verifier.hpp"

namespace ringcast {
namespace {

constexpr std::uint32_t kPayloadBytes = 100;

/// One subscriber of two channels, or of one, and what a server would say to it.
class NativeBench {
 public:
  explicit NativeBench(std::uint32_t channels = 1, double slow = 0, bool resumes = false) {
    options_.connections = 1;
    options_.channels = channels;
    options_.slow = slow;
    plan_ = plan_synthetic(options_);
    bases_.emplace(plan_.names.size());
    verifier_.emplace(plan_, plan_.connections, kPayloadBytes, *bases_, publishing_, measure_from_, resumes);
  }
  Verifier::Taken join(std::uint64_t seq = 0, std::optional<bool> recovered = {}, Epoch epoch = Epoch{1}) {
    std::string text;
    NativeSubscribed subscribed{text, "1"};
    for (const std::string& name : plan_.names) {
      SubscribedChannel entry;
      entry.channel = name;
      entry.epoch = epoch;
      entry.seq = Sequence{seq};
      entry.recovered = recovered;
      subscribed.add(entry);
    }
    subscribed.finish();
    return verifier_->take(0, text, Instant{});
  }
  void message(std::uint64_t seq, std::uint64_t counter, std::uint32_t channel = 0, std::string_view event = {}) {
    (void)verifier_->take(0, text_of(seq, writer_.write({Instant{seconds{1}}, counter, 0}), channel, event),
                          Instant{seconds{1} + milliseconds{5}});
  }
  void raw(std::uint64_t seq, std::string_view payload) {
    (void)verifier_->take(0, text_of(seq, payload, 0, {}), Instant{seconds{2}});
  }
  void gap(std::uint64_t from, std::uint64_t to, std::string_view channel = "load.000000") {
    std::string text;
    append_native_gap(text, {channel, Sequence{from}, Sequence{to}, GapReason::dropped, Epoch{}});
    (void)verifier_->take(0, text, Instant{});
  }
  const Tally& settle(std::uint64_t published, bool open = true) {
    verifier_->publishing_ended(std::vector<std::uint64_t>(plan_.names.size(), published));
    behind = verifier_->behind({open});
    verifier_->settle({open});
    return plan_.connections[0].slow ? verifier_->slow() : verifier_->ordinary();
  }
  NativeVerifier& verifier() { return *verifier_; }
  void begin_publishing() { publishing_ = true; }
  std::uint64_t behind = 0;

 private:
  std::string text_of(std::uint64_t seq, std::string_view payload, std::uint32_t channel, std::string_view event) {
    const MessageView message{.channel = plan_.names[channel],
                              .epoch = Epoch{1},
                              .seq = Sequence{seq},
                              .published_at = WallTime{seconds{1}},
                              .event = event,
                              .message_id = {},
                              .data = payload,
                              .snapshot = false};
    std::string text(message_payload_size(Form::native_json, message), '\0');
    (void)write_message_payload(Form::native_json, message, reinterpret_cast<std::uint8_t*>(text.data()));
    return text;
  }
  LoadOptions options_;
  LoadPlan plan_;
  std::optional<ChannelBases> bases_;
  std::atomic<bool> publishing_{false};
  std::atomic<std::int64_t> measure_from_{0};
  std::optional<NativeVerifier> verifier_;
  PayloadTemplate writer_{kPayloadBytes};
};

TEST(NativeVerifier, IsContentWithAWholeStream) {
  for (const std::string_view event : {"", "trade"}) {  // with an event the message goes through the general reader
    NativeBench bench;
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
  std::function<void(NativeBench&)> play;  // of ten messages, each seq = counter
  std::uint64_t delivered, lost, duplicated, reordered, gap_messages, altered;
};

TEST(NativeVerifier, SeesEachFault) {
  const auto messages = [](NativeBench& bench, std::initializer_list<std::uint64_t> numbers) {
    for (const std::uint64_t number : numbers) bench.message(number, number);
  };
  const FaultRow rows[] = {
      {"lost in the middle",
       [&](NativeBench& b) {
         messages(b, {1, 2, 3, 4, 6, 7, 8, 9, 10});
       },
       9, 1, 0, 0, 0, 0},
      {"the end never came",
       [&](NativeBench& b) {
         messages(b, {1, 2, 3, 4, 5, 6, 7});
       },
       7, 3, 0, 0, 0, 0},
      {"nothing came", [&](NativeBench&) {}, 0, 10, 0, 0, 0, 0},
      {"one twice",
       [&](NativeBench& b) {
         messages(b, {1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10});
       },
       11, 0, 1, 0, 0, 0},
      {"two exchanged",
       [&](NativeBench& b) {
         messages(b, {1, 2, 4, 3, 5, 6, 7, 8, 9, 10});
       },
       10, 0, 0, 1, 0, 0},
      {"a gap that was told",
       [&](NativeBench& b) {
         messages(b, {1, 2, 3});
         b.gap(4, 8);
         messages(b, {9, 10});
       },
       5, 0, 0, 0, 5, 0},
      {"a gap that was told too small",
       [&](NativeBench& b) {
         messages(b, {1, 2, 3});
         b.gap(4, 7);
         messages(b, {9, 10});
       },
       5, 1, 0, 0, 4, 0},
      {"a gap in the payload's counter that seq hides",
       [&](NativeBench& b) {
         for (const std::uint64_t n : {1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U, 9U}) b.message(n, n < 5 ? n : n + 1);
         b.message(10, 11);
       },
       10, 1, 0, 0, 0, 0},
      {"published twice under two seqs",
       [&](NativeBench& b) {
         messages(b, {1, 2, 3, 4, 5});
         b.message(6, 5);
         for (const std::uint64_t n : {7U, 8U, 9U, 10U}) b.message(n, n - 1);
       },
       10, 0, 1, 0, 0, 0},
      {"a foreign payload",
       [&](NativeBench& b) {
         messages(b, {1, 2, 3, 4, 5, 6, 7, 8, 9});
         b.raw(10, R"({"hello":"world"})");
       },
       10, 0, 0, 0, 0, 1},
      {"a byte of padding changed",
       [&](NativeBench& b) {
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
    NativeBench bench;
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

TEST(NativeVerifier, KeepsTheChannelsOfAConnectionApart) {
  NativeBench bench{3};
  EXPECT_EQ(bench.join(), Verifier::Taken::joined);
  for (std::uint64_t i = 1; i <= 5; ++i) {
    bench.message(i, i, 0);
    bench.message(i, i, 2, "event");
    if (i != 3) bench.message(i, i, 1);
  }
  const Tally& tally = bench.settle(5);
  EXPECT_EQ(tally.expected, 15U);
  EXPECT_EQ(tally.lost, 1U);
}

TEST(NativeVerifier, RefusesToRunWhereSomebodyElsePublishes) {
  NativeBench bench;
  EXPECT_EQ(bench.join(3), Verifier::Taken::joined);
  EXPECT_EQ(bench.join(4), Verifier::Taken::refused);
  EXPECT_TRUE(bench.verifier().trouble().contains("--prefix"));
}

TEST(NativeVerifier, TellsWhyASubscriptionWasRefused) {
  NativeBench bench;
  std::string text;
  append_native_error(text,
                      NativeError{"1", ErrorCode::too_many_subscriptions, "at most 1", "load.000000", std::nullopt});
  EXPECT_EQ(bench.verifier().take(0, text, Instant{}), Verifier::Taken::refused);
  EXPECT_TRUE(bench.verifier().trouble().contains("too_many_subscriptions: at most 1"));
}

TEST(NativeVerifier, ExpectsOfAReconnectedSubscriberWhatWasPublishedMeanwhileItWasThere) {
  NativeBench bench;
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
  std::function<void(NativeBench&)> play;  // after 1 to 3 arrived and the connection ended; ten are published
  std::uint64_t expected, delivered, lost, duplicated, resumed, unrecovered, caught_up;
};

TEST(NativeVerifier, HoldsWhoResumesToOneUnbrokenRunOverAllItsConnections) {
  const auto messages = [](NativeBench& bench, std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t n = from; n <= to; ++n) bench.message(n, n);
  };
  const ReturnRow rows[] = {
      {"back where it was, with everything",
       [&](NativeBench& b) {
         b.join(6, true);
         messages(b, 4, 10);
       },
       10, 10, 0, 0, 1, 0, 3},
      {"twice away",
       [&](NativeBench& b) {
         b.join(6, true);
         messages(b, 4, 7);
         b.verifier().left(0);
         b.join(7, true);
         messages(b, 8, 10);
       },
       10, 10, 0, 0, 2, 0, 3},
      {"one is missing between the connections",
       [&](NativeBench& b) {
         b.join(6, true);
         messages(b, 5, 10);
       },
       10, 9, 1, 0, 1, 0, 3},
      {"one comes on both connections",
       [&](NativeBench& b) {
         b.join(6, true);
         messages(b, 3, 10);
       },
       10, 11, 0, 1, 1, 0, 3},
      {"the server says recovered and gives nothing of what was missed",
       [&](NativeBench& b) {
         b.join(6, true);
         messages(b, 7, 10);
       },
       10, 7, 3, 0, 1, 0, 3},
      {"told that it could not go on",
       [&](NativeBench& b) {
         b.join(6, false);
         messages(b, 7, 10);
       },
       10, 7, 3, 0, 0, 1, 0},
      {"a server that does not say whether it recovered has not",
       [&](NativeBench& b) {
         b.join(6);
         messages(b, 7, 10);
       },
       10, 7, 3, 0, 0, 1, 0},
      {"it never came back", [](NativeBench&) {}, 10, 3, 7, 0, 0, 0, 0},
      {"dropped while it joined",
       [&](NativeBench& b) {
         b.verifier().left(0);
         b.join(9, true);
         messages(b, 4, 10);
       },
       10, 10, 0, 0, 1, 0, 6},
  };
  for (const ReturnRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    NativeBench bench{1, 0, true};
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

TEST(NativeVerifier, DoesNotTimeWhatWasPublishedWhileItsReaderWasAway) {
  NativeBench bench{1, 0, true};
  (void)bench.join();
  bench.begin_publishing();
  bench.message(1, 1);
  bench.verifier().left(0);
  (void)bench.join(4, true);
  for (std::uint64_t n = 2; n <= 5; ++n) bench.message(n, n);
  EXPECT_EQ(bench.verifier().latency().count(), 2U) << "the first and the fifth";
}

TEST(NativeVerifier, ForgivesASlowReaderOnlyTheTailThatItWasClosedBefore) {
  NativeBench cut{1, 100};
  (void)cut.join();
  for (const std::uint64_t n : {1U, 2U, 3U}) cut.message(n, n);
  const Tally& closed = cut.settle(10, false);
  EXPECT_EQ(closed.cut_off, 7U);
  EXPECT_TRUE(closed.clean());

  NativeBench silent{1, 100};
  (void)silent.join();
  for (const std::uint64_t n : {1U, 3U}) silent.message(n, n);
  EXPECT_EQ(silent.settle(10, false).lost, 1U) << "silence about a gap is a bug, for slow readers too";

  NativeBench open{1, 100};
  (void)open.join();
  open.message(1, 1);
  EXPECT_EQ(open.settle(10, true).lost, 9U) << "still connected, so the rest was due";
}

// ---- feeds ----

constexpr std::string_view kFeedText =
    "1000000000 {\"stream\":\"b@trade\",\"data\":{\"t\":1}}\n"
    "1000000100 {\"stream\":\"b@depth\",\"data\":{\"e\":\"depthUpdate\",\"U\":1,\"u\":5,\"b\":[],\"a\":[]}}\n"
    "1000000200 {\"stream\":\"b@trade\",\"data\":{\"t\":2}}\n"
    "1000000300 {\"stream\":\"b@depth\",\"data\":{\"e\":\"depthUpdate\",\"U\":6,\"u\":9,\"b\":[],\"a\":[]}}\n"
    "1000000400 {\"stream\":\"b@trade\",\"data\":{\"t\":3}}\n"
    "1000000500 {\"stream\":\"b@depth\",\"data\":{\"e\":\"depthUpdate\",\"U\":10,\"u\":10,\"b\":[],\"a\":[]}}\n";

class FeedBench {
 public:
  explicit FeedBench(std::uint32_t streams = 1, double slow = 0, std::string_view text = kFeedText) : file_{text} {
    auto feed = Feed::load({file_.path()});
    if (!feed) throw std::runtime_error{feed.error()};
    feed_ = std::move(*feed);
    options_.connections = 4;
    options_.streams_per_connection = streams;
    options_.slow = slow;
    plan_ = plan_feed(options_, feed_);
    clock_.speed = Speed{2};
    clock_.start = 1'000;
    verifier_.emplace(plan_, plan_.connections, feed_, clock_);
  }
  Verifier::Taken join(std::uint32_t index, std::string_view answer) {
    return verifier_->take(index, answer, Instant{});
  }
  void message(std::uint32_t index, std::string_view text) {
    (void)verifier_->take(index, text, Instant{nanoseconds{2'000}});
  }
  const Tally& settle(std::vector<bool> open) {
    std::vector<std::uint64_t> published;
    for (const FeedStream& stream : feed_.streams()) published.push_back(stream.payloads.size());
    verifier_->publishing_ended(published);
    behind = verifier_->behind(open);
    verifier_->settle(open);
    return verifier_->ordinary();
  }
  FeedVerifier& verifier() { return *verifier_; }
  Feed& feed() { return feed_; }
  LoadPlan& plan() { return plan_; }
  std::uint64_t behind = 0;

 private:
  TemporaryFile file_;
  Feed feed_;
  LoadOptions options_;
  LoadPlan plan_;
  FeedClock clock_;
  std::optional<FeedVerifier> verifier_;
};

TEST(Feed, HoldsEveryStreamWithItsTimesAndDepthIds) {
  FeedBench bench;
  const auto& streams = bench.feed().streams();
  ASSERT_EQ(streams.size(), 2U);
  EXPECT_EQ(streams[0].name, "b@trade");
  EXPECT_EQ(streams[0].payloads[1], R"({"t":2})");
  EXPECT_EQ(streams[0].received[1], nanoseconds{200});
  EXPECT_TRUE(streams[0].depth_ids.empty());
  ASSERT_EQ(streams[1].depth_ids.size(), 3U);
  EXPECT_EQ(streams[1].depth_ids[2].last, 10U);
  EXPECT_EQ(bench.feed().messages().size(), 6U);
  EXPECT_EQ(bench.feed().length(), nanoseconds{500});
}

TEST(Feed, IsRefusedWithItsLineWhenItIsCorrupt) {
  const TemporaryFile file{"1 {\"stream\":\"a\",\"data\":1}\n2 {\"stream\":\"a\",\"data\":nonsense}\n"};
  const auto feed = Feed::load({file.path()});
  ASSERT_FALSE(feed.has_value());
  EXPECT_TRUE(feed.error().contains(":2:")) << feed.error();
}

TEST(FeedVerifier, AsksForRawStreamsAloneAndForCombinedOnesTogether) {
  FeedBench bench{2};
  EXPECT_EQ(bench.verifier().target(0, ""), "/ws/b@trade");
  EXPECT_EQ(bench.verifier().target(1, "user=7"), "/ws/b@depth?user=7");
  EXPECT_EQ(bench.verifier().target(2, ""), "/stream?streams=b@trade/b@depth");
  EXPECT_EQ(bench.join(0, R"({"result":["b@trade"],"id":1})"), Verifier::Taken::joined);
  EXPECT_EQ(bench.join(2, R"({"result":["b@trade"],"id":1})"), Verifier::Taken::refused) << "one is missing";
  EXPECT_EQ(bench.join(1, R"({"error":{"code":2,"msg":"no"},"id":1})"), Verifier::Taken::refused);
}

struct FeedRow {
  std::string_view sentence;
  std::vector<std::string_view> texts;
  std::uint64_t lost, duplicated, reordered, altered;
};

TEST(FeedVerifier, ComparesEveryMessageWithTheFile) {
  constexpr std::string_view one = R"({"t":1})", two = R"({"t":2})", three = R"({"t":3})";
  const FeedRow rows[] = {
      {"whole", {one, two, three}, 0, 0, 0, 0},
      {"one lost", {one, three}, 1, 0, 0, 0},
      {"the last lost", {one, two}, 1, 0, 0, 0},
      {"one twice", {one, two, two, three}, 0, 1, 0, 0},
      {"two exchanged", {two, one, three}, 0, 0, 1, 0},
      {"one altered, so it is also missing", {one, R"({"t":4})", three}, 1, 0, 0, 1},
      {"an equal value spelled otherwise", {one, R"({"t": 2})", three}, 1, 0, 0, 1},
      {"more than there is", {one, two, three, R"({"t":4})"}, 0, 0, 0, 1},
  };
  for (const FeedRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    FeedBench bench;
    (void)bench.join(0, R"({"result":["b@trade"],"id":1})");
    for (const std::string_view text : row.texts) bench.message(0, text);
    constexpr std::uint64_t kOthers = 9;  // the three other subscribers receive nothing
    const Tally& tally = bench.settle({true, true, true, true});
    EXPECT_EQ(tally.lost, row.lost + kOthers);
    EXPECT_EQ(tally.duplicated, row.duplicated);
    EXPECT_EQ(tally.reordered, row.reordered);
    EXPECT_EQ(tally.altered, row.altered);
    EXPECT_EQ(tally.delivered, row.texts.size());
  }
}

TEST(FeedVerifier, UnwrapsCombinedMessagesAndFollowsDepthIds) {
  FeedBench bench{2};
  (void)bench.join(2, R"({"result":["b@trade","b@depth"],"id":1})");
  const auto& streams = bench.feed().streams();
  for (const FeedMessage& message : bench.feed().messages()) {
    const FeedStream& stream = streams[message.stream];
    bench.message(2,
                  "{\"stream\":\"" + stream.name + "\",\"data\":" + std::string{stream.payloads[message.index]} + "}");
  }
  const Tally& tally = bench.settle({true, true, true, true});
  EXPECT_EQ(tally.delivered, 6U);
  EXPECT_EQ(tally.depth_updates, 3U);
  EXPECT_EQ(tally.depth_breaks, 0U);
  EXPECT_EQ(bench.verifier().latency().count(), 6U);
  EXPECT_EQ(bench.verifier().latency_min(), 2'000U - 1'000U - 250U) << "the last was due 500 ns / 2 after the start";
}

TEST(FeedVerifier, SeesABreakInTheExchangesOwnIds) {
  FeedBench bench{1, 0,
                  "1 {\"stream\":\"d\",\"data\":{\"e\":\"depthUpdate\",\"U\":1,\"u\":5}}\n"
                  "2 {\"stream\":\"d\",\"data\":{\"e\":\"depthUpdate\",\"U\":7,\"u\":9}}\n"};
  (void)bench.join(0, R"({"result":["d"],"id":1})");
  for (const std::string_view payload : bench.feed().streams()[0].payloads) bench.message(0, payload);
  EXPECT_EQ(bench.settle({true, false, false, false}).depth_breaks, 1U);
}

}  // namespace
}  // namespace ringcast
