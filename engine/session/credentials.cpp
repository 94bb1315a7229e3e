#include "engine/session/credentials.hpp"

#include "codec/http/url.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kTwice = "the token is in more than one place";  // RFC 6750 section 2 forbids it
constexpr std::string_view kScheme = "Bearer";

/// The token of an Authorization field; nothing if it is of another scheme, which is then for somebody in front of us.
std::optional<std::string_view> bearer_of(std::string_view value) {
  const std::size_t space = value.find(' ');
  if (!equals_ignoring_case(value.substr(0, space), kScheme)) return std::nullopt;
  return space == std::string_view::npos ? std::string_view{} : trimmed(value.substr(space + 1));
}

}  // namespace

Result<std::optional<Credentials>, std::string_view> find_credentials(const RequestHead& head,
                                                                      std::span<char> scratch) {
  std::optional<Credentials> found;
  const auto keep = [&found](TokenWay way, std::string_view token) {
    if (found) return false;
    found = Credentials{.way = way, .token = token};
    return true;
  };
  for (const HeaderField& field : head.fields) {
    if (equals_ignoring_case(field.name, "Authorization")) {
      const auto token = bearer_of(field.value);
      if (token && !keep(TokenWay::header, *token)) return unexpected(kTwice);
    } else if (equals_ignoring_case(field.name, "Sec-WebSocket-Protocol")) {
      std::string_view rest = field.value;
      while (const auto offer = next_list_element(rest)) {
        if (!offer->starts_with(kBearerSubprotocol)) continue;
        if (!keep(TokenWay::subprotocol, offer->substr(kBearerSubprotocol.size()))) return unexpected(kTwice);
      }
    }
  }
  std::string_view rest = head.query;
  while (const auto pair = next_query_pair(rest)) {
    if (pair->name != "token") continue;
    auto token = percent_decode(pair->value, scratch);
    if (!token && token.error() == UrlError::too_long) token = pair->value;  // no token is that long: it is told so
    if (!token) return unexpected(std::string_view{"the token in the query is malformed"});
    if (!keep(TokenWay::query, *token)) return unexpected(kTwice);
  }
  return found;
}

}  // namespace ringcast
