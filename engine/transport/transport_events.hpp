// engine/transport/transport_events.hpp: what the sockets of a shard tell its core.
//
// Owner    shard.cpp passes it on to the core; tests record it.  Thread  the shard's.  Memory  none.  Failure  none.
// Not here what the core answers: actions, later. None of these may call back into the transport.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "alloc/base/bytes.hpp"
#include "engine/seam/seam.hpp"
#include "engine/transport/tls_stream.hpp"

namespace ringcast {

class TransportEvents {
 public:
  virtual ~TransportEvents() = default;
  virtual std::optional<Handle> accept(const PeerInfo& peer) = 0;
  virtual void receive(Handle connection, MutableBytes bytes) = 0;
  /// The first bytes of a TLS connection. What a proxy has put in front of TLS, in the clear, is received then.
  /// returns  how many bytes that was.
  virtual std::size_t receive_before_tls(Handle /*connection*/, MutableBytes /*bytes*/) { return 0; }
  virtual void receive_ended(Handle connection, int error) = 0;
  virtual void writable(Handle connection) = 0;
  virtual void remainder_sent(Handle connection, std::int32_t result) = 0;
  virtual void closed(Handle connection) = 0;
  /// For the record only; receive_ended() follows where it concerns the core. `detail` is a literal of OpenSSL's.
  virtual void tls_failed(Handle /*connection*/, TlsFailure /*failure*/, std::string_view /*detail*/) {}
};

}  // namespace ringcast
