// bench/micro/dedupe_bench.cpp: has this been published before? Known, new, and new where the window is full.
#include "alloc/queue/lru_set.hpp"
#include "bench/micro/support.hpp"
#include "engine/channel/dedupe.hpp"

namespace ringcast::bench {
namespace {

LruKey key_of(std::uint64_t number) {  // spread like a hash
  return {.low = number * 0x9e37'79b9'7f4a'7c15, .high = number * 0xc2b2'ae3d'27d4'eb4f};
}
LruValue value_of(std::uint64_t number) {
  return {.seq = Sequence{number}, .epoch = Epoch{1}, .expires = kStart.mono + seconds{60}};
}
/// The next of `count` numbers in an order that no prefetcher follows.
struct Scattered {
  std::uint64_t count;
  std::uint64_t at = 0;
  std::uint64_t next() { return at = (at + 0x9e37'79b9) % count; }
};

void fill(LruMap& map, std::uint64_t entries) {
  for (std::uint64_t i = 0; i < entries; ++i) map.insert(key_of(i), value_of(i));
}

void dedupe_hit(benchmark::State& state) {
  LruMap map{static_cast<std::uint32_t>(argument(state))};
  fill(map, argument(state));
  Scattered order{.count = argument(state)};
  for (auto _ : state) {
    const auto found = map.find(key_of(order.next()), kStart.mono);
    if (!found) return state.SkipWithError("what was inserted is found");
    benchmark::DoNotOptimize(found->seq);
  }
  report(state, 1);
}
BENCHMARK(dedupe_hit)->ArgName("entries")->Arg(10'000)->Arg(1'000'000);

void dedupe_miss(benchmark::State& state) {
  LruMap map{static_cast<std::uint32_t>(argument(state))};
  fill(map, argument(state));
  std::uint64_t number = argument(state);
  for (auto _ : state) {
    if (map.find(key_of(++number), kStart.mono)) return state.SkipWithError("what was never inserted is not found");
  }
  report(state, 1);
}
BENCHMARK(dedupe_miss)->ArgName("entries")->Arg(10'000)->Arg(1'000'000);

/// Looked for in vain and inserted, and the oldest goes: what every new message does to a full window.
void dedupe_evict(benchmark::State& state) {
  LruMap map{static_cast<std::uint32_t>(argument(state))};
  fill(map, argument(state));
  std::uint64_t number = argument(state);
  for (auto _ : state) {
    const LruKey key = key_of(++number);
    if (map.find(key, kStart.mono)) return state.SkipWithError("what was never inserted is not found");
    map.insert(key, value_of(number));
  }
  report(state, 1);
}
BENCHMARK(dedupe_evict)->ArgName("entries")->Arg(10'000)->Arg(1'000'000);

void dedupe_key(benchmark::State& state, DedupeBy by) {
  const DedupeOptions options{.by = by};
  const auto messages = captured(Feed::book_ticker);
  std::size_t next = 0;
  for (auto _ : state) {
    const Captured& message = messages[next];
    next = next + 1 == messages.size() ? 0 : next + 1;
    benchmark::DoNotOptimize(
        DedupeWindow::key_of(options, message.stream, 7, "0c9cd7d7-5a02-4c32-9b0c-5c5c1f5e1c11", message.data));
  }
  report(state, 1);
}
BENCHMARK_CAPTURE(dedupe_key, by_id, DedupeBy::id);
BENCHMARK_CAPTURE(dedupe_key, by_payload, DedupeBy::payload);

}  // namespace
}  // namespace ringcast::bench
