// What the admin port asks of a shard: pages that show everybody once, actions that go the ways of clients' commands,
// and a bound to what is done in a turn.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "engine/shard/admin_desk.hpp"
#include "tests/doubles/core_harness.hpp"

namespace ringcast {
namespace {

CoreOptions options_with(std::uint32_t shards) {
  CoreOptions options;
  options.shards = shards;
  options.limits.message_bytes = 8'000;
  options.heartbeat.interval = milliseconds{0};  // nobody here answers pings
  return options;
}

std::vector<AdminConnectionRow> connections_in(const CoreHarness::AdminReply& reply) {
  std::vector<AdminConnectionRow> list;
  AdminRows rows{reply.body};
  for (std::uint32_t i = 0; i < reply.head.rows; ++i) {
    list.push_back(rows.row<AdminConnectionRow>());
    (void)rows.text(list.back().user_bytes);
  }
  return list;
}
std::vector<std::string> channels_in(const CoreHarness::AdminReply& reply) {
  std::vector<std::string> names;
  AdminRows rows{reply.body};
  for (std::uint32_t i = 0; i < reply.head.rows; ++i) {
    const auto row = rows.row<AdminChannelRow>();
    names.emplace_back(rows.text(row.name_bytes));
    (void)rows.text(row.match_bytes);
  }
  return names;
}
void subscribe(CoreHarness& node, CoreHarness::Client& client, const std::string& channel) {
  node.say(client, R"({"type":"subscribe","id":1,"channels":[")" + channel + R"("]})");
  (void)CoreHarness::take_frames(client);
}

TEST(AdminDesk, PagesShowEveryConnectionOnceAlsoIfOthersComeAndGoMeanwhile) {
  CoreHarness node{options_with(1)};
  std::vector<CoreHarness::Client*> clients;
  for (int i = 0; i < 25; ++i) clients.push_back(&node.native());
  std::set<std::uint64_t> seen;
  std::uint32_t from = 0;
  int pages = 0;
  do {
    const auto reply = node.ask(0, {.head = {.ask = AdminAsk::connections, .limit = 10, .from = from}});
    for (const AdminConnectionRow& row : connections_in(reply)) {
      EXPECT_TRUE(seen.insert(row.id).second) << "each connection is on one page";
      EXPECT_EQ(row.dialect, Dialect::native);
    }
    from = reply.head.next;
    if (pages++ == 0) {
      node.end(*clients[2]);  // seen already
      node.native();          // takes its slot, which the pages have passed
    }
    ASSERT_LT(pages, 10);
  } while (from != 0);
  EXPECT_EQ(seen.size(), 25U);
  EXPECT_EQ(pages, 3);
}

TEST(AdminDesk, ALongWalkTakesSeveralTurns) {
  CoreOptions options = options_with(1);
  options.limits.connections = 3 * kAdminLooksPerTurn;
  CoreHarness node{options};
  for (std::uint32_t i = 0; i < 3 * kAdminLooksPerTurn - 1; ++i) node.connect();  // handshakes: looked at, not shown
  node.native();
  node.put(0, {.head = {.ask = AdminAsk::connections}});
  int turns = 0;
  std::optional<CoreHarness::AdminReply> reply;
  for (; !reply && turns < 10; ++turns) {
    EXPECT_FALSE(node.core().idle()) << "a question that is being worked on keeps its shard awake";
    node.turn(0);
    reply = node.take_answer(0);
  }
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->head.rows, 1U);
  EXPECT_EQ(turns, 3);
  EXPECT_TRUE(node.core().idle());
}

TEST(AdminDesk, ConnectionsAreChosenByChannelIdAndSlowness) {
  CoreHarness node{options_with(1)};
  auto& reader = node.native();
  auto& other = node.native();
  subscribe(node, reader, "a");
  subscribe(node, other, "b");

  const auto of_channel = connections_in(node.ask(0, {.head = {.ask = AdminAsk::connections}, .channel = "a"}));
  ASSERT_EQ(of_channel.size(), 1U);
  EXPECT_EQ(of_channel[0].subscriptions, 1U);
  const auto by_id =
      connections_in(node.ask(0, {.head = {.ask = AdminAsk::connections, .connection = of_channel[0].id}}));
  ASSERT_EQ(by_id.size(), 1U);
  EXPECT_EQ(by_id[0].id, of_channel[0].id);
  EXPECT_EQ(node.ask(0, {.head = {.ask = AdminAsk::connections}, .channel = "nowhere"}).head.count, 0U);
  EXPECT_EQ(node.ask(0, {.head = {.ask = AdminAsk::connections}, .user = "nobody"}).head.count, 0U);
  EXPECT_EQ(node.ask(0, {.head = {.ask = AdminAsk::connections, .count_only = 1}}).head.count, 2U);

  EXPECT_EQ(node.ask(0, {.head = {.ask = AdminAsk::connections, .slow_only = 1}}).head.rows, 0U);
  reader.room = 0;
  node.say(other, R"({"type":"publish","channel":"a","data":"x"})");
  const auto slow = connections_in(node.ask(0, {.head = {.ask = AdminAsk::connections, .slow_only = 1}}));
  ASSERT_EQ(slow.size(), 1U);
  EXPECT_EQ(slow[0].id, of_channel[0].id);
  EXPECT_EQ(slow[0].lag_messages, 1U);
  EXPECT_NE(slow[0].slow, 0);
}

TEST(AdminDesk, WhoIsDisconnectedIsToldAndCounted) {
  CoreHarness node{options_with(2)};
  auto& here = node.native(0);
  auto& there = node.native(1);
  auto& stays = node.native(0);
  for (auto* client : {&here, &there}) subscribe(node, *client, "project:7");
  for (const std::uint32_t shard : {0U, 1U}) {
    EXPECT_EQ(node.ask(shard, {.head = {.ask = AdminAsk::disconnect}, .channel = "project:7"}).head.count, 1U);
  }
  for (auto* client : {&here, &there}) EXPECT_EQ(CoreHarness::take_close(*client), 4010);
  EXPECT_EQ(node.count(CounterId::closed_4010), 2U);
  node.say(stays, R"({"type":"ping","id":1})");
  EXPECT_EQ(CoreHarness::take_texts(stays).size(), 1U) << "others are not touched";
  EXPECT_EQ(node.ask(0, {.head = {.ask = AdminAsk::disconnect, .connection = 12'345}}).head.count, 0U);
}

TEST(AdminDesk, WhatIsPublishedReachesReadersOfAllShards) {
  CoreHarness node{options_with(2)};
  const std::string channel = node.channel_on(1);
  auto& near = node.native(1);
  auto& far = node.native(0);
  for (auto* reader : {&near, &far}) subscribe(node, *reader, channel);
  const AdminQuestion question{.head = {.ask = AdminAsk::publish, .publisher = 9},
                               .channel = channel,
                               .event = "note",
                               .message_id = "m1",
                               .data = R"({"a":1})"};
  const auto reply = node.ask(1, question);
  EXPECT_EQ(reply.head.refused, 0);
  EXPECT_EQ(value(reply.head.seq), 1U);
  EXPECT_NE(value(reply.head.epoch), 0U);
  for (auto* reader : {&near, &far}) {
    const auto texts = CoreHarness::take_texts(*reader);
    ASSERT_EQ(texts.size(), 1U);
    EXPECT_NE(texts[0].find(R"("seq":1,"event":"note")"), std::string::npos) << texts[0];
    EXPECT_NE(texts[0].find(R"("data":{"a":1})"), std::string::npos) << texts[0];
  }
  const auto again = node.ask(1, question);
  EXPECT_NE(again.head.duplicate, 0);
  EXPECT_EQ(value(again.head.seq), 1U);
}

TEST(AdminDesk, WhatNobodyMayPublishAnAdministratorMayNotEither) {
  CoreOptions options = options_with(1);
  NamespaceRule bytes;
  bytes.match = "bytes.>";
  bytes.payload = PayloadKind::binary;
  options.namespaces = {bytes, NamespaceRule{}};
  CoreHarness node{options};
  struct Row {
    std::string_view sentence;
    std::string channel;
    Sequence as_of;
    ErrorCode code;
  };
  const Row rows[] = {
      {"a channel of the server", "$sys/stats", Sequence{}, ErrorCode::unauthorized},
      {"a pattern", "orders.*", Sequence{}, ErrorCode::invalid_message},
      {"no name at all", "", Sequence{}, ErrorCode::invalid_message},
      {"a name with a control character", "a\n", Sequence{}, ErrorCode::invalid_message},
      {"JSON where payloads are bytes", "bytes.a", Sequence{}, ErrorCode::not_supported},
      {"a snapshot of what is to come", "a", Sequence{7}, ErrorCode::invalid_message},
      {"a personal channel of nobody", "user:", Sequence{}, ErrorCode::invalid_message},
      {"personal channels of several", "user:a*", Sequence{}, ErrorCode::invalid_message},
  };
  for (const Row& row : rows) {
    const auto reply = node.ask(
        0,
        {.head = {.ask = AdminAsk::publish, .snapshot = 1, .as_of = row.as_of}, .channel = row.channel, .data = "1"});
    EXPECT_NE(reply.head.refused, 0) << row.sentence;
    EXPECT_EQ(reply.head.code, row.code) << row.sentence;
  }
  node.core().begin_shutdown(node.now);
  const auto reply = node.ask(0, {.head = {.ask = AdminAsk::publish}, .channel = "a", .data = "1"});
  EXPECT_NE(reply.head.refused, 0) << "a node that ends takes nothing any more";
  EXPECT_EQ(reply.head.code, ErrorCode::overloaded);
}

TEST(AdminDesk, AnEnvelopeThatNamesTheChannelIsUnwrappedAsAClientsIs) {
  CoreHarness node{options_with(1)};
  auto& reader = node.native();
  subscribe(node, reader, "btcusdt@trade");
  for (const std::string_view stream : {"btcusdt@trade", "ethusdt@trade"}) {
    const std::string data = R"({"stream":")" + std::string{stream} + R"(","data":{"p":1}})";
    (void)node.ask(0, {.head = {.ask = AdminAsk::publish}, .channel = "btcusdt@trade", .data = data});
  }
  const auto texts = CoreHarness::take_texts(reader);
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_NE(texts[0].find(R"("data":{"p":1}})"), std::string::npos) << texts[0];
  EXPECT_EQ(texts[0].find("stream"), std::string::npos) << texts[0];
  EXPECT_NE(texts[1].find(R"("data":{"stream":"ethusdt@trade","data":{"p":1}}})"), std::string::npos) << texts[1];
}

// ---- what is stored first ----

CoreOptions durable_options(std::uint32_t shards) {
  CoreOptions options = options_with(shards);
  NamespaceRule acked;
  acked.match = "acked.>";
  acked.ack = true;
  NamespaceRule personal;
  personal.match = "user:*";
  personal.offline = true;
  options.namespaces = {acked, personal};
  return options;
}
AdminQuestion publish_question(std::string_view channel, std::uint32_t serial, std::string_view data,
                               std::string_view message_id = {}) {
  return {.head = {.ask = AdminAsk::publish, .serial = serial, .publisher = 9},
          .channel = channel,
          .message_id = message_id,
          .data = data};
}

TEST(AdminDesk, WhatIsStoredFirstIsAnsweredWhenItIsCommittedAndSentToNobodyBefore) {
  CoreHarness node{durable_options(2)};
  const std::string channel = node.channel_on(1, "acked");
  auto& reader = node.native(0);
  subscribe(node, reader, channel);
  node.store_asleep = true;
  node.put(1, publish_question(channel, 7, "1", "m"));
  node.run();
  EXPECT_FALSE(node.take_answer(1)) << "nothing is promised before it is stored";
  EXPECT_TRUE(node.core(1).idle()) << "a shard that waits for its store sleeps";
  EXPECT_TRUE(CoreHarness::take_texts(reader).empty());
  node.store_asleep = false;
  node.run();
  const auto reply = node.take_answer(1);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->head.serial, 7U);
  EXPECT_EQ(reply->head.refused, 0);
  EXPECT_EQ(value(reply->head.seq), 1U);
  EXPECT_EQ(reply->head.epoch, node.store.channels().at(channel).epoch);
  EXPECT_EQ(node.store.messages(), 1U);
  EXPECT_EQ(CoreHarness::take_texts(reader).size(), 1U);

  const auto again = node.ask(1, publish_question(channel, 8, "1", "m"));
  EXPECT_EQ(again.head.refused, 0);
  EXPECT_NE(again.head.duplicate, 0) << "an administrator's message ids are remembered like anybody's";
  EXPECT_EQ(value(again.head.seq), 1U);
  EXPECT_EQ(value(node.ask(1, publish_question(channel, 9, "2")).head.seq), 2U);
  EXPECT_EQ(node.store.messages(), 2U);
  EXPECT_EQ(CoreHarness::take_texts(reader).size(), 1U) << "the duplicate is not sent";
}

TEST(AdminDesk, AMessageToAUserWhoIsAwayWaitsInTheStore) {
  MemoryStore kept;
  {
    CoreHarness node{durable_options(2), 0, 0, &kept};
    const auto reply = node.ask(node.home_of("user:ann"), publish_question("user:ann", 1, R"("hello")"));
    EXPECT_EQ(reply.head.refused, 0);
    EXPECT_EQ(value(reply.head.seq), 1U);
  }
  EXPECT_EQ(kept.messages(), 1U);
  kept.crash();
  CoreHarness node{durable_options(2), 0, 0, &kept};
  auto& ann = node.open("/ws/connect?user=ann", 0);
  node.run();
  std::string all;
  for (const std::string& text : CoreHarness::take_texts(ann)) all += text;
  EXPECT_NE(all.find(R"("data":"hello")"), std::string::npos) << all;
  EXPECT_NE(all.find(R"("stored":true)"), std::string::npos) << all;
}

TEST(AdminDesk, WhatTheStoreCannotKeepIsRefusedAndSentToNobody) {
  CoreHarness node{durable_options(1)};
  auto& reader = node.native();
  subscribe(node, reader, "acked.a");
  bool full = true;
  node.store.fault = [&](MemoryStore::Operation operation) -> std::optional<StoreState> {
    const bool writes = operation != MemoryStore::Operation::read && operation != MemoryStore::Operation::check;
    return full && writes ? std::optional{StoreState::full} : std::nullopt;
  };
  for (const std::uint32_t serial : {1U, 2U}) {  // the first finds it out, the second is refused at once
    const auto reply = node.ask(0, publish_question("acked.a", serial, "1", "m"));
    EXPECT_EQ(reply.head.serial, serial);
    EXPECT_NE(reply.head.refused, 0);
    EXPECT_EQ(reply.head.code, ErrorCode::processing_error);
  }
  EXPECT_TRUE(CoreHarness::take_texts(reader).empty());
  EXPECT_EQ(node.count(CounterId::offline_refused), 2U);
  full = false;
  node.advance(kStoreFullTime + seconds{2});
  const auto reply = node.ask(0, publish_question("acked.a", 3, "1", "m"));
  EXPECT_EQ(reply.head.refused, 0) << "the id of what was refused may be used again";
  EXPECT_EQ(value(reply.head.seq), 1U);
}

TEST(AdminDesk, WhoOutrunsTheStoreIsToldToComeAgain) {
  CoreHarness node{durable_options(1)};
  auto& writer = node.native();
  node.store_asleep = true;
  for (int i = 0; i < 3'000; ++i) node.text(writer, R"({"type":"publish","channel":"acked.a","data":1})");
  node.run();
  const auto reply = node.ask(0, publish_question("acked.a", 1, "1"));
  EXPECT_NE(reply.head.refused, 0);
  EXPECT_EQ(reply.head.code, ErrorCode::overloaded);
  node.store_asleep = false;
  node.run();
  node.advance(seconds{1});
  EXPECT_EQ(value(node.ask(0, publish_question("acked.a", 2, "1")).head.seq), 3'001U);
}

TEST(AdminDesk, AStoreThatHangsHoldsNoOtherQuestionUpAndTheMessageIsStoredLater) {
  CoreHarness node{durable_options(1)};
  node.store_asleep = true;
  node.put(0, publish_question("acked.a", 1, "1"));
  node.run();
  node.put(0, publish_question("acked.a", 2, "2"));  // who asked the first has given up
  node.run();
  const auto count = node.ask(0, {.head = {.ask = AdminAsk::connections, .count_only = 1, .serial = 3}});
  EXPECT_EQ(count.head.serial, 3U);
  node.store_asleep = false;
  node.run();
  EXPECT_FALSE(node.take_answer(0)) << "nobody waits for it any more";
  EXPECT_EQ(node.store.messages(), 2U) << "what was asked is done";
  EXPECT_EQ(value(node.ask(0, publish_question("acked.a", 4, "3")).head.seq), 3U);
}

TEST(AdminDesk, AHistoryThatLiesInTheStoreIsAnsweredWhenItIsLoaded) {
  MemoryStore kept;
  {
    CoreHarness node{durable_options(1), 0, 0, &kept};
    for (const std::uint32_t serial : {1U, 2U}) (void)node.ask(0, publish_question("acked.a", serial, "1"));
  }
  kept.crash();
  CoreHarness node{durable_options(1), 0, 0, &kept};
  node.store_asleep = true;
  node.put(0, {.head = {.ask = AdminAsk::history, .serial = 5, .limit = 10}, .channel = "acked.a"});
  node.run();
  EXPECT_FALSE(node.take_answer(0));
  EXPECT_TRUE(node.core().idle()) << "it is not asked for again before the store has said something";
  node.store_asleep = false;
  node.run();
  const auto reply = node.take_answer(0);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->head.serial, 5U);
  EXPECT_EQ(reply->head.refused, 0);
  EXPECT_NE(reply->body.find(R"("seq":2)"), std::string::npos) << reply->body;
}

// ---- bounds ----

TEST(AdminDesk, AMessageLargerThanItsLanesIsNotShownAndHoldsNobodyUp) {
  CoreOptions raised = options_with(1);
  raised.limits.message_bytes = 2U << 20;
  CoreHarness node{options_with(1)};
  node.core().reconfigure(raised);
  auto& writer = node.native();
  const std::string data(AdminLane::bytes_for(8'000) / 2, 'x');
  node.say(writer, R"({"type":"publish","id":1,"channel":"a","data":")" + data + R"("})");
  EXPECT_EQ(CoreHarness::take_texts(writer).size(), 1U) << "a client may";
  const auto reply = node.ask(0, {.head = {.ask = AdminAsk::history, .limit = 1}, .channel = "a"});
  EXPECT_NE(reply.head.refused, 0);
  EXPECT_EQ(reply.head.code, ErrorCode::message_too_large);
  EXPECT_TRUE(reply.body.empty());
  EXPECT_EQ(node.ask(0, {.head = {.ask = AdminAsk::connections, .count_only = 1}}).head.count, 1U);
}

TEST(AdminDesk, AQuestionWhoseAskerHasGoneIsNotWorkedOn) {
  CoreHarness node{options_with(1)};
  node.native();
  node.put(0, {.head = {.ask = AdminAsk::disconnect, .deadline_ns = node.now.mono.time_since_epoch().count()}});
  node.run();
  EXPECT_FALSE(node.take_answer(0));
  EXPECT_EQ(node.count(CounterId::closed_4010), 0U);
  EXPECT_EQ(node.count(CounterId::admin_questions_late), 1U);
  EXPECT_EQ(node.ask(0, {.head = {.ask = AdminAsk::connections, .count_only = 1}}).head.count, 1U);
}

TEST(AdminDesk, AFullLaneOfAnswersHoldsTheDeskBackAndNothingIsLost) {
  CoreHarness node{options_with(1)};
  auto& writer = node.native();
  const std::string data(7'000, 'x');
  node.say(writer, R"({"type":"publish","channel":"a","data":")" + data + R"("})");
  constexpr std::uint32_t kAsked = 60;  // together more than a lane holds
  ASSERT_GT(kAsked * data.size(), AdminLane::bytes_for(8'000));
  for (std::uint32_t i = 0; i < kAsked; ++i) {
    node.put(0, {.head = {.ask = AdminAsk::history, .serial = i, .limit = 1}, .channel = "a"});
  }
  node.run();
  EXPECT_TRUE(node.core().idle()) << "there is nothing to do until somebody takes an answer";
  for (std::uint32_t i = 0; i < kAsked; ++i) {
    const auto reply = node.take_answer(0);
    ASSERT_TRUE(reply) << i;
    EXPECT_EQ(reply->head.serial, i);
    EXPECT_GT(reply->body.size(), data.size());
    node.run();
  }
}

TEST(AdminDesk, ChannelsAreListedWhereTheyLiveAndReadersCountedWhereTheyAre) {
  CoreHarness node{options_with(2)};
  std::set<std::string> expected;
  auto& writer = node.native(0);
  for (const std::uint32_t home : {0U, 1U}) {
    for (const std::string_view stem : {"x", "y"}) {
      const std::string channel = node.channel_on(home, stem);
      expected.insert(channel);
      node.say(writer, R"({"type":"publish","channel":")" + channel + R"(","data":1})");
      for (const std::uint32_t shard : {0U, 1U}) subscribe(node, node.native(shard), channel);
    }
  }
  std::set<std::string> seen;
  for (const std::uint32_t shard : {0U, 1U}) {
    std::uint32_t from = 0;
    do {
      const auto reply = node.ask(shard, {.head = {.ask = AdminAsk::channels, .limit = 1, .from = from}});
      for (const std::string& name : channels_in(reply)) {
        EXPECT_EQ(node.home_of(name), shard);
        EXPECT_TRUE(seen.insert(name).second);
      }
      from = reply.head.next;
    } while (from != 0);
  }
  EXPECT_EQ(seen, expected);

  const std::string channel = node.channel_on(1, "x");
  const auto at_home = node.ask(1, {.head = {.ask = AdminAsk::channel}, .channel = channel});
  const auto elsewhere = node.ask(0, {.head = {.ask = AdminAsk::channel}, .channel = channel});
  EXPECT_EQ(at_home.head.rows, 1U);
  EXPECT_EQ(at_home.head.count, 1U);
  EXPECT_EQ(elsewhere.head.rows, 0U);
  EXPECT_EQ(elsewhere.head.count, 1U);
  AdminRows rows{at_home.body};
  const auto row = rows.row<AdminChannelRow>();
  EXPECT_EQ(value(row.seq), 1U);
  EXPECT_EQ(row.messages, 1U);
  EXPECT_EQ(rows.text(row.name_bytes), channel);
  EXPECT_EQ(rows.text(row.match_bytes), ">");
  EXPECT_EQ(node.ask(1, {.head = {.ask = AdminAsk::channel}, .channel = "nowhere"}).head.rows, 0U);
}

TEST(AdminDesk, HistoryIsTheReplyThatAClientGets) {
  CoreHarness node{options_with(1)};
  auto& client = node.native();
  for (int i = 1; i <= 5; ++i) {
    node.say(client, R"({"type":"publish","channel":"a","data":)" + std::to_string(i) + "}");
  }
  const auto reply = node.ask(0, {.head = {.ask = AdminAsk::history, .limit = 2}, .channel = "a"});
  node.say(client, R"({"type":"history","channel":"a","limit":2})");
  EXPECT_EQ(CoreHarness::take_texts(client), std::vector<std::string>{reply.body});
  const auto unknown = node.ask(0, {.head = {.ask = AdminAsk::history, .limit = 2}, .channel = "nowhere"});
  EXPECT_NE(unknown.head.refused, 0);
  EXPECT_EQ(unknown.head.code, ErrorCode::unknown_channel);
}

TEST(AdminDesk, CleaningUpForgetsWhatNobodyUsesAndNothingElse) {
  CoreOptions options = options_with(1);
  NamespaceRule forgetful;
  forgetful.match = "gone.>";
  forgetful.history.age = milliseconds{1};
  options.namespaces = {forgetful, NamespaceRule{}};
  CoreHarness node{options};
  auto& client = node.native();
  for (const std::string_view channel : {"gone.1", "gone.2", "gone.read", "kept"}) {
    node.say(client, R"({"type":"publish","channel":")" + std::string{channel} + R"(","data":1})");
  }
  subscribe(node, client, "gone.read");
  node.advance(milliseconds{10});
  EXPECT_EQ(node.ask(0, {.head = {.ask = AdminAsk::cleanup}}).head.count, 2U);
  EXPECT_EQ(node.count(CounterId::channels_expired), 2U);
  auto left = channels_in(node.ask(0, {.head = {.ask = AdminAsk::channels}}));
  std::ranges::sort(left);
  EXPECT_EQ(left, (std::vector<std::string>{"gone.read", "kept"}));
  EXPECT_EQ(node.ask(0, {.head = {.ask = AdminAsk::cleanup}}).head.count, 0U);
  node.say(client, R"({"type":"publish","channel":"gone.read","data":2})");
  EXPECT_EQ(CoreHarness::take_texts(client).size(), 1U) << "its reader still reads";
}

}  // namespace
}  // namespace ringcast
