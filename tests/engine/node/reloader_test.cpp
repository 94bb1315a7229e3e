#include "engine/node/reloader.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "alloc/segment/ringcast_stats.h"
#include "engine/stats/node_view.hpp"
#include "tests/doubles/temporary_file.hpp"
#include "tests/engine/node/node_fixture.hpp"

namespace ringcast {
namespace {

using test::contains;
using test::TestClient;
using test::unique_name;

/// A node that was started from a file, which the test may write anew.
class ReloaderTest : public testing::Test {
 protected:
  void start(std::string_view text, std::string_view shards = "2") {
    write(text);
    sources_.file = file_.path();
    sources_.flags = {{"name", name_}, {"listen", "127.0.0.1:0"}, {"admin", "127.0.0.1:0"},
                      {"shards", std::string{shards}}};
    auto configuration = load_configuration(sources_);
    ASSERT_TRUE(configuration) << text_of(configuration.error().front());
    auto node = Node::start(configuration->options, clock_, log_);
    ASSERT_TRUE(node) << node.error();
    node_ = std::move(*node);
    reloader_ = std::make_unique<Reloader>(sources_, *std::move(configuration), *node_, clock_, log_);
  }
  void write(std::string_view text) const { std::ofstream{file_.path(), std::ios::trunc | std::ios::binary} << text; }
  ReloadReport reload(std::string_view text) {
    write(text);
    return reloader_->reload("a test");
  }
  /// Every shard goes by what was loaded.
  [[nodiscard]] bool settle() {
    for (int i = 0; i < 1'000 && !node_->options_settled(); ++i) std::this_thread::sleep_for(milliseconds{10});
    node_->tick();
    return node_->options_settled();
  }
  [[nodiscard]] std::uint64_t counter(std::string_view label) const {
    rcs_reader* reader = nullptr;
    char sentence[256] = {};
    EXPECT_EQ(rcs_open(name_.c_str(), &reader, sentence), RCS_OK) << sentence;
    const auto view = take_view(reader);
    const std::uint64_t value = view ? view->total(label) : 0;
    rcs_close(reader);
    return value;
  }
  [[nodiscard]] std::uint16_t port() const { return node_->addresses().at(0).port; }
  [[nodiscard]] static std::string answer_to_subscribe(TestClient& client, std::string_view channel) {
    client.send(R"({"type":"subscribe","id":7,"channels":[")" + std::string{channel} + R"("]})");
    return client.wait_for(R"("id":7)");
  }

  const std::string name_ = unique_name();
  TemporaryFile file_{"#"};
  ConfigSources sources_;
  SystemClock clock_;
  Log log_{{.least = LogSeverity::off, .json = false, .file = stderr}};
  std::unique_ptr<Node> node_;
  std::unique_ptr<Reloader> reloader_;
};

TEST_F(ReloaderTest, WhatIsValidIsTakenByEveryShardAndNobodyIsDisconnected) {
  start("limits.subscriptions = 1\n");
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 8; ++i) {  // the kernel spreads them over the shards
    clients.push_back(std::make_unique<TestClient>(port()));
    EXPECT_TRUE(contains(answer_to_subscribe(*clients.back(), "a"), "subscribed"));
    EXPECT_TRUE(contains(answer_to_subscribe(*clients.back(), "b"), "too_many_subscriptions"));
  }
  const ReloadReport report = reload("limits.subscriptions = 5\nshards.spin = \"0s\"\n");
  EXPECT_TRUE(report.taken);
  ASSERT_EQ(report.changes.size(), 2U);
  EXPECT_EQ(report.changes[0].key, "shards.spin");
  EXPECT_EQ(report.changes[0].effect, Effect::restart);
  EXPECT_EQ(report.changes[1].key, "limits.subscriptions");
  EXPECT_EQ(report.changes[1].effect, Effect::live);
  EXPECT_EQ(report.kept(), 1U);
  ASSERT_TRUE(settle());
  for (auto& client : clients) EXPECT_TRUE(contains(answer_to_subscribe(*client, "b"), "subscribed"));
  EXPECT_EQ(reloader_->running().options.shards.spin, ShardOptions{}.spin) << "what waits for a restart is not there";
  EXPECT_EQ(counter("config_reloads"), 1U);
  EXPECT_EQ(counter("config_reloads_refused"), 0U);
}

struct BadFileRow {
  std::string_view sentence;
  std::string_view text;
  std::string_view problem;
};
TEST_F(ReloaderTest, WhatIsNotValidChangesNothing) {
  constexpr BadFileRow kRows[] = {
      {"an unknown key", "limits.subscriptions = 5\nlimits.conections = 5\n", ":2: limits.conections: unknown key"},
      {"a value out of range", "limits = { subscriptions = 5, channels = 0 }\n", ":1: limits.channels: 0 is out"},
      {"a file that is cut off", "limits.subscriptions = ", ":1: "},
      {"an empty file", "", ": is empty"},
      {"a file that is no text",
       std::string_view{"\x7f"
                        "ELF\0",
                        5},
       ":1: has a zero byte"},
      {"a contradiction", "limits.subscriptions = 5\n[[namespace]]\nmatch = \"a\"\nlag.bytes = \"64KiB\"\n",
       ":4: namespace.lag.bytes: 64KiB is less than one message"},
  };
  start("limits.subscriptions = 1\n");
  TestClient client{port()};
  EXPECT_TRUE(contains(answer_to_subscribe(client, "a"), "subscribed"));
  std::uint64_t refused = 0;
  for (const BadFileRow& row : kRows) {
    const ReloadReport report = reload(row.text);
    EXPECT_FALSE(report.taken) << row.sentence;
    ASSERT_FALSE(report.problems.empty()) << row.sentence;
    EXPECT_TRUE(contains(report.problems[0], row.problem)) << row.sentence << ": " << report.problems[0];
    EXPECT_TRUE(report.changes.empty()) << row.sentence;
    ++refused;
    ASSERT_TRUE(settle());
    EXPECT_TRUE(contains(answer_to_subscribe(client, "b"), "too_many_subscriptions")) << row.sentence;
  }
  EXPECT_EQ(counter("config_reloads_refused"), refused);
}

TEST_F(ReloaderTest, WhatIsNoRegularFileIsNotReadAgain) {
  start("limits.subscriptions = 1\n");
  const auto problem_of = [&] {
    const ReloadReport report = reloader_->reload("a test");
    EXPECT_FALSE(report.taken);
    return report.problems.empty() ? std::string{} : report.problems[0];
  };
  const std::string& path = file_.path();
  ASSERT_EQ(::unlink(path.c_str()), 0);
  EXPECT_EQ(problem_of(), path + ": cannot be read: No such file or directory");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(problem_of(), path + ": is no regular file: it cannot be read again") << "reading it would wait for ever";
  ASSERT_EQ(::unlink(path.c_str()), 0);
  ASSERT_EQ(::mkdir(path.c_str(), 0700), 0);
  EXPECT_EQ(problem_of(), path + ": is no regular file: it cannot be read again");
  ASSERT_EQ(::rmdir(path.c_str()), 0);
  EXPECT_TRUE(reload("limits.subscriptions = 2\n").taken) << "and the next one is as good as any";
}

TEST_F(ReloaderTest, OfSeveralPartsAllAreTakenOrNone) {
  start("limits.subscriptions = 1\n");
  bool keys_are_good = false;
  int certificates = 0, keys = 0;
  reloader_->add({"certificates", [&](const NodeOptions&) -> Result<ReloadPart::Take, std::string> {
                    return ReloadPart::Take{[&] { ++certificates; }};
                  }});
  std::uint32_t seen = 0;
  reloader_->add({"keys", [&](const NodeOptions& options) -> Result<ReloadPart::Take, std::string> {
                    seen = options.core.limits.subscriptions;
                    if (!keys_are_good) return unexpected(std::string{"keys.json: cannot be read"});
                    return ReloadPart::Take{[&] { ++keys; }};
                  }});
  const ReloadReport refused = reload("limits.subscriptions = 5\n");
  EXPECT_FALSE(refused.taken);
  EXPECT_EQ(refused.problems, std::vector<std::string>{"keys: keys.json: cannot be read"});
  EXPECT_EQ(seen, 5U) << "it is asked about the options that are to be in force";
  EXPECT_EQ(certificates + keys, 0);
  EXPECT_EQ(node_->options().core.limits.subscriptions, 1U);
  keys_are_good = true;
  EXPECT_TRUE(reload("limits.subscriptions = 5\n").taken);
  EXPECT_EQ(certificates, 1);
  EXPECT_EQ(keys, 1);
  EXPECT_EQ(node_->options().core.limits.subscriptions, 5U);
}

TEST_F(ReloaderTest, LimitsAreRaisedAsFarAsWhatWasLaidOutAtTheStart) {
  start("limits = { connections = 100, message_bytes = \"8KiB\" }\n");
  const ReloadBounds bounds = node_->reload_bounds();
  EXPECT_GT(bounds.connections, 100U);
  EXPECT_GT(bounds.message_bytes, 8'192U);
  const auto with = [&](std::uint64_t connections, std::uint64_t bytes) {
    const ReloadReport report = reload("limits = { connections = " + std::to_string(connections) +
                                       ", message_bytes = " + std::to_string(bytes) + " }\n");
    EXPECT_TRUE(report.taken);
    return report.kept();
  };
  EXPECT_EQ(with(bounds.connections, bounds.message_bytes), 0U);
  EXPECT_EQ(with(bounds.connections + 1, bounds.message_bytes + 1), 2U);
  EXPECT_EQ(node_->options().core.limits.connections, bounds.connections);
  ASSERT_TRUE(settle());
  // The largest that there is room for really goes from shard to shard.
  std::vector<std::unique_ptr<TestClient>> readers;
  for (int i = 0; i < 4; ++i) {
    readers.push_back(std::make_unique<TestClient>(port()));
    EXPECT_TRUE(contains(answer_to_subscribe(*readers.back(), "large"), "subscribed"));
  }
  TestClient publisher{port()};
  const std::string head = R"({"type":"publish","channel":"large","data":")";
  publisher.send(head + std::string(bounds.message_bytes - head.size() - 2, 'x') + "\"}");
  for (auto& reader : readers) EXPECT_GT(reader->wait_for("xxx").size(), bounds.message_bytes - 100);
}

TEST_F(ReloaderTest, MessagesAreNoLargerThanTheLanesOfTheAdminPortEvenWhereThereIsOneShard) {
  start("limits.message_bytes = \"8KiB\"\n", "1");
  const ReloadBounds bounds = node_->reload_bounds();
  EXPECT_GE(bounds.message_bytes, 8'192U);
  EXPECT_LT(bounds.message_bytes, 1U << 20);
  EXPECT_EQ(reload("limits.message_bytes = \"1MiB\"\n").kept(), 1U);
}

TEST_F(ReloaderTest, ANodeThatEndsIsNotReloaded) {
  start("limits.subscriptions = 1\n");
  node_->begin_shutdown();
  const ReloadReport report = reload("limits.subscriptions = 5\n");
  EXPECT_FALSE(report.taken);
  EXPECT_EQ(report.problems, std::vector<std::string>{"the node is about to end"});
}

TEST_F(ReloaderTest, ManyReloadsInARowLeaveOneThatIsInForce) {
  start("limits.subscriptions = 1\n");
  TestClient client{port()};
  for (int i = 2; i <= 50; ++i) {
    const std::string number = std::to_string(i);
    const std::string rule = "[[namespace]]\nmatch = \"a\"\nlag.messages = " + number + "\n";
    EXPECT_TRUE(reload("limits.subscriptions = " + number + "\n" + rule).taken);
    if (i % 7 == 0) node_->tick();
  }
  ASSERT_TRUE(settle());
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(contains(answer_to_subscribe(client, "c" + std::to_string(i)), "subscribed")) << i;
  }
  EXPECT_TRUE(contains(answer_to_subscribe(client, "one.more"), "too_many_subscriptions"));
}

TEST_F(ReloaderTest, TheLogGoesByTheNewLevel) {
  start("log.level = \"off\"\n", "1");
  EXPECT_FALSE(log_.wants(LogSeverity::error));
  EXPECT_TRUE(reload("log.level = \"debug\"\n").taken);
  EXPECT_TRUE(log_.wants(LogSeverity::debug));
  EXPECT_TRUE(reload("log.level = \"off\"\n").taken);
  EXPECT_FALSE(log_.wants(LogSeverity::error));
}

}  // namespace
}  // namespace ringcast
