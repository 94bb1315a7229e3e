// permessage-deflate (RFC 7692) as a client of the node meets it.
#include <gtest/gtest.h>

#include "codec/deflate/message_deflater.hpp"
#include "tests/doubles/core_harness.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kOffer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
std::string offer(int window_bits) {
  return "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=" + std::to_string(window_bits) + "\r\n";
}

std::string packed(std::string_view message) {
  MessageDeflater deflater;
  std::string out(message.size() + 64, '\0');
  out.resize(deflater.deflate(as_bytes(message), {reinterpret_cast<std::uint8_t*>(out.data()), out.size()}));
  return out;
}
std::string compressed(Opcode opcode, std::string_view message) {
  return CoreHarness::masked({.opcode = opcode, .compressed = true}, packed(message));
}
/// JSON of so many bytes, quotes included.
std::string json(std::size_t bytes) {
  std::string text = "\"";
  while (text.size() < bytes - 1) text += "price " + std::to_string(text.size()) + " ";
  text.resize(bytes - 1);
  return text + "\"";
}

class CompressionTest : public testing::Test {
 protected:
  CompressionTest() { node.options.echo = true; }
  void publish(std::string_view data) {
    node.say(writer, R"({"type":"publish","channel":"c","data":)" + std::string{data} + "}");
  }
  CoreClient& reader(std::string_view fields) {
    CoreClient& client = node.native(0, "/ws/connect", fields);
    node.say(client, R"({"type":"subscribe","channels":["c"]})");
    CoreHarness::take_frames(client);
    return client;
  }
  CoreHarness node;
  CoreClient& writer = node.native();
};

TEST_F(CompressionTest, TheAnswerForgetsOnBothSidesAndRepeatsTheWindow) {
  CoreClient& client = node.connect();
  node.bytes(client, CoreHarness::request("/echo", offer(10)));
  node.run();
  EXPECT_TRUE(node.take_head(client).contains(
      "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
      "server_max_window_bits=10\r\n"));
  EXPECT_EQ(node.count(CounterId::connections_compressed), 1U);
}

TEST_F(CompressionTest, WithCompressionOffEveryOfferIsDeclined) {
  node.options.compression.enabled = false;
  CoreClient& client = node.open("/echo", 0, kOffer);
  EXPECT_FALSE(client.agreed_deflate);
  EXPECT_EQ(node.count(CounterId::connections_compressed), 0U);
  EXPECT_EQ(node.count(CounterId::deflate_declined), 1U);
  node.bytes(client, compressed(Opcode::text, "hello hello hello"));
  node.run();
  EXPECT_EQ(CoreHarness::take_close(client), 1002);
}

struct UsedRow {
  std::string_view sentence;
  bool negotiated, used;
  std::uint16_t close;  // 0: it comes back
};
constexpr UsedRow kUsedRows[] = {
    {"plain message, no extension", false, false, 0},
    {"compressed message, no extension", false, true, 1002},
    {"plain message although deflate is negotiated", true, false, 0},  // KJ's CVE-2023-48230
    {"compressed message, negotiated", true, true, 0},
};

TEST_F(CompressionTest, NegotiatedAndUsedAreTwoFacts) {
  const std::string message = json(2'000);
  for (const UsedRow& row : kUsedRows) {
    for (const Opcode opcode : {Opcode::text, Opcode::binary}) {
      CoreClient& client = node.open("/echo", 0, row.negotiated ? kOffer : "");
      node.bytes(client, row.used ? compressed(opcode, message) : CoreHarness::masked(opcode, message));
      node.run();
      if (row.close != 0) {
        EXPECT_EQ(CoreHarness::take_close(client), row.close) << row.sentence;
        continue;
      }
      const ReceivedFrame expected{.opcode = opcode, .payload = message, .compressed = row.negotiated};
      EXPECT_EQ(CoreHarness::take_frames(client), std::vector{expected}) << row.sentence;
    }
  }
}

TEST_F(CompressionTest, CompressedAndPlainMessagesTakeTurnsOnOneConnection) {
  CoreClient& client = node.open("/echo", 0, kOffer);
  std::string bytes;
  std::vector<std::string> said;
  for (int i = 0; i < 10; ++i) {
    said.push_back(json(200 + static_cast<std::size_t>(i)));
    bytes += i % 3 == 0 ? CoreHarness::masked(Opcode::text, said.back()) : compressed(Opcode::text, said.back());
  }
  node.bytes(client, bytes);
  node.run();
  EXPECT_EQ(CoreHarness::take_texts(client), said);
  EXPECT_EQ(node.count(CounterId::messages_inflated), 6U);
}

TEST_F(CompressionTest, ACompressedMessageInFragmentsWithAPingBetweenComesBack) {
  CoreClient& client = node.open("/echo", 0, kOffer);
  const std::string message = json(5'000);
  const std::string whole = packed(message);
  node.bytes(client,
             CoreHarness::masked({.opcode = Opcode::text, .final = false, .compressed = true}, whole.substr(0, 9)));
  node.bytes(client, CoreHarness::masked(Opcode::ping, "between"));
  node.run();
  EXPECT_EQ(CoreHarness::take_frames(client),
            (std::vector{ReceivedFrame{.opcode = Opcode::pong, .payload = "between"}}));
  node.bytes(client, CoreHarness::masked(Opcode::continuation, whole.substr(9)));
  node.run();
  EXPECT_EQ(CoreHarness::take_texts(client), std::vector{message});
}

struct RefusedRow {
  std::string_view sentence;
  std::string frame;
  std::uint16_t close;
  CounterId counter;
};

TEST_F(CompressionTest, WhatDoesNotUnpackClosesWithItsCodeAndIsCounted) {
  node.options.echo = true;
  const FrameStart start{.opcode = Opcode::text, .compressed = true};
  const RefusedRow rows[] = {
      {"garbage", CoreHarness::masked(start, "{\"type\":1}"), 1007, CounterId::inflate_refused_corrupt},
      {"nothing", CoreHarness::masked(start, ""), 1007, CounterId::inflate_refused_corrupt},
      {"a message cut short", CoreHarness::masked(start, packed(json(500)).substr(0, 50)), 1007,
       CounterId::inflate_refused_corrupt},
      {"a bomb", compressed(Opcode::text, std::string(8U << 20, 'a')), 1009, CounterId::inflate_refused_too_large},
      {"one byte too many", compressed(Opcode::binary, std::string((1U << 20) + 1, 'a')), 1009,
       CounterId::inflate_refused_too_large},
      {"text that is no UTF-8", compressed(Opcode::text, std::string(100, '\xff')), 1007,
       CounterId::inflate_refused_utf8},
      {"RSV1 on a continuation",
       CoreHarness::masked({.opcode = Opcode::text, .final = false}, "a") + std::string("\xc0\x80\0\0\0\0", 6), 1002,
       CounterId::protocol_errors},
      {"RSV1 on a ping", std::string("\xc9\x80\0\0\0\0", 6), 1002, CounterId::protocol_errors},
      {"RSV2", std::string("\xa1\x80\0\0\0\0", 6), 1002, CounterId::protocol_errors},
  };
  for (const RefusedRow& row : rows) {
    CoreClient& client = node.open("/echo", 0, kOffer);
    const std::uint64_t before = node.count(row.counter);
    node.bytes(client, row.frame);
    node.run();
    EXPECT_EQ(CoreHarness::take_close(client), row.close) << row.sentence;
    EXPECT_EQ(node.count(row.counter), before + 1) << row.sentence;
  }
  // As much as may be said comes back.
  CoreClient& client = node.open("/echo", 0, kOffer);
  node.bytes(client, compressed(Opcode::text, std::string(1U << 20, 'a')));
  node.run();
  EXPECT_EQ(CoreHarness::take_texts(client), std::vector{std::string(1U << 20, 'a')});
}

TEST_F(CompressionTest, ACompressedCommandIsACommand) {
  CoreClient& client = node.native(0, "/ws/connect", kOffer);
  node.bytes(client, compressed(Opcode::text, R"({"type":"ping","id":1})"));
  node.run();
  const auto frames = CoreHarness::take_frames(client);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].payload, R"({"type":"pong","id":1})");
  EXPECT_FALSE(frames[0].compressed) << "replies are not";
}

struct WindowRow {
  std::string_view sentence;
  std::string fields;
  bool small, medium, large;  // which messages come compressed: of 1,023, of 3,000, of 9,000 bytes
};

TEST_F(CompressionTest, EachReaderGetsWhatFitsItsWindowAndAMessageIsCompressedOnce) {
  const WindowRow rows[] = {
      {"no compression", "", false, false, false},
      {"the largest window", std::string{kOffer}, false, true, true},
      {"the largest window, spelled out", offer(15), false, true, true},
      {"14 bits", offer(14), false, true, false},
      {"12 bits", offer(12), false, true, false},
      {"11 bits: plain, whatever was agreed", offer(11), false, false, false},
      {"8 bits", offer(8), false, false, false},
  };
  std::vector<CoreClient*> readers;
  for (const WindowRow& row : rows) readers.push_back(&reader(row.fields));
  // An exchange message is its data, so that sizes are easy to tell.
  CoreClient& exchange = node.open("/ws/c", 0, kOffer);
  for (const std::size_t bytes : {1'023U, 3'000U, 9'000U}) publish(json(bytes));
  EXPECT_EQ(node.count(CounterId::messages_deflated), 5U) << "the native form of all three, raw data of two";
  EXPECT_GT(node.count(CounterId::deflate_saved_bytes), 5'000U);
  EXPECT_EQ(node.count(CounterId::deflate_skipped_small), 1U);
  const auto frames = CoreHarness::take_frames(exchange);
  ASSERT_EQ(frames.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(frames[i].compressed, i > 0);
    EXPECT_EQ(frames[i].payload, json(std::array{1'023U, 3'000U, 9'000U}[i]));
  }
  const auto plain = CoreHarness::take_frames(*readers[0]);
  ASSERT_EQ(plain.size(), 3U);
  for (std::size_t i = 1; i < std::size(rows); ++i) {
    const auto got = CoreHarness::take_frames(*readers[i]);
    ASSERT_EQ(got.size(), 3U) << rows[i].sentence;
    for (std::size_t j = 0; j < 3; ++j) EXPECT_EQ(got[j].payload, plain[j].payload) << rows[i].sentence;
    EXPECT_EQ(got[0].compressed, rows[i].medium) << rows[i].sentence << ": its envelope makes it larger than 1 KiB";
    EXPECT_EQ(got[1].compressed, rows[i].medium) << rows[i].sentence;
    EXPECT_EQ(got[2].compressed, rows[i].large) << rows[i].sentence;
  }
}

TEST_F(CompressionTest, TheThresholdIsTheFirstSizeThatIsCompressed) {
  for (const std::uint32_t threshold : {0U, 500U}) {
    node.options.compression.threshold = threshold;
    CoreHarness other{node.options};
    CoreClient& client = other.open("/ws/c", 0, kOffer);
    CoreClient& publisher = other.native();
    for (const std::size_t bytes : {499U, 500U}) {
      other.say(publisher, R"({"type":"publish","channel":"c","data":)" + json(bytes) + "}");
    }
    const auto frames = CoreHarness::take_frames(client);
    ASSERT_EQ(frames.size(), 2U);
    EXPECT_EQ(frames[0].compressed, threshold == 0);
    EXPECT_TRUE(frames[1].compressed);
  }
}

TEST_F(CompressionTest, WhatDoesNotGetSmallerGoesOutAsItIs) {
  CoreClient& client = reader(kOffer);
  std::string data = "\"";
  std::uint64_t random = 88'172'645'463'325'252ULL;
  while (data.size() < 3'000) {  // characters from all of UTF-8's two-byte range: hardly anything to gain, if at all
    random ^= random << 13, random ^= random >> 7, random ^= random << 17;
    data += static_cast<char>(0xc4 + random % 24);
    data += static_cast<char>(0x80 + (random >> 8) % 64);
  }
  node.options.compression.threshold = 0;
  publish(data + "\"");
  const auto frames = CoreHarness::take_frames(client);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_TRUE(frames[0].payload.contains(data));
  CoreClient& echo = node.open("/echo", 0, kOffer);
  node.bytes(echo, CoreHarness::masked(Opcode::text, "ab"));
  node.run();
  EXPECT_EQ(CoreHarness::take_frames(echo), (std::vector{ReceivedFrame{.opcode = Opcode::text, .payload = "ab"}}));
}

TEST_F(CompressionTest, AnotherShardsReadersGetTheFrameThatTheHomePacked) {
  CoreOptions options;
  options.shards = 2;
  CoreHarness both{options};
  const std::string channel = both.channel_on(0);
  CoreClient& publisher = both.native(0);
  std::vector<CoreClient*> readers;
  for (std::uint32_t i = 0; i < 4; ++i) {
    CoreClient& client = both.native(i % 2, "/ws/connect", i < 2 ? std::string{kOffer} : offer(12));
    both.say(client, R"({"type":"subscribe","channels":[")" + channel + R"("]})");
    CoreHarness::take_frames(client);
    readers.push_back(&client);
  }
  both.say(publisher, R"({"type":"publish","channel":")" + channel + R"(","data":)" + json(3'000) + "}");
  for (CoreClient* client : readers) {
    const auto frames = CoreHarness::take_frames(*client);
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_TRUE(frames[0].compressed);
    EXPECT_TRUE(frames[0].payload.contains(json(3'000)));
  }
  EXPECT_EQ(both.count(CounterId::messages_deflated), 1U);
}

TEST_F(CompressionTest, SetPropertyChangesTheEnvelopeAndKeepsTheCompression) {
  CoreClient& client = node.open("/ws/c", 0, kOffer);
  node.say(client, R"({"method":"SET_PROPERTY","params":["combined",true],"id":1})");
  node.say(client, R"({"method":"GET_PROPERTY","params":["combined"],"id":2})");
  EXPECT_EQ(CoreHarness::take_texts(client),
            (std::vector<std::string>{R"({"result":null,"id":1})", R"({"result":true,"id":2})"}));
  publish(json(3'000));
  const auto frames = CoreHarness::take_frames(client);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_TRUE(frames[0].compressed);
  EXPECT_EQ(frames[0].payload, R"({"stream":"c","data":)" + json(3'000) + "}");
}

TEST_F(CompressionTest, RecordsArePackedLikeTexts) {
  constexpr std::string_view kBinary = "Sec-WebSocket-Protocol: ringcast.v1.bin\r\n";
  std::vector<std::vector<ReceivedFrame>> got;
  for (const std::string& fields : {std::string{kBinary}, std::string{kBinary} + std::string{kOffer}}) {
    CoreClient& client = reader(fields);
    publish(json(3'000));
    got.push_back(CoreHarness::take_frames(client));
    ASSERT_EQ(got.back().size(), 1U);
    EXPECT_EQ(got.back()[0].opcode, Opcode::binary);
    EXPECT_TRUE(got.back()[0].payload.contains(json(3'000)));
  }
  EXPECT_FALSE(got[0][0].compressed);
  EXPECT_TRUE(got[1][0].compressed);
  EXPECT_EQ(got[0][0].payload.size(), got[1][0].payload.size());
}

TEST_F(CompressionTest, AnIdleCompressedConnectionHoldsNothingMoreThanAPlainOne) {
  CoreClient& first = node.open("/echo", 0, kOffer);  // takes the shard's one state for all
  node.bytes(first, compressed(Opcode::text, json(300'000)));
  node.run();
  CoreHarness::take_frames(first);
  const std::uint64_t before = node.budget().total();
  for (int i = 0; i < 10; ++i) {
    CoreClient& client = node.open("/echo", 0, i % 2 == 0 ? kOffer : "");
    const std::uint64_t at_rest = node.budget().total();
    if (i % 2 == 0) node.bytes(client, compressed(Opcode::text, json(300'000)));
    node.run();
    CoreHarness::take_frames(client);
    EXPECT_EQ(node.budget().total(), at_rest);
  }
  EXPECT_LE(node.budget().total(), before + 64U * 1'024) << "connection slots, and nothing else";
}

}  // namespace
}  // namespace ringcast
