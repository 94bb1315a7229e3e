#include "engine/channel/pattern_watches.hpp"

#include <algorithm>
#include <utility>

#include "alloc/base/ensure.hpp"

namespace ringcast {

void PatternWatches::watch(ShardIndex by, Handle pattern, std::string_view text) {
  Watcher& watcher = watchers_[value(by)];
  const auto known = std::ranges::find(watcher.watches, pattern, [](const auto& watch) { return watch->pattern; });
  if (known != watcher.watches.end()) {
    Watch& watch = **known;
    ensure(std::ranges::find(watcher.looking, &watch) == watcher.looking.end(), "a shard asks again when it was told");
    watch.slot = 0;
    watcher.looking.push_back(&watch);
    return;
  }
  auto compiled = Pattern::compile(text);
  ensure(compiled.has_value(), "a pattern is compiled where it is subscribed to");
  if (watcher.watches.empty()) {
    watcher.at = end();
    watcher.watch = 0;
  }
  watcher.watches.push_back(
      std::make_unique<Watch>(Watch{.pattern = pattern, .compiled = std::move(*compiled), .since = end()}));
  watcher.looking.push_back(watcher.watches.back().get());
  ++watches_;
}

void PatternWatches::unwatch(ShardIndex by, Handle pattern) {
  Watcher& watcher = watchers_[value(by)];
  const auto known = std::ranges::find(watcher.watches, pattern, [](const auto& watch) { return watch->pattern; });
  ensure(known != watcher.watches.end(), "a shard gives up what it watches");
  ensure(std::ranges::find(watcher.looking, known->get()) == watcher.looking.end(),
         "a shard gives up when it was told what exists");
  const auto index = static_cast<std::size_t>(known - watcher.watches.begin());
  watcher.watches.erase(known);  // in order: the comparison under way goes on where it was
  if (index < watcher.watch) --watcher.watch;
  --watches_;
  forget_told();
}

void PatternWatches::begins(Handle home, Sequence after, std::uint64_t shards) {
  if (watches_ == 0) return;
  beginnings_.push_back({.home = home, .after = after, .shards = shards});
}

std::optional<PatternWatches::Word> PatternWatches::next(ShardIndex to, Slab<HomeChannel>& homes,
                                                         std::uint32_t& steps) {
  Watcher& watcher = watchers_[value(to)];
  if (watcher.watches.empty()) return std::nullopt;
  if (watcher.at != end()) {
    if (const auto word = next_beginning(to, homes, steps)) return word;
  }
  if (watcher.at != end()) return std::nullopt;
  return next_existing(watcher, homes, steps);
}

bool PatternWatches::pending(ShardIndex to) const {
  const Watcher& watcher = watchers_[value(to)];
  return !watcher.watches.empty() && (watcher.at != end() || !watcher.looking.empty());
}

std::optional<PatternWatches::Word> PatternWatches::next_beginning(ShardIndex to, Slab<HomeChannel>& homes,
                                                                   std::uint32_t& steps) {
  Watcher& watcher = watchers_[value(to)];
  while (watcher.at != end() && steps != 0) {
    const Beginning& beginning = beginnings_[static_cast<std::size_t>(watcher.at - first_)];
    const HomeChannel* home = (beginning.shards >> value(to) & 1U) != 0 ? homes.find(beginning.home) : nullptr;
    while (home != nullptr && watcher.watch < watcher.watches.size() && steps != 0) {
      --steps;
      const Watch& watch = *watcher.watches[watcher.watch++];
      if (watch.since > watcher.at || !watch.compiled.matches(*home->name)) continue;
      return Word{.kind = Word::Kind::begins, .pattern = watch.pattern, .home = home, .after = beginning.after};
    }
    if (home != nullptr && watcher.watch < watcher.watches.size()) break;  // no steps are left
    if (home == nullptr) --steps;
    watcher.watch = 0;
    ++watcher.at;
    forget_told();
  }
  return std::nullopt;
}

std::optional<PatternWatches::Word> PatternWatches::next_existing(Watcher& watcher, Slab<HomeChannel>& homes,
                                                                  std::uint32_t& steps) {
  while (!watcher.looking.empty() && steps != 0) {
    Watch& watch = *watcher.looking.front();
    for (; watch.slot < homes.slot_end() && steps != 0; --steps) {
      const HomeChannel* home = homes.at(watch.slot++);
      // A channel without a message begins with its first one.
      if (home == nullptr || home->last() == Sequence{} || !watch.compiled.matches(*home->name)) continue;
      --steps;
      return Word{.kind = Word::Kind::exists, .pattern = watch.pattern, .home = home};
    }
    if (steps == 0) break;
    --steps;
    watcher.looking.pop_front();
    return Word{.kind = Word::Kind::looked, .pattern = watch.pattern};
  }
  return std::nullopt;
}

/// Beginnings that every shard which watches anything has been told of.
void PatternWatches::forget_told() {
  std::uint64_t told = end();
  for (const Watcher& watcher : watchers_) {
    if (!watcher.watches.empty()) told = std::min(told, watcher.at);
  }
  for (; first_ != told; ++first_) beginnings_.pop_front();
}

}  // namespace ringcast
