// Users over the mesh when a shard does not answer: reports that wait, notices that a later change makes void.
#include "tests/engine/presence/presence_fixture.hpp"

namespace ringcast {
namespace {

class PresenceMeshTest : public PresenceNode {
 protected:
  PresenceMeshTest() : PresenceNode(with_presence(3, milliseconds{0})) {}
  std::string room = node.channel_on(0, "room");
};
INSTANTIATE_TEST_SUITE_P(ThreeShards, PresenceMeshTest, testing::Values(3U));

TEST_P(PresenceMeshTest, ReportsWaitForCreditsAndWhatChangedBackIsNeverTold) {
  CoreClient& watcher = reader("", room, 0);
  reader("", room, 1);  // the channel's log is there
  std::vector<CoreClient*> users;
  for (int i = 0; i < 40; ++i) users.push_back(&client("u" + std::to_string(100 + i), 1));
  node.asleep[0] = true;
  constexpr int kRounds = 60;  // far more than there are credits
  for (int round = 0; round < kRounds; ++round) {
    for (CoreClient* one : users) node.say(*one, R"({"type":"subscribe","channels":[")" + room + "\"]}");
    if (round + 1 == kRounds) break;
    for (CoreClient* one : users) node.say(*one, R"({"type":"unsubscribe","channels":[")" + room + "\"]}");
  }
  node.asleep[0] = false;
  node.run();
  const Texts texts = got(watcher);
  EXPECT_LT(texts.size(), 600U) << "as many reports as there were credits, and the last of each";
  for (const CoreClient* one : users) {
    const std::string user = "u" + std::to_string(100 + (std::ranges::find(users, one) - users.begin()));
    bool present = false;
    for (const std::string& text : texts) {
      if (text == joined(room, user)) {
        EXPECT_FALSE(present) << user << " joins once";
        present = true;
      } else if (text == left(room, user)) {
        EXPECT_TRUE(present) << user << " leaves once";
        present = false;
      }
    }
    EXPECT_TRUE(present) << user;
  }
  EXPECT_NE(list(watcher, room).find(R"("count":40,)"), std::string::npos);
}

TEST_P(PresenceMeshTest, ALaneWithoutRoomMakesLaterNoticesReplaceEarlierOnes) {
  CoreClient& far = reader("", room, 1);
  reader("", room, 0);
  std::vector<CoreClient*> users;
  for (int i = 0; i < 10; ++i) users.push_back(&client("u" + std::to_string(i), 0));
  node.asleep[1] = true;
  for (int round = 0; round < 400; ++round) {
    for (CoreClient* one : users) node.say(*one, R"({"type":"subscribe","channels":[")" + room + "\"]}");
    for (CoreClient* one : users) node.say(*one, R"({"type":"unsubscribe","channels":[")" + room + "\"]}");
  }
  node.say(*users[3], R"({"type":"subscribe","channels":[")" + room + "\"]}");
  EXPECT_GT(node.count(CounterId::notices_superseded), 0U);
  node.asleep[1] = false;
  node.run();
  const Texts texts = got(far);
  EXPECT_LT(texts.size(), 1'000U) << "of 8,000 changes";
  std::vector<bool> present(users.size(), false);
  for (const std::string& text : texts) {
    for (std::size_t i = 0; i < users.size(); ++i) {
      const std::string user = "u" + std::to_string(i);
      if (text == joined(room, user)) {
        EXPECT_FALSE(present[i]);
        present[i] = true;
      } else if (text == left(room, user)) {
        EXPECT_TRUE(present[i]);
        present[i] = false;
      }
    }
  }
  for (std::size_t i = 0; i < users.size(); ++i) EXPECT_EQ(present[i], i == 3) << i;
}

TEST_P(PresenceMeshTest, AListComesBehindEveryNoticeThatWasDueBeforeIt) {
  CoreClient& far = reader("", room, 1);
  CoreClient& alice = client("alice", 0);
  node.asleep[1] = true;
  for (int i = 0; i < 500; ++i) {
    node.say(alice, R"({"type":"subscribe","channels":[")" + room + "\"]}");
    node.say(alice, R"({"type":"unsubscribe","channels":[")" + room + "\"]}");
  }
  node.asleep[1] = false;
  node.text(far, R"({"type":"presence","id":1,"channel":")" + room + "\"}");
  node.say(alice, R"({"type":"subscribe","channels":[")" + room + "\"]}");
  const Texts texts = got(far);
  bool present = false;
  bool list_seen = false;
  for (const std::string& text : texts) {
    if (text.starts_with(R"({"type":"presence","id")")) {
      list_seen = true;
      EXPECT_EQ(text.find("alice") != std::string::npos, present) << "the list says what the notices before it say";
    } else {
      EXPECT_EQ(text, present ? left(room, "alice") : joined(room, "alice"));
      present = !present;
    }
  }
  EXPECT_TRUE(list_seen);
  EXPECT_TRUE(present);
}

TEST_P(PresenceMeshTest, AShardWhoseReadersHaveLeftIsNotToldAndLearnsAfresh) {
  CoreClient& far = reader("", room, 1);
  CoreClient& alice = reader("alice", room, 0);
  EXPECT_EQ(got(far), Texts{joined(room, "alice")});
  unsubscribe(far, room);
  node.advance(kLogLinger + seconds{2});  // its log is closed: the home need not tell that shard any more
  unsubscribe(alice, room);
  subscribe(far, room);
  subscribe(alice, room);
  EXPECT_EQ(got(far), Texts{joined(room, "alice")});
}

TEST_P(PresenceMeshTest, WithoutTheHomesAnswersAQuestionIsAnsweredLaterAndTheClientWaits) {
  CoreClient& asker = client("", 1);
  node.asleep[0] = true;
  node.say(asker, R"({"type":"presence","id":1,"channel":")" + room + "\"}");
  node.say(asker, R"({"type":"ping","id":2})");
  EXPECT_EQ(got(asker), Texts{});
  node.asleep[0] = false;
  node.run();
  EXPECT_EQ(got(asker), (Texts{listed(room, {}), R"({"type":"pong","id":2})"}));
  node.asleep[0] = true;
  node.say(asker, R"({"type":"presence","id":1,"channel":")" + room + "\"}");
  node.end(asker);  // and nobody is there to hear the answer
  node.asleep[0] = false;
  node.run();
}

}  // namespace
}  // namespace ringcast
