// engine/stats/shard_block.hpp: everything that one thread publishes about itself, in one piece of memory.
//
// Owner    the segment (alloc/segment/file.hpp) maps one for each shard; a test or the simulation has one on the heap.
// Thread   one writer, the shard's; readers anywhere, in another process too.
// Memory   sizeof: about 600 KiB, most of it the flight recorder; fixed. All zero is the valid empty state.
// Failure  none.
// Not here the operations on it (shard_stats.hpp), how a reader finds its parts (segment_spec.hpp).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "alloc/base/units.hpp"
#include "alloc/queue/seqlock.hpp"
#include "alloc/segment/event_ring.hpp"
#include "alloc/segment/histogram.hpp"
#include "alloc/segment/ringcast_stats.h"
#include "engine/stats/counters.hpp"
#include "engine/stats/ledger.hpp"

namespace ringcast {

struct alignas(kCacheLineBytes) ShardBlock {
  alignas(kCacheLineBytes) std::array<std::atomic<std::uint64_t>, kCounterCount> counters{};
  alignas(kCacheLineBytes) Seqlock<Ledger> ledger;
  alignas(kCacheLineBytes) std::array<Histogram, kLatencyCount> latencies{};
  alignas(kCacheLineBytes) EventRing events;
  alignas(kCacheLineBytes) Seqlock<rcs_channel_table> channels;
  alignas(kCacheLineBytes) Seqlock<rcs_connection_table> connections;
};

/// What the node publishes about itself as a whole. One writer: the node's own thread, that of no shard.
struct alignas(kCacheLineBytes) NodeBlock {
  alignas(kCacheLineBytes) Seqlock<rcs_health> health;
  alignas(kCacheLineBytes) Seqlock<rcs_memory> memory;
  alignas(kCacheLineBytes) Seqlock<rcs_findings> findings;
  ShardBlock own;  // counters and events of the node's thread
};

}  // namespace ringcast
