// tests/simulation/usage_check.hpp: reads the entitlement record of a run and holds it against itself: each
// subscription begins once and ends once, when it says, and nothing is open when everybody has gone.
//
// Owner    the world, by value.  Thread  one.  Memory  a lane a shard, and an entry for each open subscription.
// Failure  check(Checker::record, …).
// Not here what the clients believe to be subscribed to (conversation).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/access/usage_record.hpp"
#include "engine/stats/shard_stats.hpp"
#include "tests/simulation/checkers.hpp"
#include "tests/simulation/coverage.hpp"

namespace ringcast::simulation {

class UsageCheck {
 public:
  UsageCheck(std::size_t shards, bool on) : shards_(shards) {
    for (Shard& shard : shards_) {
      if (on) shard.lane = std::make_unique<UsageLane>(kUsageLaneBytes);
    }
  }

  /// Null: no record is kept in this run.
  [[nodiscard]] UsageLane* lane(std::size_t shard) { return shards_[shard].lane.get(); }

  /// After each turn of a shard: what it noted.
  void drain(std::size_t index, const ShardStats& stats, WallTime now, Coverage& coverage) {
    Shard& shard = shards_[index];
    if (shard.lane == nullptr) return;
    for (Bytes bytes = shard.lane->peek(); !bytes.empty(); bytes = shard.lane->peek()) {
      const auto record = decode_usage_record(bytes);
      check(record.has_value(), Checker::record, "shard {} wrote a record that cannot be read", index);
      take(shard, index, *record, now, coverage);
      shard.lane->pop();
    }
    shard.lane->release();
    check(shard.open.size() <= stats.get(CounterId::subscriptions), Checker::record,
          "shard {}: {} subscriptions have begun and not ended, and there are {}", index, shard.open.size(),
          stats.get(CounterId::subscriptions));
  }
  void check_all_ended(std::size_t index) const {
    const Shard& shard = shards_[index];
    if (shard.open.empty()) return;
    fail(Checker::record, fmt::format("shard {}: {} never ended", index, shard.open.begin()->first.second));
  }

 private:
  struct Shard {
    std::unique_ptr<UsageLane> lane;
    std::map<std::pair<std::uint64_t, std::string>, WallTime> open;  // (connection, channel): since when
  };

  static void take(Shard& shard, std::size_t index, const UsageRecord& record, WallTime now, Coverage& coverage) {
    const std::pair<std::uint64_t, std::string> key{record.connection, std::string{record.channel}};
    const auto known = shard.open.find(key);
    check(record.at <= now, Checker::record, "shard {}: {} is told from the future", index, record.channel);
    if (record.kind == UsageRecord::Kind::began) {
      check(known == shard.open.end(), Checker::record, "shard {}: {} begins twice", index, record.channel);
      shard.open.emplace(key, record.at);
      coverage.add(Seen::subscriptions_recorded);
      return;
    }
    check(known != shard.open.end(), Checker::record, "shard {}: {} ends and never began", index, record.channel);
    check(record.since == known->second && record.since <= record.at, Checker::record,
          "shard {}: {} did not begin when its end says", index, record.channel);
    shard.open.erase(known);
  }

  std::vector<Shard> shards_;
};

}  // namespace ringcast::simulation
