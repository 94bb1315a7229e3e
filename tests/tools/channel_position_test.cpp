// tests/tools/channel_position_test.cpp: what a subscriber takes for right, and where it says that it wants to go on.
#include "tools/client/channel_position.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tools/client/subscribe_command.hpp"

namespace ringcast {
namespace {

using Took = ChannelPosition::Took;
using Joined = ChannelPosition::Joined;

constexpr Epoch kEpoch{7}, kOther{8};

SubscribedEntry entry(std::uint64_t newest, std::optional<bool> recovered = {}, Epoch epoch = kEpoch) {
  return {.channel = "c", .epoch = epoch, .seq = Sequence{newest}, .recovered = recovered};
}
SubscribedEntry with_snapshot(std::uint64_t newest, std::uint64_t as_of) {
  SubscribedEntry joined = entry(newest);
  joined.state = "snapshot";
  joined.as_of = Sequence{as_of};
  return joined;
}
ServerMessage message(std::uint64_t seq) {
  ServerMessage message;
  message.kind = ServerMessage::Kind::message;
  message.seq = Sequence{seq};
  return message;
}
ServerMessage snapshot(std::uint64_t seq, std::optional<std::uint64_t> as_of = {}) {
  ServerMessage state = message(seq);
  state.snapshot = true;
  if (as_of) state.as_of = Sequence{*as_of};
  return state;
}
ServerMessage gap(std::uint64_t from, std::uint64_t to, std::string_view reason, std::optional<Epoch> epoch = {}) {
  ServerMessage notice;
  notice.kind = ServerMessage::Kind::gap;
  notice.from = Sequence{from};
  notice.to = Sequence{to};
  notice.reason = reason;
  notice.epoch = epoch;
  return notice;
}

struct StoryRow {
  std::string_view sentence;
  std::function<std::vector<Took>(ChannelPosition&)> play;
  std::vector<Took> took;
  std::optional<std::uint64_t> resumes_from;  // none: joins anew
  Epoch epoch = kEpoch;
};

std::vector<Took> take(ChannelPosition& position, const std::vector<ServerMessage>& messages) {
  std::vector<Took> took;
  for (const ServerMessage& next : messages) took.push_back(position.take(next));
  return took;
}

TEST(ChannelPosition, KnowsWhatMayComeAndWhereToGoOn) {
  using enum Took;
  const StoryRow rows[] = {
      {"nobody has joined", [](ChannelPosition&) { return std::vector<Took>{}; }, {}, std::nullopt},
      {"joined, nothing came",
       [](ChannelPosition& p) {
         p.joined(entry(40));
         return std::vector<Took>{};
       },
       {},
       40},
      {"joined, and one after the other",
       [](ChannelPosition& p) {
         p.joined(entry(40));
         return take(p, {message(41), message(42), message(43)});
       },
       {next, next, next},
       43},
      {"joined a channel that keeps its last value",
       [](ChannelPosition& p) {
         p.joined(entry(40));
         return take(p, {message(40), message(41)});
       },
       {next, next},
       41},
      {"one is missing",
       [](ChannelPosition& p) {
         p.joined(entry(40));
         return take(p, {message(41), message(43), message(44)});
       },
       {next, gap, next},
       44},
      {"the first is missing",
       [](ChannelPosition& p) {
         p.joined(entry(40));
         return take(p, {message(42)});
       },
       {gap},
       42},
      {"one comes again",
       [](ChannelPosition& p) {
         p.joined(entry(40));
         return take(p, {message(41), message(41), message(42)});
       },
       {next, repeated, next},
       42},
      {"an old one comes",
       [](ChannelPosition& p) {
         p.joined(entry(40));
         return take(p, {message(41), message(42), message(41), message(43)});
       },
       {next, next, repeated, next},
       43},
      {"a snapshot in the stream is a message like others",
       [](ChannelPosition& p) {
         p.joined(entry(40));
         return take(p, {message(41), snapshot(42, 41), message(43)});
       },
       {next, next, next},
       43},
      {"a snapshot out of order is not excused",
       [](ChannelPosition& p) {
         p.joined(entry(40));
         return take(p, {message(41), snapshot(45, 42)});
       },
       {next, gap},
       45},
      {"promised a snapshot, which did not come",
       [](ChannelPosition& p) {
         p.joined(with_snapshot(50, 41));
         return std::vector<Took>{};
       },
       {},
       std::nullopt},
      {"promised a snapshot, and something else came",
       [](ChannelPosition& p) {
         p.joined(with_snapshot(50, 41));
         return take(p, {message(41)});
       },
       {gap},
       41},
      {"a snapshot as of itself, then what follows it",
       [](ChannelPosition& p) {
         p.joined(with_snapshot(50, 45));
         return take(p, {snapshot(45, 45), message(46)});
       },
       {next, next},
       46},
      {"a snapshot as of an earlier message, then everything from that on, the snapshot again",
       [](ChannelPosition& p) {
         p.joined(with_snapshot(50, 41));
         return take(p, {snapshot(43, 41), message(41), message(42), snapshot(43, 41), message(44)});
       },
       {state, next, next, next, next},
       44},
      {"a snapshot, and the connection is lost before the first message after it",
       [](ChannelPosition& p) {
         p.joined(with_snapshot(50, 41));
         return take(p, {snapshot(43, 41)});
       },
       {state},
       40},
      {"a snapshot as of the beginning",
       [](ChannelPosition& p) {
         p.joined(with_snapshot(50, 1));
         return take(p, {snapshot(3, 1), message(1), message(2)});
       },
       {state, next, next},
       2},
      {"a message after the snapshot is missing",
       [](ChannelPosition& p) {
         p.joined(with_snapshot(50, 41));
         return take(p, {snapshot(43, 41), message(42)});
       },
       {state, gap},
       42},
      {"a gap that was told",
       [](ChannelPosition& p) {
         p.joined(entry(40));
         std::vector<Took> took = take(p, {message(41)});
         p.take_gap(ringcast::gap(42, 50, "conflated"));
         took.push_back(p.take(message(51)));
         return took;
       },
       {next, next},
       51},
      {"a gap that was told too small",
       [](ChannelPosition& p) {
         p.joined(entry(40));
         p.take_gap(ringcast::gap(41, 50, "dropped"));
         return take(p, {message(52)});
       },
       {gap},
       52},
      {"a gap was told, and the connection is lost",
       [](ChannelPosition& p) {
         p.joined(entry(40));
         p.take_gap(ringcast::gap(41, 50, "conflated"));
         return std::vector<Took>{};
       },
       {},
       50},
      {"history lost some and a snapshot stands for them",
       [](ChannelPosition& p) {
         p.joined(entry(40));
         p.take_gap(ringcast::gap(41, 58, "expired"));
         return take(p, {snapshot(70, 60), message(60), message(61)});
       },
       {state, next, next},
       61},
      {"history lost some and goes on behind them",
       [](ChannelPosition& p) {
         p.joined(entry(40));
         p.take_gap(ringcast::gap(41, 58, "expired"));
         return take(p, {message(59), message(60)});
       },
       {next, next},
       60},
      {"a new epoch, of which nothing is known yet",
       [](ChannelPosition& p) {
         p.joined(entry(40));
         p.take_gap(ringcast::gap(41, 44, "epoch", kOther));
         return std::vector<Took>{};
       },
       {},
       0,
       kOther},
      {"a new epoch that begins anywhere",
       [](ChannelPosition& p) {
         p.joined(entry(40));
         p.take_gap(ringcast::gap(41, 44, "epoch", kOther));
         return take(p, {message(3), message(4), message(6)});
       },
       {next, next, gap},
       6,
       kOther},
      {"resumed",
       [](ChannelPosition& p) {
         p = ChannelPosition{{kEpoch, Sequence{30}}};
         EXPECT_EQ(p.joined(entry(40, true)), Joined::goes_on);
         return take(p, {message(31), message(32)});
       },
       {next, next},
       32},
      {"resumed where nothing was missed",
       [](ChannelPosition& p) {
         p = ChannelPosition{{kEpoch, Sequence{40}}};
         EXPECT_EQ(p.joined(entry(40, true)), Joined::goes_on);
         return take(p, {message(40), message(41)});
       },
       {repeated, next},
       41},
      {"resumed in vain",
       [](ChannelPosition& p) {
         p = ChannelPosition{{kEpoch, Sequence{30}}};
         EXPECT_EQ(p.joined(entry(40, false)), Joined::starts_anew);
         return take(p, {message(41)});
       },
       {next},
       41},
      {"resumed in an epoch that is over",
       [](ChannelPosition& p) {
         p = ChannelPosition{{kEpoch, Sequence{30}}};
         EXPECT_EQ(p.joined(entry(4, false, kOther)), Joined::starts_anew);
         return take(p, {message(5)});
       },
       {next},
       5,
       kOther},
      {"resumed in vain, and a snapshot stands for what was between",
       [](ChannelPosition& p) {
         p = ChannelPosition{{kEpoch, Sequence{30}}};
         SubscribedEntry joined = with_snapshot(90, 81);
         joined.recovered = false;
         EXPECT_EQ(p.joined(joined), Joined::starts_anew);
         return take(p, {snapshot(85, 81), message(81)});
       },
       {state, next},
       81},
      {"a server that says it recovered another epoch is not believed",
       [](ChannelPosition& p) {
         p = ChannelPosition{{kEpoch, Sequence{30}}};
         EXPECT_EQ(p.joined(entry(40, true, kOther)), Joined::starts_anew);
         return take(p, {message(41)});
       },
       {next},
       41,
       kOther},
  };
  for (const StoryRow& row : rows) {
    ChannelPosition position;
    EXPECT_EQ(row.play(position), row.took) << row.sentence;
    const auto point = position.resume_point();
    ASSERT_EQ(point.has_value(), row.resumes_from.has_value()) << row.sentence;
    if (!point) continue;
    EXPECT_EQ(value(point->seq), *row.resumes_from) << row.sentence;
    EXPECT_EQ(point->epoch, row.epoch) << row.sentence;
  }
}

TEST(ChannelPosition, OfAChannelThatNobodyNamedBeginsAnywhereAndIsNotResumed) {
  ChannelPosition position;
  EXPECT_EQ(position.take(message(17)), Took::next);
  EXPECT_EQ(position.take(message(18)), Took::next);
  EXPECT_EQ(position.take(message(20)), Took::gap);
  EXPECT_FALSE(position.resume_point().has_value()) << "its epoch is not known";
}

TEST(SubscribeCommand, SaysWhereEachChannelGoesOn) {
  const std::vector<std::string> channels{"a", "b\"", "c"};
  ChannelPositions positions;
  EXPECT_EQ(subscribe_command(channels, positions, {}), R"({"type":"subscribe","id":1,"channels":["a","b\"","c"]})");
  positions["b\""] = ChannelPosition{{Epoch{0x5f3c'9a1e'07d2'b846}, Sequence{41}}};
  positions["c"].joined(with_snapshot(5, 3));
  positions["bound.by.a.pattern"] = ChannelPosition{{Epoch{1}, Sequence{0}}};
  EXPECT_EQ(subscribe_command(channels, positions, {}),
            R"({"type":"subscribe","id":1,"channels":["a","b\"","c"],"resume":{)"
            R"("b\"":{"epoch":"5f3c9a1e07d2b846","seq":41},)"
            R"("bound.by.a.pattern":{"epoch":"0000000000000001","seq":0}}})");
}

TEST(SubscribeCommand, SaysTheOptionsThatAreNotTheUsual) {
  const std::vector<std::string> channels{"a"};
  const auto options_of = [&](const SubscribeOptions& options) {
    const std::string text = subscribe_command(channels, {}, options);
    const std::size_t at = text.find(",\"options\":");
    return at == std::string::npos ? std::string{} : text.substr(at + 11, text.size() - at - 12);
  };
  EXPECT_EQ(options_of({}), "");
  EXPECT_EQ(options_of({.has_conflate = true, .conflate = true}), R"({"conflate":true})");
  EXPECT_EQ(options_of({.max_rate = 10}), R"({"max_rate":10})");
  EXPECT_EQ(options_of({.has_conflate = true, .conflate = true, .max_rate = 5, .snapshot = false}),
            R"({"conflate":true,"max_rate":5,"snapshot":false})");
}

TEST(HistoryCommand, SaysHowMuchAndAfterWhat) {
  EXPECT_EQ(history_command("a\"b", std::nullopt, 1), R"({"type":"history","id":2,"channel":"a\"b","limit":1})");
  EXPECT_EQ(history_command("a", ResumePoint{Epoch{1}, Sequence{30}}, 100),
            R"({"type":"history","id":2,"channel":"a","after":{"epoch":"0000000000000001","seq":30},"limit":100})");
}

}  // namespace
}  // namespace ringcast
