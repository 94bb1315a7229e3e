// engine/shard/mesh.hpp: the SPSC lanes between every ordered pair of shards.
//
// Owner    node (or the simulation).  Thread  each lane end belongs to one shard; see SpscByteRing.
// Memory   for N shards N x (N-1) x (2 x bulk_bytes_for(message_bytes) + kControlLaneBytes), fixed at start-up.
// Failure  none here: a full bulk lane is lag like any reader's, a full publish lane holds publishers back; a control
//          lane cannot be full (credits, below).
// Not here the records and what they mean (mesh_records), who is woken (shard).
//
// Three lanes a pair. `bulk` carries frames and gap records, which can wait in the home's log; a shard takes them
// unless its own readers lack a turn, whatever else waits. `publishes` carries messages on their way home, which can
// wait with their publishers, and are not taken while a reader anywhere lacks a turn: in one lane with the frames, two
// shards could wait for each other. `control` carries requests and replies, which must never wait: a shard may have
// kMeshCredits requests outstanding at another, and the lane has room for that many requests of its own and replies to
// the other's, so a push always fits.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "alloc/base/ensure.hpp"
#include "alloc/base/identifiers.hpp"
#include "alloc/base/units.hpp"
#include "alloc/queue/spsc_ring.hpp"
#include "engine/limits.hpp"

namespace ringcast {

using MeshLane = SpscByteRing<std::uint64_t>;

inline constexpr std::uint32_t kMeshCredits = 512;
inline constexpr std::uint32_t kMeshCreditsKept = 64;  // for joining and leaving: publishes may be held at home
inline constexpr std::size_t kMeshControlRecordBytesMax = 544;  // a question: two 255-byte names and its header
inline constexpr std::size_t kControlLaneBytes = 1_MiB;
static_assert(kControlLaneBytes >= std::size_t{2} * kMeshCredits * kMeshControlRecordBytesMax,
              "every request and every reply that credits allow fits at once");

class Mesh {
 public:
  /// `bulk_bytes` a power of two; a record (one message and its header) is at most about half of it.
  Mesh(std::uint32_t shards, std::size_t bulk_bytes) : shards_{shards} {
    ensure(shards >= 1 && shards <= kShardsMax, "a node has 1 to kShardsMax shards");
    lanes_.resize(std::size_t{shards} * shards);
    for (std::uint32_t from = 0; from < shards; ++from) {
      for (std::uint32_t to = 0; to < shards; ++to) {
        if (from != to) lanes_[from * shards + to] = std::make_unique<Pair>(bulk_bytes);
      }
    }
  }

  MeshLane& bulk(ShardIndex from, ShardIndex to) { return pair(from, to).bulk; }
  MeshLane& publishes(ShardIndex from, ShardIndex to) { return pair(from, to).publishes; }
  MeshLane& control(ShardIndex from, ShardIndex to) { return pair(from, to).control; }
  /// Set by a sender that found no room in `bulk` or `publishes`; taken by the receiver after it made some, who rings.
  std::atomic<bool>& room_wanted(ShardIndex from, ShardIndex to) { return pair(from, to).room_wanted; }
  [[nodiscard]] std::uint32_t shards() const { return shards_; }

  /// The lane size for a node whose largest message is `message_bytes`: two of them and the backlog, at least 1 MiB.
  [[nodiscard]] static std::size_t bulk_bytes_for(std::uint32_t message_bytes) {
    std::size_t bytes = 1_MiB;
    while (bytes < std::size_t{2} * (message_bytes + kLargestHeaderBytes) + kMeshBacklogBytes) bytes *= 2;
    return bytes;
  }
  /// The largest message that fits lanes of a node that was made for messages of `message_bytes`.
  [[nodiscard]] static std::uint64_t message_bytes_room(std::uint32_t message_bytes) {
    return (bulk_bytes_for(message_bytes) - kMeshBacklogBytes) / 2 - kLargestHeaderBytes;
  }

 private:
  static constexpr std::size_t kLargestHeaderBytes = 4'096;  // of a record with one message: its names, its header
  struct Pair {
    explicit Pair(std::size_t bulk_bytes) : bulk{bulk_bytes}, publishes{bulk_bytes}, control{kControlLaneBytes} {}
    MeshLane bulk;
    MeshLane publishes;
    MeshLane control;
    alignas(kCacheLineBytes) std::atomic<bool> room_wanted{false};
  };
  Pair& pair(ShardIndex from, ShardIndex to) { return *lanes_[std::size_t{value(from)} * shards_ + value(to)]; }

  std::uint32_t shards_;
  std::vector<std::unique_ptr<Pair>> lanes_;
};

}  // namespace ringcast
