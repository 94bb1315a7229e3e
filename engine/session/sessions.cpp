#include "engine/session/sessions.hpp"

#include <algorithm>
#include <utility>

#include "alloc/base/ensure.hpp"
#include "alloc/memory/give_back.hpp"
#include "codec/websocket/frame_writer.hpp"

namespace ringcast {
namespace {

constexpr milliseconds kCloseTime{5'000};  // from a close frame queued to the reset of a peer that does not take it

/// A deadline that comes again and again, a little late and in step with others: a shard that wakes for every ping
/// alone, and for every pong, uses seven times the processor time that the pings take.
Instant in_step(Instant deadline, nanoseconds interval) {
  const std::int64_t part = interval / kHeartbeatSteps / kDeadlineStep + 1;  // rounded up
  const std::int64_t step = nanoseconds{std::min(part * kDeadlineStep, kHeartbeatStepMax)}.count();
  const std::int64_t due = deadline.time_since_epoch().count();
  return Instant{nanoseconds{(due + step - 1) / step * step}};
}
static_assert(CalendarQueue::kBuckets * kDeadlineStep % kHeartbeatStepMax == milliseconds{0},
              "deadlines that are rounds away fall on the grid of the nearer ones");

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
      deadlines_{now.mono, kDeadlineStep, &budget, Purpose::connections},
      guard_wheel_{now.mono, kTimerTick},
      connections_{kConnectionsMax + kRefusalSlots, &budget, Purpose::connections},
      joins_{kConnectionsMax + kRefusalSlots, &budget, Purpose::subscriptions},
      native_{NativeLimits{.channels_max = options.limits.subscriptions}},
      exchange_{ExchangeLimits{.channels_max = options.limits.subscriptions}},
      compression_{options.limits.message_bytes, budget, stats} {}

Sessions::~Sessions() {
  connections_.for_each([this](std::uint32_t, Connection& connection) {
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
  connection.address = peer.address;
  connection.port = peer.port;
  connection.over_capacity = full;
  connection.outbox.encrypted = peer.tls;
  connection.received_at = now.mono;
  connection.opened_at = now.wall;
  connection.id = prng_->next();
  connection.publisher = connection.id;
  deadlines_.put(handle.slot, now.mono + options_->limits.handshake_time);
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
  if (frame_.capacity() > kReplyBytesMax) give_back(frame_);
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
    case OutboxEvent::Kind::wait_writable: act(ActionKind::wait_writable, *connection); break;
    case OutboxEvent::Kind::chunk_wanted: ensure(false, "history is asked of the channels");
  }
}

// ---- timers ----

void Sessions::expire_timers(Now now) {
  std::size_t met = deadlines_.expire(
      now.mono, [&](CalendarQueue::Member slot) { on_deadline(connections_[slot], now); },
      [&](CalendarQueue::Member slot) { connections_.prefetch(slot); });
  met += guard_wheel_.expire(now.mono, [&](TimerEntry& entry) {
    on_guard_timer(connections_[static_cast<std::uint32_t>(entry.tag)], now);
  });
  stats_->add(CounterId::timers_fired, met);
  if (!verification_queue_.empty()) serve_verifications(now);
  recheck_grants(now);
}

std::optional<Instant> Sessions::next_deadline() const {
  std::optional<Instant> next = deadlines_.next_deadline();
  const auto sooner = [&next](Instant other) { next = next ? std::min(*next, other) : other; };
  if (const auto guard = guard_wheel_.next_deadline()) sooner(*guard);
  if (const auto verification = verification_deadline()) sooner(*verification);
  if (rechecking()) sooner(Instant{});
  return next;
}

void Sessions::on_deadline(Connection& connection, Now now) {
  switch (connection.phase) {
    case Connection::Phase::handshake:
      stats_->add(CounterId::handshake_timeouts);
      if ((connection.stall & kStallVerify) != 0) {  // its request was here in time, we were not
        refuse_for_now(connection, 503, "5", "too many tokens wait to be checked", now);
        break;
      }
      refuse(connection, 408, "the request did not come in time", now);
      break;
    case Connection::Phase::open: on_heartbeat(connection, now); break;
    case Connection::Phase::closing:
    case Connection::Phase::lingering: end(connection, ActionKind::reset, now); break;
    case Connection::Phase::ended: break;
  }
}

/// Zero: the connection is not pinged.
milliseconds Sessions::heartbeat_of(const Connection& connection) const {
  const HeartbeatOptions& beat = options_->heartbeat;
  if (beat.interval.count() == 0) return beat.interval;
  return connection.outbox.dialect == Dialect::exchange ? beat.interval_exchange : beat.interval;
}

void Sessions::arm_heartbeat(Connection& connection, Now now, bool first) {
  const nanoseconds interval = heartbeat_of(connection);
  if (interval.count() == 0) {
    const milliseconds idle_time = options_->limits.idle_time;
    const Instant last = std::max(connection.received_at, connection.outbox.sent_at);
    deadlines_.put(slot_of(connection), in_step(last + idle_time, idle_time));
    return;
  }
  // The first ping comes early by up to half an interval, so that those who came together are not pinged together.
  const nanoseconds early = first ? nanoseconds{static_cast<std::int64_t>(prng_->below(
                                        static_cast<std::uint64_t>(interval.count()) / 2 + 1))}
                                  : nanoseconds{0};
  deadlines_.put(slot_of(connection), in_step(now.mono + interval - early, interval));
}

void Sessions::on_heartbeat(Connection& connection, Now now) {
  if (heartbeat_of(connection).count() == 0) {  // silence itself is the sign
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
  deadlines_.put(slot_of(connection), now.mono + kCloseTime);
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
  deadlines_.put(slot_of(connection), now.mono + kLingerTime);
}

void Sessions::end(Connection& connection, ActionKind kind, Now now) {
  if (connection.phase == Connection::Phase::ended) return;
  channels_->leave_all(connection.outbox, now);
  if (joins_.find(connection.join) != nullptr) joins_.destroy(connection.join);
  connection.assembler.release();
  settle_assembler(connection);
  drop_inbox(connection);
  deadlines_.remove(slot_of(connection));
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
  ensure(deadlines_.validate() && guard_wheel_.validate(), "every timer lies where it must");
  auto& connections = const_cast<Slab<Connection>&>(connections_);
  connections.for_each([&](std::uint32_t slot, Connection& connection) {
    ensure(connection.outbox.connection.slot == slot, "a connection knows its own name");
    using Phase = Connection::Phase;
    ensure(deadlines_.contains(slot) == (connection.phase != Phase::ended), "each has a deadline until it ends");
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
