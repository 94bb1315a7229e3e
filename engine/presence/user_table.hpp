// engine/presence/user_table.hpp: the users that have a connection on this shard, each named once.
//
// Owner    Presence, by value.  Thread  the shard's.
// Memory   about 150 bytes and the id for each user, 8 bytes a connection, charged to Purpose::users; bounded by the
//          connections of the shard and by what their homes have yet to be told.
// Failure  none: a user is as good as its connection.
// Not here who a connection's user is (session), where else the user is (directory).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "alloc/base/identifiers.hpp"
#include "alloc/memory/slab.hpp"
#include "engine/delivery/outbox.hpp"

namespace ringcast {

struct User {
  std::string id;
  std::vector<Outbox*> connections;  // on this shard; each knows its index here
  std::uint32_t attends = 0;         // rooms of this shard that name it (attendance.hpp)
  std::uint32_t told = 0;            // how many connections its directory was told of
  bool queued = false;               // its directory is to be told something
};

class UserTable {
 public:
  explicit UserTable(Budget& budget) : users_{Handle::kNone - 1, &budget, Purpose::users}, budget_{&budget} {}
  ~UserTable();
  UserTable(const UserTable&) = delete;
  UserTable& operator=(const UserTable&) = delete;

  /// The connection is this user's from now on; it must be nobody's.
  User& enter(Outbox& connection, std::string_view id);
  /// It is nobody's any more; its user stays until release_if_unused().
  void leave(Outbox& connection);
  /// Forgets a user that has no connection here and that nobody is to be told about.
  void release_if_unused(std::uint32_t slot);

  [[nodiscard]] User& operator[](std::uint32_t slot) { return users_[slot]; }
  [[nodiscard]] const User& operator[](std::uint32_t slot) const { return users_[slot]; }
  [[nodiscard]] User* find(std::string_view id);
  [[nodiscard]] Handle handle_of(std::uint32_t slot) const { return users_.handle_of(slot); }
  [[nodiscard]] User* find(Handle handle) { return users_.find(handle); }
  [[nodiscard]] std::uint32_t size() const { return users_.size(); }
  /// Gives back what is held for users that are gone.
  void release_unused();
  void validate() const;

 private:
  [[nodiscard]] static std::size_t bytes_of(const User& user) { return user.id.size() + kHashEntryBytes; }
  static constexpr std::size_t kHashEntryBytes = 32;  // of the index: a view, a slot, and the table's slack

  Slab<User> users_;
  absl::flat_hash_map<std::string_view, std::uint32_t> by_id_;  // views of User::id, which does not move
  Budget* budget_;
};

}  // namespace ringcast
