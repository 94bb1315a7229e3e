// engine/stats/node_view.hpp: a node's statistics at one look, as plain values: what all reports are made of.
//
// Owner    the caller, by value.  Thread  any: it is a copy.  Memory  some hundred KiB, most of it buckets and events.
// Failure  what a segment does not have is empty here; what could not be read whole is flagged.
// Not here formatting (report.hpp), opening a segment (ringcast_stats.h).
//
// All texts in a view are printable UTF-8: what came from clients cannot move a terminal's cursor or break a document.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/segment/ringcast_stats.h"
#include "engine/stats/ledger.hpp"

namespace ringcast {

struct CounterView {
  std::string label;
  std::string label_set;               // "key=value" or empty
  std::string unit;
  std::string description;
  std::uint32_t kind = RCS_KIND_COUNTER;
  std::uint64_t total = 0;
  std::vector<std::uint64_t> shards;   // one a shard; the node's own is the last
};

struct LatencyView {
  std::string label;
  std::string unit;
  std::string description;
  std::vector<std::uint64_t> buckets;
  rcs_distribution distribution{};     // `buckets` in it is unused; see percentile()

  [[nodiscard]] std::uint64_t percentile(double share) const;
  [[nodiscard]] std::uint64_t count_at_most(std::uint64_t value) const;
  [[nodiscard]] double mean() const;
};

struct LedgerView {
  Ledger total;
  std::vector<Ledger> shards;
  bool whole = true;                   // false: a shard's record was met half written each time
};

struct EventView {
  std::uint64_t wall = 0;
  std::uint32_t shard = 0;
  std::uint32_t severity = 0;
  std::string label;
  std::string a_label;
  std::string b_label;
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  std::uint64_t repeats = 0;
  std::string text;
};

struct ChannelView {
  std::string channel;
  std::uint32_t shard = 0;
  rcs_channel row{};
};

struct ConnectionView {
  std::string peer;
  std::string dialect;
  std::uint32_t shard = 0;
  rcs_connection row{};
};

struct HealthView {
  bool present = false;                // false: no check was made yet
  std::uint32_t state = 0;
  std::uint64_t checks = 0;
  std::uint64_t checked_wall = 0;
  std::uint64_t since_wall = 0;
  std::vector<std::string> reasons;
  struct Check {
    std::uint64_t wall = 0;
    std::uint32_t state = 0;
    std::string reason;
  };
  std::vector<Check> history;          // oldest first
};

struct PurposeView {
  std::string label;
  std::uint64_t bytes = 0;
  std::uint64_t bytes_peak = 0;
};
struct MemoryView {
  bool present = false;
  rcs_memory record{};                 // its `purposes` are in `purposes`
  std::vector<PurposeView> purposes;
};
struct FindingView {
  std::string key;
  std::string value;
};

struct NodeView {
  std::string name;
  std::string server;
  rcs_node node{};                     // its texts are the two above
  std::vector<CounterView> counters;
  std::vector<LatencyView> latencies;
  LedgerView ledger;
  HealthView health;
  MemoryView memory;
  std::vector<FindingView> findings;
  std::vector<ChannelView> channels;       // busiest first
  std::vector<ConnectionView> connections; // slowest first
  std::vector<EventView> events;           // oldest first

  /// The node's value of a counter; 0 if the segment has no such one.
  [[nodiscard]] std::uint64_t total(std::string_view label, std::string_view label_set = {}) const;
  /// The sum over all label sets.
  [[nodiscard]] std::uint64_t sum(std::string_view label) const;
  [[nodiscard]] const LatencyView* latency(std::string_view label) const;
};

/// How many events a view holds: all that the recorder keeps (protocol.md section 6).
inline constexpr std::size_t kViewEventsMax = 4'096;

/// Nothing if the file has shrunk since it was opened.
[[nodiscard]] std::optional<NodeView> take_view(const rcs_reader* reader, std::size_t events_max = kViewEventsMax);

/// The text as far as it is valid UTF-8 without control characters; the rest becomes '?'.
[[nodiscard]] std::string terminal_safe(std::string_view text);

}  // namespace ringcast
