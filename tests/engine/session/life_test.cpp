// Heartbeats, idle time, closing in both directions: what a connection's life may come to.
#include <gtest/gtest.h>

#include "tests/doubles/core_harness.hpp"

namespace ringcast {
namespace {

std::size_t pings_in(const std::vector<ReceivedFrame>& frames) {
  return static_cast<std::size_t>(std::ranges::count(frames, Opcode::ping, &ReceivedFrame::opcode));
}

// ---- heartbeat ----

TEST(Heartbeat, AClientThatAnswersItsPingsStays) {
  CoreHarness node;
  CoreClient& client = node.native();
  std::size_t pings = 0;
  for (int i = 0; i < 100; ++i) {
    node.advance(seconds{10});
    const std::size_t now = pings_in(CoreHarness::take_frames(client));
    pings += now;
    if (now != 0) node.pong(client);
  }
  EXPECT_FALSE(client.server_fin);
  EXPECT_GE(pings, 1'000U / 30);
  EXPECT_LE(pings, 1'000U / 30 + 2);  // the first may come up to half an interval early
  EXPECT_EQ(node.count(CounterId::pings_sent), pings);
  EXPECT_EQ(node.count(CounterId::pongs_received), pings);
}

TEST(Heartbeat, TwoUnansweredPingsAreTooMany) {
  CoreHarness node;
  CoreClient& client = node.native();
  node.advance(seconds{75});  // two intervals and at most half of one before
  EXPECT_EQ(pings_in(CoreHarness::take_frames(client)), 2U);
  EXPECT_FALSE(client.server_fin);
  node.advance(seconds{16});
  EXPECT_EQ(CoreHarness::take_close(client), 4009);
  EXPECT_EQ(node.count(CounterId::heartbeat_timeouts), 1U);
  EXPECT_EQ(node.count(CounterId::closed_4009), 1U);
}

TEST(Heartbeat, OtherTrafficIsNoPong) {
  CoreHarness node;
  CoreClient& client = node.native();
  for (int i = 0; i < 95 && !client.server_fin; ++i) {
    node.advance(seconds{1});
    node.say(client, R"({"type":"ping"})");
  }
  EXPECT_EQ(CoreHarness::take_close(client), 4009);
}

TEST(Heartbeat, OnePongClearsTheCount) {
  CoreHarness node;
  CoreClient& client = node.native();
  node.advance(seconds{75});
  node.pong(client);
  node.advance(seconds{46});
  EXPECT_FALSE(client.server_fin);
}

TEST(Heartbeat, AnExchangeClientIsPingedEveryTwentySeconds) {
  for (const std::string_view target : {"/ws/c", "/ws"}) {
    CoreHarness node;
    CoreClient& client = node.open(target);
    if (target == "/ws") node.say(client, R"({"method":"LIST_SUBSCRIPTIONS","id":1})");
    std::size_t pings = 0;
    for (int i = 0; i < 200; ++i) {
      node.advance(seconds{1});
      const std::size_t now = pings_in(CoreHarness::take_frames(client));
      pings += now;
      if (now != 0) node.pong(client);
    }
    EXPECT_GE(pings, 10U) << target;
    EXPECT_LE(pings, 11U) << target;
  }
}

TEST(Heartbeat, ThoseWhoCameTogetherAreNotPingedTogether) {
  CoreHarness node;
  std::vector<CoreClient*> clients;
  for (int i = 0; i < 50; ++i) clients.push_back(&node.native());
  std::vector<std::size_t> at_a_time;
  for (int i = 0; i < 30; ++i) {
    node.advance(seconds{1});
    std::size_t pings = 0;
    for (CoreClient* client : clients) pings += pings_in(CoreHarness::take_frames(*client));
    at_a_time.push_back(pings);
  }
  EXPECT_LT(*std::ranges::max_element(at_a_time), 20U);
}

TEST(Heartbeat, OffMeansThatSilenceItselfIsTheSign) {
  CoreOptions options;
  options.heartbeat.interval = milliseconds{0};
  CoreHarness node{options};
  CoreClient& silent = node.native();
  CoreClient& talker = node.native();
  CoreClient& listener = node.open("/ws/c");
  for (int i = 0; i < 29; ++i) {
    node.advance(minutes{1});
    node.say(talker, R"({"type":"publish","channel":"c","data":1})");
  }
  EXPECT_FALSE(silent.server_fin);
  node.advance(minutes{1} + seconds{1});
  EXPECT_EQ(CoreHarness::take_close(silent), 1000);
  EXPECT_EQ(node.count(CounterId::idle_timeouts), 1U);
  EXPECT_EQ(node.count(CounterId::pings_sent), 0U);
  EXPECT_FALSE(talker.server_fin);
  EXPECT_FALSE(listener.server_fin);  // it was sent something
}

TEST(Heartbeat, ItMayBeOffForTheExchangeDialectAlone) {
  CoreOptions options;
  options.heartbeat.interval_exchange = milliseconds{0};
  CoreHarness node{options};
  CoreClient& silent = node.open("/ws/c");
  CoreClient& native = node.native();
  for (int i = 0; i < 60; ++i) {
    node.advance(seconds{30} + milliseconds{100});
    if (pings_in(CoreHarness::take_frames(native)) != 0) node.pong(native);
  }
  EXPECT_EQ(CoreHarness::take_close(silent), 1000);
  EXPECT_EQ(node.count(CounterId::idle_timeouts), 1U);
  EXPECT_EQ(node.count(CounterId::heartbeat_timeouts), 0U);
  EXPECT_FALSE(native.server_fin);
  EXPECT_GE(node.count(CounterId::pings_sent), 58U);
}

TEST(Heartbeat, APausedClientIsNotPingedAndNotBlamed) {
  CoreOptions options;
  options.shards = 2;
  CoreHarness node{options};
  CoreClient& client = node.native(0);
  node.asleep[1] = true;
  node.say(client, R"({"type":"subscribe","channels":[")" + node.channel_on(1) + R"("]})");  // the answer waits
  node.advance(minutes{5});
  EXPECT_FALSE(client.server_fin);
  EXPECT_EQ(pings_in(CoreHarness::take_frames(client)), 0U);
  node.asleep[1] = false;
  node.run();
  EXPECT_TRUE(CoreHarness::take_texts(client).at(0).starts_with(R"({"type":"subscribed")"));
  node.advance(seconds{75});
  EXPECT_FALSE(client.server_fin);
  node.advance(seconds{31});
  EXPECT_EQ(CoreHarness::take_close(client), 4009);  // it is watched again
}

// ---- closing ----

struct CloseRow {
  std::string_view sentence;
  std::string bytes;
  std::uint16_t reply;
  CounterId counter;
};

TEST(Closing, APeersCloseIsAnsweredWithItsCodeAndCounted) {
  const auto close = [](std::string_view payload) { return CoreHarness::masked(Opcode::close, payload); };
  using namespace std::string_view_literals;
  const CloseRow rows[] = {
      {"normal", close("\x03\xe8"sv), 1000, CounterId::closed_1000},
      {"with a reason", close("\x03\xe8""bye"sv), 1000, CounterId::closed_1000},
      {"going away", close("\x03\xe9"sv), 1001, CounterId::closed_1001},
      {"without a code", close(""), 1000, CounterId::closed_1000},
      {"a code of its own", close("\x0f\xa0"sv), 4000, CounterId::closed_other},
      {"a code that may not be sent", close("\x03\xed"sv), 1002, CounterId::closed_1002},
      {"half a code", close("\x03"sv), 1002, CounterId::closed_1002},
      {"a reason that is not UTF-8", close("\x03\xe8\xff"sv), 1007, CounterId::closed_1007},
      {"an unmasked frame", std::string{"\x81\x02hi"}, 1002, CounterId::closed_1002},
      {"a reserved bit", "\xc1" + CoreHarness::masked(Opcode::text, "hi").substr(1), 1002, CounterId::closed_1002},
      {"a reserved opcode", "\x83" + CoreHarness::masked(Opcode::text, "hi").substr(1), 1002, CounterId::closed_1002},
      {"a fragmented ping", "\x09" + CoreHarness::masked(Opcode::ping, "hi").substr(1), 1002, CounterId::closed_1002},
      {"a continuation of nothing", CoreHarness::masked(Opcode::continuation, "hi"), 1002, CounterId::closed_1002},
      {"text that is not UTF-8", CoreHarness::masked(Opcode::text, "\xff"), 1007, CounterId::closed_1007},
      {"binary, in a dialect of text", CoreHarness::masked(Opcode::binary, "hi"), 1003, CounterId::closed_1003},
      {"a message that is too large", CoreHarness::masked(Opcode::text, std::string(2'000'000, 'x')), 1009, CounterId::closed_1009},
  };
  for (const CloseRow& row : rows) {
    SCOPED_TRACE(row.sentence);
    CoreHarness node;
    CoreClient& client = node.native();
    node.say(client, R"({"type":"subscribe","channels":["c"]})");
    node.bytes(client, row.bytes);
    node.run();
    EXPECT_EQ(CoreHarness::take_close(client), row.reply);
    EXPECT_EQ(node.count(row.counter), 1U);
    EXPECT_EQ(node.count(CounterId::protocol_errors),
              row.reply >= 1002 && row.reply <= 1009 && row.reply != 1003 ? 1U : 0U);
    EXPECT_TRUE(client.server_fin);
    EXPECT_FALSE(client.closed);
    EXPECT_EQ(node.count(CounterId::subscriptions), 0U);
    node.text(client, R"({"type":"ping"})");  // nothing is listened to any more
    node.run();
    EXPECT_TRUE(client.received.empty());
    node.end(client);
    EXPECT_TRUE(client.closed);
    EXPECT_FALSE(client.reset);
    EXPECT_EQ(node.count(CounterId::connections_open), 0U);
    EXPECT_EQ(node.budget().used(Purpose::inboxes), 0U);
    EXPECT_EQ(node.budget().used(Purpose::control), 0U);
  }
}

TEST(Closing, WhatWasSaidBeforeAMistakeIsAnsweredBeforeTheClose) {
  CoreHarness node;
  CoreClient& client = node.native();
  node.bytes(client, CoreHarness::masked(Opcode::text, R"({"type":"ping","id":1})") +
                         CoreHarness::masked(Opcode::ping, "hello") + CoreHarness::masked(Opcode::binary, "x"));
  node.run();
  const auto frames = CoreHarness::take_frames(client);
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames[0].payload, R"({"type":"pong","id":1})");
  EXPECT_EQ(frames[1], (ReceivedFrame{Opcode::pong, "hello"}));
  EXPECT_EQ(frames[2].opcode, Opcode::close);
}

TEST(Closing, APeerThatDoesNotEndAfterTheCloseIsResetWhenItHasHadItsTime) {
  CoreHarness node;
  CoreClient& client = node.native();
  node.close_frame(client, CloseCode::normal);
  node.run();
  EXPECT_TRUE(client.server_fin);
  node.advance(kLingerTime - milliseconds{2});
  EXPECT_FALSE(client.closed);
  node.advance(milliseconds{4});
  EXPECT_TRUE(client.reset);
}

TEST(Closing, APeerThatDoesNotTakeItsCloseFrameIsResetAtTheDeadline) {
  CoreHarness node;
  CoreClient& client = node.native();
  client.room = 0;
  node.close_frame(client, CloseCode::normal);
  node.advance(milliseconds{4'998});
  EXPECT_FALSE(client.closed);
  node.advance(milliseconds{4});
  EXPECT_TRUE(client.reset);
  EXPECT_FALSE(client.server_fin);
  EXPECT_EQ(node.budget().used(Purpose::control), 0U);
}

TEST(Closing, ACloseFrameGoesOutBehindTheRestOfABrokenFrameAndBeforeTheFin) {
  CoreHarness node;
  CoreClient& reader = node.native();
  CoreClient& publisher = node.native();
  node.say(reader, R"({"type":"subscribe","channels":["c"]})");
  CoreHarness::take_texts(reader);
  reader.room = 10;
  node.say(publisher, R"({"type":"publish","channel":"c","data":1})");
  node.say(publisher, R"({"type":"publish","channel":"c","data":2})");
  node.close_frame(reader, CloseCode::normal);
  node.run();
  EXPECT_FALSE(reader.server_fin);
  node.make_room(reader);
  node.run();
  const auto frames = CoreHarness::take_frames(reader);
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_TRUE(frames[0].payload.ends_with(R"("data":1})"));
  EXPECT_EQ(frames[1].opcode, Opcode::close);
  EXPECT_TRUE(reader.received.empty());
  EXPECT_TRUE(reader.server_fin);
  EXPECT_EQ(node.ledger(), (Ledger{.offered = 2, .sent = 1, .abandoned = 1}));
}

TEST(Closing, APeerThatClosesAndEndsAtOnceStillGetsItsAnswer) {
  CoreHarness node;
  CoreClient& client = node.native();
  node.close_frame(client, CloseCode::normal);
  node.end(client);
  EXPECT_FALSE(client.closed);
  node.run();
  EXPECT_EQ(CoreHarness::take_close(client), 1000);
  EXPECT_TRUE(client.closed);
  EXPECT_FALSE(client.reset);
  EXPECT_FALSE(client.server_fin);  // nobody is left to hear it
}

TEST(Closing, AnEndWithoutACloseFrameIsCountedAsOne) {
  CoreHarness node;
  CoreClient& ended = node.native();
  CoreClient& broken = node.native();
  node.end(ended);
  node.end(broken, ECONNRESET);
  EXPECT_FALSE(ended.reset);
  EXPECT_TRUE(broken.reset);
  EXPECT_EQ(node.count(CounterId::closed_no_close), 2U);
}

TEST(Closing, APeerThatResetsInTheMiddleOfAFrameLeavesNothingBehind) {
  CoreHarness node;
  const std::string message = CoreHarness::masked(Opcode::text, std::string(100'000, 'x'));
  for (const std::size_t bytes : {1UL, 3UL, 7UL, 20UL, 50'000UL}) {
    CoreClient& client = node.native();
    node.bytes(client, std::string_view{message}.substr(0, bytes));
    node.end(client, ECONNRESET);
    EXPECT_EQ(node.budget().used(Purpose::inboxes), 0U);
  }
  EXPECT_EQ(node.core().connections(), 0U);
}

TEST(Closing, ASlowReaderIsClosedWith4008) {
  CoreHarness node;
  CoreClient& slow = node.native();
  CoreClient& quick = node.native();
  for (CoreClient* client : {&slow, &quick}) {
    node.say(*client, R"({"type":"subscribe","channels":["c"]})");
    CoreHarness::take_texts(*client);
  }
  slow.room = 0;
  for (int i = 0; i < 5'000; ++i) node.say(quick, R"({"type":"publish","channel":"c","data":1})");
  node.make_room(slow);
  node.run();
  EXPECT_EQ(CoreHarness::take_close(slow), 4008);
  EXPECT_EQ(CoreHarness::take_texts(quick).size(), 5'000U);
  EXPECT_EQ(node.count(CounterId::slow_disconnects), 1U);
  EXPECT_EQ(node.count(CounterId::closed_4008), 1U);
  EXPECT_EQ(node.ledger(), (Ledger{.offered = 10'000, .sent = 5'000, .abandoned = 5'000}));
}

TEST(Closing, ASlowReaderThatNeverReadsIsFoundByItsLagInTimeAndReset) {
  CoreHarness node;
  CoreClient& slow = node.native();
  CoreClient& publisher = node.native();
  node.say(slow, R"({"type":"subscribe","channels":["c"]})");
  slow.room = 0;
  node.say(publisher, R"({"type":"publish","channel":"c","data":1})");
  node.advance(seconds{10} + kLagCheckInterval * 2);
  EXPECT_EQ(node.count(CounterId::slow_disconnects), 1U);
  node.advance(seconds{6});
  EXPECT_TRUE(slow.reset);
  EXPECT_EQ(node.ledger(), (Ledger{.offered = 1, .abandoned = 1}));
}

// ---- echo ----

TEST(Echo, EchoesEveryDataMessageWithItsOpcode) {
  CoreOptions options;
  options.echo = true;
  CoreHarness node{options};
  CoreClient& client = node.open("/echo");
  const std::string large(70'000, 'x');
  node.bytes(client, CoreHarness::masked(Opcode::text, "hello") + CoreHarness::masked(Opcode::binary, "\xff\xfe") +
                         CoreHarness::masked(Opcode::text, "") + CoreHarness::masked(Opcode::text, large) +
                         CoreHarness::masked(Opcode::ping, "p") + CoreHarness::masked(Opcode::text, "a", false) +
                         CoreHarness::masked(Opcode::continuation, "b"));
  node.run();
  EXPECT_EQ(CoreHarness::take_frames(client),
            (std::vector<ReceivedFrame>{{Opcode::text, "hello"}, {Opcode::binary, "\xff\xfe"}, {Opcode::text, ""},
                                        {Opcode::text, large}, {Opcode::pong, "p"}, {Opcode::text, "ab"}}));
  EXPECT_EQ(node.count(CounterId::echo_messages), 5U);
}

// ---- memory ----

TEST(ConnectionMemory, AnIdleConnectionWithOneSubscriptionStaysUnder512Bytes) {
  CoreHarness node;
  node.native();
  const auto bytes = [&] {
    return node.budget().used(Purpose::connections) + node.budget().used(Purpose::subscriptions) +
           node.budget().used(Purpose::inboxes) + node.budget().used(Purpose::control);
  };
  const std::uint64_t before = bytes();
  constexpr int kConnections = 2'000;
  for (int i = 0; i < kConnections; ++i) node.open("/ws/c");
  EXPECT_LE((bytes() - before) / kConnections, 512U);
}

}  // namespace
}  // namespace ringcast
