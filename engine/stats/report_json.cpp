#include <algorithm>
#include <array>

#include "engine/stats/json_document.hpp"
#include "engine/stats/report.hpp"

namespace ringcast {
namespace {

constexpr std::uint64_t kNsPerMs = 1'000'000;

struct Percentile {
  std::string_view name;
  double share;
};
constexpr std::array kPercentiles{Percentile{"p50_ns", 0.5}, Percentile{"p90_ns", 0.9}, Percentile{"p99_ns", 0.99},
                                  Percentile{"p999_ns", 0.999}, Percentile{"p9999_ns", 0.9999}};

std::string shard_name(std::uint32_t shard) { return shard == RCS_SHARD_NODE ? "node" : std::to_string(shard); }

/// The value of "key=value".
std::string_view value_of(std::string_view label_set) { return label_set.substr(label_set.find('=') + 1); }

void write_seed_names(JsonDocument& out, const NodeView& view) {
  const std::uint64_t accepted = view.total("connections_accepted");
  const std::uint64_t open = view.total("connections_open");
  const std::uint64_t received = view.total("messages_received");
  const std::uint64_t published = view.total("messages_published");
  const std::uint64_t overflows = view.total("conflations") + view.total("drops") + view.total("slow_disconnects") +
                                  view.total("control_overflows") + view.total("mesh_gaps");
  const LatencyView* latency = view.latency("receive_to_send");
  out.number("totalConnections", accepted);
  out.number("activeConnections", open);
  out.number("peakConnections", view.total("connections_peak"));
  out.number("failedConnections", view.sum("handshakes_failed"));
  out.number("uniqueUsers", view.total("users_unique"));
  out.number("totalMessages", received);
  out.number("totalBroadcasts", published);
  out.number("messagesReceived", received);
  out.number("messagesSent", view.ledger.total.sent);
  out.number("droppedMessages", view.ledger.total.dropped);
  out.number("duplicateMessages", view.total("messages_duplicate"));
  out.number("queueOverflows", overflows);
  out.number("reconnections", view.total("resumes_recovered") + view.total("resumes_refused"));
  out.number("bytesReceived", view.total("bytes_received"));
  out.number("bytesSent", view.total("bytes_sent"));
  out.number("startTime", view.node.start_wall / kNsPerMs);
  out.number("lastActivity", view.total("last_activity") / kNsPerMs);
  out.number("uptime", view.node.uptime_ns / kNsPerMs);
  out.number("memoryUsage", view.memory.record.rss_bytes);
  out.decimal("averageLatency", latency == nullptr ? 0 : latency->mean() / static_cast<double>(kNsPerMs));
  out.open_object("hub");
  out.number("active_connections", open);
  out.number("total_connections", accepted);
  out.number("messages_sent", view.ledger.total.sent);
  out.number("messages_received", received);
  out.number("broadcasts_sent", published);
  out.close_object();
}

void write_node(JsonDocument& out, const NodeView& view) {
  out.open_object("node");
  out.text("name", view.name);
  out.text("server", view.server);
  out.text("state", rcs_liveness_text(view.node.liveness));
  out.number("pid", view.node.pid);
  out.number("shards", view.node.shard_count);
  out.time("started", view.node.start_wall);
  out.time("heartbeat", view.node.heartbeat_wall);
  out.number("heartbeat_age_ms", view.node.heartbeat_age_ns / kNsPerMs);
  out.number("uptime_ms", view.node.uptime_ns / kNsPerMs);
  out.text("layout_version", std::to_string(view.node.layout_version >> 16) + "." +
                                 std::to_string(view.node.layout_version & 0xffffU));
  out.close_object();
}

void write_ledger_members(JsonDocument& out, const Ledger& ledger) {
  out.number("offered", ledger.offered);
  out.number("sent", ledger.sent);
  out.number("conflated", ledger.conflated);
  out.number("dropped", ledger.dropped);
  out.number("abandoned", ledger.abandoned);
  out.number("queued", ledger.queued);
  out.boolean("closed", ledger.closed());
}

void write_latencies(JsonDocument& out, const NodeView& view, bool buckets) {
  out.open_object("latency");
  for (const LatencyView& latency : view.latencies) {
    out.open_object(latency.label);
    out.number("count", latency.distribution.count);
    out.number("min_ns", latency.distribution.min);
    out.decimal("mean_ns", latency.mean());
    for (const Percentile& percentile : kPercentiles) out.number(percentile.name, latency.percentile(percentile.share));
    out.number("max_ns", latency.distribution.max);
    if (buckets) {
      out.number("bits", latency.distribution.bits);
      out.open_object("buckets");
      for (std::size_t i = 0; i < latency.buckets.size(); ++i) {
        if (latency.buckets[i] != 0) out.number(std::to_string(i), latency.buckets[i]);
      }
      out.close_object();
    }
    out.close_object();
  }
  out.close_object();
}

void write_health_members(JsonDocument& out, const NodeView& view, bool history) {
  const HealthAnswer answer = health_answer(view);
  out.text("status", answer.word);
  out.boolean("isHealthy", answer.exit_code == 0);
  out.time("lastCheck", view.health.checked_wall);
  out.time("since", view.health.since_wall);
  out.number("checks", view.health.checks);
  out.open_array("reasons");
  for (const std::string& reason : view.health.reasons) out.element(reason);
  out.close_array();
  if (!history) return;
  out.open_array("history");
  for (const HealthView::Check& check : view.health.history) {
    out.open_object();
    out.time("time", check.wall);
    out.text("status", rcs_health_text(check.state));
    out.text("reason", check.reason);
    out.close_object();
  }
  out.close_array();
}

void write_memory(JsonDocument& out, const NodeView& view) {
  const rcs_memory& memory = view.memory.record;
  out.open_object("memory");
  out.number("budget", memory.budget_bytes);
  out.number("accounted", memory.accounted_bytes);
  out.number("rss", memory.rss_bytes);
  out.number("allocator_committed", memory.allocator_committed_bytes);
  out.number("allocator_committed_peak", memory.allocator_committed_peak_bytes);
  out.text("pressure", rcs_pressure_text(memory.pressure));
  out.open_object("purposes");
  for (const PurposeView& purpose : view.memory.purposes) {
    out.open_object(purpose.label);
    out.number("bytes", purpose.bytes);
    out.number("peak", purpose.bytes_peak);
    out.close_object();
  }
  out.close_object();
  out.close_object();
}

/// Counters with a label set become one object: "connections_closed":{"1000":5,...}. Rows of one label stand together.
template <class ValueOf>
void write_counters(JsonDocument& out, const NodeView& view, const ValueOf& count_of) {
  out.open_object("counters");
  for (std::size_t i = 0; i < view.counters.size();) {
    const CounterView& first = view.counters[i];
    if (first.label_set.empty()) {
      out.number(first.label, count_of(first));
      ++i;
      continue;
    }
    out.open_object(first.label);
    for (; i < view.counters.size() && view.counters[i].label == first.label; ++i) {
      out.number(value_of(view.counters[i].label_set), count_of(view.counters[i]));
    }
    out.close_object();
  }
  out.close_object();
}

void write_shards(JsonDocument& out, const NodeView& view) {
  out.open_array("shards");
  for (std::size_t s = 0; s <= view.node.shard_count; ++s) {
    const bool own = s == view.node.shard_count;
    out.open_object();
    out.text("shard", own ? "node" : std::to_string(s));
    if (!own) {
      out.open_object("ledger");
      write_ledger_members(out, view.ledger.shards[s]);
      out.close_object();
    }
    write_counters(out, view, [s](const CounterView& counter) { return counter.shards[s]; });
    out.close_object();
  }
  out.close_array();
}

void write_channels(JsonDocument& out, const NodeView& view) {
  out.open_array("channels");
  for (const ChannelView& channel : view.channels) {
    out.open_object();
    out.text("channel", channel.channel);
    out.number("shard", channel.shard);
    out.number("messages", channel.row.messages);
    out.number("messages_per_second", channel.row.messages_per_second);
    out.number("bytes", channel.row.bytes);
    out.number("readers", channel.row.readers);
    out.number("seq", channel.row.seq);
    std::string epoch;
    append_epoch(epoch, Epoch{channel.row.epoch});
    out.text("epoch", epoch);
    out.number("lag_messages_max", channel.row.lag_messages_max);
    out.close_object();
  }
  out.close_array();
}

void write_connections(JsonDocument& out, const NodeView& view) {
  out.open_array("connections");
  for (const ConnectionView& connection : view.connections) {
    out.open_object();
    out.number("connection", connection.row.connection);
    out.number("shard", connection.shard);
    out.text("peer", connection.peer);
    out.text("dialect", connection.dialect);
    out.number("lag_messages", connection.row.lag_messages);
    out.number("lag_bytes", connection.row.lag_bytes);
    out.number("lag_ms", connection.row.lag_ns / kNsPerMs);
    out.number("charged_bytes", connection.row.charged_bytes);
    out.number("sent_bytes", connection.row.sent_bytes);
    out.number("subscriptions", connection.row.subscriptions);
    out.time("opened", connection.row.opened_wall);
    out.close_object();
  }
  out.close_array();
}

void write_events(JsonDocument& out, const NodeView& view) {
  out.open_array("events");
  for (const EventView& event : view.events) {
    out.open_object();
    out.time("time", event.wall);
    out.text("shard", shard_name(event.shard));
    out.text("severity", rcs_severity_text(event.severity));
    out.text("event", event.label);
    if (!event.a_label.empty()) out.number(event.a_label, event.a);
    if (!event.b_label.empty()) out.number(event.b_label, event.b);
    if (!event.text.empty()) out.text("text", event.text);
    if (event.repeats != 0) out.number("repeats", event.repeats);
    out.close_object();
  }
  out.close_array();
}

}  // namespace

std::string statistics_json(const NodeView& view, const ReportParts& parts) {
  JsonDocument out;
  out.open_object();
  write_seed_names(out, view);
  write_node(out, view);
  out.open_object("ledger");
  write_ledger_members(out, view.ledger.total);
  out.close_object();
  write_latencies(out, view, parts.histograms);
  out.open_object("health");
  write_health_members(out, view, false);
  out.close_object();
  write_memory(out, view);
  write_counters(out, view, [](const CounterView& counter) { return counter.total; });
  out.open_object("kernel");
  for (const FindingView& finding : view.findings) out.text(finding.key, finding.value);
  out.close_object();
  if (parts.shards) write_shards(out, view);
  if (parts.channels) write_channels(out, view);
  if (parts.connections) write_connections(out, view);
  if (parts.events) write_events(out, view);
  out.close_object();
  return out.take();
}

std::string health_json(const NodeView& view) {
  JsonDocument out;
  out.open_object();
  write_health_members(out, view, true);
  out.number("uptime", view.node.uptime_ns / kNsPerMs);
  const rcs_memory& memory = view.memory.record;
  const double used = memory.budget_bytes == 0 ? 0
                                               : 100 * static_cast<double>(memory.accounted_bytes) /
                                                     static_cast<double>(memory.budget_bytes);
  out.decimal("memoryUsage", used);
  out.close_object();
  return out.take();
}

HealthAnswer health_answer(const NodeView& view) {
  constexpr int kDegraded = 1;
  constexpr int kUnhealthy = 2;
  constexpr int kStale = 3;
  if (view.node.liveness != RCS_ALIVE) return {kStale, rcs_liveness_text(view.node.liveness)};
  if (!view.health.present) return {kDegraded, "starting"};
  const std::string word = rcs_health_text(view.health.state);
  if (view.health.state == RCS_HEALTHY) return {0, word};
  return {view.health.state == RCS_DEGRADED ? kDegraded : kUnhealthy, word};
}

}  // namespace ringcast
