// engine/seam/seam.hpp: the words core and shell (or the simulation) exchange; nothing else crosses.
//
// The shell tells the core what happened (methods of ShardCore); the core answers with actions and send entries, which
// are data: nobody calls back. Both sides run on the shard's thread.
//
// Life of a connection, named by its Handle (slot and generation, given by the core at accept):
//   accept -> receive* -> [receive_ended] -> ... -> action close or reset -> closed (slot free again)
// After `close` or `reset` the shell cancels what is in flight, waits for the last completion, closes the descriptor
// and says closed(); it may still deliver receive() or receive_ended() before that, which the core ignores.
#pragma once

#include <array>
#include <cstdint>

#include "alloc/base/bytes.hpp"
#include "alloc/base/identifiers.hpp"

namespace ringcast {

/// Who is at the other end. IPv4 is written as IPv4-mapped IPv6; a unix socket has no address.
struct PeerInfo {
  std::array<std::uint8_t, 16> address{};
  std::uint16_t port = 0;
  bool unix_socket = false;
  bool tls = false;                    // what is sent is encrypted, at most one record a turn
  std::uint32_t node_connections = 0;  // open on the whole node just before this one (from the stats blocks)
};

enum class ActionKind : std::uint8_t {
  pause_receive,   // stop receiving: the core holds unprocessed input. Bytes already on their way may still come
  resume_receive,  // receive again
  wait_writable,   // call writable() once when the socket takes bytes again
  shutdown_write,  // send FIN; keep receiving until the peer ends
  close,           // orderly end; nothing is pending
  reset,           // end now, with RST: the peer does not read or broke the rules beyond repair
};

struct Action {
  ActionKind kind{};
  Handle connection;
};

/// One SEND of a batch. At most one a connection a batch. Bytes stay in place until finish_sends().
struct SendEntry {
  Handle connection;
  const std::uint8_t* data = nullptr;
  std::uint32_t size = 0;
  /// false: MSG_DONTWAIT | MSG_WAITALL with CQE_SKIP: only a short count or an error is reported, before the next
  /// batch.
  /// true:  a remainder: MSG_WAITALL, always completes, later, through remainder_sent(); bytes stay until then.
  bool remainder = false;
};

/// A send of the last batch that did not take all its bytes. `result` is the short count, or -errno (-EAGAIN: none).
struct SendReport {
  std::uint32_t entry = 0;  // index into the batch
  std::int32_t result = 0;
};

}  // namespace ringcast
