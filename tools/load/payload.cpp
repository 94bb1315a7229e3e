#include "tools/load/payload.hpp"

#include <array>
#include <cstring>

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

constexpr std::array<std::int8_t, 256> kDigitOf = [] {
  std::array<std::int8_t, 256> table{};
  table.fill(-1);
  for (int i = 0; i < 10; ++i) table[static_cast<std::size_t>('0' + i)] = static_cast<std::int8_t>(i);
  for (int i = 0; i < 6; ++i) table[static_cast<std::size_t>('a' + i)] = static_cast<std::int8_t>(10 + i);
  return table;
}();

void write_hex(char* out, std::size_t digits, std::uint64_t number) {
  for (std::size_t i = digits; i-- > 0; number >>= 4) out[i] = "0123456789abcdef"[number & 15];
}

bool read_hex(const char* text, std::size_t digits, std::uint64_t& number) {
  std::uint64_t value = 0;
  int bad = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    const int digit = kDigitOf[static_cast<std::uint8_t>(text[i])];
    bad |= digit;  // the sign bit stays
    value = (value << 4) | static_cast<std::uint64_t>(digit & 15);
  }
  number = value;
  return bad >= 0;
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
  std::uint64_t time = 0, counter = 0, source = 0;
  if (!read_hex(from + kTimeAt, kTimeDigits, time) || !read_hex(from + kCounterAt, kCounterDigits, counter) ||
      !read_hex(from + kSourceAt, kSourceDigits, source)) {
    return std::nullopt;
  }
  return SyntheticFields{Instant{nanoseconds{static_cast<nanoseconds::rep>(time)}}, counter,
                         static_cast<std::uint32_t>(source)};
}

}  // namespace ringcast
