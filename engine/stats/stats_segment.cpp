#include "engine/stats/stats_segment.hpp"

#include <array>
#include <cstddef>
#include <new>
#include <type_traits>

#include "alloc/segment/layout.hpp"
#include "engine/stats/counters.hpp"
#include "engine/stats/events.hpp"

namespace ringcast {
namespace {

static_assert(std::is_standard_layout_v<ShardBlock>, "offsets are told to readers");
static_assert(std::is_standard_layout_v<NodeBlock>, "offsets are told to readers");
static_assert(std::is_trivially_destructible_v<ShardBlock>, "a mapping ends without destructors");

constexpr bool texts_fit() {
  rcs_counter_row counter{};
  rcs_histogram_row histogram{};
  rcs_event_row event{};
  for (const CounterRow& row : kCounters) {
    if (row.label.size() >= sizeof counter.label || row.label_set.size() >= sizeof counter.label_set ||
        row.unit.size() >= sizeof counter.unit || row.description.size() >= sizeof counter.description) {
      return false;
    }
  }
  for (const LatencyRow& row : kLatencies) {
    if (row.label.size() >= sizeof histogram.label || row.description.size() >= sizeof histogram.description)
      return false;
  }
  for (const EventRow& row : kEvents) {
    if (row.label.size() >= sizeof event.label || row.a.size() >= sizeof event.a || row.b.size() >= sizeof event.b) {
      return false;
    }
  }
  return true;
}
static_assert(texts_fit(), "every text of a row fits its field in the segment, with its final zero");

std::array<rcs_counter_row, kCounterCount> counter_rows() {
  std::array<rcs_counter_row, kCounterCount> rows{};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].id = static_cast<std::uint32_t>(i);
    rows[i].kind = std::to_underlying(kCounters[i].kind);
    copy_text(rows[i].label, kCounters[i].label);
    copy_text(rows[i].label_set, kCounters[i].label_set);
    copy_text(rows[i].unit, kCounters[i].unit);
    copy_text(rows[i].description, kCounters[i].description);
  }
  return rows;
}
static_assert(std::to_underlying(CounterKind::counter) == RCS_KIND_COUNTER);
static_assert(std::to_underlying(CounterKind::gauge) == RCS_KIND_GAUGE);
static_assert(std::to_underlying(CounterKind::peak) == RCS_KIND_PEAK);

std::array<rcs_histogram_row, kLatencyCount> histogram_rows() {
  std::array<rcs_histogram_row, kLatencyCount> rows{};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].id = static_cast<std::uint32_t>(i);
    rows[i].bits = HistogramLayout::kBits;
    rows[i].bucket_count = HistogramLayout::kBuckets;
    copy_text(rows[i].label, kLatencies[i].label);
    copy_text(rows[i].unit, "ns");
    copy_text(rows[i].description, kLatencies[i].description);
  }
  return rows;
}

std::array<rcs_event_row, kEventCodes> event_rows() {
  std::array<rcs_event_row, kEventCodes> rows{};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].code = static_cast<std::uint32_t>(i);
    rows[i].severity = std::to_underlying(kEvents[i].severity);
    copy_text(rows[i].label, kEvents[i].label);
    copy_text(rows[i].a, kEvents[i].a);
    copy_text(rows[i].b, kEvents[i].b);
  }
  return rows;
}
static_assert(std::to_underlying(EventSeverity::error) == RCS_SEVERITY_ERROR);

template <class Record>
constexpr SegmentPart sealed(rcs_section_kind kind, std::size_t offset) {
  return {kind, offset, sizeof(Seqlock<Record>), sizeof(Record), 1};
}

constexpr std::array kShardParts{
    SegmentPart{RCS_SECTION_COUNTER_VALUES, offsetof(ShardBlock, counters), kCounterCount * 8, 8, kCounterCount},
    SegmentPart{RCS_SECTION_HISTOGRAM_VALUES, offsetof(ShardBlock, latencies), kLatencyCount * sizeof(Histogram),
                sizeof(Histogram), kLatencyCount},
    sealed<Ledger>(RCS_SECTION_LEDGER, offsetof(ShardBlock, ledger)),
    SegmentPart{RCS_SECTION_EVENTS, offsetof(ShardBlock, events), sizeof(EventRing), sizeof(rcs_event), kEventRingEntries},
    sealed<rcs_channel_table>(RCS_SECTION_CHANNELS, offsetof(ShardBlock, channels)),
    sealed<rcs_connection_table>(RCS_SECTION_CONNECTIONS, offsetof(ShardBlock, connections)),
};
static_assert(sizeof(Ledger) == sizeof(rcs_ledger) && offsetof(Ledger, queued) == offsetof(rcs_ledger, queued));

/// The node's own counters and events lie behind its records, in a block like a shard's.
constexpr auto kNodeParts = [] {
  std::array<SegmentPart, 3 + 2> parts{
      sealed<rcs_health>(RCS_SECTION_HEALTH, offsetof(NodeBlock, health)),
      sealed<rcs_memory>(RCS_SECTION_MEMORY, offsetof(NodeBlock, memory)),
      sealed<rcs_findings>(RCS_SECTION_FINDINGS, offsetof(NodeBlock, findings)),
      kShardParts[0],
      kShardParts[3],
  };
  parts[3].offset += offsetof(NodeBlock, own);
  parts[4].offset += offsetof(NodeBlock, own);
  return parts;
}();

}  // namespace

Result<StatsSegment, SegmentError> StatsSegment::create(std::string_view name, std::string_view server,
                                                        std::uint32_t shards, Now now, std::string_view directory) {
  const auto counters = counter_rows();
  const auto histograms = histogram_rows();
  const auto events = event_rows();
  SegmentSpec spec;
  spec.server = server;
  spec.counters = counters;
  spec.histograms = histograms;
  spec.events = events;
  spec.shards = shards;
  spec.shard_block_bytes = sizeof(ShardBlock);
  spec.shard_parts = kShardParts;
  spec.node_block_bytes = sizeof(NodeBlock);
  spec.node_parts = kNodeParts;
  auto file = SegmentFile::create(name, spec, now, directory);
  if (!file) return unexpected(std::move(file.error()));
  // The memory is zero, which is the valid empty state of everything in the blocks.
  return StatsSegment{std::move(*file)};
}

ShardBlock& StatsSegment::shard_block(std::uint32_t shard) const {
  return *std::launder(static_cast<ShardBlock*>(file_.shard_block(shard)));
}

NodeBlock& StatsSegment::node_block() const { return *std::launder(static_cast<NodeBlock*>(file_.node_block())); }

}  // namespace ringcast
