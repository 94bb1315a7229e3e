// codec/dialect/command.hpp: what a client asks for, whatever the dialect it asked in.
//
// Owner    the decoder that made it; every view points into the decoder's scratch or the caller's input and is valid
//          until the next decode.  Thread  the shard's.  Memory  none of its own.
// Not here the meaning of a command (session/command_dispatch): there is one switch over kinds, not one a dialect.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "alloc/base/identifiers.hpp"

namespace ringcast {

/// The client-facing protocols. `undecided` waits for its first message (plain /ws, protocol.md section 2).
enum class Dialect : std::uint8_t { undecided, native, exchange, end };

/// A wire form: dialect x envelope. A log holds frames of exactly one form.
enum class Form : std::uint8_t { native_json, exchange_raw, exchange_combined, end };
inline constexpr std::size_t kForms = static_cast<std::size_t>(Form::end);

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

/// `options` of a subscribe, within what the namespace allows (engine/delivery/terms).
struct SubscribeOptions {
  bool has_conflate = false;
  bool conflate = false;
  std::uint32_t max_rate = 0;  // messages a second; 0: none wanted
  bool snapshot = true;        // false: no snapshot on joining
};

struct SubscribeItem {
  std::string_view channel;
  bool resumes = false;
  ResumePoint resume{};
};

struct Command {
  CommandKind kind{};
  std::string_view id;                   // the JSON text of `id` as sent, echoed; empty: none
  std::span<const SubscribeItem> items;  // subscribe, unsubscribe: at least one, each channel once
  SubscribeOptions options{};            // subscribe
  std::string_view channel;              // publish, history, presence, ack
  std::string_view user;                 // presence, instead of a channel: a user, or "*"
  std::string_view after_name;           // presence: the page behind this name
  std::string_view event;                // publish; unescaped
  std::string_view message_id;           // publish; unescaped
  std::string_view data;                 // publish: the payload's JSON text as sent, validated
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
