// tools/load/run_control.hpp: what main and the threads of a load run tell each other.
//
// Owner    the run.  Thread  any; each field names its writer.  Memory  a number a channel.  Failure  fail() is how.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace ringcast {

struct RunControl {
  enum class Phase : std::uint8_t { connecting, running, draining, closing };
  std::atomic<Phase> phase{Phase::connecting};  // written by main
  std::atomic<bool> publishing{false};          // written by main: publishing has begun
  std::atomic<std::int64_t> measure_from{0};    // written by main: ns of CLOCK_MONOTONIC
  std::vector<std::uint64_t> published;         // by target; written by main before phase draining

  /// Remembers the first reason why the run cannot go on.
  void fail(std::string sentence) {
    const std::lock_guard lock{mutex_};
    if (failure_.empty()) failure_ = std::move(sentence);
    failed_.store(true, std::memory_order_release);
  }
  [[nodiscard]] bool failed() const { return failed_.load(std::memory_order_acquire); }
  [[nodiscard]] std::string failure() {
    const std::lock_guard lock{mutex_};
    return failure_;
  }

 private:
  std::mutex mutex_;  // cold: taken once, when the run fails
  std::string failure_;
  std::atomic<bool> failed_{false};
};

}  // namespace ringcast
