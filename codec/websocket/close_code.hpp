// codec/websocket/close_code.hpp: close codes, who may send which, and the payload of a close frame.
//
// Thread   any.  Memory  the caller's.
// Failure  a FrameError (frame_error.hpp) for what a peer may not send; ensure() for what we may not.
// Not here frames (frame_writer, message_assembler), when to close (engine/session).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "alloc/base/bytes.hpp"
#include "alloc/base/result.hpp"

namespace ringcast {

enum class FrameError : std::uint8_t;

/// RFC 6455 section 7.4.1, the IANA registry, and ours from 4000 up (protocol.md section 2).
enum class CloseCode : std::uint16_t {
  normal = 1000,
  going_away = 1001,
  protocol_error = 1002,
  unsupported_data = 1003,
  no_status = 1005,  // never on the wire: the close frame was empty
  abnormal = 1006,   // never on the wire: the connection ended without a close frame
  invalid_payload = 1007,
  policy_violation = 1008,
  message_too_big = 1009,
  mandatory_extension = 1010,
  internal_error = 1011,
  service_restart = 1012,
  try_again_later = 1013,
  bad_gateway = 1014,
  authentication_failed = 4001,
  authentication_expired = 4002,
  too_many_errors = 4003,
  slow_consumer = 4008,
  heartbeat_timeout = 4009,
  disconnected_by_administrator = 4010,
};
[[nodiscard]] constexpr std::uint16_t value(CloseCode code) { return std::to_underlying(code); }

inline constexpr std::size_t kControlPayloadBytesMax = 125;                         // RFC 6455 section 5.5
inline constexpr std::size_t kCloseReasonBytesMax = kControlPayloadBytesMax - 2;    // section 5.5.1

/// True for codes that may stand in a close frame: 1000-1003, 1007-1014 (assigned by IANA), 3000-4999.
[[nodiscard]] constexpr bool is_sendable_close_code(std::uint16_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

struct ClosePayload {
  CloseCode code = CloseCode::no_status;
  std::string_view reason;  // a view into what was parsed
};

/// Reads the unmasked payload of a close frame. Empty: no_status. One byte, a code that may not be sent or a reason
/// that is not UTF-8: the error says which.
[[nodiscard]] Result<ClosePayload, FrameError> parse_close_payload(Bytes payload);

/// Writes a close payload and returns its size: 0 for no_status (and abnormal), else 2 and the reason.
///
/// out     at least kControlPayloadBytesMax bytes.
/// reason  valid UTF-8; what exceeds kCloseReasonBytesMax is cut between two characters.
std::size_t write_close_payload(MutableBytes out, CloseCode code, std::string_view reason);

/// The code to answer a peer's close with: the same, or normal if it sent none.
[[nodiscard]] constexpr CloseCode close_reply_code(CloseCode received) {
  return received == CloseCode::no_status ? CloseCode::normal : received;
}

}  // namespace ringcast
