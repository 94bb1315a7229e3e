#include "codec/text/pattern.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace ringcast {
namespace {

struct MatchRow {
  std::string_view pattern, name;
  bool matches;
};
constexpr MatchRow kMatchRows[] = {
    {"orders", "orders", true},
    {"orders", "orders2", false},
    {"orders", "order", false},
    {"*@depth>", "btcusdt@depth@100ms", true},
    {"*@depth>", "btcusdt@depth", true},
    {"*@depth>", "btcusdt@depths", true},
    {"*@depth>", "btcusdt@dept", false},
    {"*@depth>", "btc.usdt@depth", false},
    {"*@bookTicker", "btcusdt@bookTicker", true},
    {"*@bookTicker", "@bookTicker", true},
    {"*@bookTicker", "a/btcusdt@bookTicker", false},
    {"btc*@trade", "btcusdt@trade", true},
    {"btc*@trade", "btc@trade", true},
    {"btc*@trade", "ethbtc@trade", false},
    {"*usdt@*", "btcusdt@trade", true},
    {"*usdt@*", "usdtusdt@trade", true},
    {"*usdt@*", "btcusdt@depth@100ms", false},
    {"*", "orders", true},
    {"*", "orders.eu", false},
    {"*.*", "orders.eu", true},
    {"*.*", "orders:eu", false},
    {"**", "orders", true},
    {"a*b*c", "aXbXc", true},
    {"a*b*c", "abcbc", true},
    {"a*b*c", "abcb", false},
    {"*a*.b", "xaya.b", true},
    {">", "orders", true},
    {">", "orders.eu/1:2@3", true},
    {"orders>", "orders", true},
    {"orders.>", "orders.eu.1", true},
    {"orders.>", "orders.", true},
    {"orders.>", "orders", false},
    {"orders.*>", "orders.eu.1", true},
    // The server's and the users' channels need their prefix spelled out.
    {">", "$sys/stats", false},
    {"*", "$sys", false},
    {"*/stats", "$sys/stats", false},
    {"$sys/*", "$sys/stats", true},
    {"$>", "$sys/stats", true},
    {"$*", "$sys", true},
    {"$*", "$sys/stats", false},
    {">", "user:42", false},
    {"*:42", "user:42", false},
    {"us*:42", "user:42", false},
    {"user*42", "user:42", false},
    {"user>", "user:42", false},
    {"user:*", "user:42", true},
    {"user:>", "user:42/a", true},
    {"user:42", "user:42", true},
    {"user>", "users", true},
    {"*:42", "users:42", true},
    {"*$*", "a$b", true},
};

TEST(Pattern, MatchesTheRowsOfItsTable) {
  for (const MatchRow& row : kMatchRows) {
    const auto pattern = Pattern::compile(row.pattern);
    ASSERT_TRUE(pattern.has_value()) << row.pattern;
    EXPECT_EQ(pattern->matches(row.name), row.matches) << row.pattern << " on " << row.name;
    EXPECT_EQ(pattern->text(), row.pattern);
    EXPECT_EQ(pattern->is_exact(), row.pattern.find_first_of("*>") == std::string_view::npos);
  }
}

TEST(Pattern, RefusesWhatCouldNeverMatch) {
  EXPECT_EQ(Pattern::compile("").error(), PatternError::not_a_name);
  EXPECT_EQ(Pattern::compile("a\nb").error(), PatternError::not_a_name);
  EXPECT_EQ(Pattern::compile(std::string(256, '*')).error(), PatternError::not_a_name);
  EXPECT_EQ(Pattern::compile("a>b").error(), PatternError::rest_not_last);
  EXPECT_EQ(Pattern::compile(">>").error(), PatternError::rest_not_last);
  EXPECT_TRUE(Pattern::compile(std::string(255, '*')).has_value());
}

// The rules of protocol.md read literally, by trying everything. Exponential, so only for short texts.
bool naive_glob(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) {
    return name.empty();
  }
  if (pattern == ">") {
    return true;
  }
  if (pattern.front() == '*') {
    for (std::size_t taken = 0;; ++taken) {
      if (naive_glob(pattern.substr(1), name.substr(taken))) {
        return true;
      }
      if (taken == name.size() || std::string_view{".:@/"}.find(name[taken]) != std::string_view::npos) {
        return false;
      }
    }
  }
  return !name.empty() && pattern.front() == name.front() && naive_glob(pattern.substr(1), name.substr(1));
}
bool naive_match(std::string_view pattern, std::string_view name) {
  for (const std::string_view prefix : {"$", "user:"}) {
    if (name.starts_with(prefix) && !pattern.starts_with(prefix)) {
      return false;
    }
  }
  return naive_glob(pattern, name);
}

TEST(Pattern, AgreesWithANaiveModelOnRandomTexts) {
  std::mt19937 random{3};
  const auto text = [&random](std::string_view alphabet) {
    std::string made;
    for (std::size_t i = 1 + random() % 9; i > 0; --i) {
      made += alphabet[random() % alphabet.size()];
    }
    return random() % 8 == 0 ? "user:" + made : random() % 16 == 0 ? "$" + made : made;
  };
  int matched = 0;
  for (int round = 0; round < 100'000; ++round) {
    const std::string pattern_text = text("aab.@***") + (random() % 4 == 0 ? ">" : "");
    const std::string name = text("aaab.@");
    const auto pattern = Pattern::compile(pattern_text);
    ASSERT_TRUE(pattern.has_value()) << pattern_text;
    EXPECT_EQ(pattern->matches(name), naive_match(pattern_text, name)) << pattern_text << " on " << name;
    matched += pattern->matches(name) ? 1 : 0;
  }
  EXPECT_GT(matched, 2'000);
}

TEST(Pattern, TakesNoExponentialTime) {
  std::string stars;
  for (int i = 0; i < 127; ++i) {
    stars += "*a";
  }
  const auto pattern = Pattern::compile(stars + "b");
  ASSERT_TRUE(pattern.has_value());
  EXPECT_FALSE(pattern->matches(std::string(255, 'a'))) << "and returns before the universe ends";
  EXPECT_TRUE(pattern->matches(std::string(254, 'a') + "b"));
}

}  // namespace
}  // namespace ringcast
