// Opcodes, close codes, frame headers: reading and writing.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "codec/websocket/close_code.hpp"
#include "codec/websocket/frame_parser.hpp"
#include "codec/websocket/frame_writer.hpp"
#include "codec/websocket/opcode.hpp"
#include "tests/codec/guarded_bytes.hpp"

namespace ringcast {
namespace {

using Raw = std::vector<std::uint8_t>;
constexpr MaskKey kKey{1, 2, 3, 4};

TEST(Opcode, ExactlyTheSixOfRfc6455AreKnown) {
  constexpr std::string_view known = "kkk-----kkk-----";  // 0x0 to 0xF; pong is 0xA
  for (std::uint8_t opcode = 0; opcode < 16; ++opcode) {
    EXPECT_EQ(is_known_opcode(opcode), known[opcode] == 'k') << int{opcode};
    EXPECT_EQ(kOpcodes[opcode].control, opcode >= 8) << int{opcode};
    EXPECT_EQ(!kOpcodes[opcode].name.empty(), known[opcode] == 'k') << int{opcode};
  }
  EXPECT_EQ(name_of(Opcode::pong), "pong");
}

TEST(CloseCode, ExactlyTheAssignedAndThePrivateOnesMayBeSent) {
  for (unsigned code = 0; code <= 0xffff; ++code) {
    const bool assigned = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
    const bool expected = assigned || (code >= 3000 && code <= 4999);
    ASSERT_EQ(is_sendable_close_code(static_cast<std::uint16_t>(code)), expected) << code;
  }
}

struct CloseRow {
  std::string_view sentence;
  std::string payload;
  std::optional<FrameError> error;
  std::uint16_t code;
  std::string_view reason;
};
const CloseRow kCloseRows[] = {
    {"empty: no status", "", {}, 1005, ""},
    {"one byte", "\x03", FrameError::close_payload_too_short, 0, ""},
    {"1000 alone", "\x03\xe8", {}, 1000, ""},
    {"1000 and a reason", "\x03\xe8going", {}, 1000, "going"},
    {"1005 may not be sent", "\x03\xed", FrameError::close_code_invalid, 0, ""},
    {"1006 may not be sent", "\x03\xee", FrameError::close_code_invalid, 0, ""},
    {"1015 may not be sent", "\x03\xf7", FrameError::close_code_invalid, 0, ""},
    {"999", "\x03\xe7", FrameError::close_code_invalid, 0, ""},
    {"5000", "\x13\x88", FrameError::close_code_invalid, 0, ""},
    {"4999 with a reason of 123 bytes", "\x13\x87" + std::string(123, 'r'), {}, 4999, ""},
    {"a reason that is not UTF-8", "\x03\xe8\xce\xba\xed\xa0\x80", FrameError::close_reason_invalid_utf8, 0, ""},
    {"a reason cut within a character", "\x03\xe8\xce", FrameError::close_reason_invalid_utf8, 0, ""},
};

TEST(CloseCode, APayloadIsReadAsSection551Says) {
  for (const CloseRow& row : kCloseRows) {
    const auto parsed = parse_close_payload(as_bytes(row.payload));
    ASSERT_EQ(parsed.has_value(), !row.error) << row.sentence;
    if (row.error) {
      EXPECT_EQ(parsed.error(), *row.error) << row.sentence;
      continue;
    }
    EXPECT_EQ(value(parsed->code), row.code) << row.sentence;
    if (!row.reason.empty()) {
      EXPECT_EQ(parsed->reason, row.reason) << row.sentence;
    }
  }
}

TEST(CloseCode, APayloadIsWrittenWithItsReasonCutBetweenCharacters) {
  std::array<std::uint8_t, kControlPayloadBytesMax> out;
  EXPECT_EQ(write_close_payload(out, CloseCode::no_status, "unsaid"), 0U);
  EXPECT_EQ(write_close_payload(out, CloseCode::abnormal, "unsaid"), 0U);
  ASSERT_EQ(write_close_payload(out, CloseCode::slow_consumer, "slow"), 6U);
  EXPECT_EQ(as_text(Bytes{out}.first(6)), "\x0f\xa8slow");
  EXPECT_EQ(write_close_payload(out, CloseCode::normal, std::string(123, 'x')), 125U);
  EXPECT_EQ(write_close_payload(out, CloseCode::normal, std::string(124, 'x')), 125U);
  const std::string euros = std::string(122, 'x') + "\xe2\x82\xac";
  ASSERT_EQ(write_close_payload(out, CloseCode::normal, euros), 124U);
  EXPECT_TRUE(parse_close_payload(Bytes{out}.first(124)));
  EXPECT_DEATH(write_close_payload(out, CloseCode{1004}, ""), "only codes that may stand in a close frame");
  EXPECT_EQ(close_reply_code(CloseCode::no_status), CloseCode::normal);
  EXPECT_EQ(close_reply_code(CloseCode::going_away), CloseCode::going_away);
}

TEST(FrameError, EachHasACodeThatMayBeSentAndASentence) {
  for (std::uint8_t i = 0; i < std::to_underlying(FrameError::end); ++i) {
    EXPECT_TRUE(is_sendable_close_code(value(close_code_of(FrameError{i}))));
    EXPECT_FALSE(sentence_of(FrameError{i}).empty());
  }
  EXPECT_EQ(close_code_of(FrameError::invalid_utf8), CloseCode::invalid_payload);
  EXPECT_EQ(close_code_of(FrameError::close_reason_invalid_utf8), CloseCode::invalid_payload);
  EXPECT_EQ(close_code_of(FrameError::message_too_large), CloseCode::message_too_big);
  EXPECT_EQ(close_code_of(FrameError::reserved_bit), CloseCode::protocol_error);
}

struct HeaderRow {
  std::string_view sentence;
  Raw bytes;
  Role role;
  bool deflate;
  std::optional<FrameError> error;
  std::size_t proof_bytes;  // how many bytes prove the error, or complete the header
  std::uint64_t payload_bytes = 0;
};
constexpr Role kServer = Role::server;
constexpr Role kClient = Role::client;
const HeaderRow kHeaderRows[] = {
    {"text of 5, masked", {0x81, 0x85, 1, 2, 3, 4}, kServer, false, {}, 6, 5},
    {"text of 5, unmasked", {0x81, 0x05}, kClient, false, {}, 2, 5},
    {"text of nothing", {0x81, 0x80, 1, 2, 3, 4}, kServer, false, {}, 6, 0},
    {"a first fragment", {0x01, 0x03}, kClient, false, {}, 2, 3},
    {"125 in the short form", {0x82, 0x7d}, kClient, false, {}, 2, 125},
    {"126 in 16 bits", {0x82, 0x7e, 0, 126}, kClient, false, {}, 4, 126},
    {"65535 in 16 bits", {0x82, 0x7e, 255, 255}, kClient, false, {}, 4, 65535},
    {"65536 in 64 bits", {0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0}, kClient, false, {}, 10, 65536},
    {"65536 in 64 bits, masked", {0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 9, 9, 9, 9}, kServer, false, {}, 14, 65536},
    {"the largest length", {0x82, 0x7f, 0x7f, 255, 255, 255, 255, 255, 255, 255}, kClient, false, {}, 10, ~0ULL >> 1},
    {"the highest bit of a length", {0x82, 0x7f, 0x80, 0, 0, 0, 0, 1, 0, 0}, kClient, false, FrameError::length_too_large, 3},
    {"125 in 16 bits", {0x82, 0x7e, 0, 125}, kClient, false, FrameError::length_not_minimal, 4},
    {"65535 in 64 bits", {0x82, 0x7f, 0, 0, 0, 0, 0, 0, 255, 255}, kClient, false, FrameError::length_not_minimal, 10},
    {"0 in 64 bits", {0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 0}, kServer, false, FrameError::length_not_minimal, 10},
    {"unmasked to a server", {0x81, 0x05}, kServer, false, FrameError::client_not_masked, 2},
    {"masked to a client", {0x81, 0x85}, kClient, false, FrameError::server_masked, 2},
    {"RSV1 without deflate", {0xc1, 0x85}, kServer, false, FrameError::reserved_bit, 1},
    {"RSV2", {0xa1, 0x85}, kServer, false, FrameError::reserved_bit, 1},
    {"RSV3", {0x91, 0x85}, kServer, false, FrameError::reserved_bit, 1},
    {"plain although deflate is negotiated", {0x81, 0x05}, kClient, true, {}, 2, 5},
    {"compressed, negotiated", {0xc1, 0x05}, kClient, true, {}, 2, 5},
    {"compressed binary, negotiated", {0x42, 0x05}, kClient, true, {}, 2, 5},
    {"RSV1 and RSV2, negotiated", {0xe1, 0x05}, kClient, true, FrameError::reserved_bit, 1},
    {"RSV1 on a continuation, negotiated", {0xc0, 0x05}, kClient, true, FrameError::reserved_bit, 1},
    {"RSV1 on a ping, negotiated", {0xc9, 0x05}, kClient, true, FrameError::reserved_bit, 1},
    {"ping of 125", {0x89, 0x7d}, kClient, false, {}, 2, 125},
    {"ping of 126", {0x89, 0x7e}, kClient, false, FrameError::control_too_large, 2},
    {"close with a 64-bit length", {0x88, 0x7f}, kClient, false, FrameError::control_too_large, 2},
    {"a ping in fragments", {0x09, 0x00}, kClient, false, FrameError::control_fragmented, 1},
    {"a close in fragments", {0x08, 0x00}, kClient, false, FrameError::control_fragmented, 1},
};

TEST(FrameParser, EachRowIsReadAtTheFirstByteThatDecidesItAndNoByteFurther) {
  GuardedBytes pages{4096};
  for (const HeaderRow& row : kHeaderRows) {
    for (std::size_t size = 0; size <= row.bytes.size(); ++size) {
      const Bytes input = pages.place(Bytes{row.bytes}.first(size));
      const auto parsed = decode_frame_header(input, row.role, {.deflate = row.deflate});
      if (size < row.proof_bytes) {
        ASSERT_TRUE(parsed && !*parsed) << row.sentence << ", " << size << " bytes";
      } else if (row.error) {
        ASSERT_FALSE(parsed) << row.sentence << ", " << size << " bytes";
        EXPECT_EQ(parsed.error(), *row.error) << row.sentence;
      } else {
        ASSERT_TRUE(parsed && *parsed) << row.sentence << ", " << size << " bytes";
        const FrameHeader& header = **parsed;
        EXPECT_EQ(header.payload_bytes, row.payload_bytes) << row.sentence;
        EXPECT_EQ(header.header_bytes, row.bytes.size()) << row.sentence;
        EXPECT_EQ(header.final, (row.bytes[0] & 0x80) != 0) << row.sentence;
        EXPECT_EQ(header.compressed, (row.bytes[0] & 0x40) != 0) << row.sentence;
        EXPECT_EQ(header.masked, row.role == kServer) << row.sentence;
      }
    }
  }
}

TEST(FrameParser, EveryReservedOpcodeIsRefusedWithEveryOtherBit) {
  for (unsigned first = 0; first < 256; ++first) {
    const Raw input{static_cast<std::uint8_t>(first), 0x00};
    const bool known = is_known_opcode(static_cast<std::uint8_t>(first & 15));
    const bool whole_control = (first & 8) == 0 || (first & 0x80) != 0;
    const bool fine = known && whole_control && (first & 0x70) == 0;
    EXPECT_EQ(decode_frame_header(input, kClient).has_value(), fine) << first;
  }
}

TEST(FrameWriter, WhatIsWrittenIsReadBackAtEverySizeClassByBothRoles) {
  for (const std::uint64_t size :
       {0ULL, 1ULL, 124ULL, 125ULL, 126ULL, 127ULL, 128ULL, 65'535ULL, 65'536ULL, 1ULL << 20, ~0ULL >> 1}) {
    for (const bool final : {false, true}) {
      for (const bool compressed : {false, true}) {
        std::array<std::uint8_t, kFrameHeaderBytesMax> out{};
        const FrameStart start{Opcode::binary, final, compressed};
        for (const Role writer : {Role::server, Role::client}) {
          const std::size_t written = writer == Role::server ? write_frame_header(out, start, size)
                                                             : write_frame_header(out, start, size, kKey);
          ASSERT_EQ(written, frame_header_bytes(size, writer));
          const Role reader = writer == Role::server ? Role::client : Role::server;
          const auto parsed = decode_frame_header(Bytes{out}.first(written), reader, {.deflate = true});
          ASSERT_TRUE(parsed && *parsed) << size;
          EXPECT_EQ((*parsed)->payload_bytes, size);
          EXPECT_EQ((*parsed)->header_bytes, written);
          EXPECT_EQ((*parsed)->final, final);
          EXPECT_EQ((*parsed)->compressed, compressed);
          EXPECT_EQ((*parsed)->mask_key, writer == Role::client ? kKey : MaskKey{});
        }
      }
    }
  }
}

TEST(FrameWriter, ControlFramesAreTheBytesOfRfc6455Section57) {
  std::array<std::uint8_t, kControlFrameBytesMax> out;
  const auto text = [&](std::size_t size) { return std::string{as_text(Bytes{out}.first(size))}; };
  EXPECT_EQ(text(write_control_frame(out, Opcode::ping, as_bytes("Hello"))), "\x89\x05Hello");
  EXPECT_EQ(text(write_control_frame(out, Opcode::pong, as_bytes("Hello"), {0x37, 0xfa, 0x21, 0x3d})),
            "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
  EXPECT_EQ(text(write_close_frame(out, CloseCode::going_away, "bye")), "\x88\x05\x03\xe9" "bye");
  EXPECT_EQ(text(write_close_frame(out, CloseCode::no_status, "")), std::string("\x88\x00", 2));
  EXPECT_EQ(write_close_frame(out, CloseCode::normal, std::string(200, 'x'), kKey), kControlFrameBytesMax);
}

TEST(FrameWriter, RefusesToBreakTheProtocolItself) {
  std::array<std::uint8_t, 8> small;
  std::array<std::uint8_t, 512> large;
  const Raw payload(126);
  EXPECT_DEATH(write_control_frame(large, Opcode::ping, payload), "a control frame is whole");
  EXPECT_DEATH(write_control_frame(small, Opcode::ping, Bytes{payload}.first(7)), "the control frame fits its buffer");
  EXPECT_DEATH(write_frame_header(small, {}, 65'536), "the frame header fits its buffer");
  EXPECT_DEATH(write_frame_header(large, {Opcode::continuation, true, true}, 1), "first frame says compressed");
}

}  // namespace
}  // namespace ringcast
