// engine/channel/frame_encoder.hpp: one message in one wire form, as a whole WebSocket frame, straight into a log.
//
// Thread   the home shard's.  Memory  the log's block; no copy in between.  Failure  none.
// A packed form's log may hold plain frames, and these are plain always: what is sent again from history is not packed
// again for each reader.
//
// Not here the forms themselves (codec/dialect), packing (deflate_encoder), who reads the log (delivery).
#pragma once

#include "alloc/base/time.hpp"
#include "alloc/log/frame_log.hpp"
#include "codec/dialect/encode.hpp"
#include "codec/websocket/frame_writer.hpp"

namespace ringcast {

/// What a frame of that form says it is.
[[nodiscard]] constexpr Opcode frame_opcode(Form form) {
  return plain_of(form) == Form::binary ? Opcode::binary : Opcode::text;
}

[[nodiscard]] inline std::size_t frame_size(Form form, const MessageView& message) {
  const std::size_t payload = message_payload_size(form, message);
  return frame_header_bytes(payload) + payload;
}

/// Writes exactly frame_size() bytes.
inline void write_frame(Form form, const MessageView& message, MutableBytes out) {
  const std::size_t payload = message_payload_size(form, message);
  const std::size_t header = frame_header_bytes(payload);
  ensure(header + payload == out.size(), "a frame is given the room that it needs");
  write_frame_header(out.first(header), FrameStart{.opcode = frame_opcode(form)}, payload);
  const std::uint8_t* end = write_message_payload(form, message, out.data() + header);
  ensure(end == out.data() + out.size(), "an encoder writes exactly the size it said");
}

/// Appends `message` to `log`, whose next() must be its seq.
inline void encode_frame(FrameLog& log, Form form, const MessageView& message, Instant received, Instant now) {
  ensure(log.next() == message.seq, "a log receives every message of its channel, in order");
  const std::size_t payload = message_payload_size(form, message);
  const std::size_t header = frame_header_bytes(payload);
  std::uint8_t* out = log.reserve(header + payload, now);
  write_frame_header(MutableBytes{out, header}, FrameStart{.opcode = frame_opcode(form)}, payload);
  const std::uint8_t* end = write_message_payload(form, message, out + header);
  ensure(end == out + header + payload, "an encoder writes exactly the size it said");
  log.commit(header + payload, received);
}

/// Appends a payload that is written already.
inline void append_frame(FrameLog& log, FrameStart start, Bytes payload, Instant received, Instant now) {
  const std::size_t header = frame_header_bytes(payload.size());
  std::uint8_t* out = log.reserve(header + payload.size(), now);
  write_frame_header(MutableBytes{out, header}, start, payload.size());
  if (!payload.empty()) std::memcpy(out + header, payload.data(), payload.size());
  log.commit(header + payload.size(), received);
}

}  // namespace ringcast
