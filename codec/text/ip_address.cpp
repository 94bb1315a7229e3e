#include "codec/text/ip_address.hpp"

#include <algorithm>
#include <cstddef>

#include "codec/text/numbers.hpp"

namespace ringcast {
namespace {

constexpr std::size_t kWords = 8;  // of 16 bits, in an IPv6 address
constexpr std::uint8_t kIpv4PrefixBits = 96;

std::optional<std::array<std::uint8_t, 4>> parse_dotted(std::string_view text) {
  std::array<std::uint8_t, 4> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::size_t end = i + 1 < bytes.size() ? text.find('.') : text.size();
    if (end == std::string_view::npos) return std::nullopt;
    const auto number = parse_uint64(text.substr(0, end));
    if (!number || *number > 255) return std::nullopt;
    bytes[i] = static_cast<std::uint8_t>(*number);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return bytes;
}

/// One to four hexadecimal digits.
std::optional<std::uint16_t> parse_word(std::string_view text) {
  if (text.empty() || text.size() > 4) return std::nullopt;
  std::uint32_t word = 0;
  for (const char c : text) {
    const char lower = static_cast<char>(c | 0x20);
    if (c >= '0' && c <= '9') {
      word = word << 4 | static_cast<std::uint32_t>(c - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      word = word << 4 | static_cast<std::uint32_t>(lower - 'a' + 10);
    } else {
      return std::nullopt;
    }
  }
  return static_cast<std::uint16_t>(word);
}

/// Words separated by colons, the last perhaps in dotted form. Returns how many, at most `most`.
std::optional<std::size_t> parse_words(std::string_view text, std::array<std::uint16_t, kWords>& words,
                                       bool dotted_end) {
  std::size_t count = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(':'), text.size());
    const std::string_view part = text.substr(0, end);
    const bool last = end == text.size();
    if (last && dotted_end && part.contains('.')) {
      const auto bytes = parse_dotted(part);
      if (!bytes || count + 2 > kWords) return std::nullopt;
      words[count++] = static_cast<std::uint16_t>((*bytes)[0] << 8 | (*bytes)[1]);
      words[count++] = static_cast<std::uint16_t>((*bytes)[2] << 8 | (*bytes)[3]);
      return count;
    }
    const auto word = parse_word(part);
    if (!word || count == kWords) return std::nullopt;
    words[count++] = *word;
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!last && text.empty()) return std::nullopt;  // a colon at the end
  }
  return count;
}

bool bit_of(const IpAddress& address, std::size_t bit) { return (address[bit / 8] >> (7 - bit % 8) & 1U) != 0; }

}  // namespace

IpAddress ipv4_address(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d};
}

bool is_ipv4(const IpAddress& address) {
  return std::all_of(address.begin(), address.begin() + 10, [](std::uint8_t byte) { return byte == 0; }) &&
         address[10] == 0xff && address[11] == 0xff;
}

bool is_loopback(const IpAddress& address) {
  if (is_ipv4(address)) return address[12] == 127;
  return address[15] == 1 && std::all_of(address.begin(), address.end() - 1, [](std::uint8_t b) { return b == 0; });
}

std::optional<IpAddress> parse_ip_address(std::string_view text) {
  if (!text.contains(':')) {
    const auto bytes = parse_dotted(text);
    if (!bytes) return std::nullopt;
    return ipv4_address((*bytes)[0], (*bytes)[1], (*bytes)[2], (*bytes)[3]);
  }
  std::array<std::uint16_t, kWords> words{}, behind{};
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    const auto count = parse_words(text, words, true);
    if (count != kWords) return std::nullopt;
  } else {
    const auto front = parse_words(text.substr(0, gap), words, false);
    const auto back = parse_words(text.substr(gap + 2), behind, true);
    if (!front || !back || *front + *back >= kWords) return std::nullopt;
    std::fill(words.begin() + static_cast<std::ptrdiff_t>(*front), words.end(), std::uint16_t{0});
    std::copy_n(behind.begin(), *back, words.end() - static_cast<std::ptrdiff_t>(*back));
  }
  IpAddress address;
  for (std::size_t i = 0; i < kWords; ++i) {
    address[2 * i] = static_cast<std::uint8_t>(words[i] >> 8);
    address[2 * i + 1] = static_cast<std::uint8_t>(words[i]);
  }
  return address;
}

std::string to_text(const IpAddress& address) {
  std::string text;
  if (is_ipv4(address)) {
    for (std::size_t i = 12; i < 16; ++i) {
      if (i != 12) text += '.';
      append_decimal(text, address[i]);
    }
    return text;
  }
  const auto word = [&](std::size_t i) { return address[2 * i] << 8 | address[2 * i + 1]; };
  std::size_t gap = kWords, gap_words = 1;  // the first longest run of two or more zero words
  for (std::size_t i = 0; i < kWords;) {
    std::size_t end = i;
    while (end < kWords && word(end) == 0) ++end;
    if (end - i > gap_words) {
      gap = i;
      gap_words = end - i;
    }
    i = std::max(end, i + 1);
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (std::size_t i = 0; i < kWords; ++i) {
    if (i == gap) {
      text += "::";
      i += gap_words - 1;
      continue;
    }
    if (!text.empty() && !text.ends_with(':')) text += ':';
    bool begun = false;
    for (int shift = 12; shift >= 0; shift -= 4) {
      const auto digit = static_cast<std::size_t>(word(i) >> shift & 15);
      if (digit != 0 || begun || shift == 0) text += kDigits[digit];
      begun = begun || digit != 0;
    }
  }
  return text;
}

bool IpRange::contains(const IpAddress& address) const {
  const std::size_t whole = bits / 8;
  if (!std::equal(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(whole), address.begin())) return false;
  const unsigned rest = bits % 8;
  return rest == 0 || (first[whole] ^ address[whole]) >> (8 - rest) == 0;
}

std::optional<IpRange> parse_ip_range(std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  const auto address = parse_ip_address(text.substr(0, slash));
  if (!address) return std::nullopt;
  IpRange range{.first = *address, .bits = 128};
  if (slash != text.size()) {
    const bool dotted = !text.substr(0, slash).contains(':');
    const auto bits = parse_uint64(text.substr(slash + 1));
    if (!bits || *bits > (dotted ? 32 : 128)) return std::nullopt;
    range.bits = static_cast<std::uint8_t>(*bits + (dotted ? kIpv4PrefixBits : 0));
  }
  for (std::size_t bit = range.bits; bit < 128; ++bit) {
    if (bit_of(range.first, bit)) return std::nullopt;
  }
  return range;
}

}  // namespace ringcast
