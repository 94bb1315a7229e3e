// engine/delivery/subscription_watch.hpp: who wants to know that a subscription began or ended.
//
// Owner    implemented by presence.  Thread  the shard's.  Memory  none.
// Failure  none: it is told, it cannot refuse.
// Not here who asked for the subscription (session), whether it may (session).
//
// Told only of channels whose namespace counts its users: delivery looks at the rule first, so that the others pay one
// branch a subscribe.
#pragma once

#include "alloc/base/time.hpp"
#include "engine/delivery/channel_log.hpp"

namespace ringcast {

class SubscriptionWatch {
 public:
  virtual ~SubscriptionWatch() = default;

  /// It reads from now on. May not change subscriptions or logs, nor send.
  virtual void began(const Subscription& subscription, const ChannelLog& log) = 0;
  /// It reads no more: it is about to go.
  virtual void ended(const Subscription& subscription, const ChannelLog& log) = 0;
};

}  // namespace ringcast
