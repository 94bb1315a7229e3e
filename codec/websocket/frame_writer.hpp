// codec/websocket/frame_writer.hpp: writes frames. A server's are never masked, a client's always.
//
// Thread   any.  Memory  the caller's.
// Failure  ensure(): a span that is too small, a control payload above 125 bytes, a close code nobody may send.
// Not here randomness: the masked variants take the key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "alloc/base/bytes.hpp"
#include "codec/websocket/close_code.hpp"
#include "codec/websocket/frame_parser.hpp"
#include "codec/websocket/masking.hpp"
#include "codec/websocket/opcode.hpp"

namespace ringcast {

inline constexpr std::size_t kControlFrameBytesMax = 2 + 4 + kControlPayloadBytesMax;

/// Who writes: a client's header is four bytes longer.
[[nodiscard]] constexpr std::size_t frame_header_bytes(std::uint64_t payload_bytes, Role writer = Role::server) {
  const std::size_t length_bytes = payload_bytes < kLength16 ? 0U : payload_bytes <= 0xffff ? 2U : 8U;
  return kFrameHeaderBytesMin + length_bytes + (writer == Role::client ? 4U : 0U);
}

/// The first byte of a frame, in words.
struct FrameStart {
  Opcode opcode = Opcode::text;
  bool final = true;
  bool compressed = false;  // RSV1: only where negotiated, only on the first frame of a message
};

/// Writes a server's frame header into `out` and returns its size, frame_header_bytes(payload_bytes).
std::size_t write_frame_header(MutableBytes out, FrameStart start, std::uint64_t payload_bytes);
/// Writes a client's frame header, which carries `key`; the caller masks the payload with apply_mask.
std::size_t write_frame_header(MutableBytes out, FrameStart start, std::uint64_t payload_bytes, MaskKey key);

/// Writes a whole ping, pong or close frame of a server and returns its size.
/// out  at least 2 + payload.size() bytes; kControlFrameBytesMax always suffices.
std::size_t write_control_frame(MutableBytes out, Opcode opcode, Bytes payload);
/// The same of a client, masked.
std::size_t write_control_frame(MutableBytes out, Opcode opcode, Bytes payload, MaskKey key);

/// Writes a whole close frame; code and reason as write_close_payload takes them.
std::size_t write_close_frame(MutableBytes out, CloseCode code, std::string_view reason);
std::size_t write_close_frame(MutableBytes out, CloseCode code, std::string_view reason, MaskKey key);

/// For programs and tests, off the hot path: appends a whole frame to a buffer that grows.
void append_frame(std::vector<std::uint8_t>& out, FrameStart start, Bytes payload);
void append_frame(std::vector<std::uint8_t>& out, FrameStart start, Bytes payload, MaskKey key);

}  // namespace ringcast
