#include <gtest/gtest.h>

#include <array>
#include <string>
#include <unordered_set>

#include "alloc/base/bytes.hpp"
#include "codec/hash/base64.hpp"
#include "codec/hash/sha1.hpp"
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
