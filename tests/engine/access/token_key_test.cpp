// Keys: what a file says a key is for, and what is refused (RFC 7517, RFC 7518).
#include "engine/access/token_key.hpp"

#include <gtest/gtest.h>

#include "engine/access/public_key.hpp"
#include "tests/doubles/test_keys.hpp"

namespace ringcast {
namespace {

using namespace test_keys;

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return text;
}

struct KeyFileRow {
  std::string_view sentence;
  std::string text;
  std::vector<TokenAlgorithm> algorithms;  // none: refused
  std::string_view complaint;              // a part of it
};

TEST(TokenKey, TheFileSaysWhatAKeyIsFor) {
  using enum TokenAlgorithm;
  const KeyFileRow rows[] = {
      {"a secret", std::string{kSecret}, {hs256}, ""},
      {"a secret and a newline", joined({kSecret, "\n"}), {hs256}, ""},
      {"a secret and a newline of another system", joined({kSecret, "\r\n"}), {hs256}, ""},
      {"a secret of 31 bytes", std::string(31, 'x'), {}, "too short"},
      {"nothing", "", {}, "too short"},
      {"something of 1,025 bytes", std::string(1'025, 'x'), {}, "at most 1024"},
      {"an RSA key", std::string{kRsaPublic}, {rs256}, ""},
      {"a P-256 key", std::string{kEcPublic}, {es256}, ""},
      {"several, and words between them",
       joined({"ours:\n", kRsaPublic, "theirs:\n", kEcPublic, kOtherRsaPublic}),
       {rs256, es256, rs256},
       ""},
      {"a private key", std::string{kRsaPrivate}, {}, "private"},
      {"a private key of the older form", std::string{kEcPrivateSec1}, {}, "private"},
      {"a private key behind a public one", joined({kEcPublic, kEcPrivate}), {}, "private"},
      {"an RSA key of 1,024 bits", std::string{kShortRsaPublic}, {}, "1024 bits is too short"},
      {"a key on another curve", std::string{kP384Public}, {}, "neither RSA nor P-256"},
      {"a key of another kind", std::string{kEd25519Public}, {}, "neither RSA nor P-256"},
      {"a certificate", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", {}, "only PUBLIC KEY"},
      {"a block without an end", std::string{kRsaPublic.substr(0, 200)}, {}, "does not end"},
      {"a block that is no base64", "-----BEGIN PUBLIC KEY-----\n!!!!\n-----END PUBLIC KEY-----\n", {}, "not base64"},
      {"an empty block", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", {}, "not base64"},
      {"a block with something else in it",
       "-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n",
       {},
       "neither"},
  };
  for (const KeyFileRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    const auto keys = read_verify_keys(row.text);
    ASSERT_EQ(keys.has_value(), !row.algorithms.empty()) << (keys ? "" : keys.error());
    if (!keys) {
      EXPECT_NE(keys.error().find(row.complaint), std::string::npos) << keys.error();
      continue;
    }
    ASSERT_EQ(keys->size(), row.algorithms.size());
    for (std::size_t i = 0; i < keys->size(); ++i) {
      EXPECT_EQ((*keys)[i].algorithm, row.algorithms[i]);
      EXPECT_EQ((*keys)[i].id, "");
    }
  }
}

TEST(TokenKey, AnythingCutOrChangedInAPublicKeyIsRefusedOrAnotherKey) {
  const auto block = read_pem(kRsaPublic);
  ASSERT_TRUE(block && block->size() == 1);
  const std::vector<std::uint8_t>& der = block->front().der;
  EXPECT_EQ(shape_of_public_key(der)->bits, 2'048U);
  for (std::size_t size = 0; size < der.size(); ++size) EXPECT_FALSE(shape_of_public_key(Bytes{der}.first(size)));
  std::vector<std::uint8_t> longer = der;
  longer.push_back(0);
  EXPECT_FALSE(shape_of_public_key(longer));
  for (std::size_t i = 0; i < 24; ++i) {  // tags, lengths and the algorithm
    std::vector<std::uint8_t> other = der;
    other[i] ^= 0x40;
    EXPECT_FALSE(shape_of_public_key(other)) << i;
  }
}

std::string jwk_set(std::string_view keys) { return joined({R"({"keys":[)", keys, "]}"}); }
std::string rsa_jwk(std::string_view more) {
  return joined({R"({"kty":"RSA","n":")", kRsaModulus, R"(","e":")", kRsaExponent, "\"", more, "}"});
}
std::string ec_jwk(std::string_view more) {
  return joined({R"({"kty":"EC","crv":"P-256","x":")", kEcX, R"(","y":")", kEcY, "\"", more, "}"});
}

TEST(TokenKey, AJwkBecomesThePemThatOpensslWrites) {
  const auto set = read_jwk_set(jwk_set(joined({rsa_jwk(R"(,"kid":"r")"), ",", ec_jwk(R"(,"kid":"e")")})));
  ASSERT_TRUE(set) << set.error();
  ASSERT_EQ(set->keys.size(), 2U);
  EXPECT_EQ(set->keys[0].material, kRsaPublic);
  EXPECT_EQ(set->keys[0].id, "r");
  EXPECT_EQ(set->keys[1].material, kEcPublic);
  EXPECT_EQ(set->keys[1].id, "e");
  // The same key has the same mark, wherever it came from.
  EXPECT_EQ(set->keys[0].mark, read_verify_keys(kRsaPublic)->front().mark);
  EXPECT_NE(set->keys[0].mark, set->keys[1].mark);
}

struct JwkRow {
  std::string_view sentence;
  std::string text;
  std::size_t keys = 0, skipped = 0;
  std::string_view complaint;  // empty: taken
};

TEST(TokenKey, AJwkSetIsReadStrictlyAndWhatIsForOthersIsSkipped) {
  const std::string oct =
      R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})";
  const JwkRow rows[] = {
      {"an RSA key", jwk_set(rsa_jwk("")), 1, 0, ""},
      {"with its use and algorithm", jwk_set(rsa_jwk(R"(,"use":"sig","alg":"RS256")")), 1, 0, ""},
      {"a P-256 key", jwk_set(ec_jwk(R"(,"alg":"ES256")")), 1, 0, ""},
      {"the secret of RFC 7515 A.1", jwk_set(oct), 1, 0, ""},
      {"for encryption", jwk_set(joined({rsa_jwk(R"(,"use":"enc")"), ",", ec_jwk("")})), 1, 1, ""},
      {"for another algorithm", jwk_set(joined({rsa_jwk(R"(,"alg":"PS256")"), ",", ec_jwk("")})), 1, 1, ""},
      {"on another curve, of another kind",
       jwk_set(joined({R"({"kty":"EC","crv":"P-384"},{"kty":"OKP"},)", ec_jwk("")})), 1, 2, ""},
      {"members that nobody knows", jwk_set(rsa_jwk(R"(,"x5t":"x","x5c":["a"],"key_ops":["verify"])")), 1, 0, ""},
      {"none that can be used", jwk_set(R"({"kty":"OKP","crv":"Ed25519"})"), 0, 0, "none of its 1 keys"},
      {"no keys", jwk_set(""), 0, 0, "none of its 0 keys"},
      {"not JSON", "{keys}", 0, 0, "not JSON"},
      {"no set", R"({"kty":"oct"})", 0, 0, "keys is missing"},
      {"keys that are no list", R"({"keys":{}})", 0, 0, "keys is missing"},
      {"a key that is no object", jwk_set("7"), 0, 0, "key 1: is no object"},
      {"an RSA key without a modulus", jwk_set(R"({"kty":"RSA","e":"AQAB"})"), 0, 0, "n and e"},
      {"a modulus that is no base64url", jwk_set(R"({"kty":"RSA","n":"a+b/","e":"AQAB"})"), 0, 0, "n and e"},
      {"a short modulus", jwk_set(R"({"kty":"RSA","n":"wdVd","e":"AQAB"})"), 0, 0, "24 bits is too short"},
      {"a modulus of zero", jwk_set(R"({"kty":"RSA","n":"AAAA","e":"AQAB"})"), 0, 0, "no positive number"},
      {"a modulus of a megabit",
       jwk_set(joined({R"({"kty":"RSA","n":")", std::string(160'000, 'z'), R"(","e":"AQAB"})"})), 0, 0, "too long"},
      {"a coordinate of 31 bytes", jwk_set(joined({R"({"kty":"EC","crv":"P-256","x":"AA","y":")", kEcY, "\"}"})), 0, 0,
       "32 bytes each"},
      {"a point that is not on the curve",
       jwk_set(joined({R"({"kty":"EC","crv":"P-256","x":")", kEcY, R"(","y":")", kEcX, "\"}"})), 0, 0, "on the curve"},
      {"a short secret", jwk_set(R"({"kty":"oct","k":"c2VjcmV0"})"), 0, 0, "too short"},
      {"a secret without k", jwk_set(R"({"kty":"oct"})"), 0, 0, "has k"},
      {"two keys of one kid", jwk_set(joined({rsa_jwk(R"(,"kid":"1")"), ",", ec_jwk(R"(,"kid":"1")")})), 0, 0,
       "key 2: kid '1' stands twice"},
      {"a kid that is a number", jwk_set(rsa_jwk(R"(,"kid":1)")), 0, 0, "kid is no string"},
      {"an empty kid", jwk_set(rsa_jwk(R"(,"kid":"")")), 0, 0, "kid has 1 to 255"},
      {"a member twice", jwk_set(rsa_jwk(R"(,"e":"AQAB")")), 0, 0, "key 1"},
  };
  for (const JwkRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    const auto set = read_jwk_set(row.text);
    ASSERT_EQ(set.has_value(), row.complaint.empty()) << (set ? "" : set.error());
    if (set) {
      EXPECT_EQ(set->keys.size(), row.keys);
      EXPECT_EQ(set->skipped, row.skipped);
    } else {
      EXPECT_NE(set.error().find(row.complaint), std::string::npos) << set.error();
    }
  }
}

TEST(TokenKey, ASigningKeyIsFoundInEveryFormThatOpensslWrites) {
  using enum TokenAlgorithm;
  const struct {
    std::string_view sentence;
    std::string text;
    std::optional<TokenAlgorithm> algorithm;
  } rows[] = {
      {"a secret", joined({kSecret, "\n"}), hs256},
      {"PKCS#8, RSA", std::string{kRsaPrivate}, rs256},
      {"PKCS#1", std::string{kRsaPrivatePkcs1}, rs256},
      {"PKCS#8, P-256", std::string{kEcPrivate}, es256},
      {"SEC 1", std::string{kEcPrivateSec1}, es256},
      {"SEC 1 behind its parameters",
       joined({"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n", kEcPrivateSec1}),
       es256},
      {"a public key", std::string{kRsaPublic}, std::nullopt},
      {"an encrypted key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n",
       std::nullopt},
      {"an RSA key of 1,024 bits", std::string{kShortRsaPrivate}, std::nullopt},
      {"a short secret", "secret", std::nullopt},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.sentence);
    const auto key = read_signing_key(row.text);
    ASSERT_EQ(key.has_value(), row.algorithm.has_value());
    if (key) {
      EXPECT_EQ(key->algorithm, *row.algorithm);
    }
  }
}

}  // namespace
}  // namespace ringcast
