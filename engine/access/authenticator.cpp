#include "engine/access/authenticator.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "alloc/base/ensure.hpp"
#include "codec/hash/base64.hpp"

namespace ringcast {
namespace {

constexpr std::size_t kSignatureBytesMax = kRsaBitsMax / 8;  // the longest of the three kinds

bool is_named(const TokenKey& key, const TokenHeader& header) { return !header.id.empty() && key.id == header.id; }
/// A key without a name, or a token that names none, is a match for everybody of the same algorithm.
bool fits(const TokenKey& key, const TokenHeader& header) {
  return key.algorithm == header.algorithm && (key.id.empty() || header.id.empty() || key.id == header.id);
}

}  // namespace

Authenticator::Authenticator(AuthenticatorRules rules) : rules_{std::move(rules)} {
  ensure(!rules_.keys.empty(), "tokens are checked with a key");
  for (const TokenKey& key : rules_.keys) ensure(key.verifier.has_value(), "a key to check with is ready for it");
}

Result<const TokenKey*, TokenError> Authenticator::signer_of(std::string_view token, const TokenParts& parts,
                                                             const TokenHeader& header) const {
  std::array<std::uint8_t, kSignatureBytesMax> decoded;
  const auto signature = base64url_decode(parts.signature, decoded);
  const Bytes message = as_bytes(token.substr(0, token.size() - parts.signature.size() - 1));
  std::size_t tried = 0;
  for (const bool named : {true, false}) {  // first the keys that the token names
    for (const TokenKey& key : rules_.keys) {
      if (!fits(key, header) || is_named(key, header) != named) continue;
      if (++tried > kKeysTriedMax) return unexpected(TokenError::bad_signature);
      if (signature && key.verifier->verify(message, *signature)) return &key;
    }
  }
  return unexpected(TokenError::bad_signature);
}

/// Whether there is a key for it at all.
std::optional<TokenError> Authenticator::refusal_of(const TokenHeader& header) const {
  if (std::ranges::any_of(rules_.keys, [&](const TokenKey& key) { return fits(key, header); })) return std::nullopt;
  const bool fits_algorithm =
      std::ranges::any_of(rules_.keys, [&](const TokenKey& key) { return key.algorithm == header.algorithm; });
  return fits_algorithm ? TokenError::unknown_key : TokenError::wrong_algorithm;
}

std::optional<TokenError> Authenticator::refused_at_sight(std::string_view token) const {
  const auto parts = split_token(token);
  if (!parts) return parts.error();
  const auto header = read_token_header(parts->header);
  if (!header) return header.error();
  return refusal_of(*header);
}

/// RFC 7519 section 4.1.3: who is not named in an audience that is there must refuse.
bool Authenticator::is_for_us(const std::optional<std::vector<std::string>>& audience) const {
  if (rules_.audience.empty()) return !audience;
  return audience && std::ranges::find(*audience, rules_.audience) != audience->end();
}

Result<Grant, TokenError> Authenticator::verify(std::string_view token, WallTime now) const {
  const auto parts = split_token(token);
  if (!parts) return unexpected(parts.error());
  const auto header = read_token_header(parts->header);
  if (!header) return unexpected(header.error());
  if (const auto error = refusal_of(*header)) return unexpected(*error);
  const auto signer = signer_of(token, *parts, *header);
  if (!signer) return unexpected(signer.error());

  auto claims = read_token_claims(parts->claims);
  if (!claims) return unexpected(claims.error());
  const nanoseconds skew = rules_.clock_skew;
  if (now >= claims->expires + skew) return unexpected(TokenError::expired);
  if (claims->not_before && now < *claims->not_before - skew) return unexpected(TokenError::not_yet_valid);
  if (claims->issued && now < *claims->issued - skew) return unexpected(TokenError::not_yet_valid);
  if (!rules_.issuer.empty() && claims->issuer != rules_.issuer) return unexpected(TokenError::wrong_issuer);
  if (!is_for_us(claims->audience)) return unexpected(TokenError::wrong_audience);

  Grant grant;
  grant.user = std::move(claims->user);
  grant.token_id = std::move(claims->token_id);
  grant.subscribe = std::move(claims->subscribe);
  grant.publish = std::move(claims->publish);
  grant.issued = claims->issued.value_or(WallTime{});
  grant.expires = claims->expires + skew;
  grant.key = (*signer)->mark;
  grant.max_rate = claims->max_rate;
  grant.conflate = claims->conflate;
  grant.admin = claims->admin;
  if (rules_.revocations.has(grant.token_id, grant.user, grant.issued)) return unexpected(TokenError::revoked);
  return grant;
}

bool Authenticator::stands(const Grant& grant) const {
  const bool key_is_there =
      std::ranges::any_of(rules_.keys, [&](const TokenKey& key) { return key.mark == grant.key; });
  return key_is_there && !rules_.revocations.has(grant.token_id, grant.user, grant.issued);
}

}  // namespace ringcast
