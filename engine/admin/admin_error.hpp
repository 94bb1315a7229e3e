// engine/admin/admin_error.hpp: every way in which the admin port refuses a request: one row each.
//
// Owner    this table.  Thread  any (constants).  Memory  none.  Failure  a row out of order does not compile.
// Not here who is refused when (admin_gate, routes), the counters (engine/stats/counters.hpp: one a row).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "codec/dialect/command.hpp"
#include "engine/stats/counters.hpp"

namespace ringcast {

enum class AdminError : std::uint8_t {
  malformed_request,
  head_too_large,
  http_version,
  target_too_long,
  method_not_allowed,
  length_required,
  body_too_large,
  unsupported_media_type,
  foreign_origin,
  unknown_host,
  forwarded,
  remote_peer,
  auth_required,
  auth_failed,
  unauthorized,
  not_found,
  unknown_channel,
  unknown_connection,
  invalid_parameter,
  invalid_message,
  request_timeout,
  not_supported,
  not_stored,
  overloaded,
  busy,
  no_answer,
  internal_error,
  end,
};

struct AdminErrorRow {
  AdminError error;
  std::uint16_t status;
  std::string_view code;  // in the answer: {"error":{"code":...}}, in counters and events
};

inline constexpr auto kAdminErrors = [] {
  using enum AdminError;
  return std::to_array<AdminErrorRow>({
      {malformed_request, 400, "malformed_request"},
      {head_too_large, 431, "head_too_large"},
      {http_version, 505, "http_version"},
      {target_too_long, 414, "target_too_long"},
      {method_not_allowed, 405, "method_not_allowed"},
      {length_required, 411, "length_required"},
      {body_too_large, 413, "body_too_large"},
      {unsupported_media_type, 415, "unsupported_media_type"},
      {foreign_origin, 403, "foreign_origin"},
      {unknown_host, 403, "unknown_host"},
      {forwarded, 403, "forwarded"},
      {remote_peer, 403, "remote_peer"},
      {auth_required, 401, "auth_required"},
      {auth_failed, 401, "auth_failed"},
      {unauthorized, 403, "unauthorized"},
      {not_found, 404, "not_found"},
      {unknown_channel, 404, "unknown_channel"},
      {unknown_connection, 404, "unknown_connection"},
      {invalid_parameter, 400, "invalid_parameter"},
      {invalid_message, 400, "invalid_message"},
      {request_timeout, 408, "request_timeout"},
      {not_supported, 501, "not_supported"},
      {not_stored, 503, "not_stored"},
      {overloaded, 503, "overloaded"},
      {busy, 503, "busy"},
      {no_answer, 504, "no_answer"},
      {internal_error, 500, "internal_error"},
  });
}();
static_assert(kAdminErrors.size() == std::to_underlying(AdminError::end), "every error has a row");
static_assert(kAdminErrors.size() == kAdminErrorCounters, "every error has a counter");
static_assert(
    [] {
      for (std::size_t i = 0; i < kAdminErrors.size(); ++i) {
        if (std::to_underlying(kAdminErrors[i].error) != i) return false;
      }
      return true;
    }(),
    "rows stand in the order of the enum");

[[nodiscard]] constexpr const AdminErrorRow& row_of(AdminError error) {
  return kAdminErrors[std::to_underlying(error)];
}

/// What a shard refused, as the admin port says it.
[[nodiscard]] constexpr AdminError admin_error_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_message: return AdminError::invalid_message;
    case ErrorCode::unauthorized: return AdminError::unauthorized;
    case ErrorCode::unknown_channel: return AdminError::unknown_channel;
    case ErrorCode::message_too_large: return AdminError::body_too_large;
    case ErrorCode::overloaded:
    case ErrorCode::rate_limited: return AdminError::overloaded;
    case ErrorCode::not_supported: return AdminError::not_supported;
    case ErrorCode::processing_error: return AdminError::not_stored;
    default: return AdminError::internal_error;
  }
}

}  // namespace ringcast
