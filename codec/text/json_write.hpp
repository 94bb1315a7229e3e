// codec/text/json_write.hpp: writes JSON strings, exactly as long as was announced.
//
// Thread  any.  Memory  none of its own.  Failure  none: the text must be UTF-8 (ours, or validated when it came in).
//
// Only what RFC 8259 section 7 demands is escaped: quote, backslash and the control characters below 0x20.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace ringcast {

/// How many bytes write_escaped() writes for `text`: the inside of a JSON string, without quotes.
[[nodiscard]] std::size_t escaped_size(std::string_view text);
/// Writes the inside of a JSON string; returns the byte after the last.
[[nodiscard]] std::uint8_t* write_escaped(std::string_view text, std::uint8_t* out);
/// Appends a whole JSON string, with its quotes.
void append_json_string(std::string& out, std::string_view text);

/// Copies text as it is; returns the byte after the last.
[[nodiscard]] inline std::uint8_t* write_text(std::string_view text, std::uint8_t* out) {
  if (!text.empty()) {
    std::memcpy(out, text.data(), text.size());
  }
  return out + text.size();
}

}  // namespace ringcast
