// `ringcast stat` on a live, a killed and an absent node: what it prints and how it exits.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdlib>
#include <string>
#include <vector>

#include "codec/text/json.hpp"
#include "tests/engine/stats/example_node.hpp"
#include "tools/stat_table.hpp"
#include "tools/subcommand.hpp"

namespace ringcast {
namespace {

/// What main() does with a command line.
int run_command(std::vector<std::string> words) {
  CLI::App app{"ringcast"};
  int exit_code = kExitSuccess;
  add_stat_command(app, exit_code);
  std::reverse(words.begin(), words.end());  // as CLI11 wants them
  try {
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitSuccess : kExitUsage;
  }
  return exit_code;
}

struct Ran {
  int exit_code = 0;
  std::string out;
  std::string err;
};
Ran run_stat(const std::string& name, const std::string& flags) {
  std::vector<std::string> words{"stat", "--name", name};
  for (std::size_t at = 0; at < flags.size();) {
    const std::size_t end = std::min(flags.find(' ', at), flags.size());
    words.push_back(flags.substr(at, end - at));
    at = end + 1;
  }
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Ran ran;
  ran.exit_code = run_command(words);
  std::fflush(stdout);
  ran.out = testing::internal::GetCapturedStdout();
  ran.err = testing::internal::GetCapturedStderr();
  return ran;
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// An ExampleNode in a process of its own, which was killed.
class KilledNode {
 public:
  KilledNode() {
    std::array<int, 2> ends{};
    ensure(::pipe(ends.data()) == 0, "a pipe can be made");
    const pid_t pid = ::fork();
    ensure(pid >= 0, "a process can be started");
    if (pid == 0) {
      const ExampleNode node{"killed"};
      const std::string name = node.name();
      (void)!::write(ends[1], name.data(), name.size());
      for (;;) ::pause();
    }
    std::array<char, 128> name{};
    const ssize_t size = ::read(ends[0], name.data(), name.size());
    ensure(size > 0, "the node starts");
    name_.assign(name.data(), static_cast<std::size_t>(size));
    ::close(ends[0]);
    ::close(ends[1]);
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  ~KilledNode() { ::unlink(("/dev/shm/ringcast." + name_).c_str()); }
  KilledNode(const KilledNode&) = delete;
  KilledNode& operator=(const KilledNode&) = delete;
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  std::string name_;
};

struct FlagRow {
  const char* flags;
  std::vector<const char*> shown;
  std::vector<const char*> not_shown;
};
const FlagRow kFlagRows[] = {
    {"", {"alive", "healthy", "offered 2,000 = sent 1,800", "closed", "connections_accepted", "receive_to_send", "6.1.0"},
     {"handshakes_failed", "\x1b"}},
    {"--once", {"connections_accepted", "21"}, {"shard 0", "a second"}},
    {"--once --filter handshakes", {"handshakes_failed{status=404}"}, {"connections_accepted"}},
    {"--once --filter CODE=4008", {"connections_closed{code=4008}"}, {"connections_closed{code=1000}"}},
    {"--once --shards", {"shard 0", "shard 1", "10", "11"}, {}},
    {"--once --memory", {"history", "2.00 KiB", "resident", "50.0 MiB"}, {"connections_accepted"}},
    {"--once --channels", {"btcusdt@trade", "eth?[2J"}, {"connections_accepted"}},
    {"--once --connections", {"[::1]:40000", "native", "99"}, {"connections_accepted"}},
    {"--once --events", {"slow_disconnected", "messages 4097", "10.0.0.9:1 ?]0;evil?"}, {"\x1b", "\x07"}},
    {"--once --histograms", {"receive_to_send: 200 values", "#", "%"}, {"connections_accepted"}},
    {"--json", {"\"totalConnections\":21", "\"closed\":true"}, {"\"events\""}},
    {"--json --events --once", {"\"events\":[{"}, {}},
    {"--prometheus", {"# TYPE ringcast_up gauge\nringcast_up 1\n"}, {}},
    {"--health", {"healthy\n"}, {"connections"}},
    {"--health --json", {"\"isHealthy\":true", "\"history\":[{"}, {}},
};

TEST(Stat, ShowsOfALiveNodeWhatItsFlagsAskFor) {
  const ExampleNode node{"flags"};
  for (const FlagRow& row : kFlagRows) {
    const Ran ran = run_stat(node.name(), row.flags);
    EXPECT_EQ(ran.exit_code, kExitSuccess) << row.flags << ran.err;
    EXPECT_EQ(ran.err, "") << row.flags;
    for (const char* part : row.shown)
      EXPECT_TRUE(has(ran.out, part)) << row.flags << ": no '" << part << "' in\n" << ran.out;
    for (const char* part : row.not_shown)
      EXPECT_FALSE(has(ran.out, part)) << row.flags << ": '" << part << "' in\n" << ran.out;
  }
}

TEST(Stat, TheJsonOfALiveNodeIsOneLineOfValidJson) {
  const ExampleNode node{"valid"};
  const Ran ran = run_stat(node.name(), "--json --shards --channels --connections --events --histograms");
  EXPECT_EQ(ran.out.find('\n'), ran.out.size() - 1);
  EXPECT_TRUE(is_valid_json(ran.out)) << ran.out;
}

struct StateRow {
  HealthState state;
  int exit_code;
  const char* printed;
};
constexpr StateRow kStateRows[] = {
    {HealthState::healthy, 0, "healthy\n"},
    {HealthState::degraded, 1, "degraded\nmemory at 71% of the budget\n"},
    {HealthState::unhealthy, 2, "unhealthy\nmemory at 71% of the budget\n"},
    {HealthState::critical, 2, "critical\nmemory at 71% of the budget\n"},
};
TEST(Stat, HealthIsAWordTheReasonsAndAnExitStatus) {
  ExampleNode node{"health"};
  for (const StateRow& row : kStateRows) {
    std::vector<std::string> reasons;
    if (row.state != HealthState::healthy) reasons.emplace_back("memory at 71% of the budget");
    node.check(row.state, reasons);
    const Ran ran = run_stat(node.name(), "--health");
    EXPECT_EQ(ran.exit_code, row.exit_code) << row.printed;
    EXPECT_EQ(ran.out, row.printed);
    EXPECT_EQ(run_stat(node.name(), "--once").exit_code, kExitSuccess) << "a sick node is still alive";
  }
}

struct EndRow {
  const char* flags;
  int exit_code;
  const char* printed;
};

TEST(Stat, ShowsWhatAKilledNodeLeftAndSaysThatItIsDead) {
  const KilledNode node;
  constexpr EndRow rows[] = {
      {"--once", kExitFailure, "dead since 20"},
      {"--once --events", kExitFailure, "slow_disconnected"},
      {"--json", kExitFailure, "\"state\":\"dead\""},
      {"--prometheus", kExitFailure, "ringcast_up 0"},
      {"--health", 3, "dead\nlast seen alive at 20"},
      {"--health --json", 3, "\"status\":\"dead\""},
  };
  for (const EndRow& row : rows) {
    const Ran ran = run_stat(node.name(), row.flags);
    EXPECT_EQ(ran.exit_code, row.exit_code) << row.flags;
    EXPECT_TRUE(has(ran.out, row.printed)) << row.flags << "\n" << ran.out;
  }
  EXPECT_TRUE(has(run_stat(node.name(), "--once").out, "sent 1,800")) << "its numbers stay readable";
}

TEST(Stat, SaysThatANodeIsAbsentAndWhichAreThere) {
  const ExampleNode other{"present"};
  constexpr EndRow rows[] = {{"", kExitFailure, ""},       {"--once", kExitFailure, ""}, {"--json", kExitFailure, ""},
                             {"--watch 1", kExitFailure, ""}, {"--prometheus", kExitFailure, ""},
                             {"--health", 3, ""},          {"--health --json", 3, ""}};
  for (const EndRow& row : rows) {
    const Ran ran = run_stat("no-such-node", row.flags);
    EXPECT_EQ(ran.exit_code, row.exit_code) << row.flags;
    EXPECT_EQ(ran.out, "") << row.flags;
    EXPECT_TRUE(has(ran.err, "no node named 'no-such-node'")) << ran.err;
    EXPECT_TRUE(has(ran.err, other.name())) << ran.err;
  }
}

TEST(Stat, RefusesASegmentThatIsNone) {
  const std::string name = "test-" + std::to_string(::getpid()) + "-foreign";
  const std::string path = "/dev/shm/ringcast." + name;
  const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  const std::string text(1'000, 'x');
  ASSERT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  ::close(fd);
  EXPECT_EQ(run_stat(name, "--once").exit_code, kExitFailure);
  const Ran ran = run_stat(name, "--health");
  EXPECT_EQ(ran.exit_code, 3);
  EXPECT_TRUE(has(ran.err, "not a ringcast statistics segment")) << ran.err;
  ::unlink(path.c_str());
}

TEST(Stat, BadUsageExitsWithTwo) {
  const ExampleNode node{"usage"};
  for (const char* flags : {"--once --watch 1", "--watch 0", "--watch nonsense", "--filter (", "--json --prometheus",
                            "--no-such-flag", "extra"}) {
    EXPECT_EQ(run_stat(node.name(), flags).exit_code, kExitUsage) << flags;
  }
  EXPECT_EQ(run_stat("../etc/passwd", "--once").exit_code, kExitUsage);
  EXPECT_EQ(run_stat(node.name(), "--help").exit_code, kExitSuccess);
}

/// Runs the command with a terminal as its stdout until `until` was drawn so often; then interrupts it.
Ran run_on_terminal(const std::string& name, std::string_view until, int times, int rows) {
  winsize window{};
  window.ws_row = static_cast<unsigned short>(rows);
  window.ws_col = 120;
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  ensure(terminal >= 0 && ::grantpt(terminal) == 0 && ::unlockpt(terminal) == 0, "a terminal can be had");
  const int inside = ::open(::ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
  ensure(inside >= 0 && ::ioctl(inside, TIOCSWINSZ, &window) == 0, "a terminal has a size");
  const pid_t pid = ::fork();
  ensure(pid >= 0, "a process can be started");
  if (pid == 0) {
    ::dup2(inside, STDOUT_FILENO);
    ::_exit(run_command({"stat", "--name", name, "--watch", "0.1"}));
  }
  ::close(inside);
  Ran ran;
  std::array<char, 4'096> piece{};
  bool interrupted = false;
  for (int round = 0; round < 1'000; ++round) {
    pollfd wait{terminal, POLLIN, 0};
    if (::poll(&wait, 1, 10'000) <= 0) break;
    const ssize_t size = ::read(terminal, piece.data(), piece.size());
    if (size <= 0) break;  // EIO: the other end was closed
    ran.out.append(piece.data(), static_cast<std::size_t>(size));
    int seen = 0;
    for (std::size_t at = ran.out.find(until); at != std::string::npos; at = ran.out.find(until, at + 1)) ++seen;
    if (seen >= times && !interrupted) {
      ::kill(pid, SIGINT);
      interrupted = true;
    }
  }
  ::close(terminal);
  if (!interrupted) ::kill(pid, SIGKILL);
  int status = 0;
  ::waitpid(pid, &status, 0);
  ran.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ran;
}

TEST(Stat, OnATerminalItRedrawsInPlaceUntilItIsInterrupted) {
  const ExampleNode node{"live"};
  const Ran ran = run_on_terminal(node.name(), "\x1b[H\x1b[J", 3, 100);
  EXPECT_EQ(ran.exit_code, kExitSuccess);
  EXPECT_TRUE(has(ran.out, "a second")) << "from the second page on there are rates";
  EXPECT_TRUE(has(ran.out, "connections_accepted"));
  EXPECT_TRUE(ran.out.ends_with("\x1b[?7h\x1b[?25h")) << "the terminal is left as it was";
}

TEST(Stat, ALiveViewIsNeverLongerThanTheTerminal) {
  const ExampleNode node{"short"};
  const Ran ran = run_on_terminal(node.name(), "\x1b[H\x1b[J", 2, 8);
  const std::size_t from = ran.out.find("\x1b[H\x1b[J");
  const std::string page = ran.out.substr(from, ran.out.find("\x1b[H\x1b[J", from + 1) - from);
  EXPECT_EQ(std::count(page.begin(), page.end(), '\n'), 7);
}

struct TextRow {
  std::uint64_t value;
  const char* text;
};

TEST(StatTable, WritesNumbersForPeople) {
  for (const TextRow& row : {TextRow{0, "0"}, TextRow{999, "999"}, TextRow{1'000, "1,000"},
                             TextRow{1'234'567, "1,234,567"}, TextRow{~0ULL, "18,446,744,073,709,551,615"}}) {
    EXPECT_EQ(grouped(row.value), row.text);
  }
  for (const TextRow& row :
       {TextRow{0, "0 ns"}, TextRow{999, "999 ns"}, TextRow{1'000, "1.00 us"}, TextRow{12'340, "12.3 us"},
        TextRow{999'000, "999 us"}, TextRow{1'500'000, "1.50 ms"}, TextRow{61'000'000'000, "61.0 s"}}) {
    EXPECT_EQ(short_time(row.value), row.text);
  }
  constexpr std::uint64_t kSecond = 1'000'000'000;
  for (const TextRow& row : {TextRow{0, "0s"}, TextRow{59 * kSecond, "59s"}, TextRow{60 * kSecond, "1m 0s"},
                             TextRow{3'600 * kSecond, "1h 0m"}, TextRow{90'000 * kSecond, "1d 1h"}}) {
    EXPECT_EQ(long_time(row.value), row.text);
  }
  for (const TextRow& row : {TextRow{0, "0 B"}, TextRow{1'023, "1023 B"}, TextRow{1'024, "1.00 KiB"},
                             TextRow{10'485'760, "10.0 MiB"}, TextRow{~0ULL, "16384 PiB"}}) {
    EXPECT_EQ(byte_size(row.value), row.text);
  }
}

NodeView view_of(const ExampleNode& node) {
  rcs_reader* reader = nullptr;
  ensure(rcs_open(node.name().c_str(), &reader, nullptr) == RCS_OK, "the example can be read");
  auto view = take_view(reader);
  rcs_close(reader);
  return std::move(*view);
}

TEST(StatTable, RatesAndLatenciesAreThoseSinceTheEarlierView) {
  ExampleNode node{"rates"};
  const NodeView before = view_of(node);
  node.shard(0).add(CounterId::messages_received, 500);
  for (int i = 0; i < 10; ++i) node.shard(0).record(LatencyId::receive_to_send, milliseconds{7});
  const std::string table = stat_table(view_of(node), &before, seconds{2}, {});
  const std::size_t line = table.find("messages_received");
  ASSERT_NE(line, std::string::npos);
  EXPECT_TRUE(has(table.substr(line, table.find('\n', line) - line), "  250")) << table;
  const std::size_t latency = table.find("receive_to_send ");
  const std::string row = table.substr(latency, table.find('\n', latency) - latency);
  EXPECT_TRUE(has(row, "  10 ")) << row;
  EXPECT_FALSE(has(row, "us")) << "the hundred microseconds before do not count: " << row;
}

TEST(StatTable, SaysThatALedgerDoesNotClose) {
  ExampleNode node{"open-ledger"};
  EXPECT_FALSE(has(stat_table(view_of(node), nullptr, nanoseconds{0}, {}), "DOES NOT CLOSE"));
  node.shard(0).publish_ledger({.offered = 5, .sent = 4});
  EXPECT_TRUE(has(stat_table(view_of(node), nullptr, nanoseconds{0}, {}), "DOES NOT CLOSE"));
}

TEST(StatTable, ColoursOnlyWhenAsked) {
  const ExampleNode node{"colours"};
  StatTableOptions options;
  EXPECT_FALSE(has(stat_table(view_of(node), nullptr, nanoseconds{0}, options), "\x1b"));
  options.colours = true;
  EXPECT_TRUE(has(stat_table(view_of(node), nullptr, nanoseconds{0}, options), "\x1b[32m"));
}

}  // namespace
}  // namespace ringcast
