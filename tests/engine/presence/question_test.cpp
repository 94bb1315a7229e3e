// Pages of names, and answers that several shards give together.
#include "engine/presence/question.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/presence/answering.hpp"
#include "engine/presence/inquiries.hpp"

namespace ringcast {
namespace {

using Names = std::vector<std::string>;

TEST(Page, HoldsTheSmallestNamesOnceEachInOrder) {
  Page page{"", 3};
  for (const std::string_view name : {"d", "b", "b", "e", "a", "c", "a"}) page.offer(name);
  EXPECT_TRUE(page.more());
  EXPECT_EQ(page.take(), (Names{"a", "b", "c"}));
}

TEST(Page, BeginsBehindTheNameOfThePageBefore) {
  Page page{"b", 10};
  for (const std::string_view name : {"a", "b", "ba", "c"}) page.offer(name);
  EXPECT_FALSE(page.more());
  EXPECT_EQ(page.take(), (Names{"ba", "c"}));
}

TEST(Page, IsFullByItsBytesAsWell) {
  Page page{"", 0};
  for (int i = 999; i >= 0; --i) page.offer(std::to_string(1'000 + i) + std::string(246, 'x'));
  EXPECT_TRUE(page.more());
  const Names names = page.take();
  EXPECT_EQ(names.size(), kPageBytesMax / 250);
  EXPECT_TRUE(names.front().starts_with("1000x"));
  EXPECT_TRUE(std::ranges::is_sorted(names));
}

TEST(Page, ALimitAboveTheMostIsTheMost) {
  Page page{"", 1'000'000};
  for (int i = 0; i < 1'500; ++i) page.offer(std::to_string(10'000 + i));
  EXPECT_EQ(page.size(), kPageNamesMax);
}

class InquiriesTest : public testing::Test {
 protected:
  static constexpr ShardIndex kFirst{0}, kSecond{1};
  /// What was put to a shard, and its inquiry.
  Handle put(ShardIndex shard) {
    EXPECT_NE(inquiries.next_for(shard), nullptr);
    const Handle inquiry = inquiries.next_inquiry(shard);
    inquiries.asked(shard);
    return inquiry;
  }
  Budget budget;
  Inquiries inquiries{2, budget};
};

TEST_F(InquiriesTest, AnAnswerIsThereWhenEveryPartIs) {
  inquiries.ask({.kind = Question::Kind::users}, {.connection = {}, .token = 5}, 0b11);
  const Handle first = put(kFirst);
  const Handle second = put(kSecond);
  EXPECT_FALSE(inquiries.answered(kSecond, second, {.users = 2, .connections = 3, .names = {"b", "d"}}));
  const auto whole =
      inquiries.answered(kFirst, first, {.users = 1, .connections = 1, .anonymous = 4, .names = {"c"}});
  ASSERT_TRUE(whole.has_value());
  EXPECT_EQ(whole->asker.token, 5U);
  EXPECT_EQ(whole->answer.users, 3U);
  EXPECT_EQ(whole->answer.connections, 4U);
  EXPECT_EQ(whole->answer.anonymous, 4U);
  EXPECT_EQ(whole->answer.names, (Names{"b", "c", "d"}));
  EXPECT_FALSE(whole->answer.more);
  EXPECT_EQ(inquiries.open(), 0U);
}

TEST_F(InquiriesTest, APageEndsWhereOneShardsPageEnds) {
  inquiries.ask({.kind = Question::Kind::users}, {.connection = {}}, 0b11);
  const Handle inquiry = put(kFirst);
  put(kSecond);
  EXPECT_FALSE(inquiries.answered(kFirst, inquiry, {.names = {"a", "c"}, .more = true}));  // it may have a "d"
  const auto whole = inquiries.answered(kSecond, inquiry, {.names = {"b", "x"}});
  EXPECT_EQ(whole.value().answer.names, (Names{"a", "b", "c"}));
  EXPECT_TRUE(whole->answer.more);
}

TEST_F(InquiriesTest, OneShardIsAskedSoManyQuestionsAtATime) {
  for (std::uint32_t i = 0; i <= kQuestionsMax; ++i) {
    inquiries.ask({.kind = Question::Kind::user, .subject = "u"}, {.connection = {}, .token = i}, 0b10);
  }
  EXPECT_EQ(inquiries.next_for(kFirst), nullptr);
  std::vector<Handle> put_to_second;
  while (inquiries.next_for(kSecond) != nullptr) put_to_second.push_back(put(kSecond));
  EXPECT_EQ(put_to_second.size(), kQuestionsMax);
  EXPECT_TRUE(inquiries.has_questions(kSecond));
  EXPECT_TRUE(inquiries.answered(kSecond, put_to_second[0], {}));
  EXPECT_NE(inquiries.next_for(kSecond), nullptr);
}

/// A shard with a channel that many read, without connections behind the readers.
class AnsweringTest : public testing::Test {
 protected:
  AnsweringTest() {
    channel_log = delivery.open_log(rule, name, 0, Form::native_json, Sequence{1}, Epoch{1}, ChannelLog::State::live);
    logs[static_cast<std::size_t>(Form::native_json)] = channel_log;
  }
  ~AnsweringTest() override {
    for (const auto& reader : readers) {
      while (reader->subscription_first != kNoSlot) delivery.end_subscription(reader->subscription_first, Instant{});
      if (reader->user != kNoSlot) {
        const std::uint32_t user = reader->user;
        users.leave(*reader);
        users.release_if_unused(user);
      }
    }
  }
  Outbox& add_reader(std::string_view user) {
    readers.push_back(std::make_unique<Outbox>());
    Outbox& reader = *readers.back();
    reader.connection = {.slot = static_cast<std::uint32_t>(readers.size()), .generation = 1};
    if (!user.empty()) users.enter(reader, user);
    const Handle subscription = delivery.create_subscription(reader, 0);
    delivery.start_reading(subscription.slot, channel_log.slot, Sequence{1}, Instant{});
    return reader;
  }
  void remove_reader(std::size_t index) { delivery.end_subscription(readers[index]->subscription_first, Instant{}); }
  Answer work(const Answering::Logs* where, int* steps = nullptr) {
    int taken = 0;
    for (; answering.wants_step(kHere); ++taken) answering.step(kHere, where);
    if (steps != nullptr) *steps = taken;
    Answer answer = answering.answer(kHere);
    answering.drop(kHere);
    return answer;
  }

  static constexpr ShardIndex kHere{0};
  std::unique_ptr<ShardBlock> block = std::make_unique<ShardBlock>();
  ShardStats stats{*block};
  Budget budget;
  NamespaceRule rule;
  std::string name = "lounge";
  Delivery delivery{100, 100'000, budget, stats};
  UserTable users{budget};
  Rosters rosters{1, 100, budget, stats, Now{}};
  Directory directory{budget, stats};
  Answering answering{1, delivery, users, rosters, directory};
  Handle channel_log;
  Answering::Logs logs{};
  std::vector<std::unique_ptr<Outbox>> readers;
};

TEST_F(AnsweringTest, ALongListOfReadersIsLookedAtInSteps) {
  constexpr int kReaders = 20'000;
  for (int i = 0; i < kReaders; ++i) add_reader(i % 4 == 0 ? "" : "u" + std::to_string(i % 4));
  answering.ask(kHere, Handle{}, {.kind = Question::Kind::channel_readers, .subject = name});
  EXPECT_EQ(answering.channel_wanted(kHere), name);
  int steps = 0;
  const Answer answer = work(&logs, &steps);
  EXPECT_EQ(steps, (kReaders + static_cast<int>(kLooksPerStep) - 1) / static_cast<int>(kLooksPerStep));
  EXPECT_EQ(answer.connections, 15'000U);
  EXPECT_EQ(answer.anonymous, 5'000U);
  EXPECT_EQ(answer.names, (Names{"u1", "u2", "u3"}));
}

TEST_F(AnsweringTest, ReadersThatLeaveMeanwhileHideNobodyWhoStays) {
  constexpr int kReaders = 10'000;
  for (int i = 0; i < kReaders; ++i) add_reader("u" + std::to_string(100'000 + i));
  answering.ask(kHere, Handle{}, {.kind = Question::Kind::channel_readers, .subject = name});
  answering.step(kHere, &logs);
  for (std::size_t i = 0; i < 3'000; ++i) remove_reader(i);  // their places are taken by the last, which were seen
  Names seen = work(&logs).names;
  // The page holds the smallest of those that stayed, and perhaps some that left.
  std::erase_if(seen, [](const std::string& user) { return user < "u103000"; });
  ASSERT_GE(seen.size(), 1U);
  for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], "u" + std::to_string(103'000 + i));
}

TEST_F(AnsweringTest, AUserWithManyConnectionsIsLookedAtInSteps) {
  for (int i = 0; i < 9'000; ++i) add_reader("42");
  answering.ask(kHere, Handle{}, {.kind = Question::Kind::user_channels, .subject = "42"});
  int steps = 0;
  const Answer answer = work(nullptr, &steps);
  EXPECT_EQ(steps, 3);
  EXPECT_EQ(answer.connections, 9'000U);
  EXPECT_EQ(answer.names, Names{"lounge"});
}

TEST_F(AnsweringTest, QuestionsAreAnsweredInTheOrderInWhichTheyWereAsked) {
  add_reader("42");
  for (std::uint32_t i = 0; i < 4; ++i) {
    answering.ask(kHere, Handle{.slot = i, .generation = 1},
                  {.kind = i % 2 == 0 ? Question::Kind::user_channels : Question::Kind::user, .subject = "42"});
  }
  for (std::uint32_t i = 0; i < 4; ++i) {
    EXPECT_EQ(answering.inquiry(kHere).slot, i);
    work(nullptr);
  }
  EXPECT_FALSE(answering.has_questions(kHere));
}

}  // namespace
}  // namespace ringcast
