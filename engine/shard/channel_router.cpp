#include "engine/shard/channel_router.hpp"

#include <algorithm>
#include <cmath>

#include "alloc/base/ensure.hpp"
#include "engine/channel/frame_encoder.hpp"
#include "engine/channel/history_reader.hpp"
#include "engine/channel/home_shard.hpp"

namespace ringcast {
namespace {

constexpr Refusal kNoChannelSlot{.code = ErrorCode::overloaded,
                                 .sentence = "the node has as many channels as it may have"};
constexpr Refusal kFutureSnapshot{.code = ErrorCode::invalid_message,
                                  .sentence = kFutureSnapshotSentence};
constexpr Refusal kNotStored{.code = ErrorCode::processing_error, .sentence = ringcast::refusal_of(StoreState::good)};
constexpr Refusal kPastUnreadable{.code = ErrorCode::processing_error,
                                  .sentence = "what is stored of this channel cannot be read now"};
constexpr Refusal kNoSubscriptionSlot{.code = ErrorCode::overloaded,
                                      .sentence = "the node has as many subscriptions as it may have"};
constexpr Refusal kNoChannelId{.code = ErrorCode::overloaded,
                               .sentence = "the node has no numbers left for channels of the binary dialect"};
constexpr Refusal kCarriesBytes{.code = ErrorCode::not_supported,
                                .sentence = "the channel carries bytes: read and publish them in the binary dialect"};

/// A shard's share of the node's channels. Hashing spreads them unevenly, so each may have a little more than its part:
/// five times the square root covers the spread at any number of channels.
std::uint32_t channels_share(const CoreOptions& options) {
  if (options.shards == 1) return options.limits.channels;
  const double part = std::ceil(static_cast<double>(options.limits.channels) / options.shards);
  return std::min(options.limits.channels, static_cast<std::uint32_t>(part + 5 * std::sqrt(part)));
}

}  // namespace

ChannelRouter::ChannelRouter(ShardIndex here, const CoreOptions& options, Mesh& mesh, Delivery& delivery,
                             Presence& presence, Budget& budget, ShardStats& stats, Rankings& rankings, Prng& prng,
                             StoreLane* store, std::uint64_t channel_ids_given, Now now)
    : here_{here},
      shards_{options.shards},
      mesh_{&mesh},
      delivery_{&delivery},
      presence_{&presence},
      stats_{&stats},
      rankings_{&rankings},
      prng_{&prng},
      options_{&options},
      rules_{options.namespaces},
      ids_{options.shards, here, channel_ids_given},
      channels_{options.limits.channels, budget},
      homes_{kChannelsMax, &budget, Purpose::channels},
      pipeline_{rules_.dedupe_entries_max(), options.compression, budget, stats},
      durable_{options.offline, store, homes_.capacity(), homes_, pipeline_, delivery.blocks(), budget, stats},
      peers_(options.shards),
      patterns_{here, options, *this, delivery, budget, stats},
      presence_traffic_{here, options.shards, *this, presence, delivery, stats},
      liveness_{budget, now} {
  const bool keeps = std::ranges::any_of(options.namespaces, [](const NamespaceRule& rule) { return rule.durable(); });
  ensure(!keeps || store != nullptr, "where a namespace keeps messages there is a store for them");
}

Refusal ChannelRouter::refusal_of(ErrorCode code) {
  for (const Refusal& refusal : {kFutureSnapshot, kCarriesBytes, kNotStored}) {
    if (refusal.code == code) return refusal;
  }
  return kNoChannelSlot;
}

ShardIndex ChannelRouter::home_of(std::string_view channel) const { return home_shard(channel, shards_); }

HomeChannel* ChannelRouter::ensure_home(Channel& channel, Now now) {
  if (channel.home_state.valid()) return &homes_[channel.home_state.slot];
  if (homes_.size() >= channels_share(*options_)) {
    stats_->event(EventCode::channel_limit, now, homes_.size(), options_->limits.channels, channel.name);
    return nullptr;
  }
  const Handle handle =
      homes_.create(delivery_->blocks(), channel.name, channel.slot, *channel.rule, Epoch{prng_->next()});
  ensure(handle.valid(), "there are slots for every channel that a node may have");
  channel.home_state = handle;
  HomeChannel& home = homes_[handle.slot];
  home.used_at = now.mono;
  home.channel_id = ids_.take();
  if (channel.rule->stale_after.count() != 0) {
    home.liveness = liveness_.watch(handle, channel.rule->stale_after, now);
  }
  if (channel.rule->durable()) durable_.open(home, handle);
  stats_->add(CounterId::channels_home);
  return &home;
}

/// A log of this form. A new one begins right after `after`, if its home still has what came since; else with the next
/// message.
Handle ChannelRouter::ensure_log(Channel& channel, Form form, const ResumePoint* after, Now now, Refusal& refusal) {
  Handle& log = channel.logs[static_cast<std::size_t>(form)];
  if (log.valid()) return log;
  if (channel.home == here_) {
    log = open_home_log(channel, form, after, now, refusal);
    if (!log.valid()) return log;
  } else {
    log = delivery_->open_log(*channel.rule, channel.name, channel.slot, form, Sequence{1},
                              after != nullptr ? after->epoch : Epoch{}, ChannelLog::State::attaching);
    if (log.valid() && after != nullptr) delivery_->find_log(log)->begin_at = next(after->seq);
    if (log.valid() && !send_attach(channel.home, *delivery_->find_log(log), log)) {
      peer(channel.home).attaches.push_back(log);
    }
  }
  if (!log.valid()) refusal = kNoChannelSlot;
  if (log.valid()) delivery_->find_log(log)->unread_since = now.mono;
  return log;
}

Handle ChannelRouter::open_home_log(Channel& channel, Form form, const ResumePoint* after, Now now, Refusal& refusal) {
  HomeChannel* home = ensure_home(channel, now);
  if (home == nullptr) {
    refusal = kNoChannelSlot;
    return {};
  }
  if (plain_of(form) == Form::binary && home->channel_id == 0) {
    refusal = kNoChannelId;
    return {};
  }
  Sequence first = home->history.next();
  if (after != nullptr && after->epoch == home->epoch && home->history.holds(next(after->seq)) &&
      home->history.bytes_from(next(after->seq)) <= kMeshBacklogBytes) {
    first = next(after->seq);
  }
  const Handle handle =
      delivery_->open_log(*channel.rule, channel.name, channel.slot, form, first, home->epoch,
                         durable_.loading(*home) ? ChannelLog::State::attaching : ChannelLog::State::live);
  if (!handle.valid()) {
    refusal = kNoChannelSlot;
    return handle;
  }
  ChannelLog& opened = *delivery_->find_log(handle);
  opened.channel_id = home->channel_id;
  opened.stale = home->stale;
  FrameLog& log = opened.log;
  home->form_logs[static_cast<std::size_t>(form)] = &log;
  delivery_->mark_high(handle.slot, home->high_last);
  for_each_kept(*home, first, home->history.next(), [&](const MessageView& message) {
    encode_frame(log, form, message, now.mono, now.mono);
    return true;
  });
  return handle;
}

JoinAnswer ChannelRouter::join(Outbox& reader, std::string_view name, const JoinRequest& request, Now now) {
  JoinAnswer answer;
  Channel* channel = channels_.find_or_create(
      name, home_of(name), [&](std::string_view n) -> const NamespaceRule& { return rules_.rule_of(n); });
  if (channel == nullptr) {
    answer.refusal = kNoChannelSlot;
    return answer;
  }
  const auto terms = terms_of(request.options, *channel->rule);
  if (!terms) {
    answer.refusal = {.code = ErrorCode::not_supported, .sentence = terms.error()};
    if (channel->unused()) channels_.erase(*channel);
    return answer;
  }
  if (channel->rule->payload == PayloadKind::binary && plain_of(reader.form) != Form::binary) {
    if (channel->unused()) channels_.erase(*channel);
    answer.refusal = kCarriesBytes;
    return answer;
  }
  std::uint32_t slot = delivery_->find_of(reader, channel->slot);
  if (slot != kNoSlot && delivery_->subscription(slot).by_pattern) {
    patterns_.taken_over(slot);
    if (delivery_->subscription(slot).answered) {
      delivery_->set_terms(slot, *terms, now.mono);
    } else {  // its client knows nothing of it: it begins as this answer will say
      delivery_->end_subscription(slot, now.mono);
      slot = kNoSlot;
    }
  }
  if (slot != kNoSlot) {
    if (chooses_terms(request.options)) delivery_->set_terms(slot, *terms, now.mono);
    const ChannelLog& log = delivery_->log(delivery_->subscription(slot).cursor.log);
    answer.kind = JoinAnswer::Kind::joined;
    answer.subscription = delivery_->handle_of(slot);
    answer.epoch = log.epoch;
    answer.last = Sequence{value(log.log.next()) - 1};
    answer.channel_id = log.channel_id;
    if (request.resume != nullptr) {  // it reads on from where it is
      answer.recovered = was_sent_since(delivery_->subscription(slot), *request.resume);
    }
    return answer;
  }
  const Handle log =
      ensure_log(*channel, reader.form, request.announced ? request.resume : nullptr, now, answer.refusal);
  if (!log.valid()) {
    if (channel->unused()) channels_.erase(*channel);
    return answer;
  }
  const Handle subscription = delivery_->create_subscription(reader, channel->slot);
  if (!subscription.valid()) {
    answer.refusal = kNoSubscriptionSlot;
    return answer;
  }
  if (*terms != Terms{}) delivery_->set_terms(subscription.slot, *terms, now.mono);
  if (request.by_pattern) delivery_->set_by_pattern(delivery_->subscription(subscription.slot), true);
  if (delivery_->find_log(log)->state == ChannelLog::State::live) {
    return place(subscription.slot, log, request, now);
  }
  delivery_->join_later(subscription.slot, log.slot);
  answer.kind = JoinAnswer::Kind::waiting;
  answer.subscription = subscription;
  return answer;
}

JoinAnswer ChannelRouter::finish_join(Handle handle, const JoinRequest& request, Now now) {
  JoinAnswer answer;
  Subscription* subscription = delivery_->find_subscription(handle);
  ensure(subscription != nullptr, "a join is finished while its subscription is there");
  const std::uint32_t log_slot = subscription->cursor.log;
  const Handle log = delivery_->logs().handle_of(log_slot);
  delivery_->leave_joiners(handle.slot);
  if (delivery_->log(log_slot).state == ChannelLog::State::live) return place(handle.slot, log, request, now);

  answer.refusal = delivery_->log(log_slot).refused_by_store ? kPastUnreadable : kNoChannelSlot;
  delivery_->end_subscription(handle.slot, now.mono);
  if (delivery_->log(log_slot).unread()) delivery_->close_log(log);
  return answer;
}

bool ChannelRouter::tell_stale(Handle handle) {
  Subscription* subscription = delivery_->find_subscription(handle);
  if (subscription == nullptr || subscription->cursor.log == kNoSlot) return false;
  subscription->told_stale = delivery_->log(subscription->cursor.log).stale;
  return subscription->told_stale;
}

void ChannelRouter::release_messages(Handle subscription, Now now) {
  if (delivery_->find_subscription(subscription) != nullptr) delivery_->release_messages(subscription.slot, now.mono);
}

Handle ChannelRouter::reader_of(Handle handle) {
  const Subscription* subscription = delivery_->find_subscription(handle);
  return subscription == nullptr ? Handle{} : subscription->reader->connection;
}

bool ChannelRouter::has(const Outbox& reader, std::string_view name) {
  const Channel* channel = channels_.find(name);
  return channel != nullptr && delivery_->find_of(reader, channel->slot) != kNoSlot;
}

bool ChannelRouter::leave(Outbox& reader, std::string_view name, Now now) {
  Channel* channel = channels_.find(name);
  if (channel == nullptr) return false;
  const std::uint32_t slot = delivery_->find_of(reader, channel->slot);
  if (slot == kNoSlot || delivery_->subscription(slot).by_pattern) return false;
  const bool goes_on = patterns_.active() && patterns_.goes_on_with(reader, slot, name, now);
  if (!goes_on) end(slot, now);
  return true;
}

void ChannelRouter::leave_all(Outbox& reader, Now now) {
  if (patterns_.active()) patterns_.leave_all(reader);
  while (reader.subscription_first != kNoSlot) end(reader.subscription_first, now);
  presence_->set_user(reader, {});
}

void ChannelRouter::end(std::uint32_t slot, Now now) {
  const std::uint32_t log_slot = delivery_->subscription(slot).cursor.log;
  delivery_->end_subscription(slot, now.mono);
  if (log_slot != kNoSlot && delivery_->log(log_slot).has_done()) tell_done(delivery_->log(log_slot));
}

void ChannelRouter::change_form(Outbox& reader, Now now) {
  for (std::uint32_t slot = reader.subscription_first; slot != kNoSlot;) {
    const std::uint32_t next_slot = delivery_->subscription(slot).of_reader_next;
    follow_form(slot, now);
    slot = next_slot;
  }
}

/// Not while it waits for its log: a pattern's join follows when it is done.
void ChannelRouter::follow_form(std::uint32_t slot, Now now) {
  const Subscription& subscription = delivery_->subscription(slot);
  if (subscription.reader_index == kNoSlot) return;
  Refusal refusal;
  const Handle log = ensure_log(channels_[subscription.channel], subscription.reader->form, nullptr, now, refusal);
  if (log.valid()) delivery_->move_to(slot, log.slot, now.mono);
}

std::string_view ChannelRouter::channel_of(std::uint32_t subscription) {
  return channels_[delivery_->subscription(subscription).channel].name;
}

std::uint32_t ChannelRouter::next_subscription(std::uint32_t subscription) {
  return delivery_->subscription(subscription).of_reader_next;
}

PublishAnswer ChannelRouter::publish(const PublishRequest& request, Handle connection, std::string_view id, Now now) {
  const ShardIndex home_shard = home_of(request.channel);
  if (home_shard != here_) return forward(home_shard, request, connection, id);
  const PublishAnswer answer =
      publish_at_home(request, {.shard = here_, .connection = connection, .id = id}, Hold::allowed, now);
  if (answer.kind == PublishAnswer::Kind::published) published_last_ = connection;
  return answer;
}

PayloadKind ChannelRouter::payload_of(std::string_view name) {
  const Channel* channel = channels_.find(name);
  return (channel != nullptr ? *channel->rule : rules_.rule_of(name)).payload;
}

/// to  who is told, if that takes longer, and who is held back if it is to try again.
PublishAnswer ChannelRouter::publish_at_home(const PublishRequest& request, const ReplyTo& to, Hold hold_allowed,
                                             Now now) {
  PublishAnswer answer;
  Channel* channel = channels_.find_or_create(
      request.channel, here_, [&](std::string_view n) -> const NamespaceRule& { return rules_.rule_of(n); });
  if (channel != nullptr && request.opaque != (channel->rule->payload == PayloadKind::binary)) {
    answer.refusal = kCarriesBytes;  // never the other way: the session has looked at what is not opaque
    if (channel->unused()) channels_.erase(*channel);
    return answer;
  }
  HomeChannel* home = channel == nullptr ? nullptr : ensure_home(*channel, now);
  if (home == nullptr) {
    if (channel != nullptr && channel->unused()) channels_.erase(*channel);
    answer.refusal = kNoChannelSlot;
    return answer;
  }
  if (hold_allowed == Hold::allowed && outruns_readers(*channel, *home, now)) {
    hold(now);
    stats_->add(CounterId::publishes_parked);
    answer.kind = PublishAnswer::Kind::no_room;  // who got nothing this time goes first the next time
    if (to.connection.valid()) (to.connection == published_last_ ? held_ : held_first_).push_back(to.connection);
    return answer;
  }
  if (home->durable.valid()) return publish_durable(*home, request, to, hold_allowed, now);
  if (request.as_of > home->history.next()) {
    answer.refusal = kFutureSnapshot;
    return answer;
  }
  answer.kind = PublishAnswer::Kind::published;
  answer.published = publish_here(*channel, *home, request, now);
  return answer;
}

Published ChannelRouter::publish_here(Channel& channel, HomeChannel& home, const PublishRequest& request, Now now) {
  if (home.announce_to != 0) patterns_.begins(home, channel.home_state);
  const Published published = pipeline_.publish(home, request, now);
  if (!published.duplicate) announce(channel, home, request, published.seq, now);
  return published;
}

/// A message has been appended to the channel's logs.
void ChannelRouter::announce(Channel& channel, HomeChannel& home, const PublishRequest& request, Sequence seq,
                             Now now) {
  if (request.high) mark_high(channel, home, seq);
  for (const Handle log : channel.logs) {
    if (log.valid()) delivery_->appended(log.slot, 1);
  }
  for (const Handle log : channel.logs) {
    if (log.valid()) delivery_->settle_moves(log.slot, now.mono);
  }
  stats_->record(LatencyId::receive_to_append, now.mono - request.received);
  if (home.liveness != Handle::kNone) [[unlikely]] note_published(channel, home, now);
  if (!home.remote.empty()) remote_has_news(home, channel.home_state, now);
}

void ChannelRouter::mark_high(const Channel& channel, HomeChannel& home, Sequence seq) {
  home.high_last = seq;
  for (const Handle log : channel.logs) {
    if (log.valid()) delivery_->mark_high(log.slot, seq);
  }
}

// ---- upkeep ----

void ChannelRouter::sweep(Now now) {
  if (follow_next_ != follow_end_) follow_rules();
  Slab<ChannelLog>& logs = delivery_->logs();
  for (std::uint32_t i = 0; i < std::min(kSweepSlotsPerTick, logs.slot_end()); ++i) {
    if (++sweep_log_ >= logs.slot_end()) sweep_log_ = 0;
    if (logs.at(sweep_log_) != nullptr) sweep_log(sweep_log_, now);
  }
  Slab<Channel>& channels = channels_.slab();
  for (std::uint32_t i = 0; i < std::min(kSweepSlotsPerTick, channels.slot_end()); ++i) {
    if (++sweep_channel_ >= channels.slot_end()) {
      sweep_channel_ = 0;
      rankings_->begin_round(now);
    }
    if (Channel* channel = channels.at(sweep_channel_)) sweep_channel(*channel, now);
  }
  if (now.mono >= release_at_) {
    release_at_ = now.mono + kReleaseInterval;
    release_unused();
  }
}

void ChannelRouter::reconfigure(const CoreOptions& options) {
  ensure(options.shards == shards_, "a node keeps its number of shards");
  const bool same_rules = options.namespaces == options_->namespaces;
  options_ = &options;
  patterns_.reconfigure(options);
  channels_.set_channels_max(options.limits.channels);
  if (!same_rules) {
    rules_.replace(options.namespaces);
    follow_next_ = 0;
    follow_end_ = channels_.slab().slot_end();
    if (follow_end_ == 0) rules_.forget_earlier();
  }
  pipeline_.reconfigure(rules_.dedupe_entries_max(), options.compression);
}

/// Those that came after the reload stand in slots that are looked at as well: what follows their rule is their rule.
void ChannelRouter::follow_rules() {
  Slab<Channel>& channels = channels_.slab();
  for (std::uint32_t i = 0; i < kSweepSlotsPerTick && follow_next_ != follow_end_; ++i) {
    if (Channel* channel = channels.at(follow_next_++)) follow_rule(*channel);
  }
  if (follow_next_ == follow_end_) rules_.forget_earlier();
}

void ChannelRouter::follow_rule(Channel& channel) {
  const NamespaceRule& rule = rules_.rule_after(channel.name, *channel.rule);
  channel.rule = &rule;
  HomeChannel* home = channel.home_state.valid() ? &homes_[channel.home_state.slot] : nullptr;
  if (home != nullptr) {
    home->rule = &rule;
    LogBounds bounds{.frames = rule.history.messages, .bytes = rule.history.bytes};
    if (home->durable.valid()) {  // all that the store keeps has to fit as well
      bounds.frames = std::max(bounds.frames, home->history.bounds().frames);
      bounds.bytes = std::max(bounds.bytes, home->history.bounds().bytes);
    }
    home->history.set_bounds(bounds);
  }
  for (const Handle log : channel.logs) {
    if (log.valid()) delivery_->set_rule(log.slot, rule, home != nullptr ? home->high_last : Sequence{});
  }
}

/// After a crowd has left: whole chunks in which nothing lives any more. Linear in slots, so seldom, and only when most
/// of them are free.
void ChannelRouter::release_unused() {
  const auto mostly_free = [](const auto& slab) { return slab.size() < slab.slot_end() / 4; };
  if (mostly_free(channels_.slab())) channels_.release_unused();
  if (mostly_free(homes_)) homes_.release_unused();
  durable_.release_unused();
  delivery_->release_unused();
  presence_->release_unused();
  liveness_.release_unused();
}

void ChannelRouter::sweep_log(std::uint32_t slot, Now now) {
  ChannelLog& log = delivery_->log(slot);
  if (log.state != ChannelLog::State::live) return;
  Channel& channel = channels_[log.channel];
  if (log.log.frames() != 0) {
    Sequence keep = log.log.next();
    for (const std::uint32_t slot_of_reader : log.readers) {
      const Subscription& reader = delivery_->subscription(slot_of_reader);
      if (!reader.catching_up) keep = std::min(keep, reader.cursor.next);  // history is kept for the others
    }
    if (channel.home_state.valid()) {
      for (const RemoteReader& reader : homes_[channel.home_state.slot].remote) {
        if (reader.form == log.form) keep = std::min(keep, reader.next);
      }
    }
    log.log.trim(keep, now.mono - log.rule->lag.time);
  }
  if (log.rule->durable()) note_done(log);
  if (log.unread() && now.mono - log.unread_since >= kLogLinger && !log.has_done()) {
    close_log(channel, log.form, delivery_->logs().handle_of(slot));
  }
}

/// At home the form is no longer encoded; elsewhere the home is told that nobody here reads it.
void ChannelRouter::close_log(Channel& channel, Form form, Handle log) {
  const auto index = static_cast<std::size_t>(form);
  ensure(channel.logs[index] == log, "a channel knows its logs");
  if (channel.home == here_) {
    homes_[channel.home_state.slot].form_logs[index] = nullptr;
  } else {
    Peer& home = peer(channel.home);
    if (home.credits == 0) return;  // next time
    MeshLane& lane = mesh_->control(here_, channel.home);
    MutableBytes room = lane.reserve(sizeof(MeshDetach));
    ensure(!room.empty(), "a control lane has room for every credit");
    store(room.data(), MeshDetach{.log = log, .home = delivery_->find_log(log)->home});
    push_control(channel.home, room, sizeof(MeshDetach));
    --home.credits;
  }
  channel.logs[index] = Handle{};
  delivery_->close_log(log);
}

void ChannelRouter::sweep_channel(Channel& channel, Now now) {
  if (channel.home_state.valid()) {
    HomeChannel& home = homes_[channel.home_state.slot];
    rankings_->see(home, channel.logs);
    if (home.durable.valid()) durable_.expire(home, now);
    home.history.trim(keep_of(home, now), now.mono - home.rule->history.age);
    const bool read = !home.remote.empty() || std::ranges::any_of(channel.logs, [](Handle log) { return log.valid(); });
    const bool empty = home.durable.valid() ? durable_.may_close(home) : home.history.frames() == 0;
    const bool silent = empty && now.mono - home.used_at >= options_->limits.channel_idle_time;
    if (read && silent && patterns_.active()) patterns_.let_go(channel, home, now);
    if (!read && silent) {
      forget_home(channel);
      stats_->add(CounterId::channels_expired);
    }
  }
  if (channel.unused()) channels_.erase(channel);
}

void ChannelRouter::forget_home(Channel& channel) {
  HomeChannel& home = homes_[channel.home_state.slot];
  forget_liveness(home);
  if (home.durable.valid()) durable_.close(home);
  homes_.destroy(channel.home_state);
  channel.home_state = Handle{};
  stats_->sub(CounterId::channels_home);
}

// ---- for pattern_traffic ----

std::uint32_t ChannelRouter::subscription_of(const Outbox& reader, std::string_view name) {
  const Channel* channel = channels_.find(name);
  return channel == nullptr ? kNoSlot : delivery_->find_of(reader, channel->slot);
}

void ChannelRouter::drop_log(Handle handle) {
  const ChannelLog& log = *delivery_->find_log(handle);
  Channel& channel = channels_[log.channel];
  channel.logs[static_cast<std::size_t>(log.form)] = Handle{};
  delivery_->close_log(handle);
  if (channel.unused()) channels_.erase(channel);
}

/// Somebody reads it, or it has messages for whoever comes.
bool ChannelRouter::is_in_use(const Channel& channel, const HomeChannel& home) const {
  const bool empty = home.durable.valid() ? durable_.may_close(home) : home.history.frames() == 0;
  return !empty || !home.remote.empty() ||
         std::ranges::any_of(channel.logs, [](Handle log) { return log.valid(); });
}

// ---- what an administrator asks ----

std::uint32_t ChannelRouter::slot_of(std::string_view name) {
  const Channel* channel = channels_.find(name);
  return channel == nullptr ? kNoSlot : channel->slot;
}

std::uint32_t ChannelRouter::readers_of(const Channel& channel) const {
  std::size_t readers = 0;
  for (const Handle handle : channel.logs) {
    if (const ChannelLog* log = delivery_->find_log(handle)) readers += log->readers.size();
  }
  return static_cast<std::uint32_t>(readers);
}

PublishAnswer ChannelRouter::publish_for_admin(const PublishRequest& request, std::string_view id, Now now) {
  ensure(is_home_of(request.channel), "a message is given to the shard that sequences it");
  return publish_at_home(request, {.shard = here_, .connection = {}, .id = id}, Hold::allowed, now);
}

bool ChannelRouter::clean_up(std::uint32_t& slot, std::uint32_t looks, std::uint32_t& forgotten, Now now) {
  Slab<Channel>& channels = channels_.slab();
  for (; looks != 0 && slot < channels.slot_end(); --looks, ++slot) {
    Channel* channel = channels.at(slot);
    if (channel == nullptr) continue;
    for (std::size_t form = 0; form < kForms; ++form) {
      const ChannelLog* log = delivery_->find_log(channel->logs[form]);
      if (log == nullptr || log->state != ChannelLog::State::live || !log->unread()) continue;
      close_log(*channel, static_cast<Form>(form), channel->logs[form]);
    }
    if (channel->home_state.valid()) {
      HomeChannel& home = homes_[channel->home_state.slot];
      if (home.durable.valid()) durable_.expire(home, now);
      home.history.trim(keep_of(home, now), now.mono - home.rule->history.age);
      if (!is_in_use(*channel, home)) {
        forget_home(*channel);
        stats_->add(CounterId::channels_expired);
        ++forgotten;
      }
    }
    if (channel->unused()) channels_.erase(*channel);
  }
  if (slot < channels.slot_end()) return false;
  release_unused();
  return true;
}

void ChannelRouter::validate() const {
  patterns_.validate();
  durable_.validate();
  auto& self = const_cast<ChannelRouter&>(*this);
  self.homes_.for_each([&](std::uint32_t slot, HomeChannel& home) {
    home.history.validate();
    const Channel& channel = self.channels_[home.channel];
    ensure(channel.home_state.slot == slot && channel.home == here_, "a home and its channel know each other");
    for (std::size_t form = 0; form < kForms; ++form) {
      const ChannelLog* log = self.delivery_->find_log(channel.logs[form]);
      ensure((home.form_logs[form] == nullptr) == (log == nullptr), "a form is encoded while its log exists");
      if (log == nullptr) continue;
      ensure(log->log.next() == home.history.next() || log->state != ChannelLog::State::live,
             "home logs have every message");
      const auto remote = std::ranges::count_if(
          home.remote, [&](const RemoteReader& reader) { return static_cast<std::size_t>(reader.form) == form; });
      ensure(log->remote_readers == static_cast<std::uint32_t>(remote), "a home log knows its remote readers");
    }
    for (const RemoteReader& reader : home.remote) {
      const FrameLog* log = home.form_logs[static_cast<std::size_t>(reader.form)];
      ensure(log != nullptr && reader.next <= log->next(), "a remote cursor is never ahead of its log");
      ensure((reader.greeted && reader.next == log->next() && reader.told_stale == home.stale) || reader.waiting ||
                 self.durable_.loading(home),
             "a remote reader's news is never forgotten");
    }
    ensure((home.liveness != Handle::kNone) == (home.rule->stale_after.count() != 0),
           "a channel that may become stale is watched");
  });
}

}  // namespace ringcast
