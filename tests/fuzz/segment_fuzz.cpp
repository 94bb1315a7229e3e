// A statistics segment that is damaged or foreign: an error or fewer parts, never a read outside of it.
#include <sys/mman.h>
#include <unistd.h>

#include <memory>

#include "alloc/segment/ringcast_stats.h"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ringcast;
  static const int file = memfd_create("segment", 0);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) return 0;
  rcs_reader* reader = nullptr;
  char sentence[RCS_SENTENCE_BYTES];
  const rcs_status status = rcs_open_path(path.c_str(), &reader, sentence);
  fuzz::holds((status == RCS_OK) == (reader != nullptr), "a reader or a reason");
  if (reader == nullptr) return 0;
  rcs_node node{};
  (void)rcs_node_read(reader, &node);
  const auto channels = std::make_unique<rcs_channel_table>();
  const auto connections = std::make_unique<rcs_connection_table>();
  const auto health = std::make_unique<rcs_health>();
  const auto memory = std::make_unique<rcs_memory>();
  std::vector<rcs_event_view> events(16);
  for (const std::uint32_t shard : {0U, 1U, RCS_SHARD_ALL, RCS_SHARD_NODE}) {
    for (std::size_t i = 0; i < rcs_counter_count(reader); ++i) (void)rcs_counter_value(reader, i, shard);
    for (std::size_t i = 0; i < rcs_histogram_count(reader); ++i) {
      std::vector<std::uint64_t> buckets(rcs_histogram_describe(reader, i)->bucket_count);
      rcs_distribution distribution{};
      (void)rcs_histogram_read(reader, i, shard, buckets.data(), &distribution);
      (void)rcs_percentile(&distribution, 0.99);
    }
    rcs_ledger ledger{};
    (void)rcs_ledger_read(reader, shard, &ledger);
    (void)rcs_channels_read(reader, shard, channels.get());
    (void)rcs_connections_read(reader, shard, connections.get());
    fuzz::holds(channels->count <= RCS_CHANNELS && connections->count <= RCS_CONNECTIONS, "tables have their bounds");
  }
  (void)rcs_health_read(reader, health.get());
  (void)rcs_memory_read(reader, memory.get());
  (void)rcs_events_read(reader, events.data(), events.size());
  rcs_close(reader);
  return 0;
}
