// engine/reactor/doorbell.hpp: who sleeps, and waking him without a system call for those who do not.
//
// Owner    node owns the board; each shard its Doorbell.  Thread  each function names whose.
// Memory   two cache lines and one eventfd a shard.
// Failure  a MSG_RING that fails is repeated by eventfd; make() says when no eventfd is left.
// Not here what there is to be woken for (mesh lanes, control words), when to sleep (idle_policy.hpp).
//
// No wake-up is lost: the sleeper sets its flag and only then looks whether there is work; the caller publishes its
// work and only then exchanges the flag. Both touch the flag by read-modify-write, so one of them comes first: either
// the caller sees the flag and rings, or the sleeper sees the work.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "alloc/base/identifiers.hpp"
#include "alloc/base/result.hpp"
#include "alloc/base/units.hpp"
#include "engine/limits.hpp"
#include "engine/ring/ring.hpp"

namespace ringcast {

class DoorbellBoard {
 public:
  [[nodiscard]] static Result<std::unique_ptr<DoorbellBoard>, std::string> make(std::uint32_t shards);
  ~DoorbellBoard();
  DoorbellBoard(const DoorbellBoard&) = delete;
  DoorbellBoard& operator=(const DoorbellBoard&) = delete;

  // -- the shard's thread --

  /// Says which ring MSG_RING reaches this shard by; before its first lie_down().
  void set_ring(ShardIndex shard, int ring_fd) { bed(shard).ring_fd.store(ring_fd, std::memory_order_release); }
  /// From now on the shard must be rung. Look for work after this call, then sleep or get_up().
  void lie_down(ShardIndex shard) { bed(shard).asleep.exchange(1, std::memory_order_acq_rel); }
  void get_up(ShardIndex shard) { bed(shard).asleep.exchange(0, std::memory_order_acq_rel); }

  // -- any thread --

  /// Whether the shard slept and nobody rang yet; the caller who is told so must ring. Call after publishing the work.
  [[nodiscard]] bool must_ring(ShardIndex shard) {
    return bed(shard).asleep.exchange(0, std::memory_order_acq_rel) != 0;
  }
  /// Rings by eventfd: also wakes a shard that has not noticed that it was rung.
  void ring_event(ShardIndex shard);
  [[nodiscard]] bool asleep(ShardIndex shard) { return bed(shard).asleep.load(std::memory_order_relaxed) != 0; }
  [[nodiscard]] int event_fd(ShardIndex shard) { return bed(shard).event_fd; }
  [[nodiscard]] int ring_fd(ShardIndex shard) { return bed(shard).ring_fd.load(std::memory_order_acquire); }
  [[nodiscard]] std::uint32_t shards() const { return shards_; }

 private:
  struct Bed {
    alignas(kCacheLineBytes) std::atomic<std::uint32_t> asleep{0};  // set by the shard, taken by whoever rings it
    alignas(kCacheLineBytes) std::atomic<int> ring_fd{-1};          // written once by the shard
    int event_fd = -1;                                              // never changes
  };
  explicit DoorbellBoard(std::uint32_t shards) : shards_{shards} {}
  Bed& bed(ShardIndex shard);

  std::uint32_t shards_;
  std::array<Bed, kShardsMax> beds_{};
};

/// One shard's hand on all bells, and its ear for its own.
class Doorbell {
 public:
  Doorbell(DoorbellBoard& board, ShardIndex own, Ring& ring);
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

  /// Rings those of `shards` (one bit each) that sleep. MSG_RING goes out with the next submit. Returns how many.
  std::uint32_t ring(std::uint64_t shards);
  /// Takes a completion of Operation::doorbell, doorbell_failed or wake_event.
  void handle(const Completion& completion);
  /// Completions of other shards' and the control thread's ringing so far.
  [[nodiscard]] std::uint64_t heard() const { return heard_; }

 private:
  void listen();

  DoorbellBoard& board_;
  ShardIndex own_;
  Ring& ring_;
  std::uint64_t event_count_ = 0;  // written by the kernel
  std::uint64_t heard_ = 0;
};

}  // namespace ringcast
