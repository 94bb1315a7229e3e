// engine/presence/attendance.hpp: who reads which channel on this shard, and what others are yet to be told of it.
//
// Owner    Presence, by value.  Thread  the shard's.
// Memory   a Room a channel with presence (its name and 48 bytes), an Attendee (16 bytes and a hash entry) for each
//          user in one, charged to Purpose::users; both stay until their home knows that they are gone. A home is told
//          that somebody came only with a credit in hand, so there are no more of them than there were subscriptions.
// Failure  none.
// Not here the sum over shards (roster, directory), the lanes (shard).
//
// Only transitions are told: a thousand connections of one user make one report, and one more when the last has gone.
// What changed back before it could be told is never told. Reports to one shard keep their order.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "alloc/base/identifiers.hpp"
#include "alloc/memory/slab.hpp"
#include "engine/presence/report.hpp"
#include "engine/presence/user_table.hpp"

namespace ringcast {

class Attendance {
 public:
  Attendance(std::uint32_t shards, UserTable& users, Budget& budget);
  ~Attendance();

  /// One more subscription of a user (or, kNoSlot, of nobody) to a channel whose home is there.
  void came(std::string_view channel, ShardIndex home, std::uint32_t user);
  /// One less.
  void went(std::string_view channel, std::uint32_t user);
  /// The user's connections became more or fewer; its directory is there.
  void connections_changed(std::uint32_t user, ShardIndex directory);

  /// The next report to that shard, which counts as told from here on; false: there is none.
  [[nodiscard]] bool take(ShardIndex to, Report& report);
  [[nodiscard]] bool has_reports(ShardIndex to) const { return !queues_[value(to)].empty(); }

  [[nodiscard]] std::uint32_t rooms() const { return rooms_.size(); }
  [[nodiscard]] std::uint32_t attendees() const { return attendees_.size(); }
  void release_unused();
  /// Calls f(channel, user slot or kNoSlot, subscriptions) for everybody who reads a channel now.
  template <class Function>
  void for_each(Function&& f) const {
    auto& self = const_cast<Attendance&>(*this);
    self.rooms_.for_each([&](std::uint32_t, Room& room) {
      if (room.anonymous != 0) f(std::string_view{room.name}, kNoSlot, room.anonymous);
    });
    self.attendees_.for_each([&](std::uint32_t, Attendee& one) {
      if (one.subscriptions != 0) f(std::string_view{self.rooms_[one.room].name}, one.user, one.subscriptions);
    });
  }
  void validate() const;

 private:
  struct Room {  // a channel with presence that somebody reads here
    std::string name;
    ShardIndex home{};
    bool queued = false;  // its home is to be told of those without a user
    std::uint32_t attendees = 0;
    std::uint32_t anonymous = 0;  // readers without a user
    std::uint32_t anonymous_told = 0;
  };
  struct Attendee {  // one user in one room
    std::uint32_t room = kNoSlot;
    std::uint32_t user = kNoSlot;
    std::uint32_t subscriptions = 0;  // of this user's connections
    bool told = false;                // the home was told that the user is here
    bool queued = false;
  };
  struct Due {  // something that may have changed since it was told
    enum class What : std::uint8_t { attendee, room, user };
    What what{};
    Handle handle;
  };

  [[nodiscard]] static std::uint64_t key_of(std::uint32_t room, std::uint32_t user) {
    return (std::uint64_t{room} << 32) | user;
  }
  std::uint32_t enter_room(std::string_view channel, ShardIndex home);
  void leave_room_if_empty(std::uint32_t room);
  void forget(std::uint32_t attendee);
  [[nodiscard]] bool take_attendee(Handle handle, Report& report);
  [[nodiscard]] bool take_room(Handle handle, Report& report);
  [[nodiscard]] bool take_user(Handle handle, Report& report);
  [[nodiscard]] static std::size_t bytes_of(const Room& room) { return room.name.size() + kHashEntryBytes; }

  static constexpr std::size_t kHashEntryBytes = 32;

  UserTable* users_;
  Budget* budget_;
  Slab<Room> rooms_;
  Slab<Attendee> attendees_;
  absl::flat_hash_map<std::string_view, std::uint32_t> room_by_name_;  // views of Room::name
  absl::flat_hash_map<std::uint64_t, std::uint32_t> attendee_by_key_;  // (room, user) -> attendee
  std::vector<std::deque<Due>> queues_;                                // one a shard
  std::string channel_;                                                // of the report taken last
  std::string user_;
};

}  // namespace ringcast
