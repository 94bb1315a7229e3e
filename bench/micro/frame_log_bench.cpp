// bench/micro/frame_log_bench.cpp: a channel's log: appending to it, encoding into it, finding a reader's run in it.
#include "alloc/log/frame_log.hpp"
#include "bench/micro/support.hpp"
#include "engine/channel/frame_encoder.hpp"

namespace ringcast::bench {
namespace {

constexpr LogBounds kBounds{.frames = 4'096, .bytes = 4_MiB};  // what a namespace has by default

/// Within the bounds, so old blocks go as new ones come.
void log_append(benchmark::State& state) {
  const std::string frame = ascii_text(argument(state));
  Budget budget;
  BlockPool pool{&budget};
  FrameLog log{pool, kBounds, Purpose::log_blocks, Sequence{1}};
  Instant now = kStart.mono;
  for (auto _ : state) {
    now += microseconds{1};
    log.append(as_bytes(frame), now);
  }
  report(state, 1, frame.size());
}
BENCHMARK(log_append)->Arg(16)->Arg(140)->Arg(1'024)->Arg(65'536);

/// As the home shard does it: the size, the header and the payload straight into the log.
void log_encode(benchmark::State& state, Form form) {
  const auto messages = captured(Feed::book_ticker);
  Budget budget;
  BlockPool pool{&budget};
  FrameLog log{pool, kBounds, Purpose::log_blocks, Sequence{1}};
  Now now = kStart;
  std::size_t next = 0;
  for (auto _ : state) {
    now.mono += microseconds{1};
    now.wall += microseconds{1};
    const Captured& message = messages[next];
    next = next + 1 == messages.size() ? 0 : next + 1;
    encode_frame(log, form,
                 MessageView{.channel = message.stream,
                             .epoch = Epoch{1},
                             .seq = log.next(),
                             .published_at = now.wall,
                             .event = {},
                             .message_id = {},
                             .data = message.data},
                 now.mono, now.mono);
  }
  report(state, 1);
  state.SetBytesProcessed(static_cast<std::int64_t>(log.position()));
}
BENCHMARK_CAPTURE(log_encode, native, Form::native_json);
BENCHMARK_CAPTURE(log_encode, exchange_raw, Form::exchange_raw);
BENCHMARK_CAPTURE(log_encode, exchange_combined, Form::exchange_combined);
BENCHMARK_CAPTURE(log_encode, binary, Form::binary);

/// What a connection's turn asks for. A reader that is `behind` frames behind the head of a full log.
void log_run_from(benchmark::State& state) {
  const std::string frame = ascii_text(140);
  Budget budget;
  BlockPool pool{&budget};
  FrameLog log{pool, kBounds, Purpose::log_blocks, Sequence{1}};
  for (std::uint64_t i = 0; i < 2 * kBounds.frames; ++i) log.append(as_bytes(frame), kStart.mono);
  const Sequence wanted{value(log.next()) - argument(state)};
  for (auto _ : state) {
    Sequence from = wanted;
    benchmark::DoNotOptimize(from);
    benchmark::DoNotOptimize(log.run_from(from, 64 * 1024));
  }
  report(state, 1);
}
BENCHMARK(log_run_from)->ArgName("behind")->Arg(1)->Arg(32)->Arg(1'000)->Arg(4'000);

}  // namespace
}  // namespace ringcast::bench
