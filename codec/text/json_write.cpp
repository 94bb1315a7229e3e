#include "codec/text/json_write.hpp"

#include <array>

namespace ringcast {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

// The letter after the backslash of a two-byte escape; 'u' for the control characters without one; 0 for all the rest.
constexpr std::array<char, 256> kEscapeLetters = [] {
  std::array<char, 256> letters{};
  for (std::size_t control = 0; control < 0x20; ++control) {
    letters[control] = 'u';
  }
  letters['\b'] = 'b';
  letters['\f'] = 'f';
  letters['\n'] = 'n';
  letters['\r'] = 'r';
  letters['\t'] = 't';
  letters['"'] = '"';
  letters['\\'] = '\\';
  return letters;
}();

char escape_letter(char c) { return kEscapeLetters[static_cast<unsigned char>(c)]; }

}  // namespace

std::size_t escaped_size(std::string_view text) {
  std::size_t bytes = text.size();
  for (const char c : text) {
    const char letter = escape_letter(c);
    if (letter != 0) [[unlikely]] {
      bytes += letter == 'u' ? 5 : 1;
    }
  }
  return bytes;
}

std::uint8_t* write_escaped(std::string_view text, std::uint8_t* out) {
  for (const char c : text) {
    const char letter = escape_letter(c);
    if (letter == 0) [[likely]] {
      *out++ = static_cast<std::uint8_t>(c);
      continue;
    }
    *out++ = '\\';
    *out++ = static_cast<std::uint8_t>(letter);
    if (letter == 'u') {
      const auto code = static_cast<unsigned char>(c);
      *out++ = '0';
      *out++ = '0';
      *out++ = static_cast<std::uint8_t>(kHexDigits[code >> 4]);
      *out++ = static_cast<std::uint8_t>(kHexDigits[code & 0xF]);
    }
  }
  return out;
}

void append_json_string(std::string& out, std::string_view text) {
  const std::size_t before = out.size();
  out.resize(before + escaped_size(text) + 2);
  auto* at = reinterpret_cast<std::uint8_t*>(out.data()) + before;
  *at++ = '"';
  at = write_escaped(text, at);
  *at = '"';
}

}  // namespace ringcast
