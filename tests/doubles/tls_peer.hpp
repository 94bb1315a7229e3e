// tests/doubles/tls_peer.hpp: the client's end of TLS over a socket: shakes hands, speaks, hears.
//
// Owner    the test.  Thread  one at a time; every call waits for the server, ten seconds at most.
// Memory   OpenSSL's.  Failure  false, or nothing more is heard; client() says why.
#pragma once

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "tests/doubles/tls_client.hpp"

namespace ringcast::test {

class TlsPeer {
 public:
  /// Takes a connected socket over.
  explicit TlsPeer(int fd, const TlsClientOptions& options = {}) : fd_{fd}, client_{options} {
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~TlsPeer() { ::close(fd_); }
  TlsPeer(const TlsPeer&) = delete;
  TlsPeer& operator=(const TlsPeer&) = delete;

  /// False: the server ended before it was done, or this client does not want it.
  bool shake_hands() {
    while (!client_.open() && exchange()) {}
    return client_.open() && send(client_.give());
  }
  /// percent  of the bytes that this makes: less than all of them cut a record short.
  void say(std::string_view text, std::size_t percent = 100) {
    client_.say(text);
    const std::string bytes = client_.give();
    (void)send(std::string_view{bytes}.substr(0, bytes.size() * percent / 100));
  }
  /// As they are, past TLS.
  void say_raw(std::string_view bytes) { (void)send(bytes); }
  /// False: the server ended, and had not said this.
  bool hear(std::string_view what) {
    while (client_.heard().find(what) == std::string::npos) {
      if (!exchange()) return false;
    }
    return true;
  }
  /// Up to the server's end.
  void hear_all() {
    while (exchange()) {}
  }
  /// Ends in TLS, and goes on listening.
  void say_goodbye() {
    client_.shut_down();
    (void)send(client_.give());
  }
  /// Ends the TCP connection's half, without a word of TLS.
  void end() const { ::shutdown(fd_, SHUT_WR); }

  [[nodiscard]] TlsClient& client() { return client_; }

 private:
  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  /// What there is to send, then what comes. False: nothing does any more.
  bool exchange() {
    if (!send(client_.give())) return false;
    std::array<char, 16'384> buffer;
    const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (got <= 0) return false;
    client_.take({buffer.data(), static_cast<std::size_t>(got)});
    return true;
  }

  int fd_;
  TlsClient client_;
};

}  // namespace ringcast::test
