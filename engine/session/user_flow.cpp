// Whose connection it is, its personal channel, and who is there.
#include <array>
#include <string>
#include <utility>

#include "codec/dialect/native_presence.hpp"
#include "codec/hash/xxh3.hpp"
#include "codec/http/url.hpp"
#include "codec/text/channel_name.hpp"
#include "codec/text/numbers.hpp"
#include "codec/text/pattern.hpp"
#include "engine/session/sessions.hpp"

namespace ringcast {
namespace {

constexpr std::size_t kSinceBytesMax = kEpochBytes + 1 + kDecimalBytesMax;

}  // namespace

/// The one place where a connection gets its user, or another one; its message ids are that user's from now on.
void Sessions::set_user(Connection& connection, std::string_view user) {
  connection.publisher = user.empty() ? connection.id : hash64(user) | 1;
  presence_->set_user(connection.outbox, user);
}

/// With authentication off, the request names its user; otherwise the token has done so. False: it was refused.
bool Sessions::take_user(Connection& connection, const RequestHead& head, bool native_at_once,
                         std::optional<ResumePoint>& since, Now now) {
  bool named = connection.grant() != nullptr;
  std::array<char, kUserIdBytesMax> user_scratch;
  if (!options_->access.authenticates) {
    const auto user = query_parameter(head.query, "user", user_scratch);
    named = user && *user && !(*user)->empty();
    if (!user || (named && !is_valid_user_id(**user))) {
      refuse(connection, 400, "a user is named by 1 to 250 bytes of UTF-8, without control characters, '*' and '>'",
             now);
      return false;
    }
    if (named) set_user(connection, **user);
  }
  std::array<char, kSinceBytesMax> since_scratch;
  const auto from = query_parameter(head.query, "since", since_scratch);
  if (!from || *from) {
    if (from) since = parse_resume_point(**from);
    if (!since || !named || !native_at_once) {
      refuse(connection, 400,
             "since is EPOCH:SEQ of a user's personal channel, on a connection that is native from the start", now);
      return false;
    }
  }
  return true;
}

/// A user's own channel is joined without being asked for: "subscribed" comes without an id.
void Sessions::join_personal_channel(Connection& connection, const std::optional<ResumePoint>& since, Now now) {
  const std::string_view user = presence_->user_of(connection.outbox);
  if (user.empty()) return;
  std::string channel{kUserPrefix};
  channel += user;
  SubscribeItem item{.channel = channel, .resumes = since.has_value(), .resume = since.value_or(ResumePoint{})};
  Command command;
  command.kind = CommandKind::subscribe;
  command.items = {&item, 1};
  subscribe(connection, command, now);
  connection.own_channel_given = true;
}

/// It asks for its personal channel, which it has already: if it says where to resume, from there. What is refused
/// leaves the channel as it was.
JoinAnswer Sessions::claim_own_channel(Connection& connection, const SubscribeItem& item,
                                       const SubscribeOptions& options, Now now) {
  const JoinAnswer answer = channels_->join(connection.outbox, item.channel, {.options = options}, now);
  if (answer.kind == JoinAnswer::Kind::refused) return answer;
  connection.own_channel_given = false;
  if (!item.resumes) return answer;
  channels_->leave(connection.outbox, item.channel, now);
  return channels_->join(connection.outbox, item.channel, {.resume = &item.resume, .options = options}, now);
}

bool Sessions::is_own_channel(const Connection& connection, std::string_view channel) const {
  const std::string_view user = presence_->user_of(connection.outbox);
  return !user.empty() && is_user_channel(channel) && channel.substr(kUserPrefix.size()) == user;
}

// ---- who is there ----

std::optional<Refusal> Sessions::may_ask_presence(const Connection& connection, const Command& command) const {
  if (!command.user.empty()) {
    const Grant* grant = connection.grant();
    if (grant != nullptr ? grant->admin : options_->trusts_everybody()) return std::nullopt;
    return Refusal{.code = ErrorCode::unauthorized, .sentence = "users are for administrators to ask about"};
  }
  const std::string_view channel = command.channel;
  if (const auto refusal = may_read(connection, channel)) return refusal;
  if (is_pattern(channel)) {
    return Refusal{.code = ErrorCode::invalid_message, .sentence = "presence is of a channel, not of a pattern"};
  }
  if (!channels_->lists_users(channel)) {
    return Refusal{.code = ErrorCode::not_supported, .sentence = "the channel's namespace does not list its users"};
  }
  return std::nullopt;
}

/// One question at a time: what the client says next waits for the answer.
void Sessions::ask_presence(Connection& connection, const Command& command, Now now) {
  if (const auto refusal = may_ask_presence(connection, command)) {
    note_refused(connection, Operation::subscribe, *refusal, command.channel, false, now);
    send_error(connection, command.id, refusal->code, refusal->sentence, command.channel, now);
    return;
  }
  Question question{.kind = Question::Kind::channel_users, .limit = command.limit};
  question.after = command.after_name;
  if (command.user.empty()) {
    question.subject = command.channel;
  } else if (command.user == "*") {
    question.kind = Question::Kind::users;
  } else {
    question.kind = Question::Kind::user_channels;
    question.subject = command.user;
  }
  presence_->ask(std::move(question), Asker{.connection = connection.outbox.connection, .id = std::string{command.id}});
  stall(connection, kStallAnswer);
}

void Sessions::answer(const Answered& answered, Now now) {
  Connection* connection = find(answered.asker.connection);
  if (connection == nullptr) return;  // it left meanwhile
  const Answer& answer = answered.answer;
  reply_.clear();
  switch (answered.question.kind) {
    case Question::Kind::channel_users:
      presence_->fanout().tell_missed_before_list(connection->outbox, answered.question.subject, now);
      append_native_presence(reply_, NativeChannelPresence{.id = answered.asker.id,
                                                           .channel = answered.question.subject,
                                                           .users = answer.users,
                                                           .anonymous = answer.anonymous,
                                                           .unlisted = answer.unlisted,
                                                           .page = answer.names,
                                                           .more = answer.more});
      break;
    case Question::Kind::user_channels:
      append_native_presence(reply_, NativeUserPresence{.id = answered.asker.id,
                                                        .user = answered.question.subject,
                                                        .connections = answer.connections,
                                                        .channels = answer.names,
                                                        .more = answer.more});
      break;
    case Question::Kind::users:
      append_native_presence(reply_, NativeNodePresence{.id = answered.asker.id,
                                                        .users = answer.users,
                                                        .connections = answer.connections,
                                                        .page = answer.names,
                                                        .more = answer.more});
      break;
    case Question::Kind::channel_readers:
    case Question::Kind::user: ensure(false, "clients do not ask this");
  }
  send_text(*connection, reply_, now);
}

void Sessions::answered(Handle handle, Now now) {
  if (Connection* connection = find(handle)) unstall(*connection, kStallAnswer, now);
}

}  // namespace ringcast
