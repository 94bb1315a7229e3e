#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "codec/dialect/native.hpp"

namespace ringcast {
namespace {

struct RefusalRow {
  std::string_view sentence;
  std::string text;
  std::string_view id, channel;
  ErrorCode code = ErrorCode::invalid_message;
};

const std::string kLongName(256, 'x');

const RefusalRow kRefusalRows[] = {
    {"nothing", "", "", ""},
    {"no JSON", "hello", "", ""},
    {"malformed JSON", R"({"type":"ping","id":1)", "", ""},
    {"bytes after the message", R"({"type":"ping"} x)", "", ""},
    {"an array", R"([{"type":"ping"}])", "", ""},
    {"a string", R"("ping")", "", ""},
    {"a duplicate member", R"({"type":"ping","id":1,"type":"ping"})", "", ""},
    {"a duplicate member spelled with an escape", R"({"type":"ping","ty\u0070e":"publish"})", "", ""},
    {"two payloads", R"({"type":"publish","channel":"a","data":1,"da\u0074a":2})", "", ""},
    {"no type", R"({"id":1})", "1", ""},
    {"a type that is no string", R"({"type":5,"id":1})", "1", ""},
    {"an unknown type", R"({"type":"dance","id":"x"})", "\"x\"", ""},
    {"a type in capitals", R"({"type":"PING"})", "", ""},
    {"a server's type", R"({"type":"message","channel":"a","data":1})", "", ""},
    {"an exchange request", R"({"method":"SUBSCRIBE","params":["a"],"id":1})", "1", ""},
    {"an id that is an object", R"({"type":"ping","id":{}})", "", ""},
    {"an id that is null", R"({"type":"ping","id":null})", "", ""},
    {"an id that is true", R"({"type":"ping","id":true})", "", ""},
    {"an id that is too long", R"({"type":"ping","id":")" + std::string(kIdBytesMax - 1, '1') + "\"}", "", ""},

    {"a subscribe without channels", R"({"type":"subscribe","id":1})", "1", ""},
    {"a subscribe to no channel", R"({"type":"subscribe","id":1,"channels":[]})", "1", ""},
    {"channels that are a string", R"({"type":"subscribe","id":1,"channels":"orders"})", "1", ""},
    {"a channel that is a number", R"({"type":"subscribe","id":1,"channels":["a",5]})", "1", ""},
    {"a channel without a name", R"({"type":"subscribe","id":1,"channels":["a",""]})", "1", ""},
    {"a channel with a control character", R"({"type":"subscribe","id":1,"channels":["a\u0007"]})", "1", "a\a"},
    {"a channel whose name is too long", R"({"type":"subscribe","id":1,"channels":[")" + kLongName + "\"]}", "1", ""},
    {"a resume that is no object", R"({"type":"subscribe","id":1,"channels":["a"],"resume":[]})", "1", ""},
    {"a resume of a wrong epoch",
     R"({"type":"subscribe","id":1,"channels":["a"],"resume":{"a":{"epoch":"5f3c","seq":1}}})", "1", ""},
    {"a resume whose epoch is a number",
     R"({"type":"subscribe","id":1,"channels":["a"],"resume":{"a":{"epoch":5,"seq":1}}})", "1", ""},
    {"a resume without seq",
     R"({"type":"subscribe","id":1,"channels":["a"],"resume":{"a":{"epoch":"5f3c9a1e07d2b846"}}})", "1", ""},
    {"a resume of a negative seq",
     R"({"type":"subscribe","id":1,"channels":["a"],"resume":{"a":{"epoch":"5f3c9a1e07d2b846","seq":-1}}})", "1", ""},
    {"a resume with two seqs",
     R"({"type":"subscribe","id":1,"channels":["a"],"resume":{"a":{"epoch":"5f3c9a1e07d2b846","seq":1,"seq":2}}})", "1",
     ""},
    {"a resume of one channel twice",
     R"({"type":"subscribe","id":1,"channels":["a"],"resume":{"a":{"epoch":"5f3c9a1e07d2b846",)"
     R"("seq":1},"\u0061":{"epoch":"5f3c9a1e07d2b846","seq":2}}})",
     "1", "a"},
    {"options that are no object", R"({"type":"subscribe","id":1,"channels":["a"],"options":true})", "1", ""},
    {"a conflate that is no boolean", R"({"type":"subscribe","id":1,"channels":["a"],"options":{"conflate":1}})", "1",
     ""},
    {"a max_rate of zero", R"({"type":"subscribe","id":1,"channels":["a"],"options":{"max_rate":0}})", "1", ""},
    {"a max_rate for a reader that wants everything",
     R"({"type":"subscribe","id":1,"channels":["a"],"options":{"max_rate":5,"conflate":false}})", "1", ""},
    {"a max_rate with a point", R"({"type":"subscribe","id":1,"channels":["a"],"options":{"max_rate":1.5}})", "1", ""},
    {"a max_rate beyond 32 bits", R"({"type":"subscribe","id":1,"channels":["a"],"options":{"max_rate":4294967296}})",
     "1", ""},
    {"an option named twice",
     R"({"type":"subscribe","id":1,"channels":["a"],"options":{"conflate":true,"conflate":false}})", "1", ""},
    {"an unsubscribe without channels", R"({"type":"unsubscribe","id":2})", "2", ""},
    {"an unsubscribe from no channel", R"({"type":"unsubscribe","id":2,"channels":[]})", "2", ""},

    {"an old subscription without data", R"({"type":"subscription","id":1})", "1", ""},
    {"an old subscription without an action", R"({"type":"subscription","id":1,"data":{"project_id":"X"}})", "1", ""},
    {"an old subscription with another action",
     R"({"type":"subscription","id":1,"data":{"action":"dance","project_id":"X"}})", "1", ""},
    {"an old subscription without a project", R"({"type":"subscription","id":1,"data":{"action":"subscribe"}})", "1",
     ""},
    {"an old subscription to an empty project",
     R"({"type":"subscription","id":1,"data":{"action":"subscribe","project_id":""}})", "1", ""},
    {"an old subscription to two projects",
     R"({"type":"subscription","id":1,"data":{"action":"subscribe","project_id":"X","project_id":"Y"}})", "1", ""},
    {"an old subscription to a project too long",
     R"({"type":"subscription","id":1,"data":{"action":"subscribe","project_id":")" + kLongName.substr(8) + "\"}}", "1",
     ""},
    {"an old bill that is no number", R"({"type":"subscribe","id":1,"data":{"bill_id":true}})", "1", ""},
    {"an old bill with a point", R"({"type":"subscribe","id":1,"data":{"bill_id":1.5}})", "1", ""},

    {"a publish without a channel", R"({"type":"publish","id":3,"data":1})", "3", ""},
    {"a publish without data", R"({"type":"publish","id":3,"channel":"orders"})", "3", "orders"},
    {"a publish to a channel that is no string", R"({"type":"publish","id":3,"channel":["orders"],"data":1})", "3", ""},
    {"a publish to no name", R"({"type":"publish","id":3,"channel":"","data":1})", "3", ""},
    {"a publish to a name too long", R"({"type":"publish","id":3,"channel":")" + kLongName + "\",\"data\":1}", "3", ""},
    {"a publish to a name with a newline", R"({"type":"publish","id":3,"channel":"a\nb","data":1})", "3", "a\nb"},
    {"a payload that is only nearly JSON", R"({"type":"publish","id":3,"channel":"orders","data":{"a":nonsense 12}})",
     "", ""},
    {"a payload with a bad escape", R"({"type":"publish","id":3,"channel":"orders","data":{"a":"\x"}})", "", ""},
    {"a payload with a lone surrogate", R"({"type":"publish","id":3,"channel":"orders","data":["\udc00"]})", "", ""},
    {"an event that is no string", R"({"type":"publish","id":3,"channel":"a","event":1,"data":1})", "3", "a"},
    {"an event that is too long", R"({"type":"publish","id":3,"channel":"a","event":")" + kLongName + "\",\"data\":1}",
     "3", "a"},
    {"a message id that is a number", R"({"type":"publish","id":3,"channel":"a","message_id":7,"data":1})", "3", "a"},
    {"a message id that is too long",
     R"({"type":"publish","id":3,"channel":"a","message_id":")" + kLongName + "\",\"data\":1}", "3", "a"},
    {"an unknown priority", R"({"type":"publish","id":3,"channel":"a","priority":"urgent","data":1})", "3", "a"},
    {"a priority that is a number", R"({"type":"publish","id":3,"channel":"a","priority":1,"data":1})", "3", "a"},
    {"an unknown state", R"({"type":"publish","id":3,"channel":"a","state":"delta","data":1})", "3", "a"},
    {"an empty state", R"({"type":"publish","id":3,"channel":"a","state":"","data":1})", "3", "a"},
    {"an as_of_seq without a state", R"({"type":"publish","id":3,"channel":"a","as_of_seq":4,"data":1})", "3", "a"},
    {"an as_of_seq that is a string",
     R"({"type":"publish","id":3,"channel":"a","state":"snapshot","as_of_seq":"4","data":1})", "3", "a"},

    {"a history without a channel", R"({"type":"history","id":4})", "4", ""},
    {"a history after nowhere", R"({"type":"history","id":4,"channel":"a","after":41})", "4", "a"},
    {"a history with a limit of nothing", R"({"type":"history","id":4,"channel":"a","limit":0})", "4", "a"},
    {"a history with a limit in words", R"({"type":"history","id":4,"channel":"a","limit":"all"})", "4", "a"},
    {"a presence without a channel", R"({"type":"presence","id":5})", "5", ""},
    {"a presence of a channel and a user", R"({"type":"presence","id":5,"channel":"a","user":"b"})", "5", ""},
    {"a presence of a user that is a number", R"({"type":"presence","id":5,"user":42})", "5", ""},
    {"a presence of no user", R"({"type":"presence","id":5,"user":""})", "5", ""},
    {"a presence of a pattern of users", R"({"type":"presence","id":5,"user":"a*"})", "5", ""},
    {"a presence with a limit of nothing", R"({"type":"presence","id":5,"channel":"a","limit":0})", "5", "a"},
    {"a presence after a number", R"({"type":"presence","id":5,"channel":"a","after":1})", "5", "a"},
    {"an ack without seq", R"({"type":"ack","channel":"user:42"})", "", "user:42"},
    {"an ack of half a message", R"({"type":"ack","channel":"user:42","seq":1.5})", "", "user:42"},
    {"an auth without a token", R"({"type":"auth","id":6})", "6", ""},
    {"an auth with an empty token", R"({"type":"auth","id":6,"token":""})", "6", ""},
    {"an auth whose token is no string", R"({"type":"auth","id":6,"token":{}})", "6", ""},
};

TEST(NativeDecoder, RefusesWhatIsWrongAndNamesTheRequest) {
  NativeDecoder decoder;
  for (const RefusalRow& row : kRefusalRows) {
    const auto command = decoder.decode(row.text);
    ASSERT_FALSE(command.has_value()) << row.sentence;
    EXPECT_EQ(command.error().id, row.id) << row.sentence;
    EXPECT_EQ(command.error().channel, row.channel) << row.sentence;
    EXPECT_EQ(command.error().code, row.code) << row.sentence;
    EXPECT_FALSE(command.error().sentence.empty()) << row.sentence;
  }
}

TEST(NativeDecoder, ReadsASubscribe) {
  NativeDecoder decoder;
  const std::string text =
      R"({"type":"subscribe","id":1,"channels":["orders","btcusdt@trade"],"resume":{"orders":)"
      R"({"epoch":"5f3c9a1e07d2b846","seq":41}},"options":{"conflate":true,"max_rate":10,"snapshot":false}})";
  const auto command = decoder.decode(text);
  ASSERT_TRUE(command.has_value());
  EXPECT_EQ(command->kind, CommandKind::subscribe);
  EXPECT_EQ(command->id, "1");
  ASSERT_EQ(command->items.size(), 2U);
  EXPECT_EQ(command->items[0].channel, "orders");
  EXPECT_TRUE(command->items[0].resumes);
  EXPECT_EQ(command->items[0].resume.epoch, Epoch{0x5f3c9a1e07d2b846});
  EXPECT_EQ(command->items[0].resume.seq, Sequence{41});
  EXPECT_EQ(command->items[1].channel, "btcusdt@trade");
  EXPECT_FALSE(command->items[1].resumes);
  EXPECT_TRUE(command->options.has_conflate);
  EXPECT_TRUE(command->options.conflate);
  EXPECT_EQ(command->options.max_rate, 10U);
  EXPECT_FALSE(command->options.snapshot);
}

TEST(NativeDecoder, ReadsWhatASubscribeLeavesOut) {
  NativeDecoder decoder;
  const auto command = decoder.decode(R"({"channels":["\u006frders"],"type":"sub\u0073cribe","extra":{"type":1}})");
  ASSERT_TRUE(command.has_value());
  EXPECT_TRUE(command->id.empty());
  ASSERT_EQ(command->items.size(), 1U);
  EXPECT_EQ(command->items[0].channel, "orders");
  EXPECT_FALSE(command->options.has_conflate);
  EXPECT_EQ(command->options.max_rate, 0U);
  EXPECT_TRUE(command->options.snapshot);
}

TEST(NativeDecoder, TakesEachChannelOfACommandOnceInTheirOrder) {
  NativeDecoder decoder;
  const auto command = decoder.decode(
      R"({"type":"subscribe","channels":["c","a","c","b","\u0061","c"],)"
      R"("resume":{"unnamed":{"epoch":"0000000000000001","seq":1},"b":{"epoch":"0000000000000001","seq":2}}})");
  ASSERT_TRUE(command.has_value());
  ASSERT_EQ(command->items.size(), 3U);
  EXPECT_EQ(command->items[0].channel, "c");
  EXPECT_EQ(command->items[1].channel, "a");
  EXPECT_EQ(command->items[2].channel, "b");
  EXPECT_TRUE(command->items[2].resumes);
  EXPECT_FALSE(command->items[0].resumes || command->items[1].resumes);
}

TEST(NativeDecoder, KeepsThePointsOfChannelsThatAPatternMayBind) {
  NativeDecoder decoder{{.channels_max = 3}};
  const std::string point = R"({"epoch":"0000000000000001","seq":2})";
  const auto command = decoder.decode(R"({"type":"subscribe","channels":["a.*","b"],"resume":{"a.2":)" + point +
                                      R"(,"b":)" + point + R"(,"a.\u0031":)" + point + R"(,"":)" + point + "}}");
  ASSERT_TRUE(command.has_value());
  EXPECT_TRUE(command->items[1].resumes);
  ASSERT_EQ(command->resumes.size(), 2U);
  EXPECT_EQ(command->resumes[0].channel, "a.2");
  EXPECT_EQ(command->resumes[1].channel, "a.1");
  EXPECT_EQ(command->resumes[1].resume.seq, Sequence{2});

  const auto names = decoder.decode(R"({"type":"subscribe","channels":["a","b"],"resume":{"c":)" + point + "}}");
  ASSERT_TRUE(names.has_value());
  EXPECT_TRUE(names->resumes.empty());  // no pattern could bind it

  const auto twice = decoder.decode(R"({"type":"subscribe","id":5,"channels":[">"],"resume":{"c":)" + point +
                                    R"(,"\u0063":)" + point + "}}");
  ASSERT_FALSE(twice.has_value());
  EXPECT_EQ(twice.error().sentence, "resume names a channel twice");
  const auto many = decoder.decode(R"({"type":"subscribe","id":5,"channels":[">"],"resume":{"c":)" + point + R"(,"d":)" +
                                   point + R"(,"e":)" + point + R"(,"f":)" + point + "}}");
  ASSERT_FALSE(many.has_value());
  EXPECT_EQ(many.error().code, ErrorCode::too_many_subscriptions);
  EXPECT_EQ(many.error().id, "5");
}

TEST(NativeDecoder, TakesAsManyChannelsAsItsBoundAndNoMore) {
  const auto with_channels = [](std::size_t count) {
    std::string text = R"({"type":"subscribe","id":9,"channels":[)";
    for (std::size_t i = 0; i < count; ++i) {
      text += (i == 0 ? "\"c" : ",\"c") + std::to_string(i) + "\"";
    }
    return text + "]}";
  };
  NativeDecoder decoder{{.channels_max = 50}};
  const std::string most = with_channels(50), too_many = with_channels(51);
  const auto command = decoder.decode(most);
  ASSERT_TRUE(command.has_value());
  EXPECT_EQ(command->items.size(), 50U);
  EXPECT_EQ(command->items[49].channel, "c49");
  const auto refused = decoder.decode(too_many);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::too_many_subscriptions);
  EXPECT_EQ(refused.error().id, "9");
}

TEST(NativeDecoder, ReadsAnUnsubscribe) {
  NativeDecoder decoder;
  const auto command = decoder.decode(R"({"type":"unsubscribe","id":"two","channels":["orders"]})");
  ASSERT_TRUE(command.has_value());
  EXPECT_EQ(command->kind, CommandKind::unsubscribe);
  EXPECT_EQ(command->id, "\"two\"");
  ASSERT_EQ(command->items.size(), 1U);
  EXPECT_EQ(command->items[0].channel, "orders");
}

TEST(NativeDecoder, ReadsAPublishWithItsPayloadAsSent) {
  NativeDecoder decoder;
  const std::string text =
      R"({"type":"publish","id":3,"channel":"orders","event":"order_\"update","message_id":"7f3c\u2026",)"
      R"("priority":"high","state":"snapshot","as_of_seq":17,"data": { "order_id" : 1.50, "a":1,"a":2 } })";
  const auto command = decoder.decode(text);
  ASSERT_TRUE(command.has_value());
  EXPECT_EQ(command->kind, CommandKind::publish);
  EXPECT_EQ(command->channel, "orders");
  EXPECT_EQ(command->event, "order_\"update");
  EXPECT_EQ(command->message_id, "7f3c\xE2\x80\xA6");
  EXPECT_TRUE(command->high_priority);
  EXPECT_TRUE(command->snapshot);
  EXPECT_TRUE(command->has_as_of);
  EXPECT_EQ(command->as_of, Sequence{17});
  EXPECT_EQ(command->data, R"({ "order_id" : 1.50, "a":1,"a":2 })");
}

struct PayloadRow {
  std::string_view payload;
};
constexpr PayloadRow kPayloadRows[] = {
    {"null"}, {"false"}, {"0"},         {"-1.5e300"}, {"123456789012345678901234567890"}, {"\"text \\u20ac\""},
    {"[]"},   {"{}"},    {"[1, [2 ]]"},
};
TEST(NativeDecoder, PublishesAnyJsonValue) {
  NativeDecoder decoder;
  for (const PayloadRow& row : kPayloadRows) {
    const std::string text = R"({"type":"publish","channel":"a","data":)" + std::string{row.payload} + "}";
    const auto command = decoder.decode(text);
    ASSERT_TRUE(command.has_value()) << row.payload;
    EXPECT_EQ(command->data, row.payload);
    EXPECT_FALSE(command->high_priority || command->snapshot || command->has_as_of);
    EXPECT_TRUE(command->event.empty() && command->message_id.empty() && command->id.empty());
  }
}

TEST(NativeDecoder, ReadsTheLongestEventAndMessageId) {
  NativeDecoder decoder;
  const std::string longest(255, 'x');
  const std::string text =
      R"({"type":"publish","channel":"a","event":")" + longest + R"(","message_id":")" + longest + R"(","data":1})";
  const auto command = decoder.decode(text);
  ASSERT_TRUE(command.has_value());
  EXPECT_EQ(command->event, longest);
  EXPECT_EQ(command->message_id, longest);
  const std::string id = "\"" + std::string(kIdBytesMax - 2, '1') + "\"";
  const std::string ping = R"({"type":"ping","id":)" + id + "}";
  EXPECT_EQ(decoder.decode(ping).value().id, id);
}

struct LegacyRow {
  std::string_view text, channel;
  CommandKind kind;
};
constexpr LegacyRow kLegacyRows[] = {
    {R"({"type":"subscription","data":{"action":"subscribe","project_id":"X"}})", "project:X", CommandKind::subscribe},
    {R"({"type":"subscription","data":{"action":"unsubscribe","project_id":"X"}})", "project:X",
     CommandKind::unsubscribe},
    {R"({"type":"subscription","data":{"project_id":17,"action":"subscribe","more":1}})", "project:17",
     CommandKind::subscribe},
    {R"({"type":"subscription","data":{"action":"sub\u0073cribe","project_id":"\u00e9"}})", "project:\xC3\xA9",
     CommandKind::subscribe},
    {R"({"type":"subscribe","data":{"bill_id":123}})", "bill:123", CommandKind::subscribe},
    {R"({"type":"subscribe","data":{"bill_id":"hr-1"}})", "bill:hr-1", CommandKind::subscribe},
    {R"({"type":"subscribe","channels":["a"],"data":{"bill_id":123}})", "a", CommandKind::subscribe},
};
TEST(NativeDecoder, ReadsWhatExistingClientsSend) {
  NativeDecoder decoder;
  for (const LegacyRow& row : kLegacyRows) {
    const auto command = decoder.decode(row.text);
    ASSERT_TRUE(command.has_value()) << row.text;
    EXPECT_EQ(command->kind, row.kind) << row.text;
    ASSERT_EQ(command->items.size(), 1U) << row.text;
    EXPECT_EQ(command->items[0].channel, row.channel) << row.text;
  }
}

TEST(NativeDecoder, ReadsTheCommandsOfLaterIssues) {
  NativeDecoder decoder;
  auto command = decoder.decode(
      R"({"type":"history","id":4,"channel":"orders","after":{"epoch":"5f3c9a1e07d2b846","seq":30},"limit":100})");
  ASSERT_TRUE(command.has_value());
  EXPECT_EQ(command->kind, CommandKind::history);
  EXPECT_EQ(command->channel, "orders");
  EXPECT_TRUE(command->has_after);
  EXPECT_EQ(command->after.seq, Sequence{30});
  EXPECT_EQ(command->limit, 100U);
  command = decoder.decode(R"({"type":"presence","id":5,"channel":"orders"})");
  ASSERT_TRUE(command.has_value());
  EXPECT_EQ(command->kind, CommandKind::presence);
  EXPECT_FALSE(command->has_after) << "nothing of the command before is left";
  EXPECT_EQ(command->limit, 0U);
  command = decoder.decode(R"({"type":"presence","channel":"orders","after":"4\"2","limit":10})");
  ASSERT_TRUE(command.has_value());
  EXPECT_EQ(command->channel, "orders");
  EXPECT_EQ(command->after_name, "4\"2");
  EXPECT_EQ(command->limit, 10U);
  for (const auto& [text, user] : {std::pair{R"({"type":"presence","user":"42"})", "42"},
                                   {R"({"type":"presence","user":"*"})", "*"}}) {
    command = decoder.decode(text);
    ASSERT_TRUE(command.has_value());
    EXPECT_EQ(command->user, user);
    EXPECT_EQ(command->channel, "");
    EXPECT_EQ(command->after_name, "");
  }
  command = decoder.decode(R"({"type":"ack","channel":"user:42","seq":17})");
  ASSERT_TRUE(command.has_value());
  EXPECT_EQ(command->kind, CommandKind::ack);
  EXPECT_EQ(command->acknowledged, Sequence{17});
  command = decoder.decode(R"({"type":"auth","id":6,"token":"eyJ\/x"})");
  ASSERT_TRUE(command.has_value());
  EXPECT_EQ(command->kind, CommandKind::auth);
  EXPECT_EQ(command->token, "eyJ/x");
  command = decoder.decode(R"({"type":"ping","id":7})");
  ASSERT_TRUE(command.has_value());
  EXPECT_EQ(command->kind, CommandKind::ping);
  EXPECT_EQ(command->id, "7");
}

TEST(NativeDecoder, SurvivesMutationsOfEveryRow) {
  std::mt19937 random{13};
  constexpr std::string_view bytes = "\"\\{}[]:,0a\x01\xFF";
  NativeDecoder decoder;
  std::vector<std::string> texts;
  for (const RefusalRow& row : kRefusalRows) {
    texts.push_back(row.text);
  }
  for (const LegacyRow& row : kLegacyRows) {
    texts.emplace_back(row.text);
  }
  int accepted = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string text = texts[random() % texts.size()];
    for (std::size_t i = random() % 3; i > 0 && !text.empty(); --i) {
      text[random() % text.size()] = bytes[random() % bytes.size()];
    }
    const auto command = decoder.decode(text);
    if (command) {
      ++accepted;
      EXPECT_TRUE(is_valid_json(text, kJsonDepthMax)) << text;
      EXPECT_EQ(command->kind == CommandKind::publish, !command->data.empty()) << text;
    } else {
      EXPECT_FALSE(command.error().sentence.empty()) << text;
    }
  }
  EXPECT_GT(accepted, 100);
}

}  // namespace
}  // namespace ringcast
