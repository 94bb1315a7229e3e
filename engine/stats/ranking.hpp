// engine/stats/ranking.hpp: the few with the highest score out of many, found in one pass.
//
// Owner    whoever scans, by value; refilled for each scan.  Thread  the owner's.
// Memory   Capacity rows, by value.  Failure  none.
// Not here what is scored (delivery and channel), publishing the result (shard_stats.hpp).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace ringcast {

/// Offer each candidate once; a row is only made for those that stand among the best so far. Scores of zero are not
/// ranked. Equal scores: the one that was offered first stands higher.
template <class Row, std::size_t Capacity>
class Ranking {
  static_assert(Capacity > 0);

 public:
  /// `make_row` is called as make_row(Row&) on a row to be filled.
  template <class MakeRow>
  void offer(std::uint64_t score, MakeRow&& make_row) {
    if (score == 0 || (count_ == Capacity && score <= scores_[order_[count_ - 1]])) return;
    const std::size_t slot = count_ < Capacity ? count_++ : order_[Capacity - 1];
    scores_[slot] = score;
    rows_[slot] = Row{};
    std::forward<MakeRow>(make_row)(rows_[slot]);
    std::size_t at = count_ - 1;
    for (; at > 0 && scores_[order_[at - 1]] < score; --at) order_[at] = order_[at - 1];
    order_[at] = static_cast<std::uint32_t>(slot);
  }
  /// Copies the rows, highest score first; returns how many.
  std::size_t write_to(std::span<Row> out) const {
    const std::size_t count = std::min(count_, out.size());
    for (std::size_t i = 0; i < count; ++i) out[i] = rows_[order_[i]];
    return count;
  }
  [[nodiscard]] std::size_t size() const { return count_; }
  void clear() { count_ = 0; }

 private:
  std::array<Row, Capacity> rows_{};
  std::array<std::uint64_t, Capacity> scores_{};
  std::array<std::uint32_t, Capacity> order_{};  // slots, highest score first
  std::size_t count_ = 0;
};

}  // namespace ringcast
