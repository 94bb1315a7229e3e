// A statistics segment that is damaged: an error or fewer parts, never a read outside of it.
//
// An input is a length and changes to a sound segment, each a place, a size and bytes. Of bytes that are nothing but
// chance the reader would see that they do not begin like a segment, and no more.
#include <sys/mman.h>
#include <unistd.h>

#include <memory>

#include "alloc/segment/ringcast_stats.h"
#include "tests/alloc/segment/example_segment.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace ringcast {
namespace {

constexpr int kChangesMax = 64;
constexpr std::size_t kFrontBytes = 8'192;  // header, sections and rows: what reading is steered by

/// A file that holds a sound segment between two inputs.
class Specimen {
 public:
  Specimen() : file_{memfd_create("segment", 0)}, path_{"/proc/self/fd/" + std::to_string(file_)} {
    const ScratchDirectory directory;
    const SegmentFile example = create_example(directory, "fuzz");
    sound_ = read_whole(example.path());
    write(0, as_bytes(std::string_view{sound_.data(), sound_.size()}));
  }

  void damage(fuzz::Input input) {
    const std::size_t length = number(input, 3);
    for (int i = 0; i < kChangesMax && !input.rest().empty(); ++i) {
      const std::uint8_t form = input.byte();  // its first bit: anywhere, else in front; the others: how many bytes
      const std::size_t at = (form & 1) != 0 ? number(input, 3) % sound_.size() : number(input, 2) % kFrontBytes;
      std::array<std::uint8_t, 8> bytes{};
      const std::size_t size = std::min<std::size_t>(1 + (form >> 1) % bytes.size(), sound_.size() - at);
      for (std::uint8_t& byte : bytes) byte = input.byte();
      write(at, Bytes{bytes}.first(size));
      changed_.emplace_back(at, size);
    }
    // Most inputs leave the length as it is: it is the change that hides all others.
    if (length < sound_.size()) fuzz::holds(ftruncate(file_, static_cast<off_t>(length)) == 0, "a file can be cut");
    cut_ = std::min(length, sound_.size());
  }
  void heal() {
    const Bytes sound = as_bytes(std::string_view{sound_.data(), sound_.size()});
    for (const auto& [at, size] : changed_) write(at, sound.subspan(at, size));
    if (cut_ < sound_.size()) write(cut_, sound.subspan(cut_));
    changed_.clear();
  }
  [[nodiscard]] const char* path() const { return path_.c_str(); }

 private:
  static std::size_t number(fuzz::Input& input, int bytes) {
    std::size_t number = 0;
    for (int i = 0; i < bytes; ++i) number |= std::size_t{input.byte()} << (8 * i);
    return number;
  }
  void write(std::size_t at, Bytes bytes) const {
    fuzz::holds(pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(at)) == std::ssize(bytes),
                "a file can be written");
  }

  int file_;
  std::string path_;
  std::vector<char> sound_;
  std::vector<std::pair<std::size_t, std::size_t>> changed_;
  std::size_t cut_ = 0;
};

void read_everything(rcs_reader* reader) {
  rcs_node node{};
  (void)rcs_node_read(reader, &node);
  const auto channels = std::make_unique<rcs_channel_table>();
  const auto connections = std::make_unique<rcs_connection_table>();
  const auto health = std::make_unique<rcs_health>();
  const auto memory = std::make_unique<rcs_memory>();
  const auto findings = std::make_unique<rcs_findings>();
  std::vector<rcs_event_view> events(16);
  std::vector<std::uint64_t> buckets;
  for (const std::uint32_t shard : {0U, 1U, RCS_SHARD_ALL, RCS_SHARD_NODE}) {
    for (std::size_t i = 0; i < rcs_counter_count(reader); ++i) (void)rcs_counter_value(reader, i, shard);
    for (std::size_t i = 0; i < rcs_histogram_count(reader); ++i) {
      buckets.assign(rcs_histogram_describe(reader, i)->bucket_count, 0);
      rcs_distribution distribution{};
      if (rcs_histogram_read(reader, i, shard, buckets.data(), &distribution) == RCS_OK) {
        (void)rcs_percentile(&distribution, 0.99);
      }
    }
    rcs_ledger ledger{};
    (void)rcs_ledger_read(reader, shard, &ledger);
    (void)rcs_channels_read(reader, shard, channels.get());
    (void)rcs_connections_read(reader, shard, connections.get());
    fuzz::holds(channels->count <= RCS_CHANNELS && connections->count <= RCS_CONNECTIONS, "tables have their bounds");
  }
  for (std::size_t i = 0; i < rcs_counter_count(reader); ++i) {
    const rcs_counter_row* row = rcs_counter(reader, i);
    fuzz::holds(rcs_counter_find(reader, row->label, row->label_set) <= i, "a row that is there is found");
  }
  (void)rcs_health_read(reader, health.get());
  (void)rcs_memory_read(reader, memory.get());
  (void)rcs_findings_read(reader, findings.get());
  fuzz::holds(rcs_events_read(reader, events.data(), events.size()) <= events.size(), "events have their bound");
}

}  // namespace
}  // namespace ringcast

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ringcast;
  static Specimen specimen;
  specimen.damage(fuzz::Input{data, size});
  rcs_reader* reader = nullptr;
  char sentence[RCS_SENTENCE_BYTES];
  const rcs_status status = rcs_open_path(specimen.path(), &reader, sentence);
  fuzz::holds((status == RCS_OK) == (reader != nullptr), "a reader or a reason");
  fuzz::holds(status == RCS_OK || sentence[0] != '\0', "a reason is in words");
  if (reader != nullptr) {
    read_everything(reader);
    rcs_close(reader);
  }
  specimen.heal();
  return 0;
}
