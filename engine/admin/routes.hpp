// engine/admin/routes.hpp: the paths of the admin port: one row each, and nothing about paths anywhere else.
//
// Owner    this table.  Thread  any (constants).  Memory  none; a match owns its argument.
// Failure  an AdminError: no such path, or not with this method.
// Not here what a path is answered with (answers), the schemas of answers (docs/openapi.json; a test compares the two).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "alloc/base/result.hpp"
#include "engine/admin/admin_error.hpp"
#include "engine/admin/admin_gate.hpp"

namespace ringcast {

enum class AdminRoute : std::uint8_t {
  index,
  healthz,
  readyz,
  metrics,
  openapi,
  stats,
  metrics_document,
  health,
  connections,
  connection_count,
  project_connection_count,
  user_connection_count,
  channels,
  channel,
  subscribers,
  history,
  broadcast,
  publish,
  message_user,
  message_project,
  disconnect_user,
  disconnect_project,
  disconnect_connection,
  analyze_memory,
  clean_up,
  reload,
  drain,
};

struct AdminRouteRow {
  AdminRoute route;
  std::string_view method;  // GET also answers HEAD
  std::string_view path;    // a segment in braces is the argument
  AdminRole role;
  std::string_view action;  // what it does, in the event log: followed by the argument; empty: it changes nothing
};
[[nodiscard]] std::span<const AdminRouteRow> admin_routes();

struct RouteMatch {
  const AdminRouteRow* row = nullptr;
  std::string argument;  // decoded; empty where the path has none
};
struct RouteMiss {
  AdminError error = AdminError::not_found;
  std::string allow;  // method_not_allowed: what the path has
};
/// path  as sent, still percent-encoded: an argument may hold an encoded '/'.
[[nodiscard]] Result<RouteMatch, RouteMiss> find_route(std::string_view method, std::string_view path);

}  // namespace ringcast
