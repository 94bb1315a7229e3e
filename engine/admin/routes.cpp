#include "engine/admin/routes.hpp"

#include <array>
#include <optional>

#include "codec/http/url.hpp"
#include "codec/text/utf8.hpp"

namespace ringcast {
namespace {

using enum AdminRole;
using enum AdminRoute;
using Row = AdminRouteRow;
// clang-format off
constexpr std::array kRoutes{
    Row{index, "GET", "/", anybody, ""},
    Row{healthz, "GET", "/healthz", anybody, ""},
    Row{readyz, "GET", "/readyz", anybody, ""},
    Row{metrics, "GET", "/metrics", administrator, ""},
    Row{stats, "GET", "/ws/stats", administrator, ""},
    Row{openapi, "GET", "/api/v1/openapi.json", anybody, ""},
    Row{stats, "GET", "/api/v1/websocket/stats", administrator, ""},
    Row{metrics_document, "GET", "/api/v1/websocket/metrics", administrator, ""},
    Row{health, "GET", "/api/v1/websocket/health", administrator, ""},
    Row{connections, "GET", "/api/v1/websocket/connections", administrator, ""},
    Row{connection_count, "GET", "/api/v1/websocket/connections/count", administrator, ""},
    Row{project_connection_count, "GET", "/api/v1/websocket/projects/{id}/connections/count", administrator, ""},
    Row{user_connection_count, "GET", "/api/v1/websocket/users/{id}/connections/count", administrator, ""},
    Row{channels, "GET", "/api/v1/websocket/channels", administrator, ""},
    Row{channel, "GET", "/api/v1/websocket/channels/{channel}", administrator, ""},
    Row{subscribers, "GET", "/api/v1/websocket/channels/{channel}/subscribers", administrator, ""},
    Row{history, "GET", "/api/v1/websocket/channels/{channel}/history", administrator, ""},
    Row{broadcast, "POST", "/api/v1/websocket/broadcast", administrator, "broadcast"},
    Row{publish, "POST", "/api/v1/websocket/channels/{channel}/publish", administrator, "publish to"},
    Row{message_user, "POST", "/api/v1/websocket/users/{id}/message", administrator, "message to user"},
    Row{message_project, "POST", "/api/v1/websocket/projects/{id}/message", administrator, "message to project"},
    Row{disconnect_user, "POST", "/api/v1/websocket/users/{id}/disconnect", administrator, "disconnect user"},
    Row{disconnect_project, "POST", "/api/v1/websocket/projects/{id}/disconnect", administrator, "disconnect project"},
    Row{disconnect_connection, "POST", "/api/v1/websocket/connections/{id}/disconnect", administrator,
        "disconnect connection"},
    Row{analyze_memory, "POST", "/api/v1/websocket/memory/analyze", administrator, "analyze memory"},
    Row{clean_up, "POST", "/api/v1/websocket/streams/cleanup", administrator, "clean up"},
    Row{reload, "POST", "/api/v1/websocket/config/reload", administrator, "reload the configuration"},
    Row{drain, "POST", "/api/v1/websocket/drain", administrator, "drain"},
};
// clang-format on

/// Takes the segment in front, and the '/' behind it, off a path that begins behind a '/'.
std::string_view take_segment(std::string_view& path) {
  const std::size_t slash = path.find('/');
  const std::string_view segment = path.substr(0, slash);
  path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  return segment;
}

/// Whether a path is of a row's shape; `argument` is what stands at its braces.
bool has_shape(std::string_view path, std::string_view shape, std::string_view& argument) {
  if (!path.starts_with('/') || path.ends_with('/') != shape.ends_with('/')) return false;
  path.remove_prefix(1);
  shape.remove_prefix(1);
  while (!path.empty() && !shape.empty()) {
    const std::string_view segment = take_segment(path);
    const std::string_view wanted = take_segment(shape);
    if (wanted.starts_with('{')) {
      if (segment.empty()) return false;
      argument = segment;
    } else if (segment != wanted) {
      return false;
    }
  }
  return path.empty() && shape.empty();
}

}  // namespace

std::span<const AdminRouteRow> admin_routes() { return kRoutes; }

Result<RouteMatch, RouteMiss> find_route(std::string_view method, std::string_view path) {
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  std::string allow;
  for (const AdminRouteRow& row : kRoutes) {
    std::string_view argument;
    if (!has_shape(path, row.path, argument)) continue;
    if (row.method != wanted) {
      allow.append(allow.empty() ? "" : ", ").append(row.method == "GET" ? "GET, HEAD" : row.method);
      continue;
    }
    RouteMatch match{.row = &row, .argument = std::string(argument.size(), '\0')};
    const auto decoded = percent_decode(argument, match.argument);
    if (!decoded || !is_valid_utf8(*decoded)) return unexpected(RouteMiss{AdminError::invalid_parameter, {}});
    match.argument = std::string{*decoded};
    return match;
  }
  return unexpected(RouteMiss{allow.empty() ? AdminError::not_found : AdminError::method_not_allowed, allow});
}

}  // namespace ringcast
