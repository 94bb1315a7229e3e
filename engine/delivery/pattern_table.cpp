#include "engine/delivery/pattern_table.hpp"

#include <algorithm>

#include "alloc/base/ensure.hpp"
#include "alloc/memory/give_back.hpp"
#include "engine/limits.hpp"

namespace ringcast {

PatternTable::PatternTable(std::uint32_t shards, std::uint32_t subscriptions_max, Budget& budget, ShardStats& stats)
    : shards_{shards},
      patterns_{kPatternsPerShardMax, &budget, Purpose::subscriptions},
      subscriptions_{subscriptions_max, &budget, Purpose::subscriptions},
      stats_{&stats} {}

// ---- who wants what ----

Handle PatternTable::subscribe(Outbox& reader, const Pattern& pattern) {
  std::uint32_t slot = find_of(reader, pattern.text());
  if (slot == kNoSlot) {
    const Handle handle = subscriptions_.create();
    if (!handle.valid()) return {};
    auto known = by_text_.find(pattern.text());
    if (known == by_text_.end()) {
      const Handle watched = patterns_.create(pattern, shards_);
      if (!watched.valid()) {
        subscriptions_.destroy(handle);
        return {};
      }
      known = by_text_.emplace(patterns_[watched.slot].pattern.text(), watched.slot).first;
    }
    slot = handle.slot;
    OfReader& others = by_reader_[reader.connection.slot];
    PatternSubscription& subscription = subscriptions_[slot];
    subscription.reader = &reader;
    subscription.pattern = known->second;
    subscription.of_reader_next = others.first;
    others.first = slot;
    ++others.count;
    ++patterns_[known->second].subscriptions;
    stats_->add(CounterId::patterns);
  }
  PatternSubscription& subscription = subscriptions_[slot];
  WatchedPattern& watched = patterns_[subscription.pattern];
  if (std::ranges::find(watched.binding, slot) == watched.binding.end()) watched.binding.push_back(slot);
  subscription.phase = PatternSubscription::Phase::waiting;
  subscription.awaited = true;
  subscription.answer_due = true;
  subscription.stopped = false;
  subscription.stop_told = false;
  ++watched.waiting;
  if (watched.answers == 0) begin_round(subscription.pattern);
  return subscriptions_.handle_of(slot);
}

void PatternTable::end(std::uint32_t slot) {
  PatternSubscription& subscription = subscriptions_[slot];
  WatchedPattern& watched = patterns_[subscription.pattern];
  if (subscription.phase == PatternSubscription::Phase::waiting) --watched.waiting;
  stop_binding(slot);
  if (--watched.subscriptions == 0) make_due(subscription.pattern);

  const auto others = by_reader_.find(subscription.reader->connection.slot);
  std::uint32_t* link = &others->second.first;
  while (*link != slot) link = &subscriptions_[*link].of_reader_next;
  *link = subscription.of_reader_next;
  if (--others->second.count == 0) by_reader_.erase(others);
  subscriptions_.destroy(subscriptions_.handle_of(slot));
  stats_->sub(CounterId::patterns);
}

std::uint32_t PatternTable::find_of(const Outbox& reader, std::string_view pattern) const {
  std::uint32_t slot = first_of(reader);
  while (slot != kNoSlot && pattern_of(subscriptions_[slot]).text() != pattern) {
    slot = subscriptions_[slot].of_reader_next;
  }
  return slot;
}

std::uint32_t PatternTable::first_of(const Outbox& reader) const {
  const auto at = by_reader_.find(reader.connection.slot);
  return at == by_reader_.end() ? kNoSlot : at->second.first;
}

std::uint32_t PatternTable::count_of(const Outbox& reader) const {
  const auto at = by_reader_.find(reader.connection.slot);
  return at == by_reader_.end() ? 0 : at->second.count;
}

std::uint32_t PatternTable::match(const Outbox& reader, std::string_view channel) const {
  std::uint32_t found = kNoSlot;
  for (std::uint32_t slot = first_of(reader); slot != kNoSlot; slot = subscriptions_[slot].of_reader_next) {
    if (!pattern_of(subscriptions_[slot]).matches(channel)) continue;
    found = slot;
    if (subscriptions_[slot].answered) break;
  }
  return found;
}

// ---- what the homes are asked ----

void PatternTable::make_due(std::uint32_t slot) {
  has_due_ = true;
  WatchedPattern& watched = patterns_[slot];
  if (watched.unsettled) return;
  watched.unsettled = true;
  unsettled_.push_back(slot);
}

void PatternTable::begin_round(std::uint32_t slot) {
  WatchedPattern& watched = patterns_[slot];
  for (const std::uint32_t one : watched.binding) {
    PatternSubscription& subscription = subscriptions_[one];
    if (subscription.phase != PatternSubscription::Phase::waiting) continue;
    subscription.phase = PatternSubscription::Phase::looking;
    watched.looking.push_back(one);
  }
  watched.waiting = 0;
  watched.answers = shards_;
  watched.unasked = ~std::uint64_t{0} >> (64 - shards_);
  make_due(slot);
}

void PatternTable::answer_came(std::uint32_t slot) {
  WatchedPattern& watched = patterns_[slot];
  ensure(watched.answers != 0, "a home answers once a round");
  if (--watched.answers != 0) return;
  for (const std::uint32_t one : std::exchange(watched.looking, {})) {
    PatternSubscription& subscription = subscriptions_[one];
    subscription.phase = PatternSubscription::Phase::bound;
    give_back(subscription.resumes);
    check_ready(one);
  }
  if (watched.waiting != 0) {
    begin_round(slot);
  } else if (watched.subscriptions == 0) {
    make_due(slot);
  }
}

void PatternTable::left(Handle pattern, ShardIndex home) {
  WatchedPattern* watched = patterns_.find(pattern);
  ensure(watched != nullptr && watched->homes[value(home)] == WatchedPattern::Home::leaving,
         "a home lets go of what was given up");
  watched->homes[value(home)] = WatchedPattern::Home::away;
  make_due(pattern.slot);
}

void PatternTable::forget(std::uint32_t slot) {
  by_text_.erase(patterns_[slot].pattern.text());
  patterns_.destroy(patterns_.handle_of(slot));
}

// ---- what is to be bound ----

std::uint32_t PatternTable::next_concerned() {
  const Announcement& announcement = announcements_.front();
  WatchedPattern* watched = patterns_.find(announcement.pattern);
  if (watched == nullptr || announcement.kind == Announcement::Kind::looked) return kNoSlot;
  const auto& concerned = concerned_by(*watched, announcement.kind);
  return concerned_ < concerned.size() ? concerned[concerned_++] : kNoSlot;
}

ShardIndex PatternTable::done() {
  const Announcement announcement = std::move(announcements_.front());
  announcements_.pop_front();
  concerned_ = 0;
  if (announcement.kind == Announcement::Kind::looked) {
    WatchedPattern* watched = patterns_.find(announcement.pattern);
    ensure(watched != nullptr, "a pattern stays while a home was asked");
    watched->homes[value(announcement.home)] = WatchedPattern::Home::watching;
    answer_came(announcement.pattern.slot);
  }
  return announcement.home;
}

/// Out of a list, in order: the announcement that is under way has been shown to those before `concerned_`.
void PatternTable::remove(WatchedPattern& watched, Announcement::Kind kind, std::uint32_t slot) {
  std::vector<std::uint32_t>& list = concerned_by(watched, kind);
  const auto at = std::ranges::find(list, slot);
  if (at == list.end()) return;
  const bool shown = !announcements_.empty() && announcements_.front().kind == kind &&
                     patterns_.find(announcements_.front().pattern) == &watched &&
                     static_cast<std::size_t>(at - list.begin()) < concerned_;
  list.erase(at);
  if (shown) --concerned_;
}

void PatternTable::stop_binding(std::uint32_t slot) {
  WatchedPattern& watched = patterns_[subscriptions_[slot].pattern];
  remove(watched, Announcement::Kind::exists, slot);
  remove(watched, Announcement::Kind::begins, slot);
}

// ---- what is to be said ----

void PatternTable::bound(std::uint32_t slot, const BoundChannel& channel) {
  subscriptions_[slot].untold.push_back(channel);
  list(slot);
}

void PatternTable::let_go(std::uint32_t slot, std::string_view channel) {
  subscriptions_[slot].ended.emplace_back(channel);
  list(slot);
}

void PatternTable::stop(std::uint32_t slot, ErrorCode code) {
  PatternSubscription& subscription = subscriptions_[slot];
  ensure(!subscription.stopped, "what was stopped binds nothing");
  if (subscription.phase == PatternSubscription::Phase::waiting) --patterns_[subscription.pattern].waiting;
  stop_binding(slot);
  subscription.phase = PatternSubscription::Phase::bound;
  give_back(subscription.resumes);
  subscription.stopped = true;
  subscription.stopped_by = code;
  check_ready(slot);
  list(slot);
}

void PatternTable::joined(std::uint32_t slot) {
  PatternSubscription& subscription = subscriptions_[slot];
  ensure(subscription.joins != 0, "a join ends once");
  --subscription.joins;
  check_ready(slot);
}

void PatternTable::answered(std::uint32_t slot) {
  subscriptions_[slot].answered = true;
  subscriptions_[slot].answer_due = false;
  list(slot);
}

void PatternTable::check_ready(std::uint32_t slot) {
  PatternSubscription& subscription = subscriptions_[slot];
  if (!subscription.awaited || subscription.phase != PatternSubscription::Phase::bound || subscription.joins != 0)
    return;
  subscription.awaited = false;
  ready.push_back(subscriptions_.handle_of(slot));
}

void PatternTable::list(std::uint32_t slot) {
  PatternSubscription& subscription = subscriptions_[slot];
  const bool has_result = !subscription.untold.empty() || (subscription.stopped && !subscription.stop_told);
  const bool has_news = !subscription.ended.empty() || (has_result && !subscription.answer_due);
  if (subscription.listed || !subscription.answered || !has_news) return;
  subscription.listed = true;
  to_tell.push_back(subscriptions_.handle_of(slot));
}

void PatternTable::validate() const {
  auto& self = const_cast<PatternTable&>(*this);
  std::size_t counted = 0;
  self.patterns_.for_each([&](std::uint32_t slot, WatchedPattern& watched) {
    counted += watched.subscriptions;
    ensure(by_text_.at(watched.pattern.text()) == slot, "a pattern is found by its text");
    ensure(watched.binding.size() <= watched.subscriptions, "only subscribers bind");
    ensure(watched.looking.size() + watched.waiting <= watched.binding.size(), "who waits or looks will bind");
    ensure(watched.waiting == 0 || watched.answers != 0, "nobody waits for a round that does not come");
    ensure(watched.subscriptions != 0 || watched.answers != 0 || watched.unsettled ||
               std::ranges::any_of(watched.homes, [](auto home) { return home == WatchedPattern::Home::leaving; }),
           "a pattern that nobody wants is being given up");
    for (const std::uint32_t one : watched.looking) {
      ensure(subscriptions_[one].phase == PatternSubscription::Phase::looking, "a round knows whom it is for");
    }
  });
  std::size_t linked = 0;
  for (const auto& [connection, of_reader] : by_reader_) {
    std::uint32_t slot = of_reader.first;
    for (std::uint32_t i = 0; i < of_reader.count; ++i) {
      ensure(subscriptions_[slot].reader->connection.slot == connection, "a connection's patterns are its own");
      slot = subscriptions_[slot].of_reader_next;
      ++linked;
    }
    ensure(slot == kNoSlot, "a connection's patterns are as many as counted");
  }
  ensure(linked == subscriptions_.size() && counted == linked, "every subscription to a pattern is linked");
}

}  // namespace ringcast
