// codec/websocket/opcode.hpp: the sixteen opcodes of RFC 6455 section 5.2, six of them known.
//
// Thread  any.  Memory  none.  Failure  none: an unknown opcode is a row like the others.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

namespace ringcast {

enum class Opcode : std::uint8_t { continuation = 0x0, text = 0x1, binary = 0x2, close = 0x8, ping = 0x9, pong = 0xa };

struct OpcodeRow {
  std::string_view name;  // empty: reserved
  bool known;
  bool control;
};
/// Indexed by the four bits on the wire.
inline constexpr std::array<OpcodeRow, 16> kOpcodes{{
    {"continuation", true, false},
    {"text", true, false},
    {"binary", true, false},
    {"", false, false},
    {"", false, false},
    {"", false, false},
    {"", false, false},
    {"", false, false},
    {"close", true, true},
    {"ping", true, true},
    {"pong", true, true},
    {"", false, true},
    {"", false, true},
    {"", false, true},
    {"", false, true},
    {"", false, true},
}};

[[nodiscard]] constexpr bool is_known_opcode(std::uint8_t bits) { return kOpcodes[bits & 0x0f].known; }
[[nodiscard]] constexpr bool is_control(Opcode opcode) { return kOpcodes[std::to_underlying(opcode)].control; }
[[nodiscard]] constexpr std::string_view name_of(Opcode opcode) { return kOpcodes[std::to_underlying(opcode)].name; }

}  // namespace ringcast
