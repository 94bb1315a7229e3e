// tests/tools/command_options_test.cpp: what the flags of pub, sub, replay and load make of what is said to a server.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <thread>

#include "codec/text/json.hpp"
#include "tests/doubles/temporary_file.hpp"
#include "tests/tools/command_runner.hpp"
#include "tests/tools/fake_server.hpp"
#include "tools/bearer_token.hpp"

namespace ringcast {
namespace {

// ---- what a publish says ----

struct PublishRow {
  std::string_view sentence;
  std::vector<std::string> flags;
  std::string event{}, message_id{};
  bool snapshot = false;
  std::uint64_t as_of = 0;
  bool high_priority = false;
};

TEST(Pub, SaysAboutItsMessageWhatItIsTold) {
  const PublishRow rows[] = {
      {.sentence = "nothing", .flags = {}},
      {.sentence = "an event", .flags = {"--event", "order_update"}, .event = "order_update"},
      {.sentence = "an id", .flags = {"--message-id", "7f3c"}, .message_id = "7f3c"},
      {.sentence = "high priority", .flags = {"--priority", "high"}, .high_priority = true},
      {.sentence = "normal priority", .flags = {"--priority", "normal"}},
      {.sentence = "a snapshot", .flags = {"--state", "snapshot"}, .snapshot = true},
      {.sentence = "a snapshot as of a seq",
       .flags = {"--state", "snapshot", "--as-of-seq", "41"},
       .snapshot = true,
       .as_of = 41},
  };
  for (const bool binary : {false, true}) {
    for (const PublishRow& row : rows) {
      SCOPED_TRACE(std::string{row.sentence} + (binary ? ", binary" : ""));
      FakeServer server;
      std::vector<std::string> arguments{"pub", "--url", server.url(), "orders", "[1]"};
      arguments.insert(arguments.end(), row.flags.begin(), row.flags.end());
      if (binary) arguments.emplace_back("--binary");
      const Ran ran = run(arguments);
      EXPECT_EQ(ran.exit_code, kExitSuccess) << ran.errors;
      const auto messages = server.messages();
      ASSERT_EQ(messages.size(), 1U);
      EXPECT_EQ(messages[0].data, "[1]");
      EXPECT_EQ(messages[0].event, row.event);
      EXPECT_EQ(messages[0].message_id, row.message_id);
      EXPECT_EQ(messages[0].snapshot, row.snapshot);
      EXPECT_EQ(messages[0].as_of, Sequence{row.as_of});
      EXPECT_EQ(messages[0].high_priority, row.high_priority);
    }
  }
}

TEST(Pub, TakesAFileAsOnePayload) {
  FakeServer server;
  const TemporaryFile file{"{\"a\":\n [1, 2]}\n"}, words{"line one\nline two\n"};
  EXPECT_EQ(run({"pub", "--url", server.url(), "orders", "--file", file.path(), "--message-id", "x"}).output, "1\n");
  EXPECT_EQ(run({"pub", "--url", server.url(), "orders", "--file", words.path(), "--text"}).output, "2\n");
  const auto messages = server.messages();
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0].data, "{\"a\":\n [1, 2]}") << "without the white space around it";
  EXPECT_EQ(messages[1].data, R"("line one\nline two\n")");
}

TEST(Pub, KnowsWhatCannotBe) {
  const TemporaryFile file{"1"};
  struct Row {
    std::vector<std::string> arguments;
    std::string_view said;
  };
  const Row rows[] = {
      {{"c", "1", "--priority", "urgent"}, "--priority"},
      {{"c", "1", "--state", "delta"}, "--state"},
      {{"c", "1", "--as-of-seq", "4"}, "--state"},
      {{"c", "1", "--state", "snapshot", "--as-of-seq", "0"}, "--as-of-seq"},
      {{"c", "1", "--state", "snapshot", "--as-of-seq", "x"}, "--as-of-seq"},
      {{"c", "--message-id", "x"}, "--message-id is of one message"},
      {{"c", "1", "--message-id", std::string(256, 'x')}, "--message-id has at most 255 bytes"},
      {{"c", "1", "--event", std::string(256, 'x')}, "--event has at most 255 bytes"},
      {{"c", "1", "--event", "\xff"}, "UTF-8"},
      {{"c", "1", "--file", file.path()}, "--file"},
      {{"c", "--file", "/no/such/file"}, "/no/such/file: cannot be read: No such file"},
      {{"c", "--file", "/tmp"}, "/tmp: cannot be read"},
      {{"c", "1", "--text", "--binary"}, "--binary"},
  };
  for (const Row& row : rows) {
    std::vector<std::string> arguments{"pub", "--url", "ws://127.0.0.1:1"};
    arguments.insert(arguments.end(), row.arguments.begin(), row.arguments.end());
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.exit_code, kExitUsage) << row.said << ran.errors;
    EXPECT_TRUE(ran.errors.contains(row.said)) << ran.errors;
  }
}

// ---- what a subscribe says ----

TEST(Sub, SaysWhatItWantsOfItsSubscriptions) {
  struct Row {
    std::vector<std::string> flags;
    std::string_view options;  // as they are said; empty: none
  };
  const Row rows[] = {
      {{}, ""},
      {{"--conflate"}, R"({"conflate":true})"},
      {{"--no-conflate"}, R"({"conflate":false})"},
      {{"--max-rate", "7"}, R"({"max_rate":7})"},
      {{"--conflate", "--max-rate", "7"}, R"({"conflate":true,"max_rate":7})"},
      {{"--no-snapshot"}, R"({"snapshot":false})"},
  };
  for (const bool binary : {false, true}) {
    for (const Row& row : rows) {
      SCOPED_TRACE(row.options);
      FakeServer server;
      server.publish("a", "1");
      ASSERT_EQ(run({"pub", "--url", server.url(), "other", "1"}).output, "1\n") << "it is there";
      std::vector<std::string> arguments{"sub",     "--url", server.url(), "a", "--since", "5f3c9a1e07d2b846:0",
                                         "--count", "1"};
      arguments.insert(arguments.end(), row.flags.begin(), row.flags.end());
      if (binary) arguments.emplace_back("--binary");
      const Ran ran = run(arguments);
      EXPECT_EQ(ran.exit_code, kExitSuccess) << ran.errors;
      const auto commands = server.commands();
      ASSERT_EQ(commands.size(), 1U);
      JsonReader reader;
      ASSERT_TRUE(reader.read(commands[0]).has_value());
      const JsonValue* options = reader.find("options");
      EXPECT_EQ(options == nullptr ? std::string_view{} : options->text, row.options);
    }
  }
}

TEST(Sub, KnowsWhichOptionsAndDialectsContradictEachOther) {
  const std::vector<std::vector<std::string>> rows = {{"a", "--conflate", "--no-conflate"},
                                                      {"a", "--no-conflate", "--max-rate", "3"},
                                                      {"a", "--max-rate", "0"},
                                                      {"a", "--max-rate", "-1"},
                                                      {"a", "--exchange", "--binary"},
                                                      {"a", "--exchange", "--no-conflate"},
                                                      {"a>b"},
                                                      {"a*", "--history", "3"},
                                                      {"a>", "--since", "5f3c9a1e07d2b846:1"}};
  for (std::vector<std::string> arguments : rows) {
    arguments.insert(arguments.begin(), {"sub", "--url", "ws://127.0.0.1:1"});
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.exit_code, kExitUsage) << arguments.back();
    EXPECT_FALSE(ran.errors.empty()) << arguments.back();
  }
}

// ---- who they say they are ----

/// Sets the variable while it lives.
class TokenVariable {
 public:
  explicit TokenVariable(const std::string& token) { ::setenv(kTokenVariable, token.c_str(), 1); }
  ~TokenVariable() { ::unsetenv(kTokenVariable); }
  TokenVariable(const TokenVariable&) = delete;
  TokenVariable& operator=(const TokenVariable&) = delete;
};

/// A command line that connects, for each command that does.
std::vector<std::vector<std::string>> connecting_commands(const FakeServer& server, const std::string& capture) {
  return {{"pub", "--url", server.url(), "orders", "1"},
          {"pub", "--url", server.url(), "orders", "1", "--binary"},
          {"sub", "--url", server.url(), "orders", "--since", "5f3c9a1e07d2b846:0", "--count", "1"},
          {"sub", "--url", server.url(), "orders", "--since", "5f3c9a1e07d2b846:0", "--count", "1", "--binary"},
          {"replay", capture, "--url", server.url(), "--speed", "max"},
          {"load", "--url", server.url(), "--connections", "2", "--rate", "100", "--duration", "0.1", "--warmup", "0",
           "--drain", "1"}};
}

TEST(Token, IsSaidByEveryCommandThatConnectsAndPrintedByNone) {
  const std::string secret = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";
  const TemporaryFile file{secret + "\n"}, capture{"1 {\"stream\":\"a\",\"data\":1}\n"};
  FakeServer server;
  for (const std::vector<std::string>& command : connecting_commands(server, capture.path())) {
    for (const std::string how : {"--token", "--token-file", "variable"}) {
      SCOPED_TRACE(command[0] + " " + how);
      std::vector<std::string> arguments = command;
      std::optional<TokenVariable> variable;
      if (how == "--token") {
        arguments.insert(arguments.end(), {how, secret});
      } else if (how == "--token-file") {
        arguments.insert(arguments.end(), {how, file.path()});
      } else {
        variable.emplace(secret);
      }
      const std::size_t before = server.authorizations().size();
      const Ran ran = run(arguments);
      EXPECT_EQ(ran.exit_code, kExitSuccess) << ran.output << ran.errors;
      EXPECT_FALSE((ran.output + ran.errors).contains(secret));
      const auto said = server.authorizations();
      ASSERT_GT(said.size(), before);
      for (std::size_t i = before; i < said.size(); ++i) EXPECT_EQ(said[i], "Bearer " + secret);
    }
  }
}

TEST(Token, GivenByAFlagGoesBeforeTheVariable) {
  FakeServer server;
  const TemporaryFile file{"  of-file \n\n"};
  const TokenVariable variable{"of-variable"};
  (void)run({"pub", "--url", server.url(), "a", "1", "--token", "of-flag"});
  (void)run({"pub", "--url", server.url(), "a", "1", "--token-file", file.path()});
  (void)run({"pub", "--url", server.url(), "a", "1"});
  EXPECT_EQ(server.authorizations(),
            (std::vector<std::string>{"Bearer of-flag", "Bearer of-file", "Bearer of-variable"}));
}

TEST(Token, IsNotSaidWhereNoneIsGiven) {
  FakeServer server;
  (void)run({"pub", "--url", server.url(), "a", "1"});
  const TokenVariable empty{""};
  (void)run({"pub", "--url", server.url(), "a", "1"});
  EXPECT_EQ(server.authorizations(), (std::vector<std::string>{"", ""}));
}

TEST(Token, ThatIsNoneIsRefusedWithoutBeingPrinted) {
  const std::string secret = "half secret";
  const TemporaryFile empty{" \n"}, garbled{secret}, large{std::string(9'000, 'x')};
  const FakeServer server;
  struct Row {
    std::vector<std::string> flags;
    std::string variable;
    std::string_view said;
  };
  const Row rows[] = {
      {{"--token", ""}, "", "--token: the token is empty"},
      {{"--token", secret}, "", "--token: not a token"},
      {{"--token", "a\r\nX-Other: b"}, "", "--token: not a token"},
      {{"--token", std::string(8'193, 'x')}, "", "longer than the 8192 bytes"},
      {{"--token-file", empty.path()}, "", "the token is empty"},
      {{"--token-file", garbled.path()}, "", "not a token"},
      {{"--token-file", large.path()}, "", "longer than the 8192 bytes"},
      {{"--token-file", "/no/such/file"}, "", "/no/such/file: cannot be read: No such file"},
      {{"--token-file", "/tmp"}, "", "/tmp: cannot be read"},
      {{"--token-file", ""}, "", "cannot be read"},
      {{"--token", "a", "--token-file", garbled.path()}, "", "--token"},
      {{}, secret, "RINGCAST_TOKEN: not a token"},
  };
  const TemporaryFile capture{"1 {\"stream\":\"a\",\"data\":1}\n"};
  for (const std::vector<std::string>& command : connecting_commands(server, capture.path())) {
    for (const Row& row : rows) {
      SCOPED_TRACE(command[0]);
      std::vector<std::string> arguments = command;
      arguments.insert(arguments.end(), row.flags.begin(), row.flags.end());
      std::optional<TokenVariable> variable;
      if (!row.variable.empty()) variable.emplace(row.variable);
      const Ran ran = run(arguments);
      EXPECT_EQ(ran.exit_code, kExitUsage) << row.said << ran.errors;
      EXPECT_TRUE(ran.errors.contains(row.said)) << ran.errors;
      EXPECT_FALSE((ran.output + ran.errors).contains(secret)) << ran.errors;
    }
  }
  EXPECT_EQ(server.accepted(), 0U) << "nobody connects with half a name";
}

TEST(Token, InAUrlIsNotPrintedEither) {
  std::string url;
  {
    const FakeServer server;
    url = server.url();
  }
  const Ran ran = run({"pub", "--url", url + "/ws/connect?user=7&token=secret&x=1", "orders", "1"});
  EXPECT_EQ(ran.exit_code, kExitFailure);
  EXPECT_TRUE(ran.errors.contains("/ws/connect?user=7&token=***&x=1: Connection refused")) << ran.errors;
  const Ran nonsense = run({"pub", "--url", "nonsense?token=secret", "orders", "1"});
  EXPECT_EQ(nonsense.exit_code, kExitUsage);
  EXPECT_FALSE(nonsense.errors.contains("secret")) << nonsense.errors;
}

TEST(Token, OfAFileIsReadAgainForTheNextConnection) {
  FakeServer server;
  const TemporaryFile file{"first"};
  std::thread others{[&] {
    wait_until([&] { return server.subscribers() == 1; });
    server.publish("orders", "1");
    std::this_thread::sleep_for(milliseconds{50});
    {
      std::ofstream next{file.path()};
      next << "second\n";
    }
    server.cut_all();
    wait_until([&] { return server.accepted() > 1 && server.subscribers() == 1; });
    server.publish("orders", "2");
  }};
  const Ran ran = run({"sub", "--url", server.url(), "orders", "--count", "2", "--token-file", file.path()});
  others.join();
  EXPECT_EQ(ran.exit_code, kExitSuccess) << ran.errors;
  EXPECT_EQ(server.authorizations(), (std::vector<std::string>{"Bearer first", "Bearer second"}));
}

}  // namespace
}  // namespace ringcast
