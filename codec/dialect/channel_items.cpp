#include "codec/dialect/channel_items.hpp"

#include <algorithm>

namespace ringcast {

void ChannelItems::clear() {
  items_.clear();
  by_name_.clear();
}

bool ChannelItems::add(const SubscribeItem& item) {
  if (items_.size() == channels_max_) {
    return false;
  }
  items_.push_back(item);
  return true;
}

void ChannelItems::index() {
  by_name_.resize(items_.size());
  for (std::uint32_t i = 0; i < by_name_.size(); ++i) {
    by_name_[i] = i;
  }
  std::ranges::sort(by_name_, [this](std::uint32_t left, std::uint32_t right) {
    const int order = items_[left].channel.compare(items_[right].channel);
    return order != 0 ? order < 0 : left < right;  // of equal names the first one named comes first
  });
}

void ChannelItems::seal() {
  index();
  bool repeated = false;
  std::string_view last;  // names are never empty
  for (const std::uint32_t i : by_name_) {
    if (items_[i].channel == last) {
      items_[i].channel = {};
      repeated = true;
    } else {
      last = items_[i].channel;
    }
  }
  if (repeated) {
    std::erase_if(items_, [](const SubscribeItem& item) { return item.channel.empty(); });
    index();
  }
}

SubscribeItem* ChannelItems::find(std::string_view channel) {
  const auto found =
      std::ranges::lower_bound(by_name_, channel, {}, [this](std::uint32_t i) { return items_[i].channel; });
  return found != by_name_.end() && items_[*found].channel == channel ? &items_[*found] : nullptr;
}

}  // namespace ringcast
