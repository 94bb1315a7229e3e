// engine/delivery/subscription_recorder.hpp: who writes down that a subscription began or ended.
//
// Owner    implemented by session/usage_feed.  Thread  the shard's.  Memory  none.
// Failure  none: it is told, it cannot refuse; whether there is room is asked before a subscribe.
// Not here who asked for the subscription, and whether it may (session).
//
// Told of every subscription while a record is kept. Without one nobody is told, and a subscribe pays one branch.
#pragma once

#include <cstdint>
#include <string_view>

#include "alloc/base/time.hpp"
#include "engine/delivery/outbox.hpp"

namespace ringcast {

class SubscriptionRecorder {
 public:
  virtual ~SubscriptionRecorder() = default;

  /// It reads from now on, in whatever form; a change of form is no new beginning. May not change subscriptions.
  virtual void began(std::uint32_t subscription, const Outbox& reader, std::string_view channel, Instant now) = 0;
  /// It reads no more. Each that began ends once.
  virtual void ended(std::uint32_t subscription, const Outbox& reader, std::string_view channel, Instant now) = 0;
};

}  // namespace ringcast
