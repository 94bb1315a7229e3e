// tools/replay_schedule.hpp: when each message of a captured feed is due.
//
// Owner    replay or load, by value.  Thread  any.  Memory  none.  Failure  parse() gives nothing.
#pragma once

#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include "alloc/base/time.hpp"

namespace ringcast {

/// How many times faster than it was recorded; 0 is as fast as possible.
struct Speed {
  double factor = 1;

  /// "1", "20", "0.5" or "max".
  [[nodiscard]] static std::optional<Speed> parse(std::string_view text) {
    if (text == "max") return Speed{0};
    double factor = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), factor);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    if (!std::isfinite(factor) || factor < kSlowest || factor > kFastest) return std::nullopt;
    return Speed{factor};
  }
  [[nodiscard]] bool flat_out() const { return factor == 0; }

  static constexpr double kSlowest = 1e-3;  // keeps a week of feed within the range of nanoseconds
  static constexpr double kFastest = 1e9;
};

class ReplaySchedule {
 public:
  /// The message received at `first` is due at `start`.
  ReplaySchedule(Speed speed, WallTime first, Instant start) : speed_{speed}, first_{first}, start_{start} {}

  /// The original spacing, scaled. A message that was recorded before the first is due at once, as all are flat out.
  [[nodiscard]] Instant due(WallTime received) const {
    if (speed_.flat_out() || received <= first_) return start_;
    const double offset = static_cast<double>((received - first_).count()) / speed_.factor;
    return start_ + nanoseconds{static_cast<nanoseconds::rep>(offset)};
  }
  [[nodiscard]] WallTime first() const { return first_; }

 private:
  Speed speed_;
  WallTime first_;
  Instant start_;
};

}  // namespace ringcast
