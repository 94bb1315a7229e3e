// engine/admin/admin_host.hpp: what the admin port wants of the node that it belongs to.
//
// Owner    implemented by node (node/node_admin.hpp), or by a test.
// Thread   authenticates(): any. Everything else: the control thread, through ControlCalls.
// Memory   none.  Failure  each function says.
// Not here what shards are asked (shard_questions), what is read from the segment (segment_reports).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "alloc/base/result.hpp"
#include "engine/access/grant.hpp"
#include "engine/access/token.hpp"
#include "engine/stats/events.hpp"

namespace ringcast {

/// What became of a configuration that was read again.
struct AdminReload {
  bool loaded = false;                     // false: nothing has changed
  std::vector<std::string> changed;        // keys whose new values are in force
  std::vector<std::string> needs_restart;  // keys that have changed, and whose old values stay in force
  std::vector<std::string> problems;       // not loaded: what is wrong, with file, line and key
};

class AdminHost {
 public:
  virtual ~AdminHost() = default;

  /// Whether tokens are taken at all; the same for the node's life.
  [[nodiscard]] virtual bool authenticates() const = 0;
  /// Only if authenticates().
  [[nodiscard]] virtual Result<Grant, TokenError> verify(const std::string& token) = 0;
  /// Begins the graceful end, as SIGTERM does.
  virtual void drain() = 0;
  /// Empty: this node cannot. `who` asked for it.
  [[nodiscard]] virtual std::optional<AdminReload> reload(const std::string& who) = 0;
  /// Into the flight recorder, and from there into the log.
  virtual void record(EventCode code, std::uint16_t status, const std::string& text) = 0;
};

}  // namespace ringcast
