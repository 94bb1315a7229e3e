// engine/access/origin_check.hpp: may this request come from where it says it comes from?
//
// Thread   any; pure.  Memory  none.  Failure  a verdict; the session answers 403 and counts.
// Source   protocol.md section 1, "Safe by default".
// Not here tokens and permissions.
//
// A browser sends Origin, and a page from elsewhere must not read the feed of a node that listens on loopback; Host
// guards against names that were made to point here (DNS rebinding). Programs send no Origin and are not held up by it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "engine/limits.hpp"

namespace ringcast {

enum class AccessVerdict : std::uint8_t { allowed, foreign_origin, unknown_host };

/// host    the request's Host (or authority); with or without a port.
/// origin  the Origin field, if there was one.
[[nodiscard]] AccessVerdict check_origin_and_host(const AccessOptions& options, std::string_view host,
                                                  std::optional<std::string_view> origin);

/// localhost, 127.0.0.0/8 or ::1.
[[nodiscard]] bool is_loopback_name(std::string_view host);

}  // namespace ringcast
