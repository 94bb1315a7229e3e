// bench/micro/support.hpp: what the programs of this folder share: captured payloads, made-up text, and how to report.
//
// Thread   one.  Memory  the benches'.
// Failure  a capture that cannot be read ends the program with a sentence.
#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/time.hpp"
#include "codec/websocket/masking.hpp"

namespace ringcast::bench {

/// One message of a captured feed, as the exchange sent it.
struct Captured {
  std::string stream;
  std::string data;  // the payload's JSON text
};

/// The kinds of messages in a captured feed: a quote of about 130 bytes, a trade of about 150, a depth update of
/// about 1,300.
enum class Feed : std::uint8_t { book_ticker, trade, depth };
[[nodiscard]] std::string_view name_of(Feed feed);

/// The first `count` messages of one kind in tests/data/btcusdt-spot.gz. Many, because a processor learns one by heart.
[[nodiscard]] std::vector<Captured> captured(Feed feed, std::size_t count = 1'000);

/// ASCII text of printable characters without quotes, the same at every run.
[[nodiscard]] std::string ascii_text(std::size_t bytes);
/// Text of characters of one to four bytes, about half of them ASCII; exactly `bytes` long, the same at every run.
[[nodiscard]] std::string mixed_text(std::size_t bytes);

/// A client's key. Unmasking in place a second time masks again; with this one ASCII stays ASCII both ways, so that one
/// buffer can be parsed again and again.
inline constexpr MaskKey kAsciiKey{0x05, 0x0a, 0x11, 0x1e};
/// A text frame of a client, masked with kAsciiKey.
[[nodiscard]] std::vector<std::uint8_t> client_frame(std::string_view payload);

[[nodiscard]] inline std::size_t argument(const benchmark::State& state, std::size_t index = 0) {
  return static_cast<std::size_t>(state.range(index));
}
/// Items and bytes a second, from what one iteration does.
inline void report(benchmark::State& state, std::size_t items, std::size_t bytes = 0) {
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(items));
  if (bytes != 0) state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}
/// The time that one item takes, as a column of its own: for iterations that do many.
inline void report_time_an_item(benchmark::State& state, std::string_view column, std::size_t items) {
  report(state, items);
  state.counters[std::string{column}] = benchmark::Counter(
      static_cast<double>(items), benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
/// False, and the bench is marked as skipped, where the processor lacks it.
[[nodiscard]] inline bool needs_avx2(benchmark::State& state) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return true;
#endif
  state.SkipWithError("this processor has no AVX2");
  return false;
}

/// A present that a bench can move on by hand.
inline constexpr Now kStart{.mono = Instant{seconds{1'000}}, .wall = WallTime{seconds{1'790'000'000}}};

}  // namespace ringcast::bench
