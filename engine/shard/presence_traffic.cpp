#include "engine/shard/presence_traffic.hpp"

#include <cstring>
#include <utility>

#include "alloc/base/ensure.hpp"
#include "engine/shard/channel_router.hpp"
#include "engine/shard/presence_records.hpp"

namespace ringcast {
namespace {

ShardIndex shard_at(std::uint32_t index) { return ShardIndex{static_cast<std::uint16_t>(index)}; }

}  // namespace

void PresenceTraffic::pump(Now now) {
  take_own(now);
  presence_->rosters().spread([this](std::string_view channel) { return shards_reading(channel); });
  tell_here(now);
  answer_here(now);
  for (std::uint32_t i = 0; i < shards_; ++i) {
    const ShardIndex to = shard_at(i);
    if (to == here_) continue;
    send_reports(to);
    send_questions(to);
    send_notices(to);
    send_answers(to);
  }
  presence_->settle();
}

bool PresenceTraffic::has_work() const {
  if (!presence_->awake()) return false;
  if (presence_->rosters().has_changes() || presence_->rosters().has_notices(here_)) return true;
  if (presence_->attendance().has_reports(here_)) return true;
  if (presence_->answering().has_questions(here_) || presence_->inquiries().has_questions(here_)) return true;
  for (std::uint32_t i = 0; i < shards_; ++i) {
    if (presence_->answering().wants_step(shard_at(i))) return true;
  }
  return false;
}

// ---- for this shard ----

void PresenceTraffic::take_own(Now now) {
  Report report;
  while (presence_->take_report(here_, report)) apply(here_, report, now);
  Inquiries& inquiries = presence_->inquiries();
  while (const Question* question = inquiries.next_for(here_)) {
    presence_->question_came(here_, inquiries.next_inquiry(here_), *question);
    inquiries.asked(here_);
  }
}

void PresenceTraffic::apply(ShardIndex from, const Report& report, Now now) {
  const bool of_channel = report.kind != Report::Kind::connections;
  presence_->apply(from, report, of_channel ? &router_->rule_of(report.channel) : nullptr, now);
}

void PresenceTraffic::tell_here(Now now) {
  for (std::size_t looked_at = 0; looked_at < kNoticeReadersPerPump;) {
    const auto notice = presence_->rosters().next_notice(here_);
    if (!notice) return;
    looked_at += 1 + tell_readers(notice->channel, notice->user, notice->joined, now);
    presence_->rosters().notice_told(here_);
  }
}

void PresenceTraffic::answer_here(Now now) {
  Answering& answering = presence_->answering();
  while (answering.has_questions(here_)) {
    work_on_answer(here_);
    if (answering.wants_step(here_) || presence_->rosters().has_notices(here_)) return;
    const Handle inquiry = answering.inquiry(here_);
    Answer answer = answering.answer(here_);
    answering.drop(here_);
    presence_->answer_came(here_, inquiry, std::move(answer), now);
  }
}

void PresenceTraffic::work_on_answer(ShardIndex from) {
  Answering& answering = presence_->answering();
  if (!answering.wants_step(from)) return;
  const std::string_view name = answering.channel_wanted(from);
  const Channel* channel = name.empty() ? nullptr : router_->channels().find(name);
  answering.step(from, channel == nullptr ? nullptr : &channel->logs);
}

/// Where there are readers that notices are for: this shard's bit, and those of others.
std::uint64_t PresenceTraffic::shards_reading(std::string_view name) {
  const Channel* channel = router_->channels().find(name);
  if (channel == nullptr || !channel->home_state.valid()) return 0;
  std::uint64_t shards = 0;
  for (std::size_t form = 0; form < kForms; ++form) {
    if (carries_notices(static_cast<Form>(form)) && channel->logs[form].valid()) {
      shards |= std::uint64_t{1} << value(here_);
    }
  }
  for (const RemoteReader& reader : router_->homes()[channel->home_state.slot].remote) {
    if (carries_notices(reader.form)) shards |= std::uint64_t{1} << value(reader.shard);
  }
  return shards;
}

std::size_t PresenceTraffic::tell_readers(std::string_view name, std::string_view user, bool joined, Now now) {
  const Channel* channel = router_->channels().find(name);
  if (channel == nullptr) return 0;  // nobody here reads it any more
  std::size_t looked_at = 0;
  for (const Handle handle : channel->logs) {
    if (const ChannelLog* log = delivery_->find_log(handle)) {
      looked_at += presence_->fanout().tell_user(*log, user, joined, now);
    }
  }
  return looked_at;
}

// ---- to other shards ----

void PresenceTraffic::send_reports(ShardIndex to) {
  Report report;
  while (router_->credits(to) > kMeshCreditsForJoins && presence_->take_report(to, report)) {
    const std::size_t bytes = sizeof(MeshReport) + report.channel.size() + report.user.size();
    MutableBytes room = router_->request_room(to, bytes);
    ensure(!room.empty(), "there was a credit");
    RecordWriter record{room, MeshReport{.what = report.kind,
                                         .channel_bytes = static_cast<std::uint8_t>(report.channel.size()),
                                         .user_bytes = static_cast<std::uint8_t>(report.user.size()),
                                         .change = report.change,
                                         .here = report.here ? std::uint8_t{1} : std::uint8_t{0}}};
    record.put(report.channel);
    record.put(report.user);
    router_->push_control(to, room, bytes);
    stats_->add(CounterId::presence_reports);
  }
}

void PresenceTraffic::send_questions(ShardIndex to) {
  Inquiries& inquiries = presence_->inquiries();
  while (router_->credits(to) > kMeshCreditsForJoins) {
    const Question* question = inquiries.next_for(to);
    if (question == nullptr) return;
    const std::size_t bytes = sizeof(MeshQuestion) + question->subject.size() + question->after.size();
    MutableBytes room = router_->request_room(to, bytes);
    ensure(!room.empty(), "there was a credit");
    RecordWriter record{room, MeshQuestion{.what = question->kind,
                                           .subject_bytes = static_cast<std::uint8_t>(question->subject.size()),
                                           .after_bytes = static_cast<std::uint8_t>(question->after.size()),
                                           .limit = question->limit,
                                           .inquiry = inquiries.next_inquiry(to)}};
    record.put(question->subject);
    record.put(question->after);
    router_->push_control(to, room, bytes);
    inquiries.asked(to);
  }
}

void PresenceTraffic::send_notices(ShardIndex to) {
  while (const auto notice = presence_->rosters().next_notice(to)) {
    const std::size_t bytes = sizeof(MeshNotice) + notice->channel.size() + notice->user.size();
    MutableBytes room = router_->bulk_room(to, bytes, kNoticeBacklogBytes);
    if (room.empty()) return;
    RecordWriter record{room, MeshNotice{.joined = notice->joined ? std::uint8_t{1} : std::uint8_t{0},
                                         .channel_bytes = static_cast<std::uint8_t>(notice->channel.size()),
                                         .user_bytes = static_cast<std::uint8_t>(notice->user.size())}};
    record.put(notice->channel);
    record.put(notice->user);
    router_->push_bulk(to, bytes);
    presence_->rosters().notice_told(to);
  }
}

void PresenceTraffic::send_answers(ShardIndex to) {
  Answering& answering = presence_->answering();
  while (answering.has_questions(to)) {
    work_on_answer(to);
    if (answering.wants_step(to) || presence_->rosters().has_notices(to)) return;
    MutableBytes room = router_->bulk_room(to, kAnswerBytesMax);
    if (room.empty()) return;
    const Answer answer = answering.answer(to);
    RecordWriter record{room, MeshAnswer{.more = answer.more ? std::uint8_t{1} : std::uint8_t{0},
                                         .names = static_cast<std::uint32_t>(answer.names.size()),
                                         .inquiry = answering.inquiry(to),
                                         .users = answer.users,
                                         .connections = answer.connections,
                                         .anonymous = answer.anonymous,
                                         .unlisted = answer.unlisted}};
    std::size_t bytes = sizeof(MeshAnswer);
    for (const std::string& name : answer.names) {
      const char size = static_cast<char>(static_cast<std::uint8_t>(name.size()));
      record.put({&size, 1});
      record.put(name);
      bytes += 1 + name.size();
    }
    router_->push_bulk(to, bytes);
    answering.drop(to);
  }
}

// ---- from other shards ----

void PresenceTraffic::on_report(ShardIndex from, Bytes record, Now now) {
  const auto header = load<MeshReport>(record.data());
  RecordTexts texts{record, sizeof header};
  Report report{.kind = header.what, .here = header.here != 0, .change = header.change, .channel = {}, .user = {}};
  report.channel = texts.take(header.channel_bytes);
  report.user = texts.take(header.user_bytes);
  apply(from, report, now);
  MutableBytes room = router_->reply_room(from, sizeof(MeshReported));
  store(room.data(), MeshReported{});
  router_->push_control(from, room, sizeof(MeshReported));
}

void PresenceTraffic::on_reported(ShardIndex from) { router_->give_credit(from); }

void PresenceTraffic::on_question(ShardIndex from, Bytes record) {
  const auto header = load<MeshQuestion>(record.data());
  RecordTexts texts{record, sizeof header};
  Question question{.kind = header.what, .limit = header.limit};
  question.subject = texts.take(header.subject_bytes);
  question.after = texts.take(header.after_bytes);
  presence_->question_came(from, header.inquiry, std::move(question));
}

void PresenceTraffic::on_answer(ShardIndex from, Bytes record, Now now) {
  router_->give_credit(from);
  const auto header = load<MeshAnswer>(record.data());
  RecordTexts texts{record, sizeof header};
  Answer part{.users = header.users,
              .connections = header.connections,
              .anonymous = header.anonymous,
              .unlisted = header.unlisted,
              .names = {},
              .more = header.more != 0};
  part.names.reserve(header.names);
  for (std::uint32_t i = 0; i < header.names; ++i) {
    const auto size = static_cast<std::uint8_t>(texts.take(1).front());
    part.names.emplace_back(texts.take(size));
  }
  presence_->answer_came(from, header.inquiry, std::move(part), now);
}

std::size_t PresenceTraffic::on_notice(Bytes record, Now now) {
  const auto header = load<MeshNotice>(record.data());
  RecordTexts texts{record, sizeof header};
  const std::string_view channel = texts.take(header.channel_bytes);
  const std::string_view user = texts.take(header.user_bytes);
  return tell_readers(channel, user, header.joined != 0, now);
}

}  // namespace ringcast
