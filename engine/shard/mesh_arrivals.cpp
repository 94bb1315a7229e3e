// What comes from other shards: who reads a home and who no longer, what homes have for us, and forwarded publishes.
#include <algorithm>

#include "engine/shard/channel_router.hpp"

namespace ringcast {
namespace {

constexpr Refusal kNothingPublished{.code = ErrorCode::unknown_channel,
                                    .sentence = "nothing is known of this channel"};
constexpr std::size_t kNoticeBytesLook = 64;  // what telling one reader counts as: about what its frame has

}  // namespace

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
