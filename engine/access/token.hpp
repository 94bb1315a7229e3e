// engine/access/token.hpp: reads the two JSON halves of a JSON Web Token (RFC 7519, compact form), strictly.
//
// Owner    results are values; TokenParts has views into the token.  Thread  any; pure.
// Memory   the decoded halves during the call; what a TokenClaims holds. The token's size is bounded by the caller.
// Failure  a TokenError, the first that is found.
// Not here the signature (codec/hash/signature.hpp), whether the claims are good enough (authenticator.hpp).
//
// Both halves are read by our own reader, which refuses what parsers disagree about (duplicate members above all).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/result.hpp"
#include "alloc/base/time.hpp"
#include "codec/text/pattern.hpp"
#include "engine/access/token_key.hpp"

namespace ringcast {

inline constexpr std::size_t kTokenBytesMax = 8'192;  // half of a header block (16 KiB, protocol.md section 1)
inline constexpr std::size_t kGrantPatternsMax = 64;  // of each kind: each is tried against every channel
inline constexpr std::size_t kTokenIdBytesMax = 255;  // of a jti
inline constexpr std::size_t kUserBytesMax = 250;     // with "user:" in front it is a channel's name

/// Why a token is not accepted. The order is that of the counters (stats/counters.hpp).
enum class TokenError : std::uint8_t {
  malformed,  // not three parts of base64url with two JSON objects in them
  too_large,
  unsigned_token,   // alg "none"
  wrong_algorithm,  // no key is for its alg
  unknown_key,      // no key has its kid
  bad_signature,
  bad_claims,  // a claim of the wrong type, or one that is missing: sub, exp
  expired,
  not_yet_valid,
  wrong_issuer,
  wrong_audience,
  revoked,
  end,
};
inline constexpr std::size_t kTokenErrors = static_cast<std::size_t>(TokenError::end);
[[nodiscard]] std::string_view sentence_of(TokenError error);

struct TokenHeader {
  TokenAlgorithm algorithm{};
  std::string id;  // kid; empty: none
};

struct TokenClaims {
  std::string user;      // sub
  std::string token_id;  // jti
  std::optional<std::string> issuer;
  std::optional<std::vector<std::string>> audience;  // aud: one or several
  WallTime expires{};
  std::optional<WallTime> not_before, issued;
  std::vector<Pattern> subscribe, publish;
  std::uint32_t max_rate = 0;
  bool conflate = false;
  bool admin = false;
};

struct TokenParts {
  std::string_view header, claims, signature;  // still base64url
};
/// Three parts, each of them base64url characters, the first two not empty.
[[nodiscard]] Result<TokenParts, TokenError> split_token(std::string_view token);

/// `crit` is refused (RFC 7515 section 4.1.11: we understand no extension), and so is a `typ` other than JWT.
[[nodiscard]] Result<TokenHeader, TokenError> read_token_header(std::string_view base64url);
[[nodiscard]] Result<TokenClaims, TokenError> read_token_claims(std::string_view base64url);
/// The JSON object that read_token_claims() reads as these; for whoever issues tokens.
[[nodiscard]] std::string text_of(const TokenClaims& claims);

}  // namespace ringcast
