// From a message to what it asks for: the one switch over commands; and how mistakes are answered.
#include <utility>

#include "codec/dialect/detect.hpp"
#include "codec/dialect/native_reply.hpp"
#include "codec/text/pattern.hpp"
#include "engine/session/sessions.hpp"

namespace ringcast {

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
