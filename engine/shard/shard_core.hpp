// engine/shard/shard_core.hpp: one shard as a deterministic state machine: everything it decides, nothing it calls.
//
// Owner    shard (the shell) or the simulation.  Thread  the shard's; the mesh lanes are its only contact with others.
// Memory   slabs and logs charged to the shard's Budget, bounded by CoreOptions.
// Failure  a peer's mistake ends that peer's connection with a code; a broken invariant of ours stops the process.
// Not here sockets, clocks, the ring (shard.hpp); threads and start-up (node).
//
// A turn, as the shell runs it:
//   completions -> receive(), receive_ended(), writable(), remainder_sent(), accept(), closed()
//   drain_mesh(now); expire_timers(now)
//   loop: prepare_sends(now) -> submit, reap reports -> finish_sends(reports, now); new completions between batches
//   take_actions() after each of these groups; take_doorbells() once a turn
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "alloc/base/bytes.hpp"
#include "alloc/base/identifiers.hpp"
#include "alloc/base/time.hpp"
#include "alloc/memory/budget.hpp"
#include "engine/access/usage_record.hpp"
#include "engine/limits.hpp"
#include "engine/offline/store_lane.hpp"
#include "engine/presence/inquiries.hpp"
#include "engine/seam/seam.hpp"
#include "engine/shard/admin_lane.hpp"
#include "engine/shard/mesh.hpp"
#include "engine/stats/ledger.hpp"
#include "engine/stats/shard_stats.hpp"

namespace ringcast {

class Authenticator;
struct AccessBoards;

struct ShardContext {
  ShardIndex index{};
  const CoreOptions& options;
  Mesh& mesh;          // all lanes of the node; this shard uses its own ends of them
  ShardStats& stats;
  Budget& budget;
  std::uint64_t seed;  // epochs, connection ids and mask keys come from it; real nodes seed it from the kernel
  StoreLane* store = nullptr;  // to the offline store and back; needed where a namespace keeps messages
  std::uint64_t channel_ids_given = 0;  // where numbering begins; tests begin near the end
  const Authenticator* authenticator = nullptr;  // null: nobody has to authenticate
  AccessBoards* boards = nullptr;                // the node's; null: no limits by address or user
  UsageLane* usage = nullptr;                    // where the entitlement record goes; null: none is kept
  AdminLane* admin = nullptr;           // what the admin port asks; null: the node has none
};

class ShardCore {
 public:
  ShardCore(const ShardContext& context, Now now);
  ~ShardCore();
  ShardCore(const ShardCore&) = delete;
  ShardCore& operator=(const ShardCore&) = delete;

  // ---- what happened ----

  /// A connection was accepted. nullopt: no slot for it; the shell closes the socket at once (counted here).
  std::optional<Handle> accept(const PeerInfo& peer, Now now);
  /// Bytes arrived. They may be changed in place (unmasking) and are not kept: the buffer is free on return.
  void receive(Handle connection, MutableBytes bytes, Now now);
  /// The peer ended (error 0) or the socket failed (positive errno).
  void receive_ended(Handle connection, int error, Now now);
  /// A wait_writable action came true.
  void writable(Handle connection, Now now);
  /// A remainder entry completed: bytes taken (all of them, or a short count if cancelled), or -errno.
  void remainder_sent(Handle connection, std::int32_t result, Now now);
  /// The descriptor is closed and no completion will come any more: the slot may be used again.
  void closed(Handle connection);
  /// Takes what other shards, and the offline store, sent, within a bound.
  void drain_mesh(Now now);
  /// Fires every timer due; also housekeeping (log trimming, ledger, lag checks).
  void expire_timers(Now now);
  /// Other keys or revocations; the old ones are no longer used when this returns.
  void set_authenticator(const Authenticator* authenticator);
  /// At the end, when nobody is left: whether the entitlement record has all of what was noted. To be asked again while
  /// its writer is behind.
  bool settle_usage();
  /// A reload: other options from now on, with as many shards as before. They outlive the core, or the next call of
  /// this; the earlier ones are not used any more when it returns. Channels and connections follow within some ticks
  /// of housekeeping.
  void reconfigure(const CoreOptions& options);
  /// Starts the graceful end: refuses new work, lets every reader have what is in its logs, closes with 1001.
  void begin_shutdown(Now now);

  // ---- who is there ----

  /// Asks about users and channels, on all shards that know a part of it (engine/presence/question.hpp). The answer
  /// comes with take_answers(), under the token, after one or several turns.
  void ask(Question question, std::uint64_t token);
  /// Answers since the last call; in no order.
  std::vector<Answered> take_answers();

  // ---- what it wants ----

  /// The next batch of sends, at most kSendBatchMax; empty when nobody has news. Must be followed by finish_sends().
  std::span<const SendEntry> prepare_sends(Now now);
  /// What became of the batch; entries without a report took all their bytes.
  void finish_sends(std::span<const SendReport> reports, Now now);
  /// Actions since the last call, in order. The span is valid until the next call into the core.
  std::span<const Action> take_actions();
  /// One bit for each shard that was sent something since the last call: wake those that sleep.
  std::uint64_t take_doorbells(Now now);
  /// Whether the offline store was asked for something since the last call: wake the bridge if it sleeps.
  bool take_store_bell();

  // ---- questions ----

  /// When expire_timers() next has something to do.
  Instant next_deadline() const;
  /// True when neither sends, dirty channels nor mesh records wait: the shell may sleep until next_deadline().
  bool idle() const;
  /// After begin_shutdown(): no connection is left, and what was done with has been told to the offline store.
  bool drained() const;
  std::uint32_t connections() const;
  /// The five numbers of this instant; `queued` summed from the cursors. Linear in subscriptions.
  Ledger ledger() const;
  /// Checks every structure against every other one; for tests and the simulation. Stops the process when broken.
  void validate() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ringcast
