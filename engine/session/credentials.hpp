// engine/session/credentials.hpp: where in a request a token may be.
//
// Thread  any; pure.  Memory  the caller's scratch; the token is a view into it or into the request.
// Failure  a sentence: the token is in two places, or in one of them not as it must be. None of them ever says it.
// Not here whether it is good (access/authenticator.hpp), the `auth` message (access_flow.cpp).
//
// Programs send `Authorization: Bearer T`. A browser's page cannot: it offers the subprotocol `bearer.T` beside
// `ringcast.v1.json`, which the answer then names; or it writes ?token=T, which ends up in the logs of everybody on the
// way but us.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "alloc/base/result.hpp"
#include "codec/http/request_head.hpp"

namespace ringcast {

inline constexpr std::string_view kBearerSubprotocol = "bearer.";  // and the token behind it

enum class TokenWay : std::uint8_t { header, subprotocol, query, message };

struct Credentials {
  TokenWay way{};
  std::string_view token;
};

/// scratch  at least kTokenBytesMax; what a percent-encoded ?token= means. A longer one is left as it is, too large.
[[nodiscard]] Result<std::optional<Credentials>, std::string_view> find_credentials(const RequestHead& head,
                                                                                    std::span<char> scratch);

}  // namespace ringcast
