// bench/micro/rolling_send_bench.cpp: what a delivery costs the core, with a kernel that takes everything at no price.
//
// An iteration is one round: `burst` messages into each channel, then batches until every connection has them all.
// The column a_delivery is the time of one message for one reader, appending included; a_send that of one connection's
// turn.
#include <memory>

#include "bench/micro/support.hpp"
#include "tests/doubles/delivery_harness.hpp"

namespace ringcast::bench {
namespace {

constexpr std::size_t kPayloadBytes = 136;  // a frame of 140 bytes

struct Shape {
  std::size_t channels = 1;
  std::size_t readers_each = 1;
  std::size_t channels_a_connection = 1;
  std::size_t burst = 1;
};

std::size_t send_everything(DeliveryHarness& harness) {
  std::size_t sends = 0;
  for (auto batch = harness.sends.prepare(harness.now); !batch.empty(); batch = harness.sends.prepare(harness.now)) {
    sends += batch.size();
    benchmark::DoNotOptimize(batch.data());
    harness.sends.finish({}, harness.now);
  }
  return sends;
}

void rolling_send(benchmark::State& state, const Shape& shape) {
  DeliveryHarness harness;
  std::vector<std::uint32_t> logs;
  for (std::size_t i = 0; i < shape.channels; ++i) logs.push_back(harness.open("channel." + std::to_string(i)));
  for (std::size_t first = 0; first < shape.channels; first += shape.channels_a_connection) {
    for (std::size_t i = 0; i < shape.readers_each; ++i) {
      auto& reader = harness.reader();
      for (std::size_t j = first; j < first + shape.channels_a_connection; ++j) harness.subscribe(reader, logs[j]);
    }
  }
  const std::string frame = text_frame(ascii_text(kPayloadBytes));
  std::size_t sends = 0;
  for (auto _ : state) {
    harness.now.mono += microseconds{100};
    for (const std::uint32_t log : logs) {
      for (std::size_t i = 0; i < shape.burst; ++i) {
        harness.log(log).append(as_bytes(frame), harness.now.mono);
        harness.delivery.appended(log, 1);
      }
    }
    sends += send_everything(harness);
  }
  harness.delivery.validate();
  if (harness.delivery.ledger().queued != 0) return state.SkipWithError("everything is sent in the end");
  const std::size_t deliveries = shape.channels * shape.readers_each * shape.burst;
  report_time_an_item(state, "a_delivery", deliveries);
  // A little more than one a connection and round: what lies on both sides of a block's end takes two.
  state.counters["a_send"] =
      benchmark::Counter(static_cast<double>(sends), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void rolling_send_1x1000(benchmark::State& state) {
  rolling_send(state, {.readers_each = 1'000, .burst = argument(state)});
}
BENCHMARK(rolling_send_1x1000)->ArgName("burst")->Arg(1)->Arg(8)->Arg(32);

void rolling_send_100x10(benchmark::State& state) {
  rolling_send(state, {.channels = 100, .readers_each = 10, .burst = argument(state)});
}
BENCHMARK(rolling_send_100x10)->ArgName("burst")->Arg(1)->Arg(8)->Arg(32);

/// More state than the caches near the core hold.
void rolling_send_1x10000(benchmark::State& state) {
  rolling_send(state, {.readers_each = 10'000, .burst = argument(state)});
}
BENCHMARK(rolling_send_1x10000)->ArgName("burst")->Arg(1)->Arg(8)->Arg(32);

/// Each connection reads ten channels, and its send is gathered from ten logs.
void rolling_send_gathered(benchmark::State& state) {
  rolling_send(state, {.channels = 100, .readers_each = 100, .channels_a_connection = 10, .burst = argument(state)});
}
BENCHMARK(rolling_send_gathered)->ArgName("burst")->Arg(1)->Arg(8);

/// One reader: what a message costs at least.
void rolling_send_1x1(benchmark::State& state) { rolling_send(state, {}); }
BENCHMARK(rolling_send_1x1);

}  // namespace
}  // namespace ringcast::bench
