// engine/transport/listener.hpp: sockets that connections come in by, and the options that accepted ones inherit.
//
// Owner    node opens them before any shard starts; each shard then owns its own.  Thread  any, one at a time.
// Memory   a descriptor and a name.
// Failure  open_listeners() says which address cannot be had and why; nothing stays open then.
// Not here accepting (transport.hpp), where to listen (config).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "alloc/base/result.hpp"
#include "alloc/base/time.hpp"
#include "alloc/base/units.hpp"

namespace ringcast {

/// A numeric address and port, or the path of a unix socket.
struct BindAddress {
  enum class Family : std::uint8_t { ipv4, ipv6, unix_path };
  Family family = Family::ipv4;
  std::string host;        // numeric, without brackets; empty for unix_path
  std::uint16_t port = 0;  // 0: the kernel chooses
  std::string path;        // unix_path only
  bool tls = false;        // who comes in by it speaks TLS
};
/// "127.0.0.1:9001", "[::1]:9001", "unix:/run/ringcast.sock"
[[nodiscard]] std::string to_text(const BindAddress& address);

struct ListenerOptions {
  int backlog = 4'096;                  // the kernel cuts it to net.core.somaxconn
  int notsent_bytes_max = 128 * 1'024;  // design.md: without it the kernel hides a dead reader behind 4 MB
  milliseconds user_timeout{120'000};   // above three heartbeats, so that those speak first
  int unix_mode = 0660;                 // owner and group may connect
};

class Listener {
 public:
  Listener(int fd, BindAddress address, int backlog, bool owns_path)
      : fd_{fd}, backlog_{backlog}, owns_path_{owns_path}, address_{std::move(address)} {}
  Listener(Listener&& other) noexcept
      : fd_{std::exchange(other.fd_, -1)},
        backlog_{other.backlog_},
        owns_path_{std::exchange(other.owns_path_, false)},
        address_{std::move(other.address_)} {}
  Listener& operator=(Listener&& other) noexcept;
  ~Listener() { close(); }

  /// Closes the socket; a unix socket's path goes too.
  void close();
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] int backlog() const { return backlog_; }
  [[nodiscard]] bool speaks_tls() const { return address_.tls; }
  [[nodiscard]] const BindAddress& address() const { return address_; }  // with the port that was chosen

 private:
  int fd_;
  int backlog_;
  bool owns_path_;
  BindAddress address_;
};

/// Opens one listener a shard on one address (SO_REUSEPORT); of a unix socket only one, for the first shard.
[[nodiscard]] Result<std::vector<Listener>, std::string> open_listeners(const BindAddress& address,
                                                                        std::uint32_t shards,
                                                                        const ListenerOptions& options);

struct DescriptorLimit {
  std::uint64_t now = 0;
  std::uint64_t hard = 0;
};
/// Raises the soft limit on descriptors to the hard one.
DescriptorLimit raise_descriptor_limit();

}  // namespace ringcast
