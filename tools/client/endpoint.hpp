// tools/client/endpoint.hpp: where a tool connects to: ws:// or wss://host:port/path?query, or unix:/path[:/target].
//
// Owner    the caller, by value.  Thread  any.  Memory  its strings.
// Failure  a sentence that names the URL and what is wrong with it.
// Not here opening sockets (socket.hpp), the request (client_handshake.hpp).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "alloc/base/result.hpp"
#include "codec/dialect/command.hpp"
#include "tools/client/tls_trust.hpp"

namespace ringcast {

inline constexpr std::string_view kNativeTarget = "/ws/connect";  // protocol.md section 2: native from the start

struct Endpoint {
  std::string host;  // without brackets; empty for a Unix socket
  std::uint16_t port = 0;
  std::string unix_path;    // empty for TCP
  std::string authority;    // what goes into Host
  std::string target;       // path and query as written; empty: the URL names neither
  std::string text;         // as the user wrote it, for messages; without the token that its query may carry
  std::string subprotocol;  // asked for, and demanded; empty: none
  std::string token;        // a JSON Web Token, said in Authorization and nowhere else; empty: none
  bool secure = false;      // by TLS
  std::shared_ptr<const TlsTrust> trust{};  // secure: set by who connects, before it does
};

/// Reads a URL.
[[nodiscard]] Result<Endpoint, std::string> parse_endpoint(std::string_view url);

/// Reads a URL, and whom to believe if it is a secure one.
[[nodiscard]] Result<Endpoint, std::string> parse_endpoint(std::string_view url, const TlsTrustOptions& options);

/// The same place with the native dialect's path where the URL names none.
[[nodiscard]] Endpoint with_native_target(Endpoint endpoint);

/// The same with the user's own channel resumed behind `point` (protocol.md section 3).
[[nodiscard]] Endpoint with_since(Endpoint endpoint, const ResumePoint& point);

/// The same with the binary dialect asked for.
[[nodiscard]] Endpoint with_binary_target(Endpoint endpoint);

/// The same place with the exchange dialect's path for these streams: /ws/<one>, or /stream?streams=<a>/<b>.
/// The query that the URL carries (user=, say) is kept.
[[nodiscard]] Endpoint with_exchange_target(Endpoint endpoint, std::span<const std::string> streams, bool combined);

/// Percent-encodes everything but unreserved characters and those that stream names are made of (@ : ! $ , ;).
[[nodiscard]] std::string percent_encode(std::string_view text);

}  // namespace ringcast
