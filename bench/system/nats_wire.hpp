// bench/system/nats_wire.hpp: nats-server over WebSocket: the client protocol in binary frames.
//
// Owner    the run.  Thread  see tools/load/wire.hpp.  Memory  a stream a connection.
// Failure  -ERR before a subscriber has joined ends the run; afterwards it is a refusal.
#pragma once

#include <memory>

#include "tools/load/wire.hpp"

namespace ringcast {

[[nodiscard]] std::unique_ptr<Wire> make_nats_wire();

}  // namespace ringcast
