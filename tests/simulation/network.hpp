// tests/simulation/network.hpp: sockets, the kernel behind them and the wire, all of it in one thread and from one
// seed.
//
// Each connection is two pipes with a bound, as the kernel's buffers have. Nothing moves by itself: step() does one
// thing on one connection (hands the server some bytes, takes a piece of a remainder, reports that a socket is
// writable, ends a descriptor), and what the server's shell would have seen as completions waits in that shard's queue
// of arrivals.
//
// Owner    the world, by value.  Thread  one.
// Memory   what is in flight.  Failure  CheckFailed (seam) when the core breaks a rule of seam.hpp.
// Not here who says what (client), what the bytes mean (conversation).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "alloc/base/bytes.hpp"
#include "alloc/base/identifiers.hpp"
#include "engine/seam/seam.hpp"
#include "tests/simulation/coverage.hpp"
#include "tests/simulation/dice.hpp"
#include "tests/simulation/trace.hpp"

namespace ringcast::simulation {

using ConnectionId = std::uint32_t;

/// A completion that waits for its shard's next turn.
struct Arrival {
  enum class Kind : std::uint8_t { accepted, bytes, ended, writable, remainder, closed };
  Kind kind{};
  ConnectionId connection = 0;
  std::vector<std::uint8_t> bytes;
  std::int32_t result = 0;  // ended: errno; remainder: its result
};

struct NetworkHabits {
  std::size_t short_sends = 0;  // percent
  bool healthy = false;         // no more accidents: sends take what fits
};

class Network {
 public:
  Network(Dice& dice, Trace& trace, Coverage& coverage, std::uint32_t shards);

  // ---- what a client does ----

  ConnectionId connect(std::uint32_t shard, std::size_t to_server_max, std::size_t to_client_max);
  /// How many of the bytes the client's kernel took.
  std::size_t client_writes(ConnectionId connection, Bytes bytes);
  /// How many bytes the client read, at most `most`.
  std::size_t client_reads(ConnectionId connection, std::size_t most);
  void client_finishes(ConnectionId connection);  // FIN behind everything it wrote
  void client_resets(ConnectionId connection, int error);
  void client_vanishes(ConnectionId connection);  // neither FIN nor RST will ever come
  void client_departs(ConnectionId connection);   // its process is gone: what comes is answered with RST
  [[nodiscard]] bool readable(ConnectionId connection) const;
  /// The server has ended its side and all of it was read; or the connection is broken.
  [[nodiscard]] bool at_end(ConnectionId connection) const;
  [[nodiscard]] bool broken(ConnectionId connection) const;
  /// The bytes of the server that the client read, from the start.
  [[nodiscard]] std::uint64_t bytes_read(ConnectionId connection) const;
  /// Some bytes that the server's kernel had taken never reached the client.
  [[nodiscard]] bool lost_bytes(ConnectionId connection) const;

  // ---- what the shell does ----

  [[nodiscard]] std::deque<Arrival>& arrivals(std::uint32_t shard) { return arrivals_[shard]; }
  void accepted(ConnectionId connection, std::optional<Handle> handle);
  /// The shard looked at so many received bytes: their buffers are free.
  void looked_at(ConnectionId connection, std::size_t bytes) { at(connection).on_the_way -= bytes; }
  void send(std::uint32_t shard, std::span<const SendEntry> batch, std::vector<SendReport>& reports);
  /// The batch is over: its bytes, but for remainders, need not stay any longer.
  void sends_finished(std::span<const SendEntry> batch);
  void act(std::uint32_t shard, const Action& action);
  /// The shell told the core closed().
  void forget_handle(ConnectionId connection);
  [[nodiscard]] std::optional<Handle> handle_of(ConnectionId connection) const;
  [[nodiscard]] std::uint32_t shard_of(ConnectionId connection) const { return at(connection).shard; }

  /// Every third connection is one of TLS, as the core sees it (transport/tls_path.hpp): what is sealed counts as sent,
  /// a record of it at a time, however much the kernel takes.
  [[nodiscard]] static bool is_sealed(ConnectionId connection) { return connection % 3 == 2; }

  // ---- the kernel and the wire ----

  /// Does one thing on this connection; false when there was nothing to do.
  bool step(ConnectionId connection);
  [[nodiscard]] std::size_t connections() const { return sockets_.size(); }
  /// Sockets that the server still holds, on one shard.
  [[nodiscard]] std::uint32_t held_by(std::uint32_t shard) const;
  [[nodiscard]] std::uint32_t remainders_pending(std::uint32_t shard) const;

  NetworkHabits habits;
  /// Called with all bytes that the server's kernel takes for a client, in order, as it takes them.
  std::function<void(ConnectionId, Bytes)> on_taken;

 private:
  enum class Stage : std::uint8_t { arriving, open, ending, gone };

  struct Remainder {
    const std::uint8_t* data = nullptr;
    std::uint32_t size = 0;
    std::uint32_t taken = 0;
    std::vector<std::uint8_t> as_given;  // what the bytes were when they were handed over
  };

  struct Socket {
    std::uint32_t shard = 0;
    Stage stage = Stage::arriving;
    std::optional<Handle> handle;

    std::vector<std::uint8_t> to_server;
    std::size_t to_server_max = 0;
    std::size_t to_client = 0;  // bytes in flight; their meaning was read as they were taken
    std::size_t to_client_max = 0;
    std::uint64_t client_read = 0;

    std::size_t on_the_way = 0;  // received into buffers of the shard, which has not looked yet

    bool client_finished = false;
    bool client_vanished = false;
    bool client_departed = false;
    bool server_finished = false;  // shutdown_write or close
    bool end_reported = false;
    bool lost_bytes = false;
    bool receive_paused = false;
    bool late_bytes_allowed = false;  // what was on its way when the receive was paused
    bool waits_writable = false;
    bool finish_asked = false;  // shutdown_write, close or reset was taken
    int error = 0;              // the connection is broken
    std::optional<Remainder> remainder;

    [[nodiscard]] std::size_t room() const { return to_client_max > to_client ? to_client_max - to_client : 0; }
  };

  Socket& at(ConnectionId connection) { return sockets_[connection]; }
  [[nodiscard]] const Socket& at(ConnectionId connection) const { return sockets_[connection]; }
  ConnectionId find(std::uint32_t shard, Handle handle, const char* what) const;
  void push(Socket& socket, Arrival arrival);
  void take(ConnectionId connection, Socket& socket, const std::uint8_t* data, std::size_t size);
  bool deliver_input(ConnectionId connection, Socket& socket);
  bool move_remainder(ConnectionId connection, Socket& socket);
  void end_remainder(ConnectionId connection, Socket& socket, std::int32_t error);
  bool finish_descriptor(ConnectionId connection, Socket& socket);
  void break_socket(Socket& socket, int error);
  std::size_t taken_of(ConnectionId connection, const Socket& socket, std::size_t size);

  Dice& dice_;
  Trace& trace_;
  Coverage& coverage_;
  std::vector<std::deque<Arrival>> arrivals_;  // one queue a shard
  std::vector<Socket> sockets_;
  std::vector<std::unordered_map<std::uint32_t, ConnectionId>> by_slot_;  // a shard's slots in use
  std::vector<std::uint64_t> batch_of_;  // the number of the last batch that a connection had an entry in
  std::uint64_t batches_ = 0;
  std::vector<std::vector<std::uint8_t>> given_;  // the bytes of the batch as they were handed over
};

}  // namespace ringcast::simulation
