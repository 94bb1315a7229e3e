// codec/capture/decimal_text.hpp: a price or a quantity, exactly as the exchange spelled it.
//
// Owner    an OrderBook, by value.  Thread  any.  Memory  32 bytes.
// Failure  parse() gives nothing for what is no plain decimal number, or has more than kBytesMax characters.
//
// No number type holds "61837.63000000" and gives it back: a double is not exact, a scaled integer forgets the zeros
// and overflows with the quantities of cheap coins. The text orders as well as a number does, without a conversion.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ringcast {

class DecimalText {
 public:
  static constexpr std::size_t kBytesMax = 30;  // 20 digits before the point, 9 behind it: more than exchanges use

  /// Digits, and perhaps a point with more digits behind it; no sign, exponent or leading zeros.
  [[nodiscard]] static std::optional<DecimalText> parse(std::string_view text) {
    if (text.empty() || text.size() > kBytesMax) return std::nullopt;
    const std::size_t whole = std::min(text.find('.'), text.size());
    const auto digits = [](std::string_view part) {
      return !part.empty() && std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
    };
    if (!digits(text.substr(0, whole)) || (whole > 1 && text.front() == '0')) return std::nullopt;
    if (whole < text.size() && !digits(text.substr(whole + 1))) return std::nullopt;
    DecimalText number;
    std::ranges::copy(text, number.text_.begin());
    number.bytes_ = static_cast<std::uint8_t>(text.size());
    number.whole_ = static_cast<std::uint8_t>(whole);
    return number;
  }

  /// As it was spelled.
  [[nodiscard]] std::string_view text() const { return {text_.data(), bytes_}; }
  [[nodiscard]] bool is_zero() const { return text().find_first_not_of("0.") == std::string_view::npos; }

  /// By value: 1.0 and 1.00 are equivalent, and not the same.
  [[nodiscard]] std::weak_ordering operator<=>(const DecimalText& other) const {
    if (whole_ != other.whole_) return whole_ <=> other.whole_;  // without leading zeros, the longer is the greater
    if (const auto order = whole() <=> other.whole(); order != 0) return order;
    return fraction() <=> other.fraction();
  }
  [[nodiscard]] bool operator==(const DecimalText& other) const { return (*this <=> other) == 0; }

 private:
  [[nodiscard]] std::string_view whole() const { return text().substr(0, whole_); }
  /// The digits behind the point that count.
  [[nodiscard]] std::string_view fraction() const {
    if (whole_ == bytes_) return {};
    const std::string_view digits = text().substr(whole_ + 1U);
    return digits.substr(0, digits.find_last_not_of('0') + 1);  // npos + 1 is 0: all of them are zeros
  }

  std::array<char, kBytesMax> text_{};
  std::uint8_t bytes_ = 0;
  std::uint8_t whole_ = 0;  // digits before the point
};
static_assert(sizeof(DecimalText) == 32, "two of them are a level of a book, and one cache line");

}  // namespace ringcast
