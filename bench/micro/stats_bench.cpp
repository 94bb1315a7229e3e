// bench/micro/stats_bench.cpp: counting, timing and noting what happens.
#include <memory>

#include "alloc/segment/histogram.hpp"
#include "bench/micro/support.hpp"
#include "engine/stats/shard_block.hpp"
#include "engine/stats/shard_stats.hpp"

namespace ringcast::bench {
namespace {

void counter_add(benchmark::State& state) {
  const auto block = std::make_unique<ShardBlock>();
  ShardStats stats{*block};
  for (auto _ : state) {
    stats.add(CounterId::bytes_sent, 140);
    benchmark::ClobberMemory();
  }
  report(state, 1);
}
BENCHMARK(counter_add);

void gauge_up_and_down(benchmark::State& state) {
  const auto block = std::make_unique<ShardBlock>();
  ShardStats stats{*block};
  for (auto _ : state) {
    stats.add(CounterId::remainder_bytes, 140);
    stats.sub(CounterId::remainder_bytes, 140);
    benchmark::ClobberMemory();
  }
  report(state, 1);
}
BENCHMARK(gauge_up_and_down);

/// `spread`: values over so many powers of two from 1 us on, as latencies are.
void histogram_record(benchmark::State& state) {
  const auto histogram = std::make_unique<Histogram>();
  std::vector<std::uint64_t> values(1'024);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = std::uint64_t{1'000 + i} << (i * 7 % (argument(state) + 1));
  }
  std::size_t next = 0;
  for (auto _ : state) {
    histogram->record(values[next]);
    next = (next + 1) % values.size();
    benchmark::ClobberMemory();
  }
  report(state, 1);
}
BENCHMARK(histogram_record)->ArgName("spread")->Arg(0)->Arg(12);

void histogram_percentile(benchmark::State& state) {
  const auto histogram = std::make_unique<Histogram>();
  for (std::uint64_t i = 0; i < 100'000; ++i) histogram->record(1'000 + i * 37);
  for (auto _ : state) benchmark::DoNotOptimize(histogram->percentile(0.99));
  report(state, 1);
}
BENCHMARK(histogram_percentile);

void latency_record(benchmark::State& state) {
  const auto block = std::make_unique<ShardBlock>();
  ShardStats stats{*block};
  nanoseconds value{1'000};
  for (auto _ : state) {
    value += nanoseconds{13};
    if (value > milliseconds{1}) value = nanoseconds{1'000};
    stats.record(LatencyId::receive_to_send, value);
    benchmark::ClobberMemory();
  }
  report(state, 1);
}
BENCHMARK(latency_record);

void ledger_publish(benchmark::State& state) {
  const auto block = std::make_unique<ShardBlock>();
  ShardStats stats{*block};
  Ledger ledger;
  for (auto _ : state) {
    ++ledger.offered;
    ++ledger.sent;
    stats.publish_ledger(ledger);
    benchmark::ClobberMemory();
  }
  report(state, 1);
}
BENCHMARK(ledger_publish);

/// Within the second's allowance, and beyond it, where only the repeats are counted.
void event_note(benchmark::State& state) {
  const auto block = std::make_unique<ShardBlock>();
  ShardStats stats{*block};
  const bool beyond = argument(state) != 0;
  Now now = kStart;
  for (auto _ : state) {
    if (!beyond) now.mono += seconds{1};
    stats.event(EventCode::protocol_error, now, 1, 2, "a frame with a reserved bit");
  }
  report(state, 1);
}
BENCHMARK(event_note)->ArgName("beyond_allowance")->Arg(0)->Arg(1);

}  // namespace
}  // namespace ringcast::bench
