// codec/text/ip_address.hpp: addresses of the internet as bytes and as text, and ranges of them.
//
// Thread  any.  Memory  none, but for the text that is asked for.  Failure  an empty optional: not an address.
// Not here names and their resolution, ports (http/url.hpp).
//
// One form for both families, as sockets with both have it: IPv4 is ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ringcast {

using IpAddress = std::array<std::uint8_t, 16>;

[[nodiscard]] IpAddress ipv4_address(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d);
[[nodiscard]] bool is_ipv4(const IpAddress& address);
/// 127.0.0.0/8 or ::1.
[[nodiscard]] bool is_loopback(const IpAddress& address);

/// "192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7"; no brackets, port or zone. Numbers of IPv4 have no leading zeros.
[[nodiscard]] std::optional<IpAddress> parse_ip_address(std::string_view text);
/// As RFC 5952 writes it; IPv4 with dots.
[[nodiscard]] std::string to_text(const IpAddress& address);

/// All addresses that begin with the same bits.
struct IpRange {
  IpAddress first{};
  std::uint8_t bits = 128;  // of the 128; an IPv4 range of /8 has 104

  [[nodiscard]] bool contains(const IpAddress& address) const;
  bool operator==(const IpRange&) const = default;
};
/// "10.0.0.0/8", "2001:db8::/32", or one address. Bits behind the prefix must be zero: "10.1.2.3/8" is a slip.
[[nodiscard]] std::optional<IpRange> parse_ip_range(std::string_view text);

}  // namespace ringcast
