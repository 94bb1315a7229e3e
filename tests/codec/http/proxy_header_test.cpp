// The header that a proxy puts in front (haproxy.org, proxy-protocol.txt).
#include "codec/http/proxy_header.hpp"

#include <gtest/gtest.h>

#include <string>

namespace ringcast {
namespace {

using namespace std::string_literals;

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;

std::string binary(std::string_view command_and_family, std::string_view body) {
  std::string text = kSignature;
  text += command_and_family;
  text += static_cast<char>(body.size() >> 8);
  text += static_cast<char>(body.size() & 0xff);
  return text.append(body);
}

struct ProxyRow {
  std::string_view sentence;
  std::string header;
  std::string_view source;  // empty: the proxy's own
  std::uint16_t port = 0;
};

TEST(ProxyHeader, SaysForWhomItConnects) {
  const std::string v4 = "\xc0\x00\x02\x07\x0a\x00\x00\x01\xa1\x2c\x01\xbb"s;
  const std::string v6 = "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"s + std::string(16, '\x01') + "\xa1\x2c\x01\xbb"s;
  const ProxyRow rows[] = {
      {"text, IPv4", "PROXY TCP4 192.0.2.7 10.0.0.1 41260 443\r\n", "192.0.2.7", 41'260},
      {"text, IPv6", "PROXY TCP6 2001:db8::7 ::1 41260 443\r\n", "2001:db8::7", 41'260},
      {"text, unknown", "PROXY UNKNOWN\r\n", "", 0},
      {"text, unknown with words that do not matter", "PROXY UNKNOWN ffff::1 x 1 2\r\n", "", 0},
      {"binary, IPv4", binary("\x21\x11", v4), "192.0.2.7", 41'260},
      {"binary, IPv6", binary("\x21\x21", v6), "2001:db8::7", 41'260},
      {"binary, with more behind the addresses", binary("\x21\x11", v4 + "\x04\x00\x02xx"s), "192.0.2.7", 41'260},
      {"binary, the proxy's own health check", binary("\x20\x00"s, ""), "", 0},
      {"binary, local although it names addresses", binary("\x20\x11", v4), "", 0},
      {"binary, a unix socket", binary("\x21\x31", std::string(216, 'x')), "", 0},
      {"binary, unspecified", binary("\x21\x00"s, ""), "", 0},
  };
  for (const ProxyRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    const std::string all = row.header + "GET / HTTP/1.1\r\n";
    for (std::size_t size = 1; size < row.header.size(); ++size) {
      const Bytes part = as_bytes(std::string_view{all}.substr(0, size));
      EXPECT_TRUE(looks_like_proxy_header(part));
      const auto parsed = parse_proxy_header(part);
      ASSERT_TRUE(parsed) << size;
      EXPECT_FALSE(*parsed) << size;
    }
    const auto parsed = parse_proxy_header(as_bytes(all));
    ASSERT_TRUE(parsed && *parsed);
    EXPECT_EQ((*parsed)->bytes, row.header.size());
    EXPECT_EQ((*parsed)->has_source, !row.source.empty());
    if (!row.source.empty()) {
      EXPECT_EQ(to_text((*parsed)->source), row.source);
      EXPECT_EQ((*parsed)->port, row.port);
    }
  }
}

TEST(ProxyHeader, RefusesWhatIsMalformed) {
  const std::string v4 = "\xc0\x00\x02\x07\x0a\x00\x00\x01\xa1\x2c\x01\xbb"s;
  const std::string rows[] = {
      "PROXY TCP5 192.0.2.7 10.0.0.1 1 2\r\n",
      "PROXY TCP4 192.0.2.7 10.0.0.1 1\r\n",
      "PROXY TCP4 192.0.2.7 10.0.0.1 1 65536\r\n",
      "PROXY TCP4 192.0.2.7 10.0.0.1 01 2\r\n",
      "PROXY TCP4 2001:db8::7 10.0.0.1 1 2\r\n",
      "PROXY TCP4 192.0.2 10.0.0.1 1 2\r\n",
      "PROXY TCP4  192.0.2.7 10.0.0.1 1 2\r\n",
      "PROXY \r\n",
      "PROXY TCP4 " + std::string(200, 'x'),
      binary("\x11\x11", v4),
      binary("\x22\x11", v4),
      binary("\x21\x11", v4.substr(1)),
      binary("\x21\x11", std::string(600, 'x')),
  };
  for (const std::string& row : rows) EXPECT_FALSE(parse_proxy_header(as_bytes(row))) << row;
}

TEST(ProxyHeader, NoRequestLooksLikeOne) {
  for (const std::string_view text :
       {"GET / HTTP/1.1", "POST /", "PUT /", "PATCH /", "PROXYX", "PRI * HTTP/2.0", "\r\nGET", "\x16\x03\x01"}) {
    EXPECT_FALSE(looks_like_proxy_header(as_bytes(text))) << text;
  }
  EXPECT_FALSE(looks_like_proxy_header({}));
}

}  // namespace
}  // namespace ringcast
