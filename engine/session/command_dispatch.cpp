#include <algorithm>
#include <utility>

#include "codec/dialect/detect.hpp"
#include "codec/dialect/native_reply.hpp"
#include "codec/text/channel_name.hpp"
#include "codec/text/pattern.hpp"
#include "engine/session/sessions.hpp"

namespace ringcast {
namespace {

JoinRequest request_of(const SubscribeItem& item, const SubscribeOptions& options) {
  return {.resume = item.resumes ? &item.resume : nullptr, .options = options};
}

constexpr Refusal kShuttingDown{.code = ErrorCode::overloaded, .sentence = "the node is shutting down"};

}  // namespace

void Sessions::on_message(Connection& connection, std::string_view text, Now now) {
  if (connection.outbox.dialect == Dialect::undecided) {  // the first message's shape chooses
    if (detect_dialect(text) == Dialect::exchange) {
      connection.outbox.dialect = Dialect::exchange;
      connection.outbox.form = connection.form_of(Form::exchange_raw);
      arm_heartbeat(connection, now, true);
    } else {
      choose_native(connection, Dialect::native, now);
      join_personal_channel(connection, std::nullopt, now);
      if (connection.stall != 0) {  // until the personal channel is joined
        keep_command(connection, text);
        return;
      }
    }
  }
  if (connection.outbox.dialect == Dialect::exchange) {
    on_exchange(connection, text, now);
  } else {
    on_native(connection, text, now);
  }
}

void Sessions::on_native(Connection& connection, std::string_view text, Now now) {
  const auto command = native_.decode(text);
  if (!command) {
    reply_.clear();
    append_native_error(reply_, command.error());
    send_text(connection, reply_, now);
    count_error(connection, command.error().code, now);
    return;
  }
  dispatch(connection, *command, text, now);
}

void Sessions::on_exchange(Connection& connection, std::string_view text, Now now) {
  const auto command = exchange_.decode(text);
  if (!command) {
    reply_.clear();
    append_exchange_error(reply_, command.error());
    send_text(connection, reply_, now);
    count_error(connection, ErrorCode::invalid_message, now);
    return;
  }
  dispatch(connection, *command, text, now);
}

void Sessions::dispatch(Connection& connection, const Command& command, std::string_view text, Now now) {
  stats_->add(CounterId::commands_received);
  if (connection.guard != nullptr && !admit(connection, command, now)) return;
  switch (command.kind) {
    case CommandKind::subscribe:
      subscribe(connection, command, now);
      break;
    case CommandKind::unsubscribe:
      unsubscribe(connection, command, now);
      break;
    case CommandKind::publish:
      publish(connection, command, text, now);
      break;
    case CommandKind::ping:
      reply_.clear();
      append_native_pong(reply_, command.id);
      send_text(connection, reply_, now);
      break;
    case CommandKind::list_subscriptions:
      list_subscriptions(connection, command, now);
      break;
    case CommandKind::set_property: {
      const Form form = connection.form_of(command.property_value ? Form::exchange_combined : Form::exchange_raw);
      if (form != connection.outbox.form) {
        connection.outbox.form = form;
        channels_->change_form(connection.outbox, now);
      }
      reply_.clear();
      append_exchange_done(reply_, command.id);
      send_text(connection, reply_, now);
      break;
    }
    case CommandKind::get_property:
      reply_.clear();
      append_exchange_property(reply_, command.id, plain_of(connection.outbox.form) == Form::exchange_combined);
      send_text(connection, reply_, now);
      break;
    case CommandKind::history:
      history(connection, command, text, now);
      break;
    case CommandKind::auth:
      authenticate(connection, command, text, now);
      break;
    case CommandKind::presence:
      ask_presence(connection, command, now);
      break;
    case CommandKind::ack:
      acknowledge(connection, command, text, now);
      break;
  }
}

// ---- subscribing ----

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

// ---- history ----

void Sessions::history(Connection& connection, const Command& command, std::string_view text, Now now) {
  std::optional<Refusal> refusal = may_read(connection, command.channel);
  if (!refusal && command.limit > kHistoryQueryMax) {
    refusal = {.code = ErrorCode::invalid_message, .sentence = "limit is at most 1000; ask on from the last message"};
  }
  if (!refusal && is_pattern(command.channel)) {
    refusal = {.code = ErrorCode::invalid_message, .sentence = "history is that of one channel, not of a pattern"};
  }
  if (refusal) {
    note_refused(connection, Operation::subscribe, *refusal, command.channel, false, now);
    send_error(connection, command.id, refusal->code, refusal->sentence, command.channel, now);
    return;
  }
  const HistoryAnswer answer = channels_->history(
      {.channel = command.channel,
       .id = command.id,
       .after = command.has_after ? std::optional<ResumePoint>{command.after} : std::nullopt,
       .limit = command.limit == 0 ? kHistoryQueryDefault : command.limit},
      connection.outbox.connection, now);
  switch (answer.kind) {
    case HistoryAnswer::Kind::answered:
      send_text(connection, answer.reply, now);
      break;
    case HistoryAnswer::Kind::forwarded:  // answers keep the order of their commands
      stall(connection, kStallHistory);
      break;
    case HistoryAnswer::Kind::no_room:
      park(connection, text);
      break;
    case HistoryAnswer::Kind::refused:
      send_error(connection, command.id, answer.refusal.code, answer.refusal.sentence, command.channel, now);
      break;
  }
}

void Sessions::handle(const HistoryReply& reply, Now now) {
  Connection* connection = find(reply.connection);
  if (connection == nullptr || connection->phase != Connection::Phase::open) return;
  if (reply.refused) {
    send_error(*connection, reply.text, reply.refusal.code, reply.refusal.sentence, {}, now);
  } else {
    send_text(*connection, reply.text, now);
  }
  unstall(*connection, kStallHistory, now);
}

// ---- acknowledging ----

void Sessions::acknowledge(Connection& connection, const Command& command, std::string_view text, Now now) {
  const PublishAnswer answer =
      channels_->acknowledge(connection.outbox, command.channel, command.acknowledged, command.id, now);
  switch (answer.kind) {
    case PublishAnswer::Kind::published:
    case PublishAnswer::Kind::forwarded:  // answered when it is stored, if it wants to hear of it
      break;
    case PublishAnswer::Kind::no_room:
      park(connection, text);
      break;
    case PublishAnswer::Kind::refused:
      send_error(connection, command.id, answer.refusal.code, answer.refusal.sentence, command.channel, now);
      break;
  }
}

// ---- publishing ----

std::optional<Refusal> Sessions::may_publish(const Connection& connection, std::string_view channel) const {
  if (shutting_down_) return kShuttingDown;
  if (is_server_channel(channel)) {
    return Refusal{.code = ErrorCode::unauthorized, .sentence = "only the server publishes to channels in '$'"};
  }
  const Grant* grant = connection.grant();
  if (grant != nullptr) {
    if (const auto refusal = grant_refuses(*grant, Operation::publish, channel)) return refusal;
  }
  if (is_user_channel(channel)) {
    if (grant == nullptr && !options_->trusts_everybody()) {
      return Refusal{.code = ErrorCode::unauthorized, .sentence = "personal channels are not published to directly"};
    }
    if (!is_valid_user_id(channel.substr(kUserPrefix.size()))) {
      return Refusal{.code = ErrorCode::invalid_message, .sentence = "a personal channel names one user"};
    }
  }
  if (is_pattern(channel)) {
    return Refusal{.code = ErrorCode::invalid_message,
                   .sentence = "a message is published to a name, not to a pattern"};
  }
  return std::nullopt;
}

void Sessions::publish(Connection& connection, const Command& command, std::string_view text, Now now) {
  if (const auto refusal = may_publish(connection, command.channel)) {
    note_refused(connection, Operation::publish, *refusal, command.channel, false, now);
    send_error(connection, command.id, refusal->code, refusal->sentence, command.channel, now);
    return;
  }
  std::string_view data = command.data;
  bool opaque = false;
  if (command.unchecked) [[unlikely]] {
    if (const auto refusal = check_payload(command, data, opaque)) {
      send_error(connection, command.id, refusal->code, refusal->sentence, command.channel, now);
      return;
    }
  }
  connection.outbox.publishes = true;
  const PublishRequest request{.channel = command.channel,
                               .event = command.event,
                               .message_id = command.message_id,
                               .data = opaque ? data : unwrap_combined(command.channel, data),
                               .publisher = connection.publisher,
                               .snapshot = command.snapshot,
                               .as_of = command.has_as_of ? std::max(command.as_of, Sequence{1}) : Sequence{},
                               .high = command.high_priority,
                               .opaque = opaque,
                               .received = connection.received_at};
  const PublishAnswer answer = channels_->publish(request, connection.outbox.connection, command.id, now);
  switch (answer.kind) {
    case PublishAnswer::Kind::published:
      answer_published(connection, command.id, command.channel, answer.published, now);
      break;
    case PublishAnswer::Kind::forwarded:
      break;
    case PublishAnswer::Kind::no_room:
      if (command.unchecked) {  // a record: whoever reads them parks it with those behind it
        stall(connection, kStallRoom);
      } else {
        park(connection, text);
      }
      break;
    case PublishAnswer::Kind::refused:
      send_error(connection, command.id, answer.refusal.code, answer.refusal.sentence, command.channel, now);
      break;
  }
}

/// A command that found no room is held back, and everything behind it: nothing is lost or overtaken.
void Sessions::park(Connection& connection, std::string_view text) {
  keep_command(connection, text);
  stall(connection, kStallRoom);
}

/// To be carried out again once nothing stalls the connection any more.
void Sessions::keep_command(Connection& connection, std::string_view text) {
  if (connection.inbox == nullptr) connection.inbox = std::make_unique<Inbox>();
  connection.inbox->parked = text;
  connection.inbox->has_parked = true;
  budget_->charge(Purpose::inboxes, text.size());
}

void Sessions::handle(const PublishReply& reply, Now now) {
  Connection* connection = find(reply.connection);
  if (connection == nullptr || connection->phase != Connection::Phase::open) return;
  if (reply.refused) {
    send_error(*connection, reply.id, reply.refusal.code, reply.refusal.sentence, reply.channel, now);
    return;
  }
  if (reply.acknowledges) {
    if (reply.id.empty()) return;
    reply_.clear();
    append_native_acked(reply_, {.id = reply.id, .channel = reply.channel, .seq = reply.published.seq});
    send_text(*connection, reply_, now);
    return;
  }
  answer_published(*connection, reply.id, reply.channel, reply.published, now);
  send_records(*connection, now);
}

/// A record's answer waits for send_records(): those of one message go out together.
void Sessions::answer_published(Connection& connection, std::string_view id, std::string_view channel,
                                const Published& published, Now now) {
  if (id.empty()) return;
  if (connection.outbox.dialect == Dialect::binary) {
    if (const auto request = read_binary_id(id)) {
      if (!request->wants_answer) return;
      append_binary_published(records_, {.request = request->number,
                                         .channel_id = published.channel_id,
                                         .epoch = published.epoch,
                                         .seq = published.seq,
                                         .duplicate = published.duplicate});
      return;
    }
  }
  reply_.clear();
  append_native_published(
      reply_,
      {.id = id, .channel = channel, .epoch = published.epoch, .seq = published.seq, .duplicate = published.duplicate});
  send_text(connection, reply_, now);
}

void Sessions::room_made(Handle handle, Now now) {
  if (Connection* connection = find(handle)) unstall(*connection, kStallRoom, now);
}

// ---- errors ----

void Sessions::send_error(Connection& connection, std::string_view id, ErrorCode code, std::string_view sentence,
                          std::string_view channel, Now now) {
  if (const auto request = read_binary_id(id)) {
    append_record_error(*request, code, sentence, channel);
    send_records(connection, now);
    count_error(connection, code, now);
    return;
  }
  reply_.clear();
  if (connection.outbox.dialect == Dialect::exchange) {
    append_exchange_refusal(reply_, id, code, sentence);
  } else {
    append_native_error(reply_, NativeError{.id = id,
                                            .code = code,
                                            .message = sentence,
                                            .channel = channel,
                                            .retry_after = code == ErrorCode::overloaded
                                                               ? std::optional<milliseconds>{milliseconds{1'000}}
                                                               : std::nullopt});
  }
  send_text(connection, reply_, now);
  count_error(connection, code, now);
}

void Sessions::count_error(Connection& connection, ErrorCode code, Now now) {
  stats_->add(error_counter(std::to_underlying(code)));
  blame(connection, code, now);
}

/// One more mistake of this client; the one too many closes it.
void Sessions::blame(Connection& connection, ErrorCode code, Now now) {
  const bool ours = code == ErrorCode::overloaded || code == ErrorCode::processing_error;
  if (options_->errors.errors_max == 0 || ours) return;
  if (connection.errors == 0 || now.mono - connection.errors_since > options_->errors.errors_window) {
    connection.errors = 0;
    connection.errors_since = now.mono;
  }
  ++connection.errors;
  if (connection.errors <= options_->errors.errors_max) return;
  stats_->event(EventCode::client_errors, now, connection.errors, connection.id);
  close(connection, CloseCode::too_many_errors, "too many errors", now);
}

}  // namespace ringcast
