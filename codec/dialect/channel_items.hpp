// codec/dialect/channel_items.hpp: the channels of one command, each once, in the order they were named.
//
// Owner    a decoder; a second one holds the points of a resume that name none of them.  Thread  the shard's.
// Memory   two tables that grow to channels_max entries and are reused.
// Failure  none of its own: add() says when the bound is reached.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "codec/dialect/command.hpp"

namespace ringcast {

class ChannelItems {
 public:
  explicit ChannelItems(std::size_t channels_max) : channels_max_{channels_max} {}

  void clear();
  void set_channels_max(std::size_t channels_max) { channels_max_ = channels_max; }
  /// A valid name. False, and nothing added, if there are channels_max already.
  [[nodiscard]] bool add(std::string_view channel) { return add(SubscribeItem{.channel = channel}); }
  [[nodiscard]] bool add(const SubscribeItem& item);
  /// Drops every repeated name and orders the index that find() needs. n log n: a peer chooses the names.
  void seal();
  /// The item of that name, after seal(); or null.
  [[nodiscard]] SubscribeItem* find(std::string_view channel);
  [[nodiscard]] std::span<const SubscribeItem> items() const { return items_; }

 private:
  void index();

  std::size_t channels_max_;
  std::vector<SubscribeItem> items_;
  std::vector<std::uint32_t> by_name_;
};

}  // namespace ringcast
