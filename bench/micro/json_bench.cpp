// bench/micro/json_bench.cpp: what clients say and what they are told, in every dialect, with captured payloads.
#include <string>

#include "bench/micro/support.hpp"
#include "codec/capture/capture_line.hpp"
#include "codec/dialect/binary.hpp"
#include "codec/dialect/encode.hpp"
#include "codec/dialect/exchange.hpp"
#include "codec/dialect/native.hpp"
#include "codec/dialect/native_reply.hpp"
#include "codec/text/json.hpp"

namespace ringcast::bench {
namespace {

std::size_t total_bytes(const std::vector<std::string>& texts) {
  std::size_t bytes = 0;
  for (const std::string& text : texts) bytes += text.size();
  return bytes;
}

/// Decodes all of `texts` each iteration.
template <class Decoder>
void decode_all(benchmark::State& state, const std::vector<std::string>& texts) {
  Decoder decoder;
  for (auto _ : state) {
    for (const std::string& text : texts) {
      const auto command = decoder.decode(text);
      if (!command) return state.SkipWithError("a valid command was refused");
      benchmark::DoNotOptimize(command->kind);
    }
  }
  report_time_an_item(state, "a_message", texts.size());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(total_bytes(texts)));
}

// ---- decode ----

void json_validate(benchmark::State& state, Feed feed) {
  std::vector<std::string> texts;
  for (const Captured& message : captured(feed)) texts.push_back(message.data);
  for (auto _ : state) {
    for (const std::string& text : texts) {
      if (!is_valid_json(text)) return state.SkipWithError("valid JSON was refused");
    }
  }
  report_time_an_item(state, "a_message", texts.size());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(total_bytes(texts)));
}
BENCHMARK_CAPTURE(json_validate, book_ticker, Feed::book_ticker);
BENCHMARK_CAPTURE(json_validate, trade, Feed::trade);
BENCHMARK_CAPTURE(json_validate, depth, Feed::depth);

void native_decode_publish(benchmark::State& state, Feed feed) {
  std::vector<std::string> texts;
  for (const Captured& message : captured(feed)) {
    texts.push_back(R"({"type":"publish","id":)" + std::to_string(texts.size()) + R"(,"channel":")" + message.stream +
                    R"(","data":)" + message.data + "}");
  }
  decode_all<NativeDecoder>(state, texts);
}
BENCHMARK_CAPTURE(native_decode_publish, book_ticker, Feed::book_ticker);
BENCHMARK_CAPTURE(native_decode_publish, trade, Feed::trade);
BENCHMARK_CAPTURE(native_decode_publish, depth, Feed::depth);

/// The same publishes as records, one a message; then with what a JSON channel asks of them besides: validation.
void binary_decode_publish(benchmark::State& state, Feed feed, bool validates) {
  std::vector<std::string> texts;
  for (const Captured& message : captured(feed)) {
    rcb_publication what{};
    what.channel = message.stream.data();
    what.channel_bytes = static_cast<std::uint8_t>(message.stream.size());
    what.data = message.data.data();
    what.data_bytes = static_cast<std::uint32_t>(message.data.size());
    what.request = texts.size();
    std::string& text = texts.emplace_back(rcb_publish_bytes(&what), '\0');
    rcb_write_publish(reinterpret_cast<std::uint8_t*>(text.data()), &what);
  }
  BinaryDecoder decoder;
  for (auto _ : state) {
    for (const std::string& text : texts) {
      const auto decoded = decoder.decode(as_bytes(text));
      if (!decoded) return state.SkipWithError("a valid record was refused");
      if (validates && !is_valid_json(decoded->command.data)) return state.SkipWithError("valid JSON was refused");
      benchmark::DoNotOptimize(decoded->command.kind);
    }
  }
  report_time_an_item(state, "a_message", texts.size());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(total_bytes(texts)));
}
BENCHMARK_CAPTURE(binary_decode_publish, book_ticker, Feed::book_ticker, false);
BENCHMARK_CAPTURE(binary_decode_publish, book_ticker_json, Feed::book_ticker, true);
BENCHMARK_CAPTURE(binary_decode_publish, depth, Feed::depth, false);
BENCHMARK_CAPTURE(binary_decode_publish, depth_json, Feed::depth, true);

std::string channel_list(std::size_t channels) {
  std::string list = "[";
  for (std::size_t i = 0; i < channels; ++i) {
    list += (i == 0 ? "\"symbol" : ",\"symbol") + std::to_string(i) + "usdt@trade\"";
  }
  return list + "]";
}
void native_decode_subscribe(benchmark::State& state) {
  decode_all<NativeDecoder>(state, {R"({"type":"subscribe","id":1,"channels":)" + channel_list(argument(state)) + "}"});
}
BENCHMARK(native_decode_subscribe)->Arg(1)->Arg(100);

void native_decode_ping(benchmark::State& state) { decode_all<NativeDecoder>(state, {R"({"type":"ping","id":1})"}); }
BENCHMARK(native_decode_ping);

void exchange_decode_subscribe(benchmark::State& state) {
  decode_all<ExchangeDecoder>(state,
                              {R"({"method":"SUBSCRIBE","params":)" + channel_list(argument(state)) + R"(,"id":1})"});
}
BENCHMARK(exchange_decode_subscribe)->Arg(1)->Arg(100);

void exchange_unwrap(benchmark::State& state, Feed feed) {
  const auto messages = captured(feed);
  std::vector<std::string> texts;
  for (const Captured& message : messages) {
    texts.push_back(R"({"stream":")" + message.stream + R"(","data":)" + message.data + "}");
  }
  for (auto _ : state) {
    for (std::size_t i = 0; i < texts.size(); ++i) {
      benchmark::DoNotOptimize(unwrap_combined(messages[i].stream, texts[i]).size());
    }
  }
  report_time_an_item(state, "a_message", texts.size());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(total_bytes(texts)));
}
BENCHMARK_CAPTURE(exchange_unwrap, book_ticker, Feed::book_ticker);
BENCHMARK_CAPTURE(exchange_unwrap, depth, Feed::depth);

void capture_line_parse(benchmark::State& state, Feed feed) {
  std::vector<std::string> lines;
  for (const Captured& message : captured(feed)) {
    lines.push_back(R"(1723161254087891268 {"stream":")" + message.stream + R"(","data":)" + message.data + "}");
  }
  JsonReader reader;
  for (auto _ : state) {
    for (const std::string& line : lines) {
      const auto parsed = parse_capture_line(line, reader);
      if (!parsed) return state.SkipWithError("a captured line was refused");
      benchmark::DoNotOptimize(parsed->data.size());
    }
  }
  report_time_an_item(state, "a_message", lines.size());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(total_bytes(lines)));
}
BENCHMARK_CAPTURE(capture_line_parse, book_ticker, Feed::book_ticker);
BENCHMARK_CAPTURE(capture_line_parse, depth, Feed::depth);

// ---- encode ----

/// One message after the other in one wire form: its size and its bytes, as the home shard asks for them.
void encode(benchmark::State& state, Form form, Feed feed) {
  const auto messages = captured(feed);
  std::vector<std::uint8_t> out(64 * 1024);
  std::uint64_t seq = 1'234'567;
  std::size_t bytes = 0;
  for (auto _ : state) {
    bytes = 0;
    for (const Captured& message : messages) {
      const MessageView view{.channel = message.stream,
                             .epoch = Epoch{0x5f3c'9a1e'07d2'b846},
                             .seq = Sequence{++seq},
                             .published_at = kStart.wall + nanoseconds{seq * 1'000},
                             .event = {},
                             .message_id = {},
                             .data = message.data};
      bytes += message_payload_size(form, view);
      benchmark::DoNotOptimize(write_message_payload(form, view, out.data()));
    }
  }
  report_time_an_item(state, "a_message", messages.size());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}
BENCHMARK_CAPTURE(encode, native_book_ticker, Form::native_json, Feed::book_ticker);
BENCHMARK_CAPTURE(encode, native_trade, Form::native_json, Feed::trade);
BENCHMARK_CAPTURE(encode, native_depth, Form::native_json, Feed::depth);
BENCHMARK_CAPTURE(encode, exchange_raw_book_ticker, Form::exchange_raw, Feed::book_ticker);
BENCHMARK_CAPTURE(encode, exchange_raw_depth, Form::exchange_raw, Feed::depth);
BENCHMARK_CAPTURE(encode, exchange_combined_book_ticker, Form::exchange_combined, Feed::book_ticker);
BENCHMARK_CAPTURE(encode, exchange_combined_depth, Form::exchange_combined, Feed::depth);
BENCHMARK_CAPTURE(encode, binary_book_ticker, Form::binary, Feed::book_ticker);
BENCHMARK_CAPTURE(encode, binary_trade, Form::binary, Feed::trade);
BENCHMARK_CAPTURE(encode, binary_depth, Form::binary, Feed::depth);

void encode_gap(benchmark::State& state) {
  const GapView gap{.channel = "btcusdt@trade",
                    .from = Sequence{1'234'567},
                    .to = Sequence{1'240'000},
                    .reason = GapReason::conflated};
  std::uint8_t out[512];
  for (auto _ : state) {
    benchmark::DoNotOptimize(native_gap_size(gap));
    benchmark::DoNotOptimize(write_native_gap(gap, out));
  }
  report(state, 1);
}
BENCHMARK(encode_gap);

void encode_published(benchmark::State& state) {
  const NativePublished published{
      .id = "42", .channel = "btcusdt@trade", .epoch = Epoch{0x5f3c'9a1e'07d2'b846}, .seq = Sequence{1'234'567}};
  std::string out;
  for (auto _ : state) {
    out.clear();
    append_native_published(out, published);
    benchmark::DoNotOptimize(out.data());
  }
  report(state, 1, out.size());
}
BENCHMARK(encode_published);

void encode_published_record(benchmark::State& state) {
  const BinaryPublished published{
      .request = 42, .channel_id = 7, .epoch = Epoch{0x5f3c'9a1e'07d2'b846}, .seq = Sequence{1'234'567}};
  std::string out;
  for (auto _ : state) {
    out.clear();
    append_binary_published(out, published);
    benchmark::DoNotOptimize(out.data());
  }
  report(state, 1, out.size());
}
BENCHMARK(encode_published_record);

}  // namespace
}  // namespace ringcast::bench
