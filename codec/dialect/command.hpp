// codec/dialect/command.hpp: what a client asks for, whatever the dialect it asked in.
//
// Owner    the decoder that made it; every view points into the decoder's scratch or the caller's input and is valid
//          until the next decode.  Thread  the shard's.  Memory  none of its own.
// Not here the meaning of a command (session/command_dispatch): there is one switch over kinds, not one a dialect.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "alloc/base/identifiers.hpp"

namespace ringcast {

/// The client-facing protocols. `undecided` waits for its first message (plain /ws, protocol.md section 2).
enum class Dialect : std::uint8_t { undecided, native, exchange, binary, end };
[[nodiscard]] std::string_view name_of(Dialect dialect);

/// Commands, replies and notices are the native dialect's JSON texts; of the binary dialect, all but messages and gaps.
[[nodiscard]] constexpr bool speaks_native(Dialect dialect) {
  return dialect == Dialect::native || dialect == Dialect::binary;
}

/// What a message looks like inside its frame: dialect x envelope. Whoever adds one adds it before plain_end.
///
/// A wire form is that x compression, and a log holds frames of exactly one: Form also has the values up to `end`,
/// which packed() makes and plain_of() and packing_of() take apart.
enum class Form : std::uint8_t {
  native_json,
  exchange_raw,
  exchange_combined,
  binary,
  plain_end,
  end = 3 * plain_end
};
/// How far back compressed frames may point (RFC 7692 7.1.2.1). Logs of packed forms hold plain frames, too: of
/// messages that are too small to gain, or larger than the window.
enum class Packing : std::uint8_t { none, small_window, large_window };
inline constexpr std::size_t kForms = static_cast<std::size_t>(Form::end);
inline constexpr std::size_t kPlainForms = static_cast<std::size_t>(Form::plain_end);

[[nodiscard]] constexpr Form packed(Form plain, Packing packing) {
  return static_cast<Form>(static_cast<std::size_t>(plain) + kPlainForms * static_cast<std::size_t>(packing));
}
[[nodiscard]] constexpr Form plain_of(Form form) {
  return static_cast<Form>(static_cast<std::size_t>(form) % kPlainForms);
}
[[nodiscard]] constexpr Packing packing_of(Form form) {
  return static_cast<Packing>(static_cast<std::size_t>(form) / kPlainForms);
}

enum class CommandKind : std::uint8_t {
  subscribe,
  unsubscribe,
  publish,
  history,
  presence,
  ack,
  auth,
  ping,
  list_subscriptions,
  set_property,
  get_property,
};

/// The codes of protocol.md section 3, in its order.
enum class ErrorCode : std::uint8_t {
  invalid_message,
  rate_limited,
  unauthorized,
  auth_required,
  auth_failed,
  processing_error,
  connection_closed,
  unknown_channel,
  too_many_subscriptions,
  message_too_large,
  overloaded,
  not_supported,
  end,
};
[[nodiscard]] std::string_view name_of(ErrorCode code);

enum class GapReason : std::uint8_t { conflated, dropped, expired, epoch };
[[nodiscard]] std::string_view name_of(GapReason reason);

struct ResumePoint {
  Epoch epoch{};
  Sequence seq{};  // the last one the client has
};
/// EPOCH:SEQ, 16 hexadecimal digits and a number, as URLs and command lines have it; nothing if it is anything else.
[[nodiscard]] std::optional<ResumePoint> parse_resume_point(std::string_view text);

/// `options` of a subscribe, within what the namespace allows (engine/delivery/terms).
struct SubscribeOptions {
  bool has_conflate = false;
  bool conflate = false;
  std::uint32_t max_rate = 0;  // messages a second; 0: none wanted
  bool snapshot = true;        // false: no snapshot on joining
  bool imposed = false;        // by the client's token, not said by the client: on no other terms is it served

  bool operator==(const SubscribeOptions&) const = default;
};

struct SubscribeItem {
  std::string_view channel;
  bool resumes = false;
  ResumePoint resume{};
};

struct Command {
  CommandKind kind{};
  std::string_view id;                   // the JSON text of `id` as sent, echoed; empty: none (binary.hpp: a record's)
  std::span<const SubscribeItem> items;  // subscribe, unsubscribe: at least one, each channel once
  SubscribeOptions options{};            // subscribe
  std::span<const SubscribeItem> resumes;  // subscribe with a pattern: points of channels that no item names, each once
  std::string_view channel;              // publish, history, presence, ack
  std::string_view user;                 // presence, instead of a channel: a user, or "*"
  std::string_view after_name;           // presence: the page behind this name
  std::string_view event;                // publish; unescaped
  std::string_view message_id;           // publish; unescaped
  std::string_view data;                 // publish: the payload's JSON text as sent, validated
  bool unchecked = false;                // publish: data is bytes that nobody has looked at yet
  bool high_priority = false;
  bool snapshot = false;  // publish "state":"snapshot"
  bool has_as_of = false;
  Sequence as_of{};
  std::string_view property;    // set_property, get_property
  bool property_value = false;  // set_property "combined"
  bool has_after = false;       // history
  ResumePoint after{};          // history: what comes after this
  std::uint32_t limit = 0;      // history, presence: at most so many; 0: not said
  Sequence acknowledged{};      // ack
  std::string_view token;       // auth; unescaped
};

/// Why a message could not be decoded. `id` is the request's if it could be read, so that the error can name it.
struct CommandError {
  ErrorCode code = ErrorCode::invalid_message;
  std::string_view id;
  std::string_view sentence;  // static text: what is wrong, in words
  std::string_view channel;   // where one is at fault
};

}  // namespace ringcast
