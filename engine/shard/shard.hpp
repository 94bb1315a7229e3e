// engine/shard/shard.hpp: one shard's thread: its ring, its sockets, and the loop that carries events to the core and
// the core's wishes to the kernel.
//
// Owner    node, made and destroyed on the thread that runs it (the ring has a single issuer).
// Thread   that one.
// Memory   ring queues (about 0.6 MiB at 10,000 connections), receive buffers (4 MiB, touched as used), the core.
// Failure  make() says why a shard cannot start; after that only a broken invariant ends it.
// Not here any decision (shard_core), sockets (transport), when to start and end (node).
//
// The loop is a list of phases, each with a bound (run_turn() is the list). No phase calls back into another: what the
// kernel says becomes data, what the core wants becomes data.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "alloc/base/result.hpp"
#include "alloc/memory/budget.hpp"
#include "engine/limits.hpp"
#include "engine/offline/store_lane.hpp"
#include "engine/reactor/bridge_bell.hpp"
#include "engine/reactor/doorbell.hpp"
#include "engine/reactor/idle_policy.hpp"
#include "engine/reactor/turn_meter.hpp"
#include "engine/ring/buffer_ring.hpp"
#include "engine/ring/ring.hpp"
#include "engine/shard/mesh.hpp"
#include "engine/shard/shard_control.hpp"
#include "engine/shard/shard_core.hpp"
#include "engine/stats/shard_block.hpp"
#include "engine/stats/shard_stats.hpp"
#include "engine/time/clock.hpp"
#include "engine/transport/listener.hpp"
#include "engine/transport/transport.hpp"

namespace ringcast {

inline constexpr std::uint32_t kSendBatchesPerTurnMax = 8;  // 256 sends are below a millisecond; then mesh and timers
inline constexpr milliseconds kDrainTick{10};               // how soon a shard that is to end looks again

/// Everything a shard is given. What is referred to outlives it.
struct ShardSetup {
  ShardIndex index{};
  const CoreOptions& options;
  Clock& clock;
  Mesh& mesh;
  DoorbellBoard& doorbells;
  ShardControl& control;
  ShardBlock& block;
  std::vector<const ShardBlock*> all_blocks;  // of the node's shards: how many connections there are
  Budget& budget;
  RingFeatures features;
  std::vector<Listener> listeners;
  nanoseconds spin{0};
  std::uint64_t seed = 0;
  int control_event_fd = -1;   // written when the state changes
  StoreLane* store = nullptr;  // where a namespace keeps messages, and who serves it
  BridgeBell* bridge = nullptr;
  AccessBoards* boards = nullptr;
  UsageLane* usage = nullptr;  // null: no entitlement record is kept
  std::shared_ptr<const TlsContext> tls{};  // for listeners that speak it
  std::uint32_t tls_handshakes_max = TlsOptions{}.handshakes_max;
  AdminLane* admin = nullptr;
};

/// How many connections one shard takes: the node's limit, or what one ring can hold.
[[nodiscard]] std::uint32_t shard_connections_max(const LimitOptions& limits, std::uint32_t shards,
                                                  std::uint32_t listeners);
/// How many the ring that is opened for these limits has room for: a reload may raise the limit so far.
[[nodiscard]] std::uint32_t shard_connections_room(const LimitOptions& limits, std::uint32_t shards,
                                                   std::uint32_t listeners);

class Shard final : private TransportEvents {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Shard>, std::string> make(ShardSetup setup);
  ~Shard() override;
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  /// start(), rounds until told to stop, finish().
  void run();

  /// Accepts from now on.
  void start();
  /// Resets every connection that is left and waits until all are closed.
  void finish();
  /// One round. Returns whether it found anything to do.
  bool run_turn();
  /// Between two rounds: polls for a while, then sleeps, unless there is work.
  void rest();
  [[nodiscard]] bool stopping() const { return stopping_; }

  [[nodiscard]] const TurnMeter& meter() const { return meter_; }
  [[nodiscard]] ShardCore& core() { return core_; }

 private:
  Shard(ShardSetup setup, std::unique_ptr<Ring> ring, std::unique_ptr<BufferRing> buffers, Now now);

  // the phases
  void obey();
  void follow_authenticator();
  void follow_options();
  bool handle_completions();
  void expire_timers();
  bool advance_sends();
  void apply_actions();
  void ring_doorbells();
  void publish_counters();
  void publish_tls_counters();

  [[nodiscard]] bool has_work() const;
  [[nodiscard]] Instant next_deadline();
  void set_state(ShardState state);

  // TransportEvents: straight on to the core, with the turn's time
  std::optional<Handle> accept(const PeerInfo& peer) override;
  void receive(Handle connection, MutableBytes bytes) override;
  std::size_t receive_before_tls(Handle connection, MutableBytes bytes) override;
  void receive_ended(Handle connection, int error) override;
  void writable(Handle connection) override;
  void remainder_sent(Handle connection, std::int32_t result) override;
  void closed(Handle connection) override;
  void tls_failed(Handle connection, TlsFailure failure, std::string_view detail) override;

  ShardSetup setup_;
  const CoreOptions* options_;  // those of setup_, until a reload
  std::uint32_t connections_room_;
  std::uint32_t connections_max_;
  ShardStats stats_;
  std::unique_ptr<Ring> ring_;
  std::unique_ptr<BufferRing> buffers_;
  ShardCore core_;
  Transport transport_;
  Doorbell doorbell_;
  IdlePolicy idle_;
  TurnMeter meter_;
  Now now_;
  std::optional<Instant> turn_began_;  // a turn whose end has not been measured
  bool turn_worked_ = false;
  bool stopping_ = false;
  std::uint64_t wakes_sent_ = 0;
  std::uint64_t accept_pauses_seen_ = 0;
  std::uint64_t buffers_exhausted_seen_ = 0;
  std::optional<Instant> accept_paused_at_;
};

}  // namespace ringcast
