#include "engine/shard/admin_desk.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "alloc/memory/give_back.hpp"
#include "codec/dialect/exchange.hpp"
#include "codec/text/channel_name.hpp"
#include "codec/text/pattern.hpp"

namespace ringcast {

void AdminDesk::advance(Now now) {
  if (answer_waits_ && !deliver()) return;
  if (!job_ || job_->waits) take_question(now);
  if (job_ && can_go_on(*job_)) step(*job_, now);
}

void AdminDesk::take_question(Now now) {
  const Bytes record = lane_->questions.peek();
  if (record.empty()) return;
  const AdminQuestion question = read_question(record);
  if (now.mono.time_since_epoch().count() >= question.head.deadline_ns) {
    stats_->add(CounterId::admin_questions_late);
  } else {
    stats_->add(CounterId::admin_questions);
    begin(question, now);
  }
  lane_->questions.pop();
  lane_->questions.release();
}

bool AdminDesk::has_work() const {
  if (answer_waits_) return lane_->answers.has_room(sizeof answer_ + page_.size());
  return (job_ && can_go_on(*job_)) || !lane_->questions.empty();
}

/// Of a message the store speaks by itself; a history is asked for again when it has said anything.
bool AdminDesk::can_go_on(const Job& job) const {
  if (!job.waits) return true;
  return job.asked.ask == AdminAsk::history && router_->store_progress() != job.progress;
}

void AdminDesk::begin(const AdminQuestion& question, Now now) {
  answer_ = AdminAnswerHead{.ask = question.head.ask, .serial = question.head.serial};
  page_.clear();
  job_.reset();  // who asked what still waits for the store has gone
  switch (question.head.ask) {
    case AdminAsk::connections:
    case AdminAsk::disconnect:
    case AdminAsk::channels:
    case AdminAsk::history:
    case AdminAsk::cleanup:
      job_.emplace(Job{.asked = question.head,
                       .channel = std::string{question.channel},
                       .user = std::string{question.user},
                       .at = question.head.from});
      return;
    case AdminAsk::channel: answer_channel(question); break;
    case AdminAsk::publish:
      if (!answer_publish(question, now)) return;  // stored() does, when that has come true
      break;
    case AdminAsk::end: ensure(false, "the admin side asks what there is to ask");
  }
  finish();
}

void AdminDesk::step(Job& job, Now now) {
  switch (job.asked.ask) {
    case AdminAsk::channels: look_at_channels(job); break;
    case AdminAsk::history: look_at_history(job, now); break;
    case AdminAsk::cleanup: look_for_unused(job, now); break;
    default: look_at_connections(job, now);
  }
}

void AdminDesk::finish() {
  job_.reset();
  if (sizeof answer_ + page_.size() > lane_->answers.record_bytes_max()) {
    give_back(page_);  // of one message, stored when larger ones were allowed than the lanes are made for
    refuse(ErrorCode::message_too_large);
  }
  answer_waits_ = true;
  deliver();
}

/// False: the lane has no room. Whoever asks next makes some first, and rings.
bool AdminDesk::deliver() {
  const MutableBytes room = lane_->answers.reserve(sizeof answer_ + page_.size());
  if (room.empty()) return false;
  RecordWriter record{room, answer_};
  record.put(page_);
  lane_->answers.commit();
  lane_->answers.publish();
  answer_waits_ = false;
  if (page_.capacity() > kAdminPageBytesMax) give_back(page_);
  return true;
}

// ---- connections ----

bool AdminDesk::matches(const Job& job, const Connection& connection, std::uint32_t channel) {
  if (connection.phase != Connection::Phase::open) return false;
  if (job.asked.connection != 0 && connection.id != job.asked.connection) return false;
  if (!job.user.empty() && sessions_->user_of(connection) != job.user) return false;
  if (job.asked.slow_only != 0 && !connection.outbox.blocked) return false;
  return job.channel.empty() || delivery_->find_of(connection.outbox, channel) != kNoSlot;
}

void AdminDesk::look_at_connections(Job& job, Now now) {
  const std::uint32_t channel = job.channel.empty() ? kNoSlot : router_->slot_of(job.channel);
  const bool nobody = !job.channel.empty() && channel == kNoSlot;  // no connection of this shard reads it
  const std::uint32_t end = nobody ? job.at : sessions_->slot_end();
  for (std::uint32_t looks = 0; job.at < end; ++job.at) {
    if (looks >= kAdminLooksPerTurn) return;
    if (page_is_full(job)) {
      answer_.next = job.at;
      break;
    }
    ++looks;
    const Connection* connection = sessions_->at(job.at);
    if (connection == nullptr || !matches(job, *connection, channel)) continue;
    ++answer_.count;
    if (job.asked.ask == AdminAsk::disconnect) {
      looks += connection->outbox.subscriptions;
      sessions_->disconnect(connection->outbox.connection, now);
    } else if (job.asked.count_only == 0) {
      looks += add_connection(*connection, now);
    }
  }
  finish();
}

std::uint32_t AdminDesk::add_connection(const Connection& connection, Now now) {
  const Outbox& outbox = connection.outbox;
  const std::string_view user = sessions_->user_of(connection);
  AdminConnectionRow row{.id = connection.id,
                         .opened_ns = connection.opened_at.time_since_epoch().count(),
                         .sent_bytes = outbox.bytes_sent,
                         .charged_bytes = outbox.control_bytes(),
                         .address = connection.address,
                         .subscriptions = outbox.subscriptions,
                         .port = connection.port,
                         .dialect = outbox.dialect,
                         .user_bytes = static_cast<std::uint8_t>(user.size()),
                         .slow = outbox.blocked ? std::uint8_t{1} : std::uint8_t{0},
                         .compressed = connection.window_bits != 0 ? std::uint8_t{1} : std::uint8_t{0},
                         .stalled = connection.stall != 0 ? std::uint8_t{1} : std::uint8_t{0}};
  if (outbox.has_remainder()) row.charged_bytes += outbox.unsent->rest_bytes;
  std::uint32_t looks = 0;
  for (std::uint32_t slot = outbox.pending_first; slot != kNoSlot; slot = delivery_->next_pending(slot)) {
    ++looks;
    const Delivery::Lag lag = delivery_->lag_of(slot);
    row.lag_messages += lag.messages;
    row.lag_bytes += lag.bytes;
    if (lag.oldest) row.lag_ns = std::max<std::int64_t>(row.lag_ns, (now.mono - *lag.oldest).count());
  }
  put_row(row);
  page_ += user;
  return looks;
}

bool AdminDesk::page_is_full(const Job& job) const {
  return (job.asked.limit != 0 && answer_.rows >= job.asked.limit) || page_.size() >= kAdminPageBytesMax;
}

// ---- channels ----

void AdminDesk::look_at_channels(Job& job) {
  for (std::uint32_t looks = 0; job.at < router_->channel_slots(); ++job.at, ++looks) {
    if (looks >= kAdminLooksPerTurn) return;
    if (page_is_full(job)) {
      answer_.next = job.at;
      break;
    }
    const Channel* channel = router_->channel_at(job.at);
    const HomeChannel* home = channel == nullptr ? nullptr : router_->home_at(*channel);
    if (home != nullptr) add_channel(*channel, *home);
  }
  finish();
}

void AdminDesk::add_channel(const Channel& channel, const HomeChannel& home) {
  AdminChannelRow row{.epoch = home.epoch,
                      .seq = home.last(),
                      .messages = home.history.frames(),
                      .bytes = home.history.bytes(),
                      .readers = router_->readers_of(channel),
                      .shards = static_cast<std::uint32_t>(home.remote.size()),
                      .channel_id = home.channel_id,
                      .name_bytes = static_cast<std::uint8_t>(channel.name.size()),
                      .match_bytes = static_cast<std::uint32_t>(home.rule->match.size())};
  put_row(row);
  page_ += channel.name;
  page_ += home.rule->match;
}

void AdminDesk::answer_channel(const AdminQuestion& question) {
  const std::uint32_t slot = router_->slot_of(question.channel);
  if (slot == kNoSlot) return;
  const Channel& channel = *router_->channel_at(slot);
  answer_.count = router_->readers_of(channel);
  if (const HomeChannel* home = router_->home_at(channel)) add_channel(channel, *home);
}

void AdminDesk::look_at_history(Job& job, Now now) {
  ensure(router_->is_home_of(job.channel), "a history is asked of the shard that has it");
  const AdminQuestionHead& asked = job.asked;
  const HistoryAnswer answer =
      router_->history({.channel = job.channel,
                        .id = {},
                        .after = asked.has_after != 0 ? std::optional<ResumePoint>{asked.after} : std::nullopt,
                        .limit = asked.limit},
                       Handle{}, now);
  switch (answer.kind) {
    case HistoryAnswer::Kind::answered: page_ = answer.reply; break;
    case HistoryAnswer::Kind::refused: refuse(answer.refusal.code); break;
    case HistoryAnswer::Kind::no_room:  // the channel is being loaded
      job.waits = true;
      job.progress = router_->store_progress();
      return;
    case HistoryAnswer::Kind::forwarded: ensure(false, "what is asked at home is not forwarded");
  }
  finish();
}

void AdminDesk::look_for_unused(Job& job, Now now) {
  std::uint32_t forgotten = 0;
  const bool done = router_->clean_up(job.at, kAdminLooksPerTurn, forgotten, now);
  answer_.count += forgotten;
  if (done) finish();
}

// ---- publishing ----

/// What nobody may, an administrator may not either; what a client may not do for lack of a right, he may.
std::optional<ErrorCode> AdminDesk::refusal_of(const AdminQuestion& question) const {
  if (!is_valid_channel_name(question.channel) || is_pattern(question.channel)) return ErrorCode::invalid_message;
  if (is_server_channel(question.channel)) return ErrorCode::unauthorized;
  if (is_user_channel(question.channel) && !is_valid_user_id(question.channel.substr(kUserPrefix.size()))) {
    return ErrorCode::invalid_message;
  }
  if (sessions_->shutting_down()) return ErrorCode::overloaded;
  return std::nullopt;
}

/// False: it is to be stored first, and stored() will hear of it.
bool AdminDesk::answer_publish(const AdminQuestion& question, Now now) {
  if (const auto refused = refusal_of(question)) {
    refuse(*refused);
    return true;
  }
  std::array<char, sizeof question.head.serial> id;
  store(id.data(), question.head.serial);
  const PublishAnswer answer = router_->publish_for_admin({.channel = question.channel,
                                                           .event = question.event,
                                                           .message_id = question.message_id,
                                                           .data = unwrap_combined(question.channel, question.data),
                                                           .publisher = question.head.publisher,
                                                           .snapshot = question.head.snapshot != 0,
                                                           .as_of = question.head.as_of,
                                                           .high = question.head.high != 0,
                                                           .received = now.mono},
                                                          {id.data(), id.size()}, now);
  switch (answer.kind) {
    case PublishAnswer::Kind::published: tell_published(answer.published); break;
    case PublishAnswer::Kind::refused: refuse(answer.refusal.code); break;
    case PublishAnswer::Kind::no_room:  // its readers lack their turns, or the store is behind: to be asked again
      refuse(ErrorCode::overloaded);
      break;
    case PublishAnswer::Kind::forwarded:
      job_.emplace(Job{.asked = question.head, .channel = {}, .user = {}, .waits = true});
      return false;
  }
  return true;
}

void AdminDesk::stored(const PublishReply& reply) {
  ensure(reply.id.size() == sizeof answer_.serial, "what an administrator publishes is answered under its question");
  if (!job_ || job_->asked.ask != AdminAsk::publish || load<std::uint32_t>(reply.id.data()) != job_->asked.serial) {
    return;  // nobody waits for it any more
  }
  if (reply.refused) {
    refuse(reply.refusal.code);
  } else {
    tell_published(reply.published);
  }
  finish();
}

void AdminDesk::tell_published(const Published& published) {
  answer_.epoch = published.epoch;
  answer_.seq = published.seq;
  answer_.duplicate = published.duplicate ? 1 : 0;
}

}  // namespace ringcast
