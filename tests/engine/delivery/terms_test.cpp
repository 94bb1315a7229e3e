#include "engine/delivery/terms.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace ringcast {
namespace {

NamespaceRule rule_of(SlowPolicy slow, std::uint32_t max_rate = 0) {
  NamespaceRule rule;
  rule.slow = slow;
  rule.max_rate = max_rate;
  return rule;
}
constexpr SubscribeOptions kNothing{};
constexpr SubscribeOptions kConflate{.has_conflate = true, .conflate = true};
constexpr SubscribeOptions kEverything{.has_conflate = true, .conflate = false};
constexpr SubscribeOptions rate(std::uint32_t max_rate) { return {.max_rate = max_rate}; }

struct Row {
  std::string_view sentence;
  NamespaceRule rule;
  SubscribeOptions asked;
  std::optional<Terms> given;  // none: refused
};

TEST(Terms, FollowFromWhatWasAskedForAndWhatTheNamespaceAllows) {
  const NamespaceRule quotes = rule_of(SlowPolicy::conflate);
  const NamespaceRule limited = rule_of(SlowPolicy::conflate, 20);
  const NamespaceRule trades = rule_of(SlowPolicy::disconnect);
  const NamespaceRule events = rule_of(SlowPolicy::drop_oldest);
  const Row rows[] = {
      {"nothing asked, nothing changed", quotes, kNothing, Terms{}},
      {"the newest whenever it is its turn", quotes, kConflate, Terms{.conflates = true}},
      {"every message, at its own risk", quotes, kEverything, Terms{.complete = true}},
      {"a limited rate leaves messages out", quotes, rate(10), Terms{.conflates = true, .max_rate = 10}},
      {"both",
       quotes,
       {.has_conflate = true, .conflate = true, .max_rate = 10},
       Terms{.conflates = true, .max_rate = 10}},

      {"the namespace's rate is everybody's", limited, kNothing, Terms{.conflates = true, .max_rate = 20}},
      {"a lower one may be had", limited, rate(10), Terms{.conflates = true, .max_rate = 10}},
      {"a higher one may not", limited, rate(1'000'000), Terms{.conflates = true, .max_rate = 20}},
      {"the newest at the namespace's rate", limited, kConflate, Terms{.conflates = true, .max_rate = 20}},
      {"where the rate is limited nobody gets everything", limited, kEverything, {}},

      {"trades are left alone", trades, kNothing, Terms{}},
      {"trades do not conflate", trades, kConflate, {}},
      {"nor have they a rate", trades, rate(10), {}},
      {"every trade is what everybody gets", trades, kEverything, Terms{}},
      {"who drops the oldest does not conflate", events, kConflate, {}},
      {"and has no rate", events, rate(10), {}},
      {"and drops when it must, whatever was asked", events, kEverything, Terms{}},
  };
  for (const Row& row : rows) {
    const auto terms = terms_of(row.asked, row.rule);
    ASSERT_EQ(terms.has_value(), row.given.has_value()) << row.sentence;
    if (row.given) {
      EXPECT_EQ(*terms, *row.given) << row.sentence;
    } else {
      EXPECT_NE(terms.error().find("the namespace of this channel"), std::string_view::npos) << row.sentence;
    }
  }
}

TEST(Terms, OnlyOptionsThatSayHowToServeChangeASubscriptionThatIsThere) {
  EXPECT_FALSE(chooses_terms(kNothing));
  EXPECT_FALSE(chooses_terms({.snapshot = false}));
  EXPECT_TRUE(chooses_terms(kConflate));
  EXPECT_TRUE(chooses_terms(kEverything));
  EXPECT_TRUE(chooses_terms(rate(1)));
}

TEST(Terms, WhoWantsEveryMessageIsClosedWhereOthersConflate) {
  EXPECT_EQ(slow_policy(false, rule_of(SlowPolicy::conflate)), SlowPolicy::conflate);
  EXPECT_EQ(slow_policy(true, rule_of(SlowPolicy::conflate)), SlowPolicy::disconnect);
  EXPECT_EQ(slow_policy(false, rule_of(SlowPolicy::drop_oldest)), SlowPolicy::drop_oldest);
}

TEST(Terms, NoSecondHasOneMessageTooMany) {
  for (std::uint32_t max_rate : {1U, 3U, 7U, 10U, 1'000U, 999'999'999U, 1'000'000'000U, 4'000'000'000U}) {
    EXPECT_GE(interval_of(max_rate) * max_rate, seconds{1}) << max_rate;
    EXPECT_LT((interval_of(max_rate) - nanoseconds{1}) * max_rate, seconds{1}) << max_rate;
  }
}

}  // namespace
}  // namespace ringcast
