#include "tools/load/sequence_check.hpp"

#include <algorithm>

namespace ringcast {

SequenceCheck::Verdict SequenceCheck::see_other(std::uint64_t number) {
  if (number > last_) {
    open_hole(last_ + 1, number - 1);
    last_ = number;
    return Verdict::ahead;
  }
  for (std::size_t i = 0; i < holes_.size(); ++i) {
    const Hole hole = holes_[i];
    if (number < hole.from || number > hole.to) continue;
    --missing_;
    const auto at = holes_.erase(holes_.begin() + static_cast<std::ptrdiff_t>(i));
    const auto after = number < hole.to ? holes_.insert(at, {number + 1, hole.to}) : at;
    if (number > hole.from) holes_.insert(after, {hole.from, number - 1});
    return Verdict::late;
  }
  return Verdict::duplicate;
}

std::uint64_t SequenceCheck::told_missing(std::uint64_t from, std::uint64_t to) {
  if (last_ == kUnknown) {
    last_ = to;
    return 0;
  }
  if (from > to || to <= last_) return 0;
  if (from > last_ + 1) open_hole(last_ + 1, from - 1);
  const std::uint64_t told = to - std::max(from, last_ + 1) + 1;
  last_ = to;
  return told;
}

void SequenceCheck::open_hole(std::uint64_t from, std::uint64_t to) {
  missing_ += to - from + 1;
  if (holes_.size() == kHolesMax) holes_.erase(holes_.begin());
  holes_.push_back({from, to});
}

}  // namespace ringcast
