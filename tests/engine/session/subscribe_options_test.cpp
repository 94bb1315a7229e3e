// What a subscribe may choose, and what it gets (protocol.md section 3, `options`), over one shard and two.
#include <gtest/gtest.h>

#include "engine/stats/counters.hpp"
#include "tests/doubles/core_harness.hpp"

namespace ringcast {
namespace {

using Texts = std::vector<std::string>;

CoreOptions node_of(std::uint32_t shards) {
  CoreOptions options;
  options.shards = shards;
  options.errors.errors_max = 0;
  const auto add = [&](std::string match, SlowPolicy slow, std::uint32_t max_rate) {
    NamespaceRule& rule = options.namespaces.emplace_back();
    rule.match = std::move(match);
    rule.slow = slow;
    rule.max_rate = max_rate;
  };
  add("quote.>", SlowPolicy::conflate, 0);
  add("limited.>", SlowPolicy::conflate, 5);
  add("trade.>", SlowPolicy::disconnect, 0);
  add("event.>", SlowPolicy::drop_oldest, 0);
  NamespaceRule& urgent = options.namespaces.emplace_back();
  urgent.match = "urgent.>";
  urgent.priority = Priority::high;
  NamespaceRule& company = options.namespaces.emplace_back();
  company.match = "company.>";
  company.batch_delay = milliseconds{50};
  company.batch_max = 10;
  return options;
}
std::string subscribe(std::string_view channel, std::string_view options = "{}") {
  return R"({"type":"subscribe","id":1,"channels":[")" + std::string{channel} + R"("],"options":)" +
         std::string{options} + "}";
}
std::string publish(std::string_view channel, std::string_view data = "1", std::string_view more = "") {
  return R"({"type":"publish","channel":")" + std::string{channel} + R"(",)" + std::string{more} + R"("data":)" +
         std::string{data} + "}";
}
/// The kind and number of each text: "subscribed", "3", "gap 1-2", "error not_supported".
Texts brief(const Texts& texts) {
  const auto member = [](std::string_view text, std::string_view name) {
    const std::string key = "\"" + std::string{name} + "\":";
    std::size_t at = text.find(key);
    if (at == std::string_view::npos) return std::string{};
    at += key.size();
    if (text[at] == '"') ++at;
    return std::string{text.substr(at, text.find_first_of(",}\"", at) - at)};
  };
  Texts all;
  for (const std::string& text : texts) {
    const std::string type = member(text, "type");
    all.push_back(type == "message" ? member(text, "seq")
                  : type == "gap"
                      ? "gap " + member(text, "from") + "-" + member(text, "to") + " " + member(text, "reason")
                  : type == "error" ? "error " + member(text, "code")
                                    : type);
  }
  return all;
}

/// The reader sits on shard 0; the channel's home is shard 0, or the last one.
class SubscribeOptionsTest : public testing::TestWithParam<std::uint32_t> {
 protected:
  Texts got(CoreClient& client) { return brief(CoreHarness::take_texts(client)); }
  Texts answers(CoreClient& client, std::string_view command) {
    node.say(client, command);
    return got(client);
  }
  void publish_to(std::string_view channel, int count, std::string_view more = "") {
    for (int i = 0; i < count; ++i) node.text(publisher, publish(channel, "1", more));
    node.run();
  }
  std::string channel(std::string_view stem) const { return node.channel_on(node.options.shards - 1, stem); }

  CoreHarness node{node_of(GetParam())};
  CoreClient& reader = node.native(0);
  CoreClient& publisher = node.native(0);
};
INSTANTIATE_TEST_SUITE_P(Shards, SubscribeOptionsTest, testing::Values(1U, 2U));

struct RefusalRow {
  std::string_view sentence;
  std::string_view stem;
  std::string_view options;
  bool granted;
};

TEST_P(SubscribeOptionsTest, WhatTheNamespaceDoesNotAllowIsRefusedAndNotSubscribed) {
  const RefusalRow rows[] = {
      {"conflate, where quotes conflate", "quote.a", R"({"conflate":true})", true},
      {"a rate, there", "quote.b", R"({"max_rate":10})", true},
      {"every message, there", "quote.c", R"({"conflate":false})", true},
      {"conflate, for trades", "trade.a", R"({"conflate":true})", false},
      {"a rate, for trades", "trade.b", R"({"max_rate":10})", false},
      {"every message, for trades", "trade.c", R"({"conflate":false})", true},
      {"conflate, for events", "event.a", R"({"conflate":true})", false},
      {"every message where the rate is limited", "limited.a", R"({"conflate":false})", false},
      {"a higher rate than the namespace's", "limited.b", R"({"max_rate":1000})", true},
      {"no options", "trade.d", "{}", true},
  };
  std::uint64_t refused = 0;
  for (const RefusalRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    const std::string name = channel(row.stem);
    const std::uint64_t before = node.count(CounterId::subscriptions);
    EXPECT_EQ(answers(reader, subscribe(name, row.options)), Texts{row.granted ? "subscribed" : "error not_supported"});
    EXPECT_EQ(node.count(CounterId::subscriptions), before + (row.granted ? 1U : 0U));
    refused += row.granted ? 0U : 1U;
    publish_to(name, 1);
    EXPECT_EQ(got(reader).size(), row.granted ? 1U : 0U);
  }
  EXPECT_EQ(node.count(CounterId::errors_sent_not_supported), refused);
}

TEST_P(SubscribeOptionsTest, OfSeveralChannelsThoseThatAllowItAreSubscribed) {
  node.say(reader, R"({"type":"subscribe","id":1,"channels":["trade.x","quote.x"],"options":{"conflate":true}})");
  const Texts texts = CoreHarness::take_texts(reader);
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_NE(texts[0].find(R"("channels":[{"channel":"quote.x")"), std::string::npos);
  EXPECT_NE(texts[1].find(R"("code":"not_supported","message":"the namespace of this channel does not conflate: its )"
                          R"(readers get every message","channel":"trade.x")"),
            std::string::npos);
}

TEST_P(SubscribeOptionsTest, ARateHoldsAndItsLastMessageComesThoughNothingElseDoes) {
  const std::string name = channel("quote.r");
  answers(reader, subscribe(name, R"({"max_rate":10})"));
  publish_to(name, 5);
  Texts all = got(reader);
  ASSERT_FALSE(all.empty());
  publish_to(name, 5);
  const Texts more = got(reader);
  EXPECT_EQ(more, Texts{});
  EXPECT_TRUE(node.core(0).idle());
  EXPECT_LE(node.core(0).next_deadline(), node.now.mono + milliseconds{100});
  node.advance(milliseconds{101});
  const Texts last = got(reader);
  ASSERT_EQ(last.size(), 2U);
  EXPECT_EQ(last[1], "10");
  EXPECT_EQ(node.ledger().queued, 0U);
  EXPECT_EQ(node.ledger().sent + node.ledger().conflated, 10U);
}

TEST_P(SubscribeOptionsTest, TheNamespacesRateHoldsInTheExchangeDialectToo) {
  const std::string name = channel("limited.e");
  CoreClient& exchange = node.open("/ws/" + name, 0);
  node.run();
  for (int i = 1; i <= 9; ++i) node.say(publisher, publish(name, std::to_string(i)));
  EXPECT_EQ(CoreHarness::take_texts(exchange), Texts{"1"});
  node.advance(milliseconds{201});
  EXPECT_EQ(CoreHarness::take_texts(exchange), Texts{"9"});
}

TEST_P(SubscribeOptionsTest, SubscribingAgainWithOptionsReplacesThemAndWithoutLeavesThem) {
  const std::string name = channel("quote.s");
  answers(reader, subscribe(name, R"({"max_rate":1})"));
  node.say(publisher, publish(name));
  EXPECT_EQ(got(reader), Texts{"1"});
  EXPECT_EQ(answers(reader, subscribe(name)), Texts{"subscribed"});
  node.say(publisher, publish(name));
  EXPECT_EQ(got(reader), Texts{});
  EXPECT_EQ(answers(reader, subscribe(name, R"({"conflate":false})")), (Texts{"subscribed", "2"}));
  publish_to(name, 3);
  EXPECT_EQ(got(reader), (Texts{"3", "4", "5"}));
  EXPECT_EQ(node.count(CounterId::subscriptions), 1U);
}

TEST_P(SubscribeOptionsTest, ARefusalLeavesASubscriptionThatIsThere) {
  const std::string name = channel("trade.s");
  EXPECT_EQ(answers(reader, subscribe(name)), Texts{"subscribed"});
  EXPECT_EQ(answers(reader, subscribe(name, R"({"conflate":true})")), Texts{"error not_supported"});
  publish_to(name, 3);
  EXPECT_EQ(got(reader), (Texts{"1", "2", "3"}));
}

TEST_P(SubscribeOptionsTest, WhatWaitsGoesOutBeforeTheGoodbyeAtTheEndOfTheNode) {
  const std::string quote = channel("quote.z");
  const std::string company = channel("company.z");
  answers(reader, subscribe(quote, R"({"max_rate":1})"));
  answers(reader, subscribe(company));
  node.say(publisher, publish(quote));
  EXPECT_EQ(got(reader), Texts{"1"});
  node.say(publisher, publish(quote));
  node.say(publisher, publish(quote));
  node.advance(kShutdownSettle - milliseconds{20});
  EXPECT_EQ(got(reader), Texts{});
  for (std::uint32_t shard = 0; shard < node.options.shards; ++shard) node.core(shard).begin_shutdown(node.now);
  node.run();
  node.advance(kShutdownSettle * 2);
  const auto frames = CoreHarness::take_frames(reader);
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_NE(frames[0].payload.find(R"("from":2,"to":2,"reason":"conflated")"), std::string::npos);
  EXPECT_NE(frames[1].payload.find(R"("seq":3)"), std::string::npos);
  EXPECT_EQ(frames[2].opcode, Opcode::close);
}

TEST_P(SubscribeOptionsTest, ABatchWaitsOnTheReadersShardAndPublishersAreAnsweredAtOnce) {
  const std::string name = channel("company.a");
  answers(reader, subscribe(name));
  node.say(publisher, publish(name, "1", R"("id":7,)"));
  EXPECT_EQ(got(publisher), Texts{"published"});
  EXPECT_EQ(got(reader), Texts{});
  EXPECT_TRUE(node.core(0).idle());
  node.advance(milliseconds{51});
  EXPECT_EQ(got(reader), Texts{"1"});
  publish_to(name, 10);  // batch_max
  EXPECT_EQ(got(reader).size(), 10U);
}

TEST_P(SubscribeOptionsTest, AMessagesPriorityTravelsWithIt) {
  const std::string first = channel("trade.first");
  const std::string second = channel("trade.second");
  const std::string urgent = channel("urgent.a");
  for (const std::string& name : {first, second, urgent}) answers(reader, subscribe(name));
  node.asleep[0] = node.options.shards > 1;
  CoreClient& there = node.native(node.options.shards - 1);
  reader.room = 0;
  node.text(there, publish(first));
  node.text(there, publish(second, "1", R"("priority":"normal",)"));
  node.text(there, publish(second, "2", R"("priority":"high",)"));
  node.text(there, publish(second, "3"));
  node.text(there, publish(urgent));
  node.run();
  node.asleep[0] = false;
  node.run();
  node.make_room(reader);
  node.run();
  Texts names;
  for (const std::string& text : CoreHarness::take_texts(reader)) {
    for (const std::string& name : {first, second, urgent}) {
      if (text.find("\"channel\":\"" + name + "\"") != std::string::npos) names.push_back(name);
    }
  }
  ASSERT_EQ(names.size(), 5U);
  EXPECT_EQ(std::ranges::count(names, second), 3);
  EXPECT_EQ(names.back(), first);  // all others go before it, though it came first
}

TEST(SubscribeOptions, AreRefusedWhereTheyContradictEachOther) {
  CoreHarness node{node_of(1)};
  CoreClient& reader = node.native();
  node.say(reader, subscribe("quote.a", R"({"conflate":false,"max_rate":5})"));
  EXPECT_EQ(brief(CoreHarness::take_texts(reader)), Texts{"error invalid_message"});
  EXPECT_EQ(node.count(CounterId::subscriptions), 0U);
}

}  // namespace
}  // namespace ringcast
