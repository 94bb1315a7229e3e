// The entitlement record, on a node of shard cores: a line for each subscription that begins, and one for its end.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "engine/access/authenticator.hpp"
#include "engine/access/token_signer.hpp"
#include "tests/doubles/core_harness.hpp"
#include "tests/doubles/test_keys.hpp"

namespace ringcast {
namespace {

using Lines = std::vector<std::string>;

constexpr std::size_t kLane = 1U << 14;

enum class When : std::uint8_t { now, any };

/// "began alice orders", "ended alice orders 60s", and takes them off the shard's lane.
Lines take_lines(CoreHarness& node, std::uint32_t shard = 0, When when = When::now) {
  Lines lines;
  UsageLane& lane = node.usage(shard);
  for (Bytes bytes = lane.peek(); !bytes.empty(); bytes = lane.peek()) {
    const auto record = decode_usage_record(bytes);
    EXPECT_TRUE(record);
    if (!record) break;
    const bool ended = record->kind == UsageRecord::Kind::ended;
    std::string line{ended ? "ended " : "began "};
    line.append(record->user.empty() ? "nobody" : record->user).append(" ").append(record->channel);
    if (ended) {
      line += ' ' + std::to_string(std::chrono::round<seconds>(record->at - record->since).count()) + 's';
    }
    if (when == When::now) {
      EXPECT_EQ(record->at, node.now.wall);
    }
    EXPECT_NE(record->connection, 0U);
    lines.push_back(std::move(line));
    lane.pop();
  }
  lane.release();
  return lines;
}

std::string subscribe(std::string_view channels) {
  return R"({"type":"subscribe","id":1,"channels":[)" + std::string{channels} + "]}";
}

TEST(Usage, SaysWhoBeganAndEndedWhatAndWhen) {
  CoreHarness node{{}, 0, 0, nullptr, nullptr, kLane};
  CoreClient& client = node.native();
  EXPECT_EQ(take_lines(node), Lines{});  // a connection alone uses nothing
  node.say(client, subscribe(R"("orders","trades")"));
  EXPECT_EQ(take_lines(node), (Lines{"began nobody orders", "began nobody trades"}));
  node.say(client, subscribe(R"("orders")"));
  EXPECT_EQ(take_lines(node), Lines{});  // it has that already
  node.say(client, subscribe(R"("$sys/x")"));
  EXPECT_EQ(take_lines(node), Lines{});  // what is refused never began
  node.advance(seconds{20});
  node.pong(client);
  node.say(client, R"({"type":"unsubscribe","channels":["orders"]})");
  EXPECT_EQ(take_lines(node), Lines{"ended nobody orders 20s"});
  node.say(client, subscribe(R"("orders")"));
  EXPECT_EQ(take_lines(node), Lines{"began nobody orders"});
  node.advance(seconds{5});
  node.end(client, ECONNRESET);
  Lines ends = take_lines(node);
  std::ranges::sort(ends);
  EXPECT_EQ(ends, (Lines{"ended nobody orders 5s", "ended nobody trades 25s"}));
  EXPECT_EQ(node.count(CounterId::usage_records), 6U);
}

TEST(Usage, TheTokenNamesTheUserAndTheEndOfAnyKindEndsWhatItHad) {
  AuthenticatorRules rules;
  rules.keys = *read_verify_keys(test_keys::kSecret);
  const Authenticator authenticator{std::move(rules)};
  CoreOptions options;
  options.access.authenticates = true;
  const struct {
    std::string_view sentence;
    void (*end)(CoreHarness&, CoreClient&);
    std::string_view line;
  } rows[] = {
      {"the client closes", [](CoreHarness& node, CoreClient& client) { node.close_frame(client, CloseCode::normal); },
       "ended alice orders 0s"},
      {"its token expires", [](CoreHarness& node, CoreClient&) { node.advance(seconds{91}); },
       "ended alice orders 90s"},
      {"it breaks the rules", [](CoreHarness& node, CoreClient& client) { node.bytes(client, "\xff\xff"); },
       "ended alice orders 0s"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.sentence);
    options.heartbeat.interval = milliseconds{0};
    CoreHarness node{options, 0, 0, nullptr, &authenticator, kLane};
    const std::string claims =
        R"({"sub":"alice","exp":)" + std::to_string(1'790'000'060) + R"(,"subscribe":["orders"]})";
    const std::string field = "Authorization: Bearer " + *sign_token(claims, *read_secret(test_keys::kSecret)) + "\r\n";
    CoreClient& client = node.open("/ws/connect", 0, field);
    (void)take_lines(node);  // of what it was given without asking
    node.say(client, subscribe(R"("orders")"));
    EXPECT_EQ(take_lines(node), Lines{"began alice orders"});
    row.end(node, client);
    node.run();
    const Lines lines = take_lines(node, 0, When::any);
    EXPECT_NE(std::ranges::find(lines, row.line), lines.end()) << (lines.empty() ? "nothing" : lines.front());
  }
}

TEST(Usage, AChangeOfFormIsNoNewBeginning) {
  CoreHarness node{{}, 0, 0, nullptr, nullptr, kLane};
  CoreClient& client = node.open("/ws?user=alice");
  node.say(client, R"({"method":"SUBSCRIBE","params":["orders"],"id":1})");
  EXPECT_EQ(take_lines(node), Lines{"began alice orders"});
  node.say(client, R"({"method":"SET_PROPERTY","params":["combined",true],"id":2})");
  EXPECT_EQ(take_lines(node), Lines{});
}

TEST(Usage, AcrossTheMeshItIsWrittenWhereTheReaderIs) {
  CoreOptions options;
  options.shards = 2;
  CoreHarness node{options, 0, 0, nullptr, nullptr, kLane};
  const std::string channel = node.channel_on(1);
  CoreClient& client = node.native(0);
  node.say(client, subscribe('"' + channel + '"'));
  EXPECT_EQ(take_lines(node, 0), Lines{"began nobody " + channel});
  EXPECT_EQ(take_lines(node, 1), Lines{});
}

TEST(Usage, NobodySubscribesWhileTheRecordIsBehindAndNoEndIsLost) {
  CoreOptions options;
  options.errors.errors_max = 0;
  CoreHarness node{options, 0, 0, nullptr, nullptr, kLane};
  CoreClient& client = node.native();
  int begun = 0;
  for (int i = 0; node.count(CounterId::usage_refusals) == 0; ++i) {
    ASSERT_LT(i, 1'000);
    node.say(client, subscribe("\"channel." + std::to_string(i) + '"'));
    if (node.count(CounterId::usage_refusals) == 0) ++begun;
  }
  const auto texts = CoreHarness::take_texts(client);
  EXPECT_NE(texts.back().find(R"("code":"overloaded")"), std::string::npos) << texts.back();
  node.end(client);  // all of it ends at once, and the lane has no room for that
  std::size_t lines = take_lines(node).size();
  EXPECT_LT(lines, static_cast<std::size_t>(2 * begun));
  CoreClient& other = node.native();
  node.say(other, subscribe(R"("orders")"));
  EXPECT_EQ(node.count(CounterId::usage_refusals), 2U);
  for (int i = 0; i < 100 && !node.core().settle_usage(); ++i) lines += take_lines(node).size();
  lines += take_lines(node).size();
  EXPECT_EQ(lines, static_cast<std::size_t>(2 * begun));
  node.say(other, subscribe(R"("orders")"));
  EXPECT_EQ(take_lines(node), Lines{"began nobody orders"});
}

TEST(Usage, WhatAPatternBindsIsWrittenDownLikeTheRest) {
  CoreHarness node{{}, 0, 0, nullptr, nullptr, kLane};
  CoreClient& client = node.native();
  node.say(client, R"({"type":"publish","channel":"orders.a","data":1})");
  node.say(client, subscribe(R"("orders.*")"));
  EXPECT_EQ(take_lines(node), Lines{"began nobody orders.a"});
  node.say(client, R"({"type":"publish","channel":"orders.b","data":1})");
  EXPECT_EQ(take_lines(node), Lines{"began nobody orders.b"});
  node.say(client, subscribe(R"("orders.b")"));  // it goes on by name
  EXPECT_EQ(take_lines(node), Lines{});
  node.say(client, R"({"type":"unsubscribe","channels":["orders.*"]})");
  EXPECT_EQ(take_lines(node), Lines{"ended nobody orders.a 0s"});
}

TEST(Usage, WhereNoRecordIsKeptNothingIsNoted) {
  CoreHarness node;
  CoreClient& client = node.native();
  node.say(client, subscribe(R"("orders")"));
  EXPECT_EQ(node.count(CounterId::usage_records), 0U);
  EXPECT_TRUE(node.core().settle_usage());
}

}  // namespace
}  // namespace ringcast
