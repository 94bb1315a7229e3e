// tests/tools/book_snapshots_test.cpp: which snapshot of a book is published when, and as of which seq.
#include "tools/book_snapshots.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringcast {
namespace {

constexpr Epoch kEpoch{7};

/// A feed of one or several files, the publishes that it becomes, and the answers that the test lets come.
class Bench {
 public:
  explicit Bench(nanoseconds interval = seconds{10})
      : books{interval, [this](const std::string& sentence) { reports.push_back(sentence); }} {}

  /// An update of the stream at `at` seconds; returns the id of its publish.
  std::uint64_t update(std::int64_t at, std::uint64_t first, std::uint64_t last, std::string_view stream = "x@depth",
                       std::size_t file = 0, std::string_view price = "1") {
    const std::string data = R"({"e":"depthUpdate","U":)" + std::to_string(first) + R"(,"u":)" + std::to_string(last) +
                             R"(,"b":[[")" + std::string{price} + R"(",")" + std::to_string(last) + R"("]],"a":[]})";
    return message(at, data, stream, file);
  }
  std::uint64_t message(std::int64_t at, const std::string& data, std::string_view stream, std::size_t file = 0) {
    books.take_message({file, "f", ++lines_}, line(at, data, stream), "p." + std::string{stream}, ++published_);
    return published_;
  }
  void exchange(std::int64_t at, std::uint64_t id, std::size_t file = 0, std::string_view price = "1") {
    CaptureLine snapshot = line(at, {}, {});
    const std::string bids = R"([[")" + std::string{price} + R"(",")" + std::to_string(id) + R"("]])";
    snapshot.kind = CaptureKind::order_book_snapshot;
    snapshot.last_update_id = id;
    snapshot.bids = bids;
    snapshot.asks = "[]";
    books.take_snapshot({file, "f", ++lines_}, snapshot);
  }
  void published(std::uint64_t id, std::uint64_t seq, std::string_view channel = "p.x@depth", Epoch epoch = kEpoch) {
    const std::string text = std::to_string(id);
    ServerMessage answer;
    answer.kind = ServerMessage::Kind::published;
    answer.id = text;
    answer.channel = channel;
    answer.epoch = epoch;
    answer.seq = Sequence{seq};
    books.take_answer(answer);
  }
  void refused(std::uint64_t id) {
    const std::string text = std::to_string(id);
    ServerMessage answer;
    answer.kind = ServerMessage::Kind::error;
    answer.id = text;
    books.take_answer(answer);
  }
  /// What is due now: "channel as_of lastUpdateId"; empty: nothing.
  std::string due() {
    const auto next = books.next();
    if (!next) return {};
    const auto book = read_book_snapshot(next->data);
    EXPECT_TRUE(book.has_value()) << next->data;
    return std::string{next->channel} + " " + std::to_string(value(next->as_of)) + " " +
           std::to_string(book ? book->last_update_id : 0);
  }

  std::vector<std::string> reports;
  BookSnapshots books;

 private:
  static CaptureLine line(std::int64_t at, std::string_view data, std::string_view stream) {
    CaptureLine line;
    line.received = WallTime{seconds{at}};
    line.kind = CaptureKind::stream_message;
    line.stream = stream;
    line.data = data;
    return line;
  }
  std::uint64_t lines_ = 0, published_ = 0;
};

TEST(BookSnapshots, ComeAtOnceWithTheBookAndThenEachInterval) {
  Bench bench;
  const auto first = bench.update(100, 1, 5);
  bench.published(first, 1);
  EXPECT_EQ(bench.due(), "") << "no book yet";
  bench.exchange(101, 5);
  EXPECT_EQ(bench.due(), "p.x@depth 2 5");
  EXPECT_EQ(bench.due(), "") << "once";
  std::vector<std::string> due;
  for (std::int64_t at = 102; at < 135; ++at) {
    const std::uint64_t id = static_cast<std::uint64_t>(at) - 96;
    bench.published(bench.update(at, id, id), id - 4);
    if (const std::string next = bench.due(); !next.empty()) due.push_back(std::to_string(at) + ": " + next);
  }
  EXPECT_EQ(due, (std::vector<std::string>{"111: p.x@depth 12 15", "121: p.x@depth 22 25", "131: p.x@depth 32 35"}));
}

TEST(BookSnapshots, AreAsOfTheSeqBehindTheLastUpdateInThemHoweverMuchIsOnItsWay) {
  Bench bench;
  const auto first = bench.update(100, 1, 5);
  bench.exchange(100, 5);
  EXPECT_EQ(bench.due(), "") << "the update has no seq yet";
  const auto second = bench.update(100, 6, 6);
  const auto third = bench.update(100, 7, 7);
  bench.published(first, 901);
  EXPECT_EQ(bench.due(), "p.x@depth 902 5") << "without what was published later";
  bench.published(second, 902);
  bench.published(third, 905);
  EXPECT_EQ(bench.due(), "");
}

TEST(BookSnapshots, OfABookInWhichNothingHappensComeAllTheSame) {
  Bench bench;
  bench.published(bench.update(100, 1, 5), 1);
  bench.exchange(100, 5);
  EXPECT_EQ(bench.due(), "p.x@depth 2 5");
  bench.message(105, "1", "x@trade");
  EXPECT_EQ(bench.due(), "");
  bench.message(110, "1", "x@trade");
  EXPECT_EQ(bench.due(), "p.x@depth 2 5");
  bench.message(145, "1", "x@trade");
  EXPECT_EQ(bench.due(), "p.x@depth 2 5");
  EXPECT_EQ(bench.due(), "") << "what was passed over is not made up for";
  bench.message(149, "1", "x@trade");
  EXPECT_EQ(bench.due(), "");
  bench.message(150, "1", "x@trade");
  EXPECT_EQ(bench.due(), "p.x@depth 2 5");
}

TEST(BookSnapshots, WaitForTheirAnswerAndAreNotPutOffByNewerOnes) {
  Bench bench{seconds{1}};
  const auto first = bench.update(100, 1, 5);
  bench.exchange(100, 5);
  std::vector<std::uint64_t> ids;
  for (std::uint64_t i = 6; i < 20; ++i) ids.push_back(bench.update(95 + static_cast<std::int64_t>(i), i, i));
  EXPECT_EQ(bench.due(), "");
  bench.published(first, 1);
  EXPECT_EQ(bench.due(), "p.x@depth 2 5");
  const auto last = bench.update(115, 20, 20);
  for (std::size_t i = 0; i < ids.size(); ++i) bench.published(ids[i], i + 2);
  EXPECT_EQ(bench.due(), "p.x@depth 16 19") << "spelled as soon as the first was out of the way";
  EXPECT_EQ(bench.due(), "");
  bench.published(last, 16);
  EXPECT_EQ(bench.due(), "p.x@depth 17 20");
}

TEST(BookSnapshots, CountWhatWasRefusedAsPartOfTheState) {
  Bench bench;
  const auto first = bench.update(100, 1, 5);
  const auto second = bench.update(100, 6, 7);
  bench.exchange(100, 6);
  bench.published(first, 41);
  bench.refused(second);
  EXPECT_EQ(bench.due(), "p.x@depth 42 7") << "the next update that the channel has follows this state";
}

TEST(BookSnapshots, OfAChannelThatNeverTookAnythingAreNone) {
  Bench bench;
  const auto first = bench.update(100, 1, 5);
  bench.exchange(100, 5);
  bench.refused(first);
  EXPECT_EQ(bench.due(), "");
  bench.published(bench.update(111, 6, 6), 1);
  EXPECT_EQ(bench.due(), "p.x@depth 2 6") << "it is still due";
}

TEST(BookSnapshots, OfADuplicateAreAsOfTheNewestThatIsKnown) {
  Bench bench;
  const auto first = bench.update(100, 1, 5);
  const auto second = bench.update(100, 6, 7);
  bench.exchange(100, 6);
  bench.published(first, 41);
  bench.published(second, 12);  // the server had seen it before
  EXPECT_EQ(bench.due(), "p.x@depth 42 7");
}

TEST(BookSnapshots, BeginAgainWithTheNumbersOfANewEpoch) {
  Bench bench;
  bench.published(bench.update(100, 1, 5), 500);
  bench.exchange(100, 5);
  bench.published(bench.update(101, 6, 6), 1, "p.x@depth", Epoch{8});
  EXPECT_EQ(bench.due(), "") << "500 was a number of the old epoch's";
  bench.published(bench.update(111, 7, 7), 2, "p.x@depth", Epoch{8});
  EXPECT_EQ(bench.due(), "p.x@depth 3 7");
}

TEST(BookSnapshots, EndWithAHoleAndBeginWithTheExchangesNextSnapshot) {
  Bench bench{seconds{1}};
  bench.published(bench.update(100, 1, 5), 1);
  bench.exchange(100, 5);
  EXPECT_EQ(bench.due(), "p.x@depth 2 5");
  bench.published(bench.update(102, 9, 9), 2);
  EXPECT_EQ(bench.due(), "");
  ASSERT_EQ(bench.reports.size(), 1U);
  EXPECT_EQ(
      bench.reports[0],
      "f:3: updates of p.x@depth are missing before this one, after 5; no book until the exchange's next snapshot");
  bench.published(bench.update(103, 10, 12), 3);
  EXPECT_EQ(bench.due(), "");
  bench.exchange(103, 8);
  EXPECT_EQ(bench.due(), "p.x@depth 4 12") << "at once: somebody has waited for it";
  EXPECT_EQ(bench.books.summary().breaks, 1U);
  EXPECT_EQ(bench.books.summary().valid, 1U);
}

TEST(BookSnapshots, ReportWhatIsWrongAFewTimesAndCountTheRest) {
  Bench bench;
  for (std::uint64_t i = 0; i < 20; ++i) bench.update(100, 10 * i, 10 * i + 1);
  EXPECT_EQ(bench.reports.size(), BookSnapshots::kReportsMax);
  EXPECT_TRUE(bench.reports.back().ends_with("(further ones are only counted)"));
  EXPECT_EQ(bench.books.summary().breaks, 19U);
  EXPECT_EQ(bench.books.summary().valid, 0U);
}

TEST(BookSnapshots, TakeASnapshotThatComesBeforeTheFirstUpdate) {
  Bench bench;
  bench.exchange(99, 5);
  bench.message(99, "1", "x@trade");
  bench.published(bench.update(100, 3, 6), 1);
  EXPECT_EQ(bench.due(), "p.x@depth 2 6");
}

TEST(BookSnapshots, KeepTheBooksOfSeveralFilesApart) {
  Bench bench;
  const auto x = bench.update(100, 1, 5, "x@depth", 0);
  const auto y = bench.update(100, 901, 905, "y@depth", 1);
  bench.exchange(101, 905, 1);
  bench.exchange(101, 5, 0);
  bench.published(y, 11, "p.y@depth");
  EXPECT_EQ(bench.due(), "p.y@depth 12 905");
  bench.published(x, 21, "p.x@depth");
  EXPECT_EQ(bench.due(), "p.x@depth 22 5");
  EXPECT_EQ(bench.due(), "");
}

TEST(BookSnapshots, GoOnFromOneFileOfAStreamToTheNext) {
  Bench bench;
  bench.published(bench.update(100, 1, 5, "x@depth", 0), 1);
  bench.exchange(100, 5, 0);
  EXPECT_EQ(bench.due(), "p.x@depth 2 5");
  bench.published(bench.update(110, 6, 8, "x@depth", 1), 2);
  EXPECT_EQ(bench.due(), "p.x@depth 3 8");
  EXPECT_TRUE(bench.reports.empty());
}

TEST(BookSnapshots, FindTheStreamOfASnapshotByItsIdWhereAFileHasSeveral) {
  Bench bench;
  const auto x = bench.update(100, 1, 5, "x@depth");
  const auto y = bench.update(100, 901, 905, "y@depth");
  bench.published(x, 1, "p.x@depth");
  bench.published(y, 1, "p.y@depth");
  bench.exchange(101, 903);
  EXPECT_EQ(bench.due(), "p.y@depth 2 905");
  bench.exchange(101, 400);
  EXPECT_EQ(bench.due(), "");
  ASSERT_EQ(bench.reports.size(), 1U);
  EXPECT_EQ(bench.reports[0], "f:4: of 2 depth streams, none fit this snapshot: it is not used");
  bench.exchange(101, 4);
  EXPECT_EQ(bench.due(), "p.x@depth 2 5");
  bench.exchange(101, 5);
  EXPECT_EQ(bench.reports.size(), 1U) << "a snapshot that nobody needs is nothing to complain of";
  EXPECT_EQ(bench.books.summary().unused, 1U);
}

TEST(BookSnapshots, AreNotMadeOfASnapshotThatIsTooOld) {
  Bench bench;
  bench.published(bench.update(100, 10, 15), 1);
  bench.exchange(101, 5);
  EXPECT_EQ(bench.due(), "");
  ASSERT_EQ(bench.reports.size(), 1U);
  EXPECT_EQ(bench.reports[0], "f:2: the snapshot is older than the updates before it: it is not used");
}

TEST(BookSnapshots, OfANewRoundBeginAnew) {
  Bench bench;
  bench.published(bench.update(100, 1, 5), 1);
  bench.exchange(100, 5);
  EXPECT_EQ(bench.due(), "p.x@depth 2 5");
  bench.published(bench.update(101, 6, 9), 2);
  bench.books.begin_round();
  bench.published(bench.update(100, 1, 5), 3);
  EXPECT_EQ(bench.due(), "");
  EXPECT_TRUE(bench.reports.empty()) << "the feed begins again: nothing is missing";
  bench.exchange(100, 5);
  EXPECT_EQ(bench.due(), "p.x@depth 4 5") << "at once, so that whoever followed the old round finds the new one";
}

}  // namespace
}  // namespace ringcast
