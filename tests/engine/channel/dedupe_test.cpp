#include "engine/channel/dedupe.hpp"

#include <gtest/gtest.h>

namespace ringcast {
namespace {

struct Publish {
  std::string_view channel = "orders";
  std::uint64_t publisher = 7;
  std::string_view message_id = "id";
  std::string_view data = "1";
};

std::optional<LruKey> key_of(const DedupeOptions& options, const Publish& publish) {
  return DedupeWindow::key_of(options, publish.channel, publish.publisher, publish.message_id, publish.data);
}

struct KeyRow {
  std::string_view sentence;
  DedupeOptions options;
  Publish first;
  Publish second;
  bool same;
};
constexpr DedupeOptions kById{};
constexpr DedupeOptions kByIdOfChannel{.scope = DedupeScope::channel};
constexpr DedupeOptions kByPayload{.by = DedupeBy::payload};
constexpr DedupeOptions kByPayloadOfChannel{.by = DedupeBy::payload, .scope = DedupeScope::channel};
constexpr KeyRow kKeyRows[] = {
    {"one id of one publisher, whatever the payload", kById, {}, {.data = "2"}, true},
    {"two ids", kById, {}, {.message_id = "other"}, false},
    {"a message id belongs to its publisher: another's cannot collide", kById, {}, {.publisher = 8}, false},
    {"publishers whose numbers differ in the highest bit only", kById, {.publisher = 1}, {.publisher = 1ULL << 63 | 1}, false},
    {"publisher zero is a publisher", kById, {.publisher = 0}, {.publisher = 1}, false},
    {"a message id belongs to its channel", kById, {}, {.channel = "trades"}, false},
    {"A and B feed of one channel share its ids", kByIdOfChannel, {}, {.publisher = 8}, true},
    {"and still not those of another channel", kByIdOfChannel, {}, {.channel = "trades", .publisher = 8}, false},
    {"one payload, whatever the ids and the publishers", kByPayload, {}, {.publisher = 8, .message_id = "other"}, true},
    {"one payload without ids", kByPayload, {.message_id = ""}, {.message_id = ""}, true},
    {"two payloads", kByPayload, {}, {.data = "2"}, false},
    {"one payload in two channels", kByPayload, {}, {.channel = "trades"}, false},
    {"a payload's scope is its channel in any case", kByPayloadOfChannel, {}, {.publisher = 8}, true},
};

TEST(Dedupe, TwoPublishesAreOneMessageIfTheirNamespaceSaysSo) {
  for (const KeyRow& row : kKeyRows) {
    const auto first = key_of(row.options, row.first);
    const auto second = key_of(row.options, row.second);
    ASSERT_TRUE(first && second) << row.sentence;
    EXPECT_EQ(*first == *second, row.same) << row.sentence;
  }
}

TEST(Dedupe, ScopesDoNotShareKeys) {
  EXPECT_NE(*key_of(kById, {}), *key_of(kByIdOfChannel, {}));
  EXPECT_NE(*key_of(kByIdOfChannel, {.message_id = "x"}), *key_of(kById, {.message_id = "x"}));
}

TEST(Dedupe, WhatIsNotToBeRememberedHasNoKey) {
  EXPECT_FALSE(key_of(kById, {.message_id = ""}));
  EXPECT_FALSE(key_of({.by = DedupeBy::off}, {}));
  EXPECT_FALSE(key_of({.by = DedupeBy::off, .scope = DedupeScope::channel}, {}));
}

class DedupeWindowTest : public testing::Test {
 protected:
  static LruKey key(std::uint64_t number) { return {.low = number, .high = ~number}; }
  static LruValue value(std::uint64_t seq, Instant expires) {
    return {.seq = Sequence{seq}, .epoch = Epoch{1}, .expires = expires};
  }
  Budget budget;
};

TEST_F(DedupeWindowTest, AnIdIsForgottenWhenItsWindowHasPassed) {
  DedupeWindow window{100, budget};
  const Instant expires{seconds{60}};
  window.remember(key(1), value(5, expires));
  EXPECT_EQ(window.find(key(1), expires - nanoseconds{1})->seq, Sequence{5});
  EXPECT_FALSE(window.find(key(1), expires));
  EXPECT_EQ(window.size(), 0U);
}

TEST_F(DedupeWindowTest, AtTheBoundTheLeastRecentlyUsedIsForgotten) {
  DedupeWindow window{3, budget};
  const Instant expires{hours{1}};
  for (std::uint64_t i = 1; i <= 3; ++i) window.remember(key(i), value(i, expires));
  EXPECT_TRUE(window.find(key(1), Instant{}));  // used: now 2 is the oldest
  window.remember(key(4), value(4, expires));
  EXPECT_EQ(window.size(), 3U);
  EXPECT_TRUE(window.find(key(1), Instant{}));
  EXPECT_FALSE(window.find(key(2), Instant{}));
  EXPECT_TRUE(window.find(key(3), Instant{}));
  EXPECT_TRUE(window.find(key(4), Instant{}));
}

TEST_F(DedupeWindowTest, ItsMemoryIsChargedAsItGrowsAndBoundedByItsEntries) {
  {
    DedupeWindow window{10'000, budget};
    EXPECT_EQ(budget.used(Purpose::dedupe), 0U);  // none while nobody sends ids
    for (std::uint64_t i = 0; i < 30'000; ++i) {
      window.remember(key(i), value(i, Instant{hours{1}}));
      if (i == 100) {
        EXPECT_LT(budget.used(Purpose::dedupe), 32'000U);
      }
    }
    EXPECT_EQ(budget.used(Purpose::dedupe), LruMap::bytes_for(10'000));
  }
  EXPECT_EQ(budget.used(Purpose::dedupe), 0U);
}

}  // namespace
}  // namespace ringcast
