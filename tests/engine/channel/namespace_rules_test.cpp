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

TEST(NamespaceRulesDeathTest, APatternThatConfigurationLetThroughStopsTheProcess) {
  EXPECT_DEATH((NamespaceRules{{rule("a>b", 1)}}), "checked every namespace pattern");
}

}  // namespace
}  // namespace ringcast
