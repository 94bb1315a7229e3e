#include "engine/access/public_key.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "alloc/base/ensure.hpp"
#include "codec/hash/base64.hpp"

namespace ringcast {
namespace {

// DER tags, X.690.
constexpr std::uint8_t kInteger = 0x02;
constexpr std::uint8_t kBitString = 0x03;
constexpr std::uint8_t kOctetString = 0x04;
constexpr std::uint8_t kNull = 0x05;
constexpr std::uint8_t kObject = 0x06;
constexpr std::uint8_t kSequence = 0x30;

// Object identifiers: RFC 8017 appendix C, RFC 5480 section 2.1.1.
constexpr std::array<std::uint8_t, 9> kRsaEncryption{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
constexpr std::array<std::uint8_t, 7> kEcPublicKey{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
constexpr std::array<std::uint8_t, 8> kPrime256v1{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

constexpr std::uint8_t kUncompressedPoint = 0x04;  // SEC 1 section 2.3.3
constexpr std::size_t kPointBytes = 1 + 2 * kP256CoordinateBytes;

bool equal(Bytes left, Bytes right) { return std::ranges::equal(left, right); }

/// Takes definite-length elements off the front, and nothing that is not DER.
class DerReader {
 public:
  explicit DerReader(Bytes der) : rest_{der} {}

  /// The content of the next element, if it has this tag.
  std::optional<Bytes> take(std::uint8_t tag) {
    if (rest_.size() < 2 || rest_[0] != tag) return std::nullopt;
    std::size_t length = rest_[1];
    std::size_t head = 2;
    if (length >= 0x80) {  // the low bits say how many bytes the length has; keys need two at most
      const std::size_t bytes = length & 0x7f;
      if (bytes == 0 || bytes > 2 || rest_.size() < 2 + bytes) return std::nullopt;
      length = 0;
      for (std::size_t i = 0; i < bytes; ++i) length = length << 8 | rest_[2 + i];
      if (length < 0x80 || (bytes == 2 && length < 0x100)) return std::nullopt;  // not the shortest form
      head += bytes;
    }
    if (rest_.size() - head < length) return std::nullopt;
    const Bytes content = rest_.subspan(head, length);
    rest_ = rest_.subspan(head + length);
    return content;
  }
  [[nodiscard]] bool ended() const { return rest_.empty(); }

 private:
  Bytes rest_;
};

/// The bits of a positive INTEGER's content.
std::optional<std::size_t> bits_of(Bytes integer) {
  if (integer.empty() || (integer[0] & 0x80) != 0) return std::nullopt;
  if (integer[0] == 0) integer = integer.subspan(1);
  if (integer.empty() || integer[0] == 0) return std::nullopt;
  return integer.size() * 8 - static_cast<std::size_t>(std::countl_zero(integer[0]));
}

std::optional<KeyMaterial> material_of(Bytes algorithm) {
  DerReader reader{algorithm};
  const auto object = reader.take(kObject);
  if (!object) return std::nullopt;
  if (equal(*object, kRsaEncryption)) {
    const auto null = reader.take(kNull);
    return null && null->empty() && reader.ended() ? std::optional{KeyMaterial::rsa} : std::nullopt;
  }
  if (!equal(*object, kEcPublicKey)) return std::nullopt;
  const auto curve = reader.take(kObject);
  return curve && equal(*curve, kPrime256v1) && reader.ended() ? std::optional{KeyMaterial::p256} : std::nullopt;
}

void append_der(std::vector<std::uint8_t>& out, std::uint8_t tag, std::initializer_list<Bytes> parts) {
  std::size_t length = 0;
  for (const Bytes part : parts) length += part.size();
  ensure(length < 0x10000, "the parts of a key have at most 64 KiB");
  out.push_back(tag);
  if (length < 0x80) {
    out.push_back(static_cast<std::uint8_t>(length));
  } else if (length < 0x100) {
    out.push_back(0x81);
    out.push_back(static_cast<std::uint8_t>(length));
  } else {
    out.push_back(0x82);
    out.push_back(static_cast<std::uint8_t>(length >> 8));
    out.push_back(static_cast<std::uint8_t>(length));
  }
  for (const Bytes part : parts) out.insert(out.end(), part.begin(), part.end());
}
std::vector<std::uint8_t> der(std::uint8_t tag, std::initializer_list<Bytes> parts) {
  std::vector<std::uint8_t> out;
  append_der(out, tag, parts);
  return out;
}
/// A positive INTEGER without needless zeros.
std::vector<std::uint8_t> integer(Bytes number) {
  while (number.size() > 1 && number[0] == 0) number = number.subspan(1);
  constexpr std::array<std::uint8_t, 1> kZero{0};
  const bool looks_negative = number.empty() || (number[0] & 0x80) != 0;
  return der(kInteger, {looks_negative ? Bytes{kZero} : Bytes{}, number});
}
/// A BIT STRING of whole bytes.
std::vector<std::uint8_t> bit_string(Bytes content) {
  constexpr std::array<std::uint8_t, 1> kNoUnusedBits{0};
  return der(kBitString, {kNoUnusedBits, content});
}

std::string public_pem(Bytes spki) {
  constexpr std::size_t kLineCharacters = 64;  // RFC 7468 section 2
  std::string digits(base64_encoded_bytes(spki.size()), '\0');
  base64_encode(spki, digits);
  std::string pem = "-----BEGIN PUBLIC KEY-----\n";
  for (std::size_t at = 0; at < digits.size(); at += kLineCharacters) {
    pem.append(digits, at, kLineCharacters).push_back('\n');
  }
  return pem += "-----END PUBLIC KEY-----\n";
}

}  // namespace

std::optional<std::vector<PemBlock>> read_pem(std::string_view text) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  constexpr std::string_view kEnd = "-----END ";
  constexpr std::string_view kDashes = "-----";
  std::vector<PemBlock> blocks;
  for (std::size_t at = text.find(kBegin); at != std::string_view::npos; at = text.find(kBegin, at)) {
    const std::size_t label = at + kBegin.size();
    const std::size_t label_end = text.find(kDashes, label);
    if (label_end == std::string_view::npos) return std::nullopt;
    PemBlock block{.label = text.substr(label, label_end - label), .text = {}, .der = {}};
    const std::string last = std::string{kEnd}.append(block.label).append(kDashes);
    const std::size_t content = label_end + kDashes.size();
    const std::size_t end = text.find(last, content);
    if (end == std::string_view::npos) return std::nullopt;
    block.text = text.substr(at, end + last.size() - at);
    std::string digits{text.substr(content, end - content)};
    std::erase_if(digits, [](char c) { return c == '\n' || c == '\r' || c == ' ' || c == '\t'; });
    block.der.resize(digits.size());
    const auto decoded = base64_decode(digits, block.der);
    if (!decoded || decoded->empty()) return std::nullopt;
    block.der.resize(decoded->size());
    blocks.push_back(std::move(block));
    at = end + last.size();
  }
  return blocks;
}

std::optional<KeyShape> shape_of_public_key(Bytes der) {
  DerReader outer{der};
  const auto info = outer.take(kSequence);
  if (!info || !outer.ended()) return std::nullopt;
  DerReader reader{*info};
  const auto algorithm = reader.take(kSequence);
  const auto bits = reader.take(kBitString);
  if (!algorithm || !bits || !reader.ended() || bits->empty() || (*bits)[0] != 0) return std::nullopt;
  const auto material = material_of(*algorithm);
  if (!material) return std::nullopt;
  const Bytes key = bits->subspan(1);
  if (*material == KeyMaterial::p256) {
    if (key.size() != kPointBytes || key[0] != kUncompressedPoint) return std::nullopt;
    return KeyShape{.material = *material, .bits = 256};
  }
  DerReader numbers{key};
  const auto sequence = numbers.take(kSequence);
  if (!sequence || !numbers.ended()) return std::nullopt;
  DerReader pair{*sequence};
  const auto modulus = pair.take(kInteger);
  const auto exponent = pair.take(kInteger);
  if (!modulus || !exponent || !pair.ended() || !bits_of(*exponent)) return std::nullopt;
  const auto modulus_bits = bits_of(*modulus);
  if (!modulus_bits) return std::nullopt;
  return KeyShape{.material = *material, .bits = *modulus_bits};
}

std::optional<KeyShape> shape_of_private_key(Bytes der) {
  DerReader outer{der};
  const auto info = outer.take(kSequence);
  if (!info || !outer.ended()) return std::nullopt;
  DerReader reader{*info};
  const auto version = reader.take(kInteger);
  const auto algorithm = reader.take(kSequence);
  const auto key = reader.take(kOctetString);  // attributes may follow
  if (!version || !algorithm || !key) return std::nullopt;
  const auto material = material_of(*algorithm);
  if (!material) return std::nullopt;
  if (*material == KeyMaterial::p256) return KeyShape{.material = *material, .bits = 256};
  DerReader numbers{*key};  // RSAPrivateKey: version, modulus, …
  const auto sequence = numbers.take(kSequence);
  if (!sequence) return std::nullopt;
  DerReader parts{*sequence};
  if (!parts.take(kInteger)) return std::nullopt;
  const auto modulus = parts.take(kInteger);
  const auto bits = modulus ? bits_of(*modulus) : std::nullopt;
  if (!bits) return std::nullopt;
  return KeyShape{.material = *material, .bits = *bits};
}

std::string rsa_public_pem(Bytes modulus, Bytes exponent) {
  const auto algorithm = der(kSequence, {der(kObject, {kRsaEncryption}), der(kNull, {})});
  const auto numbers = der(kSequence, {integer(modulus), integer(exponent)});
  return public_pem(der(kSequence, {algorithm, bit_string(numbers)}));
}

std::string p256_public_pem(Bytes x, Bytes y) {
  ensure(x.size() == kP256CoordinateBytes && y.size() == kP256CoordinateBytes, "a coordinate of P-256 has 32 bytes");
  const auto algorithm = der(kSequence, {der(kObject, {kEcPublicKey}), der(kObject, {kPrime256v1})});
  std::vector<std::uint8_t> point{kUncompressedPoint};
  point.insert(point.end(), x.begin(), x.end());
  point.insert(point.end(), y.begin(), y.end());
  return public_pem(der(kSequence, {algorithm, bit_string(point)}));
}

}  // namespace ringcast
