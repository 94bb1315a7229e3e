// engine/admin/control_calls.hpp: what threads of the admin port want done on the control thread.
//
// Owner    the admin port.  Thread  each function names its own.
// Memory   at most kControlCallsMax waiting calls.
// Failure  a call is not taken when too many wait or the control thread has gone: whoever made it is told.
// Not here what is called (admin_host).
//
// The node's own statistics, its keys and its configuration have one thread that touches them. This is the way to it:
// a queue under a mutex, which no shard ever sees.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "alloc/base/time.hpp"

namespace ringcast {

inline constexpr std::size_t kControlCallsMax = 256;
inline constexpr milliseconds kControlPatience{5'000};  // twenty ticks of the control thread

class ControlCalls {
 public:
  /// wake_fd  an eventfd that the control thread waits for; -1: it looks by itself.
  explicit ControlCalls(int wake_fd) : wake_fd_{wake_fd} {}
  ControlCalls(const ControlCalls&) = delete;
  ControlCalls& operator=(const ControlCalls&) = delete;

  // -- threads of the admin port --

  /// To be done some time. False: too many wait.
  bool post(std::function<void()> call);
  /// Waits for what the call returns. Everything it uses it has by value: it may be made after the wait was given up.
  template <class Function>
  [[nodiscard]] auto call(Function function) -> std::optional<std::invoke_result_t<Function>> {
    const auto answer = std::make_shared<std::optional<std::invoke_result_t<Function>>>();
    const bool done = wait_for([answer, function = std::move(function)]() mutable { answer->emplace(function()); });
    if (!done) return std::nullopt;
    return std::move(*answer);
  }

  // -- the control thread --

  /// Makes the calls that have been waiting.
  void run();
  /// The control thread has no more time for those who wait: they are told, and their calls are not made. What was
  /// posted is still made by run().
  void close();

 private:
  struct Call {
    std::function<void()> function;
    std::shared_ptr<bool> done;  // null: nobody waits
  };
  [[nodiscard]] bool wait_for(std::function<void()> call);
  [[nodiscard]] bool push(Call call);

  int wake_fd_;
  std::mutex mutex_;
  std::condition_variable made_;
  std::deque<Call> waiting_;
  bool closed_ = false;
};

}  // namespace ringcast
