// codec/text/json_scan.hpp: the validating scanner behind json.hpp; nothing outside codec/text includes it.
//
// Owner    one call.  Thread  any.
// Memory   two words of bits for the nesting.  Never reads a byte outside the text, not even to look ahead.
// Failure  every step returns false and leaves the sentence and the place in the scanner.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "alloc/base/ensure.hpp"
#include "codec/text/json.hpp"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace ringcast::json_detail {

/// The first byte of [at, end) that is a quote, a backslash, a control character or not ASCII; or end.
[[nodiscard]] inline const char* skip_plain(const char* at, const char* end) {
#ifdef __SSE2__  // every x86-64 has it; strings in market data are short, wider registers gained nothing
  while (end - at >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i below = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));  // signed: also all bytes from 0x80
    const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    const __m128i slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    const int found = _mm_movemask_epi8(_mm_or_si128(below, _mm_or_si128(quote, slash)));
    if (found != 0) {
      return at + __builtin_ctz(static_cast<unsigned>(found));
    }
    at += 16;
  }
#endif
  while (at != end) {
    const auto byte = static_cast<unsigned char>(*at);
    if (byte < 0x20 || byte >= 0x80 || byte == '"' || byte == '\\') {
      return at;
    }
    ++at;
  }
  return at;
}

[[nodiscard]] constexpr bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
[[nodiscard]] constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The value of a hexadecimal digit, or 16.
[[nodiscard]] constexpr std::uint32_t hex_digit(char c) {
  if (c >= '0' && c <= '9') {
    return static_cast<std::uint32_t>(c - '0');
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? static_cast<std::uint32_t>(lower - 'a' + 10) : 16;
}

/// Four hexadecimal digits at `at`, or 0x10000 if they are not there.
[[nodiscard]] inline std::uint32_t hex_quad(const char* at, const char* end) {
  if (end - at < 4) {
    return 0x10000;
  }
  std::uint32_t number = 0;
  for (int i = 0; i < 4; ++i) {
    const std::uint32_t digit = hex_digit(at[i]);
    if (digit > 15) {
      return 0x10000;
    }
    number = number << 4 | digit;
  }
  return number;
}

[[nodiscard]] constexpr bool is_high_surrogate(std::uint32_t code) { return code >= 0xD800 && code <= 0xDBFF; }
[[nodiscard]] constexpr bool is_low_surrogate(std::uint32_t code) { return code >= 0xDC00 && code <= 0xDFFF; }

/// One escape: how many bytes it takes in the text (0: it is none), and the character it means.
struct Escape {
  std::uint32_t bytes = 0;
  std::uint32_t code = 0;
};
[[nodiscard]] Escape read_escape(const char* at, const char* end);

/// The length of the UTF-8 sequence at `at`, whose first byte is not ASCII; 0 if it is none (RFC 3629 section 4).
[[nodiscard]] inline std::uint32_t utf8_sequence(const char* at, const char* end) {
  const auto byte = [at](std::size_t i) { return static_cast<unsigned char>(at[i]); };
  const auto left = static_cast<std::size_t>(end - at);
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned char first = byte(0);
  if (first >= 0xC2 && first <= 0xDF) {
    return left >= 2 && continues(1) ? 2 : 0;
  }
  if ((first & 0xF0U) == 0xE0U) {
    if (left < 3 || !continues(1) || !continues(2)) {
      return 0;
    }
    const bool overlong = first == 0xE0 && byte(1) < 0xA0;
    const bool surrogate = first == 0xED && byte(1) > 0x9F;
    return overlong || surrogate ? 0 : 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (left < 4 || !continues(1) || !continues(2) || !continues(3)) {
      return 0;
    }
    const bool overlong = first == 0xF0 && byte(1) < 0x90;
    const bool too_high = first == 0xF4 && byte(1) > 0x8F;
    return overlong || too_high ? 0 : 4;
  }
  return 0;
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : begin_{text.data()}, at_{text.data()}, end_{text.data() + text.size()} {}

  void skip_space() {
    while (at_ != end_ && is_space(*at_)) {
      ++at_;
    }
  }
  [[nodiscard]] bool at_end() const { return at_ == end_; }
  [[nodiscard]] bool at(char c) const { return at_ != end_ && *at_ == c; }
  [[nodiscard]] bool take(char c) {
    const bool there = at(c);
    at_ += there ? 1 : 0;
    return there;
  }
  [[nodiscard]] const char* position() const { return at_; }
  [[nodiscard]] bool saw_escape() const { return saw_escape_; }
  [[nodiscard]] JsonError error() const { return {static_cast<std::size_t>(at_ - begin_), sentence_}; }
  bool fail(std::string_view sentence) {
    sentence_ = sentence;
    return false;
  }

  /// One whole value without white space around it; at most `depth_max` containers deep.
  [[nodiscard]] bool value(std::uint32_t depth_max);
  /// A string with its quotes; saw_escape() then says whether it has escapes.
  [[nodiscard]] bool string();
  /// A member's name and its colon, white space included.
  [[nodiscard]] bool name_and_colon();

 private:
  [[nodiscard]] bool open_containers(std::uint32_t depth_max);
  [[nodiscard]] bool close_containers();
  [[nodiscard]] bool scalar();
  [[nodiscard]] bool number();
  [[nodiscard]] bool word(std::string_view expected);

  void push(bool object) {
    const std::uint64_t bit = std::uint64_t{1} << (depth_ % 64);
    std::uint64_t& bits = objects_[depth_ / 64];
    bits = object ? bits | bit : bits & ~bit;
    ++depth_;
  }
  [[nodiscard]] bool top_is_object() const { return (objects_[(depth_ - 1) / 64] >> ((depth_ - 1) % 64) & 1U) != 0; }

  const char* begin_;
  const char* at_;
  const char* end_;
  std::string_view sentence_;
  std::uint32_t depth_ = 0;
  bool saw_escape_ = false;
  std::array<std::uint64_t, kJsonDepthMax / 64> objects_{};  // one bit a level: object or array
};
static_assert(kJsonDepthMax % 64 == 0, "every level has its bit");

}  // namespace ringcast::json_detail
