// alloc/segment/reader.hpp: what a reader handle holds; inside of the library ringcast_stats_reader.
//
// Owner    the caller of rcs_open.  Thread  one at a time.  Memory  the mapping, copies of the three row tables.
// Failure  see ringcast_stats.h. After open_segment() succeeded, every Place lies inside the mapping.
// Not here the public functions' meaning (ringcast_stats.h). No C++ run-time library: C programs link this.
#pragma once

#include <cstddef>
#include <cstdint>

#include "alloc/segment/ringcast_stats.h"

namespace ringcast {

inline constexpr std::uint32_t kReaderShardsMax = 1'024;   // more is damage, not a node
inline constexpr std::uint32_t kReaderRowsMax = 65'536;
inline constexpr std::uint32_t kReaderSectionsMax = 65'536;
inline constexpr std::uint32_t kReaderBucketsMax = 1U << 20;
inline constexpr std::uint32_t kHistogramBitsMax = 16;
inline constexpr int kSealedTries = 1'000;  // a write is some microseconds: so many misses mean that the writer is gone

/// A checked part of the mapping. `from` is null where the segment has no such part.
struct Place {
  const std::uint64_t* from = nullptr;
  std::uint32_t entry_bytes = 0;
  std::uint32_t entry_count = 0;
};

struct ShardPlaces {
  Place counters;
  Place histograms;
  Place ledger;
  Place events;
  Place channels;
  Place connections;
};

[[nodiscard]] inline std::uint64_t load_word(const std::uint64_t* word) {
  return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

}  // namespace ringcast

struct rcs_reader {
  int fd;
  char* path;
  const unsigned char* base;
  std::size_t mapped_bytes;
  std::size_t bytes;         // what the header says, at most mapped_bytes
  std::uint32_t version;
  const rcs_header* header;  // in the mapping; its atomic fields through load_word only
  char name[RCS_NAME_BYTES];
  char server[RCS_NAME_BYTES];
  std::uint32_t shard_count;
  rcs_counter_row* counters;
  std::size_t counter_count;
  rcs_histogram_row* histograms;
  std::size_t histogram_count;
  rcs_event_row* events;
  std::size_t event_count;
  ringcast::ShardPlaces* shards;  // shard_count of them, and the node's
  ringcast::Place health;
  ringcast::Place memory;
  ringcast::Place findings;
};

namespace ringcast {

/// The places of one shard, or null if there is no such shard. RCS_SHARD_NODE is the last one.
[[nodiscard]] inline const ShardPlaces* places_of(const rcs_reader& reader, std::uint32_t shard) {
  if (shard == RCS_SHARD_NODE) return &reader.shards[reader.shard_count];
  return shard < reader.shard_count ? &reader.shards[shard] : nullptr;
}

}  // namespace ringcast
