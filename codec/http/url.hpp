// codec/http/url.hpp: takes URLs and request targets apart, and decodes what is percent-encoded.
//
// Thread   any.  Memory  none; results are views into the input or into the caller's scratch.
// Failure  a UrlError. Decoding never exceeds the scratch it was given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "alloc/base/result.hpp"

namespace ringcast {

enum class UrlError : std::uint8_t { bad_form, bad_scheme, bad_host, bad_port, bad_escape, too_long, end };
[[nodiscard]] std::string_view sentence_of(UrlError error);

/// A request target (RFC 9112 section 3.2), in pieces that are still percent-encoded.
struct Target {
  std::string_view authority;  // absolute-form only
  std::string_view path;       // "/" at least, or "*"
  std::string_view query;      // without the '?'
};
/// Accepts origin-form, absolute-form (http, https, ws, wss; no user name) and "*". A '#' is refused.
[[nodiscard]] Result<Target, UrlError> split_target(std::string_view target);

/// What a program connects to: "ws://127.0.0.1:9001/ws?user=1".
struct Url {
  std::string_view scheme;  // as written
  bool secure = false;      // wss, https
  std::string_view host;    // without the brackets of an IPv6 address
  std::uint16_t port = 0;   // 80 or 443 when not written
  std::string_view authority;  // host and port as written: what goes into Host
  std::string_view target;  // path and query as written; may be empty (meaning "/") or start with '?'
};
[[nodiscard]] Result<Url, UrlError> parse_url(std::string_view text);
/// What to put in the request line: url.target, or with the '/' that it lacks.
[[nodiscard]] std::string request_target(const Url& url);

/// Host name and port of an authority or Host field: "[::1]:9001", "example.com".
struct HostPort {
  std::string_view host;              // without brackets, never empty
  std::optional<std::uint16_t> port;  // absent when not written
};
[[nodiscard]] Result<HostPort, UrlError> split_host_port(std::string_view authority);

/// What a '+' stands for: itself in a path, a space in a query written by a form.
enum class Plus : std::uint8_t { literal, space };

/// Decodes %XX. Without any escape the result is the input itself, not a copy.
/// scratch  holds the decoded bytes otherwise; too_long when they do not fit.
[[nodiscard]] Result<std::string_view, UrlError> percent_decode(std::string_view encoded, std::span<char> scratch,
                                                                Plus plus = Plus::literal);

/// One name=value of a query, still percent-encoded; a name without '=' has an empty value.
struct QueryPair {
  std::string_view name;
  std::string_view value;
};
/// Takes the next pair off a query. Empty: it has ended.
[[nodiscard]] std::optional<QueryPair> next_query_pair(std::string_view& rest);
/// The value, decoded, of the first pair whose name is (undecoded) `name`.
[[nodiscard]] Result<std::optional<std::string_view>, UrlError> query_parameter(std::string_view query,
                                                                                std::string_view name,
                                                                                std::span<char> scratch);

}  // namespace ringcast
