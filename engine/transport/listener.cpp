#include "engine/transport/listener.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

#include "alloc/base/ensure.hpp"

namespace ringcast {

namespace {

struct KernelAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* plain() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] sockaddr* plain() { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] int family() const { return storage.ss_family; }
};

std::string cannot_listen(const Endpoint& endpoint, int error) {
  std::string text = "cannot listen on " + to_text(endpoint) + ": " + std::strerror(error);
  if (error == EADDRINUSE) text += " (another program has it)";
  if (error == EADDRNOTAVAIL) text += " (no interface of this host has it)";
  if (error == EACCES && endpoint.family != Endpoint::Family::unix_path && endpoint.port < 1'024) {
    text += " (a port below 1024 needs CAP_NET_BIND_SERVICE)";
  }
  return text;
}

Result<KernelAddress, std::string> to_kernel(const Endpoint& endpoint) {
  KernelAddress address;
  switch (endpoint.family) {
    case Endpoint::Family::ipv4: {
      auto& in = reinterpret_cast<sockaddr_in&>(address.storage);
      in.sin_family = AF_INET;
      in.sin_port = htons(endpoint.port);
      address.size = sizeof in;
      if (inet_pton(AF_INET, endpoint.host.c_str(), &in.sin_addr) == 1) return address;
      break;
    }
    case Endpoint::Family::ipv6: {
      auto& in = reinterpret_cast<sockaddr_in6&>(address.storage);
      in.sin6_family = AF_INET6;
      in.sin6_port = htons(endpoint.port);
      address.size = sizeof in;
      if (inet_pton(AF_INET6, endpoint.host.c_str(), &in.sin6_addr) == 1) return address;
      break;
    }
    case Endpoint::Family::unix_path: {
      auto& un = reinterpret_cast<sockaddr_un&>(address.storage);
      un.sun_family = AF_UNIX;
      address.size = sizeof un;
      if (endpoint.path.empty() || endpoint.path.size() >= sizeof un.sun_path) {
        return unexpected("cannot listen on " + to_text(endpoint) + ": a socket's path has 1 to " +
                          std::to_string(sizeof un.sun_path - 1) + " bytes");
      }
      std::memcpy(un.sun_path, endpoint.path.data(), endpoint.path.size());
      return address;
    }
  }
  return unexpected("cannot listen on " + to_text(endpoint) + ": '" + endpoint.host + "' is no numeric address");
}

/// A descriptor that is closed unless released.
class Socket {
 public:
  explicit Socket(int family) : fd_{::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)} {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] int fd() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

bool set_option(int fd, int level, int name, int value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/// errno if somebody listens on a fixed port. SO_REUSEPORT alone would share it with another node of the same user.
int already_taken(const KernelAddress& address) {
  const Socket probe{address.family()};
  if (probe.fd() < 0) return errno;
  set_option(probe.fd(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (address.family() == AF_INET6) set_option(probe.fd(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  return ::bind(probe.fd(), address.plain(), address.size) == 0 ? 0 : errno;
}

std::uint16_t bound_port(int fd) {
  KernelAddress address;
  address.size = sizeof address.storage;
  if (::getsockname(fd, address.plain(), &address.size) != 0) return 0;
  if (address.family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(address.storage).sin_port);
  return ntohs(reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_port);
}

Result<Listener, std::string> open_tcp(Endpoint endpoint, const ListenerOptions& options) {
  const auto address = to_kernel(endpoint);
  if (!address) return unexpected(address.error());
  Socket socket{address->family()};
  const auto user_timeout = static_cast<int>(options.user_timeout.count());
  const bool set = socket.fd() >= 0 && set_option(socket.fd(), SOL_SOCKET, SO_REUSEADDR, 1) &&
                   set_option(socket.fd(), SOL_SOCKET, SO_REUSEPORT, 1) &&
                   (address->family() != AF_INET6 || set_option(socket.fd(), IPPROTO_IPV6, IPV6_V6ONLY, 1)) &&
                   set_option(socket.fd(), IPPROTO_TCP, TCP_NODELAY, 1) &&
                   set_option(socket.fd(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, options.notsent_bytes_max) &&
                   set_option(socket.fd(), IPPROTO_TCP, TCP_USER_TIMEOUT, user_timeout);
  if (!set || ::bind(socket.fd(), address->plain(), address->size) != 0 ||
      ::listen(socket.fd(), options.backlog) != 0) {
    return unexpected(cannot_listen(endpoint, errno));
  }
  endpoint.port = bound_port(socket.fd());
  return Listener{socket.release(), std::move(endpoint), options.backlog, /*owns_path=*/false};
}

/// Whether a process answers at the path. A path that nobody answers at was left by one that was killed.
bool somebody_answers(const KernelAddress& address) {
  const Socket probe{AF_UNIX};
  return probe.fd() >= 0 && (::connect(probe.fd(), address.plain(), address.size) == 0 || errno == EAGAIN);
}

Result<Listener, std::string> open_unix(const Endpoint& endpoint, const ListenerOptions& options) {
  const auto address = to_kernel(endpoint);
  if (!address) return unexpected(address.error());
  struct stat status {};
  if (::lstat(endpoint.path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode)) return unexpected("cannot listen on " + to_text(endpoint) + ": there is a file that is no socket");
    if (somebody_answers(*address)) return unexpected(cannot_listen(endpoint, EADDRINUSE));
    ::unlink(endpoint.path.c_str());
  }
  Socket socket{AF_UNIX};
  if (socket.fd() < 0 || ::bind(socket.fd(), address->plain(), address->size) != 0) {
    return unexpected(cannot_listen(endpoint, errno));
  }
  if (::chmod(endpoint.path.c_str(), static_cast<mode_t>(options.unix_mode)) != 0 ||
      ::listen(socket.fd(), options.backlog) != 0) {
    const int error = errno;
    ::unlink(endpoint.path.c_str());
    return unexpected(cannot_listen(endpoint, error));
  }
  return Listener{socket.release(), endpoint, options.backlog, /*owns_path=*/true};
}

}  // namespace

std::string to_text(const Endpoint& endpoint) {
  switch (endpoint.family) {
    case Endpoint::Family::ipv4: return endpoint.host + ":" + std::to_string(endpoint.port);
    case Endpoint::Family::ipv6: return "[" + endpoint.host + "]:" + std::to_string(endpoint.port);
    case Endpoint::Family::unix_path: return "unix:" + endpoint.path;
  }
  return {};
}

Listener& Listener::operator=(Listener&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
    backlog_ = other.backlog_;
    owns_path_ = std::exchange(other.owns_path_, false);
    endpoint_ = std::move(other.endpoint_);
  }
  return *this;
}

void Listener::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  if (std::exchange(owns_path_, false)) ::unlink(endpoint_.path.c_str());
}

Result<std::vector<Listener>, std::string> open_listeners(const Endpoint& endpoint, std::uint32_t shards,
                                                          const ListenerOptions& options) {
  ensure(shards >= 1, "a node has a shard");
  std::vector<Listener> listeners;
  if (endpoint.family == Endpoint::Family::unix_path) {
    auto listener = open_unix(endpoint, options);
    if (!listener) return unexpected(listener.error());
    listeners.push_back(std::move(*listener));
    return listeners;
  }
  if (endpoint.port != 0) {
    const auto address = to_kernel(endpoint);
    if (!address) return unexpected(address.error());
    if (const int error = already_taken(*address); error != 0) return unexpected(cannot_listen(endpoint, error));
  }
  Endpoint wanted = endpoint;
  for (std::uint32_t i = 0; i < shards; ++i) {
    auto listener = open_tcp(wanted, options);
    if (!listener) return unexpected(listener.error());
    wanted.port = listener->endpoint().port;
    listeners.push_back(std::move(*listener));
  }
  return listeners;
}

DescriptorLimit raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised{.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return {.now = limit.rlim_cur, .hard = limit.rlim_max};
}

}  // namespace ringcast
