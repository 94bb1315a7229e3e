#include "codec/websocket/frame_writer.hpp"

#include <algorithm>
#include <array>

#include "alloc/base/ensure.hpp"

namespace ringcast {
namespace {

std::size_t write_start(MutableBytes out, FrameStart start, std::uint64_t payload_bytes, Role writer) {
  const std::size_t size = frame_header_bytes(payload_bytes, writer);
  ensure(out.size() >= size, "the frame header fits its buffer");
  ensure(payload_bytes >> 63 == 0, "a frame's length has its highest bit clear");
  ensure(!is_control(start.opcode) || (start.final && !start.compressed && payload_bytes <= kControlPayloadBytesMax),
         "a control frame is whole, plain and at most 125 bytes");
  ensure(!start.compressed || start.opcode != Opcode::continuation, "only a message's first frame says compressed");
  out[0] = static_cast<std::uint8_t>((start.final ? kFinBit : 0) | (start.compressed ? kRsv1Bit : 0) |
                                     std::to_underlying(start.opcode));
  const std::uint8_t mask_bit = writer == Role::client ? kMaskBit : 0;
  if (payload_bytes < kLength16) {
    out[1] = static_cast<std::uint8_t>(mask_bit | payload_bytes);
  } else if (payload_bytes <= 0xffff) {
    out[1] = mask_bit | kLength16;
    store_big_endian(&out[2], static_cast<std::uint16_t>(payload_bytes));
  } else {
    out[1] = mask_bit | kLength64;
    store_big_endian(&out[2], payload_bytes);
  }
  return size;
}

void append_payload(std::vector<std::uint8_t>& out, Bytes header, Bytes payload) {
  out.insert(out.end(), header.begin(), header.end());
  out.insert(out.end(), payload.begin(), payload.end());
}

}  // namespace

std::size_t write_frame_header(MutableBytes out, FrameStart start, std::uint64_t payload_bytes) {
  return write_start(out, start, payload_bytes, Role::server);
}

std::size_t write_frame_header(MutableBytes out, FrameStart start, std::uint64_t payload_bytes, MaskKey key) {
  const std::size_t size = write_start(out, start, payload_bytes, Role::client);
  std::copy(key.begin(), key.end(), &out[size - key.size()]);
  return size;
}

std::size_t write_control_frame(MutableBytes out, Opcode opcode, Bytes payload) {
  const std::size_t header = write_frame_header(out, {.opcode = opcode}, payload.size());
  ensure(is_control(opcode) && out.size() >= header + payload.size(), "the control frame fits its buffer");
  std::copy(payload.begin(), payload.end(), out.begin() + static_cast<std::ptrdiff_t>(header));
  return header + payload.size();
}

std::size_t write_control_frame(MutableBytes out, Opcode opcode, Bytes payload, MaskKey key) {
  const std::size_t header = write_frame_header(out, {.opcode = opcode}, payload.size(), key);
  ensure(is_control(opcode) && out.size() >= header + payload.size(), "the control frame fits its buffer");
  const MutableBytes body = out.subspan(header, payload.size());
  std::copy(payload.begin(), payload.end(), body.begin());
  apply_mask(body, key);
  return header + payload.size();
}

std::size_t write_close_frame(MutableBytes out, CloseCode code, std::string_view reason) {
  std::array<std::uint8_t, kControlPayloadBytesMax> payload;
  const std::size_t size = write_close_payload(payload, code, reason);
  return write_control_frame(out, Opcode::close, Bytes{payload}.first(size));
}

std::size_t write_close_frame(MutableBytes out, CloseCode code, std::string_view reason, MaskKey key) {
  std::array<std::uint8_t, kControlPayloadBytesMax> payload;
  const std::size_t size = write_close_payload(payload, code, reason);
  return write_control_frame(out, Opcode::close, Bytes{payload}.first(size), key);
}

void append_frame(std::vector<std::uint8_t>& out, FrameStart start, Bytes payload) {
  std::array<std::uint8_t, kFrameHeaderBytesMax> header;
  append_payload(out, Bytes{header}.first(write_frame_header(header, start, payload.size())), payload);
}

void append_frame(std::vector<std::uint8_t>& out, FrameStart start, Bytes payload, MaskKey key) {
  std::array<std::uint8_t, kFrameHeaderBytesMax> header;
  append_payload(out, Bytes{header}.first(write_frame_header(header, start, payload.size(), key)), payload);
  apply_mask(MutableBytes{out}.last(payload.size()), key);
}

}  // namespace ringcast
