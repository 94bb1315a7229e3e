// engine/access/token_signer.hpp: signs tokens (`ringcast token`); the only file that knows libjwt.
//
// Owner    none: a function.  Thread  any.
// Memory   libjwt's, from the process's heap, during the call: a few times the token's size.
// Failure  an empty optional: the key cannot sign. OpenSSL's queue of errors is left empty.
// Not here checking tokens (authenticator.hpp): docs/adr/0009 says why not with libjwt.
#pragma once

#include <optional>
#include <string>

#include "engine/access/token_key.hpp"

namespace ringcast {

/// A token with these claims. `claims` is a JSON object; the header gets alg, typ and, if the key has an id, kid.
[[nodiscard]] std::optional<std::string> sign_token(const std::string& claims, const TokenKey& key);

}  // namespace ringcast
