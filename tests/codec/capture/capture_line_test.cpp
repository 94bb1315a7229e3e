#include "codec/capture/capture_line.hpp"

#include <gtest/gtest.h>

#include <string>

namespace ringcast {
namespace {

TEST(CaptureLine, TakesAStreamMessageApart) {
  JsonReader reader;
  const std::string line =
      R"(1723161254087896568 {"stream":"btcusdt@trade","data":{"e":"trade", "p":"61837.63000000"}})";
  const auto parsed = parse_capture_line(line, reader);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->kind, CaptureKind::stream_message);
  EXPECT_EQ(parsed->received.time_since_epoch().count(), 1'723'161'254'087'896'568);
  EXPECT_EQ(parsed->stream, "btcusdt@trade");
  EXPECT_EQ(parsed->data, R"({"e":"trade", "p":"61837.63000000"})") << "byte for byte";
  EXPECT_EQ(parsed->json, line.substr(20));
}

TEST(CaptureLine, TakesAnOrderBookSnapshotApart) {
  JsonReader reader;
  const auto parsed =
      parse_capture_line(R"(17 {"lastUpdateId":35346513512,"bids":[["2683.8","3.0"]],"asks":[]})", reader);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->kind, CaptureKind::order_book_snapshot);
  EXPECT_EQ(parsed->last_update_id, 35'346'513'512U);
  EXPECT_EQ(parsed->bids, R"([["2683.8","3.0"]])");
  EXPECT_EQ(parsed->asks, "[]");
}

struct LineRow {
  std::string_view sentence;
  std::string line;
  std::optional<CaptureKind> kind;  // none: an error
};
const LineRow kLineRows[] = {
    {"a stream message", R"(1 {"stream":"a","data":1})", CaptureKind::stream_message},
    {"its members the other way round", R"(1 {"data":{},"stream":"a"})", CaptureKind::stream_message},
    {"a carriage return", "1 {\"stream\":\"a\",\"data\":1}\r", CaptureKind::stream_message},
    {"a name with an escape", R"(1 {"str\u0065am":"\u0061","data":1})", CaptureKind::stream_message},
    {"an unknown member beside them", R"(1 {"stream":"a","data":1,"x":2})", CaptureKind::stream_message},
    {"a snapshot with more members", R"(1 {"lastUpdateId":1,"E":2,"T":3,"bids":[],"asks":[]})",
     CaptureKind::order_book_snapshot},
    {"an answer of the exchange", R"(1 {"result":null,"id":1})", CaptureKind::other},
    {"a payload without its envelope", R"(1 {"e":"trade","s":"BTCUSDT"})", CaptureKind::other},
    {"a stream without data", R"(1 {"stream":"a"})", CaptureKind::other},
    {"a stream that is no string", R"(1 {"stream":1,"data":1})", CaptureKind::other},
    {"a snapshot without asks", R"(1 {"lastUpdateId":1,"bids":[]})", CaptureKind::other},
    {"a snapshot whose bids are no array", R"(1 {"lastUpdateId":1,"bids":{},"asks":[]})", CaptureKind::other},
    {"a snapshot whose id is a string", R"(1 {"lastUpdateId":"1","bids":[],"asks":[]})", CaptureKind::other},
    {"an array", "1 []", CaptureKind::other},
    {"no time", R"({"stream":"a","data":1})", std::nullopt},
    {"a time that is no number", R"(now {"stream":"a","data":1})", std::nullopt},
    {"a negative time", R"(-1 {"stream":"a","data":1})", std::nullopt},
    {"a time beyond 63 bits", R"(9223372036854775808 {"stream":"a","data":1})", std::nullopt},
    {"the last time there is", R"(9223372036854775807 {"stream":"a","data":1})", CaptureKind::stream_message},
    {"a time alone", "1723161254087896568", std::nullopt},
    {"a time and a space", "1723161254087896568 ", std::nullopt},
    {"a tab for the space", "1\t{\"stream\":\"a\",\"data\":1}", std::nullopt},
    {"a line cut short", R"(1 {"stream":"a","data":{"x":)", std::nullopt},
    {"two lines in one", R"(1 {"stream":"a","data":1}2 {"stream":"a","data":1})", std::nullopt},
    {"data that is only nearly JSON", R"(1 {"stream":"a","data":{"a":nonsense 12}})", std::nullopt},
    {"a duplicate member", R"(1 {"stream":"a","data":1,"data":2})", std::nullopt},
    {"an empty stream", R"(1 {"stream":"","data":1})", std::nullopt},
    {"a stream that is too long", "1 {\"stream\":\"" + std::string(256, 'x') + "\",\"data\":1}", std::nullopt},
    {"a stream with a control character", R"(1 {"stream":"a\n","data":1})", std::nullopt},
    {"bytes that are not UTF-8", "1 {\"stream\":\"a\xFF\",\"data\":1}", std::nullopt},
};

TEST(CaptureLine, IsAMessageASnapshotSomethingElseOrWrong) {
  JsonReader reader;
  for (const LineRow& row : kLineRows) {
    const auto parsed = parse_capture_line(row.line, reader);
    EXPECT_EQ(parsed.has_value(), row.kind.has_value()) << row.sentence;
    if (parsed && row.kind) {
      EXPECT_EQ(parsed->kind, *row.kind) << row.sentence;
    }
    if (!parsed) {
      EXPECT_FALSE(parsed.error().sentence.empty()) << row.sentence;
    }
  }
}

}  // namespace
}  // namespace ringcast
