// engine/channel/channel_table.hpp: the channels that one shard knows, by name: as their home, as a reader, or both.
//
// Owner    shard_core, by value.  Thread  the shard's.
// Memory   one Channel and one hash entry a channel, charged to Purpose::channels; at most as many as it was told.
// Failure  no room: find_or_create answers null.
// Not here a channel's messages (home_channel), its readers (delivery/channel_log).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include <absl/container/flat_hash_map.h>

#include "alloc/base/ensure.hpp"
#include "alloc/base/identifiers.hpp"
#include "alloc/memory/slab.hpp"
#include "codec/dialect/command.hpp"
#include "engine/limits.hpp"

namespace ringcast {

struct Channel {
  std::string name;
  const NamespaceRule* rule = nullptr;
  std::array<Handle, kForms> logs{};  // delivery's log of each form on this shard, where there is one
  Handle home_state;                  // HomeChannel, if this shard is home and the channel is in use
  std::uint32_t slot = Handle::kNone;  // its own, in the table
  ShardIndex home{};

  [[nodiscard]] bool unused() const {
    if (home_state.valid()) return false;
    for (const Handle& log : logs) {
      if (log.valid()) return false;
    }
    return true;
  }
};

class ChannelTable {
 public:
  ChannelTable(std::uint32_t channels_max, Budget& budget)
      : channels_{kChannelsMax, &budget, Purpose::channels}, channels_max_{channels_max} {}

  /// Another bound from now on. Channels beyond it stay, and no new one is made.
  void set_channels_max(std::uint32_t channels_max) { channels_max_ = channels_max; }

  [[nodiscard]] Channel* find(std::string_view name) {
    const auto at = by_name_.find(name);
    return at == by_name_.end() ? nullptr : &channels_[at->second];
  }
  /// Null when the table is full.
  template <class RuleOf>
  [[nodiscard]] Channel* find_or_create(std::string_view name, ShardIndex home, RuleOf&& rule_of) {
    if (Channel* known = find(name)) return known;
    if (channels_.size() >= channels_max_) return nullptr;
    const Handle handle = channels_.create();
    ensure(handle.valid(), "there are slots for every channel that a node may have");
    Channel& channel = channels_[handle.slot];
    channel.name = name;
    channel.slot = handle.slot;
    channel.home = home;
    channel.rule = &rule_of(name);
    by_name_.emplace(channel.name, handle.slot);
    return &channel;
  }
  void erase(Channel& channel) {
    by_name_.erase(std::string_view{channel.name});
    channels_.destroy(channels_.handle_of(channel.slot));
  }
  /// Gives back what is held for channels that are gone.
  void release_unused() {
    channels_.release_unused();
    by_name_.rehash(0);
  }
  [[nodiscard]] std::uint32_t size() const { return channels_.size(); }
  [[nodiscard]] Channel& operator[](std::uint32_t slot) { return channels_[slot]; }
  [[nodiscard]] Slab<Channel>& slab() { return channels_; }

 private:
  Slab<Channel> channels_;
  std::uint32_t channels_max_;
  absl::flat_hash_map<std::string_view, std::uint32_t> by_name_;  // views of Channel::name, which does not move
};

}  // namespace ringcast
