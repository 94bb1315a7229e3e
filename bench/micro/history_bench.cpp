// bench/micro/history_bench.cpp: what a channel's home does with a message, and what it gives to those who come back.
#include <memory>

#include "alloc/queue/circular_buffer.hpp"
#include "bench/micro/support.hpp"
#include "codec/text/numbers.hpp"
#include "engine/channel/frame_encoder.hpp"
#include "engine/channel/home_channel.hpp"
#include "engine/channel/publish_pipeline.hpp"
#include "engine/channel/stored_message.hpp"
#include "engine/stats/shard_block.hpp"

namespace ringcast::bench {
namespace {

/// A channel at its home, whose history is full.
class HistoryBench : public benchmark::Fixture {
 public:
  void SetUp(const benchmark::State&) override {
    messages = captured(Feed::book_ticker);
    name = messages.front().stream;
    channel = std::make_unique<HomeChannel>(pool, name, 0, rule, Epoch{1});
    for (std::uint32_t i = 0; i < 2 * rule.history.messages; ++i) publish({});
  }
  void TearDown(const benchmark::State&) override { channel.reset(); }

  Published publish(std::string_view message_id) {
    const Captured& message = messages[next];
    next = next + 1 == messages.size() ? 0 : next + 1;
    now.mono += microseconds{1};
    now.wall += microseconds{1};
    return pipeline.publish(
        *channel, {.channel = name, .event = {}, .message_id = message_id, .data = message.data, .received = now.mono},
        now);
  }

  std::unique_ptr<ShardBlock> block = std::make_unique<ShardBlock>();
  ShardStats stats{*block};
  Budget budget;
  BlockPool pool{&budget};
  NamespaceRule rule;
  PublishPipeline pipeline{10'000, {}, budget, stats};
  std::vector<Captured> messages;
  std::string name;
  std::unique_ptr<HomeChannel> channel;
  Now now = kStart;
  std::size_t next = 0;
  std::uint64_t ids = 0;  // that were used, by every run of the bench
};

/// Sequenced and kept; nobody reads.
BENCHMARK_F(HistoryBench, publish_into_history)(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(publish({}).seq);
  report(state, 1);
}

/// The same with a message id that is new, so the dedupe window turns over.
BENCHMARK_F(HistoryBench, publish_into_history_with_id)(benchmark::State& state) {
  char id[] = "0c9cd7d7-5a02-4c32-0000000000000000";
  for (auto _ : state) {
    (void)write_epoch(Epoch{++ids}, reinterpret_cast<std::uint8_t*>(id) + 19);
    if (publish(id).duplicate) return state.SkipWithError("a new id is no duplicate");
  }
  report(state, 1);
}

/// The same and encoded for readers of one form.
BENCHMARK_F(HistoryBench, publish_into_history_and_native_log)(benchmark::State& state) {
  FrameLog log{pool, {}, Purpose::log_blocks, channel->history.next()};
  channel->form_logs[static_cast<std::size_t>(Form::native_json)] = &log;
  for (auto _ : state) benchmark::DoNotOptimize(publish({}).seq);
  channel->form_logs = {};
  report(state, 1);
}

/// A reader that resumes: all that it missed is read from the history and encoded anew.
BENCHMARK_DEFINE_F(HistoryBench, replay)(benchmark::State& state) {
  const std::size_t missed = argument(state);
  std::size_t bytes = 0;
  for (auto _ : state) {
    FrameLog log{pool, {}, Purpose::log_blocks, Sequence{value(channel->history.next()) - missed}};
    while (log.next() < channel->history.next()) {
      const auto run = channel->history.run_from(log.next(), 64 * 1024);
      for (std::uint32_t i = 0; i < run->frames; ++i) {
        const std::uint32_t begin = i == 0 ? 0 : run->end_of(i - 1);
        MessageView message = read_stored(Bytes{run->data + begin, run->end_of(i) - begin});
        message.channel = name;
        message.epoch = channel->epoch;
        message.seq = log.next();
        encode_frame(log, Form::native_json, message, now.mono, now.mono);
      }
    }
    bytes = log.bytes();
    benchmark::DoNotOptimize(bytes);
  }
  report_time_an_item(state, "a_message", missed);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}
BENCHMARK_REGISTER_F(HistoryBench, replay)->ArgName("missed")->Arg(10)->Arg(1'000);

/// The plain circular buffer, as recorders use it.
void circular_buffer_push_overwrite(benchmark::State& state) {
  CircularBuffer<std::uint64_t> buffer{1'000};
  std::uint64_t number = 0;
  for (auto _ : state) benchmark::DoNotOptimize(buffer.push_overwrite(++number));
  report(state, 1);
}
BENCHMARK(circular_buffer_push_overwrite);

}  // namespace
}  // namespace ringcast::bench
