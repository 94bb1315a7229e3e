// tools/stat.cpp: `ringcast stat`: reads a node's shared-memory statistics; never talks to the engine.
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "alloc/base/time.hpp"
#include "alloc/segment/ringcast_stats.h"
#include "engine/stats/node_view.hpp"
#include "engine/stats/report.hpp"
#include "tools/stat_table.hpp"
#include "tools/subcommand.hpp"
#include "tools/terminal.hpp"

namespace ringcast {
namespace {

constexpr int kExitNoNode = 3;  // with --health only; protocol.md section 6
constexpr double kWatchSecondsDefault = 1;
constexpr double kWatchSecondsMin = 0.1;
constexpr double kWatchSecondsMax = 3'600;

constexpr const char* kFooter =
    "Without an option that says otherwise, a terminal gets a view that is redrawn once a second until Ctrl-C, and\n"
    "anything else gets one table. Counters that are zero are left out unless --filter names them.\n"
    "\n"
    "Exit status: 0 the node is alive; 1 it is dead or stalled (what it left is shown) or there is no such node.\n"
    "With --health: 0 healthy, 1 degraded or not checked yet, 2 unhealthy or critical, 3 dead, stalled or absent.\n";

struct StatArguments {
  std::string name = "default";
  bool once = false;
  bool json = false;
  bool prometheus = false;
  bool health = false;
  double watch = 0;
  std::string filter;
  StatTableOptions table;
};

struct ReaderCloser {
  void operator()(rcs_reader* reader) const { rcs_close(reader); }
};
using Reader = std::unique_ptr<rcs_reader, ReaderCloser>;

Instant now() { return Instant{std::chrono::steady_clock::now().time_since_epoch()}; }

/// Whom the user may have meant.
std::string running_nodes() {
  std::string names;
  rcs_list(
      [](const char* name, void* context) {
        auto& list = *static_cast<std::string*>(context);
        list += list.empty() ? "" : ", ";
        list += name;
      },
      &names);
  return names.empty() ? "no node has statistics on this host" : "there is: " + names;
}

/// Opens the node's segment, or says in `sentence` why not.
Reader open_node(const std::string& name, rcs_status& status, std::string& sentence) {
  rcs_reader* reader = nullptr;
  char text[RCS_SENTENCE_BYTES];
  status = rcs_open(name.c_str(), &reader, text);
  if (status == RCS_ABSENT) {
    sentence = "no node named '" + terminal_safe(name) + "'; " + running_nodes();
  } else if (status != RCS_OK) {
    sentence = text;
  }
  return Reader{reader};
}

int exit_code_for(rcs_status status, bool health) {
  if (status == RCS_BAD_NAME) return kExitUsage;
  return health ? kExitNoNode : kExitFailure;
}

std::string one_report(const StatArguments& arguments, const NodeView& view) {
  if (arguments.health) return arguments.json ? health_json(view) + '\n' : health_text(view);
  if (arguments.json) return statistics_json(view, arguments.table.parts) + '\n';
  if (arguments.prometheus) return prometheus_text(view);
  return stat_table(view, nullptr, nanoseconds{0}, arguments.table);
}

int report_once(const StatArguments& arguments) {
  rcs_status status = RCS_OK;
  std::string sentence;
  const Reader reader = open_node(arguments.name, status, sentence);
  if (reader == nullptr) {
    complain("stat", sentence);
    return exit_code_for(status, arguments.health);
  }
  const auto view = take_view(reader.get(), arguments.table.parts.events ? kViewEventsMax : 0);
  if (!view) {
    complain("stat", "the statistics segment was truncated while it was read");
    return exit_code_for(RCS_DAMAGED, arguments.health);
  }
  Output output;
  output.append(one_report(arguments, *view));
  if (!output.flush()) return kExitFailure;
  if (arguments.health) return health_answer(*view).exit_code;
  return view->node.liveness == RCS_ALIVE ? kExitSuccess : kExitFailure;
}

/// As much of a page as the terminal has lines, so that redrawing never scrolls.
std::string_view fitted(std::string_view page) {
  winsize window{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_row < 2) return page;
  std::size_t at = 0;
  for (unsigned lines = window.ws_row - 1U; lines > 0; --lines) {
    at = page.find('\n', at);
    if (at == std::string_view::npos) return page;
    ++at;
  }
  return page.substr(0, at);
}

/// Shows a page: in place of the last one on a terminal, below it elsewhere.
bool show(Output& output, std::string_view page, bool terminal) {
  if (terminal) output.append("\x1b[H\x1b[J");
  output.append(terminal ? fitted(page) : page);
  if (!terminal && !page.empty() && page.find('\n') != page.size() - 1) output.append("\n");
  return output.flush();
}

bool sleep_until_stopped(const StopSignals& stop, double watch_seconds) {
  pollfd wait{stop.fd(), POLLIN, 0};
  (void)::poll(&wait, 1, static_cast<int>(std::lround(watch_seconds * 1'000)));
  return StopSignals::requested();
}

/// The live view: once an interval, with rates; through a restart of the node.
int watch(const StatArguments& arguments) {
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  const bool documents = arguments.json || arguments.prometheus;
  const double interval = arguments.watch > 0 ? arguments.watch : kWatchSecondsDefault;
  const StopSignals stop;
  Output output;
  rcs_status status = RCS_OK;
  std::string sentence;
  Reader reader = open_node(arguments.name, status, sentence);
  if (reader == nullptr) {
    complain("stat", sentence);
    return exit_code_for(status, arguments.health);
  }
  if (terminal && !documents) output.append("\x1b[?25l\x1b[?7l");  // no cursor, and long lines end at the edge
  std::optional<NodeView> before;
  Instant before_at{};
  int exit_code = kExitSuccess;
  for (;;) {
    if (rcs_is_replaced(reader.get()) == 1) {
      if (Reader next = open_node(arguments.name, status, sentence)) {
        reader = std::move(next);
        before.reset();
      }
    }
    auto view = take_view(reader.get(), arguments.table.parts.events ? kViewEventsMax : 0);
    if (!view) {
      complain("stat", "the statistics segment was truncated while it was read");
      exit_code = kExitFailure;
      break;
    }
    const Instant at = now();
    exit_code = view->node.liveness == RCS_ALIVE ? kExitSuccess : kExitFailure;
    const std::string page = documents
                                 ? one_report(arguments, *view)
                                 : stat_table(*view, before ? &*before : nullptr, at - before_at, arguments.table);
    if (!show(output, page, terminal && !documents)) break;
    before = std::move(view);
    before_at = at;
    if (sleep_until_stopped(stop, interval)) break;
  }
  if (terminal && !documents) output.append("\x1b[?7h\x1b[?25h");
  (void)output.flush();
  return exit_code;
}

int run(StatArguments& arguments) {
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  arguments.table.colours = terminal && std::getenv("NO_COLOR") == nullptr;
  const bool documents = arguments.json || arguments.prometheus;
  const bool repeats = arguments.watch > 0 || (terminal && !documents);
  if (arguments.once || arguments.health || !repeats) return report_once(arguments);
  return watch(arguments);
}

std::string check_filter(StatArguments& arguments, const std::string& text) {
  try {
    arguments.table.filter.emplace(text, std::regex::ECMAScript | std::regex::icase);
  } catch (const std::regex_error& error) {
    return std::string{"not a regular expression: "} + error.what();
  }
  return {};
}

}  // namespace

void add_stat_command(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<StatArguments>();
  CLI::App* command = app.add_subcommand("stat", "Read a node's shared-memory statistics; never talks to the engine");
  command->add_option("--name", arguments->name, "The node's name")->capture_default_str();
  CLI::Option* once = command->add_flag("--once", arguments->once, "Print one table and exit");
  CLI::Option* json = command->add_flag("--json", arguments->json, "The statistics document, one JSON object");
  command->add_flag("--prometheus", arguments->prometheus, "Prometheus text exposition")->excludes(json);
  command->add_option("--watch", arguments->watch, "Print again every so many seconds, with rates")
      ->check(CLI::Range(kWatchSecondsMin, kWatchSecondsMax))
      ->excludes(once);
  command->add_option("--filter", arguments->filter, "Only counters whose name matches, also those that are zero")
      ->type_name("REGEX")
      ->check([arguments](const std::string& text) { return check_filter(*arguments, text); });
  command->add_flag("--histograms", arguments->table.parts.histograms, "How the latencies are distributed");
  command->add_flag("--memory", arguments->table.memory, "Bytes held for each purpose");
  command->add_flag("--shards", arguments->table.parts.shards, "Every shard by itself");
  command->add_flag("--channels", arguments->table.parts.channels, "The busiest channels");
  command->add_flag("--connections", arguments->table.parts.connections, "The slowest connections");
  command->add_flag("--events", arguments->table.parts.events, "The flight recorder: the last 4,096 events");
  command->add_flag("--health", arguments->health, "The node's health, as a word and an exit status");
  command->footer(kFooter);
  command->callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace ringcast
