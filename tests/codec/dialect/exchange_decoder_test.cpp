#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "codec/dialect/detect.hpp"
#include "codec/dialect/exchange.hpp"

namespace ringcast {
namespace {

struct RequestRow {
  std::string_view text;
  CommandKind kind;
  std::string_view id;
  std::vector<std::string_view> channels;
};
const RequestRow kRequestRows[] = {
    {R"({"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1})", CommandKind::subscribe, "1", {"btcusdt@trade"}},
    {R"({"method":"SUBSCRIBE","params":["a","b","a"],"id":2})", CommandKind::subscribe, "2", {"a", "b"}},
    {R"({"id":312,"params":["btcusdt@depth"],"method":"UNSUBSCRIBE"})",
     CommandKind::unsubscribe,
     "312",
     {"btcusdt@depth"}},
    {R"({"method":"SUBSCRIBE","params":["a"],"id":"abc-1","more":true})", CommandKind::subscribe, "\"abc-1\"", {"a"}},
    {R"({"method":"SUBSCRIBE","params":["a"],"id":null})", CommandKind::subscribe, "null", {"a"}},
    {R"({"method":"SUBSCRIBE","params":["a"],"id":-5})", CommandKind::subscribe, "-5", {"a"}},
    {R"({"method":"LIST_SUBSCRIPTIONS","id":3})", CommandKind::list_subscriptions, "3", {}},
    {R"({"method":"LIST_SUBSCRIPTIONS","params":[],"id":3})", CommandKind::list_subscriptions, "3", {}},
};
TEST(ExchangeDecoder, ReadsTheRequestsOfTheExchange) {
  ExchangeDecoder decoder;
  for (const RequestRow& row : kRequestRows) {
    const auto command = decoder.decode(row.text);
    ASSERT_TRUE(command.has_value()) << row.text;
    EXPECT_EQ(command->kind, row.kind) << row.text;
    EXPECT_EQ(command->id, row.id) << row.text;
    ASSERT_EQ(command->items.size(), row.channels.size()) << row.text;
    for (std::size_t i = 0; i < row.channels.size(); ++i) {
      EXPECT_EQ(command->items[i].channel, row.channels[i]) << row.text;
    }
  }
}

TEST(ExchangeDecoder, ReadsProperties) {
  ExchangeDecoder decoder;
  auto command = decoder.decode(R"({"method":"SET_PROPERTY","params":["combined",true],"id":5})");
  ASSERT_TRUE(command.has_value());
  EXPECT_EQ(command->kind, CommandKind::set_property);
  EXPECT_EQ(command->property, "combined");
  EXPECT_TRUE(command->property_value);
  command = decoder.decode(R"({"method":"SET_PROPERTY","params":["combined",false],"id":5})");
  ASSERT_TRUE(command.has_value());
  EXPECT_FALSE(command->property_value);
  command = decoder.decode(R"({"method":"GET_PROPERTY","params":["combined"],"id":2})");
  ASSERT_TRUE(command.has_value());
  EXPECT_EQ(command->kind, CommandKind::get_property);
  EXPECT_EQ(command->property, "combined");
}

struct RefusalRow {
  std::string_view sentence;
  std::string text;
  ExchangeCode code;
  std::string_view id;
};
const RefusalRow kRefusalRows[] = {
    {"nothing", "", ExchangeCode::invalid_json, ""},
    {"no JSON", "SUBSCRIBE", ExchangeCode::invalid_json, ""},
    {"malformed JSON", R"({"method":"SUBSCRIBE","params":[,],"id":1})", ExchangeCode::invalid_json, ""},
    {"a duplicate member", R"({"method":"SUBSCRIBE","m\u0065thod":"UNSUBSCRIBE","params":["a"],"id":1})",
     ExchangeCode::invalid_json, ""},
    {"an array", "[]", ExchangeCode::invalid_request, ""},
    {"no id", R"({"method":"SUBSCRIBE","params":["a"]})", ExchangeCode::invalid_request, ""},
    {"an id with a point", R"({"method":"SUBSCRIBE","params":["a"],"id":1.5})", ExchangeCode::invalid_request, ""},
    {"an id that is an array", R"({"method":"SUBSCRIBE","params":["a"],"id":[1]})", ExchangeCode::invalid_request, ""},
    {"an id beyond 64 bits", R"({"method":"SUBSCRIBE","params":["a"],"id":18446744073709551616})",
     ExchangeCode::invalid_request, ""},
    {"an id string that is too long", R"({"method":"LIST_SUBSCRIPTIONS","id":")" + std::string(37, 'x') + "\"}",
     ExchangeCode::invalid_request, ""},
    {"no method", R"({"params":["a"],"id":1})", ExchangeCode::invalid_request, "1"},
    {"an unknown method", R"({"method":"DANCE","params":["a"],"id":1})", ExchangeCode::invalid_request, "1"},
    {"a method in small letters", R"({"method":"subscribe","params":["a"],"id":1})", ExchangeCode::invalid_request,
     "1"},
    {"a method that is a number", R"({"method":1,"params":["a"],"id":1})", ExchangeCode::invalid_request, "1"},
    {"a subscribe without params", R"({"method":"SUBSCRIBE","id":1})", ExchangeCode::invalid_request, "1"},
    {"a subscribe to nothing", R"({"method":"SUBSCRIBE","params":[],"id":1})", ExchangeCode::invalid_request, "1"},
    {"params that are a string", R"({"method":"SUBSCRIBE","params":"a","id":1})", ExchangeCode::invalid_request, "1"},
    {"a stream that is a number", R"({"method":"SUBSCRIBE","params":["a",1],"id":1})", ExchangeCode::invalid_request,
     "1"},
    {"a stream without a name", R"({"method":"SUBSCRIBE","params":[""],"id":1})", ExchangeCode::invalid_request, "1"},
    {"a stream with a control character", R"({"method":"UNSUBSCRIBE","params":["a\u0000"],"id":1})",
     ExchangeCode::invalid_request, "1"},
    {"a list with parameters", R"({"method":"LIST_SUBSCRIPTIONS","params":["a"],"id":3})",
     ExchangeCode::invalid_request, "3"},
    {"an unknown property", R"({"method":"SET_PROPERTY","params":["speed",true],"id":5})",
     ExchangeCode::unknown_property, "5"},
    {"an unknown property to get", R"({"method":"GET_PROPERTY","params":["speed"],"id":5})",
     ExchangeCode::unknown_property, "5"},
    {"a property that is no string", R"({"method":"SET_PROPERTY","params":[1,true],"id":5})",
     ExchangeCode::invalid_request, "5"},
    {"no property", R"({"method":"GET_PROPERTY","params":[],"id":5})", ExchangeCode::invalid_request, "5"},
    {"no params for a property", R"({"method":"GET_PROPERTY","id":5})", ExchangeCode::invalid_request, "5"},
    {"a value that is a string", R"({"method":"SET_PROPERTY","params":["combined","true"],"id":5})",
     ExchangeCode::invalid_value_type, "5"},
    {"no value", R"({"method":"SET_PROPERTY","params":["combined"],"id":5})", ExchangeCode::invalid_value_type, "5"},
    {"a third parameter", R"({"method":"SET_PROPERTY","params":["combined",true,1],"id":5})",
     ExchangeCode::invalid_request, "5"},
    {"a value where one is got", R"({"method":"GET_PROPERTY","params":["combined",true],"id":5})",
     ExchangeCode::invalid_request, "5"},
};
TEST(ExchangeDecoder, RefusesWithTheCodesOfTheExchange) {
  ExchangeDecoder decoder;
  for (const RefusalRow& row : kRefusalRows) {
    const auto command = decoder.decode(row.text);
    ASSERT_FALSE(command.has_value()) << row.sentence;
    EXPECT_EQ(command.error().code, row.code) << row.sentence;
    EXPECT_EQ(command.error().id, row.id) << row.sentence;
    EXPECT_FALSE(command.error().sentence.empty()) << row.sentence;
  }
}

TEST(ExchangeDecoder, TakesAsManyStreamsAsItsBoundAndNoMore) {
  ExchangeDecoder decoder{{.channels_max = 2}};
  EXPECT_TRUE(decoder.decode(R"({"method":"SUBSCRIBE","params":["a","b"],"id":1})").has_value());
  EXPECT_FALSE(decoder.decode(R"({"method":"SUBSCRIBE","params":["a","b","c"],"id":1})").has_value());
  EXPECT_TRUE(decoder.decode_streams("a/b").has_value());
  EXPECT_FALSE(decoder.decode_streams("a/b/c").has_value());
}

struct StreamsRow {
  std::string_view sentence, list;
  std::vector<std::string_view> channels;  // none: an error
};
const StreamsRow kStreamsRows[] = {
    {"one stream", "btcusdt@trade", {"btcusdt@trade"}},
    {"several", "btcusdt@trade/ethusdt@depth/c", {"btcusdt@trade", "ethusdt@depth", "c"}},
    {"one slash at the end", "a/b/", {"a", "b"}},
    {"a stream named twice", "a/b/a", {"a", "b"}},
    {"spaces and UTF-8", "a b/\xC3\xA9", {"a b", "\xC3\xA9"}},
    {"nothing", "", {}},
    {"a slash", "/", {}},
    {"a slash at the beginning", "/a", {}},
    {"two slashes", "a//b", {}},
    {"two slashes at the end", "a//", {}},
    {"a control character", "a\n", {}},
    {"bytes that are not UTF-8", "a\xFF", {}},
};
TEST(ExchangeDecoder, ReadsTheStreamsOfAUrl) {
  ExchangeDecoder decoder;
  for (const StreamsRow& row : kStreamsRows) {
    const auto command = decoder.decode_streams(row.list);
    ASSERT_EQ(command.has_value(), !row.channels.empty()) << row.sentence;
    if (command) {
      EXPECT_EQ(command->kind, CommandKind::subscribe) << row.sentence;
      EXPECT_TRUE(command->id.empty()) << row.sentence;
      ASSERT_EQ(command->items.size(), row.channels.size()) << row.sentence;
      for (std::size_t i = 0; i < row.channels.size(); ++i) {
        EXPECT_EQ(command->items[i].channel, row.channels[i]) << row.sentence;
      }
    }
  }
}

struct DialectRow {
  std::string_view text;
  Dialect dialect;
};
constexpr DialectRow kDialectRows[] = {
    {R"({"method":"SUBSCRIBE","params":["a"],"id":1})", Dialect::exchange},
    {R"({"id":1,"m\u0065thod":"SUBSCRIBE"})", Dialect::exchange},
    {R"({"method":7})", Dialect::exchange},
    {R"({"type":"subscribe","channels":["a"]})", Dialect::native},
    {R"({"type":"publish","channel":"a","data":{"method":"SUBSCRIBE"}})", Dialect::native},
    {R"({"type":"publish","method":"SUBSCRIBE"})", Dialect::native},
    {R"({"id":1})", Dialect::native},
    {R"({"method":"SUBSCRIBE")", Dialect::native},
    {"[]", Dialect::native},
    {"", Dialect::native},
};
TEST(Dialect, IsChosenByTheShapeOfTheFirstMessage) {
  for (const DialectRow& row : kDialectRows) {
    EXPECT_EQ(detect_dialect(row.text), row.dialect) << row.text;
  }
}

}  // namespace
}  // namespace ringcast
