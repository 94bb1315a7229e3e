// Users: where they are, how often, and what they read; on one shard and over three.
#include "tests/engine/presence/presence_fixture.hpp"

namespace ringcast {
namespace {

class DirectoryTest : public PresenceNode {
 protected:
  Answer answer(Question::Kind kind, std::string subject = {}, std::uint32_t limit = 0, std::string after = {}) {
    node.core(shard(1)).ask({.kind = kind, .subject = std::move(subject), .after = std::move(after), .limit = limit},
                            77);
    node.run();
    const std::vector<Answered> answers = node.core(shard(1)).take_answers();
    EXPECT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers.at(0).asker.token, 77U);
    return answers.at(0).answer;
  }
};
INSTANTIATE_TEST_SUITE_P(Shards, DirectoryTest, testing::Values(1U, 3U));

TEST_P(DirectoryTest, AUserIsCountedOnceWhereverItsConnectionsAre) {
  std::vector<CoreClient*> connections;
  for (std::uint32_t i = 0; i < 5; ++i) connections.push_back(&client("42", shard(i)));
  client("7", shard(2));
  client("", 0);
  EXPECT_EQ(node.count(CounterId::users_unique), 2U);
  EXPECT_EQ(answer(Question::Kind::user, "42").connections, 5U);
  EXPECT_EQ(answer(Question::Kind::user, "nobody").connections, 0U);
  for (CoreClient* one : connections) leave(*one);
  EXPECT_EQ(node.count(CounterId::users_unique), 1U);
  EXPECT_EQ(answer(Question::Kind::user, "42").connections, 0U);
}

TEST_P(DirectoryTest, AllUsersAreListedInPages) {
  Texts names;
  for (int i = 0; i < 23; ++i) names.push_back("u" + std::to_string(100 + i));
  for (std::uint32_t i = 0; i < names.size(); ++i) {
    client(names[i], shard(i));
    client(names[i], shard(i + 1));
  }
  Texts seen;
  Answer page;
  do {
    page = answer(Question::Kind::users, {}, 5, seen.empty() ? std::string{} : seen.back());
    EXPECT_EQ(page.users, names.size());
    EXPECT_EQ(page.connections, 2 * names.size());
    EXPECT_LE(page.names.size(), 5U);
    seen.insert(seen.end(), page.names.begin(), page.names.end());
  } while (page.more && seen.size() <= names.size());
  EXPECT_EQ(seen, names);
}

TEST_P(DirectoryTest, AUsersSubscriptionsAreThoseOfAllItsConnections) {
  CoreClient& one = reader("42", "a", shard(0));
  subscribe(one, "b");
  reader("42", "b", shard(1));
  node.open("/ws/c?user=42", shard(2));
  reader("7", "d", shard(1));
  const Answer all = answer(Question::Kind::user_channels, "42");
  EXPECT_EQ(all.connections, 3U);
  EXPECT_EQ(all.names, (Texts{"a", "b", "c", "user:42"}));
  EXPECT_FALSE(all.more);
  const Answer second = answer(Question::Kind::user_channels, "42", 2, "a");
  EXPECT_EQ(second.names, (Texts{"b", "c"}));
  EXPECT_TRUE(second.more);
  EXPECT_TRUE(answer(Question::Kind::user_channels, "nobody").names.empty());
}

TEST_P(DirectoryTest, AChannelsReadersAreCountedAndItsUsersListedWithoutPresence) {
  for (std::uint32_t i = 0; i < 6; ++i) reader(i % 2 == 0 ? "42" : "7", "lounge", shard(i));
  for (std::uint32_t i = 0; i < 3; ++i) reader("", "lounge", shard(i));
  node.open("/ws/lounge?user=trader", shard(1));
  const Answer all = answer(Question::Kind::channel_readers, "lounge");
  EXPECT_EQ(all.connections, 7U);
  EXPECT_EQ(all.anonymous, 3U);
  EXPECT_EQ(all.names, (Texts{"42", "7", "trader"}));
  const Answer nothing = answer(Question::Kind::channel_readers, "unheard-of");
  EXPECT_EQ(nothing.connections + nothing.anonymous + nothing.names.size(), 0U);
}

TEST_P(DirectoryTest, ClientsMayAskAboutUsersWhileOnlyThisHostCanConnect) {
  CoreClient& alice = reader("alice", "a", shard(1));
  client("alice", shard(2));
  EXPECT_EQ(ask(alice, member("user", "alice")),
            R"({"type":"presence","id":1,"user":"alice","connections":2,"channels":["a","user:alice"]})");
  EXPECT_EQ(ask(alice, member("user", "bob")),
            R"({"type":"presence","id":1,"user":"bob","connections":0,"channels":[]})");
  EXPECT_EQ(ask(alice, member("user", "*")),
            R"({"type":"presence","id":1,"user":"*","count":1,"connections":2,"users":["alice"]})");
  EXPECT_EQ(node.count(CounterId::presence_questions), 3U);
}

TEST_P(DirectoryTest, OnANodeThatOthersCanReachTheyMayNot) {
  CoreOptions open = with_presence(shards);
  open.access.insecure = true;
  CoreHarness reachable{open};
  CoreClient& alice = reachable.native(shard(1));
  for (const std::string_view user : {"*", "bob"}) {
    reachable.say(alice, R"({"type":"presence","id":1,)" + member("user", user) + "}");
    EXPECT_NE(CoreHarness::take_texts(alice).at(0).find(R"("code":"unauthorized")"), std::string::npos);
  }
}

TEST_P(DirectoryTest, QuestionsOfManyConnectionsAtOnceAreAllAnswered) {
  std::vector<CoreClient*> askers;
  for (std::uint32_t i = 0; i < 100; ++i) askers.push_back(&client("u" + std::to_string(i), 0));
  for (CoreClient* one : askers) node.text(*one, R"({"type":"presence","id":1,"user":"*","limit":1})");
  node.run();
  for (CoreClient* one : askers) {
    EXPECT_EQ(
        got(*one),
        Texts{R"({"type":"presence","id":1,"user":"*","count":100,"connections":100,"users":["u0"],"next":"u0"})"});
  }
}

}  // namespace
}  // namespace ringcast
