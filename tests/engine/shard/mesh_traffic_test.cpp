// What several shard cores make of each other's channels.
#include <gtest/gtest.h>

#include "tests/doubles/core_harness.hpp"

namespace ringcast {
namespace {

using Texts = std::vector<std::string>;

std::uint64_t number_after(std::string_view text, std::string_view member) {
  const std::size_t at = text.find(member);
  if (at == std::string_view::npos) return 0;
  return std::strtoull(std::string{text.substr(at + member.size(), 20)}.c_str(), nullptr, 10);
}
std::uint64_t seq_of(std::string_view text) { return number_after(text, R"("seq":)"); }

CoreOptions shards(std::uint32_t count) {
  CoreOptions options;
  options.shards = count;
  options.limits.message_bytes = 8'000;
  return options;
}
NamespaceRule everything(SlowPolicy policy, std::uint32_t messages) {
  NamespaceRule rule;
  rule.slow = policy;
  rule.lag.messages = messages;
  return rule;
}

class MeshTest : public testing::Test {
 protected:
  explicit MeshTest(CoreOptions options = shards(2)) : node{std::move(options), 65'536} {}

  std::string subscribe(std::string_view name, int id = 1) {
    return R"({"type":"subscribe","id":)" + std::to_string(id) + R"(,"channels":[")" + std::string{name} + R"("]})";
  }
  std::string publish(std::string_view name, std::size_t bytes = 1, int id = 0) {
    return R"({"type":"publish",)" + (id != 0 ? R"("id":)" + std::to_string(id) + "," : "") + R"("channel":")" +
           std::string{name} + R"(","data":")" + std::string(bytes, 'x') + R"("})";
  }
  CoreHarness node;
  std::string channel = node.channel_on(1);
};

TEST_F(MeshTest, AJoinAtAnotherShardIsAnsweredBeforeItsFirstMessage) {
  CoreClient& reader = node.native(0);
  CoreClient& publisher = node.native(1);
  node.say(publisher, publish(channel));
  node.text(reader, subscribe(channel));
  for (int i = 0; i < 5; ++i) {  // the join is under way, and messages come
    node.text(publisher, publish(channel));
    node.turn(0);
    node.text(publisher, publish(channel));
    node.turn(1);
  }
  node.run();
  const Texts texts = CoreHarness::take_texts(reader);
  ASSERT_FALSE(texts.empty());
  EXPECT_TRUE(texts[0].starts_with(R"({"type":"subscribed","id":1)"));
  std::uint64_t seq = seq_of(texts[0]);
  EXPECT_GE(seq, 1U);
  for (std::size_t i = 1; i < texts.size(); ++i) EXPECT_EQ(seq_of(texts[i]), ++seq);
  EXPECT_EQ(seq, 11U);
}

TEST_F(MeshTest, WhoeverWaitsForTheSameJoinIsAnswered) {
  std::vector<CoreClient*> readers;
  node.asleep[1] = true;
  for (int i = 0; i < 10; ++i) {
    readers.push_back(&node.native(0));
    node.say(*readers.back(), subscribe(channel));
  }
  node.end(*readers[3]);  // one does not wait
  node.asleep[1] = false;
  node.run();
  CoreClient& publisher = node.native(0);
  node.say(publisher, publish(channel));
  for (std::size_t i = 0; i < readers.size(); ++i) {
    EXPECT_EQ(CoreHarness::take_texts(*readers[i]).size(), i == 3 ? 0U : 2U) << i;
  }
  EXPECT_EQ(node.count(CounterId::channel_logs, 0), 1U);
  EXPECT_EQ(node.count(CounterId::messages_encoded), 1U);  // once, whatever the number of readers
}

TEST_F(MeshTest, ASubscribeOfChannelsHereAndThereIsOneAnswer) {
  const std::string here = node.channel_on(0);
  CoreClient& reader = node.native(0);
  CoreClient& publisher = node.native(0);
  node.asleep[1] = true;
  node.text(reader, R"({"type":"subscribe","id":1,"channels":[")" + here + R"(",")" + channel + R"("]})");
  node.say(publisher, publish(here));  // before the other half is known
  EXPECT_TRUE(CoreHarness::take_texts(reader).empty());
  node.asleep[1] = false;
  node.run();
  const Texts texts = CoreHarness::take_texts(reader);
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_TRUE(texts[0].starts_with(R"({"type":"subscribed","id":1)"));
  EXPECT_NE(texts[0].find(here), std::string::npos);
  EXPECT_NE(texts[0].find(channel), std::string::npos);
  EXPECT_EQ(seq_of(texts[1]), 1U);
}

TEST_F(MeshTest, AcknowledgementsKeepTheOrderOfTheirChannel) {
  const std::string here = node.channel_on(0);
  CoreClient& publisher = node.native(0);
  for (int i = 1; i <= 50; ++i) {
    node.text(publisher, publish(here, 1, 2 * i));
    node.text(publisher, publish(channel, 1, 2 * i + 1));
  }
  node.run();
  std::uint64_t here_seq = 0;
  std::uint64_t there_seq = 0;
  for (const std::string& text : CoreHarness::take_texts(publisher)) {
    const std::uint64_t id = number_after(text, R"("id":)");
    std::uint64_t& seq = id % 2 == 0 ? here_seq : there_seq;
    EXPECT_EQ(seq_of(text), ++seq);
    EXPECT_EQ(id / 2, seq);
  }
  EXPECT_EQ(here_seq, 50U);
  EXPECT_EQ(there_seq, 50U);
}

TEST_F(MeshTest, ADuplicateAtAnotherShardIsAnsweredAsOne) {
  CoreClient& publisher = node.native(0);
  const std::string command = R"({"type":"publish","id":1,"channel":")" + channel + R"(","message_id":"m","data":1})";
  node.say(publisher, command);
  node.say(publisher, command);
  const Texts texts = CoreHarness::take_texts(publisher);
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_TRUE(texts[0].ends_with(R"("seq":1,"duplicate":false})"));
  EXPECT_TRUE(texts[1].ends_with(R"("seq":1,"duplicate":true})"));
}

TEST_F(MeshTest, AResumeAtAnotherShardFindsWhatThatShardHolds) {
  CoreClient& keeper = node.native(0);
  CoreClient& publisher = node.native(1);
  node.say(keeper, subscribe(channel));
  const std::string subscribed = CoreHarness::take_texts(keeper).at(0);
  const std::string epoch = subscribed.substr(subscribed.find(R"("epoch":")") + 9, 16);
  for (int i = 0; i < 5; ++i) node.say(publisher, publish(channel));
  CoreClient& late = node.native(0);
  node.say(late, R"({"type":"subscribe","channels":[")" + channel + R"("],"resume":{")" + channel + R"(":{"epoch":")" +
                     epoch + R"(","seq":2}}})");
  const Texts texts = CoreHarness::take_texts(late);
  ASSERT_EQ(texts.size(), 4U);
  EXPECT_NE(texts[0].find(R"("recovered":true)"), std::string::npos);
  for (std::uint64_t i = 1; i < 4; ++i) EXPECT_EQ(seq_of(texts[i]), 2 + i);
}

TEST_F(MeshTest, AFullLaneIsLagAndNothingIsLost) {
  CoreClient& reader = node.native(0);
  CoreClient& publisher = node.native(1);
  node.say(reader, subscribe(channel));
  CoreHarness::take_texts(reader);
  node.asleep[0] = true;
  for (int i = 0; i < 1'000; ++i) node.say(publisher, publish(channel, 1'000));  // lanes full, within the log's bound
  EXPECT_GT(node.count(CounterId::mesh_lane_full), 0U);
  node.asleep[0] = false;
  node.run();
  const Texts texts = CoreHarness::take_texts(reader);
  ASSERT_EQ(texts.size(), 1'000U);
  for (std::uint64_t i = 0; i < texts.size(); ++i) ASSERT_EQ(seq_of(texts[i]), i + 1);
  EXPECT_EQ(node.count(CounterId::mesh_gaps), 0U);
  EXPECT_EQ(node.ledger(), (Ledger{.offered = 1'000, .sent = 1'000}));
}

struct OverrunRow {
  std::string_view sentence;
  SlowPolicy policy;
  bool exchange;
  bool closed;
};

TEST(MeshOverrunTest, AnOverrunLaneBecomesAGapThatIsAccountedForEveryReaderBehindIt) {
  const OverrunRow rows[] = {
      {"conflate", SlowPolicy::conflate, false, false},
      {"drop_oldest", SlowPolicy::drop_oldest, false, false},
      {"disconnect: it was not the reader's doing", SlowPolicy::disconnect, false, false},
      {"the exchange's dialect, conflating", SlowPolicy::conflate, true, false},
      {"the exchange's dialect has no notice for a drop", SlowPolicy::drop_oldest, true, true},
      {"nor for a loss", SlowPolicy::disconnect, true, true},
  };
  for (const OverrunRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    CoreOptions options = shards(2);
    options.namespaces.push_back(everything(row.policy, 200));
    CoreHarness node{options, 65'536};
    const std::string channel = node.channel_on(1);
    std::vector<CoreClient*> readers;
    for (int i = 0; i < 3; ++i) {
      readers.push_back(row.exchange ? &node.open("/ws/" + channel, 0) : &node.native(0));
      if (!row.exchange) node.say(*readers.back(), R"({"type":"subscribe","channels":[")" + channel + R"("]})");
      CoreHarness::take_frames(*readers.back());
    }
    CoreClient& publisher = node.native(1);
    const auto publish = [&](int number) {
      const std::string text = std::to_string(number);
      node.say(publisher, R"({"type":"publish","channel":")" + channel + R"(","data":")" + text + std::string(2'000 - text.size(), '.') + "\"}");
    };
    node.asleep[0] = true;
    constexpr int kMessages = 600;
    for (int i = 1; i <= kMessages; ++i) publish(i);
    node.advance(kPaceTime);  // the publisher is held for so long, and no longer
    node.asleep[0] = false;
    node.run();
    publish(kMessages + 1);
    EXPECT_GT(node.count(CounterId::mesh_gaps), 0U);

    for (CoreClient* reader : readers) {
      if (row.closed) {
        EXPECT_EQ(CoreHarness::take_close(*reader), 4008);
        continue;
      }
      const Texts texts = CoreHarness::take_texts(*reader);
      ASSERT_FALSE(texts.empty());
      if (row.exchange) {  // in order, the newest among them
        EXPECT_TRUE(texts.back().starts_with("\"" + std::to_string(kMessages + 1)));
        continue;
      }
      std::uint64_t expected = 1;  // every seq, once, or named by a notice before the next message
      for (const std::string& text : texts) {
        if (text.starts_with(R"({"type":"gap")")) {
          EXPECT_EQ(number_after(text, R"("from":)"), expected);
          expected = number_after(text, R"("to":)") + 1;
        } else {
          EXPECT_EQ(seq_of(text), expected);
          ++expected;
        }
      }
      EXPECT_EQ(expected, kMessages + 2U);
    }
    const Ledger ledger = node.ledger();
    EXPECT_EQ(ledger.queued, 0U);
    if (!row.closed) {
      EXPECT_EQ(ledger.offered, 3U * (kMessages + 1));
      EXPECT_EQ(ledger.abandoned, 0U);
    }
  }
}

TEST_F(MeshTest, TheEnvelopeOfAChannelOfAnotherShardChangesBetweenTwoMessages) {
  CoreClient& reader = node.open("/ws/" + channel, 0);
  CoreClient& publisher = node.native(1);
  const auto publish_number = [&](int number) {
    node.text(publisher, R"({"type":"publish","channel":")" + channel + R"(","data":)" + std::to_string(number) + "}");
  };
  int published = 0;
  for (int round = 0; round < 30; ++round) {
    for (int i = 0; i < round % 3 + 1; ++i) publish_number(++published);
    node.turn(1);
    node.text(reader, std::string{R"({"method":"SET_PROPERTY","params":["combined",)"} + (round % 2 == 0 ? "true" : "false") + R"(],"id":1})");
    if (round % 3 == 0) node.turn(0);
    publish_number(++published);
    if (round % 4 == 0) node.turn(1);
    if (round % 5 == 0) node.run();
  }
  node.run();
  int next = 1;
  for (const std::string& text : CoreHarness::take_texts(reader)) {
    if (text.starts_with(R"({"result")")) continue;
    const std::string raw = std::to_string(next);
    EXPECT_TRUE(text == raw || text == R"({"stream":")" + channel + R"(","data":)" + raw + "}") << text;
    ++next;
  }
  EXPECT_EQ(next, published + 1);
  const auto all = static_cast<std::uint64_t>(published);
  EXPECT_EQ(node.ledger(), (Ledger{.offered = all, .sent = all}));
}

TEST_F(MeshTest, ALogThatNobodyReadsIsKeptAWhileAndThenTheHomeIsTold) {
  CoreClient& reader = node.native(0);
  CoreClient& publisher = node.native(1);
  node.say(reader, subscribe(channel));
  node.say(reader, R"({"type":"unsubscribe","channels":[")" + channel + R"("]})");
  node.advance(kLogLinger - seconds{1});
  node.say(publisher, publish(channel));
  EXPECT_EQ(node.count(CounterId::messages_encoded), 1U);  // it might come back
  EXPECT_EQ(node.count(CounterId::channel_logs), 2U);
  node.advance(kLogLinger + seconds{3});
  node.say(publisher, publish(channel));
  EXPECT_EQ(node.count(CounterId::messages_encoded), 1U);
  EXPECT_EQ(node.count(CounterId::channel_logs), 0U);
  node.say(reader, subscribe(channel));
  CoreHarness::take_texts(reader);
  node.say(publisher, publish(channel));
  EXPECT_EQ(seq_of(CoreHarness::take_texts(reader).at(0)), 3U);
}

TEST_F(MeshTest, WhoComesBackWhileItsDetachIsUnderWayMissesNothingAndGetsNothingTwice) {
  CoreClient& reader = node.native(0);
  CoreClient& publisher = node.native(1);
  node.say(reader, subscribe(channel));
  CoreHarness::take_texts(reader);
  node.text(publisher, publish(channel));  // on its way in the lane
  node.turn(1);
  node.asleep[1] = true;
  node.say(reader, R"({"type":"unsubscribe","channels":[")" + channel + R"("]})");
  for (int i = 0; i < 60 && node.count(CounterId::channel_logs, 0) != 0; ++i) {
    node.advance(seconds{1});
    node.pong(reader);
  }
  ASSERT_EQ(node.count(CounterId::channel_logs, 0), 0U);  // the detach is in the lane
  CoreHarness::take_texts(reader);
  node.say(reader, subscribe(channel, 2));  // the attach behind it
  for (int i = 0; i < 3; ++i) node.text(publisher, publish(channel));
  node.asleep[1] = false;
  node.run();
  for (int i = 0; i < 3; ++i) node.say(publisher, publish(channel));
  const Texts texts = CoreHarness::take_texts(reader);
  ASSERT_FALSE(texts.empty());
  EXPECT_TRUE(texts[0].starts_with(R"({"type":"subscribed","id":2)"));
  std::uint64_t seq = seq_of(texts[0]);
  for (std::size_t i = 1; i < texts.size(); ++i) EXPECT_EQ(seq_of(texts[i]), ++seq);
  EXPECT_EQ(seq, 7U);
  EXPECT_EQ(node.count(CounterId::channel_logs), 2U);
}

TEST_F(MeshTest, FramesForALogThatWasClosedMeanwhileAreLetGo) {
  CoreClient& reader = node.native(0);
  CoreClient& publisher = node.native(1);
  node.say(reader, subscribe(channel));
  node.say(reader, R"({"type":"unsubscribe","channels":[")" + channel + R"("]})");
  node.asleep[1] = true;
  for (int i = 0; i < 60 && node.count(CounterId::channel_logs, 0) != 0; ++i) node.advance(seconds{1});
  for (int i = 0; i < 3; ++i) node.text(publisher, publish(channel));  // the home has not heard of it
  (void)node.core(1).prepare_sends(node.now);
  node.asleep[1] = false;
  node.run();
  EXPECT_EQ(node.ledger(), Ledger{});
  EXPECT_EQ(node.count(CounterId::channel_logs, 0), 0U);
}

TEST(MeshLimits, AChannelBeyondTheHomesShareIsRefusedOverTheMesh) {
  CoreOptions options = shards(2);
  options.limits.channels = 2;
  CoreHarness node{options, 65'536};
  CoreClient& client = node.native(0);
  const auto name = [&](int i) { return node.channel_on(1, "stem" + std::to_string(i)); };
  for (int i = 0; i < 2; ++i) {
    node.say(client, R"({"type":"publish","id":1,"channel":")" + name(i) + R"(","data":1})");
  }
  EXPECT_EQ(CoreHarness::take_texts(client).size(), 2U);
  for (int i = 0; i < 20; ++i) {
    node.say(client, R"({"type":"publish","id":"p","channel":")" + name(5) + R"(","data":1})");
    node.say(client, R"({"type":"subscribe","id":"s","channels":[")" + name(5) + R"("]})");
    node.say(client, R"({"type":"publish","channel":")" + name(5) + R"(","data":1})");  // an error without an id, too
    const Texts texts = CoreHarness::take_texts(client);
    ASSERT_EQ(texts.size(), 3U);
    for (const std::string& text : texts) {
      EXPECT_NE(text.find(R"("code":"overloaded")"), std::string::npos) << text;
      EXPECT_NE(text.find(name(5)), std::string::npos);
    }
  }
  EXPECT_FALSE(client.server_fin);  // not its mistake
  EXPECT_EQ(node.count(CounterId::subscriptions), 0U);
  EXPECT_EQ(node.count(CounterId::channel_logs), 0U);
  node.say(client, R"({"type":"subscribe","id":1,"channels":[")" + name(0) + R"("]})");  // a known one
  EXPECT_TRUE(CoreHarness::take_texts(client).at(0).starts_with(R"({"type":"subscribed")"));
}

TEST(MeshLimits, AnEnvelopeThatItsHomeHasNoRoomForIsNotChangedTo) {
  CoreOptions options = shards(2);
  options.limits.channels = 1;
  CoreHarness node{options, 65'536};
  const std::string channel = node.channel_on(1);
  CoreClient& reader = node.open("/ws/" + channel, 0);
  node.say(reader, R"({"method":"SET_PROPERTY","params":["combined",true],"id":1})");
  CoreClient& publisher = node.native(1);
  node.say(publisher, R"({"type":"publish","channel":")" + channel + R"(","data":7})");
  const Texts texts = CoreHarness::take_texts(reader);
  ASSERT_EQ(texts.size(), 2U);  // whichever envelope: it comes, once
  EXPECT_NE(texts[1].find('7'), std::string::npos);
}

TEST(MeshSpread, EveryShardReadsAndPublishesEveryChannel) {
  CoreHarness node{shards(4), 65'536};
  std::vector<CoreClient*> clients;
  std::vector<std::string> channels;
  std::string list;
  for (std::uint32_t shard = 0; shard < 4; ++shard) {
    channels.push_back(node.channel_on(shard));
    list += (list.empty() ? "\"" : ",\"") + channels.back() + "\"";
  }
  for (std::uint32_t shard = 0; shard < 4; ++shard) {
    clients.push_back(&node.native(shard));
    node.say(*clients.back(), R"({"type":"subscribe","channels":[)" + list + "]}");
    EXPECT_EQ(CoreHarness::take_texts(*clients.back()).size(), 1U);
  }
  for (int round = 0; round < 25; ++round) {
    for (CoreClient* client : clients) {
      for (const std::string& channel : channels) {
        node.text(*client, R"({"type":"publish","channel":")" + channel + R"(","data":1})");
      }
    }
    if (round % 3 == 0) node.run();
  }
  node.run();
  for (CoreClient* client : clients) {
    std::vector<std::uint64_t> next(4, 1);
    for (const std::string& text : CoreHarness::take_texts(*client)) {
      for (std::size_t i = 0; i < 4; ++i) {
        if (text.find("\"channel\":\"" + channels[i] + "\"") == std::string::npos) continue;
        EXPECT_EQ(seq_of(text), next[i]++);
      }
    }
    EXPECT_EQ(next, (std::vector<std::uint64_t>{101, 101, 101, 101}));
  }
  EXPECT_EQ(node.ledger(), (Ledger{.offered = 1'600, .sent = 1'600}));
}

}  // namespace
}  // namespace ringcast
