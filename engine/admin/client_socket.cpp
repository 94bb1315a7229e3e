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
#include <cstddef>
#include <cstring>
#include <tuple>
#include <utility>
#include <vector>

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

/// Off the wire. 0: the end; empty: nothing yet.
std::optional<std::size_t> take(int fd, char* out, std::size_t bytes) {
  const ssize_t got = ::recv(fd, out, bytes, MSG_DONTWAIT);
  if (got >= 0) return static_cast<std::size_t>(got);
  if (errno == EAGAIN || errno == EINTR) return std::nullopt;
  return 0;  // broken: the same as an end
}

}  // namespace

/// The client's TLS, and what waits on either side of it.
struct ClientSocket::Tls {
  explicit Tls(std::shared_ptr<const TlsContext> context) : stream{std::move(context), wire} {}

  TlsWire wire;
  TlsStream stream;
  std::array<char, kReadBytes> in;  // off the wire; the stream reads it while it is at work
  std::vector<std::uint8_t> out;    // for the wire
  bool at_work = false;             // step() has not used up what came
  bool open = false;                // the handshake was completed
  bool silent = false;              // nothing more is said: the end was, or something only in part
  std::optional<TlsFailure> failure;
  std::string_view detail;

  [[nodiscard]] bool may_speak() const { return open && !silent && !failure; }
};

ClientSocket::ClientSocket(int fd, std::shared_ptr<const TlsContext> tls)
    : fd_{fd}, tls_{tls == nullptr ? nullptr : std::make_unique<Tls>(std::move(tls))} {
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

ClientSocket::~ClientSocket() {
  say_end();
  ::close(fd_);
}

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

bool ClientSocket::wait_for_input(milliseconds time) const {
  if (tls_ == nullptr) return wait(POLLIN, time);
  if (tls_->at_work) return time.count() >= 0;
  if (tls_->out.empty()) return wait(POLLIN, time);
  return wait(POLLIN | POLLOUT, time);  // it may wait for our answer
}

std::optional<std::size_t> ClientSocket::receive(char* out, std::size_t bytes) {
  if (tls_ != nullptr) return receive_tls(out, bytes);
  const auto got = take(fd_, out, bytes);
  heard_ = heard_ || got.value_or(0) != 0;
  return got;
}

/// One piece off the wire at the most: who sends records without end, and nothing in them, is not listened to for ever.
std::optional<std::size_t> ClientSocket::receive_tls(char* out, std::size_t bytes) {
  using State = TlsStream::State;
  Tls& tls = *tls_;
  if (tls.failure || tls.stream.state() == State::ended || !push()) return 0;
  if (!tls.at_work) {
    const auto got = take(fd_, tls.in.data(), tls.in.size());
    if (!got) return std::nullopt;
    if (*got == 0) {
      if (tls.open && tls.stream.mid_record()) fail(TlsFailure::truncated, {});
      return 0;
    }
    heard_ = true;
    tls.stream.begin(as_bytes(std::string_view{tls.in.data(), *got}), tls.out);
  }
  const std::size_t size = tls.stream.step({reinterpret_cast<std::uint8_t*>(out), bytes});
  tls.at_work = size != 0;
  if (tls.stream.state() == State::failed) {
    fail(tls.stream.failure(), tls.stream.detail());
    return 0;
  }
  tls.open = tls.stream.state() != State::handshaking;
  if (!push() || tls.stream.state() == State::ended) return 0;
  if (size == 0) return std::nullopt;
  return size;
}

/// Sends what TLS answers by itself, as far as it is taken. False: the connection is broken, or TLS is given up.
bool ClientSocket::push() {
  Tls& tls = *tls_;
  while (!tls.out.empty()) {
    const ssize_t sent = ::send(fd_, tls.out.data(), tls.out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) return false;
    if (sent < 0) break;
    tls.out.erase(tls.out.begin(), tls.out.begin() + static_cast<std::ptrdiff_t>(sent));
  }
  if (tls.out.size() <= kTlsAnswersBytesMax) return true;
  if (!tls.failure) fail(TlsFailure::flood, "answers left unread");
  return false;
}

/// The client hears of it if its socket takes the alert.
void ClientSocket::fail(TlsFailure failure, std::string_view detail) {
  Tls& tls = *tls_;
  tls.failure = failure;
  tls.detail = detail;
  if (tls.stream.is_plain_http()) tls.out.assign(kSpeakTls.begin(), kSpeakTls.end());
  (void)push();
}

/// What does not fit goes unsaid: an answer says how long it is.
void ClientSocket::say_end() {
  if (tls_ == nullptr || !tls_->may_speak()) return;
  tls_->silent = true;
  tls_->stream.shut_down(tls_->out);
  (void)push();
}

std::optional<ClientSocket::TlsReport> ClientSocket::tls() const {
  if (tls_ == nullptr) return std::nullopt;
  return TlsReport{.open = tls_->open,
                   .resumed = tls_->open && tls_->stream.resumed(),
                   .failure = tls_->failure,
                   .detail = tls_->detail};
}

/// A client that has begun a request is late; half a record is the beginning of one.
ClientSocket::Ended ClientSocket::lateness() const {
  const bool begun = !in_.empty() || (tls_ != nullptr && tls_->open && tls_->stream.mid_record());
  return begun ? Ended::late : Ended::idle;
}

Result<void, ClientSocket::NoHead> ClientSocket::read_head(RequestHead& head, const std::function<bool()>& crowded) {
  const auto parse = [&] {
    return parse_request_head(as_bytes(in_), head, {.head_bytes_max = kAdminRequestHeadBytesMax},
                              std::exchange(seen_, in_.size()));
  };
  seen_ = 0;
  heard_ = !in_.empty() || (tls_ != nullptr && tls_->at_work);
  bool begun = heard_;
  const Instant began = now();
  Instant deadline = began + (begun ? kAdminHeadTime : kAdminIdleTime);
  for (;;) {
    if (!in_.empty()) {
      const auto parsed = parse();
      if (!parsed) return unexpected(NoHead{Ended::unreadable, parsed.error()});
      if (*parsed) return {};
    }
    const Instant end = crowded() ? std::min(deadline, began + kAdminCrowdedTime) : deadline;
    const milliseconds left = std::chrono::ceil<milliseconds>(end - now());
    if (left.count() <= 0) return unexpected(NoHead{lateness(), {}});
    if (!wait_for_input(std::min(left, kCrowdedTick))) continue;
    std::array<char, kReadBytes> buffer;
    const auto got = receive(buffer.data(), buffer.size());
    if (heard_ && !std::exchange(begun, true)) deadline = now() + kAdminHeadTime;
    if (!got) continue;
    if (*got == 0) {
      const bool by_tls = tls_ != nullptr && tls_->failure.has_value();
      return unexpected(NoHead{by_tls ? Ended::tls_failed : Ended::gone, {}});
    }
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
  while (wait_for_input(transfer_left())) {
    if (const auto got = receive(out, bytes)) return *got;
  }
  return 0;
}

bool ClientSocket::write_all(std::string_view bytes) {
  if (tls_ == nullptr) return send_all(bytes);
  Tls& tls = *tls_;
  while (!bytes.empty()) {
    if (!tls.may_speak()) return false;
    const std::size_t sealed = tls.stream.write(as_bytes(bytes), tls.out);
    if (sealed == 0) {
      fail(tls.stream.failure(), tls.stream.detail());
      return false;
    }
    bytes.remove_prefix(sealed);
    tls.silent = !send_all(as_text(tls.out));  // half a record is no place to say anything else
    tls.out.clear();
  }
  return !tls.silent;
}

bool ClientSocket::send_all(std::string_view bytes) const {
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
  say_end();
  ::shutdown(fd_, SHUT_WR);
  const Instant end = now() + kLingerTime;
  std::size_t dropped = 0;
  std::array<char, kReadBytes> buffer;
  while (dropped < kLingerBytesMax) {
    const auto left = std::chrono::duration_cast<milliseconds>(end - now());
    if (!wait(POLLIN, left)) return;
    const auto got = take(fd_, buffer.data(), buffer.size());  // over TLS, too: nobody reads it any more
    if (got && *got == 0) return;
    dropped += got.value_or(0);
  }
}

}  // namespace ringcast
