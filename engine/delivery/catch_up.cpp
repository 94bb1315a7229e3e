// Catching up: a reader that is sent from history until its log holds what it wants (design.md, "Joining and
// resuming").
//
// Such a subscription is a reader of its log like any other, so that the ledger counts what it is owed; only the bytes
// come from elsewhere: from a chunk of history that is its own.
#include <algorithm>

#include "alloc/base/ensure.hpp"
#include "engine/delivery/delivery.hpp"

namespace ringcast {

CatchUp& Delivery::catch_up_of(std::uint32_t slot) {
  SubscriptionExtra& extra = extra_of(subscriptions_[slot]);
  if (extra.catch_up == nullptr) {
    extra.catch_up = std::make_unique<CatchUp>(blocks_);
    ++catch_ups_;
    stats_->add(CounterId::catch_ups);
    stats_->add(CounterId::catch_ups_total);
  }
  return *extra.catch_up;
}

void Delivery::forget_catch_up(Subscription& subscription) {
  SubscriptionExtra* extra = find_extra(subscription);
  if (extra == nullptr || extra->catch_up == nullptr) return;
  extra->catch_up.reset();
  --catch_ups_;
  subscription.catching_up = false;
  stats_->sub(CounterId::catch_ups);
  drop_extra_if_empty(subscription);
}

bool Delivery::settle_catch_up(std::uint32_t slot, Instant now) {
  Subscription& subscription = subscriptions_[slot];
  if (can_read_log(subscription)) {
    end_catch_up(slot, now);
    return false;
  }
  CatchUp& catch_up = *extras_[subscription.extra].catch_up;
  if (catch_up.asked || subscription.cursor.next < catch_up.chunk.next()) return false;
  catch_up.asked = true;
  return true;
}

/// Well within its bounds, so that it is not too slow a moment later; or it has it all.
bool Delivery::can_read_log(const Subscription& subscription) const {
  const ChannelLog& log = logs_[subscription.cursor.log];
  const Sequence wanted = subscription.cursor.next;
  if (snapshot_is_next(subscription)) return false;
  if (wanted < extras_[subscription.extra].catch_up->live_from) return false;
  return log.near_head(wanted);
}

bool Delivery::snapshot_is_next(const Subscription& subscription) const {
  const CatchUp& catch_up = *extras_[subscription.extra].catch_up;
  const Sequence wanted = subscription.cursor.next;
  return catch_up.snapshot_first && wanted < catch_up.chunk.next() && wanted == catch_up.chunk.tail();
}

bool Delivery::place_taken(const Subscription& subscription) const {
  return snapshot_is_next(subscription) && subscription.sent_all_from(subscription.cursor.next);
}

void Delivery::end_catch_up(std::uint32_t slot, Instant now) {
  Subscription& subscription = subscriptions_[slot];
  forget_catch_up(subscription);
  subscription.reader->lag_floor = now;
  settle_news(slot, now);
}

bool Delivery::chunk_filled(std::uint32_t slot, Instant now) {
  Subscription& subscription = subscriptions_[slot];
  CatchUp& catch_up = *extras_[subscription.extra].catch_up;
  catch_up.asked = false;
  stats_->add(CounterId::catch_up_chunks);
  // History has lost what comes next, and the log has it: it is the one to read.
  const bool lost = place_taken(subscription) || !catch_up.chunk.holds(subscription.cursor.next);
  if (lost && logs_[subscription.cursor.log].log.holds(subscription.cursor.next)) {
    end_catch_up(slot, now);
    return false;
  }
  const bool wants_more = settle_catch_up(slot, now);
  settle_news(slot, now);
  return wants_more;
}

void Delivery::settle_news(std::uint32_t slot, Instant now) {
  Subscription& subscription = subscriptions_[slot];
  if (subscription.reader_index == kNoSlot) return;
  const bool behind = subscription.cursor.next < source_of(subscription).next();
  if (behind) {
    offer_turn(subscription, slot, now);
  } else if (subscription.pending) {
    unlink_pending(subscription);
  }
}

}  // namespace ringcast
