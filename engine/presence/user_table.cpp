#include "engine/presence/user_table.hpp"

#include "alloc/base/ensure.hpp"

namespace ringcast {

UserTable::~UserTable() {
  users_.for_each([this](std::uint32_t, User& user) { budget_->release(Purpose::users, bytes_of(user)); });
}

User* UserTable::find(std::string_view id) {
  const auto at = by_id_.find(id);
  return at == by_id_.end() ? nullptr : &users_[at->second];
}

User& UserTable::enter(Outbox& connection, std::string_view id) {
  ensure(connection.user == kNoSlot, "a connection has one user at a time");
  const auto known = by_id_.find(id);
  std::uint32_t slot = known == by_id_.end() ? kNoSlot : known->second;
  if (slot == kNoSlot) {
    const Handle handle = users_.create();
    ensure(handle.valid(), "there are as many slots for users as there can be connections");
    slot = handle.slot;
    User& made = users_[slot];
    made.id = id;
    by_id_.emplace(made.id, slot);
    budget_->charge(Purpose::users, bytes_of(made));
  }
  User& user = users_[slot];
  connection.user = slot;
  connection.user_index = static_cast<std::uint32_t>(user.connections.size());
  user.connections.push_back(&connection);
  budget_->charge(Purpose::users, sizeof(Outbox*));
  return user;
}

void UserTable::leave(Outbox& connection) {
  User& user = users_[connection.user];
  Outbox* last = user.connections.back();
  user.connections[connection.user_index] = last;
  last->user_index = connection.user_index;
  user.connections.pop_back();
  budget_->release(Purpose::users, sizeof(Outbox*));
  connection.user = kNoSlot;
  connection.user_index = 0;
}

void UserTable::release_if_unused(std::uint32_t slot) {
  User& user = users_[slot];
  if (!user.connections.empty() || user.attends != 0 || user.told != 0 || user.queued) return;
  budget_->release(Purpose::users, bytes_of(user));
  by_id_.erase(std::string_view{user.id});
  users_.destroy(users_.handle_of(slot));
}

void UserTable::release_unused() {
  if (users_.size() >= users_.slot_end() / 4) return;
  users_.release_unused();
  by_id_.rehash(0);
}

void UserTable::validate() const {
  auto& self = const_cast<UserTable&>(*this);
  ensure(by_id_.size() == users_.size(), "every user is found by its id");
  self.users_.for_each([&](std::uint32_t slot, User& user) {
    ensure(self.find(user.id) == &user, "a user is found by its id");
    for (std::uint32_t i = 0; i < user.connections.size(); ++i) {
      const Outbox& connection = *user.connections[i];
      ensure(connection.user == slot && connection.user_index == i, "a user and its connections know each other");
    }
    const auto now = static_cast<std::uint32_t>(user.connections.size());
    ensure(user.told == now || user.queued, "a directory is told of every change");
  });
}

}  // namespace ringcast
