// tests/tools/command_runner.hpp: pub, sub, replay and load inside the test, with all that a shell would see of them.
//
// Owner    the test.  Thread  its own.  Memory  what the command printed.
// Failure  none: a bad command line is an exit status, as in the program.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/doubles/temporary_file.hpp"
#include "tools/client/socket.hpp"
#include "tools/subcommand.hpp"

namespace ringcast {

struct Ran {
  int exit_code = 0;
  std::string output, errors;
  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> lines;
    std::istringstream stream{output};
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
  }
};

/// Runs a command line and returns all that a shell would see.
inline Ran run(std::vector<std::string> arguments) {
  CLI::App app;
  app.require_subcommand(1);
  Ran ran;
  add_pub_command(app, ran.exit_code);
  add_sub_command(app, ran.exit_code);
  add_replay_command(app, ran.exit_code);
  add_load_command(app, ran.exit_code);
  std::ranges::reverse(arguments);  // CLI11 takes a vector from its end
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  try {
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    ran.exit_code = app.exit(error) == 0 ? kExitSuccess : kExitUsage;
  }
  ran.output = testing::internal::GetCapturedStdout();
  ran.errors = testing::internal::GetCapturedStderr();
  return ran;
}

/// A short run of load; `more` may say everything but the times.
inline std::vector<std::string> load_arguments(const std::string& url, const std::vector<std::string>& more) {
  std::vector<std::string> arguments{"load", "--url", url, "--duration", "0.3", "--warmup", "0.1", "--drain", "1"};
  if (std::ranges::find(more, "--rate") == more.end()) arguments.insert(arguments.end(), {"--rate", "2000"});
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

/// Lets the process read this from stdin while it lives.
class StandardInputFrom {
 public:
  explicit StandardInputFrom(std::string_view text) : file_{text}, saved_{::dup(STDIN_FILENO)} {
    const UniqueFd fd{::open(file_.path().c_str(), O_RDONLY | O_CLOEXEC)};
    ::dup2(fd.get(), STDIN_FILENO);
  }
  ~StandardInputFrom() { ::dup2(saved_.get(), STDIN_FILENO); }
  StandardInputFrom(const StandardInputFrom&) = delete;
  StandardInputFrom& operator=(const StandardInputFrom&) = delete;

 private:
  TemporaryFile file_;
  UniqueFd saved_;
};

template <class Condition>
void wait_until(Condition condition) {
  for (int i = 0; i < 5'000 && !condition(); ++i) std::this_thread::sleep_for(milliseconds{2});
  ASSERT_TRUE(condition());
}

}  // namespace ringcast
