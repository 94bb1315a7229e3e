#include "codec/websocket/message_assembler.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "codec/websocket/frame_writer.hpp"
#include "tests/codec/guarded_bytes.hpp"

namespace ringcast {
namespace {

using Raw = std::vector<std::uint8_t>;
using Kind = WsEvent::Kind;
constexpr std::uint32_t kMessageBytesMax = 70'000;
constexpr MaskKey kKey{0x9d, 0x01, 0xfe, 0x42};

Opcode opcode_at(int i) { return static_cast<Opcode>(i); }

/// One frame of a script; written masked or not, as the reader's role wants it.
struct Frame {
  int opcode;
  bool final;
  std::string payload;
  bool compressed = false;
};
constexpr int kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10;

Raw bytes_of(const std::vector<Frame>& frames, Role reader) {
  Raw bytes;
  for (const Frame& frame : frames) {
    const FrameStart start{opcode_at(frame.opcode), frame.final, frame.compressed};
    if (reader == Role::server) {
      append_frame(bytes, start, as_bytes(frame.payload), kKey);
    } else {
      append_frame(bytes, start, as_bytes(frame.payload));
    }
  }
  return bytes;
}

std::string say(const WsEvent& event) {
  constexpr std::string_view kNames[] = {"text", "binary", "ping", "pong", "close", "error"};
  std::string said{kNames[std::to_underlying(event.kind)]};
  if (event.compressed) said += " compressed";
  if (event.kind == Kind::close || event.kind == Kind::error) said += " " + std::to_string(value(event.code));
  if (event.kind == Kind::error) return said.append(" ").append(sentence_of(event.error));
  if (!event.payload.empty()) said.append(" ").append(event.text());
  return said;
}

/// Feeds `bytes` in pieces that end at `cuts` (ascending), each against a guard page, and writes down the events.
std::vector<std::string> events_of(const Raw& bytes, const std::vector<std::size_t>& cuts, Role role,
                                   Extensions negotiated, GuardedBytes& pages) {
  MessageAssembler assembler{role, {.message_bytes_max = kMessageBytesMax}, negotiated};
  std::vector<std::string> said;
  std::size_t from = 0;
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    const std::size_t to = i < cuts.size() ? cuts[i] : bytes.size();
    MutableBytes input = pages.place(Bytes{bytes}.subspan(from, to - from));
    while (const auto event = assembler.next(input)) {
      said.push_back(say(*event));
      if (event->kind == Kind::close || event->kind == Kind::error) {
        EXPECT_TRUE(assembler.finished());
      }
    }
    if (!assembler.finished()) {
      EXPECT_TRUE(input.empty()) << "all of the input is absorbed before more is asked for";
    }
    EXPECT_LE(assembler.bytes_held(), kMessageBytesMax + kControlPayloadBytesMax);
    if (!assembler.mid_message()) {
      EXPECT_EQ(assembler.bytes_held(), 0U);
    }
    from = to;
  }
  return said;
}

struct ScriptRow {
  std::string_view sentence;  // RFC 6455 section in front
  std::vector<Frame> frames;
  std::vector<std::string> events;
  bool deflate = false;
};

const std::string kKosme = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5";
const std::string k125(125, 'c');

std::string sentence_with_code(FrameError error) {
  return "error " + std::to_string(value(close_code_of(error))) + " " + std::string{sentence_of(error)};
}

const ScriptRow kScripts[] = {
    {"5.6 a text message", {{kText, true, "Hello"}}, {"text Hello"}},
    {"5.6 a text message of nothing", {{kText, true, ""}}, {"text"}},
    {"5.6 a binary message need not be UTF-8", {{kBinary, true, "\xff\xfe"}}, {"binary \xff\xfe"}},
    {"5.4 two fragments", {{kText, false, "Hel"}, {kContinuation, true, "lo"}}, {"text Hello"}},
    {"5.4 empty fragments around the text",
     {{kText, false, ""}, {kContinuation, false, ""}, {kContinuation, false, "Hello"}, {kContinuation, true, ""}},
     {"text Hello"}},
    {"5.4 only empty fragments", {{kBinary, false, ""}, {kContinuation, true, ""}}, {"binary"}},
    {"5.4 an empty fragment, then everything", {{kText, false, ""}, {kContinuation, true, "Hello"}}, {"text Hello"}},
    {"5.4 a ping amid fragments",
     {{kText, false, "Hel"}, {kPing, true, "p"}, {kContinuation, true, "lo"}},
     {"ping p", "text Hello"}},
    {"5.4 pings of nothing and of 125 amid fragments, the first of them empty",
     {{kText, false, ""}, {kPing, true, ""}, {kPing, true, k125}, {kContinuation, false, "a"}, {kPong, true, k125},
      {kContinuation, true, "b"}},
     {"ping", "ping " + k125, "pong " + k125, "text ab"}},
    {"5.4 a close amid fragments ends it", {{kText, false, "Hel"}, {kClose, true, "\x03\xe8" "bye"}}, {"close 1000 bye"}},
    {"5.5.2 a ping", {{kPing, true, "data"}}, {"ping data"}},
    {"5.5.3 an unsolicited pong", {{kPong, true, "data"}}, {"pong data"}},
    {"5.5.1 a close without a code", {{kClose, true, ""}}, {"close 1005"}},
    {"5.5.1 nothing counts after a close", {{kClose, true, "\x0f\xa8"}, {kText, true, "late"}}, {"close 4008"}},
    {"5.5.1 a close with half a code", {{kClose, true, "\x03"}}, {sentence_with_code(FrameError::close_payload_too_short)}},
    {"7.4 a close with 1005", {{kClose, true, "\x03\xed"}}, {sentence_with_code(FrameError::close_code_invalid)}},
    {"8.1 a close reason that is not UTF-8",
     {{kClose, true, "\x03\xe8\xff"}},
     {sentence_with_code(FrameError::close_reason_invalid_utf8)}},
    {"several messages in a row", {{kText, true, "a"}, {kBinary, true, "b"}, {kPing, true, ""}, {kText, true, "c"}},
     {"text a", "binary b", "ping", "text c"}},
    {"a whole message behind a fragmented one",
     {{kText, false, "a"}, {kContinuation, true, "b"}, {kText, true, "c"}},
     {"text ab", "text c"}},
    {"5.4 a continuation of nothing", {{kContinuation, true, "x"}},
     {sentence_with_code(FrameError::continuation_without_start)}},
    {"5.4 a continuation of a message that has ended",
     {{kText, true, "x"}, {kContinuation, true, "y"}},
     {"text x", sentence_with_code(FrameError::continuation_without_start)}},
    {"5.4 a continuation of nothing but a ping", {{kPing, true, "x"}, {kContinuation, false, "y"}},
     {"ping x", sentence_with_code(FrameError::continuation_without_start)}},
    {"5.4 a text within a text", {{kText, false, "x"}, {kText, true, "y"}},
     {sentence_with_code(FrameError::data_within_message)}},
    {"5.4 a binary within an empty beginning", {{kText, false, ""}, {kBinary, false, ""}},
     {sentence_with_code(FrameError::data_within_message)}},
    {"8.1 UTF-8 whole", {{kText, true, kKosme}}, {"text " + kKosme}},
    {"8.1 UTF-8 cut within a character between fragments",
     {{kText, false, kKosme.substr(0, 3)}, {kPing, true, ""}, {kContinuation, true, kKosme.substr(3)}},
     {"ping", "text " + kKosme}},
    {"8.1 UTF-8 that ends within a character", {{kText, true, kKosme.substr(0, 3)}},
     {sentence_with_code(FrameError::invalid_utf8)}},
    {"8.1 fragmented UTF-8 that ends within a character",
     {{kText, false, "a"}, {kContinuation, true, kKosme.substr(0, 1)}},
     {sentence_with_code(FrameError::invalid_utf8)}},
    {"8.1 a surrogate in the first of two fragments",
     {{kText, false, kKosme + "\xed\xa0\x80"}, {kContinuation, true, "edited"}},
     {sentence_with_code(FrameError::invalid_utf8)}},
    {"8.1 each message begins anew: bad binary, then good text",
     {{kBinary, false, "\xce"}, {kContinuation, true, "\xff"}, {kText, false, "a"}, {kContinuation, true, "b"}},
     {"binary \xce\xff", "text ab"}},
    {"10.4 a message of exactly the bound",
     {{kBinary, true, std::string(kMessageBytesMax, 'm')}},
     {"binary " + std::string(kMessageBytesMax, 'm')}},
    {"10.4 a message above the bound", {{kBinary, true, std::string(kMessageBytesMax + 1, 'm')}},
     {sentence_with_code(FrameError::message_too_large)}},
    {"10.4 fragments of exactly the bound, a ping between",
     {{kText, false, std::string(kMessageBytesMax - 1, 'm')}, {kPing, true, k125}, {kContinuation, true, "n"}},
     {"ping " + k125, "text " + std::string(kMessageBytesMax - 1, 'm') + "n"}},
    {"10.4 fragments above the bound",
     {{kText, false, std::string(kMessageBytesMax, 'm')}, {kContinuation, true, "n"}},
     {sentence_with_code(FrameError::message_too_large)}},
    {"RFC 7692: compressed and plain messages take turns; compressed text is not judged as UTF-8",
     {{kText, true, "\xff", true}, {kText, true, "plain"}, {kText, false, "\xff", true}, {kContinuation, true, "\xfe"},
      {kText, true, "\xff"}},
     {"text compressed \xff", "text plain", "text compressed \xff\xfe", sentence_with_code(FrameError::invalid_utf8)},
     true},
};

class EveryRole : public testing::TestWithParam<Role> {};
INSTANTIATE_TEST_SUITE_P(MessageAssembler, EveryRole, testing::Values(Role::server, Role::client),
                         [](const auto& row) { return row.param == Role::server ? "server" : "client"; });

std::vector<std::size_t> one_byte_at_a_time(std::size_t size) {
  std::vector<std::size_t> cuts;
  for (std::size_t at = 1; at < size; ++at) cuts.push_back(at);
  return cuts;
}

TEST_P(EveryRole, EachScriptGivesItsEventsWhole) {
  GuardedBytes pages{4 * kMessageBytesMax};
  for (const ScriptRow& row : kScripts) {
    const Raw bytes = bytes_of(row.frames, GetParam());
    EXPECT_EQ(events_of(bytes, {}, GetParam(), {.deflate = row.deflate}, pages), row.events) << row.sentence;
  }
}

TEST_P(EveryRole, EachScriptGivesItsEventsOneByteAtATime) {
  GuardedBytes pages{4 * kMessageBytesMax};
  for (const ScriptRow& row : kScripts) {
    const Raw bytes = bytes_of(row.frames, GetParam());
    EXPECT_EQ(events_of(bytes, one_byte_at_a_time(bytes.size()), GetParam(), {.deflate = row.deflate}, pages),
              row.events)
        << row.sentence;
  }
}

TEST_P(EveryRole, EachScriptGivesItsEventsAtEverySplit) {
  GuardedBytes pages{4 * kMessageBytesMax};
  std::mt19937_64 random{6455};  // fixed: a failure repeats
  for (const ScriptRow& row : kScripts) {
    const Raw bytes = bytes_of(row.frames, GetParam());
    const bool is_short = bytes.size() < 1'000;
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
      if (!is_short && cut > 20 && cut + 140 < bytes.size() && cut % 9'973 != 0) continue;
      ASSERT_EQ(events_of(bytes, {cut}, GetParam(), {.deflate = row.deflate}, pages), row.events)
          << row.sentence << ", split at " << cut;
    }
    for (int round = 0; round < (is_short ? 200 : 5); ++round) {
      std::vector<std::size_t> cuts;
      for (std::uint64_t count = 1 + random() % 6; count > 0; --count) cuts.push_back(random() % (bytes.size() + 1));
      std::sort(cuts.begin(), cuts.end());
      ASSERT_EQ(events_of(bytes, cuts, GetParam(), {.deflate = row.deflate}, pages), row.events) << row.sentence;
    }
  }
}

TEST_P(EveryRole, RandomConversationsGiveWhatWasSaidAtRandomSplits) {
  GuardedBytes pages{1U << 20};
  std::mt19937_64 random{20'261'120};
  const std::string_view texts[] = {"a", kKosme, "\xf0\x9f\x98\x80", "{\"type\":\"ping\"}", ""};
  for (int round = 0; round < 300; ++round) {
    std::vector<Frame> frames;
    std::vector<std::string> expected;
    for (std::uint64_t messages = 1 + random() % 8; messages > 0; --messages) {
      std::string message;
      for (std::uint64_t parts = random() % 60; parts > 0; --parts) message += texts[random() % 5];
      const bool text = random() % 2 == 0;
      std::size_t at = 0;
      bool first = true;
      do {  // cut anywhere, also within characters
        const std::size_t size = random() % 3 == 0 ? message.size() - at : random() % (message.size() - at + 1);
        frames.push_back(
            {first ? (text ? kText : kBinary) : kContinuation, at + size == message.size(), message.substr(at, size)});
        first = false;
        at += size;
        if (random() % 4 == 0) {
          const bool before_end = !frames.back().final;
          const std::string payload(random() % 126, 'p');
          if (!before_end) break;
          frames.push_back({kPing, true, payload});
          expected.push_back(payload.empty() ? "ping" : "ping " + payload);
        }
      } while (!(frames.back().final && frames.back().opcode != kPing));
      expected.push_back(std::string{text ? "text" : "binary"} + (message.empty() ? "" : " " + message));
    }
    const Raw bytes = bytes_of(frames, GetParam());
    std::vector<std::size_t> cuts;
    for (std::uint64_t count = random() % 20; count > 0; --count) cuts.push_back(random() % (bytes.size() + 1));
    std::sort(cuts.begin(), cuts.end());
    ASSERT_EQ(events_of(bytes, cuts, GetParam(), {}, pages), expected) << "round " << round;
  }
}

TEST(MessageAssembler, MalformedHeadersEndItWithTheRightCode) {
  struct Row {
    std::string_view sentence;
    Raw bytes;
    std::uint16_t code;
  };
  const Row rows[] = {
      {"5.1 an unmasked frame", {0x81, 0x01, 'a'}, 1002},
      {"5.2 RSV1 without an extension", {0xc1, 0x80, 0, 0, 0, 0}, 1002},
      {"5.2 opcode 3", {0x83, 0x80, 0, 0, 0, 0}, 1002},
      {"5.2 opcode 15", {0x8f, 0x80, 0, 0, 0, 0}, 1002},
      {"5.5 a ping of 126", {0x89, 0xfe, 0, 126, 0, 0, 0, 0}, 1002},
      {"5.2 a length that is not minimal", {0x81, 0xfe, 0, 5, 0, 0, 0, 0}, 1002},
      {"10.4 a promise of 2^62 bytes", {0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, 1009},
  };
  GuardedBytes pages{4096};
  for (const Row& row : rows) {
    for (std::size_t cut = 0; cut <= row.bytes.size(); ++cut) {
      const auto said = events_of(row.bytes, {cut}, Role::server, {}, pages);
      ASSERT_EQ(said.size(), 1U) << row.sentence;
      EXPECT_TRUE(said[0].starts_with("error " + std::to_string(row.code))) << row.sentence << ": " << said[0];
    }
  }
}

TEST(MessageAssembler, TellsOfInvalidUtf8AtTheFirstByteThatProvesIt) {
  struct Row {
    std::string_view sentence;
    std::vector<Frame> frames;
    std::size_t proof_bytes;  // bytes of the client's stream up to and with the one that proves it
  };
  const std::string bad = kKosme + "\xf4\x90\x80\x80" + "edited";
  const Row rows[] = {
      {"in a frame that is far from complete", {{kText, true, bad + std::string(500, 'x')}}, 4 + kKosme.size() + 2},
      {"in the first of several fragments", {{kText, false, bad}, {kContinuation, true, "x"}}, 2 + kKosme.size() + 2},
      {"in a character that continues in the next fragment",
       {{kText, false, kKosme + "\xf4"}, {kContinuation, true, "\x90\x80\x80"}},
       2 + kKosme.size() + 1 + 2 + 1},
  };
  for (const Row& row : rows) {
    Raw bytes = bytes_of(row.frames, Role::client);
    MessageAssembler assembler{Role::client, {}};
    std::size_t fed = 0;
    std::optional<WsEvent> event;
    while (!event && fed < bytes.size()) {
      MutableBytes input = MutableBytes{bytes}.subspan(fed++, 1);
      event = assembler.next(input);
    }
    ASSERT_TRUE(event) << row.sentence;
    EXPECT_EQ(event->error, FrameError::invalid_utf8) << row.sentence;
    EXPECT_EQ(fed, row.proof_bytes) << row.sentence;

    bytes = bytes_of(row.frames, Role::client);  // the same in one piece that ends at the proof
    MessageAssembler whole{Role::client, {}};
    MutableBytes input = MutableBytes{bytes}.first(row.proof_bytes);
    event = whole.next(input);
    ASSERT_TRUE(event) << row.sentence;
    EXPECT_EQ(event->error, FrameError::invalid_utf8) << row.sentence;
  }
}

TEST(MessageAssembler, RefusesATooLargeMessageFromItsHeaderAlone) {
  Raw bytes = bytes_of({{kBinary, true, std::string(kMessageBytesMax + 1, 'm')}}, Role::server);
  bytes.resize(14);  // the header, not a byte of payload
  MessageAssembler assembler{Role::server, {.message_bytes_max = kMessageBytesMax}};
  MutableBytes input{bytes};
  const auto event = assembler.next(input);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->code, CloseCode::message_too_big);
  EXPECT_EQ(assembler.bytes_held(), 0U);
}

TEST(MessageAssembler, AnotherBoundHoldsFromTheNextMessageOn) {
  const auto code_after = [](MessageAssembler& assembler, std::size_t bytes) {
    Raw message = bytes_of({{kBinary, true, std::string(bytes, 'm')}}, Role::server);
    MutableBytes input{message};
    const auto event = assembler.next(input);
    return !event ? "nothing" : event->kind == Kind::binary ? "taken" : "too large";
  };
  MessageAssembler assembler{Role::server, {.message_bytes_max = 100}};
  EXPECT_STREQ(code_after(assembler, 100), "taken");
  assembler.set_message_bytes_max(200);
  EXPECT_STREQ(code_after(assembler, 200), "taken");
  assembler.set_message_bytes_max(50);
  EXPECT_STREQ(code_after(assembler, 50), "taken");
  EXPECT_STREQ(code_after(assembler, 51), "too large");
}

TEST(MessageAssembler, ALowerBoundLetsAMessageEndThatHasBegun) {
  const Raw bytes =
      bytes_of({{kBinary, false, std::string(80, 'm')}, {kContinuation, true, std::string(20, 'n')}}, Role::server);
  for (std::size_t split = 1; split < bytes.size(); ++split) {
    Raw copy = bytes;
    MessageAssembler assembler{Role::server, {.message_bytes_max = 100}};
    MutableBytes input = MutableBytes{copy}.first(split);
    ASSERT_FALSE(assembler.next(input));
    assembler.set_message_bytes_max(10);
    input = MutableBytes{copy}.subspan(split);
    const auto event = assembler.next(input);
    ASSERT_TRUE(event) << split;
    EXPECT_EQ(event->kind, Kind::binary) << split;
  }
}

TEST(MessageAssembler, AWholeMessageIsAViewIntoTheInputAndNothingIsHeld) {
  Raw bytes = bytes_of({{kText, true, "Hello"}, {kPing, true, "p"}, {kText, false, ""}, {kContinuation, true, "x"}},
                       Role::server);
  const auto is_inside = [&](Bytes view) {
    return view.data() >= bytes.data() && view.data() + view.size() <= bytes.data() + bytes.size();
  };
  MessageAssembler assembler{Role::server};
  MutableBytes input{bytes};
  for (const Kind kind : {Kind::text, Kind::ping, Kind::text}) {
    const auto event = assembler.next(input);
    ASSERT_TRUE(event);
    EXPECT_EQ(event->kind, kind);
    EXPECT_TRUE(is_inside(event->payload));
    EXPECT_EQ(assembler.bytes_held(), 0U);
  }
}

TEST(MessageAssembler, HoldsOnlyWhatArrivedAndLetsItGoAfterTheEvent) {
  Raw bytes = bytes_of({{kBinary, true, std::string(60'000, 'm')}}, Role::server);
  MessageAssembler assembler{Role::server, {.message_bytes_max = kMessageBytesMax}};
  MutableBytes first = MutableBytes{bytes}.first(8 + 100);
  EXPECT_FALSE(assembler.next(first));
  EXPECT_TRUE(assembler.mid_message());
  EXPECT_GE(assembler.bytes_held(), 100U);
  EXPECT_LE(assembler.bytes_held(), 200U) << "a header's promise takes no memory";
  MutableBytes rest = MutableBytes{bytes}.subspan(108);
  const auto event = assembler.next(rest);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->payload.size(), 60'000U);
  EXPECT_FALSE(assembler.mid_message());
  EXPECT_LE(assembler.bytes_held(), 60'000U);
  EXPECT_FALSE(assembler.next(rest));
  EXPECT_EQ(assembler.bytes_held(), 0U);
}

TEST(MessageAssembler, TheCallerMayStopBetweenEventsAndComeBackWithTheRest) {
  Raw bytes = bytes_of({{kText, true, "one"}, {kText, true, "two"}, {kText, true, "three"}}, Role::server);
  MessageAssembler assembler{Role::server};
  MutableBytes input{bytes};
  EXPECT_EQ(say(*assembler.next(input)), "text one");
  Raw kept{input.begin(), input.end()};  // the receive buffer goes back, the rest waits elsewhere
  std::fill(bytes.begin(), bytes.end(), std::uint8_t{0});
  MutableBytes later{kept};
  EXPECT_EQ(say(*assembler.next(later)), "text two");
  EXPECT_EQ(say(*assembler.next(later)), "text three");
  EXPECT_FALSE(assembler.next(later));
}

TEST(MessageAssembler, ConsumesNothingAfterAnErrorACloseOrARelease) {
  for (const std::string_view how : {"error", "close", "release"}) {
    Raw bytes = bytes_of({{how == "error"   ? kContinuation
                           : how == "close" ? kClose
                                            : kText,
                           true, ""},
                          {kText, true, "late"}},
                         Role::server);
    MessageAssembler assembler{Role::server};
    MutableBytes input{bytes};
    EXPECT_TRUE(assembler.next(input)) << how;
    if (how == "release") assembler.release();
    const std::size_t left = input.size();
    EXPECT_TRUE(assembler.finished()) << how;
    EXPECT_FALSE(assembler.next(input)) << how;
    EXPECT_EQ(input.size(), left) << how;
    EXPECT_EQ(assembler.bytes_held(), 0U) << how;
  }
}

TEST(MessageAssembler, ManySmallFragmentsAreNotCopiedOverAndOver) {
  constexpr std::size_t kFragments = 60'000;
  Raw bytes;
  append_frame(bytes, {Opcode::text, false, false}, as_bytes("x"));
  for (std::size_t i = 0; i < kFragments; ++i) append_frame(bytes, {Opcode::continuation, false, false}, as_bytes("x"));
  MessageAssembler assembler{Role::client, {.message_bytes_max = kMessageBytesMax}};
  std::size_t growths = 0;
  std::size_t held = 0;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    MutableBytes input = MutableBytes{bytes}.subspan(at, 3);
    ASSERT_FALSE(assembler.next(input));
    growths += assembler.bytes_held() != held ? 1U : 0U;
    held = assembler.bytes_held();
  }
  EXPECT_LE(growths, 20U);
  EXPECT_LE(held, kMessageBytesMax + kControlPayloadBytesMax);
}

}  // namespace
}  // namespace ringcast
