#include "engine/access/token_signer.hpp"

#include <jwt.h>

#include <cstdlib>
#include <memory>
#include <utility>

#include "codec/hash/crypto_errors.hpp"

namespace ringcast {
namespace {

struct FreeJwt {
  void operator()(jwt_t* jwt) const { jwt_free(jwt); }
};
struct FreeText {
  void operator()(char* text) const { std::free(text); }  // libjwt's allocator is malloc
};

jwt_alg_t to_jwt(TokenAlgorithm algorithm) {
  switch (algorithm) {
    case TokenAlgorithm::hs256: return JWT_ALG_HS256;
    case TokenAlgorithm::rs256: return JWT_ALG_RS256;
    case TokenAlgorithm::es256: return JWT_ALG_ES256;
  }
  return JWT_ALG_INVAL;
}

}  // namespace

std::optional<std::string> sign_token(const std::string& claims, const TokenKey& key) {
  jwt_t* made = nullptr;
  if (jwt_new(&made) != 0) return std::nullopt;
  const std::unique_ptr<jwt_t, FreeJwt> jwt{made};
  const auto* material = reinterpret_cast<const unsigned char*>(key.material.data());
  std::optional<std::string> token;
  const bool ready = jwt_add_grants_json(made, claims.c_str()) == 0 &&
                     (key.id.empty() || jwt_add_header(made, "kid", key.id.c_str()) == 0) &&
                     jwt_set_alg(made, to_jwt(key.algorithm), material, static_cast<int>(key.material.size())) == 0;
  if (ready) {
    if (const std::unique_ptr<char, FreeText> text{jwt_encode_str(made)}) token = text.get();
  }
  forget_crypto_errors();
  return token;
}

}  // namespace ringcast
