// codec/text/utf8.hpp: is this UTF-8 (RFC 3629)? Whole, or piece by piece.
//
// Owner    values.  Thread  any.
// Memory   none; a Utf8Stream is one byte.
// Failure  false: overlong forms, surrogates, above U+10FFFF, stray or missing continuation bytes.
// Not here what to do about it: message_assembler closes with 1007.
#pragma once

#include <cstdint>
#include <string_view>

#include "alloc/base/bytes.hpp"

namespace ringcast {

/// True if `bytes` is complete, valid UTF-8. Runs of ASCII go 32 bytes a step where the processor can.
[[nodiscard]] bool is_valid_utf8(Bytes bytes);
[[nodiscard]] inline bool is_valid_utf8(std::string_view text) { return is_valid_utf8(as_bytes(text)); }

/// The longest prefix of `text` that has at most `bytes_max` bytes and does not end inside a character.
/// text  valid UTF-8.
[[nodiscard]] std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max);

/// Validates text that arrives in pieces and says so at the first byte that cannot be continued to valid text.
class Utf8Stream {
 public:
  /// Takes the next piece; false as soon as no continuation could make the text valid. After false it stays false.
  [[nodiscard]] bool feed(Bytes piece);
  /// True between characters: the text so far is valid and complete.
  [[nodiscard]] bool complete() const { return state_ == 0; }
  void reset() { state_ = 0; }

 private:
  std::uint8_t state_ = 0;  // a state of the automaton in utf8.cpp; 0 is between characters
};
static_assert(sizeof(Utf8Stream) == 1, "part of the 64 bytes of an idle MessageAssembler");

/// The ways to do the same thing, for the tests that prove them equal and for the bench.
namespace detail {
[[nodiscard]] bool is_valid_utf8_scalar(Bytes bytes);
[[nodiscard]] bool is_valid_utf8_avx2(Bytes bytes);  // only where the processor has AVX2
}  // namespace detail

}  // namespace ringcast
