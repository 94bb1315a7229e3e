#include "engine/session/usage_feed.hpp"

#include "alloc/base/ensure.hpp"
#include "engine/session/sessions.hpp"

namespace ringcast {

void UsageFeed::began(std::uint32_t subscription, const Outbox& reader, std::string_view channel, Instant now) {
  if (subscription >= since_.size()) {
    const std::size_t before = since_.capacity();
    since_.resize(std::size_t{subscription} + 1);
    budget_->charge(Purpose::subscriptions, (since_.capacity() - before) * sizeof(WallTime));
  }
  since_[subscription] = wall_time(now);
  note(UsageRecord::Kind::began, reader, channel, since_[subscription], {});
}

void UsageFeed::ended(std::uint32_t subscription, const Outbox& reader, std::string_view channel, Instant now) {
  ensure(subscription < since_.size(), "what ends began");
  note(UsageRecord::Kind::ended, reader, channel, wall_time(now), since_[subscription]);
}

void UsageFeed::note(UsageRecord::Kind kind, const Outbox& reader, std::string_view channel, WallTime at,
                     WallTime since) {
  const Connection* connection = sessions_->look(reader.connection);
  ensure(connection != nullptr, "who reads is there");
  journal_.note({.kind = kind,
                 .at = at,
                 .since = since,
                 .connection = connection->id,
                 .address = connection->address,
                 .port = connection->port,
                 .user = sessions_->user_of(*connection),
                 .channel = channel});
}

}  // namespace ringcast
