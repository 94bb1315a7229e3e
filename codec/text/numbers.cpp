#include "codec/text/numbers.hpp"

#include <limits>

#include "codec/text/json_scan.hpp"

namespace ringcast {

std::optional<std::uint64_t> parse_uint64(std::string_view text) {
  if (text.empty() || text.size() > kDecimalBytesMax || (text.front() == '0' && text.size() > 1)) {
    return std::nullopt;
  }
  std::uint64_t number = 0;
  for (const char c : text) {
    if (!json_detail::is_digit(c)) {
      return std::nullopt;
    }
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (number > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) {
      return std::nullopt;
    }
    number = number * 10 + digit;
  }
  return number;
}

std::size_t decimal_size(std::uint64_t number) {
  std::size_t digits = 1;
  while (number >= 10) {
    number /= 10;
    ++digits;
  }
  return digits;
}

std::uint8_t* write_decimal(std::uint64_t number, std::uint8_t* out) {
  std::uint8_t* end = out + decimal_size(number);
  std::uint8_t* at = end;
  do {
    *--at = static_cast<std::uint8_t>('0' + number % 10);
    number /= 10;
  } while (number > 0);
  return end;
}

void append_decimal(std::string& out, std::uint64_t number) {
  std::uint8_t digits[kDecimalBytesMax];
  const std::uint8_t* end = write_decimal(number, digits);
  out.append(reinterpret_cast<const char*>(digits), static_cast<std::size_t>(end - digits));
}

std::optional<Epoch> parse_epoch(std::string_view text) {
  if (text.size() != kEpochBytes) {
    return std::nullopt;
  }
  std::uint64_t number = 0;
  for (const char c : text) {
    const std::uint32_t digit = json_detail::hex_digit(c);
    if (digit > 15) {
      return std::nullopt;
    }
    number = number << 4 | digit;
  }
  return Epoch{number};
}

std::uint8_t* write_epoch(Epoch epoch, std::uint8_t* out) {
  for (std::size_t i = 0; i < kEpochBytes; ++i) {
    out[i] = static_cast<std::uint8_t>("0123456789abcdef"[value(epoch) >> (60 - 4 * i) & 0xF]);
  }
  return out + kEpochBytes;
}

void append_epoch(std::string& out, Epoch epoch) {
  std::uint8_t digits[kEpochBytes];
  (void)write_epoch(epoch, digits);
  out.append(reinterpret_cast<const char*>(digits), kEpochBytes);
}

}  // namespace ringcast
