// engine/channel/dedupe.hpp: has this been published before? One window a shard for all its home channels.
//
// Owner    publish_pipeline, by value.  Thread  the home shard's.
// Memory   LruMap, at most the largest namespace's `dedupe.entries`; charged to Purpose::dedupe.
// Failure  none: at the bound the least recently used id is forgotten.
// Not here what a duplicate is answered with (publish_pipeline).
#pragma once

#include <optional>
#include <string_view>

#include "alloc/memory/budget.hpp"
#include "alloc/queue/lru_set.hpp"
#include "engine/limits.hpp"

namespace ringcast {

class DedupeWindow {
 public:
  DedupeWindow(std::uint32_t entries_max, Budget& budget) : seen_{entries_max}, budget_{&budget} {}
  ~DedupeWindow() { budget_->release(Purpose::dedupe, charged_); }

  /// The key under which a publish is remembered; nullopt when its namespace does not deduplicate it.
  /// publisher  whose message ids are their own; ignored with scope = channel.
  [[nodiscard]] static std::optional<LruKey> key_of(const DedupeOptions& options, std::string_view channel,
                                                    std::uint64_t publisher, std::string_view message_id,
                                                    std::string_view data);

  [[nodiscard]] std::optional<LruValue> find(const LruKey& key, Instant now) { return seen_.find(key, now); }
  void remember(const LruKey& key, const LruValue& value) {
    seen_.insert(key, value);
    if (seen_.bytes() != charged_) settle();
  }
  void forget(const LruKey& key) { (void)seen_.erase(key); }
  /// Another bound from now on; beyond it the least recently used are forgotten at once.
  void set_entries_max(std::uint32_t entries_max) {
    seen_.set_entries_max(entries_max);
    settle();
  }
  [[nodiscard]] std::uint32_t size() const { return seen_.size(); }

 private:
  void settle();

  LruMap seen_;
  Budget* budget_;
  std::size_t charged_ = 0;
};

}  // namespace ringcast
