// Whom to believe when he says for whom he connects.
#include "engine/access/trusted_proxies.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "codec/http/request_head.hpp"

namespace ringcast {
namespace {

IpAddress address(std::string_view text) { return *parse_ip_address(text); }

TEST(TrustedProxies, TheClientIsTheFirstFromTheRightThatIsNoProxy) {
  const std::vector<IpRange> proxies{*parse_ip_range("10.0.0.0/8"), *parse_ip_range("2001:db8::/32")};
  const struct {
    std::string_view sentence, peer, fields, client;
  } rows[] = {
      {"nobody says anything", "10.0.0.1", "", "10.0.0.1"},
      {"a proxy says it", "10.0.0.1", "X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7"},
      {"in any case", "10.0.0.1", "x-forwarded-for: 192.0.2.7\r\n", "192.0.2.7"},
      {"somebody else says it", "192.0.2.1", "X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.1"},
      {"what stands further left is the client's word", "10.0.0.1", "X-Forwarded-For: 127.0.0.1, 192.0.2.7\r\n",
       "192.0.2.7"},
      {"through two proxies", "10.0.0.1", "X-Forwarded-For: 192.0.2.7, 10.0.0.2\r\n", "192.0.2.7"},
      {"in two fields", "10.0.0.1", "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-For: 10.0.0.2\r\n", "192.0.2.7"},
      {"only proxies: the first of them", "10.0.0.1", "X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n", "10.0.0.3"},
      {"IPv6", "2001:db8::1", "X-Forwarded-For: 2001:db9::7\r\n", "2001:db9::7"},
      {"with brackets and a port", "10.0.0.1", "X-Forwarded-For: [2001:db9::7]:4711\r\n", "2001:db9::7"},
      {"with a port", "10.0.0.1", "X-Forwarded-For: 192.0.2.7:4711\r\n", "192.0.2.7"},
      {"not an address", "10.0.0.1", "X-Forwarded-For: unknown\r\n", "10.0.0.1"},
      {"not an address behind a proxy", "10.0.0.1", "X-Forwarded-For: 192.0.2.7, x, 10.0.0.2\r\n", "10.0.0.2"},
      {"an empty list", "10.0.0.1", "X-Forwarded-For: \r\n", "10.0.0.1"},
      {"an empty element", "10.0.0.1", "X-Forwarded-For: 192.0.2.7,\r\n", "10.0.0.1"},
  };
  for (const auto& row : rows) {
    const std::string text = "GET / HTTP/1.1\r\nHost: x\r\n" + std::string{row.fields} + "\r\n";
    RequestHead head;
    ASSERT_TRUE(parse_request_head(as_bytes(text), head));
    EXPECT_EQ(to_text(forwarded_client(proxies, address(row.peer), head.fields)), row.client) << row.sentence;
  }
}

TEST(TrustedProxies, NobodyIsTrustedUnlessSomebodySaysSo) {
  EXPECT_FALSE(is_trusted_proxy({}, address("127.0.0.1")));
  EXPECT_FALSE(is_trusted_proxy({}, IpAddress{}));
}

TEST(TrustedProxies, ASiteIsAnIpv4AddressOr64BitsOfIpv6) {
  EXPECT_EQ(to_text(site_of(address("192.0.2.7"))), "192.0.2.7");
  EXPECT_EQ(to_text(site_of(address("2001:db8:1:2:3:4:5:6"))), "2001:db8:1:2::");
  EXPECT_EQ(site_of(address("2001:db8:1:2::1")), site_of(address("2001:db8:1:2:ffff::")));
}

}  // namespace
}  // namespace ringcast
