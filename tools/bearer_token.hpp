// tools/bearer_token.hpp: --token, --token-file and RINGCAST_TOKEN, the same for every command that connects.
//
// Owner    the command's options.  Thread  main.  Memory  the token.
// Failure  a sentence, which never has the token in it: whoever reads our stderr shall not become its user.
// Not here how it is said to the server (client/client_handshake), issuing one (token.cpp).
#pragma once

#include <optional>
#include <string>

#include "alloc/base/result.hpp"
#include "tools/client/endpoint.hpp"

namespace CLI {
class App;
}

namespace ringcast {

inline constexpr const char* kTokenVariable = "RINGCAST_TOKEN";

struct BearerOptions {
  std::optional<std::string> token;  // as it was given
  std::optional<std::string> file;   // or where it is
};

void add_bearer_options(CLI::App& command, BearerOptions& options);

/// The token that was given, that of the file, or that of the environment; empty: none.
[[nodiscard]] Result<std::string, std::string> read_token(const BearerOptions& options);

/// The same place, with the token for it.
[[nodiscard]] Result<Endpoint, std::string> with_token(Endpoint endpoint, const BearerOptions& options);

}  // namespace ringcast
