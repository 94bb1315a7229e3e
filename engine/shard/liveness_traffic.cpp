// The state of channels whose namespace has stale_after: at home, and what other shards are told of it.
#include "engine/shard/channel_router.hpp"
#include "engine/shard/mesh_records.hpp"

namespace ringcast {

/// A message of a channel that is watched was sequenced. If it was stale, its readers hear that it is live before they
/// see the message: here what they are told goes before messages, and other shards are told before they get frames.
void ChannelRouter::note_published(Channel& channel, HomeChannel& home, Now now) {
  liveness_.published(home.liveness, now);
  if (home.stale) set_stale(channel, home, false, now);
}

void ChannelRouter::set_stale(Channel& channel, HomeChannel& home, bool stale, Now now) {
  home.stale = stale;
  if (stale) {
    stats_->add(CounterId::channels_stale);
    stats_->add(CounterId::channels_became_stale);
  } else {
    stats_->sub(CounterId::channels_stale);
    stats_->add(CounterId::channels_became_live);
  }
  for (const Handle handle : channel.logs) {
    if (ChannelLog* log = delivery_->find_log(handle)) {
      log->stale = stale;
      presence_->fanout().tell_liveness(*log, now);
    }
  }
  remote_has_news(home, channel.home_state, now);
}

void ChannelRouter::forget_liveness(HomeChannel& home) {
  if (home.liveness == Handle::kNone) return;
  liveness_.forget(home.liveness);
  home.liveness = Handle::kNone;
  if (home.stale) stats_->sub(CounterId::channels_stale);
}

void ChannelRouter::expire_timers(Now now) {
  presence_->expire(now);
  liveness_.expire(now, [&](Handle handle) {
    HomeChannel& home = homes_[handle.slot];
    set_stale(channels_[home.channel], home, true, now);
  });
}

Instant ChannelRouter::timer_deadline() const {
  const Instant users = presence_->next_deadline().value_or(Instant::max());
  return std::min(users, liveness_.next_deadline().value_or(Instant::max()));
}

/// Before any frame that follows; false when the lane has no room.
bool ChannelRouter::pump_state(ShardIndex to, const HomeChannel& home, RemoteReader& reader) {
  MeshLane& lane = mesh_->bulk(here_, to);
  const MutableBytes room = reserve(lane, to, sizeof(MeshState));
  if (room.empty()) return false;
  store(room.data(), MeshState{.stale = home.stale ? std::uint8_t{1} : std::uint8_t{0}, .log = reader.their_log});
  lane.commit();
  reader.told_stale = home.stale;
  return true;
}

/// Returns how many readers were looked at.
std::size_t ChannelRouter::on_state(Bytes record, Now now) {
  const auto header = load<MeshState>(record.data());
  ChannelLog* log = delivery_->find_log(header.log);
  if (log == nullptr) return 0;  // closed meanwhile: the detach is on its way
  log->stale = header.stale != 0;
  return presence_->fanout().tell_liveness(*log, now);
}

}  // namespace ringcast
