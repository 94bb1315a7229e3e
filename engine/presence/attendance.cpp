#include "engine/presence/attendance.hpp"

#include <algorithm>

#include "alloc/base/ensure.hpp"

namespace ringcast {

Attendance::Attendance(std::uint32_t shards, UserTable& users, Budget& budget)
    : users_{&users},
      budget_{&budget},
      rooms_{Handle::kNone - 1, &budget, Purpose::users},
      attendees_{Handle::kNone - 1, &budget, Purpose::users},
      queues_(shards) {}

Attendance::~Attendance() {
  rooms_.for_each([this](std::uint32_t, Room& room) { budget_->release(Purpose::users, bytes_of(room)); });
  budget_->release(Purpose::users, attendees_.size() * kHashEntryBytes);
}

std::uint32_t Attendance::enter_room(std::string_view channel, ShardIndex home) {
  const auto known = room_by_name_.find(channel);
  if (known != room_by_name_.end()) return known->second;
  const Handle handle = rooms_.create();
  ensure(handle.valid(), "there are as many slots for rooms as there can be subscriptions");
  Room& room = rooms_[handle.slot];
  room.name = channel;
  room.home = home;
  room_by_name_.emplace(room.name, handle.slot);
  budget_->charge(Purpose::users, bytes_of(room));
  return handle.slot;
}

void Attendance::leave_room_if_empty(std::uint32_t slot) {
  Room& room = rooms_[slot];
  if (room.attendees != 0 || room.anonymous != 0 || room.anonymous_told != 0 || room.queued) return;
  budget_->release(Purpose::users, bytes_of(room));
  room_by_name_.erase(std::string_view{room.name});
  rooms_.destroy(rooms_.handle_of(slot));
}

void Attendance::came(std::string_view channel, ShardIndex home, std::uint32_t user) {
  const std::uint32_t room_slot = enter_room(channel, home);
  Room& room = rooms_[room_slot];
  if (user == kNoSlot) {
    ++room.anonymous;
    if (!room.queued) {
      room.queued = true;
      queues_[value(home)].push_back({Due::What::room, rooms_.handle_of(room_slot)});
    }
    return;
  }
  const auto [at, is_new] = attendee_by_key_.try_emplace(key_of(room_slot, user), kNoSlot);
  if (is_new) {
    const Handle handle = attendees_.create();
    ensure(handle.valid(), "there are as many slots for attendees as there can be subscriptions");
    at->second = handle.slot;
    Attendee& made = attendees_[handle.slot];
    made.room = room_slot;
    made.user = user;
    ++room.attendees;
    ++(*users_)[user].attends;
    budget_->charge(Purpose::users, kHashEntryBytes);
  }
  Attendee& attendee = attendees_[at->second];
  if (++attendee.subscriptions != 1 || attendee.queued) return;
  attendee.queued = true;
  queues_[value(home)].push_back({Due::What::attendee, attendees_.handle_of(at->second)});
}

void Attendance::went(std::string_view channel, std::uint32_t user) {
  const auto room_at = room_by_name_.find(channel);
  ensure(room_at != room_by_name_.end(), "who leaves a room has entered it");
  Room& room = rooms_[room_at->second];
  if (user == kNoSlot) {
    ensure(room.anonymous != 0, "who leaves a room has entered it");
    --room.anonymous;
    if (!room.queued) {
      room.queued = true;
      queues_[value(room.home)].push_back({Due::What::room, rooms_.handle_of(room_at->second)});
    }
    return;
  }
  const auto at = attendee_by_key_.find(key_of(room_at->second, user));
  ensure(at != attendee_by_key_.end(), "who leaves a room has entered it");
  Attendee& attendee = attendees_[at->second];
  ensure(attendee.subscriptions != 0, "who leaves a room has entered it");
  if (--attendee.subscriptions != 0 || attendee.queued) return;
  attendee.queued = true;
  queues_[value(room.home)].push_back({Due::What::attendee, attendees_.handle_of(at->second)});
}

void Attendance::connections_changed(std::uint32_t slot, ShardIndex directory) {
  User& user = (*users_)[slot];
  if (user.queued) return;
  user.queued = true;
  queues_[value(directory)].push_back({Due::What::user, users_->handle_of(slot)});
}

void Attendance::forget(std::uint32_t slot) {
  const Attendee gone = attendees_[slot];
  attendee_by_key_.erase(key_of(gone.room, gone.user));
  attendees_.destroy(attendees_.handle_of(slot));
  budget_->release(Purpose::users, kHashEntryBytes);
  --rooms_[gone.room].attendees;
  leave_room_if_empty(gone.room);
  --(*users_)[gone.user].attends;
  users_->release_if_unused(gone.user);
}

bool Attendance::take(ShardIndex to, Report& report) {
  std::deque<Due>& queue = queues_[value(to)];
  while (!queue.empty()) {
    const Due due = queue.front();
    queue.pop_front();
    bool changed = false;
    switch (due.what) {
      case Due::What::attendee: changed = take_attendee(due.handle, report); break;
      case Due::What::room: changed = take_room(due.handle, report); break;
      case Due::What::user: changed = take_user(due.handle, report); break;
    }
    if (changed) return true;
  }
  return false;
}

bool Attendance::take_attendee(Handle handle, Report& report) {
  Attendee& attendee = attendees_[handle.slot];
  attendee.queued = false;
  const bool here = attendee.subscriptions != 0;
  const bool changed = here != attendee.told;
  attendee.told = here;
  if (changed) {
    channel_ = rooms_[attendee.room].name;
    user_ = (*users_)[attendee.user].id;
    report = {.kind = here ? Report::Kind::came : Report::Kind::went, .channel = channel_, .user = user_};
  }
  if (!here) forget(handle.slot);
  return changed;
}

bool Attendance::take_room(Handle handle, Report& report) {
  Room& room = rooms_[handle.slot];
  room.queued = false;
  const auto change = static_cast<std::int32_t>(room.anonymous - room.anonymous_told);
  room.anonymous_told = room.anonymous;
  if (change != 0) {
    channel_ = room.name;
    report = {.kind = Report::Kind::anonymous, .change = change, .channel = channel_, .user = {}};
  }
  leave_room_if_empty(handle.slot);
  return change != 0;
}

bool Attendance::take_user(Handle handle, Report& report) {
  User& user = (*users_)[handle.slot];
  user.queued = false;
  const auto now = static_cast<std::uint32_t>(user.connections.size());
  const auto change = static_cast<std::int32_t>(now - user.told);
  user.told = now;
  if (change != 0) {
    user_ = user.id;
    report = {.kind = Report::Kind::connections, .here = now != 0, .change = change, .channel = {}, .user = user_};
  }
  users_->release_if_unused(handle.slot);
  return change != 0;
}

void Attendance::release_unused() {
  if (rooms_.size() < rooms_.slot_end() / 4) rooms_.release_unused();
  if (attendees_.size() < attendees_.slot_end() / 4) {
    attendees_.release_unused();
    attendee_by_key_.rehash(0);
    room_by_name_.rehash(0);
  }
}

void Attendance::validate() const {
  auto& self = const_cast<Attendance&>(*this);
  std::size_t queued = 0;
  self.rooms_.for_each([&](std::uint32_t slot, Room& room) {
    const auto at = room_by_name_.find(room.name);
    ensure(at != room_by_name_.end() && at->second == slot, "a room is found by its name");
    ensure(room.anonymous == room.anonymous_told || room.queued, "a home is told of every change");
    queued += room.queued ? 1U : 0U;
  });
  self.attendees_.for_each([&](std::uint32_t slot, Attendee& one) {
    const auto at = attendee_by_key_.find(key_of(one.room, one.user));
    ensure(at != attendee_by_key_.end() && at->second == slot, "an attendee is found by its room and user");
    ensure((one.subscriptions != 0) == one.told || one.queued, "a home is told of every change");
    queued += one.queued ? 1U : 0U;
  });
  ensure(rooms_.size() == room_by_name_.size() && attendees_.size() == attendee_by_key_.size(),
         "the indexes hold nothing else");
  std::size_t users_due = 0;
  std::size_t others_due = 0;
  for (const std::deque<Due>& queue : queues_) {
    for (const Due& due : queue) ++(due.what == Due::What::user ? users_due : others_due);
  }
  ensure(others_due == queued && users_due <= users_->size(), "what has changed stands in a queue once");
}

}  // namespace ringcast
