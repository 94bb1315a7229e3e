// codec/websocket/message_assembler.hpp: turns the bytes of one connection, however split, into messages.
//
// Owner    the connection, by value.  Thread  its shard's.
// Memory   64 bytes. A buffer from the heap only while a message or control frame is incomplete, at most
//          message_bytes_max + 125 bytes; bytes_held() says how much, for the budget. It grows with what
//          arrived, not with what a header promised, and is freed by the next() after its message's event.
// Failure  an event of kind error, with the close code and a sentence; nothing is consumed after it.
// Not here replies (a ping's pong, a close's close), inflating, randomness, what a message means.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "alloc/base/bytes.hpp"
#include "codec/text/utf8.hpp"
#include "codec/websocket/close_code.hpp"
#include "codec/websocket/frame_parser.hpp"

namespace ringcast {

struct AssemblerLimits {
  std::uint32_t message_bytes_max = 1U << 20;  // protocol.md section 1: sum of a message's fragments
};

struct WsEvent {
  enum class Kind : std::uint8_t { text, binary, ping, pong, close, error };
  Kind kind = Kind::error;
  bool compressed = false;                  // text, binary: still deflated, and text not yet validated
  CloseCode code = CloseCode::no_status;    // close: what the peer said; error: what to close with
  FrameError error{};                       // error only
  Bytes payload{};                          // message, ping, pong: unmasked; close: the reason
  std::string_view what{};                  // error: a sentence (a literal); close: the reason

  [[nodiscard]] std::string_view text() const { return as_text(payload); }
};

class MessageAssembler {
 public:
  explicit MessageAssembler(Role role, AssemblerLimits limits = {}, Extensions negotiated = {});

  /// What the handshake, which comes after a connection's assembler, has agreed. Before the first next().
  void negotiate(Extensions negotiated) { deflate_negotiated_ = negotiated.deflate; }

  /// Another bound from now on; but who is in the middle of a message keeps the larger of the two.
  void set_message_bytes_max(std::uint32_t bytes) {
    message_bytes_max_ = mid_message() ? std::max(message_bytes_max_, bytes) : bytes;
  }

  /// Consumes bytes from the front of `input` until there is something to tell.
  ///
  /// input    unmasked in place where it is consumed; shortened by what was consumed. What is left belongs to the next
  ///          call, which may come any time later with the same bytes (back pressure) or more behind them.
  /// returns  an event, whose payload is a view into `input`'s memory (a message or control frame that lay wholly
  ///          in it) or into our buffer; valid until the next call. Empty: all of `input` was absorbed, more is
  ///          needed; or finished().
  [[nodiscard]] std::optional<WsEvent> next(MutableBytes& input);

  /// True after a close or error event: nothing more is consumed.
  [[nodiscard]] bool finished() const { return phase_ == Phase::finished; }
  /// True while a message, or any frame, has begun and not ended.
  [[nodiscard]] bool mid_message() const;
  /// The bytes of heap memory held now.
  [[nodiscard]] std::size_t bytes_held() const { return held_.capacity(); }
  [[nodiscard]] std::uint32_t message_bytes_max() const { return message_bytes_max_; }
  /// Gives up what is held and finishes: the connection is going away.
  void release();

 private:
  enum class Phase : std::uint8_t { header, payload, finished };

  std::optional<WsEvent> read_header(MutableBytes& input);
  std::optional<WsEvent> begin_frame(const FrameHeader& header);
  std::optional<WsEvent> read_payload(MutableBytes& input);
  std::optional<WsEvent> read_control(Bytes piece);
  std::optional<WsEvent> read_data(Bytes piece);
  WsEvent control_event(Bytes payload);
  WsEvent fail(FrameError error);
  void hold(Bytes piece);
  void forget_last_event();
  [[nodiscard]] bool is_plain_text() const { return message_opcode_ == Opcode::text && !message_compressed_; }

  std::vector<std::uint8_t> held_;      // [message so far][the current control frame's payload so far]
  std::uint32_t message_bytes_max_;
  std::uint32_t frame_bytes_left_ = 0;  // of the current frame's payload, not yet consumed
  std::uint32_t message_bytes_ = 0;     // of the current message, at the front of held_
  std::uint8_t header_[kFrameHeaderBytesMax]{};  // the beginning of a header that was split
  std::uint8_t header_bytes_ = 0;
  Utf8Stream utf8_;
  MaskKey key_{};  // rotated as bytes are consumed: always starts at the next byte
  Phase phase_ = Phase::header;
  Opcode frame_opcode_ = Opcode::continuation;
  Opcode message_opcode_ = Opcode::continuation;  // continuation: no message has begun
  Role role_ : 1;
  bool deflate_negotiated_ : 1;
  bool frame_final_ : 1 = false;
  bool message_compressed_ : 1 = false;
  bool event_held_ : 1 = false;  // the last event's payload lies in held_
};
static_assert(sizeof(MessageAssembler) <= 64, "an idle connection has 512 bytes in all (design.md, Memory)");

}  // namespace ringcast
