// codec/text/timestamp.hpp: wall time as RFC 3339 with microseconds: 2026-11-20T10:00:00.123456Z.
//
// Thread  any.  Memory  none.  Failure  none: every WallTime has a year of four digits (1677 to 2262).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "alloc/base/time.hpp"

namespace ringcast {

inline constexpr std::size_t kTimestampBytes = 27;

/// Writes kTimestampBytes bytes, cut (not rounded) to the microsecond; returns the byte after the last.
[[nodiscard]] std::uint8_t* write_timestamp(WallTime time, std::uint8_t* out);
void append_timestamp(std::string& out, WallTime time);

}  // namespace ringcast
