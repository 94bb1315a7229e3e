// Who may do what on each endpoint (docs/protocol.md section 10), as one table for requests and one for commands.
// The same with the real program: tests/system/access_test.py.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "engine/access/authenticator.hpp"
#include "engine/access/token_signer.hpp"
#include "tests/doubles/binary_records.hpp"
#include "tests/doubles/core_harness.hpp"
#include "tests/doubles/test_keys.hpp"

namespace ringcast {
namespace {

std::string token_of(std::string_view claims, std::string_view sub = "alice", std::int64_t lives = 3'600) {
  const std::string text = R"({"sub":")" + std::string{sub} + R"(","exp":)" + std::to_string(1'790'000'000 + lives) +
                           (claims.empty() ? "" : ",") + std::string{claims} + "}";
  return *sign_token(text, *read_secret(test_keys::kSecret));
}

struct Identity {
  std::string_view name;
  std::string token;  // empty: none
};
const Identity kNobody{"nobody", ""};
const Identity kBad{"somebody whose token is not good", token_of("", "alice", -60)};
const Identity kOut{"somebody whose token was revoked", token_of(R"("subscribe":[">"])", "mallory")};
const Identity kBare{"a user with no permission", token_of("")};
const Identity kReader{"a reader of orders.*", token_of(R"("subscribe":["orders.*"])")};
const Identity kWriter{"a writer of orders.*", token_of(R"("publish":["orders.*"])")};
const Identity kAll{"a reader and writer of everything", token_of(R"("subscribe":[">"],"publish":[">"])")};
const Identity kAdmin{"an administrator", token_of(R"("admin":true)")};

Authenticator make_authenticator() {
  AuthenticatorRules rules;
  rules.keys = *read_verify_keys(test_keys::kSecret);
  rules.revocations = *Revocations::read("user mallory\n");
  return Authenticator{std::move(rules)};
}

// ---- requests ----

constexpr std::array<std::string_view, 13> kTargets{"/ws/connect",
                                                    "/ws",
                                                    "/ws/orders.a",
                                                    "/ws/secret",
                                                    "/ws/$sys",
                                                    "/stream?streams=orders.a",
                                                    "/stream?streams=orders.a/secret",
                                                    "/echo",
                                                    "/stream",
                                                    "/ws/orders.*",
                                                    "/ws/secret.*",
                                                    "/nothing",
                                                    "/sse?channels=orders.a"};

struct RequestRow {
  const Identity& who;
  std::array<int, kTargets.size()> statuses;
};

TEST(AccessMatrix, EachIdentityGetsFromEachEndpointWhatTheTableSays) {
  const RequestRow rows[] = {
      // /ws/connect /ws orders.a secret $sys stream a, a and secret /echo /stream orders.* secret.* /nothing /sse
      {kNobody, {101, 101, 401, 401, 401, 401, 401, 401, 401, 401, 401, 404, 404}},
      {kBad, {401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 404, 404}},
      {kOut, {401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 401, 404, 404}},
      {kBare, {101, 101, 403, 403, 403, 403, 403, 101, 101, 403, 403, 404, 404}},
      {kReader, {101, 101, 101, 403, 403, 101, 403, 101, 101, 101, 403, 404, 404}},
      {kWriter, {101, 101, 403, 403, 403, 403, 403, 101, 101, 403, 403, 404, 404}},
      {kAll, {101, 101, 101, 101, 403, 101, 101, 101, 101, 101, 101, 404, 404}},
      {kAdmin, {101, 101, 403, 403, 101, 403, 403, 101, 101, 403, 403, 404, 404}},
  };
  const Authenticator authenticator = make_authenticator();
  CoreOptions options;
  options.access.authenticates = true;
  options.echo = true;
  for (const RequestRow& row : rows) {
    for (std::size_t i = 0; i < kTargets.size(); ++i) {
      SCOPED_TRACE(testing::Message() << row.who.name << " at " << kTargets[i]);
      CoreHarness node{options, 0, 0, nullptr, &authenticator};
      CoreClient& client = node.connect();
      const std::string field =
          row.who.token.empty() ? std::string{} : "Authorization: Bearer " + row.who.token + "\r\n";
      node.bytes(client, CoreHarness::request(kTargets[i], field));
      node.run();
      const std::string head = node.take_head(client);
      EXPECT_EQ(head.substr(0, 13), "HTTP/1.1 " + std::to_string(row.statuses[i]) + " ");
      EXPECT_EQ(head.contains("WWW-Authenticate: Bearer"), row.statuses[i] == 401) << head;
    }
  }
}

// ---- commands ----

/// Commands are JSON, and one is a greeting; a record begins with its version.
bool is_text(std::string_view command) { return command.front() >= ' '; }

enum class Answer : std::uint8_t { granted, unauthorized, auth_required };

struct Operation {
  std::string_view name;
  std::string command;  // a record if it is no JSON
};
std::string subscribe(std::string_view channel) {
  return R"({"type":"subscribe","id":1,"channels":[")" + std::string{channel} + R"("]})";
}
std::string publish(std::string_view channel) {
  return R"({"type":"publish","id":1,"channel":")" + std::string{channel} + R"(","data":1})";
}
std::string history(std::string_view channel) {
  return R"({"type":"history","id":1,"channel":")" + std::string{channel} + R"("})";
}
const std::array<Operation, 18> kOperations{{
    {"subscribe to orders.a", subscribe("orders.a")},
    {"subscribe to secret", subscribe("secret")},
    {"subscribe to $sys/x", subscribe("$sys/x")},
    {"subscribe to one's own channel", subscribe("user:alice")},
    {"subscribe to another's", subscribe("user:bob")},
    {"publish to orders.a", publish("orders.a")},
    {"publish to secret", publish("secret")},
    {"publish to $sys/x", publish("$sys/x")},
    {"publish a record to orders.a", record_of({.channel = "orders.a", .data = "1", .flags = RCB_ANSWER})},
    {"history of orders.a", history("orders.a")},
    {"history of secret", history("secret")},
    {"history of another's channel", history("user:bob")},
    {"subscribe to the pattern orders.*", subscribe("orders.*")},
    {"subscribe to the pattern secret.*", subscribe("secret.*")},
    {"subscribe to everything", subscribe(">")},
    {"subscribe to the server's channels", subscribe("$sys/*")},
    {"who is in secret", R"({"type":"presence","id":1,"channel":"secret"})"},
    {"where another user is", R"({"type":"presence","id":1,"user":"bob"})"},
}};

struct CommandRow {
  const Identity& who;
  std::array<Answer, kOperations.size()> answers;
};

Answer answer_of(const std::vector<ReceivedFrame>& frames) {
  for (const ReceivedFrame& frame : frames) {
    if (frame.opcode == Opcode::binary) {
      const ServerRecord record = read_records(frame.payload).at(0);
      if (record.header.kind != RCB_ERROR) continue;
      return number_at(record, 8, 4) == RCB_AUTH_REQUIRED ? Answer::auth_required : Answer::unauthorized;
    }
    if (frame.payload.contains(R"("code":"auth_required")")) return Answer::auth_required;
    if (frame.payload.contains(R"("code":"unauthorized")")) return Answer::unauthorized;
  }
  return Answer::granted;
}

TEST(AccessMatrix, EachIdentityMayCarryOutWhatTheTableSays) {
  constexpr Answer y = Answer::granted, n = Answer::unauthorized, t = Answer::auth_required;
  const CommandRow rows[] = {
      // subscribe: orders.a secret $ own other's; publish: orders.a secret $ record; history: orders.a secret other's;
      // patterns: orders.* secret.* > $; presence: secret, another user
      {kNobody, {t, t, t, t, t, t, t, t, t, t, t, t, t, t, t, t, t, t}},
      {kBare, {n, n, n, y, n, n, n, n, n, n, n, n, n, n, n, n, n, n}},
      {kReader, {y, n, n, y, n, n, n, n, n, y, n, n, y, n, y, n, n, n}},
      {kWriter, {n, n, n, y, n, y, n, n, y, n, n, n, n, n, n, n, n, n}},
      {kAll, {y, y, n, y, n, y, y, n, y, y, y, n, y, y, y, n, y, n}},
      {kAdmin, {n, n, y, y, n, n, n, n, n, n, n, n, n, n, n, y, n, y}},
  };
  const Authenticator authenticator = make_authenticator();
  CoreOptions options;
  options.access.authenticates = true;
  options.errors.errors_max = 0;
  for (const std::uint32_t shards : {1U, 2U}) {
    options.shards = shards;
    for (const CommandRow& row : rows) {
      CoreHarness node{options, 0, 0, nullptr, &authenticator};
      std::string fields = "Sec-WebSocket-Protocol: ringcast.v1.bin\r\n";
      if (!row.who.token.empty()) fields += "Authorization: Bearer " + row.who.token + "\r\n";
      CoreClient& client = node.open("/ws/connect", 0, fields);
      (void)CoreHarness::take_frames(client);
      std::uint64_t refused = 0;
      for (std::size_t i = 0; i < kOperations.size(); ++i) {
        SCOPED_TRACE(testing::Message() << row.who.name << ": " << kOperations[i].name << ", shards: " << shards);
        const bool text = is_text(kOperations[i].command);
        node.bytes(client, CoreHarness::masked(text ? Opcode::text : Opcode::binary, kOperations[i].command));
        node.run();
        EXPECT_EQ(answer_of(CoreHarness::take_frames(client)), row.answers[i]);
        refused += row.answers[i] == Answer::unauthorized ? 1 : 0;
      }
      EXPECT_EQ(node.count(CounterId::errors_sent_unauthorized), refused);
      EXPECT_EQ(
          node.count(CounterId::permissions_refused_subscribe) + node.count(CounterId::permissions_refused_publish),
          refused);
    }
  }
}

// ---- the same commands by every door ----

struct Attempt {
  std::string_view door, target, fields;
  std::string command;  // a record if it is no text
};
std::string exchange(std::string_view stream) {
  return R"({"method":"SUBSCRIBE","params":[")" + std::string{stream} + R"("],"id":1})";
}
constexpr std::string_view kBinary = "Sec-WebSocket-Protocol: ringcast.v1.bin\r\n";
const std::array<Attempt, 14> kAttempts{{
    {"/ws, native by its first message: read orders.a", "/ws", "", subscribe("orders.a")},
    {"/ws, native by its first message: read secret", "/ws", "", subscribe("secret")},
    {"/ws, native by its first message: write orders.a", "/ws", "", publish("orders.a")},
    {"/ws, the exchange's by its first message: read orders.a", "/ws", "", exchange("orders.a")},
    {"/ws, the exchange's by its first message: read secret", "/ws", "", exchange("secret")},
    {"/ws, the exchange's by its first message: read secret.*", "/ws", "", exchange("secret.*")},
    {"/ws, binary: write orders.a", "/ws", kBinary,
     record_of({.channel = "orders.a", .data = "1", .flags = RCB_ANSWER})},
    {"/ws, binary: write secret", "/ws", kBinary, record_of({.channel = "secret", .data = "1", .flags = RCB_ANSWER})},
    {"/stream: read orders.a", "/stream", "", exchange("orders.a")},
    {"/stream: read secret", "/stream", "", exchange("secret")},
    {"/ws/orders.a: read secret, too", "/ws/orders.a", "", exchange("secret")},
    {"/ws/orders.a: read what it has again", "/ws/orders.a", "", exchange("orders.a")},
    {"/echo", "/echo", "", "hello"},
    {"/sse", "/sse?channels=orders.a", "", subscribe("orders.a")},
}};

struct AttemptRow {
  const Identity& who;
  std::string_view answers;  // one a door: y granted, n unauthorized, t a token is required, x it does not open
};

TEST(AccessMatrix, WhateverTheDoorEachIdentityMayDoTheSame) {
  const AttemptRow rows[] = {
      // native: a secret write; exchange: a secret secret.*; records: a secret; /stream: a secret; /ws/a: secret a;
      // /echo /sse
      {kNobody, "ttttttttxxxxxx"},
      {kBad, "xxxxxxxxxxxxxx"},
      {kOut, "xxxxxxxxxxxxxx"},
      {kBare, "nnnnnnnnnnxxyx"},
      {kReader, "ynnynnnnynnyyx"},
      {kWriter, "nnynnnynnnxxyx"},
      {kAll, "yyyyyyyyyyyyyx"},
      {kAdmin, "nnnnnnnnnnxxyx"},
  };
  const Authenticator authenticator = make_authenticator();
  CoreOptions options;
  options.access.authenticates = true;
  options.echo = true;
  for (const AttemptRow& row : rows) {
    ASSERT_EQ(row.answers.size(), kAttempts.size());
    for (std::size_t i = 0; i < kAttempts.size(); ++i) {
      const Attempt& attempt = kAttempts[i];
      SCOPED_TRACE(testing::Message() << row.who.name << " at " << attempt.door);
      CoreHarness node{options, 0, 0, nullptr, &authenticator};
      CoreClient& client = node.connect();
      std::string fields{attempt.fields};
      if (!row.who.token.empty()) fields += "Authorization: Bearer " + row.who.token + "\r\n";
      node.bytes(client, CoreHarness::request(attempt.target, fields));
      node.run();
      if (!node.take_head(client).starts_with("HTTP/1.1 101 ")) {
        EXPECT_EQ('x', row.answers[i]);
        continue;
      }
      (void)CoreHarness::take_frames(client);
      const bool text = is_text(attempt.command);
      node.bytes(client, CoreHarness::masked(text ? Opcode::text : Opcode::binary, attempt.command));
      node.run();
      const char got = node.count(CounterId::errors_sent_auth_required) != 0  ? 't'
                       : node.count(CounterId::errors_sent_unauthorized) != 0 ? 'n'
                                                                              : 'y';
      EXPECT_EQ(got, row.answers[i]);
      EXPECT_FALSE(CoreHarness::take_frames(client).empty()) << "it is answered";
      EXPECT_FALSE(client.server_fin) << "and may try something else";
    }
  }
}

}  // namespace
}  // namespace ringcast
