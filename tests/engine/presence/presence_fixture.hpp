// tests/engine/presence/presence_fixture.hpp: a node whose clients have users, and what they are told.
//
// Owner    the test.  Thread  one.  Memory  the test's.  Failure  ensure(), or the test's own expectations.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/stats/counters.hpp"
#include "tests/doubles/core_harness.hpp"

namespace ringcast {

using Texts = std::vector<std::string>;

inline CoreOptions with_presence(std::uint32_t shards, milliseconds grace = milliseconds{5'000}) {
  CoreOptions options;
  options.shards = shards;
  options.limits.message_bytes = 8'000;
  NamespaceRule rule;
  rule.match = "room>";
  rule.presence = true;
  rule.presence_grace = grace;
  options.namespaces.push_back(rule);
  return options;
}

inline std::string member(std::string_view name, std::string_view value) {
  return "\"" + std::string{name} + "\":\"" + std::string{value} + "\"";
}
inline std::string joined(std::string_view channel, std::string_view user) {
  return R"({"type":"user_joined",)" + member("channel", channel) + "," + member("user", user) + "}";
}
inline std::string left(std::string_view channel, std::string_view user) {
  return R"({"type":"user_left",)" + member("channel", channel) + "," + member("user", user) + "}";
}

/// On one shard, and on three: everything is the same for whoever is connected.
class PresenceNode : public testing::TestWithParam<std::uint32_t> {
 protected:
  explicit PresenceNode(CoreOptions with) : node{std::move(with)}, shards{node.options.shards} {}
  PresenceNode() : PresenceNode(with_presence(GetParam())) {}

  /// A native client of a user (or of nobody), past its welcome and its personal channel.
  CoreClient& client(std::string_view user, std::uint32_t shard = 0) {
    std::string target = "/ws/connect";
    if (!user.empty()) target += "?user=" + std::string{user};
    CoreClient& made = node.open(target, shard);
    const Texts texts = CoreHarness::take_texts(made);
    ensure(texts.size() == (user.empty() ? 1U : 2U), "who has a user has joined its personal channel");
    return made;
  }
  /// The same, subscribed; what it was told of itself is taken off.
  CoreClient& reader(std::string_view user, std::string_view channel, std::uint32_t shard = 0) {
    CoreClient& made = client(user, shard);
    subscribe(made, channel);
    return made;
  }
  void subscribe(CoreClient& who, std::string_view channel) {
    node.say(who, R"({"type":"subscribe","channels":[")" + std::string{channel} + "\"]}");
    const Texts texts = CoreHarness::take_texts(who);
    ensure(!texts.empty() && texts[0].starts_with(R"({"type":"subscribed")"), "a subscribe is answered first");
  }
  void unsubscribe(CoreClient& who, std::string_view channel) {
    node.say(who, R"({"type":"unsubscribe","channels":[")" + std::string{channel} + "\"]}");
    CoreHarness::take_texts(who);
  }
  void leave(CoreClient& who) {
    node.end(who);
    node.run();
  }
  Texts got(CoreClient& who) { return CoreHarness::take_texts(who); }
  /// The answer to a question, which is the only thing that comes.
  std::string ask(CoreClient& who, std::string_view rest) {
    node.say(who, R"({"type":"presence","id":1,)" + std::string{rest} + "}");
    const Texts texts = got(who);
    EXPECT_EQ(texts.size(), 1U) << "one answer, and nothing else";
    return texts.empty() ? std::string{} : texts.back();
  }
  std::string list(CoreClient& who, std::string_view channel) { return ask(who, member("channel", channel)); }
  [[nodiscard]] static std::string listed(std::string_view channel, std::initializer_list<std::string_view> users,
                                          std::uint64_t anonymous = 0) {
    std::string text = R"({"type":"presence","id":1,)" + member("channel", channel) + R"(,"count":)" +
                       std::to_string(users.size()) + R"(,"anonymous":)" + std::to_string(anonymous) + R"(,"users":[)";
    for (const std::string_view user : users) {
      if (text.back() != '[') text += ',';
      text += "\"" + std::string{user} + "\"";
    }
    return text + "]}";
  }
  [[nodiscard]] std::uint32_t shard(std::uint32_t any) const { return any % shards; }

  CoreHarness node;
  std::uint32_t shards;
};

}  // namespace ringcast
