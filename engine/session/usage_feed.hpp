// engine/session/usage_feed.hpp: tells the entitlement record of every subscription that begins or ends.
//
// Owner    shard_core, only where a record is kept.  Thread  the shard's.
// Memory   8 bytes a slot of a subscription, charged to Purpose::subscriptions; what the journal holds.
// Failure  none: see UsageJournal.
// Not here the record's bytes and lane (access/usage_record), its file (node/usage_file).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "alloc/base/time.hpp"
#include "alloc/memory/budget.hpp"
#include "engine/access/usage_record.hpp"
#include "engine/delivery/subscription_recorder.hpp"

namespace ringcast {

class Sessions;

class UsageFeed final : public SubscriptionRecorder {
 public:
  UsageFeed(UsageLane& lane, Budget& budget, ShardStats& stats, Now now)
      : journal_{lane, budget, stats}, budget_{&budget}, clock_{now} {}
  ~UsageFeed() override { budget_->release(Purpose::subscriptions, since_.capacity() * sizeof(WallTime)); }
  UsageFeed(const UsageFeed&) = delete;
  UsageFeed& operator=(const UsageFeed&) = delete;

  /// Who the readers are. Before the first subscription.
  void set_sessions(const Sessions& sessions) { sessions_ = &sessions; }
  [[nodiscard]] UsageJournal& journal() { return journal_; }

  void began(std::uint32_t subscription, const Outbox& reader, std::string_view channel, Instant now) override;
  void ended(std::uint32_t subscription, const Outbox& reader, std::string_view channel, Instant now) override;

  /// What begins and ends until the next call is told by this clock.
  void keep_time(Now now) { clock_ = now; }
  /// Called once a housekeeping, and at the end: brings what is held to the writer.
  void settle() { journal_.flush(); }
  /// Everything is with the writer.
  [[nodiscard]] bool settled() const { return journal_.settled(); }

 private:
  void note(UsageRecord::Kind kind, const Outbox& reader, std::string_view channel, WallTime at, WallTime since);
  [[nodiscard]] WallTime wall_time(Instant now) const { return clock_.wall + (now - clock_.mono); }

  UsageJournal journal_;
  Budget* budget_;
  const Sessions* sessions_ = nullptr;
  Now clock_;
  std::vector<WallTime> since_;  // by the subscription's slot
};

}  // namespace ringcast
