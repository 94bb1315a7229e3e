// tools/load/own_wires.hpp: the wires of ringcast itself: native, binary, raw streams of the exchange dialect, captured
// feeds.
//
// Owner    the run.  Thread  see wire.hpp.  Memory  native and binary: a number a channel.  Failure  see wire.hpp.
#pragma once

#include <memory>
#include <span>

#include "tools/load/feed_verifier.hpp"
#include "tools/load/wire.hpp"

namespace ringcast {

/// native: subscribers of the native dialect, any number of channels each, everything verified by `seq` as well.
[[nodiscard]] std::unique_ptr<Wire> make_native_wire();
/// binary: the same in the binary dialect, published as records too.
[[nodiscard]] std::unique_ptr<Wire> make_binary_wire();
/// raw: each subscriber has one stream and receives the payloads alone.
[[nodiscard]] std::unique_ptr<Wire> make_raw_wire();
/// For --feed: the exchange dialect, raw and combined. Both references outlive the wire.
[[nodiscard]] std::unique_ptr<Wire> make_feed_wire(const Feed& feed, const FeedClock& clock);

/// Those that --wire of `ringcast load` names.
[[nodiscard]] std::span<const WireRow> own_wires();

}  // namespace ringcast
