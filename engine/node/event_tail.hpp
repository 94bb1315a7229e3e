// engine/node/event_tail.hpp: writes to the log what shards noted in their flight recorders.
//
// Owner    node.  Thread  the control thread's.  Memory  a number a recorder.
// Failure  events that were overwritten before they were read are counted in one line; half-written ones come next
// time. Not here recording (engine/stats), the look of a line (engine/log).
#pragma once

#include <cstdint>
#include <vector>

#include "engine/log/log.hpp"
#include "engine/stats/shard_block.hpp"

namespace ringcast {

class EventTail {
 public:
  struct Source {
    const EventRing* events = nullptr;
    std::int32_t shard = -1;  // -1: the node's own
  };
  explicit EventTail(std::vector<Source> sources);

  /// Logs everything new, one source after the other.
  void follow(Log& log, WallTime now);

 private:
  struct Place {
    Source source;
    std::uint64_t next = 0;
  };
  std::vector<Place> places_;
};

}  // namespace ringcast
