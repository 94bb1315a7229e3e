// engine/presence/roster.hpp: who is in the channels that this shard is home to, and which shards have yet to be told.
//
// Owner    Presence, by value.  Thread  the home shard's.
// Memory   a Member (104 bytes, its id and an index entry) for each user of a channel, a Roster (72 bytes and its name)
//          a channel, charged to Purpose::users. At most limits.presence members are listed; as many more may
//          wait until every shard knows that they left.
// Failure  no room: a user who only has its grace time leaves at once; if there is none, the newcomer is counted as
//          unlisted, and every list says how many those are.
// Not here who is on this shard (attendance), the readers that are told (notice_fanout), the lanes (shard).
//
// A member is present from its first connection on any shard until the grace time of the last one is over. What is
// announced, and what a list shows, is this. A change is not queued as a message: the member stands in the queue of
// each shard that reads the channel, and what the shard is told is how it is when its turn comes. Someone who left and
// came back meanwhile is not spoken of.
#pragma once

#include <bit>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_map.h>

#include "alloc/base/identifiers.hpp"
#include "alloc/base/time.hpp"
#include "alloc/memory/slab.hpp"
#include "engine/limits.hpp"
#include "engine/presence/question.hpp"
#include "engine/presence/report.hpp"
#include "engine/stats/shard_stats.hpp"
#include "engine/time/timer_wheel.hpp"

namespace ringcast {

/// A user joined a channel or left it. Views are valid until the next call into Rosters.
struct UserNotice {
  std::string_view channel;
  std::string_view user;
  bool joined = false;
};

class Rosters {
 public:
  Rosters(std::uint32_t shards, std::uint32_t members_max, Budget& budget, ShardStats& stats, Now now);
  ~Rosters();
  Rosters(const Rosters&) = delete;
  Rosters& operator=(const Rosters&) = delete;

  /// `grace` of the channel's namespace.
  void apply(ShardIndex from, const Report& report, nanoseconds grace, Now now);
  /// Grace times that are over.
  void expire(Now now);
  [[nodiscard]] std::optional<Instant> next_deadline() const { return wheel_.next_deadline(); }

  /// Queues what has changed for the shards that read the channel: readers_of(channel) says which, one bit a shard.
  template <class ReadersOf>
  void spread(ReadersOf&& readers_of) {
    while (!changed_.empty()) {
      const std::uint32_t slot = changed_.front();
      changed_.pop_front();
      const Member& member = members_[slot];
      spread(slot, member.present == member.announced ? 0 : readers_of(std::string_view{rosters_[member.roster].name}));
    }
  }
  [[nodiscard]] bool has_changes() const { return !changed_.empty(); }
  /// What this shard is to be told next; nothing: it knows everything.
  [[nodiscard]] std::optional<UserNotice> next_notice(ShardIndex to);
  /// next_notice() was told, or nobody there wants to hear it.
  void notice_told(ShardIndex to);
  [[nodiscard]] bool has_notices(ShardIndex to) const { return !queues_[value(to)].empty(); }

  /// The users of one channel, a page of them.
  void answer(const Question& question, Answer& answer) const;

  [[nodiscard]] std::uint32_t rosters() const { return rosters_.size(); }
  [[nodiscard]] std::uint32_t listed() const { return listed_; }
  void release_unused();
  void validate() const;

 private:
  struct Member {  // a user in a channel
    std::string user;
    std::uint64_t shards = 0;  // on which it reads the channel
    std::uint64_t owed = 0;    // that have not been told its last change
    std::uint64_t queued = 0;  // in whose queue it stands
    std::uint32_t roster = Handle::kNone;
    std::uint32_t leaving_previous = Handle::kNone;  // among those who only have their grace time
    std::uint32_t leaving_next = Handle::kNone;
    bool present = false;
    bool announced = false;  // what the shards in `owed` do not know yet, and the others do
    bool changed = false;    // in the queue for spread()
    TimerEntry grace;        // armed while it is present and nowhere
  };
  struct Roster {
    std::string name;
    absl::btree_map<std::string_view, std::uint32_t> members;  // views of Member::user, which does not move
    std::uint32_t present = 0;
    std::uint32_t unlisted = 0;
    std::int64_t anonymous = 0;
  };

  Roster& roster_of(std::string_view channel, std::uint32_t& slot);
  void forget_if_empty(std::uint32_t roster);
  void came(std::uint32_t roster, ShardIndex from, std::string_view user, Now now);
  void went(std::uint32_t roster, ShardIndex from, std::string_view user, nanoseconds grace, Now now);
  [[nodiscard]] bool make_room();
  void set_present(std::uint32_t member, bool present);
  void leave(std::uint32_t member);
  void spread(std::uint32_t member, std::uint64_t shards);
  void forget_if_done(std::uint32_t member);
  void link_leaving(std::uint32_t member);
  void unlink_leaving(std::uint32_t member);
  [[nodiscard]] static std::size_t bytes_of(const Member& member) { return member.user.size() + kIndexEntryBytes; }
  [[nodiscard]] static std::size_t bytes_of(const Roster& roster) { return roster.name.size() + kIndexEntryBytes; }
  [[nodiscard]] static std::uint64_t bit(ShardIndex shard) { return std::uint64_t{1} << value(shard); }

  static constexpr std::size_t kIndexEntryBytes = 40;  // in a tree or a table: a view, a slot, and their slack

  TimerWheel wheel_;
  std::uint32_t members_max_;
  Slab<Member> members_;
  Slab<Roster> rosters_;
  absl::flat_hash_map<std::string_view, std::uint32_t> by_name_;  // views of Roster::name
  std::deque<std::uint32_t> changed_;
  std::vector<std::deque<std::uint32_t>> queues_;  // one a shard
  std::uint32_t leaving_first_ = Handle::kNone;    // the one that has left longest ago
  std::uint32_t leaving_last_ = Handle::kNone;
  std::uint32_t listed_ = 0;  // members that are present
  bool full_ = false;         // said so, until there is room again
  Budget* budget_;
  ShardStats* stats_;
};

}  // namespace ringcast
