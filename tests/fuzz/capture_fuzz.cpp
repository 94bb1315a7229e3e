// Captured feeds: every line is a message, a snapshot, skipped or corrupt, however the file is read.
#include "codec/capture/capture_reader.hpp"
#include "codec/text/json.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace ringcast {
namespace {

struct Outcome {
  std::string text;
  std::uint64_t lines = 0, corrupt = 0;
  bool failed = false;  // a damaged file: how much of it is read before that is seen depends on the cutting
  bool operator==(const Outcome&) const = default;
};

Outcome read_all(Bytes file, std::size_t chunk) {
  Bytes left = file;
  CaptureReader reader{[&](MutableBytes into) -> Result<std::size_t, std::string> {
                         const std::size_t size = std::min({chunk, into.size(), left.size()});
                         std::copy_n(left.begin(), size, into.begin());
                         left = left.subspan(size);
                         return size;
                       },
                       CaptureLimits{.line_bytes_max = 8'192}};
  Outcome outcome;
  for (;;) {
    const auto line = reader.next();
    if (!line) {
      outcome.failed = true;
      break;
    }
    if (!*line) break;
    if ((*line)->kind == CaptureKind::stream_message) fuzz::holds(is_valid_json((*line)->data), "a message is JSON");
    outcome.text.append((*line)->stream).append("=").append((*line)->data).append("\n");
  }
  const CaptureCounts& counts = reader.counts();
  fuzz::holds(counts.messages + counts.snapshots + counts.skipped + counts.corrupt <= counts.lines,
              "lines are counted once");
  outcome.lines = counts.lines;
  outcome.corrupt = counts.corrupt;
  return outcome;
}

}  // namespace
}  // namespace ringcast

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ringcast;
  fuzz::Input input{data, size};
  const std::size_t chunk = std::max<std::size_t>(1, input.byte());
  const Outcome whole = read_all(input.rest(), SIZE_MAX);
  const Outcome cut = read_all(input.rest(), chunk);
  fuzz::holds(whole.failed == cut.failed, "damage is damage however the file is cut");
  fuzz::holds(whole.failed ? cut.text.starts_with(whole.text) : whole == cut, "cutting changes nothing");
  return 0;
}
