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

std::string cannot_listen(const BindAddress& address, int error) {
  std::string text = "cannot listen on " + to_text(address) + ": " + std::strerror(error);
  if (error == EADDRINUSE) text += " (another program has it)";
  if (error == EADDRNOTAVAIL) text += " (no interface of this host has it)";
  if (error == EACCES && address.family != BindAddress::Family::unix_path && address.port < 1'024) {
    text += " (a port below 1024 needs CAP_NET_BIND_SERVICE)";
  }
  return text;
}

Result<KernelAddress, std::string> to_kernel(const BindAddress& address) {
  KernelAddress kernel;
  switch (address.family) {
    case BindAddress::Family::ipv4: {
      auto& in = reinterpret_cast<sockaddr_in&>(kernel.storage);
      in.sin_family = AF_INET;
      in.sin_port = htons(address.port);
      kernel.size = sizeof in;
      if (inet_pton(AF_INET, address.host.c_str(), &in.sin_addr) == 1) return kernel;
      break;
    }
    case BindAddress::Family::ipv6: {
      auto& in = reinterpret_cast<sockaddr_in6&>(kernel.storage);
      in.sin6_family = AF_INET6;
      in.sin6_port = htons(address.port);
      kernel.size = sizeof in;
      if (inet_pton(AF_INET6, address.host.c_str(), &in.sin6_addr) == 1) return kernel;
      break;
    }
    case BindAddress::Family::unix_path: {
      auto& un = reinterpret_cast<sockaddr_un&>(kernel.storage);
      un.sun_family = AF_UNIX;
      kernel.size = sizeof un;
      if (address.path.empty() || address.path.size() >= sizeof un.sun_path) {
        return unexpected("cannot listen on " + to_text(address) + ": a socket's path has 1 to " +
                          std::to_string(sizeof un.sun_path - 1) + " bytes");
      }
      std::memcpy(un.sun_path, address.path.data(), address.path.size());
      return kernel;
    }
  }
  return unexpected("cannot listen on " + to_text(address) + ": '" + address.host + "' is no numeric address");
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
int already_taken(const KernelAddress& kernel) {
  const Socket probe{kernel.family()};
  if (probe.fd() < 0) return errno;
  set_option(probe.fd(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (kernel.family() == AF_INET6) set_option(probe.fd(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  return ::bind(probe.fd(), kernel.plain(), kernel.size) == 0 ? 0 : errno;
}

std::uint16_t bound_port(int fd) {
  KernelAddress kernel;
  kernel.size = sizeof kernel.storage;
  if (::getsockname(fd, kernel.plain(), &kernel.size) != 0) return 0;
  if (kernel.family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(kernel.storage).sin_port);
  return ntohs(reinterpret_cast<const sockaddr_in6&>(kernel.storage).sin6_port);
}

Result<Listener, std::string> open_tcp(BindAddress address, const ListenerOptions& options) {
  const auto kernel = to_kernel(address);
  if (!kernel) return unexpected(kernel.error());
  Socket socket{kernel->family()};
  const auto user_timeout = static_cast<int>(options.user_timeout.count());
  const bool set = socket.fd() >= 0 && set_option(socket.fd(), SOL_SOCKET, SO_REUSEADDR, 1) &&
                   set_option(socket.fd(), SOL_SOCKET, SO_REUSEPORT, 1) &&
                   (kernel->family() != AF_INET6 || set_option(socket.fd(), IPPROTO_IPV6, IPV6_V6ONLY, 1)) &&
                   set_option(socket.fd(), IPPROTO_TCP, TCP_NODELAY, 1) &&
                   set_option(socket.fd(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, options.notsent_bytes_max) &&
                   set_option(socket.fd(), IPPROTO_TCP, TCP_USER_TIMEOUT, user_timeout);
  if (!set || ::bind(socket.fd(), kernel->plain(), kernel->size) != 0 || ::listen(socket.fd(), options.backlog) != 0) {
    return unexpected(cannot_listen(address, errno));
  }
  address.port = bound_port(socket.fd());
  return Listener{socket.release(), std::move(address), options.backlog, /*owns_path=*/false};
}

/// Whether a process answers at the path. A path that nobody answers at was left by one that was killed.
bool somebody_answers(const KernelAddress& kernel) {
  const Socket probe{AF_UNIX};
  return probe.fd() >= 0 && (::connect(probe.fd(), kernel.plain(), kernel.size) == 0 || errno == EAGAIN);
}

Result<Listener, std::string> open_unix(const BindAddress& address, const ListenerOptions& options) {
  const auto kernel = to_kernel(address);
  if (!kernel) return unexpected(kernel.error());
  struct stat status {};
  if (::lstat(address.path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode))
      return unexpected("cannot listen on " + to_text(address) + ": there is a file that is no socket");
    if (somebody_answers(*kernel)) return unexpected(cannot_listen(address, EADDRINUSE));
    ::unlink(address.path.c_str());
  }
  Socket socket{AF_UNIX};
  if (socket.fd() < 0 || ::bind(socket.fd(), kernel->plain(), kernel->size) != 0) {
    return unexpected(cannot_listen(address, errno));
  }
  if (::chmod(address.path.c_str(), static_cast<mode_t>(options.unix_mode)) != 0 ||
      ::listen(socket.fd(), options.backlog) != 0) {
    const int error = errno;
    ::unlink(address.path.c_str());
    return unexpected(cannot_listen(address, error));
  }
  return Listener{socket.release(), address, options.backlog, /*owns_path=*/true};
}

}  // namespace

std::string to_text(const BindAddress& address) {
  switch (address.family) {
    case BindAddress::Family::ipv4: return address.host + ":" + std::to_string(address.port);
    case BindAddress::Family::ipv6: return "[" + address.host + "]:" + std::to_string(address.port);
    case BindAddress::Family::unix_path: return "unix:" + address.path;
  }
  return {};
}

Listener& Listener::operator=(Listener&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
    backlog_ = other.backlog_;
    owns_path_ = std::exchange(other.owns_path_, false);
    address_ = std::move(other.address_);
  }
  return *this;
}

void Listener::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  if (std::exchange(owns_path_, false)) ::unlink(address_.path.c_str());
}

Result<std::vector<Listener>, std::string> open_listeners(const BindAddress& address, std::uint32_t shards,
                                                          const ListenerOptions& options) {
  ensure(shards >= 1, "a node has a shard");
  std::vector<Listener> listeners;
  if (address.family == BindAddress::Family::unix_path) {
    auto listener = open_unix(address, options);
    if (!listener) return unexpected(listener.error());
    listeners.push_back(std::move(*listener));
    return listeners;
  }
  if (address.port != 0) {
    const auto kernel = to_kernel(address);
    if (!kernel) return unexpected(kernel.error());
    if (const int error = already_taken(*kernel); error != 0) return unexpected(cannot_listen(address, error));
  }
  BindAddress wanted = address;
  for (std::uint32_t i = 0; i < shards; ++i) {
    auto listener = open_tcp(wanted, options);
    if (!listener) return unexpected(listener.error());
    wanted.port = listener->address().port;
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
