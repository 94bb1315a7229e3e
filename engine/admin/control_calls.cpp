#include "engine/admin/control_calls.hpp"

#include <unistd.h>

#include <cstdint>

namespace ringcast {

bool ControlCalls::push(Call call) {
  {
    const std::scoped_lock lock{mutex_};
    if ((closed_ && call.done != nullptr) || waiting_.size() >= kControlCallsMax) return false;
    waiting_.push_back(std::move(call));
  }
  if (wake_fd_ >= 0) {
    const std::uint64_t one = 1;
    (void)!::write(wake_fd_, &one, sizeof one);  // full: the control thread is awake anyway
  }
  return true;
}

bool ControlCalls::post(std::function<void()> call) { return push({.function = std::move(call), .done = nullptr}); }

bool ControlCalls::wait_for(std::function<void()> call) {
  const auto done = std::make_shared<bool>(false);
  if (!push({.function = std::move(call), .done = done})) return false;
  std::unique_lock lock{mutex_};
  made_.wait_for(lock, kControlPatience, [&] { return *done || closed_; });
  return *done;
}

void ControlCalls::run() {
  std::deque<Call> calls;
  {
    const std::scoped_lock lock{mutex_};
    calls.swap(waiting_);
  }
  for (Call& call : calls) {
    call.function();
    if (call.done == nullptr) continue;
    const std::scoped_lock lock{mutex_};
    *call.done = true;
    made_.notify_all();
  }
}

void ControlCalls::close() {
  const std::scoped_lock lock{mutex_};
  closed_ = true;
  std::erase_if(waiting_, [](const Call& call) { return call.done != nullptr; });
  made_.notify_all();
}

}  // namespace ringcast
