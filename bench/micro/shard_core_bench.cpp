// bench/micro/shard_core_bench.cpp: a message's whole way through one shard's core: a publisher's bytes in, every
// reader's bytes out, with a kernel that takes everything at no price.
//
// An iteration is one turn: `burst` publishes arrive in one buffer, then batches until nothing is left to send. The
// column a_message is a turn's time for one publish, a_delivery for one message to one reader.
#include <cstring>
#include <string>

#include "bench/micro/support.hpp"
#include "tests/doubles/core_harness.hpp"

namespace ringcast::bench {
namespace {

void send_everything(ShardCore& core, Now now) {
  for (auto batch = core.prepare_sends(now); !batch.empty(); batch = core.prepare_sends(now)) {
    benchmark::DoNotOptimize(batch.data());
    core.finish_sends({}, now);
  }
}

/// A client's frames, one a captured quote, in buffers of `burst`.
std::vector<std::vector<std::uint8_t>> publishes(std::string_view more_members, std::size_t burst) {
  std::vector<std::vector<std::uint8_t>> buffers;
  std::size_t in_buffer = burst;
  for (const Captured& message : captured(Feed::book_ticker, 64 * burst)) {
    if (in_buffer == burst) {
      buffers.emplace_back();
      in_buffer = 0;
    }
    const auto frame = client_frame(R"({"type":"publish","channel":"quotes")" + std::string{more_members} +
                                    R"(,"data":)" + message.data + "}");
    buffers.back().insert(buffers.back().end(), frame.begin(), frame.end());
    ++in_buffer;
  }
  return buffers;
}

void publish_and_send(benchmark::State& state, std::string_view target, std::string_view more_members = {}) {
  const std::size_t readers = argument(state);
  const std::size_t burst = argument(state, 1);
  CoreHarness harness;
  auto& publisher = harness.native();
  for (std::size_t i = 0; i < readers; ++i) {
    auto& reader = harness.open(target);
    if (target == "/ws/connect") harness.say(reader, R"({"type":"subscribe","id":1,"channels":["quotes"]})");
  }
  const auto buffers = publishes(more_members, burst);
  std::vector<std::uint8_t> received;
  std::size_t next = 0;
  ShardCore& core = harness.core();
  const std::uint64_t sent_before = harness.ledger().sent;
  for (auto _ : state) {
    harness.now.mono += microseconds{10};
    harness.now.wall += microseconds{10};
    received = buffers[next];  // unmasked in place
    next = next + 1 == buffers.size() ? 0 : next + 1;
    core.receive(publisher.handle, MutableBytes{received}, harness.now);
    core.drain_mesh(harness.now);
    core.expire_timers(harness.now);
    send_everything(core, harness.now);
    if (!core.take_actions().empty()) return state.SkipWithError("nobody is closed or paused");
    benchmark::DoNotOptimize(core.take_doorbells(harness.now));
  }
  const std::uint64_t published = static_cast<std::uint64_t>(state.iterations()) * burst;
  if (harness.ledger().sent - sent_before != published * readers) {
    return state.SkipWithError("every reader is sent every message");
  }
  report_time_an_item(state, "a_message", burst);
  if (readers > 1) {
    state.counters["a_delivery"] =
        benchmark::Counter(static_cast<double>(burst * readers),
                           benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  }
}

void shard_native(benchmark::State& state) { publish_and_send(state, "/ws/connect"); }
BENCHMARK(shard_native)
    ->ArgNames({"readers", "burst"})
    ->ArgsProduct({{0, 1, 10, 1'000}, {1}})
    ->ArgsProduct({{0, 10, 1'000}, {8, 32}});

/// Each publish asks to be answered.
void shard_native_answered(benchmark::State& state) { publish_and_send(state, "/ws/connect", R"(,"id":1)"); }
BENCHMARK(shard_native_answered)->ArgNames({"readers", "burst"})->Args({0, 1})->Args({0, 32});

void shard_exchange_raw(benchmark::State& state) { publish_and_send(state, "/ws/quotes"); }
BENCHMARK(shard_exchange_raw)->ArgNames({"readers", "burst"})->ArgsProduct({{10, 1'000}, {1, 8, 32}});

/// A turn in which nothing happened.
void shard_empty_turn(benchmark::State& state) {
  CoreHarness harness;
  for (std::size_t i = 0; i < argument(state); ++i) {
    harness.say(harness.native(), R"({"type":"subscribe","id":1,"channels":["quotes"]})");
  }
  ShardCore& core = harness.core();
  for (auto _ : state) {
    core.drain_mesh(harness.now);
    core.expire_timers(harness.now);
    send_everything(core, harness.now);
    benchmark::DoNotOptimize(core.take_actions().size());
    benchmark::DoNotOptimize(core.take_doorbells(harness.now));
    benchmark::DoNotOptimize(core.next_deadline());
  }
  report(state, 1);
}
BENCHMARK(shard_empty_turn)->ArgName("connections")->Arg(1)->Arg(1'000);

}  // namespace
}  // namespace ringcast::bench
