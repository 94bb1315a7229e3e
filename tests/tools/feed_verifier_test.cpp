// tests/tools/feed_verifier_test.cpp: the verifier of captured feeds sees each fault that a server could commit.
#include "tools/load/feed_verifier.hpp"

#include <gtest/gtest.h>

#include <array>
#include <fstream>

#include "tests/doubles/temporary_file.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kFeedText =
    "1000000000 {\"stream\":\"b@trade\",\"data\":{\"t\":1}}\n"
    "1000000100 {\"stream\":\"b@depth\",\"data\":{\"e\":\"depthUpdate\",\"U\":1,\"u\":5,\"b\":[],\"a\":[]}}\n"
    "1000000200 {\"stream\":\"b@trade\",\"data\":{\"t\":2}}\n"
    "1000000300 {\"stream\":\"b@depth\",\"data\":{\"e\":\"depthUpdate\",\"U\":6,\"u\":9,\"b\":[],\"a\":[]}}\n"
    "1000000400 {\"stream\":\"b@trade\",\"data\":{\"t\":3}}\n"
    "1000000500 {\"stream\":\"b@depth\",\"data\":{\"e\":\"depthUpdate\",\"U\":10,\"u\":10,\"b\":[],\"a\":[]}}\n";

class FeedBench {
 public:
  explicit FeedBench(std::uint32_t streams = 1, double slow = 0, std::string_view text = kFeedText,
                     double inflate = 100)
      : file_{text} {
    auto feed = Feed::load({file_.path()});
    if (!feed) throw std::runtime_error{feed.error()};
    feed_ = std::move(*feed);
    options_.connections = 4;
    options_.streams_per_connection = streams;
    options_.slow = slow;
    options_.inflate = inflate;
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
  bool packed(std::uint32_t index) { return verifier_->take_packed(index, Instant{nanoseconds{2'000}}); }
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

TEST(FeedVerifier, LetsOneRoundOfTheStreamsUnpackAndTheOthersCount) {
  FeedBench bench{1, 0, kFeedText, 5};  // two streams, four connections
  const auto& connections = bench.plan().connections;
  EXPECT_EQ((std::array{connections[0].skims, connections[1].skims, connections[2].skims, connections[3].skims}),
            (std::array{false, false, true, true}));
  FeedBench everybody;
  for (const PlannedConnection& connection : everybody.plan().connections) EXPECT_FALSE(connection.skims);
}

struct PackedRow {
  std::string_view sentence;
  std::string_view texts;  // c: a compressed message, left packed; 1 to 3: that one of the stream, read
  std::uint64_t lost, altered, delivered;
};

TEST(FeedVerifier, CountsCompressedMessagesInTheirPlace) {
  const PackedRow rows[] = {
      {"all of them packed", "ccc", 0, 0, 3},
      {"one that was too small in between", "c2c", 0, 0, 3},
      {"the last lost", "cc", 1, 0, 2},
      {"one lost, seen by the next that is read", "c3", 1, 0, 2},
      {"one twice, seen by the next that is read", "cc2", 1, 0, 3},
  };
  for (const PackedRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    FeedBench bench{1, 0, kFeedText, 5};
    EXPECT_FALSE(bench.packed(2)) << "what comes before it has joined is read";
    (void)bench.join(2, R"({"result":["b@trade"],"id":1})");
    for (const char text : row.texts) {
      if (text == 'c') {
        EXPECT_TRUE(bench.packed(2));
      } else {
        bench.message(2, std::string{R"({"t":)"} + text + "}");
      }
    }
    constexpr std::uint64_t kOthers = 9;  // the three other subscribers receive nothing
    const Tally& tally = bench.settle({true, true, true, true});
    EXPECT_EQ(tally.lost, row.lost + kOthers);
    EXPECT_EQ(tally.altered, row.altered);
    EXPECT_EQ(tally.delivered, row.delivered);
    EXPECT_EQ(bench.verifier().latency().count(), row.delivered);
  }
}

TEST(FeedVerifier, ReadsACompressedMessageThatIsOneTooMany) {
  FeedBench bench{1, 0, kFeedText, 5};
  (void)bench.join(2, R"({"result":["b@trade"],"id":1})");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bench.packed(2));
  EXPECT_FALSE(bench.packed(2));
}

TEST(FeedVerifier, DoesNotUnpackStreamsThatItCannotTellApart) {
  FeedBench bench{2};
  (void)bench.join(2, R"({"result":["b@trade","b@depth"],"id":1})");
  EXPECT_FALSE(bench.packed(2));
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
