// engine/session/connection.hpp: all that a shard knows of one connection.
//
// Owner    Sessions' slab; named by its Handle.  Thread  the shard's.
// Memory   see the assertion below; Inbox only while input waits, Outbox::unsent only while output waits.
// Failure  none.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "alloc/base/identifiers.hpp"
#include "alloc/base/time.hpp"
#include "codec/websocket/message_assembler.hpp"
#include "engine/delivery/outbox.hpp"
#include "engine/limits.hpp"
#include "engine/session/guard.hpp"

namespace ringcast {

/// Input that waits: the beginning of a request head, or bytes behind a command that is held back.
struct Inbox {
  std::vector<std::uint8_t> bytes;
  std::size_t begin = 0;         // of what has not been used
  std::size_t head_seen = 0;     // of a request head: looked at before
  std::string parked;            // a publish for which there was no room; or records, with those behind it
  std::size_t parked_begin = 0;  // records: where the rest begins
  bool has_parked = false;
  bool parked_records = false;  // `parked` is of a binary message

  [[nodiscard]] MutableBytes waiting() { return MutableBytes{bytes}.subspan(begin); }
  [[nodiscard]] bool empty() const { return begin == bytes.size() && !has_parked; }
};

/// Why a connection's input is not looked at now.
enum StallReason : std::uint8_t {
  kStallJoin = 1,     // a subscribe waits for another shard
  kStallRoom = 2,     // a publish waits for room in a lane
  kStallControl = 4,  // the client leaves our replies unread
  kStallHistory = 8,  // a history query waits for another shard
  kStallAnswer = 16,  // a question about who is there waits for other shards
  kStallVerify = 32,  // its token waits to be checked
};

struct Connection {
  enum class Phase : std::uint8_t {
    handshake,  // until the request head is complete
    open,
    closing,    // a close frame or an HTTP refusal is on its way out
    lingering,  // our FIN is out; theirs is not in
    ended,      // the shell closes the descriptor
  };
  enum class Service : std::uint8_t { channels, echo };

  explicit Connection(std::uint32_t message_bytes_max)
      : assembler{Role::server, AssemblerLimits{.message_bytes_max = message_bytes_max}} {}

  Outbox outbox;
  MessageAssembler assembler;
  std::unique_ptr<Inbox> inbox;
  std::unique_ptr<Guard> guard;   // null on a node without authentication and limits
  std::uint64_t id = 0;           // told to the client; random
  std::uint64_t publisher = 0;    // whose message ids these are: the user, or this connection
  WallTime opened_at{};
  Instant received_at{};
  Instant errors_since{};
  Handle join;                    // the subscribe that waits
  std::array<std::uint8_t, 16> address{};
  std::uint32_t assembler_bytes = 0;  // charged to the budget
  std::uint16_t port = 0;
  std::uint16_t errors = 0;       // within the window that began at errors_since
  std::uint8_t stall = 0;         // StallReason bits
  std::uint8_t pings_unanswered = 0;
  Phase phase = Phase::handshake;
  Service service = Service::channels;
  bool over_capacity : 1 = false;    // to be told 503
  bool receive_paused : 1 = false;
  bool peer_ended : 1 = false;       // its FIN is in
  bool close_counted : 1 = false;
  bool own_channel_given : 1 = false;  // its personal channel was joined for it, and it has not asked for it yet
  std::uint8_t window_bits : 4 = 0;  // permessage-deflate is agreed: what we send points back so far; 0: it is not

  /// What its token grants; null: it has shown none, or nobody has to.
  [[nodiscard]] const Grant* grant() const { return guard == nullptr ? nullptr : guard->grant.get(); }
  /// The wire form that this client is sent. Who asked for a tiny window gets plain messages, which are allowed
  /// whatever was agreed.
  [[nodiscard]] Form form_of(Form plain) const {
    return packed(plain, window_bits >= kLargeWindowBits   ? Packing::large_window
                         : window_bits >= kSmallWindowBits ? Packing::small_window
                                                           : Packing::none);
  }
};
static_assert(
    sizeof(Connection) <= 320,
    "with a subscription (64), its index (24 to 48) and list place (4), and the shell's part (64): under 512");

}  // namespace ringcast
