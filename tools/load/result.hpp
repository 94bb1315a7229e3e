// tools/load/result.hpp: everything that a load run found out, for its summary, its JSON and its page.
//
// Owner    the run; filled once at the end.  Thread  main.  Memory  a sample every kSampleInterval.  Failure  none.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "alloc/segment/histogram.hpp"
#include "alloc/segment/ringcast_stats.h"
#include "tools/load/options.hpp"
#include "tools/load/subscriber_thread.hpp"
#include "tools/load/tally.hpp"

namespace ringcast {

struct LoadSample {
  double seconds = 0;           // since publishing began
  std::uint64_t published = 0;  // totals up to here
  std::uint64_t delivered = 0;
  std::uint64_t payload_bytes = 0;
};

struct StreamResult {  // of a feed
  std::string name;
  std::uint64_t messages = 0;
  std::uint32_t subscribers = 0;
  bool depth = false;
};

struct LedgerResult {
  rcs_ledger delta{};          // what the run added to the node's ledger
  std::uint64_t received = 0;  // by all our connections
  bool identity = false;       // offered = sent + conflated + dropped + abandoned + queued
  bool comparable = true;      // false: readers were cut off or dropped out, and with them what the kernel still held
  [[nodiscard]] bool closed() const {
    return identity && delta.queued == 0 && (comparable ? delta.sent == received : delta.sent >= received);
  }
};

inline constexpr std::array kLatencyShares{0.5, 0.9, 0.99, 0.999, 0.9999};
inline constexpr std::array kLatencyLabels{"p50", "p90", "p99", "p99.9", "p99.99"};

struct LoadResult {
  LoadOptions options;
  bool interrupted = false;
  std::string failure;  // why the run ended early; empty: it did not
  double connect_seconds = 0;
  double publish_seconds = 0;
  double publish_late_max = 0;  // seconds
  std::uint64_t published = 0, refused = 0, scheduled = 0;
  std::string first_refusal, first_fault;
  Tally ordinary, slow;
  std::uint64_t reconnects = 0, reconnect_failures = 0, drops = 0;
  std::map<std::uint16_t, std::uint64_t> closed_ordinary, closed_slow;
  std::uint64_t slow_connections = 0, slow_open = 0;
  Histogram latency;
  std::uint64_t latency_min = 0;
  std::vector<LoadSample> samples;
  double measured_seconds = 0;  // deliveries below were counted over this time
  std::uint64_t measured_deliveries = 0, measured_bytes = 0, measured_wire_bytes = 0;
  std::optional<double> server_cpu_seconds;  // over the same time
  std::uint64_t server_rss_start = 0;        // before the first connection
  std::uint64_t server_rss_bytes = 0, server_rss_max = 0;
  ReceiveCost client;  // of all receiving threads
  Agreements agreements;
  std::optional<LedgerResult> ledger;
  std::vector<StreamResult> streams;
  double feed_seconds = 0;  // of the recording

  [[nodiscard]] double delivery_rate() const {
    return measured_seconds > 0 ? static_cast<double>(measured_deliveries) / measured_seconds : 0;
  }
  [[nodiscard]] double cpu_ns_per_delivery() const {
    return server_cpu_seconds && measured_deliveries > 0
               ? *server_cpu_seconds * 1e9 / static_cast<double>(measured_deliveries)
               : 0;
  }
  /// WebSocket's own: frames with their headers, before TLS.
  [[nodiscard]] double wire_bytes_per_delivery() const {
    return measured_deliveries > 0 ? static_cast<double>(measured_wire_bytes) / static_cast<double>(measured_deliveries)
                                   : 0;
  }
  /// How much longer publishing took than its schedule, as a share of it.
  [[nodiscard]] double held_back() const {
    const double planned = options.warmup + options.duration;
    const bool full = published == scheduled && scheduled > 0 && !options.replays_feed();
    return full && publish_seconds > planned ? publish_seconds / planned - 1 : 0;
  }
  /// All that was asked for happened and nothing was lost, doubled, reordered or altered; why not, if not.
  [[nodiscard]] std::vector<std::string> complaints() const;
};

/// What a person reads, on stdout.
[[nodiscard]] std::string summary_text(const LoadResult& result);
/// The same for programs: one JSON object.
[[nodiscard]] std::string summary_json(const LoadResult& result);
/// A page that needs nothing from elsewhere, with the latency distribution and the throughput over time as charts.
[[nodiscard]] std::string report_page(const LoadResult& result);

}  // namespace ringcast
