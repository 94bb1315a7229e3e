// codec/capture/depth_continuity.hpp: proves from the exchange's own numbers that no depth update was missed.
//
// Owner    a consumer, one tracker a stream.  Thread  the owner's.  Memory  a few words.
// Failure  payloads that are not depth updates are counted, never errors; unvalidated text is safe.
//
// Spot: U is the previous u + 1. Futures: pu is the previous u, and U says nothing.
#pragma once

#include <cstdint>
#include <string_view>

#include "codec/capture/depth_update.hpp"

namespace ringcast {

class DepthContinuity {
 public:
  enum class Verdict : std::uint8_t { not_depth, first, continuous, broken };

  /// Takes the next payload of the stream.
  Verdict feed(std::string_view payload);
  Verdict feed(const DepthIds& ids);

  [[nodiscard]] std::uint64_t updates() const { return updates_; }
  [[nodiscard]] std::uint64_t breaks() const { return breaks_; }
  [[nodiscard]] std::uint64_t others() const { return others_; }
  /// The last update's `u`; 0 before the first.
  [[nodiscard]] std::uint64_t last_id() const { return last_; }

 private:
  std::uint64_t last_ = 0;
  std::uint64_t updates_ = 0;
  std::uint64_t breaks_ = 0;
  std::uint64_t others_ = 0;
};

}  // namespace ringcast
