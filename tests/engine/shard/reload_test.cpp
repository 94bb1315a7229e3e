// A reload as a shard's core sees it: what goes by the new options at once, what follows within some ticks, what stays.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/memory/budget.hpp"
#include "engine/limits.hpp"
#include "engine/stats/counters.hpp"
#include "tests/doubles/core_harness.hpp"

namespace ringcast {
namespace {

using Texts = std::vector<std::string>;

std::string publish(std::string_view channel, std::string_view data = "1") {
  return R"({"type":"publish","id":9,"channel":")" + std::string{channel} + R"(","data":)" + std::string{data} + "}";
}
std::string subscribe(std::string_view channel, std::string_view more = "") {
  return R"({"type":"subscribe","id":1,"channels":[")" + std::string{channel} + R"("])" + std::string{more} + "}";
}
std::size_t messages_in(const Texts& texts) {
  return static_cast<std::size_t>(
      std::ranges::count_if(texts, [](const std::string& text) { return text.starts_with(R"({"type":"message")"); }));
}

/// A node whose options are changed while it runs. The earlier ones are gone then: who still looked at them would fail
/// under a sanitizer.
class ReloadTest : public testing::Test {
 protected:
  ReloadTest() {
    first.limits.message_bytes = 8'000;
    first.limits.idle_time = hours{1};
    first.heartbeat.interval = first.heartbeat.interval_exchange = milliseconds{0};  // nobody here answers pings
  }
  CoreHarness& start(std::uint32_t shards = 1) {
    first.shards = shards;
    node = std::make_unique<CoreHarness>(first, 65'536);
    in_force = std::make_unique<CoreOptions>(node->options);
    return *node;
  }
  /// Reaches every shard, and everything has followed.
  template <class Change>
  void reload(Change&& change) {
    auto fresh = std::make_unique<CoreOptions>(*in_force);
    change(*fresh);
    for (std::uint32_t shard = 0; shard < first.shards; ++shard) node->core(shard).reconfigure(*fresh);
    in_force = std::move(fresh);
    node->advance(2 * kHousekeepingInterval);
  }
  ~ReloadTest() override { node.reset(); }

  CoreOptions first;
  std::unique_ptr<CoreOptions> in_force;
  std::unique_ptr<CoreHarness> node;
};

TEST_F(ReloadTest, ConnectionsAreTakenUpToTheNewLimitAndNobodyIsClosedByALowerOne) {
  first.limits.connections = 2;
  start();
  CoreClient& one = node->native();
  (void)node->native();
  const auto answer = [&] {
    CoreClient& more = node->connect();
    node->bytes(more, CoreHarness::request("/ws/connect"));
    node->run();
    return more.received.substr(0, 12);
  };
  EXPECT_EQ(answer(), "HTTP/1.1 503");
  reload([](CoreOptions& options) { options.limits.connections = 10; });
  (void)node->native();
  reload([](CoreOptions& options) { options.limits.connections = 1; });
  EXPECT_FALSE(one.closed);
  EXPECT_EQ(answer(), "HTTP/1.1 503");
}

TEST_F(ReloadTest, AFirstLimitIsForThoseWhoAreConnectedAndForThoseWhoJustCome) {
  start();
  CoreClient& open = node->native();
  CoreClient& coming = node->connect();
  const std::string request = CoreHarness::request("/ws/connect");
  node->bytes(coming, request.substr(0, 20));
  reload([](CoreOptions& options) {
    options.rate.messages_per_second = 1;
    options.rate.burst = 2;
  });
  node->bytes(coming, request.substr(20));
  node->run();
  (void)node->take_head(coming);
  for (CoreClient* client : {&open, &coming}) {
    for (int i = 0; i < 4; ++i) node->say(*client, R"({"type":"ping","id":1})");
    const Texts texts = CoreHarness::take_texts(*client);
    EXPECT_TRUE(std::ranges::any_of(texts, [](const std::string& text) {
      return text.find("rate_limited") != std::string::npos;
    })) << (client == &open ? "open" : "coming");
  }
}

TEST_F(ReloadTest, EveryConnectionHasTheNewLimitOfSubscriptions) {
  first.limits.subscriptions = 1;
  start();
  CoreClient& client = node->native();
  const auto asked = [&](std::string_view channel) {
    node->say(client, subscribe(channel));
    return CoreHarness::take_texts(client).at(0);
  };
  EXPECT_TRUE(asked("a").contains("subscribed"));
  EXPECT_TRUE(asked("b").contains("too_many_subscriptions"));
  reload([](CoreOptions& options) { options.limits.subscriptions = 2; });
  EXPECT_TRUE(asked("b").contains("subscribed"));
  reload([](CoreOptions& options) { options.limits.subscriptions = 1; });
  EXPECT_TRUE(asked("c").contains("too_many_subscriptions"));
  node->say(client, publish("b"));
  EXPECT_EQ(messages_in(CoreHarness::take_texts(client)), 1U) << "what it had it keeps";
}

TEST_F(ReloadTest, ChannelsAreMadeUpToTheNewLimitAndNoneIsTakenAway) {
  first.limits.channels = 1;
  start();
  CoreClient& client = node->native();
  const auto asked = [&](std::string_view channel) {
    node->say(client, publish(channel));
    return CoreHarness::take_texts(client).at(0);
  };
  EXPECT_TRUE(asked("a").contains("published"));
  EXPECT_TRUE(asked("b").contains("overloaded"));
  reload([](CoreOptions& options) { options.limits.channels = 3; });
  EXPECT_TRUE(asked("b").contains("published"));
  reload([](CoreOptions& options) { options.limits.channels = 1; });
  EXPECT_TRUE(asked("c").contains("overloaded"));
  EXPECT_TRUE(asked("b").contains("published"));
}

struct MessageBytesRow {
  std::string_view sentence;
  std::uint32_t bytes;  // limits.message_bytes after the reload
  std::uint16_t code;   // that a message of 6,000 bytes is closed with; 0: it is taken
};
TEST_F(ReloadTest, MessagesAreBoundedByTheNewLimitAlsoOfConnectionsThatWereThereBefore) {
  constexpr MessageBytesRow kRows[] = {{"lower", 5'000, 1'009}, {"the same", 8'000, 0}, {"higher", 20'000, 0}};
  for (const MessageBytesRow& row : kRows) {
    start();
    CoreClient& before = node->native();
    reload([&](CoreOptions& options) { options.limits.message_bytes = row.bytes; });
    CoreClient& after = node->native();
    for (CoreClient* client : {&before, &after}) {
      node->say(*client, publish("a", "\"" + std::string(6'000, 'x') + "\""));
      EXPECT_EQ(CoreHarness::take_close(*client), row.code) << row.sentence;
    }
    node.reset();
  }
}

TEST_F(ReloadTest, AMessageThatHasBegunMayEnd) {
  start();
  CoreClient& client = node->native();
  const std::string frame = CoreHarness::masked(Opcode::text, publish("a", "\"" + std::string(6'000, 'x') + "\""));
  node->bytes(client, std::string_view{frame}.substr(0, 3'000));
  reload([](CoreOptions& options) { options.limits.message_bytes = 1'000; });
  node->bytes(client, std::string_view{frame}.substr(3'000));
  node->run();
  const Texts texts = CoreHarness::take_texts(client);
  ASSERT_EQ(texts.size(), 1U);
  EXPECT_TRUE(texts[0].contains("published"));
}

TEST_F(ReloadTest, HeartbeatsBeginEndAndChangeTheirPaceForThoseWhoAreThere) {
  start();
  CoreClient& client = node->native();
  const auto pings_in = [&](nanoseconds time) {
    std::size_t pings = 0;
    for (int i = 0; i < 10; ++i) {
      node->advance(time / 10);
      for (const ReceivedFrame& frame : CoreHarness::take_frames(client)) pings += frame.opcode == Opcode::ping ? 1 : 0;
      node->pong(client);
    }
    return pings;
  };
  EXPECT_EQ(pings_in(seconds{100}), 0U);
  reload([](CoreOptions& options) { options.heartbeat.interval = seconds{10}; });
  EXPECT_GE(pings_in(seconds{100}), 9U);
  reload([](CoreOptions& options) { options.heartbeat.interval = seconds{50}; });
  EXPECT_LE(pings_in(seconds{100}), 3U);
  reload([](CoreOptions& options) { options.heartbeat.interval = seconds{0}; });
  EXPECT_EQ(pings_in(seconds{100}), 0U);
  reload([](CoreOptions& options) { options.limits.idle_time = seconds{20}; });
  node->advance(seconds{25});
  EXPECT_EQ(CoreHarness::take_close(client), 1'000) << "silence is the sign again, and its time is the new one";
}

TEST_F(ReloadTest, WhoMayConnectIsDecidedByTheNewOrigins) {
  start();
  const auto status = [&](std::string_view origin) {
    CoreClient& client = node->connect();
    node->bytes(client, CoreHarness::request("/ws/connect", "Origin: " + std::string{origin} + "\r\n"));
    node->run();
    return client.received.substr(9, 3);
  };
  EXPECT_EQ(status("https://desk.example"), "403");
  reload([](CoreOptions& options) { options.access.origins = {"https://desk.example"}; });
  EXPECT_EQ(status("https://desk.example"), "101");
  reload([](CoreOptions& options) { options.access.origins.clear(); });
  EXPECT_EQ(status("https://desk.example"), "403");
}

TEST_F(ReloadTest, TooManyErrorsAreCountedByTheNewBound) {
  start();
  CoreClient& client = node->native();
  reload([](CoreOptions& options) { options.errors.errors_max = 1; });
  node->say(client, "nonsense");
  EXPECT_FALSE(client.server_fin);
  node->say(client, "nonsense");
  EXPECT_EQ(CoreHarness::take_close(client), 4'003);
}

// ---- namespaces ----

struct Place {
  std::string_view name;
  std::uint32_t shards;
  std::uint32_t home;  // of the channel; its reader is on shard 0
};
class ReloadRulesTest : public ReloadTest, public testing::WithParamInterface<Place> {
 protected:
  void begin() {
    if (first.namespaces.empty()) first.namespaces.push_back({});  // for every channel
    start(GetParam().shards);
    channel = node->channel_on(GetParam().home);
    publisher = &node->native(GetParam().home);
    reader = &node->native(0);
    node->say(*reader, subscribe(channel));
    (void)CoreHarness::take_texts(*reader);
  }
  void publish_some(int count, std::size_t bytes = 1'000) {
    for (int i = 0; i < count; ++i) node->say(*publisher, publish(channel, "\"" + std::string(bytes, 'x') + "\""));
  }
  /// What a reader that takes nothing for a while is told of it: the end, or of a gap.
  std::string fate_of_the_slow() {
    reader->room = 0;
    publish_some(64);
    node->advance(seconds{1});
    node->make_room(*reader);
    node->run();
    const auto frames = CoreHarness::take_frames(*reader);
    if (!frames.empty() && frames.back().opcode == Opcode::close) return "closed";
    for (const ReceivedFrame& frame : frames) {
      if (frame.payload.contains(R"("reason":"conflated")")) return "conflated";
      if (frame.payload.contains(R"("reason":"dropped")")) return "dropped";
    }
    return "served";
  }
  std::string channel;
  CoreClient* publisher = nullptr;
  CoreClient* reader = nullptr;
};
constexpr Place kPlaces[] = {{"one shard", 1, 0}, {"at home", 2, 0}, {"over the mesh", 2, 1}};
INSTANTIATE_TEST_SUITE_P(Everywhere, ReloadRulesTest, testing::ValuesIn(kPlaces));

struct SlowRow {
  std::string_view fate;
  SlowPolicy slow;
  std::uint32_t lag_messages;
};
TEST_P(ReloadRulesTest, AChannelThatExistsTakesTheNewLagAndWhatBecomesOfTheSlow) {
  constexpr SlowRow kRows[] = {{"served", SlowPolicy::disconnect, 4'096},
                               {"dropped", SlowPolicy::drop_oldest, 8},
                               {"conflated", SlowPolicy::conflate, 8},
                               {"closed", SlowPolicy::disconnect, 8}};
  for (const SlowRow& row : kRows) {
    begin();
    EXPECT_EQ(fate_of_the_slow(), "served");
    reload([&](CoreOptions& options) {
      options.namespaces[0].slow = row.slow;
      options.namespaces[0].lag.messages = row.lag_messages;
    });
    EXPECT_EQ(fate_of_the_slow(), row.fate);
    (void)node->ledger();
    node.reset();
  }
}

TEST_P(ReloadRulesTest, HistoryIsKeptByTheNewBounds) {
  begin();
  const auto kept_bytes = [&] { return node->budget(GetParam().home).used(Purpose::history); };
  publish_some(500);
  EXPECT_GT(kept_bytes(), 400'000U);
  reload([](CoreOptions& options) { options.namespaces[0].history.messages = 1; });
  publish_some(1);
  EXPECT_LT(kept_bytes(), 150'000U) << "whole blocks go, with the next message";
  reload([](CoreOptions& options) { options.namespaces[0].history.age = milliseconds{100}; });
  node->advance(seconds{1});
  node->say(*publisher, R"({"type":"history","id":6,"channel":")" + channel + R"("})");
  EXPECT_TRUE(CoreHarness::take_texts(*publisher).back().contains(R"("messages":[])"));
}

TEST_P(ReloadRulesTest, NewsThatWaitsForCompanyGoesOutAndTheNextWaitsAsTheNewRuleSays) {
  first.namespaces.push_back({});
  first.namespaces[0].batch_delay = seconds{2};
  begin();
  const auto arrived = [&] { return messages_in(CoreHarness::take_texts(*reader)); };
  publish_some(1);
  EXPECT_EQ(arrived(), 0U);
  reload([](CoreOptions& options) { options.namespaces[0].batch_delay = milliseconds{0}; });
  EXPECT_EQ(arrived(), 1U);
  publish_some(1);
  EXPECT_EQ(arrived(), 1U) << "nothing waits any more";
  reload([](CoreOptions& options) { options.namespaces[0].batch_delay = seconds{1}; });
  publish_some(1);
  EXPECT_EQ(arrived(), 0U);
  node->advance(seconds{2});
  EXPECT_EQ(arrived(), 1U);
}

TEST_P(ReloadRulesTest, AJoinerIsGivenTheStateThatTheNewRuleKeeps) {
  begin();
  publish_some(3, 10);
  const auto given = [&] {
    CoreClient& joiner = node->native(0);
    node->say(joiner, subscribe(channel));
    return messages_in(CoreHarness::take_texts(joiner));
  };
  EXPECT_EQ(given(), 0U);
  reload([](CoreOptions& options) { options.namespaces[0].state = StateKeeping::last; });
  EXPECT_EQ(given(), 1U);
}

TEST_P(ReloadRulesTest, WhatAChannelCarriesStaysAsItBegan) {
  begin();
  reload([](CoreOptions& options) { options.namespaces[0].payload = PayloadKind::binary; });
  publish_some(1, 10);
  EXPECT_EQ(messages_in(CoreHarness::take_texts(*reader)), 1U) << "its readers read JSON";
  node->say(*reader, subscribe(node->channel_on(GetParam().home, "later")));
  EXPECT_TRUE(CoreHarness::take_texts(*reader).at(0).contains("not_supported"));
}

TEST_P(ReloadRulesTest, APriorityIsGivenAndTakenAway) {
  begin();
  for (const Priority priority : {Priority::high, Priority::normal}) {
    reload([&](CoreOptions& options) { options.namespaces[0].priority = priority; });
    publish_some(3, 10);
    EXPECT_EQ(messages_in(CoreHarness::take_texts(*reader)), 3U);
  }
}

TEST_P(ReloadRulesTest, TwoReloadsInARowLeaveNothingOfTheFirst) {
  begin();
  publish_some(1);
  for (int i = 0; i < 20; ++i) {
    auto fresh = std::make_unique<CoreOptions>(*in_force);
    fresh->namespaces[0].lag.messages = 100 + static_cast<std::uint32_t>(i);
    for (std::uint32_t shard = 0; shard < first.shards; ++shard) node->core(shard).reconfigure(*fresh);
    in_force = std::move(fresh);
    publish_some(1);
  }
  node->advance(2 * kHousekeepingInterval);
  publish_some(1);
  EXPECT_EQ(messages_in(CoreHarness::take_texts(*reader)), 22U);
}

/// A reload reaches one shard before the other, and meanwhile a channel begins.
TEST_F(ReloadTest, WhereShardsDisagreeOnWhatAChannelCarriesNobodyIsSentBytesAsJson) {
  first.namespaces.push_back({});
  start(2);
  const std::string channel = node->channel_on(1);
  auto fresh = std::make_unique<CoreOptions>(*in_force);
  fresh->namespaces[0].payload = PayloadKind::binary;
  node->core(1).reconfigure(*fresh);  // the home; the reader's shard does not know yet
  CoreClient& reader = node->native(0);
  node->say(reader, subscribe(channel));
  EXPECT_TRUE(CoreHarness::take_texts(reader).at(0).contains("overloaded")) << "to be tried again";
  node->core(0).reconfigure(*fresh);
  in_force = std::move(fresh);
  node->advance(2 * kHousekeepingInterval);
  node->say(reader, subscribe(channel));
  EXPECT_TRUE(CoreHarness::take_texts(reader).at(0).contains("not_supported"));
}

}  // namespace
}  // namespace ringcast
