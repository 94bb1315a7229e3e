#include "engine/shard/pattern_traffic.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "alloc/base/ensure.hpp"
#include "engine/delivery/terms.hpp"
#include "engine/shard/channel_router.hpp"

namespace ringcast {
namespace {

constexpr Refusal kTooMany{.code = ErrorCode::too_many_subscriptions,
                           .sentence = "the pattern matches more channels than the connection may subscribe to"};
constexpr Refusal kNoRoom{.code = ErrorCode::overloaded,
                          .sentence = "the node has no room for all channels that the pattern matches"};
constexpr Refusal kUnreadable{.code = ErrorCode::processing_error,
                              .sentence = "what is stored of a channel that the pattern matches cannot be read now"};

JoinRequest request_of(const PatternBinding& binding, const SubscribeOptions& options) {
  return {.resume = binding.resumes ? &binding.from : nullptr,
          .options = binding.plain ? SubscribeOptions{.snapshot = options.snapshot} : options,
          .by_pattern = true,
          .announced = binding.announced};
}

std::optional<Refusal> stop_of(const PatternSubscription& subscription) {
  if (!subscription.stopped || subscription.stop_told) return std::nullopt;
  switch (subscription.stopped_by) {
    case ErrorCode::too_many_subscriptions: return kTooMany;
    case ErrorCode::processing_error: return kUnreadable;
    default: return kNoRoom;
  }
}

}  // namespace

PatternTraffic::PatternTraffic(ShardIndex here, const CoreOptions& options, ChannelRouter& router, Delivery& delivery,
                               Budget& budget, ShardStats& stats)
    : here_{here},
      shards_{options.shards},
      options_{&options},
      router_{&router},
      delivery_{&delivery},
      stats_{&stats},
      table_{options.shards, Handle::kNone - 1, budget, stats},  // bounded by what each connection may have
      watches_{options.shards},
      peers_(options.shards) {}

// ---- what sessions ask for ----

Handle PatternTraffic::join_pattern(Outbox& reader, const Pattern& pattern, const PatternRequest& request, Now now) {
  const bool known = has_pattern(reader, pattern.text());
  const Handle handle = table_.subscribe(reader, pattern);
  if (!handle.valid()) return handle;
  PatternSubscription& subscription = table_[handle.slot];
  if (known && !chooses_terms(request.options)) {  // it says nothing of them: they stay
    subscription.options.snapshot = request.options.snapshot;
  } else {
    subscription.options = request.options;
    if (known) serve_on_terms_of(subscription, now);
  }
  subscription.resumes.clear();
  for (const SubscribeItem& item : request.resumes) {  // sorted by name: the decoder looks for names that come twice
    if (pattern.matches(item.channel)) {
      subscription.resumes.push_back({.channel = std::string{item.channel}, .point = item.resume});
    }
  }
  std::ranges::sort(subscription.resumes, {}, &NamedResume::channel);
  return handle;
}

bool PatternTraffic::leave_pattern(Outbox& reader, std::string_view text, Now now) {
  const std::uint32_t slot = table_.find_of(reader, text);
  if (slot == kNoSlot) return false;
  const Pattern pattern = table_.pattern_of(table_[slot]);
  const Handle handle = table_.handle_of(slot);
  const std::vector<BoundChannel> untold = std::move(table_[slot].untold);
  table_.end(slot);
  for (std::uint32_t at = reader.subscription_first; at != kNoSlot;) {
    Subscription& subscription = delivery_->subscription(at);
    const std::uint32_t next_slot = subscription.of_reader_next;
    const std::string_view channel = router_->channel_of(at);
    if (subscription.by_pattern && pattern.matches(channel)) {
      const std::uint32_t other = table_.match(reader, channel);
      if (other == kNoSlot) {
        delivery_->end_subscription(at, now.mono);
      } else {
        serve_on_terms_of(table_[other], at, now);
        SubscriptionExtra* extra = delivery_->find_extra(subscription);
        if (extra != nullptr && extra->binding != nullptr && extra->binding->owner == handle) {
          extra->binding->owner = table_.handle_of(other);
          extra->binding->in_round = false;
        }
      }
    }
    at = next_slot;
  }
  for (const BoundChannel& channel : untold) {  // those that others go on with
    if (!owns(channel.subscription)) continue;
    table_.bound(table_.match(reader, router_->channel_of(channel.subscription.slot)), channel);
  }
  return true;
}

/// As far as its namespace allows them; otherwise on those of its namespace.
void PatternTraffic::serve_on_terms_of(const PatternSubscription& owner, std::uint32_t slot, Now now) {
  const NamespaceRule& rule = *router_->channels()[delivery_->subscription(slot).channel].rule;
  const auto terms = terms_of(owner.options, rule);
  delivery_->set_terms(slot, terms ? *terms : *terms_of({}, rule), now.mono);
}

/// The same for everything that it holds.
void PatternTraffic::serve_on_terms_of(const PatternSubscription& owner, Now now) {
  const Pattern& pattern = table_.pattern_of(owner);
  for (std::uint32_t slot = owner.reader->subscription_first; slot != kNoSlot;
       slot = delivery_->subscription(slot).of_reader_next) {
    if (!delivery_->subscription(slot).by_pattern || !pattern.matches(router_->channel_of(slot))) continue;
    serve_on_terms_of(owner, slot, now);
  }
}

void PatternTraffic::leave_all(Outbox& reader) {
  for (std::uint32_t slot = table_.first_of(reader); slot != kNoSlot; slot = table_.first_of(reader)) table_.end(slot);
}

void PatternTraffic::pattern_answered(Handle pattern) {
  if (table_.find(pattern) != nullptr) table_.answered(pattern.slot);
}

bool PatternTraffic::has_pattern(const Outbox& reader, std::string_view pattern) const {
  return table_.find_of(reader, pattern) != kNoSlot;
}

void PatternTraffic::list_patterns(const Outbox& reader, std::vector<std::string_view>& texts) const {
  const std::size_t before = texts.size();
  auto& table = const_cast<PatternTable&>(table_);
  for (std::uint32_t slot = table_.first_of(reader); slot != kNoSlot; slot = table[slot].of_reader_next) {
    texts.push_back(table_.pattern_of(table[slot]).text());
  }
  std::reverse(texts.begin() + static_cast<std::ptrdiff_t>(before), texts.end());
}

// ---- binding ----

std::optional<PatternPort::Candidate> PatternTraffic::next_candidate() {
  while (table_.has_announcements()) {
    candidate_ = table_.next_concerned();
    if (candidate_ != kNoSlot) {
      return Candidate{.connection = table_[candidate_].reader->connection, .channel = table_.front().channel};
    }
    const ShardIndex home = table_.done();
    if (home == here_) {
      --peer(home).outstanding;
    } else {
      ++peer(home).dealt_with;
    }
  }
  return std::nullopt;
}

void PatternTraffic::bind(bool permitted, Now now) {
  const std::uint32_t slot = std::exchange(candidate_, kNoSlot);
  ensure(slot != kNoSlot, "what is bound was a candidate");
  PatternSubscription& owner = table_[slot];
  Outbox& reader = *owner.reader;
  const Announcement& announcement = table_.front();
  const bool begins = announcement.kind == Announcement::Kind::begins;
  PatternBinding binding{.owner = table_.handle_of(slot), .in_round = !begins};
  if (begins) {
    binding.from = {.epoch = announcement.epoch, .seq = announcement.after};
    binding.resumes = binding.announced = true;
  } else {
    const auto resume = std::ranges::lower_bound(owner.resumes, announcement.channel, {}, &NamedResume::channel);
    binding.resumes = resume != owner.resumes.end() && resume->channel == announcement.channel;
    if (binding.resumes) binding.from = resume->point;
  }

  if (const std::uint32_t known = router_->subscription_of(reader, announcement.channel); known != kNoSlot) {
    SubscriptionExtra* extra = delivery_->find_extra(delivery_->subscription(known));
    if (begins && extra != nullptr && extra->binding != nullptr) {  // it began anew while the join was under way
      extra->binding->from = binding.from;
      extra->binding->resumes = extra->binding->announced = true;
    }
    return;
  }
  if (!permitted) {
    stats_->add(CounterId::pattern_bindings_refused);
    return;
  }
  if (reader.subscriptions >= subscriptions_max(reader, options_->limits)) {
    refused(slot, kTooMany);
    return;
  }
  JoinAnswer answer = router_->join(reader, announcement.channel, request_of(binding, owner.options), now);
  if (answer.kind == JoinAnswer::Kind::refused && answer.refusal.code == ErrorCode::not_supported &&
      !owner.options.imposed) {
    binding.plain = true;  // its namespace does not allow the options: then without
    answer = router_->join(reader, announcement.channel, request_of(binding, owner.options), now);
  }
  switch (answer.kind) {
    case JoinAnswer::Kind::joined: placed(slot, answer, binding); break;
    case JoinAnswer::Kind::waiting: {
      if (binding.in_round) ++owner.joins;
      SubscriptionExtra& extra = delivery_->extra_of(delivery_->subscription(answer.subscription.slot));
      extra.binding = std::make_unique<PatternBinding>(binding);
      break;
    }
    case JoinAnswer::Kind::refused:
      // It carries bytes, which this dialect cannot be given; or its namespace cannot give what the token imposes.
      if (answer.refusal.code == ErrorCode::not_supported) {
        stats_->add(CounterId::pattern_bindings_refused);
      } else {
        refused(slot, answer.refusal);
      }
      break;
  }
}

bool PatternTraffic::owns(Handle handle) const {
  const Subscription* subscription = delivery_->find_subscription(handle);
  return subscription != nullptr && subscription->by_pattern;
}

void PatternTraffic::join_ready(Handle handle, Now now) {
  const SubscriptionExtra* extra = delivery_->find_extra(*delivery_->find_subscription(handle));
  ensure(extra != nullptr && extra->binding != nullptr, "a pattern's join knows whose it is");
  const PatternBinding binding = *extra->binding;  // a refusal ends the subscription
  PatternSubscription* owner = table_.find(binding.owner);
  ensure(owner != nullptr, "a pattern's join ends with its pattern");
  const JoinAnswer answer = router_->finish_join(handle, request_of(binding, owner->options), now);
  if (answer.kind == JoinAnswer::Kind::waiting) return;
  if (answer.kind == JoinAnswer::Kind::joined) {
    Subscription& subscription = delivery_->subscription(handle.slot);
    delivery_->extra_of(subscription).binding.reset();
    delivery_->drop_extra_if_empty(subscription);
    router_->follow_form(handle.slot, now);
    placed(binding.owner.slot, answer, binding);
  } else if (!owner->stopped) {
    refused(binding.owner.slot, answer.refusal);
  }
  join_ended(binding);
}

void PatternTraffic::placed(std::uint32_t owner, const JoinAnswer& answer, const PatternBinding& binding) {
  BoundChannel channel{.subscription = answer.subscription,
                       .epoch = answer.epoch,
                       .seq = answer.last,
                       .state = answer.state,
                       .as_of = answer.as_of,
                       .channel_id = answer.channel_id};
  if (binding.resumes && !binding.announced) {
    channel.recovered = answer.recovered;
  } else if (binding.resumes && answer.recovered.value_or(false)) {
    channel.seq = binding.from.seq;
  } else if (binding.resumes) {  // what came first is lost: its reader is told so
    channel.recovered = false;
  }
  table_.bound(owner, channel);
}

void PatternTraffic::refused(std::uint32_t owner, const Refusal& refusal) {
  stats_->add(CounterId::pattern_bindings_refused);
  table_.stop(owner, refusal.code);
}

void PatternTraffic::join_ended(const PatternBinding& binding) {
  if (binding.in_round && table_.find(binding.owner) != nullptr) table_.joined(binding.owner.slot);
}

void PatternTraffic::taken_over(std::uint32_t slot) {
  Subscription& subscription = delivery_->subscription(slot);
  delivery_->set_by_pattern(subscription, false);
  SubscriptionExtra* extra = delivery_->find_extra(subscription);
  if (extra == nullptr || extra->binding == nullptr) return;
  const PatternBinding binding = *extra->binding;
  extra->binding.reset();
  delivery_->drop_extra_if_empty(subscription);
  join_ended(binding);
}

bool PatternTraffic::goes_on_with(Outbox& reader, std::uint32_t subscription, std::string_view channel, Now now) {
  const std::uint32_t owner = table_.match(reader, channel);
  if (owner == kNoSlot) return false;
  delivery_->set_by_pattern(delivery_->subscription(subscription), true);
  serve_on_terms_of(table_[owner], subscription, now);
  return true;
}

// ---- what is to be said ----

std::optional<PatternPort::Ready> PatternTraffic::take_ready() {
  while (!table_.ready.empty()) {
    const Handle handle = table_.ready.front();
    table_.ready.erase(table_.ready.begin());
    const PatternSubscription* subscription = table_.find(handle);
    if (subscription == nullptr) continue;  // it left meanwhile
    const Pattern& pattern = table_.pattern_of(*subscription);
    Ready ready{.connection = subscription->reader->connection, .pattern = handle, .stopped = stop_of(*subscription)};
    for (std::uint32_t slot = subscription->reader->subscription_first; slot != kNoSlot;
         slot = delivery_->subscription(slot).of_reader_next) {
      if (pattern.matches(router_->channel_of(slot))) ++ready.matched;
    }
    return ready;
  }
  return std::nullopt;
}

std::optional<PatternPort::News> PatternTraffic::take_news() {
  while (!table_.to_tell.empty()) {
    const Handle handle = table_.to_tell.back();
    table_.to_tell.pop_back();
    PatternSubscription* subscription = table_.find(handle);
    if (subscription == nullptr) continue;
    subscription->listed = false;
    News news{.connection = subscription->reader->connection,
              .pattern = table_.pattern_of(*subscription).text(),
              .ended = std::exchange(subscription->ended, {}),
              .channels = {},
              .stopped = {}};
    if (!subscription->answer_due) {
      news.channels = std::exchange(subscription->untold, {});
      news.stopped = stop_of(*subscription);
      subscription->stop_told = subscription->stopped;
    }
    std::erase_if(news.channels, [&](const BoundChannel& channel) { return !owns(channel.subscription); });
    if (!news.ended.empty() || !news.channels.empty() || news.stopped) return news;
  }
  return std::nullopt;
}

void PatternTraffic::stop_told(Handle pattern) {
  if (PatternSubscription* subscription = table_.find(pattern)) subscription->stop_told = true;
}

}  // namespace ringcast
