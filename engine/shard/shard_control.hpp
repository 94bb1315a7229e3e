// engine/shard/shard_control.hpp: the few words that a shard and the control thread say to each other.
//
// Owner    node, one a shard; outlives the shard's thread.
// Thread   command, authenticator, options and tls_next: written by the control thread (the shard empties the last);
//          everything else by the shard. Read by both.
// Memory   four cache lines.
// Failure  a shard that cannot start says why in `failure`, written before its state.
// Not here waking the other side (DoorbellBoard, the control thread's eventfd).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "alloc/base/units.hpp"
#include "engine/limits.hpp"
#include "engine/reactor/turn_meter.hpp"
#include "engine/transport/tls_context.hpp"

namespace ringcast {

class Authenticator;

enum class ShardCommand : std::uint8_t {
  run,
  drain,  // refuse new connections, send what is owed, close with 1001
  stop,   // leave now
};

enum class ShardState : std::uint8_t {
  starting,
  ready,  // can run; waits for `run` to be allowed
  running,
  draining,
  drained,  // no connection is left
  stopped,  // its thread has ended or is about to
  failed,   // could not start
};

/// What new connections are to begin with.
struct TlsHandover {
  std::shared_ptr<const TlsContext> context;
};

struct ShardControl {
  alignas(kCacheLineBytes) std::atomic<ShardCommand> command{ShardCommand::run};
  std::atomic<const Authenticator*> authenticator{nullptr};  // what the shard is to go by; null: nobody authenticates
  std::atomic<const CoreOptions*> options{nullptr};  // what the shard is to go by; null: those it was made with
  std::atomic<const TlsHandover*> tls_next{nullptr};  // put by the control thread, taken by the shard
  alignas(kCacheLineBytes) std::atomic<const Authenticator*> authenticator_used{nullptr};  // what it goes by
  std::atomic<const CoreOptions*> options_used{nullptr};  // what it goes by
  alignas(kCacheLineBytes) std::atomic<ShardState> state{ShardState::starting};
  std::atomic<bool> accept_paused{false};
  bool pinned = false;  // to its core; a container may forbid it; written before the first state, as `failure`
  std::string failure;
  TurnBeacon beacon;

  /// Instead of one that was not taken yet.
  void hand_over(std::shared_ptr<const TlsContext> context) {
    const auto* next = new TlsHandover{std::move(context)};
    const std::unique_ptr<const TlsHandover> late{tls_next.exchange(next, std::memory_order_acq_rel)};
  }
  ~ShardControl() { delete tls_next.load(); }
};

}  // namespace ringcast
