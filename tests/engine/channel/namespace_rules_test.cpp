#include "engine/channel/namespace_rules.hpp"

#include <gtest/gtest.h>

namespace ringcast {
namespace {

NamespaceRule rule(std::string match, std::uint32_t lag_messages) {
  NamespaceRule made;
  made.match = std::move(match);
  made.lag.messages = lag_messages;  // tells the rules apart
  return made;
}

TEST(NamespaceRules, TheFirstThatMatchesWinsAndBehindAllStandTheDefaults) {
  const NamespaceRules rules{{rule("btcusdt@bookTicker", 1), rule("*@bookTicker", 2), rule("*@depth>", 3),
                              rule("user:>", 4), rule("$sys/>", 5), rule("orders", 6), rule(">", 7)}};
  struct Row {
    std::string_view channel;
    std::uint32_t lag_messages;
  };
  const Row rows[] = {
      {"btcusdt@bookTicker", 1},   {"ethusdt@bookTicker", 2}, {"a.b@bookTicker", 7},  // * stays in its segment
      {"btcusdt@depth", 3},        {"btcusdt@depth@100ms", 3}, {"btcusdt@trade", 7},  {"orders", 6},
      {"orders.more", 7},          {"user:42", 4},             {"user:", 4},          {"$sys/stats", 5},
      {"$other", LagLimits{}.messages},  // no pattern matches $ unless it spells it out, not even >
  };
  for (const Row& row : rows) EXPECT_EQ(rules.rule_of(row.channel).lag.messages, row.lag_messages) << row.channel;
}

TEST(NamespaceRules, WithoutRulesEveryChannelHasTheDefaults) {
  const NamespaceRules rules{{}};
  const NamespaceRule& found = rules.rule_of("anything");
  EXPECT_EQ(found.lag.messages, LagLimits{}.messages);
  EXPECT_EQ(found.slow, SlowPolicy::disconnect);
  EXPECT_EQ(rules.dedupe_entries_max(), DedupeOptions{}.entries);
}

TEST(NamespaceRules, ARuleStaysWhereItIs) {
  const NamespaceRules rules{{rule("a", 1), rule("b", 2)}};
  const NamespaceRule* found = &rules.rule_of("b");
  EXPECT_EQ(&rules.rule_of("b"), found);
  EXPECT_NE(&rules.rule_of("a"), found);
}

TEST(NamespaceRules, TheDedupeWindowIsAsLargeAsTheLargestThatIsInUse) {
  NamespaceRule large = rule("a", 1);
  large.dedupe.entries = 50'000;
  NamespaceRule off = rule("b", 2);
  off.dedupe = {.by = DedupeBy::off, .entries = 90'000};
  NamespaceRule small = rule("c", 3);
  small.dedupe.entries = 10;
  EXPECT_EQ((NamespaceRules{{large, off, small}}.dedupe_entries_max()), 50'000U);
  EXPECT_EQ((NamespaceRules{{small}}.dedupe_entries_max()), DedupeOptions{}.entries);  // channels outside every rule
}

// ---- a reload ----

TEST(NamespaceRules, AfterAReloadAChannelGoesByItsNewRule) {
  NamespaceRules rules{{rule("a", 1), rule("b.*", 2), rule(">", 3)}};
  const NamespaceRule& a = rules.rule_of("a");
  const NamespaceRule& b = rules.rule_of("b.1");
  rules.replace({rule("b.1", 4), rule(">", 5)});
  EXPECT_EQ(a.lag.messages, 1U) << "what a channel goes by stays until it was told what follows";
  EXPECT_EQ(rules.earlier(), 1U);
  EXPECT_EQ(rules.rule_after("a", a).lag.messages, 5U);
  EXPECT_EQ(rules.rule_after("a", a).match, ">");
  const NamespaceRule& after = rules.rule_after("b.1", b);
  EXPECT_EQ(after.lag.messages, 4U);
  EXPECT_EQ(&after, &rules.rule_of("b.1")) << "where nothing has to stay as it was there is one rule";
  rules.forget_earlier();
  EXPECT_EQ(rules.earlier(), 0U);
  EXPECT_EQ(&rules.rule_after("b.1", after), &after) << "told twice, nothing changes";
}

TEST(NamespaceRules, WhatAChannelCarriesStaysAsItBegan) {
  NamespaceRule bytes = rule("a.*", 1);
  bytes.payload = PayloadKind::binary;
  NamespaceRules rules{{bytes}};
  const NamespaceRule& before = rules.rule_of("a.1");
  rules.replace({rule("a.*", 2)});
  EXPECT_EQ(rules.rule_of("a.1").payload, PayloadKind::json);
  const NamespaceRule& after = rules.rule_after("a.1", before);
  EXPECT_EQ(after.payload, PayloadKind::binary);
  EXPECT_EQ(after.lag.messages, 2U);
  EXPECT_EQ(&rules.rule_after("a.2", before), &after) << "as many of these as differ, not one a channel";
  rules.replace({rule("a.*", 3)});
  const NamespaceRule& third = rules.rule_after("a.1", after);
  EXPECT_EQ(third.payload, PayloadKind::binary) << "over any number of reloads";
  EXPECT_EQ(third.lag.messages, 3U);
  EXPECT_EQ(rules.earlier(), 2U);
}

TEST(NamespaceRulesDeathTest, APatternThatConfigurationLetThroughStopsTheProcess) {
  EXPECT_DEATH((NamespaceRules{{rule("a>b", 1)}}), "checked every namespace pattern");
}

}  // namespace
}  // namespace ringcast
