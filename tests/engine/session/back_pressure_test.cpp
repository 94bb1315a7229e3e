// Input that cannot go on stalls its own connection and nobody else's; nothing is lost or overtaken.
#include <gtest/gtest.h>

#include "engine/limits.hpp"
#include "tests/doubles/core_harness.hpp"

namespace ringcast {
namespace {

std::string ping(int id) { return R"({"type":"ping","id":)" + std::to_string(id) + "}"; }
std::string pong(int id) { return R"({"type":"pong","id":)" + std::to_string(id) + "}"; }

TEST(BackPressure, AClientThatLeavesItsRepliesUnreadIsNotListenedToUntilItReads) {
  CoreHarness node;
  CoreClient& client = node.native();
  CoreClient& other = node.native();
  client.room = 0;
  int asked = 0;
  while (!client.paused && asked < 100'000) node.text(client, ping(asked++));
  EXPECT_TRUE(client.paused);
  EXPECT_EQ(node.count(CounterId::control_overflows), 1U);
  EXPECT_LE(node.budget().used(Purpose::control), kControlBytesMax + 1'000);
  EXPECT_LE(node.budget().used(Purpose::inboxes), kInboxPauseBytes + 1'000);
  for (int i = 0; i < 100; ++i) node.text(client, ping(asked++));  // waits in its socket
  node.say(other, ping(1));
  EXPECT_EQ(CoreHarness::take_texts(other), std::vector<std::string>{pong(1)});

  for (int i = 0; i < 10'000 && !client.held.empty(); ++i) {
    node.make_room(client, 10'000);
    node.run();
  }
  node.make_room(client);
  node.run();
  EXPECT_FALSE(client.paused);
  const auto texts = CoreHarness::take_texts(client);
  ASSERT_EQ(texts.size(), static_cast<std::size_t>(asked));
  for (int i = 0; i < asked; ++i) EXPECT_EQ(texts[static_cast<std::size_t>(i)], pong(i));
  EXPECT_EQ(node.budget().used(Purpose::inboxes), 0U);
}

TEST(BackPressure, AnEchoLargerThanAllRepliesTogetherIsEchoedAllTheSame) {
  CoreOptions options;
  options.echo = true;
  CoreHarness node{options};
  CoreClient& client = node.open("/echo");
  const std::string large(1U << 20, 'x');
  for (int i = 0; i < 3; ++i) node.bytes(client, CoreHarness::masked(Opcode::binary, large));
  node.run();
  const auto frames = CoreHarness::take_frames(client);
  ASSERT_EQ(frames.size(), 3U);
  for (const ReceivedFrame& frame : frames) EXPECT_EQ(frame.payload, large);
  EXPECT_FALSE(client.paused);
}

TEST(BackPressure, AClientThatGoesAwayWhileItIsPausedLeavesNothingBehind) {
  for (const int error : {0, ECONNRESET}) {
    CoreHarness node;
    CoreClient& client = node.native();
    client.room = 5;
    for (int i = 0; !client.paused && i < 100'000; ++i) node.text(client, ping(i));
    ASSERT_TRUE(client.paused);
    node.end(client, error);
    node.run();
    EXPECT_TRUE(client.closed);
    EXPECT_EQ(node.budget().used(Purpose::inboxes), 0U);
    EXPECT_EQ(node.budget().used(Purpose::control), 0U);
    EXPECT_EQ(node.core().connections(), 0U);
  }
}

TEST(BackPressure, AClosingClientThatWasPausedIsHeardAgainForItsFin) {
  CoreHarness node;
  CoreClient& client = node.native();
  client.room = 0;
  for (int i = 0; !client.paused && i < 100'000; ++i) node.text(client, ping(i));
  node.advance(seconds{130});  // not blamed for its silence: it cannot be heard
  EXPECT_FALSE(client.closed);
  node.core().begin_shutdown(node.now);
  node.advance(seconds{6});
  node.make_room(client);
  node.run();
  EXPECT_EQ(CoreHarness::take_close(client), 1001);
  EXPECT_TRUE(client.server_fin);
  EXPECT_FALSE(client.paused);
  node.end(client);
  EXPECT_TRUE(client.closed);
  EXPECT_TRUE(node.core().drained());
}

class LaneTest : public testing::Test {
 protected:
  static CoreOptions two_shards() {
    CoreOptions options;
    options.shards = 2;
    options.limits.message_bytes = 8'000;
    return options;
  }
  CoreHarness node{two_shards(), 65'536};
  std::string channel = node.channel_on(1);

  std::string publish(int number, std::size_t bytes = 0) {
    std::string data = std::to_string(number);
    if (bytes > data.size()) data = '"' + data + std::string(bytes - data.size(), '.') + '"';
    return R"({"type":"publish","id":)" + std::to_string(number) + R"(,"channel":")" + channel + R"(","data":)" + data + "}";
  }
  static int id_in(std::string_view published) {
    const std::size_t at = published.find(R"("id":)");
    return at == std::string_view::npos ? -1 : std::atoi(std::string{published.substr(at + 5, 10)}.c_str());
  }
};

TEST_F(LaneTest, APublisherThatOutrunsALaneIsPausedAndLosesNothing) {
  CoreClient& publisher = node.native(0);
  CoreClient& quick = node.native(0);
  CoreClient& reader = node.native(1);
  node.say(reader, R"({"type":"subscribe","channels":[")" + channel + R"("]})");
  CoreHarness::take_texts(reader);
  node.asleep[1] = true;  // the home does not come to its turn
  constexpr int kMessages = 300;
  for (int i = 1; i <= kMessages; ++i) {
    node.text(publisher, publish(i, 1'000));
    node.run();
  }
  EXPECT_GT(node.count(CounterId::publishes_parked), 0U);
  EXPECT_GT(node.count(CounterId::mesh_lane_full), 0U);
  EXPECT_TRUE(publisher.paused);
  EXPECT_TRUE(CoreHarness::take_texts(publisher).empty());
  node.say(quick, ping(1));  // nobody else is held up
  EXPECT_EQ(CoreHarness::take_texts(quick), std::vector<std::string>{pong(1)});
  node.advance(seconds{5});  // nor is it blamed for its silence

  node.asleep[1] = false;
  node.run();
  const auto answers = CoreHarness::take_texts(publisher);
  ASSERT_EQ(answers.size(), static_cast<std::size_t>(kMessages));
  for (int i = 1; i <= kMessages; ++i) {  // in order, every one
    EXPECT_EQ(id_in(answers[static_cast<std::size_t>(i - 1)]), i);
    EXPECT_NE(answers[static_cast<std::size_t>(i - 1)].find("\"seq\":" + std::to_string(i) + ","), std::string::npos);
  }
  EXPECT_EQ(CoreHarness::take_texts(reader).size(), static_cast<std::size_t>(kMessages));
  EXPECT_FALSE(publisher.paused);
  EXPECT_EQ(node.budget(0).used(Purpose::inboxes), 0U);
}

TEST_F(LaneTest, ReadersAreNotLateForAPublishThatWasHeldBack) {
  CoreClient& publisher = node.native(0);
  CoreClient& here = node.native(1);
  CoreClient& there = node.native(0);
  for (CoreClient* reader : {&here, &there}) {
    node.say(*reader, R"({"type":"subscribe","channels":[")" + channel + R"("]})");
    CoreHarness::take_texts(*reader);
  }
  node.asleep[1] = true;
  for (int i = 1; i <= 300; ++i) node.text(publisher, publish(i, 1'000));
  node.run();
  node.advance(seconds{15});  // longer than any reader may lag
  node.asleep[1] = false;
  node.run();
  node.advance(seconds{1});
  EXPECT_EQ(CoreHarness::take_texts(publisher).size(), 300U);
  EXPECT_EQ(CoreHarness::take_texts(here).size(), 300U);
  EXPECT_EQ(CoreHarness::take_texts(there).size(), 300U);
  EXPECT_EQ(node.count(CounterId::slow_disconnects), 0U);
}

TEST_F(LaneTest, RequestsBeyondTheirCreditsWaitAndAreAnsweredInOrder) {
  CoreClient& publisher = node.native(0);
  node.asleep[1] = true;
  const int messages = static_cast<int>(kMeshCredits) + 200;  // small: the lane has room, the credits end
  std::string all;
  for (int i = 1; i <= messages; ++i) all += CoreHarness::masked(Opcode::text, publish(i));
  node.bytes(publisher, all);
  node.run();
  EXPECT_EQ(node.count(CounterId::publishes_forwarded), kMeshCredits - kMeshCreditsKept);
  EXPECT_EQ(node.count(CounterId::publishes_parked), 1U);  // one publish; what is behind it waits unread
  node.asleep[1] = false;
  node.run();
  const auto answers = CoreHarness::take_texts(publisher);
  ASSERT_EQ(answers.size(), static_cast<std::size_t>(messages));
  for (int i = 1; i <= messages; ++i) EXPECT_EQ(id_in(answers[static_cast<std::size_t>(i - 1)]), i);
}

TEST_F(LaneTest, APublisherThatLeavesWhileItWaitsIsForgotten) {
  CoreClient& publisher = node.native(0);
  node.asleep[1] = true;
  for (int i = 1; i <= 300; ++i) node.text(publisher, publish(i, 1'000));
  node.run();
  node.end(publisher, ECONNRESET);
  EXPECT_EQ(node.budget(0).used(Purpose::inboxes), 0U);
  node.asleep[1] = false;
  node.run();
  EXPECT_EQ(node.core(0).connections(), 0U);
  EXPECT_EQ(node.count(CounterId::messages_published), node.count(CounterId::publishes_forwarded));
}

TEST_F(LaneTest, ManyPublishersThatWaitAllGetThrough) {
  std::vector<CoreClient*> publishers;
  for (int i = 0; i < 20; ++i) publishers.push_back(&node.native(0));
  node.asleep[1] = true;
  for (int round = 1; round <= 30; ++round) {
    for (CoreClient* publisher : publishers) node.text(*publisher, publish(round, 1'000));
    node.run();
  }
  node.asleep[1] = false;
  node.run();
  for (CoreClient* publisher : publishers) {
    const auto answers = CoreHarness::take_texts(*publisher);
    ASSERT_EQ(answers.size(), 30U);
    for (int i = 1; i <= 30; ++i) EXPECT_EQ(id_in(answers[static_cast<std::size_t>(i - 1)]), i);
  }
  EXPECT_EQ(node.count(CounterId::messages_published), 600U);
}

TEST_F(LaneTest, WhatIsSaidBehindASubscribeThatWaitsIsAnsweredBehindIt) {
  CoreClient& client = node.native(0);
  node.asleep[1] = true;
  node.bytes(client, CoreHarness::masked(Opcode::text, R"({"type":"subscribe","id":1,"channels":[")" + channel + R"("]})") +
                         CoreHarness::masked(Opcode::text, ping(2)) +
                         CoreHarness::masked(Opcode::text, R"({"type":"unsubscribe","id":3,"channels":[")" + channel + R"("]})"));
  node.run();
  EXPECT_TRUE(CoreHarness::take_texts(client).empty());
  node.asleep[1] = false;
  node.run();
  const auto texts = CoreHarness::take_texts(client);
  ASSERT_EQ(texts.size(), 3U);
  EXPECT_TRUE(texts[0].starts_with(R"({"type":"subscribed","id":1)"));
  EXPECT_EQ(texts[1], pong(2));
  EXPECT_TRUE(texts[2].starts_with(R"({"type":"unsubscribed","id":3)"));
}

}  // namespace
}  // namespace ringcast
