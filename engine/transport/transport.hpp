// engine/transport/transport.hpp: a shard's sockets: turns completions into what happened, and actions into
// submissions.
//
// Owner    shard.  Thread  the shard's.
// Memory   the connection table, the accept, send and TLS paths; receive buffers belong to BufferRing.
// Failure  a peer's failure is an event (receive_ended, a send report); a completion that fits no request of ours stops
//          the process. What is short (descriptors, buffers) is waited for, never spun on.
// Not here any decision: TransportEvents is told, and answers with actions later; the ring is reaped by the shard.
//
// A connection closes in this order: cancel what is in flight, its last completion, close(2), closed(). Until then its
// slot is taken, so a late completion meets the connection that it belongs to.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "alloc/base/bytes.hpp"
#include "alloc/base/time.hpp"
#include "engine/ring/buffer_ring.hpp"
#include "engine/ring/ring.hpp"
#include "engine/seam/seam.hpp"
#include "engine/transport/accept_path.hpp"
#include "engine/transport/connection_table.hpp"
#include "engine/transport/send_path.hpp"
#include "engine/transport/tls_path.hpp"
#include "engine/transport/transport_events.hpp"

namespace ringcast {

class Transport {
 public:
  struct Counters {
    std::uint64_t accepted = 0;
    std::uint64_t buffers_exhausted = 0;  // receives that ended because no buffer was left
    std::uint64_t completions = 0;
  };

  Transport(Ring& ring, BufferRing& buffers, TransportEvents& events, Budget& budget, std::vector<Listener> listeners,
            std::uint32_t tls_handshakes_max = TlsOptions{}.handshakes_max);
  /// Closes what is open. Requests must be over: close_all() first, or the ring be gone.
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  void start_accepting() { accepts_.start(); }
  /// Refuses new connections from now on.
  void stop_accepting() { accepts_.stop(); }

  /// What connections of TLS listeners begin with from now on. Once before start_accepting() if there are any.
  void use_tls(std::shared_ptr<const TlsContext> context) { tls_.use(std::move(context)); }
  /// A turn begins. Returns whether there was something to do: handshakes that an earlier turn had no room for.
  bool begin_turn(Instant now);
  [[nodiscard]] bool has_work() const { return tls_.has_work(); }

  /// Takes completions of accept, receive, remainder, writable and cancel; true if it was one of these.
  bool handle(const Completion& completion, Instant now);
  /// After a group of completions: gives receive buffers back to the kernel, arms the receives that had none.
  void finish_completions();
  /// Does what the core wants. Connections that are closed by it are reported after the last action.
  void apply(std::span<const Action> actions);
  /// SendPath::send().
  [[nodiscard]] std::span<const SendReport> send(std::span<const SendEntry> batch) { return sends_.send(batch); }
  /// Resumes paused accepts whose time has come.
  void expire(Instant now) { accepts_.expire(now); }
  [[nodiscard]] std::optional<Instant> next_deadline();

  /// At the end: resets every connection. Further completions lead to closed() as ever.
  void reset_all();

  [[nodiscard]] std::uint32_t connections() const { return connections_.open(); }
  [[nodiscard]] const AcceptPath& accepts() const { return accepts_; }
  [[nodiscard]] const TlsPath& tls() const { return tls_; }
  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  void accepted(int fd, bool tls);
  void received(const Completion& completion);
  void arm_receive(Handle connection, ConnectionState& state);
  void cancel_receive(Handle connection, ConnectionState& state);
  void begin_close(Handle connection, ConnectionState& state);
  void close_if_done(Handle connection, ConnectionState& state);
  void report_closed();
  ConnectionState& known(Handle connection);

  Ring& ring_;
  BufferRing& buffers_;
  TransportEvents& events_;
  ConnectionTable connections_;
  AcceptPath accepts_;
  TlsPath tls_;
  SendPath sends_;
  std::vector<Handle> starved_;  // receives that wait for a buffer
  std::vector<Handle> closed_;   // closed and not yet reported
  Counters counters_;
};

}  // namespace ringcast
