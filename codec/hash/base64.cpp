#include "codec/hash/base64.hpp"

#include <array>

#include "alloc/base/ensure.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNotInAlphabet = 0xff;

constexpr std::string_view kUrlAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<std::uint8_t, 256> make_values(std::string_view alphabet) {
  std::array<std::uint8_t, 256> values{};
  values.fill(kNotInAlphabet);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    values[static_cast<std::uint8_t>(alphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}
constexpr std::array<std::uint8_t, 256> kValues = make_values(kAlphabet);
constexpr std::array<std::uint8_t, 256> kUrlValues = make_values(kUrlAlphabet);

char digit(std::uint32_t bits) { return kAlphabet[bits & 0x3f]; }

}  // namespace

std::string_view base64_encode(Bytes bytes, std::span<char> out) {
  const std::size_t size = base64_encoded_bytes(bytes.size());
  ensure(out.size() >= size, "the base64 text fits its buffer");
  std::size_t at = 0;
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const std::uint32_t group =
        static_cast<std::uint32_t>(bytes[i]) << 16 | static_cast<std::uint32_t>(bytes[i + 1]) << 8 | bytes[i + 2];
    out[at++] = digit(group >> 18);
    out[at++] = digit(group >> 12);
    out[at++] = digit(group >> 6);
    out[at++] = digit(group);
  }
  const std::size_t rest = bytes.size() - i;
  if (rest > 0) {
    const std::uint32_t second = rest == 2 ? bytes[i + 1] : 0U;
    const std::uint32_t group = static_cast<std::uint32_t>(bytes[i]) << 16 | second << 8;
    out[at++] = digit(group >> 18);
    out[at++] = digit(group >> 12);
    out[at++] = rest == 2 ? digit(group >> 6) : '=';
    out[at++] = '=';
  }
  return {out.data(), at};
}

std::optional<MutableBytes> base64_decode(std::string_view text, MutableBytes out) {
  if (text.size() % 4 != 0) return std::nullopt;
  if (text.empty()) return out.first(0);
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  const std::size_t size = text.size() / 4 * 3 - padding;
  if (size > out.size()) return std::nullopt;

  std::uint32_t group = 0;
  std::size_t at = 0;
  const std::string_view digits = text.substr(0, text.size() - padding);
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const std::uint8_t bits = kValues[static_cast<std::uint8_t>(digits[i])];
    if (bits == kNotInAlphabet) return std::nullopt;
    group = group << 6 | bits;
    if (i % 4 == 3) {
      out[at++] = static_cast<std::uint8_t>(group >> 16);
      out[at++] = static_cast<std::uint8_t>(group >> 8);
      out[at++] = static_cast<std::uint8_t>(group);
      group = 0;
    }
  }
  if (padding == 2) {  // 12 bits, of which 8 count
    if ((group & 0x0f) != 0) return std::nullopt;
    out[at++] = static_cast<std::uint8_t>(group >> 4);
  } else if (padding == 1) {  // 18 bits, of which 16 count
    if ((group & 0x03) != 0) return std::nullopt;
    out[at++] = static_cast<std::uint8_t>(group >> 10);
    out[at++] = static_cast<std::uint8_t>(group >> 2);
  }
  return out.first(at);
}

std::string_view base64url_encode(Bytes bytes, std::span<char> out) {
  const std::size_t size = base64url_encoded_bytes(bytes.size());
  ensure(out.size() >= size, "the base64url text fits its buffer");
  std::uint32_t group = 0;
  unsigned bits = 0;
  std::size_t at = 0;
  for (const std::uint8_t byte : bytes) {
    group = group << 8 | byte;
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      out[at++] = kUrlAlphabet[group >> bits & 0x3f];
    }
  }
  if (bits != 0) out[at++] = kUrlAlphabet[group << (6 - bits) & 0x3f];
  return {out.data(), at};
}

std::optional<MutableBytes> base64url_decode(std::string_view text, MutableBytes out) {
  if (text.size() % 4 == 1 || base64url_decoded_bytes(text.size()) > out.size()) return std::nullopt;
  std::uint32_t group = 0;
  unsigned bits = 0;
  std::size_t at = 0;
  for (const char c : text) {
    const std::uint8_t value = kUrlValues[static_cast<std::uint8_t>(c)];
    if (value == kNotInAlphabet) return std::nullopt;
    group = group << 6 | value;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out[at++] = static_cast<std::uint8_t>(group >> bits);
    }
  }
  if ((group & ((1U << bits) - 1)) != 0) return std::nullopt;  // bits that stand for nothing
  return out.first(at);
}

}  // namespace ringcast
