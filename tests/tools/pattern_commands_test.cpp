// tests/tools/pattern_commands_test.cpp: what sub makes of the channels that a pattern brings and takes away.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/tools/command_runner.hpp"
#include "tests/tools/fake_server.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kEpoch = "5f3c9a1e07d2b846", kOtherEpoch = "77d0c81a92ee4c03";
constexpr std::string_view kCut = "";  // the server is gone without a word

std::string answer(std::uint64_t matched) {
  return fmt::format(R"({{"type":"subscribed","id":1,"channels":[{{"channel":"o.*","pattern":true,"matched":{}}}]}})",
                     matched);
}
std::string bound(std::string_view channel, std::uint64_t seq, std::string_view more = {},
                  std::string_view epoch = kEpoch) {
  return fmt::format(
      R"({{"type":"subscribed","pattern":"o.*","channels":[{{"channel":"{}","epoch":"{}","seq":{}{}}}]}})", channel,
      epoch, seq, more);
}
std::string let_go(std::string_view channel) {
  return fmt::format(R"({{"type":"unsubscribed","pattern":"o.*","channels":["{}"]}})", channel);
}
std::string message(std::string_view channel, std::uint64_t seq) {
  return fmt::format(R"({{"type":"message","channel":"{}","seq":{},"data":{}}})", channel, seq, seq * 10);
}

constexpr std::string_view kRecovered = R"(,"recovered":true)", kLost = R"(,"recovered":false)";

/// What the server says on each connection, and what becomes of it.
struct Story {
  std::string_view sentence;
  std::vector<std::vector<std::string>> said;  // by connection; the last one is said again on every later one
  std::uint64_t count;                         // messages after which sub ends
  std::string output;
  std::string_view remark{};  // on stderr; empty: nothing is said but of lost connections
  int exit_code = kExitSuccess;
};

TEST(SubPattern, FollowsEachChannelThatIsBound) {
  const Story stories[] = {
      {"channels that exist, from now on",
       {{answer(2), bound("o.a", 3), bound("o.b", 7), message("o.a", 4), message("o.b", 8), message("o.a", 5)}},
       3,
       "o.a 4 40\no.b 8 80\no.a 5 50\n"},
      {"channels that are created later, from their first message on",
       {{answer(0), bound("o.new", 0), message("o.new", 1), message("o.new", 2)}},
       2,
       "o.new 1 10\no.new 2 20\n",
       "o.*: no channel matches yet"},
      {"a message is missing",
       {{answer(1), bound("o.a", 3), message("o.a", 4), message("o.a", 6)}},
       2,
       "o.a 4 40\no.a 6 60\n",
       "o.a: 6 follows 4 without a gap notice",
       kExitFailure},
      {"the first message of a new channel is missing",
       {{answer(1), bound("o.a", 0), message("o.a", 2)}},
       1,
       "o.a 2 20\n",
       "o.a: 2 follows 0 without a gap notice",
       kExitFailure},
      {"the begin of a new channel was lost before it could be delivered",
       {{answer(1), bound("o.a", 4, kLost), message("o.a", 5)}},
       1,
       "o.a 5 50\n",
       "o.a: what came before 5 is lost"},
      {"a limit is met: what it has goes on",
       {{answer(1), bound("o.a", 0),
         R"({"type":"error","code":"too_many_subscriptions","message":"it matches more","channel":"o.*"})",
         message("o.a", 1)}},
       1,
       "o.a 1 10\n",
       "o.*: too_many_subscriptions: it matches more"},
      {"let go, and back where it was",
       {{answer(1), bound("o.a", 3), message("o.a", 4), let_go("o.a"), bound("o.a", 4), message("o.a", 5)}},
       2,
       "o.a 4 40\no.a 5 50\n"},
      {"let go, and back as another of the same name",
       {{answer(1), bound("o.a", 3), message("o.a", 4), let_go("o.a"), bound("o.a", 0, {}, kOtherEpoch),
         message("o.a", 1)}},
       2,
       "o.a 4 40\no.a 1 10\n"},
      {"let go, and back somewhere else",
       {{answer(1), bound("o.a", 3), message("o.a", 4), let_go("o.a"), bound("o.a", 9), message("o.a", 10)}},
       2,
       "o.a 4 40\no.a 10 100\n",
       "o.a: comes back at 9, but was let go at 4",
       kExitFailure},
      {"each goes on where it was after a lost connection",
       {{answer(2), bound("o.a", 3), bound("o.b", 7), message("o.a", 4), std::string{kCut}},
        {answer(2), bound("o.a", 6, kRecovered), bound("o.b", 7, kRecovered), message("o.a", 5), message("o.b", 8)}},
       3,
       "o.a 4 40\no.a 5 50\no.b 8 80\n"},
      {"one is missing between two connections",
       {{answer(1), bound("o.a", 3), message("o.a", 4), std::string{kCut}},
        {answer(1), bound("o.a", 6, kRecovered), message("o.a", 6)}},
       2,
       "o.a 4 40\no.a 6 60\n",
       "o.a: 6 follows 4 without a gap notice",
       kExitFailure},
      {"one could not go on",
       {{answer(1), bound("o.a", 3), message("o.a", 4), std::string{kCut}},
        {answer(1), bound("o.a", 9, kLost), message("o.a", 10)}},
       2,
       "o.a 4 40\no.a 10 100\n",
       "o.a: could not go on from 4"},
      {"one began meanwhile",
       {{answer(1), bound("o.a", 3), message("o.a", 4), std::string{kCut}},
        {answer(2), bound("o.a", 4, kRecovered), bound("o.new", 5), message("o.new", 6)}},
       2,
       "o.a 4 40\no.new 6 60\n",
       "o.new: began while the connection was lost; what came up to 5 is missing"},
      {"let go, then the connection is lost, then it is back",
       {{answer(1), bound("o.a", 3), message("o.a", 4), let_go("o.a"), std::string{kCut}},
        {answer(1), bound("o.a", 6, kRecovered), message("o.a", 5), message("o.a", 6)}},
       3,
       "o.a 4 40\no.a 5 50\no.a 6 60\n"},
  };
  for (const Story& story : stories) {
    SCOPED_TRACE(story.sentence);
    FakeServer server{{.script = [&story](std::uint64_t connection, std::string_view) {
      return story.said[std::min<std::size_t>(connection, story.said.size() - 1)];
    }}};
    const Ran ran = run({"sub", "--url", server.url(), "o.*", "--count", std::to_string(story.count)});
    EXPECT_EQ(ran.exit_code, story.exit_code) << ran.errors;
    EXPECT_EQ(ran.output, story.output);
    EXPECT_TRUE(ran.errors.contains(story.remark)) << ran.errors;
    if (story.remark.empty() && story.said.size() == 1) {
      EXPECT_EQ(ran.errors, "");
    }
  }
}

std::string point(std::string_view channel, std::uint64_t seq) {
  return fmt::format(R"("{}":{{"epoch":"{}","seq":{}}})", channel, kEpoch, seq);
}

TEST(SubPattern, SaysWhereEachOfItsChannelsWas) {
  FakeServer server{{.script = [](std::uint64_t connection, std::string_view) -> std::vector<std::string> {
    if (connection == 0) {
      return {answer(2),         bound("o.a", 3), bound("o.b", 7),  message("o.a", 4),
              message("o.b", 8), let_go("o.b"),   std::string{kCut}};
    }
    return {answer(1), bound("o.a", 4, kRecovered), message("o.a", 5)};
  }}};
  EXPECT_EQ(run({"sub", "--url", server.url(), "o.*", "--count", "3"}).exit_code, kExitSuccess);
  const auto commands = server.commands();
  ASSERT_EQ(commands.size(), 2U);
  EXPECT_EQ(commands[0], R"({"type":"subscribe","id":1,"channels":["o.*"]})");
  EXPECT_EQ(commands[1], R"({"type":"subscribe","id":1,"channels":["o.*"],"resume":{)" + point("o.a", 4) + "," +
                             point("o.b", 8) + "}}");
}

TEST(SubPattern, SaysLessWhereANodeTakesFewerChannelsThanItRemembers) {
  FakeServer server{{.script = [](std::uint64_t connection, std::string_view command) -> std::vector<std::string> {
    if (connection == 0) {
      return {answer(2),         bound("o.a", 3), bound("o.b", 7),  message("o.a", 4),
              message("o.b", 8), let_go("o.b"),   std::string{kCut}};
    }
    if (command.contains("o.b")) {
      return {R"({"type":"error","id":1,"code":"too_many_subscriptions","message":"resume names too many channels"})"};
    }
    return {answer(1), bound("o.a", 4, kRecovered), message("o.a", 5)};
  }}};
  const Ran ran = run({"sub", "--url", server.url(), "o.*", "--count", "3"});
  EXPECT_EQ(ran.exit_code, kExitSuccess) << ran.errors;
  const auto commands = server.commands();
  ASSERT_EQ(commands.size(), 3U);
  EXPECT_EQ(commands[2], R"({"type":"subscribe","id":1,"channels":["o.*"],"resume":{)" + point("o.a", 4) + "}}");
  EXPECT_FALSE(ran.errors.contains("too_many_subscriptions")) << "nobody needs to know: " << ran.errors;
}

TEST(SubPattern, RemembersABoundedNumberOfChannelsThatWereLetGo) {
  FakeServer server{{.script = [](std::uint64_t connection, std::string_view) -> std::vector<std::string> {
    std::vector<std::string> said{answer(1), bound("o.stays", 0)};
    if (connection > 0) {
      said.push_back(message("o.stays", 1));
      return said;
    }
    for (int i = 0; i < 1'100; ++i) {
      said.push_back(bound(fmt::format("o.{}", i), 5));
      said.push_back(let_go(fmt::format("o.{}", i)));
    }
    said.emplace_back(kCut);
    return said;
  }}};
  EXPECT_EQ(run({"sub", "--url", server.url(), "o.*", "--count", "1"}).exit_code, kExitSuccess);
  const std::string resume = server.commands().at(1);
  const auto points = std::ranges::count(resume, ':') - 4;  // of type, id, channels and resume
  EXPECT_EQ(points, 3 * (1 + 1'024)) << "each has three of these";
  EXPECT_TRUE(resume.contains(R"("o.stays")")) << "those that are held are no part of that bound";
  EXPECT_FALSE(resume.contains(R"("o.75")")) << "the oldest are forgotten";
  EXPECT_TRUE(resume.contains(R"("o.76")"));
}

TEST(SubPattern, CountsWhatDoesNotComeBackAmongWhatWasLetGo) {
  FakeServer server{{.script = [](std::uint64_t connection, std::string_view) -> std::vector<std::string> {
    if (connection == 0) return {answer(2), bound("o.a", 0), bound("o.gone", 5), std::string{kCut}};
    if (connection < 3) return {answer(1), bound("o.a", 0, kRecovered), std::string{kCut}};
    return {answer(1), bound("o.a", 0, kRecovered), message("o.a", 1)};
  }}};
  EXPECT_EQ(run({"sub", "--url", server.url(), "o.*", "--count", "1"}).exit_code, kExitSuccess);
  const auto commands = server.commands();
  ASSERT_EQ(commands.size(), 4U);
  for (std::size_t i = 1; i < 4; ++i) {
    EXPECT_TRUE(commands[i].contains(point("o.gone", 5))) << "among what was let go: it is bounded there";
  }
}

TEST(SubPattern, PrintsTheServersNoticesAsTheyAre) {
  const std::vector<std::string> said{answer(1),     bound("o.a", 3), message("o.a", 4),
                                      let_go("o.a"), bound("o.a", 4), message("o.a", 5)};
  FakeServer server{{.script = [&said](std::uint64_t, std::string_view) { return said; }}};
  const Ran ran = run({"sub", "--url", server.url(), "--json", "o.*", "--count", "2"});
  EXPECT_EQ(ran.lines(), said);
}

}  // namespace
}  // namespace ringcast
