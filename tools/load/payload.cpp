#include "tools/load/payload.hpp"

#include <array>
#include <cstring>

#include "alloc/base/bytes.hpp"
#include "alloc/base/ensure.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kBefore = R"({"t":")";
constexpr std::string_view kBetween1 = R"(","n":")";
constexpr std::string_view kBetween2 = R"(","s":")";
constexpr std::string_view kBetween3 = R"(","x":")";
constexpr std::string_view kAfter = R"("})";
constexpr std::size_t kTimeDigits = 16, kCounterDigits = 12, kSourceDigits = 4;
constexpr std::size_t kTimeAt = kBefore.size();
constexpr std::size_t kCounterAt = kTimeAt + kTimeDigits + kBetween1.size();
constexpr std::size_t kSourceAt = kCounterAt + kCounterDigits + kBetween2.size();
constexpr std::size_t kPaddingAt = kSourceAt + kSourceDigits + kBetween3.size();
static_assert(kPaddingAt + kAfter.size() == kSyntheticPayloadBytesMin);

constexpr std::uint64_t repeated(std::uint8_t byte) { return 0x0101'0101'0101'0101U * byte; }
constexpr std::uint64_t kSignBits = repeated(0x80);

/// The sign bit of each byte of `bytes`, all below 128, that lies between `low` and `high`, both included.
constexpr std::uint64_t between(std::uint64_t bytes, std::uint8_t low, std::uint8_t high) {
  const std::uint64_t not_below = bytes + repeated(static_cast<std::uint8_t>(0x80 - low));
  const std::uint64_t above = bytes + repeated(static_cast<std::uint8_t>(0x7f - high));
  return not_below & ~above & kSignBits;
}

void write_hex(char* out, std::size_t digits, std::uint64_t number) {
  for (std::size_t i = digits; i-- > 0; number >>= 4) out[i] = "0123456789abcdef"[number & 15];
}

/// Eight digits at once, since every delivery has 32 of them. `text` has eight bytes; what is no lower-case digit shows
/// in `bad`.
[[gnu::always_inline]] inline std::uint64_t eight_digits(const char* text, std::uint64_t& bad) {
  const auto bytes = load_big_endian<std::uint64_t>(reinterpret_cast<const std::uint8_t*>(text));
  const std::uint64_t plain = bytes & ~kSignBits;
  const std::uint64_t letters = between(plain, 'a', 'f');
  bad |= (bytes & kSignBits) | ((letters | between(plain, '0', '9')) ^ kSignBits);
  std::uint64_t digits = (plain & repeated(0x0f)) + (letters >> 7) * 9;  // 'a' & 15 is 1
  digits = (digits | (digits >> 4)) & 0x00ff'00ff'00ff'00ffU;
  digits = (digits | (digits >> 8)) & 0x0000'ffff'0000'ffffU;
  return (digits | (digits >> 16)) & 0xffff'ffffU;
}

/// The number in 4, 12 or 16 digits; reads no other byte.
template <std::size_t kDigits>
std::uint64_t read_hex(const char* text, std::uint64_t& bad) {
  if constexpr (kDigits == 16) {
    return (eight_digits(text, bad) << 32) | eight_digits(text + 8, bad);
  } else if constexpr (kDigits == 12) {  // overlapping by four
    return (eight_digits(text, bad) << 16) | (eight_digits(text + 4, bad) & 0xffff);
  } else {
    static_assert(kDigits < 8);
    std::array<char, 8> padded{'0', '0', '0', '0', '0', '0', '0', '0'};
    std::memcpy(padded.data() + padded.size() - kDigits, text, kDigits);
    return eight_digits(padded.data(), bad);
  }
}

bool same(const char* payload, const std::string& text, std::size_t at, std::size_t bytes) {
  return std::memcmp(payload + at, text.data() + at, bytes) == 0;
}

}  // namespace

PayloadTemplate::PayloadTemplate(std::uint32_t payload_bytes) {
  ensure(payload_bytes >= kSyntheticPayloadBytesMin, "a synthetic payload has room for its fields");
  text_ = std::string{kBefore} + std::string(kTimeDigits, '0') + std::string{kBetween1} +
          std::string(kCounterDigits, '0') + std::string{kBetween2} + std::string(kSourceDigits, '0') +
          std::string{kBetween3};
  for (std::size_t i = 0; text_.size() + kAfter.size() < payload_bytes; ++i) {
    text_ += static_cast<char>('a' + i % 26);  // a shifted or cut payload does not compare equal
  }
  text_ += kAfter;
}

std::string_view PayloadTemplate::write(const SyntheticFields& fields) {
  write_hex(text_.data() + kTimeAt, kTimeDigits,
            static_cast<std::uint64_t>(fields.scheduled.time_since_epoch().count()));
  write_hex(text_.data() + kCounterAt, kCounterDigits, fields.counter);
  write_hex(text_.data() + kSourceAt, kSourceDigits, fields.source);
  return text_;
}

std::optional<SyntheticFields> PayloadTemplate::read(std::string_view payload) const {
  if (payload.size() != text_.size()) return std::nullopt;
  const char* from = payload.data();
  if (!same(from, text_, 0, kTimeAt) || !same(from, text_, kTimeAt + kTimeDigits, kBetween1.size()) ||
      !same(from, text_, kCounterAt + kCounterDigits, kBetween2.size()) ||
      !same(from, text_, kSourceAt + kSourceDigits, text_.size() - kSourceAt - kSourceDigits)) {
    return std::nullopt;
  }
  std::uint64_t bad = 0;
  const auto time = read_hex<kTimeDigits>(from + kTimeAt, bad);
  const auto counter = read_hex<kCounterDigits>(from + kCounterAt, bad);
  const auto source = read_hex<kSourceDigits>(from + kSourceAt, bad);
  if (bad != 0) return std::nullopt;
  return SyntheticFields{Instant{nanoseconds{static_cast<nanoseconds::rep>(time)}}, counter,
                         static_cast<std::uint32_t>(source)};
}

}  // namespace ringcast
