// engine/stats/events.hpp: what the flight recorder may say, one line each.
//
// Owner    this table.  Thread  any (constants).  Memory  none.  Failure  a row out of order does not compile.
// Not here the recorder itself (shard_stats.hpp), how events print (ringcast_stats.h, report.hpp).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace ringcast {

enum class EventSeverity : std::uint8_t { info = 1, warning = 2, error = 3 };

/// Numbers are part of the segment's directory, not of a contract: readers go by the label.
enum class EventCode : std::uint16_t {
  node_started,
  node_stopping,
  node_stopped,
  connection_refused,
  handshake_failed,
  protocol_error,
  client_errors,
  slow_conflated,
  slow_dropped,
  slow_disconnected,
  heartbeat_timeout,
  publisher_paused,
  publisher_resumed,
  buffers_exhausted,
  accept_paused,
  accept_resumed,
  accept_error,
  send_error,
  mesh_lane_full,
  mesh_gap,
  pressure_changed,
  health_changed,
  channel_limit,
  presence_limit,
  token_refused,
  auth_expired,
  auth_timeout,
  access_revoked,
  permission_refused,
  rate_limited,
  address_refused,
  half_open_evicted,
  proxy_refused,
  access_reloaded,
  access_reload_failed,
  usage_log_failed,
  usage_refused,
  tls_failed,
  tls_reloaded,
  fault,
  store_state,
  config_reloaded,
  config_refused,
  admin_action,
  admin_refused,
  end,
};
inline constexpr std::size_t kEventCodes = std::to_underlying(EventCode::end);

struct EventRow {
  EventCode code;
  EventSeverity severity;
  std::string_view label;
  std::string_view a;  // what the event's two numbers mean; empty: unused
  std::string_view b;
};

inline constexpr auto kEvents = [] {
  using enum EventCode;
  using enum EventSeverity;
  return std::to_array<EventRow>({
      {node_started, info, "node_started", "shards", "pid"},
      {node_stopping, info, "node_stopping", "connections", "deadline_ms"},
      {node_stopped, info, "node_stopped", "connections", ""},
      {connection_refused, warning, "connection_refused", "connections", "limit"},
      {handshake_failed, warning, "handshake_failed", "status", ""},
      {protocol_error, warning, "protocol_error", "close_code", "connection"},
      {client_errors, warning, "client_errors", "errors", "connection"},
      {slow_conflated, info, "slow_conflated", "messages", "connection"},
      {slow_dropped, warning, "slow_dropped", "messages", "connection"},
      {slow_disconnected, warning, "slow_disconnected", "messages", "connection"},
      {heartbeat_timeout, info, "heartbeat_timeout", "missed", "connection"},
      {publisher_paused, info, "publisher_paused", "parked", "connection"},
      {publisher_resumed, info, "publisher_resumed", "paused_ms", "connection"},
      {buffers_exhausted, warning, "buffers_exhausted", "buffers", ""},
      {accept_paused, warning, "accept_paused", "errno", "connections"},
      {accept_resumed, info, "accept_resumed", "paused_ms", "connections"},
      {accept_error, error, "accept_error", "errno", "connections"},
      {send_error, info, "send_error", "errno", "connection"},
      {mesh_lane_full, warning, "mesh_lane_full", "shard", "bytes"},
      {mesh_gap, warning, "mesh_gap", "messages", "shard"},
      {pressure_changed, warning, "pressure_changed", "level", "bytes"},
      {health_changed, warning, "health_changed", "state", "state_before"},
      {channel_limit, warning, "channel_limit", "channels", "limit"},
      {presence_limit, warning, "presence_limit", "users", "limit"},
      {token_refused, warning, "token_refused", "reason", "connection"},
      {auth_expired, info, "auth_expired", "", "connection"},
      {auth_timeout, warning, "auth_timeout", "", "connection"},
      {access_revoked, warning, "access_revoked", "subscriptions", "connection"},
      {permission_refused, warning, "permission_refused", "publish", "connection"},
      {rate_limited, warning, "rate_limited", "scope", "connection"},
      {address_refused, warning, "address_refused", "connections", "limit"},
      {half_open_evicted, warning, "half_open_evicted", "age_ms", "connection"},
      {proxy_refused, warning, "proxy_refused", "", "connection"},
      {access_reloaded, info, "access_reloaded", "keys", "revocations"},
      {access_reload_failed, error, "access_reload_failed", "", ""},
      {usage_log_failed, error, "usage_log_failed", "errno", ""},
      {usage_refused, warning, "usage_refused", "", "connection"},
      {tls_failed, warning, "tls_failed", "reason", "slot"},
      {tls_reloaded, info, "tls_reloaded", "certificates", ""},
      {fault, error, "fault", "errno", ""},
      {store_state, warning, "store_state", "state", "state_before"},
      {config_reloaded, info, "config_reloaded", "changes", "kept"},
      {config_refused, error, "config_refused", "problems", ""},
      {admin_action, info, "admin_action", "status", ""},
      {admin_refused, warning, "admin_refused", "status", ""},
  });
}();
static_assert(kEvents.size() == kEventCodes, "every event has a row");
static_assert([] {
  for (std::size_t i = 0; i < kEvents.size(); ++i) {
    if (std::to_underlying(kEvents[i].code) != i) return false;
  }
  return true;
}(), "rows stand in the order of the enum");

}  // namespace ringcast
