#include "codec/dialect/encode.hpp"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <string>
#include <vector>

#include "codec/dialect/exchange.hpp"
#include "codec/dialect/native.hpp"
#include "codec/dialect/native_presence.hpp"
#include "codec/dialect/native_reply.hpp"
#include "codec/text/json.hpp"

namespace ringcast {
namespace {

constexpr WallTime kTime{nanoseconds{1'795'168'800'123'456'789}};

std::string encoded(Form form, const MessageView& message) {
  const std::size_t bytes = message_payload_size(form, message);
  std::vector<std::uint8_t> out(bytes + 1, 0xEE);
  EXPECT_EQ(write_message_payload(form, message, out.data()), out.data() + bytes) << "as many bytes as announced";
  EXPECT_EQ(out.back(), 0xEE) << "and none behind them";
  return {out.begin(), out.end() - 1};
}

struct MessageRow {
  std::string_view sentence;
  MessageView message;
  std::string_view native, combined;
};
constexpr MessageRow kMessageRows[] = {
    {"everything",
     {"orders", Epoch{1}, Sequence{45}, kTime, "order_update", "7f3c", R"({"order_id": 17})", true},
     R"({"type":"message","channel":"orders","seq":45,"event":"order_update",)"
     R"("timestamp":"2026-11-20T10:00:00.123456Z","message_id":"7f3c","state":"snapshot","data":{"order_id": 17}})",
     R"({"stream":"orders","data":{"order_id": 17}})"},
    {"nothing that can be left out",
     {"btcusdt@trade", Epoch{1}, Sequence{1}, kTime, "", "", "null", false},
     R"({"type":"message","channel":"btcusdt@trade","seq":1,"timestamp":"2026-11-20T10:00:00.123456Z","data":null})",
     R"({"stream":"btcusdt@trade","data":null})"},
    {"texts that need escapes, and the last seq",
     {"a\"b\\c", Epoch{1}, Sequence{~std::uint64_t{0}}, kTime, "e\n", "\x01", "[1]", false},
     R"({"type":"message","channel":"a\"b\\c","seq":18446744073709551615,"event":"e\n",)"
     R"("timestamp":"2026-11-20T10:00:00.123456Z","message_id":"\u0001","data":[1]})",
     R"({"stream":"a\"b\\c","data":[1]})"},
    {"UTF-8 as it is",
     {"\xC3\xA9", Epoch{1}, Sequence{10}, kTime, "", "", "\"\xE2\x82\xAC\"", false},
     "{\"type\":\"message\",\"channel\":\"\xC3\xA9\",\"seq\":10,\"timestamp\":\"2026-11-20T10:00:00.123456Z\",\"data\":"
     "\"\xE2\x82\xAC\"}",
     "{\"stream\":\"\xC3\xA9\",\"data\":\"\xE2\x82\xAC\"}"},
};

TEST(Encode, WritesEveryFormExactlyAsLongAsAnnounced) {
  for (const MessageRow& row : kMessageRows) {
    EXPECT_EQ(encoded(Form::native_json, row.message), row.native) << row.sentence;
    EXPECT_EQ(encoded(Form::exchange_combined, row.message), row.combined) << row.sentence;
    EXPECT_EQ(encoded(Form::exchange_raw, row.message), row.message.data) << row.sentence;
    EXPECT_TRUE(validate_json(row.native).has_value()) << row.sentence;
    EXPECT_TRUE(validate_json(row.combined).has_value()) << row.sentence;
  }
}

struct GapRow {
  GapView gap;
  std::string_view text;
};
constexpr GapRow kGapRows[] = {
    {{"orders", Sequence{46}, Sequence{57}, GapReason::conflated, Epoch{}},
     R"({"type":"gap","channel":"orders","from":46,"to":57,"reason":"conflated"})"},
    {{"orders", Sequence{1}, Sequence{1}, GapReason::dropped, Epoch{}},
     R"({"type":"gap","channel":"orders","from":1,"to":1,"reason":"dropped"})"},
    {{"a\"", Sequence{2}, Sequence{30}, GapReason::expired, Epoch{}},
     R"({"type":"gap","channel":"a\"","from":2,"to":30,"reason":"expired"})"},
    {{"orders", Sequence{3}, Sequence{9}, GapReason::epoch, Epoch{0xAB}},
     R"({"type":"gap","channel":"orders","from":3,"to":9,"reason":"epoch","epoch":"00000000000000ab"})"},
};
TEST(Encode, WritesGapNoticesExactlyAsLongAsAnnounced) {
  for (const GapRow& row : kGapRows) {
    std::vector<std::uint8_t> out(native_gap_size(row.gap) + 1, 0xEE);
    EXPECT_EQ(write_native_gap(row.gap, out.data()), out.data() + out.size() - 1);
    EXPECT_EQ(std::string(out.begin(), out.end() - 1), row.text);
    EXPECT_EQ(out.back(), 0xEE);
    std::string appended = "x";
    append_native_gap(appended, row.gap);
    EXPECT_EQ(appended, "x" + std::string{row.text});
  }
}

template <class Append>
std::string reply(Append append) {
  std::string out;
  append(out);
  simdjson::dom::parser parser;
  EXPECT_EQ(parser.parse(simdjson::padded_string{out}).error(), simdjson::SUCCESS) << out;
  return out;
}

TEST(NativeReply, SaysWhatTheProtocolSays) {
  EXPECT_EQ(
      reply([](std::string& out) {
        append_native_welcome(out, {"c-1", "ringcast/1.0", milliseconds{30'000}, "anonymous"});
      }),
      R"({"type":"welcome","connection_id":"c-1","server":"ringcast/1.0","heartbeat_ms":30000,"auth":"anonymous"})");
  EXPECT_EQ(
      reply([](std::string& out) {
        NativeSubscribed list{out, "1"};
        list.add({"orders", Epoch{0x5f3c9a1e07d2b846}, Sequence{44}, true, ""});
        list.add({"b", Epoch{1}, Sequence{0}, std::nullopt, "none"});
        list.add({.channel = "c", .epoch = Epoch{1}, .recovered = std::nullopt, .state = {}, .stale = true});
        list.finish();
      }),
      R"({"type":"subscribed","id":1,"channels":[{"channel":"orders","epoch":"5f3c9a1e07d2b846","seq":44,)"
      R"("recovered":true},)"
      R"({"channel":"b","epoch":"0000000000000001","seq":0,"state":"none"},)"
      R"({"channel":"c","epoch":"0000000000000001","seq":0,"liveness":"stale"}]})");
  EXPECT_EQ(reply([](std::string& out) {
              NativeSubscribed list{out, "1"};
              list.add_pattern("orders.*", 17);
              list.add({"b", Epoch{1}, Sequence{0}, std::nullopt, ""});
              list.add_pattern(">", 0);
              list.finish();
            }),
            R"({"type":"subscribed","id":1,"channels":[{"channel":"orders.*","pattern":true,"matched":17},)"
            R"({"channel":"b","epoch":"0000000000000001","seq":0},{"channel":">","pattern":true,"matched":0}]})");
  EXPECT_EQ(reply([](std::string& out) {
              NativeBound list{out, "orders.*"};
              list.add({"orders.a", Epoch{1}, Sequence{3}, std::nullopt, ""});
              list.add({"orders.b", Epoch{1}, Sequence{4}, false, ""});
              list.finish();
            }),
            R"({"type":"subscribed","pattern":"orders.*","channels":[{"channel":"orders.a","epoch":"0000000000000001","seq":3},)"
            R"({"channel":"orders.b","epoch":"0000000000000001","seq":4,"recovered":false}]})");
  EXPECT_EQ(reply([](std::string& out) {
              NativeLetGo list{out, "orders.\"*"};
              list.add("orders.\"a");
              list.finish();
            }),
            R"({"type":"unsubscribed","pattern":"orders.\"*","channels":["orders.\"a"]})");
  EXPECT_EQ(reply([](std::string& out) {
              NativeUnsubscribed list{out, "\"x\""};
              list.add("orders");
              list.add("b");
              list.finish();
            }),
            R"({"type":"unsubscribed","id":"x","channels":["orders","b"]})");
  EXPECT_EQ(reply([](std::string& out) {
              NativeUnsubscribed{out, ""}.finish();
            }),
            R"({"type":"unsubscribed","channels":[]})");
  EXPECT_EQ(reply([](std::string& out) {
              append_native_published(out, {"3", "orders", Epoch{0x5f3c9a1e07d2b846}, Sequence{45}, false});
            }),
            R"({"type":"published","id":3,"channel":"orders","epoch":"5f3c9a1e07d2b846","seq":45,"duplicate":false})");
  EXPECT_EQ(reply([](std::string& out) {
              append_native_published(out, {"3", "o", Epoch{1}, Sequence{45}, true});
            }),
            R"({"type":"published","id":3,"channel":"o","epoch":"0000000000000001","seq":45,"duplicate":true})");
  EXPECT_EQ(reply([](std::string& out) { append_native_channel_state(out, "orders", ChannelLiveness::stale, Sequence{7}); }),
            R"({"type":"channel_state","channel":"orders","state":"stale","seq":7})");
  EXPECT_EQ(reply([](std::string& out) { append_native_channel_state(out, "orders", ChannelLiveness::live, Sequence{7}); }),
            R"({"type":"channel_state","channel":"orders","state":"live"})");
  EXPECT_EQ(reply([](std::string& out) { append_native_pong(out, "7"); }), R"({"type":"pong","id":7})");
  EXPECT_EQ(reply([](std::string& out) { append_native_pong(out, ""); }), R"({"type":"pong"})");
}

TEST(NativeReply, SaysWhoIsThere) {
  const std::vector<std::string> users{"17", "4\"2"};
  EXPECT_EQ(reply([&](std::string& out) {
              append_native_presence(out, NativeChannelPresence{.id = "5", .channel = "orders", .users = 2,
                                                                .anonymous = 3, .page = users});
            }),
            R"({"type":"presence","id":5,"channel":"orders","count":2,"anonymous":3,"users":["17","4\"2"]})");
  EXPECT_EQ(reply([&](std::string& out) {
              append_native_presence(out, NativeChannelPresence{.id = "", .channel = "o", .users = 9, .unlisted = 1,
                                                                .page = users, .more = true});
            }),
            R"({"type":"presence","channel":"o","count":9,"anonymous":0,"unlisted":1,"users":["17","4\"2"],)"
            R"("next":"4\"2"})");
  EXPECT_EQ(reply([](std::string& out) {
              append_native_presence(out, NativeUserPresence{.id = "\"a\"", .user = "42", .channels = {}});
            }),
            R"({"type":"presence","id":"a","user":"42","connections":0,"channels":[]})");
  EXPECT_EQ(reply([&](std::string& out) {
              append_native_presence(out, NativeNodePresence{.id = "1", .users = 2, .connections = 5, .page = users});
            }),
            R"({"type":"presence","id":1,"user":"*","count":2,"connections":5,"users":["17","4\"2"]})");
  EXPECT_EQ(reply([](std::string& out) { append_native_user_notice(out, "orders", "42", true); }),
            R"({"type":"user_joined","channel":"orders","user":"42"})");
  EXPECT_EQ(reply([](std::string& out) { append_native_user_notice(out, "o\\", "4\"2", false); }),
            R"({"type":"user_left","channel":"o\\","user":"4\"2"})");
  EXPECT_EQ(reply([](std::string& out) { append_native_presence_missed(out, "orders"); }),
            R"({"type":"presence_missed","channel":"orders"})");
}

TEST(NativeReply, NamesTheErrorAndWhatItIsAbout) {
  EXPECT_EQ(
      reply([](std::string& out) {
        append_native_error(out, NativeError{"3", ErrorCode::unauthorized, "token may not publish to 'orders'",
                                             "orders", milliseconds{0}});
      }),
      R"({"type":"error","id":3,"code":"unauthorized",)"
      R"("message":"token may not publish to 'orders'","channel":"orders","retry_after_ms":0})");
  EXPECT_EQ(reply([](std::string& out) {
              append_native_error(out, CommandError{ErrorCode::invalid_message, "", "a \"word\"", "a\x01"});
            }),
            R"({"type":"error","code":"invalid_message","message":"a \"word\"","channel":"a\u0001"})");
}

TEST(NativeReply, HasANameForEveryErrorCode) {
  for (std::uint8_t code = 0; code < static_cast<std::uint8_t>(ErrorCode::end); ++code) {
    EXPECT_FALSE(name_of(ErrorCode{code}).empty());
    for (std::uint8_t other = 0; other < code; ++other) {
      EXPECT_NE(name_of(ErrorCode{code}), name_of(ErrorCode{other}));
    }
  }
}

TEST(ExchangeReply, SaysWhatTheExchangeSays) {
  EXPECT_EQ(reply([](std::string& out) { append_exchange_done(out, "1"); }), R"({"result":null,"id":1})");
  EXPECT_EQ(reply([](std::string& out) { append_exchange_done(out, "null"); }), R"({"result":null,"id":null})");
  EXPECT_EQ(reply([](std::string& out) { append_exchange_property(out, "2", true); }), R"({"result":true,"id":2})");
  EXPECT_EQ(reply([](std::string& out) { append_exchange_property(out, "2", false); }), R"({"result":false,"id":2})");
  EXPECT_EQ(reply([](std::string& out) {
              ExchangeList list{out, "3"};
              list.add("btcusdt@trade");
              list.add("a\"b");
              list.finish();
            }),
            R"({"result":["btcusdt@trade","a\"b"],"id":3})");
  EXPECT_EQ(reply([](std::string& out) { ExchangeList{out, "3"}.finish(); }), R"({"result":[],"id":3})");
  EXPECT_EQ(reply([](std::string& out) {
              append_exchange_error(out, {ExchangeCode::invalid_json, "", "a \"word\""});
            }),
            R"({"error":{"code":3,"msg":"a \"word\""},"id":null})");
  EXPECT_EQ(reply([](std::string& out) {
              append_exchange_error(out, {ExchangeCode::unknown_property, "5", "Unknown property"});
            }),
            R"({"error":{"code":0,"msg":"Unknown property"},"id":5})");
  EXPECT_EQ(reply([](std::string& out) {
              append_exchange_refusal(out, "1", ErrorCode::too_many_subscriptions, "no more than 1024");
            }),
            R"({"error":{"code":2,"msg":"too_many_subscriptions: no more than 1024"},"id":1})");
}

struct UnwrapRow {
  std::string_view sentence, payload, data;  // data empty: unchanged
};
constexpr UnwrapRow kUnwrapRows[] = {
    {"an envelope of this channel", R"({"stream":"btcusdt@trade","data":{"p":"1"}})", R"({"p":"1"})"},
    {"its members the other way round, with spaces", R"( { "data" : [1, 2] , "stream" : "btcusdt@trade" } )", "[1, 2]"},
    {"its names and stream spelled with escapes", R"({"str\u0065am":"btcusdt\u0040trade","d\u0061ta":1})", "1"},
    {"data that is null", R"({"stream":"btcusdt@trade","data":null})", "null"},
    {"an envelope inside: only one is taken off",
     R"({"stream":"btcusdt@trade","data":{"stream":"btcusdt@trade","data":1}})",
     R"({"stream":"btcusdt@trade","data":1})"},
    {"an envelope naming another channel", R"({"stream":"ethusdt@trade","data":{"p":"1"}})", ""},
    {"a longer channel", R"({"stream":"btcusdt@trades","data":1})", ""},
    {"a shorter channel", R"({"stream":"btcusdt@trad","data":1})", ""},
    {"a third member", R"({"stream":"btcusdt@trade","data":1,"x":2})", ""},
    {"no data", R"({"stream":"btcusdt@trade"})", ""},
    {"no stream", R"({"data":1})", ""},
    {"two streams", R"({"stream":"btcusdt@trade","stream":"btcusdt@trade","data":1})", ""},
    {"two data", R"({"stream":"btcusdt@trade","data":1,"data":2})", ""},
    {"a stream that is no string", R"({"stream":1,"data":1})", ""},
    {"a plain payload", R"({"e":"trade","p":"1"})", ""},
    {"an empty object", "{}", ""},
    {"an array", R"(["stream","btcusdt@trade","data",1])", ""},
    {"a string", R"("stream")", ""},
};
TEST(UnwrapCombined, TakesOffExactlyTheChannelsOwnEnvelope) {
  for (const UnwrapRow& row : kUnwrapRows) {
    ASSERT_TRUE(is_valid_json(row.payload)) << row.sentence;
    EXPECT_EQ(unwrap_combined("btcusdt@trade", row.payload), row.data.empty() ? row.payload : row.data) << row.sentence;
  }
}

}  // namespace
}  // namespace ringcast
