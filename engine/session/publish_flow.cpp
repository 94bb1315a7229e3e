// Publishing and acknowledging: who may, what is held back, and how it is answered.
#include <algorithm>
#include <utility>

#include "codec/dialect/native_reply.hpp"
#include "codec/text/channel_name.hpp"
#include "codec/text/pattern.hpp"
#include "engine/session/sessions.hpp"

namespace ringcast {
namespace {

constexpr Refusal kShuttingDown{.code = ErrorCode::overloaded, .sentence = "the node is shutting down"};

}  // namespace

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

}  // namespace ringcast
