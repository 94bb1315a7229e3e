// engine/session/guard.hpp: what a connection has beside the rest on a node with authentication or limits.
//
// Owner    Connection, behind a pointer that is null on a node with neither.  Thread  the shard's.
// Memory   104 bytes a connection, charged to Purpose::connections; a grant and what it holds beside that.
// Failure  none.
// Not here what is decided with it (access_flow.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "alloc/base/time.hpp"
#include "engine/access/grant.hpp"
#include "engine/access/token_bucket.hpp"
#include "engine/time/timer_wheel.hpp"

namespace ringcast {

struct Guard {
  explicit Guard(std::uint32_t slot) : timer{slot} {}

  TimerEntry timer;              // the next of the instants below; its tag is the connection's slot
  std::unique_ptr<Grant> grant;  // null: nobody yet, or nobody has to authenticate
  std::size_t grant_bytes = 0;   // charged for it
  Instant authenticate_by = Instant::max();
  Instant ends_at = Instant::max();  // its lifetime is over
  TokenBucket commands, publishes;
  std::uint64_t site = 0;              // names its address on the node's boards
  std::uint64_t user = 0;              // names its user there
  bool counted : 1 = false;            // one of the address's connections
  bool over_address : 1 = false;       // one too many: to be told 429
  bool proxied : 1 = false;            // its peer is a trusted proxy, and the connection's address is not yet known
  bool proxy_header_read : 1 = false;  // there is one at most
  bool noticed : 1 = false;            // was told that its token expires
};
static_assert(sizeof(Guard) <= 104, "docs/memory.md");

}  // namespace ringcast
