// Request and response heads, header fields, responses.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "codec/http/request_head.hpp"
#include "codec/http/response_head.hpp"
#include "codec/http/response_writer.hpp"
#include "tests/codec/guarded_bytes.hpp"

namespace ringcast {
namespace {

using std::string_literals::operator""s;

std::string get_with(std::string_view fields) {
  return "GET /ws?user=1 HTTP/1.1\r\nHost: localhost:9001\r\n" + std::string{fields} + "\r\n";
}

struct RequestRow {
  std::string sentence;
  std::string text;
  std::optional<HeadError> error;
};
const RequestRow kRequests[] = {
    {"an upgrade", get_with("Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"), {}},
    {"no fields but Host", get_with(""), {}},
    {"an empty line in front", "\r\n" + get_with(""), {}},
    {"two empty lines in front", "\r\n\r\n" + get_with(""), HeadError::bare_line_ending},
    {"HTTP/1.0 needs no Host", "GET / HTTP/1.0\r\n\r\n", {}},
    {"HTTP/1.1 needs Host", "GET / HTTP/1.1\r\n\r\n", HeadError::host_missing},
    {"Host may be empty", "GET / HTTP/1.1\r\nHost:\r\n\r\n", {}},
    {"Host twice", get_with("host: localhost:9001\r\n"), HeadError::host_repeated},
    {"Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", HeadError::bad_host},
    {"two names in one Host", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", HeadError::bad_host},
    {"Host with a user", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", HeadError::bad_host},
    {"an absolute target", "GET http://example.com:80/ws?x HTTP/1.1\r\nHost: example.com:80\r\n\r\n", {}},
    {"an absolute target of another kind", "GET ftp://example.com/ HTTP/1.1\r\nHost: a\r\n\r\n", HeadError::bad_target},
    {"an absolute target without host", "GET http:///ws HTTP/1.1\r\nHost: a\r\n\r\n", HeadError::bad_target},
    {"an absolute target with a user", "GET http://u@h/ws HTTP/1.1\r\nHost: h\r\n\r\n", HeadError::bad_target},
    {"OPTIONS of everything", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", {}},
    {"GET of everything", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", HeadError::bad_target},
    {"a target without a slash", "GET ws HTTP/1.1\r\nHost: a\r\n\r\n", HeadError::bad_target},
    {"CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", HeadError::bad_target},
    {"a fragment", "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", HeadError::bad_target},
    {"a raw byte above ASCII in the target", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", HeadError::bad_target},
    {"an empty target", "GET  HTTP/1.1\r\nHost: a\r\n\r\n", HeadError::bad_target},
    {"two spaces before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", HeadError::bad_version},
    {"a tab for a space", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", HeadError::bad_method},
    {"no version", "GET /\r\nHost: a\r\n\r\n", HeadError::bad_version},
    {"no spaces", "GET\r\nHost: a\r\n\r\n", HeadError::bad_method},
    {"a space behind the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", HeadError::bad_version},
    {"a version in lower case", "GET / http/1.1\r\nHost: a\r\n\r\n", HeadError::bad_version},
    {"a version of three digits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", HeadError::bad_version},
    {"HTTP/0.9", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", HeadError::unsupported_version},
    {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", HeadError::unsupported_version},
    {"the beginning of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HeadError::unsupported_version},
    {"a method that is no token", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", HeadError::bad_method},
    {"a space in front of the method", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", HeadError::bad_method},
    {"a field folded with a space", get_with("X: a\r\n b\r\n"), HeadError::folded_field},
    {"a field folded with a tab", get_with("X: a\r\n\tb\r\n"), HeadError::folded_field},
    {"a space before the colon", get_with("X : a\r\n"), HeadError::bad_field_name},
    {"no colon", get_with("X\r\n"), HeadError::bad_field_name},
    {"no name", get_with(": a\r\n"), HeadError::bad_field_name},
    {"a name with a bracket", get_with("X[0]: a\r\n"), HeadError::bad_field_name},
    {"an empty value", get_with("X:\r\n"), {}},
    {"a value in spaces and tabs", get_with("X: \t a b\t \r\n"), {}},
    {"a value above ASCII", get_with("X: caf\xc3\xa9\r\n"), {}},
    {"a bare LF", get_with("X: a\nY: b\r\n"), HeadError::bare_line_ending},
    {"a bare CR", get_with("X: a\rY: b\r\n"), HeadError::bare_line_ending},
    {"only LFs", "GET / HTTP/1.1\nHost: a\n\n", HeadError::bare_line_ending},
    {"a NUL", get_with("X: a\0b\r\n"s), HeadError::control_character},
    {"an escape character", get_with("X: \x1b[0m\r\n"), HeadError::control_character},
    {"DEL", get_with("X: \x7f\r\n"), HeadError::control_character},
    {"a TLS greeting", "\x16\x03\x01\x02", HeadError::control_character},
    {"Content-Length", get_with("Content-Length: 17\r\n"), {}},
    {"Content-Length twice", get_with("Content-Length: 17\r\nContent-Length: 17\r\n"), HeadError::bad_content_length},
    {"Content-Length as a list", get_with("Content-Length: 17, 17\r\n"), HeadError::bad_content_length},
    {"Content-Length with a sign", get_with("Content-Length: +17\r\n"), HeadError::bad_content_length},
    {"Content-Length in hexadecimal", get_with("Content-Length: 0x11\r\n"), HeadError::bad_content_length},
    {"an empty Content-Length", get_with("Content-Length:\r\n"), HeadError::bad_content_length},
    {"a Content-Length beyond all sense", get_with("Content-Length: 9999999999999999999\r\n"), HeadError::bad_content_length},
    {"chunked", get_with("Transfer-Encoding: chunked\r\n"), {}},
    {"chunked after something", get_with("Transfer-Encoding: gzip, chunked\r\n"), HeadError::bad_transfer_encoding},
    {"chunked, disguised", get_with("Transfer-Encoding: xchunked\r\n"), HeadError::bad_transfer_encoding},
    {"chunked twice", get_with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), HeadError::bad_transfer_encoding},
    {"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", HeadError::bad_transfer_encoding},
    {"chunked and Content-Length", get_with("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), HeadError::ambiguous_body},
};

TEST(RequestHead, EachRowIsAcceptedOrRefusedForItsReason) {
  GuardedBytes pages{16384};
  for (const RequestRow& row : kRequests) {
    RequestHead head;
    const auto parsed = parse_request_head(pages.place(as_bytes(row.text)), head);
    ASSERT_EQ(parsed.has_value(), !row.error)
        << row.sentence << (parsed ? "" : ": "s + std::string{sentence_of(parsed.error())});
    if (row.error) {
      EXPECT_EQ(sentence_of(parsed.error()), sentence_of(*row.error)) << row.sentence;
    } else {
      ASSERT_TRUE(*parsed) << row.sentence;
      EXPECT_EQ(**parsed, row.text.size()) << row.sentence;
    }
  }
}

TEST(RequestHead, EachRowEndsTheSameAtEverySplitAndAsksForMoreBefore) {
  GuardedBytes pages{16384};
  for (const RequestRow& row : kRequests) {
    for (std::size_t step = 1; step < 5; ++step) {
      RequestHead head;
      std::size_t seen = 0;
      std::size_t size = 0;
      std::optional<HeadError> error;
      bool done = false;
      while (!done && !error && size < row.text.size()) {
        size = std::min(size + step, row.text.size());
        const auto parsed = parse_request_head(pages.place(as_bytes(row.text).first(size)), head, {}, seen);
        if (!parsed) {
          error = parsed.error();
        } else {
          done = parsed->has_value();
        }
        seen = size;
      }
      EXPECT_EQ(error, row.error) << row.sentence << ", " << step << " at a time";
      EXPECT_EQ(done, !row.error) << row.sentence << ", " << step << " at a time";
      if (done) {
        EXPECT_EQ(size, row.text.size()) << row.sentence;
      }
    }
  }
}

TEST(RequestHead, TakesTheHeadApartAndLeavesWhatFollows) {
  const std::string text =
      "GET /stream?streams=a/b&x=%20 HTTP/1.1\r\nHost: [::1]:9001\r\nX-Empty:\r\nconnection:  keep-alive ,\tUPGRADE\r\n"
      "Connection: close\r\n\r\n\x81\x80pipelined";
  RequestHead head;
  const auto parsed = parse_request_head(as_bytes(text), head);
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ(text.substr(**parsed), "\x81\x80pipelined");
  EXPECT_EQ(head.method, "GET");
  EXPECT_EQ(head.target, "/stream?streams=a/b&x=%20");
  EXPECT_EQ(head.path, "/stream");
  EXPECT_EQ(head.query, "streams=a/b&x=%20");
  EXPECT_EQ(head.host, "[::1]:9001");
  EXPECT_EQ(head.version_minor, 1);
  EXPECT_EQ(head.fields.count, 4U);
  EXPECT_EQ(head.fields.find("x-empty"), "");
  EXPECT_FALSE(head.fields.find("X-Emptier"));
  EXPECT_EQ(head.fields.occurrences("CONNECTION"), 2U);
  EXPECT_TRUE(head.fields.has_token("Connection", "upgrade"));
  EXPECT_TRUE(head.fields.has_token("Connection", "close"));
  EXPECT_FALSE(head.fields.has_token("Connection", "keep"));
  EXPECT_FALSE(head.keep_alive());
  EXPECT_FALSE(head.has_body());
}

TEST(RequestHead, AnAbsoluteTargetNamesTheHost) {
  RequestHead head;
  const std::string text = "GET ws://feed.example:9001?user=1 HTTP/1.1\r\nHost: other\r\nContent-Length: 5\r\n\r\n";
  ASSERT_TRUE(parse_request_head(as_bytes(text), head).value());
  EXPECT_EQ(head.host, "feed.example:9001");
  EXPECT_EQ(head.path, "/");
  EXPECT_EQ(head.query, "user=1");
  EXPECT_TRUE(head.has_body());
  EXPECT_EQ(head.content_length, 5U);
  EXPECT_TRUE(head.keep_alive());
}

TEST(RequestHead, TheBoundsHoldOnBothSides) {
  RequestHead head;
  const std::string fixed = get_with("X: \r\n");
  const auto of_size = [&](std::size_t size) {
    return get_with("X: " + std::string(size - fixed.size(), 'x') + "\r\n");
  };
  const HeadLimits limits{.head_bytes_max = 500};
  ASSERT_EQ(of_size(500).size(), 500U);
  EXPECT_TRUE(parse_request_head(as_bytes(of_size(500)), head, limits).value());
  EXPECT_EQ(parse_request_head(as_bytes(of_size(501)), head, limits).error(), HeadError::too_large);
  EXPECT_FALSE(parse_request_head(as_bytes(of_size(600)).first(499), head, limits).value());
  EXPECT_EQ(parse_request_head(as_bytes(of_size(600)).first(500), head, limits).error(), HeadError::too_large);
  EXPECT_TRUE(parse_request_head(as_bytes(of_size(500) + std::string(100, 'p')), head, limits).value())
      << "what is pipelined does not count";
  EXPECT_EQ(status_of(HeadError::too_large), 431);

  const auto with_fields = [](std::size_t count) {
    std::string fields;
    for (std::size_t i = 1; i < count; ++i) fields += "X: 1\r\n";  // get_with adds Host
    return get_with(fields);
  };
  EXPECT_TRUE(parse_request_head(as_bytes(with_fields(100)), head).value());
  EXPECT_EQ(parse_request_head(as_bytes(with_fields(101)), head).error(), HeadError::too_many_fields);
  EXPECT_EQ(parse_request_head(as_bytes(with_fields(4)), head, {.fields_max = 3}).error(), HeadError::too_many_fields);
  EXPECT_EQ(status_of(HeadError::too_many_fields), 431);
  EXPECT_EQ(status_of(HeadError::unsupported_version), 505);
  EXPECT_EQ(status_of(HeadError::folded_field), 400);
}

TEST(RequestHead, KeepAliveFollowsTheVersionAndConnection) {
  struct Row {
    std::string text;
    bool expected;
  };
  const Row rows[] = {
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false},
      {"GET / HTTP/1.0\r\n\r\n", false},
      {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
  };
  for (const Row& row : rows) {
    RequestHead head;
    ASSERT_TRUE(parse_request_head(as_bytes(row.text), head).value());
    EXPECT_EQ(head.keep_alive(), row.expected) << row.text;
  }
}

TEST(HeaderFields, AListIsTakenApartAtItsCommasOutsideQuotes) {
  std::string_view rest = " a ,, b;x=\"1,2\\\",3\" ,\t,c";
  EXPECT_EQ(next_list_element(rest), "a");
  EXPECT_EQ(next_list_element(rest), "b;x=\"1,2\\\",3\"");
  EXPECT_EQ(next_list_element(rest), "c");
  EXPECT_FALSE(next_list_element(rest));
  rest = "\"never closed, a";
  EXPECT_EQ(next_list_element(rest), "\"never closed, a");
  EXPECT_FALSE(next_list_element(rest));
}

TEST(ResponseHead, EachRowIsAcceptedOrRefusedForItsReason) {
  struct Row {
    std::string_view sentence, text;
    std::optional<HeadError> error;
    std::uint16_t status = 0;
    std::string_view reason = "";
  };
  const Row rows[] = {
      {"101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", {}, 101, "Switching Protocols"},
      {"no reason", "HTTP/1.1 200 \r\n\r\n", {}, 200, ""},
      {"no reason, no space", "HTTP/1.1 200\r\n\r\n", {}, 200, ""},
      {"HTTP/1.0", "HTTP/1.0 503 Busy\r\n\r\n", {}, 503, "Busy"},
      {"two digits", "HTTP/1.1 20 OK\r\n\r\n", HeadError::bad_status},
      {"four digits", "HTTP/1.1 2000 OK\r\n\r\n", HeadError::bad_status},
      {"letters", "HTTP/1.1 2xx OK\r\n\r\n", HeadError::bad_status},
      {"below 100", "HTTP/1.1 099 OK\r\n\r\n", HeadError::bad_status},
      {"only a version", "HTTP/1.1\r\n\r\n", HeadError::bad_status},
      {"HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", HeadError::unsupported_version},
      {"not HTTP", "SSH-2.0-OpenSSH 9\r\n\r\n", HeadError::bad_version},
      {"both framings", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", HeadError::ambiguous_body},
  };
  GuardedBytes pages{4096};
  for (const Row& row : rows) {
    ResponseHead head;
    const Bytes text = as_bytes(row.text);
    const auto parsed = parse_response_head(pages.place(text), head);
    ASSERT_EQ(parsed.has_value(), !row.error) << row.sentence;
    if (row.error) {
      EXPECT_EQ(parsed.error(), *row.error) << row.sentence;
      continue;
    }
    EXPECT_EQ(**parsed, text.size()) << row.sentence;
    EXPECT_EQ(head.status, row.status) << row.sentence;
    EXPECT_EQ(head.reason, row.reason) << row.sentence;
    for (std::size_t size = 0; size < text.size(); ++size) {
      const auto part = parse_response_head(pages.place(text.first(size)), head);
      ASSERT_TRUE(part && !*part) << row.sentence << ", " << size << " bytes";
    }
  }
}

TEST(ResponseWriter, WritesWhatTheResponseParserReads) {
  std::string out;
  ResponseWriter{out, 200}.field("X", "a b").field("Retry-After", std::uint64_t{5}).end_with_body("text/plain", "body");
  EXPECT_EQ(out,
            "HTTP/1.1 200 OK\r\nX: a b\r\nRetry-After: 5\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody");
  ResponseHead head;
  const auto parsed = parse_response_head(as_bytes(out), head);
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ(out.substr(**parsed), "body");
  EXPECT_EQ(head.content_length, 4U);
  EXPECT_EQ(reason_phrase(431), "Request Header Fields Too Large");
  EXPECT_EQ(reason_phrase(599), "Unknown");
  EXPECT_DEATH(ResponseWriter(out, 200).field("X", "a\r\nSet-Cookie: b"), "no line ending");
  EXPECT_DEATH(ResponseWriter(out, 200).field("X:", "a"), "a field's name is a token");
}

}  // namespace
}  // namespace ringcast
