#include "engine/access/origin_check.hpp"

#include <algorithm>
#include <cctype>

#include "codec/http/header_fields.hpp"
#include "codec/http/url.hpp"

namespace ringcast {
namespace {

bool is_dotted_quad_of_127(std::string_view host) {
  if (!host.starts_with("127.")) return false;
  int parts = 1;
  std::size_t digits = 0;
  for (const char c : host) {
    if (c == '.') {
      if (digits == 0) return false;
      ++parts;
      digits = 0;
    } else if (c >= '0' && c <= '9' && digits < 3) {
      ++digits;
    } else {
      return false;
    }
  }
  return parts == 4 && digits != 0;
}

}  // namespace

bool is_loopback_name(std::string_view host) {
  return equals_ignoring_case(host, "localhost") || host == "::1" || is_dotted_quad_of_127(host);
}

AccessVerdict check_origin_and_host(const AccessOptions& options, std::string_view host,
                                    std::optional<std::string_view> origin) {
  // A node that was told --insecure and given no names answers to every name. So does one where everybody needs a
  // token: a page that came under another name (DNS rebinding) has none.
  const auto authority = split_host_port(host);
  const std::string_view name = authority ? authority->host : std::string_view{};
  const bool named = std::ranges::any_of(options.hosts, [&](const std::string& known) {
    return equals_ignoring_case(known, name) || equals_ignoring_case(known, host);
  });
  const bool any_host = (options.insecure || options.authenticates) && options.hosts.empty();
  if (!any_host && !named && !is_loopback_name(name)) return AccessVerdict::unknown_host;

  if (!origin) return AccessVerdict::allowed;
  for (const std::string& known : options.origins) {
    if (known == "*" || equals_ignoring_case(known, *origin)) return AccessVerdict::allowed;
  }
  for (const std::string_view scheme : {"http://", "https://"}) {  // the node's own
    if (origin->starts_with(scheme) && equals_ignoring_case(origin->substr(scheme.size()), host)) {
      return AccessVerdict::allowed;
    }
  }
  return AccessVerdict::foreign_origin;
}

}  // namespace ringcast
