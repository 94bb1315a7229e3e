// codec/hash/signature.hpp: is this signature of these bytes that key's? For the three kinds that tokens use.
//
// Owner    whoever holds the key; copies share what libcrypto made of it, which is immutable.
// Thread   any number at once.
// Memory   a few KiB a key, libcrypto's; some hundred bytes during verify().
// Failure  make() gives nothing: not such a key, or not one on its curve. verify() is false, and leaves libcrypto's
//          queue of errors empty.
// Not here signing (engine/access/token_signer.hpp), what is signed.
//
// A key is decoded once: libcrypto 3.0 takes 280 us to decode a PEM, and then 19 us (RS256) or 55 us (ES256) to verify.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "alloc/base/bytes.hpp"

struct evp_pkey_st;

namespace ringcast {

enum class SignatureKind : std::uint8_t {
  hmac_sha256,        // RFC 2104; the key is the secret
  rsa_sha256,         // RFC 8017 section 8.2; the key is a SubjectPublicKeyInfo
  ecdsa_p256_sha256,  // FIPS 186-4 section 6; likewise; the signature is r and s, 32 bytes each (RFC 7518 section 3.4)
};

class SignatureKey {
 public:
  [[nodiscard]] static std::optional<SignatureKey> make(SignatureKind kind, Bytes key);

  /// In constant time as far as the secret goes.
  [[nodiscard]] bool verify(Bytes message, Bytes signature) const;
  [[nodiscard]] SignatureKind kind() const { return kind_; }

 private:
  explicit SignatureKey(SignatureKind kind) : kind_{kind} {}

  SignatureKind kind_;
  std::shared_ptr<evp_pkey_st> public_key_;
  std::shared_ptr<const std::string> secret_;
};

}  // namespace ringcast
