#include "engine/access/token.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "codec/hash/base64.hpp"
#include "codec/text/channel_name.hpp"
#include "codec/text/json.hpp"
#include "codec/text/json_write.hpp"
#include "codec/text/numbers.hpp"

namespace ringcast {
namespace {

constexpr std::uint64_t kSecondsMax = 9'000'000'000;  // the year 2255: still a WallTime
constexpr std::uint32_t kClaimRateMax = 1'000'000;    // as a subscription's own max_rate

bool is_base64url(std::string_view text) {
  return text.size() % 4 != 1 && std::ranges::all_of(text, [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
         });
}

/// One half of a token: decoded, validated, and its members at hand.
class Half {
 public:
  bool read(std::string_view base64url) {
    decoded_.resize(base64url_decoded_bytes(base64url.size()));
    MutableBytes out{reinterpret_cast<std::uint8_t*>(decoded_.data()), decoded_.size()};
    if (!base64url_decode(base64url, out)) return false;
    const auto kind = reader_.read(decoded_);
    return kind && *kind == JsonKind::object;
  }
  [[nodiscard]] const JsonValue* find(std::string_view name) const { return reader_.find(name); }
  std::string_view text_of(const JsonValue& string) { return reader_.string_of(string); }

  /// A string member: nothing if absent, false if it is something else or longer than `most`.
  bool take_text(std::string_view name, std::size_t most, std::optional<std::string>& into) {
    const JsonValue* value = find(name);
    if (value == nullptr) return true;
    if (value->kind != JsonKind::string) return false;
    into = reader_.string_of(*value);
    return into->size() <= most;
  }
  bool take_flag(std::string_view name, bool& into) const {
    const JsonValue* value = find(name);
    if (value == nullptr) return true;
    into = value->is_true();
    return value->kind == JsonKind::boolean;
  }
  /// A NumericDate (RFC 7519 section 2): seconds, perhaps with a fraction, which is dropped.
  bool take_time(std::string_view name, std::optional<WallTime>& into) const {
    const JsonValue* value = find(name);
    if (value == nullptr) return true;
    if (value->kind != JsonKind::number) return false;
    const std::size_t point = std::min(value->text.find('.'), value->text.size());
    const std::string_view fraction = value->text.substr(point);
    const auto seconds_since = parse_uint64(value->text.substr(0, point));
    if (!seconds_since || *seconds_since > kSecondsMax || fraction.find_first_of("eE") != std::string_view::npos) {
      return false;
    }
    into = WallTime{seconds{*seconds_since}};
    return true;
  }
  /// A string, or a list of strings.
  template <class Take>
  bool take_texts(std::string_view name, Take&& take) {
    const JsonValue* value = find(name);
    if (value == nullptr) return true;
    if (value->kind == JsonKind::string) return take(reader_.string_of(*value));
    if (value->kind != JsonKind::array) return false;
    ArrayWalk walk{value->text};
    while (const auto element = walk.next()) {
      if (element->kind != JsonKind::string || !take(reader_.string_of(*element))) return false;
    }
    return true;
  }
  bool take_patterns(std::string_view name, std::vector<Pattern>& into) {
    return take_texts(name, [&](std::string_view text) {
      auto pattern = Pattern::compile(text);
      if (!pattern || into.size() == kGrantPatternsMax) return false;
      into.push_back(std::move(*pattern));
      return true;
    });
  }

 private:
  std::string decoded_;
  JsonReader reader_;
};

}  // namespace

std::string_view sentence_of(TokenError error) {
  constexpr std::array<std::string_view, kTokenErrors> kSentences{
      "the token is malformed",
      "the token is too large",
      "the token is not signed",
      "the token's algorithm is not one that this node has a key for",
      "the token names a key that this node does not have",
      "the token's signature is wrong",
      "the token lacks a claim, or has one of the wrong form",
      "the token has expired",
      "the token is not valid yet",
      "the token is from another issuer",
      "the token is for another audience",
      "the token was revoked",
  };
  return kSentences[std::to_underlying(error)];
}

Result<TokenParts, TokenError> split_token(std::string_view token) {
  if (token.size() > kTokenBytesMax) return unexpected(TokenError::too_large);
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos) return unexpected(TokenError::malformed);
  const TokenParts parts{.header = token.substr(0, first),
                         .claims = token.substr(first + 1, second - first - 1),
                         .signature = token.substr(second + 1)};
  const bool good = !parts.header.empty() && !parts.claims.empty() && is_base64url(parts.header) &&
                    is_base64url(parts.claims) && is_base64url(parts.signature);
  if (!good) return unexpected(TokenError::malformed);
  return parts;
}

Result<TokenHeader, TokenError> read_token_header(std::string_view base64url) {
  Half half;
  if (!half.read(base64url)) return unexpected(TokenError::malformed);
  const JsonValue* algorithm = half.find("alg");
  if (algorithm == nullptr || algorithm->kind != JsonKind::string) return unexpected(TokenError::malformed);
  std::optional<std::string> type, id;
  if (!half.take_text("typ", kKeyIdBytesMax, type) || !half.take_text("kid", kKeyIdBytesMax, id)) {
    return unexpected(TokenError::malformed);
  }
  const bool is_jwt = !type || *type == "JWT" || *type == "jwt";
  if (!is_jwt || half.find("crit") != nullptr) return unexpected(TokenError::malformed);
  const std::string name{half.text_of(*algorithm)};
  const auto is_none = [](char have, char want) { return (have | 0x20) == want; };
  if (std::ranges::equal(name, std::string_view{"none"}, is_none)) return unexpected(TokenError::unsigned_token);
  for (const auto known : {TokenAlgorithm::hs256, TokenAlgorithm::rs256, TokenAlgorithm::es256}) {
    if (name == name_of(known)) return TokenHeader{.algorithm = known, .id = std::move(id).value_or(std::string{})};
  }
  return unexpected(TokenError::wrong_algorithm);
}

Result<TokenClaims, TokenError> read_token_claims(std::string_view base64url) {
  Half half;
  if (!half.read(base64url)) return unexpected(TokenError::malformed);
  TokenClaims claims;
  std::optional<std::string> user, token_id;
  std::optional<WallTime> expires;
  bool good = half.take_text("sub", kUserBytesMax, user) && half.take_text("jti", kTokenIdBytesMax, token_id) &&
              half.take_text("iss", kTokenBytesMax, claims.issuer) && half.take_time("exp", expires) &&
              half.take_time("nbf", claims.not_before) && half.take_time("iat", claims.issued) &&
              half.take_patterns("subscribe", claims.subscribe) && half.take_patterns("publish", claims.publish) &&
              half.take_flag("admin", claims.admin) && half.take_flag("conflate", claims.conflate) &&
              half.take_texts("aud", [&](std::string_view text) {
                if (!claims.audience) claims.audience.emplace();
                claims.audience->emplace_back(text);
                return true;
              });
  if (half.find("aud") != nullptr && !claims.audience) claims.audience.emplace();  // an empty list: for nobody
  if (const JsonValue* rate = half.find("max_rate")) {
    const auto number = rate->kind == JsonKind::number ? parse_uint64(rate->text) : std::nullopt;
    good = good && number && *number <= kClaimRateMax;
    claims.max_rate = good ? static_cast<std::uint32_t>(*number) : 0;
  }
  // Without a subject nobody is named, and without an expiry a leaked token opens the door for ever.
  good = good && user && is_valid_user_id(*user) && expires;
  if (!good) return unexpected(TokenError::bad_claims);
  claims.user = std::move(*user);
  claims.token_id = std::move(token_id).value_or(std::string{});
  claims.expires = *expires;
  return claims;
}

std::string text_of(const TokenClaims& claims) {
  std::string text{"{"};
  const auto name = [&text](std::string_view member) {
    if (text.size() > 1) text += ',';
    append_json_string(text, member);
    text += ':';
  };
  const auto put_text = [&](std::string_view member, std::string_view value) {
    name(member);
    append_json_string(text, value);
  };
  const auto put_time = [&](std::string_view member, WallTime time) {
    name(member);
    append_decimal(text,
                   static_cast<std::uint64_t>(std::chrono::duration_cast<seconds>(time.time_since_epoch()).count()));
  };
  const auto put_patterns = [&](std::string_view member, const std::vector<Pattern>& patterns) {
    if (patterns.empty()) return;
    name(member);
    for (std::size_t i = 0; i < patterns.size(); ++i) {
      text += i == 0 ? '[' : ',';
      append_json_string(text, patterns[i].text());
    }
    text += ']';
  };
  put_text("sub", claims.user);
  put_time("exp", claims.expires);
  if (claims.issued) put_time("iat", *claims.issued);
  if (claims.not_before) put_time("nbf", *claims.not_before);
  if (!claims.token_id.empty()) put_text("jti", claims.token_id);
  if (claims.issuer) put_text("iss", *claims.issuer);
  if (claims.audience) {
    name("aud");
    for (std::size_t i = 0; i < claims.audience->size(); ++i) {
      text += i == 0 ? '[' : ',';
      append_json_string(text, (*claims.audience)[i]);
    }
    text += claims.audience->empty() ? "[]" : "]";
  }
  put_patterns("subscribe", claims.subscribe);
  put_patterns("publish", claims.publish);
  if (claims.max_rate != 0) {
    name("max_rate");
    append_decimal(text, claims.max_rate);
  }
  for (const auto& [member, said] : {std::pair{"conflate", claims.conflate}, {"admin", claims.admin}}) {
    if (!said) continue;
    name(member);
    text += "true";
  }
  return text += '}';
}

}  // namespace ringcast
