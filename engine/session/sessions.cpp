#include "engine/session/sessions.hpp"

#include <algorithm>
#include <utility>

#include "alloc/base/ensure.hpp"
#include "codec/websocket/frame_error.hpp"
#include "codec/websocket/frame_writer.hpp"

namespace ringcast {
namespace {

constexpr milliseconds kCloseTime{5'000};  // from a close frame queued to the reset of a peer that does not take it

std::uint64_t tag_of(Handle handle) { return (std::uint64_t{handle.generation} << 32) | handle.slot; }
Handle handle_of(std::uint64_t tag) {
  return {.slot = static_cast<std::uint32_t>(tag), .generation = static_cast<std::uint32_t>(tag >> 32)};
}

}  // namespace

Sessions::Sessions(const CoreOptions& options, ChannelPort& channels, PatternPort& patterns, Presence& presence,
                   RollingSend& sends, Budget& budget, ShardStats& stats, Prng& prng, Now now)
    : options_{&options},
      channels_{&channels},
      patterns_{&patterns},
      presence_{&presence},
      sends_{&sends},
      budget_{&budget},
      stats_{&stats},
      prng_{&prng},
      wheel_{now.mono, kTimerTick},
      connections_{kConnectionsMax + kRefusalSlots, &budget, Purpose::connections},
      joins_{kConnectionsMax + kRefusalSlots, &budget, Purpose::subscriptions},
      native_{NativeLimits{.channels_max = options.limits.subscriptions}},
      exchange_{ExchangeLimits{.channels_max = options.limits.subscriptions}},
      compression_{options.limits.message_bytes, budget, stats} {}

Sessions::~Sessions() {
  connections_.for_each([this](std::uint32_t, Connection& connection) {
    wheel_.cancel(connection.timer);
    channels_->leave_all(connection.outbox, Now{});
    end_guard(connection);
    sends_->release(connection.outbox);
    connection.assembler.release();
    settle_assembler(connection);
    drop_inbox(connection);
  });
}

Connection* Sessions::find(Handle handle) {
  Connection* connection = connections_.find(handle);
  return connection == nullptr || connection->phase == Connection::Phase::ended ? nullptr : connection;
}

// ---- life ----

std::optional<Handle> Sessions::accept(const PeerInfo& peer, Now now) {
  const std::uint32_t limit = options_->limits.connections;
  if (shutting_down_ || std::max(peer.node_connections, connections_.size()) >= limit + kRefusalSlots) {
    stats_->add(CounterId::connections_refused_capacity);
    stats_->event(EventCode::connection_refused, now, connections_.size(), limit);
    return std::nullopt;
  }
  if (!takes_address(peer)) {  // some of them are told why; more would hold places that others want
    stats_->add(CounterId::connections_refused_address);
    stats_->event(EventCode::address_refused, now, access_.boards->connections->count(site_name(peer.address)),
                  options_->limits.connections_per_address, to_text(peer.address));
    return std::nullopt;
  }
  const bool full = peer.node_connections >= limit && !evict_half_open(now);
  const Handle handle = connections_.create(options_->limits.message_bytes);
  ensure(handle.valid(), "there are slots for every connection that a node may have");
  Connection& connection = connections_[handle.slot];
  connection.outbox.connection = handle;
  connection.timer.tag = tag_of(handle);
  connection.address = peer.address;
  connection.port = peer.port;
  connection.over_capacity = full;
  connection.outbox.encrypted = peer.tls;
  connection.received_at = now.mono;
  connection.opened_at = now.wall;
  connection.id = prng_->next();
  connection.publisher = connection.id;
  wheel_.arm(connection.timer, now.mono + options_->limits.handshake_time);
  if (guards_) begin_guard(connection, peer, now);
  stats_->add(CounterId::half_open);
  note_half_open(handle);
  stats_->add(CounterId::connections_accepted);
  stats_->add(CounterId::connections_open);
  stats_->raise(CounterId::connections_peak, std::uint64_t{peer.node_connections} + 1);
  return handle;
}

void Sessions::reconfigure(const CoreOptions& options) {
  const HeartbeatOptions& beat = options_->heartbeat;
  follow_heartbeat_ = follow_heartbeat_ || beat.interval != options.heartbeat.interval ||
                      beat.interval_exchange != options.heartbeat.interval_exchange ||
                      options_->limits.idle_time != options.limits.idle_time;
  options_ = &options;
  decide_guards();
  native_.set_limits({.channels_max = options.limits.subscriptions});
  exchange_.set_limits({.channels_max = options.limits.subscriptions});
  compression_.set_message_bytes_max(options.limits.message_bytes);
  follow_next_ = 0;
  follow_end_ = connections_.slot_end();
}

void Sessions::follow_options(Now now) {
  for (std::uint32_t i = 0; i < kSweepSlotsPerTick && follow_next_ != follow_end_; ++i) {
    Connection* connection = connections_.at(follow_next_++);
    if (connection == nullptr || connection->phase > Connection::Phase::open) continue;
    const bool is_open = connection->phase == Connection::Phase::open;
    if (guards_ && connection->guard == nullptr) give_guard(*connection);  // that of a handshake opens with it
    connection->assembler.set_message_bytes_max(is_open ? message_bytes_of(*connection)
                                                        : options_->limits.message_bytes);
    if (follow_heartbeat_ && is_open) arm_heartbeat(*connection, now, true);
  }
  if (follow_next_ == follow_end_) follow_heartbeat_ = false;
}

void Sessions::closed(Handle handle) {
  Connection* connection = connections_.find(handle);
  ensure(connection != nullptr && connection->phase == Connection::Phase::ended, "the shell closes what was ended");
  sends_->release(connection->outbox);
  connections_.destroy(handle);
  stats_->sub(CounterId::connections_open);
}

// ---- input ----

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

// ---- output ----

void Sessions::writable(Handle handle, Now now) {
  if (Connection* connection = find(handle)) sends_->writable(connection->outbox, now);
}

void Sessions::remainder_sent(Handle handle, std::int32_t result, Now now) {
  if (Connection* connection = connections_.find(handle)) sends_->remainder_sent(connection->outbox, result, now);
}

void Sessions::send(Connection& connection, std::string_view bytes, Now now) {
  if (connection.phase > Connection::Phase::open) return;  // an earlier answer closed it: nothing follows a close frame
  sends_->send_control(connection.outbox, bytes, now);
  if (connection.outbox.control_bytes() > kControlBytesMax && (connection.stall & kStallControl) == 0 &&
      connection.phase == Connection::Phase::open) {
    stats_->add(CounterId::control_overflows);
    stall(connection, kStallControl);
    connection.outbox.tell_control_low = true;
  }
}

void Sessions::send_frame(Connection& connection, FrameStart start, Bytes payload, Now now) {
  frame_.resize(frame_header_bytes(payload.size()) + payload.size());
  const std::size_t header = write_frame_header(frame_, start, payload.size());
  if (!payload.empty()) std::memcpy(frame_.data() + header, payload.data(), payload.size());
  send(connection, as_text(frame_), now);
  if (frame_.capacity() > kReplyBytesMax) frame_ = {};
}

void Sessions::send_text(Connection& connection, std::string_view text, Now now) {
  send_frame(connection, {.opcode = Opcode::text}, as_bytes(text), now);
}

/// Compressed where that was agreed on and pays, so that clients can be tested against it.
void Sessions::send_echo(Connection& connection, Opcode opcode, Bytes payload, Now now) {
  const Bytes packed = connection.window_bits == 0 ? Bytes{} : compression_.pack(payload, connection.window_bits);
  send_frame(connection, {.opcode = opcode, .compressed = !packed.empty()}, packed.empty() ? payload : packed, now);
  if (connection.window_bits != 0) compression_.done();
}

void Sessions::handle(const OutboxEvent& event, Now now) {
  Connection* connection = find(event.connection);
  if (connection == nullptr) return;
  switch (event.kind) {
    case OutboxEvent::Kind::empty:
      if (connection->phase == Connection::Phase::closing) {
        finish_sending(*connection, now);
      } else if (shutting_down_ && connection->phase == Connection::Phase::open) {
        if (connection->outbox.has_news()) {  // it catches up, and got more meanwhile
          connection->outbox.tell_when_empty = true;
          break;
        }
        close(*connection, CloseCode::going_away, "the node is shutting down", now);
      }
      break;
    case OutboxEvent::Kind::control_low:
      if (connection->outbox.notices_missed) presence_->fanout().tell_missed(connection->outbox, now);
      if ((connection->stall & kStallControl) != 0) unstall(*connection, kStallControl, now);
      break;
    case OutboxEvent::Kind::slow:
      if (connection->phase != Connection::Phase::open) break;
      stats_->add(CounterId::slow_disconnects);
      stats_->event(EventCode::slow_disconnected, now, event.messages, connection->id);
      close(*connection, CloseCode::slow_consumer, "too far behind", now);
      break;
    case OutboxEvent::Kind::failed:
      if (connection->phase == Connection::Phase::open) count_close(*connection, value(CloseCode::abnormal));
      end(*connection, ActionKind::reset, now);
      break;
    case OutboxEvent::Kind::wait_writable:
      act(ActionKind::wait_writable, *connection);
      break;
    case OutboxEvent::Kind::chunk_wanted:
      ensure(false, "history is asked of the channels");
  }
}

// ---- timers ----

void Sessions::expire_timers(Now now) {
  const std::size_t fired = wheel_.expire(now.mono, [&](TimerEntry& entry) {
    Connection* connection = find(handle_of(entry.tag));
    if (connection == nullptr) return;
    if (&entry == &connection->timer) {
      on_timer(*connection, now);
    } else {
      on_guard_timer(*connection, now);
    }
  });
  stats_->add(CounterId::timers_fired, fired);
  if (!verification_queue_.empty()) serve_verifications(now);
  recheck_grants(now);
}

std::optional<Instant> Sessions::next_deadline() const {
  std::optional<Instant> next = wheel_.next_deadline();
  const auto sooner = [&next](Instant other) { next = next ? std::min(*next, other) : other; };
  if (const auto verification = verification_deadline()) sooner(*verification);
  if (rechecking()) sooner(Instant{});
  return next;
}

void Sessions::on_timer(Connection& connection, Now now) {
  switch (connection.phase) {
    case Connection::Phase::handshake:
      stats_->add(CounterId::handshake_timeouts);
      if ((connection.stall & kStallVerify) != 0) {  // its request was here in time, we were not
        refuse_for_now(connection, 503, "5", "too many tokens wait to be checked", now);
        break;
      }
      refuse(connection, 408, "the request did not come in time", now);
      break;
    case Connection::Phase::open:
      on_heartbeat(connection, now);
      break;
    case Connection::Phase::closing:
    case Connection::Phase::lingering:
      end(connection, ActionKind::reset, now);
      break;
    case Connection::Phase::ended:
      break;
  }
}

void Sessions::arm_heartbeat(Connection& connection, Now now, bool first) {
  const bool exchange = connection.outbox.dialect == Dialect::exchange;
  const milliseconds interval =
      options_->heartbeat.interval.count() == 0
          ? milliseconds{0}
          : (exchange ? options_->heartbeat.interval_exchange : options_->heartbeat.interval);
  if (interval.count() == 0) {
    wheel_.arm(connection.timer,
               std::max(connection.received_at, connection.outbox.sent_at) + options_->limits.idle_time);
    return;
  }
  // The first ping comes early by up to half an interval, so that those who came together are not pinged together.
  const nanoseconds early =
      first ? nanoseconds{static_cast<std::int64_t>(
                  prng_->below(static_cast<std::uint64_t>(nanoseconds{interval}.count()) / 2 + 1))}
            : nanoseconds{0};
  // Then in step with others, a little late: a shard that wakes for every ping alone, and for every pong, uses seven
  // times the processor time that the pings take.
  const std::int64_t step = nanoseconds{std::clamp(interval / kHeartbeatSteps, kTimerTick, kHeartbeatStepMax)}.count();
  const std::int64_t due = (now.mono + interval - early).time_since_epoch().count();
  wheel_.arm(connection.timer, Instant{nanoseconds{(due + step - 1) / step * step}});
}

void Sessions::on_heartbeat(Connection& connection, Now now) {
  if (options_->heartbeat.interval.count() == 0) {  // heartbeats are off: silence itself is the sign
    const Instant last = std::max(connection.received_at, connection.outbox.sent_at);
    if (now.mono - last >= options_->limits.idle_time) {
      stats_->add(CounterId::idle_timeouts);
      close(connection, CloseCode::normal, "idle", now);
      return;
    }
    arm_heartbeat(connection, now, false);
    return;
  }
  const bool suspended = connection.stall != 0;  // its pongs may wait behind what we hold back
  if (!suspended && connection.pings_unanswered >= options_->heartbeat.missed_max) {
    stats_->add(CounterId::heartbeat_timeouts);
    stats_->event(EventCode::heartbeat_timeout, now, connection.pings_unanswered, connection.id);
    close(connection, CloseCode::heartbeat_timeout, "no pong", now);
    return;
  }
  if (!suspended) {
    ++connection.pings_unanswered;
    stats_->add(CounterId::pings_sent);
    send_frame(connection, {.opcode = Opcode::ping}, {}, now);
  }
  arm_heartbeat(connection, now, false);
}

// ---- closing ----

void Sessions::count_close(Connection& connection, std::uint16_t code) {
  if (connection.close_counted) return;
  connection.close_counted = true;
  stats_->add(closed_counter(code == value(CloseCode::no_status) ? value(CloseCode::normal) : code));
}

/// Sends a close frame behind the replies that wait, and nothing after it. Messages not sent yet are abandoned.
void Sessions::close(Connection& connection, CloseCode code, std::string_view reason, Now now) {
  if (connection.phase != Connection::Phase::open) return;
  count_close(connection, value(code));
  channels_->leave_all(connection.outbox, now);
  if (joins_.find(connection.join) != nullptr) joins_.destroy(connection.join);
  std::array<std::uint8_t, kControlFrameBytesMax> frame;
  const std::size_t size = write_close_frame(frame, code, reason);
  connection.phase = Connection::Phase::closing;
  connection.outbox.messages_held = true;
  connection.outbox.tell_when_empty = true;
  wheel_.arm(connection.timer, now.mono + kCloseTime);
  sends_->send_control(connection.outbox, as_text(Bytes{frame}.first(size)), now);
}

/// The last byte has gone out: FIN, and a while for theirs.
void Sessions::finish_sending(Connection& connection, Now now) {
  if (connection.peer_ended) {
    end(connection, ActionKind::close, now);
    return;
  }
  connection.phase = Connection::Phase::lingering;
  act(ActionKind::shutdown_write, connection);
  if (connection.receive_paused) {  // their FIN has to be heard
    connection.receive_paused = false;
    act(ActionKind::resume_receive, connection);
  }
  wheel_.arm(connection.timer, now.mono + kLingerTime);
}

void Sessions::end(Connection& connection, ActionKind kind, Now now) {
  if (connection.phase == Connection::Phase::ended) return;
  channels_->leave_all(connection.outbox, now);
  if (joins_.find(connection.join) != nullptr) joins_.destroy(connection.join);
  connection.assembler.release();
  settle_assembler(connection);
  drop_inbox(connection);
  wheel_.cancel(connection.timer);
  end_guard(connection);
  connection.outbox.failed = true;
  if (connection.phase == Connection::Phase::handshake) stats_->sub(CounterId::half_open);
  connection.phase = Connection::Phase::ended;
  act(kind, connection);
}

void Sessions::disconnect(Handle handle, Now now) {
  Connection* connection = find(handle);
  if (connection == nullptr) return;
  close(*connection, CloseCode::disconnected_by_administrator, "disconnected by an administrator", now);
}

void Sessions::begin_shutdown(Now now) {
  shutting_down_ = true;
  connections_.for_each([&](std::uint32_t, Connection& connection) {
    if (connection.phase == Connection::Phase::handshake) end(connection, ActionKind::close, now);
  });
}

void Sessions::finish_shutdown(Now now) {
  connections_.for_each([&](std::uint32_t, Connection& connection) {
    if (connection.phase != Connection::Phase::open) return;
    connection.outbox.tell_when_empty = true;
    if (!connection.outbox.has_news()) close(connection, CloseCode::going_away, "the node is shutting down", now);
  });
}

void Sessions::reset_all(Now now) {
  connections_.for_each([&](std::uint32_t, Connection& connection) { end(connection, ActionKind::reset, now); });
}

void Sessions::validate() const {
  ensure(wheel_.validate(), "every timer lies where it must");
  auto& connections = const_cast<Slab<Connection>&>(connections_);
  connections.for_each([&](std::uint32_t slot, Connection& connection) {
    ensure(connection.outbox.connection.slot == slot, "a connection knows its own name");
    using Phase = Connection::Phase;
    ensure(connection.phase == Phase::ended || connection.timer.armed(), "every connection has a deadline");
    if (connection.phase == Phase::open && connection.stall == 0) {
      ensure(connection.inbox == nullptr, "input waits only for a reason");
    }
    if (connection.outbox.has_news() && !connection.outbox.failed) {
      const bool in_flight = connection.outbox.has_remainder() && connection.outbox.unsent->rest_in_flight;
      ensure(connection.outbox.queued || connection.outbox.blocked || in_flight,
             "who has something to send waits for a turn or for its socket");
    }
  });
}

}  // namespace ringcast
