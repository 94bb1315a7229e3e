#include "codec/hash/signature.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <string>

#include "alloc/base/ensure.hpp"
#include "codec/hash/crypto_errors.hpp"

namespace ringcast {
namespace {

constexpr std::size_t kSha256Bytes = 32;
constexpr std::size_t kHalfBytes = 32;                        // r, or s
constexpr std::size_t kDerHalfBytesMax = 2 + 1 + kHalfBytes;  // tag and length, a zero in front of a high bit
using DerSignature = std::array<std::uint8_t, 2 + 2 * kDerHalfBytesMax>;

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

/// Found once: looking an algorithm up takes a lock and longer than a short digest.
const EVP_MD* sha256() {
  static const EVP_MD* const digest = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  ensure(digest != nullptr, "libcrypto offers SHA-256");
  return digest;
}

std::size_t write_integer(Bytes number, std::uint8_t* out) {
  while (number.size() > 1 && number[0] == 0) number = number.subspan(1);
  const bool looks_negative = (number[0] & 0x80) != 0;
  std::size_t at = 0;
  out[at++] = 0x02;
  out[at++] = static_cast<std::uint8_t>(number.size() + (looks_negative ? 1 : 0));
  if (looks_negative) out[at++] = 0;
  std::ranges::copy(number, out + at);
  return at + number.size();
}

/// The pair as libcrypto wants it: SEQUENCE { INTEGER r, INTEGER s } (RFC 3279 section 2.2.3).
Bytes to_der(Bytes signature, DerSignature& out) {
  const std::size_t first = write_integer(signature.first(kHalfBytes), out.data() + 2);
  const std::size_t second = write_integer(signature.subspan(kHalfBytes), out.data() + 2 + first);
  out[0] = 0x30;
  out[1] = static_cast<std::uint8_t>(first + second);
  return Bytes{out}.first(2 + first + second);
}

bool verify_digest(evp_pkey_st* key, Bytes message, Bytes signature) {
  const std::unique_ptr<EVP_MD_CTX, FreeContext> context{EVP_MD_CTX_new()};
  const bool good =
      context != nullptr && EVP_DigestVerifyInit(context.get(), nullptr, sha256(), nullptr, key) == 1 &&
      EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(), message.size()) == 1;
  forget_crypto_errors();
  return good;
}

bool verify_hmac(const std::string& secret, Bytes message, Bytes signature) {
  if (signature.size() != kSha256Bytes) return false;
  std::array<unsigned char, kSha256Bytes> expected;
  std::size_t size = 0;
  const bool made = EVP_Q_mac(nullptr, "HMAC", nullptr, "SHA256", nullptr, secret.data(), secret.size(), message.data(),
                              message.size(), expected.data(), expected.size(), &size) != nullptr;
  ensure(made && size == expected.size(), "libcrypto offers HMAC-SHA256");
  return CRYPTO_memcmp(expected.data(), signature.data(), expected.size()) == 0;
}

}  // namespace

std::optional<SignatureKey> SignatureKey::make(SignatureKind kind, Bytes key) {
  SignatureKey made{kind};
  if (kind == SignatureKind::hmac_sha256) {
    if (key.empty()) return std::nullopt;
    made.secret_ = std::make_shared<const std::string>(as_text(key));
    return made;
  }
  const unsigned char* at = key.data();
  EVP_PKEY* decoded = d2i_PUBKEY(nullptr, &at, static_cast<long>(key.size()));
  forget_crypto_errors();
  if (decoded == nullptr) return std::nullopt;
  made.public_key_ = std::shared_ptr<evp_pkey_st>{decoded, [](evp_pkey_st* old) { EVP_PKEY_free(old); }};
  const int type = EVP_PKEY_get_base_id(decoded);
  const bool fits = kind == SignatureKind::rsa_sha256 ? type == EVP_PKEY_RSA
                                                      : type == EVP_PKEY_EC && EVP_PKEY_get_bits(decoded) == 256;
  if (!fits || at != key.data() + key.size()) return std::nullopt;
  return made;
}

bool SignatureKey::verify(Bytes message, Bytes signature) const {
  switch (kind_) {
    case SignatureKind::hmac_sha256: return verify_hmac(*secret_, message, signature);
    case SignatureKind::rsa_sha256: return verify_digest(public_key_.get(), message, signature);
    case SignatureKind::ecdsa_p256_sha256: {
      if (signature.size() != 2 * kHalfBytes) return false;
      DerSignature der;
      return verify_digest(public_key_.get(), message, to_der(signature, der));
    }
  }
  return false;
}

}  // namespace ringcast
