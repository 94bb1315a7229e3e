#include "codec/http/url.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace ringcast {
namespace {

TEST(Target, IsSplitIntoPathAndQuery) {
  struct Row {
    std::string_view target, authority, path, query;
  };
  const Row rows[] = {
      {"/", "", "/", ""},
      {"/ws", "", "/ws", ""},
      {"/ws?", "", "/ws", ""},
      {"/stream?streams=a@b/c", "", "/stream", "streams=a@b/c"},
      {"/a?b?c", "", "/a", "b?c"},
      {"//a", "", "//a", ""},
      {"http://h", "h", "/", ""},
      {"WS://h:1/a?b", "h:1", "/a", "b"},
      {"wss://[::1]?b", "[::1]", "/", "b"},
      {"*", "", "*", ""},
  };
  for (const Row& row : rows) {
    const auto split = split_target(row.target);
    ASSERT_TRUE(split) << row.target;
    EXPECT_EQ(split->authority, row.authority) << row.target;
    EXPECT_EQ(split->path, row.path) << row.target;
    EXPECT_EQ(split->query, row.query) << row.target;
  }
  for (const std::string_view bad :
       {"", "ws", "?a", "/a b", "/a#b", "/\x80", "ftp://h/", "http://", "http:/h", "http://a b/", "**"}) {
    EXPECT_FALSE(split_target(bad)) << bad;
  }
}

TEST(Url, IsTakenApartWithItsDefaultPort) {
  struct Row {
    std::string_view text, host;
    std::uint16_t port;
    bool secure;
    std::string_view authority, request;
  };
  const Row rows[] = {
      {"ws://127.0.0.1:9001/ws", "127.0.0.1", 9001, false, "127.0.0.1:9001", "/ws"},
      {"ws://localhost", "localhost", 80, false, "localhost", "/"},
      {"wss://example.com/ws?user=1", "example.com", 443, true, "example.com", "/ws?user=1"},
      {"http://[::1]:8080?x", "::1", 8080, false, "[::1]:8080", "/?x"},
      {"HTTPS://a_b.c-d/", "a_b.c-d", 443, true, "a_b.c-d", "/"},
      {"ws://h:/", "h", 80, false, "h:", "/"},
  };
  for (const Row& row : rows) {
    const auto url = parse_url(row.text);
    ASSERT_TRUE(url) << row.text;
    EXPECT_EQ(url->host, row.host);
    EXPECT_EQ(url->port, row.port);
    EXPECT_EQ(url->secure, row.secure);
    EXPECT_EQ(url->authority, row.authority);
    EXPECT_EQ(request_target(*url), row.request);
  }
  struct BadRow {
    std::string_view text;
    UrlError error;
  };
  const BadRow bad[] = {
      {"", UrlError::bad_form},           {"127.0.0.1:9001", UrlError::bad_form}, {"/ws", UrlError::bad_form},
      {"ws://h/#x", UrlError::bad_form},  {"ws://h/ x", UrlError::bad_form},      {"tcp://h", UrlError::bad_scheme},
      {"ws://", UrlError::bad_host},      {"ws://:80", UrlError::bad_host},       {"ws://a@b", UrlError::bad_host},
      {"ws://[::1", UrlError::bad_host},  {"ws://[x]", UrlError::bad_host},       {"ws://[::1]9", UrlError::bad_host},
      {"ws://[]", UrlError::bad_host},    {"ws://h:0", UrlError::bad_port},       {"ws://h:65536", UrlError::bad_port},
      {"ws://h:9x", UrlError::bad_port},  {"ws://h:123456", UrlError::bad_port},  {"ws://h:-1", UrlError::bad_port},
  };
  for (const BadRow& row : bad) {
    const auto url = parse_url(row.text);
    ASSERT_FALSE(url) << row.text;
    EXPECT_EQ(sentence_of(url.error()), sentence_of(row.error)) << row.text;
  }
}

TEST(PercentDecoding, EachRowIsDecodedOrRefused) {
  struct Row {
    std::string_view encoded, plain;
    std::optional<UrlError> error;
    Plus plus = Plus::literal;
  };
  const Row rows[] = {
      {"", "", {}},
      {"plain", "plain", {}},
      {"a%40b", "a@b", {}},
      {"%e2%82%AC", "\xe2\x82\xac", {}},
      {"%00", std::string_view{"\0", 1}, {}},
      {"a+b", "a+b", {}},
      {"a+b", "a b", {}, Plus::space},
      {"%2B+", "+ ", {}, Plus::space},
      {"%", "", UrlError::bad_escape},
      {"%4", "", UrlError::bad_escape},
      {"a%4", "", UrlError::bad_escape},
      {"%zz", "", UrlError::bad_escape},
      {"%4g", "", UrlError::bad_escape},
      {"%%41", "", UrlError::bad_escape},
      {"%312345678", "12345678", {}},  // eight bytes fit a scratch of eight
      {"%3123456789", "", UrlError::too_long},
      {"longer than the scratch, but not encoded", "longer than the scratch, but not encoded", {}},
  };
  for (const Row& row : rows) {
    std::array<char, 8> scratch;
    const auto decoded = percent_decode(row.encoded, scratch, row.plus);
    ASSERT_EQ(decoded.has_value(), !row.error) << row.encoded;
    if (row.error) {
      EXPECT_EQ(decoded.error(), *row.error) << row.encoded;
    } else {
      EXPECT_EQ(*decoded, row.plain);
    }
  }
}

TEST(Query, AParameterIsFoundByNameAndDecoded) {
  std::array<char, 64> scratch;
  const auto value = [&](std::string_view query, std::string_view name) {
    return query_parameter(query, name, scratch).value();
  };
  EXPECT_EQ(value("user=1&channels=a%2Cb", "channels"), "a,b");
  EXPECT_EQ(value("user=1&user=2", "user"), "1");
  EXPECT_EQ(value("&&user=a=b&", "user"), "a=b");
  EXPECT_EQ(value("user", "user"), "");
  EXPECT_EQ(value("user=", "user"), "");
  EXPECT_EQ(value("name=J+P", "name"), "J P");
  EXPECT_EQ(value("users=1", "user"), std::nullopt);
  EXPECT_EQ(value("", "user"), std::nullopt);
  EXPECT_EQ(query_parameter("user=%4", "user", scratch).error(), UrlError::bad_escape);
}

}  // namespace
}  // namespace ringcast
