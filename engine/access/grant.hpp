// engine/access/grant.hpp: who a client is and what it may do: what remains of a token once it was checked.
//
// Owner    the connection that presented it, by value behind a pointer.  Thread  the shard's.
// Memory   the names and patterns of the token: at most 20 times its bytes (a pattern of few characters is the worst),
//          typically 300 bytes with two patterns. grant_bytes() says how many.
// Failure  none: what a token may not say was refused when it was read.
// Not here reading tokens (authenticator.hpp), what an operation is refused with (session).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/time.hpp"
#include "codec/text/pattern.hpp"

namespace ringcast {

struct Grant {
  std::string user;                // sub
  std::string token_id;            // jti; may be empty
  std::vector<Pattern> subscribe;  // channels that may be read
  std::vector<Pattern> publish;    // channels that may be written
  WallTime issued{};               // iat; 1970 if the token does not say
  WallTime expires{};              // exp and the clock skew: from here on it is worth nothing
  std::uint64_t key = 0;           // TokenKey::mark of the key that signed it
  std::uint32_t max_rate = 0;      // messages a second of each subscription; 0: no bound
  bool conflate = false;           // every subscription conflates
  bool admin = false;              // may use the admin port, and read channels in `$`

  /// Channels in `$` are for administrators, whatever the patterns say. A user's own channel is always theirs;
  /// another's needs a pattern that spells `user:` out.
  [[nodiscard]] bool may_subscribe(std::string_view channel) const;
  [[nodiscard]] bool may_publish(std::string_view channel) const;
  /// False: no channel that this pattern matches may be subscribed to, as far as the beginnings tell that both spell
  /// out. True does not mean that any may: each is asked about when it is bound.
  [[nodiscard]] bool may_subscribe_within(std::string_view pattern) const;
  [[nodiscard]] bool owns(std::string_view channel) const;
};

/// Bytes held beside the Grant itself.
[[nodiscard]] std::size_t grant_bytes(const Grant& grant);

}  // namespace ringcast
