#include "engine/access/trusted_proxies.hpp"

#include <algorithm>

#include "codec/http/url.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kForwardedFor = "X-Forwarded-For";

/// "192.0.2.7", "192.0.2.7:4711", "2001:db8::7", "[2001:db8::7]:4711": proxies write all of these.
std::optional<IpAddress> address_in(std::string_view element) {
  if (const auto address = parse_ip_address(element)) return address;
  const auto with_port = split_host_port(element);
  return with_port ? parse_ip_address(with_port->host) : std::nullopt;
}

/// Takes the last element of a list, trimmed; a list of fields is read from its end.
std::string_view take_last(std::string_view& rest) {
  const std::size_t comma = rest.rfind(',');
  const std::string_view last = comma == std::string_view::npos ? rest : rest.substr(comma + 1);
  rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(0, comma);
  return trimmed(last);
}

}  // namespace

bool is_trusted_proxy(std::span<const IpRange> proxies, const IpAddress& peer) {
  return std::ranges::any_of(proxies, [&](const IpRange& range) { return range.contains(peer); });
}

IpAddress forwarded_client(std::span<const IpRange> proxies, const IpAddress& peer, const HeaderFields& fields) {
  IpAddress believed = peer;
  if (!is_trusted_proxy(proxies, peer)) return believed;
  for (const HeaderField* field = fields.end(); field != fields.begin();) {
    --field;
    if (!equals_ignoring_case(field->name, kForwardedFor)) continue;
    std::string_view rest = field->value;
    while (!rest.empty()) {
      const auto address = address_in(take_last(rest));
      if (!address) return believed;
      believed = *address;
      if (!is_trusted_proxy(proxies, believed)) return believed;
    }
  }
  return believed;
}

IpAddress site_of(const IpAddress& address) {
  IpAddress site = address;
  if (!is_ipv4(address)) std::fill(site.begin() + 8, site.end(), std::uint8_t{0});
  return site;
}

}  // namespace ringcast
