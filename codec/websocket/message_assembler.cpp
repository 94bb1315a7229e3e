#include "codec/websocket/message_assembler.hpp"

#include <algorithm>
#include <array>

#include "alloc/base/ensure.hpp"
#include "codec/websocket/frame_error.hpp"
#include "codec/websocket/masking.hpp"

namespace ringcast {

MessageAssembler::MessageAssembler(Role role, AssemblerLimits limits, Extensions negotiated)
    : message_bytes_max_{limits.message_bytes_max}, role_{role}, deflate_negotiated_{negotiated.deflate} {}

bool MessageAssembler::mid_message() const {
  return phase_ == Phase::payload || header_bytes_ > 0 || message_opcode_ != Opcode::continuation;
}

void MessageAssembler::release() {
  std::vector<std::uint8_t>{}.swap(held_);
  message_bytes_ = 0;
  event_held_ = false;
  phase_ = Phase::finished;
}

std::optional<WsEvent> MessageAssembler::next(MutableBytes& input) {
  forget_last_event();
  std::optional<WsEvent> event;
  while (!event) {
    switch (phase_) {
      case Phase::finished: return std::nullopt;
      case Phase::header:
        if (input.empty()) return std::nullopt;
        event = read_header(input);
        break;
      case Phase::payload:  // a frame without payload ends here without another byte of input
        if (input.empty() && frame_bytes_left_ > 0) return std::nullopt;
        event = read_payload(input);
        break;
    }
  }
  return event;
}

std::optional<WsEvent> MessageAssembler::read_header(MutableBytes& input) {
  std::array<std::uint8_t, kFrameHeaderBytesMax> joined;
  Bytes header_input = input;
  if (header_bytes_ > 0) {  // split: what came before, and the front of what came now
    const std::size_t more = std::min(input.size(), joined.size() - header_bytes_);
    std::copy_n(header_, header_bytes_, joined.begin());
    std::copy_n(input.begin(), more, joined.begin() + header_bytes_);
    header_input = Bytes{joined}.first(header_bytes_ + more);
  }
  const auto parsed = decode_frame_header(header_input, role_, {.deflate = deflate_negotiated_});
  if (!parsed) return fail(parsed.error());
  if (!*parsed) {
    ensure(header_input.size() < kFrameHeaderBytesMax, "an incomplete header is shorter than the longest header");
    std::copy(input.begin(), input.end(), header_ + header_bytes_);
    header_bytes_ = static_cast<std::uint8_t>(header_bytes_ + input.size());
    input = {};
    return std::nullopt;
  }
  const FrameHeader& header = **parsed;
  ensure(header.header_bytes > header_bytes_, "a header that was incomplete is completed by new bytes");
  input = input.subspan(header.header_bytes - header_bytes_);
  header_bytes_ = 0;
  return begin_frame(header);
}

std::optional<WsEvent> MessageAssembler::begin_frame(const FrameHeader& header) {
  if (!is_control(header.opcode)) {
    const bool message_begun = message_opcode_ != Opcode::continuation;
    if (header.opcode == Opcode::continuation) {
      if (!message_begun) return fail(FrameError::continuation_without_start);
    } else {
      if (message_begun) return fail(FrameError::data_within_message);
      message_opcode_ = header.opcode;
      message_compressed_ = header.compressed;
      utf8_.reset();
    }
    ensure(message_bytes_ <= message_bytes_max_, "a message never exceeds its bound");
    if (header.payload_bytes > message_bytes_max_ - message_bytes_) return fail(FrameError::message_too_large);
  }
  frame_opcode_ = header.opcode;
  frame_final_ = header.final;
  frame_bytes_left_ = static_cast<std::uint32_t>(header.payload_bytes);
  key_ = header.mask_key;
  phase_ = Phase::payload;
  return std::nullopt;
}

std::optional<WsEvent> MessageAssembler::read_payload(MutableBytes& input) {
  const std::size_t taken = std::min<std::size_t>(input.size(), frame_bytes_left_);
  const MutableBytes piece = input.first(taken);
  input = input.subspan(taken);
  if (role_ == Role::server) {
    apply_mask(piece, key_);
    key_ = rotated(key_, taken);
  }
  return is_control(frame_opcode_) ? read_control(piece) : read_data(piece);
}

std::optional<WsEvent> MessageAssembler::read_control(Bytes piece) {
  const bool ends = piece.size() == frame_bytes_left_;
  if (ends && held_.size() == message_bytes_) {  // wholly in the input: no copy
    frame_bytes_left_ = 0;
    phase_ = Phase::header;
    return control_event(piece);
  }
  hold(piece);
  frame_bytes_left_ -= static_cast<std::uint32_t>(piece.size());
  if (!ends) return std::nullopt;
  phase_ = Phase::header;
  event_held_ = true;
  return control_event(Bytes{held_}.subspan(message_bytes_));
}

std::optional<WsEvent> MessageAssembler::read_data(Bytes piece) {
  const bool ends = piece.size() == frame_bytes_left_;
  const bool wholly_in_input = ends && frame_final_ && message_bytes_ == 0;
  if (!wholly_in_input) {
    if (is_plain_text() && !utf8_.feed(piece)) return fail(FrameError::invalid_utf8);
    hold(piece);
    message_bytes_ += static_cast<std::uint32_t>(piece.size());
  }
  frame_bytes_left_ -= static_cast<std::uint32_t>(piece.size());
  if (!ends) return std::nullopt;
  phase_ = Phase::header;
  if (!frame_final_) return std::nullopt;

  const Bytes payload = wholly_in_input ? piece : Bytes{held_};
  if (is_plain_text() && !(wholly_in_input ? is_valid_utf8(payload) : utf8_.complete())) {
    return fail(FrameError::invalid_utf8);
  }
  WsEvent event;
  event.kind = message_opcode_ == Opcode::text ? WsEvent::Kind::text : WsEvent::Kind::binary;
  event.compressed = message_compressed_;
  event.payload = payload;
  event_held_ = !wholly_in_input;
  message_opcode_ = Opcode::continuation;
  message_compressed_ = false;
  message_bytes_ = 0;
  return event;
}

WsEvent MessageAssembler::control_event(Bytes payload) {
  WsEvent event;
  if (frame_opcode_ == Opcode::close) {
    const auto close = parse_close_payload(payload);
    if (!close) return fail(close.error());
    phase_ = Phase::finished;
    event.kind = WsEvent::Kind::close;
    event.code = close->code;
    event.what = close->reason;
    event.payload = as_bytes(close->reason);
    return event;
  }
  event.kind = frame_opcode_ == Opcode::ping ? WsEvent::Kind::ping : WsEvent::Kind::pong;
  event.payload = payload;
  return event;
}

WsEvent MessageAssembler::fail(FrameError error) {
  release();
  WsEvent event;
  event.kind = WsEvent::Kind::error;
  event.error = error;
  event.code = close_code_of(error);
  event.what = sentence_of(error);
  return event;
}

void MessageAssembler::hold(Bytes piece) {
  const std::size_t needed = held_.size() + piece.size();
  if (needed > held_.capacity()) {
    // Doubling, so that a million small fragments are not copied a million times; but not beyond what can still come.
    std::size_t capacity = std::max(needed, 2 * held_.capacity());
    if (frame_final_ && !is_control(frame_opcode_)) capacity = std::min(capacity, held_.size() + frame_bytes_left_);
    const std::size_t bytes_max = std::size_t{message_bytes_max_} + kControlPayloadBytesMax;
    ensure(needed <= bytes_max, "no more is held than a message and a control frame");
    held_.reserve(std::min(capacity, bytes_max));
  }
  held_.insert(held_.end(), piece.begin(), piece.end());
}

void MessageAssembler::forget_last_event() {
  if (!event_held_) return;
  event_held_ = false;
  if (message_bytes_ == 0) {
    std::vector<std::uint8_t>{}.swap(held_);
  } else {
    held_.resize(message_bytes_);  // a control frame amid a message: the message stays
  }
}

}  // namespace ringcast
