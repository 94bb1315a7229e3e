#include "tools/load/options.hpp"

#include <fmt/format.h>

#include "tools/load/payload.hpp"

namespace ringcast {

std::optional<std::string> check(const LoadOptions& options, Speed& speed) {
  if (options.connections == 0) return "--connections must be at least 1";
  if (options.channels == 0) return "--channels must be at least 1";
  if (options.publishers == 0) return "--publishers must be at least 1";
  if (options.threads == 0 || options.threads > 256) return "--threads must be 1 to 256";
  if (options.threads != 1 && (options.one_thread || options.poll)) return "--one-thread and --poll need --threads 1";
  if (!(options.rate > 0) || options.rate > kRateMax)
    return fmt::format("--rate must be above 0 and at most {:.0f}", kRateMax);
  if (options.burst == 0 || options.burst > kBurstMax) return fmt::format("--burst must be 1 to {}", kBurstMax);
  if (!(options.duration > 0) || options.duration > kSecondsMax) return "--duration must be above 0 and at most a day";
  if (options.warmup < 0 || options.warmup > kSecondsMax) return "--warmup must be between 0 and a day";
  if (!(options.drain > 0) || options.drain > kSecondsMax) return "--drain must be above 0 and at most a day";
  if (options.slow < 0 || options.slow > 100) return "--slow is a percentage";
  if (!(options.inflate > 0) || options.inflate > 100) return "--inflate is a percentage above 0";
  if (options.inflate < 100 && (!options.compress || !options.replays_feed() || options.streams_per_connection != 1)) {
    return "--inflate is for who can tell messages apart without reading them: it needs --compress, --feed and "
           "--streams-per-connection 1";
  }
  if (options.churn < 0 || options.churn > 100'000) return "--churn must be between 0 and 100000";
  if (options.resume && !(options.churn > 0)) return "--resume is for subscribers that come back: it needs --churn";
  if (options.resume && options.wire != "native" && options.wire != "binary") {
    return "--resume needs a dialect with seq: --wire native or binary";
  }
  if (options.away < 0 || options.away > kSecondsMax) return "--away must be between 0 and a day";
  if (options.payload < kSyntheticPayloadBytesMin || options.payload > kSyntheticPayloadBytesMax) {
    return fmt::format("--payload must be {} to {} bytes: it carries a time and a counter", kSyntheticPayloadBytesMin,
                       kSyntheticPayloadBytesMax);
  }
  if (options.channels > kSyntheticChannelsMax)
    return fmt::format("--channels must be at most {}", kSyntheticChannelsMax);
  if (options.publishers > kSyntheticSourcesMax)
    return fmt::format("--publishers must be at most {}", kSyntheticSourcesMax);
  const auto parsed = Speed::parse(options.speed);
  if (!parsed) return fmt::format("--speed '{}': a number above 0", options.speed);
  speed = *parsed;
  if (options.replays_feed()) {
    if (speed.flat_out()) return "--speed max has no schedule to measure latency from: give a number";
    if (options.burst > 1) return "--burst is for synthetic messages: not with --feed";
    if (options.connect_only) return "--connect-only publishes nothing: not with --feed";
    if (options.churn > 0) return "--churn needs a dialect that can tell where a subscriber joins: not with --feed";
    if (options.streams_per_connection == 0) return "--streams-per-connection must be at least 1";
  }
  return std::nullopt;
}

}  // namespace ringcast
