// tools/load/verifier.hpp: takes every message that one thread's connections receive and accounts for each.
//
// Owner    a SubscriberThread, one each.  Thread  that thread's; LiveCounters are read by main meanwhile.
// Memory   fixed once the connections have joined; nothing is allocated for a message.
// Failure  counted in the Tally; what ends the run (a refused subscription) is the return value of take().
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/time.hpp"
#include "alloc/base/units.hpp"
#include "alloc/segment/histogram.hpp"
#include "codec/websocket/opcode.hpp"
#include "tools/load/tally.hpp"

namespace ringcast {

/// What main watches while the threads run. One writer: the thread.
struct alignas(kCacheLineBytes) LiveCounters {
  std::atomic<std::uint64_t> delivered{0};
  std::atomic<std::uint64_t> payload_bytes{0};
  std::atomic<std::uint64_t> wire_bytes{0};  // of WebSocket: frames with their headers, as they were sent
  std::atomic<std::uint64_t> behind{0};      // while draining: subscriptions that have not seen their last message

  static void add(std::atomic<std::uint64_t>& counter, std::uint64_t amount) {
    counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
};

class Verifier {
 public:
  enum class Taken : std::uint8_t {
    message,  // a delivery, or several
    notice,   // a gap notice, a welcome: nothing to do
    joined,   // every subscription of the connection is confirmed now
    refused,  // a subscription was refused: trouble() says why
    reply,    // something is to be sent: reply() says what
  };
  Verifier() = default;
  Verifier(const Verifier&) = delete;
  Verifier& operator=(const Verifier&) = delete;
  virtual ~Verifier() = default;

  /// What to send once connection `index` (within the thread) is open (empty: nothing), and what its URL's target is.
  [[nodiscard]] virtual std::string greeting(std::uint32_t index) const = 0;
  [[nodiscard]] virtual std::string target(std::uint32_t index, std::string_view query) const = 0;

  /// Which kind of message this wire has, and in which kind it greets.
  [[nodiscard]] virtual Opcode opcode() const { return Opcode::text; }
  [[nodiscard]] virtual Opcode greeting_opcode() const { return opcode(); }
  /// Asked for in the handshake, and demanded; empty: none.
  [[nodiscard]] virtual std::string_view subprotocol() const { return {}; }
  /// The handshake is answered. True: with that the connection has joined.
  virtual bool opened(std::uint32_t) { return false; }
  /// What Taken::reply asks to send, valid until the next take().
  [[nodiscard]] virtual std::string_view reply() const { return {}; }

  /// Takes one message that was received at `now`.
  virtual Taken take(std::uint32_t index, std::string_view text, Instant now) = 0;
  /// The same for one of the other kind. Nothing: this wire has none, so it ends the connection.
  virtual std::optional<Taken> take_other(std::uint32_t, std::string_view) { return std::nullopt; }

  /// A compressed message for a connection that leaves it packed: it is counted in its place, unread. False: this one
  /// has to be read.
  virtual bool take_packed(std::uint32_t, Instant) { return false; }

  /// The connection ended on our wish (churn), or before all of it had joined again: what it was sent until then is all
  /// that it should have got on this connection.
  virtual void left(std::uint32_t index) = 0;

  /// Publishing is over: from now on each subscription is complete when it has seen its target's last message.
  /// published  by target.
  virtual void publishing_ended(const std::vector<std::uint64_t>& published) = 0;
  /// How many subscriptions of the connections that are still open (by index) are not complete.
  [[nodiscard]] virtual std::uint64_t behind(const std::vector<bool>& open) const = 0;

  /// The final account of the subscriptions that still exist. Call once, after publishing_ended().
  virtual void settle(const std::vector<bool>& open) = 0;

  [[nodiscard]] const std::string& trouble() const { return trouble_; }
  [[nodiscard]] const Tally& ordinary() const { return ordinary_; }
  [[nodiscard]] const Tally& slow() const { return slow_; }
  [[nodiscard]] const Histogram& latency() const { return latency_; }
  [[nodiscard]] std::uint64_t latency_min() const { return latency_min_; }
  [[nodiscard]] LiveCounters& live() { return live_; }
  /// What was altered or foreign, in words, the first time.
  [[nodiscard]] const std::string& first_fault() const { return first_fault_; }

 protected:
  /// Counts a delivery; `timed` is false before the measurement began and for slow connections.
  void count(std::size_t bytes) {
    LiveCounters::add(live_.delivered, 1);
    LiveCounters::add(live_.payload_bytes, bytes);
  }
  void record_latency(nanoseconds latency) {
    const auto value = static_cast<std::uint64_t>(latency.count() < 0 ? 0 : latency.count());
    if (value < latency_min_) latency_min_ = value;
    latency_.record(value);
  }
  void note_fault(std::string sentence) {
    if (first_fault_.empty()) first_fault_ = std::move(sentence);
  }

  std::string trouble_;
  Tally ordinary_, slow_;

 private:
  std::string first_fault_;
  Histogram latency_;
  std::uint64_t latency_min_ = ~std::uint64_t{0};
  LiveCounters live_;
};

}  // namespace ringcast
