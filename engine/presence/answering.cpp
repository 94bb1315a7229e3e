#include "engine/presence/answering.hpp"

#include <algorithm>
#include <utility>

namespace ringcast {

void Answering::ask(ShardIndex from, Handle inquiry, Question question) {
  Job& job = queues_[value(from)].emplace_back();
  job.inquiry = inquiry;
  job.question = std::move(question);
}

bool Answering::wants_step(ShardIndex from) const {
  const std::deque<Job>& queue = queues_[value(from)];
  return !queue.empty() && is_long(queue.front().question) && !queue.front().seen_all;
}

std::string_view Answering::channel_wanted(ShardIndex from) const {
  const Question& question = queues_[value(from)].front().question;
  return question.kind == Question::Kind::channel_readers ? std::string_view{question.subject} : std::string_view{};
}

void Answering::step(ShardIndex from, const Logs* logs) {
  Job& job = queues_[value(from)].front();
  if (!job.page) job.page.emplace(job.question.after, job.question.limit);
  if (job.question.kind == Question::Kind::channel_readers) {
    look_at_readers(job, logs);
  } else {
    look_at_user(job);
  }
}

void Answering::look_at_readers(Job& job, const Logs* logs) {
  std::uint32_t looks = kLooksPerStep;
  for (; logs != nullptr && job.form < kForms; ++job.form, job.left = kNoSlot) {
    const ChannelLog* log = delivery_->find_log((*logs)[job.form]);
    if (log == nullptr) continue;
    job.left = std::min(job.left, static_cast<std::uint32_t>(log->readers.size()));
    for (; job.left != 0; --job.left, --looks) {
      if (looks == 0) return;
      const Outbox& reader = *delivery_->subscription(log->readers[job.left - 1]).reader;
      if (reader.user == kNoSlot) {
        ++job.answer.anonymous;
      } else {
        ++job.answer.connections;
        job.page->offer((*users_)[reader.user].id);
      }
    }
  }
  job.seen_all = true;
}

void Answering::look_at_user(Job& job) {
  const User* user = users_->find(job.question.subject);
  if (user != nullptr) {
    const auto connections = static_cast<std::uint32_t>(user->connections.size());
    if (job.left == kNoSlot) job.answer.connections = connections;
    job.left = std::min(job.left, connections);
    for (std::uint32_t looks = 0; job.left != 0; --job.left) {  // a connection is looked at as a whole
      if (looks >= kLooksPerStep) return;
      for (std::uint32_t slot = user->connections[job.left - 1]->subscription_first; slot != kNoSlot; ++looks) {
        const Subscription& subscription = delivery_->subscription(slot);
        if (subscription.reader_index != kNoSlot) {
          job.page->offer(*delivery_->log(subscription.cursor.log).name);
        }
        slot = subscription.of_reader_next;
      }
    }
  }
  job.seen_all = true;
}

Answer Answering::answer(ShardIndex from) {
  Job& job = queues_[value(from)].front();
  if (is_long(job.question)) {
    job.answer.more = job.page->more();
    job.answer.names = job.page->take();
    return std::move(job.answer);
  }
  Answer answer;
  if (job.question.kind == Question::Kind::channel_users) {
    rosters_->answer(job.question, answer);
  } else {
    directory_->answer(job.question, answer);
  }
  return answer;
}

}  // namespace ringcast
