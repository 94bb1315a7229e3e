// engine/node/reloader.hpp: a reload of a running node: everything is read and checked again, then all of it is taken,
// or nothing.
//
// Owner    run_node(), or a test.  Thread  the control thread's: also who asks over the admin port is answered there.
// Memory   the configuration in force.
// Failure  the configuration or a file that it names is wrong: a report with every problem, which are in the log as
//          well; the node goes on as it was.
// Not here what of it can change (config/reload.hpp), how shards follow (shard_core.hpp).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/result.hpp"
#include "engine/config/load.hpp"
#include "engine/config/reload.hpp"
#include "engine/log/log.hpp"
#include "engine/node/node.hpp"
#include "engine/time/clock.hpp"

namespace ringcast {

/// Something beside the configuration that a reload reads again: certificates, keys.
struct ReloadPart {
  using Take = std::function<void()>;
  std::string name;  // "certificates"
  /// Reads and checks for the options that are to be in force, and changes nothing yet: what it returns does.
  std::function<Result<Take, std::string>(const NodeOptions& options)> prepare;
};

struct ReloadReport {
  bool taken = false;
  std::vector<std::string> problems;  // why not; each as one line
  std::vector<ReloadChange> changes;  // what changed, and what has to wait for a restart
  /// Of the changes, how many wait for a restart.
  [[nodiscard]] std::size_t kept() const;
};

class Reloader {
 public:
  /// What is referred to outlives it. `running` is what the node was started with, loaded from `sources`.
  Reloader(ConfigSources sources, Configuration running, Node& node, Clock& clock, Log& log);

  void add(ReloadPart part) { parts_.push_back(std::move(part)); }

  /// who  asked for it, for the log: "SIGHUP", a user's name.
  ReloadReport reload(std::string_view who);

  [[nodiscard]] const Configuration& running() const { return running_; }

 private:
  [[nodiscard]] Result<ReloadPlan, std::vector<std::string>> plan() const;
  ReloadReport refuse(std::string_view who, std::vector<std::string> problems);
  void write_changes(const std::vector<ReloadChange>& changes);

  ConfigSources sources_;
  Configuration running_;
  Node& node_;
  Clock& clock_;
  Log& log_;
  std::vector<ReloadPart> parts_;
};

[[nodiscard]] LogSeverity severity_of(LogLevel level);

}  // namespace ringcast
