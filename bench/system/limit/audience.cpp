#include "bench/system/limit/audience.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <map>

#include "codec/http/request_head.hpp"
#include "codec/text/numbers.hpp"
#include "codec/websocket/frame_writer.hpp"
#include "codec/websocket/handshake.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kPathStart = "/sub/";
constexpr std::size_t kChannelDigits = 6;  // tools/load/plan.cpp
constexpr int kBacklog = 4'096;
constexpr seconds kGatherTime{120};
constexpr int kStallMs = 10'000;
constexpr std::size_t kReadBytes = 8'192;

Result<UniqueFd, std::string> listen_on(std::uint16_t port) {
  UniqueFd fd{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    return unexpected(fmt::format("cannot listen on 127.0.0.1:{}: {}", port, system_sentence(errno)));
  }
  return fd;
}

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t taken = ::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (taken > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(taken));
      continue;
    }
    pollfd watched{.fd = fd, .events = POLLOUT, .revents = 0};
    if ((taken < 0 && errno != EAGAIN && errno != EINTR) || ::poll(&watched, 1, kStallMs) == 0) return false;
  }
  return true;
}

/// Connections whose request has not been answered.
class Doorway {
 public:
  Doorway(const LimitOptions& options, std::vector<Reader>& readers) : options_{options}, readers_{readers} {}

  void open(int listener, int epoll) {
    while (true) {
      UniqueFd fd{::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
      if (!fd.is_open()) return;
      const int on = 1;
      setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      epoll_event event{.events = EPOLLIN, .data = {.fd = fd.get()}};
      epoll_ctl(epoll, EPOLL_CTL_ADD, fd.get(), &event);
      const int number = fd.get();
      waiting_[number] = {std::move(fd), {}};
    }
  }

  /// Reads more of a request. A sentence if it is none that we can answer.
  std::optional<std::string> take(int fd, int epoll) {
    const auto found = waiting_.find(fd);
    if (found == waiting_.end()) return std::nullopt;
    std::array<char, kReadBytes> bytes;
    const ssize_t got = ::recv(fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
    if (got <= 0) {  // somebody who only looked whether the port is open
      waiting_.erase(found);
      return std::nullopt;
    }
    std::string& request = found->second.request;
    request.append(bytes.data(), static_cast<std::size_t>(got));
    RequestHead head;
    const auto parsed = parse_request_head(as_bytes(request), head);
    if (!parsed) return fmt::format("a reader's request: {}", sentence_of(parsed.error()));
    if (!*parsed) return std::nullopt;
    const auto accept = check_upgrade(head);
    if (!accept) return fmt::format("a reader's request: {}", accept.error().sentence);
    const auto channel = channel_of_path(head.path, options_.channels);
    if (!channel) return channel.error();
    std::string answer;
    append_upgrade_response(answer, *accept);
    if (!send_all(fd, answer)) return "a reader left during its handshake";
    epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nullptr);
    readers_.push_back({std::move(found->second.fd), *channel});
    waiting_.erase(found);
    return std::nullopt;
  }

 private:
  struct Waiting {
    UniqueFd fd;
    std::string request;
  };
  const LimitOptions& options_;
  std::vector<Reader>& readers_;
  std::map<int, Waiting> waiting_;
};

}  // namespace

Result<std::uint32_t, std::string> channel_of_path(std::string_view path, std::uint32_t channels) {
  const auto wrong = [&] { return unexpected(fmt::format("a reader asked for '{}'", path)); };
  if (!path.starts_with(kPathStart) || path.size() < kPathStart.size() + kChannelDigits) return wrong();
  std::string_view digits = path.substr(path.size() - kChannelDigits);
  while (digits.size() > 1 && digits.starts_with('0')) digits.remove_prefix(1);
  const auto channel = parse_uint64(digits);
  if (!channel || *channel >= channels) return wrong();
  return static_cast<std::uint32_t>(*channel);
}

Result<std::vector<Reader>, std::string> gather(const LimitOptions& options, int stop_fd) {
  auto listener = listen_on(options.port);
  if (!listener) return unexpected(listener.error());
  const UniqueFd epoll{epoll_create1(EPOLL_CLOEXEC)};
  for (const int fd : {listener->get(), stop_fd}) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event);
  }
  std::vector<Reader> readers;
  Doorway doorway{options, readers};
  const Instant deadline = monotonic_now() + kGatherTime;
  while (readers.size() < options.connections) {
    if (monotonic_now() > deadline) {
      return unexpected(fmt::format("only {} of {} readers came", readers.size(), options.connections));
    }
    std::array<epoll_event, 256> events;
    const int ready = epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), 100);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == stop_fd) return unexpected(std::string{"interrupted"});
      if (fd == listener->get()) {
        doorway.open(fd, epoll.get());
      } else if (const auto fault = doorway.take(fd, epoll.get())) {
        return unexpected(*fault);
      }
    }
  }
  return readers;
}

bool say(const Reader& reader, const std::string& text) {
  std::vector<std::uint8_t> frame;
  append_frame(frame, {}, as_bytes(text));
  return send_all(reader.fd.get(), as_text(frame));
}

void await_departure(std::vector<Reader>& readers, Instant deadline) {
  std::array<char, kReadBytes> bytes;
  for (Reader& reader : readers) {
    while (monotonic_now() < deadline) {
      const ssize_t got = ::recv(reader.fd.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
      if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) break;
      if (got > 0) continue;
      pollfd watched{.fd = reader.fd.get(), .events = POLLIN, .revents = 0};
      (void)::poll(&watched, 1, 50);
    }
    reader.fd.reset();
  }
}

}  // namespace ringcast
