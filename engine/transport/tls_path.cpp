#include "engine/transport/tls_path.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "alloc/base/ensure.hpp"
#include "alloc/memory/give_back.hpp"

namespace ringcast {
namespace {

constexpr std::size_t kBatchBytes = kSendBatchMax * kTlsRecordBytesMax;

/// Once, without waiting: the last words to a peer that is given up.
void say_last(int fd, Bytes bytes) {
  if (!bytes.empty()) (void)::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace

TlsPath::TlsPath(Ring& ring, ConnectionTable& connections, TransportEvents& events, Budget& budget,
                 std::uint32_t handshakes_max)
    : ring_{ring}, connections_{connections}, events_{events}, budget_{budget}, handshakes_max_{handshakes_max} {}

TlsPath::~TlsPath() {
  for (const auto& tls : by_slot_) {
    if (tls != nullptr) budget_.release(Purpose::tls, tls->charged);
  }
  if (!sealed_.empty()) budget_.release(Purpose::scratch, kBatchBytes);
}

/// Brings the charge to what is held now.
void TlsPath::settle(TlsConnection& tls) {
  std::size_t held = sizeof tls + tls.in_flight.capacity() + tls.pending.capacity() + tls.held_input.capacity();
  if (tls.stream) held += tls.open() ? kTlsSessionBytes : kTlsHandshakeBytes;
  if (tls.stream && tls.stream->mid_record()) held += kTlsRecordBytes;
  if (held > tls.charged) budget_.charge(Purpose::tls, held - tls.charged);
  if (held < tls.charged) budget_.release(Purpose::tls, tls.charged - held);
  tls.charged = held;
}

// ---- life ----

void TlsPath::accepted(Handle connection, ConnectionState& state) {
  ensure(context_ != nullptr, "a listener speaks TLS only with certificates");
  if (sealed_.empty()) {
    sealed_.resize(kSendBatchMax);
    for (auto& buffer : sealed_) buffer.reserve(kTlsRecordBytesMax);
    plain_ = std::make_unique_for_overwrite<std::uint8_t[]>(kTlsRecordPlainMax);
    budget_.charge(Purpose::scratch, kBatchBytes);
  }
  if (connection.slot >= by_slot_.size()) by_slot_.resize(std::size_t{connection.slot} + 1);
  by_slot_[connection.slot] = std::make_unique<TlsConnection>();
  state.tls = by_slot_[connection.slot].get();
  settle(*state.tls);
}

/// With its first bytes: who says nothing takes nobody's place.
void TlsPath::begin_handshake(Handle connection, TlsConnection& tls) {
  tls.stream.emplace(context_, wire_);
  tls.handshaking = true;
  tls.began_at = turn_at_;
  ++handshaking_;
  forget_ended_handshakes();
  begun_.push_back(connection);
  settle(tls);
}

/// Leaves one that is under way in front.
void TlsPath::forget_ended_handshakes() {
  while (!begun_.empty()) {
    const ConnectionState* state = connections_.find(begun_.front());
    if (state != nullptr && state->tls != nullptr && state->tls->handshaking) return;
    begun_.pop_front();
  }
}

/// One place among those under way is free: for who has waited longest.
void TlsPath::end_handshake(TlsConnection& tls) {
  if (!std::exchange(tls.handshaking, false)) return;
  --handshaking_;
  while (!waiting_.empty() && handshaking_ < handshakes_max_) {
    const Handle next = waiting_.front();
    waiting_.pop_front();
    ConnectionState* state = connections_.find(next);
    if (!goes_on(state)) continue;  // it did not wait so long
    begin_handshake(next, *state->tls);
    held_.push_back(next);
  }
}

/// Of one that was put off.
bool TlsPath::goes_on(const ConnectionState* state) {
  return state != nullptr && state->tls != nullptr && !state->closing && !state->ended && !state->tls->broken;
}

/// Whoever shakes hands for a whole second while others wait for the place gives it up.
void TlsPath::make_room() {
  while (!waiting_.empty()) {
    forget_ended_handshakes();
    if (begun_.empty()) return;
    const Handle oldest = begun_.front();
    ConnectionState* state = connections_.find(oldest);
    if (turn_at_ - state->tls->began_at < kTlsPatience) return;
    begun_.pop_front();
    give_up(oldest, *state, TlsFailure::slow, "others wait");
  }
}

std::optional<Instant> TlsPath::next_deadline() {
  if (waiting_.empty()) return std::nullopt;
  forget_ended_handshakes();
  if (begun_.empty()) return std::nullopt;
  return connections_.find(begun_.front())->tls->began_at + kTlsPatience;
}

void TlsPath::forget(Handle connection, ConnectionState& state) {
  const std::unique_ptr<TlsConnection> tls = std::move(by_slot_[connection.slot]);
  ensure(tls != nullptr && tls.get() == state.tls, "a TLS connection is one of ours");
  state.tls = nullptr;
  if (!tls->open() && !tls->broken) ++counters_.unfinished;
  budget_.release(Purpose::tls, tls->charged);
  end_handshake(*tls);
}

// ---- input ----

void TlsPath::received(Handle connection, ConnectionState& state, MutableBytes bytes) {
  TlsConnection& tls = *state.tls;
  if (tls.broken || state.ended) return;
  if (!std::exchange(tls.spoke, true)) bytes = bytes.subspan(events_.receive_before_tls(connection, bytes));
  if (bytes.empty()) return;
  if (!tls.open()) {
    const bool put_off = !tls.held_input.empty();
    if (!tls.stream && !put_off && handshaking_ < handshakes_max_) begin_handshake(connection, tls);
    if (put_off || !tls.stream || steps_left_ == 0) {
      put_off_input(connection, state, bytes);
      return;
    }
    --steps_left_;
  }
  work(connection, state, bytes);
}

/// For a turn with steps to spare, or until a handshake may begin.
void TlsPath::put_off_input(Handle connection, ConnectionState& state, Bytes bytes) {
  TlsConnection& tls = *state.tls;
  const std::size_t most = tls.stream ? kTlsHeldBytesMax : kTlsWaitingBytesMax;
  if (tls.held_input.size() + bytes.size() > most) {
    give_up(connection, state, TlsFailure::flood, "input of a handshake");
    return;
  }
  if (tls.held_input.empty()) {
    (tls.stream ? held_ : waiting_).push_back(connection);
    ++(tls.stream ? counters_.deferred : counters_.waited);
  }
  tls.held_input.insert(tls.held_input.end(), bytes.begin(), bytes.end());
  settle(tls);
}

bool TlsPath::begin_turn(Instant now) {
  turn_at_ = now;
  steps_left_ = kTlsStepsPerTurn;
  make_room();
  bool any = false;
  while (!held_.empty() && steps_left_ != 0) {
    const Handle connection = held_.front();
    held_.pop_front();
    ConnectionState* state = connections_.find(connection);
    if (!goes_on(state)) continue;
    any = true;
    --steps_left_;
    const std::vector<std::uint8_t> input = std::exchange(state->tls->held_input, {});
    work(connection, *state, input);
  }
  return any;
}

void TlsPath::work(Handle connection, ConnectionState& state, Bytes bytes) {
  TlsConnection& tls = *state.tls;
  const bool was_handshaking = !tls.open();
  out_.clear();
  tls.stream->begin(bytes, out_);
  for (;;) {
    const std::size_t size = tls.stream->step({plain_.get(), kTlsRecordPlainMax});
    if (size == 0) break;
    events_.receive(connection, {plain_.get(), size});
  }
  if (tls.stream->state() == TlsStream::State::failed) {
    fail(connection, state, was_handshaking);
    return;
  }
  if (was_handshaking && tls.open()) {
    ++counters_.handshakes;
    if (tls.stream->resumed()) ++counters_.resumed;
    end_handshake(tls);
  }
  if (!out_.empty()) answer(connection, state);
  settle(tls);
  if (tls.broken) return;
  if (tls.stream->state() == TlsStream::State::ended && !std::exchange(state.ended, true)) {
    events_.receive_ended(connection, 0);
  }
}

/// What a stream answered goes out before anything that is encrypted later.
void TlsPath::answer(Handle connection, ConnectionState& state) {
  TlsConnection& tls = *state.tls;
  if (tls.end_sent) return;  // nothing goes behind close_notify
  tls.pending.insert(tls.pending.end(), out_.begin(), out_.end());
  if (tls.pending.size() > kTlsAnswersBytesMax) {
    give_up(connection, state, TlsFailure::flood, "answers left unread");
    return;
  }
  if (!state.remainder) go_on(connection, state);
}

void TlsPath::fail(Handle connection, ConnectionState& state, bool was_handshaking) {
  TlsConnection& tls = *state.tls;
  if (!state.remainder) say_last(state.fd, tls.stream->is_plain_http() ? as_bytes(kSpeakTls) : Bytes{out_});
  tls.broken = true;
  ++counters_.failed[std::to_underlying(tls.stream->failure())];
  events_.tls_failed(connection, tls.stream->failure(), tls.stream->detail());
  end_handshake(tls);
  settle(tls);
  // A handshake that fails ends with an alert, which a reset would overtake.
  if (!std::exchange(state.ended, true)) events_.receive_ended(connection, was_handshaking ? 0 : EPROTO);
}

/// A peer that goes too far: we see that, OpenSSL does not.
void TlsPath::give_up(Handle connection, ConnectionState& state, TlsFailure failure, std::string_view detail) {
  TlsConnection& tls = *state.tls;
  tls.broken = true;
  give_back(tls.held_input);
  ++counters_.failed[std::to_underlying(failure)];
  events_.tls_failed(connection, failure, detail);
  end_handshake(tls);
  settle(tls);
  if (!std::exchange(state.ended, true)) events_.receive_ended(connection, EPROTO);
}

bool TlsPath::cut_short(Handle connection, ConnectionState& state) {
  TlsConnection& tls = *state.tls;
  if (tls.broken || !tls.open() || !tls.stream->mid_record()) return false;
  tls.broken = true;
  ++counters_.failed[std::to_underlying(TlsFailure::truncated)];
  events_.tls_failed(connection, TlsFailure::truncated, {});
  return true;
}

// ---- output ----

/// Hands over in_flight, with a completion when all of it is taken.
void TlsPath::submit(Handle connection, ConnectionState& state) {
  ensure(!state.remainder, "one send of a connection is under way");
  state.remainder = true;
  const std::vector<std::uint8_t>& bytes = state.tls->in_flight;
  ring_.send({Operation::remainder, connection}, state.fd, bytes.data(), static_cast<std::uint32_t>(bytes.size()),
             SendShape::remainder);
}

/// Nothing is in flight: what is next?
void TlsPath::go_on(Handle connection, ConnectionState& state) {
  TlsConnection& tls = *state.tls;
  if (!tls.pending.empty()) {
    tls.in_flight = std::exchange(tls.pending, {});
    submit(connection, state);
  } else if (tls.rest != nullptr) {
    if (tls.rest_done == tls.rest_bytes) {
      tls.rest = nullptr;
      events_.remainder_sent(connection, static_cast<std::int32_t>(tls.rest_bytes));
      if (tls.end_wanted) go_on(connection, state);
      return;
    }
    const Bytes left{tls.rest + tls.rest_done, tls.rest_bytes - tls.rest_done};
    const std::size_t sealed = tls.stream->write(left, tls.in_flight);
    if (sealed == 0) {
      give_up_rest(connection, tls);
      return;
    }
    tls.rest_done += static_cast<std::uint32_t>(sealed);
    submit(connection, state);
  } else if (tls.end_wanted && !tls.end_sent) {
    tls.end_sent = true;
    tls.stream->shut_down(tls.in_flight);
    if (tls.in_flight.empty()) {
      ::shutdown(state.fd, SHUT_WR);
    } else {
      submit(connection, state);
    }
  } else if (tls.end_sent) {
    ::shutdown(state.fd, SHUT_WR);
  } else if (std::exchange(tls.writable_wanted, false)) {
    events_.writable(connection);
  }
}

void TlsPath::give_up_rest(Handle connection, TlsConnection& tls) {
  tls.broken = true;
  given_up_.push_back(connection);
}

void TlsPath::finish_completions() {
  for (std::size_t i = 0; i < given_up_.size(); ++i) {
    ConnectionState* state = connections_.find(given_up_[i]);
    if (state == nullptr || state->tls == nullptr || state->tls->rest == nullptr) continue;
    state->tls->rest = nullptr;
    events_.remainder_sent(given_up_[i], -EPIPE);
  }
  given_up_.clear();
}

void TlsPath::sent(Handle connection, ConnectionState& state, std::int32_t result) {
  TlsConnection& tls = *state.tls;
  const bool whole = result >= 0 && static_cast<std::size_t>(result) == tls.in_flight.size();
  tls.in_flight.clear();
  if (!whole || state.closing || tls.broken) {  // the socket or the stream is broken, or about to be closed
    tls.broken = true;
    if (std::exchange(tls.rest, nullptr) != nullptr) events_.remainder_sent(connection, result < 0 ? result : -EPIPE);
    // The core tries to send, and is told then.
    if (std::exchange(tls.writable_wanted, false) && !state.closing) events_.writable(connection);
  } else {
    go_on(connection, state);
  }
  if (!state.remainder) give_back(tls.in_flight);  // an idle connection holds no buffer
  settle(tls);
}

void TlsPath::shut_down(Handle connection, ConnectionState& state) {
  TlsConnection& tls = *state.tls;
  if (tls.broken || !tls.open()) {
    ::shutdown(state.fd, SHUT_WR);
    return;
  }
  tls.end_wanted = true;
  if (!state.remainder) go_on(connection, state);
  settle(tls);
}

/// The connection closes now: close_notify, if the socket takes it.
void TlsPath::say_end(ConnectionState& state) {
  TlsConnection& tls = *state.tls;
  if (tls.broken || !tls.open() || state.remainder || std::exchange(tls.end_sent, true)) return;
  out_.clear();
  tls.stream->shut_down(out_);
  say_last(state.fd, out_);
}

bool TlsPath::wait_writable(ConnectionState& state) {
  if (!state.remainder) return false;
  state.tls->writable_wanted = true;
  return true;
}

TlsPath::Sealed TlsPath::seal(const SendEntry& entry, std::uint32_t index, ConnectionState& state) {
  TlsConnection& tls = *state.tls;
  const bool writes = !tls.broken && !tls.end_wanted && tls.open();
  if (entry.remainder) {
    ensure(tls.rest == nullptr, "a connection has one remainder");
    tls.rest = entry.data;
    tls.rest_bytes = entry.size;
    tls.rest_done = 0;
    if (!writes) {
      give_up_rest(entry.connection, tls);
    } else if (!state.remainder) {
      go_on(entry.connection, state);
      settle(tls);
    }
    return {};
  }
  if (!writes) return {.result = -EPIPE};
  if (state.remainder) return {.result = -EAGAIN};
  std::vector<std::uint8_t>& wire = sealed_[index];
  wire.clear();
  const std::size_t plain = tls.stream->write({entry.data, entry.size}, wire);
  if (plain == 0) {
    tls.broken = true;
    return {.result = -EPIPE};
  }
  return {.wire = wire, .plain = static_cast<std::uint32_t>(plain)};
}

void TlsPath::taken_in_part(Handle connection, ConnectionState& state, std::uint32_t index, std::size_t taken) {
  TlsConnection& tls = *state.tls;
  const std::vector<std::uint8_t>& wire = sealed_[index];
  tls.in_flight.assign(wire.begin() + static_cast<std::ptrdiff_t>(taken), wire.end());
  submit(connection, state);
  settle(tls);
}

}  // namespace ringcast
