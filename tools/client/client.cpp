#include "tools/client/client.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "codec/text/utf8.hpp"
#include "tools/client/client_handshake.hpp"

namespace ringcast {
namespace {

constexpr std::size_t kWatchedMax = 3;  // descriptors besides the socket

timespec time_left(Instant deadline) {
  const nanoseconds left = std::max(nanoseconds{0}, nanoseconds{deadline - monotonic_now()});
  return {.tv_sec = left.count() / 1'000'000'000, .tv_nsec = left.count() % 1'000'000'000};
}

/// Waits for the socket or one of the others. Returns the events of the socket; `other` says whether another is
/// readable.
short wait_for(int fd, short events, std::span<const int> also_readable, Instant deadline, bool& other) {
  pollfd watched[kWatchedMax + 1]{{.fd = fd, .events = events, .revents = 0}};
  nfds_t count = 1;
  for (const int also : also_readable.first(std::min(also_readable.size(), kWatchedMax))) {
    watched[count++] = {.fd = also, .events = POLLIN, .revents = 0};
  }
  const timespec left = time_left(deadline);
  other = false;
  if (ppoll(watched, count, &left, nullptr) <= 0) return 0;
  for (nfds_t i = 1; i < count; ++i) other |= watched[i].revents != 0;
  return watched[0].revents;
}

ClientError unreachable(const Endpoint& endpoint, const std::string& reason) {
  return {.kind = ClientError::Kind::unreachable, .sentence = "cannot connect to " + endpoint.text + ": " + reason};
}

ClientError interrupted_error() {
  return {.kind = ClientError::Kind::interrupted, .sentence = "interrupted while connecting"};
}

/// Connects to the first address that takes us before the deadline.
Result<UniqueFd, ClientError> connect_any(const Endpoint& endpoint, const ClientOptions& options, Instant deadline) {
  const auto addresses = resolve(endpoint);
  if (!addresses) return unexpected(unreachable(endpoint, addresses.error()));
  std::string reason;
  for (const SocketAddress& address : *addresses) {
    auto fd = start_connect(address, {});
    if (!fd) {
      reason = fd.error();
      continue;
    }
    bool interrupted = false;
    const std::span<const int> also{&options.also_readable, options.also_readable >= 0 ? 1U : 0U};
    while (monotonic_now() < deadline && !interrupted) {
      if (wait_for(fd->get(), POLLOUT, also, deadline, interrupted) == 0) continue;
      const int error = connect_error(fd->get());
      if (error == 0) return std::move(*fd);
      reason = system_sentence(error);
      break;
    }
    if (interrupted) return unexpected(interrupted_error());
    if (monotonic_now() >= deadline) return unexpected(unreachable(endpoint, "timed out"));
  }
  return unexpected(unreachable(endpoint, reason));
}

}  // namespace

Client::Client(Stream stream, const ClientOptions& options)
    : stream_{std::move(stream)},
      assembler_{Role::client, {.message_bytes_max = options.message_bytes_max}},
      inflater_{options.message_bytes_max},
      buffer_{std::make_unique_for_overwrite<std::uint8_t[]>(kReceiveBytes)},
      heard_at_{monotonic_now()},
      takes_binary_{options.takes_binary} {}

SocketAddress Client::peer() const {
  SocketAddress address;
  address.bytes = sizeof address.storage;
  getpeername(stream_.get(), reinterpret_cast<sockaddr*>(&address.storage), &address.bytes);
  return address;
}

Result<Client, ClientError> Client::open(const Endpoint& endpoint, const ClientOptions& options) {
  const Instant deadline = monotonic_now() + options.connect_timeout;
  auto fd = connect_any(endpoint, options, deadline);
  if (!fd) return unexpected(fd.error());
  Client client{Stream{std::move(*fd), endpoint}, options};
  ClientHandshake handshake{endpoint, client.random_, options.offers_deflate};
  client.output_.append_raw(handshake.request());
  const std::span<const int> also{&options.also_readable, options.also_readable >= 0 ? 1U : 0U};
  while (monotonic_now() < deadline) {
    const auto flushed = client.output_.flush(client.stream_);
    if (flushed == FrameOutput::Flushed::failed) {
      return unexpected(unreachable(endpoint, client.output_.trouble()));
    }
    const bool has_to_write = flushed == FrameOutput::Flushed::blocked && !client.stream_.waits_to_read();
    const short events = has_to_write ? POLLIN | POLLOUT : POLLIN;
    bool interrupted = false;
    const short ready = wait_for(client.stream_.get(), events, also, deadline, interrupted);
    if (interrupted) return unexpected(interrupted_error());
    if ((ready & ~POLLOUT) == 0) continue;
    const ssize_t got = client.stream_.receive(client.buffer_.get(), kReceiveBytes);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got < 0) return unexpected(unreachable(endpoint, client.stream_.trouble()));
    if (got == 0) return unexpected(unreachable(endpoint, "the server closed the connection during the handshake"));
    const MutableBytes input{client.buffer_.get(), static_cast<std::size_t>(got)};
    const auto answered = handshake.feed(input);
    if (!answered) {
      return unexpected(ClientError{ClientError::Kind::refused, answered.error().status,
                                    "cannot connect to " + endpoint.text + ": " + answered.error().sentence,
                                    answered.error().retry_after});
    }
    if (*answered) {
      if (handshake.agreed_deflate()) client.assembler_.negotiate({.deflate = true});
      client.input_ = input.subspan(**answered);
      return client;
    }
  }
  return unexpected(unreachable(endpoint, "timed out during the handshake"));
}

Client::Event Client::ended(CloseCode code, std::string reason) {
  over_ = true;
  input_ = {};
  stream_.reset();
  Event event;
  event.kind = Event::Kind::closed;
  event.code = code;
  event.reason = std::move(reason);
  return event;
}

/// Takes the next event out of what was received. False: more is needed.
bool Client::next_buffered(Event& event) {
  while (const std::optional<WsEvent> next = assembler_.next(input_)) {
    switch (next->kind) {
      case WsEvent::Kind::text:
      case WsEvent::Kind::binary: return take_message(*next, event);
      case WsEvent::Kind::ping: output_.append_control(Opcode::pong, next->payload, random_); break;
      case WsEvent::Kind::pong: break;
      case WsEvent::Kind::close: {
        const CloseCode code = next->code;
        std::string reason{next->what};
        output_.append_close(close_reply_code(code), {}, random_);
        (void)output_.flush(stream_);
        event = ended(code, std::move(reason));
        return true;
      }
      case WsEvent::Kind::error: {
        event = broken(next->code, std::string{next->what});
        return true;
      }
    }
  }
  return false;
}

/// A whole message; `event` says what it was, or how the connection ended over it.
bool Client::take_message(const WsEvent& message, Event& event) {
  Bytes payload = message.payload;
  if (message.compressed) {
    inflater_.trim();
    const auto unpacked = inflater_.inflate(payload);
    if (!unpacked || (message.kind == WsEvent::Kind::text && !is_valid_utf8(*unpacked))) {
      event = broken(CloseCode::invalid_payload, "a compressed message does not unpack");
      return true;
    }
    payload = *unpacked;
  }
  if (message.kind == WsEvent::Kind::text || takes_binary_) {
    event.kind = Event::Kind::text;
    event.text = as_text(payload);
    event.binary = message.kind == WsEvent::Kind::binary;
    return true;
  }
  output_.append_close(CloseCode::unsupported_data, "binary message", random_);
  (void)output_.flush(stream_);
  event = ended(CloseCode::unsupported_data, "the server sent a binary message");
  return true;
}

Client::Event Client::broken(CloseCode code, const std::string& reason) {
  output_.append_close(code, reason, random_);
  (void)output_.flush(stream_);
  return ended(CloseCode::abnormal, "the server broke the protocol: " + reason);
}

/// Reads once from the socket. True: `event` says how the connection ended.
bool Client::receive(Event& event) {
  const ssize_t got = stream_.receive(buffer_.get(), kReceiveBytes);
  if (got > 0) {
    input_ = {buffer_.get(), static_cast<std::size_t>(got)};
    heard_at_ = monotonic_now();
    return false;
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  event = ended(CloseCode::abnormal, got == 0 ? "the server closed the connection" : stream_.trouble());
  return true;
}

Client::Event Client::wait(Instant deadline, std::span<const int> also_readable) {
  Event event;
  if (over_) return ended(CloseCode::abnormal, "the connection is closed");
  if (next_buffered(event)) return event;
  while (true) {
    const auto flushed = output_.flush(stream_);
    if (flushed == FrameOutput::Flushed::failed) {
      // What the server said before it closed may still lie in the socket: its close frame explains more than our
      // errno.
      const std::string reason = output_.trouble();
      if (receive(event) || input_.empty()) return over_ ? event : ended(CloseCode::abnormal, reason);
      if (next_buffered(event)) return event;
      continue;
    }
    const bool has_to_write = flushed == FrameOutput::Flushed::blocked && !stream_.waits_to_read();
    const short events = has_to_write ? POLLIN | POLLOUT : POLLIN;
    bool other = false;
    const short ready =
        stream_.holds_more() ? short{POLLIN} : wait_for(stream_.get(), events, also_readable, deadline, other);
    if ((ready & ~POLLOUT) != 0) {
      if (receive(event)) return event;
      if (next_buffered(event)) return event;
    }
    if (other) {
      event.kind = Event::Kind::other_readable;
      return event;
    }
    if (monotonic_now() >= deadline && (ready & POLLOUT) == 0) {
      event.kind = Event::Kind::timeout;
      return event;
    }
  }
}

void Client::close(Instant deadline) {
  if (over_) return;
  output_.append_close(CloseCode::normal, {}, random_);
  while (monotonic_now() < deadline) {
    if (wait(deadline).kind == Event::Kind::closed) return;
  }
  ended(CloseCode::abnormal, {});
}

}  // namespace ringcast
