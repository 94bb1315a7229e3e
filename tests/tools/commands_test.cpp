// tests/tools/commands_test.cpp: pub, sub, replay and load as a user runs them, against a server that may do wrong.
// What they do alike in the binary dialect is in both_dialects_test.cpp.
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "codec/text/json.hpp"
#include "tests/doubles/temporary_file.hpp"
#include "tests/tools/command_runner.hpp"
#include "tests/tools/fake_server.hpp"
#include "tools/subcommand.hpp"

namespace ringcast {
namespace {

// ---- pub ----

TEST(Pub, PrintsTheSeqOfItsMessage) {
  FakeServer server;
  const Ran ran = run({"pub", "--url", server.url(), "orders", R"({"n":1})"});
  EXPECT_EQ(ran.exit_code, kExitSuccess) << ran.errors;
  EXPECT_EQ(ran.output, "1\n");
  EXPECT_EQ(ran.errors, "");
  EXPECT_EQ(run({"pub", "--url", server.url(), "--quiet", "orders", "2"}).output, "");
  EXPECT_EQ(run({"pub", "--url", server.url(), "--text", "orders", "plain \"text\""}).output, "3\n");
}

TEST(Pub, PublishesEachLineOfStandardInputInOrder) {
  FakeServer server;
  std::string text;
  for (int i = 1; i <= 5'000; ++i) text += std::to_string(i) + (i % 2 == 0 ? "\r\n" : "\n");
  const StandardInputFrom input{text + "\n5001"};  // an empty line, and a last one without an end
  const Ran ran = run({"pub", "--url", server.url(), "numbers"});
  EXPECT_EQ(ran.exit_code, kExitSuccess) << ran.errors;
  const auto lines = ran.lines();
  ASSERT_EQ(lines.size(), 5'001U);
  EXPECT_EQ(lines.front(), "1");
  EXPECT_EQ(lines.back(), "5001");
  EXPECT_EQ(server.published(), 5'001U);
}

TEST(Pub, NamesTheLineThatIsNoJsonAndGoesOn) {
  FakeServer server;
  const StandardInputFrom input{"1\n{\"a\":nonsense 12}\n3\n"};
  const Ran ran = run({"pub", "--url", server.url(), "numbers"});
  EXPECT_EQ(ran.exit_code, kExitFailure);
  EXPECT_EQ(ran.output, "1\n2\n");
  EXPECT_TRUE(ran.errors.contains("line 2: not JSON")) << ran.errors;
}

TEST(Pub, SaysWhyItCannotConnect) {
  std::string url;
  {
    const FakeServer server;
    url = server.url();
  }
  const Ran refused = run({"pub", "--url", url, "orders", "1"});
  EXPECT_EQ(refused.exit_code, kExitFailure);
  EXPECT_TRUE(refused.errors.contains("Connection refused")) << refused.errors;

  const FakeServer full{{.answers_upgrade_with = 503}};
  const Ran answered = run({"pub", "--url", full.url(), "orders", "1"});
  EXPECT_EQ(answered.exit_code, kExitFailure);
  EXPECT_TRUE(answered.errors.contains("503")) << answered.errors;

  EXPECT_EQ(run({"pub", "--url", "wss://127.0.0.1:1", "orders", "1"}).exit_code, kExitFailure);
  EXPECT_EQ(run({"pub", "--url", "wss://127.0.0.1:1", "--ca", "/nowhere.pem", "orders", "1"}).exit_code, kExitUsage);
  EXPECT_EQ(run({"pub", "--url", "nonsense", "orders", "1"}).exit_code, kExitUsage);
  EXPECT_EQ(run({"pub", "--url", url, "bad\nname", "1"}).exit_code, kExitUsage);
  EXPECT_EQ(run({"pub"}).exit_code, kExitUsage);
}

TEST(Pub, TalksOverAUnixSocket) {
  const std::string path = "/tmp/ringcast-test-" + std::to_string(::getpid()) + ".sock";
  {
    FakeServer server{{.unix_path = path}};
    EXPECT_EQ(run({"pub", "--url", "unix:" + path, "orders", "1"}).output, "1\n");
  }
  ::unlink(path.c_str());
}

// ---- sub ----

TEST(Sub, PrintsWhatArrivesAndEndsAfterItsCount) {
  FakeServer server;
  std::thread publisher{[&] {
    wait_until([&] { return server.subscribers() == 1; });
    for (int i = 1; i <= 5; ++i) server.publish("orders", std::to_string(i * 10));
  }};
  const Ran ran = run({"sub", "--url", server.url(), "orders", "--count", "3"});
  publisher.join();
  EXPECT_EQ(ran.exit_code, kExitSuccess) << ran.errors;
  EXPECT_EQ(ran.output, "orders 1 10\norders 2 20\norders 3 30\n");
}

TEST(Sub, SaysSoWhenItCouldNotGoOnWhereItWas) {
  FakeServer server{{.recovers = false}};
  std::thread publisher{[&] {
    wait_until([&] { return server.subscribers() == 1; });
    for (int i = 1; i <= 3; ++i) server.publish("orders", std::to_string(i));
    std::this_thread::sleep_for(milliseconds{50});
    server.cut_all();
    wait_until([&] { return server.accepted() > 1 && server.subscribers() == 1; });
    server.publish("orders", "4");
    server.publish("orders", "5");
  }};
  const Ran ran = run({"sub", "--url", server.url(), "orders", "--count", "5"});
  publisher.join();
  EXPECT_EQ(ran.exit_code, kExitSuccess);
  EXPECT_EQ(ran.lines().back(), "orders 5 5");
  EXPECT_TRUE(ran.errors.contains("could not go on from 3")) << ran.errors;
}

TEST(Sub, GoesOnSinceTheGivenPlace) {
  FakeServer server;
  for (int i = 1; i <= 5; ++i) server.publish("orders", std::to_string(i));
  ASSERT_EQ(run({"pub", "--url", server.url(), "orders", "6"}).output, "6\n");
  const Ran ran = run({"sub", "--url", server.url(), "orders", "--since", "5f3c9a1e07d2b846:3", "--count", "3"});
  EXPECT_EQ(ran.output, "orders 4 4\norders 5 5\norders 6 6\n") << ran.errors;
  for (const std::string since : {"3", "5f3c9a1e07d2b846", "5f3c:3", "5f3c9a1e07d2b846:x", "5f3c9a1e07d2b846:-1"}) {
    EXPECT_EQ(run({"sub", "--url", server.url(), "orders", "--since", since}).exit_code, kExitUsage) << since;
  }
}

TEST(Sub, BeginsWithHistoryAndGoesOnLiveWithoutAGap) {
  struct Row {
    std::string_view sentence;
    std::string history;
    std::uint64_t from, page, first;  // what the server keeps; the first that is printed
    std::string_view said;
  };
  const Row rows[] = {
      {"the last three", "3", 1, 100, 8, ""},
      {"in several pages", "7", 1, 3, 4, ""},
      {"more than there ever were", "50", 1, 100, 1, ""},
      {"more than are kept", "8", 6, 100, 6, "history keeps 5 of the last 8 messages"},
      {"none is kept", "3", 11, 100, 11, "history keeps 0 of the last 3 messages"},
      {"a server that knows no history", "3", 0, 100, 11, "not_supported"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.sentence);
    FakeServer server{{.history_from = row.from, .history_page_max = row.page}};
    for (int i = 1; i <= 10; ++i) server.publish("orders", std::to_string(i));
    ASSERT_EQ(run({"pub", "--url", server.url(), "other", "1"}).output, "1\n") << "all of them are there";
    std::thread publisher{[&] {
      wait_until([&] { return server.subscribers() == 1; });
      server.publish("orders", "11");
      server.publish("orders", "12");
    }};
    const std::string count = std::to_string(13 - row.first);
    const Ran ran = run({"sub", "--url", server.url(), "orders", "--history", row.history, "--count", count});
    publisher.join();
    EXPECT_EQ(ran.exit_code, kExitSuccess) << ran.errors;
    std::string wanted;
    for (std::uint64_t i = row.first; i <= 12; ++i) {
      wanted += "orders " + std::to_string(i) + " " + std::to_string(i) + "\n";
    }
    EXPECT_EQ(ran.output, wanted) << ran.errors;
    EXPECT_TRUE(row.said.empty() ? ran.errors.empty() : ran.errors.contains(row.said)) << ran.errors;
  }
}

TEST(Sub, AsksForTheHistoryOfEachChannelAndEndsWithItsCount) {
  FakeServer server;
  for (int i = 1; i <= 3; ++i) {
    server.publish("a", std::to_string(i));
    server.publish("b", std::to_string(i * 10));
  }
  ASSERT_EQ(run({"pub", "--url", server.url(), "other", "1"}).output, "1\n");
  EXPECT_EQ(run({"sub", "--url", server.url(), "a", "b", "--history", "2", "--count", "4"}).output,
            "a 2 2\na 3 3\nb 2 20\nb 3 30\n");
  EXPECT_EQ(run({"sub", "--url", server.url(), "a", "b", "--history", "2", "--count", "1"}).output, "a 2 2\n");
  const Ran json = run({"sub", "--url", server.url(), "--json", "a", "--history", "1", "--count", "1"});
  EXPECT_TRUE(json.output.starts_with(R"({"type":"message","channel":"a","seq":3,)")) << json.output;
}

TEST(Sub, SaysWhatItWantsOfASubscription) {
  FakeServer server;
  server.publish("a", "1");
  ASSERT_EQ(run({"pub", "--url", server.url(), "other", "1"}).output, "1\n");
  (void)run({"sub", "--url", server.url(), "a", "--since", "5f3c9a1e07d2b846:0", "--count", "1", "--conflate",
             "--max-rate", "10", "--no-snapshot"});
  const auto commands = server.commands();
  ASSERT_FALSE(commands.empty());
  EXPECT_TRUE(commands.back().contains(R"("options":{"conflate":true,"max_rate":10,"snapshot":false})"))
      << commands.back();
}

TEST(Sub, KnowsWhatDoesNotGoTogether) {
  const std::string since = "5f3c9a1e07d2b846:1";
  const std::vector<std::vector<std::string>> rows = {{"a", "--since", since, "--history", "3"},
                                                      {"a", "b", "--since", since},
                                                      {"a", "--exchange", "--history", "3"},
                                                      {"a", "--exchange", "--conflate"},
                                                      {"a", "--exchange", "--max-rate", "3"},
                                                      {"a", "--history", "0"},
                                                      {"a", "--retries", "0"}};
  for (std::vector<std::string> arguments : rows) {
    arguments.insert(arguments.begin(), {"sub", "--url", "ws://127.0.0.1:1"});
    EXPECT_EQ(run(arguments).exit_code, kExitUsage) << arguments[4];
  }
}

TEST(Sub, ComesAgainWhenABusyServerTellsItTo) {
  FakeServer server{{.too_busy_for = 1}};
  std::thread publisher{[&] {
    wait_until([&] { return server.subscribers() == 1; });
    server.publish("orders", "1");
  }};
  const auto began = std::chrono::steady_clock::now();
  const Ran ran = run({"sub", "--url", server.url(), "orders", "--count", "1"});
  publisher.join();
  EXPECT_EQ(ran.exit_code, kExitSuccess) << ran.errors;
  EXPECT_TRUE(ran.errors.contains("503")) << ran.errors;
  EXPECT_GE(std::chrono::steady_clock::now() - began, seconds{1}) << "it said Retry-After: 1";
}

TEST(Sub, GivesUpAfterItsRetries) {
  const FakeServer server{{.too_busy_for = 100}};
  const Ran ran = run({"sub", "--url", server.url(), "orders", "--retries", "1"});
  EXPECT_EQ(ran.exit_code, kExitFailure);
  EXPECT_TRUE(ran.errors.contains("gave up: 2 connections in a row")) << ran.errors;
  EXPECT_EQ(server.accepted(), 2U);
}

TEST(Sub, PrintsPayloadsInTheExchangeDialect) {
  FakeServer server;
  std::thread publisher{[&] {
    wait_until([&] { return server.subscribers() == 1; });
    server.publish("btcusdt@trade", R"({"p":"1.0"})");
  }};
  const Ran raw = run({"sub", "--url", server.url(), "--exchange", "btcusdt@trade", "--count", "1"});
  publisher.join();
  EXPECT_EQ(raw.output, "{\"p\":\"1.0\"}\n") << raw.errors;
  EXPECT_EQ(run({"sub", "--url", server.url(), "--exchange", "a@trade", "--since", "5f3c9a1e07d2b846:3"}).exit_code,
            kExitUsage);
}

// ---- replay ----

constexpr std::string_view kCapture =
    "1000000000 {\"stream\":\"b@trade\",\"data\":{\"t\":1}}\n"
    "1000001000 {\"lastUpdateId\":7,\"bids\":[],\"asks\":[]}\n"
    "1000002000 {\"stream\":\"b@trade\",\"data\":{\"t\": 2}}\n"
    "1000003000 {\"stream\":\"b@depth\",\"data\":[1]}\n";
constexpr std::string_view kOtherCapture =
    "1000000500 {\"stream\":\"e@trade\",\"data\":{\"t\":10}}\n"
    "1000002500 {\"stream\":\"b@trade\",\"data\":{\"t\":11}}\n";

TEST(Replay, PublishesMergedCapturesInOrderOfReceiveTime) {
  FakeServer server;
  const TemporaryFile first{kCapture}, second{kOtherCapture};
  const Ran ran =
      run({"replay", first.path(), second.path(), "--url", server.url(), "--speed", "max", "--prefix", "x."});
  EXPECT_EQ(ran.exit_code, kExitSuccess) << ran.errors;
  EXPECT_TRUE(ran.output.starts_with("published 5 of 5 messages")) << ran.output;
  EXPECT_TRUE(ran.output.contains("0 refused, 1 skipped, 0 corrupt")) << ran.output;
  const Ran read = run({"sub", "--url", server.url(), "x.b@trade", "--since", "5f3c9a1e07d2b846:0", "--count", "3"});
  EXPECT_EQ(read.output, "x.b@trade 1 {\"t\":1}\nx.b@trade 2 {\"t\": 2}\nx.b@trade 3 {\"t\":11}\n") << "byte for byte";
}

TEST(Replay, CountsCorruptLinesByNameAndGoesOn) {
  FakeServer server;
  const TemporaryFile file{
      "1 {\"stream\":\"a\",\"data\":1}\nnonsense\n3 {\"stream\":\"a\",\"data\":}\n4 {\"stream\":\"a\",\"data\":4}\n"};
  const Ran ran = run({"replay", file.path(), "--url", server.url(), "--speed", "max"});
  EXPECT_EQ(ran.exit_code, kExitSuccess);
  EXPECT_TRUE(ran.output.contains("published 2 of 2")) << ran.output;
  EXPECT_TRUE(ran.output.contains("2 corrupt lines")) << ran.output;
  EXPECT_TRUE(ran.errors.contains(file.path() + ":2: ")) << ran.errors;
}

TEST(Replay, PublishesWhatATruncatedGzipHoldsAndFails) {
  FakeServer server;
  std::string text;
  for (int i = 0; i < 20'000; ++i)
    text += std::to_string(i) + " {\"stream\":\"a\",\"data\":" + std::to_string(i * 7'919 % 10'007) + "}\n";
  std::string packed(text.size(), '\0');
  z_stream stream{};
  ASSERT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(text.data());
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  ASSERT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  const TemporaryFile whole{packed}, cut{std::string_view{packed}.substr(0, packed.size() / 2)};
  EXPECT_EQ(run({"replay", whole.path(), "--url", server.url(), "--speed", "max"}).exit_code, kExitSuccess);
  EXPECT_EQ(server.published(), 20'000U);
  const Ran ran = run({"replay", cut.path(), "--url", server.url(), "--speed", "max"});
  EXPECT_EQ(ran.exit_code, kExitFailure);
  EXPECT_GT(server.published(), 25'000U) << "what could be read was published";
  EXPECT_TRUE(ran.errors.contains(cut.path() + ":")) << ran.errors;
}

constexpr std::string_view kBookCapture =
    "1000000000 "
    "{\"stream\":\"b@depth\",\"data\":{\"e\":\"depthUpdate\",\"U\":1,\"u\":5,\"b\":[[\"1\",\"5\"]],\"a\":[]}}\n"
    "1000000001 {\"lastUpdateId\":4,\"bids\":[[\"1\",\"4\"]],\"asks\":[[\"2\",\"1\"]]}\n"
    "1000000002 {\"stream\":\"b@trade\",\"data\":{\"t\":1}}\n"
    "2500000003 "
    "{\"stream\":\"b@depth\",\"data\":{\"e\":\"depthUpdate\",\"U\":6,\"u\":6,\"b\":[[\"1\",\"6\"]],\"a\":[]}}\n"
    "2500000004 "
    "{\"stream\":\"b@depth\",\"data\":{\"e\":\"depthUpdate\",\"U\":7,\"u\":7,\"b\":[[\"1\",\"7\"]],\"a\":[]}}\n";

TEST(Replay, PublishesSnapshotsOfTheBooks) {
  FakeServer server;
  const TemporaryFile file{kBookCapture};
  const Ran ran =
      run({"replay", file.path(), "--url", server.url(), "--speed", "max", "--prefix", "x.", "--snapshots", "1"});
  EXPECT_EQ(ran.exit_code, kExitSuccess) << ran.errors;
  EXPECT_TRUE(ran.output.starts_with("published 4 of 4 messages")) << ran.output;
  EXPECT_TRUE(ran.output.contains("0 skipped")) << ran.output;
  EXPECT_TRUE(ran.output.contains("books: 1 of 1 complete to the end, 2 snapshots published; 0 times updates"))
      << ran.output;
  ASSERT_TRUE(server.published() == 6) << server.published();
  const Ran read = run({"sub", "--url", server.url(), "x.b@depth", "--since", "5f3c9a1e07d2b846:0", "--count", "5"});
  std::vector<std::string> snapshots;
  for (const std::string& line : read.lines()) {
    if (line.contains("(snapshot)")) snapshots.push_back(line.substr(line.find('{')));
  }
  EXPECT_EQ(snapshots, (std::vector<std::string>{R"({"lastUpdateId":5,"bids":[["1","5"]],"asks":[["2","1"]]})",
                                                 R"({"lastUpdateId":7,"bids":[["1","7"]],"asks":[["2","1"]]})"}))
      << read.output;
}

TEST(Replay, SaysWhenThereWasNoBookToPublish) {
  FakeServer server;
  const TemporaryFile file{kOtherCapture};
  const Ran ran = run({"replay", file.path(), "--url", server.url(), "--speed", "max", "--snapshots", "5"});
  EXPECT_EQ(ran.exit_code, kExitFailure);
  EXPECT_TRUE(ran.errors.contains("--snapshots: there was no book to publish")) << ran.errors;
  for (const std::string seconds : {"-1", "1e9", "0.0001", "x"}) {
    EXPECT_EQ(run({"replay", file.path(), "--url", server.url(), "--snapshots", seconds}).exit_code, kExitUsage)
        << seconds;
  }
}

TEST(Replay, FailsOnRefusalsAndBadUsage) {
  FakeServer server{{.refuses = [](std::string_view channel, std::uint64_t) { return channel == "b@depth"; }}};
  const TemporaryFile file{kCapture};
  const Ran ran = run({"replay", file.path(), "--url", server.url(), "--speed", "max"});
  EXPECT_EQ(ran.exit_code, kExitFailure);
  EXPECT_TRUE(ran.output.contains("published 2 of 3 messages")) << ran.output;
  EXPECT_TRUE(ran.output.contains("1 refused")) << ran.output;
  EXPECT_EQ(run({"replay", file.path(), "--url", server.url(), "--speed", "fast"}).exit_code, kExitUsage);
  EXPECT_EQ(run({"replay", "/no/such/file", "--url", server.url()}).exit_code, kExitFailure);
  EXPECT_EQ(run({"replay"}).exit_code, kExitUsage);
}

// ---- load ----

TEST(Load, ReconnectsUnderChurn) {
  FakeServer server;
  const Ran ran = run(load_arguments(server.url(), {"--connections", "30", "--churn", "100"}));
  EXPECT_GT(server.accepted(), 45U) << "30, the publisher, and what came back";
  EXPECT_TRUE(ran.output.contains("reconnects, 0 failed")) << ran.output;
}

TEST(Load, ProvesAnUnbrokenRunOfSubscribersThatDropAndResume) {
  FakeServer server;
  const Ran ran = run(load_arguments(
      server.url(), {"--connections", "30", "--channels", "10", "--churn", "200", "--resume", "--away", "0.1"}));
  EXPECT_EQ(ran.exit_code, kExitSuccess) << ran.output << ran.errors;
  EXPECT_TRUE(ran.output.contains("expected      2400   delivered 2400   lost 0")) << ran.output;
  EXPECT_TRUE(ran.output.contains("0 not recovered")) << ran.output;
  EXPECT_FALSE(ran.output.contains("resumed       0 subscriptions")) << ran.output;
  EXPECT_FALSE(ran.output.contains(" 0 connections were dropped")) << ran.output;
}

TEST(Load, ComesBackWithResumeWhenTheServerClosesIt) {
  FakeServer server{{.delivery = [](std::uint64_t connection, std::string_view, std::uint64_t seq) {
    return connection == 4 && seq == 100 ? Delivery::close_slow : Delivery::normal;
  }}};
  const Ran ran =
      run(load_arguments(server.url(), {"--connections", "10", "--churn", "0.001", "--resume", "--away", "0.05"}));
  EXPECT_EQ(ran.exit_code, kExitSuccess) << ran.output << ran.errors;
  EXPECT_TRUE(ran.output.contains("expected      8000   delivered 8000   lost 0")) << ran.output;
  EXPECT_TRUE(ran.output.contains("the server closed 4008 × 1")) << ran.output;
}

TEST(Load, FindsThatASubscriberCouldNotResume) {
  FakeServer server{{.recovers = false}};
  const Ran ran =
      run(load_arguments(server.url(), {"--connections", "30", "--churn", "200", "--resume", "--away", "0.1"}));
  EXPECT_EQ(ran.exit_code, kExitFailure);
  EXPECT_TRUE(ran.output.contains("resumes could not be recovered")) << ran.output;
  for (const std::vector<std::string>& more : std::vector<std::vector<std::string>>{
           {"--resume"}, {"--churn", "5", "--away", "2"}, {"--churn", "5", "--resume", "--wire", "raw"}}) {
    EXPECT_EQ(run(load_arguments(server.url(), more)).exit_code, kExitUsage) << more[0];
  }
}

TEST(Load, TellsASubscriberThatTheServerClosedAsSlow) {
  FakeServer server{{.delivery = [](std::uint64_t connection, std::string_view, std::uint64_t seq) {
    return connection == 4 && seq == 100 ? Delivery::close_slow : Delivery::normal;
  }}};
  const Ran ran = run(load_arguments(server.url(), {"--connections", "10"}));
  EXPECT_EQ(ran.exit_code, kExitFailure) << ran.errors;
  EXPECT_TRUE(ran.output.contains("the server closed connections (4008 × 1)")) << ran.output;
}

TEST(Load, WritesItsResultsAndItsPage) {
  FakeServer server;
  const TemporaryFile json{""}, page{""};
  const Ran ran = run(load_arguments(server.url(), {"--connections", "5", "--json", json.path(), "--report",
                                                    page.path(), "--pid", std::to_string(::getpid())}));
  EXPECT_EQ(ran.exit_code, kExitSuccess) << ran.output;
  std::ifstream json_file{json.path()}, page_file{page.path()};
  const std::string json_text{std::istreambuf_iterator<char>{json_file}, {}},
      page_text{std::istreambuf_iterator<char>{page_file}, {}};
  JsonReader reader;
  ASSERT_TRUE(reader.read(json_text).has_value()) << json_text;
  EXPECT_EQ(reader.find("delivered")->text, "4000");
  EXPECT_NE(reader.find("server"), nullptr);
  EXPECT_TRUE(page_text.contains("<svg"));
}

TEST(Load, PublishesAFeedAndProvesItByteForByte) {
  FakeServer server;
  const std::string data = RINGCAST_TEST_DATA;
  const Ran ran =
      run({"load", "--url", server.url(), "--feed", data + "/btcusdt-spot.gz", "--feed", data + "/ethusdt-spot.gz",
           "--speed", "200", "--connections", "20", "--streams-per-connection", "3", "--drain", "2"});
  EXPECT_EQ(ran.exit_code, kExitSuccess) << ran.output << ran.errors;
  EXPECT_TRUE(ran.output.contains("every subscriber received every message of its streams, in order, byte for byte"))
      << ran.output;
  EXPECT_TRUE(ran.output.contains("continuous by the exchange's own ids")) << ran.output;
}

TEST(Load, FindsWhatAFeedsSubscribersMissed) {
  FakeServer server{{.delivery = [](std::uint64_t connection, std::string_view, std::uint64_t seq) {
    return connection == 3 && seq == 2 ? Delivery::drop : Delivery::normal;
  }}};
  const TemporaryFile file{kCapture};
  const Ran ran = run({"load", "--url", server.url(), "--feed", file.path(), "--connections", "4",
                       "--streams-per-connection", "1", "--drain", "1"});
  EXPECT_EQ(ran.exit_code, kExitFailure);
  EXPECT_TRUE(ran.output.contains("1 messages lost")) << ran.output << ran.errors;
}

TEST(Load, SaysBeforeItBeginsWhatItCannotDo) {
  FakeServer server;
  EXPECT_EQ(run(load_arguments(server.url(), {"--connections", "0"})).exit_code, kExitUsage);
  EXPECT_EQ(run(load_arguments(server.url(), {"--payload", "10"})).exit_code, kExitUsage);
  EXPECT_EQ(run(load_arguments(server.url(), {"--speed", "2"})).exit_code, kExitUsage) << "--speed needs --feed";
  EXPECT_EQ(run(load_arguments(server.url(), {"--tls", "--ca", "/nowhere.pem"})).exit_code, kExitUsage);
  const Ran many = run(load_arguments(server.url(), {"--connections", "10000000"}));
  EXPECT_EQ(many.exit_code, kExitFailure);
  EXPECT_TRUE(many.errors.contains("descriptors are needed")) << many.errors;
  const Ran node = run(load_arguments(server.url(), {"--ledger", "no-such-node-of-this-test"}));
  EXPECT_EQ(node.exit_code, kExitFailure);
  EXPECT_TRUE(node.errors.contains("no-such-node-of-this-test")) << node.errors;
  const FakeServer full{{.answers_upgrade_with = 503}};
  const Ran refused = run(load_arguments(full.url(), {}));
  EXPECT_EQ(refused.exit_code, kExitFailure);
  EXPECT_TRUE(refused.errors.contains("503")) << refused.errors;
  EXPECT_EQ(server.accepted(), 0U);
}

}  // namespace
}  // namespace ringcast
