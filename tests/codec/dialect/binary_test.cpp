#include "codec/dialect/binary.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "codec/dialect/encode.hpp"
#include "codec/text/channel_name.hpp"
#include "codec/text/utf8.hpp"
#include "tests/codec/guarded_bytes.hpp"

namespace ringcast {
namespace {

using namespace std::string_view_literals;

/// A record as its bytes stand, so that the tests do not rest on our own writer.
struct Raw {
  std::uint8_t version = 1, kind = 64;
  std::uint16_t flags = 0;
  std::uint32_t channel_id = 0;
  std::uint64_t seq = 7, time_ns = 0;
  int payload_more = 0;  // than there is
  int channel_more = 0, event_more = 0, message_id_more = 0, extra_more = 0;
  std::string_view extra{}, channel = "orders", event{}, message_id{}, data = "{}";
  std::string_view behind{};

  [[nodiscard]] std::string text() const {
    const auto little = [](auto number) { return std::string{reinterpret_cast<const char*>(&number), sizeof number}; };
    const auto size = [](std::string_view part, int more) {
      return static_cast<char>(static_cast<int>(part.size()) + more);
    };
    std::string out{static_cast<char>(version), static_cast<char>(kind)};
    out += little(flags) + little(channel_id) + little(seq) + little(time_ns);
    const auto bytes = extra.size() + channel.size() + event.size() + message_id.size() + data.size();
    out += little(static_cast<std::uint32_t>(static_cast<int>(bytes) + payload_more));
    out += {size(channel, channel_more), size(event, event_more), size(message_id, message_id_more),
            size(extra, extra_more)};
    for (const std::string_view part : {extra, channel, event, message_id, data, behind}) out += part;
    return out;
  }
};

TEST(BinaryDecoder, ReadsEveryPartOfAPublish) {
  BinaryDecoder decoder;
  const std::string text = Raw{.flags = RCB_SNAPSHOT | RCB_ANSWER | RCB_HIGH,
                               .seq = 0x0123'4567'89ab'cdef,
                               .extra = "\x29\0\0\0\0\0\0\0"sv,
                               .channel = "btcusdt@depth",
                               .event = "book \xE2\x82\xAC",
                               .message_id = "m-1",
                               .data = "\0\xFF any bytes"sv,
                               .behind = "the next record"}
                               .text();
  const auto decoded = decoder.decode(as_bytes(text));
  ASSERT_TRUE(decoded.has_value()) << decoded.error().sentence;
  EXPECT_EQ(decoded->bytes, text.size() - 15);
  const Command& command = decoded->command;
  EXPECT_EQ(command.kind, CommandKind::publish);
  EXPECT_EQ(command.channel, "btcusdt@depth");
  EXPECT_EQ(command.event, "book \xE2\x82\xAC");
  EXPECT_EQ(command.message_id, "m-1");
  EXPECT_EQ(command.data, "\0\xFF any bytes"sv);
  EXPECT_TRUE(command.unchecked);
  EXPECT_TRUE(command.snapshot);
  EXPECT_TRUE(command.high_priority);
  EXPECT_TRUE(command.has_as_of);
  EXPECT_EQ(command.as_of, Sequence{41});
  const auto request = read_binary_id(command.id);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->number, 0x0123'4567'89ab'cdefU);
  EXPECT_TRUE(request->wants_answer);
}

TEST(BinaryDecoder, ReadsAPublishThatHasNothingThatMayBeMissing) {
  BinaryDecoder decoder;
  const std::string text = Raw{.seq = 0, .channel = "c", .data = ""}.text();
  ASSERT_EQ(text.size(), 33U);
  const auto decoded = decoder.decode(as_bytes(text));
  ASSERT_TRUE(decoded.has_value()) << decoded.error().sentence;
  EXPECT_EQ(decoded->bytes, 33U);
  EXPECT_EQ(decoded->command.channel, "c");
  EXPECT_TRUE(decoded->command.event.empty());
  EXPECT_TRUE(decoded->command.message_id.empty());
  EXPECT_TRUE(decoded->command.data.empty());
  EXPECT_FALSE(decoded->command.snapshot);
  EXPECT_FALSE(decoded->command.has_as_of);
  EXPECT_FALSE(decoded->command.high_priority);
  EXPECT_FALSE(read_binary_id(decoded->command.id)->wants_answer);
}

struct FaultRow {
  std::string_view sentence;  // what the client is told
  std::string text;
  std::string_view channel{};  // that is blamed
  ErrorCode code = ErrorCode::invalid_message;
  std::uint64_t request = 7;
};

std::vector<FaultRow> fault_rows() {
  const std::string whole = Raw{}.text();
  const std::string long_name(255, 'x');
  constexpr std::string_view kHeader = "a record begins with a header of 32 bytes";
  constexpr std::string_view kCut = "the message ends within a record";
  constexpr std::string_view kParts = "the parts of the record are larger than its payload";
  constexpr std::string_view kVersion = "the record is of a version that is not spoken here";
  constexpr std::string_view kKind = "a client sends records of kind publish";
  constexpr std::string_view kFlag = "the record has a flag that means nothing in a publish";
  constexpr std::string_view kZero = "channel_id and time_ns of a publish must be 0";
  constexpr std::string_view kExtra = "the extra of a publish is its as_of_seq, 8 bytes, or nothing";
  std::vector<FaultRow> rows{
      {kHeader, "", {}, ErrorCode::invalid_message, 0},
      {kHeader, whole.substr(0, 1), {}, ErrorCode::invalid_message, 0},
      {kHeader, whole.substr(0, 31), {}, ErrorCode::invalid_message, 0},
      {kCut, whole.substr(0, 32)},
      {kCut, whole.substr(0, whole.size() - 1)},
      {kCut, Raw{.payload_more = 1}.text()},
      {kCut, Raw{.payload_more = 0x7fff'ff00}.text()},
      {kVersion, Raw{.version = 0}.text(), {}, ErrorCode::not_supported, 0},
      {kVersion, Raw{.version = 2}.text(), {}, ErrorCode::not_supported, 0},
      {kVersion, Raw{.version = 255}.text(), {}, ErrorCode::not_supported, 0},
      {kParts, Raw{.payload_more = -3}.text()},
      {kParts, Raw{.channel_more = 3}.text()},
      {kParts, Raw{.channel_more = 249}.text()},
      {kParts, Raw{.event_more = 3}.text()},
      {kParts, Raw{.message_id_more = 255}.text()},
      {kParts, Raw{.extra_more = 3}.text()},
      {kFlag, Raw{.flags = RCB_DUPLICATE}.text(), "orders"},
      {kFlag, Raw{.flags = 0x8000}.text(), "orders"},
      {kZero, Raw{.channel_id = 1}.text(), "orders"},
      {kZero, Raw{.time_ns = 1}.text(), "orders"},
      {kExtra, Raw{.flags = RCB_SNAPSHOT, .extra = "1234567"}.text(), "orders"},
      {kExtra, Raw{.flags = RCB_SNAPSHOT, .extra = "123456789"}.text(), "orders"},
      {"as_of_seq goes with the flag for a snapshot", Raw{.extra = "12345678"}.text(), "orders"},
      {"a channel name must not be empty", Raw{.channel = ""}.text()},
      {"a channel name must be UTF-8", Raw{.channel = "a\xFF"}.text()},
      {"a channel name has no control characters", Raw{.channel = "a\n"}.text()},
      {"event must be UTF-8", Raw{.event = "\xC0\xAF"}.text(), "orders"},
      {"message_id must be UTF-8", Raw{.message_id = "\x80"}.text(), "orders"},
  };
  for (int kind = 0; kind < 256; ++kind) {
    if (kind != RCB_PUBLISH) rows.push_back({kKind, Raw{.kind = static_cast<std::uint8_t>(kind)}.text()});
  }
  for (int bit = 0; bit < 16; ++bit) {
    const auto flag = static_cast<std::uint16_t>(1U << bit);
    if ((flag & (RCB_SNAPSHOT | RCB_ANSWER | RCB_HIGH)) == 0)
      rows.push_back({kFlag, Raw{.flags = flag}.text(), "orders"});
  }
  return rows;
}

TEST(BinaryDecoder, RefusesEveryMistakeWithItsSentenceAndNeverReadsBeyondTheMessage) {
  BinaryDecoder decoder;
  GuardedBytes guarded{4'096};
  for (const FaultRow& row : fault_rows()) {
    const auto decoded = decoder.decode(guarded.place(as_bytes(row.text)));
    ASSERT_FALSE(decoded.has_value()) << row.sentence;
    const CommandError& error = decoded.error();
    EXPECT_EQ(error.sentence, row.sentence);
    EXPECT_EQ(error.code, row.code) << row.sentence;
    EXPECT_EQ(error.channel, row.channel) << row.sentence;
    const auto request = read_binary_id(error.id);
    ASSERT_TRUE(request.has_value()) << row.sentence;
    EXPECT_EQ(request->number, row.request) << row.sentence;
  }
}

TEST(BinaryDecoder, TakesTheLongestTextsAndNothingLonger) {
  BinaryDecoder decoder;
  GuardedBytes guarded{4'096};
  const std::string longest(255, 'x');
  const std::string text = Raw{.channel = longest, .event = longest, .message_id = longest, .data = ""}.text();
  const auto decoded = decoder.decode(guarded.place(as_bytes(text)));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->bytes, 32U + 3 * 255);
  EXPECT_EQ(decoded->command.message_id, longest);
}

TEST(BinaryDecoder, SurvivesMutationsAgainstAGuardPage) {
  std::mt19937 random{17};
  BinaryDecoder decoder;
  GuardedBytes guarded{4'096};
  std::vector<std::string> texts{
      Raw{}.text(), Raw{.flags = RCB_SNAPSHOT, .extra = "12345678", .event = "e", .message_id = "m"}.text(),
      Raw{.data = "x", .behind = "more"}.text(), Raw{.channel = "\xE2\x82\xAC"}.text()};
  int accepted = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string text = texts[random() % texts.size()];
    for (std::size_t i = random() % 4; i > 0; --i) text[random() % text.size()] = static_cast<char>(random());
    if (random() % 4 == 0) text.resize(random() % (text.size() + 1));
    const auto decoded = decoder.decode(guarded.place(as_bytes(text)));
    if (!decoded) {
      EXPECT_FALSE(decoded.error().sentence.empty());
      continue;
    }
    ++accepted;
    EXPECT_LE(decoded->bytes, text.size());
    EXPECT_TRUE(is_valid_channel_name(decoded->command.channel));
    EXPECT_TRUE(is_valid_utf8(decoded->command.event));
    EXPECT_TRUE(is_valid_utf8(decoded->command.message_id));
  }
  EXPECT_GT(accepted, 1'000);
}

TEST(BinaryId, IsNoIdOfJsonAndComesBackAsItWas) {
  for (const std::uint64_t number : {0UL, 1UL, ~0UL, 0x2222'2222'2222'2222UL}) {  // the last one is quotes
    for (const bool wants_answer : {false, true}) {
      const BinaryId id = binary_id_of({number, wants_answer});
      const auto request = read_binary_id({id.data(), id.size()});
      ASSERT_TRUE(request.has_value());
      EXPECT_EQ(request->number, number);
      EXPECT_EQ(request->wants_answer, wants_answer);
    }
  }
  for (const std::string_view json : {"", "1", "\"1234567\"", "123456789", "-12345678", "\x01",
                                      "\x03"
                                      "12345678"}) {
    EXPECT_FALSE(read_binary_id(json).has_value()) << json;
  }
}

// ---- what clients are told ----

/// The records of a message, read with the public header's own reader.
std::vector<rcb_record> records_of(std::string_view text) {
  std::vector<rcb_record> records;
  const auto* at = as_bytes(text).data();
  const auto* end = at + text.size();
  rcb_record record;
  while (rcb_next(&at, end, &record) == RCB_OK) records.push_back(record);
  EXPECT_EQ(at, end) << "the last record ends the message";
  return records;
}
std::string_view text_of(const char* text, std::size_t bytes) { return {text, bytes}; }

struct MessageRow {
  std::string_view sentence;
  MessageView message;
};
const MessageRow kMessageRows[] = {
    {"everything",
     {.channel = "orders",
      .epoch = Epoch{1},
      .seq = Sequence{45},
      .published_at = WallTime{nanoseconds{1'795'168'800'123'456'789}},
      .event = "order_update",
      .message_id = "7f3c",
      .data = R"({"order_id": 17})",
      .snapshot = true,
      .channel_id = 0x0102'0304}},
    {"a snapshot of an earlier instant, for a user who was away",
     {.channel = "c",
      .seq = Sequence{9},
      .published_at = WallTime{nanoseconds{1}},
      .data = "[]",
      .snapshot = true,
      .as_of = Sequence{5},
      .stored = true,
      .channel_id = 1}},
    {"nothing that can be left out",
     {.channel = "c", .seq = Sequence{1}, .published_at = WallTime{nanoseconds{1}}, .data = "", .channel_id = 1}},
    {"the largest numbers, and bytes that are no text",
     {.channel = "c",
      .seq = Sequence{~0UL},
      .published_at = WallTime{nanoseconds{0x7fff'ffff'ffff'ffff}},
      .data = "\0\xFF\x80"sv,
      .channel_id = ~0U}},
};

TEST(BinaryMessage, ComesBackFromThePublicReaderAsItWasPut) {
  for (const MessageRow& row : kMessageRows) {
    const MessageView& message = row.message;
    const std::size_t bytes = message_payload_size(Form::binary, message);
    std::string out(bytes + 1, '\xEE');
    auto* begin = reinterpret_cast<std::uint8_t*>(out.data());
    EXPECT_EQ(write_message_payload(Form::binary, message, begin), begin + bytes) << "as many bytes as announced";
    EXPECT_EQ(out.back(), '\xEE') << "and none behind them";
    out.pop_back();
    const auto records = records_of(out);
    ASSERT_EQ(records.size(), 1U) << row.sentence;
    const rcb_record& record = records[0];
    EXPECT_EQ(record.header.version, 1) << row.sentence;
    EXPECT_EQ(record.header.kind, RCB_MESSAGE) << row.sentence;
    EXPECT_EQ(record.header.flags, (message.snapshot ? RCB_SNAPSHOT : 0) | (message.stored ? RCB_STORED : 0));
    EXPECT_EQ(rcb_get_as_of(&record), value(message.as_of)) << row.sentence;
    EXPECT_EQ(record.header.channel_id, message.channel_id) << row.sentence;
    EXPECT_EQ(record.header.seq, value(message.seq)) << row.sentence;
    EXPECT_EQ(static_cast<std::int64_t>(record.header.time_ns), message.published_at.time_since_epoch().count());
    EXPECT_EQ(record.header.channel_bytes, 0) << row.sentence;
    EXPECT_EQ(record.header.extra_bytes, message.as_of == Sequence{} ? 0 : 8) << row.sentence;
    EXPECT_EQ(text_of(record.event, record.header.event_bytes), message.event) << row.sentence;
    EXPECT_EQ(text_of(record.message_id, record.header.message_id_bytes), message.message_id) << row.sentence;
    EXPECT_EQ(as_text(Bytes{record.data, record.data_bytes}), message.data) << row.sentence;
  }
}

TEST(BinaryMessage, LiesInMemoryAsTheTableInTheHeaderSays) {
  const MessageView message{.channel = "c",
                            .seq = Sequence{0x1112'1314'1516'1718},
                            .published_at = WallTime{nanoseconds{0x2122'2324'2526'2728}},
                            .event = "e1",
                            .message_id = "id9",
                            .data = "data!",
                            .snapshot = true,
                            .channel_id = 0x3132'3334};
  std::string out(binary_message_size(message), '\0');
  (void)write_binary_message(message, reinterpret_cast<std::uint8_t*>(out.data()));
  EXPECT_EQ(out,
            "\x01\x01\x01\x00\x34\x33\x32\x31\x18\x17\x16\x15\x14\x13\x12\x11"
            "\x28\x27\x26\x25\x24\x23\x22\x21\x0a\x00\x00\x00\x00\x02\x03\x00"
            "e1id9data!"sv);
}

TEST(BinaryGap, NamesTheRunAndTheReasonAndANewEpochsChannel) {
  constexpr GapReason kReasons[] = {GapReason::conflated, GapReason::dropped, GapReason::expired, GapReason::epoch};
  for (const GapReason reason : kReasons) {
    const GapView gap{.channel = "orders",
                      .from = Sequence{46},
                      .to = Sequence{57},
                      .reason = reason,
                      .epoch = Epoch{0xab},
                      .channel_id = 12};
    std::string out(gap_payload_size(Form::binary, gap), '\0');
    auto* begin = reinterpret_cast<std::uint8_t*>(out.data());
    EXPECT_EQ(write_gap_payload(Form::binary, gap, begin), begin + out.size());
    const auto records = records_of(out);
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].header.kind, RCB_GAP);
    EXPECT_EQ(records[0].header.channel_id, 12U);
    EXPECT_EQ(records[0].header.seq, 46U);
    rcb_gap extra;
    ASSERT_EQ(rcb_get_gap(&records[0], &extra), 1);
    EXPECT_EQ(extra.to, 57U);
    EXPECT_EQ(extra.epoch, 0xabU);
    EXPECT_EQ(extra.reason, std::to_underlying(reason) + 1U);
    EXPECT_EQ(text_of(records[0].channel, records[0].header.channel_bytes), reason == GapReason::epoch ? "orders" : "");
    EXPECT_EQ(records[0].data_bytes, 0U);
  }
}

TEST(BinaryAnswers, StandOneBehindTheOtherInOneMessage) {
  std::string out;
  append_binary_published(out, {.request = 5, .channel_id = 9, .epoch = Epoch{77}, .seq = Sequence{3}});
  append_binary_error(out, {.request = 6,
                            .code = ErrorCode::overloaded,
                            .message = "not now",
                            .channel = "orders",
                            .retry_after = milliseconds{1'000}});
  append_binary_published(
      out, {.request = ~0UL, .channel_id = 9, .epoch = Epoch{77}, .seq = Sequence{3}, .duplicate = true});
  append_binary_error(out, {.request = 0, .message = "what was that?"});
  const auto records = records_of(out);
  ASSERT_EQ(records.size(), 4U);
  rcb_published published;
  ASSERT_EQ(rcb_get_published(&records[0], &published), 1);
  EXPECT_EQ(published.request, 5U);
  EXPECT_EQ(published.epoch, 77U);
  EXPECT_EQ(records[0].header.seq, 3U);
  EXPECT_EQ(records[0].header.channel_id, 9U);
  EXPECT_EQ(records[0].header.flags, 0);
  rcb_error error;
  ASSERT_EQ(rcb_get_error(&records[1], &error), 1);
  EXPECT_EQ(error.request, 6U);
  EXPECT_EQ(error.code, static_cast<std::uint32_t>(RCB_OVERLOADED));
  EXPECT_EQ(error.retry_after_ms, 1'000U);
  EXPECT_EQ(text_of(records[1].channel, records[1].header.channel_bytes), "orders");
  EXPECT_EQ(as_text(Bytes{records[1].data, records[1].data_bytes}), "not now");
  ASSERT_EQ(rcb_get_published(&records[2], &published), 1);
  EXPECT_EQ(published.request, ~0UL);
  EXPECT_EQ(records[2].header.flags, RCB_DUPLICATE);
  ASSERT_EQ(rcb_get_error(&records[3], &error), 1);
  EXPECT_EQ(error.code, static_cast<std::uint32_t>(RCB_INVALID_MESSAGE));
  EXPECT_EQ(error.retry_after_ms, 0U);
  rcb_gap gap;
  EXPECT_EQ(rcb_get_gap(&records[3], &gap), 0) << "an error is no gap";
}

TEST(BinaryErrorCodes, AreTheCodesOfTheNativeDialectInItsOrder) {
  struct Row {
    int number;
    std::string_view name;
  };
  constexpr Row kRows[] = {{RCB_INVALID_MESSAGE, "invalid_message"},
                           {RCB_RATE_LIMITED, "rate_limited"},
                           {RCB_UNAUTHORIZED, "unauthorized"},
                           {RCB_AUTH_REQUIRED, "auth_required"},
                           {RCB_AUTH_FAILED, "auth_failed"},
                           {RCB_PROCESSING_ERROR, "processing_error"},
                           {RCB_CONNECTION_CLOSED, "connection_closed"},
                           {RCB_UNKNOWN_CHANNEL, "unknown_channel"},
                           {RCB_TOO_MANY_SUBSCRIPTIONS, "too_many_subscriptions"},
                           {RCB_MESSAGE_TOO_LARGE, "message_too_large"},
                           {RCB_OVERLOADED, "overloaded"},
                           {RCB_NOT_SUPPORTED, "not_supported"}};
  for (const Row& row : kRows) EXPECT_EQ(name_of(static_cast<ErrorCode>(row.number - 1)), row.name);
}

TEST(PublicHeader, WritesAPublishThatTheDecoderReadsAsItWasSaid) {
  const rcb_publication what{.channel = "orders",
                             .event = "e",
                             .message_id = "m-1",
                             .data = "\x01\x02",
                             .data_bytes = 2,
                             .channel_bytes = 6,
                             .event_bytes = 1,
                             .message_id_bytes = 3,
                             .has_as_of = 1,
                             .flags = RCB_SNAPSHOT | RCB_ANSWER,
                             .as_of_seq = 40,
                             .request = 99};
  std::vector<std::uint8_t> out(rcb_publish_bytes(&what));
  EXPECT_EQ(rcb_write_publish(out.data(), &what), out.data() + out.size());
  BinaryDecoder decoder;
  const auto decoded = decoder.decode(out);
  ASSERT_TRUE(decoded.has_value()) << decoded.error().sentence;
  EXPECT_EQ(decoded->bytes, out.size());
  EXPECT_EQ(decoded->command.channel, "orders");
  EXPECT_EQ(decoded->command.event, "e");
  EXPECT_EQ(decoded->command.message_id, "m-1");
  EXPECT_EQ(decoded->command.data, "\x01\x02");
  EXPECT_EQ(decoded->command.as_of, Sequence{40});
  EXPECT_EQ(read_binary_id(decoded->command.id)->number, 99U);
}

TEST(PublicHeader, AReaderSkipsWhatALaterServerAdds) {
  std::string out = Raw{.kind = 200, .flags = 0xff00, .extra = "a new kind", .channel = "", .data = "of record"}.text();
  out += Raw{.kind = RCB_GAP,
             .seq = 4,
             .extra = "\x05\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0and more"sv,
             .channel = "",
             .data = ""}
             .text();
  const auto records = records_of(out);
  ASSERT_EQ(records.size(), 2U);
  rcb_gap gap;
  ASSERT_EQ(rcb_get_gap(&records[1], &gap), 1);
  EXPECT_EQ(gap.to, 5U);
  EXPECT_EQ(gap.epoch, 6U);
  EXPECT_EQ(gap.reason, static_cast<std::uint32_t>(RCB_DROPPED));
}

TEST(PublicHeader, AnExtraThatIsTooShortIsNone) {
  for (const std::uint8_t kind : {RCB_GAP, RCB_PUBLISHED, RCB_ERROR}) {
    const std::string out = Raw{.kind = kind, .extra = "15 bytes long.."}.text();
    const auto records = records_of(out);
    ASSERT_EQ(records.size(), 1U);
    rcb_gap gap;
    rcb_published published;
    rcb_error error;
    EXPECT_EQ(rcb_get_gap(&records[0], &gap), 0);
    EXPECT_EQ(rcb_get_published(&records[0], &published), 0);
    EXPECT_EQ(rcb_get_error(&records[0], &error), 0);
  }
}

}  // namespace
}  // namespace ringcast
