// tests/simulation/simulation.cpp: runs seeds in child processes and says which checker stopped which seed.
//
//   simulation [--seeds FROM..TO] [--long] [--steps N] [--jobs N] [--keep-going] [--coverage] [--require-coverage]
//   simulation --seed N [--long] [--trace] [--steps N]
//
// --long: each run goes on for thousands of messages, until many readers have read and joins have been many.
//
// A seed stands for two runs: one of clients and their network (world.hpp), and one of durable channels and their store
// (durable_world.hpp). --durable leaves out the first, --plain the second.
//
// The variable SIMULATION_SEEDS bounds the number of seeds.
// Exit status: 0 all passed, 1 a checker failed (or an invariant of ours: `ensure`, a `crash`, a `hang`), 2 bad usage.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "tests/simulation/checkers.hpp"
#include "tests/simulation/durable_world.hpp"
#include "tests/simulation/regression_seeds.hpp"
#include "tests/simulation/world.hpp"

namespace ringcast::simulation {
namespace {

constexpr unsigned kSeedSecondsMax = 120;   // wall clock; a seed takes some milliseconds, under a sanitizer some tens
constexpr std::uint64_t kRepeatEvery = 20;  // one seed in so many is run twice: the same seed gives the same run
constexpr std::uint64_t kSeedsPerChild = 25;
constexpr std::size_t kTailLines = 60;

struct Options {
  std::uint64_t first = 1;
  std::uint64_t last = 100;
  std::size_t steps = 0;  // 0: drawn from the seed
  std::size_t jobs = 1;
  bool trace = false;
  bool is_long = false;
  bool keep_going = false;
  bool coverage = false;
  bool require_coverage = false;
  bool regression_only = false;
  bool plain = true;    // the world of clients and their network
  bool durable = true;  // the world of durable channels
};

/// What a child tells its parent; lives in memory that both see.
struct Report {
  std::atomic<std::uint64_t> seed{0};
  std::atomic<std::uint64_t> seeds_passed{0};
  std::atomic<std::uint64_t> events{0};
  std::atomic<std::uint64_t> long_seeds{0};   // whole runs of those that are to be long
  std::atomic<std::uint64_t> long_enough{0};  // of them
  Coverage coverage;
};
static_assert(std::is_trivially_copyable_v<Coverage>);

// Of the running seed, for the signal handlers.
const Trace* running = nullptr;
const char* running_only = "";  // names its world on the command line
bool running_long = false;
std::uint64_t running_seed = 0;

void report_failure(std::uint64_t seed, std::string_view checker, std::string_view sentence, const Trace* trace) {
  std::printf("FAILED seed %llu checker %.*s: %.*s\n", static_cast<unsigned long long>(seed),
              static_cast<int>(checker.size()), checker.data(), static_cast<int>(sentence.size()), sentence.data());
  if (trace != nullptr) {
    std::printf("  the last events of %llu:\n", static_cast<unsigned long long>(trace->events()));
    trace->print_tail(kTailLines, stdout);
  }
  std::printf("  again: simulation --seed %llu%s%s --trace\n", static_cast<unsigned long long>(seed),
              running_long ? " --long" : "", running_only);
  std::fflush(stdout);
}

extern "C" void on_fatal_signal(int number) {
  const std::string_view checker = number == SIGABRT ? "ensure" : number == SIGALRM ? "hang" : "crash";
  report_failure(running_seed, checker, "see the line before", running);
  std::_Exit(1);
}

/// A few hundred to a few thousand events.
std::size_t steps_of(std::uint64_t seed, const Options& options) {
  if (options.steps != 0) return options.steps;
  return Dice{seed ^ 0x5eed}.between(200, 4'000);
}

/// The fingerprint of the run; nothing when a checker failed, which has then been reported.
/// only  the option that leaves out the others.
template <class SomeWorld>
std::optional<std::uint64_t> run_world(std::unique_ptr<SomeWorld> owner, std::uint64_t seed, const Options& options,
                                       Report* report, const char* only) {
  alarm(kSeedSecondsMax);
  SomeWorld& world = *owner;
  running = &world.trace();
  running_only = only;
  std::optional<std::uint64_t> fingerprint;
  try {
    world.run(steps_of(seed, options));
    fingerprint = world.trace().fingerprint();
  } catch (const CheckFailed& failed) {
    report_failure(seed, name_of(failed.checker), failed.sentence, &world.trace());
    (void)owner.release();  // stopped in the middle of anything: not fit to be taken apart
  }
  running = nullptr;
  if (report != nullptr) {
    report->coverage += world.coverage();
    report->events += world.trace().events();
    if constexpr (std::is_same_v<SomeWorld, World>) {
      report->long_seeds += options.is_long;
      const bool enough = world.is_long_enough();
      report->long_enough += options.is_long && enough;
      if (options.is_long && !enough) std::printf("seed %llu is short\n", static_cast<unsigned long long>(seed));
    }
  }
  return fingerprint;
}

/// The same of both worlds.
std::optional<std::uint64_t> run_seed(std::uint64_t seed, const Options& options, Report* report) {
  running_seed = seed;
  running_long = options.is_long;
  std::uint64_t fingerprint = 0;
  if (options.plain) {
    auto world = std::make_unique<World>(seed, options.trace, options.is_long);
    const auto run = run_world(std::move(world), seed, options, report, " --plain");
    if (!run) return std::nullopt;
    fingerprint = *run;
  }
  if (options.durable) {
    auto world = std::make_unique<DurableWorld>(seed, options.trace);
    const auto run = run_world(std::move(world), seed, options, report, " --durable");
    if (!run) return std::nullopt;
    fingerprint = std::rotl(fingerprint, 1) ^ *run;
  }
  return fingerprint;
}

bool run_and_repeat(std::uint64_t seed, const Options& options, Report* report) {
  const auto fingerprint = run_seed(seed, options, report);
  if (!fingerprint || seed % kRepeatEvery != 0) return fingerprint.has_value();
  const auto again = run_seed(seed, options, nullptr);
  if (again && *again != *fingerprint) {
    running_only = "";
    report_failure(seed, name_of(Checker::determinism), "two runs of this seed differ", nullptr);
    return false;
  }
  return again.has_value();
}

/// In the child: runs seeds until one fails.
[[noreturn]] void run_child(std::uint64_t first, std::uint64_t last, const Options& options, Report& report) {
  for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGALRM}) std::signal(number, on_fatal_signal);
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    report.seed = seed;
    if (!run_and_repeat(seed, options, &report)) std::_Exit(1);
    ++report.seeds_passed;
  }
  std::fflush(stdout);
  std::_Exit(0);
}

struct Range {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  bool is_long = false;
};

Options of_range(Options options, const Range& range) {
  options.is_long = range.is_long;
  return options;
}

int run_all(const Options& options) {
  std::deque<Range> waiting;
  for (const RegressionSeed& row : kRegressionSeeds) waiting.push_back(Range{row.seed, row.seed, row.is_long});
  for (std::uint64_t first = options.first; !options.regression_only && first <= options.last;
       first += kSeedsPerChild) {
    waiting.push_back(Range{first, std::min(options.last, first + kSeedsPerChild - 1), options.is_long});
  }
  void* const memory =
      mmap(nullptr, sizeof(Report) * options.jobs, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    std::perror("mmap");
    return 1;
  }
  auto* const reports = static_cast<Report*>(memory);
  for (std::size_t i = 0; i < options.jobs; ++i) new (&reports[i]) Report{};

  struct Child {
    std::size_t job = 0;
    Range range;
  };
  std::map<pid_t, Child> children;
  std::deque<std::size_t> free_jobs;
  for (std::size_t i = 0; i < options.jobs; ++i) free_jobs.push_back(i);
  std::size_t failures = 0;
  while (!children.empty() || !waiting.empty()) {
    while (!free_jobs.empty() && !waiting.empty()) {
      const Child child{free_jobs.front(), waiting.front()};
      free_jobs.pop_front();
      waiting.pop_front();
      std::fflush(stdout);
      const pid_t pid = fork();
      if (pid == 0) {
        run_child(child.range.first, child.range.last, of_range(options, child.range), reports[child.job]);
      }
      if (pid < 0) {
        std::perror("fork");
        return 1;
      }
      children.emplace(pid, child);
    }
    int status = 0;
    const pid_t ended = waitpid(-1, &status, 0);
    const auto found = children.find(ended);
    if (found == children.end()) continue;
    const Child child = found->second;
    children.erase(found);
    free_jobs.push_back(child.job);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
    ++failures;
    const std::uint64_t seed = reports[child.job].seed;
    running_long = child.range.is_long;
    if (WIFSIGNALED(status)) report_failure(seed, "crash", strsignal(WTERMSIG(status)), nullptr);
    if (!options.keep_going) {
      waiting.clear();
    } else if (seed < child.range.last) {
      waiting.push_front(Range{seed + 1, child.range.last, child.range.is_long});
    }
  }
  Coverage coverage;
  std::uint64_t passed = 0;
  std::uint64_t events = 0;
  std::uint64_t long_seeds = 0;
  std::uint64_t long_enough = 0;
  for (std::size_t i = 0; i < options.jobs; ++i) {
    coverage += reports[i].coverage;
    passed += reports[i].seeds_passed;
    events += reports[i].events;
    long_seeds += reports[i].long_seeds;
    long_enough += reports[i].long_enough;
  }
  if (options.coverage) {
    for (const SeenRow& row : kSeen) {
      std::printf("%12llu  %.*s\n", static_cast<unsigned long long>(coverage.of(row.seen)),
                  static_cast<int>(row.name.size()), row.name.data());
    }
  }
  std::printf("%llu seeds passed, %zu failed, %llu events\n", static_cast<unsigned long long>(passed), failures,
              static_cast<unsigned long long>(events));
  bool covered = true;
  if (options.is_long) {
    std::printf("%llu of %llu long runs had %zu messages, %td readers and %llu joins or more\n",
                static_cast<unsigned long long>(long_enough), static_cast<unsigned long long>(long_seeds),
                kLongMessagesMin, kLongReadersMin, static_cast<unsigned long long>(kLongJoinsMin));
    covered = long_enough == long_seeds;
  }
  for (const SeenRow& row : kSeen) {
    if (!options.require_coverage || coverage.of(row.seen) != 0) continue;
    std::printf("NOT SEEN: %.*s never happened in these seeds\n", static_cast<int>(row.name.size()), row.name.data());
    covered = false;
  }
  return failures == 0 && covered ? 0 : 1;
}

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

bool read_options(int count, char** words, Options& options, bool& single) {
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    const std::string_view next = i + 1 < count ? words[i + 1] : "";
    if (word == "--trace") {
      options.trace = true;
    } else if (word == "--long") {
      options.is_long = true;
    } else if (word == "--keep-going") {
      options.keep_going = true;
    } else if (word == "--coverage") {
      options.coverage = true;
    } else if (word == "--require-coverage") {
      options.require_coverage = true;
    } else if (word == "--plain") {
      options.durable = false;
    } else if (word == "--durable") {
      options.plain = false;
    } else if (word == "--regression") {
      options.regression_only = true;
    } else if (word == "--seed") {
      single = true;
      ++i;
      if (!read_number(next, options.first)) return false;
      options.last = options.first;
    } else if (word == "--steps") {
      ++i;
      if (!read_number(next, options.steps)) return false;
    } else if (word == "--jobs") {
      ++i;
      if (!read_number(next, options.jobs) || options.jobs == 0 || options.jobs > 64) return false;
    } else if (word == "--seeds") {
      ++i;
      const std::size_t dots = next.find("..");
      if (dots == std::string_view::npos || !read_number(next.substr(0, dots), options.first) ||
          !read_number(next.substr(dots + 2), options.last) || options.first > options.last) {
        return false;
      }
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace
}  // namespace ringcast::simulation

int main(int count, char** words) {
  using namespace ringcast::simulation;
  Options options;
  bool single = false;
  if (!read_options(count, words, options, single)) {
    std::fputs(
        "usage: simulation [--seeds FROM..TO | --regression] [--long] [--steps N] [--jobs N] [--keep-going]\n"
        "                  [--coverage] [--require-coverage] [--plain | --durable]\n"
        "       simulation --seed N [--long] [--trace] [--steps N] [--plain | --durable]\n",
        stderr);
    return 2;
  }
  if (const char* most = std::getenv("SIMULATION_SEEDS"); most != nullptr && !single) {  // scripts/sanitizers --short
    std::uint64_t count_max = 0;
    if (!read_number(std::string_view{most}, count_max) || count_max == 0) return 2;
    options.last = std::min(options.last, options.first + count_max - 1);
    options.require_coverage = false;
  }
  if (!single) return run_all(options);
  for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGALRM}) std::signal(number, on_fatal_signal);
  if (!run_and_repeat(options.first, options, nullptr)) return 1;
  std::puts("passed");
  return 0;
}
