#include "tools/client/socket.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <system_error>

namespace ringcast {
namespace {

Result<std::vector<SocketAddress>, std::string> unix_address(const Endpoint& endpoint) {
  SocketAddress address;
  auto* name = reinterpret_cast<sockaddr_un*>(&address.storage);
  name->sun_family = AF_UNIX;
  std::memcpy(name->sun_path, endpoint.unix_path.data(), endpoint.unix_path.size());
  address.bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + endpoint.unix_path.size() + 1);
  return std::vector{address};
}

nanoseconds read_clock(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return seconds{time.tv_sec} + nanoseconds{time.tv_nsec};
}

}  // namespace

void UniqueFd::reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Result<std::vector<SocketAddress>, std::string> resolve(const Endpoint& endpoint) {
  if (!endpoint.unix_path.empty()) return unix_address(endpoint);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
  if (endpoint.host.find_first_not_of("0123456789.") == std::string::npos || endpoint.host.contains(':')) {
    hints.ai_flags = AI_NUMERICSERV | AI_NUMERICHOST;  // a literal works without a configured interface
  }
  addrinfo* found = nullptr;
  const std::string port = std::to_string(endpoint.port);
  const int failure = getaddrinfo(endpoint.host.c_str(), port.c_str(), &hints, &found);
  if (failure != 0) {
    const std::string reason = failure == EAI_SYSTEM ? system_sentence(errno) : std::string{gai_strerror(failure)};
    return unexpected("cannot find the host '" + endpoint.host + "': " + reason);
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> list{found, freeaddrinfo};
  std::vector<SocketAddress> addresses;
  for (const addrinfo* entry = list.get(); entry != nullptr; entry = entry->ai_next) {
    SocketAddress& address = addresses.emplace_back();
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    address.bytes = entry->ai_addrlen;
  }
  return addresses;
}

Result<UniqueFd, std::string> start_connect(const SocketAddress& address, const SocketOptions& options) {
  UniqueFd fd{::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!fd.is_open()) return unexpected("cannot open a socket: " + system_sentence(errno));
  if (address.storage.ss_family != AF_UNIX) {
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  if (options.receive_buffer_bytes > 0) {
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &options.receive_buffer_bytes, sizeof options.receive_buffer_bytes);
  }
  const auto* name = reinterpret_cast<const sockaddr*>(&address.storage);
  if (::connect(fd.get(), name, address.bytes) != 0 && errno != EINPROGRESS) {
    return unexpected(system_sentence(errno));
  }
  return fd;
}

int connect_error(int fd) {
  int error = 0;
  socklen_t bytes = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0) return errno;
  return error;
}

std::string system_sentence(int error) { return std::system_category().message(error); }

Instant monotonic_now() { return Instant{read_clock(CLOCK_MONOTONIC)}; }
WallTime wall_now() { return WallTime{read_clock(CLOCK_REALTIME)}; }

void sleep_until(Instant until) {
  const nanoseconds left = until - monotonic_now();
  if (left <= nanoseconds{0}) return;
  const timespec time{.tv_sec = left.count() / 1'000'000'000, .tv_nsec = left.count() % 1'000'000'000};
  nanosleep(&time, nullptr);
}

}  // namespace ringcast
