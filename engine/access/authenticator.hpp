// engine/access/authenticator.hpp: whether a token is good, and what it grants.
//
// Owner    the control thread makes one, and another one after a reload; shards read it until they were given the next
//          (node/access_control.hpp).  Thread  any: immutable.
// Memory   keys and revocations; during verify() the decoded token.
// Failure  a TokenError. When in doubt, no.
// Not here where a token comes from (session/credentials.hpp), how often a shard may verify (access/token_bucket.hpp).
//
// The order matters. First what costs nothing: the token's size and form, whether a key of ours is for its algorithm
// and its kid. Then the signature, with that key's algorithm. Only then are the claims looked at: before, they are a
// stranger's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/result.hpp"
#include "alloc/base/time.hpp"
#include "engine/access/grant.hpp"
#include "engine/access/revocations.hpp"
#include "engine/access/token.hpp"
#include "engine/access/token_key.hpp"

namespace ringcast {

inline constexpr std::size_t kKeysTriedMax = 4;  // for one token without a kid: each try costs a verification

struct AuthenticatorRules {
  std::vector<TokenKey> keys;  // at least one
  std::string issuer;          // empty: any
  std::string audience;        // empty: only tokens that are for nobody in particular (RFC 7519 section 4.1.3)
  milliseconds clock_skew{30'000};
  Revocations revocations;
};

class Authenticator {
 public:
  explicit Authenticator(AuthenticatorRules rules);

  /// Checks everything. The time is wall-clock: tokens speak of that.
  [[nodiscard]] Result<Grant, TokenError> verify(std::string_view token, WallTime now) const;

  /// Why a token is refused without a signature being checked: its form, or that no key of ours is for it.
  [[nodiscard]] std::optional<TokenError> refused_at_sight(std::string_view token) const;

  /// Whether a grant that was given under earlier rules would still be given: its key is there, and it is not revoked.
  [[nodiscard]] bool stands(const Grant& grant) const;

  [[nodiscard]] const AuthenticatorRules& rules() const { return rules_; }

 private:
  [[nodiscard]] Result<const TokenKey*, TokenError> signer_of(std::string_view token, const TokenParts& parts,
                                                              const TokenHeader& header) const;
  [[nodiscard]] std::optional<TokenError> refusal_of(const TokenHeader& header) const;
  [[nodiscard]] bool is_for_us(const std::optional<std::vector<std::string>>& audience) const;

  AuthenticatorRules rules_;
};

}  // namespace ringcast
