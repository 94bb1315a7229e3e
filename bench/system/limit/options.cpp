#include "bench/system/limit/options.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tools/load/options.hpp"
#include "tools/load/payload.hpp"

namespace ringcast {

std::optional<std::string> check(const LimitOptions& options) {
  if (options.connections == 0) return "--connections must be at least 1";
  if (options.channels == 0 || options.channels > options.connections) {
    return "--channels must be at least 1 and at most --connections";
  }
  if (!(options.rate >= 0) || options.rate > kRateMax) return fmt::format("--rate must be 0 to {:.0f}", kRateMax);
  if (options.burst == 0 || options.burst > kBurstMax) return fmt::format("--burst must be 1 to {}", kBurstMax);
  if (options.batch < -1 || options.batch > kBurstMax) return fmt::format("--batch must be 0 to {}", kBurstMax);
  if (options.closed_loop() && options.batch == 0) {
    return "--rate 0 is as fast as it can be: --batch says how many at once";
  }
  if (options.payload < kSyntheticPayloadBytesMin || options.payload > kSyntheticPayloadBytesMax) {
    return fmt::format("--payload must be {} to {}", kSyntheticPayloadBytesMin, kSyntheticPayloadBytesMax);
  }
  if (!(options.seconds > 0) || options.seconds > kSecondsMax) return "--seconds must be above 0 and at most a day";
  return std::nullopt;
}

std::string to_json(const LimitOptions& options, const LimitResult& result) {
  const auto each = [](double total, std::uint64_t count) {
    return count > 0 ? total / static_cast<double>(count) : 0.0;
  };
  return fmt::format(
      R"({{"rate":{},"burst":{},"batch":{},"payload":{},"channels":{},"connections":{},"seconds":{},"send":"{}",)"
      R"("messages":{},"deliveries":{},"sends":{},"short_sends":{},"lost_readers":{},"frames_per_send":{},)"
      R"("elapsed_seconds":{},"deliveries_per_second":{},"cpu_ns_per_delivery":{},"cpu_ns_per_send":{},)"
      R"("late_max_ms":{},"ok":{}}})"
      "\n",
      options.rate, options.burst, options.frames_a_send(), options.payload, options.channels, options.connections,
      options.seconds, options.io_uring ? "io_uring" : "send", result.messages, result.deliveries, result.sends,
      result.short_sends, result.lost_readers, each(static_cast<double>(result.deliveries), result.sends),
      result.elapsed_seconds, static_cast<double>(result.deliveries) / std::max(result.elapsed_seconds, 1e-9),
      each(result.cpu_seconds * 1e9, result.deliveries), each(result.cpu_seconds * 1e9, result.sends),
      result.late_max_seconds * 1e3, result.lost_readers == 0);
}

}  // namespace ringcast
