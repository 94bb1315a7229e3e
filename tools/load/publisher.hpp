// tools/load/publisher.hpp: who makes the messages of a run: our own connections, or the server itself.
//
// Owner    the run.  Thread  main; what an implementation starts is its own.  Memory  see the implementation.
// Failure  connect() gives a sentence; what ends publishing early is told by failure().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "alloc/base/result.hpp"
#include "alloc/base/time.hpp"
#include "tools/client/endpoint.hpp"
#include "tools/client/socket.hpp"

namespace ringcast {

class Publisher {
 public:
  Publisher() = default;
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;
  virtual ~Publisher() = default;

  /// Gets ready. Blocks. Returns the address at which the server was found.
  [[nodiscard]] virtual Result<SocketAddress, std::string> connect(const Endpoint& endpoint, int stop_fd) = 0;
  /// When the first message is due, asked once everybody has joined. `proposed` is when we would like it.
  [[nodiscard]] virtual Instant start_time(Instant proposed) { return proposed; }
  /// Publishes from `start` on, which start_time() gave, in a thread of its own.
  virtual void start(Instant start) = 0;
  /// Or without one: whoever has a thread calls step() again and again, from any time before this until done().
  virtual void start_stepped(Instant start) { this->start(start); }
  /// Returns when the next message is due if none was now; nothing: the next step has time.
  virtual std::optional<Instant> step(Instant) { return std::nullopt; }
  /// Ends early, and waits for what was started.
  virtual void stop_and_join() = 0;

  [[nodiscard]] virtual bool done() const = 0;
  [[nodiscard]] virtual std::uint64_t sent() const = 0;
  /// How far behind its schedule publishing was at worst: the server's back pressure, or too slow a host.
  [[nodiscard]] virtual nanoseconds late_max() const { return {}; }
  [[nodiscard]] virtual std::uint64_t refused() const { return 0; }

  // After stop_and_join():
  /// How many messages, by target.
  [[nodiscard]] virtual std::vector<std::uint64_t> published() const = 0;
  [[nodiscard]] virtual std::string failure() const { return {}; }
  [[nodiscard]] virtual std::string first_refusal() const { return {}; }
  /// Reads what the server says until its answers have ended, and closes.
  virtual void close(milliseconds) {}
};

}  // namespace ringcast
