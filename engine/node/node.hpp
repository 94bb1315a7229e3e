// engine/node/node.hpp: the composition root: who creates whom, and in which order they go.
//
// Owner    run_node(), or a test.  Thread  the control thread's: every function here; shards run on their own.
// Memory   the mesh, the statistics segment (0.6 MiB a shard), what each shard takes, and the options that were given
//          to the shards: those of the start, those in force, and earlier ones until no shard goes by them.
// Failure  start() says in one sentence why a node cannot start (address taken, name taken, no io_uring, ...), and
//          leaves nothing behind.
// Not here signals and exit codes (run_node.hpp), what a shard does (engine/shard).
#pragma once

#include <cstdint>
#include <functional>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "alloc/base/result.hpp"
#include "alloc/memory/budget.hpp"
#include "engine/access/shared_board.hpp"
#include "engine/bridge/bridge.hpp"
#include "engine/config/node_options.hpp"
#include "engine/config/reload.hpp"
#include "engine/log/log.hpp"
#include "engine/node/access_control.hpp"
#include "engine/node/event_tail.hpp"
#include "engine/node/node_admin.hpp"
#include "engine/node/node_watch.hpp"
#include "engine/offline/store_lane.hpp"
#include "engine/node/usage_file.hpp"
#include "engine/reactor/doorbell.hpp"
#include "engine/reactor/placement.hpp"
#include "engine/ring/features.hpp"
#include "engine/shard/mesh.hpp"
#include "engine/shard/shard_control.hpp"
#include "engine/stats/stats_segment.hpp"
#include "engine/time/clock.hpp"
#include "engine/transport/listener.hpp"
#include "engine/transport/tls_context.hpp"

namespace ringcast {

inline constexpr std::string_view kServerVersion = "ringcast/1.0.0";
inline constexpr milliseconds kNodeTick{250};  // log lines and heartbeat; twice a heartbeat's bound is not reached

class Node {
 public:
  /// Returns when every shard runs and every address listens.
  [[nodiscard]] static Result<std::unique_ptr<Node>, std::string> start(const NodeOptions& options, Clock& clock,
                                                                        Log& log);
  /// Stops, if stop() was not called.
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// The addresses that clients reach the node at, with the ports that the kernel chose.
  [[nodiscard]] const std::vector<BindAddress>& addresses() const { return addresses_; }
  /// Of the admin port; empty: the node has none.
  [[nodiscard]] std::optional<BindAddress> admin_address() const {
    return admin_ == nullptr ? std::nullopt : std::optional{admin_->address()};
  }
  [[nodiscard]] std::uint32_t shards() const { return static_cast<std::uint32_t>(placement_.core_of_shard.size()); }
  [[nodiscard]] std::uint32_t connections() const;

  /// To be called every kNodeTick: heartbeat, log lines, and once a second memory and health.
  void tick();
  /// Reads the certificates that `options` name, and changes nothing: what it returns puts them in force. Connections
  /// keep what they began with. The error says which file is wrong, and why.
  Result<std::function<void()>, std::string> prepare_tls(const TlsOptions& options);
  /// Readable when a shard has changed its state; read() makes it quiet.
  [[nodiscard]] int event_fd() const { return event_fd_; }
  void quiet_event();

  /// Reads keys and revocations again at the next tick, and opens the entitlement record anew: it may be a rotated one.
  void reload_access();

  // ---- a reload (reloader.hpp) ----

  /// How far a reload may raise what was laid out at the start.
  [[nodiscard]] ReloadBounds reload_bounds() const;
  /// What plan_reload() made of a configuration: every shard goes by it from its next turn on, this thread at once.
  void apply(const NodeOptions& options);
  /// Notes in counters and flight recorder how a reload ended, and who asked for it.
  void note_reloaded(std::uint64_t changes, std::uint64_t kept, std::string_view who);
  void note_refused(std::uint64_t problems, std::string_view who);
  [[nodiscard]] const NodeOptions& options() const { return options_; }
  /// No shard uses earlier options any more; tick() lets go of them then.
  [[nodiscard]] bool options_settled() const;
  [[nodiscard]] bool stopping() const;

  /// What POST …/config/reload does; on this thread.
  void set_admin_reload(std::function<AdminReload(const std::string& who)> reload) {
    if (admin_ != nullptr) admin_->set_reload(std::move(reload));
  }
  /// An administrator asked for the graceful end.
  [[nodiscard]] bool drain_wanted() const { return admin_ != nullptr && admin_->drain_wanted(); }
  /// Every shard refuses new connections, sends what it owes, and closes with 1001.
  void begin_shutdown();
  /// After begin_shutdown(): no shard has a connection.
  [[nodiscard]] bool drained() const;
  /// Ends every shard now and waits for their threads. Connections that are left are reset.
  void stop();

 private:
  Node(const NodeOptions& options, Clock& clock, Log& log);

  [[nodiscard]] Result<void, std::string> open_parts();
  [[nodiscard]] Result<void, std::string> open_addresses();
  [[nodiscard]] Result<void, std::string> open_admin();
  [[nodiscard]] Result<void, std::string> start_shards();
  void run_shard(std::uint16_t index, std::vector<Listener> listeners);
  void publish_findings();
  [[nodiscard]] Result<void, std::string> open_store();
  void tell_store_notes(Now now);
  void look_at_access(Now now);
  void write_usage(Now now);
  void use_tls(std::shared_ptr<const TlsContext> fresh);
  void renew_ticket_keys();
  void warn_of_descriptors();
  void command_all(ShardCommand command);
  [[nodiscard]] bool every_shard(ShardState least) const;

  Clock& clock_;
  Log& log_;
  NodeOptions options_;  // core.shards is set; the control thread's: shards go by what is given to them
  std::vector<std::unique_ptr<const CoreOptions>> given_;  // to shards: first those of the start, last the newest
  RingFeatures features_;
  Placement placement_;
  DescriptorLimit descriptors_;
  int event_fd_ = -1;
  std::unique_ptr<StatsSegment> segment_;
  std::unique_ptr<ShardStats> own_stats_;
  std::unique_ptr<Mesh> mesh_;
  std::unique_ptr<DoorbellBoard> doorbells_;
  std::vector<std::unique_ptr<Budget>> budgets_;
  std::unique_ptr<ShardControl[]> controls_;
  std::unique_ptr<AccessControl> access_;  // null: nobody has to authenticate
  AccessBoards boards_;
  std::unique_ptr<UsageFile> usage_;       // null: no entitlement record is kept
  Instant access_looked_at_{};
  bool access_reload_wanted_ = false;
  bool usage_failing_ = false;
  std::vector<std::vector<Listener>> listeners_;  // by shard; moved to them
  std::vector<BindAddress> addresses_;
  std::unique_ptr<StoreLanes> store_lanes_;  // where messages are stored
  std::unique_ptr<Bridge> bridge_;
  std::shared_ptr<const TlsContext> tls_;  // null: no certificates
  Instant tls_renew_at_{};
  std::unique_ptr<EventTail> tail_;
  std::unique_ptr<NodeWatch> watch_;
  std::unique_ptr<NodeAdmin> admin_;       // null: there is no admin port
  std::unique_ptr<std::latch> all_ended_;  // no ring goes while another shard may still ring it
  std::vector<std::thread> threads_;
};

}  // namespace ringcast
