#include "codec/capture/book_keeper.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/codec/capture/capture_file.hpp"

namespace ringcast {
namespace {

using State = BookKeeper::State;
using Took = BookKeeper::Took;
using TookSnapshot = BookKeeper::TookSnapshot;

/// The update that ends at `last` sets the quantity of bid 1 to `last`, so that a book shows what it was given last.
std::string update(std::uint64_t first, std::uint64_t last, std::optional<std::uint64_t> previous = {},
                   std::string_view asks = "[]") {
  return R"({"e":"depthUpdate","s":"X","U":)" + std::to_string(first) + R"(,"u":)" + std::to_string(last) +
         (previous ? R"(,"pu":)" + std::to_string(*previous) : std::string{}) + R"(,"b":[["1",")" +
         std::to_string(last) + R"("]],"a":)" + std::string{asks} + "}";
}
const std::string kAsks = R"([["5","1"]])";
std::string snapshot_bids(std::uint64_t id) { return R"([["1",")" + std::to_string(id) + R"("]])"; }

struct Step {
  enum class Kind : std::uint8_t { spot, futures, snapshot, crossing, crossed_snapshot, malformed, lost };
  Kind kind = Kind::spot;
  std::uint64_t first = 0, last = 0, previous = 0;  // a snapshot: its id is `last`
  Took took = Took::nothing;
  TookSnapshot took_snapshot = TookSnapshot::taken;
};
Step spot(std::uint64_t first, std::uint64_t last, Took took) {
  return {.kind = Step::Kind::spot, .first = first, .last = last, .took = took};
}
Step futures(std::uint64_t first, std::uint64_t last, std::uint64_t previous, Took took) {
  return {.kind = Step::Kind::futures, .first = first, .last = last, .previous = previous, .took = took};
}
Step snapshot(std::uint64_t id, TookSnapshot took) {
  return {.kind = Step::Kind::snapshot, .last = id, .took_snapshot = took};
}
Step crossed_snapshot(std::uint64_t id) {
  return {.kind = Step::Kind::crossed_snapshot, .last = id, .took_snapshot = TookSnapshot::fault};
}
Step crossing(std::uint64_t first, std::uint64_t last) {
  return {.kind = Step::Kind::crossing, .first = first, .last = last, .took = Took::fault};
}
Step malformed(std::uint64_t first, std::uint64_t last, Took took) {
  return {.kind = Step::Kind::malformed, .first = first, .last = last, .took = took};
}
Step lost() { return {.kind = Step::Kind::lost}; }

struct StoryRow {
  std::string_view sentence;
  std::vector<Step> steps;
  State state;
  std::uint64_t last_id, breaks, faults;
};
const StoryRow kStoryRows[] = {
    {"nothing", {}, State::waiting, 0, 0, 0},
    {"updates alone make no book", {spot(1, 5, Took::held), spot(6, 9, Took::held)}, State::waiting, 0, 0, 0},
    {"a snapshot alone is not proven", {snapshot(5, TookSnapshot::taken)}, State::unproven, 5, 0, 0},
    {"a snapshot first, then the update that follows it",
     {snapshot(5, TookSnapshot::taken), spot(6, 8, Took::applied)},
     State::valid,
     8,
     0,
     0},
    {"a snapshot first, then the update that it lies in",
     {snapshot(5, TookSnapshot::taken), spot(3, 8, Took::applied)},
     State::valid,
     8,
     0,
     0},
    {"a snapshot first, then older updates, then the one that follows",
     {snapshot(5, TookSnapshot::taken), spot(1, 3, Took::old), spot(4, 5, Took::old), spot(6, 8, Took::applied)},
     State::valid,
     8,
     0,
     0},
    {"a snapshot first, then an update after a hole",
     {snapshot(5, TookSnapshot::taken), spot(7, 8, Took::broken)},
     State::waiting,
     0,
     1,
     0},
    {"a snapshot at the end of an update that is held",
     {spot(1, 5, Took::held), spot(6, 9, Took::held), snapshot(5, TookSnapshot::taken)},
     State::valid,
     9,
     0,
     0},
    {"a snapshot in the middle of an update that is held",
     {spot(1, 5, Took::held), spot(6, 9, Took::held), snapshot(7, TookSnapshot::taken)},
     State::valid,
     9,
     0,
     0},
    {"a snapshot at the end of what is held",
     {spot(1, 5, Took::held), spot(6, 9, Took::held), snapshot(9, TookSnapshot::taken)},
     State::valid,
     9,
     0,
     0},
    {"a snapshot from just before what is held",
     {spot(6, 9, Took::held), snapshot(5, TookSnapshot::taken)},
     State::valid,
     9,
     0,
     0},
    {"a snapshot that is older than what is held",
     {spot(6, 9, Took::held), snapshot(4, TookSnapshot::too_old)},
     State::waiting,
     0,
     0,
     0},
    {"one that is too old, then one that is not",
     {spot(6, 9, Took::held), snapshot(4, TookSnapshot::too_old), snapshot(7, TookSnapshot::taken)},
     State::valid,
     9,
     0,
     0},
    {"a snapshot ahead of what is held, reached later",
     {spot(1, 5, Took::held), snapshot(9, TookSnapshot::taken), spot(6, 8, Took::old), spot(9, 12, Took::applied)},
     State::valid,
     12,
     0,
     0},
    {"a snapshot that is never reached is not believed",
     {spot(1, 5, Took::held), snapshot(900, TookSnapshot::taken), spot(6, 8, Took::old), spot(9, 12, Took::old)},
     State::unproven,
     900,
     0,
     0},
    {"one that is never reached makes way for the right one",
     {spot(1, 5, Took::held), snapshot(900, TookSnapshot::taken), spot(6, 8, Took::old),
      snapshot(7, TookSnapshot::taken), spot(9, 12, Took::applied)},
     State::valid,
     12,
     0,
     0},
    {"further snapshots change nothing",
     {snapshot(5, TookSnapshot::taken), spot(6, 8, Took::applied), snapshot(7, TookSnapshot::not_needed),
      snapshot(100, TookSnapshot::not_needed), spot(9, 9, Took::applied)},
     State::valid,
     9,
     0,
     0},
    {"updates that overlap miss nothing",
     {snapshot(5, TookSnapshot::taken), spot(6, 8, Took::applied), spot(7, 11, Took::applied)},
     State::valid,
     11,
     0,
     0},
    {"the same update twice",
     {snapshot(5, TookSnapshot::taken), spot(6, 8, Took::applied), spot(6, 8, Took::old)},
     State::valid,
     8,
     0,
     0},
    {"a hole ends the book until the next snapshot",
     {snapshot(5, TookSnapshot::taken), spot(6, 8, Took::applied), spot(10, 12, Took::broken), spot(13, 14, Took::held),
      snapshot(11, TookSnapshot::taken), spot(15, 15, Took::applied)},
     State::valid,
     15,
     1,
     0},
    {"a snapshot from before the hole does not help",
     {snapshot(5, TookSnapshot::taken), spot(6, 8, Took::applied), spot(10, 12, Took::broken),
      snapshot(8, TookSnapshot::too_old)},
     State::waiting,
     0,
     1,
     0},
    {"a hole among the held makes those before it worthless",
     {spot(1, 5, Took::held), spot(8, 9, Took::broken), snapshot(5, TookSnapshot::too_old),
      snapshot(7, TookSnapshot::taken), spot(10, 11, Took::applied)},
     State::valid,
     11,
     1,
     0},
    {"a hole below a snapshot is a hole, and none of the book's",
     {snapshot(9, TookSnapshot::taken), spot(1, 3, Took::old), spot(6, 7, Took::broken), spot(8, 12, Took::applied)},
     State::valid,
     12,
     1,
     0},
    {"who knows that something was lost says so",
     {snapshot(5, TookSnapshot::taken), spot(6, 8, Took::applied), lost(), spot(9, 10, Took::held),
      snapshot(8, TookSnapshot::taken)},
     State::valid,
     10,
     0,
     0},
    {"futures: ids between updates belong to other books",
     {futures(101, 150, 90, Took::held), futures(170, 200, 150, Took::held), snapshot(150, TookSnapshot::taken),
      futures(230, 260, 200, Took::applied)},
     State::valid,
     260,
     0,
     0},
    {"futures: a snapshot between two updates",
     {futures(101, 150, 90, Took::held), futures(170, 200, 150, Took::held), snapshot(160, TookSnapshot::taken)},
     State::valid,
     200,
     0,
     0},
    {"futures: a snapshot in the middle of an update",
     {futures(101, 150, 90, Took::held), snapshot(120, TookSnapshot::taken), futures(170, 200, 150, Took::applied)},
     State::valid,
     200,
     0,
     0},
    {"futures: a snapshot that is older than what is held",
     {futures(101, 150, 90, Took::held), snapshot(89, TookSnapshot::too_old)},
     State::waiting,
     0,
     0,
     0},
    {"futures: a snapshot from just before what is held",
     {futures(101, 150, 90, Took::held), snapshot(90, TookSnapshot::taken)},
     State::valid,
     150,
     0,
     0},
    {"futures: one is missing",
     {futures(101, 150, 90, Took::held), snapshot(150, TookSnapshot::taken), futures(230, 260, 200, Took::broken)},
     State::waiting,
     0,
     1,
     0},
    {"a crossed book is no book",
     {snapshot(5, TookSnapshot::taken), spot(6, 8, Took::applied), crossing(9, 10), spot(11, 12, Took::held)},
     State::waiting,
     0,
     0,
     1},
    {"a snapshot of another symbol crosses with the first update, which then waits for the right one",
     {snapshot(5, TookSnapshot::taken), crossing(6, 8), spot(9, 12, Took::held), snapshot(8, TookSnapshot::taken)},
     State::valid,
     12,
     0,
     1},
    {"a snapshot that is crossed in itself",
     {spot(1, 5, Took::held), crossed_snapshot(3), snapshot(4, TookSnapshot::taken)},
     State::valid,
     5,
     0,
     1},
    {"levels that are none",
     {snapshot(5, TookSnapshot::taken), spot(6, 8, Took::applied), malformed(9, 10, Took::fault)},
     State::waiting,
     0,
     0,
     1},
    {"levels that are none among the held: a newer snapshot does without them",
     {malformed(6, 8, Took::held),
      {.kind = Step::Kind::snapshot, .last = 5, .took_snapshot = TookSnapshot::fault},
      snapshot(8, TookSnapshot::taken),
      spot(9, 9, Took::applied)},
     State::valid,
     9,
     0,
     1},
};

TEST(BookKeeper, FollowsTheExchangesRules) {
  for (const StoryRow& row : kStoryRows) {
    BookKeeper keeper;
    std::size_t nth = 0;
    for (const Step& step : row.steps) {
      const auto where = [&] { return testing::Message() << row.sentence << ", step " << nth; };
      ++nth;
      switch (step.kind) {
        case Step::Kind::spot:
          EXPECT_EQ(keeper.take_update(update(step.first, step.last)), step.took) << where();
          break;
        case Step::Kind::futures:
          EXPECT_EQ(keeper.take_update(update(step.first, step.last, step.previous)), step.took) << where();
          break;
        case Step::Kind::crossing:
          EXPECT_EQ(keeper.take_update(update(step.first, step.last, {}, R"([["0.5","1"]])")), step.took) << where();
          break;
        case Step::Kind::malformed:
          EXPECT_EQ(keeper.take_update(update(step.first, step.last, {}, R"([["x","1"]])")), step.took) << where();
          break;
        case Step::Kind::snapshot:
          EXPECT_EQ(keeper.take_snapshot({step.last, snapshot_bids(step.last), kAsks}), step.took_snapshot) << where();
          break;
        case Step::Kind::crossed_snapshot:
          EXPECT_EQ(keeper.take_snapshot({step.last, snapshot_bids(step.last), R"([["0.9","1"]])"}), step.took_snapshot)
              << where();
          break;
        case Step::Kind::lost: keeper.lose(); break;
      }
    }
    EXPECT_EQ(keeper.state(), row.state) << row.sentence;
    EXPECT_EQ(keeper.last_id(), row.last_id) << row.sentence;
    EXPECT_EQ(keeper.counts().breaks, row.breaks) << row.sentence;
    EXPECT_EQ(keeper.counts().faults, row.faults) << row.sentence;
    if (row.state != State::waiting) {
      std::string text;
      keeper.append_json(text);
      const std::string id = std::to_string(row.last_id);
      EXPECT_TRUE(text.starts_with(R"({"lastUpdateId":)" + id + R"(,"bids":[["1",")" + id + "\"]]"))
          << row.sentence << text;
    } else {
      EXPECT_TRUE(keeper.book().bids().empty() && keeper.book().asks().empty()) << row.sentence;
    }
  }
}

TEST(BookKeeper, LetsEverythingElseOfAStreamPass) {
  BookKeeper keeper;
  for (const std::string_view payload : {R"({"e":"trade","u":5})", R"({"u":5,"s":"X","b":"1","B":"2"})", "[]", "", "1",
                                         R"({"lastUpdateId":7,"bids":[],"asks":[]})"}) {
    EXPECT_EQ(keeper.take_update(payload), Took::nothing) << payload;
  }
  EXPECT_EQ(keeper.state(), State::waiting);
}

TEST(BookKeeper, HoldsNoMoreThanItsBoundAndTheNewestOfIt) {
  const std::size_t bytes = update(100, 100).size();
  BookKeeper keeper{{}, {.held_bytes_max = 3 * bytes}};
  for (std::uint64_t id = 100; id < 110; ++id) EXPECT_EQ(keeper.take_update(update(id, id)), Took::held);
  EXPECT_EQ(keeper.counts().held_dropped, 7U);
  EXPECT_EQ(keeper.take_snapshot({105, snapshot_bids(105), kAsks}), TookSnapshot::too_old);
  EXPECT_EQ(keeper.take_snapshot({106, snapshot_bids(106), kAsks}), TookSnapshot::taken) << "107 to 109 are held";
  EXPECT_EQ(keeper.last_id(), 109U);
}

TEST(BookKeeper, ReadsASnapshotInTheShapeOfTheExchange) {
  const auto snapshot = read_book_snapshot(R"({"lastUpdateId":7,"E":1,"bids":[["1","2"]],"asks":[]})");
  ASSERT_TRUE(snapshot);
  EXPECT_EQ(snapshot->last_update_id, 7U);
  EXPECT_EQ(snapshot->bids, R"([["1","2"]])");
  EXPECT_EQ(snapshot->asks, "[]");
  for (const std::string_view other :
       {R"({"lastUpdateId":"7","bids":[],"asks":[]})", R"({"lastUpdateId":7,"bids":{},"asks":[]})",
        R"({"lastUpdateId":7,"asks":[]})", R"({"bids":[],"asks":[]})", "[]", ""}) {
    EXPECT_FALSE(read_book_snapshot(other)) << other;
  }
}

// The real captures: whoever begins somewhere with a snapshot of the book and goes on with the updates has, at the end,
// the same bytes as the one who was there from the beginning.
TEST(BookKeeper, OfTheRealCapturesIsTheSameWhereverOneJoins) {
  for (const char* file : {"btcusdt-spot.gz", "ethusdt-spot.gz", "btcusdt-usdm.gz"}) {
    BookKeeper whole;
    struct Joiner {
      BookKeeper keeper;
      std::uint64_t joined = 0;
    };
    std::vector<Joiner> joiners;
    std::uint64_t updates = 0;
    for_each_capture_line(file, [&](const CaptureLine& line) {
      if (line.kind == CaptureKind::order_book_snapshot) {
        EXPECT_EQ(whole.take_snapshot({line.last_update_id, line.bids, line.asks}), TookSnapshot::taken) << file;
        EXPECT_TRUE(whole.valid()) << file << ": it lies between the updates";
        return;
      }
      const Took took = whole.take_update(line.data);
      if (took == Took::nothing) return;
      ++updates;
      EXPECT_TRUE(took == (whole.valid() ? Took::applied : Took::held)) << file << ", update " << updates;
      for (Joiner& joiner : joiners) {
        EXPECT_EQ(joiner.keeper.take_update(line.data), Took::applied) << file << ", joined at " << joiner.joined;
      }
      if (whole.valid() && updates % 197 == 0) {
        std::string text;
        whole.append_json(text);
        Joiner& joiner = joiners.emplace_back();
        joiner.joined = updates;
        EXPECT_EQ(joiner.keeper.take_snapshot(read_book_snapshot(text).value()), TookSnapshot::taken);
      }
    });
    ASSERT_GT(joiners.size(), 3U) << file;
    std::string wanted;
    whole.append_json(wanted);
    EXPECT_FALSE(whole.book().is_crossed());
    EXPECT_EQ(whole.counts().breaks + whole.counts().faults, 0U) << file;
    for (const Joiner& joiner : joiners) {
      std::string got;
      joiner.keeper.append_json(got);
      EXPECT_TRUE(got == wanted) << file << ", joined at update " << joiner.joined;
    }
  }
}

}  // namespace
}  // namespace ringcast
