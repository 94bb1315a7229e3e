// engine/access/trusted_proxies.hpp: whom to believe when he says for whom he connects.
//
// Thread   any; pure.  Memory  none.
// Failure  when in doubt, the peer itself is the client.
// Not here the PROXY protocol's bytes (codec/http/proxy_header.hpp), limits of an address (shared_board.hpp).
#pragma once

#include <span>

#include "codec/http/header_fields.hpp"
#include "codec/text/ip_address.hpp"

namespace ringcast {

[[nodiscard]] bool is_trusted_proxy(std::span<const IpRange> proxies, const IpAddress& peer);

/// The client of a request that came through `peer`: in X-Forwarded-For, from the right, the first address that is not
/// itself a proxy's. What stands further left was written by that client, and proves nothing. A field that cannot be
/// read ends the search at the last address that was believed.
[[nodiscard]] IpAddress forwarded_client(std::span<const IpRange> proxies, const IpAddress& peer,
                                         const HeaderFields& fields);

/// What limits of an address are counted by: an IPv4 address, or the 64 bits of an IPv6 address that a site is given;
/// whoever has one of these has 2^64.
[[nodiscard]] IpAddress site_of(const IpAddress& address);

}  // namespace ringcast
