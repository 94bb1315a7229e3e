// The exchange dialect, command by command (protocol.md section 4).
#include <gtest/gtest.h>

#include "tests/doubles/core_harness.hpp"

namespace ringcast {
namespace {

using Texts = std::vector<std::string>;

class ExchangeTest : public testing::Test {
 protected:
  Texts answers(CoreClient& client, std::string_view command) {
    node.say(client, command);
    return CoreHarness::take_texts(client);
  }
  void publish(std::string_view channel, std::string_view data) {
    node.say(publisher, R"({"type":"publish","channel":")" + std::string{channel} + R"(","data":)" + std::string{data} + "}");
  }
  CoreHarness node;
  CoreClient& publisher = node.native();
};

struct Row {
  std::string_view sentence;
  std::string_view command;
  std::string_view answer;
  bool mistake = false;
};

TEST_F(ExchangeTest, EveryCommandIsAnsweredAsThere) {
  CoreClient& client = node.open("/ws");
  const Row rows[] = {
      {"subscribe", R"({"method":"SUBSCRIBE","params":["a@trade","b@trade"],"id":1})", R"({"result":null,"id":1})"},
      {"subscribe again", R"({"method":"SUBSCRIBE","params":["a@trade"],"id":2})", R"({"result":null,"id":2})"},
      {"list", R"({"method":"LIST_SUBSCRIPTIONS","id":3})", R"({"result":["a@trade","b@trade"],"id":3})"},
      {"unsubscribe", R"({"method":"UNSUBSCRIBE","params":["a@trade"],"id":4})", R"({"result":null,"id":4})"},
      {"unsubscribe what was not subscribed", R"({"method":"UNSUBSCRIBE","params":["x@trade"],"id":5})", R"({"result":null,"id":5})"},
      {"list what is left", R"({"method":"LIST_SUBSCRIPTIONS","id":"six"})", R"({"result":["b@trade"],"id":"six"})"},
      {"a property", R"({"method":"GET_PROPERTY","params":["combined"],"id":7})", R"({"result":false,"id":7})"},
      {"set it", R"({"method":"SET_PROPERTY","params":["combined",true],"id":8})", R"({"result":null,"id":8})"},
      {"it is set", R"({"method":"GET_PROPERTY","params":["combined"],"id":9})", R"({"result":true,"id":9})"},
      {"no JSON", R"({"method")", R"({"error":{"code":3,)", true},
      {"no id", R"({"method":"LIST_SUBSCRIPTIONS"})", R"({"error":{"code":2,)", true},
      {"a method that is none", R"({"method":"SUBSCRIPE","params":["a"],"id":1})", R"({"error":{"code":2,)", true},
      {"no property of ours", R"({"method":"GET_PROPERTY","params":["colour"],"id":1})", R"({"error":{"code":0,)", true},
      {"not a truth value", R"({"method":"SET_PROPERTY","params":["combined","yes"],"id":1})", R"({"error":{"code":1,)", true},
  };
  std::uint64_t mistakes = 0;
  for (const Row& row : rows) {
    const Texts texts = answers(client, row.command);
    ASSERT_EQ(texts.size(), 1U) << row.sentence;
    EXPECT_TRUE(row.mistake ? texts[0].starts_with(row.answer) : texts[0] == row.answer)
        << row.sentence << ": " << texts[0];
    mistakes += row.mistake ? 1 : 0;
    EXPECT_EQ(node.count(CounterId::errors_sent_invalid_message), mistakes) << row.sentence;
  }
  node.say(client, "{}");  // the sixth
  EXPECT_EQ(CoreHarness::take_close(client), 4003);
}

TEST_F(ExchangeTest, ARefusedStreamIsAnError) {
  CoreClient& client = node.open("/ws");
  EXPECT_EQ(answers(client, R"({"method":"SUBSCRIBE","params":["$sys/stats"],"id":1})"),
            Texts{R"({"error":{"code":2,"msg":"unauthorized: channels in '$' are for administrators"},"id":1})"});
  EXPECT_EQ(node.count(CounterId::errors_sent_unauthorized), 1U);
}

TEST_F(ExchangeTest, ThePathChoosesTheEnvelope) {
  CoreClient& raw = node.open("/ws/a@trade");
  CoreClient& combined = node.open("/stream?streams=a@trade/b@trade");
  publish("a@trade", R"({"p":1})");
  publish("b@trade", R"({"p":2})");
  EXPECT_EQ(CoreHarness::take_texts(raw), Texts{R"({"p":1})"});
  EXPECT_EQ(CoreHarness::take_texts(combined),
            (Texts{R"({"stream":"a@trade","data":{"p":1}})", R"({"stream":"b@trade","data":{"p":2}})"}));
}

TEST_F(ExchangeTest, ThePropertyChangesTheEnvelopeBetweenTwoMessagesAndLosesNone) {
  CoreClient& client = node.open("/ws/c");
  const std::string on = CoreHarness::masked(Opcode::text, R"({"method":"SET_PROPERTY","params":["combined",true],"id":1})");
  const std::string off = CoreHarness::masked(Opcode::text, R"({"method":"SET_PROPERTY","params":["combined",false],"id":2})");
  int published = 0;
  const auto publish_quietly = [&] {  // without a turn
    node.text(publisher, R"({"type":"publish","channel":"c","data":)" + std::to_string(++published) + "}");
  };
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < round % 3; ++i) publish_quietly();
    node.bytes(client, on);
    for (int i = 0; i < round % 4; ++i) publish_quietly();
    if (round % 2 == 0) node.run();
    publish_quietly();
    node.bytes(client, off);
    publish_quietly();
    if (round % 5 == 0) node.run();
  }
  node.run();
  int next = 1;
  for (const std::string& text : CoreHarness::take_texts(client)) {
    if (text.starts_with(R"({"result")")) continue;
    const std::string raw = std::to_string(next);
    EXPECT_TRUE(text == raw || text == R"({"stream":"c","data":)" + raw + "}") << text;
    ++next;
  }
  EXPECT_EQ(next, published + 1);
  EXPECT_EQ(node.ledger().sent, static_cast<std::uint64_t>(published));
}

TEST_F(ExchangeTest, ASlowReaderIsClosedAndNeverSkipsSilently) {
  CoreClient& client = node.open("/ws/c");
  client.room = 0;
  for (int i = 0; i < 10; ++i) publish("c", "1");
  node.advance(seconds{11});
  node.make_room(client);
  node.run();
  EXPECT_EQ(CoreHarness::take_close(client), 4008);
  EXPECT_EQ(node.count(CounterId::slow_disconnects), 1U);
  EXPECT_EQ(node.ledger().dropped + node.ledger().conflated, 0U);
}

TEST_F(ExchangeTest, PayloadsGoByteForByte) {
  CoreClient& client = node.open("/ws/c");
  for (const std::string_view data : {R"({ "a" : 1.000 , "b":[ ] })", R"("\u0041\/")", "123456789012345678901234567890", "null"}) {
    publish("c", data);
    EXPECT_EQ(CoreHarness::take_texts(client), Texts{std::string{data}});
  }
}

}  // namespace
}  // namespace ringcast
