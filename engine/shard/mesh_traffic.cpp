// What goes to other shards: room in their lanes, requests to homes, and what a home has for its remote readers.
#include <algorithm>

#include "engine/shard/channel_router.hpp"

namespace ringcast {
namespace {

std::uint64_t bit(ShardIndex shard) { return std::uint64_t{1} << value(shard); }

}  // namespace

void ChannelRouter::push_control(ShardIndex to, MutableBytes& room, std::size_t bytes) {
  ensure(room.size() >= bytes, "a control record was given its room");
  MeshLane& lane = mesh_->control(here_, to);
  lane.commit(bytes);
  if (lane.publish()) doorbells_ |= bit(to);
}

MutableBytes ChannelRouter::request_room(ShardIndex to, std::size_t bytes) {
  Peer& there = peer(to);
  if (there.credits == 0) return {};
  --there.credits;
  return reply_room(to, bytes);
}

MutableBytes ChannelRouter::reply_room(ShardIndex to, std::size_t bytes) {
  const MutableBytes room = mesh_->control(here_, to).reserve(bytes);
  ensure(!room.empty(), "a control lane has room for every credit, every reply and every acknowledgement");
  return room;
}

MutableBytes ChannelRouter::bulk_room(ShardIndex to, std::size_t bytes, std::size_t backlog_max) {
  MeshLane& lane = mesh_->bulk(here_, to);
  if (lane.bytes_used() > backlog_max) {
    ask_for_room(to);
    if (lane.bytes_used() > backlog_max) return {};
  }
  return reserve(lane, to, bytes);
}

void ChannelRouter::push_bulk(ShardIndex to, std::size_t bytes) {
  MeshLane& lane = mesh_->bulk(here_, to);
  lane.commit(bytes);
  if (lane.publish()) doorbells_ |= bit(to);
}

void ChannelRouter::ask_for_room(ShardIndex to) {
  mesh_->room_wanted(here_, to).store(true, std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

/// Room in a lane for bulk or publishes. Empty: there is none, and the other shard will ring when it has made some.
MutableBytes ChannelRouter::reserve(MeshLane& lane, ShardIndex to, std::size_t bytes) {
  const MutableBytes room = lane.reserve(bytes);
  if (!room.empty()) return room;
  stats_->add(CounterId::mesh_lane_full);
  ask_for_room(to);
  return lane.reserve(bytes);
}

/// Gives the room back, and notes that its sender is to be rung if it waits for some.
void ChannelRouter::release_lane(MeshLane& lane, ShardIndex from) {
  lane.release();
  std::atomic_thread_fence(std::memory_order_seq_cst);  // our release before our look at the flag
  std::atomic<bool>& wanted = mesh_->room_wanted(from, here_);
  if (wanted.load(std::memory_order_relaxed) && wanted.exchange(false, std::memory_order_acq_rel)) {
    doorbells_ |= bit(from);
  }
}

bool ChannelRouter::send_attach(ShardIndex home, const ChannelLog& log, Handle handle) {
  Peer& there = peer(home);
  if (there.credits == 0 || (!there.attaches.empty() && there.attaches.front() != handle)) return false;
  const std::size_t bytes = sizeof(MeshAttach) + log.name->size();
  MutableBytes room = mesh_->control(here_, home).reserve(bytes);
  ensure(!room.empty(), "a control lane has room for every credit");
  RecordWriter record{room, MeshAttach{.form = log.form,
                                       .channel_bytes = static_cast<std::uint8_t>(log.name->size()),
                                       .log = handle,
                                       .epoch = log.epoch,
                                       .wanted = log.begin_at}};
  record.put(*log.name);
  push_control(home, room, bytes);
  --there.credits;
  return true;
}

PublishAnswer ChannelRouter::forward(ShardIndex home, const PublishRequest& request, Handle connection,
                                     std::string_view id) {
  Peer& there = peer(home);
  MeshLane& lane = mesh_->publishes(here_, home);
  const std::size_t bytes = sizeof(MeshPublish) + request.channel.size() + request.event.size() +
                            request.message_id.size() + id.size() + request.data.size();
  MutableBytes room;
  if (there.credits > kMeshCreditsKept) room = reserve(lane, home, bytes);
  if (room.empty()) {
    there.publishers.push_back(connection);
    stats_->add(CounterId::publishes_parked);
    return {.kind = PublishAnswer::Kind::no_room};
  }
  RecordWriter record{room, MeshPublish{.channel_bytes = static_cast<std::uint8_t>(request.channel.size()),
                                        .event_bytes = static_cast<std::uint8_t>(request.event.size()),
                                        .message_id_bytes = static_cast<std::uint8_t>(request.message_id.size()),
                                        .id_bytes = static_cast<std::uint8_t>(id.size()),
                                        .snapshot = request.snapshot ? std::uint8_t{1} : std::uint8_t{0},
                                        .high = request.high ? std::uint8_t{1} : std::uint8_t{0},
                                        .opaque = request.opaque ? std::uint8_t{1} : std::uint8_t{0},
                                        .data_bytes = static_cast<std::uint32_t>(request.data.size()),
                                        .connection = connection,
                                        .publisher = request.publisher,
                                        .received_ns = request.received.time_since_epoch().count(),
                                        .as_of = request.as_of}};
  for (const std::string_view part : {request.channel, request.event, request.message_id, id, request.data}) {
    record.put(part);
  }
  lane.commit();
  if (lane.publish()) doorbells_ |= bit(home);
  --there.credits;
  stats_->add(CounterId::publishes_forwarded);
  return {.kind = PublishAnswer::Kind::forwarded};
}

void ChannelRouter::remote_has_news(HomeChannel& home, Handle home_handle, Now now) {
  for (RemoteReader& reader : home.remote) {
    if (reader.waiting) continue;
    reader.waiting = true;
    reader.moved_at = now.mono;
    peer(reader.shard).readers.push_back({.home = home_handle, .their_log = reader.their_log});
  }
}

void ChannelRouter::pump(Now now) {
  if (presence_traffic_.active()) presence_traffic_.pump(now);
  for (std::uint32_t i = 0; i < shards_; ++i) {
    if (i == value(here_)) continue;
    const ShardIndex to{static_cast<std::uint16_t>(i)};
    Peer& there = peers_[i];
    while (!there.attaches.empty() && there.credits != 0) {
      const Handle handle = there.attaches.front();
      if (const ChannelLog* log = delivery_->find_log(handle)) send_attach(to, *log, handle);
      there.attaches.pop_front();
    }
    while (!there.pulls_unsent.empty() && send_pull(there.pulls_unsent.front())) there.pulls_unsent.pop_front();
    if (!there.pulls.empty() || !there.queries.empty()) serve_pulls(to, now);
    if (!there.readers.empty() || !there.refusals.empty()) pump_peer(to, now);
  }
}

void ChannelRouter::pump_peer(ShardIndex to, Now now) {
  Peer& there = peer(to);
  while (!there.refusals.empty()) {
    const MutableBytes room = reserve(mesh_->bulk(here_, to), to, sizeof(MeshHello));
    if (room.empty()) break;
    const Refused refused = there.refusals.front();
    store(room.data(), MeshHello{.refused = refused.reason, .log = refused.log});
    mesh_->bulk(here_, to).commit();
    there.refusals.pop_front();
  }
  while (!there.readers.empty()) {
    const Waiting waiting = there.readers.front();
    HomeChannel* home = homes_.find(waiting.home);
    RemoteReader* reader = nullptr;
    if (home != nullptr) {
      const auto at = std::ranges::find_if(home->remote, [&](const RemoteReader& candidate) {
        return candidate.shard == to && candidate.their_log == waiting.their_log;
      });
      if (at != home->remote.end()) reader = &*at;
    }
    if (reader == nullptr) {  // it has left meanwhile
      there.readers.pop_front();
      continue;
    }
    if (!pump_reader(to, *home, waiting.home, *reader)) break;  // no room: lag, like any reader's
    if (mesh_->bulk(here_, to).publish()) doorbells_ |= bit(to);  // what is in it counts from here on
    reader->moved_at = now.mono;
    ++pumps_;
    there.readers.pop_front();
    if (reader->greeted && reader->next == home->form_logs[static_cast<std::size_t>(reader->form)]->next()) {
      reader->waiting = false;
    } else {
      there.readers.push_back(waiting);  // the others first
    }
  }
  if (mesh_->bulk(here_, to).publish()) doorbells_ |= bit(to);
}

/// Puts one record into the lane: the hello, a hole, or a batch of frames. False when it has no room.
bool ChannelRouter::pump_reader(ShardIndex to, HomeChannel& home, Handle home_handle, RemoteReader& reader) {
  MeshLane& lane = mesh_->bulk(here_, to);
  if (!reader.greeted) {
    const MutableBytes room = reserve(lane, to, sizeof(MeshHello));
    if (room.empty()) return false;
    store(room.data(), MeshHello{.stale = home.stale ? std::uint8_t{1} : std::uint8_t{0},
                                 .channel_id = home.channel_id,
                                 .log = reader.their_log,
                                 .home = home_handle,
                                 .epoch = home.epoch,
                                 .next = reader.next});
    lane.commit();
    reader.greeted = true;
    reader.told_stale = home.stale;
    return true;
  }
  if (reader.told_stale != home.stale) [[unlikely]] return pump_state(to, home, reader);
  const FrameLog& log = *home.form_logs[static_cast<std::size_t>(reader.form)];
  const auto run = log.run_from(reader.next, kMeshBatchBytesMax);
  if (!run || run->first != reader.next) {
    const Sequence next = run ? run->first : log.next();
    if (next == reader.next) return true;
    const MutableBytes room = reserve(lane, to, sizeof(MeshHole));
    if (room.empty()) return false;
    store(room.data(), MeshHole{.log = reader.their_log, .next = next});
    lane.commit();
    stats_->add(CounterId::mesh_gaps);
    reader.next = next;
    return true;
  }
  if (lane.bytes_used() > kMeshBacklogBytes) {  // what waits in the log can be conflated, or go to a joiner at once
    ask_for_room(to);
    if (lane.bytes_used() > kMeshBacklogBytes) return false;
  }
  const std::size_t bytes = sizeof(MeshFrames) + run->frames * sizeof(MeshFrameEntry) + run->bytes;
  const MutableBytes room = reserve(lane, to, bytes);
  if (room.empty()) return false;
  std::uint8_t* out = room.data();
  const std::uint64_t high = std::min<std::uint64_t>(distance(run->first, next(home.high_last)), run->frames);
  store(out, MeshFrames{.high = static_cast<std::uint16_t>(high),
                        .frames = run->frames,
                        .log = reader.their_log,
                        .first = run->first,
                        .received_ns = run->received.time_since_epoch().count()});
  out += sizeof(MeshFrames);
  std::uint32_t begin = 0;
  for (std::uint32_t i = 0; i < run->frames; ++i) {
    const std::uint32_t end = run->end_of(i);
    const auto age = std::chrono::duration_cast<microseconds>(run->received_at(i) - run->received).count();
    store(out,
          MeshFrameEntry{.bytes = end - begin, .age_us = static_cast<std::uint32_t>(std::max<std::int64_t>(age, 0))});
    out += sizeof(MeshFrameEntry);
    begin = end;
  }
  std::memcpy(out, run->data, run->bytes);
  lane.commit();
  reader.next = run->end();
  stats_->add(CounterId::mesh_batches);
  stats_->add(CounterId::mesh_bytes, bytes);
  return true;
}

std::uint64_t ChannelRouter::take_doorbells() { return std::exchange(doorbells_, 0); }

bool ChannelRouter::lanes_empty() const {
  for (std::uint32_t i = 0; i < shards_; ++i) {
    if (i == value(here_)) continue;
    const ShardIndex from{static_cast<std::uint16_t>(i)};
    if (!mesh_->control(from, here_).empty() || !mesh_->bulk(from, here_).empty()) return false;
    if (!mesh_->publishes(from, here_).empty()) return false;
  }
  return true;
}

bool ChannelRouter::has_work() const {
  if (holding_ && may_go_on()) return true;
  if (patterns_.active() && patterns_.has_work()) return true;
  if (presence_traffic_.active() && presence_traffic_.has_work()) return true;
  if (durable_.has_work() || (store_waited_for_ && durable_.progress() != store_progress_)) return true;
  for (std::uint32_t i = 0; i < shards_; ++i) {
    if (i == value(here_)) continue;
    const ShardIndex from{static_cast<std::uint16_t>(i)};
    if (!mesh_->control(from, here_).empty() || !mesh_->bulk(from, here_).empty()) return true;
    if (!peers_[i].publishes_held && !mesh_->publishes(from, here_).empty()) return true;
  }
  return false;
}

bool ChannelRouter::settled() const {
  if (!durable_.settled() || !store_waiters_.empty()) return false;
  if (!lanes_empty() || !held_.empty() || !held_first_.empty() || !patterns_.settled()) return false;
  if (presence_traffic_.active()) return false;
  return std::ranges::all_of(peers_, [](const Peer& there) {
    return there.readers.empty() && there.publishers.empty() && there.pulls.empty() && there.queries.empty() &&
           there.pulls_unsent.empty() && there.credits == kMeshCredits;
  });
}

}  // namespace ringcast
