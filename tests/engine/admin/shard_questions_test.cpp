// Asking a shard and waiting: the answer that belongs to the question, and an end to every wait.
#include "engine/admin/shard_questions.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "engine/time/system_clock.hpp"

namespace ringcast {
namespace {

constexpr std::uint32_t kMessageBytes = 8'000;

class ShardQuestionsTest : public testing::Test {
 protected:
  void SetUp() override {
    auto board = DoorbellBoard::make(1);
    ASSERT_TRUE(board);
    doorbells = std::move(*board);
    questions.emplace(std::vector<AdminLane*>{&lane}, *doorbells, clock);
  }
  /// Answers the next question with this text and that serial, moved by `off`.
  void answer(std::string_view text, std::uint32_t off = 0) {
    Bytes record;
    while (record.empty()) record = lane.questions.peek();
    const std::uint32_t serial = read_question(record).head.serial;
    lane.questions.pop();
    lane.questions.release();
    push(text, serial + off);
  }
  void push(std::string_view text, std::uint32_t serial) {
    const MutableBytes room = lane.answers.reserve(sizeof(AdminAnswerHead) + text.size());
    store(room.data(), AdminAnswerHead{.serial = serial, .count = 7});
    std::memcpy(room.data() + sizeof(AdminAnswerHead), text.data(), text.size());
    lane.answers.commit();
    lane.answers.publish();
  }

  AdminLane lane{AdminLane::bytes_for(kMessageBytes)};
  std::unique_ptr<DoorbellBoard> doorbells;
  SystemClock clock;
  std::optional<ShardQuestions> questions;
};

TEST_F(ShardQuestionsTest, TheAnswerToTheQuestionIsTaken) {
  std::thread shard{[this] { answer("rows"); }};
  const auto got = questions->ask(ShardIndex{0}, {.head = {.ask = AdminAsk::connections}});
  shard.join();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->body, "rows");
  EXPECT_EQ(got->head.count, 7U);
}

TEST_F(ShardQuestionsTest, AnswersToEarlierQuestionsAreDropped) {
  push("too late", 0xffff'ffff);
  std::thread shard{[this] {
    answer("another's", 1'000);
    push("mine", 1);
  }};
  const auto got = questions->ask(ShardIndex{0}, {.head = {.ask = AdminAsk::connections}});
  shard.join();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->body, "mine");
}

TEST_F(ShardQuestionsTest, AShardThatSleepsIsRungAndOneThatDoesNotIsNot) {
  std::thread shard{[this] { answer("rows"); }};
  doorbells->lie_down(ShardIndex{0});
  EXPECT_TRUE(questions->ask(ShardIndex{0}, {.head = {.ask = AdminAsk::connections}}));
  shard.join();
  EXPECT_FALSE(doorbells->asleep(ShardIndex{0})) << "who rings takes the flag";
}

TEST_F(ShardQuestionsTest, AShardThatDoesNotAnswerIsAnError) {
  const auto got = questions->ask(ShardIndex{0}, {.head = {.ask = AdminAsk::connections}});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error(), AdminError::no_answer);
}

TEST_F(ShardQuestionsTest, WhenThePortEndsNobodyWaitsAnyMoreAndNothingIsAsked) {
  const Instant began = clock.now().mono;
  std::thread end{[this] {
    std::this_thread::sleep_for(milliseconds{100});
    questions->close();
  }};
  const auto got = questions->ask(ShardIndex{0}, {.head = {.ask = AdminAsk::publish}, .channel = "c", .data = "1"});
  end.join();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error(), AdminError::no_answer) << "it may have been done";
  EXPECT_LT(clock.now().mono - began, kShardPatience);
  const std::size_t asked = lane.questions.bytes_used();
  const auto after = questions->ask(ShardIndex{0}, {.head = {.ask = AdminAsk::connections}});
  ASSERT_FALSE(after);
  EXPECT_EQ(after.error(), AdminError::overloaded);
  EXPECT_EQ(lane.questions.bytes_used(), asked);
}

TEST_F(ShardQuestionsTest, AMessageThatNoLaneHoldsIsTooLarge) {
  const std::string data(AdminLane::bytes_for(kMessageBytes), 'x');
  const auto got = questions->ask(ShardIndex{0}, {.head = {.ask = AdminAsk::publish}, .data = data});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error(), AdminError::body_too_large);
}

}  // namespace
}  // namespace ringcast
