// tests/engine/access/token_fixture.hpp: tokens as strangers make them: any header, any claims, any key.
//
// Owner    the test.  Thread  one.  Memory  none.  Failure  ensure(): a token that was to be made is.
#pragma once

#include <string>
#include <string_view>

#include "alloc/base/ensure.hpp"
#include "codec/hash/base64.hpp"
#include "engine/access/token_signer.hpp"

namespace ringcast {

inline std::string base64url(std::string_view text) {
  std::string out(base64url_encoded_bytes(text.size()), '\0');
  base64url_encode(as_bytes(text), out);
  return out;
}
inline std::string from_base64url(std::string_view text) {
  std::string out(base64url_decoded_bytes(text.size()), '\0');
  const auto bytes = base64url_decode(text, {reinterpret_cast<std::uint8_t*>(out.data()), out.size()});
  ensure(bytes.has_value(), "what is to be base64url is");
  return out;
}

inline TokenKey secret_of(std::string_view secret) { return *read_secret(secret); }

/// Signed by libjwt: header and claims as they usually are.
inline std::string signed_token(std::string_view claims, const TokenKey& key) {
  const auto token = sign_token(std::string{claims}, key);
  ensure(token.has_value(), "a token can be signed");
  return *token;
}

}  // namespace ringcast
