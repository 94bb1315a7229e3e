// codec/text/numbers.hpp: whole numbers and epochs as text, without a locale.
//
// Thread  any.  Memory  none.  Failure  an empty optional: not exactly such a number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "alloc/base/identifiers.hpp"

namespace ringcast {

inline constexpr std::size_t kDecimalBytesMax = 20;  // 18446744073709551615
inline constexpr std::size_t kEpochBytes = 16;       // protocol.md section 3

/// Reads digits only: no sign, point, exponent, leading zero or space, and nothing above 2^64 - 1.
[[nodiscard]] std::optional<std::uint64_t> parse_uint64(std::string_view text);

[[nodiscard]] std::size_t decimal_size(std::uint64_t number);
/// Writes decimal_size(number) digits; returns the byte after the last.
[[nodiscard]] std::uint8_t* write_decimal(std::uint64_t number, std::uint8_t* out);
void append_decimal(std::string& out, std::uint64_t number);

/// Reads exactly 16 hexadecimal digits, of either case.
[[nodiscard]] std::optional<Epoch> parse_epoch(std::string_view text);
/// Writes 16 lower-case digits; returns the byte after the last.
[[nodiscard]] std::uint8_t* write_epoch(Epoch epoch, std::uint8_t* out);
void append_epoch(std::string& out, Epoch epoch);

}  // namespace ringcast
