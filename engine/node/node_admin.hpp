// engine/node/node_admin.hpp: what a node does for its admin port: checks tokens, notes who did what, ends, reloads.
//
// Owner    node.  Thread  every function: the control thread.  Memory  the admin port.
// Failure  open() says why there is no admin port.
// Not here HTTP and answers (engine/admin), reading keys and configuration (given as functions).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "alloc/base/result.hpp"
#include "engine/access/authenticator.hpp"
#include "engine/admin/admin_host.hpp"
#include "engine/admin/admin_port.hpp"
#include "engine/config/node_options.hpp"
#include "engine/reactor/doorbell.hpp"
#include "engine/stats/shard_stats.hpp"
#include "engine/time/clock.hpp"
#include "engine/transport/listener.hpp"
#include "engine/transport/tls_context.hpp"

namespace ringcast {

struct NodeAdminSetup {
  const ListenAddress& address;
  const CoreOptions& options;
  const std::string& segment_path;
  ShardStats& own_stats;
  DoorbellBoard& doorbells;
  Clock& clock;
  int wake_fd = -1;
  /// Whom tokens are checked with, now; not set: nobody has to authenticate.
  std::function<const Authenticator&()> authenticator{};
  std::shared_ptr<const TlsContext> tls{};  // the node's certificates; null: HTTP in the clear
};

class NodeAdmin final : private AdminHost {
 public:
  [[nodiscard]] static Result<std::unique_ptr<NodeAdmin>, std::string> open(NodeAdminSetup setup);

  [[nodiscard]] AdminLane& lane(std::uint32_t shard) { return port_->lane(shard); }
  /// The shards run: requests are answered from now on.
  void start() { port_->start(); }
  void use_access(const AccessOptions& access) { port_->use_access(access); }
  /// The node's certificates were read again.
  void use_tls(const std::shared_ptr<const TlsContext>& tls) {
    if (speaks_tls_) port_->use_tls(tls);
  }
  void tick() { port_->tick(setup_.own_stats); }
  void stop() { port_->stop(setup_.own_stats); }
  /// What reads the configuration again; until it is set the node cannot.
  void set_reload(std::function<AdminReload(const std::string& who)> reload) { reload_ = std::move(reload); }
  /// Somebody asked the node to end.
  [[nodiscard]] bool drain_wanted() const { return drain_wanted_; }
  /// With the port that the kernel chose.
  [[nodiscard]] BindAddress address() const;

 private:
  explicit NodeAdmin(NodeAdminSetup setup) : setup_{std::move(setup)} {}

  [[nodiscard]] bool authenticates() const override { return setup_.authenticator != nullptr; }
  [[nodiscard]] Result<Grant, TokenError> verify(const std::string& token) override;
  void drain() override { drain_wanted_ = true; }
  [[nodiscard]] std::optional<AdminReload> reload(const std::string& who) override;
  void record(EventCode code, std::uint16_t status, const std::string& text) override;

  NodeAdminSetup setup_;
  std::function<AdminReload(const std::string& who)> reload_;
  std::unique_ptr<AdminPort> port_;
  bool speaks_tls_ = false;
  bool drain_wanted_ = false;
};

}  // namespace ringcast
