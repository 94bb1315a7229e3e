// tools/client/stream.hpp: the bytes of a connected socket, in the clear or through TLS.
//
// Owner    who connected, by value.  Thread  the connection's.
// Memory   with TLS, OpenSSL's session.
// Failure  as recv(2) and send(2) say it, with errno; trouble() has it in words, those of TLS included.
// Not here connecting (socket.hpp), whom to believe (tls_trust.hpp).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "tools/client/endpoint.hpp"
#include "tools/client/socket.hpp"

struct ssl_st;

namespace ringcast {

class Stream {
 public:
  Stream() = default;
  /// Of a socket that is connected. With a secure endpoint the handshake goes along with the first bytes.
  Stream(UniqueFd fd, const Endpoint& endpoint);

  [[nodiscard]] int get() const { return fd_.get(); }
  [[nodiscard]] bool is_open() const { return fd_.is_open(); }
  void reset();

  /// Never blocks. -1 and EAGAIN: nothing yet. Fills `size` bytes if there are as many.
  [[nodiscard]] ssize_t receive(std::uint8_t* to, std::size_t size);
  /// The last receive() was filled up by TLS: more may lie there, of which the socket says nothing.
  [[nodiscard]] bool holds_more() const { return holds_more_; }
  /// Never blocks, raises no signal.
  [[nodiscard]] ssize_t send(const std::uint8_t* from, std::size_t size);
  /// send() has to wait for bytes from the peer, not for room: its turn comes after a receive().
  [[nodiscard]] bool waits_to_read() const { return waits_to_read_; }
  /// No more will be sent.
  void shut_down();
  /// What the last -1 meant.
  [[nodiscard]] std::string trouble() const;
  /// Version and cipher, as "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty in the clear, and before the handshake is over.
  [[nodiscard]] std::string agreed() const;

 private:
  struct Free {
    void operator()(ssl_st* ssl) const;
  };
  [[nodiscard]] ssize_t judge(int result);

  UniqueFd fd_;
  std::unique_ptr<ssl_st, Free> tls_;  // null: in the clear
  std::string tls_trouble_;
  bool waits_to_read_ = false;
  bool holds_more_ = false;
};

}  // namespace ringcast
