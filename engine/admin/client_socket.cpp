#include "engine/admin/client_socket.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <tuple>
#include <utility>

namespace ringcast {
namespace {

constexpr std::size_t kReadBytes = 4'096;
constexpr milliseconds kCrowdedTick{100};  // how often a waiting thread looks whether it is needed elsewhere
constexpr milliseconds kLingerTime{500};   // for a client that still sends what nobody wants
constexpr std::size_t kLingerBytesMax = 1U << 20;

Instant now() { return Instant{std::chrono::steady_clock::now().time_since_epoch()}; }

std::pair<IpAddress, std::uint16_t> read_address(const sockaddr_storage& from) {
  if (from.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &from, sizeof v6);
    IpAddress address;
    std::memcpy(address.data(), &v6.sin6_addr, address.size());
    return {address, ntohs(v6.sin6_port)};
  }
  sockaddr_in v4{};
  std::memcpy(&v4, &from, sizeof v4);
  std::array<std::uint8_t, 4> bytes{};
  std::memcpy(bytes.data(), &v4.sin_addr, bytes.size());
  return {ipv4_address(bytes[0], bytes[1], bytes[2], bytes[3]), ntohs(v4.sin_port)};
}

}  // namespace

ClientSocket::ClientSocket(int fd) : fd_{fd} {
  ::fcntl(fd_, F_SETFD, FD_CLOEXEC);
  const int one = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getpeername(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    std::tie(peer_, peer_port_) = read_address(address);
  }
  size = sizeof address;
  if (::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0) local_ = read_address(address).first;
}

ClientSocket::~ClientSocket() { ::close(fd_); }

std::string ClientSocket::peer_text() const {
  const std::string address = to_text(peer_);
  const bool bracketed = address.find(':') != std::string::npos;
  return (bracketed ? "[" + address + "]" : address) + ":" + std::to_string(peer_port_);
}

bool ClientSocket::wait(short events, milliseconds time) const {
  if (time.count() < 0) return false;
  pollfd fd{.fd = fd_, .events = events, .revents = 0};
  return ::poll(&fd, 1, static_cast<int>(time.count())) > 0;
}

std::optional<std::size_t> ClientSocket::receive(char* out, std::size_t bytes) const {
  const ssize_t got = ::recv(fd_, out, bytes, MSG_DONTWAIT);
  if (got >= 0) return static_cast<std::size_t>(got);
  if (errno == EAGAIN || errno == EINTR) return std::nullopt;
  return 0;  // broken: the same as an end
}

Result<void, ClientSocket::NoHead> ClientSocket::read_head(RequestHead& head, const std::function<bool()>& crowded) {
  const auto parse = [&] {
    return parse_request_head(as_bytes(in_), head, {.head_bytes_max = kAdminRequestHeadBytesMax},
                              std::exchange(seen_, in_.size()));
  };
  seen_ = 0;
  const Instant began = now();
  Instant deadline = began + (in_.empty() ? kAdminIdleTime : kAdminHeadTime);
  for (;;) {
    if (!in_.empty()) {
      const auto parsed = parse();
      if (!parsed) return unexpected(NoHead{Ended::unreadable, parsed.error()});
      if (*parsed) return {};
    }
    const Instant end = crowded() ? std::min(deadline, began + kAdminCrowdedTime) : deadline;
    const milliseconds left = std::chrono::ceil<milliseconds>(end - now());
    if (left.count() <= 0) return unexpected(NoHead{in_.empty() ? Ended::idle : Ended::late, {}});
    if (!wait(POLLIN, std::min(left, kCrowdedTick))) continue;
    std::array<char, kReadBytes> buffer;
    const auto got = receive(buffer.data(), buffer.size());
    if (!got) continue;
    if (*got == 0) return unexpected(NoHead{Ended::gone, {}});
    if (in_.empty()) deadline = now() + kAdminHeadTime;
    in_.append(buffer.data(), *got);
  }
}

void ClientSocket::take_head(const RequestHead& head) { in_.erase(0, head.head_bytes); }

std::size_t ClientSocket::read_some(char* out, std::size_t bytes) {
  if (!in_.empty()) {
    const std::size_t taken = std::min(bytes, in_.size());
    std::memcpy(out, in_.data(), taken);
    in_.erase(0, taken);
    return taken;
  }
  while (wait(POLLIN, transfer_left())) {
    if (const auto got = receive(out, bytes)) return *got;
  }
  return 0;
}

bool ClientSocket::write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno != EAGAIN && errno != EINTR) {
      return false;
    } else if (!wait(POLLOUT, transfer_left())) {
      return false;
    }
  }
  return true;
}

void ClientSocket::begin_transfer() { transfer_end_ = now() + kAdminTransferTime; }

milliseconds ClientSocket::transfer_left() const {
  return std::chrono::duration_cast<milliseconds>(transfer_end_ - now());
}

void ClientSocket::abort() { ::shutdown(fd_, SHUT_RDWR); }

/// Closing while the client still sends would reset the connection, and the answer might be lost with it.
void ClientSocket::linger() {
  ::shutdown(fd_, SHUT_WR);
  const Instant end = now() + kLingerTime;
  std::size_t dropped = 0;
  std::array<char, kReadBytes> buffer;
  while (dropped < kLingerBytesMax) {
    const auto left = std::chrono::duration_cast<milliseconds>(end - now());
    if (!wait(POLLIN, left)) return;
    const auto got = receive(buffer.data(), buffer.size());
    if (got && *got == 0) return;
    dropped += got.value_or(0);
  }
}

}  // namespace ringcast
