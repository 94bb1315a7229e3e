#include "engine/admin/answers.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "codec/http/url.hpp"
#include "engine/admin/openapi_document.hpp"
#include "engine/admin/parameters.hpp"
#include "engine/stats/report.hpp"

namespace ringcast {
namespace {

constexpr std::uint16_t kServiceUnavailable = 503;
constexpr std::uint64_t kRetrySeconds = 1;
constexpr std::string_view kHtml = "text/html; charset=utf-8";
constexpr std::string_view kPrometheus = "text/plain; version=0.0.4; charset=utf-8";
constexpr std::size_t kAnalyzedConnections = 20;

constexpr std::string_view kIndexPage =
    R"(<!doctype html><html lang="en"><meta charset="utf-8"><title>ringcast</title><h1>ringcast</h1><ul>)"
    R"(<li><a href="/healthz">health</a><li><a href="/metrics">metrics</a>)"
    R"(<li><a href="/ws/stats">statistics</a><li><a href="/api/v1/websocket/connections">connections</a>)"
    R"(<li><a href="/api/v1/websocket/channels">channels</a><li><a href="/api/v1/openapi.json">OpenAPI document</a>)"
    "</ul></html>\n";

}  // namespace

AdminAnswer refusal(AdminError error, std::string_view sentence) {
  const AdminErrorRow& row = row_of(error);
  JsonDocument out;
  out.open_object();
  out.open_object("error");
  out.text("code", row.code);
  out.text("message", sentence);
  out.close_object();
  out.close_object();
  return {.status = row.status,
          .body = out.take(),
          .error = error,
          .retry_after = row.status == kServiceUnavailable ? kRetrySeconds : 0};
}

std::string_view sentence_of(AdminError error) {
  switch (error) {
    case AdminError::malformed_request: return "the request breaks the rules of HTTP/1.1";
    case AdminError::head_too_large: return "the head of the request is too large";
    case AdminError::http_version: return "this is HTTP/1.1";
    case AdminError::target_too_long: return "the target of the request is too long";
    case AdminError::method_not_allowed: return "this path has other methods";
    case AdminError::length_required: return "a body needs Content-Length; chunks are not taken";
    case AdminError::body_too_large: return "the body is larger than limits.message_bytes";
    case AdminError::unsupported_media_type: return "a POST needs Content-Type: application/json, and no encoding";
    case AdminError::foreign_origin: return "a page from this origin may not use the admin port";
    case AdminError::unknown_host: return "the node is not known under this Host";
    case AdminError::forwarded: return "a request that was forwarded needs a token";
    case AdminError::remote_peer: return "without authentication only this host may use the admin port";
    case AdminError::auth_required: return "an administrator's token is needed: Authorization: Bearer <token>";
    case AdminError::auth_failed: return "the token is not good";
    case AdminError::unauthorized: return "this is for administrators, or for nobody";
    case AdminError::not_found: return "there is no such path";
    case AdminError::unknown_channel: return "nothing is known of this channel";
    case AdminError::unknown_connection: return "there is no such connection";
    case AdminError::invalid_parameter: return "a part of the path or of the query is wrong";
    case AdminError::invalid_message: return "the body is wrong";
    case AdminError::request_timeout: return "the request did not come in time";
    case AdminError::not_supported: return "this version does not have it, or this channel does not";
    case AdminError::not_stored: return "the message could not be stored, and was not sent to anybody";
    case AdminError::overloaded: return "not now: readers lack their turns, or the node is shutting down";
    case AdminError::busy: return "too many requests at a time";
    case AdminError::no_answer: return "a shard did not answer in time; what was asked may have been done";
    case AdminError::internal_error: return "the node cannot answer this";
    case AdminError::end: break;
  }
  return {};
}

AdminAnswer AdminAnswers::answer(const AdminRequest& request) {
  if (!is_readable(request.query)) {
    return refusal(AdminError::invalid_parameter, "a value of the query cannot be decoded, or is too long");
  }
  const std::string& argument = request.match.argument;
  switch (request.match.row->route) {
    case AdminRoute::index: return {.content_type = kHtml, .body = std::string{kIndexPage}};
    case AdminRoute::openapi: return {.body = std::string{openapi_document()}};
    case AdminRoute::healthz:
    case AdminRoute::readyz: {
      const auto view = look();
      if (!view) return refusal(AdminError::internal_error, sentence_of(AdminError::internal_error));
      return answer_health(*view, request.match.row->route == AdminRoute::readyz);
    }
    case AdminRoute::metrics: return answer_metrics(request, "prometheus");
    case AdminRoute::metrics_document: return answer_metrics(request, "json");
    case AdminRoute::stats: return answer_statistics(request);
    case AdminRoute::health: {
      const auto view = look();
      if (!view) return refusal(AdminError::internal_error, sentence_of(AdminError::internal_error));
      return {.body = health_json(*view)};
    }
    case AdminRoute::connections: return list_connections(request, {}, "connections");
    case AdminRoute::connection_count: return count_connections({}, {}, {});
    case AdminRoute::project_connection_count:
      return count_connections({.channel = project_channel(argument)}, "project", argument);
    case AdminRoute::user_connection_count: return count_connections({.user = argument}, "user", argument);
    case AdminRoute::channels: return list_channels(request);
    case AdminRoute::channel: return answer_channel(request);
    case AdminRoute::subscribers: return list_subscribers(request);
    case AdminRoute::history: return answer_history(request);
    case AdminRoute::broadcast: return broadcast(request);
    case AdminRoute::publish: return publish(request, argument);
    case AdminRoute::message_user: return publish(request, user_channel(argument));
    case AdminRoute::message_project: return publish(request, project_channel(argument));
    case AdminRoute::disconnect_user: return disconnect({.user = argument}, false);
    case AdminRoute::disconnect_project: return disconnect({.channel = project_channel(argument)}, false);
    case AdminRoute::disconnect_connection: {
      const auto id = parse_epoch(argument);  // written as epochs are: 16 hexadecimal digits
      if (!id || value(*id) == 0) {
        return refusal(AdminError::invalid_parameter, "a connection's id is 16 hexadecimal digits");
      }
      return disconnect({.connection = value(*id)}, true);
    }
    case AdminRoute::analyze_memory: return analyze_memory();
    case AdminRoute::clean_up: return clean_up();
    case AdminRoute::reload: return reload(request);
    case AdminRoute::drain: return drain();
  }
  return refusal(AdminError::not_found, sentence_of(AdminError::not_found));
}

/// One thread at a time: a look takes less than a millisecond, and a crowd of them is to take turns, not cores.
std::optional<NodeView> AdminAnswers::look(std::size_t events_max) {
  const std::scoped_lock lock{reader_mutex_};
  return reader_ == nullptr ? std::nullopt : take_view(reader_, events_max);
}

/// Alive is whoever answers and is not ill; ready is whoever also takes new connections.
AdminAnswer AdminAnswers::answer_health(const NodeView& view, bool ready_wanted) {
  const bool well = health_answer(view).exit_code <= 1;
  const bool ready = well && view.node.run_state == RCS_RUN_RUNNING;
  AdminAnswer answer{.body = health_json(view)};
  if (!(ready_wanted ? ready : well)) answer.status = kServiceUnavailable;
  return answer;
}

AdminAnswer AdminAnswers::answer_metrics(const AdminRequest& request, std::string_view usual) {
  const std::string format = parameter(request.query, "format").value_or(std::string{usual});
  if (format != "json" && format != "prometheus") {
    return refusal(AdminError::invalid_parameter, "format is json or prometheus");
  }
  const auto view = look();
  if (!view) return refusal(AdminError::internal_error, sentence_of(AdminError::internal_error));
  if (format == "json") return {.body = statistics_json(*view, {.shards = true})};
  return {.content_type = kPrometheus, .body = prometheus_text(*view)};
}

AdminAnswer AdminAnswers::answer_statistics(const AdminRequest& request) {
  ReportParts parts;
  const std::array switches{std::pair{"shards", &parts.shards}, std::pair{"channels", &parts.channels},
                            std::pair{"connections", &parts.connections}, std::pair{"events", &parts.events},
                            std::pair{"histograms", &parts.histograms}};
  for (const auto& [name, part] : switches) {
    const auto said = flag(request.query, name);
    if (!said) return refusal(AdminError::invalid_parameter, "a part of the document is asked for by 1 or true");
    *part = *said;
  }
  const auto view = look(parts.events ? kViewEventsMax : 0);
  if (!view) return refusal(AdminError::internal_error, sentence_of(AdminError::internal_error));
  return {.body = statistics_json(*view, parts)};
}

/// What is held for what, what nothing accounts for, and who has the most waiting.
AdminAnswer AdminAnswers::analyze_memory() {
  const auto view = look();
  if (!view) return refusal(AdminError::internal_error, sentence_of(AdminError::internal_error));
  const rcs_memory& memory = view->memory.record;
  JsonDocument out;
  out.open_object();
  out.number("budget", memory.budget_bytes);
  out.number("accounted", memory.accounted_bytes);
  out.number("rss", memory.rss_bytes);
  out.number("allocator_committed", memory.allocator_committed_bytes);
  out.number("unaccounted", memory.rss_bytes - std::min(memory.accounted_bytes, memory.rss_bytes));
  out.text("pressure", rcs_pressure_text(memory.pressure));
  out.open_array("purposes");
  for (const PurposeView& purpose : view->memory.purposes) {
    out.open_object();
    out.text("purpose", purpose.label);
    out.number("bytes", purpose.bytes);
    out.number("peak", purpose.bytes_peak);
    out.close_object();
  }
  out.close_array();
  out.open_object("holders");
  for (const std::string_view label : {"connections_open", "subscriptions", "channels_home", "channel_logs",
                                       "history_messages", "remainder_bytes", "catch_ups"}) {
    out.number(label, view->total(label));
  }
  out.close_object();
  out.open_array("slowest");
  for (std::size_t i = 0; i < std::min(view->connections.size(), kAnalyzedConnections); ++i) {
    const ConnectionView& connection = view->connections[i];
    std::string id;
    append_epoch(id, Epoch{connection.row.connection});
    out.open_object();
    out.text("id", id);
    out.text("peer", connection.peer);
    out.number("charged_bytes", connection.row.charged_bytes);
    out.number("lag_bytes", connection.row.lag_bytes);
    out.close_object();
  }
  out.close_array();
  out.close_object();
  return {.body = out.take()};
}

}  // namespace ringcast
