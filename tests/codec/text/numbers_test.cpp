#include "codec/text/numbers.hpp"

#include <gtest/gtest.h>

#include <string>

#include "codec/text/timestamp.hpp"

namespace ringcast {
namespace {

struct NumberRow {
  std::string_view text;
  std::optional<std::uint64_t> number;
};
constexpr NumberRow kNumberRows[] = {
    {"0", 0},
    {"7", 7},
    {"10", 10},
    {"50093239218", 50'093'239'218},
    {"18446744073709551615", 18'446'744'073'709'551'615U},
    {"18446744073709551616", std::nullopt},
    {"99999999999999999999", std::nullopt},
    {"100000000000000000000", std::nullopt},
    {"", std::nullopt},
    {"00", std::nullopt},
    {"01", std::nullopt},
    {"-1", std::nullopt},
    {"+1", std::nullopt},
    {"1.0", std::nullopt},
    {"1e3", std::nullopt},
    {" 1", std::nullopt},
    {"1 ", std::nullopt},
    {"x", std::nullopt},
};
TEST(Numbers, ReadsExactlyUnsignedIntegers) {
  for (const NumberRow& row : kNumberRows) {
    EXPECT_EQ(parse_uint64(row.text), row.number) << '"' << row.text << '"';
  }
}

TEST(Numbers, WritesWhatItReads) {
  std::uint64_t power = 1;
  for (std::size_t digits = 1; digits <= kDecimalBytesMax; ++digits, power *= 10) {
    for (const std::uint64_t number : {power - 1, power, power + 1, ~std::uint64_t{0} / power}) {
      std::string text;
      append_decimal(text, number);
      EXPECT_EQ(text, std::to_string(number));
      EXPECT_EQ(decimal_size(number), text.size());
      EXPECT_EQ(parse_uint64(text), number);
    }
  }
}

struct EpochRow {
  std::string_view text;
  std::optional<Epoch> epoch;
};
constexpr EpochRow kEpochRows[] = {
    {"5f3c9a1e07d2b846", Epoch{0x5f3c9a1e07d2b846}},
    {"5F3C9A1E07D2B846", Epoch{0x5f3c9a1e07d2b846}},
    {"0000000000000000", Epoch{0}},
    {"ffffffffffffffff", Epoch{~std::uint64_t{0}}},
    {"", std::nullopt},
    {"5f3c9a1e07d2b84", std::nullopt},
    {"5f3c9a1e07d2b8467", std::nullopt},
    {"5f3c9a1e07d2b84g", std::nullopt},
    {"0x3c9a1e07d2b846", std::nullopt},
    {"-f3c9a1e07d2b846", std::nullopt},
};
TEST(Numbers, ReadsAnEpochOfExactly16HexadecimalDigits) {
  for (const EpochRow& row : kEpochRows) {
    EXPECT_EQ(parse_epoch(row.text), row.epoch) << '"' << row.text << '"';
  }
}

TEST(Numbers, WritesAnEpochInLowerCase) {
  std::string text;
  append_epoch(text, Epoch{0x00AB'CDEF'0123'4567});
  EXPECT_EQ(text, "00abcdef01234567");
}

struct TimeRow {
  std::int64_t nanoseconds_since_epoch;
  std::string_view text;
};
constexpr TimeRow kTimeRows[] = {
    {0, "1970-01-01T00:00:00.000000Z"},
    {1'723'161'253'937'085'768, "2024-08-08T23:54:13.937085Z"},
    {1'795'168'800'123'456'999, "2026-11-20T10:00:00.123456Z"},
    {951'782'399'999'999'999, "2000-02-28T23:59:59.999999Z"},
    {951'782'400'000'000'000, "2000-02-29T00:00:00.000000Z"},
    {4'107'542'399'999'999'999, "2100-02-28T23:59:59.999999Z"},
    {4'107'542'400'000'000'000, "2100-03-01T00:00:00.000000Z"},
    {-1, "1969-12-31T23:59:59.999999Z"},
    {INT64_MAX, "2262-04-11T23:47:16.854775Z"},
    {INT64_MIN, "1677-09-21T00:12:43.145224Z"},
};
TEST(Timestamp, IsRfc3339WithMicrosecondsCutNotRounded) {
  for (const TimeRow& row : kTimeRows) {
    std::string text;
    append_timestamp(text, WallTime{nanoseconds{row.nanoseconds_since_epoch}});
    EXPECT_EQ(text, row.text);
    EXPECT_EQ(text.size(), kTimestampBytes);
  }
}

}  // namespace
}  // namespace ringcast
