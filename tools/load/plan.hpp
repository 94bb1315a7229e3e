// tools/load/plan.hpp: who subscribes to what, and who publishes it.
//
// Owner    the run, by value; never changed once made.  Thread  any.  Memory  a number a subscription.  Failure  none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/load/feed.hpp"
#include "tools/load/options.hpp"

namespace ringcast {

struct PlannedConnection {
  std::vector<std::uint32_t> targets;  // indices into LoadPlan::names
  bool slow = false;
  bool never_reads = false;  // every other slow one; the rest read a little now and then
  bool skims = false;        // counts compressed messages and leaves them packed
};

struct LoadPlan {
  std::vector<std::string> names;  // of the channels
  std::vector<PlannedConnection> connections;
  std::vector<std::uint32_t> sources;  // by target: how many publishers it has

  /// How many connections subscribe to each target.
  [[nodiscard]] std::vector<std::uint32_t> readers() const;
};

/// Synthetic channels: connections spread evenly over them; fewer connections than channels take several each.
/// With at least as many channels as publishers, publisher c % P alone serves channel c; with fewer, publisher p serves
/// channel p % C as its source number p / C.
[[nodiscard]] LoadPlan plan_synthetic(const LoadOptions& options);

/// A feed's streams: connection i takes 1 to streams_per_connection of them, neighbours in the feed's order, so that
/// every stream has singles (raw form) and members of a group (combined form). With --inflate, those who unpack are
/// spread over all streams.
[[nodiscard]] LoadPlan plan_feed(const LoadOptions& options, const Feed& feed);

}  // namespace ringcast
