// engine/channel/pattern_watches.hpp: the HOME side of patterns: which shard wants to hear of which channels, and what
// it has not been told yet.
//
// Owner    pattern_traffic, by value.  Thread  the shard's.
// Memory   a Watch for each pattern that a shard watches (kPatternsPerShardMax a shard); 24 bytes for each channel that
//          begins, until every watcher has been told.
// Failure  none.
// Not here who subscribes (delivery/pattern_table), the lanes (shard/pattern_traffic).
//
// A watcher is told, in this order: of channels that begin (their next message is the first that it may miss), then of
// those that exist, which it asks for whenever somebody over there subscribes. Nothing is kept for what it is not told
// yet but a place in the list of beginnings and one among the slots of the homes, so that 100,000 channels are told of
// in steps, as fast as they are taken. The order matters: nobody hears that a channel exists before it has heard that
// it began, so what it binds later cannot be bound from the beginning again.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "alloc/base/identifiers.hpp"
#include "alloc/memory/slab.hpp"
#include "codec/text/pattern.hpp"
#include "engine/channel/home_channel.hpp"

namespace ringcast {

class PatternWatches {
 public:
  struct Word {
    enum class Kind : std::uint8_t {
      begins,  // all who match bind it, from the message after `after` on
      exists,  // those who asked bind it, from now on
      looked,  // nothing else exists
    };
    Kind kind{};
    Handle pattern;                     // the watcher's
    const HomeChannel* home = nullptr;  // null: looked
    Sequence after{};                   // begins
  };

  explicit PatternWatches(std::uint32_t shards) : watchers_(shards) {}

  /// From now on `by` hears of every channel that begins and matches; and once of all that exist. Asked again only when
  /// the last `looked` has been taken.
  void watch(ShardIndex by, Handle pattern, std::string_view text);
  void unwatch(ShardIndex by, Handle pattern);
  [[nodiscard]] bool any() const { return watches_ != 0; }
  [[nodiscard]] bool any_of(ShardIndex shard) const { return !watchers_[value(shard)].watches.empty(); }

  /// The next message of this channel, after `after`, is the first that these shards (a bit each) may miss.
  void begins(Handle home, Sequence after, std::uint64_t shards);

  /// The next thing to be told; nothing if there is none, or none was found in `steps` comparisons, which are counted
  /// down. What it returns counts as told.
  [[nodiscard]] std::optional<Word> next(ShardIndex to, Slab<HomeChannel>& homes, std::uint32_t& steps);
  /// next() may still find something.
  [[nodiscard]] bool pending(ShardIndex to) const;

 private:
  struct Watch {
    Handle pattern;
    Pattern compiled;
    std::uint64_t since = 0;  // beginnings before this one are not news for it
    std::uint32_t slot = 0;   // of the homes, while it is being looked through
  };
  struct Beginning {
    Handle home;
    Sequence after{};
    std::uint64_t shards = 0;
  };
  struct Watcher {
    std::vector<std::unique_ptr<Watch>> watches;
    std::deque<Watch*> looking;  // the first one is being told what exists
    std::uint64_t at = 0;        // the beginning that it is told of next
    std::size_t watch = 0;       // and the watch that this is compared with
  };

  [[nodiscard]] std::uint64_t end() const { return first_ + beginnings_.size(); }
  [[nodiscard]] std::optional<Word> next_beginning(ShardIndex to, Slab<HomeChannel>& homes, std::uint32_t& steps);
  [[nodiscard]] std::optional<Word> next_existing(Watcher& watcher, Slab<HomeChannel>& homes, std::uint32_t& steps);
  void forget_told();

  std::vector<Watcher> watchers_;  // one a shard
  std::size_t watches_ = 0;
  std::deque<Beginning> beginnings_;
  std::uint64_t first_ = 0;  // the place of the first of them, counted from the start
};

}  // namespace ringcast
