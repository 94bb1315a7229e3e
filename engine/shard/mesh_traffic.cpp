#include <algorithm>

#include "engine/shard/channel_router.hpp"

namespace ringcast {
namespace {

constexpr Refusal kNothingPublished{.code = ErrorCode::unknown_channel,
                                    .sentence = "nothing is known of this channel"};
constexpr std::size_t kNoticeBytesLook = 64;  // what telling one reader counts as: about what its frame has

std::uint64_t bit(ShardIndex shard) { return std::uint64_t{1} << value(shard); }

}  // namespace

// ---- to other shards ----

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

// ---- from other shards ----

void ChannelRouter::on_attach(ShardIndex from, Bytes record, Now now) {
  const auto header = load<MeshAttach>(record.data());
  const std::string_view name = RecordTexts{record, sizeof header}.take(header.channel_bytes);
  Channel* channel = channels_.find_or_create(
      name, here_, [&](std::string_view n) -> const NamespaceRule& { return rules_.rule_of(n); });
  Refusal refusal;
  // Their shard has looked at what the channel carries, but a reload may have reached one of us before the other.
  const bool unreadable =
      channel != nullptr && channel->rule->payload == PayloadKind::binary && plain_of(header.form) != Form::binary;
  const ResumePoint after{.epoch = header.epoch, .seq = Sequence{value(header.wanted) - 1}};
  const bool wants = header.wanted != Sequence{};
  const Handle log = channel == nullptr || unreadable
                         ? Handle{}
                         : ensure_log(*channel, header.form, wants ? &after : nullptr, now, refusal);
  if (!log.valid()) {
    if (channel != nullptr && channel->unused()) channels_.erase(*channel);
    peer(from).refusals.push_back({.log = header.log, .reason = MeshHello::Refused::no_room});
    return;
  }
  HomeChannel& home = homes_[channel->home_state.slot];
  ChannelLog& channel_log = *delivery_->find_log(log);
  const bool loading = durable_.loading(home);  // channel_loaded() says hello
  ++channel_log.remote_readers;
  home.remote.push_back({.their_log = header.log,
                         .shard = from,
                         .form = header.form,
                         .waiting = !loading,
                         .next = wants && header.epoch == home.epoch && channel_log.log.holds(header.wanted)
                                     ? header.wanted
                                     : channel_log.log.next()});
  if (!loading) peer(from).readers.push_back({.home = channel->home_state, .their_log = header.log});
}

void ChannelRouter::on_detach(ShardIndex from, Bytes record, Now now) {
  const auto header = load<MeshDetach>(record.data());
  HomeChannel* home = homes_.find(header.home);
  ensure(home != nullptr, "a home stays while a shard reads it");
  const auto at = std::ranges::find_if(home->remote, [&](const RemoteReader& reader) {
    return reader.shard == from && reader.their_log == header.log;
  });
  ensure(at != home->remote.end(), "a shard detaches what it attached");
  forget_reader(*home, at, now);

  MutableBytes room = mesh_->control(here_, from).reserve(sizeof(MeshDetached));
  ensure(!room.empty(), "a control lane has room for every reply");
  store(room.data(), MeshDetached{});
  push_control(from, room, sizeof(MeshDetached));
}

void ChannelRouter::forget_reader(HomeChannel& home, std::vector<RemoteReader>::iterator reader, Now now) {
  ChannelLog& log = *delivery_->find_log(channels_[home.channel].logs[static_cast<std::size_t>(reader->form)]);
  --log.remote_readers;
  if (log.unread()) log.unread_since = now.mono;
  home.remote.erase(reader);
}

void ChannelRouter::drain_bulk(ShardIndex from, Now now) {
  MeshLane& lane = mesh_->bulk(from, here_);
  std::uint32_t taken = 0;
  std::size_t bytes = 0;
  for (; taken < kMeshRecordsPerDrain && bytes < kMeshBytesPerDrain; ++taken) {
    const Bytes record = lane.peek();
    if (record.empty()) break;
    bytes += record.size();
    switch (kind_of(record)) {
      case MeshKind::hello:
        on_hello(from, record, now);
        break;
      case MeshKind::frames: {
        const ChannelLog* log = delivery_->find_log(load<MeshFrames>(record.data()).log);
        if (log != nullptr && delivery_->ahead_of_turns(*log)) {  // the lap ends by itself: there is a backlog
          if (taken != 0) release_lane(lane, from);
          return;
        }
        on_frames(record, now);
        break;
      }
      case MeshKind::hole:
        on_hole(record, now);
        break;
      case MeshKind::chunk:
        on_chunk(from, record, now);
        break;
      case MeshKind::history_reply: {
        ++peer(from).credits;
        const auto header = load<MeshHistoryReply>(record.data());
        const bool of_bytes = header.code == ErrorCode::not_supported;
        arrivals_.histories.push_back({.connection = header.connection,
                                       .refused = header.refused != 0,
                                       .text = std::string{RecordTexts{record, sizeof header}.take(header.text_bytes)},
                                       .refusal = of_bytes ? refusal_of(header.code) : kNothingPublished});
        break;
      }
      case MeshKind::announce:
        patterns_.on_announce(from, record);
        break;
      case MeshKind::idle:
        patterns_.on_idle(from, record, now);
        break;
      case MeshKind::state:
        bytes += kNoticeBytesLook * on_state(record, now);
        break;
      case MeshKind::answer:
        presence_traffic_.on_answer(from, record, now);
        break;
      case MeshKind::notice:
        bytes += kNoticeBytesLook * presence_traffic_.on_notice(record, now);
        break;
      default:
        ensure(false, "a bulk lane carries what a home has for its readers and watchers, and answers");
    }
    lane.pop();
  }
  if (taken != 0) release_lane(lane, from);
}

void ChannelRouter::drain_publish_lanes(Now now) {
  if (++first_lane_ >= shards_) first_lane_ = 0;
  for (std::uint32_t i = 0; i < shards_; ++i) {
    const std::uint32_t from = (first_lane_ + i) % shards_;
    if (from != value(here_)) drain_publishes(ShardIndex{static_cast<std::uint16_t>(from)}, now);
  }
}

void ChannelRouter::drain_publishes(ShardIndex from, Now now) {
  MeshLane& lane = mesh_->publishes(from, here_);
  if (peer(from).publishes_held) return;
  std::uint32_t taken = 0;
  std::size_t bytes = 0;
  for (; taken < kMeshRecordsPerDrain && bytes < kMeshBytesPerDrain; ++taken) {
    const Bytes record = lane.peek();
    if (record.empty()) break;
    const auto header = load<MeshPublish>(record.data());
    const std::string_view channel = RecordTexts{record, sizeof header}.take(header.channel_bytes);
    const bool for_readers = outruns_readers(channel, now);
    if (for_readers || (durable_.has_store() && waits_for_store(channel))) {
      if (for_readers) {
        hold(now);
      } else {
        wait_for_store(Handle{});
      }
      peer(from).publishes_held = true;
      stats_->add(CounterId::publishes_parked);
      break;
    }
    bytes += record.size();
    on_publish(from, record, now);
    lane.pop();
  }
  if (taken != 0) release_lane(lane, from);
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

void ChannelRouter::on_hello(ShardIndex from, Bytes record, Now now) {
  const auto header = load<MeshHello>(record.data());
  ++peer(from).credits;
  ChannelLog* log = delivery_->find_log(header.log);
  ensure(log != nullptr && log->state == ChannelLog::State::attaching, "an attaching log waits for its hello");
  Channel& channel = channels_[log->channel];
  if (header.refused != MeshHello::Refused::no) {
    log->state = ChannelLog::State::refused;
    log->refused_by_store = header.refused == MeshHello::Refused::unreadable;
    channel.logs[static_cast<std::size_t>(log->form)] = Handle{};
  } else {
    log->state = ChannelLog::State::live;
    log->home = header.home;
    log->epoch = header.epoch;
    log->channel_id = header.channel_id;
    log->stale = header.stale != 0;
    log->log.skip_to(header.next);
    log->unread_since = now.mono;
  }
  settle_joiners(header.log, now, arrivals_.ready);
  if (delivery_->find_log(header.log) == nullptr && channel.unused()) channels_.erase(channel);
}

/// A log has become live, or was refused: those who wait for it are `ready`, or stay where they are.
void ChannelRouter::settle_joiners(Handle log_handle, Now now, std::vector<Handle>& ready) {
  ChannelLog& log = *delivery_->find_log(log_handle);
  const bool refused = log.state == ChannelLog::State::refused;
  for (std::size_t i = 0; i < log.joiners.size();) {
    const std::uint32_t slot = log.joiners[i];
    const bool moves = delivery_->subscription(slot).moving_to == log_handle.slot;
    if (!moves) ready.push_back(delivery_->handle_of(slot));
    if (moves && refused) {
      delivery_->cancel_move(slot);  // takes it out of joiners
    } else {
      ++i;
    }
  }
  if (!refused) {
    delivery_->settle_moves(log_handle.slot, now.mono);
  } else if (log.unread()) {
    delivery_->close_log(log_handle);
  }
}

void ChannelRouter::on_frames(Bytes record, Now now) {
  const auto header = load<MeshFrames>(record.data());
  ChannelLog* log = delivery_->find_log(header.log);
  if (log == nullptr) return;  // closed meanwhile: the detach is on its way
  ensure(log->log.next() == header.first, "a log receives seq = last + 1, or a hole");
  const Instant received{nanoseconds{header.received_ns}};
  const std::uint8_t* entry = record.data() + sizeof header;
  const std::uint8_t* data = entry + header.frames * sizeof(MeshFrameEntry);
  for (std::uint32_t i = 0; i < header.frames; ++i, entry += sizeof(MeshFrameEntry)) {
    const auto frame = load<MeshFrameEntry>(entry);
    log->log.append(Bytes{data, frame.bytes}, received + microseconds{frame.age_us}, now.mono);
    data += frame.bytes;
  }
  ensure(data == record.data() + record.size(), "a batch is as long as its entries say");
  stats_->record(LatencyId::receive_to_append, now.mono - received);
  if (header.high != 0) delivery_->mark_high(header.log.slot, Sequence{value(header.first) + header.high - 1});
  delivery_->appended(header.log.slot, header.frames);
  delivery_->settle_moves(header.log.slot, now.mono);
}

void ChannelRouter::on_hole(Bytes record, Now now) {
  const auto header = load<MeshHole>(record.data());
  ChannelLog* log = delivery_->find_log(header.log);
  if (log == nullptr) return;
  const std::uint64_t missing = distance(log->log.next(), header.next);
  stats_->event(EventCode::mesh_gap, now, missing, value(here_), *log->name);
  log->log.skip_to(header.next);
  delivery_->appended(header.log.slot, missing);
  delivery_->settle_moves(header.log.slot, now.mono);
}

void ChannelRouter::on_publish(ShardIndex from, Bytes record, Now now) {
  const auto header = load<MeshPublish>(record.data());
  RecordTexts texts{record, sizeof header};
  PublishRequest request;
  request.channel = texts.take(header.channel_bytes);
  request.event = texts.take(header.event_bytes);
  request.message_id = texts.take(header.message_id_bytes);
  const std::string_view id = texts.take(header.id_bytes);
  request.data = texts.take(header.data_bytes);
  request.publisher = header.publisher;
  request.snapshot = header.snapshot != 0;
  request.as_of = header.as_of;
  request.high = header.high != 0;
  request.opaque = header.opaque != 0;
  request.received = Instant{nanoseconds{header.received_ns}};
  const PublishAnswer answer = publish_at_home(
      request, {.shard = from, .connection = header.connection, .id = id}, Hold::forbidden, now);
  if (answer.kind == PublishAnswer::Kind::forwarded) return;  // to the store: answered() replies
  ensure(answer.kind == PublishAnswer::Kind::published || answer.kind == PublishAnswer::Kind::refused,
         "a forwarded publish has arrived at its home");
  reply_over_mesh(from, {.connection = header.connection,
                         .id = id,
                         .channel = request.channel,
                         .refused = answer.kind == PublishAnswer::Kind::refused,
                         .published = answer.published,
                         .refusal = answer.refusal});
}

/// Also gives the request's credit back.
void ChannelRouter::reply_over_mesh(ShardIndex to, const PublishReply& reply) {
  const bool named = reply.refused || !reply.id.empty();
  const std::string_view channel = named ? reply.channel : std::string_view{};
  const std::string_view id = named ? reply.id : std::string_view{};
  const std::size_t bytes = sizeof(MeshPublishReply) + channel.size() + id.size();
  MutableBytes room = mesh_->control(here_, to).reserve(bytes);
  ensure(!room.empty(), "a control lane has room for every reply");
  RecordWriter record{room,
                      MeshPublishReply{.channel_bytes = static_cast<std::uint8_t>(channel.size()),
                                       .id_bytes = static_cast<std::uint8_t>(id.size()),
                                       .duplicate = reply.published.duplicate ? std::uint8_t{1} : std::uint8_t{0},
                                       .refused = reply.refused ? std::uint8_t{1} : std::uint8_t{0},
                                       .code = reply.refusal.code,
                                       .acknowledges = reply.acknowledges ? std::uint8_t{1} : std::uint8_t{0},
                                       .channel_id = reply.published.channel_id,
                                       .connection = reply.connection,
                                       .epoch = reply.published.epoch,
                                       .seq = reply.published.seq}};
  record.put(channel);
  record.put(id);
  push_control(to, room, bytes);
}

}  // namespace ringcast
