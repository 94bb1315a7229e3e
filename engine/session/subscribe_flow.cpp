// Subscribing: who may, what a command that names several channels waits for, and its one answer.
#include <algorithm>
#include <utility>

#include "alloc/base/ensure.hpp"
#include "codec/dialect/native_reply.hpp"
#include "codec/text/channel_name.hpp"
#include "codec/text/pattern.hpp"
#include "engine/session/sessions.hpp"

namespace ringcast {
namespace {

JoinRequest request_of(const SubscribeItem& item, const SubscribeOptions& options) {
  return {.resume = item.resumes ? &item.resume : nullptr, .options = options};
}

}  // namespace

/// Asked for each channel, and again for each that a pattern binds. A pattern that spells a prefix out is judged by it.
std::optional<Refusal> Sessions::may_read(const Connection& connection, std::string_view channel) const {
  if (const Grant* grant = connection.grant()) return grant_refuses(*grant, Operation::subscribe, channel);
  if (is_server_channel(channel)) {
    return Refusal{.code = ErrorCode::unauthorized, .sentence = "channels in '$' are for administrators"};
  }
  if (is_user_channel(channel) && !is_own_channel(connection, channel)) {
    return Refusal{.code = ErrorCode::unauthorized, .sentence = "a personal channel is its user's alone"};
  }
  return std::nullopt;
}

std::optional<Refusal> Sessions::may_subscribe(const Connection& connection, std::string_view channel,
                                               Now now) const {
  if (const auto refusal = may_read(connection, channel)) return refusal;
  if (connection.outbox.subscriptions >= subscriptions_max(connection.outbox, options_->limits) &&
      !channels_->has(connection.outbox, channel)) {
    return Refusal{.code = ErrorCode::too_many_subscriptions,
                   .sentence = "the connection has as many subscriptions as it may have"};
  }
  return record_refuses(connection, now);
}

void Sessions::subscribe(Connection& connection, const Command& command, Now now) {
  const Handle handle = joins_.create();
  ensure(handle.valid(), "every connection has at most one subscribe that waits");
  JoinGroup& group = joins_[handle.slot];
  group.connection = connection.outbox.connection;
  group.id = command.id;
  group.options = granted_options(connection, command);
  connection.join = handle;
  bool noted = false;
  std::size_t names_bytes = 0;
  for (const SubscribeItem& item : command.items) names_bytes += item.channel.size();
  group.names.reserve(names_bytes);  // the views below stay where they are
  for (const SubscribeItem& item : command.items) {
    const std::size_t at = group.names.size();
    group.names += item.channel;
    JoinItem& joined = group.items.emplace_back();
    joined.item = item;
    joined.item.channel = std::string_view{group.names}.substr(at, item.channel.size());
    if (is_pattern(item.channel)) {
      join_pattern(connection, joined, command, now);
      if (joined.answer.kind == JoinAnswer::Kind::waiting) {
        ++group.waiting;
      } else {
        note_refused(connection, Operation::subscribe, joined.answer.refusal, item.channel, std::exchange(noted, true),
                     now);
      }
      continue;
    }
    if (const auto refusal = may_subscribe(connection, item.channel, now)) {
      joined.answer.refusal = *refusal;
      note_refused(connection, Operation::subscribe, *refusal, item.channel, std::exchange(noted, true), now);
      continue;
    }
    const bool claims = connection.own_channel_given && is_own_channel(connection, item.channel);
    joined.answer =
        claims ? claim_own_channel(connection, joined.item, group.options, now)
               : channels_->join(connection.outbox, item.channel, request_of(joined.item, group.options), now);
    if (joined.answer.kind == JoinAnswer::Kind::waiting) ++group.waiting;
  }
  if (group.waiting != 0) {
    stall(connection, kStallJoin);
    return;
  }
  finish_join(group, connection, now);
}

void Sessions::join_ready(Handle subscription, Now now) {
  const auto group_of = channels_->reader_of(subscription);
  Connection* connection = group_of.valid() ? find(group_of) : nullptr;
  if (connection == nullptr) return;  // it left meanwhile
  JoinGroup* group = joins_.find(connection->join);
  ensure(group != nullptr, "a subscription that waits belongs to a subscribe");
  const auto item = std::ranges::find_if(group->items, [&](const JoinItem& candidate) {
    return candidate.answer.kind == JoinAnswer::Kind::waiting && candidate.answer.subscription == subscription;
  });
  ensure(item != group->items.end(), "a subscribe knows what it waits for");
  item->answer = channels_->finish_join(subscription, request_of(item->item, group->options), now);
  if (item->answer.kind == JoinAnswer::Kind::waiting) return;  // for history, now that its log is there
  if (--group->waiting != 0) return;
  finish_join(*group, *connection, now);
  unstall(*connection, kStallJoin, now);
}

/// Every channel has answered: one reply, and only then the messages.
void Sessions::finish_join(JoinGroup& group, Connection& connection, Now now) {
  const Handle handle = connection.join;
  connection.join = Handle{};  // a reply may close the connection, which ends what still waits: not this group
  reply_subscribed(connection, group, now);
  bool patterns = false;
  for (const JoinItem& joined : group.items) {
    if (joined.pattern.valid()) {
      patterns_->pattern_answered(joined.pattern);
      patterns = true;
    } else if (joined.answer.kind == JoinAnswer::Kind::joined) {
      channels_->release_messages(joined.answer.subscription, now);
    }
  }
  joins_.destroy(handle);
  if (patterns) tell_patterns(now);  // what they have bound, before the next command
}

void Sessions::reply_subscribed(Connection& connection, JoinGroup& group, Now now) {
  if (connection.outbox.dialect == Dialect::exchange) {
    const auto refused = std::ranges::find_if(
        group.items, [](const JoinItem& joined) { return joined.answer.kind == JoinAnswer::Kind::refused; });
    if (refused != group.items.end()) {
      send_error(connection, group.id, refused->answer.refusal.code, refused->answer.refusal.sentence,
                 refused->item.channel, now);
    } else if (!group.id.empty()) {  // the streams of a URL are subscribed without an answer
      reply_.clear();
      append_exchange_done(reply_, group.id);
      send_text(connection, reply_, now);
    }
    return;
  }
  const bool any = std::ranges::any_of(
      group.items, [](const JoinItem& joined) { return joined.answer.kind == JoinAnswer::Kind::joined; });
  if (any) {
    reply_.clear();
    NativeSubscribed subscribed{reply_, group.id};
    const bool binary = connection.outbox.dialect == Dialect::binary;
    for (const JoinItem& joined : group.items) {
      if (joined.answer.kind != JoinAnswer::Kind::joined) continue;
      if (joined.pattern.valid()) {
        subscribed.add_pattern(joined.item.channel, joined.matched);
        continue;
      }
      subscribed.add({.channel = joined.item.channel,
                      .epoch = joined.answer.epoch,
                      .seq = joined.answer.last,
                      .recovered = joined.answer.recovered,
                      .state = word_of(joined.answer.state),
                      .as_of = joined.answer.as_of,
                      .channel_id = binary ? joined.answer.channel_id : 0,
                      .stale = channels_->tell_stale(joined.answer.subscription)});
    }
    subscribed.finish();
    send_text(connection, reply_, now);
  }
  bool blamed = false;
  for (const JoinItem& joined : group.items) {
    if (joined.answer.kind != JoinAnswer::Kind::refused) continue;
    reply_.clear();
    append_native_error(reply_, NativeError{.id = group.id,
                                            .code = joined.answer.refusal.code,
                                            .message = joined.answer.refusal.sentence,
                                            .channel = joined.item.channel,
                                            .retry_after = {}});
    send_text(connection, reply_, now);
    stats_->add(error_counter(std::to_underlying(joined.answer.refusal.code)));
    if (!blamed) blame(connection, joined.answer.refusal.code, now);  // one command, one mistake
    blamed = true;
  }
}

void Sessions::unsubscribe(Connection& connection, const Command& command, Now now) {
  const bool exchange = connection.outbox.dialect == Dialect::exchange;
  bool blamed = false;
  bool any = false;
  std::string text;
  {
    NativeUnsubscribed unsubscribed{text, command.id};
    for (const SubscribeItem& item : command.items) {
      const bool left = is_pattern(item.channel) ? patterns_->leave_pattern(connection.outbox, item.channel, now)
                                                 : channels_->leave(connection.outbox, item.channel, now);
      if (left) {
        unsubscribed.add(item.channel);
        any = true;
      } else if (!exchange) {
        reply_.clear();
        append_native_error(reply_, NativeError{.id = command.id,
                                                .code = ErrorCode::unknown_channel,
                                                .message = "the connection is not subscribed to this channel",
                                                .channel = item.channel,
                                                .retry_after = {}});
        send_text(connection, reply_, now);
        stats_->add(error_counter(std::to_underlying(ErrorCode::unknown_channel)));
        if (!blamed) blame(connection, ErrorCode::unknown_channel, now);  // one command, one mistake
        blamed = true;
      }
    }
    unsubscribed.finish();
  }
  if (exchange) {
    text.clear();
    append_exchange_done(text, command.id);
    any = true;
  }
  if (any) send_text(connection, text, now);
}

void Sessions::list_subscriptions(Connection& connection, const Command& command, Now now) {
  reply_.clear();
  ExchangeList list{reply_, command.id};
  std::vector<std::string_view> names;
  for (std::uint32_t slot = connection.outbox.subscription_first; slot != kNoSlot;
       slot = channels_->next_subscription(slot)) {
    if (!channels_->is_by_pattern(slot)) names.push_back(channels_->channel_of(slot));
  }
  std::ranges::reverse(names);  // in the order of subscribing
  patterns_->list_patterns(connection.outbox, names);
  for (const std::string_view name : names) list.add(name);
  list.finish();
  send_text(connection, reply_, now);
}

}  // namespace ringcast
