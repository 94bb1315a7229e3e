// engine/stats/ledger.hpp: the account of what became of every message for every reader.
//
// Owner    delivery counts it, ShardStats publishes it.  Thread  any (a value).  Memory  48 bytes.
// Failure  none: a ledger that does not close is a bug, and closed() says so.
// Not here who counts when (delivery), the sums over shards that a reader makes (ringcast_stats.h).
#pragma once

#include <cstdint>

namespace ringcast {

/// Messages x readers, since the start of the shard (design.md, "The ledger").
struct Ledger {
  std::uint64_t offered = 0;    // readers at append; the run at the registration of a catch-up
  std::uint64_t sent = 0;       // whole frames that the kernel accepted
  std::uint64_t conflated = 0;  // skipped by moving a cursor to the newest
  std::uint64_t dropped = 0;    // skipped by moving a cursor to the tail, or lost with an overrun
  std::uint64_t abandoned = 0;  // not sent when the reader closed or unsubscribed
  std::uint64_t queued = 0;     // waiting; summed from the cursors, never derived from the others

  [[nodiscard]] constexpr std::uint64_t accounted() const { return sent + conflated + dropped + abandoned + queued; }
  [[nodiscard]] constexpr bool closed() const { return offered == accounted(); }
  constexpr bool operator==(const Ledger&) const = default;
  constexpr Ledger& operator+=(const Ledger& other) {
    offered += other.offered;
    sent += other.sent;
    conflated += other.conflated;
    dropped += other.dropped;
    abandoned += other.abandoned;
    queued += other.queued;
    return *this;
  }
};
static_assert(sizeof(Ledger) == 6 * sizeof(std::uint64_t), "published word by word: no padding");

}  // namespace ringcast
