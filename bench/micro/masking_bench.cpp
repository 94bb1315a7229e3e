// bench/micro/masking_bench.cpp: unmasking, in each of the ways that there are and in the one that is taken.
#include "bench/micro/support.hpp"
#include "codec/websocket/masking.hpp"

namespace ringcast::bench {
namespace {

constexpr MaskKey kKey{0x37, 0xfa, 0x21, 0x3d};

template <class Mask>
void unmask(benchmark::State& state, Mask mask) {
  std::vector<std::uint8_t> bytes(argument(state), std::uint8_t{'x'});
  for (auto _ : state) {
    mask(MutableBytes{bytes}, kKey);
    benchmark::DoNotOptimize(bytes.data());
    benchmark::ClobberMemory();
  }
  report(state, 1, bytes.size());
}

void unmask_scalar(benchmark::State& state) { unmask(state, detail::apply_mask_scalar); }
void unmask_sse2(benchmark::State& state) { unmask(state, detail::apply_mask_sse2); }
void unmask_avx2(benchmark::State& state) {
  if (needs_avx2(state)) unmask(state, detail::apply_mask_avx2);
}
void unmask_as_built(benchmark::State& state) {
  unmask(state, [](MutableBytes bytes, MaskKey key) { apply_mask(bytes, key, 1); });
}
BENCHMARK(unmask_scalar)->Arg(16)->Arg(140)->Arg(1'024)->Arg(65'536);
BENCHMARK(unmask_sse2)->Arg(16)->Arg(140)->Arg(1'024)->Arg(65'536);
BENCHMARK(unmask_avx2)->Arg(16)->Arg(140)->Arg(1'024)->Arg(65'536);
BENCHMARK(unmask_as_built)->Arg(16)->Arg(140)->Arg(1'024)->Arg(65'536);

}  // namespace
}  // namespace ringcast::bench
