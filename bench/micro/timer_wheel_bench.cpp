// bench/micro/timer_wheel_bench.cpp: deadlines of many connections: armed, cancelled, reached.
#include <memory>

#include "bench/micro/support.hpp"
#include "engine/time/timer_wheel.hpp"

namespace ringcast::bench {
namespace {

constexpr std::uint64_t kTimers = 10'000;

/// So many armed timers over the next 30 seconds, as heartbeats are.
struct ManyTimers {
  ManyTimers() {
    for (std::uint64_t i = 0; i < kTimers; ++i) {
      entries.push_back(std::make_unique<TimerEntry>(i));
      wheel.arm(*entries.back(), kStart.mono + milliseconds{i * 3 + 1});
    }
  }
  ~ManyTimers() {
    for (const auto& entry : entries) wheel.cancel(*entry);
  }
  std::vector<std::unique_ptr<TimerEntry>> entries;
  TimerWheel wheel{kStart.mono};
};

void timer_arm_and_cancel(benchmark::State& state) {
  ManyTimers timers;
  TimerEntry entry;
  for (auto _ : state) {
    timers.wheel.arm(entry, kStart.mono + milliseconds{argument(state)});
    timers.wheel.cancel(entry);
  }
  report(state, 1);
}
BENCHMARK(timer_arm_and_cancel)->ArgName("ms")->Arg(5)->Arg(5'000)->Arg(1'800'000);

/// A deadline put off, among others: what every received message does to an idle timeout.
void timer_rearm(benchmark::State& state) {
  ManyTimers timers;
  std::size_t next = 0;
  for (auto _ : state) {
    timers.wheel.arm(*timers.entries[next], kStart.mono + seconds{30});
    next = next * 7 + 1;
    next %= kTimers;
  }
  report(state, 1);
}
BENCHMARK(timer_rearm);

/// Time goes on by `us` and every timer that fires is armed anew, 30 seconds on. With 1 us mostly nothing is due:
/// that is what a turn of the loop pays.
void timer_advance(benchmark::State& state) {
  ManyTimers timers;
  Instant now = kStart.mono;
  std::size_t fired = 0;
  for (auto _ : state) {
    now += microseconds{argument(state)};
    fired += timers.wheel.expire(now, [&](TimerEntry& entry) { timers.wheel.arm(entry, now + seconds{30}); });
  }
  report(state, 1);
  state.counters["fired"] = benchmark::Counter(static_cast<double>(fired), benchmark::Counter::kAvgIterations);
}
BENCHMARK(timer_advance)->ArgName("us")->Arg(1)->Arg(1'000)->Arg(100'000);

void timer_next_deadline(benchmark::State& state) {
  ManyTimers timers;
  for (auto _ : state) benchmark::DoNotOptimize(timers.wheel.next_deadline());
  report(state, 1);
}
BENCHMARK(timer_next_deadline);

}  // namespace
}  // namespace ringcast::bench
