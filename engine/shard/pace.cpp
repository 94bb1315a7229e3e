// Back pressure: publishers that outrun the readers' turns are held back (docs/adr/0008).
#include "engine/shard/channel_router.hpp"

namespace ringcast {

/// Who publishes to this channel now leaves readers behind that only wait for their turn: here, or on another shard
/// that is slow to take what there is for it. One that takes nothing for kPaceTime is not waited for: that is lag.
bool ChannelRouter::outruns_readers(const Channel& channel, const HomeChannel& home, Now now) const {
  if (home.rule->slow == SlowPolicy::conflate) return false;
  for (const Handle log : channel.logs) {
    if (log.valid() && delivery_->ahead_of_turns(delivery_->log(log.slot))) return true;
  }
  const LagLimits& lag = home.rule->lag;
  for (const RemoteReader& reader : home.remote) {
    const FrameLog& log = *home.form_logs[static_cast<std::size_t>(reader.form)];
    if (!reader.greeted || now.mono - reader.moved_at >= kPaceTime) continue;
    if (distance(reader.next, log.next()) >= lag.pace_messages() ||
        log.bytes_from(reader.next) >= lag.pace_bytes(kMeshBacklogBytes)) {
      return true;
    }
  }
  return false;
}

bool ChannelRouter::outruns_readers(std::string_view name, Now now) {
  const Channel* channel = channels_.find(name);
  if (channel == nullptr || !channel->home_state.valid()) return false;
  return outruns_readers(*channel, homes_[channel->home_state.slot], now);
}

/// Something is held back from now on, until a lap of the turn queue or a lane has moved, or kPaceTime is over.
void ChannelRouter::hold(Now now) {
  if (holding_ && !may_go_on()) {
    held_backlog_ = held_backlog_ || delivery_->has_backlog();
    return;
  }
  holding_ = true;
  held_at_ = now.mono;
  held_backlog_ = delivery_->has_backlog();
  held_lap_ = delivery_->lap();
  held_pumps_ = pumps_;
}

bool ChannelRouter::may_go_on() const {
  return delivery_->lap() != held_lap_ || pumps_ != held_pumps_ || (held_backlog_ && !delivery_->has_backlog());
}

const std::vector<Handle>& ChannelRouter::take_room(Now now) {
  room_.clear();
  if (holding_ && (may_go_on() || now.mono >= pace_deadline())) {
    holding_ = false;
    room_.swap(held_first_);
    room_.insert(room_.end(), held_.begin(), held_.end());
    held_.clear();
    for (Peer& there : peers_) there.publishes_held = false;
    lanes_first_ = !lanes_first_;
    if (lanes_first_) drain_publish_lanes(now);
  }
  if (store_waited_for_ && durable_.progress() != store_progress_) {
    store_waited_for_ = false;
    room_.insert(room_.end(), store_waiters_.begin(), store_waiters_.end());
    store_waiters_.clear();
    for (Peer& there : peers_) there.publishes_held = false;
  }
  for (std::uint32_t i = 0; i < shards_; ++i) {
    Peer& there = peers_[i];
    if (there.publishers.empty() || there.credits <= kMeshCreditsKept) continue;
    const ShardIndex to{static_cast<std::uint16_t>(i)};
    ask_for_room(to);
    MeshLane& lane = mesh_->publishes(here_, to);
    if (lane.bytes_used() > lane.capacity() / 2) continue;  // half a lane takes any publish
    room_.insert(room_.end(), there.publishers.begin(), there.publishers.end());
    there.publishers.clear();
  }
  return room_;
}

}  // namespace ringcast
