#include "engine/node/run_node.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "engine/config/schema.hpp"
#include "tests/doubles/temporary_file.hpp"
#include "tests/engine/node/node_fixture.hpp"

namespace ringcast {
namespace {

using test::contains;
using test::node_options;
using test::TestClient;

/// A node in a process of its own, whose standard error we read.
class NodeProcess {
 public:
  explicit NodeProcess(const NodeOptions& options, const ConfigSources& sources = {}) {
    Configuration configuration;
    configuration.options = options;
    configuration.origins.assign(node_keys().size(), std::string{kOriginDefault});
    const std::size_t rules = options.core.namespaces.size();
    configuration.namespaces.assign(
        rules,
        {std::string{kOriginShipped}, std::vector<std::string>(namespace_keys().size(), std::string{kOriginShipped})});
    std::array<int, 2> fds{};
    EXPECT_EQ(pipe(fds.data()), 0);
    child_ = fork();
    if (child_ == 0) {
      dup2(fds[1], STDERR_FILENO);
      close(fds[0]);
      _exit(run_node(std::move(configuration), sources));
    }
    close(fds[1]);
    read_fd_ = fds[0];
  }
  ~NodeProcess() {
    if (child_ > 0) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
    close(read_fd_);
  }
  NodeProcess(const NodeProcess&) = delete;
  NodeProcess& operator=(const NodeProcess&) = delete;

  /// Reads until `part` came or the stream ended; true if it came.
  bool says(std::string_view part) {
    while (!contains(said_, part)) {
      pollfd waiting{.fd = read_fd_, .events = POLLIN, .revents = 0};
      if (poll(&waiting, 1, 10'000) != 1) return false;
      std::array<char, 512> chunk{};
      const auto got = read(read_fd_, chunk.data(), chunk.size());
      if (got <= 0) return false;
      said_.append(chunk.data(), static_cast<std::size_t>(got));
    }
    return true;
  }
  std::uint16_t port() {
    EXPECT_TRUE(says("listening on ws://127.0.0.1:")) << said_;
    EXPECT_TRUE(says("\n"));
    const std::size_t at = said_.find("127.0.0.1:") + 10;
    return static_cast<std::uint16_t>(std::stoul(said_.substr(at)));
  }
  void signal(int number) const { kill(child_, number); }
  int exit_code() {
    (void)says("this is never said: read to the end");
    int status = 0;
    waitpid(child_, &status, 0);
    child_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  [[nodiscard]] const std::string& said() const { return said_; }

 private:
  pid_t child_ = -1;
  int read_fd_ = -1;
  std::string said_;
};

struct SignalRow {
  const char* sentence;
  int signal;
};
constexpr SignalRow kSignalRows[] = {{"SIGTERM", SIGTERM}, {"SIGINT", SIGINT}};

TEST(RunNode, ASignalEndsItGracefully) {
  for (const SignalRow& row : kSignalRows) {
    NodeOptions options = node_options(2);
    options.log.level = LogLevel::info;
    NodeProcess process{options};
    TestClient client{process.port()};
    ASSERT_TRUE(contains(client.wait_for("welcome"), "welcome"));
    process.signal(row.signal);
    (void)client.wait_for("nothing");
    EXPECT_EQ(value(client.code()), 1001) << row.sentence;
    EXPECT_EQ(process.exit_code(), 0) << row.sentence << process.said();
    for (const std::string_view event : {"node_started", "node_stopping", "node_stopped"}) {
      EXPECT_TRUE(contains(process.said(), event)) << process.said();
    }
  }
}

TEST(RunNode, ASecondSignalEndsItAtOnce) {
  NodeOptions options = node_options(2);
  options.core.shutdown.deadline = seconds{60};
  options.log.level = LogLevel::info;
  NodeProcess process{options};
  // A client that never answers the goodbye: without the second signal the node would wait for it.
  TestClient client{process.port()};
  ASSERT_TRUE(contains(client.wait_for("welcome"), "welcome"));
  process.signal(SIGTERM);
  ASSERT_TRUE(process.says("node_stopping"));
  process.signal(SIGTERM);
  EXPECT_EQ(process.exit_code(), 1);
  EXPECT_TRUE(contains(process.said(), "shutdown_forced")) << process.said();
}

TEST(RunNode, HangupReadsTheConfigurationAgain) {
  const TemporaryFile file{"limits.subscriptions = 5\n"};
  const ConfigSources sources{.file = file.path(),
                              .environment = {},
                              .flags = {{"name", test::unique_name()}, {"listen", "127.0.0.1:0"}, {"shards", "1"}}};
  const auto loaded = load_configuration(sources);
  ASSERT_TRUE(loaded);
  NodeProcess process{loaded->options, sources};
  const std::uint16_t port = process.port();
  std::ofstream{file.path()} << "limits.subscriptions = 6\n";
  process.signal(SIGHUP);
  EXPECT_TRUE(process.says("config_changed key=limits.subscriptions before=5 after=6 effect=live")) << process.said();
  EXPECT_TRUE(process.says("config_reloaded changes=1 kept=0 text=SIGHUP")) << process.said();
  std::ofstream{file.path()} << "limits.subscription = 7\n";
  process.signal(SIGHUP);
  EXPECT_TRUE(process.says("limits.subscription: unknown key")) << process.said();
  EXPECT_TRUE(process.says("config_refused problems=1")) << process.said();
  TestClient client{port};
  EXPECT_TRUE(contains(client.wait_for("welcome"), "welcome"));
  process.signal(SIGTERM);
  EXPECT_EQ(process.exit_code(), 0);
}

TEST(RunNode, WhatCannotStartSaysWhyAndExitsWithOne) {
  NodeOptions options = node_options(1);
  options.listen[0].host = "192.0.2.1";
  NodeProcess process{options};
  EXPECT_EQ(process.exit_code(), 1);
  EXPECT_TRUE(contains(process.said(), "ringcast: cannot listen on 192.0.2.1:0: Cannot assign requested address"))
      << process.said();
}

}  // namespace
}  // namespace ringcast
