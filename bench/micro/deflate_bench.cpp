// bench/micro/deflate_bench.cpp: packing and unpacking single messages of a real feed: zlib against libdeflate.
//
// The counters are what decides: time a message, and the part of the bytes that is left (`left`, in percent).
#include <libdeflate.h>
#include <zlib.h>

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "alloc/base/ensure.hpp"
#include "bench/micro/support.hpp"
#include "codec/deflate/message_deflater.hpp"
#include "codec/deflate/message_inflater.hpp"

namespace ringcast::bench {
namespace {

/// Depth updates, by size: what compression.threshold lets through, and those that a window of 4 KiB does not hold.
/// Also small publishes: a browser packs whatever it sends.
enum class Pick : std::uint8_t { command, medium, large };
const std::vector<std::string>& messages_of(Pick pick) {
  static std::map<Pick, std::vector<std::string>> kept;
  std::vector<std::string>& texts = kept[pick];
  if (!texts.empty()) return texts;
  if (pick == Pick::command) {
    for (const Captured& message : captured(Feed::book_ticker, 1'000)) {
      texts.push_back(R"({"type":"publish","channel":")" + message.stream + R"(","data":)" + message.data + "}");
    }
    return texts;
  }
  for (const Captured& message : captured(Feed::depth, 2'100)) {
    const std::size_t bytes = message.data.size();
    if (bytes < 1'024) continue;
    if (pick == Pick::medium && bytes > 4'096) continue;
    if (pick == Pick::large && bytes <= 4'096) continue;
    texts.push_back(message.data);
  }
  ensure(!texts.empty(), "the capture has messages of that size");
  return texts;
}

struct Tally {
  std::size_t in = 0, out = 0;
};
template <class Pack>
void pack_all(benchmark::State& state, Pick pick, Pack&& pack) {
  const std::vector<std::string>& texts = messages_of(pick);
  std::vector<std::uint8_t> out(1U << 20);
  Tally tally;
  for (auto _ : state) {
    tally = {};
    for (const std::string& text : texts) {
      const std::size_t size = pack(as_bytes(text), MutableBytes{out}.first(text.size() - 1));
      tally.in += text.size();
      tally.out += size == 0 ? text.size() : size;
    }
  }
  report_time_an_item(state, "a_message", texts.size());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(tally.in));
  state.counters["left"] = 100.0 * static_cast<double>(tally.out) / static_cast<double>(tally.in);
  state.counters["bytes"] = static_cast<double>(tally.in) / static_cast<double>(texts.size());
}

void deflate_libdeflate(benchmark::State& state, Pick pick) {
  libdeflate_compressor* compressor = libdeflate_alloc_compressor(static_cast<int>(argument(state)));
  pack_all(state, pick, [compressor](Bytes in, MutableBytes out) {
    return libdeflate_deflate_compress(compressor, in.data(), in.size(), out.data(), out.size());
  });
  libdeflate_free_compressor(compressor);
}

void deflate_zlib(benchmark::State& state, Pick pick) {
  z_stream stream{};
  ensure(deflateInit2(&stream, static_cast<int>(argument(state)), Z_DEFLATED, -static_cast<int>(argument(state, 1)),
                      static_cast<int>(argument(state, 2)), Z_DEFAULT_STRATEGY) == Z_OK,
         "zlib takes these parameters");
  pack_all(state, pick, [&stream](Bytes in, MutableBytes out) -> std::size_t {
    (void)deflateReset(&stream);
    stream.next_in = const_cast<Bytef*>(in.data());
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = out.data();
    stream.avail_out = static_cast<uInt>(out.size());
    if (::deflate(&stream, Z_SYNC_FLUSH) != Z_OK || stream.avail_out == 0) return 0;
    return out.size() - stream.avail_out - 4;
  });
  (void)deflateEnd(&stream);
}

void deflate_ours(benchmark::State& state, Pick pick) {
  MessageDeflater deflater;
  pack_all(state, pick, [&deflater](Bytes in, MutableBytes out) { return deflater.deflate(in, out); });
}

#define DEFLATE_BENCHES(pick)                                                                      \
  BENCHMARK_CAPTURE(deflate_ours, pick, Pick::pick);                                               \
  BENCHMARK_CAPTURE(deflate_libdeflate, pick, Pick::pick)->Arg(1)->Arg(2)->Arg(3)->Arg(4)->Arg(6); \
  BENCHMARK_CAPTURE(deflate_zlib, pick, Pick::pick)                                                \
      ->Args({1, 15, 8})                                                                           \
      ->Args({1, 12, 5})                                                                           \
      ->Args({1, 12, 8})                                                                           \
      ->Args({3, 15, 8})                                                                           \
      ->Args({6, 15, 8})                                                                           \
      ->Args({6, 12, 5})
DEFLATE_BENCHES(medium);
DEFLATE_BENCHES(large);

/// What clients send: zlib's blocks with a sync flush.
std::vector<std::string> packed_by_zlib(Pick pick) {
  std::vector<std::string> packed;
  z_stream stream{};
  ensure(deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib takes these parameters");
  for (const std::string& text : messages_of(pick)) {
    std::string out;
    out.resize(text.size() + 64);
    (void)deflateReset(&stream);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    (void)::deflate(&stream, Z_SYNC_FLUSH);
    out.resize(out.size() - stream.avail_out - 4);
    packed.push_back(std::move(out));
  }
  (void)deflateEnd(&stream);
  return packed;
}

void inflate_ours(benchmark::State& state, Pick pick) {
  MessageInflater inflater{1U << 20};
  const auto packed = packed_by_zlib(pick);
  for (auto _ : state) {
    for (const std::string& one : packed) {
      const auto message = inflater.inflate(as_bytes(one));
      if (!message) return state.SkipWithError("a good message was refused");
      benchmark::DoNotOptimize(message->data());
    }
  }
  report_time_an_item(state, "a_message", packed.size());
}
BENCHMARK_CAPTURE(inflate_ours, command, Pick::command);
BENCHMARK_CAPTURE(inflate_ours, medium, Pick::medium);
BENCHMARK_CAPTURE(inflate_ours, large, Pick::large);

void inflate_zlib(benchmark::State& state, Pick pick) {
  z_stream stream{};
  ensure(inflateInit2(&stream, -15) == Z_OK, "zlib takes these parameters");
  const auto packed = packed_by_zlib(pick);
  std::vector<std::uint8_t> out(1U << 20);
  std::array<std::uint8_t, 4> tail{0x00, 0x00, 0xff, 0xff};
  for (auto _ : state) {
    for (const std::string& one : packed) {
      (void)inflateReset(&stream);
      stream.next_out = out.data();
      stream.avail_out = static_cast<uInt>(out.size());
      for (const Bytes piece : {as_bytes(one), Bytes{tail}}) {
        stream.next_in = const_cast<Bytef*>(piece.data());
        stream.avail_in = static_cast<uInt>(piece.size());
        if (::inflate(&stream, Z_SYNC_FLUSH) != Z_OK) return state.SkipWithError("a good message was refused");
      }
      benchmark::DoNotOptimize(out.data());
    }
  }
  report_time_an_item(state, "a_message", packed.size());
  (void)inflateEnd(&stream);
}
BENCHMARK_CAPTURE(inflate_zlib, command, Pick::command);
BENCHMARK_CAPTURE(inflate_zlib, medium, Pick::medium);
BENCHMARK_CAPTURE(inflate_zlib, large, Pick::large);

}  // namespace
}  // namespace ringcast::bench
