// On what terms a pattern's channels are served, and what of them each dialect can be given (docs/protocol.md,
// Patterns), over one shard and three.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/doubles/binary_records.hpp"
#include "tests/doubles/core_harness.hpp"

namespace ringcast {
namespace {

CoreOptions with_namespaces(std::uint32_t shards) {
  CoreOptions options;
  options.shards = shards;
  options.errors.errors_max = 0;
  options.heartbeat.interval = milliseconds{0};
  const auto add = [&](std::string match) -> NamespaceRule& {
    NamespaceRule& rule = options.namespaces.emplace_back();
    rule.match = std::move(match);
    return rule;
  };
  add("quote.>").slow = SlowPolicy::conflate;
  NamespaceRule& limited = add("limited.>");
  limited.slow = SlowPolicy::conflate;
  limited.max_rate = 5;
  add("trade.>").slow = SlowPolicy::disconnect;
  add("bytes.>").payload = PayloadKind::binary;
  return options;
}

std::string subscribe(std::string_view channel, std::string_view options = "") {
  return R"({"type":"subscribe","id":1,"channels":[")" + std::string{channel} + "\"]" +
         (options.empty() ? std::string{} : R"(,"options":)" + std::string{options}) + "}";
}
std::string unsubscribe(std::string_view channel) {
  return R"({"type":"unsubscribe","id":2,"channels":[")" + std::string{channel} + R"("]})";
}
std::string publish(std::string_view channel) {
  return R"({"type":"publish","channel":")" + std::string{channel} + R"(","data":1})";
}
constexpr std::string_view kRated = R"({"max_rate":10})";
constexpr std::string_view kFaster = R"({"max_rate":1000})";
constexpr std::string_view kEvery = R"({"conflate":false})";

/// The reader sits on shard 0; the channels' homes are the last one.
class PatternOptionsTest : public testing::TestWithParam<std::uint32_t> {
 protected:
  std::string on_last(std::string_view stem) const { return node.channel_on(GetParam() - 1, stem); }
  std::vector<std::string> answers(CoreClient& client, std::string_view command) {
    node.say(client, command);
    return CoreHarness::take_texts(client);
  }
  /// How many of three messages, published one after another at one instant, reach the reader at once. One: its rate is
  /// limited. Three: it is not.
  std::ptrdiff_t of_three(const std::string& channel) {
    node.advance(seconds{2});  // whatever interval there was is over
    CoreHarness::take_texts(reader);
    for (int i = 0; i < 3; ++i) node.say(publisher, publish(channel));
    return std::ranges::count_if(CoreHarness::take_texts(reader),
                                 [](const auto& text) { return text.starts_with(R"({"type":"message")"); });
  }
  /// The channel exists: it has a message.
  std::string existing(std::string_view stem) {
    const std::string name = on_last(stem);
    node.say(publisher, publish(name));
    return name;
  }

  CoreHarness node{with_namespaces(GetParam())};
  CoreClient& reader = node.native(0);
  CoreClient& publisher = node.native(0);
};
INSTANTIATE_TEST_SUITE_P(Shards, PatternOptionsTest, testing::Values(1U, 3U),
                         [](const auto& row) { return row.param == 1 ? "OfOneShard" : "OfThreeShards"; });

struct TermsRow {
  std::string_view sentence;
  std::string_view stem;
  std::string_view options;
  std::ptrdiff_t of_three;
};
constexpr TermsRow kTermsRows[] = {
    {"without options, quotes come as they are sent", "quote.a", "", 3},
    {"a rate, where quotes conflate", "quote.b", kRated, 1},
    {"a rate, for trades: served without, not refused", "trade.a", kRated, 3},
    {"conflate, for trades: the same", "trade.b", R"({"conflate":true})", 3},
    {"no options, where the namespace limits the rate", "limited.a", "", 1},
    {"every message, where the namespace limits the rate: on its terms, not refused", "limited.b", kEvery, 1},
    {"every message of quotes", "quote.c", kEvery, 3},
};

TEST_P(PatternOptionsTest, APatternsOptionsAreForEachChannelWhoseNamespaceAllowsThem) {
  for (const TermsRow& row : kTermsRows) {
    SCOPED_TRACE(row.sentence);
    const std::string exists = existing(row.stem);
    const std::string later = on_last(std::string{row.stem} + ".later");
    const std::vector<std::string> texts = answers(reader, subscribe(std::string{row.stem} + ".>", row.options));
    ASSERT_GE(texts.size(), 2U);
    EXPECT_TRUE(texts[0].starts_with(R"({"type":"subscribed","id":1)")) << texts[0];
    EXPECT_EQ(of_three(exists), row.of_three) << "it existed";
    node.say(publisher, publish(later));
    EXPECT_EQ(of_three(later), row.of_three) << "it began later";
  }
  EXPECT_EQ(node.count(CounterId::errors_sent_not_supported), 0U);
  EXPECT_EQ(node.count(CounterId::pattern_bindings_refused), 0U);
}

TEST_P(PatternOptionsTest, AnExactSubscribesOptionsWinAndAreThePatternsAgainWithoutIt) {
  const std::string name = existing("quote.x");
  answers(reader, subscribe("quote.>", kRated));
  EXPECT_EQ(of_three(name), 1);
  answers(reader, subscribe(name));  // names none: every message that it is quick enough for
  EXPECT_EQ(of_three(name), 3);
  answers(reader, unsubscribe(name));
  EXPECT_EQ(of_three(name), 1);
  answers(reader, subscribe(name, kFaster));
  answers(reader, unsubscribe("quote.>"));
  EXPECT_EQ(of_three(name), 1) << "three at one instant are too many for any rate";
  node.advance(milliseconds{2});
  EXPECT_EQ(CoreHarness::take_texts(reader).size(), 2U) << "a gap notice and the last one, when the interval is over";
}

TEST_P(PatternOptionsTest, AnExactSubscriptionThatWasThereFirstKeepsItsOptions) {
  const std::string name = existing("quote.x");
  answers(reader, subscribe(name));
  answers(reader, subscribe("quote.>", kRated));
  EXPECT_EQ(of_three(name), 3);
  answers(reader, unsubscribe(name));
  EXPECT_EQ(of_three(name), 1);
}

TEST_P(PatternOptionsTest, SubscribedToAgainWithOptionsItChangesThoseOfWhatItHolds) {
  const std::string held = existing("quote.x"), exact = existing("quote.y");
  answers(reader, subscribe("quote.>", kRated));
  answers(reader, subscribe(exact));
  EXPECT_EQ(of_three(held), 1);
  answers(reader, subscribe("quote.>"));  // names none: they stay
  EXPECT_EQ(of_three(held), 1);
  answers(reader, subscribe("quote.>", kEvery));
  EXPECT_EQ(of_three(held), 3);
  answers(reader, subscribe("quote.>", kRated));
  EXPECT_EQ(of_three(held), 1);
  EXPECT_EQ(of_three(exact), 3);
  const std::string later = on_last("quote.later");
  node.say(publisher, publish(later));
  EXPECT_EQ(of_three(later), 1);
}

TEST_P(PatternOptionsTest, WhoGoesOnWithAChannelServesItOnItsOwnTerms) {
  const std::string name = existing("quote.x");
  answers(reader, subscribe("quote.>", kRated));
  answers(reader, subscribe("quote.*.*"));
  EXPECT_EQ(of_three(name), 1);
  answers(reader, unsubscribe("quote.>"));
  EXPECT_EQ(of_three(name), 3);
  EXPECT_EQ(node.count(CounterId::pattern_bindings), 1U);
}

TEST_P(PatternOptionsTest, WhatWaitsForAnIntervalIsSentWhenTheTermsHaveNone) {
  const std::string name = existing("quote.x");
  answers(reader, subscribe("quote.>", kRated));
  EXPECT_EQ(of_three(name), 1);  // two wait
  const std::vector<std::string> texts = answers(reader, subscribe(name));
  EXPECT_TRUE(std::ranges::any_of(texts, [](const auto& text) { return text.starts_with(R"({"type":"message")"); }));
  answers(reader, unsubscribe("quote.>"));
  answers(reader, unsubscribe(name));
  EXPECT_EQ(node.count(CounterId::subscriptions), 0U);
  EXPECT_TRUE(node.ledger().closed());
}

// ---- the binary dialect ----

constexpr std::string_view kOffer = "Sec-WebSocket-Protocol: ringcast.v1.bin\r\n";

std::uint32_t id_in(std::string_view notice) {
  const std::size_t at = notice.find(R"("channel_id":)");
  return at == std::string_view::npos ? 0
                                      : static_cast<std::uint32_t>(std::stoul(std::string{notice.substr(at + 13, 10)}));
}

TEST_P(PatternOptionsTest, ABinaryReaderIsToldTheIdsOfWhatAPatternBinds) {
  CoreClient& client = node.open("/ws/connect", 0, kOffer);
  CoreHarness::take_frames(client);
  const std::string exists = existing("quote.x"), later = on_last("quote.later");
  const std::vector<std::string> texts = answers(client, subscribe("quote.>"));
  ASSERT_EQ(texts.size(), 2U);
  node.say(publisher, publish(exists));
  std::vector<ReceivedFrame> frames = CoreHarness::take_frames(client);
  ASSERT_EQ(frames.size(), 1U);
  ASSERT_EQ(frames[0].opcode, Opcode::binary);
  EXPECT_EQ(read_records(frames[0].payload).at(0).header.channel_id, id_in(texts[1])) << texts[1];

  node.say(publisher, publish(later));
  frames = CoreHarness::take_frames(client);
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_TRUE(frames[0].payload.starts_with(R"({"type":"subscribed","pattern":"quote.>")")) << frames[0].payload;
  ASSERT_EQ(frames[1].opcode, Opcode::binary);
  EXPECT_EQ(read_records(frames[1].payload).at(0).header.channel_id, id_in(frames[0].payload)) << frames[0].payload;

  EXPECT_TRUE(answers(client, unsubscribe("quote.>"))[0].starts_with(R"({"type":"unsubscribed","id":2)"));
  node.say(publisher, publish(exists));
  EXPECT_EQ(CoreHarness::take_frames(client).size(), 0U);
}

TEST_P(PatternOptionsTest, ChannelsOfBytesAreBoundForReadersOfRecordsOnly) {
  const std::string raw = node.channel_on(GetParam() - 1, "bytes"), other = existing("quote.x");
  CoreClient& writer = node.open("/ws/connect", 0, kOffer);
  CoreClient& client = node.open("/ws/connect", 0, kOffer);
  CoreHarness::take_frames(client);
  const auto send = [&] {
    node.bytes(writer, CoreHarness::masked(Opcode::binary, record_of({.channel = raw, .data = "\x01\x02"})));
    node.run();
  };
  send();
  EXPECT_TRUE(answers(reader, subscribe(">"))[0].contains(R"("matched":1)"));
  EXPECT_EQ(node.count(CounterId::pattern_bindings_refused), 1U);
  EXPECT_TRUE(answers(client, subscribe(">"))[0].contains(R"("matched":2)"));
  send();
  EXPECT_EQ(CoreHarness::take_texts(reader).size(), 0U);
  EXPECT_EQ(CoreHarness::take_frames(client).size(), 1U);
  const std::string later = on_last("quote.later");  // it binds on
  node.say(publisher, publish(later));
  EXPECT_EQ(CoreHarness::take_texts(reader).size(), 2U);
}

}  // namespace
}  // namespace ringcast
