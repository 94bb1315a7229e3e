#include "engine/transport/transport.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "alloc/base/ensure.hpp"

namespace ringcast {

namespace {

/// Nothing when the peer has gone already.
std::optional<PeerInfo> peer_of(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return std::nullopt;
  PeerInfo peer;
  switch (storage.ss_family) {
    case AF_INET: {
      const auto& in = reinterpret_cast<const sockaddr_in&>(storage);
      peer.address[10] = peer.address[11] = 0xff;  // ::ffff:a.b.c.d
      std::memcpy(&peer.address[12], &in.sin_addr, sizeof in.sin_addr);
      peer.port = ntohs(in.sin_port);
      return peer;
    }
    case AF_INET6: {
      const auto& in = reinterpret_cast<const sockaddr_in6&>(storage);
      std::memcpy(peer.address.data(), &in.sin6_addr, sizeof in.sin6_addr);
      peer.port = ntohs(in.sin6_port);
      return peer;
    }
    default: peer.unix_socket = true; return peer;
  }
}

void reset_when_closed(int fd) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace

Transport::Transport(Ring& ring, BufferRing& buffers, TransportEvents& events, Budget& budget,
                     std::vector<Listener> listeners, std::uint32_t tls_handshakes_max)
    : ring_{ring},
      buffers_{buffers},
      events_{events},
      accepts_{ring, std::move(listeners)},
      tls_{ring, connections_, events, budget, tls_handshakes_max},
      sends_{ring, connections_, tls_} {}

Transport::~Transport() {
  connections_.for_each([](Handle, const ConnectionState& state) { ::close(state.fd); });
}

ConnectionState& Transport::known(Handle connection) {
  ConnectionState* state = connections_.find(connection);
  ensure(state != nullptr, "a connection is known until closed() has been said");
  return *state;
}

bool Transport::handle(const Completion& completion, Instant now) {
  const Tag tag = completion.tag();
  switch (tag.operation) {
    case Operation::accept:
      if (const int fd = accepts_.handle(completion, now); fd >= 0) {
        accepted(fd, accepts_.listeners()[tag.subject.slot].speaks_tls());
      }
      break;
    case Operation::receive: received(completion); break;
    case Operation::writable: {
      ConnectionState& state = known(tag.subject);
      state.polling = false;
      if (!state.closing) events_.writable(tag.subject);
      close_if_done(tag.subject, state);
      break;
    }
    case Operation::remainder: {
      ConnectionState& state = known(tag.subject);
      state.remainder = false;
      if (state.tls != nullptr) {
        tls_.sent(tag.subject, state, completion.result);
      } else {
        events_.remainder_sent(tag.subject, completion.result);
      }
      close_if_done(tag.subject, state);
      break;
    }
    case Operation::cancel:  // what was to be cancelled had completed already
      break;
    default: return false;
  }
  ++counters_.completions;
  report_closed();
  return true;
}

void Transport::accepted(int fd, bool tls) {
  auto peer = peer_of(fd);
  if (peer) peer->tls = tls;
  const auto connection = peer ? events_.accept(*peer) : std::nullopt;
  if (!connection) {
    ::close(fd);
    accepts_.descriptor_freed();
    return;
  }
  ++counters_.accepted;
  connections_.add(*connection, fd);
  ConnectionState& state = known(*connection);
  state.receive_wanted = true;
  if (tls) tls_.accepted(*connection, state);
  arm_receive(*connection, state);
}

void Transport::received(const Completion& completion) {
  const Handle connection = completion.tag().subject;
  ConnectionState& state = known(connection);
  ensure(state.receiving, "a receive completes for a connection that receives");
  if (!completion.more) state.receiving = state.receive_cancelled = false;

  if (completion.has_buffer) {
    const auto size = completion.result > 0 ? static_cast<std::uint32_t>(completion.result) : 0U;
    const MutableBytes bytes = buffers_.view(completion.buffer, size);
    if (size != 0 && !state.closing) {
      if (state.tls != nullptr) {
        tls_.received(connection, state, bytes);
      } else {
        events_.receive(connection, bytes);
      }
    }
    buffers_.give_back(completion.buffer);
  }
  const int error = completion.result < 0 ? -completion.result : 0;
  if (error == ENOBUFS) {
    ++counters_.buffers_exhausted;
    if (!std::exchange(state.starved, true)) starved_.push_back(connection);
  } else if (completion.result == 0 || (error != 0 && error != ECANCELED && error != EINTR && error != EAGAIN)) {
    if (!std::exchange(state.ended, true) && !state.closing) {
      const bool cut = error == 0 && state.tls != nullptr && tls_.cut_short(connection, state);
      events_.receive_ended(connection, cut ? EPROTO : error);
    }
  } else if (!state.receiving) {
    arm_receive(connection, state);
  }
  close_if_done(connection, state);
}

/// Arms the receive if it is wanted and possible.
void Transport::arm_receive(Handle connection, ConnectionState& state) {
  if (!state.receive_wanted || state.receiving || state.ended || state.closing || state.starved) return;
  state.receiving = true;
  ring_.receive_multishot({Operation::receive, connection}, state.fd, buffers_.group());
}

void Transport::cancel_receive(Handle connection, ConnectionState& state) {
  if (!state.receiving || state.receive_cancelled) return;
  state.receive_cancelled = true;
  ring_.cancel({Operation::cancel, connection}, {Operation::receive, connection});
}

bool Transport::begin_turn(Instant now) { return tls_.on() && tls_.begin_turn(now); }

std::optional<Instant> Transport::next_deadline() {
  auto next = accepts_.next_deadline();
  if (!tls_.on()) return next;
  const auto handshake = tls_.next_deadline();
  return handshake && (!next || *handshake < *next) ? handshake : next;
}

void Transport::finish_completions() {
  if (tls_.on()) tls_.finish_completions();
  buffers_.publish();
  if (starved_.empty()) return;
  for (const Handle connection : starved_) {
    ConnectionState* state = connections_.find(connection);
    if (state == nullptr) continue;  // closed meanwhile
    state->starved = false;
    arm_receive(connection, *state);
  }
  starved_.clear();
}

void Transport::apply(std::span<const Action> actions) {
  for (const Action& action : actions) {
    // Closed by an action before it in this group: the core cannot know yet.
    if (std::ranges::find(closed_, action.connection) != closed_.end()) continue;
    ConnectionState& state = known(action.connection);
    switch (action.kind) {
      case ActionKind::pause_receive:
        state.receive_wanted = false;
        cancel_receive(action.connection, state);
        break;
      case ActionKind::resume_receive:
        state.receive_wanted = true;
        arm_receive(action.connection, state);  // or when the cancelled one has ended
        break;
      case ActionKind::wait_writable:
        if (state.closing || (state.tls != nullptr && tls_.wait_writable(state))) break;
        if (state.polling) break;
        state.polling = true;
        ring_.poll_writable({Operation::writable, action.connection}, state.fd);
        break;
      case ActionKind::shutdown_write:
        if (state.tls != nullptr) {
          tls_.shut_down(action.connection, state);
        } else {
          ::shutdown(state.fd, SHUT_WR);
        }
        break;
      case ActionKind::reset:
        reset_when_closed(state.fd);
        begin_close(action.connection, state);
        break;
      case ActionKind::close:
        if (state.tls != nullptr && !state.closing) tls_.say_end(state);
        begin_close(action.connection, state);
        break;
    }
  }
  report_closed();
}

void Transport::begin_close(Handle connection, ConnectionState& state) {
  if (!std::exchange(state.closing, true)) {
    cancel_receive(connection, state);
    if (state.polling) ring_.cancel({Operation::cancel, connection}, {Operation::writable, connection});
    if (state.remainder) ring_.cancel({Operation::cancel, connection}, {Operation::remainder, connection});
  }
  close_if_done(connection, state);
}

void Transport::close_if_done(Handle connection, ConnectionState& state) {
  if (!state.closing || state.in_flight()) return;
  ::close(state.fd);
  if (state.tls != nullptr) tls_.forget(connection, state);
  connections_.remove(connection);
  closed_.push_back(connection);
}

void Transport::report_closed() {
  if (closed_.empty()) return;
  for (const Handle connection : closed_) events_.closed(connection);
  closed_.clear();
  accepts_.descriptor_freed();
}

void Transport::reset_all() {
  connections_.for_each([this](Handle connection, ConnectionState& state) {
    reset_when_closed(state.fd);
    begin_close(connection, state);
  });
  report_closed();
}

}  // namespace ringcast
