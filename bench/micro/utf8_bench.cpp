// bench/micro/utf8_bench.cpp: is this UTF-8? In each of the ways that there are and in the one that is taken.
#include "bench/micro/support.hpp"
#include "codec/text/utf8.hpp"

namespace ringcast::bench {
namespace {

template <class Validate>
void validate(benchmark::State& state, const std::string& text, Validate is_valid) {
  for (auto _ : state) {
    Bytes bytes = as_bytes(text);
    benchmark::DoNotOptimize(bytes);
    if (!is_valid(bytes)) return state.SkipWithError("valid text was refused");
  }
  report(state, 1, text.size());
}
bool as_built(Bytes bytes) { return is_valid_utf8(bytes); }
bool in_pieces(Bytes bytes) {  // as fragments of a message come: two pieces, cut anywhere
  Utf8Stream stream;
  return stream.feed(bytes.first(bytes.size() / 2)) && stream.feed(bytes.subspan(bytes.size() / 2)) &&
         stream.complete();
}

void utf8_ascii_scalar(benchmark::State& state) {
  validate(state, ascii_text(argument(state)), detail::is_valid_utf8_scalar);
}
void utf8_ascii_avx2(benchmark::State& state) {
  if (needs_avx2(state)) validate(state, ascii_text(argument(state)), detail::is_valid_utf8_avx2);
}
void utf8_ascii_as_built(benchmark::State& state) { validate(state, ascii_text(argument(state)), as_built); }
void utf8_ascii_in_pieces(benchmark::State& state) { validate(state, ascii_text(argument(state)), in_pieces); }
void utf8_mixed_scalar(benchmark::State& state) {
  validate(state, mixed_text(argument(state)), detail::is_valid_utf8_scalar);
}
void utf8_mixed_avx2(benchmark::State& state) {
  if (needs_avx2(state)) validate(state, mixed_text(argument(state)), detail::is_valid_utf8_avx2);
}
void utf8_mixed_as_built(benchmark::State& state) { validate(state, mixed_text(argument(state)), as_built); }
void utf8_mixed_in_pieces(benchmark::State& state) { validate(state, mixed_text(argument(state)), in_pieces); }
BENCHMARK(utf8_ascii_scalar)->Arg(16)->Arg(140)->Arg(1'024)->Arg(65'536);
BENCHMARK(utf8_ascii_avx2)->Arg(16)->Arg(140)->Arg(1'024)->Arg(65'536);
BENCHMARK(utf8_ascii_as_built)->Arg(16)->Arg(140)->Arg(1'024)->Arg(65'536);
BENCHMARK(utf8_ascii_in_pieces)->Arg(140)->Arg(65'536);
BENCHMARK(utf8_mixed_scalar)->Arg(16)->Arg(140)->Arg(1'024)->Arg(65'536);
BENCHMARK(utf8_mixed_avx2)->Arg(16)->Arg(140)->Arg(1'024)->Arg(65'536);
BENCHMARK(utf8_mixed_as_built)->Arg(16)->Arg(140)->Arg(1'024)->Arg(65'536);
BENCHMARK(utf8_mixed_in_pieces)->Arg(140)->Arg(65'536);

}  // namespace
}  // namespace ringcast::bench
