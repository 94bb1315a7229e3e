// Channels whose messages are stored before anybody is sent them: what publishers and subscribers see, over one shard
// and over three, with a store that the test plays.
#include <gtest/gtest.h>

#include "engine/stats/counters.hpp"
#include "tests/doubles/core_harness.hpp"

namespace ringcast {
namespace {

using Texts = std::vector<std::string>;

CoreOptions options_with(std::uint32_t shards) {
  CoreOptions options;
  options.shards = shards;
  options.heartbeat.interval = milliseconds{0};
  options.errors.errors_max = 3;
  NamespaceRule acked;
  acked.match = "acked.>";
  acked.ack = true;
  NamespaceRule away;
  away.match = "away.>";
  away.offline = true;
  options.namespaces = {acked, away};
  return options;
}

/// What a client received, in short: "3" a live message, "3*" a stored one, "gap 1-2 expired", or the text itself.
std::string brief(const std::string& text) {
  const auto number = [&](std::string_view member) {
    const std::size_t at = text.find(member);
    return at == std::string::npos
               ? std::string{}
               : text.substr(at + member.size(),
                             text.find_first_not_of("0123456789", at + member.size()) - at - member.size());
  };
  if (text.starts_with(R"({"type":"message")")) {
    const bool stored = text.find(R"("stored":true)") != std::string::npos;
    EXPECT_NE(text.find(R"("data":)" + number(R"("seq":)") + "}"), std::string::npos) << text;
    return number(R"("seq":)") + (stored ? "*" : "");
  }
  if (text.starts_with(R"({"type":"gap")")) {
    const std::size_t reason = text.find(R"("reason":")") + 10;
    return "gap " + number(R"("from":)") + "-" + number(R"("to":)") + " " +
           text.substr(reason, text.find('"', reason) - reason);
  }
  if (text.starts_with(R"({"type":"published")")) {
    return "published " + number(R"("seq":)") + (text.find(R"("duplicate":true)") != std::string::npos ? " again" : "");
  }
  if (text.starts_with(R"({"type":"subscribed")")) return "subscribed at " + number(R"("seq":)");
  if (text.starts_with(R"({"type":"acked")")) return "acked " + number(R"("seq":)");
  if (text.starts_with(R"({"type":"error")")) {
    const std::size_t code = text.find(R"("code":")") + 8;
    return "error " + text.substr(code, text.find('"', code) - code);
  }
  return text;
}

class DurableTest : public testing::TestWithParam<std::uint32_t> {
 protected:
  /// One publisher, and a channel of each kind, whose home is not where the publisher is if there is another shard.
  void SetUp() override { start(options_with(GetParam())); }
  void start(const CoreOptions& options) {
    node.reset();
    kept.crash();
    if (now.mono != Instant{}) resumed_at = now;
    node = std::make_unique<CoreHarness>(options, 0, 0, &kept);
    if (resumed_at.mono != Instant{}) node->now = resumed_at;
    acked = node->channel_on(GetParam() - 1, "acked");
    away = node->channel_on(GetParam() - 1, "away");
    alice = &node->native(0);
  }
  /// The node is killed, and started again on the same store.
  void restart() {
    now = node->now;
    start(CoreOptions{node->options});
  }
  /// A publisher that is known over restarts: its message ids are those of its user.
  void publish_as_user() {
    alice = &node->open("/ws/connect?user=alice");
    CoreHarness::take_texts(*alice);  // the welcome, and that its personal channel is joined
  }
  CoreClient& reader(std::string_view channel, std::uint32_t shard = 0, std::string_view more = "") {
    CoreClient& client = node->native(shard % GetParam());
    node->say(client,
              R"({"type":"subscribe","channels":[")" + std::string{channel} + R"("])" + std::string{more} + "}");
    return client;
  }
  /// Publishes numbers, the channel's seqs, and does not wait for the answers.
  void publish(std::string_view channel, std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t i = first; i <= last; ++i) {
      node->text(*alice, R"({"type":"publish","id":)" + std::to_string(i) + R"(,"channel":")" + std::string{channel} +
                             R"(","data":)" + std::to_string(i) + "}");
    }
  }
  Texts got(CoreClient& client) {
    node->run();
    Texts texts;
    for (const std::string& text : CoreHarness::take_texts(client)) texts.push_back(brief(text));
    return texts;
  }
  Texts published(std::uint64_t first, std::uint64_t last) {
    Texts texts;
    for (std::uint64_t i = first; i <= last; ++i) texts.push_back("published " + std::to_string(i));
    return texts;
  }
  void ack(CoreClient& client, std::string_view channel, std::uint64_t seq, bool answer = true) {
    node->say(client, std::string{R"({"type":"ack")"} + (answer ? R"(,"id":1)" : "") + R"(,"channel":")" +
                          std::string{channel} + R"(","seq":)" + std::to_string(seq) + "}");
  }
  void leave(CoreClient& client) {
    node->end(client);
    node->run();
  }
  std::string epoch_of(std::string_view channel) {
    return std::to_string(value(kept.channels().at(std::string{channel}).epoch));
  }

  MemoryStore kept;
  std::unique_ptr<CoreHarness> node;
  Now now{};
  Now resumed_at{};
  std::string acked;
  std::string away;
  CoreClient* alice = nullptr;
};

INSTANTIATE_TEST_SUITE_P(Shards, DurableTest, testing::Values(1U, 3U));

// ---- coming back ----

TEST_P(DurableTest, WhatIsPublishedWhileNobodyIsThereIsDeliveredOnReturnInOrderAndMarked) {
  publish(away, 1, 3);
  EXPECT_EQ(got(*alice), published(1, 3));
  CoreClient& bob = reader(away);
  EXPECT_EQ(got(bob), (Texts{"subscribed at 3", "1*", "2*", "3*"}));
  publish(away, 4, 4);
  EXPECT_EQ(got(bob), Texts{"4"}) << "a live one has no mark";
}

TEST_P(DurableTest, WhatWasDeliveredIsNotDeliveredAgainAndIsNotStoredAnyMore) {
  publish(away, 1, 3);
  node->run();
  CoreClient& bob = reader(away);
  publish(away, 4, 5);
  EXPECT_EQ(got(bob), (Texts{"subscribed at 3", "1*", "2*", "3*", "4", "5"}));
  leave(bob);
  node->advance(seconds{1});
  EXPECT_EQ(kept.messages(), 0U);
  CoreClient& again = reader(away, 1);
  EXPECT_EQ(got(again), Texts{"subscribed at 5"});
  leave(again);
  node->advance(seconds{1});
  publish(away, 6, 6);
  node->run();
  EXPECT_EQ(got(reader(away, 2)), (Texts{"subscribed at 6", "6*"}));
}

TEST_P(DurableTest, WhatAReaderDidNotTakeIsDeliveredToTheNext) {
  CoreClient& bob = reader(away);
  EXPECT_EQ(got(bob), Texts{"subscribed at 0"});
  bob.room = 0;
  publish(away, 1, 4);
  node->run();
  leave(bob);
  node->advance(seconds{1});
  EXPECT_EQ(got(reader(away, 1)), (Texts{"subscribed at 4", "1*", "2*", "3*", "4*"}));
}

TEST_P(DurableTest, MessagesAreRedeliveredUntilTheyAreAcknowledged) {
  publish(acked, 1, 3);
  node->run();
  CoreClient& bob = reader(acked);
  EXPECT_EQ(got(bob), (Texts{"subscribed at 3", "1*", "2*", "3*"}));
  publish(acked, 4, 4);
  EXPECT_EQ(got(bob), Texts{"4"});
  leave(bob);
  CoreClient& again = reader(acked, 1);
  EXPECT_EQ(got(again), (Texts{"subscribed at 4", "1*", "2*", "3*", "4*"}));
  ack(again, acked, 2);
  EXPECT_EQ(got(again), Texts{"acked 2"});
  EXPECT_EQ(kept.messages(), 2U);
  leave(again);
  CoreClient& third = reader(acked, 2);
  EXPECT_EQ(got(third), (Texts{"subscribed at 4", "3*", "4*"}));
  ack(third, acked, 4, false);
  EXPECT_EQ(got(third), Texts{}) << "who does not ask is not answered";
  EXPECT_EQ(kept.messages(), 0U);
  leave(third);
  EXPECT_EQ(got(reader(acked)), Texts{"subscribed at 4"});
}

TEST_P(DurableTest, EveryConnectionOfAUserGetsEverythingAndAnyOfThemAcknowledgesForAll) {
  publish(acked, 1, 2);
  node->run();
  CoreClient& phone = reader(acked, 0);
  CoreClient& desk = reader(acked, 1);
  EXPECT_EQ(got(phone), (Texts{"subscribed at 2", "1*", "2*"}));
  EXPECT_EQ(got(desk), (Texts{"subscribed at 2", "1*", "2*"}));
  ack(phone, acked, 2);
  EXPECT_EQ(got(phone), Texts{"acked 2"});
  EXPECT_EQ(got(reader(acked, 2)), Texts{"subscribed at 2"});
  ack(desk, acked, 1);
  EXPECT_EQ(got(desk), Texts{"acked 1"}) << "an older one says nothing new, and is confirmed";
}

TEST_P(DurableTest, AResumeGoesOnWhereTheClientSaysItIs) {
  publish(acked, 1, 4);
  node->run();
  CoreClient& bob = reader(acked);
  const Texts subscribed = CoreHarness::take_texts(bob);
  const std::size_t at = subscribed.front().find(R"("epoch":")") + 9;
  const std::string epoch = subscribed.front().substr(at, 16);
  leave(bob);
  CoreClient& again = reader(acked, 1, R"(,"resume":{")" + acked + R"(":{"epoch":")" + epoch + R"(","seq":3}})");
  EXPECT_EQ(got(again), (Texts{"subscribed at 4", "4*"}));
}

// ---- restarts ----

TEST_P(DurableTest, EpochAndNumbersGoOnAfterARestart) {
  publish(away, 1, 2);
  publish(acked, 1, 2);
  node->run();
  CoreClient& bob = reader(acked);
  ack(bob, acked, 1);
  const std::string epoch = epoch_of(away);
  restart();
  EXPECT_EQ(got(reader(away)), (Texts{"subscribed at 2", "1*", "2*"}));
  EXPECT_EQ(got(reader(acked)), (Texts{"subscribed at 2", "2*"}));
  publish(away, 3, 3);
  EXPECT_EQ(got(*alice), published(3, 3));
  EXPECT_EQ(epoch_of(away), epoch);
  restart();
  publish(acked, 3, 3);
  EXPECT_EQ(got(*alice), published(3, 3)) << "also if a publish is what the channel is loaded for";
  EXPECT_EQ(got(reader(acked)), (Texts{"subscribed at 3", "2*", "3*"}));
}

TEST_P(DurableTest, NobodyIsAnsweredOrSentAnythingBeforeItIsStored) {
  CoreClient& bob = reader(away);
  EXPECT_EQ(got(bob), Texts{"subscribed at 0"});
  node->store_asleep = true;
  publish(away, 1, 3);
  EXPECT_EQ(got(*alice), Texts{});
  EXPECT_EQ(got(bob), Texts{});
  node->store_asleep = false;
  EXPECT_EQ(got(*alice), published(1, 3));
  EXPECT_EQ(got(bob), (Texts{"1", "2", "3"}));
  node->store_asleep = true;
  publish(away, 4, 5);
  node->run();
  restart();
  publish(away, 4, 4);
  EXPECT_EQ(got(*alice), published(4, 4)) << "what was not stored was never there";
  EXPECT_EQ(got(reader(away)).back(), "4*");
}

TEST_P(DurableTest, APublisherThatRepeatsWhatItHeardNothingOfIsToldOfTheFirst) {
  const auto publish_as = [&](int id, std::string_view message_id, int data) {
    node->text(*alice, R"({"type":"publish","id":)" + std::to_string(id) + R"(,"channel":")" + away +
                           R"(","message_id":")" + std::string{message_id} + R"(","data":)" + std::to_string(data) +
                           "}");
  };
  publish_as_user();
  node->store_asleep = true;
  publish_as(1, "a", 1);
  publish_as(2, "a", 1);
  publish_as(3, "b", 2);
  node->store_asleep = false;
  EXPECT_EQ(got(*alice), (Texts{"published 1", "published 1 again", "published 2"}));
  publish_as(4, "b", 2);
  EXPECT_EQ(got(*alice), Texts{"published 2 again"});
  restart();
  publish_as_user();
  publish_as(5, "b", 2);
  publish_as(6, "c", 3);
  EXPECT_EQ(got(*alice), (Texts{"published 2 again", "published 3"})) << "ids come back with the messages";
}

// ---- a store that fails ----

TEST_P(DurableTest, AFullStoreRefusesMessagesBeforeAnybodyIsSentThem) {
  CoreClient& bob = reader(away);
  publish(away, 1, 1);
  EXPECT_EQ(got(bob), (Texts{"subscribed at 0", "1"}));
  got(*alice);
  bool full = true;
  kept.fault = [&](MemoryStore::Operation operation) -> std::optional<StoreState> {
    const bool writes = operation != MemoryStore::Operation::read && operation != MemoryStore::Operation::check;
    return full && writes ? std::optional{StoreState::full} : std::nullopt;
  };
  publish(away, 2, 4);
  EXPECT_EQ(got(*alice), (Texts{"error processing_error", "error processing_error", "error processing_error"}));
  for (int i = 0; i < 10; ++i) publish(away, 2, 2);
  EXPECT_EQ(got(*alice).size(), 10U);
  EXPECT_FALSE(alice->closed) << "it is not the publisher's mistake";
  EXPECT_EQ(got(bob), Texts{});
  node->text(*alice, R"({"type":"publish","id":1,"channel":"other","data":1})");
  EXPECT_EQ(got(*alice), published(1, 1)) << "other channels go on";
  full = false;
  node->advance(kStoreFullTime + seconds{2});
  publish(away, 2, 3);
  EXPECT_EQ(got(*alice), published(2, 3)) << "without a hole";
  EXPECT_EQ(got(bob), (Texts{"2", "3"}));
  EXPECT_EQ(node->count(CounterId::offline_refused), 13U);
}

TEST_P(DurableTest, ATransactionThatFailsTakesWithItWhatWasAskedForBehindIt) {
  CoreClient& bob = reader(away);
  got(bob);
  node->store_asleep = true;
  publish(away, 1, 3);
  node->run();
  int failures = 1;
  kept.fault = [&](MemoryStore::Operation operation) -> std::optional<StoreState> {
    return operation == MemoryStore::Operation::commit && failures-- > 0 ? std::optional{StoreState::failing}
                                                                         : std::nullopt;
  };
  node->store_asleep = false;
  EXPECT_EQ(got(*alice), (Texts{"error processing_error", "error processing_error", "error processing_error"}));
  EXPECT_EQ(got(bob), Texts{});
  node->advance(seconds{3});
  publish(away, 1, 2);
  EXPECT_EQ(got(*alice), published(1, 2));
  EXPECT_EQ(got(bob), (Texts{"1", "2"}));
}

TEST_P(DurableTest, AnIdOfAMessageThatWasRefusedMayBeUsedAgain) {
  const std::string text = R"({"type":"publish","id":1,"channel":")" + away + R"(","message_id":"a","data":1})";
  reader(away);
  int failures = 1;
  kept.fault = [&](MemoryStore::Operation operation) -> std::optional<StoreState> {
    return operation == MemoryStore::Operation::commit && failures-- > 0 ? std::optional{StoreState::failing}
                                                                         : std::nullopt;
  };
  node->text(*alice, text);
  node->text(*alice, text);
  EXPECT_EQ(got(*alice), (Texts{"error processing_error", "error processing_error"}));
  node->advance(seconds{3});
  node->text(*alice, text);
  EXPECT_EQ(got(*alice), published(1, 1));
}

TEST_P(DurableTest, AChannelWhosePastCannotBeReadIsNotJoinedAndNotPublishedTo) {
  publish(away, 1, 2);
  node->run();
  restart();
  bool broken = true;
  kept.fault = [&](MemoryStore::Operation) { return broken ? std::optional{StoreState::failing} : std::nullopt; };
  EXPECT_EQ(got(reader(away, 0)), Texts{"error processing_error"});
  EXPECT_EQ(got(reader(away, 1)), Texts{"error processing_error"});
  publish(away, 3, 3);
  EXPECT_EQ(got(*alice), Texts{"error processing_error"});
  node->say(*alice, R"({"type":"history","id":1,"channel":")" + away + R"("})");
  EXPECT_EQ(got(*alice), Texts{"error unknown_channel"});
  broken = false;
  node->advance(seconds{3});
  EXPECT_EQ(got(reader(away, 1)), (Texts{"subscribed at 2", "1*", "2*"}));
  publish(away, 3, 3);
  EXPECT_EQ(got(*alice), published(3, 3));
}

TEST_P(DurableTest, AStoreThatLostEverythingGoesOnWithWhatIsInUse) {
  publish(acked, 1, 2);
  node->run();
  CoreClient& bob = reader(acked);
  got(bob);
  const std::string epoch = epoch_of(acked);
  kept.lose_everything();
  publish(acked, 3, 3);
  EXPECT_EQ(got(*alice).back(), "published 3");
  EXPECT_EQ(got(bob), Texts{"3"});
  EXPECT_EQ(epoch_of(acked), epoch);
  restart();
  EXPECT_EQ(got(reader(acked)), (Texts{"subscribed at 3", "gap 1-2 expired", "3*"}));
}

TEST_P(DurableTest, AcknowledgementsThatCannotBeStoredAreToldSoAndStoredLater) {
  publish(acked, 1, 2);
  node->run();
  CoreClient& bob = reader(acked);
  got(bob);
  bool full = true;
  kept.fault = [&](MemoryStore::Operation operation) -> std::optional<StoreState> {
    return full && operation != MemoryStore::Operation::read ? std::optional{StoreState::full} : std::nullopt;
  };
  ack(bob, acked, 2);
  EXPECT_EQ(got(bob), Texts{"error processing_error"});
  EXPECT_EQ(kept.messages(), 2U);
  full = false;
  node->advance(kStoreFullTime + seconds{2});
  EXPECT_EQ(kept.messages(), 0U);
  EXPECT_EQ(got(reader(acked, 1)), Texts{"subscribed at 2"});
}

// ---- bounds ----

TEST_P(DurableTest, MessagesBeyondTheBoundAreForgottenOldestFirstAndTheReaderIsTold) {
  CoreOptions options = options_with(GetParam());
  options.offline.messages = 3;
  start(options);
  publish(acked, 1, 5);
  node->run();
  EXPECT_EQ(kept.messages(), 3U);
  EXPECT_EQ(got(reader(acked)), (Texts{"subscribed at 5", "1*", "2*", "3*", "4*", "5*"}))
      << "what history still has is given all the same";
  restart();
  CoreClient& bob = reader(acked);
  EXPECT_EQ(got(bob), (Texts{"subscribed at 5", "gap 1-2 expired", "3*", "4*", "5*"}));
  ack(bob, acked, 5);
  EXPECT_EQ(got(reader(acked, 1)), Texts{"subscribed at 5"});
  EXPECT_EQ(node->count(CounterId::gap_messages_expired), 2U);
}

TEST_P(DurableTest, MessagesThatAreTooOldAreForgottenInMemoryAndOnDisk) {
  CoreOptions options = options_with(GetParam());
  options.offline.age = seconds{60};
  for (NamespaceRule& rule : options.namespaces) rule.history.age = seconds{10};
  start(options);
  publish(acked, 1, 2);
  node->run();
  node->advance(seconds{40});
  publish(acked, 3, 3);
  node->run();
  node->advance(seconds{40});
  EXPECT_EQ(kept.messages(), 1U);
  EXPECT_EQ(node->count(CounterId::offline_expired), 2U);
  restart();
  EXPECT_EQ(got(reader(acked)), (Texts{"subscribed at 3", "gap 1-2 expired", "3*"}));
}

TEST_P(DurableTest, AnIdleChannelLeavesMemoryAndComesBackAsItWas) {
  CoreOptions options = options_with(GetParam());
  options.limits.channel_idle_time = seconds{5};
  start(options);
  publish(away, 1, 3);
  node->run();
  const std::string epoch = epoch_of(away);
  EXPECT_EQ(node->count(CounterId::durable_channels), 1U);
  node->advance(seconds{20});
  EXPECT_EQ(node->count(CounterId::durable_channels), 0U);
  EXPECT_EQ(node->count(CounterId::channels_home), 0U);
  node->say(*alice, R"({"type":"history","id":1,"channel":")" + away + R"("})");
  const Texts history = CoreHarness::take_texts(*alice);
  ASSERT_FALSE(history.empty());
  EXPECT_TRUE(history.back().starts_with(R"({"type":"history","id":1)")) << history.back();
  EXPECT_NE(history.back().find(R"("data":3})"), std::string::npos) << history.back();
  publish(away, 4, 4);
  EXPECT_EQ(got(*alice), published(4, 4));
  EXPECT_EQ(epoch_of(away), epoch);
  EXPECT_EQ(got(reader(away)), (Texts{"subscribed at 4", "1*", "2*", "3*", "4*"}));
}

// ---- acknowledging what is not to be ----

TEST_P(DurableTest, WrongAcknowledgementsAreRefused) {
  publish(acked, 1, 1);
  publish(away, 1, 1);
  node->run();
  CoreClient& bob = reader(acked);
  node->say(bob, R"({"type":"subscribe","channels":[")" + away + R"(","plain"]})");
  got(bob);
  const struct {
    std::string channel;
    std::uint64_t seq;
    std::string_view answer;
  } rows[] = {
      {acked, 2, "error invalid_message"},  // from the future
      {acked, 0, "error invalid_message"},  // before the first
      {away, 1, "error not_supported"},     // done with when it is sent
      {"plain", 1, "error not_supported"}, {"nothing", 1, "error unknown_channel"},
  };
  for (const auto& row : rows) {
    CoreClient& client = node->native();
    node->say(client, R"({"type":"subscribe","channels":[")" + acked + R"(",")" + away + R"(","plain"]})");
    got(client);
    ack(client, row.channel, row.seq);
    EXPECT_EQ(got(client), Texts{std::string{row.answer}}) << row.channel << " " << row.seq;
  }
}

// ---- pressure and the end ----

TEST_P(DurableTest, APublisherFasterThanTheStoreIsHeldBackAndLosesNothing) {
  CoreClient& bob = reader(away, 1);
  got(bob);
  node->store_asleep = true;
  publish(away, 1, 3'000);
  node->run();
  EXPECT_NE(node->count(CounterId::publishes_parked), 0U);
  EXPECT_LE(node->count(CounterId::offline_staged), 600U) << "a lap's worth";
  node->text(*alice, R"({"type":"publish","channel":"plain","data":1})");
  CoreClient& other = node->native(0);
  node->say(other, R"({"type":"publish","id":1,"channel":"plain","data":1})");
  EXPECT_EQ(got(other), published(1, 1)) << "others go on";
  node->store_asleep = false;
  node->run();
  node->advance(seconds{1});
  EXPECT_EQ(got(*alice), published(1, 3'000));
  Texts messages;
  for (std::uint64_t i = 1; i <= 3'000; ++i) messages.push_back(std::to_string(i));
  EXPECT_EQ(got(bob), messages);
  EXPECT_EQ(node->count(CounterId::offline_staged), 0U);
}

TEST_P(DurableTest, WhoIsHeldBackBehindADuplicateGoesOn) {
  CoreOptions options = options_with(GetParam());
  for (NamespaceRule& rule : options.namespaces) rule.lag.messages = 4;  // one message at a time
  start(options);
  const auto publish_as = [&](int id, std::string_view message_id) {
    node->text(*alice, R"({"type":"publish","id":)" + std::to_string(id) + R"(,"channel":")" + away +
                           R"(","message_id":")" + std::string{message_id} + R"(","data":1})");
  };
  publish_as(1, "a");
  EXPECT_EQ(got(*alice), published(1, 1));
  publish_as(2, "a");  // answered without a word of the store
  publish_as(3, "b");
  publish_as(4, "a");
  publish_as(5, "c");
  EXPECT_EQ(got(*alice), (Texts{"published 1 again", "published 2", "published 1 again", "published 3"}));
}

TEST_P(DurableTest, AJoinWaitsForTheChannelsPast) {
  publish(acked, 1, 2);
  node->run();
  restart();
  node->store_asleep = true;
  CoreClient& bob = reader(acked, 0);
  CoreClient& carol = reader(acked, 1);
  CoreClient& gone = reader(acked, 2);
  publish(acked, 3, 3);
  EXPECT_EQ(got(bob), Texts{});
  EXPECT_EQ(got(carol), Texts{});
  leave(gone);
  node->store_asleep = false;
  for (CoreClient* client : {&bob, &carol}) {
    const Texts texts = got(*client);
    EXPECT_EQ(texts.size(), 4U);
    EXPECT_TRUE(texts == (Texts{"subscribed at 3", "1*", "2*", "3*"}) ||
                texts == (Texts{"subscribed at 2", "1*", "2*", "3"}))
        << testing::PrintToString(texts);
  }
  EXPECT_EQ(got(*alice), published(3, 3));
}

// ---- patterns ----

/// Two messages that the store hands over one at a time: between the two the channel exists, for who looks for what a
/// pattern matches, and its past is not all there.
class HalfLoadedTest : public DurableTest {
 protected:
  void SetUp() override {
    DurableTest::SetUp();
    const std::string large(kStorePageBytes * 3 / 4, 'x');
    for (int i = 0; i < 2; ++i) {
      node->text(*alice, R"({"type":"publish","channel":")" + acked + R"(","data":")" + large + R"("})");
    }
    node->run();
    restart();
    node->store_asleep = true;
    carol = &reader(acked, 0);  // who asks for the channel by its name: it is loaded for her
    node->service().serve(node->now);
    node->run();
    // On the channel's home: there the store tells of it, elsewhere the home does.
    bob = &node->native(GetParam() - 1);
    node->say(*bob, R"({"type":"subscribe","id":1,"channels":["acked.*"]})");
  }
  /// As brief(), for messages whose data is not their number.
  Texts seen(CoreClient& client) {
    node->run();
    Texts texts;
    for (const std::string& text : CoreHarness::take_texts(client)) {
      const bool message = text.starts_with(R"({"type":"message")");
      texts.push_back(message ? text.substr(text.find(R"("seq":)"), std::string_view{R"("seq":1)"}.size())
                              : brief(text));
    }
    return texts;
  }
  CoreClient* carol = nullptr;
  CoreClient* bob = nullptr;
};

INSTANTIATE_TEST_SUITE_P(Shards, HalfLoadedTest, testing::Values(1U, 3U));

TEST_P(HalfLoadedTest, APatternThatBindsItIsAnsweredOnceItsPastIsThereAndItsMessagesFollow) {
  EXPECT_EQ(seen(*carol), Texts{});
  EXPECT_EQ(seen(*bob), Texts{}) << "it is bound when it can be joined";
  node->store_asleep = false;
  // The answer, the notice that names the channel, and what was kept for who acknowledges.
  EXPECT_EQ(seen(*bob), (Texts{"subscribed at ", "subscribed at 2", R"("seq":1)", R"("seq":2)"}));
  EXPECT_EQ(seen(*carol), (Texts{"subscribed at 2", R"("seq":1)", R"("seq":2)"}));
  EXPECT_EQ(node->count(CounterId::pattern_bindings), 1U);
  publish(acked, 3, 3);
  EXPECT_EQ(got(*bob), Texts{"3"});
  EXPECT_EQ(got(*carol), Texts{"3"});
}

TEST_P(HalfLoadedTest, APatternThatBindsItIsToldOnceIfItsPastCannotBeRead) {
  bool broken = true;
  kept.fault = [&](MemoryStore::Operation) { return broken ? std::optional{StoreState::failing} : std::nullopt; };
  node->store_asleep = false;
  EXPECT_EQ(seen(*bob), (Texts{"subscribed at ", "error processing_error"}));
  EXPECT_EQ(seen(*carol), Texts{"error processing_error"});
  EXPECT_EQ(node->count(CounterId::pattern_bindings), 0U);
  EXPECT_EQ(node->count(CounterId::pattern_bindings_refused), 1U);
  broken = false;
  node->advance(seconds{3});
  // To subscribe again is to look again: nobody uses the channel, so it exists when it has its next message.
  node->say(*bob, R"({"type":"subscribe","id":2,"channels":["acked.*"]})");
  EXPECT_EQ(seen(*bob), Texts{"subscribed at "});
  publish(acked, 3, 3);
  const Texts texts = got(*bob);
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_EQ(texts[0], "subscribed at 2");
  EXPECT_EQ(texts[1].front(), '3') << "the first one that it was there for";
}

TEST_P(DurableTest, ANodeThatEndsStoresWhatItHasTakenAndWhatIsDoneWith) {
  CoreClient& bob = reader(away, 1);
  publish(away, 1, 2);
  publish(acked, 1, 2);
  for (std::uint32_t shard = 0; shard < GetParam(); ++shard) node->core(shard).begin_shutdown(node->now);
  node->run();  // before the time to settle is over: what was on its way arrives
  node->advance(seconds{1});
  for (CoreClient* client : {&bob, alice}) node->end(*client);
  node->advance(milliseconds{100});
  for (std::uint32_t shard = 0; shard < GetParam(); ++shard) EXPECT_TRUE(node->core(shard).drained());
  EXPECT_EQ(kept.channels().at(acked).messages.size(), 2U);
  EXPECT_EQ(got(bob), (Texts{"subscribed at 0", "1", "2"}));
  EXPECT_EQ(kept.channels().at(away).messages.size(), 0U) << "bob had them all";
  EXPECT_EQ(kept.channels().at(away).next, Sequence{3});
}

}  // namespace
}  // namespace ringcast
