#include "engine/ring/send_self_test.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "alloc/base/units.hpp"

namespace ringcast {

namespace {

constexpr int kSocketBufferBytes = 16 * 1'024;
constexpr std::uint32_t kLargeSendBytes = 1U << 20;  // far more than the pair's buffers take
constexpr int kLargeSendsMax = 64;                   // loopback may grow its buffers a little before it is full

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_{fd} {}
  Descriptor(Descriptor&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool open() const { return fd_ >= 0; }

 private:
  int fd_;
};

struct SocketPair {
  Descriptor sender;
  Descriptor reader;
};

std::optional<SocketPair> tcp_pair() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  const Descriptor listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  SocketPair pair{Descriptor{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)}, Descriptor{}};
  if (!listener.open() || !pair.sender.open()) return std::nullopt;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_RCVBUF, &kSocketBufferBytes, sizeof kSocketBufferBytes);
  ::setsockopt(pair.sender.get(), SOL_SOCKET, SO_SNDBUF, &kSocketBufferBytes, sizeof kSocketBufferBytes);
  if (::bind(listener.get(), plain, sizeof address) != 0 || ::listen(listener.get(), 1) != 0 ||
      ::getsockname(listener.get(), plain, &size) != 0 || ::connect(pair.sender.get(), plain, sizeof address) != 0) {
    return std::nullopt;
  }
  pair.reader = Descriptor{::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
  if (!pair.reader.open()) return std::nullopt;
  return pair;
}

std::optional<SocketPair> unix_pair() {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) return std::nullopt;
  SocketPair pair{Descriptor{fds[0]}, Descriptor{fds[1]}};
  ::setsockopt(pair.sender.get(), SOL_SOCKET, SO_SNDBUF, &kSocketBufferBytes, sizeof kSocketBufferBytes);
  return pair;
}

std::uint64_t drain(int fd) {
  std::vector<std::uint8_t> sink(1U << 18);
  std::uint64_t total = 0;
  for (ssize_t got = 0; (got = ::recv(fd, sink.data(), sink.size(), MSG_DONTWAIT)) > 0;) {
    total += static_cast<std::uint64_t>(got);
  }
  return total;
}

}  // namespace

std::string try_send_shape(const RingFeatures& features, SendShape shape) {
  auto opened = Ring::open({.demand = {}, .features = features});
  if (!opened) return opened.error();
  Ring& ring = **opened;
  auto pair = tcp_pair();
  if (!pair) pair = unix_pair();
  if (!pair) return "no socket pair could be made";

  const std::vector<std::uint8_t> bytes(kLargeSendBytes, std::uint8_t{'x'});
  const auto send = [&](std::uint32_t number, std::uint32_t size) -> std::optional<std::int32_t> {
    ring.send({Operation::send, {.slot = number, .generation = 0}}, pair->sender.get(), bytes.data(), size, shape);
    ring.submit_and_reap();
    const auto reports = ring.take_send_reports();
    if (reports.size() != 1 || reports[0].tag().subject.slot != number) return std::nullopt;
    return reports[0].result;
  };
  const auto taken = [&](std::optional<std::int32_t> report, std::uint32_t size) -> std::int64_t {
    if (report) return *report;
    return shape == SendShape::silent ? std::int64_t{size} : -1;
  };

  constexpr std::uint32_t kSmall = 100;
  const auto small = send(0, kSmall);
  if (shape == SendShape::silent ? small.has_value() : small != std::int32_t{kSmall}) {
    return "a whole send was reported as " + (small ? std::to_string(*small) : std::string{"nothing"});
  }
  std::uint64_t sent = kSmall;
  bool was_short = false;
  bool was_full = false;
  for (int i = 1; i <= kLargeSendsMax && !was_full; ++i) {
    const std::int64_t count = taken(send(static_cast<std::uint32_t>(i), kLargeSendBytes), kLargeSendBytes);
    if (count == -EAGAIN) {
      was_full = true;
    } else if (count < 0) {
      return "a send into a full socket was reported as " + std::to_string(count);
    } else {
      sent += static_cast<std::uint64_t>(count);
      was_short = was_short || count < std::int64_t{kLargeSendBytes};
    }
  }
  if (!was_short || !was_full) return "a full socket's short count or -EAGAIN was not reported";

  std::uint64_t received = 0;
  for (int quiet = 0; received < sent && quiet < 1'000;) {
    const std::uint64_t got = drain(pair->reader.get());
    received += got;
    quiet = got == 0 ? quiet + 1 : 0;
    if (got == 0) ::usleep(1'000);
  }
  ring.submit_and_reap();
  if (!ring.take_send_reports().empty()) return "a send was reported late";
  if (received != sent) {
    return std::to_string(sent) + " bytes were reported as sent, " + std::to_string(received) + " arrived";
  }
  return {};
}

SendSelfTest run_send_self_test(const RingFeatures& features) {
  const std::string silent = try_send_shape(features, SendShape::silent);
  if (silent.empty()) return {.silent = true, .broken = false, .verdict = "silent when whole, proven on a socket pair"};
  const std::string reported = try_send_shape(features, SendShape::reported);
  if (!reported.empty()) return {.silent = false, .broken = true, .verdict = reported};
  return {.silent = false, .broken = false, .verdict = "every send reports, because " + silent};
}

}  // namespace ringcast
