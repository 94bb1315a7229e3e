// engine/access/token_key.hpp: the keys that tokens are checked with, and what a key is for.
//
// Owner    an Authenticator, by value; the token tool owns one to sign with.  Thread  any (values).
// Memory   a few hundred bytes a key, at most kTokenKeysMax keys.
// Failure  a sentence that says what is wrong with the file and what would do instead.
// Not here reading files (node), the mathematics (codec/hash/signature.hpp).
//
// The key says the algorithm, never the token: a library that asks the token can be given an RSA public key, which
// everybody has, as the secret of an HS256. libjwt 1.10 is one; tests/engine/access shows it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/result.hpp"
#include "codec/hash/signature.hpp"

namespace ringcast {

inline constexpr std::size_t kTokenKeysMax = 32;           // more than a year of weekly rotation at once is a mistake
inline constexpr std::size_t kSecretBytesMin = 32;         // RFC 7518 section 3.2: as long as the hash
inline constexpr std::size_t kSecretBytesMax = 1'024;      // a longer one is a file that was named by mistake
inline constexpr std::size_t kRsaBitsMin = 2'048;          // RFC 7518 section 3.3
inline constexpr std::size_t kRsaBitsMax = 8'192;          // a verification's time grows with the square
inline constexpr std::size_t kKeyIdBytesMax = 255;         // of a kid
inline constexpr std::size_t kKeyFileBytesMax = 1U << 20;  // read whole

enum class TokenAlgorithm : std::uint8_t { hs256, rs256, es256 };
/// As a token's header has it: "HS256".
[[nodiscard]] std::string_view name_of(TokenAlgorithm algorithm);

struct TokenKey {
  TokenAlgorithm algorithm{};
  std::string id;          // the kid of a JWK; empty: for tokens with any or no kid
  std::string material;    // the secret itself, or a PEM
  std::uint64_t mark = 0;  // the same for the same algorithm and material: whether a key is still there after a reload
  std::optional<SignatureKey> verifier;  // decoded, ready for use; none in a key to sign with
};

/// A file of keys to verify with: PEM blocks "PUBLIC KEY" (RSA gives RS256, P-256 gives ES256), or else a secret
/// (HS256) with or without a newline at its end. A private key is refused: a node that cannot sign cannot leak how to.
[[nodiscard]] Result<std::vector<TokenKey>, std::string> read_verify_keys(std::string_view text);

/// A secret that came by the environment.
[[nodiscard]] Result<TokenKey, std::string> read_secret(std::string_view text);

struct JwkSet {
  std::vector<TokenKey> keys;
  std::uint32_t skipped = 0;  // of other kinds or for other uses: a set is shared with others
};
/// A JWK Set (RFC 7517): members kty RSA, EC with crv P-256, oct; `use` sig or absent; `alg`, if present, must fit.
[[nodiscard]] Result<JwkSet, std::string> read_jwk_set(std::string_view text);

/// A file with one key to sign with: PEM "PRIVATE KEY", "RSA PRIVATE KEY" or "EC PRIVATE KEY", or a secret.
[[nodiscard]] Result<TokenKey, std::string> read_signing_key(std::string_view text);

}  // namespace ringcast
