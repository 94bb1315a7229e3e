#include <array>

#include "codec/dialect/native_reply.hpp"
#include "codec/http/response_writer.hpp"
#include "codec/http/url.hpp"
#include "codec/websocket/handshake.hpp"
#include "engine/access/origin_check.hpp"
#include "engine/session/sessions.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kRetryAfterSeconds = "1";

struct Route {
  enum class Kind : std::uint8_t { unknown, undecided, native, streams, echo };
  Kind kind = Kind::unknown;
  std::string_view streams{};  // still percent-encoded, separated by '/'
};

Route route_of(const RequestHead& head, bool echo) {
  if (head.path == "/ws") return {.kind = Route::Kind::undecided};
  if (head.path == "/ws/connect") return {.kind = Route::Kind::native};
  if (head.path.starts_with("/ws/")) return {.kind = Route::Kind::streams, .streams = head.path.substr(4)};
  if (head.path == "/stream") return {.kind = Route::Kind::streams};
  if (head.path == "/echo" && echo) return {.kind = Route::Kind::echo};
  return {};
}

}  // namespace

void Sessions::read_head(Connection& connection, MutableBytes& input, Now now) {
  if (connection.guard != nullptr && connection.guard->proxied && !read_proxy_header(connection, input, now)) return;
  RequestHead head;
  const std::size_t seen = connection.inbox != nullptr ? connection.inbox->head_seen : 0;
  const HeadLimits limits{.head_bytes_max = options_->limits.header_bytes,
                          .fields_max = options_->limits.header_fields};
  const auto parsed = parse_request_head(input, head, limits, seen);
  if (!parsed) {
    const HandshakeRefusal refusal = refusal_of(parsed.error());
    refuse(connection, refusal.status, why_unreadable(connection, input, refusal.sentence, now), now);
    input = {};
    return;
  }
  if (!*parsed) {
    if (connection.inbox == nullptr) connection.inbox = std::make_unique<Inbox>();
    connection.inbox->head_seen = input.size();
    return;
  }
  answer_request(connection, head, now);
  if ((connection.stall & kStallVerify) != 0) {  // all of it is read again when its turn has come
    if (connection.inbox != nullptr) connection.inbox->head_seen = 0;
    return;
  }
  input = connection.phase == Connection::Phase::open ? input.subspan(**parsed) : MutableBytes{};
}

void Sessions::answer_request(Connection& connection, const RequestHead& head, Now now) {
  if (connection.over_capacity) {
    refuse_full(connection, now);
    return;
  }
  if (connection.guard != nullptr && !admit_address(connection, head, now)) return;
  switch (check_origin_and_host(options_->access, head.host, head.fields.find("Origin"))) {
    case AccessVerdict::foreign_origin:
      stats_->add(CounterId::connections_refused_origin);
      refuse(connection, 403, "this origin may not connect", now);
      return;
    case AccessVerdict::unknown_host:
      stats_->add(CounterId::connections_refused_host);
      refuse(connection, 403, "this node does not answer to that host name", now);
      return;
    case AccessVerdict::allowed:
      break;
  }
  upgrade(connection, head, now);
}

void Sessions::upgrade(Connection& connection, const RequestHead& head, Now now) {
  const Route route = route_of(head, options_->echo);
  if (route.kind == Route::Kind::unknown) {
    refuse(connection, 404, "there is nothing at this path", now);
    return;
  }
  const bool speaks_native = route.kind == Route::Kind::undecided || route.kind == Route::Kind::native;
  const std::array supported{kNativeSubprotocol, kBinarySubprotocol};
  auto accepted = check_upgrade(
      head, speaks_native ? std::span<const std::string_view>{supported} : std::span<const std::string_view>{});
  if (!accepted) {
    stats_->add(handshake_counter(accepted.error().status));
    stats_->event(EventCode::handshake_failed, now, accepted.error().status, 0, accepted.error().sentence);
    reply_.clear();
    append_refusal(reply_, accepted.error());
    refuse(connection, 0, reply_, now);
    return;
  }

  // The streams of an exchange URL are decoded before the upgrade, so that a bad list is an HTTP error.
  std::array<char, kHeadBytesMaxDefault> scratch;
  std::string_view streams;
  bool combined = false;
  if (route.kind == Route::Kind::streams) {
    combined = head.path == "/stream";
    Result<std::string_view, UrlError> decoded = percent_decode(route.streams, scratch);
    if (combined) {
      const auto value = query_parameter(head.query, "streams", scratch);
      decoded = value ? Result<std::string_view, UrlError>{value->value_or(std::string_view{})}
                      : Result<std::string_view, UrlError>{unexpected(value.error())};
    }
    if (!decoded) {
      refuse(connection, 400, sentence_of(decoded.error()), now);
      return;
    }
    streams = *decoded;
    if (!streams.empty()) {
      const auto command = exchange_.decode_streams(streams);
      if (!command) {
        refuse(connection, 400, command.error().sentence, now);
        return;
      }
    }
  }
  if (options_->access.authenticates) {  // last of all: it is the dearest check
    const auto identified = identify(connection, head, speaks_native, now);
    if (identified == Identified::waits || identified == Identified::refused) return;
    if (const auto refusal = streams_refusal(connection, streams, now)) {
      refuse(connection, 403, *refusal, now);
      return;
    }
  }
  const bool native_at_once =
      route.kind == Route::Kind::native || (speaks_native && !accepted->subprotocol.empty());
  std::optional<ResumePoint> since;
  if (!take_user(connection, head, native_at_once, since, now)) return;

  if (!options_->compression.enabled) accepted->deflate.reset();
  if (accepted->deflate) {
    stats_->add(CounterId::connections_compressed);
    connection.assembler.negotiate({.deflate = true});
    connection.window_bits = accepted->deflate->server_window_bits & 15;
  } else if (accepted->deflate_offered) {
    stats_->add(CounterId::deflate_declined);
  }
  reply_.clear();
  append_upgrade_response(reply_, *accepted);
  connection.phase = Connection::Phase::open;
  stats_->sub(CounterId::half_open);
  connection.outbox.dialect = Dialect::undecided;
  send(connection, reply_, now);
  switch (route.kind) {
    case Route::Kind::echo:
      connection.service = Connection::Service::echo;
      break;
    case Route::Kind::native:
    case Route::Kind::undecided:  // plain /ws without a subprotocol waits for its first message
      if (!native_at_once) break;
      choose_native(connection, accepted->subprotocol == kBinarySubprotocol ? Dialect::binary : Dialect::native, now);
      join_personal_channel(connection, since, now);
      break;
    case Route::Kind::streams:
      connection.outbox.dialect = Dialect::exchange;
      connection.outbox.form = connection.form_of(combined ? Form::exchange_combined : Form::exchange_raw);
      if (!streams.empty()) {
        const auto command = exchange_.decode_streams(streams);
        ensure(command.has_value(), "the list was decoded a moment ago");
        subscribe(connection, *command, now);
      }
      break;
    case Route::Kind::unknown:
      break;
  }
  if (connection.phase != Connection::Phase::open) return;
  arm_heartbeat(connection, now, true);
  if (connection.guard != nullptr) open_guard(connection, now);
}

/// Streams of a URL are subscribed without an answer: what the token does not allow is an HTTP error.
std::optional<std::string_view> Sessions::streams_refusal(Connection& connection, std::string_view streams, Now now) {
  if (streams.empty()) return std::nullopt;
  const auto command = exchange_.decode_streams(streams);
  ensure(command.has_value(), "the list was decoded a moment ago");
  for (const SubscribeItem& item : command->items) {
    if (const auto refusal = may_read(connection, item.channel)) {
      note_refused(connection, Operation::subscribe, *refusal, item.channel, false, now);
      return refusal->sentence;
    }
  }
  return std::nullopt;
}

std::string_view Sessions::auth_word(const Connection& connection) const {
  if (!options_->access.authenticates) return "anonymous";
  return connection.guard->grant != nullptr ? "ok" : "required";
}

/// Native, or binary: which has the same commands and replies.
void Sessions::choose_native(Connection& connection, Dialect dialect, Now now) {
  connection.outbox.dialect = dialect;
  connection.outbox.form = connection.form_of(dialect == Dialect::binary ? Form::binary : Form::native_json);
  std::array<char, 16> id;
  constexpr std::string_view digits = "0123456789abcdef";
  for (std::size_t i = 0; i < id.size(); ++i) id[i] = digits[(connection.id >> (60 - 4 * i)) & 15];
  reply_.clear();
  append_native_welcome(reply_, {.connection_id = {id.data(), id.size()},
                                 .server = kServerName,
                                 .heartbeat = options_->heartbeat.interval,
                                 .auth = auth_word(connection)});
  send_text(connection, reply_, now);
}

/// Answers with a status and ends. status 0: `sentence` is the whole response.
void Sessions::refuse(Connection& connection, std::uint16_t status, std::string_view sentence, Now now) {
  if (status != 0) {
    stats_->add(handshake_counter(status));
    stats_->event(EventCode::handshake_failed, now, status, 0, sentence);
    reply_.clear();
    append_plain_response(reply_, status, sentence);
    sentence = reply_;
  }
  if (connection.phase == Connection::Phase::handshake) stats_->sub(CounterId::half_open);
  connection.phase = Connection::Phase::closing;
  connection.close_counted = true;  // it never was a WebSocket
  connection.outbox.tell_when_empty = true;
  connection.outbox.messages_held = true;
  deadlines_.put(slot_of(connection), now.mono + options_->limits.handshake_time);
  sends_->send_control(connection.outbox, sentence, now);
}

/// With the time after which to try again.
void Sessions::refuse_for_now(Connection& connection, std::uint16_t status, std::string_view retry_seconds,
                              std::string_view sentence, Now now) {
  stats_->add(handshake_counter(status));
  stats_->event(EventCode::handshake_failed, now, status, 0, sentence);
  std::string body{sentence};
  body += '\n';
  reply_.clear();
  ResponseWriter response{reply_, status};
  response.field("Retry-After", retry_seconds).field("Connection", "close");
  response.end_with_body("text/plain; charset=utf-8", body);
  refuse(connection, 0, reply_, now);
}

void Sessions::refuse_full(Connection& connection, Now now) {
  stats_->add(CounterId::connections_refused_capacity);
  stats_->add(CounterId::handshakes_failed_503);
  stats_->event(EventCode::connection_refused, now, connections_.size(), options_->limits.connections);
  reply_.clear();
  ResponseWriter response{reply_, 503};
  response.field("Retry-After", kRetryAfterSeconds).field("Connection", "close");
  response.end_with_body("text/plain; charset=utf-8", "the node has as many connections as it may have\n");
  refuse(connection, 0, reply_, now);
}

}  // namespace ringcast
