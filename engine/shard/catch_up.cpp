// Joining and resuming: where a joiner begins, and history on its way to it (design.md, "Joining and resuming").
//
// A chunk of another shard's history travels in the bulk lane, behind the frames that its home has sent there: it never
// says more than that shard's log will have been told, so a cursor is never ahead of its log.
#include <algorithm>

#include "alloc/base/ensure.hpp"
#include "codec/dialect/native_reply.hpp"
#include "engine/channel/frame_encoder.hpp"
#include "engine/channel/history_reader.hpp"
#include "engine/shard/channel_router.hpp"

namespace ringcast {
namespace {

constexpr Refusal kUnknownChannel{.code = ErrorCode::unknown_channel, .sentence = "nothing is known of this channel"};

JoinWish wish_of(const JoinRequest& request) {
  return {.resumes = request.resume != nullptr,
          .wants_state = request.options.snapshot,
          .announced = request.announced,
          .resume = request.resume != nullptr ? *request.resume : ResumePoint{}};
}

}  // namespace

// ---- the joiner's side ----

/// Only the home knows where it begins.
bool ChannelRouter::asks_home(const ChannelLog& log, const JoinRequest& request) const {
  const NamespaceRule& rule = *log.rule;
  if (rule.durable()) return true;
  const bool may_resume = request.resume != nullptr && (rule.resume || request.announced);
  if (may_resume && request.resume->epoch == log.epoch) return true;
  return request.options.snapshot && rule.state != StateKeeping::none;
}

/// Puts a subscription, which is in no list of the log, to where it begins; or asks the home where that is.
JoinAnswer ChannelRouter::place(std::uint32_t slot, Handle log_handle, const JoinRequest& request, Now now) {
  const ChannelLog& log = *delivery_->find_log(log_handle);
  const SubscriptionExtra* extra = delivery_->find_extra(delivery_->subscription(slot));
  if (extra != nullptr && extra->catch_up != nullptr) {  // the home has said it
    return begin(slot, log_handle, JoinStart{extra->catch_up->start}, request, now);
  }
  const ResumePoint* resume = request.resume;
  const bool may_resume =
      resume != nullptr && (log.rule->resume || request.announced) && resume->epoch == log.epoch;
  const JoinStart held{.next = may_resume ? next(resume->seq) : Sequence{}, .recovered = JoinStart::Recovered::yes};
  if (may_resume && log.near_head(held.next)) return begin(slot, log_handle, held, request, now);

  const Channel& channel = channels_[log.channel];
  if (channel.home == here_) {
    const JoinStart start = start_of(homes_[channel.home_state.slot], wish_of(request));
    const bool lost = start.recovered == JoinStart::Recovered::no;
    return begin(slot, log_handle, lost && may_resume && log.log.holds(held.next) ? held : start, request, now);
  }
  if (!asks_home(log, request)) {
    return begin(slot, log_handle,
                 {.next = log.log.next(),
                  .where = JoinStart::Where::head,
                  .recovered = resume == nullptr ? JoinStart::Recovered::unasked : JoinStart::Recovered::no},
                 request, now);
  }
  CatchUp& catch_up = delivery_->catch_up_of(slot);
  catch_up.wish = wish_of(request);
  catch_up.joins = true;
  delivery_->join_later(slot, log_handle.slot);
  const Handle subscription = delivery_->handle_of(slot);
  ask_for_chunk(subscription);
  return {.kind = JoinAnswer::Kind::waiting, .subscription = subscription};
}

JoinAnswer ChannelRouter::begin(std::uint32_t slot, Handle log_handle, const JoinStart& asked_start,
                                const JoinRequest& request, Now now) {
  const ChannelLog& log = *delivery_->find_log(log_handle);
  Subscription& subscription = delivery_->subscription(slot);
  JoinStart start = asked_start;
  const SubscriptionExtra* extra = delivery_->find_extra(subscription);
  const bool has_chunk = extra != nullptr && extra->catch_up != nullptr;
  const JoinWish wish = has_chunk ? extra->catch_up->wish : wish_of(request);
  const bool may_resume =
      has_chunk && wish.resumes && (log.rule->resume || wish.announced) && wish.resume.epoch == log.epoch;
  if (may_resume && start.recovered == JoinStart::Recovered::no) {  // history has lost it, and the log has it
    const Sequence wanted = next(wish.resume.seq);
    if (log.log.holds(wanted)) start = {.next = wanted, .recovered = JoinStart::Recovered::yes};
  }
  if (start.where == JoinStart::Where::head) start.next = log.log.next();
  const bool on_its_way = start.where == JoinStart::Where::on_its_way;
  const bool wants_newest = start.where == JoinStart::Where::newest || on_its_way;
  // A channel's first message may have come since its home said that there is none.
  if (wants_newest && next(log.log.newest()) == log.log.next()) start.next = log.log.newest();
  const bool newest = on_its_way || (wants_newest && start.next < log.log.next());
  JoinAnswer answer{.kind = JoinAnswer::Kind::joined,
                    .subscription = delivery_->handle_of(slot),
                    .epoch = log.epoch,
                    .last = newest ? start.next : Sequence{value(log.log.next()) - 1},
                    .state = start.state,
                    .as_of = start.as_of,
                    .channel_id = log.channel_id};
  if (start.recovered != JoinStart::Recovered::unasked) {
    answer.recovered = start.recovered == JoinStart::Recovered::yes;
    if (!wish.announced) stats_->add(*answer.recovered ? CounterId::resumes_recovered : CounterId::resumes_refused);
  }
  const Channel& channel = channels_[log.channel];
  // The log may hold what is beyond the reader's lag bound, since it drops whole blocks. Who began there would be too
  // slow at once; from history it is caught up. And what a durable channel kept is sent as stored, which the log's
  // frames do not say.
  const bool in_history = channel.home == here_ ? homes_[channel.home_state.slot].history.holds(start.next)
                                                : has_chunk && extra->catch_up->chunk.holds(start.next);
  const bool as_stored = log.rule->durable() && start.next < log.log.next() &&
                         (channel.home != here_ || in_history || !log.log.holds(start.next));
  const bool from_log = log.near_head(start.next) || (log.log.holds(start.next) && !in_history);
  if (from_log && !as_stored && !start.snapshot_first) {
    delivery_->forget_catch_up(subscription);
    delivery_->start_reading(slot, log_handle.slot, start.next, now.mono);
    return answer;
  }
  if (channel.home == here_) {
    delivery_->catch_up_of(slot).joins = false;
    fill_here(homes_[channel.home_state.slot], slot, log.form, start.next, start.snapshot_first, now);
  }
  delivery_->catch_up_of(slot).joins = false;
  if (as_stored) delivery_->catch_up_of(slot).live_from = log.log.next();
  delivery_->start_reading(slot, log_handle.slot, start.next, now.mono);
  if (start.snapshot_first) subscription.begins_whole(next(start.next));
  subscription.catching_up = true;
  // What came may be less than it wants, and may be nothing that is new: then it asks on.
  if (delivery_->settle_catch_up(slot, now.mono)) ask_for_chunk(answer.subscription);
  return answer;
}

/// A resume of a channel that the connection has: its cursor stays, and nothing comes twice. Recovered means what it
/// means to who joins: after that seq nothing is missing, since each message was sent before the answer or follows it.
bool ChannelRouter::was_sent_since(const Subscription& subscription, const ResumePoint& resume) {
  const ChannelLog& log = delivery_->log(subscription.cursor.log);
  const bool recovered =
      log.rule->resume && resume.epoch == log.epoch && subscription.sent_all_from(next(resume.seq));
  stats_->add(recovered ? CounterId::resumes_recovered : CounterId::resumes_refused);
  return recovered;
}

void ChannelRouter::refill(Handle handle, Now now) {
  Subscription* subscription = delivery_->find_subscription(handle);
  if (subscription == nullptr || !subscription->catching_up) return;
  const Channel& channel = channels_[subscription->channel];
  if (channel.home != here_) {
    ask_for_chunk(handle);
    return;
  }
  fill_here(homes_[channel.home_state.slot], handle.slot, delivery_->log(subscription->cursor.log).form,
            subscription->cursor.next, false, now);
  if (delivery_->chunk_filled(handle.slot, now.mono)) {
    ensure(false, "what the home's own log lacks is in its history, or lost");
  }
}

/// The next chunk from history on this shard, in the form of the log that goes on with it: the connection may have
/// switched to another one, whose log it has not moved to.
void ChannelRouter::fill_here(HomeChannel& home, std::uint32_t slot, Form form, Sequence from, bool snapshot_first,
                              Now now) {
  CatchUp& catch_up = delivery_->catch_up_of(slot);
  const ChunkPlan plan = plan_chunk(home, from, snapshot_first);
  catch_up.asked = false;
  catch_up.snapshot_first = plan.snapshot_first;
  catch_up.chunk.clear();
  catch_up.chunk.skip_to(plan.first);
  std::size_t bytes = 0;
  for_each_in_chunk(home, plan, home.history.next(), [&](Sequence, const MessageView& message) {
    const std::size_t size = frame_size(form, message);
    if (bytes != 0 && bytes + size > kCatchUpBytesMax) return false;
    write_frame(form, message, MutableBytes{catch_up.chunk.reserve(size, now.mono), size});
    catch_up.chunk.commit(size, now.mono);
    bytes += size;
    return true;
  });
}

void ChannelRouter::ask_for_chunk(Handle handle) {
  CatchUp& catch_up = delivery_->catch_up_of(handle.slot);
  catch_up.asked = true;
  ++catch_up.serial;
  Peer& home = peer(channels_[delivery_->subscription(handle.slot).channel].home);
  if (!home.pulls_unsent.empty() || !send_pull(handle)) home.pulls_unsent.push_back(handle);
}

/// False when there is no credit for it. Nothing is sent for who has left meanwhile.
bool ChannelRouter::send_pull(Handle handle) {
  Subscription* subscription = delivery_->find_subscription(handle);
  const SubscriptionExtra* extra = subscription == nullptr ? nullptr : delivery_->find_extra(*subscription);
  if (extra == nullptr || extra->catch_up == nullptr || !extra->catch_up->asked) return true;
  const CatchUp& catch_up = *extra->catch_up;
  const ChannelLog& log = delivery_->log(subscription->cursor.log);
  const ShardIndex home = channels_[subscription->channel].home;
  if (peer(home).credits == 0) return false;
  MutableBytes room = mesh_->control(here_, home).reserve(sizeof(MeshPull));
  ensure(!room.empty(), "a control lane has room for every credit");
  store(room.data(), MeshPull{.form = log.form,
                              .joins = catch_up.joins ? std::uint8_t{1} : std::uint8_t{0},
                              .resumes = catch_up.wish.resumes ? std::uint8_t{1} : std::uint8_t{0},
                              .wants_state = catch_up.wish.wants_state ? std::uint8_t{1} : std::uint8_t{0},
                              .announced = catch_up.wish.announced ? std::uint8_t{1} : std::uint8_t{0},
                              .serial = catch_up.serial,
                              .home = log.home,
                              .log = delivery_->logs().handle_of(subscription->cursor.log),
                              .subscription = handle,
                              .epoch = catch_up.wish.resume.epoch,
                              .from = catch_up.joins ? catch_up.wish.resume.seq : subscription->cursor.next});
  push_control(home, room, sizeof(MeshPull));
  --peer(home).credits;
  return true;
}

void ChannelRouter::on_chunk(ShardIndex from, Bytes record, Now now) {
  ++peer(from).credits;
  const auto header = load<MeshChunk>(record.data());
  Subscription* subscription = delivery_->find_subscription(header.subscription);
  const SubscriptionExtra* extra = subscription == nullptr ? nullptr : delivery_->find_extra(*subscription);
  if (extra == nullptr || extra->catch_up == nullptr || extra->catch_up->serial != header.serial)
    return;  // not wanted now
  CatchUp& catch_up = *extra->catch_up;
  catch_up.asked = false;
  catch_up.snapshot_first = header.snapshot_first != 0;
  catch_up.chunk.clear();
  catch_up.chunk.skip_to(header.first);
  const std::uint8_t* size = record.data() + sizeof header;
  const std::uint8_t* data = size + header.frames * sizeof(std::uint32_t);
  for (std::uint32_t i = 0; i < header.frames; ++i, size += sizeof(std::uint32_t)) {
    const Bytes frame{data, load<std::uint32_t>(size)};
    catch_up.chunk.append(frame, now.mono);
    data += frame.size();
  }
  ensure(data == record.data() + record.size(), "a chunk is as long as its sizes say");
  if (catch_up.joins) {
    catch_up.start = {.next = header.next,
                      .as_of = header.as_of,
                      .where = header.where,
                      .recovered = header.recovered,
                      .state = header.state,
                      .snapshot_first = header.snapshot_first != 0};
    arrivals_.ready.push_back(header.subscription);
  } else if (delivery_->chunk_filled(header.subscription.slot, now.mono)) {
    ask_for_chunk(header.subscription);
  }
}

// ---- the home's side ----

void ChannelRouter::on_pull(ShardIndex from, Bytes record) {
  peer(from).pulls.push_back(load<MeshPull>(record.data()));
}

/// Each of them once, as long as the lane is not full of frames: those are the newer.
void ChannelRouter::serve_pulls(ShardIndex to, Now now) {
  Peer& there = peer(to);
  MeshLane& lane = mesh_->bulk(here_, to);
  const auto has_room = [&] {
    if (lane.bytes_used() <= kMeshBacklogBytes) return true;
    ask_for_room(to);
    return lane.bytes_used() <= kMeshBacklogBytes;
  };
  for (std::size_t left = there.pulls.size(); left != 0 && has_room(); --left) {
    const MeshPull pull = there.pulls.front();
    const Served served = serve_pull(to, pull);
    if (served == Served::no_room) break;
    there.pulls.pop_front();
    if (served == Served::later) there.pulls.push_back(pull);
  }
  while (!there.queries.empty() && has_room() && serve_query(to, there.queries.front(), now)) there.queries.pop_front();
  if (lane.publish()) doorbells_ |= std::uint64_t{1} << value(to);
}

ChannelRouter::Served ChannelRouter::serve_pull(ShardIndex to, const MeshPull& pull) {
  MeshLane& lane = mesh_->bulk(here_, to);
  MeshChunk chunk{.serial = pull.serial, .subscription = pull.subscription};
  HomeChannel* home = homes_.find(pull.home);
  const RemoteReader* reader = nullptr;
  if (home != nullptr) {
    const auto at = std::ranges::find_if(home->remote, [&](const RemoteReader& candidate) {
      return candidate.shard == to && candidate.their_log == pull.log;
    });
    if (at != home->remote.end()) reader = &*at;
  }
  ChunkPlan plan{.first = pull.from};
  const std::size_t bytes_max = std::min(kCatchUpBytesMax, lane.record_bytes_max() / 4);  // one frame may be larger
  sizes_.clear();
  std::size_t bytes = 0;
  if (reader != nullptr) {  // otherwise it has left meanwhile, and only its credit is to be given back
    if (pull.joins != 0) {
      const JoinWish wish{.resumes = pull.resumes != 0,
                          .wants_state = pull.wants_state != 0,
                          .announced = pull.announced != 0,
                          .resume = {.epoch = pull.epoch, .seq = pull.from}};
      JoinStart start = start_of(*home, wish);
      if (start.where != JoinStart::Where::exactly && start.next >= reader->next) {  // what its shard has been sent
        const Sequence newest{value(reader->next) - 1};
        const bool wants_newest = start.where == JoinStart::Where::newest;
        const bool held = wants_newest && home->history.holds(newest);
        start.next = held ? newest : reader->next;
        if (wants_newest && !held && home->history.next() != reader->next) {
          start.where = JoinStart::Where::on_its_way;
        }
      }
      chunk.next = start.next;
      chunk.as_of = start.as_of;
      chunk.where = start.where;
      chunk.recovered = start.recovered;
      chunk.state = start.state;
      plan = plan_chunk(*home, start.next, start.snapshot_first);
    } else {
      plan = plan_chunk(*home, pull.from, false);
    }
    // Not before the log over there has been told as much: its readers' cursors are never ahead of it.
    if (plan.snapshot_first ? plan.first >= reader->next : plan.first > reader->next) return Served::later;
    for_each_in_chunk(*home, plan, reader->next, [&](Sequence, const MessageView& message) {
      const std::size_t size = frame_size(pull.form, message);
      if (bytes != 0 && bytes + size > bytes_max) return false;
      sizes_.push_back(static_cast<std::uint32_t>(size));
      bytes += size;
      return true;
    });
  }
  chunk.first = plan.first;
  chunk.snapshot_first = plan.snapshot_first ? 1 : 0;
  chunk.frames = static_cast<std::uint32_t>(sizes_.size());
  const std::size_t record_bytes = sizeof chunk + sizes_.size() * sizeof(std::uint32_t) + bytes;
  const MutableBytes room = reserve(lane, to, record_bytes);
  if (room.empty()) return Served::no_room;
  store(room.data(), chunk);
  std::uint8_t* out = room.data() + sizeof chunk;
  if (!sizes_.empty()) std::memcpy(out, sizes_.data(), sizes_.size() * sizeof(std::uint32_t));
  out += sizes_.size() * sizeof(std::uint32_t);
  if (!sizes_.empty()) {
    std::size_t i = 0;
    for_each_in_chunk(*home, plan, reader->next, [&](Sequence, const MessageView& message) {
      write_frame(pull.form, message, MutableBytes{out, sizes_[i]});
      out += sizes_[i];
      return ++i < sizes_.size();
    });
  }
  lane.commit();
  return Served::done;
}

// ---- history queries ----

HistoryAnswer ChannelRouter::history(const HistoryRequest& request, Handle connection, Now now) {
  const ShardIndex home = home_of(request.channel);
  if (home == here_) {
    if (waits_for_past(request.channel, now)) {
      wait_for_store(connection);
      return {.kind = HistoryAnswer::Kind::no_room};
    }
    const Refusal refusal = answer_query(request);
    if (history_text_.empty()) return {.kind = HistoryAnswer::Kind::refused, .refusal = refusal};
    return {.kind = HistoryAnswer::Kind::answered, .reply = history_text_};
  }
  Peer& there = peer(home);
  if (there.credits <= kMeshCreditsKept) {
    there.publishers.push_back(connection);
    return {.kind = HistoryAnswer::Kind::no_room};
  }
  const std::size_t bytes = sizeof(MeshHistory) + request.channel.size() + request.id.size();
  MutableBytes room = mesh_->control(here_, home).reserve(bytes);
  ensure(!room.empty(), "a control lane has room for every credit");
  RecordWriter record{room, MeshHistory{.channel_bytes = static_cast<std::uint8_t>(request.channel.size()),
                                        .id_bytes = static_cast<std::uint8_t>(request.id.size()),
                                        .has_after = request.after ? std::uint8_t{1} : std::uint8_t{0},
                                        .limit = request.limit,
                                        .connection = connection,
                                        .after = request.after.value_or(ResumePoint{})}};
  record.put(request.channel);
  record.put(request.id);
  push_control(home, room, bytes);
  --there.credits;
  return {.kind = HistoryAnswer::Kind::forwarded};
}

void ChannelRouter::on_history(ShardIndex from, Bytes record) {
  const auto header = load<MeshHistory>(record.data());
  RecordTexts texts{record, sizeof header};
  Query& query = peer(from).queries.emplace_back();
  query.connection = header.connection;
  query.channel = texts.take(header.channel_bytes);
  query.id = texts.take(header.id_bytes);
  if (header.has_after != 0) query.after = header.after;
  query.limit = header.limit;
}

/// Writes the reply into history_text_; leaves that empty, and says why, if the query is refused.
Refusal ChannelRouter::answer_query(const HistoryRequest& request) {
  history_text_.clear();
  const Channel* channel = channels_.find(request.channel);
  if (channel == nullptr || !channel->home_state.valid()) return kUnknownChannel;
  stats_->add(CounterId::history_queries);
  const HomeChannel& home = homes_[channel->home_state.slot];
  if (home.rule->payload == PayloadKind::binary) return refusal_of(ErrorCode::not_supported);  // the reply is JSON
  const Sequence head = home.history.next();
  const Sequence tail = home.history.tail();
  NativeHistory::Head reply{.id = request.id, .channel = request.channel, .epoch = home.epoch, .seq = home.last()};
  Sequence from = tail;
  if (request.after) {
    const Sequence wanted = next(request.after->seq);
    reply.recovered = request.after->epoch == home.epoch && wanted >= tail && wanted <= head;
    if (*reply.recovered) from = wanted;
  } else if (distance(tail, head) > request.limit) {
    from = Sequence{value(head) - request.limit};
  }
  NativeHistory writer{history_text_, reply};
  std::uint32_t messages = 0;
  bool more = false;
  for_each_kept(home, from, head, [&](const MessageView& message) {
    more = messages == request.limit ||
           (messages != 0 && history_text_.size() + native_message_size(message) > kReplyBytesMax);
    if (more) return false;
    writer.add(message);
    ++messages;
    return true;
  });
  writer.finish(more);
  return {};
}

bool ChannelRouter::serve_query(ShardIndex to, const Query& query, Now now) {
  if (waits_for_past(query.channel, now)) return false;
  const Refusal refusal =
      answer_query({.channel = query.channel, .id = query.id, .after = query.after, .limit = query.limit});
  const bool refused = history_text_.empty();
  const std::string_view text = refused ? std::string_view{query.id} : std::string_view{history_text_};
  const MutableBytes room = reserve(mesh_->bulk(here_, to), to, sizeof(MeshHistoryReply) + text.size());
  if (room.empty()) return false;
  RecordWriter record{room, MeshHistoryReply{.refused = refused ? std::uint8_t{1} : std::uint8_t{0},
                                             .code = refusal.code,
                                             .text_bytes = static_cast<std::uint32_t>(text.size()),
                                             .connection = query.connection}};
  record.put(text);
  mesh_->bulk(here_, to).commit();
  return true;
}

}  // namespace ringcast
