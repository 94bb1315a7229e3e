// tests/engine/transport/harness.hpp: a transport on real loopback sockets, with a core that records and peers that
// obey.
//
// Owner    one test.  Thread  the test's: server side, ring and peers share it, so nothing here may block.
// Memory   what the test receives.  Failure  fails the test.
// Not here a core: the recorder decides nothing.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/transport/transport.hpp"

namespace ringcast::test {

class RecordingEvents final : public TransportEvents {
 public:
  std::optional<Handle> accept(const PeerInfo& peer) override {
    peers.push_back(peer);
    if (refuse) return std::nullopt;
    Handle handle{.slot = next_slot++, .generation = 7};
    if (!free_slots.empty()) {
      handle = free_slots.back();
      free_slots.pop_back();
      ++handle.generation;
      --next_slot;
    }
    open.push_back(handle);
    return handle;
  }
  void receive(Handle connection, MutableBytes bytes) override { received[connection.slot].append(as_text(bytes)); }
  std::size_t receive_before_tls(Handle connection, MutableBytes bytes) override {
    const std::size_t size = std::min(in_the_clear, bytes.size());
    receive(connection, bytes.first(size));
    return size;
  }
  void receive_ended(Handle connection, int error) override { ended.emplace_back(connection, error); }
  void writable(Handle connection) override { writables.push_back(connection); }
  void remainder_sent(Handle connection, std::int32_t result) override { remainders.emplace_back(connection, result); }
  void tls_failed(Handle, TlsFailure failure, std::string_view) override { tls_failures.push_back(failure); }
  void closed(Handle connection) override {
    closed_handles.push_back(connection);
    std::erase(open, connection);
    free_slots.push_back(connection);
  }

  bool refuse = false;
  std::uint32_t next_slot = 0;
  std::vector<Handle> free_slots;
  std::size_t in_the_clear = 0;  // of what a TLS connection begins with
  std::vector<PeerInfo> peers;
  std::vector<Handle> open;
  std::map<std::uint32_t, std::string> received;
  std::vector<std::pair<Handle, int>> ended;
  std::vector<Handle> writables;
  std::vector<std::pair<Handle, std::int32_t>> remainders;
  std::vector<Handle> closed_handles;
  std::vector<TlsFailure> tls_failures;
};

/// A client's socket that never blocks.
class Peer {
 public:
  explicit Peer(int fd) : fd_{fd} { fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) | O_NONBLOCK); }
  Peer(Peer&& other) noexcept : fd_{std::exchange(other.fd_, -1)}, error_{other.error_} {}
  Peer& operator=(Peer&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Peer() { close(); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void reset() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }
  void shutdown() { ::shutdown(fd_, SHUT_WR); }
  std::size_t write(const std::string& text) {
    const auto sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
    return sent > 0 ? static_cast<std::size_t>(sent) : 0;
  }
  /// Everything that is there now. Sets at_end() or error() when the stream is over.
  std::string read() {
    std::string text;
    std::vector<char> chunk(1U << 16);
    for (;;) {
      const auto got = ::recv(fd_, chunk.data(), chunk.size(), 0);
      if (got > 0) {
        text.append(chunk.data(), static_cast<std::size_t>(got));
        continue;
      }
      if (got == 0) at_end_ = true;
      if (got < 0 && errno != EAGAIN) error_ = errno;
      return text;
    }
  }
  [[nodiscard]] bool at_end() const { return at_end_; }
  [[nodiscard]] int error() const { return error_; }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
  bool at_end_ = false;
  int error_ = 0;
};

struct HarnessOptions {
  bool silent_sends = true;
  std::uint32_t buffers = 64;
  std::uint32_t buffer_bytes = 4'096;
  int send_buffer_bytes = 0;                // of accepted sockets; 0: the kernel's
  std::shared_ptr<const TlsContext> tls{};  // not null: the listener speaks TLS
  std::uint32_t tls_handshakes_max = 256;
};

class Harness {
 public:
  explicit Harness(const HarnessOptions& options = {}) {
    auto features = probe_ring_features();
    EXPECT_TRUE(features) << features.error();
    features->silent_sends = features->silent_sends && options.silent_sends;
    auto opened = Ring::open({.demand = {.connections = 1'000, .receive_buffers = options.buffers, .accepts = 4'096},
                              .features = *features});
    EXPECT_TRUE(opened) << opened.error();
    ring = std::move(*opened);
    auto lent = BufferRing::open(*ring, {.group = 0, .count = options.buffers, .bytes_each = options.buffer_bytes});
    EXPECT_TRUE(lent) << lent.error();
    buffers = std::move(*lent);
    auto listeners = open_listeners({.family = BindAddress::Family::ipv4,
                                     .host = "127.0.0.1",
                                     .port = 0,
                                     .path = {},
                                     .tls = options.tls != nullptr},
                                    1, {});
    EXPECT_TRUE(listeners) << listeners.error();
    port = (*listeners)[0].address().port;
    if (options.send_buffer_bytes != 0) {
      ::setsockopt((*listeners)[0].fd(), SOL_SOCKET, SO_SNDBUF, &options.send_buffer_bytes, sizeof(int));
    }
    transport =
        std::make_unique<Transport>(*ring, *buffers, events, budget, std::move(*listeners), options.tls_handshakes_max);
    transport->use_tls(options.tls);
    transport->start_accepting();
    ring->submit_and_reap();
  }
  ~Harness() {
    if (transport == nullptr) return;
    transport->stop_accepting();
    transport->reset_all();
    for (int i = 0; i < 100 && (transport->connections() != 0 || transport->accepts().in_flight() != 0); ++i) turn();
    EXPECT_EQ(transport->connections(), 0U) << "every connection closes in the end";
  }

  /// One client, connected; it may not be accepted yet. `receive_buffer_bytes` 0: the kernel's.
  [[nodiscard]] Peer connect(int receive_buffer_bytes = 0) const {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer_bytes != 0)
      ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0) << strerror(errno);
    return Peer{fd};
  }
  /// A client and the server's handle of it.
  [[nodiscard]] std::pair<Peer, Handle> accept_one(int receive_buffer_bytes = 0) {
    const std::size_t before = events.open.size();
    Peer peer = connect(receive_buffer_bytes);
    EXPECT_TRUE(turn_until([&] { return events.open.size() > before; }));
    return {std::move(peer), events.open.back()};
  }

  void turn() {
    ring->wait(milliseconds{5});
    now += milliseconds{5};
    transport->begin_turn(now);
    for (const Completion& completion : ring->take_completions()) EXPECT_TRUE(transport->handle(completion, now));
    transport->finish_completions();
    transport->expire(now);
    ring->poll();
  }
  template <class Condition>
  bool turn_until(Condition&& condition) {
    for (int i = 0; i < 400; ++i) {
      if (condition()) return true;
      turn();
    }
    return condition();
  }
  void act(ActionKind kind, Handle connection) {
    const Action action{.kind = kind, .connection = connection};
    transport->apply({&action, 1});
    ring->poll();
  }
  /// The reports of one batch, copied.
  std::vector<SendReport> send(const std::vector<SendEntry>& batch) {
    const auto reports = transport->send(batch);
    return {reports.begin(), reports.end()};
  }

  std::unique_ptr<Ring> ring;
  std::unique_ptr<BufferRing> buffers;
  RecordingEvents events;
  Budget budget;
  std::unique_ptr<Transport> transport;
  Instant now{seconds{1'000}};
  std::uint16_t port = 0;
};

inline SendEntry entry(Handle connection, const std::string& bytes, bool remainder = false) {
  return {.connection = connection,
          .data = as_bytes(bytes).data(),
          .size = static_cast<std::uint32_t>(bytes.size()),
          .remainder = remainder};
}

/// Bytes that say where they stand, so that a hole or a repeat shows.
inline std::string numbered(std::size_t size, std::size_t from = 0) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>((from + i) * 2'654'435'761U >> 24);
  return text;
}

}  // namespace ringcast::test
