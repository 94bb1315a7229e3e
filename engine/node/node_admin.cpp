#include "engine/node/node_admin.hpp"

#include <utility>

namespace ringcast {

Result<std::unique_ptr<NodeAdmin>, std::string> NodeAdmin::open(NodeAdminSetup setup) {
  std::unique_ptr<NodeAdmin> admin{new NodeAdmin{std::move(setup)}};
  NodeAdminSetup& made = admin->setup_;
  admin->speaks_tls_ = made.tls != nullptr;
  auto port = AdminPort::open({.host = made.address.host,
                               .port = made.address.port,
                               .ipv6 = made.address.family == ListenAddress::Family::ipv6,
                               .options = made.options,
                               .segment_path = made.segment_path,
                               .doorbells = made.doorbells,
                               .clock = made.clock,
                               .host_of_node = *admin,
                               .wake_fd = made.wake_fd,
                               .tls = std::exchange(made.tls, nullptr)});
  if (!port) return unexpected(std::move(port.error()));
  admin->port_ = std::move(*port);
  return admin;
}

BindAddress NodeAdmin::address() const {
  const bool ipv6 = setup_.address.family == ListenAddress::Family::ipv6;
  return {.family = ipv6 ? BindAddress::Family::ipv6 : BindAddress::Family::ipv4,
          .host = setup_.address.host,
          .port = port_->port(),
          .path = {},
          .tls = speaks_tls_};
}

Result<Grant, TokenError> NodeAdmin::verify(const std::string& token) {
  return setup_.authenticator().verify(token, setup_.clock.now().wall);
}

std::optional<AdminReload> NodeAdmin::reload(const std::string& who) {
  if (reload_ == nullptr) return std::nullopt;
  return reload_(who);
}

void NodeAdmin::record(EventCode code, std::uint16_t status, const std::string& text) {
  setup_.own_stats.event(code, setup_.clock.now(), status, 0, text);
}

}  // namespace ringcast
