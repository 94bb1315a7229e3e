#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <array>
#include <string>
#include <unordered_set>
#include <vector>

#include "alloc/base/bytes.hpp"
#include "codec/hash/base64.hpp"
#include "codec/hash/crypto_errors.hpp"
#include "codec/hash/sha1.hpp"
#include "codec/hash/signature.hpp"
#include "codec/hash/xxh3.hpp"

namespace ringcast {
namespace {

std::string hex(Bytes bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

TEST(Sha1, GivesTheDigestsOfFips180) {
  struct Row {
    std::string text, digest;
  };
  const Row rows[] = {
      {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
      {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
      {std::string(1'000'000, 'a'), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"},
  };
  for (const Row& row : rows) EXPECT_EQ(hex(sha1(as_bytes(row.text))), row.digest) << row.text.substr(0, 60);
}

TEST(Base64, GivesTheRowsOfRfc4648BothWays) {
  struct Row {
    std::string_view plain, encoded;
  };
  const Row rows[] = {{"", ""},
                      {"f", "Zg=="},
                      {"fo", "Zm8="},
                      {"foo", "Zm9v"},
                      {"foob", "Zm9vYg=="},
                      {"fooba", "Zm9vYmE="},
                      {"foobar", "Zm9vYmFy"},
                      {"\xff\xfe\xfd\xfb", "//79+w=="}};
  for (const Row& row : rows) {
    std::array<char, 64> text;
    EXPECT_EQ(base64_encode(as_bytes(row.plain), text), row.encoded);
    EXPECT_EQ(base64_encoded_bytes(row.plain.size()), row.encoded.size());
    std::array<std::uint8_t, 64> bytes;
    const auto decoded = base64_decode(row.encoded, bytes);
    ASSERT_TRUE(decoded) << row.encoded;
    EXPECT_EQ(as_text(*decoded), row.plain);
  }
}

TEST(Base64, RefusesWhatIsNotCanonical) {
  for (const std::string_view text : {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "Z g=", "Zm9v\n",
                                      "====", "=g==", "Z===", "Zm-v", "Zm_v", "Zm9vYg=="}) {
    std::array<std::uint8_t, 3> bytes;  // the last row is canonical and too long by one byte
    EXPECT_FALSE(base64_decode(text, bytes)) << text;
  }
}

TEST(Base64Url, GivesTheRowsOfRfc4648BothWaysWithoutPadding) {
  struct Row {
    std::string_view plain, encoded;
  };
  const Row rows[] = {{"", ""},
                      {"f", "Zg"},
                      {"fo", "Zm8"},
                      {"foo", "Zm9v"},
                      {"foob", "Zm9vYg"},
                      {"fooba", "Zm9vYmE"},
                      {"\xff\xfe\xfd\xfb", "__79-w"}};
  for (const Row& row : rows) {
    std::array<char, 64> text;
    EXPECT_EQ(base64url_encode(as_bytes(row.plain), text), row.encoded);
    EXPECT_EQ(base64url_encoded_bytes(row.plain.size()), row.encoded.size());
    std::array<std::uint8_t, 64> bytes;
    const auto decoded = base64url_decode(row.encoded, bytes);
    ASSERT_TRUE(decoded) << row.encoded;
    EXPECT_EQ(as_text(*decoded), row.plain);
    EXPECT_EQ(base64url_decoded_bytes(row.encoded.size()), row.plain.size());
  }
}

TEST(Base64Url, RefusesWhatIsNotCanonical) {
  for (const std::string_view text :
       {"Z", "Zh", "Zm9", "Zg==", "Zm8=", "Z g", "Zm9v\n", "Zm+v", "Zm/v", "Zm9vZ", "Zm9vYg"}) {
    std::array<std::uint8_t, 3> bytes;  // the last row is canonical and too long by one byte
    EXPECT_FALSE(base64url_decode(text, bytes)) << text;
  }
}

TEST(CryptoErrors, AreForgotten) {
  EVP_PKEY* key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, nullptr, 7);  // no such key
  ASSERT_EQ(key, nullptr);
  EXPECT_GT(count_crypto_errors(), 0U);
  EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, nullptr, 7);
  forget_crypto_errors();
  EXPECT_EQ(count_crypto_errors(), 0U);
}

std::vector<std::uint8_t> bytes_of_hex(std::string_view text) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(std::string{text.substr(i, 2)}, nullptr, 16)));
  }
  return bytes;
}

TEST(Signature, HmacSha256GivesTheRowsOfRfc4231) {
  const struct {
    std::string key;  // hexadecimal
    std::string_view message, digest;
  } rows[] = {
      {"4a656665", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There",
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {[] {
         std::string key;
         for (int i = 0; i < 131; ++i) key += "aa";
         return key;
       }(),
       "Test Using Larger Than Block-Size Key - Hash Key First",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
  };
  for (const auto& row : rows) {
    const auto key = SignatureKey::make(SignatureKind::hmac_sha256, bytes_of_hex(row.key));
    ASSERT_TRUE(key);
    std::vector<std::uint8_t> digest = bytes_of_hex(row.digest);
    EXPECT_TRUE(key->verify(as_bytes(row.message), digest));
    EXPECT_FALSE(key->verify(as_bytes(row.message.substr(1)), digest));
    EXPECT_FALSE(key->verify(as_bytes(row.message), Bytes{digest}.first(31)));
    digest.back() ^= 1;
    EXPECT_FALSE(key->verify(as_bytes(row.message), digest));
  }
}

TEST(Signature, AKeyThatIsNoneIsNotTakenAndLeavesNoErrors) {
  // A P-256 key (RFC 7515 A.3), whole, cut, and with a point that is not on the curve.
  std::vector<std::uint8_t> key = bytes_of_hex(
      "3059301306072a8648ce3d020106082a8648ce3d030107034200047fcdce2770f6c45d4183cbee6fdb4b7b580733357be9ef13bacf6e3c7b"
      "d15445"
      "c7f144cd1bbd9b7e872cdfedb9eeb9f4b3695d6ea90b24ad8a4623288588e5ad");
  EXPECT_TRUE(SignatureKey::make(SignatureKind::ecdsa_p256_sha256, key));
  EXPECT_FALSE(SignatureKey::make(SignatureKind::rsa_sha256, key));
  EXPECT_FALSE(SignatureKey::make(SignatureKind::ecdsa_p256_sha256, Bytes{key}.first(key.size() - 1)));
  key.back() ^= 1;
  EXPECT_FALSE(SignatureKey::make(SignatureKind::ecdsa_p256_sha256, key));
  EXPECT_FALSE(SignatureKey::make(SignatureKind::rsa_sha256, {}));
  EXPECT_FALSE(SignatureKey::make(SignatureKind::hmac_sha256, {}));
  EXPECT_EQ(count_crypto_errors(), 0U);
}

TEST(Signature, TheTokenOfRfc7515A3IsGood) {
  const auto key = SignatureKey::make(SignatureKind::ecdsa_p256_sha256,
                                      bytes_of_hex("3059301306072a8648ce3d020106082a8648ce3d030107034200047fcdce2770f6c"
                                                   "45d4183cbee6fdb4b7b580733357be9ef13bacf6e3c7bd15445"
                                                   "c7f144cd1bbd9b7e872cdfedb9eeb9f4b3695d6ea90b24ad8a4623288588e5ad"));
  constexpr std::string_view kMessage =
      "eyJhbGciOiJFUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
  std::array<std::uint8_t, 64> signature;
  ASSERT_TRUE(base64url_decode("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
                               signature));
  EXPECT_TRUE(key->verify(as_bytes(kMessage), signature));
  for (std::size_t i = 0; i < signature.size(); ++i) {
    signature[i] ^= 0x10;
    EXPECT_FALSE(key->verify(as_bytes(kMessage), signature)) << i;
    signature[i] ^= 0x10;
  }
  EXPECT_FALSE(key->verify(as_bytes(kMessage), Bytes{signature}.first(63)));
  signature.fill(0);
  EXPECT_FALSE(key->verify(as_bytes(kMessage), signature));
}

TEST(Xxh3, AgreesWithTheReferenceVectors) {
  EXPECT_EQ(hash64(""), 0x2d06800538d394c2ULL);  // XXH3_64bits of nothing, seed 0: the published vector
  const Hash128 nothing = hash128({});
  EXPECT_EQ(nothing.low, 0x6001c324468d497fULL);
  EXPECT_EQ(nothing.high, 0x99aa06d3014798d8ULL);
}

TEST(Xxh3, TellsApartTextsAndSeeds) {
  std::unordered_set<std::uint64_t> seen;
  std::unordered_set<Hash128> seen128;
  std::string text;
  for (int i = 0; i < 1000; ++i) {
    seen.insert(hash64(text));
    seen128.insert(hash128(as_bytes(text)));
    text += static_cast<char>('a' + i % 3);
  }
  EXPECT_EQ(seen.size(), 1000U);
  EXPECT_EQ(seen128.size(), 1000U);
  EXPECT_NE(hash128(as_bytes("a"), 1), hash128(as_bytes("a"), 2));
  EXPECT_EQ(hash128(as_bytes("a"), 1), hash128(as_bytes("a"), 1));
}

}  // namespace
}  // namespace ringcast
