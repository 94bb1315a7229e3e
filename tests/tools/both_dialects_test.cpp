// tests/tools/both_dialects_test.cpp: what pub, sub and load do alike in the native and in the binary dialect, against
// a server that may do wrong.
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/tools/command_runner.hpp"
#include "tests/tools/fake_server.hpp"
#include "tools/subcommand.hpp"

namespace ringcast {
namespace {

enum class Spoken : std::uint8_t { native, binary };

class BothDialects : public testing::TestWithParam<Spoken> {
 protected:
  /// The same words, said in this dialect.
  static Ran run_spoken(std::vector<std::string> words) {
    if (GetParam() == Spoken::binary) words.emplace_back("--binary");
    return run(std::move(words));
  }
  static Ran load(const FakeServer& server, const std::vector<std::string>& more) {
    return run_spoken(load_arguments(server.url(), more));
  }
};
INSTANTIATE_TEST_SUITE_P(Dialects, BothDialects, testing::Values(Spoken::native, Spoken::binary),
                         [](const auto& row) { return row.param == Spoken::binary ? "Binary" : "Native"; });

TEST_P(BothDialects, PubFailsWhenTheServerRefuses) {
  FakeServer server{{.refuses = [](std::string_view, std::uint64_t nth) { return nth == 2; }}};
  const StandardInputFrom input{"1\n2\n3\n"};
  const Ran ran = run_spoken({"pub", "--url", server.url(), "numbers"});
  EXPECT_EQ(ran.exit_code, kExitFailure);
  EXPECT_EQ(ran.output, "1\n2\n") << "the others were published";
  EXPECT_TRUE(ran.errors.contains("refused: overloaded: refused by the test")) << ran.errors;
}

TEST_P(BothDialects, SubReconnectsAndResumesWithoutGapOrDuplicate) {
  FakeServer server;
  std::thread publisher{[&] {
    wait_until([&] { return server.subscribers() == 2; });
    for (int i = 1; i <= 20; ++i) server.publish("orders", std::to_string(i));
    server.publish("other", "1");
    std::this_thread::sleep_for(milliseconds{50});
    server.cut_all();
    wait_until([&] { return server.subscribers() == 0 || server.accepted() > 1; });  // it may be back at once
    for (int i = 21; i <= 40; ++i) server.publish("orders", std::to_string(i));
    wait_until([&] { return server.accepted() > 1 && server.subscribers() == 2; });
    for (int i = 41; i <= 60; ++i) server.publish("orders", std::to_string(i));
  }};
  const Ran ran = run_spoken({"sub", "--url", server.url(), "orders", "other", "--count", "61"});
  publisher.join();
  EXPECT_EQ(ran.exit_code, kExitSuccess) << ran.errors;
  auto lines = ran.lines();
  ASSERT_EQ(lines.size(), 61U);
  EXPECT_EQ(std::erase(lines, "other 1 1"), 1U);
  for (std::size_t i = 1; i <= lines.size(); ++i) {
    EXPECT_EQ(lines[i - 1], "orders " + std::to_string(i) + " " + std::to_string(i));
  }
  EXPECT_TRUE(ran.errors.contains("connection lost")) << ran.errors;
  EXPECT_TRUE(ran.errors.contains("connected again")) << ran.errors;
}

TEST_P(BothDialects, SubReportsGapsAndFailsWhenAServerIsSilentAboutOne) {
  const auto play = [](Delivery what, const std::string& count) {
    FakeServer server{{.delivery = [what](std::uint64_t, std::string_view, std::uint64_t seq) {
      return seq == 2 ? what : Delivery::normal;
    }}};
    std::thread publisher{[&] {
      wait_until([&] { return server.subscribers() == 1; });
      for (int i = 1; i <= 3; ++i) server.publish("orders", std::to_string(i));
    }};
    const Ran ran = run_spoken({"sub", "--url", server.url(), "--json", "orders", "--count", count});
    publisher.join();
    return ran;
  };
  const Ran told = play(Delivery::notice, "2");
  EXPECT_EQ(told.exit_code, kExitSuccess);
  EXPECT_TRUE(told.output.contains(R"({"type":"gap","channel":"orders","from":2,"to":2,"reason":"dropped"})"))
      << told.output;
  EXPECT_TRUE(told.output.contains(R"("seq":3,)")) << told.output;
  EXPECT_TRUE(told.errors.contains("orders: missed 2 to 2 (dropped)")) << told.errors;
  const Ran silent = play(Delivery::drop, "2");
  EXPECT_EQ(silent.exit_code, kExitFailure);
  EXPECT_TRUE(silent.errors.contains("3 follows 1 without a gap notice")) << silent.errors;
  EXPECT_EQ(play(Delivery::twice, "3").exit_code, kExitFailure);
}

struct CleanRow {
  std::string_view sentence;
  std::vector<std::string> arguments;
  std::string_view expected;
};

TEST_P(BothDialects, LoadFindsNothingWrongWithAServerThatDoesNothingWrong) {
  const CleanRow rows[] = {
      {"one channel", {"--connections", "50"}, "expected      40000   delivered 40000   lost 0"},
      {"several channels and publishers and threads",
       {"--connections", "40", "--channels", "8", "--publishers", "3", "--threads", "2"},
       "expected      4000   delivered 4000   lost 0"},
      {"more channels than connections",
       {"--connections", "3", "--channels", "20"},
       "expected      800   delivered 800   lost 0"},
      {"more publishers than channels", {"--connections", "10", "--channels", "2", "--publishers", "5"}, "lost 0"},
      {"large messages", {"--connections", "4", "--payload", "70000", "--rate", "100"}, "lost 0"},
      {"with churn", {"--connections", "30", "--churn", "100"}, "lost 0   duplicated 0   reordered 0"},
      {"with connections that drop and resume",
       {"--connections", "30", "--channels", "10", "--churn", "200", "--resume", "--away", "0.1"},
       "expected      2400   delivered 2400   lost 0"},
  };
  for (const CleanRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    const FakeServer server;
    const Ran ran = load(server, row.arguments);
    EXPECT_EQ(ran.exit_code, kExitSuccess) << ran.output << ran.errors;
    EXPECT_TRUE(ran.output.contains(row.expected)) << ran.output;
    EXPECT_TRUE(ran.output.contains("result        ok")) << ran.output;
  }
}

struct FaultRow {
  std::string_view sentence;
  Delivery what;
  std::string_view found;
  int exit_code;
};

TEST_P(BothDialects, LoadFindsEachFault) {
  const FaultRow rows[] = {
      {"a lost message", Delivery::drop, "1 messages lost", kExitFailure},
      {"a doubled message", Delivery::twice, "1 messages duplicated", kExitFailure},
      {"two exchanged", Delivery::swap_with_next, "1 messages reordered", kExitFailure},
      {"a gap notice is no loss", Delivery::notice, "result        ok", kExitSuccess},
  };
  for (const FaultRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    const FakeServer server{{.delivery = [&row](std::uint64_t connection, std::string_view, std::uint64_t seq) {
      return connection == 4 && seq == 100 ? row.what : Delivery::normal;
    }}};
    const Ran ran = load(server, {"--connections", "10"});
    EXPECT_EQ(ran.exit_code, row.exit_code) << ran.errors;
    EXPECT_TRUE(ran.output.contains(row.found)) << ran.output;
  }
}

TEST_P(BothDialects, LoadFindsAlteredPayloadsAndRefusedPublishes) {
  const FakeServer altering{{.alters = true}};
  const Ran altered = load(altering, {"--connections", "2", "--rate", "100"});
  EXPECT_EQ(altered.exit_code, kExitFailure);
  EXPECT_TRUE(altered.output.contains("not as they were published")) << altered.output;
  const FakeServer refusing{{.refuses = [](std::string_view, std::uint64_t nth) { return nth == 7; }}};
  const Ran refused = load(refusing, {"--connections", "2", "--rate", "100"});
  EXPECT_EQ(refused.exit_code, kExitFailure);
  EXPECT_TRUE(refused.output.contains("1 publishes refused (overloaded: refused by the test)")) << refused.output;
}

}  // namespace
}  // namespace ringcast
