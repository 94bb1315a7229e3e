#include "bench/micro/support.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "codec/capture/capture_reader.hpp"
#include "codec/websocket/frame_writer.hpp"

namespace ringcast::bench {
namespace {

constexpr std::string_view kCapture = RINGCAST_TEST_DATA "/btcusdt-spot.gz";

[[noreturn]] void give_up(std::string_view sentence) {
  std::fprintf(stderr, "%.*s: %.*s\n", static_cast<int>(kCapture.size()), kCapture.data(),
               static_cast<int>(sentence.size()), sentence.data());
  std::exit(1);
}

std::uint32_t next_random(std::uint32_t& state) {  // numbers for texts, nothing more
  state = state * 1'664'525U + 1'013'904'223U;
  return state >> 8;
}

}  // namespace

std::string_view name_of(Feed feed) {
  switch (feed) {
    case Feed::book_ticker: return "bookTicker";
    case Feed::trade: return "trade";
    case Feed::depth: return "depth";
  }
  return "";
}

std::vector<Captured> captured(Feed feed, std::size_t count) {
  std::ifstream file{std::string{kCapture}, std::ios::binary};
  if (!file) give_up("cannot be opened");
  CaptureReader reader{[&file](MutableBytes into) -> Result<std::size_t, std::string> {
    file.read(reinterpret_cast<char*>(into.data()), static_cast<std::streamsize>(into.size()));
    return static_cast<std::size_t>(file.gcount());
  }};
  const std::string wanted = "@" + std::string{name_of(feed)};
  std::vector<Captured> messages;
  while (messages.size() < count) {
    const auto line = reader.next();
    if (!line) give_up(line.error().sentence);
    if (!*line) give_up("holds fewer messages of that kind than wanted");
    if ((*line)->kind != CaptureKind::stream_message || !(*line)->stream.contains(wanted)) continue;
    messages.push_back({.stream = std::string{(*line)->stream}, .data = std::string{(*line)->data}});
  }
  return messages;
}

std::string ascii_text(std::size_t bytes) {
  constexpr std::string_view kCharacters = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789 .:-";
  std::uint32_t random = 7;
  std::string text;
  while (text.size() < bytes) text.push_back(kCharacters[next_random(random) % kCharacters.size()]);
  return text;
}

std::string mixed_text(std::size_t bytes) {
  constexpr std::string_view kCharacters[] = {"a", " ", "7", "x", "\u00e9", "\u00df", "\u20ac", "\u65e5", "\U0001f680"};
  std::uint32_t random = 11;
  std::string text;
  while (text.size() < bytes) {
    const std::string_view character = kCharacters[next_random(random) % std::size(kCharacters)];
    text.append(text.size() + character.size() <= bytes ? character : "a");
  }
  return text;
}

std::vector<std::uint8_t> client_frame(std::string_view payload) {
  std::vector<std::uint8_t> frame;
  append_frame(frame, FrameStart{.opcode = Opcode::text}, as_bytes(payload), kAsciiKey);
  return frame;
}

}  // namespace ringcast::bench
