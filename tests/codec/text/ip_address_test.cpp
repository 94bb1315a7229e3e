// Addresses as text and bytes; inet_pton and inet_ntop are the second opinion.
#include "codec/text/ip_address.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace ringcast {
namespace {

TEST(IpAddress, ReadsAndWritesBothFamilies) {
  const struct {
    std::string_view text, written;  // written: empty if it is no address
  } rows[] = {
      {"127.0.0.1", "127.0.0.1"},
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255", "255.255.255.255"},
      {"256.0.0.1", ""},
      {"1.2.3", ""},
      {"1.2.3.4.5", ""},
      {"1.2.3.", ""},
      {".1.2.3", ""},
      {"01.2.3.4", ""},
      {"1.2.3.4 ", ""},
      {"", ""},
      {"::", "::"},
      {"::1", "::1"},
      {"1::", "1::"},
      {"2001:DB8::7", "2001:db8::7"},
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
      {"2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
      {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
      {"1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"},
      {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
      {"::ffff:192.0.2.7", "192.0.2.7"},
      {"::ffff:c000:207", "192.0.2.7"},
      {"64:ff9b::192.0.2.7", "64:ff9b::c000:207"},
      {"1:2:3:4:5:6:7", ""},
      {"1:2:3:4:5:6:7:8:9", ""},
      {"1:2:3:4:5:6:7:8::", ""},
      {"1::2::3", ""},
      {":::", ""},
      {":1:2:3:4:5:6:7", ""},
      {"1:2:3:4:5:6:7:", ""},
      {"12345::", ""},
      {"g::", ""},
      {"1.2.3.4::", ""},
      {"::1.2.3", ""},
      {"::1%eth0", ""},
      {"[::1]", ""},
      {"1:2:3:4:5:6:7:1.2.3.4", ""},
  };
  for (const auto& row : rows) {
    const auto address = parse_ip_address(row.text);
    ASSERT_EQ(address.has_value(), !row.written.empty()) << row.text;
    if (address) {
      EXPECT_EQ(to_text(*address), row.written);
      EXPECT_EQ(parse_ip_address(row.written), address);
    }
  }
}

TEST(IpAddress, AgreesWithTheLibraryOnTextsMadeByChance) {
  std::mt19937 chance{7};
  constexpr std::string_view kCharacters = "0123456789abf::::..";
  int addresses = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string text;
    if (i % 2 == 0) {
      IpAddress bytes{};
      for (auto& byte : bytes) byte = chance() % 3 == 0 ? static_cast<std::uint8_t>(chance()) : std::uint8_t{0};
      char buffer[INET6_ADDRSTRLEN];
      text = inet_ntop(AF_INET6, bytes.data(), buffer, sizeof buffer);
      text.insert(chance() % (text.size() + 1), 1, kCharacters[chance() % kCharacters.size()]);
    } else {
      for (auto n = chance() % 24; n > 0; --n) text += kCharacters[chance() % kCharacters.size()];
    }
    IpAddress expected{};
    bool good = inet_pton(AF_INET6, text.c_str(), expected.data()) == 1;
    if (!good) {
      std::array<std::uint8_t, 4> v4{};
      good = inet_pton(AF_INET, text.c_str(), v4.data()) == 1;
      if (good) expected = ipv4_address(v4[0], v4[1], v4[2], v4[3]);
    }
    const auto address = parse_ip_address(text);
    ASSERT_EQ(address.has_value(), good) << text;
    if (!good) continue;
    ++addresses;
    ASSERT_EQ(*address, expected) << text;
    if (is_ipv4(*address) || (expected[0] == 0 && expected[1] == 0)) continue;  // the library writes ::1.2.3.4
    char buffer[INET6_ADDRSTRLEN];
    ASSERT_EQ(to_text(*address), inet_ntop(AF_INET6, expected.data(), buffer, sizeof buffer));
  }
  EXPECT_GT(addresses, 1'000);
}

TEST(IpAddress, KnowsLoopback) {
  for (const std::string_view text : {"127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(is_loopback(*parse_ip_address(text))) << text;
  }
  for (const std::string_view text : {"128.0.0.1", "126.255.255.255", "::", "::2", "::7f00:1", "2001:db8::1"}) {
    EXPECT_FALSE(is_loopback(*parse_ip_address(text))) << text;
  }
}

TEST(IpRange, HoldsWhatBeginsWithItsBits) {
  const struct {
    std::string_view range, inside, outside;
  } rows[] = {
      {"10.0.0.0/8", "10.255.255.255", "11.0.0.0"},     {"192.0.2.0/31", "192.0.2.1", "192.0.2.2"},
      {"192.0.2.7", "192.0.2.7", "192.0.2.6"},          {"192.0.2.7/32", "192.0.2.7", "192.0.2.6"},
      {"0.0.0.0/0", "255.1.2.3", "2001:db8::"},         {"2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"},
      {"2001:db8::/127", "2001:db8::1", "2001:db8::2"}, {"::/0", "10.0.0.1", ""},
  };
  for (const auto& row : rows) {
    const auto range = parse_ip_range(row.range);
    ASSERT_TRUE(range) << row.range;
    EXPECT_TRUE(range->contains(*parse_ip_address(row.inside))) << row.range;
    if (!row.outside.empty()) {
      EXPECT_FALSE(range->contains(*parse_ip_address(row.outside))) << row.range;
    }
  }
  for (const std::string_view text : {"10.1.2.3/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "/8", "",
                                      "10/8", "2001:db8::/129", "2001:db8::1/32", "localhost"}) {
    EXPECT_FALSE(parse_ip_range(text)) << text;
  }
}

}  // namespace
}  // namespace ringcast
