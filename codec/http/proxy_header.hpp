// codec/http/proxy_header.hpp: the header that a proxy in front puts before a connection's first byte, saying for whom
// it connects: the PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt of 2020).
//
// Thread   any; pure.  Memory  none.
// Failure  a sentence; an empty optional: more is to come.
// Not here whom to believe (engine/access/trusted_proxies.hpp): a header from anybody else is an attempt to pass for
//          another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "alloc/base/bytes.hpp"
#include "alloc/base/result.hpp"
#include "codec/text/ip_address.hpp"

namespace ringcast {

inline constexpr std::size_t kProxyHeaderBytesMax =
    536;  // section 2: what fits the smallest segment; ours have no more

struct ProxyHeader {
  std::size_t bytes = 0;    // of the header: what follows is the client's
  bool has_source = false;  // else the proxy speaks for itself (LOCAL, UNKNOWN), or over something without addresses
  IpAddress source{};
  std::uint16_t port = 0;
};

/// True if these first bytes can be the beginning of such a header and of no HTTP request.
[[nodiscard]] bool looks_like_proxy_header(Bytes input);

[[nodiscard]] Result<std::optional<ProxyHeader>, std::string_view> parse_proxy_header(Bytes input);

}  // namespace ringcast
