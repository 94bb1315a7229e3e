// Paths of the admin port: what is found, with which argument, and that the OpenAPI document has each of them.
#include "engine/admin/routes.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "codec/text/json.hpp"
#include "engine/admin/openapi_document.hpp"

namespace ringcast {
namespace {

struct FoundRow {
  std::string_view method, path;
  AdminRoute route;
  std::string_view argument;
};
constexpr FoundRow kFound[] = {
    {"GET", "/", AdminRoute::index, ""},
    {"GET", "/healthz", AdminRoute::healthz, ""},
    {"HEAD", "/metrics", AdminRoute::metrics, ""},
    {"GET", "/api/v1/websocket/connections/count", AdminRoute::connection_count, ""},
    {"GET", "/api/v1/websocket/users/42/connections/count", AdminRoute::user_connection_count, "42"},
    {"GET", "/api/v1/websocket/channels/btcusdt@trade", AdminRoute::channel, "btcusdt@trade"},
    {"GET", "/api/v1/websocket/channels/a%2Fb/history", AdminRoute::history, "a/b"},
    {"GET", "/api/v1/websocket/channels/%C3%A4", AdminRoute::channel, "ä"},
    {"GET", "/api/v1/websocket/channels/a+b", AdminRoute::channel, "a+b"},
    {"POST", "/api/v1/websocket/channels/history/publish", AdminRoute::publish, "history"},
    {"POST", "/api/v1/websocket/connections/count/disconnect", AdminRoute::disconnect_connection, "count"},
};

TEST(AdminRoutes, FindsThePathAndItsArgument) {
  for (const FoundRow& row : kFound) {
    const auto match = find_route(row.method, row.path);
    ASSERT_TRUE(match) << row.path;
    EXPECT_EQ(match->row->route, row.route) << row.path;
    EXPECT_EQ(match->argument, row.argument) << row.path;
  }
}

struct MissRow {
  std::string_view sentence, method, path;
  AdminError error;
  std::string_view allow;
};
constexpr MissRow kMisses[] = {
    {"no such path", "GET", "/nothing", AdminError::not_found, ""},
    {"a slash too many", "GET", "/healthz/", AdminError::not_found, ""},
    {"two slashes", "GET", "//healthz", AdminError::not_found, ""},
    {"a path that goes on", "GET", "/healthz/x", AdminError::not_found, ""},
    {"a path that ends too early", "GET", "/api/v1/websocket", AdminError::not_found, ""},
    {"no name where one belongs", "GET", "/api/v1/websocket/channels/", AdminError::not_found, ""},
    {"dots are a name like any other, not a way up", "GET", "/api/v1/../healthz", AdminError::not_found, ""},
    {"an encoded slash does not make a path", "GET", "/api/v1%2Fwebsocket/stats", AdminError::not_found, ""},
    {"another method", "POST", "/healthz", AdminError::method_not_allowed, "GET, HEAD"},
    {"reading what is done", "GET", "/api/v1/websocket/drain", AdminError::method_not_allowed, "POST"},
    {"a method that nothing has", "DELETE", "/api/v1/websocket/connections/1/disconnect",
     AdminError::method_not_allowed, "POST"},
    {"an escape that is none", "GET", "/api/v1/websocket/channels/a%2", AdminError::invalid_parameter, ""},
    {"a name that is not UTF-8", "GET", "/api/v1/websocket/channels/%FF", AdminError::invalid_parameter, ""},
};

TEST(AdminRoutes, SaysWhyAPathIsNotFound) {
  for (const MissRow& row : kMisses) {
    const auto match = find_route(row.method, row.path);
    ASSERT_FALSE(match) << row.sentence;
    EXPECT_EQ(match.error().error, row.error) << row.sentence;
    EXPECT_EQ(match.error().allow, row.allow) << row.sentence;
  }
}

TEST(AdminRoutes, OnlyThoseThatChangeNothingAreReadAndOnlyThoseThatTellNothingAreForAnybody) {
  for (const AdminRouteRow& row : admin_routes()) {
    EXPECT_EQ(row.method == "GET", row.action.empty()) << row.path;
    if (row.role == AdminRole::anybody) {
      EXPECT_EQ(row.method, "GET") << row.path;
    }
  }
}

/// The member of that name of a JSON object; empty if it has none.
std::string_view member(std::string_view object, std::string_view name) {
  for (ObjectWalk walk{object}; const auto one = walk.next();) {
    if (escaped_equals(one->name, name)) return one->value.text;
  }
  return {};
}

TEST(AdminRoutes, TheDocumentHasEveryPathAndNoOther) {
  const std::string_view document = openapi_document();
  ASSERT_TRUE(is_valid_json(document));
  const std::string_view paths = member(document, "paths");
  for (const AdminRouteRow& row : admin_routes()) {
    const std::string_view operation = member(member(paths, row.path), row.method == "GET" ? "get" : "post");
    ASSERT_FALSE(operation.empty()) << row.path;
    const bool free = member(operation, "security") == "[]";
    EXPECT_EQ(free, row.role == AdminRole::anybody) << row.path << ": who may is in the document";
  }
  std::size_t described = 0;
  for (ObjectWalk walk{paths}; const auto path = walk.next();) {
    for (ObjectWalk operations{path->value.text}; operations.next();) ++described;
  }
  EXPECT_EQ(described, admin_routes().size());
}

}  // namespace
}  // namespace ringcast
