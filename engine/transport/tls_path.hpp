// engine/transport/tls_path.hpp: the TLS connections of a shard, between what the ring carries and what the core says.
//
// Owner    transport.  Thread  the shard's.
// Memory   a session a connection, charged to Purpose::tls by what OpenSSL was measured to take; what was encrypted and
//          not yet taken by the kernel, at most one record beside handshake messages; a buffer for each send of a batch
//          (0.5 MiB, from the first TLS connection on). An idle connection has no record buffer, one that has not said
//          anything no session.
// Failure  told as receive_ended(): a handshake that fails ends orderly, with its alert; a broken record, or one that
//          the connection's end cuts short, resets.
// Not here plain connections: they do not come by here. TLS itself (tls_stream), certificates (tls_context).
//
// The rules of the send path hold, with one more: nothing is encrypted while something encrypted is not yet taken. A
// turn is one record. Encrypted counts as sent: the core's cursors move, and the rest of the record goes out by a send
// that completes when all of it is taken; until then the core is told that the socket takes nothing.
//
// Handshakes are what an attacker would have us do: at most TlsOptions::handshakes_max are under way, from the first
// byte on; others wait with what they have said. While any wait, the oldest handshake under way has kTlsPatience; the
// core's handshake time ends whoever waits too long. A turn does kTlsStepsPerTurn steps, each a signature at the most,
// so that readers keep their turns.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "alloc/memory/budget.hpp"
#include "engine/limits.hpp"
#include "engine/ring/ring.hpp"
#include "engine/seam/seam.hpp"
#include "engine/transport/connection_table.hpp"
#include "engine/transport/tls_context.hpp"
#include "engine/transport/tls_stream.hpp"
#include "engine/transport/transport_events.hpp"

namespace ringcast {

inline constexpr std::uint32_t kTlsStepsPerTurn = 8;     // decision: RSA 2048 signs in 0.3 ms, P-256 in 0.02 ms
inline constexpr std::size_t kTlsHeldBytesMax = 64_KiB;  // decision: a hello has 2 KiB, and 16 with what clients put in
inline constexpr std::size_t kTlsWaitingBytesMax = 16_KiB;  // decision: of who waits to begin: a hello, no more
inline constexpr seconds kTlsPatience{1};  // decision: a handshake is two round trips, 0.6 s from half the earth away
static_assert(kTlsTurnBytesMax == kTlsRecordPlainMax, "a TLS turn is one record (design.md, Memory)");

struct TlsConnection {
  std::optional<TlsStream> stream;       // none until it says something, and while it waits to shake hands
  std::vector<std::uint8_t> in_flight;   // at the kernel; completes when all is taken
  std::vector<std::uint8_t> pending;     // goes behind it: answers of a handshake
  std::vector<std::uint8_t> held_input;  // of a handshake that waits for a turn, or to begin
  const std::uint8_t* rest = nullptr;    // the core's remainder, encrypted record by record
  std::uint32_t rest_bytes = 0;
  std::uint32_t rest_done = 0;
  std::size_t charged = 0;
  Instant began_at{};            // the handshake
  bool spoke = false;            // its first bytes are in
  bool handshaking = false;      // counts among those under way
  bool writable_wanted = false;  // the core waits for the socket
  bool end_wanted = false;       // close_notify and FIN, once all is taken
  bool end_sent = false;
  bool broken = false;  // nothing is sent any more

  [[nodiscard]] bool open() const { return stream && stream->state() != TlsStream::State::handshaking; }
};

class TlsPath {
 public:
  struct Counters {
    std::uint64_t handshakes = 0;
    std::uint64_t resumed = 0;
    std::uint64_t waited = 0;    // spoke while as many were under way as may be
    std::uint64_t deferred = 0;  // steps put off to a later turn
    std::uint64_t unfinished = 0;
    std::array<std::uint64_t, std::to_underlying(TlsFailure::end)> failed{};
  };

  TlsPath(Ring& ring, ConnectionTable& connections, TransportEvents& events, Budget& budget,
          std::uint32_t handshakes_max);
  ~TlsPath();
  TlsPath(const TlsPath&) = delete;
  TlsPath& operator=(const TlsPath&) = delete;

  /// What connections begin with from now on.
  void use(std::shared_ptr<const TlsContext> context) { context_ = std::move(context); }
  /// Whether there are TLS connections at all, now or ever.
  [[nodiscard]] bool on() const { return context_ != nullptr; }

  // ---- what the transport says ----

  void accepted(Handle connection, ConnectionState& state);
  void received(Handle connection, ConnectionState& state, MutableBytes bytes);
  /// The socket has no more. True if that cuts a record short: then somebody else ended it than the peer.
  [[nodiscard]] bool cut_short(Handle connection, ConnectionState& state);
  /// A send of ours completed.
  void sent(Handle connection, ConnectionState& state, std::int32_t result);
  /// The core has no more to say: close_notify, then FIN.
  void shut_down(Handle connection, ConnectionState& state);
  /// The core closes, and waits for nothing.
  void say_end(ConnectionState& state);
  /// True if writable() will be said once what was encrypted is taken; else the socket itself is to be asked.
  [[nodiscard]] bool wait_writable(ConnectionState& state);
  void forget(Handle connection, ConnectionState& state);

  /// The turn begins: handshakes that were put off go on. Returns whether there were any.
  bool begin_turn(Instant now);
  /// Something that no completion will bring to mind.
  [[nodiscard]] bool has_work() const { return !held_.empty() || !given_up_.empty(); }
  /// When a handshake has to make room, unless it is done by then.
  [[nodiscard]] std::optional<Instant> next_deadline();
  /// Between two batches: tells of remainders that could not be sent, which must not be told within one.
  void finish_completions();

  // ---- what the send path says ----

  /// Bytes for the kernel instead of the core's; none: report `result` (0: remainder_sent() will tell).
  struct Sealed {
    Bytes wire{};
    std::uint32_t plain = 0;  // how many of the core's are in it
    std::int32_t result = 0;
  };
  [[nodiscard]] Sealed seal(const SendEntry& entry, std::uint32_t index, ConnectionState& state);
  /// Of what seal() gave, the kernel took only the first `taken`.
  void taken_in_part(Handle connection, ConnectionState& state, std::uint32_t index, std::size_t taken);

  [[nodiscard]] const Counters& counters() const { return counters_; }
  [[nodiscard]] std::uint32_t handshaking() const { return handshaking_; }

 private:
  void work(Handle connection, ConnectionState& state, Bytes bytes);
  void answer(Handle connection, ConnectionState& state);
  void submit(Handle connection, ConnectionState& state);
  void go_on(Handle connection, ConnectionState& state);
  void fail(Handle connection, ConnectionState& state, bool was_handshaking);
  void give_up(Handle connection, ConnectionState& state, TlsFailure failure, std::string_view detail);
  void put_off_input(Handle connection, ConnectionState& state, Bytes bytes);
  [[nodiscard]] static bool goes_on(const ConnectionState* state);
  void begin_handshake(Handle connection, TlsConnection& tls);
  void end_handshake(TlsConnection& tls);
  void forget_ended_handshakes();
  void make_room();
  void give_up_rest(Handle connection, TlsConnection& tls);
  void settle(TlsConnection& tls);

  Ring& ring_;
  ConnectionTable& connections_;
  TransportEvents& events_;
  Budget& budget_;
  std::shared_ptr<const TlsContext> context_;
  TlsWire wire_;
  std::vector<std::unique_ptr<TlsConnection>> by_slot_;
  std::vector<std::uint8_t> out_;                  // what a stream answers while it takes input
  std::unique_ptr<std::uint8_t[]> plain_;          // what it says to the core: one record
  std::vector<std::vector<std::uint8_t>> sealed_;  // one a send of a batch
  std::deque<Handle> begun_;                       // handshakes by age; some have ended
  std::deque<Handle> waiting_;                     // to begin
  std::deque<Handle> held_;                        // for a step
  std::vector<Handle> given_up_;                   // their remainders will not be sent
  Instant turn_at_{};
  std::uint32_t handshakes_max_;
  std::uint32_t handshaking_ = 0;
  std::uint32_t steps_left_ = kTlsStepsPerTurn;
  Counters counters_;
};

}  // namespace ringcast
