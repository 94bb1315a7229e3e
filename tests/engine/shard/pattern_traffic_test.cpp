// Subscriptions to patterns, on a node of one shard and on one of three (docs/adr/0011).
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/doubles/core_harness.hpp"

namespace ringcast {
namespace {

using Texts = std::vector<std::string>;

/// The text with every epoch and time replaced: tests compare the rest.
std::string plain(std::string text) {
  for (const auto& [member, bytes] : {std::pair{std::string_view{R"("epoch":")"}, std::size_t{16}},
                                      {std::string_view{R"("timestamp":")"}, std::size_t{27}}}) {
    for (std::size_t at = text.find(member); at != std::string::npos; at = text.find(member, at + member.size())) {
      text.replace(at + member.size(), bytes, "X");
    }
  }
  return text;
}
std::string epoch_in(std::string_view text) { return std::string{text.substr(text.find(R"("epoch":")") + 9, 16)}; }
std::string channel_in(std::string_view text) {
  const std::size_t at = text.find(R"("channel":")") + 11;
  return std::string{text.substr(at, text.find('"', at) - at)};
}
std::uint64_t seq_in(std::string_view text) {
  const std::size_t at = text.find(R"("seq":)");
  return at == std::string_view::npos ? 0 : std::strtoull(std::string{text.substr(at + 6, 20)}.c_str(), nullptr, 10);
}
bool is_message(std::string_view text) { return text.starts_with(R"({"type":"message")"); }
bool is_notice(std::string_view text) { return text.starts_with(R"({"type":"subscribed","pattern":)"); }
bool is_error(std::string_view text) { return text.starts_with(R"({"type":"error")"); }

std::string list(const std::vector<std::string>& names) {
  std::string text = "[";
  for (const std::string& name : names) text += (text.size() > 1 ? ",\"" : "\"") + name + "\"";
  return text + "]";
}
std::string subscribe(const std::vector<std::string>& names, std::string_view more = "") {
  return R"({"type":"subscribe","id":1,"channels":)" + list(names) + std::string{more} + "}";
}
std::string unsubscribe(const std::vector<std::string>& names) {
  return R"({"type":"unsubscribe","id":2,"channels":)" + list(names) + "}";
}
std::string publish(std::string_view name, std::string_view data = "1") {
  return R"({"type":"publish","channel":")" + std::string{name} + R"(","data":)" + std::string{data} + "}";
}
std::string answer(std::string_view pattern, int matched) {
  return R"({"type":"subscribed","id":1,"channels":[{"channel":")" + std::string{pattern} +
         R"(","pattern":true,"matched":)" + std::to_string(matched) + "}]}";
}
std::string entry(std::string_view name, std::uint64_t seq, std::string_view more = "") {
  return R"({"channel":")" + std::string{name} + R"(","epoch":"X","seq":)" + std::to_string(seq) + std::string{more} +
         "}";
}
std::string notice(std::string_view pattern, std::string_view entries) {
  return R"({"type":"subscribed","pattern":")" + std::string{pattern} + R"(","channels":[)" + std::string{entries} +
         "]}";
}
std::string let_go(std::string_view pattern, std::string_view name) {
  return R"({"type":"unsubscribed","pattern":")" + std::string{pattern} + R"(","channels":[")" + std::string{name} +
         R"("]})";
}
std::string message(std::string_view name, std::uint64_t seq, std::string_view data = "1") {
  return R"({"type":"message","channel":")" + std::string{name} + R"(","seq":)" + std::to_string(seq) +
         R"(,"timestamp":"X","data":)" + std::string{data} + "}";
}

class PatternTest : public testing::TestWithParam<std::uint32_t> {
 protected:
  static CoreOptions with_shards(std::uint32_t count) {
    CoreOptions options;
    options.shards = count;
    options.limits.message_bytes = 8'000;
    options.errors.errors_max = 0;
    return options;
  }
  explicit PatternTest(CoreOptions options = with_shards(GetParam())) : node{std::move(options), 65'536} {}

  Texts got(CoreClient& client) {
    Texts texts = CoreHarness::take_texts(client);
    for (std::string& text : texts) text = plain(std::move(text));
    return texts;
  }
  Texts answers(CoreClient& client, std::string_view command) {
    node.say(client, command);
    return got(client);
  }
  /// A name that the pattern "a.*" matches, with its home there.
  std::string on(std::uint32_t shard, std::string_view stem = "a") { return node.channel_on(shard % GetParam(), stem); }
  /// All channels that notices told of, with their seqs.
  static std::set<std::pair<std::string, std::uint64_t>> told(const Texts& texts) {
    std::set<std::pair<std::string, std::uint64_t>> channels;
    for (const std::string& text : texts) {
      if (!is_notice(text)) continue;
      for (std::size_t at = text.find(R"({"channel":")"); at != std::string::npos;
           at = text.find(R"({"channel":")", at + 1)) {
        const std::string_view rest = std::string_view{text}.substr(at);
        EXPECT_TRUE(channels.emplace(channel_in(rest), seq_in(rest)).second) << text;
      }
    }
    return channels;
  }

  CoreHarness node;
  CoreClient& reader = node.native(0);
  CoreClient& publisher = node.native(GetParam() - 1);
};
INSTANTIATE_TEST_SUITE_P(Shards, PatternTest, testing::Values(1U, 3U),
                         [](const auto& row) { return row.param == 1 ? "OfOneShard" : "OfThreeShards"; });

TEST_P(PatternTest, AnsweredOnceTheChannelsThatExistAreBound) {
  const std::vector<std::string> names{on(0), on(1, "a.b"), on(2)};  // one in a deeper segment
  for (const std::string& name : names) node.say(publisher, publish(name));
  const Texts texts = answers(reader, subscribe({"a.>"}));
  const std::set<std::string> distinct{names.begin(), names.end()};
  ASSERT_GE(texts.size(), 2U);
  EXPECT_EQ(texts[0], answer("a.>", static_cast<int>(distinct.size())));
  std::set<std::pair<std::string, std::uint64_t>> expected;
  for (const std::string& name : distinct) expected.emplace(name, name == names[0] && names[0] == names[2] ? 2 : 1);
  EXPECT_EQ(told(texts), expected);
  for (const std::string& name : distinct) {
    const std::uint64_t before = name == names[0] && names[0] == names[2] ? 2 : 1;
    node.say(publisher, publish(name, "\"next\""));
    EXPECT_EQ(got(reader), Texts{message(name, before + 1, "\"next\"")});
  }
}

TEST_P(PatternTest, NothingMatchesAndNothingIsTold) {
  node.say(publisher, publish("b.0"));
  EXPECT_EQ(answers(reader, subscribe({"a.*"})), Texts{answer("a.*", 0)});
  node.say(publisher, publish("b.0"));
  node.say(publisher, publish("a.b.c"));
  EXPECT_EQ(got(reader), Texts{});
}

TEST_P(PatternTest, AChannelThatBeginsLaterDeliversItsFirstMessage) {
  node.say(reader, subscribe({"a.*"}));
  got(reader);
  for (std::uint32_t shard = 0; shard < 3; ++shard) {
    const std::string name = on(shard, "a") + std::to_string(shard);
    node.text(publisher, publish(name, "\"first\""));
    node.text(publisher, publish(name, "\"second\""));
    node.run();
    EXPECT_EQ(got(reader),
              (Texts{notice("a.*", entry(name, 0)), message(name, 1, "\"first\""), message(name, 2, "\"second\"")}))
        << name;
  }
  EXPECT_EQ(node.count(CounterId::pattern_bindings), 3U);
}

TEST_P(PatternTest, EveryFormFindsTheFirstMessage) {
  CoreClient& raw = node.open("/ws/a.*", 0);
  CoreClient& combined = node.open("/stream?streams=a.*", 0);
  node.say(reader, subscribe({"a.*"}));
  got(reader);
  const std::string name = on(1);
  node.say(publisher, publish(name, "17"));
  EXPECT_EQ(got(reader), (Texts{notice("a.*", entry(name, 0)), message(name, 1, "17")}));
  EXPECT_EQ(got(raw), Texts{"17"});
  EXPECT_EQ(got(combined), Texts{R"({"stream":")" + name + R"(","data":17})"});
}

TEST_P(PatternTest, SubscribingToAChannelDoesNotMakeItExist) {
  CoreClient& other = node.native(0);
  const std::string name = on(1);
  node.say(other, subscribe({name}));
  EXPECT_EQ(answers(reader, subscribe({"a.*"})), Texts{answer("a.*", 0)});
  node.say(publisher, publish(name));
  EXPECT_EQ(got(reader), (Texts{notice("a.*", entry(name, 0)), message(name, 1)}));
}

TEST_P(PatternTest, OneMessageOnceHoweverManyPatternsMatch) {
  const std::string name = on(1);
  node.say(publisher, publish(name));
  EXPECT_EQ(answers(reader, subscribe({"a.*", "a.>", name}))[0],
            R"({"type":"subscribed","id":1,"channels":[{"channel":"a.*","pattern":true,"matched":1},)"
            R"({"channel":"a.>","pattern":true,"matched":1},)" +
                entry(name, 1) + "]}");
  EXPECT_EQ(got(reader), Texts{});  // it was subscribed to by name: nothing else is to be told
  node.say(publisher, publish(name));
  EXPECT_EQ(got(reader), Texts{message(name, 2)});
  EXPECT_EQ(node.count(CounterId::pattern_bindings), 0U);
}

TEST_P(PatternTest, UnsubscribingEndsWhatNoOtherPatternHolds) {
  const std::string shallow = on(1), deep = on(2, "a.b");
  node.say(publisher, publish(shallow));
  node.say(publisher, publish(deep));
  node.say(reader, subscribe({"a.*", "a.>"}));
  got(reader);
  EXPECT_EQ(answers(reader, unsubscribe({"a.>"})), Texts{R"({"type":"unsubscribed","id":2,"channels":["a.>"]})"});
  node.say(publisher, publish(shallow));
  node.say(publisher, publish(deep));
  EXPECT_EQ(got(reader), Texts{message(shallow, 2)});
  node.say(reader, unsubscribe({"a.*"}));
  got(reader);
  node.say(publisher, publish(shallow));
  node.say(publisher, publish(on(0) + "x"));
  EXPECT_EQ(got(reader), Texts{});
  EXPECT_EQ(node.count(CounterId::patterns), 0U);
  EXPECT_EQ(node.count(CounterId::pattern_bindings), 0U);
  EXPECT_EQ(node.count(CounterId::subscriptions), 0U);
}

TEST_P(PatternTest, WhatIsNotSubscribedToCannotBeUnsubscribed) {
  const std::string name = on(1);
  node.say(publisher, publish(name));
  node.say(reader, subscribe({"a.*"}));
  got(reader);
  const auto refusal = [](std::string_view channel) {
    return R"({"type":"error","id":2,"code":"unknown_channel","message":"the connection is not subscribed to this channel","channel":")" +
           std::string{channel} + "\"}";
  };
  EXPECT_EQ(answers(reader, unsubscribe({"b.*"})), Texts{refusal("b.*")});
  EXPECT_EQ(answers(reader, unsubscribe({name})), Texts{refusal(name)});  // only its pattern holds it
  node.say(publisher, publish(name));
  EXPECT_EQ(got(reader), Texts{message(name, 2)});
}

TEST_P(PatternTest, AnExactSubscribeTakesOverAndGivesBack) {
  const std::string name = on(1);
  node.say(publisher, publish(name));
  node.say(reader, subscribe({"a.*"}));
  got(reader);
  EXPECT_EQ(node.count(CounterId::pattern_bindings), 1U);
  EXPECT_EQ(answers(reader, subscribe({name})),
            Texts{R"({"type":"subscribed","id":1,"channels":[)" + entry(name, 1) + "]}"});
  EXPECT_EQ(node.count(CounterId::pattern_bindings), 0U);
  EXPECT_EQ(answers(reader, unsubscribe({name})),
            Texts{R"({"type":"unsubscribed","id":2,"channels":[")" + name + "\"]}"});
  EXPECT_EQ(node.count(CounterId::pattern_bindings), 1U);
  node.say(publisher, publish(name));
  EXPECT_EQ(got(reader), Texts{message(name, 2)});  // the pattern goes on with it
  node.say(reader, subscribe({name}));
  got(reader);
  node.say(reader, unsubscribe({"a.*"}));
  got(reader);
  node.say(publisher, publish(name));
  EXPECT_EQ(got(reader), Texts{message(name, 3)});  // and it with the channel
}

TEST_P(PatternTest, AnExactSubscribeTakesOverAJoinUnderWay) {
  node.say(reader, subscribe({"a.*"}));
  got(reader);
  const std::string name = on(1);
  node.text(publisher, publish(name));
  for (int i = 0; i < 2; ++i) {
    for (std::uint32_t shard = GetParam(); shard-- > 0;) node.turn(shard);
  }
  node.text(reader, subscribe({name}));
  node.run();
  node.say(publisher, publish(name, "2"));
  const Texts texts = got(reader);
  EXPECT_EQ(texts.back(), message(name, 2, "2"));
  EXPECT_EQ(std::ranges::count(texts, message(name, 2, "2")), 1);
  EXPECT_EQ(
      std::ranges::count_if(texts, [](const auto& text) { return text.starts_with(R"({"type":"subscribed","id":1)"); }),
      1);
  EXPECT_EQ(node.count(CounterId::pattern_bindings), 0U);
}

TEST_P(PatternTest, TheServersAndUsersChannelsMustBeSpelledOut) {
  EXPECT_EQ(answers(reader, subscribe({">"})), Texts{answer(">", 0)});
  const auto refusal = [](std::string_view sentence, std::string_view channel) {
    return R"({"type":"error","id":1,"code":"unauthorized","message":")" + std::string{sentence} + R"(","channel":")" +
           std::string{channel} + "\"}";
  };
  EXPECT_EQ(answers(reader, subscribe({"$sys/*"})), Texts{refusal("channels in '$' are for administrators", "$sys/*")});
  EXPECT_EQ(answers(reader, subscribe({"user:>"})), Texts{refusal("a personal channel is its user's alone", "user:>")});
}

TEST_P(PatternTest, APatternThatIsNoneIsRefused) {
  EXPECT_EQ(
      answers(reader, subscribe({"a.>.b"})),
      Texts{
          R"({"type":"error","id":1,"code":"invalid_message","message":"in a pattern '>' may only be the last character","channel":"a.>.b"})"});
  EXPECT_EQ(node.count(CounterId::patterns_refused), 1U);
  EXPECT_EQ(node.count(CounterId::patterns), 0U);
}

TEST_P(PatternTest, AResumeNamesChannelsThatThePatternBinds) {
  const std::string name = on(1), other = on(2, "a.other");
  CoreClient& keeper = node.native(0);  // keeps their logs here
  node.say(keeper, subscribe({name, other}));
  node.say(publisher, publish(name));
  node.say(publisher, publish(other));
  node.say(reader, subscribe({"a.>"}));
  std::string epoch;
  for (const std::string& text : CoreHarness::take_texts(reader)) {
    const std::size_t at = text.find(R"("channel":")" + name + "\"");
    if (is_notice(text) && at != std::string::npos) epoch = epoch_in(std::string_view{text}.substr(at));
  }
  ASSERT_FALSE(epoch.empty());
  node.end(reader);
  node.run();
  node.say(publisher, publish(name, "2"));
  node.say(publisher, publish(name, "3"));
  CoreClient& again = node.native(0);
  const Texts texts = answers(
      again, subscribe({"a.>"},
                       R"(,"resume":{")" + name + R"(":{"epoch":")" + epoch + R"(","seq":1},")" + other +
                           R"(":{"epoch":"0000000000000001","seq":9},"a.gone":{"epoch":"0000000000000001","seq":9}})"));
  ASSERT_GE(texts.size(), 4U);
  EXPECT_EQ(texts[0], answer("a.>", 2));
  std::string all;
  for (const std::string& text : texts) all += text;
  EXPECT_NE(all.find(entry(name, 3, R"(,"recovered":true)")), std::string::npos) << all;
  EXPECT_NE(all.find(entry(other, 1, R"(,"recovered":false)")), std::string::npos) << all;
  EXPECT_EQ(Texts(texts.end() - 2, texts.end()), (Texts{message(name, 2, "2"), message(name, 3, "3")}));
}

TEST_P(PatternTest, WhoComesWhileTheHomesLookWaitsForTheNextRound) {
  const std::string name = on(1);
  node.say(publisher, publish(name));
  std::vector<CoreClient*> readers;
  for (int i = 0; i < 20; ++i) readers.push_back(&node.native(0));
  for (std::size_t i = 0; i < readers.size(); ++i) {
    node.text(*readers[i], subscribe({"a.*"}));
    if (i % 7 == 0) node.turn(0);
  }
  node.end(*readers[3]);
  node.run();
  node.say(publisher, publish(name));
  for (std::size_t i = 0; i < readers.size(); ++i) {
    if (i == 3) continue;
    EXPECT_EQ(got(*readers[i]), (Texts{answer("a.*", 1), notice("a.*", entry(name, 1)), message(name, 2)})) << i;
  }
  EXPECT_LE(node.count(CounterId::channels_announced), 6U);  // a few rounds, not twenty
}

TEST_P(PatternTest, WhoLeavesInTheMiddleLeavesNothing) {
  for (int i = 0; i < 30; ++i) node.text(publisher, publish("a." + std::to_string(i)));
  node.run();
  for (int turns = 0; turns < 12; ++turns) {
    CoreClient& one = node.native(0);
    node.text(one, subscribe({"a.*", "a.>"}));
    for (int i = 0; i < turns; ++i) node.turn(static_cast<std::uint32_t>(i) % GetParam());
    node.end(one);
    node.run();
    EXPECT_EQ(node.count(CounterId::patterns), 0U) << turns;
    EXPECT_EQ(node.count(CounterId::pattern_bindings), 0U) << turns;
  }
  for (std::uint32_t shard = 0; shard < GetParam(); ++shard) EXPECT_TRUE(node.core(shard).idle());
}

TEST_P(PatternTest, PatternsComeAndGoWhileTheyAreGivenUp) {
  const std::string name = on(1);
  node.say(publisher, publish(name));
  for (int turns = 0; turns < 10; ++turns) {
    node.say(reader, subscribe({"a.*"}));
    ASSERT_EQ(got(reader).size(), 2U) << turns;
    node.text(reader, unsubscribe({"a.*"}));
    for (int i = 0; i < turns; ++i) node.turn(static_cast<std::uint32_t>(i) % GetParam());
    node.say(reader, subscribe({"a.*"}));
    ASSERT_EQ(got(reader).size(), 3U) << turns;
    node.say(reader, unsubscribe({"a.*"}));
    got(reader);
  }
}

TEST_P(PatternTest, ManyChannelsAreBoundInSteps) {
  CoreClient& other = node.native(0);
  constexpr int kChannels = 900;
  for (int i = 0; i < kChannels; ++i) node.text(publisher, publish("a." + std::to_string(i)));
  node.run();
  node.text(reader, subscribe({"a.*"}));
  node.text(other, R"({"type":"ping","id":7})");  // does not wait for it
  node.turn(0);
  EXPECT_EQ(got(other), Texts{R"({"type":"pong","id":7})"});
  EXPECT_EQ(got(reader), Texts{});
  node.run();
  const Texts texts = got(reader);
  ASSERT_GE(texts.size(), 2U);
  EXPECT_EQ(texts[0], answer("a.*", kChannels));
  EXPECT_EQ(told(texts).size(), static_cast<std::size_t>(kChannels));
  for (const std::string& text : texts) EXPECT_LE(text.size(), kReplyBytesMax);
}

TEST_P(PatternTest, AFloodOfNewChannelsIsToldInFull) {
  node.say(reader, subscribe({"a.*"}));
  got(reader);
  constexpr int kChannels = 700;
  for (int i = 0; i < kChannels; ++i) node.text(publisher, publish("a." + std::to_string(i), "\"first\""));
  node.run();
  const Texts texts = got(reader);
  EXPECT_EQ(told(texts).size(), static_cast<std::size_t>(kChannels));
  std::set<std::string> told_of;
  int messages = 0;
  for (const std::string& text : texts) {
    if (is_notice(text)) {
      for (const auto& [channel, seq] : told({text})) {
        EXPECT_EQ(seq, 0U);
        told_of.insert(channel);
      }
    } else {
      ASSERT_TRUE(is_message(text)) << text;
      EXPECT_EQ(seq_in(text), 1U);
      EXPECT_TRUE(told_of.contains(channel_in(text))) << "a notice comes before the first message";
      ++messages;
    }
  }
  EXPECT_EQ(messages, kChannels);
}

TEST_P(PatternTest, TheExchangeDialectIsNotTold) {
  const std::string name = on(1);
  node.say(publisher, publish(name));
  CoreClient& client = node.open("/ws", 0);
  EXPECT_EQ(answers(client, R"({"method":"SUBSCRIBE","params":["a.*","b"],"id":5})"),
            Texts{R"({"result":null,"id":5})"});
  node.say(publisher, publish(name, "2"));
  node.say(publisher, publish(name + "new", "3"));
  EXPECT_EQ(got(client), (Texts{"2", "3"}));
  EXPECT_EQ(answers(client, R"({"method":"LIST_SUBSCRIPTIONS","id":6})"), Texts{R"({"result":["b","a.*"],"id":6})"});
  EXPECT_EQ(answers(client, R"({"method":"SET_PROPERTY","params":["combined",true],"id":7})"),
            Texts{R"({"result":null,"id":7})"});
  node.say(publisher, publish(name, "4"));
  EXPECT_EQ(got(client), Texts{R"({"stream":")" + name + R"(","data":4})"});
  EXPECT_EQ(answers(client, R"({"method":"UNSUBSCRIBE","params":["a.*"],"id":8})"), Texts{R"({"result":null,"id":8})"});
  node.say(publisher, publish(name, "5"));
  EXPECT_EQ(got(client), Texts{});
}

TEST_P(PatternTest, AFormThatChangesWhileAJoinIsUnderWayIsFollowed) {
  CoreClient& client = node.open("/ws", 0);
  node.say(client, R"({"method":"SUBSCRIBE","params":["a.*"],"id":5})");
  got(client);
  const std::string name = on(1);
  for (int turns = 0; turns < 6; ++turns) {
    const std::string channel = name + std::to_string(turns);
    const bool combined = turns % 2 == 0;
    node.text(publisher, publish(channel, "1"));
    for (int i = 0; i < turns; ++i) node.turn((static_cast<std::uint32_t>(i) + 1) % GetParam());
    node.text(client, R"({"method":"SET_PROPERTY","params":["combined",)" + std::string{combined ? "true" : "false"} +
                          R"(],"id":7})");
    node.run();
    node.say(publisher, publish(channel, "2"));
    const Texts texts = got(client);
    EXPECT_EQ(texts.back(), combined ? R"({"stream":")" + channel + R"(","data":2})" : "2") << turns;
  }
}

// ---- bounds ----

class PatternLimitTest : public PatternTest {
 protected:
  static CoreOptions few() {
    CoreOptions options = with_shards(GetParam());
    options.limits.subscriptions = 5;
    options.limits.patterns = 2;
    return options;
  }
  PatternLimitTest() : PatternTest{few()} {}
  static std::string stopped(std::string_view pattern) {
    return R"({"type":"error","code":"too_many_subscriptions","message":"the pattern matches more channels than the connection may subscribe to","channel":")" +
           std::string{pattern} + "\"}";
  }
};
INSTANTIATE_TEST_SUITE_P(Shards, PatternLimitTest, testing::Values(1U, 3U),
                         [](const auto& row) { return row.param == 1 ? "OfOneShard" : "OfThreeShards"; });

TEST_P(PatternLimitTest, APatternStopsAtTheLimitOfSubscriptionsAndSaysSoOnce) {
  for (int i = 0; i < 9; ++i) node.text(publisher, publish("a." + std::to_string(i)));
  node.run();
  Texts texts = answers(reader, subscribe({"a.*"}));
  EXPECT_EQ(texts[0], answer("a.*", 5));
  EXPECT_EQ(told(texts).size(), 5U);
  EXPECT_EQ(std::ranges::count(texts, stopped("a.*")), 1);
  for (int i = 10; i < 20; ++i) node.text(publisher, publish("a." + std::to_string(i)));
  node.run();
  EXPECT_EQ(got(reader), Texts{});
  EXPECT_EQ(node.count(CounterId::pattern_bindings), 5U);
  EXPECT_EQ(node.count(CounterId::pattern_bindings_refused), 1U);
  EXPECT_EQ(node.count(CounterId::errors_sent_too_many_subscriptions), 1U);
}

TEST_P(PatternLimitTest, ALimitMetLaterIsToldWhenItIsMet) {
  node.say(reader, subscribe({"a.*", "b"}));
  got(reader);
  for (int i = 0; i < 4; ++i) node.text(publisher, publish("a." + std::to_string(i)));
  node.run();
  Texts texts = got(reader);
  EXPECT_EQ(std::ranges::count_if(texts, is_error), 0);
  EXPECT_EQ(told(texts).size(), 4U);
  node.say(publisher, publish("a.4"));
  EXPECT_EQ(got(reader), Texts{stopped("a.*")});
  node.say(publisher, publish("a.5"));
  EXPECT_EQ(got(reader), Texts{});
}

TEST_P(PatternLimitTest, SubscribedToAgainItLooksAgain) {
  for (int i = 0; i < 7; ++i) node.text(publisher, publish("a." + std::to_string(i)));
  node.run();
  node.say(reader, subscribe({"a.*"}));
  got(reader);
  Texts texts = answers(reader, subscribe({"a.*"}));
  EXPECT_EQ(texts, (Texts{answer("a.*", 5), stopped("a.*")}));
  node.say(reader, unsubscribe({"a.*"}));
  got(reader);
  texts = answers(reader, subscribe({"a.*"}));
  EXPECT_EQ(texts[0], answer("a.*", 5));
  EXPECT_EQ(told(texts).size(), 5U);
}

TEST_P(PatternLimitTest, TheExchangeDialectIsAnsweredWithTheLimit) {
  for (int i = 0; i < 9; ++i) node.text(publisher, publish("a." + std::to_string(i)));
  node.run();
  CoreClient& client = node.open("/ws", 0);
  EXPECT_EQ(
      answers(client, R"({"method":"SUBSCRIBE","params":["a.*"],"id":5})"),
      Texts{
          R"({"error":{"code":2,"msg":"too_many_subscriptions: the pattern matches more channels than the connection may subscribe to"},"id":5})"});
  for (int i = 0; i < 9; ++i) node.text(publisher, publish("a." + std::to_string(i), std::to_string(i)));
  node.run();
  EXPECT_EQ(got(client).size(), 5U);  // what it has got, it has
  CoreClient& late = node.open("/ws", 0);
  node.say(late, R"({"method":"SUBSCRIBE","params":["c.*"],"id":6})");
  got(late);
  for (int i = 0; i < 6; ++i) node.text(publisher, publish("c." + std::to_string(i)));
  node.run();
  const Texts texts = got(late);
  EXPECT_EQ(
      std::ranges::count(
          texts,
          R"({"error":{"code":2,"msg":"too_many_subscriptions: the pattern matches more channels than the connection may subscribe to"},"id":null})"),
      1);
}

TEST_P(PatternLimitTest, AConnectionHasSoManyPatterns) {
  node.say(reader, subscribe({"a.*", "b.*"}));
  got(reader);
  EXPECT_EQ(
      answers(reader, subscribe({"c.*"})),
      Texts{
          R"({"type":"error","id":1,"code":"too_many_subscriptions","message":"the connection has as many patterns as it may have","channel":"c.*"})"});
  EXPECT_EQ(answers(reader, subscribe({"b.*"})), Texts{answer("b.*", 0)});  // it has that one
  EXPECT_EQ(node.count(CounterId::patterns), 2U);
  EXPECT_EQ(node.count(CounterId::patterns_refused), 1U);
  node.say(reader, unsubscribe({"a.*"}));
  got(reader);
  EXPECT_EQ(answers(reader, subscribe({"c.*"})), Texts{answer("c.*", 0)});
}

TEST(PatternShardLimit, AShardHasSoManyDifferentPatterns) {
  CoreOptions options;
  options.limits.patterns = 1'024;
  options.errors.errors_max = 0;
  CoreHarness node{options};
  std::vector<CoreClient*> clients;
  for (std::uint32_t i = 0; i < kPatternsPerShardMax; i += 1'024) {
    clients.push_back(&node.native());
    std::vector<std::string> patterns;
    for (std::uint32_t k = i; k < i + 1'024; ++k) patterns.push_back("p" + std::to_string(k) + ".*");
    node.say(*clients.back(), subscribe(patterns));
    EXPECT_EQ(CoreHarness::take_texts(*clients.back()).size(), 1U);
  }
  CoreClient& late = node.native();
  node.say(late, subscribe({"q.*", "p7.*"}));
  const Texts texts = CoreHarness::take_texts(late);
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_EQ(texts[0], answer("p7.*", 0));  // others have it: that costs nothing
  EXPECT_EQ(
      texts[1],
      R"({"type":"error","id":1,"code":"overloaded","message":"the node has as many patterns as it may have","channel":"q.*"})");
  for (CoreClient* client : clients) node.end(*client);
  node.run();
  node.say(late, subscribe({"q.*"}));
  EXPECT_EQ(CoreHarness::take_texts(late), Texts{answer("q.*", 0)});
}

// ---- silence ----

class PatternSilenceTest : public PatternTest {
 protected:
  static CoreOptions short_lived() {
    CoreOptions options = with_shards(GetParam());
    options.limits.channel_idle_time = seconds{20};
    options.heartbeat.interval = milliseconds{0};
    options.limits.idle_time = milliseconds{hours{1}};
    NamespaceRule rule;
    rule.history.age = seconds{5};
    options.namespaces.push_back(rule);
    return options;
  }
  PatternSilenceTest() : PatternTest{short_lived()} {}
};
INSTANTIATE_TEST_SUITE_P(Shards, PatternSilenceTest, testing::Values(1U, 3U),
                         [](const auto& row) { return row.param == 1 ? "OfOneShard" : "OfThreeShards"; });

TEST_P(PatternSilenceTest, AChannelThatOnlyPatternsReadExpires) {
  node.say(reader, subscribe({"a.*"}));
  const std::string name = on(1);
  node.say(publisher, publish(name));
  got(reader);
  EXPECT_EQ(node.count(CounterId::pattern_bindings), 1U);
  node.advance(seconds{60});
  EXPECT_EQ(node.count(CounterId::pattern_bindings), 0U);
  EXPECT_EQ(node.count(CounterId::channels_home), 0U);
  EXPECT_EQ(node.count(CounterId::channel_logs), 0U);
  EXPECT_EQ(got(reader), Texts{let_go("a.*", name)});
  node.say(publisher, publish(name, "\"again\""));
  EXPECT_EQ(got(reader), (Texts{notice("a.*", entry(name, 0)), message(name, 1, "\"again\"")}));  // a new epoch
}

TEST_P(PatternSilenceTest, WhoSubscribedByNameKeepsItAndNothingIsLost) {
  const std::string name = on(1);
  CoreClient& other = node.native(GetParam() - 1);
  node.say(other, subscribe({name}));
  node.say(reader, subscribe({"a.*"}));
  node.say(publisher, publish(name));
  got(reader);
  got(other);
  node.advance(seconds{120});
  EXPECT_EQ(node.count(CounterId::channels_home), 1U);
  for (int i = 2; i < 5; ++i) node.text(publisher, publish(name, std::to_string(i)));
  node.run();
  EXPECT_EQ(got(other), (Texts{message(name, 2, "2"), message(name, 3, "3"), message(name, 4, "4")}));
  Texts texts = got(reader);
  if (GetParam() != 1) {  // it was let go on its shard, and bound again from where it was
    ASSERT_GE(texts.size(), 2U);
    EXPECT_EQ(texts[0], let_go("a.*", name));
    EXPECT_EQ(texts[1], notice("a.*", entry(name, 1)));
    texts.erase(texts.begin(), texts.begin() + 2);
  }
  EXPECT_EQ(texts, (Texts{message(name, 2, "2"), message(name, 3, "3"), message(name, 4, "4")}));
}

TEST_P(PatternSilenceTest, AMessageOnItsWayWhileTheChannelIsLetGoIsNotLost) {
  node.say(reader, subscribe({"a.*"}));
  const std::string name = on(1);
  node.say(publisher, publish(name));
  got(reader);
  std::uint64_t seq = 1;
  bool bound = true;
  for (int round = 0; round < 60; ++round) {  // at every moment of the letting go
    node.now.mono += seconds{19};
    for (int i = 0; i < round; ++i) {
      node.now.mono += milliseconds{50};
      node.turn(static_cast<std::uint32_t>(i) % GetParam());
    }
    node.text(publisher, publish(name));
    node.run();
    std::uint64_t messages = 0;
    for (const std::string& text : got(reader)) {
      if (text == let_go("a.*", name)) {
        EXPECT_TRUE(bound);
        bound = false;
      } else if (is_notice(text)) {
        EXPECT_FALSE(bound);
        bound = true;
        const std::uint64_t at = seq_in(text);
        EXPECT_TRUE(at == seq || at == 0) << text << " after " << seq;
        EXPECT_EQ(text.find("recovered"), std::string::npos) << text;
        seq = at;
      } else {
        ASSERT_TRUE(is_message(text)) << text;
        EXPECT_EQ(seq_in(text), ++seq);
        ++messages;
      }
    }
    EXPECT_EQ(messages, 1U) << round;
  }
}

TEST_P(PatternSilenceTest, SilentReadersThatLagAreNotLetGo) {
  node.say(reader, subscribe({"a.*"}));
  got(reader);
  const std::string name = on(1);
  reader.room = 0;
  node.text(publisher, publish(name));
  node.run();
  node.advance(seconds{60});
  EXPECT_LE(node.count(CounterId::pattern_bindings), 1U);
  EXPECT_TRUE(node.ledger().closed());
}

}  // namespace
}  // namespace ringcast
