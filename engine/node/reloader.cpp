#include "engine/node/reloader.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace ringcast {

namespace {

constexpr std::size_t kLinesMax = 100;  // of problems or changes in the log; the report has all

/// At the start a pipe will do. A second time there is nothing in it, and waiting for more would stop this thread.
std::string why_not_again(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return path + ": cannot be read: " + std::strerror(errno);
  return S_ISREG(found.st_mode) ? "" : path + ": is no regular file: it cannot be read again";
}

}  // namespace

LogSeverity severity_of(LogLevel level) {
  constexpr std::array kSeverities{LogSeverity::trace, LogSeverity::debug, LogSeverity::info,
                                   LogSeverity::warn,  LogSeverity::error, LogSeverity::off};
  static_assert(kSeverities.size() == std::to_underlying(LogLevel::off) + 1U, "every level has its severity");
  return kSeverities[std::to_underlying(level)];
}

std::size_t ReloadReport::kept() const {
  return static_cast<std::size_t>(std::ranges::count(changes, Effect::restart, &ReloadChange::effect));
}

Reloader::Reloader(ConfigSources sources, Configuration running, Node& node, Clock& clock, Log& log)
    : sources_{std::move(sources)}, running_{std::move(running)}, node_{node}, clock_{clock}, log_{log} {}

Result<ReloadPlan, std::vector<std::string>> Reloader::plan() const {
  if (node_.stopping()) return unexpected(std::vector<std::string>{"the node is about to end"});
  if (sources_.file) {
    if (std::string why = why_not_again(*sources_.file); !why.empty()) {
      return unexpected(std::vector<std::string>{std::move(why)});
    }
  }
  const auto lines_of = [](const std::vector<ConfigProblem>& problems) {
    std::vector<std::string> lines;
    for (const ConfigProblem& problem : problems) lines.push_back(text_of(problem));
    return lines;
  };
  const auto fresh = load_configuration(sources_);
  if (!fresh) return unexpected(lines_of(fresh.error()));
  auto plan = plan_reload(running_, *fresh, node_.reload_bounds());
  if (!plan) return unexpected(lines_of(plan.error()));
  return *std::move(plan);
}

ReloadReport Reloader::reload(std::string_view who) {
  auto planned = plan();
  if (!planned) return refuse(who, std::move(planned.error()));
  std::vector<ReloadPart::Take> ready;
  std::vector<std::string> problems;
  for (const ReloadPart& part : parts_) {
    auto prepared = part.prepare(planned->configuration.options);
    if (prepared) {
      ready.push_back(*std::move(prepared));
    } else {
      problems.push_back(part.name + ": " + prepared.error());
    }
  }
  if (!problems.empty()) return refuse(who, std::move(problems));

  // From here on nothing can fail.
  running_ = std::move(planned->configuration);
  node_.apply(running_.options);
  for (const ReloadPart::Take& take : ready) take();
  ReloadReport report{.taken = true, .problems = {}, .changes = std::move(planned->changes)};
  node_.note_reloaded(report.changes.size() - report.kept(), report.kept(), who);
  write_changes(report.changes);
  const LogOptions& log = running_.options.log;
  log_.change(severity_of(log.level), log.format == LogFormat::json);
  return report;
}

ReloadReport Reloader::refuse(std::string_view who, std::vector<std::string> problems) {
  node_.note_refused(problems.size(), who);
  const WallTime now = clock_.now().wall;
  for (std::size_t i = 0; i < std::min(problems.size(), kLinesMax); ++i) {
    log_.write(LogSeverity::error, now, "config_problem", {LogField::words("text", problems[i])});
  }
  return {.taken = false, .problems = std::move(problems), .changes = {}};
}

void Reloader::write_changes(const std::vector<ReloadChange>& changes) {
  const WallTime now = clock_.now().wall;
  for (std::size_t i = 0; i < std::min(changes.size(), kLinesMax); ++i) {
    const ReloadChange& change = changes[i];
    const bool kept = change.effect == Effect::restart;
    log_.write(kept ? LogSeverity::warn : LogSeverity::info, now, kept ? "config_kept" : "config_changed",
               {LogField::words("key", change.key), LogField::words("before", change.before),
                LogField::words("after", change.after), LogField::words("effect", word_of(change.effect)),
                LogField::words("text", change.note)});
  }
}

}  // namespace ringcast
