// engine/access/public_key.hpp: the outsides of keys: PEM blocks, what is in them, and JWK members as PEM.
//
// Owner    the caller; results are values.  Thread  any; pure. At start-up and at a reload, never for a token.
// Memory   the strings returned; inputs are bounded by whoever reads the files.
// Failure  an empty optional: not a key of that form. Says nothing about the key being on its curve: libcrypto finds
//          out.
// Not here which keys a node accepts (token_key.hpp), using them (codec/hash/signature.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/bytes.hpp"

namespace ringcast {

/// One "-----BEGIN LABEL-----" to its end.
struct PemBlock {
  std::string_view label;         // "PUBLIC KEY"; a view into the text
  std::string_view text;          // all of it, both lines included
  std::vector<std::uint8_t> der;  // what the base64 says
};
/// Every block of the text, in order; what stands between blocks is ignored (RFC 7468 section 2).
/// Empty optional: a block that does not end, or is not base64.
[[nodiscard]] std::optional<std::vector<PemBlock>> read_pem(std::string_view text);

enum class KeyMaterial : std::uint8_t { rsa, p256 };
struct KeyShape {
  KeyMaterial material{};
  std::size_t bits = 0;  // of an RSA modulus; 256 on the curve
};
/// A SubjectPublicKeyInfo (RFC 5280 section 4.1): PEM label "PUBLIC KEY".
[[nodiscard]] std::optional<KeyShape> shape_of_public_key(Bytes der);
/// A PrivateKeyInfo (RFC 5958 section 2): PEM label "PRIVATE KEY".
[[nodiscard]] std::optional<KeyShape> shape_of_private_key(Bytes der);

/// The PEM of an RSA key from its two numbers (big-endian, as a JWK has them).
[[nodiscard]] std::string rsa_public_pem(Bytes modulus, Bytes exponent);
/// The PEM of a P-256 key from its point; each coordinate has 32 bytes.
[[nodiscard]] std::string p256_public_pem(Bytes x, Bytes y);

inline constexpr std::size_t kP256CoordinateBytes = 32;  // RFC 7518 section 6.2.1.2

}  // namespace ringcast
