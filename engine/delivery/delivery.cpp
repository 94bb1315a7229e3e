#include "engine/delivery/delivery.hpp"

#include <algorithm>

#include "alloc/base/ensure.hpp"

namespace ringcast {

Delivery::Delivery(std::uint32_t logs_max, std::uint32_t subscriptions_max, Budget& budget, ShardStats& stats)
    : blocks_{&budget},
      logs_{logs_max, &budget, Purpose::channels},
      subscriptions_{subscriptions_max, &budget, Purpose::subscriptions},
      extras_{subscriptions_max, &budget, Purpose::subscriptions},
      stats_{&stats} {}

// ---- logs ----

Handle Delivery::open_log(const NamespaceRule& rule, const std::string& name, std::uint32_t channel, Form form,
                          Sequence next, Epoch epoch, ChannelLog::State state) {
  const Handle handle = logs_.create(blocks_, rule, name, channel, form, next, epoch, state);
  if (handle.valid()) stats_->add(CounterId::channel_logs);
  return handle;
}

void Delivery::close_log(Handle handle) {
  ChannelLog* log = logs_.find(handle);
  ensure(log != nullptr && log->unread(), "only a log that nobody reads is closed");
  if (log->dirty) std::erase(dirty_, handle.slot);
  if (log->batch != nullptr) held_.cancel(log->batch->until);
  logs_.destroy(handle);
  stats_->sub(CounterId::channel_logs);
}

void Delivery::set_rule(std::uint32_t slot, const NamespaceRule& rule, Sequence high_last) {
  ChannelLog& log = logs_[slot];
  if (rule.priority != log.rule->priority) {
    log.high_last = rule.priority == Priority::high ? Sequence{~std::uint64_t{0}} : high_last;
  }
  if (log.batch != nullptr && held_.cancel(log.batch->until)) make_dirty(log, slot);
  if (rule.batch_delay.count() == 0) log.batch.reset();
  if (rule.batch_delay.count() != 0 && log.batch == nullptr) log.batch = std::make_unique<Batch>();
  log.rule = &rule;
  log.log.set_bounds({.frames = rule.lag.messages, .bytes = rule.lag.bytes});
}

void Delivery::appended(std::uint32_t slot, std::uint64_t count) {
  ChannelLog& log = logs_[slot];
  counted_.offered += count * log.readers.size();
  if (log.lap != lap_ || !has_backlog()) {
    log.lap = lap_;
    log.lap_position = log.log.position();
    log.lap_next = log.log.next();
  }
  if (!log.dirty && !log.readers.empty()) {
    if (log.batch != nullptr && waits_for_company(log, slot, count)) return;
    make_dirty(log, slot);
  }
}

void Delivery::make_dirty(ChannelLog& log, std::uint32_t slot) {
  if (log.dirty) return;
  log.dirty = true;
  dirty_.push_back(slot);
}

bool Delivery::ahead_of_turns(const ChannelLog& log) const {
  if (log.lap != lap_ || log.readers.empty() || log.rule->slow == SlowPolicy::conflate || !has_backlog()) return false;
  const LagLimits& lag = log.rule->lag;
  return log.log.position() - log.lap_position >= lag.pace_bytes(kLapBytesMax) ||
         distance(log.lap_next, log.log.next()) >= lag.pace_messages();
}

// ---- subscriptions ----

Handle Delivery::create_subscription(Outbox& reader, std::uint32_t channel) {
  const Handle handle = subscriptions_.create();
  if (!handle.valid()) return handle;
  Subscription& subscription = subscriptions_[handle.slot];
  subscription.reader = &reader;
  subscription.channel = channel;
  subscription.of_reader_next = reader.subscription_first;
  if (reader.subscription_first != kNoSlot) {
    subscriptions_[reader.subscription_first].of_reader_previous = handle.slot;
  }
  reader.subscription_first = handle.slot;
  ++reader.subscriptions;
  const bool is_new = by_reader_.emplace(key_of(reader, channel), handle.slot).second;
  ensure(is_new, "a connection has one cursor a channel");
  stats_->add(CounterId::subscriptions);
  stats_->add(CounterId::subscriptions_total);
  return handle;
}

SubscriptionExtra& Delivery::extra_of(Subscription& subscription) {
  if (subscription.extra == kNoSlot) {
    const Handle handle = extras_.create();
    ensure(handle.valid(), "there are as many extras as subscriptions");
    subscription.extra = handle.slot;
  }
  return extras_[subscription.extra];
}

void Delivery::drop_extra_if_empty(Subscription& subscription) {
  if (subscription.extra == kNoSlot) return;
  const SubscriptionExtra& extra = extras_[subscription.extra];
  if (extra.catch_up != nullptr || extra.binding != nullptr || extra.max_rate != 0) return;
  extras_.destroy(extras_.handle_of(subscription.extra));
  subscription.extra = kNoSlot;
}

void Delivery::set_by_pattern(Subscription& subscription, bool by_pattern) {
  if (subscription.by_pattern == by_pattern) return;
  subscription.by_pattern = by_pattern;
  if (by_pattern) {
    stats_->add(CounterId::pattern_bindings);
  } else {
    stats_->sub(CounterId::pattern_bindings);
  }
}

bool Delivery::only_patterns_read(const ChannelLog& log) const {
  if (!log.joiners.empty() || log.moving != 0) return false;
  return std::ranges::all_of(log.readers, [&](std::uint32_t slot) {
    const Subscription& reader = subscriptions_[slot];
    return reader.by_pattern && reader.answered && !reader.pending && !reader.catching_up &&
           reader.cursor.next >= log.log.next();
  });
}

std::uint32_t Delivery::find_of(const Outbox& reader, std::uint32_t channel) const {
  const auto at = by_reader_.find(key_of(reader, channel));
  return at == by_reader_.end() ? kNoSlot : at->second;
}

void Delivery::add_to_readers(ChannelLog& log, std::uint32_t log_slot, std::uint32_t slot) {
  Subscription& subscription = subscriptions_[slot];
  subscription.cursor.log = log_slot;
  subscription.reader_index = static_cast<std::uint32_t>(log.readers.size());
  log.readers.push_back(slot);
}

void Delivery::remove_from_readers(Subscription& subscription) {
  ChannelLog& log = logs_[subscription.cursor.log];
  const std::uint32_t last = log.readers.back();
  log.readers[subscription.reader_index] = last;
  subscriptions_[last].reader_index = subscription.reader_index;
  log.readers.pop_back();
  subscription.reader_index = kNoSlot;
}

void Delivery::join_later(std::uint32_t slot, std::uint32_t log_slot) {
  subscriptions_[slot].cursor.log = log_slot;
  logs_[log_slot].joiners.push_back(slot);
}

void Delivery::leave_joiners(std::uint32_t slot) {
  Subscription& subscription = subscriptions_[slot];
  ensure(subscription.reader_index == kNoSlot && subscription.cursor.log != kNoSlot, "a joiner waits for a log");
  std::erase(logs_[subscription.cursor.log].joiners, slot);
  subscription.cursor.log = kNoSlot;
}

void Delivery::start_reading(std::uint32_t slot, std::uint32_t log_slot, Sequence next, Instant now) {
  ChannelLog& log = logs_[log_slot];
  ensure(log.state == ChannelLog::State::live, "only a live log is read");
  ensure(next <= log.log.next(), "a cursor is never ahead of its log");
  Subscription& subscription = subscriptions_[slot];
  ensure(subscription.reader_index == kNoSlot, "a subscription reads one log");
  subscription.cursor.next = next;
  subscription.begins_whole(next);
  add_to_readers(log, log_slot, slot);
  const std::uint64_t held = distance(next, log.log.next());
  counted_.offered += held;
  if (held != 0) subscription.reader->lag_floor = now;
  if (log.rule->presence && watch_ != nullptr) watch_->began(subscription, log);
  if (recorder_ != nullptr) recorder_->began(slot, *subscription.reader, *log.name, now);
}

void Delivery::release_messages(std::uint32_t slot, Instant now) {
  Subscription& subscription = subscriptions_[slot];
  subscription.answered = true;
  offer_turn(subscription, slot, now);
}

void Delivery::move_to(std::uint32_t slot, std::uint32_t log_slot, Instant now) {
  Subscription& subscription = subscriptions_[slot];
  if (subscription.moving_to != kNoSlot) forget_move(subscription);
  if (subscription.cursor.log == log_slot) return;
  subscription.moving_to = log_slot;
  ChannelLog& to = logs_[log_slot];
  to.joiners.push_back(slot);
  ++to.moving;
  ++logs_[subscription.cursor.log].moving;
  try_move(slot, now);
}

/// The other log holds, or will hold next, what the cursor wants, and is not behind this one: nothing is offered twice.
bool Delivery::try_move(std::uint32_t slot, Instant now) {
  Subscription& subscription = subscriptions_[slot];
  ChannelLog& from = logs_[subscription.cursor.log];
  ChannelLog& to = logs_[subscription.moving_to];
  const Sequence wanted = subscription.cursor.next;
  if (to.state != ChannelLog::State::live || to.log.next() < from.log.next()) return false;
  if (wanted != to.log.next() && !to.log.holds(wanted)) return false;
  const std::uint32_t log_slot = subscription.moving_to;
  forget_move(subscription);
  remove_from_readers(subscription);
  if (from.unread()) from.unread_since = now;
  add_to_readers(to, log_slot, slot);
  counted_.offered += distance(from.log.next(), to.log.next());
  if (subscription.catching_up) forget_catch_up(subscription);
  offer_turn(subscription, slot, now);
  return true;
}

void Delivery::forget_move(Subscription& subscription) {
  const std::uint32_t slot = [&] {
    ChannelLog& to = logs_[subscription.moving_to];
    for (std::size_t i = 0; i < to.joiners.size(); ++i) {
      const std::uint32_t joiner = to.joiners[i];
      if (&subscriptions_[joiner] == &subscription) {
        to.joiners[i] = to.joiners.back();
        to.joiners.pop_back();
        return joiner;
      }
    }
    return kNoSlot;
  }();
  ensure(slot != kNoSlot, "who moves to a log stands among its joiners");
  --logs_[subscription.moving_to].moving;
  --logs_[subscription.cursor.log].moving;
  subscription.moving_to = kNoSlot;
}

void Delivery::settle_moves(std::uint32_t log_slot, Instant now) {
  ChannelLog& log = logs_[log_slot];
  if (log.moving == 0) return;
  for (std::size_t i = 0; i < log.joiners.size();) {  // into this log
    const std::uint32_t slot = log.joiners[i];
    if (subscriptions_[slot].moving_to != log_slot || !try_move(slot, now)) ++i;
  }
  for (std::size_t i = 0; i < log.readers.size();) {  // out of it
    const std::uint32_t slot = log.readers[i];
    if (subscriptions_[slot].moving_to == kNoSlot || !try_move(slot, now)) ++i;
  }
}

Sequence Delivery::delivered_to(const Subscription& subscription) {
  if (subscription.reader_index == kNoSlot || subscription.by_pattern) return Sequence{};
  const Outbox& reader = *subscription.reader;
  const std::uint64_t begun = reader.has_remainder() && reader.unsent->rest_is_message ? 1 : 0;
  const std::uint64_t next = value(subscription.cursor.next);
  return Sequence{next > begun ? next - begun - 1 : 0};
}

void Delivery::end_subscription(std::uint32_t slot, Instant now) {
  Subscription& subscription = subscriptions_[slot];
  Outbox& reader = *subscription.reader;
  if (subscription.pending) unlink_pending(subscription);
  if (subscription.moving_to != kNoSlot) {
    ChannelLog& to = logs_[subscription.moving_to];
    forget_move(subscription);
    if (to.unread()) to.unread_since = now;
  }
  if (recorder_ != nullptr && subscription.reader_index != kNoSlot) {
    recorder_->ended(slot, reader, *logs_[subscription.cursor.log].name, now);
  }
  if (subscription.cursor.log != kNoSlot) {
    ChannelLog& log = logs_[subscription.cursor.log];
    if (subscription.reader_index != kNoSlot) {
      if (log.rule->presence && watch_ != nullptr) watch_->ended(subscription, log);
      if (log.rule->offline && !log.rule->ack) log.done = std::max(log.done, delivered_to(subscription));
      counted_.abandoned += distance(subscription.cursor.next, log.log.next());
      remove_from_readers(subscription);
    } else {
      std::erase(log.joiners, slot);
    }
    if (log.unread()) log.unread_since = now;
  }
  if (subscription.of_reader_previous != kNoSlot) {
    subscriptions_[subscription.of_reader_previous].of_reader_next = subscription.of_reader_next;
  } else {
    reader.subscription_first = subscription.of_reader_next;
  }
  if (subscription.of_reader_next != kNoSlot) {
    subscriptions_[subscription.of_reader_next].of_reader_previous = subscription.of_reader_previous;
  }
  --reader.subscriptions;
  forget_catch_up(subscription);
  set_by_pattern(subscription, false);
  if (SubscriptionExtra* extra = find_extra(subscription)) {
    held_.cancel(extra->interval);
    extras_.destroy(extras_.handle_of(subscription.extra));
  }
  by_reader_.erase(key_of(reader, subscription.channel));
  subscriptions_.destroy(subscriptions_.handle_of(slot));
  stats_->sub(CounterId::subscriptions);
}

// ---- how far behind ----

Delivery::Lag Delivery::lag_of(std::uint32_t slot) const {
  const Subscription& subscription = subscriptions_[slot];
  if (subscription.reader_index == kNoSlot) return {};
  const FrameLog& log = logs_[subscription.cursor.log].log;
  const Sequence wanted = subscription.cursor.next;
  return {.messages = distance(wanted, log.next()), .bytes = log.bytes_from(wanted), .oldest = log.appended_at(wanted)};
}

// ---- the ledger ----

Ledger Delivery::ledger() const {
  Ledger now = counted_;
  now.queued = remainder_messages;
  const_cast<Slab<Subscription>&>(subscriptions_).for_each([&](std::uint32_t, Subscription& subscription) {
    if (subscription.reader_index == kNoSlot) return;
    now.queued += distance(subscription.cursor.next, logs_[subscription.cursor.log].log.next());
  });
  return now;
}

std::optional<Ledger> Delivery::ledger_news() {
  Ledger counted = counted_;
  counted.queued = remainder_messages;
  if (told_ == counted) return std::nullopt;
  told_ = counted;
  return ledger();
}

void Delivery::release_unused() {
  if (logs_.size() < logs_.slot_end() / 4) logs_.release_unused();
  if (subscriptions_.size() < subscriptions_.slot_end() / 4) {
    subscriptions_.release_unused();
    extras_.release_unused();
    by_reader_.rehash(0);
  }
}

void Delivery::validate_place(const Subscription& subscription, std::uint32_t slot) const {
  const Outbox& reader = *subscription.reader;
  ensure(reader.pending_first != kNoSlot || reader.pending_high_last == kNoSlot, "nobody is the last of none");
  ensure(!subscription.high || subscription.pending, "who goes first has news");
  if (!subscription.pending) return;
  const std::uint32_t behind = subscription.pending_next;
  const bool high_behind = behind != kNoSlot && subscriptions_[behind].high;
  ensure(subscription.high || !high_behind, "those that go first stand in front");
  ensure((reader.pending_high_last == slot) == (subscription.high && !high_behind), "a connection knows their last");
}

void Delivery::validate() const {
  auto& logs = const_cast<Slab<ChannelLog>&>(logs_);
  auto& subscriptions = const_cast<Slab<Subscription>&>(subscriptions_);
  logs.for_each([&](std::uint32_t slot, ChannelLog& log) {
    log.log.validate();
    for (std::uint32_t i = 0; i < log.readers.size(); ++i) {
      const Subscription& reader = subscriptions[log.readers[i]];
      ensure(reader.cursor.log == slot && reader.reader_index == i, "a log and its readers know each other");
      ensure(reader.cursor.next <= log.log.next(), "a cursor is never ahead of its log");
    }
    if (log.dirty) ensure(std::ranges::count(dirty_, slot) == 1, "a dirty log stands in the queue once");
  });
  std::size_t linked = 0;
  subscriptions.for_each([&](std::uint32_t slot, Subscription& subscription) {
    ++linked;
    ensure(find_of(*subscription.reader, subscription.channel) == slot, "the index finds every subscription");
    ensure(!subscription.catching_up || find_extra(subscription) != nullptr, "who catches up has what it takes");
    const bool has_news = subscription.reader_index != kNoSlot && subscription.answered &&
                          subscription.cursor.next < source_of(subscription).next();
    ensure(!has_news || subscription.pending || is_held(subscription) ||
               (logs[subscription.cursor.log].dirty && !subscription.catching_up),
           "news is never forgotten");
    if (subscription.catching_up && subscription.answered && !subscription.pending) {
      ensure(find_extra(subscription)->catch_up->asked, "who catches up has something to send, or has asked for it");
    }
    validate_place(subscription, slot);
    if (subscription.pending && !subscription.reader->messages_held) {
      const Outbox& reader = *subscription.reader;
      ensure(reader.queued || reader.blocked || reader.failed || reader.has_remainder(),
             "who has news waits for a turn, or for its socket");
    }
  });
  ensure(linked == by_reader_.size(), "the index holds nothing else");
  std::size_t queued = 0;
  for (const Outbox* outbox = turn_first_; outbox != nullptr; outbox = outbox->turn_next) {
    ensure(outbox->queued, "who stands in the queue knows it");
    ++queued;
  }
  ensure(queued == turn_size_, "the queue is as long as counted");
  ensure(ledger().closed(), "offered = sent + conflated + dropped + abandoned + queued");
}

}  // namespace ringcast
