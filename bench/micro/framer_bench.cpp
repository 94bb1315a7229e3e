// bench/micro/framer_bench.cpp: reading and writing WebSocket frames.
#include <cstring>

#include "bench/micro/support.hpp"
#include "codec/websocket/frame_parser.hpp"
#include "codec/websocket/frame_writer.hpp"
#include "codec/websocket/message_assembler.hpp"

namespace ringcast::bench {
namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;  // about what a turn receives

/// Frames of a client, one behind the other.
std::vector<std::uint8_t> buffer_of_frames(std::size_t payload_bytes, std::size_t& frames) {
  const std::vector<std::uint8_t> frame = client_frame(ascii_text(payload_bytes));
  std::vector<std::uint8_t> buffer;
  for (frames = 0; frames == 0 || buffer.size() + frame.size() <= kBufferBytes; ++frames) {
    buffer.insert(buffer.end(), frame.begin(), frame.end());
  }
  return buffer;
}

void frame_header_parse(benchmark::State& state) {
  const auto frame = client_frame(ascii_text(argument(state)));
  for (auto _ : state) {
    Bytes input{frame};
    benchmark::DoNotOptimize(input);
    benchmark::DoNotOptimize(decode_frame_header(input, Role::server));
  }
  report(state, 1);
}
BENCHMARK(frame_header_parse)->Arg(16)->Arg(140)->Arg(1'024)->Arg(65'536);

/// Header, unmasking, UTF-8 and the message: all that a received text frame costs before it is decoded.
void message_parse(benchmark::State& state) {
  std::size_t frames = 0;
  std::vector<std::uint8_t> buffer = buffer_of_frames(argument(state), frames);
  MessageAssembler assembler{Role::server};
  for (auto _ : state) {
    MutableBytes input{buffer};
    while (const auto event = assembler.next(input)) {
      if (event->kind != WsEvent::Kind::text) return state.SkipWithError("a frame was refused");
      benchmark::DoNotOptimize(event->payload.data());
    }
  }
  report_time_an_item(state, "a_message", frames);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(buffer.size()));
}
BENCHMARK(message_parse)->Arg(16)->Arg(140)->Arg(1'024)->Arg(65'536);

/// The same when each frame comes in two pieces: it is put together in memory of the assembler's.
void message_parse_in_two_pieces(benchmark::State& state) {
  std::vector<std::uint8_t> frame = client_frame(ascii_text(argument(state)));
  MessageAssembler assembler{Role::server};
  for (auto _ : state) {
    MutableBytes first = MutableBytes{frame}.first(frame.size() / 2);
    MutableBytes second = MutableBytes{frame}.subspan(frame.size() / 2);
    benchmark::DoNotOptimize(assembler.next(first));
    const auto event = assembler.next(second);
    if (!event || event->kind != WsEvent::Kind::text) return state.SkipWithError("a frame was refused");
    benchmark::DoNotOptimize(event->payload.data());
  }
  report(state, 1, frame.size());
}
BENCHMARK(message_parse_in_two_pieces)->Arg(16)->Arg(140)->Arg(1'024)->Arg(65'536);

void frame_write(benchmark::State& state) {
  const std::string payload = ascii_text(argument(state));
  std::vector<std::uint8_t> out(kFrameHeaderBytesMax + payload.size());
  for (auto _ : state) {
    const std::size_t header = write_frame_header(out, FrameStart{.opcode = Opcode::text}, payload.size());
    std::memcpy(out.data() + header, payload.data(), payload.size());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  report(state, 1, frame_header_bytes(payload.size()) + payload.size());
}
BENCHMARK(frame_write)->Arg(16)->Arg(140)->Arg(1'024)->Arg(65'536);

void pong_write(benchmark::State& state) {
  const std::string payload = ascii_text(argument(state));
  std::uint8_t out[kControlFrameBytesMax];
  for (auto _ : state) {
    benchmark::DoNotOptimize(write_control_frame(out, Opcode::pong, as_bytes(payload)));
    benchmark::ClobberMemory();
  }
  report(state, 1);
}
BENCHMARK(pong_write)->Arg(0)->Arg(125);

}  // namespace
}  // namespace ringcast::bench
