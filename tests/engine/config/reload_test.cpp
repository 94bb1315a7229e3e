#include "engine/config/reload.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/channel/namespace_rules.hpp"
#include "engine/config/assign.hpp"
#include "engine/config/schema.hpp"
#include "tests/doubles/temporary_file.hpp"

namespace ringcast {
namespace {

Configuration loaded(std::string_view text, std::vector<Setting> flags = {}) {
  const TemporaryFile file{text.empty() ? "#" : text};
  auto configuration = load_configuration({.file = file.path(), .environment = {}, .flags = std::move(flags)});
  if (!configuration) ADD_FAILURE() << text_of(configuration.error().front());
  return configuration ? *std::move(configuration) : Configuration{};
}

/// "limits.channels 100000 -> 5 live", one a line.
std::string text_of(const std::vector<ReloadChange>& changes) {
  std::string text;
  for (const ReloadChange& change : changes) {
    text += change.key + " " + change.before + " -> " + change.after + " " + std::string{word_of(change.effect)};
    text += change.note.empty() ? "\n" : " (" + change.note + ")\n";
  }
  return text;
}

struct ChangeRow {
  std::string_view sentence;
  std::string_view before;
  std::string_view after;
  std::string_view changes;
};
const ChangeRow kChanges[] = {
    {"nothing", "limits.channels = 5\n", "limits = { channels = 5 }\n", ""},
    {"a limit", "", "limits.channels = 5\n", "limits.channels 100000 -> 5 live\n"},
    {"what is gone is the default again", "limits.channels = 5\n", "", "limits.channels 5 -> 100000 live\n"},
    {"what cannot change", "", "name = \"b\"\nshards.count = 2\n",
     "name \"default\" -> \"b\" restart\nshards.count 0 -> 2 restart\n"},
    {"what new connections get", "", "access.origins = [\"https://a\"]\n",
     "access.origins [] -> [\"https://a\"] new\n"},
    {"more connections than there is room for", "", "limits.connections = 2001\n",
     "limits.connections 10000 -> 2001 restart (the rings of this node have room for 2000)\n"},
    {"as many as there is room for", "", "limits.connections = 2000\n", "limits.connections 10000 -> 2000 live\n"},
    {"messages that do not fit", "", "limits.message_bytes = \"2MiB\"\n",
     "limits.message_bytes \"1MiB\" -> \"2MiB\" restart (the lanes of this node have room for 1MiB)\n"},
    {"other certificates", "tls.certificate = \"a\"\ntls.key = \"b\"\n", "tls.certificate = \"c\"\ntls.key = \"b\"\n",
     "tls.certificate [\"a\"] -> [\"c\"] new\n"},
    {"TLS on the admin port", "tls.certificate = \"a\"\ntls.key = \"b\"\n",
     "tls.certificate = \"a\"\ntls.key = \"b\"\ntls.admin = true\n", "tls.admin false -> true restart\n"},
    {"TLS where there was none", "", "tls.certificate = \"a\"\ntls.key = \"b\"\n",
     "tls.certificate [] -> [\"a\"] restart (whether a node speaks TLS is settled when it starts)\n"
     "tls.key [] -> [\"b\"] restart (whether a node speaks TLS is settled when it starts)\n"},
    {"a rule that is new", "", "[[namespace]]\nmatch = \"a\"\n", "namespace a  -> in force live\n"},
    {"a rule that is gone", "[[namespace]]\nmatch = \"a\"\n", "", "namespace a in force ->  live\n"},
    {"a rule that changes", "[[namespace]]\nmatch = \"a\"\nlag.messages = 5\n",
     "[[namespace]]\nmatch = \"a\"\nlag.messages = 6\nslow = \"conflate\"\n",
     "namespace a lag.messages 5 -> 6 live\nnamespace a slow \"disconnect\" -> \"conflate\" live\n"},
    {"a shipped rule that is replaced", "", "[[namespace]]\nmatch = \"*@trade\"\nlag.messages = 7\n",
     "namespace *@trade lag.messages 4096 -> 7 live\n"
     "namespace order *@bookTicker, *@trade, *@aggTrade, *@depth>, > -> "
     "*@trade, *@bookTicker, *@aggTrade, *@depth>, > live\n"},
    {"what a channel keeps", "[[namespace]]\nmatch = \"a\"\n", "[[namespace]]\nmatch = \"a\"\npayload = \"binary\"\n",
     "namespace a payload \"json\" -> \"binary\" new (channels that exist keep what they began with)\n"},
    {"another order", "[[namespace]]\nmatch = \"a.*\"\n[[namespace]]\nmatch = \"*.b\"\n",
     "[[namespace]]\nmatch = \"*.b\"\n[[namespace]]\nmatch = \"a.*\"\n",
     "namespace order a.*, *.b, *@bookTicker, *@trade, *@aggTrade, *@depth>, > -> "
     "*.b, a.*, *@bookTicker, *@trade, *@aggTrade, *@depth>, > live\n"},
};
TEST(PlanReload, ListsWhatChangesAndWhatHasToWait) {
  for (const ChangeRow& row : kChanges) {
    const auto plan =
        plan_reload(loaded(row.before), loaded(row.after), {.connections = 2'000, .message_bytes = 1U << 20});
    ASSERT_TRUE(plan.has_value()) << row.sentence;
    EXPECT_EQ(text_of(plan->changes), row.changes) << row.sentence;
  }
}

TEST(PlanReload, WhatHasToWaitStaysAsItIsWithItsOrigin) {
  const Configuration running = loaded("name = \"a\"\nlimits.channels = 5\n", {{"shards", "1"}});
  const auto plan = plan_reload(running, loaded("\nname = \"b\"\nlimits.channels = 6\n", {{"shards", "2"}}), {});
  ASSERT_TRUE(plan.has_value());
  const Configuration& after = plan->configuration;
  EXPECT_EQ(after.options.name, "a");
  EXPECT_EQ(after.options.shards.count, 1U);
  EXPECT_EQ(after.options.core.limits.channels, 6U);
  EXPECT_TRUE(after.origins[0].ends_with(":1")) << after.origins[0];
  // The same once more: the values that wait are still different.
  const auto again = plan_reload(after, loaded("\nname = \"b\"\nlimits.channels = 6\n", {{"shards", "2"}}), {});
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(text_of(again->changes), "name \"a\" -> \"b\" restart\nshards.count 1 -> 2 restart\n");
}

TEST(PlanReload, WhatWouldContradictAValueThatStaysIsRefusedAsAWhole) {
  const Configuration running = loaded("listen = \"0.0.0.0:9001\"\naccess.insecure = true\n");
  const Configuration fresh = loaded("listen = \"127.0.0.1:9001\"\nlimits.channels = 5\n");  // sound by itself
  const auto plan = plan_reload(running, fresh, {});
  ASSERT_FALSE(plan.has_value());
  ASSERT_EQ(plan.error().size(), 1U);
  EXPECT_EQ(plan.error()[0].key, "listen");
  EXPECT_TRUE(plan.error()[0].sentence.starts_with("0.0.0.0:9001 is reachable from other hosts"));
  EXPECT_TRUE(plan.error()[0].sentence.ends_with("; it needs a restart (listen)")) << plan.error()[0].sentence;
}

/// Another value of a key that is in its range.
template <class Target>
RawValue another(const KeyRow<Target>& row, Target target) {
  const std::string before = toml_value(row, target);
  const std::string least = std::to_string(row.range.least + 1);
  for (const std::string& text :
       {std::string{"true"}, std::string{"false"}, least, std::string{"8MiB"}, std::string{"11s"}, std::string{"7s"},
        std::string{"other.*"}, std::string{"conflate"}, std::string{"last"}, std::string{"high"},
        std::string{"payload"}, std::string{"channel"}, std::string{"binary"}}) {
    if (assign(row, target, PlainText{text}) && toml_value(row, target) != before) return PlainText{text};
  }
  ADD_FAILURE() << "no other value for " << row.key;
  return PlainText{before};
}

TEST(EffectOfANamespaceKey, IsWhatAChannelThatExistsDoes) {
  for (const auto& row : namespace_keys()) {
    NamespaceRule wanted;
    ASSERT_TRUE(assign(row, wanted, another(row, NamespaceRule{}))) << row.key;
    NamespaceRule channel;
    take_what_may_change(channel, wanted);
    const bool took_it = toml_value(row, channel) == toml_value(row, wanted);
    EXPECT_EQ(took_it, effect_of_namespace_key(row.key) == Effect::live) << row.key;
  }
}

TEST(EffectOfANodeKey, IsARestartUnlessItWasThoughtOf) {
  EXPECT_EQ(effect_of_node_key("name"), Effect::restart);
  EXPECT_EQ(effect_of_node_key("a key that nobody has thought of"), Effect::restart);
  for (const std::string_view key :
       {"limits.connections", "limits.subscriptions", "limits.channels", "limits.message_bytes", "heartbeat.interval",
        "heartbeat.missed_max", "rate.errors_max", "log.level", "shutdown.deadline", "memory.budget"}) {
    EXPECT_EQ(effect_of_node_key(key), Effect::live) << key;
  }
  for (const std::string_view key : {"access.origins", "access.hosts", "compression.enabled"}) {
    EXPECT_EQ(effect_of_node_key(key), Effect::anew) << key;
  }
}

}  // namespace
}  // namespace ringcast
