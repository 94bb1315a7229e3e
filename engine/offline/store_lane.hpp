// engine/offline/store_lane.hpp: the two rings between a shard and the bridge, and the bridge's ear.
//
// Owner    node (or the simulation), one a shard; none where no namespace keeps messages.
// Thread   requests: the shard writes, the bridge reads; answers: the other way round.
// Memory   2 x store_lane_bytes_for(message_bytes), fixed at start-up; pages are touched as they are used.
// Failure  no room for a request: the shard keeps what it wanted to ask; no room for an answer: the bridge keeps it.
// Not here the records (store_records), waking (engine/bridge, engine/reactor).
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "alloc/base/ensure.hpp"
#include "alloc/base/identifiers.hpp"
#include "alloc/base/units.hpp"
#include "alloc/queue/spsc_ring.hpp"
#include "engine/limits.hpp"

namespace ringcast {

using StoreRing = SpscByteRing<std::uint64_t>;

/// Two records of the largest size fit, and its texts: a record is at most about half of a ring.
[[nodiscard]] constexpr std::size_t store_lane_bytes_for(std::uint32_t message_bytes) {
  std::size_t bytes = 1_MiB;
  while (bytes < std::size_t{2} * (message_bytes + 4'096)) bytes *= 2;
  return bytes;
}

/// How large messages may become in lanes that were made for these.
[[nodiscard]] constexpr std::uint64_t store_message_bytes_room(std::uint32_t message_bytes) {
  return std::max<std::uint64_t>(message_bytes, store_lane_bytes_for(message_bytes) / 2 - 4'096 - 8);
}

struct StoreLane {
  explicit StoreLane(std::size_t bytes) : requests{bytes}, answers{bytes} {}
  StoreRing requests;
  StoreRing answers;
};

class StoreLanes {
 public:
  StoreLanes(std::uint32_t shards, std::size_t bytes) {
    ensure(shards >= 1 && shards <= kShardsMax, "a node has 1 to kShardsMax shards");
    for (std::uint32_t i = 0; i < shards; ++i) lanes_.push_back(std::make_unique<StoreLane>(bytes));
  }
  [[nodiscard]] StoreLane& of(ShardIndex shard) { return *lanes_[value(shard)]; }
  [[nodiscard]] std::uint32_t shards() const { return static_cast<std::uint32_t>(lanes_.size()); }

 private:
  std::vector<std::unique_ptr<StoreLane>> lanes_;
};

}  // namespace ringcast
