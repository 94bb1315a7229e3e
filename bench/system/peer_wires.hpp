// bench/system/peer_wires.hpp: how the servers that ringcast is compared with are spoken to.
//
// The little servers of bench/system/peers share one form (/sub, /pub); nchan has its paths; all carry bare payloads.
//
// Owner    the run.  Thread  see tools/load/wire.hpp.  Memory  none of its own.  Failure  see tools/load/wire.hpp.
// Not here NATS (nats_wire.hpp), the limit program (limit_wire.hpp).
#pragma once

#include <memory>

#include "tools/load/wire.hpp"

namespace ringcast {

/// A hub: subscribers open /sub/<channel> and are told "joined"; publishers open /pub and send `<channel>` LF payload.
/// Takes captured feeds as well, a channel a stream.
[[nodiscard]] std::unique_ptr<Wire> make_hub_wire();
/// nchan: /sub/<channel> and /pub/<channel>, one publishing connection a channel.
[[nodiscard]] std::unique_ptr<Wire> make_nchan_wire();

}  // namespace ringcast
