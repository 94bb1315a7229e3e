#include "engine/config/value_text.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "alloc/base/units.hpp"

namespace ringcast {
namespace {

using std::chrono::hours;

struct DurationRow {
  std::string_view text;
  nanoseconds means;
  std::string_view written;  // by duration_text
};
constexpr DurationRow kDurations[] = {
    {"0s", nanoseconds{0}, "0s"},
    {"1ns", nanoseconds{1}, "1ns"},
    {"50us", microseconds{50}, "50us"},
    {"250ms", milliseconds{250}, "250ms"},
    {"30s", seconds{30}, "30s"},
    {"1000ms", seconds{1}, "1s"},
    {"90s", seconds{90}, "90s"},
    {"1m30s", seconds{90}, "90s"},
    {"5m", minutes{5}, "5m"},
    {"24h", hours{24}, "24h"},
    {"1d", hours{24}, "24h"},
    {"1d2h3m4s5ms6us7ns", nanoseconds{93'784'005'006'007}, "93784005006007ns"},
    {"106751d", hours{24 * 106'751}, "2562024h"},
};
TEST(Durations, MeanWhatTheySayAndAreWrittenWithTheLargestUnitThatFits) {
  for (const DurationRow& row : kDurations) {
    const auto parsed = parse_duration(row.text);
    ASSERT_TRUE(parsed.has_value()) << row.text << ": " << parsed.error();
    EXPECT_EQ(*parsed, row.means) << row.text;
    EXPECT_EQ(duration_text(row.means), row.written);
    EXPECT_EQ(parse_duration(row.written).value(), row.means) << row.written;
  }
}
TEST(Durations, NeedAUnitAndNothingElse) {
  for (const std::string_view text :
       {"", "5", "s", "-5s", "+5s", " 5s", "5s ", "5 s", "1.5s", "5S", "5sec", "5min", "1s1s", "1s1m", "1ms1s", "5s\n",
        "106752d", "99999999999999999999s", "9223372037s"}) {
    EXPECT_FALSE(parse_duration(text).has_value()) << '\'' << text << '\'';
  }
}

struct SizeRow {
  std::string_view text;
  std::uint64_t means;
  std::string_view written;
};
constexpr SizeRow kSizes[] = {
    {"0", 0, "0B"},
    {"1", 1, "1B"},
    {"1500", 1'500, "1500B"},
    {"1500B", 1'500, "1500B"},
    {"1024", 1'024, "1KiB"},
    {"64KiB", 64_KiB, "64KiB"},
    {"1MiB", 1_MiB, "1MiB"},
    {"1536KiB", 1'536_KiB, "1536KiB"},
    {"2GiB", 2_GiB, "2GiB"},
    {"1TiB", 1'024_GiB, "1TiB"},
    {"18446744073709551615", std::numeric_limits<std::uint64_t>::max(), "18446744073709551615B"},
    {"16777215TiB", 16'777'215ULL << 40, "16777215TiB"},
};
TEST(Sizes, MeanWhatTheySayAndAreWrittenWithTheLargestUnitThatFits) {
  for (const SizeRow& row : kSizes) {
    const auto parsed = parse_size(row.text);
    ASSERT_TRUE(parsed.has_value()) << row.text << ": " << parsed.error();
    EXPECT_EQ(*parsed, row.means) << row.text;
    EXPECT_EQ(size_text(row.means), row.written);
    EXPECT_EQ(parse_size(row.written).value(), row.means) << row.written;
  }
}
TEST(Sizes, HaveNoOtherUnitsSignsOrBlanks) {
  for (const std::string_view text : {"", "KiB", "-1", "1KB", "1kb", "1kib", "1K", "1 KiB", " 1KiB", "1KiB ", "1.5MiB",
                                      "18446744073709551616", "16777216TiB", "0x10"}) {
    EXPECT_FALSE(parse_size(text).has_value()) << '\'' << text << '\'';
  }
}

struct AddressRow {
  std::string_view text;
  ListenAddress means;
};
using Family = ListenAddress::Family;
const AddressRow kAddresses[] = {
    {"127.0.0.1:9001", {Family::ipv4, "127.0.0.1", 9001, "", true}},
    {"127.8.9.10:1", {Family::ipv4, "127.8.9.10", 1, "", true}},
    {"0.0.0.0:65535", {Family::ipv4, "0.0.0.0", 65535, "", false}},
    {"192.168.1.7:0", {Family::ipv4, "192.168.1.7", 0, "", false}},
    {"[::1]:9001", {Family::ipv6, "::1", 9001, "", true}},
    {"[::]:9001", {Family::ipv6, "::", 9001, "", false}},
    {"[fe80::1]:9001", {Family::ipv6, "fe80::1", 9001, "", false}},
    {"unix:/run/ringcast.sock", {Family::unix_path, "", 0, "/run/ringcast.sock", true}},
};
TEST(Addresses, AreNumericWithAPortOrThePathOfASocket) {
  for (const AddressRow& row : kAddresses) {
    const auto parsed = parse_listen_address(row.text);
    ASSERT_TRUE(parsed.has_value()) << row.text << ": " << parsed.error();
    EXPECT_EQ(*parsed, row.means) << row.text;
    EXPECT_EQ(address_text(*parsed), row.text);
  }
}
TEST(Addresses, PlainInFrontIsKeptAndSaidOnce) {
  const auto address = parse_listen_address("plain:127.0.0.1:80");
  ASSERT_TRUE(address) << address.error();
  EXPECT_EQ(*address, (ListenAddress{Family::ipv4, "127.0.0.1", 80, "", true, true}));
  EXPECT_EQ(address_text(*address), "plain:127.0.0.1:80");
  EXPECT_EQ(address_text(*parse_listen_address("plain:[::1]:80")), "plain:[::1]:80");
  EXPECT_EQ(address_text(*parse_listen_address("plain:unix:/run/r")), "plain:unix:/run/r");
  for (const std::string_view text : {"plain:", "plain:plain:127.0.0.1:80", "plain:80", "Plain:127.0.0.1:80"}) {
    EXPECT_FALSE(parse_listen_address(text)) << text;
  }
}

TEST(Addresses, LocalhostIsTheFirstLoopbackAddress) {
  EXPECT_EQ(parse_listen_address("localhost:80").value(), (ListenAddress{Family::ipv4, "127.0.0.1", 80, "", true}));
}
TEST(Addresses, RefuseNamesMissingPortsAndRelativePaths) {
  const std::string long_path = "unix:/" + std::string(107, 'a');
  EXPECT_TRUE(parse_listen_address(long_path.substr(0, long_path.size() - 1)).has_value());
  for (const std::string_view text : {std::string_view{""},
                                      std::string_view{":"},
                                      std::string_view{"9001"},
                                      std::string_view{":9001"},
                                      std::string_view{"127.0.0.1"},
                                      std::string_view{"127.0.0.1:"},
                                      std::string_view{"127.0.0.1:65536"},
                                      std::string_view{"127.0.0.1:-1"},
                                      std::string_view{"127.0.0.1:http"},
                                      std::string_view{"127.1:80"},
                                      std::string_view{"256.0.0.1:80"},
                                      std::string_view{"example.com:80"},
                                      std::string_view{"::1:80"},
                                      std::string_view{"[::1]80"},
                                      std::string_view{"[::1"},
                                      std::string_view{"[]:80"},
                                      std::string_view{"[127.0.0.1]:80"},
                                      std::string_view{"unix:"},
                                      std::string_view{"unix:run/a"},
                                      std::string_view{long_path},
                                      std::string_view{"unix:/a\0b", 9}}) {
    EXPECT_FALSE(parse_listen_address(text).has_value()) << '\'' << text << '\'';
  }
}

struct CoresRow {
  std::string_view text;
  std::vector<std::uint32_t> means;
  std::string_view written;
};
const CoresRow kCores[] = {
    {"", {}, ""},
    {"0", {0}, "0"},
    {"0-3", {0, 1, 2, 3}, "0-3"},
    {"0,2,4-5", {0, 2, 4, 5}, "0,2,4-5"},
    {"3,1", {3, 1}, "3,1"},
    {"0,1,2", {0, 1, 2}, "0-2"},
    {"1023", {1023}, "1023"},
};
TEST(Cores, AreListsAndRangesInTheOrderWritten) {
  for (const CoresRow& row : kCores) {
    EXPECT_EQ(parse_cores(row.text).value(), row.means) << row.text;
    EXPECT_EQ(cores_text(row.means), row.written);
  }
}
TEST(Cores, RefuseRangesBackwardsCoresTwiceAndAnythingElse) {
  for (const std::string_view text :
       {",", "0,", ",0", "3-1", "0-", "-1", "0,0", "0-3,2", "1024", "a", "0 1", "0-4294967296"}) {
    EXPECT_FALSE(parse_cores(text).has_value()) << '\'' << text << '\'';
  }
}

TEST(TomlStrings, QuoteWhatWouldEndOrChangeThem) {
  EXPECT_EQ(toml_string("a"), R"("a")");
  EXPECT_EQ(toml_string("a\"b\\c\n"), R"("a\"b\\c\u000A")");
  EXPECT_EQ(toml_string("é"), "\"é\"");
}

}  // namespace
}  // namespace ringcast
