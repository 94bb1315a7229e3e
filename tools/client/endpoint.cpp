#include "tools/client/endpoint.hpp"

#include <sys/un.h>

#include <algorithm>
#include <utility>

#include "codec/dialect/ringcast_binary.h"
#include "codec/http/url.hpp"
#include "codec/text/numbers.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kUnixScheme = "unix:";
constexpr std::size_t kUnixPathBytesMax = sizeof(sockaddr_un::sun_path) - 1;  // unix(7)

/// The URL as it may be shown and logged: without the token in its query, which is a secret.
std::string without_token(std::string_view url) {
  constexpr std::string_view kMember = "token=";
  std::string text{url};
  for (std::size_t at = text.find(kMember, 1); at != std::string::npos; at = text.find(kMember, at + 1)) {
    if (text[at - 1] != '?' && text[at - 1] != '&') continue;
    const std::size_t begin = at + kMember.size(), end = std::min(text.find_first_of("&#", begin), text.size());
    text.replace(begin, end - begin, "***");
  }
  return text;
}

Result<Endpoint, std::string> parse_unix_endpoint(std::string_view url) {
  std::string_view path = url.substr(kUnixScheme.size());
  Endpoint endpoint;
  endpoint.text = without_token(url);
  endpoint.authority = "localhost";
  if (const std::size_t colon = path.find(":/"); colon != std::string_view::npos) {
    endpoint.target = path.substr(colon + 1);
    path = path.substr(0, colon);
  }
  if (path.empty()) return unexpected("'" + endpoint.text + "': a Unix socket needs a path");
  if (path.size() > kUnixPathBytesMax) {
    return unexpected("'" + endpoint.text + "': the socket's path is longer than " + std::to_string(kUnixPathBytesMax) +
                      " bytes");
  }
  endpoint.unix_path = path;
  return endpoint;
}

std::string_view query_of(std::string_view target) {
  const std::size_t mark = target.find('?');
  return mark == std::string_view::npos ? std::string_view{} : target.substr(mark + 1);
}

}  // namespace

Result<Endpoint, std::string> parse_endpoint(std::string_view url) {
  if (url.starts_with(kUnixScheme)) return parse_unix_endpoint(url);
  const auto parsed = parse_url(url);
  if (!parsed) return unexpected("'" + without_token(url) + "': " + std::string{sentence_of(parsed.error())});
  Endpoint endpoint;
  endpoint.text = without_token(url);
  endpoint.secure = parsed->secure;
  endpoint.host = parsed->host;
  endpoint.port = parsed->port;
  endpoint.authority = parsed->authority;
  if (!parsed->target.empty() && parsed->target != "/") endpoint.target = request_target(*parsed);
  return endpoint;
}

Result<Endpoint, std::string> parse_endpoint(std::string_view url, const TlsTrustOptions& options) {
  auto endpoint = parse_endpoint(url);
  if (!endpoint || !endpoint->secure) return endpoint;
  auto trust = TlsTrust::make(options);
  if (!trust) return unexpected(std::move(trust.error()));
  endpoint->trust = std::move(*trust);
  return endpoint;
}

Endpoint with_native_target(Endpoint endpoint) {
  if (endpoint.target.empty()) {
    endpoint.target = kNativeTarget;
  } else if (endpoint.target.starts_with("/?")) {
    endpoint.target.replace(0, 1, kNativeTarget);
  }
  return endpoint;
}

Endpoint with_binary_target(Endpoint endpoint) {
  endpoint = with_native_target(std::move(endpoint));
  endpoint.subprotocol = RCB_SUBPROTOCOL;
  return endpoint;
}

Endpoint with_since(Endpoint endpoint, const ResumePoint& point) {
  endpoint.target += query_of(endpoint.target).empty() ? "?since=" : "&since=";
  append_epoch(endpoint.target, point.epoch);
  endpoint.target += ':';
  append_decimal(endpoint.target, value(point.seq));
  return endpoint;
}

Endpoint with_exchange_target(Endpoint endpoint, std::span<const std::string> streams, bool combined) {
  const std::string query{query_of(endpoint.target)};
  std::string list;
  for (const std::string& stream : streams) {
    if (!list.empty()) list += '/';
    list += percent_encode(stream);
  }
  endpoint.target = (combined ? "/stream?streams=" : "/ws/") + list;
  if (!query.empty()) endpoint.target += (combined ? "&" : "?") + query;
  return endpoint;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kPlain = "-._~@:!$,;";
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (alphanumeric || kPlain.contains(c)) {
      out += c;
    } else {
      const auto byte = static_cast<std::uint8_t>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

}  // namespace ringcast
