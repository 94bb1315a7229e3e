// codec/http/characters.hpp: which characters may stand where (RFC 9110 section 5, RFC 3986).
//
// Thread  any.  Memory  one 256-byte table.  Failure  none.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace ringcast {

inline constexpr std::array<bool, 256> kTokenCharacters = [] {
  std::array<bool, 256> table{};
  for (char c = '0'; c <= '9'; ++c) table[static_cast<std::uint8_t>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) table[static_cast<std::uint8_t>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<std::uint8_t>(c)] = true;
  for (const char c : std::string_view{"!#$%&'*+-.^_`|~"}) table[static_cast<std::uint8_t>(c)] = true;
  return table;
}();

[[nodiscard]] constexpr bool is_token_char(char c) { return kTokenCharacters[static_cast<std::uint8_t>(c)]; }
[[nodiscard]] constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
/// What a request target may consist of: printable ASCII. Stricter parts of RFC 3986 are left to who decodes it.
[[nodiscard]] constexpr bool is_target_char(char c) { return c > ' ' && c <= '~'; }
/// field-vchar, space, tab and obs-text of RFC 9110 section 5.5.
[[nodiscard]] constexpr bool is_field_value_char(char c) {
  const auto byte = static_cast<std::uint8_t>(c);
  return byte == '\t' || (byte >= ' ' && byte != 0x7f);
}
/// What a host name, an address or the inside of IPv6 brackets may consist of.
[[nodiscard]] constexpr bool is_host_char(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_' ||
         c == '~';
}

}  // namespace ringcast
