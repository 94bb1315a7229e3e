#include "engine/stats/node_view.hpp"

#include <algorithm>
#include <memory>

#include "codec/text/utf8.hpp"

namespace ringcast {
namespace {

std::size_t character_bytes(unsigned char first) {
  if (first < 0x80) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}

bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return first < 0x20 || first == 0x7f;
  return character.size() == 2 && first == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0;  // C1
}

/// The shards of a node as the interface numbers them: 0, 1, ... and the node's own.
std::vector<std::uint32_t> shard_numbers(std::uint32_t shard_count) {
  std::vector<std::uint32_t> numbers;
  for (std::uint32_t s = 0; s < shard_count; ++s) numbers.push_back(s);
  numbers.push_back(RCS_SHARD_NODE);
  return numbers;
}

std::vector<CounterView> take_counters(const rcs_reader* reader, const std::vector<std::uint32_t>& shards) {
  std::vector<CounterView> counters;
  for (std::size_t i = 0; i < rcs_counter_count(reader); ++i) {
    const rcs_counter_row& row = *rcs_counter(reader, i);
    CounterView view;
    view.label = terminal_safe(row.label);
    view.label_set = terminal_safe(row.label_set);
    view.unit = terminal_safe(row.unit);
    view.description = terminal_safe(row.description);
    view.kind = row.kind;
    for (const std::uint32_t shard : shards) {
      const std::uint64_t value = rcs_counter_value(reader, i, shard);
      view.shards.push_back(value);
      view.total = row.kind == RCS_KIND_PEAK ? std::max(view.total, value) : view.total + value;
    }
    counters.push_back(std::move(view));
  }
  return counters;
}

std::vector<LatencyView> take_latencies(const rcs_reader* reader) {
  std::vector<LatencyView> latencies;
  for (std::size_t i = 0; i < rcs_histogram_count(reader); ++i) {
    const rcs_histogram_row& row = *rcs_histogram_describe(reader, i);
    LatencyView view;
    view.label = terminal_safe(row.label);
    view.unit = terminal_safe(row.unit);
    view.description = terminal_safe(row.description);
    view.buckets.resize(row.bucket_count);
    (void)rcs_histogram_read(reader, i, RCS_SHARD_ALL, view.buckets.data(), &view.distribution);
    view.distribution.buckets = nullptr;
    latencies.push_back(std::move(view));
  }
  return latencies;
}

LedgerView take_ledger(const rcs_reader* reader, std::uint32_t shard_count) {
  LedgerView view;
  for (std::uint32_t s = 0; s < shard_count; ++s) {
    rcs_ledger one{};
    if (rcs_ledger_read(reader, s, &one) != RCS_OK) view.whole = false;
    const Ledger ledger{one.offered, one.sent, one.conflated, one.dropped, one.abandoned, one.queued};
    view.shards.push_back(ledger);
    view.total += ledger;
  }
  return view;
}

/// The rows named ledger_* are written after the sealed record; one look must not show two states.
void align_ledger_rows(NodeView& view) {
  struct Row { std::string_view label; std::uint64_t Ledger::*part; };
  constexpr Row rows[] = {
      {"ledger_offered", &Ledger::offered}, {"ledger_sent", &Ledger::sent},
      {"ledger_conflated", &Ledger::conflated}, {"ledger_dropped", &Ledger::dropped},
      {"ledger_abandoned", &Ledger::abandoned}, {"ledger_queued", &Ledger::queued},
  };
  for (CounterView& counter : view.counters) {
    for (const Row& row : rows) {
      if (counter.label != row.label) continue;
      counter.total = view.ledger.total.*row.part;
      for (std::size_t s = 0; s < view.ledger.shards.size(); ++s) counter.shards[s] = view.ledger.shards[s].*row.part;
    }
  }
}

HealthView take_health(const rcs_reader* reader) {
  HealthView view;
  const auto record = std::make_unique<rcs_health>();
  (void)rcs_health_read(reader, record.get());
  view.present = record->checks > 0;
  if (!view.present) return view;
  view.state = record->state;
  view.checks = record->checks;
  view.checked_wall = record->checked_wall;
  view.since_wall = record->since_wall;
  for (std::uint32_t i = 0; i < record->reason_count; ++i) view.reasons.push_back(terminal_safe(record->reasons[i]));
  const std::uint64_t kept = std::min<std::uint64_t>(record->checks, RCS_HEALTH_CHECKS);
  for (std::uint64_t i = record->checks - kept; i < record->checks; ++i) {
    const rcs_health_check& check = record->history[i % RCS_HEALTH_CHECKS];
    view.history.push_back({check.wall, check.state, terminal_safe(check.reason)});
  }
  return view;
}

MemoryView take_memory(const rcs_reader* reader) {
  MemoryView view;
  (void)rcs_memory_read(reader, &view.record);
  view.present = view.record.updated_wall != 0;
  for (std::uint32_t i = 0; i < view.record.purpose_count; ++i) {
    const rcs_purpose& purpose = view.record.purposes[i];
    view.purposes.push_back({terminal_safe(purpose.label), purpose.bytes, purpose.bytes_peak});
  }
  return view;
}

std::vector<FindingView> take_findings(const rcs_reader* reader) {
  std::vector<FindingView> findings;
  const auto record = std::make_unique<rcs_findings>();
  (void)rcs_findings_read(reader, record.get());
  for (std::uint64_t i = 0; i < record->count; ++i) {
    findings.push_back({terminal_safe(record->rows[i].key), terminal_safe(record->rows[i].value)});
  }
  return findings;
}

void take_tables(const rcs_reader* reader, std::uint32_t shard_count, NodeView& view) {
  const auto channels = std::make_unique<rcs_channel_table>();
  const auto connections = std::make_unique<rcs_connection_table>();
  for (std::uint32_t s = 0; s < shard_count; ++s) {
    (void)rcs_channels_read(reader, s, channels.get());
    for (std::uint64_t i = 0; i < channels->count; ++i) {
      view.channels.push_back({terminal_safe(channels->rows[i].channel), s, channels->rows[i]});
    }
    (void)rcs_connections_read(reader, s, connections.get());
    for (std::uint64_t i = 0; i < connections->count; ++i) {
      const rcs_connection& row = connections->rows[i];
      view.connections.push_back({terminal_safe(row.peer), terminal_safe(row.dialect), s, row});
    }
  }
  std::ranges::stable_sort(view.channels, [](const ChannelView& a, const ChannelView& b) {
    return a.row.messages_per_second > b.row.messages_per_second;
  });
  std::ranges::stable_sort(view.connections, [](const ConnectionView& a, const ConnectionView& b) {
    return a.row.lag_messages > b.row.lag_messages;
  });
}

std::vector<EventView> take_events(const rcs_reader* reader, std::size_t events_max) {
  std::vector<rcs_event_view> read(events_max);
  read.resize(rcs_events_read(reader, read.data(), read.size()));
  std::vector<EventView> events;
  for (const rcs_event_view& one : read) {
    events.push_back({one.event.wall, one.shard, one.severity, terminal_safe(one.label), terminal_safe(one.a_label),
                      terminal_safe(one.b_label), one.event.a, one.event.b, one.event.repeats,
                      terminal_safe(one.event.text)});
  }
  return events;
}

}  // namespace

std::string terminal_safe(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view character = text.substr(at, character_bytes(static_cast<unsigned char>(text[at])));
    if (!is_valid_utf8(character)) {
      out += '?';
      ++at;
      continue;
    }
    if (is_control(character)) {
      out += '?';
    } else {
      out += character;
    }
    at += character.size();
  }
  return out;
}

std::uint64_t LatencyView::percentile(double share) const {
  rcs_distribution with = distribution;
  with.buckets = const_cast<std::uint64_t*>(buckets.data());  // read only
  return rcs_percentile(&with, share);
}

std::uint64_t LatencyView::count_at_most(std::uint64_t value) const {
  rcs_distribution with = distribution;
  with.buckets = const_cast<std::uint64_t*>(buckets.data());
  return rcs_count_at_most(&with, value);
}

double LatencyView::mean() const {
  if (distribution.count == 0) return 0;
  return static_cast<double>(distribution.sum) / static_cast<double>(distribution.count);
}

std::uint64_t NodeView::total(std::string_view label, std::string_view label_set) const {
  for (const CounterView& counter : counters) {
    if (counter.label == label && counter.label_set == label_set) return counter.total;
  }
  return 0;
}

std::uint64_t NodeView::sum(std::string_view label) const {
  std::uint64_t all = 0;
  for (const CounterView& counter : counters) {
    if (counter.label == label) all += counter.total;
  }
  return all;
}

const LatencyView* NodeView::latency(std::string_view label) const {
  for (const LatencyView& view : latencies) {
    if (view.label == label) return &view;
  }
  return nullptr;
}

std::optional<NodeView> take_view(const rcs_reader* reader, std::size_t events_max) {
  NodeView view;
  if (rcs_node_read(reader, &view.node) != RCS_OK) return std::nullopt;
  view.name = terminal_safe(view.node.name);
  view.server = terminal_safe(view.node.server);
  view.node.name = nullptr;
  view.node.server = nullptr;
  const std::vector<std::uint32_t> shards = shard_numbers(view.node.shard_count);
  view.counters = take_counters(reader, shards);
  view.latencies = take_latencies(reader);
  view.ledger = take_ledger(reader, view.node.shard_count);
  align_ledger_rows(view);
  view.health = take_health(reader);
  view.memory = take_memory(reader);
  view.findings = take_findings(reader);
  take_tables(reader, view.node.shard_count, view);
  if (events_max > 0) view.events = take_events(reader, events_max);
  return view;
}

}  // namespace ringcast
