// engine/admin/shard_questions.hpp: puts a question to a shard and waits for the answer.
//
// Owner    the admin port.  Thread  those of the admin port, one at a time (a mutex).
// Memory   the answer.  Failure  busy, no_answer, body_too_large, overloaded (it is closed): an AdminError each.
// Not here what is asked and answered (shard/admin_lane, shard/admin_desk).
//
// One question is outstanding at a time on the whole node. An answer that comes too late is dropped by whoever asks
// next, and a question whose deadline has passed by the shard. The shard makes no system call for an answer: the asker
// looks, and sleeps a little longer each time. Only a shard that sleeps is rung.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/result.hpp"
#include "alloc/base/time.hpp"
#include "engine/admin/admin_error.hpp"
#include "engine/channel/home_shard.hpp"
#include "engine/reactor/doorbell.hpp"
#include "engine/shard/admin_lane.hpp"
#include "engine/time/clock.hpp"

namespace ringcast {

inline constexpr milliseconds kShardPatience{2'000};  // a turn takes microseconds, a commit some milliseconds

struct ShardAnswer {
  AdminAnswerHead head;
  std::string body;  // rows, or text
};

class ShardQuestions {
 public:
  /// Lanes by shard; they and the board outlive it.
  ShardQuestions(std::vector<AdminLane*> lanes, DoorbellBoard& doorbells, Clock& clock)
      : lanes_{std::move(lanes)}, doorbells_{&doorbells}, clock_{&clock} {}

  /// A shard that refuses gives an answer too: its head says so.
  [[nodiscard]] Result<ShardAnswer, AdminError> ask(ShardIndex shard, AdminQuestion question);
  /// Nobody waits any more, and nothing is asked: the port is about to end. Any thread.
  void close() { closed_.store(true, std::memory_order_relaxed); }
  [[nodiscard]] Instant now() const { return clock_->now().mono; }

  [[nodiscard]] std::uint32_t shards() const { return static_cast<std::uint32_t>(lanes_.size()); }
  [[nodiscard]] ShardIndex home_of(std::string_view channel) const { return home_shard(channel, shards()); }

 private:
  [[nodiscard]] Result<ShardAnswer, AdminError> wait(AdminLane& lane, std::uint32_t serial, Instant deadline);

  std::vector<AdminLane*> lanes_;
  DoorbellBoard* doorbells_;
  Clock* clock_;
  std::atomic<bool> closed_{false};
  std::timed_mutex mutex_;
  std::uint32_t serial_ = 0;
};

}  // namespace ringcast
