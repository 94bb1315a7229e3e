// tools/load/tally.hpp: what became of the messages, added up.
//
// Owner    a verifier fills one for the ordinary and one for the slow connections.  Thread  its.  Memory  this.
#pragma once

#include <cstdint>

namespace ringcast {

struct Tally {
  std::uint64_t expected = 0;   // what the subscriptions should have been sent
  std::uint64_t delivered = 0;  // what arrived, each copy counted
  std::uint64_t lost = 0;       // neither arrived nor told of
  std::uint64_t duplicated = 0;
  std::uint64_t reordered = 0;
  std::uint64_t gap_notices = 0;
  std::uint64_t gap_messages = 0;  // what those notices told of; of slow readers of a feed: what was skipped
  std::uint64_t altered = 0;       // arrived, but not byte for byte as published, or not from us
  std::uint64_t cut_off = 0;       // of slow readers that the server closed: what they were not sent any more
  std::uint64_t resumed = 0;       // subscriptions that went on where they were
  std::uint64_t unrecovered = 0;   // that were told that they could not
  std::uint64_t caught_up = 0;     // messages that were published while they were away
  std::uint64_t depth_updates = 0;
  std::uint64_t depth_breaks = 0;  // by the exchange's own ids

  Tally& operator+=(const Tally& other) {
    expected += other.expected;
    delivered += other.delivered;
    lost += other.lost;
    duplicated += other.duplicated;
    reordered += other.reordered;
    gap_notices += other.gap_notices;
    gap_messages += other.gap_messages;
    altered += other.altered;
    cut_off += other.cut_off;
    resumed += other.resumed;
    unrecovered += other.unrecovered;
    caught_up += other.caught_up;
    depth_updates += other.depth_updates;
    depth_breaks += other.depth_breaks;
    return *this;
  }
  /// Nothing that the protocol forbids. A slow reader that was conflated sees breaks in its depth updates.
  [[nodiscard]] bool clean(bool slow = false) const {
    return lost == 0 && duplicated == 0 && reordered == 0 && altered == 0 && (slow || depth_breaks == 0);
  }
};

}  // namespace ringcast
