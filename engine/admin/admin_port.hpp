// engine/admin/admin_port.hpp: the admin port of a node, put together.
//
// Owner    node.  Thread  every function: the control thread. The server has threads of its own.
// Memory   two lanes a shard, the server's threads, a mapping of the node's own statistics.
// Failure  open() says in a sentence why there can be none.
// Not here HTTP (admin_server), answers (answers), what the node does for it (admin_host).
//
// The lanes are there before the shards are, and the server answers only while they run: open(), then the shards, then
// start(); stop() before the shards go.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "alloc/base/result.hpp"
#include "engine/admin/admin_host.hpp"
#include "engine/limits.hpp"
#include "engine/reactor/doorbell.hpp"
#include "engine/shard/admin_lane.hpp"
#include "engine/stats/shard_stats.hpp"
#include "engine/time/clock.hpp"
#include "engine/transport/tls_context.hpp"

namespace ringcast {

struct AdminPortSetup {
  std::string host;        // numeric
  std::uint16_t port = 0;  // 0: the kernel chooses
  bool ipv6 = false;
  const CoreOptions& options;
  std::string segment_path;  // of the node's own statistics
  DoorbellBoard& doorbells;
  Clock& clock;
  AdminHost& host_of_node;
  int wake_fd = -1;  // what the control thread waits for
  std::shared_ptr<const TlsContext> tls{};  // null: HTTP in the clear
};

class AdminPort {
 public:
  [[nodiscard]] static Result<std::unique_ptr<AdminPort>, std::string> open(AdminPortSetup setup);
  /// After stop(), if it was started.
  ~AdminPort();
  AdminPort(const AdminPort&) = delete;
  AdminPort& operator=(const AdminPort&) = delete;

  /// The lanes of a shard.
  [[nodiscard]] AdminLane& lane(std::uint32_t shard);
  void start();
  /// Who may come in from the next request on.
  void use_access(const AccessOptions& access);
  /// The certificates for connections from now on; only of a port that was opened with some.
  void use_tls(std::shared_ptr<const TlsContext> tls);
  /// Does what the server's threads want of the control thread, and brings the node's counters up to date.
  void tick(ShardStats& own_stats);
  /// Answers nobody any more; what is to be noted is noted.
  void stop(ShardStats& own_stats);
  [[nodiscard]] std::uint16_t port() const;

 private:
  struct Parts;
  explicit AdminPort(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace ringcast
