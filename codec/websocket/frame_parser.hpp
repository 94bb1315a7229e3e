// codec/websocket/frame_parser.hpp: the 2 to 14 bytes in front of a frame's payload, RFC 6455 section 5.2.
//
// Thread   any.  Memory  none.
// Failure  a FrameError, at the first byte that proves it; an empty optional: not enough bytes yet.
// Not here what depends on earlier frames or on limits (message_assembler), unmasking (masking).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "alloc/base/bytes.hpp"
#include "alloc/base/result.hpp"
#include "codec/websocket/frame_error.hpp"
#include "codec/websocket/masking.hpp"
#include "codec/websocket/opcode.hpp"

namespace ringcast {

/// Which end we are. A server requires masked frames, a client refuses them (RFC 6455 section 5.1).
enum class Role : std::uint8_t { server, client };

/// What the handshake negotiated. Negotiated does not mean used: each message says so itself.
struct Extensions {
  bool deflate = false;  // permessage-deflate: RSV1 may mark the first frame of a message
};

inline constexpr std::size_t kFrameHeaderBytesMin = 2;
inline constexpr std::size_t kFrameHeaderBytesMax = 2 + 8 + 4;  // base, length, mask: RFC 6455 section 5.2

inline constexpr std::uint8_t kFinBit = 0x80;
inline constexpr std::uint8_t kRsv1Bit = 0x40;
inline constexpr std::uint8_t kReservedBits = 0x70;
inline constexpr std::uint8_t kOpcodeBits = 0x0f;
inline constexpr std::uint8_t kMaskBit = 0x80;
inline constexpr std::uint8_t kLengthBits = 0x7f;
inline constexpr std::uint8_t kLength16 = 126;  // the length follows in 16 bits
inline constexpr std::uint8_t kLength64 = 127;  // the length follows in 64 bits

struct FrameHeader {
  std::uint64_t payload_bytes = 0;
  MaskKey mask_key{};  // zero when not masked
  Opcode opcode = Opcode::continuation;
  std::uint8_t header_bytes = 0;
  bool final = false;
  bool compressed = false;  // RSV1
  bool masked = false;
};

template <class Value>
using Parsed = Result<std::optional<Value>, FrameError>;

/// Reads a frame header from the front of `input`, which may hold less or more than it.
[[nodiscard]] Parsed<FrameHeader> decode_frame_header(Bytes input, Role role, Extensions negotiated = {});

}  // namespace ringcast
