#include "engine/offline/durable_channels.hpp"

#include <algorithm>

#include "alloc/base/ensure.hpp"
#include "engine/channel/stored_message.hpp"

namespace ringcast {

DurableChannels::DurableChannels(const OfflineOptions& options, StoreLane* lane, std::uint32_t channels_max,
                                 Slab<HomeChannel>& homes, PublishPipeline& pipeline, BlockPool& blocks, Budget& budget,
                                 ShardStats& stats)
    : options_{options},
      lane_{lane},
      homes_{&homes},
      pipeline_{&pipeline},
      blocks_{&blocks},
      stats_{&stats},
      channels_{channels_max, &budget, Purpose::offline} {}

// ---- the life of a channel ----

void DurableChannels::open(HomeChannel& home, Handle handle) {
  home.durable = channels_.create(*blocks_, handle);
  ensure(home.durable.valid(), "there are as many durable channels as homes");
  home.join_from = Sequence{1};
  // All that the store keeps fits, and the one message that is then one too many.
  const LogBounds& bounds = home.history.bounds();
  home.history.set_bounds({.frames = std::max<std::uint64_t>(bounds.frames, std::uint64_t{options_.messages} + 1),
                           .bytes = std::max(bounds.bytes, options_.bytes * 2)});
  stats_->add(CounterId::durable_channels);
  loads_.push_back(home.durable);
}

bool DurableChannels::may_close(const HomeChannel& home) const {
  const DurableChannel& channel = channels_[home.durable.slot];
  return !channel.loading && channel.in_flight == 0 && channel.waiting() == 0 && channel.acks.empty() &&
         channel.done_stored == channel.done && channel.floor_sent == channel.floor &&
         home.history.tail() >= channel.floor;
}

void DurableChannels::close(HomeChannel& home) {
  DurableChannel& channel = of(home);
  ensure(channel.in_flight == 0 && channel.waiting() == 0 && channel.acks.empty(),
         "a durable channel is closed when nothing waits for it");
  if (channel.dirty) std::erase(dirty_, home.durable);
  channels_.destroy(home.durable);
  home.durable = Handle{};
  stats_->sub(CounterId::durable_channels);
}

// ---- publishing ----

DurableChannels::Admission DurableChannels::admit(const HomeChannel& home) const {
  if (state() != StoreState::good) return Admission::refused;
  const DurableChannel& channel = channels_[home.durable.slot];
  if (channel.waiting() == 0) return full() ? Admission::hold : Admission::taken;
  // What is committed together is appended together: not more than readers can be given in a lap of the turn queue.
  const LagLimits& lag = home.rule->lag;
  const bool held = full() || channel.waiting() >= lag.pace_messages() ||
                    channel.staged.bytes_from(channel.answered) >= lag.pace_bytes(kLapBytesMax);
  return held ? Admission::hold : Admission::taken;
}

void DurableChannels::stage(HomeChannel& home, const PublishRequest& request, const ReplyTo& to, Now now) {
  DurableChannel& channel = of(home);
  const std::size_t texts = request.event.size() + request.message_id.size() + to.id.size() + request.data.size();
  const std::size_t bytes = sizeof(StagedHeader) + texts;
  std::uint8_t* place = channel.staged.reserve(bytes, now.mono);
  RecordWriter record{MutableBytes{place, bytes},
                      StagedHeader{.connection = to.connection,
                                   .publisher = request.publisher,
                                   .received_ns = request.received.time_since_epoch().count(),
                                   .wall_ns = now.wall.time_since_epoch().count(),
                                   .data_bytes = static_cast<std::uint32_t>(request.data.size()),
                                   .shard = to.shard,
                                   .event_bytes = static_cast<std::uint8_t>(request.event.size()),
                                   .message_id_bytes = static_cast<std::uint8_t>(request.message_id.size()),
                                   .id_bytes = static_cast<std::uint8_t>(to.id.size()),
                                   .snapshot = request.snapshot,
                                   .high = request.high,
                                   .as_of = request.as_of}};
  for (const std::string_view part : {request.event, request.message_id, to.id, request.data}) record.put(part);
  channel.staged.commit(bytes, now.mono);
  staged_bytes_ += bytes;
  stats_->add(CounterId::offline_staged);
  home.used_at = now.mono;
  mark(channel);
}

DurableChannels::Staged DurableChannels::staged_at(const HomeChannel& home, const DurableChannel& channel,
                                                   Sequence ordinal) const {
  const auto run = channel.staged.run_from(ordinal, 1);
  ensure(run && run->first == ordinal, "what is not answered is held");
  Staged staged;
  staged.place = run->block->data() + run->block->begin_of(run->index);
  staged.header = load<StagedHeader>(staged.place);
  RecordTexts texts{Bytes{run->data, run->bytes}, sizeof(StagedHeader)};
  staged.request.channel = *home.name;
  staged.request.event = texts.take(staged.header.event_bytes);
  staged.request.message_id = texts.take(staged.header.message_id_bytes);
  staged.id = texts.take(staged.header.id_bytes);
  staged.request.data = texts.take(staged.header.data_bytes);
  staged.request.publisher = staged.header.publisher;
  staged.request.snapshot = staged.header.snapshot;
  staged.request.high = staged.header.high;
  staged.request.as_of = staged.header.as_of;
  staged.request.received = Instant{nanoseconds{staged.header.received_ns}};
  return staged;
}

void DurableChannels::mark(DurableChannel& channel) {
  fresh_ = true;
  if (channel.dirty) return;
  channel.dirty = true;
  dirty_.push_back((*homes_)[channel.home.slot].durable);
}

void DurableChannels::mark_all() {
  channels_.for_each([this](std::uint32_t, DurableChannel& channel) { mark(channel); });
}

// ---- to the store ----

void DurableChannels::flush(DurableEvents& events, Now now) {
  if (lane_ == nullptr) return;
  ask_for_pages();
  flushing_.swap(dirty_);
  for (const Handle handle : flushing_) {
    DurableChannel* channel = channels_.find(handle);
    if (channel == nullptr) continue;
    channel->dirty = false;
    HomeChannel& home = (*homes_)[channel->home.slot];
    if (!dispatch(home, *channel, events, now)) mark(*channel);
  }
  flushing_.clear();
  fresh_ = false;  // what is left waits for the store
  if (lane_->requests.publish()) bell_ = true;
}

/// Asks for what is to be kept and told. False: there is more, and it waits for room or for answers.
bool DurableChannels::dispatch(HomeChannel& home, DurableChannel& channel, DurableEvents& events, Now now) {
  if (channel.loading) return true;  // on_loaded() comes back to it
  if (state_ != StoreState::good) {
    if (channel.in_flight == 0) refuse_staged(home, channel, state_, events, now);
    return true;  // on_state() does
  }
  if (channel.generation != generation_) {
    if (channel.in_flight != 0) return true;  // all of it is being refused; on_refused() comes back to it
    channel.generation = generation_;
  }
  while (channel.dispatched < channel.staged.next()) {
    Staged staged = staged_at(home, channel, channel.dispatched);
    if (staged.request.as_of > channel.next) {  // only now it is known what that is
      staged.header.kind = StagedHeader::Kind::nonsense;
      staged.header.seq = channel.next;
      store(staged.place, staged.header);
    } else if (const auto first = pipeline_->first_of(home, staged.request, now.mono)) {
      staged.header.kind = StagedHeader::Kind::duplicate;
      staged.header.epoch = first->epoch;
      staged.header.seq = first->seq;
      store(staged.place, staged.header);
    } else if (!ask_to_keep(home, channel, staged)) {
      return false;
    } else {
      pipeline_->remember(home, staged.request, staged.header.seq, now.mono);
    }
    channel.dispatched = ringcast::next(channel.dispatched);
  }
  answer_staged(home, channel, home.last(), events, now);  // duplicates that wait for nothing
  confirm(home, channel, events, now);                     // and acknowledgements that say nothing new
  const bool news = channel.done > channel.done_sent || channel.floor > channel.floor_sent;
  return !news || ask_to_settle(home, channel);
}

bool DurableChannels::ask_to_keep(HomeChannel& home, DurableChannel& channel, Staged& staged) {
  const MessageView message{.channel = *home.name,
                            .epoch = home.epoch,
                            .seq = channel.next,
                            .published_at = WallTime{nanoseconds{staged.header.wall_ns}},
                            .event = staged.request.event,
                            .message_id = staged.request.message_id,
                            .data = staged.request.data,
                            .snapshot = staged.request.snapshot,
                            .as_of = staged.request.as_of};
  const std::size_t record_bytes = stored_size(message);
  const MutableBytes room = lane_->requests.reserve(sizeof(StoreMessage) + home.name->size() + record_bytes);
  if (room.empty()) return false;
  RecordWriter out{room, StoreMessage{.channel_bytes = static_cast<std::uint8_t>(home.name->size()),
                                      .record_bytes = static_cast<std::uint32_t>(record_bytes),
                                      .home = channel.home,
                                      .generation = channel.generation,
                                      .epoch = home.epoch,
                                      .seq = channel.next,
                                      .done = channel.done,
                                      .floor = channel.floor,
                                      .published_ns = staged.header.wall_ns,
                                      .publisher = staged.request.publisher}};
  out.put(*home.name);
  write_stored(message, out.rest().data());
  lane_->requests.commit();
  staged.header.seq = channel.next;
  store(staged.place, staged.header);
  channel.next = ringcast::next(channel.next);
  channel.done_sent = channel.done;
  channel.floor_sent = channel.floor;
  ++channel.in_flight;
  ++requests_;
  return true;
}

bool DurableChannels::ask_to_settle(const HomeChannel& home, DurableChannel& channel) {
  const MutableBytes room = lane_->requests.reserve(sizeof(StoreSettle) + home.name->size());
  if (room.empty()) return false;
  RecordWriter out{room, StoreSettle{.channel_bytes = static_cast<std::uint8_t>(home.name->size()),
                                     .generation = channel.generation,
                                     .home = channel.home,
                                     .epoch = home.epoch,
                                     .done = channel.done,
                                     .floor = channel.floor}};
  out.put(*home.name);
  lane_->requests.commit();
  channel.done_sent = channel.done;
  channel.floor_sent = channel.floor;
  ++channel.in_flight;
  ++requests_;
  return true;
}

void DurableChannels::ask_for_pages() {
  while (!loads_.empty() && loads_asked_ < kStoreLoadsMax) {
    const DurableChannel& channel = channels_[loads_.front().slot];
    const std::string& name = *(*homes_)[channel.home.slot].name;
    const MutableBytes room = lane_->requests.reserve(sizeof(StoreLoad) + name.size());
    if (room.empty()) return;
    RecordWriter out{room, StoreLoad{.channel_bytes = static_cast<std::uint8_t>(name.size()),
                                     .home = channel.home,
                                     .after = channel.loaded}};
    out.put(name);
    lane_->requests.commit();
    ++loads_asked_;
    loads_.pop_front();
  }
}

// ---- what is kept, and what is done with ----

void DurableChannels::settle(HomeChannel& home, Sequence seq) {
  DurableChannel& channel = of(home);
  seq = std::min(seq, home.last());
  if (channel.loading || seq <= channel.done) return;
  channel.done = seq;
  home.join_from = next(seq);
  keep_within_bounds(home, channel);
  mark(channel);
}

bool DurableChannels::acknowledge(HomeChannel& home, Sequence seq, const ReplyTo& to) {
  DurableChannel& channel = of(home);
  if (acks_waiting_ >= kAcksWaitingMax) return false;
  settle(home, seq);
  stats_->add(CounterId::offline_acks);
  channel.acks.push_back(
      {.seq = std::min(seq, channel.done), .shard = to.shard, .connection = to.connection, .id = std::string{to.id}});
  ++acks_waiting_;
  mark(channel);
  return true;
}

void DurableChannels::keep_within_bounds(HomeChannel& home, DurableChannel& channel) {
  const FrameLog& history = home.history;
  const Sequence before = channel.floor;
  channel.floor = std::max(channel.floor, next(channel.done));
  while (channel.floor < history.next() && (distance(channel.floor, history.next()) > options_.messages ||
                                            history.bytes_from(channel.floor) > options_.bytes)) {
    stats_->add(CounterId::offline_expired);
    channel.floor = next(channel.floor);
  }
  if (channel.floor != before) mark(channel);
}

void DurableChannels::expire(HomeChannel& home, Now now) {
  DurableChannel& channel = of(home);
  if (channel.loading) return;
  const Sequence before = channel.floor;
  for (std::uint32_t i = 0; i < kExpiredPerSweep && channel.floor < home.history.next(); ++i) {
    const auto run = home.history.run_from(channel.floor, 1);
    if (!run) {  // a hole up to the end
      channel.floor = home.history.next();
      break;
    }
    channel.floor = std::max(channel.floor, run->first);
    const WallTime published{nanoseconds{load<StoredHeader>(run->data).published_at_ns}};
    if (now.wall - published <= options_.age) break;
    stats_->add(CounterId::offline_expired);
    channel.floor = next(channel.floor);
  }
  if (channel.floor != before || channel.done != channel.done_stored) mark(channel);
}

bool DurableChannels::settled() const {
  if (loads_asked_ != 0 || requests_ != 0 || staged_bytes_ != 0) return false;
  return state() != StoreState::good || (loads_.empty() && dirty_.empty());
}

void DurableChannels::validate() const {
  auto& channels = const_cast<Slab<DurableChannel>&>(channels_);
  std::size_t staged_bytes = 0;
  std::uint32_t requests = 0;
  std::uint32_t acks = 0;
  channels.for_each([&](std::uint32_t slot, DurableChannel& channel) {
    channel.staged.validate();
    const HomeChannel* home = homes_->find(channel.home);
    ensure(home != nullptr && home->durable.slot == slot, "a durable channel and its home know each other");
    ensure(channel.answered <= channel.dispatched && channel.dispatched <= channel.staged.next(),
           "messages are asked for in order, and answered in order");
    ensure(channel.loading || channel.next >= home->history.next(), "the store is asked for what comes next");
    ensure(channel.done_sent <= channel.done || channel.loading, "the store is told what is known here");
    const bool waits = channel.dispatched < channel.staged.next() || channel.done > channel.done_sent ||
                       channel.floor > channel.floor_sent;
    ensure(!waits || channel.dirty || channel.loading || channel.in_flight != 0 || state() != StoreState::good,
           "what the store is to be told is never forgotten");
    staged_bytes += static_cast<std::size_t>(channel.staged.bytes_from(channel.answered));
    requests += channel.in_flight;
    acks += static_cast<std::uint32_t>(channel.acks.size());
  });
  ensure(staged_bytes == staged_bytes_, "staged bytes are counted");
  ensure(requests == requests_, "requests are counted");
  ensure(acks == acks_waiting_, "acknowledgements that wait are counted");
}

}  // namespace ringcast
