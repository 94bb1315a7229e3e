// engine/presence/directory.hpp: of the users whose directory this shard is: who is connected, how often, and where.
//
// Owner    Presence, by value.  Thread  the shard's.
// Memory   a tree entry (about 100 bytes and the id) for each connected user, charged to Purpose::users; bounded by the
//          connections of the node.
// Failure  none.
// Not here which shard that is (Presence), the connections themselves (user_table, on their shards).
//
// A user's directory is the home of its personal channel, so that whoever keeps messages for a user who is away finds
// both in one place.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <absl/container/btree_map.h>

#include "alloc/base/identifiers.hpp"
#include "alloc/memory/budget.hpp"
#include "engine/presence/question.hpp"
#include "engine/presence/report.hpp"
#include "engine/stats/shard_stats.hpp"

namespace ringcast {

class Directory {
 public:
  Directory(Budget& budget, ShardStats& stats) : budget_{&budget}, stats_{&stats} {}
  ~Directory();
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  void apply(ShardIndex from, const Report& report);

  [[nodiscard]] bool is_connected(std::string_view user) const { return users_.contains(user); }
  /// How many connections it has on all shards.
  [[nodiscard]] std::uint64_t connections_of(std::string_view user) const;
  /// On which shards, one bit each.
  [[nodiscard]] std::uint64_t shards_of(std::string_view user) const;
  /// Question::Kind::user and users.
  void answer(const Question& question, Answer& answer) const;
  [[nodiscard]] std::size_t size() const { return users_.size(); }
  void validate() const;

 private:
  struct Entry {
    std::uint64_t shards = 0;
    std::int64_t connections = 0;
  };
  [[nodiscard]] static std::size_t bytes_of(std::string_view user) { return user.size() + kEntryBytes; }
  static constexpr std::size_t kEntryBytes = 100;  // a string, an entry, and the slack of the tree's nodes

  absl::btree_map<std::string, Entry, std::less<>> users_;
  std::uint64_t connections_ = 0;  // of all of them
  Budget* budget_;
  ShardStats* stats_;
};

}  // namespace ringcast
