#include "engine/presence/roster.hpp"

#include <algorithm>
#include <utility>

#include "alloc/base/ensure.hpp"

namespace ringcast {

Rosters::Rosters(std::uint32_t shards, std::uint32_t members_max, Budget& budget, ShardStats& stats, Now now)
    : wheel_{now.mono, kTimerTick},
      members_max_{members_max},
      members_{2 * members_max, &budget, Purpose::users},
      rosters_{Handle::kNone - 1, &budget, Purpose::users},
      queues_(shards),
      budget_{&budget},
      stats_{&stats} {}

Rosters::~Rosters() {
  members_.for_each([this](std::uint32_t, Member& member) {
    wheel_.cancel(member.grace);
    budget_->release(Purpose::users, bytes_of(member));
  });
  rosters_.for_each([this](std::uint32_t, Roster& roster) { budget_->release(Purpose::users, bytes_of(roster)); });
}

Rosters::Roster& Rosters::roster_of(std::string_view channel, std::uint32_t& slot) {
  const auto known = by_name_.find(channel);
  if (known != by_name_.end()) {
    slot = known->second;
    return rosters_[slot];
  }
  const Handle handle = rosters_.create();
  ensure(handle.valid(), "there are as many slots for rosters as there can be subscriptions");
  slot = handle.slot;
  Roster& roster = rosters_[slot];
  roster.name = channel;
  by_name_.emplace(roster.name, slot);
  budget_->charge(Purpose::users, bytes_of(roster));
  return roster;
}

void Rosters::forget_if_empty(std::uint32_t slot) {
  Roster& roster = rosters_[slot];
  if (!roster.members.empty() || roster.unlisted != 0 || roster.anonymous != 0) return;
  budget_->release(Purpose::users, bytes_of(roster));
  by_name_.erase(std::string_view{roster.name});
  rosters_.destroy(rosters_.handle_of(slot));
}

// ---- who comes and goes ----

void Rosters::apply(ShardIndex from, const Report& report, nanoseconds grace, Now now) {
  std::uint32_t slot = 0;
  Roster& roster = roster_of(report.channel, slot);
  switch (report.kind) {
    case Report::Kind::came: came(slot, from, report.user, now); break;
    case Report::Kind::went: went(slot, from, report.user, grace, now); break;
    case Report::Kind::anonymous:
      roster.anonymous += report.change;
      ensure(roster.anonymous >= 0, "nobody leaves who did not come");
      break;
    case Report::Kind::connections: ensure(false, "a user's connections are its directory's");
  }
  forget_if_empty(slot);
}

void Rosters::came(std::uint32_t roster_slot, ShardIndex from, std::string_view user, Now now) {
  Roster& roster = rosters_[roster_slot];
  const auto known = roster.members.find(user);
  std::uint32_t slot = known == roster.members.end() ? Handle::kNone : known->second;
  const bool listed = slot != Handle::kNone && members_[slot].present;
  if (!listed && !make_room()) {
    ++roster.unlisted;
    stats_->add(CounterId::presence_unlisted);
    if (!std::exchange(full_, true)) {
      stats_->event(EventCode::presence_limit, now, listed_, members_max_, roster.name);
    }
    return;
  }
  if (slot == Handle::kNone) {
    const Handle handle = members_.create();
    if (!handle.valid()) {  // too many who left are not yet told of
      ++roster.unlisted;
      stats_->add(CounterId::presence_unlisted);
      return;
    }
    slot = handle.slot;
    Member& made = members_[slot];
    made.user = user;
    made.roster = roster_slot;
    made.grace.tag = slot;
    roster.members.emplace(made.user, slot);
    budget_->charge(Purpose::users, bytes_of(made));
  }
  Member& member = members_[slot];
  ensure((member.shards & bit(from)) == 0, "a shard says once that a user came");
  member.shards |= bit(from);
  if (wheel_.cancel(member.grace)) unlink_leaving(slot);
  if (!member.present) set_present(slot, true);
}

void Rosters::went(std::uint32_t roster_slot, ShardIndex from, std::string_view user, nanoseconds grace, Now now) {
  Roster& roster = rosters_[roster_slot];
  const auto at = roster.members.find(user);
  if (at == roster.members.end() || (members_[at->second].shards & bit(from)) == 0) {
    ensure(roster.unlisted != 0, "who went was listed or counted");
    --roster.unlisted;
    return;
  }
  const std::uint32_t slot = at->second;
  Member& member = members_[slot];
  member.shards &= ~bit(from);
  if (member.shards != 0) return;
  if (grace.count() == 0) {
    leave(slot);
    return;
  }
  wheel_.arm(member.grace, now.mono + grace);
  link_leaving(slot);
}

/// Room for one more: the one that has waited longest for its return makes it, if there is no other.
bool Rosters::make_room() {
  if (listed_ < members_max_) return true;
  if (leaving_first_ == Handle::kNone) return false;
  const std::uint32_t slot = leaving_first_;
  wheel_.cancel(members_[slot].grace);
  unlink_leaving(slot);
  stats_->add(CounterId::presence_graces_cut);
  leave(slot);
  return true;
}

void Rosters::set_present(std::uint32_t slot, bool present) {
  Member& member = members_[slot];
  Roster& roster = rosters_[member.roster];
  member.present = present;
  if (present) {
    ++roster.present;
    ++listed_;
    stats_->add(CounterId::presence_users);
  } else {
    --roster.present;
    --listed_;
    stats_->sub(CounterId::presence_users);
    if (listed_ < members_max_) full_ = false;
  }
  if (member.changed) return;
  member.changed = true;
  changed_.push_back(slot);
}

/// It has no connection to the channel any more, and its time is over.
void Rosters::leave(std::uint32_t slot) { set_present(slot, false); }

void Rosters::expire(Now now) {
  wheel_.expire(now.mono, [&](TimerEntry& entry) {
    const auto slot = static_cast<std::uint32_t>(entry.tag);
    unlink_leaving(slot);
    leave(slot);
  });
}

void Rosters::link_leaving(std::uint32_t slot) {
  Member& member = members_[slot];
  member.leaving_previous = leaving_last_;
  member.leaving_next = Handle::kNone;
  if (leaving_last_ != Handle::kNone) {
    members_[leaving_last_].leaving_next = slot;
  } else {
    leaving_first_ = slot;
  }
  leaving_last_ = slot;
}

void Rosters::unlink_leaving(std::uint32_t slot) {
  Member& member = members_[slot];
  if (member.leaving_previous != Handle::kNone) {
    members_[member.leaving_previous].leaving_next = member.leaving_next;
  } else {
    leaving_first_ = member.leaving_next;
  }
  if (member.leaving_next != Handle::kNone) {
    members_[member.leaving_next].leaving_previous = member.leaving_previous;
  } else {
    leaving_last_ = member.leaving_previous;
  }
  member.leaving_previous = Handle::kNone;
  member.leaving_next = Handle::kNone;
}

// ---- who is to be told ----

void Rosters::spread(std::uint32_t slot, std::uint64_t shards) {
  Member& member = members_[slot];
  member.changed = false;
  if (member.present != member.announced) {
    member.announced = member.present;
    stats_->add(member.present ? CounterId::presence_joined : CounterId::presence_left);
    member.owed ^= shards;  // who has not been told the last change yet need not be told either
    for (std::uint64_t due = member.owed & shards & ~member.queued; due != 0; due &= due - 1) {
      queues_[static_cast<std::size_t>(std::countr_zero(due))].push_back(slot);
    }
    member.queued |= member.owed & shards;
  }
  forget_if_done(slot);
}

std::optional<UserNotice> Rosters::next_notice(ShardIndex to) {
  std::deque<std::uint32_t>& queue = queues_[value(to)];
  while (!queue.empty()) {
    const std::uint32_t slot = queue.front();
    Member& member = members_[slot];
    if ((member.owed & bit(to)) != 0) {
      return UserNotice{.channel = rosters_[member.roster].name, .user = member.user, .joined = member.announced};
    }
    queue.pop_front();
    member.queued &= ~bit(to);
    stats_->add(CounterId::notices_superseded);
    forget_if_done(slot);
  }
  return std::nullopt;
}

void Rosters::notice_told(ShardIndex to) {
  std::deque<std::uint32_t>& queue = queues_[value(to)];
  const std::uint32_t slot = queue.front();
  queue.pop_front();
  Member& member = members_[slot];
  member.owed &= ~bit(to);
  member.queued &= ~bit(to);
  forget_if_done(slot);
}

void Rosters::forget_if_done(std::uint32_t slot) {
  Member& member = members_[slot];
  if (member.present || member.changed || member.queued != 0) return;
  ensure(member.shards == 0 && !member.grace.armed(), "who is somewhere is present");
  const std::uint32_t roster = member.roster;
  rosters_[roster].members.erase(std::string_view{member.user});
  budget_->release(Purpose::users, bytes_of(member));
  members_.destroy(members_.handle_of(slot));
  forget_if_empty(roster);
}

// ---- questions ----

void Rosters::answer(const Question& question, Answer& answer) const {
  const auto known = by_name_.find(question.subject);
  if (known == by_name_.end()) return;
  const Roster& roster = rosters_[known->second];
  answer.users = roster.present;
  answer.anonymous = static_cast<std::uint64_t>(roster.anonymous);
  answer.unlisted = roster.unlisted;
  Page page{question.after, question.limit};
  for (auto at = roster.members.upper_bound(question.after); at != roster.members.end() && !page.more(); ++at) {
    if (members_[at->second].present) page.offer(at->first);
  }
  answer.more = page.more();
  answer.names = page.take();
}

// ---- upkeep ----

void Rosters::release_unused() {
  if (rosters_.size() < rosters_.slot_end() / 4) {
    rosters_.release_unused();
    by_name_.rehash(0);
  }
  if (members_.size() < members_.slot_end() / 4) members_.release_unused();
}

void Rosters::validate() const {
  auto& self = const_cast<Rosters&>(*this);
  std::uint32_t members = 0;
  std::uint32_t present = 0;
  self.rosters_.for_each([&](std::uint32_t slot, Roster& roster) {
    const auto at = by_name_.find(roster.name);
    ensure(at != by_name_.end() && at->second == slot, "a roster is found by its name");
    std::uint32_t here = 0;
    for (const auto& [user, member_slot] : roster.members) {
      const Member& member = members_[member_slot];
      ensure(member.user == user && member.roster == slot, "a roster and its members know each other");
      ++members;
      here += member.present ? 1U : 0U;
    }
    ensure(here == roster.present, "a roster knows how many are present");
    present += here;
  });
  ensure(members == members_.size() && present == listed_, "every member is of one roster");
  std::uint64_t queued = 0;
  std::uint64_t changed = 0;
  std::uint32_t leaving = 0;
  self.members_.for_each([&](std::uint32_t, Member& member) {
    ensure((member.owed & ~member.queued) == 0, "who is owed a notice stands in the queue for it");
    ensure(member.present == (member.shards != 0 || member.grace.armed()), "who is somewhere is present");
    ensure(member.present == member.announced || member.changed, "a change is never forgotten");
    queued += static_cast<std::uint64_t>(std::popcount(member.queued));
    changed += member.changed ? 1U : 0U;
    leaving += member.grace.armed() ? 1U : 0U;
  });
  std::uint64_t standing = 0;
  for (const auto& queue : queues_) standing += queue.size();
  ensure(standing == queued && changed == changed_.size(), "the queues hold nothing else");
  for (std::uint32_t slot = leaving_first_; slot != Handle::kNone; slot = members_[slot].leaving_next) --leaving;
  ensure(leaving == 0, "who only has a grace time stands in its list");
  ensure(wheel_.validate(), "every grace time lies where it must");
}

}  // namespace ringcast
