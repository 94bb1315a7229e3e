// tools/load/publisher_thread.hpp: the publishing side: every message has an instant at which it is due.
//
// Owner    the run.  Thread  its own, from start() to join(), or the one that calls step(); main reads counters.
// Memory   the unsent bytes of each connection, at most kQueuedBytesMax and one message.
// Failure  a lost connection ends publishing and is told by failure(); refusals are counted.
//
// Open loop: a message that cannot be sent when it is due is sent as soon as it can be, and carries the instant at
// which it was due; a stalled server therefore shows in the latency and not in the schedule.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "alloc/base/result.hpp"
#include "codec/websocket/opcode.hpp"
#include "tools/client/client.hpp"
#include "tools/client/server_message.hpp"
#include "tools/load/feed.hpp"
#include "tools/load/feed_verifier.hpp"
#include "tools/load/payload.hpp"
#include "tools/load/plan.hpp"
#include "tools/load/publisher.hpp"

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

/// Message k is due at start + k / rate; the channels take turns. With bursts, message k is due when the first of its
/// burst is, and a burst belongs to one channel.
class SyntheticSource final : public PublicationSource {
 public:
  SyntheticSource(double rate, double time, std::uint32_t channels, std::uint32_t publishers,
                  std::uint32_t payload_bytes, std::uint32_t burst = 1);
  void begin(Instant start) override { start_ = start; }
  [[nodiscard]] std::optional<Next> peek() override;
  [[nodiscard]] std::string_view take() override;
  [[nodiscard]] std::uint64_t total() const { return total_; }

 private:
  double interval_ns_;
  std::uint64_t total_, sent_ = 0;
  std::uint32_t channels_, publishers_, burst_;
  Instant start_{};
  PayloadTemplate template_;
  std::vector<std::uint64_t> published_;  // by target
  std::vector<std::uint64_t> counters_;   // by target and source
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

/// How a publishing connection speaks. Its thread's alone.
class PublisherDialect {
 public:
  PublisherDialect() = default;
  PublisherDialect(const PublisherDialect&) = delete;
  PublisherDialect& operator=(const PublisherDialect&) = delete;
  virtual ~PublisherDialect() = default;

  /// Where publisher `index` connects to.
  [[nodiscard]] virtual Endpoint endpoint(const Endpoint& server, std::uint32_t index) const = 0;
  [[nodiscard]] virtual Opcode opcode() const { return Opcode::text; }
  /// What is sent first; empty: nothing.
  [[nodiscard]] virtual std::string greeting() const { return {}; }
  /// What stands around the payloads of a channel.
  struct Around {
    std::string before, after;
  };
  [[nodiscard]] virtual Around around(std::string_view channel) const = 0;

  struct Answer {
    std::string refusal;         // not empty: a publish was refused, and why
    std::string reply;           // not empty: to be sent
    std::uint64_t refusals = 1;  // how many were, with a refusal
  };
  /// Judges what the server told publisher `index`.
  [[nodiscard]] virtual Answer take(std::uint32_t index, std::string_view text) = 0;
  /// The same for a message of the other kind than opcode().
  [[nodiscard]] virtual Answer take_other(std::uint32_t index, std::string_view text) { return take(index, text); }
};

/// {"type":"publish","channel":"x","data":...}
class NativePublisherDialect final : public PublisherDialect {
 public:
  [[nodiscard]] Endpoint endpoint(const Endpoint& server, std::uint32_t) const override {
    return with_native_target(server);
  }
  [[nodiscard]] Around around(std::string_view channel) const override;
  [[nodiscard]] Answer take(std::uint32_t index, std::string_view text) override;

 private:
  ServerMessageReader reader_;
};

class PublisherThread final : public Publisher {
 public:
  static constexpr std::size_t kQueuedBytesMax = 1U << 20;

  PublisherThread(const LoadPlan& plan, PublicationSource& source, std::unique_ptr<PublisherDialect> dialect,
                  std::uint32_t publishers)
      : plan_{plan}, source_{source}, dialect_{std::move(dialect)}, publishers_{publishers} {}
  ~PublisherThread() override { join(); }

  [[nodiscard]] Result<SocketAddress, std::string> connect(const Endpoint& endpoint, int stop_fd) override;
  void start(Instant start) override;
  void start_stepped(Instant start) override;
  std::optional<Instant> step(Instant now) override;
  void stop_and_join() override;

  [[nodiscard]] bool done() const override { return done_.load(std::memory_order_acquire); }
  [[nodiscard]] std::uint64_t sent() const override { return sent_.load(std::memory_order_relaxed); }
  [[nodiscard]] nanoseconds late_max() const override { return nanoseconds{late_max_.load(std::memory_order_relaxed)}; }
  [[nodiscard]] std::uint64_t refused() const override { return refused_.load(std::memory_order_relaxed); }

  [[nodiscard]] std::vector<std::uint64_t> published() const override { return published_; }
  [[nodiscard]] std::string failure() const override { return failure_; }
  [[nodiscard]] std::string first_refusal() const override { return first_refusal_; }
  void close(milliseconds patience) override;

 private:
  void run();
  bool turn(Instant now);
  void publish_due(Instant now);
  bool look_at_answers();
  void take_answer(std::uint32_t index, const Client::Event& event);
  void join();

  const LoadPlan& plan_;
  PublicationSource& source_;
  std::unique_ptr<PublisherDialect> dialect_;
  std::uint32_t publishers_;
  std::vector<Client> clients_;
  std::vector<PublisherDialect::Around> around_;  // by target
  std::vector<std::uint64_t> published_;
  std::string failure_, first_refusal_;
  std::thread thread_;
  std::atomic<std::uint64_t> sent_{0}, refused_{0};
  std::atomic<std::int64_t> late_max_{0};
  std::atomic<bool> stopping_{false}, done_{false}, stepped_{false};
  Instant answers_next_{};
};

}  // namespace ringcast
