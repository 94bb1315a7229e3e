// News that waits: for the end of a subscription's interval (max_rate), or for a channel's company (batch_delay).
//
// What waits is queued like everything else between a cursor and its head; only its turn comes later. Whoever uses
// neither pays for a bit that is not set.
#include <algorithm>

#include "engine/delivery/delivery.hpp"

namespace ringcast {
namespace {

constexpr std::uint64_t kOfLog = std::uint64_t{1} << 32;  // in a timer's tag: it is a log's, not a subscription's

}  // namespace

// ---- a subscription's interval ----

void Delivery::set_terms(std::uint32_t slot, const Terms& terms, Instant now) {
  Subscription& subscription = subscriptions_[slot];
  subscription.conflates = terms.conflates;
  subscription.complete = terms.complete;
  subscription.rated = terms.max_rate != 0;
  if (subscription.rated) {
    SubscriptionExtra& extra = extra_of(subscription);
    extra.max_rate = terms.max_rate;
    extra.interval.tag = slot;
    extra.interval_end = std::min(extra.interval_end, now + interval_of(terms.max_rate));
    if (extra.interval.armed()) held_.arm(extra.interval, extra.interval_end);
  } else if (SubscriptionExtra* extra = find_extra(subscription)) {
    extra->max_rate = 0;
    extra->interval_end = Instant{};
    if (held_.cancel(extra->interval)) offer_turn(subscription, slot, now);
  }
}

/// It has been sent a message: the next one goes out when the interval is over, and is then the newest.
void Delivery::begin_interval(std::uint32_t slot, Instant now) {
  Subscription& subscription = subscriptions_[slot];
  if (subscription.catching_up || !holding_) return;
  SubscriptionExtra& extra = extras_[subscription.extra];
  extra.interval_end = now + interval_of(extra.max_rate);
  if (subscription.pending) unlink_pending(subscription);
  if (subscription.cursor.next < logs_[subscription.cursor.log].log.next()) (void)waits_for_interval(subscription, now);
}

bool Delivery::waits_for_interval(Subscription& subscription, Instant now) {
  SubscriptionExtra& extra = extras_[subscription.extra];
  if (subscription.catching_up || !holding_ || now >= extra.interval_end) return false;
  if (!extra.interval.armed()) {
    held_.arm(extra.interval, extra.interval_end);
    stats_->add(CounterId::rate_waits);
  }
  return true;
}

// ---- a channel's company ----

/// What was just appended waits: until the delay is over, or until there is enough of it. Never so much that a reader
/// who only waits for us is behind its bounds: then it is a lap's worth, and the publishers' pace takes over.
bool Delivery::waits_for_company(ChannelLog& log, std::uint32_t slot, std::uint64_t count) {
  Batch& batch = *log.batch;
  if (!holding_) return false;
  const NamespaceRule& rule = *log.rule;
  if (!batch.until.armed()) {
    batch.first = Sequence{value(log.log.next()) - count};
    const auto appended_at = log.log.appended_at(batch.first);
    if (!appended_at) return false;  // a hole: there is nothing to wait with
    batch.until.tag = kOfLog | slot;
    held_.arm(batch.until, *appended_at + rule.batch_delay);
    stats_->add(CounterId::batch_waits);
  }
  const std::uint64_t most =
      rule.batch_max == 0 ? rule.lag.pace_messages() : std::min(rule.batch_max, rule.lag.pace_messages());
  if (distance(batch.first, log.log.next()) < most &&
      log.log.bytes_from(batch.first) < rule.lag.pace_bytes(kLapBytesMax)) {
    return true;
  }
  held_.cancel(batch.until);
  return false;
}

// ---- both ----

/// Gives a subscription with news its place in the queue, unless its interval is not over.
void Delivery::offer_turn(Subscription& subscription, std::uint32_t slot, Instant now) {
  if (subscription.reader_index == kNoSlot || subscription.pending || !subscription.answered) return;
  if (subscription.cursor.next >= source_of(subscription).next()) return;
  if (subscription.rated && waits_for_interval(subscription, now)) return;
  link_pending(subscription, slot);
  enqueue(*subscription.reader, now);
}

bool Delivery::is_held(const Subscription& subscription) const {
  if (subscription.extra != kNoSlot && extras_[subscription.extra].interval.armed()) return true;
  const ChannelLog& log = logs_[subscription.cursor.log];
  return log.batch != nullptr && log.batch->until.armed() && subscription.cursor.next >= log.batch->first;
}

void Delivery::release_held(Instant until, Instant now) {
  held_.expire(until, [&](TimerEntry& entry) {
    const auto slot = static_cast<std::uint32_t>(entry.tag);
    if ((entry.tag & kOfLog) != 0) {
      make_dirty(logs_[slot], slot);
    } else {
      offer_turn(subscriptions_[slot], slot, now);
    }
  });
}

void Delivery::stop_holding(Instant now) {
  holding_ = false;
  if (held_.size() != 0) release_held(Instant::max(), now);
}

}  // namespace ringcast
