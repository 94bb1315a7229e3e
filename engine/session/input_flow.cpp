// From bytes to messages: a client's input, what holds it back, and what becomes of a client that breaks the protocol.
#include <utility>

#include "codec/websocket/frame_error.hpp"
#include "engine/session/sessions.hpp"

namespace ringcast {

void Sessions::receive(Handle handle, MutableBytes bytes, Now now) {
  Connection* connection = find(handle);
  stats_->add(CounterId::bytes_received, bytes.size());
  if (connection == nullptr) return;
  connection->received_at = now.mono;
  using Phase = Connection::Phase;
  if (connection->phase == Phase::closing || connection->phase == Phase::lingering) return;  // we are done listening

  if (connection->stall != 0 || connection->inbox != nullptr) {  // behind what waits already
    keep_input(*connection, bytes);
    if (connection->stall == 0) process_input(*connection, now);
  } else {
    MutableBytes input = bytes;
    process(*connection, input, now);
    if (!input.empty() && connection->phase <= Phase::open) keep_input(*connection, input);
  }
  if (connection->stall != 0 && !connection->receive_paused && connection->phase <= Phase::open &&
      connection->inbox != nullptr && connection->inbox->waiting().size() >= kInboxPauseBytes) {
    connection->receive_paused = true;
    act(ActionKind::pause_receive, *connection);
  }
}

/// Works off what waits: first the publish that was held back, then the bytes behind it.
void Sessions::process_input(Connection& connection, Now now) {
  using Phase = Connection::Phase;
  Inbox* inbox = connection.inbox.get();
  if (inbox != nullptr && inbox->has_parked && connection.stall == 0) {
    inbox->has_parked = false;
    std::string text = std::exchange(inbox->parked, {});
    budget_->release(Purpose::inboxes, text.size());
    retrying_ = true;
    if (std::exchange(inbox->parked_records, false)) {
      resume_records(connection, std::move(text), std::exchange(inbox->parked_begin, 0), now);
    } else {
      on_message(connection, text, now);
    }
    retrying_ = false;
    inbox = connection.inbox.get();
  }
  if (inbox != nullptr && connection.stall == 0 && connection.phase <= Phase::open) {
    MutableBytes input = inbox->waiting();
    const std::size_t before = input.size();
    process(connection, input, now);
    inbox = connection.inbox.get();
    if (inbox != nullptr) {
      inbox->begin += before - input.size();
      budget_->release(Purpose::inboxes, before - input.size());
      if (connection.phase == Phase::handshake && !input.empty()) return;  // the rest of the head is to come
    }
  }
  if (inbox != nullptr && (inbox->empty() || connection.phase > Phase::open)) drop_inbox(connection);
  if (connection.stall == 0 && connection.receive_paused && connection.phase == Phase::open) {
    connection.receive_paused = false;
    act(ActionKind::resume_receive, connection);
  }
}

void Sessions::process(Connection& connection, MutableBytes& input, Now now) {
  if (connection.phase == Connection::Phase::handshake) read_head(connection, input, now);
  if (connection.phase == Connection::Phase::open) process_frames(connection, input, now);
}

void Sessions::process_frames(Connection& connection, MutableBytes& input, Now now) {
  using Phase = Connection::Phase;
  while (connection.phase == Phase::open && connection.stall == 0) {
    const auto event = connection.assembler.next(input);
    if (!event) break;
    stats_->add(CounterId::frames_received);
    switch (event->kind) {
      case WsEvent::Kind::text:
      case WsEvent::Kind::binary:
        take_message(connection, *event, now);
        break;
      case WsEvent::Kind::ping:
        if (admit_ping(connection, now)) send_frame(connection, {.opcode = Opcode::pong}, event->payload, now);
        break;
      case WsEvent::Kind::pong:
        connection.pings_unanswered = 0;
        stats_->add(CounterId::pongs_received);
        break;
      case WsEvent::Kind::close:
        count_close(connection, value(event->code));
        close(connection, close_reply_code(event->code), {}, now);
        break;
      case WsEvent::Kind::error:
        break_off(connection, event->error, now);
        break;
    }
  }
  settle_assembler(connection);
}

void Sessions::take_message(Connection& connection, const WsEvent& event, Now now) {
  stats_->add(CounterId::messages_received);
  Bytes payload = event.payload;
  if (event.compressed) {
    const auto unpacked = compression_.unpack(event);
    if (!unpacked || unpacked->size() > connection.assembler.message_bytes_max()) {
      compression_.done();
      break_off(connection, unpacked ? FrameError::message_too_large : unpacked.error(), now);
      return;
    }
    payload = *unpacked;
  }
  stats_->add(CounterId::messages_in_bytes, payload.size());
  if (connection.service == Connection::Service::echo) {
    stats_->add(CounterId::echo_messages);
    send_echo(connection, event.kind == WsEvent::Kind::text ? Opcode::text : Opcode::binary, payload, now);
  } else if (event.kind == WsEvent::Kind::text) {
    on_message(connection, as_text(payload), now);
  } else if (connection.outbox.dialect == Dialect::binary) {
    on_records(connection, payload, now);
  } else {
    close(connection, CloseCode::unsupported_data, "this dialect is JSON text", now);
  }
  if (event.compressed) compression_.done();
}

/// It broke the rules of RFC 6455 or 7692.
void Sessions::break_off(Connection& connection, FrameError error, Now now) {
  const CloseCode code = close_code_of(error);
  stats_->add(CounterId::protocol_errors);
  stats_->event(EventCode::protocol_error, now, value(code), connection.id, sentence_of(error));
  close(connection, code, sentence_of(error), now);
}

/// Brings the charge to what the assembler holds now.
void Sessions::settle_assembler(Connection& connection) {
  const auto held = static_cast<std::uint32_t>(connection.assembler.bytes_held());
  if (held > connection.assembler_bytes) budget_->charge(Purpose::inboxes, held - connection.assembler_bytes);
  if (held < connection.assembler_bytes) budget_->release(Purpose::inboxes, connection.assembler_bytes - held);
  connection.assembler_bytes = held;
}

void Sessions::keep_input(Connection& connection, Bytes bytes) {
  if (connection.inbox == nullptr) connection.inbox = std::make_unique<Inbox>();
  Inbox& inbox = *connection.inbox;
  if (inbox.begin != 0) {
    inbox.bytes.erase(inbox.bytes.begin(), inbox.bytes.begin() + static_cast<std::ptrdiff_t>(inbox.begin));
    inbox.begin = 0;
  }
  inbox.bytes.insert(inbox.bytes.end(), bytes.begin(), bytes.end());
  budget_->charge(Purpose::inboxes, bytes.size());
}

void Sessions::drop_inbox(Connection& connection) {
  if (connection.inbox != nullptr) {
    budget_->release(Purpose::inboxes, connection.inbox->waiting().size() + connection.inbox->parked.size());
    connection.inbox.reset();
  }
}

void Sessions::stall(Connection& connection, StallReason reason) {
  connection.stall = static_cast<std::uint8_t>(connection.stall | reason);
}

void Sessions::unstall(Connection& connection, StallReason reason, Now now) {
  connection.stall = static_cast<std::uint8_t>(connection.stall & ~reason);
  connection.pings_unanswered = 0;  // its pongs waited with its other input
  if (connection.stall == 0 && connection.phase <= Connection::Phase::open) process_input(connection, now);
}

void Sessions::receive_ended(Handle handle, int error, Now now) {
  Connection* connection = find(handle);
  if (connection == nullptr) return;
  using Phase = Connection::Phase;
  connection->peer_ended = true;
  switch (connection->phase) {
    case Phase::handshake:
      end(*connection, ActionKind::close, now);
      break;
    case Phase::open:
      count_close(*connection, value(CloseCode::abnormal));
      // What it has not read might end within a frame, and its remainder may be in flight: that is no orderly end.
      end(*connection, error == 0 && !connection->outbox.has_news() ? ActionKind::close : ActionKind::reset, now);
      break;
    case Phase::closing:
      if (error != 0) end(*connection, ActionKind::reset, now);
      break;  // it may still read: the close frame goes out
    case Phase::lingering:
      end(*connection, ActionKind::close, now);
      break;
    case Phase::ended:
      break;
  }
}

}  // namespace ringcast
