// tests/alloc/segment/example_segment.hpp: a small segment with one of each part, for the tests of writer and reader.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "alloc/base/ensure.hpp"
#include "alloc/queue/seqlock.hpp"
#include "alloc/segment/event_ring.hpp"
#include "alloc/segment/file.hpp"
#include "alloc/segment/histogram.hpp"
#include "alloc/segment/layout.hpp"

namespace ringcast {

/// A directory of its own in /dev/shm (which is where segments live, and which knows nameless files).
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string pattern = "/dev/shm/ringcast-test-XXXXXX";
    ensure(::mkdtemp(pattern.data()) != nullptr, "a scratch directory can be made");
    path_ = pattern;
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/ringcast." + name; }

 private:
  std::string path_;
};

struct ExampleBlock {
  std::array<std::atomic<std::uint64_t>, 3> counters;
  Histogram latency;
  Seqlock<rcs_ledger> ledger;
  EventRing events;
  Seqlock<rcs_channel_table> channels;
  Seqlock<rcs_connection_table> connections;
};
struct ExampleNodeBlock {
  Seqlock<rcs_health> health;
  Seqlock<rcs_memory> memory;
  Seqlock<rcs_findings> findings;
  std::array<std::atomic<std::uint64_t>, 3> counters;
  EventRing events;
};

template <class Record>
constexpr SegmentPart sealed_part(rcs_section_kind kind, std::size_t offset) {
  return {kind, offset, sizeof(Seqlock<Record>), sizeof(Record), 1};
}

/// The spec, and the rows that it points to.
struct ExampleSpec {
  std::array<rcs_counter_row, 3> counters{};
  std::array<rcs_histogram_row, 1> histograms{};
  std::array<rcs_event_row, 2> events{};
  std::vector<SegmentPart> shard_parts{
      {RCS_SECTION_COUNTER_VALUES, offsetof(ExampleBlock, counters), 24, 8, 3},
      {RCS_SECTION_HISTOGRAM_VALUES, offsetof(ExampleBlock, latency), sizeof(Histogram), sizeof(Histogram), 1},
      sealed_part<rcs_ledger>(RCS_SECTION_LEDGER, offsetof(ExampleBlock, ledger)),
      {RCS_SECTION_EVENTS, offsetof(ExampleBlock, events), sizeof(EventRing), sizeof(rcs_event), kEventRingEntries},
      sealed_part<rcs_channel_table>(RCS_SECTION_CHANNELS, offsetof(ExampleBlock, channels)),
      sealed_part<rcs_connection_table>(RCS_SECTION_CONNECTIONS, offsetof(ExampleBlock, connections)),
  };
  std::vector<SegmentPart> node_parts{
      sealed_part<rcs_health>(RCS_SECTION_HEALTH, offsetof(ExampleNodeBlock, health)),
      sealed_part<rcs_memory>(RCS_SECTION_MEMORY, offsetof(ExampleNodeBlock, memory)),
      sealed_part<rcs_findings>(RCS_SECTION_FINDINGS, offsetof(ExampleNodeBlock, findings)),
      {RCS_SECTION_COUNTER_VALUES, offsetof(ExampleNodeBlock, counters), 24, 8, 3},
      {RCS_SECTION_EVENTS, offsetof(ExampleNodeBlock, events), sizeof(EventRing), sizeof(rcs_event), kEventRingEntries},
  };

  ExampleSpec() {
    constexpr struct { const char* label; const char* set; std::uint32_t kind; } rows[] = {
        {"frames_sent", "", RCS_KIND_COUNTER}, {"open", "kind=a", RCS_KIND_GAUGE}, {"most", "", RCS_KIND_PEAK}};
    for (std::uint32_t i = 0; i < counters.size(); ++i) {
      counters[i].id = i;
      counters[i].kind = rows[i].kind;
      copy_text(counters[i].label, rows[i].label);
      copy_text(counters[i].label_set, rows[i].set);
      copy_text(counters[i].unit, "things");
      copy_text(counters[i].description, "A number");
    }
    histograms[0].bits = HistogramLayout::kBits;
    histograms[0].bucket_count = HistogramLayout::kBuckets;
    copy_text(histograms[0].label, "turn");
    copy_text(histograms[0].unit, "ns");
    events[0].code = 0;
    events[0].severity = RCS_SEVERITY_INFO;
    copy_text(events[0].label, "began");
    events[1].code = 1;
    events[1].severity = RCS_SEVERITY_ERROR;
    copy_text(events[1].label, "broke");
    copy_text(events[1].a, "errno");
  }
  [[nodiscard]] SegmentSpec spec(std::uint32_t shards = 2) const {
    SegmentSpec spec;
    spec.server = "ringcast/test";
    spec.counters = counters;
    spec.histograms = histograms;
    spec.events = events;
    spec.shards = shards;
    spec.shard_block_bytes = sizeof(ExampleBlock);
    spec.shard_parts = shard_parts;
    spec.node_block_bytes = sizeof(ExampleNodeBlock);
    spec.node_parts = node_parts;
    return spec;
  }
};

inline ExampleBlock& block_of(const SegmentFile& file, std::uint32_t shard) {
  return *static_cast<ExampleBlock*>(file.shard_block(shard));
}
inline ExampleNodeBlock& node_block_of(const SegmentFile& file) {
  return *static_cast<ExampleNodeBlock*>(file.node_block());
}

/// The real clocks: a reader asks the kernel for its own.
inline Now clock_now() {
  return {Instant{std::chrono::steady_clock::now().time_since_epoch()},
          WallTime{std::chrono::system_clock::now().time_since_epoch()}};
}

inline SegmentFile create_example(const ScratchDirectory& directory, const std::string& name,
                                  std::uint32_t shards = 2) {
  const ExampleSpec example;
  auto file = SegmentFile::create(name, example.spec(shards), clock_now(), directory.path());
  ensure(file.has_value(), "the example segment can be created");
  return std::move(*file);
}

inline std::vector<char> read_whole(const std::string& path) {
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
}
inline void write_whole(const std::string& path, const std::vector<char>& bytes) {
  std::ofstream out{path, std::ios::binary | std::ios::trunc};
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace ringcast
