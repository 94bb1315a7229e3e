// tools/load/subscriber_thread.hpp: one thread with its share of the connections: connects, receives, verifies.
//
// Owner    the run.  Thread  its own, from start() to join(); counters are read by main meanwhile.
// Memory   one receive buffer, and about 400 bytes a connection; nothing is allocated for a message.
// Failure  the first thing that makes the run pointless is put in RunControl; a connection that breaks is counted.
//
// The client shares its cores with the server it measures, so it must be cheap: a socket is read once a round with a
// large buffer, frames are judged where they lie, and between two rounds there is a gap, in which the server runs.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "codec/deflate/message_inflater.hpp"
#include "codec/websocket/message_assembler.hpp"
#include "tools/client/client_handshake.hpp"
#include "tools/client/endpoint.hpp"
#include "tools/client/frame_output.hpp"
#include "tools/client/stream.hpp"
#include "tools/load/plan.hpp"
#include "tools/load/publisher.hpp"
#include "tools/load/run_control.hpp"
#include "tools/load/verifier.hpp"

namespace ringcast {

struct SubscriberOptions {
  Endpoint endpoint;
  SocketAddress address;
  std::string query;               // of the URL, kept
  double churn_per_second = 0;     // this thread's share
  bool resumes = false;            // churn drops as well as closes, and stays away for a while
  nanoseconds away_max{};          // with resumes
  Publisher* publisher = nullptr;  // not null: publishing is done between rounds
  bool polls = false;              // no gap between rounds
  bool compress = false;           // offers permessage-deflate
};

/// What receiving cost the thread, while it was measured. Read after join().
struct ReceiveCost {
  nanoseconds user{}, system{};
  std::uint64_t deliveries = 0, reads = 0;
};

/// What was agreed with the server, and what of it was seen. Read after join().
struct Agreements {
  std::string tls;                                     // version and cipher of one connection; empty: in the clear
  std::uint64_t deflate = 0;                           // handshakes that agreed on permessage-deflate
  std::uint64_t inflated = 0, skimmed = 0;             // compressed messages
  std::uint64_t packed_bytes = 0, unpacked_bytes = 0;  // of those that were inflated
};

/// How the connections fared. Read after join(), but for `ready`.
struct LinkCounts {
  std::atomic<std::uint64_t> ready{0};  // joined at least once
  std::uint64_t reconnects = 0;         // by churn, completed
  std::uint64_t reconnect_failures = 0;
  std::uint64_t drops = 0;                                              // by churn, without a word
  std::map<std::uint16_t, std::uint64_t> closed_ordinary, closed_slow;  // by close code; 1006: without a close frame
  std::uint64_t slow_open = 0, slow_connections = 0;
};

class SubscriberThread {
 public:
  SubscriberThread(RunControl& control, SubscriberOptions options, std::span<const PlannedConnection> connections,
                   std::unique_ptr<Verifier> verifier);
  ~SubscriberThread();

  void start();
  void join();
  [[nodiscard]] Verifier& verifier() { return *verifier_; }
  [[nodiscard]] const LinkCounts& counts() const { return counts_; }
  [[nodiscard]] const ReceiveCost& cost() const { return cost_; }
  [[nodiscard]] const Agreements& agreements() const { return agreements_; }

 private:
  enum class State : std::uint8_t { idle, connecting, upgrading, joining, open, leaving, over };
  struct Link {
    Stream fd;
    State state = State::idle;
    bool watches_writable = false;
    bool joined_once = false;
    CloseCode close_code = CloseCode::abnormal;
    Instant deadline{};  // of the handshake, or of leaving
    std::unique_ptr<ClientHandshake> handshake;
    FrameOutput output;
    MessageAssembler assembler{Role::client, {.message_bytes_max = kMessageBytesMax}};
    std::vector<std::uint8_t> partial;  // the begin of a frame whose end has not arrived
  };
  static constexpr std::uint32_t kMessageBytesMax = 64U << 20;

  void run();
  /// How long a round waits for news; between two there is a gap anyway.
  [[nodiscard]] int waits_ms() const { return options_.publisher != nullptr || options_.polls ? 0 : 1; }
  void round(Instant now);
  void begin_connects(Instant now);
  bool begin_connect(std::uint32_t index, Instant now);
  void begin_upgrade(std::uint32_t index);
  void greet(std::uint32_t index);
  void handle(std::uint32_t index, std::uint32_t events);
  bool receive(std::uint32_t index, std::size_t bytes_max);
  void consume(std::uint32_t index, MutableBytes input, Instant now);
  bool take_message(std::uint32_t index, std::string_view text, Instant now);
  bool take_other(std::uint32_t index, std::string_view text);
  bool judged(std::uint32_t index, Verifier::Taken taken);
  bool take_packed(std::uint32_t index, Bytes packed, Instant now);
  bool take_event(std::uint32_t index, const WsEvent& event, Instant now);
  void joined(std::uint32_t index);
  void flush(std::uint32_t index);
  void watch(std::uint32_t index, bool readable, bool writable);
  void ended(std::uint32_t index, CloseCode code, const std::string& reason);
  void leave(std::uint32_t index, Instant now);
  void drop(std::uint32_t index);
  void come_again(std::uint32_t index, nanoseconds after);
  void churn(Instant now);
  void trickle(Instant now);
  void check_deadlines(Instant now);
  void measure(Instant now);
  void drain(Instant now);
  void close_all();
  void finish();
  [[nodiscard]] bool reads_normally(std::uint32_t index) const;
  [[nodiscard]] std::vector<bool> open_links() const;

  RunControl& control_;
  SubscriberOptions options_;
  std::span<const PlannedConnection> connections_;
  std::unique_ptr<Verifier> verifier_;
  Opcode opcode_;  // the verifier's
  LinkCounts counts_;
  Agreements agreements_;
  ReceiveCost cost_, cost_before_;  // before: when the measurement began
  std::uint64_t reads_ = 0;
  bool measuring_ = false;
  std::vector<Link> links_;
  UniqueFd epoll_;
  Prng random_;
  MessageInflater inflater_{kMessageBytesMax};
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::thread thread_;
  std::uint32_t next_connect_ = 0;  // links from here on have not been begun
  std::uint32_t connecting_ = 0;    // begun and not joined
  struct Again {
    Instant due{};
    std::uint32_t index = 0;
  };
  std::vector<Again> again_;  // left by churn: to be connected again
  Instant churn_next_{}, trickle_next_{}, deadlines_next_{}, drain_next_{};
  bool draining_ = false;
};

}  // namespace ringcast
