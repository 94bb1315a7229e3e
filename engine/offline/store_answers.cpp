// What the store has said of durable channels: their past, what it keeps, what it cannot; and who is told of that.
#include <algorithm>
#include <cstring>
#include <utility>

#include "alloc/base/ensure.hpp"
#include "engine/channel/stored_message.hpp"
#include "engine/offline/durable_channels.hpp"

namespace ringcast {
namespace {

/// When a message of that age would have been appended: for bounds in time.
Instant instant_of(WallTime published, Now now) {
  return now.mono - std::max(nanoseconds{now.wall - published}, nanoseconds{0});
}

}  // namespace

// ---- from the store ----

void DurableChannels::drain(DurableEvents& events, Now now) {
  if (lane_ == nullptr) return;
  std::uint32_t taken = 0;
  for (; taken < kStoreAnswersPerDrain; ++taken) {
    const Bytes record = lane_->answers.peek();
    if (record.empty()) break;
    ++progress_;
    switch (answer_kind_of(record)) {
      case StoreAnswerKind::loaded: on_loaded(record, events, now); break;
      case StoreAnswerKind::stored: on_stored(load<StoreStored>(record.data()), events, now); break;
      case StoreAnswerKind::refused: on_refused(load<StoreRefused>(record.data()), events, now); break;
      case StoreAnswerKind::state: on_state(load<StoreStateChanged>(record.data()).state); break;
    }
    lane_->answers.pop();
    lane_->answers.release();
  }
  if (taken != 0) flush(events, now);
}

void DurableChannels::on_loaded(Bytes record, DurableEvents& events, Now now) {
  const auto answer = load<StoreLoaded>(record.data());
  --loads_asked_;
  HomeChannel* home = homes_->find(answer.home);
  ensure(home != nullptr, "a channel stays while its past is on its way");
  DurableChannel& channel = of(*home);
  if (answer.failed != 0) {
    stats_->add(CounterId::offline_loads_failed);
    refuse_staged(*home, channel, state_ == StoreState::good ? StoreState::failing : state_, events, now);
    events.channel_refused(*home, now);
    return;
  }
  if (answer.known != 0 && value(channel.loaded) == 0) {
    home->epoch = answer.epoch;
    channel.done = channel.done_sent = channel.done_stored = answer.done;
    channel.floor = channel.floor_sent = next(answer.done);
    channel.loaded = answer.done;
    home->join_from = next(answer.done);
  }
  RecordTexts rest{record, sizeof answer};
  for (std::uint32_t i = 0; i < answer.messages; ++i) {
    const auto header = load<StoreLoadedMessage>(rest.take(sizeof(StoreLoadedMessage)).data());
    const Bytes kept = as_bytes(rest.take(header.record_bytes));
    const WallTime wall{nanoseconds{header.published_ns}};
    const Instant appended = instant_of(wall, now);
    home->history.skip_to(header.seq);
    std::memcpy(home->history.reserve(kept.size(), appended), kept.data(), kept.size());
    home->history.commit(kept.size(), appended);
    channel.loaded = header.seq;
    const MessageView message = read_stored(kept);
    if (message.snapshot) {
      home->snapshot = header.seq;
      home->as_of = value(message.as_of) != 0 ? message.as_of : header.seq;
    }
    if (now.mono - appended < home->rule->dedupe.window) {  // its publisher may not know, and repeat it
      PublishRequest request;
      request.message_id = message.message_id;
      request.data = message.data;
      request.publisher = header.publisher;
      pipeline_->remember(*home, request, header.seq, appended);
    }
  }
  stats_->add(CounterId::offline_loaded, answer.messages);
  if (answer.more != 0) {
    loads_.push_back(home->durable);
    return;
  }
  if (answer.known != 0) {
    home->history.skip_to(answer.next);
    channel.floor = std::max(channel.floor, home->history.tail());
  }
  channel.next = home->history.next();
  home->ranked_seq = value(channel.next) - 1;
  channel.loading = false;
  channel.generation = generation_;
  stats_->add(CounterId::offline_channels_loaded);
  keep_within_bounds(*home, channel);
  mark(channel);
  events.channel_loaded(*home, now);
}

void DurableChannels::on_stored(const StoreStored& answer, DurableEvents& events, Now now) {
  HomeChannel* home = homes_->find(answer.home);
  ensure(home != nullptr, "a channel stays while the store owes it an answer");
  DurableChannel& channel = of(*home);
  --channel.in_flight;
  --requests_;
  channel.done_stored = std::max(channel.done_stored, answer.done);
  if (value(answer.seq) != 0) answer_staged(*home, channel, answer.seq, events, now);
  confirm(*home, channel, events, now);
}

/// Nothing of this generation is kept any more. What the store had not been asked for yet goes with it: it would
/// otherwise overtake what is refused.
void DurableChannels::on_refused(const StoreRefused& answer, DurableEvents& events, Now now) {
  if (answer.generation == generation_) ++generation_;
  HomeChannel* home = homes_->find(answer.home);
  ensure(home != nullptr, "a channel stays while the store owes it an answer");
  DurableChannel& channel = of(*home);
  --channel.in_flight;
  --requests_;
  if (channel.generation == answer.generation) {
    refuse_staged(*home, channel, answer.state, events, now);
    channel.done_sent = channel.done_stored;
    channel.floor_sent = Sequence{};
    for (const DurableChannel::AckWait& ack : std::exchange(channel.acks, {})) {
      --acks_waiting_;
      events.answered({.kind = DurableReply::Kind::ack_refused,
                       .to = {.shard = ack.shard, .connection = ack.connection, .id = ack.id},
                       .channel = *home->name,
                       .code = ErrorCode::processing_error,
                       .sentence = kAckNotStored},
                      now);
    }
    channel.generation = generation_;
  }
  mark(channel);
}

void DurableChannels::on_state(StoreState state) {
  state_ = state;
  mark_all();  // what waits is refused, or told now
}

// ---- answers ----

/// Answers what stands in front, as far as it is settled: messages up to `stored` are kept.
void DurableChannels::answer_staged(HomeChannel& home, DurableChannel& channel, Sequence stored, DurableEvents& events,
                                    Now now) {
  using Kind = StagedHeader::Kind;
  while (channel.answered < channel.dispatched) {
    const Staged staged = staged_at(home, channel, channel.answered);
    const StagedHeader& header = staged.header;
    if (header.kind == Kind::nonsense) {
      refuse(home, staged, StoreState::good, events, now);
    } else {
      const bool of_another = header.kind == Kind::duplicate && header.epoch != home.epoch;
      if (!of_another && header.seq > stored) break;
      if (header.kind == Kind::message) {
        ensure(home.history.next() == header.seq, "messages are appended in the order of their numbers");
        events.message_kept(home, staged.request, WallTime{nanoseconds{header.wall_ns}}, now);
        stats_->add(CounterId::offline_stored);
        keep_within_bounds(home, channel);
      } else {
        stats_->add(CounterId::messages_duplicate);
      }
      const bool duplicate = header.kind == Kind::duplicate;
      events.answered({.kind = DurableReply::Kind::published,
                       .to = staged.to(),
                       .channel = *home.name,
                       .published = {.epoch = duplicate ? header.epoch : home.epoch,
                                     .seq = header.seq,
                                     .duplicate = duplicate,
                                     .channel_id = home.channel_id}},
                      now);
    }
    forget_answered(channel);
  }
  channel.staged.trim(channel.answered, Instant::max());
}

/// All that waits comes to nothing, but for duplicates that stand in front of it.
void DurableChannels::refuse_staged(HomeChannel& home, DurableChannel& channel, StoreState why, DurableEvents& events,
                                    Now now) {
  using Kind = StagedHeader::Kind;
  answer_staged(home, channel, home.last(), events, now);
  for (; channel.answered < channel.staged.next(); forget_answered(channel)) {
    const Staged staged = staged_at(home, channel, channel.answered);
    if (channel.answered < channel.dispatched) {
      if (staged.header.kind == Kind::message) pipeline_->forget(home, staged.request);
    } else {
      channel.dispatched = next(channel.answered);
    }
    refuse(home, staged, why, events, now);
  }
  channel.staged.trim(channel.answered, Instant::max());
  channel.next = home.history.next();
}

void DurableChannels::refuse(const HomeChannel& home, const Staged& staged, StoreState why, DurableEvents& events,
                             Now now) {
  const bool nonsense = staged.header.kind == StagedHeader::Kind::nonsense;
  if (!nonsense) stats_->add(CounterId::offline_refused);
  events.answered({.kind = DurableReply::Kind::refused,
                   .to = staged.to(),
                   .channel = *home.name,
                   .code = nonsense ? ErrorCode::invalid_message : ErrorCode::processing_error,
                   .sentence = nonsense ? kFutureSnapshotSentence : ringcast::refusal_of(why)},
                  now);
}

void DurableChannels::forget_answered(DurableChannel& channel) {
  staged_bytes_ -= channel.staged.run_from(channel.answered, 1)->bytes;
  stats_->sub(CounterId::offline_staged);
  channel.answered = next(channel.answered);
  ++progress_;  // a duplicate is answered without the store's saying anything
}

/// Tells those whose acknowledgement is stored now.
void DurableChannels::confirm(HomeChannel& home, DurableChannel& channel, DurableEvents& events, Now now) {
  for (std::size_t i = 0; i < channel.acks.size();) {
    if (channel.acks[i].seq > channel.done_stored) {
      ++i;
      continue;
    }
    const DurableChannel::AckWait ack = std::move(channel.acks[i]);
    channel.acks.erase(channel.acks.begin() + static_cast<std::ptrdiff_t>(i));
    --acks_waiting_;
    ++progress_;
    events.answered({.kind = DurableReply::Kind::acknowledged,
                     .to = {.shard = ack.shard, .connection = ack.connection, .id = ack.id},
                     .channel = *home.name,
                     .published = {.epoch = home.epoch, .seq = ack.seq}},
                    now);
  }
}

}  // namespace ringcast
