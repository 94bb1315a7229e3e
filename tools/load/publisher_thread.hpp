// tools/load/publisher_thread.hpp: the publishing side: every message has an instant at which it is due.
//
// Owner    the run.  Thread  its own, from start() to join(); counters are read by main meanwhile.
// Memory   the unsent bytes of each connection, at most kQueuedBytesMax and one message.
// Failure  a lost connection ends publishing and is told by failure(); refusals are counted.
//
// Open loop: a message that cannot be sent when it is due is sent as soon as it can be, and carries the instant at
// which it was due; a stalled server therefore shows in the latency and not in the schedule.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "alloc/base/result.hpp"
#include "tools/client/client.hpp"
#include "tools/client/server_message.hpp"
#include "tools/load/feed.hpp"
#include "tools/load/feed_verifier.hpp"
#include "tools/load/payload.hpp"
#include "tools/load/plan.hpp"

namespace ringcast {

/// What is published next, and when. One of the two sources below.
class PublicationSource {
 public:
  PublicationSource() = default;
  PublicationSource(const PublicationSource&) = delete;
  PublicationSource& operator=(const PublicationSource&) = delete;
  virtual ~PublicationSource() = default;

  struct Next {
    Instant due;
    std::uint32_t target;
    std::uint32_t publisher;  // which connection carries it: always the same for the same source of a channel
  };
  /// Begin counting from `start`.
  virtual void begin(Instant start) = 0;
  /// The message that is due next; nothing after the last.
  [[nodiscard]] virtual std::optional<Next> peek() = 0;
  /// Its payload, valid until the next call; moves on to the one after it.
  [[nodiscard]] virtual std::string_view take() = 0;
};

/// Message k is due at start + k / rate; the channels take turns.
class SyntheticSource final : public PublicationSource {
 public:
  SyntheticSource(double rate, double time, std::uint32_t channels, std::uint32_t publishers,
                  std::uint32_t payload_bytes);
  void begin(Instant start) override { start_ = start; }
  [[nodiscard]] std::optional<Next> peek() override;
  [[nodiscard]] std::string_view take() override;
  [[nodiscard]] std::uint64_t total() const { return total_; }

 private:
  double interval_ns_;
  std::uint64_t total_, sent_ = 0;
  std::uint32_t channels_, publishers_;
  Instant start_{};
  PayloadTemplate template_;
  std::vector<std::uint64_t> counters_;  // by target and source
  std::uint32_t sources_max_;
};

/// A captured feed, at the pace of its clock.
class FeedSource final : public PublicationSource {
 public:
  FeedSource(const Feed& feed, const FeedClock& clock, std::uint32_t publishers)
      : feed_{feed}, clock_{clock}, publishers_{publishers} {}
  void begin(Instant) override {}  // the clock has been set
  [[nodiscard]] std::optional<Next> peek() override;
  [[nodiscard]] std::string_view take() override;

 private:
  const Feed& feed_;
  const FeedClock& clock_;
  std::uint32_t publishers_;
  std::size_t next_ = 0;
};

class PublisherThread {
 public:
  static constexpr std::size_t kQueuedBytesMax = 1U << 20;

  PublisherThread(const LoadPlan& plan, PublicationSource& source) : plan_{plan}, source_{source} {}
  ~PublisherThread() { join(); }

  /// Connects. Blocks.
  [[nodiscard]] Result<void, std::string> connect(const Endpoint& endpoint, std::uint32_t publishers, int stop_fd);
  /// The address at which the first connection found the server.
  [[nodiscard]] SocketAddress server() const { return clients_.front().peer(); }
  /// Publishes from `start` on.
  void start(Instant start);
  /// Ends early: nothing more is taken from the source.
  void stop() { stopping_.store(true, std::memory_order_release); }
  void join();

  [[nodiscard]] bool done() const { return done_.load(std::memory_order_acquire); }
  [[nodiscard]] std::uint64_t sent() const { return sent_.load(std::memory_order_relaxed); }
  /// How far behind its schedule publishing was at worst: the server's back pressure, or too slow a host.
  [[nodiscard]] nanoseconds late_max() const { return nanoseconds{late_max_.load(std::memory_order_relaxed)}; }
  [[nodiscard]] std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

  /// After done(): by target.
  [[nodiscard]] const std::vector<std::uint64_t>& published() const { return published_; }
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] const std::string& first_refusal() const { return first_refusal_; }

  /// After done(): reads what the server says until its answers have ended, and closes.
  void close(milliseconds patience);

 private:
  void run(Instant start);
  void publish_due(Instant now);
  bool look_at_answers();
  void take_answer(std::string_view text);

  const LoadPlan& plan_;
  PublicationSource& source_;
  std::vector<Client> clients_;
  std::vector<std::string> heads_;  // by target: {"type":"publish","channel":"x","data":
  std::vector<std::uint64_t> published_;
  ServerMessageReader reader_;
  std::string failure_, first_refusal_;
  std::thread thread_;
  std::atomic<std::uint64_t> sent_{0}, refused_{0};
  std::atomic<std::int64_t> late_max_{0};
  std::atomic<bool> stopping_{false}, done_{false};
};

}  // namespace ringcast
