// bench/micro/spsc_ring_bench.cpp: records from one side to the other, on one thread and on two.
#include <cstring>
#include <memory>
#include <thread>

#include "alloc/base/ensure.hpp"
#include "alloc/queue/spsc_ring.hpp"
#include "bench/micro/support.hpp"

namespace ringcast::bench {
namespace {

constexpr std::size_t kRingBytes = 1 << 20;  // as a bulk lane of the mesh at least is

/// A batch goes in, is shown with one store, comes out and is given back with one store.
void ring_one_thread(benchmark::State& state) {
  const std::string record = ascii_text(argument(state));
  const std::size_t batch = argument(state, 1);
  SpscByteRing<> ring{kRingBytes};
  std::vector<std::uint8_t> taken(record.size());
  for (auto _ : state) {
    for (std::size_t i = 0; i < batch; ++i) {
      std::memcpy(ring.reserve(record.size()).data(), record.data(), record.size());
      ring.commit();
    }
    ring.publish();
    for (Bytes seen = ring.peek(); !seen.empty(); seen = ring.peek()) {
      std::memcpy(taken.data(), seen.data(), seen.size());
      ring.pop();
    }
    ring.release();
    benchmark::DoNotOptimize(taken.data());
  }
  report_time_an_item(state, "a_record", batch);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(batch * record.size()));
}
BENCHMARK(ring_one_thread)->ArgNames({"bytes", "batch"})->Args({140, 1})->Args({140, 32})->Args({1'024, 32});

/// One thread writes what another reads. An iteration is one record, and each thread has as many.
class TwoThreads : public benchmark::Fixture {
 public:
  void SetUp(const benchmark::State& state) override {
    if (state.thread_index() == 0) ring = std::make_unique<SpscByteRing<>>(kRingBytes);
  }
  void TearDown(const benchmark::State& state) override {
    if (state.thread_index() == 0) ring.reset();
  }
  /// Spins, and lets others run where that takes long: the machine may have one core.
  template <class Done>
  static void wait_until(Done done) {
    for (int spins = 0; !done(); ++spins) {
      if (spins >= 1'000) std::this_thread::yield();
    }
  }
  std::unique_ptr<SpscByteRing<>> ring;
};

BENCHMARK_DEFINE_F(TwoThreads, ring_two_threads)(benchmark::State& state) {
  const std::string record = ascii_text(argument(state));
  const std::size_t batch = argument(state, 1);
  std::vector<std::uint8_t> taken(record.size());
  std::size_t in_batch = 0;
  benchmark::IterationCount left = state.max_iterations;  // the threads meet again when both have counted down to zero
  if (state.thread_index() == 0) {
    for (auto _ : state) {
      MutableBytes room;
      wait_until([&] {
        room = ring->reserve(record.size());
        if (room.empty()) ring->publish();
        return !room.empty();
      });
      std::memcpy(room.data(), record.data(), record.size());
      ring->commit();
      --left;
      if (++in_batch == batch || left == 0) {
        ring->publish();
        in_batch = 0;
      }
    }
  } else {
    for (auto _ : state) {
      Bytes seen;
      wait_until([&] {
        seen = ring->peek();
        if (seen.empty()) ring->release();
        return !seen.empty();
      });
      std::memcpy(taken.data(), seen.data(), seen.size());
      benchmark::DoNotOptimize(taken.data());
      ring->pop();
      if (++in_batch == batch) {
        ring->release();
        in_batch = 0;
      }
    }
    report(state, 1, record.size());  // counted once, where the records come out
  }
}
BENCHMARK_REGISTER_F(TwoThreads, ring_two_threads)
    ->ArgNames({"bytes", "batch"})
    ->Args({140, 1})
    ->Args({140, 32})
    ->Args({1'024, 32})
    ->Threads(2)
    ->UseRealTime();

}  // namespace
}  // namespace ringcast::bench
