#include "codec/websocket/frame_parser.hpp"

#include <algorithm>

namespace ringcast {
namespace {

std::optional<FrameError> check_first_byte(std::uint8_t first, Extensions negotiated) {
  const std::uint8_t opcode = first & kOpcodeBits;
  const std::uint8_t reserved = first & kReservedBits;
  // RFC 7692 section 6: RSV1 marks the first frame of a message, so never a continuation or a control frame.
  const bool may_be_compressed = negotiated.deflate && (opcode == std::to_underlying(Opcode::text) ||
                                                        opcode == std::to_underlying(Opcode::binary));
  if (reserved != 0 && !(may_be_compressed && reserved == kRsv1Bit)) return FrameError::reserved_bit;
  if (!is_known_opcode(opcode)) return FrameError::unknown_opcode;
  if (is_control(Opcode{opcode}) && (first & kFinBit) == 0) return FrameError::control_fragmented;
  return std::nullopt;
}

std::optional<FrameError> check_second_byte(std::uint8_t second, Opcode opcode, Role role) {
  const bool masked = (second & kMaskBit) != 0;
  if (role == Role::server && !masked) return FrameError::client_not_masked;
  if (role == Role::client && masked) return FrameError::server_masked;
  if (is_control(opcode) && (second & kLengthBits) > kControlPayloadBytesMax) return FrameError::control_too_large;
  return std::nullopt;
}

}  // namespace

Parsed<FrameHeader> decode_frame_header(Bytes input, Role role, Extensions negotiated) {
  if (input.empty()) return std::nullopt;
  if (const auto error = check_first_byte(input[0], negotiated)) return unexpected(*error);
  if (input.size() < kFrameHeaderBytesMin) return std::nullopt;

  FrameHeader header;
  header.opcode = Opcode{static_cast<std::uint8_t>(input[0] & kOpcodeBits)};
  if (const auto error = check_second_byte(input[1], header.opcode, role)) return unexpected(*error);
  header.final = (input[0] & kFinBit) != 0;
  header.compressed = (input[0] & kRsv1Bit) != 0;
  header.masked = (input[1] & kMaskBit) != 0;

  const std::uint8_t length = input[1] & kLengthBits;
  std::size_t at = kFrameHeaderBytesMin;
  if (length < kLength16) {
    header.payload_bytes = length;
  } else if (length == kLength16) {
    if (input.size() < at + 2) return std::nullopt;
    header.payload_bytes = load_big_endian<std::uint16_t>(&input[at]);
    if (header.payload_bytes < kLength16) return unexpected(FrameError::length_not_minimal);
    at += 2;
  } else {
    if (input.size() > at && (input[at] & 0x80) != 0) return unexpected(FrameError::length_too_large);
    if (input.size() < at + 8) return std::nullopt;
    header.payload_bytes = load_big_endian<std::uint64_t>(&input[at]);
    if (header.payload_bytes <= 0xffff) return unexpected(FrameError::length_not_minimal);
    at += 8;
  }
  if (header.masked) {
    if (input.size() < at + header.mask_key.size()) return std::nullopt;
    std::copy_n(&input[at], header.mask_key.size(), header.mask_key.begin());
    at += header.mask_key.size();
  }
  header.header_bytes = static_cast<std::uint8_t>(at);
  return header;
}

}  // namespace ringcast
