#include "engine/admin/shard_questions.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

namespace ringcast {
namespace {

constexpr microseconds kFirstSleep{50};  // most answers are there after one or two
constexpr microseconds kLongestSleep{2'000};

/// Takes answers until the one with this serial; others are too late.
std::optional<ShardAnswer> take(AdminLane& lane, std::uint32_t serial) {
  for (Bytes record = lane.answers.peek(); !record.empty(); record = lane.answers.peek()) {
    ShardAnswer answer{.head = load<AdminAnswerHead>(record.data()), .body = {}};
    const bool wanted = answer.head.serial == serial;
    if (wanted) answer.body = as_text(record.subspan(sizeof(AdminAnswerHead)));
    lane.answers.pop();
    lane.answers.release();
    if (wanted) return answer;
  }
  return std::nullopt;
}

}  // namespace

Result<ShardAnswer, AdminError> ShardQuestions::ask(ShardIndex shard, AdminQuestion question) {
  const std::unique_lock lock{mutex_, kShardPatience};
  if (!lock.owns_lock()) return unexpected(AdminError::busy);
  if (closed_.load(std::memory_order_relaxed)) return unexpected(AdminError::overloaded);
  AdminLane& lane = *lanes_[value(shard)];
  (void)take(lane, ++serial_);  // nobody has been asked under this number yet: what is there is too late
  const Instant deadline = now() + kShardPatience;
  question.head.serial = serial_;
  question.head.deadline_ns = deadline.time_since_epoch().count();
  const std::size_t bytes = bytes_of(question);
  if (bytes > lane.questions.record_bytes_max()) return unexpected(AdminError::body_too_large);
  const MutableBytes room = lane.questions.reserve(bytes);
  if (room.empty()) return unexpected(AdminError::no_answer);  // it has not taken the ones before
  write_question(room, question);
  lane.questions.commit();
  lane.questions.publish();
  if (doorbells_->must_ring(shard)) doorbells_->ring_event(shard);
  return wait(lane, serial_, deadline);
}

Result<ShardAnswer, AdminError> ShardQuestions::wait(AdminLane& lane, std::uint32_t serial, Instant deadline) {
  microseconds pause = kFirstSleep;
  for (;;) {
    if (auto answer = take(lane, serial)) return *std::move(answer);
    if (closed_.load(std::memory_order_relaxed) || now() >= deadline) return unexpected(AdminError::no_answer);
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, kLongestSleep);
  }
}

}  // namespace ringcast
