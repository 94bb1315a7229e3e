// engine/shard/rankings.hpp: a shard's busiest channels and slowest connections, for the statistics segment.
//
// Owner    shard_core, by value.  Thread  the shard's.
// Memory   about 15 KB of rows; nothing a channel or connection but the seq that a channel had at the last look.
// Failure  none.
// Not here the ranking itself (stats/ranking.hpp), who is slow by policy (delivery/lag_policy).
//
// Channels are looked at as the sweep passes them, a few thousand at a time, and published once it has passed them all;
// connections once a second, and only those that wait for their socket: nobody else is slow.
#pragma once

#include <string_view>

#include "alloc/base/time.hpp"
#include "alloc/segment/ringcast_stats.h"
#include "engine/channel/home_channel.hpp"
#include "engine/delivery/delivery.hpp"
#include "engine/stats/ranking.hpp"
#include "engine/stats/shard_stats.hpp"

namespace ringcast {

struct Connection;

class Rankings {
 public:
  Rankings(const Delivery& delivery, ShardStats& stats) : delivery_{&delivery}, stats_{&stats} {}

  /// The sweep begins anew: publishes what it found, and ranks this round if the last one is a second ago.
  void begin_round(Now now);
  void see(HomeChannel& home, const std::array<Handle, kForms>& logs);

  void begin_connections() { connections_.clear(); }
  void see(const Connection& connection);
  void publish_connections(Now now);

 private:
  const Delivery* delivery_;
  ShardStats* stats_;
  Ranking<rcs_channel, RCS_CHANNELS> channels_;
  Ranking<rcs_connection, RCS_CONNECTIONS> connections_;
  Instant round_began_{};
  Now now_{};
  double seconds_ = 1;     // since the round before
  bool ranking_ = false;   // this round is looked at
};

}  // namespace ringcast
