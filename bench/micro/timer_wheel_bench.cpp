// bench/micro/timer_wheel_bench.cpp: deadlines of many connections: armed, cancelled, reached.
#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <memory>

#include "bench/micro/support.hpp"
#include "engine/time/calendar_queue.hpp"
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

/// As large as a connection, and as far from the next.
struct Pinged {
  TimerEntry timer;
  std::array<std::uint64_t, 32> other{};
};
constexpr seconds kPingInterval{20};
constexpr milliseconds kPingStep{100};
constexpr nanoseconds first_ping(std::uint64_t number) {
  return kPingStep * (1 + number * 7'919 % (kPingInterval / kPingStep));
}

/// Every 100 ms a two hundredth of 19,000 connections is pinged. `longest_us` is the longest such step: a wheel moves
/// a slot of entries down at once, and all 19,000 where its upper digit changes, every 65 s.
template <class Expire>
void ping_in_steps(benchmark::State& state, Expire&& expire) {
  Instant now = kStart.mono;
  nanoseconds longest{0};
  std::size_t pinged = 0;
  for (auto _ : state) {
    now += kPingStep;
    const auto begin = std::chrono::steady_clock::now();
    pinged += expire(now);
    longest = std::max<nanoseconds>(longest, std::chrono::steady_clock::now() - begin);
  }
  report(state, 1);
  state.counters["pings"] = benchmark::Counter(static_cast<double>(pinged), benchmark::Counter::kAvgIterations);
  state.counters["longest_us"] = static_cast<double>(longest.count()) / 1'000;
}

void pings_by_timer_wheel(benchmark::State& state) {
  TimerWheel wheel{kStart.mono};
  std::deque<Pinged> connections(static_cast<std::size_t>(argument(state)));
  for (std::uint64_t i = 0; i < connections.size(); ++i) {
    connections[i].timer.tag = i;
    wheel.arm(connections[i].timer, kStart.mono + first_ping(i));
  }
  ping_in_steps(state, [&](Instant now) {
    return wheel.expire(now, [&](TimerEntry& timer) {
      ++connections[timer.tag].other[8];
      wheel.arm(timer, now + kPingInterval);
    });
  });
  for (Pinged& connection : connections) wheel.cancel(connection.timer);
}
BENCHMARK(pings_by_timer_wheel)->ArgName("connections")->Arg(19'000)->Iterations(10'000);

void pings_by_calendar_queue(benchmark::State& state) {
  CalendarQueue queue{kStart.mono, milliseconds{10}};
  std::deque<Pinged> connections(static_cast<std::size_t>(argument(state)));
  for (std::uint32_t i = 0; i < connections.size(); ++i) queue.put(i, kStart.mono + first_ping(i));
  ping_in_steps(state, [&](Instant now) {
    return queue.expire(
        now,
        [&](CalendarQueue::Member member) {
          ++connections[member].other[8];
          queue.put(member, now + kPingInterval);
        },
        [&](CalendarQueue::Member member) { __builtin_prefetch(&connections[member].other[8], 1); });
  });
}
BENCHMARK(pings_by_calendar_queue)->ArgName("connections")->Arg(19'000)->Iterations(10'000);

}  // namespace
}  // namespace ringcast::bench
