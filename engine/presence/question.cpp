#include "engine/presence/question.hpp"

#include <algorithm>
#include <iterator>

namespace ringcast {

Page::Page(std::string_view after, std::uint32_t limit)
    : after_{after}, limit_{limit == 0 ? kPageNamesMax : std::min(limit, kPageNamesMax)} {}

void Page::offer(std::string_view name) {
  if (!after_.empty() && name <= after_) return;
  const bool full = names_.size() >= limit_ || bytes_ + name.size() > kPageBytesMax;
  if (full && !names_.empty() && name > *names_.rbegin()) {
    more_ = true;
    return;
  }
  if (names_.contains(name)) return;
  names_.emplace(name);
  bytes_ += name.size();
  while (names_.size() > limit_ || (bytes_ > kPageBytesMax && names_.size() > 1)) drop_last();
}

void Page::drop_last() {
  const auto last = std::prev(names_.end());
  bytes_ -= last->size();
  names_.erase(last);
  more_ = true;
}

void Page::end_at(std::string_view last) {
  while (!names_.empty() && *names_.rbegin() > last) drop_last();
}

std::vector<std::string> Page::take() {
  std::vector<std::string> names;
  names.reserve(names_.size());
  for (const std::string& name : names_) names.push_back(name);
  names_.clear();
  bytes_ = 0;
  return names;
}

}  // namespace ringcast
