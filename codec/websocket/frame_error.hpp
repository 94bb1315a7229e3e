// codec/websocket/frame_error.hpp: every way in which a peer can break RFC 6455's framing.
//
// Thread  any.  Memory  none: the sentences are literals.  Failure  none.
#pragma once

#include <cstdint>
#include <string_view>

#include "codec/websocket/close_code.hpp"

namespace ringcast {

enum class FrameError : std::uint8_t {
  reserved_bit,
  unknown_opcode,
  client_not_masked,
  server_masked,
  control_fragmented,
  control_too_large,
  length_not_minimal,
  length_too_large,
  continuation_without_start,
  data_within_message,
  message_too_large,
  invalid_utf8,
  compressed_corrupt,
  close_payload_too_short,
  close_code_invalid,
  close_reason_invalid_utf8,
  end,
};

/// The code to close with: 1002, 1007 or 1009.
[[nodiscard]] CloseCode close_code_of(FrameError error);
/// One sentence for the close reason and the flight recorder; at most kCloseReasonBytesMax bytes.
[[nodiscard]] std::string_view sentence_of(FrameError error);

}  // namespace ringcast
