// tools/stat_table.hpp: a node's statistics as text for people: what `ringcast stat` shows on a terminal.
//
// Owner    nobody: pure functions of views.  Thread  any.  Memory  the text they return.  Failure  none.
// Not here reading the segment, redrawing (stat.cpp), documents for programs (engine/stats/report.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <regex>
#include <string>
#include <string_view>

#include "alloc/base/time.hpp"
#include "engine/stats/node_view.hpp"
#include "engine/stats/report.hpp"

namespace ringcast {

struct StatTableOptions {
  ReportParts parts;  // the sections that were asked for; none: the overview and the counters
  bool memory = false;
  std::optional<std::regex> filter;  // on "label" or "label{key=value}"; shows matching counters even if they are zero
  bool colours = false;
};

/// The table. With an earlier view of the same node, `apart` before this one, it has rates and the latencies of just
/// that time; without, totals since the start.
[[nodiscard]] std::string stat_table(const NodeView& view, const NodeView* before, nanoseconds apart,
                                     const StatTableOptions& options);
/// The answer of --health: one word, then a line for each reason.
[[nodiscard]] std::string health_text(const NodeView& view);

/// 1234567 as "1,234,567".
[[nodiscard]] std::string grouped(std::uint64_t number);
/// With three significant digits and a unit: "812 ns", "1.25 us", "3.00 s".
[[nodiscard]] std::string short_time(std::uint64_t ns);
/// "3d 4h", "2h 5m", "1m 12s", "8s".
[[nodiscard]] std::string long_time(std::uint64_t ns);
/// "812 B", "1.25 KiB", "3.00 GiB".
[[nodiscard]] std::string byte_size(std::uint64_t bytes);

}  // namespace ringcast
