// engine/stats/report.hpp: a node's statistics as documents: for programs (JSON) and for Prometheus.
//
// Owner    nobody: pure functions of a view.  Thread  any.  Memory  the text they return.  Failure  none.
// Not here reading the segment (node_view.hpp), the table for people (tools/stat_table.hpp), serving (engine/admin).
//
// The statistics document has at its top level the names that the documents ringcast grew out of used, in their units
// (times in ms, `startTime` and `lastActivity` since 1970):
//   totalConnections   connections accepted          peakConnections    most at one time
//   activeConnections  open now                      uniqueUsers        users with a connection
//   failedConnections  handshakes that failed
//   totalMessages      data messages received        totalBroadcasts    messages sequenced for their channel
//   messagesReceived   the same as totalMessages     messagesSent       messages x readers sent
//   duplicateMessages  publishes known already       droppedMessages    messages x readers dropped
//   queueOverflows     times a reader's or lane's bound was passed, or a client's replies filled their room
//   reconnections      resumes, recovered or not     averageLatency     mean of receive_to_send
//   bytesReceived, bytesSent, startTime, uptime, lastActivity, memoryUsage (resident bytes)
// and "hub" with the snake_case ones. What ringcast knows beyond that stands under node, ledger, latency, health,
// memory and counters.
#pragma once

#include <string>
#include <string_view>

#include "alloc/base/time.hpp"
#include "engine/stats/node_view.hpp"

namespace ringcast {

/// What a report holds beyond the basics: the flags of `ringcast stat`.
struct ReportParts {
  bool shards = false;
  bool channels = false;
  bool connections = false;
  bool events = false;
  bool histograms = false;  // every bucket that is not empty
};

/// The statistics document: one JSON object, on one line, without a newline at its end.
[[nodiscard]] std::string statistics_json(const NodeView& view, const ReportParts& parts);
/// The health document alone: what /health and `stat --health --json` show.
[[nodiscard]] std::string health_json(const NodeView& view);
/// Prometheus text exposition, version 0.0.4.
[[nodiscard]] std::string prometheus_text(const NodeView& view);

/// What `ringcast stat --health` says and exits with: 0 healthy, 1 degraded, 2 unhealthy or critical, 3 stale.
struct HealthAnswer {
  int exit_code = 0;
  std::string word;  // "healthy", ...; "starting" before the first check; "stalled", "stopped" or "dead"
};
[[nodiscard]] HealthAnswer health_answer(const NodeView& view);

}  // namespace ringcast
