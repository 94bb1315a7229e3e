// Who is in a channel, and who is told of it: on one shard and over three.
#include "tests/engine/presence/presence_fixture.hpp"

namespace ringcast {
namespace {

using PresenceTest = PresenceNode;
INSTANTIATE_TEST_SUITE_P(Shards, PresenceTest, testing::Values(1U, 3U));

TEST_P(PresenceTest, WhoJoinsAndLeavesIsToldToEveryReaderOnce) {
  const std::string room = node.channel_on(0, "room");
  std::vector<CoreClient*> readers;
  for (std::uint32_t i = 0; i < 3; ++i) readers.push_back(&reader("", room, shard(i)));
  CoreClient& alice = client("alice", shard(2));
  node.say(alice, R"({"type":"subscribe","id":9,"channels":[")" + room + "\"]}");
  const Texts own = got(alice);
  ASSERT_EQ(own.size(), 2U) << "the answer, and then itself";
  EXPECT_EQ(own[1], joined(room, "alice"));
  for (CoreClient* one : readers) EXPECT_EQ(got(*one), Texts{joined(room, "alice")});
  leave(alice);
  for (CoreClient* one : readers) EXPECT_EQ(got(*one), Texts{}) << "it may come back";
  node.advance(milliseconds{5'010});
  for (CoreClient* one : readers) EXPECT_EQ(got(*one), Texts{left(room, "alice")});
  EXPECT_EQ(node.count(CounterId::presence_joined), 1U);
  EXPECT_EQ(node.count(CounterId::presence_left), 1U);
  EXPECT_EQ(node.count(CounterId::presence_users), 0U);
}

TEST_P(PresenceTest, TheListIsTheSameAndExactWhereverItIsAskedFor) {
  const std::string room = node.channel_on(0, "room");
  reader("", room, shard(1));
  reader("bob", room, shard(2));
  reader("alice", room, shard(0));
  reader("alice", room, shard(1));
  reader("", room, shard(2));
  for (std::uint32_t i = 0; i < shards; ++i) {
    EXPECT_EQ(list(client("", i), room), listed(room, {"alice", "bob"}, 2)) << "shard " << i;
  }
  EXPECT_EQ(list(client("", 0), node.channel_on(shard(1), "room.other")),
            listed(node.channel_on(shard(1), "room.other"), {}));
  EXPECT_EQ(node.count(CounterId::presence_users), 2U);
}

TEST_P(PresenceTest, ManyConnectionsOfOneUserAreOneJoinAndOneLeave) {
  const std::string room = node.channel_on(shard(1), "room");
  CoreClient& watcher = reader("", room, shard(2));
  std::vector<CoreClient*> connections;
  for (std::uint32_t i = 0; i < 12; ++i) connections.push_back(&reader("7", room, shard(i)));
  EXPECT_EQ(got(watcher), Texts{joined(room, "7")});
  EXPECT_EQ(list(watcher, room), listed(room, {"7"}, 1));
  for (std::size_t i = 0; i + 1 < connections.size(); ++i) leave(*connections[i]);
  node.advance(milliseconds{6'000});
  EXPECT_EQ(got(watcher), Texts{}) << "one is still there";
  leave(*connections.back());
  node.advance(milliseconds{6'000});
  EXPECT_EQ(got(watcher), Texts{left(room, "7")});
  EXPECT_EQ(list(watcher, room), listed(room, {}, 1));
}

TEST_P(PresenceTest, AReconnectWithinTheGraceTimeIsNotTold) {
  const std::string room = node.channel_on(0, "room");
  CoreClient& watcher = reader("", room, shard(1));
  for (std::uint32_t i = 0; i < 4; ++i) {
    CoreClient& comes = reader("7", room, shard(i));
    EXPECT_EQ(got(watcher), i == 0 ? Texts{joined(room, "7")} : Texts{});
    node.advance(milliseconds{100});
    leave(comes);
    node.advance(milliseconds{4'800});
    EXPECT_EQ(list(watcher, room), listed(room, {"7"}, 1)) << "it is listed meanwhile";
  }
  EXPECT_EQ(got(watcher), Texts{});
  node.advance(milliseconds{300});
  EXPECT_EQ(got(watcher), Texts{left(room, "7")});
}

TEST_P(PresenceTest, UnsubscribingIsLeavingAndTheConnectionStays) {
  const std::string room = node.channel_on(0, "room");
  CoreClient& watcher = reader("", room, shard(1));
  CoreClient& comes = reader("7", room, shard(2));
  unsubscribe(comes, room);
  node.advance(milliseconds{5'010});
  EXPECT_EQ(got(watcher), (Texts{joined(room, "7"), left(room, "7")}));
  EXPECT_EQ(got(comes), Texts{}) << "it reads the channel no more";
  unsubscribe(watcher, room);
  EXPECT_EQ(list(comes, room), listed(room, {}));
}

TEST_P(PresenceTest, AReaderOfTheExchangeDialectIsPresentAndIsToldNothing) {
  const std::string room = node.channel_on(0, "room");
  CoreClient& watcher = reader("", room, shard(1));
  CoreClient& trader = node.open("/ws/" + room + "?user=trader", shard(2));
  reader("alice", room, 0);
  EXPECT_EQ(got(watcher), (Texts{joined(room, "trader"), joined(room, "alice")}));
  EXPECT_EQ(got(trader), Texts{});
  EXPECT_EQ(list(watcher, room), listed(room, {"alice", "trader"}, 1));
}

TEST_P(PresenceTest, AListComesInPagesThatTogetherAreAllOfIt) {
  const std::string room = node.channel_on(shard(1), "room");
  Texts names;
  for (int i = 0; i < 25; ++i) names.push_back("user-" + std::to_string(100 + i));
  for (std::uint32_t i = 0; i < names.size(); ++i) reader(names[i], room, shard(i));
  CoreClient& asker = client("", 0);
  Texts seen;
  std::string after;
  for (int page = 0; page < 4; ++page) {
    const std::string answer =
        ask(asker, member("channel", room) + R"(,"limit":10)" + (after.empty() ? "" : "," + member("after", after)));
    EXPECT_NE(answer.find(R"("count":25)"), std::string::npos) << "all of them, on every page";
    for (std::size_t at = answer.find("user-"); at != std::string::npos; at = answer.find("user-", at + 1)) {
      const std::string name = answer.substr(at, 8);
      if (seen.empty() || seen.back() != name) seen.push_back(name);  // the last one is named again in "next"
    }
    const std::size_t next = answer.find(R"("next":")");
    EXPECT_EQ(next != std::string::npos, page < 2) << answer;
    if (next == std::string::npos) break;
    after = answer.substr(next + 8, 8);
  }
  EXPECT_EQ(seen, names);
}

TEST_P(PresenceTest, AChannelWhoseNamespaceHasNoPresenceCostsAndTellsNothing) {
  CoreClient& watcher = reader("", "lounge", shard(1));
  CoreClient& comes = reader("7", "lounge", shard(2));
  leave(comes);
  node.advance(milliseconds{6'000});
  EXPECT_EQ(got(watcher), Texts{});
  EXPECT_NE(list(watcher, "lounge").find(R"("code":"not_supported")"), std::string::npos);
  EXPECT_EQ(node.count(CounterId::notices_sent), 0U);
}

TEST_P(PresenceTest, WhoMayNotReadAChannelMayNotAskWhoIsThere) {
  CoreClient& alice = client("alice", 0);
  EXPECT_NE(list(alice, "$sys/stats").find(R"("code":"unauthorized")"), std::string::npos);
  EXPECT_NE(list(alice, "user:bob").find(R"("code":"unauthorized")"), std::string::npos);
  EXPECT_NE(list(alice, "room.*").find(R"("code":"invalid_message")"), std::string::npos);
}

TEST_P(PresenceTest, AUserWithoutGraceTimeLeavesAtOnce) {
  CoreHarness instant{with_presence(shards, milliseconds{0})};
  const std::string room = instant.channel_on(0, "room");
  CoreClient& watcher = instant.native(shard(1));
  CoreClient& comes = instant.open("/ws/connect?user=7", shard(2));
  for (CoreClient* one : {&watcher, &comes}) instant.say(*one, R"({"type":"subscribe","channels":[")" + room + "\"]}");
  CoreHarness::take_texts(watcher);
  instant.end(comes);
  instant.run();
  EXPECT_EQ(CoreHarness::take_texts(watcher), Texts{left(room, "7")});
}

TEST_P(PresenceTest, MoreUsersThanTheLimitAreCountedAndTheListSaysSo) {
  CoreOptions few = with_presence(shards);
  few.limits.presence = 2;
  CoreHarness small{few};
  const std::string room = small.channel_on(0, "room");
  std::vector<CoreClient*> users;
  for (const std::string user : {"a", "b", "c", "d"}) {
    users.push_back(&small.open("/ws/connect?user=" + user, shard(static_cast<std::uint32_t>(users.size()))));
    small.say(*users.back(), R"({"type":"subscribe","channels":[")" + room + "\"]}");
  }
  CoreClient& asker = small.native(shard(1));
  const auto answer = [&] {
    small.say(asker, R"({"type":"presence","channel":")" + room + "\"}");
    return CoreHarness::take_texts(asker).at(0);
  };
  EXPECT_NE(answer().find(R"("count":2,"anonymous":0,"unlisted":2,"users":["a","b"])"), std::string::npos);
  EXPECT_EQ(small.count(CounterId::presence_unlisted), 2U);

  small.end(*users[0]);  // only its grace time is left of it: a newcomer gets its place
  small.run();
  CoreClient& late = small.open("/ws/connect?user=e", shard(2));
  small.say(late, R"({"type":"subscribe","channels":[")" + room + "\"]}");
  EXPECT_NE(answer().find(R"("count":2,"anonymous":0,"unlisted":2,"users":["b","e"])"), std::string::npos);
  EXPECT_EQ(small.count(CounterId::presence_graces_cut), 1U);
  for (CoreClient* one : {users[2], users[3]}) small.end(*one);
  small.run();
  EXPECT_NE(answer().find(R"("count":2,"anonymous":0,"users":["b","e"])"), std::string::npos);
}

TEST_P(PresenceTest, AReaderThatDoesNotReadIsToldThatItMissedSomethingAndNoMore) {
  CoreHarness instant{with_presence(shards, milliseconds{0})};
  const std::string room = instant.channel_on(0, "room");
  const std::string subscribe_room = R"({"type":"subscribe","channels":[")" + room + "\"]}";
  CoreClient& sleeper = instant.native(shard(1));
  CoreClient& awake = instant.native(shard(1));
  for (CoreClient* one : {&sleeper, &awake}) {
    instant.say(*one, subscribe_room);
    CoreHarness::take_texts(*one);
  }
  sleeper.room = 0;
  CoreClient& restless = instant.open("/ws/connect?user=restless", shard(2));
  CoreHarness::take_texts(restless);
  constexpr std::uint64_t kChanges = 600;
  for (std::uint64_t i = 0; i < kChanges / 2; ++i) {
    instant.say(restless, subscribe_room);
    instant.say(restless, R"({"type":"unsubscribe","channels":[")" + room + "\"]}");
  }
  EXPECT_EQ(CoreHarness::take_texts(awake).size(), kChanges) << "who reads is told of everything";
  EXPECT_LT(instant.budget(sleeper.shard).used(Purpose::control), 17U * 1'024) << "who does not is not remembered";
  instant.say(restless, subscribe_room);
  instant.make_room(sleeper);
  instant.run();
  const Texts texts = CoreHarness::take_texts(sleeper);
  ASSERT_GT(texts.size(), 100U);
  EXPECT_EQ(texts.back(), R"({"type":"presence_missed",)" + member("channel", room) + "}");
  EXPECT_EQ(std::ranges::count(texts, texts.back()), 1);
  EXPECT_GT(instant.count(CounterId::notices_missed), 0U);
  instant.say(sleeper, R"({"type":"presence","id":1,"channel":")" + room + "\"}");
  EXPECT_NE(CoreHarness::take_texts(sleeper).at(0).find(R"("users":["restless"])"), std::string::npos);
  instant.end(restless);
  instant.run();
  EXPECT_EQ(CoreHarness::take_texts(sleeper), Texts{left(room, "restless")}) << "from here on it is told again";
}

TEST_P(PresenceTest, WhoHasTheChannelAlreadyIsNotCountedTwice) {
  const std::string room = node.channel_on(0, "room");
  CoreClient& alice = reader("alice", room, shard(1));
  node.say(alice, R"({"type":"subscribe","channels":[")" + room + "\",\"" + room + "\"]}");
  got(alice);
  EXPECT_EQ(list(alice, room), listed(room, {"alice"}));
  unsubscribe(alice, room);
  node.advance(milliseconds{5'010});
  EXPECT_EQ(list(alice, room), listed(room, {}));
}

TEST_P(PresenceTest, WhenEverybodyHasGoneNothingIsLeft) {
  const std::uint64_t before = node.budget(0).used(Purpose::users);
  const std::string room = node.channel_on(0, "room");
  std::vector<CoreClient*> all;
  for (std::uint32_t i = 0; i < 20; ++i) all.push_back(&reader("user-" + std::to_string(i % 7), room, shard(i)));
  for (CoreClient* one : all) node.end(*one);
  node.run();
  node.advance(milliseconds{30'000});
  EXPECT_EQ(node.count(CounterId::users_unique), 0U);
  EXPECT_EQ(node.count(CounterId::presence_users), 0U);
  EXPECT_LE(node.budget(0).used(Purpose::users), before + 512U * 1'024) << "but for chunks of slabs";
  EXPECT_EQ(list(client("", 0), room), listed(room, {}));
}

}  // namespace
}  // namespace ringcast
