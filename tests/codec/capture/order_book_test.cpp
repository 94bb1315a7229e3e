#include "codec/capture/order_book.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace ringcast {
namespace {

struct SpellingRow {
  std::string_view text;
  bool accepted;
};
constexpr SpellingRow kSpellingRows[] = {
    {"0", true},
    {"0.00000000", true},
    {"61837.63000000", true},
    {"1", true},
    {"10", true},
    {"123456789012345678901234567890", true},    // 30 characters
    {"1234567890123456789012345678901", false},  // 31
    {"12345678901234567890.123456789", true},
    {"", false},
    {".", false},
    {".5", false},
    {"5.", false},
    {"01", false},
    {"00", false},
    {"00.1", false},
    {"-1", false},
    {"+1", false},
    {"1e3", false},
    {"1.2.3", false},
    {"1,5", false},
    {" 1", false},
    {"1 ", false},
    {"0x1", false},
    {"nan", false},
};

TEST(DecimalText, TakesPlainNumbersAndGivesThemBackAsTheyWere) {
  for (const SpellingRow& row : kSpellingRows) {
    const auto number = DecimalText::parse(row.text);
    EXPECT_EQ(number.has_value(), row.accepted) << "'" << row.text << "'";
    if (number) {
      EXPECT_EQ(number->text(), row.text);
    }
  }
}

TEST(DecimalText, OrdersByValue) {
  // Each is less than all that follow it; those in one row are worth the same.
  const std::vector<std::vector<std::string>> ascending = {{"0", "0.0", "0.00000000"},
                                                           {"0.00000001"},
                                                           {"0.1", "0.10"},
                                                           {"0.11"},
                                                           {"0.9", "0.900"},
                                                           {"1", "1.0", "1.00"},
                                                           {"1.00000001"},
                                                           {"2"},
                                                           {"9.99999999"},
                                                           {"10", "10.0"},
                                                           {"61837.63", "61837.630"},
                                                           {"61837.64"},
                                                           {"100000"},
                                                           {"18446744073709551616"},
                                                           {"123456789012345678901234567890"}};
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    for (std::size_t j = 0; j < ascending.size(); ++j) {
      for (const std::string& left : ascending[i]) {
        for (const std::string& right : ascending[j]) {
          const auto order = DecimalText::parse(left).value() <=> DecimalText::parse(right).value();
          EXPECT_EQ(order < 0, i < j) << left << " and " << right;
          EXPECT_EQ(order == 0, i == j) << left << " and " << right;
        }
      }
    }
  }
}

TEST(DecimalText, KnowsZeroHoweverItIsSpelled) {
  for (const char* zero : {"0", "0.0", "0.00000000"}) EXPECT_TRUE(DecimalText::parse(zero)->is_zero()) << zero;
  for (const char* other : {"1", "10", "0.00000001", "100.0"})
    EXPECT_FALSE(DecimalText::parse(other)->is_zero()) << other;
}

std::string spelled(const OrderBook& book) {
  std::string text;
  book.append_json(text, 7);
  return text;
}

TEST(OrderBook, IsSpelledAsTheExchangeAnswersTheBestFirst) {
  OrderBook book;
  EXPECT_EQ(spelled(book), R"({"lastUpdateId":7,"bids":[],"asks":[]})");
  ASSERT_TRUE(
      book.apply(R"([["9.5","1.0"],["10.00","2"],["9","3.000"]])", R"([["100","1"],["11","5"], [ "12" , "6" , [] ]])"));
  EXPECT_EQ(spelled(book), R"({"lastUpdateId":7,"bids":[["10.00","2"],["9.5","1.0"],["9","3.000"]],)"
                           R"("asks":[["11","5"],["12","6"],["100","1"]]})");
}

struct ChangeRow {
  std::string_view sentence, bids, asks, levels;
};
constexpr ChangeRow kChangeRows[] = {
    // of a book with bids 10 and 9 and ask 11
    {"a quantity is set, not added", R"([["10","5"]])", "[]", R"("bids":[["10","5"],["9","1"]],"asks":[["11","1"]])"},
    {"a quantity of zero removes", R"([["10","0.00000000"]])", "[]", R"("bids":[["9","1"]],"asks":[["11","1"]])"},
    {"zero for what is not there is nothing", R"([["8","0"]])", R"([["12","0"]])",
     R"("bids":[["10","1"],["9","1"]],"asks":[["11","1"]])"},
    {"a new level goes where it belongs", R"([["9.5","2"]])", R"([["10.5","3"]])",
     R"("bids":[["10","1"],["9.5","2"],["9","1"]],"asks":[["10.5","3"],["11","1"]])"},
    {"a price keeps its first spelling, a quantity its last", R"([["10.00","2.0"]])", "[]",
     R"("bids":[["10","2.0"],["9","1"]],"asks":[["11","1"]])"},
    {"a price is removed however it is spelled", R"([["10.000","0"]])", R"([["11.0","0.0"]])",
     R"("bids":[["9","1"]],"asks":[])"},
    {"the last of two counts", R"([["8","1"],["8","2"],["10","0"],["10","4"]])", "[]",
     R"("bids":[["10","4"],["9","1"],["8","2"]],"asks":[["11","1"]])"},
    {"nothing changes nothing", "[]", "[]", R"("bids":[["10","1"],["9","1"]],"asks":[["11","1"]])"},
};

TEST(OrderBook, TakesChanges) {
  for (const ChangeRow& row : kChangeRows) {
    OrderBook book;
    ASSERT_TRUE(book.apply(R"([["10","1"],["9","1"]])", R"([["11","1"]])"));
    ASSERT_TRUE(book.apply(row.bids, row.asks)) << row.sentence;
    EXPECT_EQ(spelled(book), R"({"lastUpdateId":7,)" + std::string{row.levels} + "}") << row.sentence;
  }
}

TEST(OrderBook, RefusesWhatIsNoLevel) {
  for (const std::string_view bids :
       {"", "{}", "null", R"(["10","1"])", R"([["10"]])", R"([[]])", R"([["10",1]])", R"([[10,"1"]])",
        R"([["-1","1"]])", R"([["10","x"]])", R"([["","1"]])", R"([{"10":"1"}])", R"([["1\u0030","1"]])"}) {
    OrderBook book;
    const auto applied = book.apply(bids, "[]");
    ASSERT_FALSE(applied.has_value()) << bids;
    EXPECT_EQ(applied.error(), BookFault::malformed_level) << bids;
    EXPECT_FALSE(OrderBook{}.apply("[]", bids).has_value()) << bids;
  }
  EXPECT_FALSE(sentence_of(BookFault::malformed_level).empty());
  EXPECT_FALSE(sentence_of(BookFault::too_many_levels).empty());
}

TEST(OrderBook, HasABoundOnItsLevels) {
  OrderBook book{{.levels_max = 2}};
  EXPECT_TRUE(book.apply(R"([["1","1"],["2","1"],["2","2"]])", R"([["3","1"],["4","1"]])"));
  EXPECT_TRUE(book.apply(R"([["1","0"],["1.5","1"]])", "[]")) << "one goes, one comes";
  EXPECT_EQ(book.apply(R"([["1.7","1"]])", "[]").error(), BookFault::too_many_levels);
}

TEST(OrderBook, KnowsWhenItIsCrossed) {
  struct Row {
    std::string_view bids, asks;
    bool crossed;
  };
  for (const Row& row :
       {Row{R"([["10","1"]])", R"([["10.01","1"]])", false}, Row{R"([["10","1"]])", R"([["10.00","1"]])", true},
        Row{R"([["10","1"]])", R"([["9","1"]])", true}, Row{"[]", R"([["9","1"]])", false},
        Row{R"([["9","1"]])", "[]", false}, Row{"[]", "[]", false}}) {
    OrderBook book;
    ASSERT_TRUE(book.apply(row.bids, row.asks));
    EXPECT_EQ(book.is_crossed(), row.crossed) << row.bids << row.asks;
  }
}

TEST(OrderBook, OfTheSameLevelsHasTheSameBytesHoweverItCameAbout) {
  std::mt19937 random{11};
  for (int round = 0; round < 50; ++round) {
    std::vector<std::string> changes;
    for (int price = 0; price < 40; ++price) {
      changes.push_back("[\"" + std::to_string(price) + ".50\",\"" + std::to_string(random() % 5) + "\"]");
    }
    std::string straight;
    for (const std::string& change : changes) straight += (straight.empty() ? "" : ",") + change;
    OrderBook at_once, one_by_one;
    ASSERT_TRUE(at_once.apply("[" + straight + "]", "[]"));
    std::ranges::shuffle(changes, random);
    for (const std::string& change : changes) {
      ASSERT_TRUE(one_by_one.apply("[[\"" + std::to_string(random() % 40) + ".50\",\"9\"]]", "[]"));
      ASSERT_TRUE(one_by_one.apply("[" + change + "]", "[]"));
    }
    ASSERT_TRUE(one_by_one.apply("[" + straight + "]", "[]"));
    EXPECT_EQ(spelled(at_once), spelled(one_by_one));
    OrderBook from_snapshot;
    const std::string text = spelled(at_once);
    const std::size_t bids = text.find("\"bids\":") + 7;
    ASSERT_TRUE(from_snapshot.apply(std::string_view{text}.substr(bids, text.find(",\"asks\"") - bids), "[]"));
    EXPECT_EQ(spelled(from_snapshot), text);
  }
}

}  // namespace
}  // namespace ringcast
