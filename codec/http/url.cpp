#include "codec/http/url.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "alloc/base/ensure.hpp"
#include "codec/http/characters.hpp"
#include "codec/http/header_fields.hpp"

namespace ringcast {
namespace {

constexpr std::array<std::string_view, std::to_underlying(UrlError::end)> kSentences{
    "the URL is malformed",
    "the scheme is not ws, wss, http or https",
    "the host is malformed",
    "the port is not a number from 1 to 65535",
    "a percent sign is not followed by two hexadecimal digits",
    "the text is too long",
};

struct SchemeRow {
  std::string_view name;
  bool secure;
  std::uint16_t port;
};
constexpr std::array kSchemes{
    SchemeRow{"ws", false, 80},
    SchemeRow{"wss", true, 443},
    SchemeRow{"http", false, 80},
    SchemeRow{"https", true, 443},
};

/// scheme "://" authority rest, the rest starting with '/', '?' or nothing.
struct AbsoluteForm {
  SchemeRow scheme;
  std::string_view scheme_text, authority, rest;
};
Result<AbsoluteForm, UrlError> split_absolute(std::string_view text) {
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) return unexpected(UrlError::bad_form);
  const std::string_view name = text.substr(0, colon);
  const auto* const row = std::find_if(kSchemes.begin(), kSchemes.end(),
                                       [&](const SchemeRow& it) { return equals_ignoring_case(it.name, name); });
  if (row == kSchemes.end()) return unexpected(UrlError::bad_scheme);
  text.remove_prefix(colon + 3);
  const std::size_t authority_end = std::min(text.find_first_of("/?"), text.size());
  return AbsoluteForm{*row, name, text.substr(0, authority_end), text.substr(authority_end)};
}

bool is_clean(std::string_view text) {
  return std::all_of(text.begin(), text.end(), is_target_char) && text.find('#') == std::string_view::npos;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string_view sentence_of(UrlError error) {
  ensure(error < UrlError::end, "a URL error is one of the enum's");
  return kSentences[std::to_underlying(error)];
}

Result<Target, UrlError> split_target(std::string_view target) {
  if (target.empty() || !is_clean(target)) return unexpected(UrlError::bad_form);
  Target split;
  std::string_view rest = target;
  if (target == "*") {
    split.path = target;
    return split;
  }
  if (target.front() != '/') {
    const auto absolute = split_absolute(target);
    if (!absolute) return unexpected(absolute.error());
    if (const auto host = split_host_port(absolute->authority); !host) return unexpected(host.error());
    split.authority = absolute->authority;
    rest = absolute->rest;
  }
  const std::size_t question = std::min(rest.find('?'), rest.size());
  split.path = question == 0 ? std::string_view{"/"} : rest.substr(0, question);
  if (question < rest.size()) split.query = rest.substr(question + 1);
  return split;
}

Result<HostPort, UrlError> split_host_port(std::string_view authority) {
  HostPort split;
  std::string_view rest;
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return unexpected(UrlError::bad_host);
    split.host = authority.substr(1, close - 1);
    rest = authority.substr(close + 1);
    const bool address = std::all_of(split.host.begin(), split.host.end(),
                                     [](char c) { return hex_digit(c) >= 0 || c == ':' || c == '.'; });
    if (!address) return unexpected(UrlError::bad_host);
  } else {
    const std::size_t colon = std::min(authority.find(':'), authority.size());
    split.host = authority.substr(0, colon);
    rest = authority.substr(colon);
    if (!std::all_of(split.host.begin(), split.host.end(), is_host_char)) return unexpected(UrlError::bad_host);
  }
  if (split.host.empty()) return unexpected(UrlError::bad_host);
  if (rest.empty()) return split;
  if (rest.front() != ':') return unexpected(UrlError::bad_host);
  rest.remove_prefix(1);
  if (rest.empty()) return split;  // RFC 3986 section 3.2.3: "host:" is "host"
  if (rest.size() > 5 || !std::all_of(rest.begin(), rest.end(), is_digit)) return unexpected(UrlError::bad_port);
  unsigned port = 0;
  for (const char c : rest) port = port * 10 + static_cast<unsigned>(c - '0');
  if (port == 0 || port > 65'535) return unexpected(UrlError::bad_port);
  split.port = static_cast<std::uint16_t>(port);
  return split;
}

Result<Url, UrlError> parse_url(std::string_view text) {
  // A fragment never reaches a server (RFC 6455 section 3 forbids it in a WebSocket URL).
  if (!is_clean(text)) return unexpected(UrlError::bad_form);
  const auto absolute = split_absolute(text);
  if (!absolute) return unexpected(absolute.error());
  const auto host = split_host_port(absolute->authority);
  if (!host) return unexpected(host.error());
  Url url;
  url.scheme = absolute->scheme_text;
  url.secure = absolute->scheme.secure;
  url.host = host->host;
  url.port = host->port.value_or(absolute->scheme.port);
  url.authority = absolute->authority;
  url.target = absolute->rest;
  return url;
}

std::string request_target(const Url& url) {
  std::string target{url.target.starts_with('/') ? "" : "/"};
  target += url.target;
  return target;
}

Result<std::string_view, UrlError> percent_decode(std::string_view encoded, std::span<char> scratch, Plus plus) {
  const bool plain = encoded.find('%') == std::string_view::npos &&
                     (plus == Plus::literal || encoded.find('+') == std::string_view::npos);
  if (plain) return encoded;
  std::size_t written = 0;
  for (std::size_t at = 0; at < encoded.size(); ++at) {
    char c = encoded[at];
    if (c == '%') {
      const int high = at + 1 < encoded.size() ? hex_digit(encoded[at + 1]) : -1;
      const int low = at + 2 < encoded.size() ? hex_digit(encoded[at + 2]) : -1;
      if (high < 0 || low < 0) return unexpected(UrlError::bad_escape);
      c = static_cast<char>(high * 16 + low);
      at += 2;
    } else if (c == '+' && plus == Plus::space) {
      c = ' ';
    }
    if (written == scratch.size()) return unexpected(UrlError::too_long);
    scratch[written++] = c;
  }
  return std::string_view{scratch.data(), written};
}

std::optional<QueryPair> next_query_pair(std::string_view& rest) {
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    return QueryPair{pair.substr(0, equals), pair.substr(std::min(equals + 1, pair.size()))};
  }
  return std::nullopt;
}

Result<std::optional<std::string_view>, UrlError> query_parameter(std::string_view query, std::string_view name,
                                                                  std::span<char> scratch) {
  while (const auto pair = next_query_pair(query)) {
    if (pair->name != name) continue;
    const auto value = percent_decode(pair->value, scratch, Plus::space);
    if (!value) return unexpected(value.error());
    return std::optional{*value};
  }
  return std::optional<std::string_view>{};
}

}  // namespace ringcast
