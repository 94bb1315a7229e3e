// Channels whose messages are in the offline store before anybody is sent them (docs/adr/0014): what the router does
// when the store has spoken, and how the home learns what is done with.
#include <algorithm>

#include "alloc/base/ensure.hpp"
#include "engine/channel/history_reader.hpp"
#include "engine/shard/channel_router.hpp"

namespace ringcast {
namespace {

constexpr Refusal kNotSubscribed{.code = ErrorCode::unknown_channel,
                                 .sentence = "the connection is not subscribed to this channel"};
constexpr Refusal kNoAcks{.code = ErrorCode::not_supported,
                          .sentence = "messages of this channel are not acknowledged"};
constexpr Refusal kNeverSent{.code = ErrorCode::invalid_message,
                             .sentence = "the connection was not sent a message with this seq"};

}  // namespace

// ---- publishing ----

PublishAnswer ChannelRouter::publish_durable(HomeChannel& home, const PublishRequest& request, const ReplyTo& to,
                                             Hold hold_allowed, Now now) {
  PublishAnswer answer;
  const auto admission = durable_.admit(home);
  if (admission == DurableChannels::Admission::refused) {
    stats_->add(CounterId::offline_refused);
    answer.refusal = {.code = ErrorCode::processing_error, .sentence = ringcast::refusal_of(durable_.state())};
    return answer;
  }
  if (admission == DurableChannels::Admission::hold && hold_allowed == Hold::allowed) {
    stats_->add(CounterId::publishes_parked);
    wait_for_store(to.connection);
    answer.kind = PublishAnswer::Kind::no_room;
    return answer;
  }
  durable_.stage(home, request, to, now);
  answer.kind = PublishAnswer::Kind::forwarded;
  return answer;
}

/// Tried again as soon as the store has said anything.
void ChannelRouter::wait_for_store(Handle connection) {
  if (!store_waited_for_) store_progress_ = durable_.progress();
  store_waited_for_ = true;
  if (connection.valid()) store_waiters_.push_back(connection);
}

/// What stands first in a publish lane has to wait for the store.
bool ChannelRouter::waits_for_store(std::string_view name) {
  const Channel* channel = channels_.find(name);
  if (channel == nullptr || !channel->home_state.valid()) {
    return durable_.full() && rule_of(name).durable();
  }
  const HomeChannel& home = homes_[channel->home_state.slot];
  return home.durable.valid() && durable_.admit(home) == DurableChannels::Admission::hold;
}

// ---- what the store has said ----

void ChannelRouter::channel_loaded(HomeChannel& home, Now now) {
  Channel& channel = channels_[home.channel];
  for (const Handle log_handle : channel.logs) {
    if (!log_handle.valid()) continue;
    ChannelLog& log = *delivery_->find_log(log_handle);
    ensure(log.state == ChannelLog::State::attaching, "a log waits while its channel is loading");
    log.state = ChannelLog::State::live;
    log.epoch = home.epoch;
    log.log.skip_to(home.history.next());
    log.unread_since = now.mono;
    settle_joiners(log_handle, now, loaded_);
  }
  for (RemoteReader& reader : home.remote) {
    reader.next = home.history.next();
    reader.waiting = true;
    reader.moved_at = now.mono;
    peer(reader.shard).readers.push_back({.home = channel.home_state, .their_log = reader.their_log});
  }
}

void ChannelRouter::channel_refused(HomeChannel& home, Now now) {
  Channel& channel = channels_[home.channel];
  for (const RemoteReader& reader : home.remote) {
    peer(reader.shard).refusals.push_back({.log = reader.their_log, .reason = MeshHello::Refused::unreadable});
  }
  home.remote.clear();
  for (Handle& slot : channel.logs) {
    if (!slot.valid()) continue;
    const Handle log_handle = std::exchange(slot, Handle{});
    ChannelLog& log = *delivery_->find_log(log_handle);
    log.remote_readers = 0;
    log.state = ChannelLog::State::refused;
    log.refused_by_store = true;
    settle_joiners(log_handle, now, loaded_);
  }
  forget_home(channel);
  if (channel.unused()) channels_.erase(channel);
}

void ChannelRouter::message_kept(HomeChannel& home, const PublishRequest& request, WallTime wall, Now now) {
  if (home.announce_to != 0) patterns_.begins(home, channels_[home.channel].home_state);
  const Published published = pipeline_.append(home, request, Now{.mono = now.mono, .wall = wall});
  announce(channels_[home.channel], home, request, published.seq, now);
}

void ChannelRouter::answered(const DurableReply& reply, Now) {
  using enum DurableReply::Kind;
  const PublishReply told{.connection = reply.to.connection,
                          .id = reply.to.id,
                          .channel = reply.channel,
                          .refused = reply.kind == refused || reply.kind == ack_refused,
                          .acknowledges = reply.kind == acknowledged || reply.kind == ack_refused,
                          .published = reply.published,
                          .refusal = {.code = reply.code, .sentence = reply.sentence}};
  if (reply.to.shard == here_) {
    replies_->push(told);
  } else {
    reply_over_mesh(reply.to.shard, told);
  }
}

bool ChannelRouter::told() const {
  if (!durable_.has_store()) return true;
  bool known = true;  // what readers were sent; a home may not have been told for want of a credit
  delivery_->logs().for_each([&](std::uint32_t, const ChannelLog& log) { known = known && !log.has_done(); });
  return known && durable_.settled() &&
         std::ranges::all_of(peers_, [](const Peer& there) { return there.credits == kMeshCredits; });
}

// ---- what is done with ----

PublishAnswer ChannelRouter::acknowledge(const Outbox& reader, std::string_view name, Sequence seq, std::string_view id,
                                         Now) {
  PublishAnswer answer;
  const Channel* channel = channels_.find(name);
  const std::uint32_t slot = channel == nullptr ? kNoSlot : delivery_->find_of(reader, channel->slot);
  if (slot == kNoSlot) {
    answer.refusal = kNotSubscribed;
    return answer;
  }
  const Subscription& subscription = delivery_->subscription(slot);
  if (!channel->rule->ack) {
    answer.refusal = kNoAcks;
    return answer;
  }
  if (subscription.reader_index == kNoSlot || seq == Sequence{} || seq >= subscription.cursor.next) {
    answer.refusal = kNeverSent;
    return answer;
  }
  answer.kind = PublishAnswer::Kind::forwarded;
  if (channel->home == here_) {
    HomeChannel& home = homes_[channel->home_state.slot];
    const ReplyTo to{.shard = here_, .connection = reader.connection, .id = id};
    if (id.empty()) {
      durable_.settle(home, seq);
      stats_->add(CounterId::offline_acks);
    } else if (!durable_.acknowledge(home, seq, to)) {
      wait_for_store(reader.connection);
      answer.kind = PublishAnswer::Kind::no_room;
    }
    return answer;
  }
  const ChannelLog& log = delivery_->log(subscription.cursor.log);
  if (!send_done(channel->home, log.home, seq, id.empty() ? Handle{} : reader.connection, id, DoneKind::acknowledged)) {
    peer(channel->home).publishers.push_back(reader.connection);
    answer.kind = PublishAnswer::Kind::no_room;
  }
  return answer;
}

/// False when there is no credit for it.
bool ChannelRouter::send_done(ShardIndex to, Handle home, Sequence seq, Handle connection, std::string_view id,
                              DoneKind kind) {
  Peer& there = peer(to);
  if (there.credits <= kMeshCreditsKept) return false;
  MutableBytes room = mesh_->control(here_, to).reserve(sizeof(MeshDone) + id.size());
  ensure(!room.empty(), "a control lane has room for every credit");
  RecordWriter record{room, MeshDone{.id_bytes = static_cast<std::uint8_t>(id.size()),
                                     .acknowledged = kind == DoneKind::acknowledged ? std::uint8_t{1} : std::uint8_t{0},
                                     .home = home,
                                     .seq = seq,
                                     .connection = connection}};
  record.put(id);
  push_control(to, room, sizeof(MeshDone) + id.size());
  --there.credits;
  return true;
}

void ChannelRouter::on_done(ShardIndex from, Bytes record) {
  const auto header = load<MeshDone>(record.data());
  const std::string_view id = RecordTexts{record, sizeof header}.take(header.id_bytes);
  HomeChannel* home = homes_.find(header.home);
  ensure(home != nullptr && home->durable.valid(), "a home stays while a shard reads it");
  PublishReply reply{.connection = header.connection, .acknowledges = true};
  if (id.empty()) {
    durable_.settle(*home, header.seq);
    if (header.acknowledged != 0) stats_->add(CounterId::offline_acks);
  } else if (durable_.acknowledge(*home, header.seq, {.shard = from, .connection = header.connection, .id = id})) {
    return;  // answered() tells it
  } else {
    reply.id = id;
    reply.channel = *home->name;
    reply.refused = true;
    reply.refusal = {.code = ErrorCode::processing_error, .sentence = kAckNotStored};
  }
  reply_over_mesh(from, reply);
}

/// Of a log whose messages are done with once they are sent: how far that is.
void ChannelRouter::note_done(ChannelLog& log) {
  if (!log.rule->ack) {
    for (const std::uint32_t slot : log.readers) {
      log.done = std::max(log.done, Delivery::delivered_to(delivery_->subscription(slot)));
    }
  }
  if (log.has_done()) tell_done(log);
}

void ChannelRouter::tell_done(ChannelLog& log) {
  const Channel& channel = channels_[log.channel];
  if (channel.home == here_) {
    durable_.settle(homes_[channel.home_state.slot], log.done);
  } else if (!send_done(channel.home, log.home, log.done, Handle{}, {}, DoneKind::sent)) {
    return;  // sweep_log() tries again
  }
  log.done_told = log.done;
}

/// What its history may not lose, however old it is.
Sequence ChannelRouter::keep_of(const HomeChannel& home, Now now) const {
  const Sequence joiners = kept_for_joiners(home, now.mono);
  return home.durable.valid() ? std::min(joiners, durable_.floor_of(home)) : joiners;
}

/// A history query of a channel whose past is not here yet. It is asked for; the query is tried again.
bool ChannelRouter::waits_for_past(std::string_view name, Now now) {
  if (!durable_.has_store() || !rule_of(name).durable()) return false;
  if (durable_.state() != StoreState::good && durable_.state() != StoreState::full) return false;
  Channel* channel = channels_.find_or_create(
      name, here_, [&](std::string_view n) -> const NamespaceRule& { return rules_.rule_of(n); });
  HomeChannel* home = channel == nullptr ? nullptr : ensure_home(*channel, now);
  if (home == nullptr) {
    if (channel != nullptr && channel->unused()) channels_.erase(*channel);
    return false;
  }
  return durable_.loading(*home);
}

}  // namespace ringcast
