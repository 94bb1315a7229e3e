// Who has news, and whose turn is next: each connection's list of subscriptions that lag, and the queue of connections.
#include "engine/delivery/delivery.hpp"

namespace ringcast {

void Delivery::link_pending(Subscription& subscription, std::uint32_t slot) {
  link_pending(subscription, slot, logs_[subscription.cursor.log]);
}

void Delivery::link_pending(Subscription& subscription, std::uint32_t slot, const ChannelLog& log) {
  Outbox& reader = *subscription.reader;
  if (subscription.cursor.next <= log.high_last) {
    link_high(subscription, slot, reader.pending_high_last);
    return;
  }
  subscription.pending = true;
  subscription.pending_previous = reader.pending_last;
  subscription.pending_next = kNoSlot;
  if (reader.pending_last != kNoSlot) {
    subscriptions_[reader.pending_last].pending_next = slot;
  } else {
    reader.pending_first = slot;
  }
  reader.pending_last = slot;
}

/// Behind the one named, which is the last of those that go first; kNoSlot: before all others.
void Delivery::link_high(Subscription& subscription, std::uint32_t slot, std::uint32_t behind) {
  Outbox& reader = *subscription.reader;
  subscription.pending = true;
  subscription.high = true;
  std::uint32_t& place = behind != kNoSlot ? subscriptions_[behind].pending_next : reader.pending_first;
  subscription.pending_previous = behind;
  subscription.pending_next = place;
  (place != kNoSlot ? subscriptions_[place].pending_previous : reader.pending_last) = slot;
  place = slot;
  if (reader.pending_high_last == behind) reader.pending_high_last = slot;
}

void Delivery::unlink_pending(Subscription& subscription) {
  Outbox& reader = *subscription.reader;
  if (subscription.high) {
    subscription.high = false;
    const bool last = &subscriptions_[reader.pending_high_last] == &subscription;
    if (last) reader.pending_high_last = subscription.pending_previous;
  }
  if (subscription.pending_previous != kNoSlot) {
    subscriptions_[subscription.pending_previous].pending_next = subscription.pending_next;
  } else {
    reader.pending_first = subscription.pending_next;
  }
  if (subscription.pending_next != kNoSlot) {
    subscriptions_[subscription.pending_next].pending_previous = subscription.pending_previous;
  } else {
    reader.pending_last = subscription.pending_previous;
  }
  subscription.pending = false;
  subscription.pending_previous = kNoSlot;
  subscription.pending_next = kNoSlot;
}

void Delivery::yield_to_normal(Outbox& outbox) {
  const std::uint32_t normal = subscriptions_[outbox.pending_high_last].pending_next;
  if (normal == kNoSlot) {
    outbox.high_turns = 0;
  } else if (outbox.high_turns < kHighTurnsMax) {
    ++outbox.high_turns;
  } else {  // the one that has waited longest stands before all others until it has been sent something
    outbox.high_turns = 0;
    Subscription& subscription = subscriptions_[normal];
    unlink_pending(subscription);
    link_high(subscription, normal, kNoSlot);
    stats_->add(CounterId::priority_yields);
  }
}

bool Delivery::lacks_messages(const Outbox& outbox) const {
  for (std::uint32_t slot = outbox.pending_first; slot != kNoSlot; slot = subscriptions_[slot].pending_next) {
    const Subscription& subscription = subscriptions_[slot];
    if (subscription.catching_up) continue;  // it lacks what is old: that holds nobody
    if (logs_[subscription.cursor.log].rule->slow != SlowPolicy::conflate) return true;
  }
  return false;
}

void Delivery::expand_dirty(Expand which, Instant now) {
  expanding_.swap(dirty_);
  for (const std::uint32_t log_slot : expanding_) {
    ChannelLog& log = logs_[log_slot];
    const auto readers = static_cast<std::uint32_t>(log.readers.size());
    if (which == Expand::cheap && turns_ - log.expanded_turn < readers / kExpandShare) {
      dirty_.push_back(log_slot);
      continue;
    }
    log.dirty = false;
    if (readers == 0) continue;
    log.expanded_turn = turns_;
    const std::uint32_t start = log.rotation % readers;
    log.rotation = start + 1;
    for (std::uint32_t i = 0; i < readers; ++i) {
      const std::uint32_t index = start + i < readers ? start + i : start + i - readers;
      const std::uint32_t slot = log.readers[index];
      Subscription& subscription = subscriptions_[slot];
      if (!subscription.answered || subscription.catching_up) continue;
      if (subscription.pending) {
        if (subscription.cursor.next > log.high_last || subscription.high) continue;
        unlink_pending(subscription);  // it waits already, and what has come goes first
        link_pending(subscription, slot);
        continue;
      }
      if (subscription.cursor.next >= log.log.next()) continue;
      if (subscription.rated && waits_for_interval(subscription, now)) continue;
      link_pending(subscription, slot, log);
      enqueue(*subscription.reader, now);
    }
  }
  expanding_.clear();
}

void Delivery::enqueue(Outbox& outbox, Instant now) {
  if (outbox.queued || outbox.blocked || outbox.failed || !outbox.has_news()) return;
  if (outbox.has_remainder() && outbox.unsent->rest_in_flight) return;
  outbox.queued = true;
  outbox.news_at = now;
  outbox.turn_next = nullptr;
  if (turn_last_ != nullptr) {
    turn_last_->turn_next = &outbox;
  } else {
    turn_first_ = &outbox;
  }
  turn_last_ = &outbox;
  ++turn_size_;
}

Outbox* Delivery::take_turn() {
  Outbox* outbox = turn_first_;
  if (outbox == nullptr) return nullptr;
  turn_first_ = outbox->turn_next;
  if (turn_first_ == nullptr) turn_last_ = nullptr;
  outbox->turn_next = nullptr;
  outbox->queued = false;
  --turn_size_;
  ++turns_;
  return outbox;
}

void Delivery::forget(Outbox& outbox) {
  if (!outbox.queued) return;
  Outbox* before = nullptr;
  for (Outbox* at = turn_first_; at != &outbox; at = at->turn_next) before = at;
  (before != nullptr ? before->turn_next : turn_first_) = outbox.turn_next;
  if (turn_last_ == &outbox) turn_last_ = before;
  outbox.turn_next = nullptr;
  outbox.queued = false;
  --turn_size_;
}

}  // namespace ringcast
