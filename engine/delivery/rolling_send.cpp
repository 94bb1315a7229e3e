#include "engine/delivery/rolling_send.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "alloc/base/ensure.hpp"
#include "alloc/memory/give_back.hpp"
#include "codec/dialect/encode.hpp"
#include "codec/websocket/frame_writer.hpp"
#include "engine/channel/frame_encoder.hpp"

namespace ringcast {
namespace {

constexpr std::size_t kScratchBytes = kSendBatchMax * kTurnBytesMax;
constexpr std::size_t kControlBytesKept = 4'096;  // of a publisher's replies: more is given back when they are sent

}  // namespace

RollingSend::RollingSend(Delivery& delivery, Budget& budget, ShardStats& stats)
    : delivery_{&delivery},
      budget_{&budget},
      stats_{&stats},
      scratch_{std::make_unique_for_overwrite<std::uint8_t[]>(kScratchBytes)} {
  budget_->charge(Purpose::scratch, kScratchBytes);
  entries_.reserve(kSendBatchMax);
  plans_.reserve(kSendBatchMax);
}

RollingSend::~RollingSend() { budget_->release(Purpose::scratch, kScratchBytes); }

// ---- preparing ----

std::span<const SendEntry> RollingSend::prepare(Now now) {
  ensure(!in_batch_, "a batch is finished before the next one is prepared");
  entries_.clear();
  plans_.clear();
  parts_.clear();
  const std::size_t queued = delivery_->queued_connections();
  const bool lap_over = lap_left_ == 0 || queued == 0;
  if (delivery_->has_dirty()) {
    const bool all = lap_over || queued < kSendBatchMax;
    delivery_->expand_dirty(all ? Delivery::Expand::all : Delivery::Expand::cheap, now.mono);
  }
  if (lap_over && delivery_->queued_connections() != 0) {
    delivery_->begin_lap();
    lap_left_ = delivery_->queued_connections();
  }
  while (entries_.size() < kSendBatchMax) {
    Outbox* outbox = delivery_->take_turn();
    if (outbox == nullptr) break;
    if (lap_left_ > 0) --lap_left_;
    if (!outbox->failed) plan_turn(*outbox, scratch_.get() + entries_.size() * kTurnBytesMax, now);
  }
  in_batch_ = !entries_.empty();
  stats_->add(CounterId::sends_submitted, entries_.size());
  return entries_;
}

void RollingSend::plan_turn(Outbox& outbox, std::uint8_t* scratch, Now now) {
  Plan plan{.outbox = &outbox, .part_first = static_cast<std::uint32_t>(parts_.size())};
  SendEntry entry{.connection = outbox.connection};

  if (outbox.has_remainder()) {  // nothing else goes out on that socket meanwhile
    Unsent& unsent = *outbox.unsent;
    entry.data = unsent.rest;
    entry.size = unsent.rest_bytes;
    entry.remainder = true;
    unsent.rest_in_flight = true;
    parts_.push_back({.kind = Part::Kind::remainder, .bytes = entry.size});
  } else {
    std::uint32_t filled = 0;
    const std::uint8_t* direct = nullptr;
    const bool messages = outbox.pending_first != kNoSlot && !outbox.messages_held && !outbox.notices_missed;
    if (const std::size_t waiting = outbox.control_bytes(); waiting != 0) {
      const std::uint8_t* control =
          reinterpret_cast<const std::uint8_t*>(outbox.unsent->control.data()) + outbox.unsent->control_sent;
      filled = static_cast<std::uint32_t>(std::min(waiting, outbox.turn_bytes_max()));
      if (messages) {
        std::memcpy(scratch, control, filled);
      } else {
        direct = control;
      }
      parts_.push_back({.kind = Part::Kind::control, .bytes = filled});
    }
    if (messages) plan_messages(outbox, scratch, filled, direct, now);
    if (filled == 0) {
      parts_.resize(plan.part_first);
      return;
    }
    entry.data = direct != nullptr ? direct : scratch;
    entry.size = filled;
  }
  plan.parts = static_cast<std::uint32_t>(parts_.size()) - plan.part_first;
  entries_.push_back(entry);
  plans_.push_back(plan);
}

/// Adds what lies between the cursors with news and the heads of their logs: one channel straight from its log, several
/// gathered into scratch.
void RollingSend::plan_messages(Outbox& outbox, std::uint8_t* scratch, std::uint32_t& filled,
                                const std::uint8_t*& direct, Now now) {
  if (outbox.pending_high_last != kNoSlot) delivery_->yield_to_normal(outbox);
  const bool only_one = outbox.pending_first == outbox.pending_last;
  const std::size_t turn_max = outbox.turn_bytes_max();
  for (std::uint32_t slot = outbox.pending_first; slot != kNoSlot;) {
    Subscription& subscription = delivery_->subscription(slot);
    const std::uint32_t next_slot = subscription.pending_next;
    const ChannelLog& log = delivery_->log(subscription.cursor.log);
    const FrameLog& source = delivery_->source_of(subscription);
    Sequence from = subscription.cursor.next;

    const LagVerdict verdict = subscription.ordinary()
                                   ? judge_lag(log.log, *log.rule, outbox.dialect, from, outbox.lag_floor, now.mono)
                                   : judge(subscription, log, outbox, now);
    if (verdict.kind == LagVerdict::Kind::disconnect) {
      events_.push_back({.kind = OutboxEvent::Kind::slow,
                         .connection = outbox.connection,
                         .messages = distance(from, log.log.next())});
      return;
    }
    if (verdict.kind == LagVerdict::Kind::skip) {
      if (!plan_skip(outbox, slot, verdict, scratch, filled)) return;
      from = verdict.next;
    }
    const std::size_t room = turn_max - filled;
    if (room == 0) return;
    const auto run = source.run_from(from, room);
    if (run && run->first == from) {
      if (filled == 0 && (only_one || run->bytes > turn_max / 2)) {  // straight from the log
        direct = run->data;
        filled = run->bytes;
        parts_.push_back({.kind = Part::Kind::frames, .bytes = run->bytes, .subscription = slot, .run = *run});
        return;
      }
      if (run->bytes > room) {                     // one frame, and it does not fit
        if (slot != outbox.pending_first) return;  // behind other channels: in the next turn it stands before them
        // Behind replies, which might come every turn: its beginning now, the rest as a remainder.
        std::memcpy(scratch + filled, run->data, room);
        filled += static_cast<std::uint32_t>(room);
        parts_.push_back(
            {.kind = Part::Kind::frames, .bytes = static_cast<std::uint32_t>(room), .subscription = slot, .run = *run});
        return;
      }
      std::memcpy(scratch + filled, run->data, run->bytes);
      filled += run->bytes;
      parts_.push_back({.kind = Part::Kind::frames, .bytes = run->bytes, .subscription = slot, .run = *run});
    } else if (subscription.cursor.next >= source.next()) {
      delivery_->unlink_pending(subscription);  // nothing to send after all: it was moved to the head, without a notice
    }
    slot = next_slot;
  }
}

/// Whoever it is.
LagVerdict RollingSend::judge(const Subscription& subscription, const ChannelLog& log, const Outbox& outbox,
                              Now now) const {
  if (subscription.catching_up) {
    const CatchUp& catch_up = *delivery_->find_extra(subscription)->catch_up;
    return judge_catch_up(catch_up.chunk, delivery_->place_taken(subscription),
                          slow_policy(subscription.complete, *log.rule), outbox.dialect, subscription.cursor.next);
  }
  if (subscription.conflates) return skip_to_newest(log.log, subscription.cursor.next);
  return judge_lag(log.log, log.rule->lag, slow_policy(subscription.complete, *log.rule), outbox.dialect,
                   subscription.cursor.next, outbox.lag_floor, now.mono);
}

/// Moves the reader past what it will not be sent: with a gap notice where its dialect has one.
bool RollingSend::plan_skip(Outbox& outbox, std::uint32_t slot, const LagVerdict& verdict, std::uint8_t* scratch,
                            std::uint32_t& filled) {
  Subscription& subscription = delivery_->subscription(slot);
  const ChannelLog& log = delivery_->log(subscription.cursor.log);
  const Sequence from = subscription.cursor.next;
  if (!carries_gap_notices(outbox.dialect)) {  // the namespace says that this channel conflates
    count_skipped(subscription, verdict.reason, distance(from, verdict.next));
    subscription.cursor.next = verdict.next;
    subscription.begins_whole(verdict.next);
    return true;
  }
  // Where a snapshot follows, what has the number before its as_of is that snapshot: the message is missed as well.
  const bool snapshot_next = subscription.catching_up && delivery_->find_extra(subscription)->catch_up->snapshot_first;
  const GapView gap{.channel = *log.name,
                    .from = from,
                    .to = Sequence{value(verdict.next) - (snapshot_next ? 0 : 1)},
                    .reason = verdict.reason,
                    .epoch = log.epoch,
                    .channel_id = log.channel_id};
  const std::size_t payload = gap_payload_size(outbox.form, gap);
  const std::size_t bytes = frame_header_bytes(payload) + payload;
  if (filled + bytes > outbox.turn_bytes_max()) return false;
  std::uint8_t* out = scratch + filled;
  const FrameStart start{.opcode = frame_opcode(outbox.form)};
  const std::size_t header = write_frame_header(MutableBytes{out, bytes}, start, payload);
  const std::uint8_t* end = write_gap_payload(outbox.form, gap, out + header);
  ensure(end == out + bytes, "an encoder writes exactly the size it said");
  filled += static_cast<std::uint32_t>(bytes);
  parts_.push_back({.kind = Part::Kind::gap,
                    .reason = verdict.reason,
                    .bytes = static_cast<std::uint32_t>(bytes),
                    .subscription = slot,
                    .data = out,
                    .next = verdict.next,
                    .snapshot_next = snapshot_next});
  return true;
}

// ---- finishing ----

void RollingSend::finish(std::span<const SendReport> reports, Now now) {
  ensure(in_batch_ || reports.empty(), "reports belong to a batch");
  in_batch_ = false;
  std::size_t next_report = 0;
  std::uint64_t bytes_sent = 0;
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    const SendEntry& entry = entries_[i];
    const Plan& plan = plans_[i];
    const bool reported = next_report < reports.size() && reports[next_report].entry == i;
    const std::int32_t result = reported ? reports[next_report++].result : static_cast<std::int32_t>(entry.size);
    if (entry.remainder) {
      ensure(!reported, "a remainder completes through remainder_sent()");
      note_blocked(*plan.outbox);
      continue;
    }
    if (result >= 0) {
      const auto accepted = static_cast<std::uint32_t>(result);
      ensure(accepted <= entry.size, "the kernel takes at most what it was given");
      bytes_sent += accepted;
      plan.outbox->bytes_sent += accepted;
      if (accepted != 0) plan.outbox->sent_at = now.mono;
      if (accepted < entry.size) {
        stats_->add(CounterId::sends_short);
        plan.outbox->blocked = true;  // before what was sent is applied: who then moves to a log with news waits
      }
      apply(plan, accepted, now);
      after_turn(*plan.outbox, accepted == entry.size, now);
    } else if (result == -EAGAIN) {
      stats_->add(CounterId::sends_again);
      after_turn(*plan.outbox, false, now);
    } else {
      fail(*plan.outbox, -result);
    }
  }
  ensure(next_report == reports.size(), "reports come in the order of their entries, one an entry");
  stats_->add(CounterId::bytes_sent, bytes_sent);
  entries_.clear();
}

void RollingSend::apply(const Plan& plan, std::uint32_t accepted, Now now) {
  std::uint32_t left = accepted;
  for (std::uint32_t i = 0; i < plan.parts && left != 0; ++i) {
    const Part& part = parts_[plan.part_first + i];
    const std::uint32_t taken = std::min(left, part.bytes);
    left -= taken;
    switch (part.kind) {
      case Part::Kind::control: apply_control(*plan.outbox, taken); break;
      case Part::Kind::gap: apply_gap(*plan.outbox, part, taken); break;
      case Part::Kind::frames: apply_frames(*plan.outbox, part, taken, now); break;
      case Part::Kind::remainder: ensure(false, "a remainder has a send of its own");
    }
  }
  if (delivery_->catch_ups() != 0) settle_catch_ups(plan, now);
}

/// After the whole turn: a catch-up that ends gives back the chunk that the parts are views of.
void RollingSend::settle_catch_ups(const Plan& plan, Now now) {
  for (std::uint32_t i = 0; i < plan.parts; ++i) {
    const std::uint32_t slot = parts_[plan.part_first + i].subscription;
    if (slot == kNoSlot || !delivery_->subscription(slot).catching_up) continue;
    if (delivery_->settle_catch_up(slot, now.mono)) {
      events_.push_back({.kind = OutboxEvent::Kind::chunk_wanted,
                         .connection = plan.outbox->connection,
                         .subscription = delivery_->handle_of(slot)});
    }
    settle_pending(slot, now.mono);
  }
}

/// What is left of the replies stays where it is: they go first again, so a reply broken in two is not torn.
void RollingSend::apply_control(Outbox& outbox, std::uint32_t accepted) {
  Unsent& unsent = *outbox.unsent;
  unsent.control_sent += accepted;
  budget_->release(Purpose::control, accepted);
  if (unsent.control_sent == unsent.control.size()) {
    unsent.control.clear();
    unsent.control_sent = 0;
    if (unsent.control.capacity() > kControlBytesKept) std::string{}.swap(unsent.control);  // assigning keeps it
  } else if (unsent.control_sent >= kControlBytesKept && unsent.control_sent >= unsent.control.size() / 2) {
    unsent.control.erase(0, unsent.control_sent);  // a reader that is never quite done must not make it grow for ever
    unsent.control_sent = 0;
  }
}

void RollingSend::apply_gap(Outbox& outbox, const Part& part, std::uint32_t accepted) {
  Subscription& subscription = delivery_->subscription(part.subscription);
  count_skipped(subscription, part.reason,
                distance(subscription.cursor.next, part.next) + (part.snapshot_next ? 1 : 0));
  if (part.snapshot_next) ++delivery_->counted().offered;
  subscription.cursor.next = part.next;
  subscription.begins_whole(part.snapshot_next ? next(part.next) : part.next);
  if (accepted < part.bytes) keep_rest(outbox, part.data + accepted, part.bytes - accepted, nullptr, false);
  if (part.next == delivery_->source_of(subscription).next()) delivery_->unlink_pending(subscription);
}

void RollingSend::apply_frames(Outbox& outbox, const Part& part, std::uint32_t accepted, Now now) {
  const FrameLog::Run& run = part.run;
  Subscription& subscription = delivery_->subscription(part.subscription);
  std::uint32_t whole = run.frames;
  if (accepted < run.bytes) {
    whole = 0;
    while (run.end_of(whole) <= accepted) ++whole;
  }
  delivery_->counted().sent += whole;
  subscription.cursor.next = Sequence{value(run.first) + whole};
  if (whole != 0) {  // the oldest message of each send stands for the others
    stats_->record(LatencyId::receive_to_send, now.mono - run.received);
    stats_->record(LatencyId::append_to_send, now.mono - outbox.news_at);
  }
  const std::uint32_t begun = whole == 0 ? 0 : run.end_of(whole - 1);
  if (accepted > begun) {  // the cursor moves past the frame that was begun
    keep_rest(outbox, run.data + accepted, run.end_of(whole) - accepted, run.block, true);
    subscription.cursor.next = next(subscription.cursor.next);
  }
  if (subscription.catching_up) return;
  if (subscription.rated) delivery_->begin_interval(part.subscription, now.mono);
  settle_pending(part.subscription, now.mono);
}

/// Caught up: no news. Otherwise behind its connection's other channels, so that each is served in turn.
void RollingSend::settle_pending(std::uint32_t slot, Instant now) {
  Subscription& subscription = delivery_->subscription(slot);
  const bool behind = subscription.cursor.next < delivery_->source_of(subscription).next();
  if (subscription.pending && !behind) {
    delivery_->unlink_pending(subscription);
  } else if (subscription.pending && subscription.pending_next != kNoSlot) {
    delivery_->unlink_pending(subscription);
    delivery_->link_pending(subscription, slot);
  }
  if (subscription.moving_to != kNoSlot) delivery_->try_move(slot, now);
}

void RollingSend::count_skipped(const Subscription& subscription, GapReason reason, std::uint64_t messages) {
  Ledger& ledger = delivery_->counted();
  (reason == GapReason::conflated ? ledger.conflated : ledger.dropped) += messages;
  stats_->add(reason != GapReason::conflated ? CounterId::drops
              : subscription.conflates       ? CounterId::conflations_chosen
                                             : CounterId::conflations);
  if (!carries_gap_notices(subscription.reader->dialect)) return;
  stats_->add(gap_notice_counter(std::to_underlying(reason)));
  stats_->add(gap_message_counter(std::to_underlying(reason)), messages);
}

void RollingSend::keep_rest(Outbox& outbox, const std::uint8_t* rest, std::uint32_t bytes, LogBlock* block,
                            bool is_message) {
  if (outbox.unsent == nullptr) outbox.unsent = std::make_unique<Unsent>();
  Unsent& unsent = *outbox.unsent;
  ensure(unsent.rest_bytes == 0, "a connection has one broken frame at the most");
  if (block != nullptr && bytes >= kPinnedFrameBytesMin) {
    unsent.pin = BlockPin{*block};
    unsent.rest = rest;
    stats_->add(CounterId::remainders_pinned);
  } else {
    unsent.copied.assign(rest, rest + bytes);
    unsent.rest = unsent.copied.data();
    stats_->add(CounterId::remainders_copied);
  }
  unsent.rest_bytes = bytes;
  unsent.rest_is_message = is_message;
  if (is_message) ++delivery_->remainder_messages;
  budget_->charge(Purpose::remainders, bytes);
  stats_->add(CounterId::remainder_bytes, bytes);
}

void RollingSend::clear_rest(Unsent& unsent) {
  budget_->release(Purpose::remainders, unsent.rest_bytes);
  stats_->sub(CounterId::remainder_bytes, unsent.rest_bytes);
  if (unsent.rest_is_message) --delivery_->remainder_messages;
  unsent.rest = nullptr;
  unsent.rest_bytes = 0;
  unsent.rest_is_message = false;
  give_back(unsent.copied);
  unsent.pin = BlockPin{};
}

void RollingSend::after_turn(Outbox& outbox, bool took_all, Now now) {
  if (took_all) {
    const bool nothing_left = outbox.control_bytes() == 0 && !outbox.has_remainder();
    if (nothing_left && !outbox.publishes) outbox.unsent.reset();
    delivery_->enqueue(outbox, now.mono);
    if (outbox.queued && delivery_->lacks_messages(outbox)) lap_left_ = delivery_->queued_connections();
    tell_if_empty(outbox);
    return;
  }
  note_blocked(outbox);
  outbox.blocked = !outbox.has_remainder();
  if (outbox.blocked) {
    events_.push_back({.kind = OutboxEvent::Kind::wait_writable, .connection = outbox.connection});
  } else {  // the remainder's own send waits for the socket
    delivery_->enqueue(outbox, now.mono);
  }
}

void RollingSend::note_blocked(Outbox& outbox) {
  if (outbox.in_blocked_list) return;
  outbox.in_blocked_list = true;
  blocked_.push_back(&outbox);
}

void RollingSend::fail(Outbox& outbox, std::int32_t error) {
  if (outbox.failed) return;
  outbox.failed = true;
  stats_->add(CounterId::sends_failed);
  events_.push_back({.kind = OutboxEvent::Kind::failed, .connection = outbox.connection, .error = error});
}

void RollingSend::tell_if_empty(Outbox& outbox) {
  if (outbox.tell_control_low && outbox.control_bytes() <= (outbox.notices_missed ? 0 : kControlBytesMax / 2)) {
    outbox.tell_control_low = false;
    events_.push_back({.kind = OutboxEvent::Kind::control_low, .connection = outbox.connection});
  }
  if (outbox.tell_when_empty && !outbox.has_news()) {
    outbox.tell_when_empty = false;
    events_.push_back({.kind = OutboxEvent::Kind::empty, .connection = outbox.connection});
  }
}

// ---- what the socket says ----

void RollingSend::remainder_sent(Outbox& outbox, std::int32_t result, Now now) {
  ensure(outbox.has_remainder() && outbox.unsent->rest_in_flight, "a remainder completes once");
  Unsent& unsent = *outbox.unsent;
  unsent.rest_in_flight = false;
  if (result > 0) {
    stats_->add(CounterId::bytes_sent, static_cast<std::uint64_t>(result));
    outbox.bytes_sent += static_cast<std::uint64_t>(result);
    outbox.sent_at = now.mono;
  }
  if (result != static_cast<std::int32_t>(unsent.rest_bytes)) {  // cut short only when the connection ends
    fail(outbox, result < 0 ? -result : EPIPE);
    return;
  }
  if (unsent.rest_is_message) ++delivery_->counted().sent;
  clear_rest(unsent);
  if (unsent.control.empty() && !outbox.publishes) outbox.unsent.reset();
  delivery_->enqueue(outbox, now.mono);
  tell_if_empty(outbox);
}

void RollingSend::writable(Outbox& outbox, Now now) {
  outbox.blocked = false;
  delivery_->enqueue(outbox, now.mono);
  tell_if_empty(outbox);
}

void RollingSend::send_control(Outbox& outbox, std::string_view bytes, Now now) {
  if (outbox.failed || bytes.empty()) return;
  if (outbox.unsent == nullptr) outbox.unsent = std::make_unique<Unsent>();
  outbox.unsent->control.append(bytes);
  budget_->charge(Purpose::control, bytes.size());
  delivery_->enqueue(outbox, now.mono);
}

void RollingSend::release(Outbox& outbox) {
  ensure(!in_batch_, "nothing is released under a batch");
  if (outbox.in_blocked_list) {
    std::erase(blocked_, &outbox);
    outbox.in_blocked_list = false;
  }
  delivery_->forget(outbox);
  if (outbox.unsent == nullptr) return;
  Unsent& unsent = *outbox.unsent;
  if (unsent.rest_bytes != 0) {
    if (unsent.rest_is_message) ++delivery_->counted().abandoned;
    clear_rest(unsent);
  }
  budget_->release(Purpose::control, unsent.control_bytes());
  outbox.unsent.reset();
}

void RollingSend::check_blocked(Now now) {
  for (std::size_t i = 0; i < blocked_.size();) {
    Outbox& outbox = *blocked_[i];
    if (!outbox.blocked && !outbox.has_remainder()) {
      outbox.in_blocked_list = false;
      blocked_[i] = blocked_.back();
      blocked_.pop_back();
      continue;
    }
    ++i;
    if (outbox.failed || outbox.messages_held) continue;
    for (std::uint32_t slot = outbox.pending_first; slot != kNoSlot;) {
      const std::uint32_t this_slot = slot;
      const Subscription& subscription = delivery_->subscription(slot);
      slot = subscription.pending_next;
      const ChannelLog& log = delivery_->log(subscription.cursor.log);
      const SlowPolicy policy = slow_policy(subscription.complete, *log.rule);
      if (subscription.catching_up) {  // bounded as well: by how long it has taken nothing
        if (in_batch_ || now.mono - std::max(outbox.sent_at, outbox.lag_floor) <= log.rule->lag.time) continue;
        const bool drops = policy == SlowPolicy::drop_oldest && carries_gap_notices(outbox.dialect);
        if (drops || policy == SlowPolicy::conflate) {
          delivery_->end_catch_up(this_slot, now.mono);  // then it is a slow reader of the log
          continue;
        }
        events_.push_back({.kind = OutboxEvent::Kind::slow,
                           .connection = outbox.connection,
                           .messages = distance(subscription.cursor.next, log.log.next())});
        break;
      }
      if (policy == SlowPolicy::conflate) continue;  // decided when its turn comes
      const LagVerdict verdict = judge(subscription, log, outbox, now);
      if (verdict.kind != LagVerdict::Kind::disconnect) continue;
      events_.push_back({.kind = OutboxEvent::Kind::slow,
                         .connection = outbox.connection,
                         .messages = distance(subscription.cursor.next, log.log.next())});
      break;
    }
  }
}

std::span<const OutboxEvent> RollingSend::take_events() {
  taken_.clear();
  taken_.swap(events_);
  return taken_;
}

}  // namespace ringcast
