#include "codec/websocket/frame_error.hpp"

#include <array>
#include <utility>

#include "alloc/base/ensure.hpp"

namespace ringcast {
namespace {

struct FrameErrorRow {
  FrameError error;
  CloseCode code;
  std::string_view sentence;
};

// Sections are of RFC 6455; the codes are those of section 7.4.1.
constexpr std::array kRows{
    FrameErrorRow{FrameError::reserved_bit, CloseCode::protocol_error,
                  "a reserved bit is set that no extension gives a meaning"},  // 5.2
    FrameErrorRow{FrameError::unknown_opcode, CloseCode::protocol_error, "the opcode is reserved"},  // 5.2
    FrameErrorRow{FrameError::client_not_masked, CloseCode::protocol_error, "a client's frame is not masked"},  // 5.1
    FrameErrorRow{FrameError::server_masked, CloseCode::protocol_error, "a server's frame is masked"},  // 5.1
    FrameErrorRow{FrameError::control_fragmented, CloseCode::protocol_error, "a control frame is fragmented"},  // 5.5
    FrameErrorRow{FrameError::control_too_large, CloseCode::protocol_error,
                  "a control frame has more than 125 bytes"},  // 5.5
    FrameErrorRow{FrameError::length_not_minimal, CloseCode::protocol_error,
                  "a length is not in its shortest form"},  // 5.2
    FrameErrorRow{FrameError::length_too_large, CloseCode::protocol_error,
                  "the highest bit of a length is set"},  // 5.2
    FrameErrorRow{FrameError::continuation_without_start, CloseCode::protocol_error,
                  "a continuation frame continues nothing"},  // 5.4
    FrameErrorRow{FrameError::data_within_message, CloseCode::protocol_error,
                  "a new message begins within a fragmented one"},  // 5.4
    FrameErrorRow{FrameError::message_too_large, CloseCode::message_too_big, "the message is too large"},  // 10.4
    FrameErrorRow{FrameError::invalid_utf8, CloseCode::invalid_payload, "a text message is not UTF-8"},  // 8.1
    FrameErrorRow{FrameError::compressed_corrupt, CloseCode::invalid_payload,
                  "a compressed message does not unpack"},  // RFC 7692 names no code; 7.4.1: not what its type says
    FrameErrorRow{FrameError::close_payload_too_short, CloseCode::protocol_error,
                  "a close frame has half a code"},  // 5.5.1
    FrameErrorRow{FrameError::close_code_invalid, CloseCode::protocol_error,
                  "a close frame has a code that may not be sent"},  // 7.4
    FrameErrorRow{FrameError::close_reason_invalid_utf8, CloseCode::invalid_payload,
                  "a close reason is not UTF-8"},  // 5.5.1
};

constexpr bool rows_are_sound() {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (std::to_underlying(kRows[i].error) != i || kRows[i].sentence.size() > kCloseReasonBytesMax) return false;
  }
  return true;
}
static_assert(kRows.size() == std::to_underlying(FrameError::end), "every error has a row");
static_assert(rows_are_sound(), "rows stand in the order of the enum, sentences fit a close frame");

const FrameErrorRow& row_of(FrameError error) {
  ensure(error < FrameError::end, "a frame error is one of the enum's");
  return kRows[std::to_underlying(error)];
}

}  // namespace

CloseCode close_code_of(FrameError error) { return row_of(error).code; }
std::string_view sentence_of(FrameError error) { return row_of(error).sentence; }

}  // namespace ringcast
