#include "engine/access/token_key.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "codec/hash/base64.hpp"
#include "codec/hash/xxh3.hpp"
#include "codec/text/json.hpp"
#include "engine/access/public_key.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kPemBegin = "-----BEGIN ";

TokenKey make_key(TokenAlgorithm algorithm, std::string id, std::string material) {
  const Hash128 hash = hash128(as_bytes(material), std::to_underlying(algorithm));
  return {.algorithm = algorithm,
          .id = std::move(id),
          .material = std::move(material),
          .mark = hash.low ^ hash.high,
          .verifier = std::nullopt};
}

/// A public key, ready for use. `pem` is one block.
Result<TokenKey, std::string> public_key(TokenAlgorithm algorithm, std::string id, std::string_view pem, Bytes der) {
  TokenKey key = make_key(algorithm, std::move(id), std::string{pem});
  key.verifier = SignatureKey::make(
      algorithm == TokenAlgorithm::rs256 ? SignatureKind::rsa_sha256 : SignatureKind::ecdsa_p256_sha256, der);
  if (!key.verifier) return unexpected(std::string{"libcrypto does not take the key: is its point on the curve?"});
  return key;
}

TokenAlgorithm algorithm_of(KeyMaterial material) {
  return material == KeyMaterial::rsa ? TokenAlgorithm::rs256 : TokenAlgorithm::es256;
}

Result<TokenKey, std::string> secret_key(std::string_view secret, std::string id) {
  if (secret.size() < kSecretBytesMin) {
    return unexpected("a secret of " + std::to_string(secret.size()) + " bytes is too short for HS256: " +
                      std::to_string(kSecretBytesMin) + " random bytes at least (head -c 32 /dev/urandom | base64)");
  }
  if (secret.size() > kSecretBytesMax) {
    return unexpected("a secret has at most " + std::to_string(kSecretBytesMax) +
                      " bytes: is this the file of a key at all?");
  }
  TokenKey key = make_key(TokenAlgorithm::hs256, std::move(id), std::string{secret});
  key.verifier = SignatureKey::make(SignatureKind::hmac_sha256, as_bytes(secret));
  return key;
}

std::optional<std::string> fault_of(const KeyShape& shape) {
  if (shape.material != KeyMaterial::rsa) return std::nullopt;
  if (shape.bits < kRsaBitsMin) {
    return "an RSA key of " + std::to_string(shape.bits) +
           " bits is too short for RS256: " + std::to_string(kRsaBitsMin) + " at least";
  }
  if (shape.bits > kRsaBitsMax) {
    return "an RSA key of " + std::to_string(shape.bits) +
           " bits makes each token slow to check: " + std::to_string(kRsaBitsMax) + " at most";
  }
  return std::nullopt;
}

std::string_view without_newline(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

/// A string member of a JWK, still escaped; absent or of another type: nothing. No member that matters has escapes.
std::optional<std::string_view> text_member(const JsonReader& jwk, std::string_view name) {
  const JsonValue* value = jwk.find(name);
  if (value == nullptr || value->kind != JsonKind::string || value->has_escapes) return std::nullopt;
  return value->inside_quotes();
}

std::optional<std::vector<std::uint8_t>> bytes_member(const JsonReader& jwk, std::string_view name) {
  const auto text = text_member(jwk, name);
  if (!text || text->empty()) return std::nullopt;
  std::vector<std::uint8_t> bytes(base64url_decoded_bytes(text->size()));
  if (!base64url_decode(*text, bytes)) return std::nullopt;
  return bytes;
}

enum class JwkVerdict : std::uint8_t { taken, skipped };
using JwkResult = Result<JwkVerdict, std::string>;

/// What `alg` and `use` say about a key that would be used with `algorithm`.
bool is_for(const JsonReader& jwk, TokenAlgorithm algorithm) {
  if (jwk.find("use") != nullptr && text_member(jwk, "use") != "sig") return false;
  return jwk.find("alg") == nullptr || text_member(jwk, "alg") == name_of(algorithm);
}

class JwkSetReader {
 public:
  JwkResult take(std::string_view text) {
    const auto kind = jwk_.read(text);
    if (!kind) return unexpected(std::string{kind.error().sentence});
    if (*kind != JsonKind::object) return unexpected(std::string{"is no object"});
    const auto kty = text_member(jwk_, "kty");
    if (kty == "RSA") return take_rsa();
    if (kty == "EC") return take_ec();
    if (kty == "oct") return take_oct();
    return JwkVerdict::skipped;
  }
  std::vector<TokenKey> keys;

 private:
  Result<std::string, std::string> id() {
    const JsonValue* kid = jwk_.find("kid");
    if (kid == nullptr) return std::string{};
    if (kid->kind != JsonKind::string) return unexpected(std::string{"kid is no string"});
    std::string id{jwk_.string_of(*kid)};
    if (id.empty() || id.size() > kKeyIdBytesMax) return unexpected(std::string{"kid has 1 to 255 bytes"});
    const auto same = [&](const TokenKey& key) { return key.id == id; };
    if (std::ranges::any_of(keys, same)) return unexpected("kid '" + id + "' stands twice");
    return id;
  }
  JwkResult keep(Result<TokenKey, std::string> key) {
    if (!key) return unexpected(std::move(key.error()));
    keys.push_back(std::move(*key));
    return JwkVerdict::taken;
  }
  JwkResult take_rsa() {
    if (!is_for(jwk_, TokenAlgorithm::rs256)) return JwkVerdict::skipped;
    const auto modulus = bytes_member(jwk_, "n");
    const auto exponent = bytes_member(jwk_, "e");
    if (!modulus || !exponent) return unexpected(std::string{"an RSA key has n and e in base64url"});
    auto name = id();
    if (!name) return unexpected(std::move(name.error()));
    if (modulus->size() > kRsaBitsMax / 8 + 1 || exponent->size() > 8) {  // no exponent in use has more than 4
      return unexpected(std::string{"n or e is too long"});
    }
    std::string pem = rsa_public_pem(*modulus, *exponent);
    const auto blocks = read_pem(pem);
    const auto shape = blocks ? shape_of_public_key(blocks->front().der) : std::nullopt;
    if (!shape) return unexpected(std::string{"n or e is no positive number"});
    if (const auto fault = fault_of(*shape)) return unexpected(*fault);
    return keep(public_key(TokenAlgorithm::rs256, std::move(*name), pem, blocks->front().der));
  }
  JwkResult take_ec() {
    if (text_member(jwk_, "crv") != "P-256" || !is_for(jwk_, TokenAlgorithm::es256)) return JwkVerdict::skipped;
    const auto x = bytes_member(jwk_, "x");
    const auto y = bytes_member(jwk_, "y");
    if (!x || !y || x->size() != kP256CoordinateBytes || y->size() != kP256CoordinateBytes) {
      return unexpected(std::string{"a P-256 key has x and y, 32 bytes each in base64url"});
    }
    auto name = id();
    if (!name) return unexpected(std::move(name.error()));
    const std::string pem = p256_public_pem(*x, *y);
    const auto blocks = read_pem(pem);
    return keep(public_key(TokenAlgorithm::es256, std::move(*name), pem, blocks->front().der));
  }
  JwkResult take_oct() {
    if (!is_for(jwk_, TokenAlgorithm::hs256)) return JwkVerdict::skipped;
    const auto secret = bytes_member(jwk_, "k");
    if (!secret) return unexpected(std::string{"an oct key has k in base64url"});
    auto name = id();
    if (!name) return unexpected(std::move(name.error()));
    return keep(secret_key(as_text(*secret), std::move(*name)));
  }

  JsonReader jwk_;
};

}  // namespace

std::string_view name_of(TokenAlgorithm algorithm) {
  constexpr std::array<std::string_view, 3> kNames{"HS256", "RS256", "ES256"};
  return kNames[std::to_underlying(algorithm)];
}

Result<std::vector<TokenKey>, std::string> read_verify_keys(std::string_view text) {
  if (!text.contains(kPemBegin)) {
    auto secret = secret_key(without_newline(text), {});
    if (!secret) return unexpected(std::move(secret.error()));
    return std::vector{std::move(*secret)};
  }
  const auto blocks = read_pem(text);
  if (!blocks || blocks->empty()) return unexpected(std::string{"a PEM block does not end, or is not base64"});
  std::vector<TokenKey> keys;
  for (const PemBlock& block : *blocks) {
    if (block.label.ends_with("PRIVATE KEY")) {
      return unexpected(
          std::string{"holds a private key, which a node does not need: give it the public one "
                      "(openssl pkey -in KEY -pubout)"});
    }
    if (block.label != "PUBLIC KEY") {
      return unexpected("holds a PEM block '" + std::string{block.label} + "'; only PUBLIC KEY is read");
    }
    const auto shape = shape_of_public_key(block.der);
    if (!shape) return unexpected(std::string{"holds a public key that is neither RSA nor P-256"});
    if (const auto fault = fault_of(*shape)) return unexpected(*fault);
    auto key = public_key(algorithm_of(shape->material), {}, std::string{block.text} + '\n', block.der);
    if (!key) return unexpected(std::move(key.error()));
    keys.push_back(std::move(*key));
  }
  if (keys.size() > kTokenKeysMax) {
    return unexpected("holds " + std::to_string(keys.size()) + " keys; " + std::to_string(kTokenKeysMax) + " at most");
  }
  return keys;
}

Result<TokenKey, std::string> read_secret(std::string_view text) { return secret_key(text, {}); }

Result<JwkSet, std::string> read_jwk_set(std::string_view text) {
  JsonReader reader;
  const auto kind = reader.read(text);
  if (!kind) {
    return unexpected("is not JSON (at byte " + std::to_string(kind.error().at) +
                      "): " + std::string{kind.error().sentence});
  }
  const JsonValue* keys = reader.find("keys");
  if (keys == nullptr || keys->kind != JsonKind::array)
    return unexpected(std::string{"is no JWK set: keys is missing"});
  JwkSetReader set;
  JwkSet result;
  std::size_t number = 0;
  ArrayWalk walk{keys->text};
  while (const auto element = walk.next()) {
    ++number;
    const JwkResult taken = set.take(element->text);
    if (!taken) return unexpected("key " + std::to_string(number) + ": " + taken.error());
    if (*taken == JwkVerdict::skipped) ++result.skipped;
  }
  if (set.keys.empty()) {
    return unexpected("none of its " + std::to_string(number) + " keys is for RS256, ES256 or HS256");
  }
  if (set.keys.size() > kTokenKeysMax) {
    return unexpected("holds " + std::to_string(set.keys.size()) + " keys; " + std::to_string(kTokenKeysMax) +
                      " at most");
  }
  result.keys = std::move(set.keys);
  return result;
}

Result<TokenKey, std::string> read_signing_key(std::string_view text) {
  if (!text.contains(kPemBegin)) return secret_key(without_newline(text), {});
  const auto blocks = read_pem(text);
  if (!blocks || blocks->empty()) return unexpected(std::string{"a PEM block does not end, or is not base64"});
  for (const PemBlock& block : *blocks) {  // "EC PARAMETERS" may stand in front
    if (block.label == "RSA PRIVATE KEY") {
      return make_key(TokenAlgorithm::rs256, {}, std::string{block.text} + '\n');
    }
    if (block.label == "EC PRIVATE KEY") {
      return make_key(TokenAlgorithm::es256, {}, std::string{block.text} + '\n');
    }
    if (block.label == "ENCRYPTED PRIVATE KEY") {
      return unexpected(std::string{"is encrypted: decrypt it first (openssl pkey -in KEY)"});
    }
    if (block.label == "PRIVATE KEY") {
      const auto shape = shape_of_private_key(block.der);
      if (!shape) return unexpected(std::string{"holds a private key that is neither RSA nor P-256"});
      if (const auto fault = fault_of(*shape)) return unexpected(*fault);
      return make_key(algorithm_of(shape->material), {}, std::string{block.text} + '\n');
    }
  }
  return unexpected(std::string{"holds no private key: a token is signed with one"});
}

}  // namespace ringcast
