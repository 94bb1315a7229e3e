// The variables that deployments of earlier systems set, as second names of keys.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/config/assign.hpp"
#include "engine/config/load.hpp"
#include "engine/config/schema.hpp"
#include "tests/doubles/temporary_file.hpp"

namespace ringcast {
namespace {

std::string problems_of(const std::vector<Setting>& environment) {
  const auto loaded = load_configuration({.file = {}, .environment = environment, .flags = {}});
  std::string all;
  if (!loaded) {
    for (const ConfigProblem& problem : loaded.error()) all += text_of(problem) + '\n';
  }
  return all;
}

struct OtherNameRow {
  std::string_view sentence;
  Setting variable;
  std::string_view key;    // of the node
  std::string_view value;  // as TOML
};
TEST(OtherVariables, EachIsASecondNameOfItsKey) {
  const OtherNameRow rows[] = {
      {"connections", {"WEBSOCKET_MAX_CONNECTIONS", "500"}, "limits.connections", "500"},
      {"the heartbeat, in milliseconds", {"WEBSOCKET_HEARTBEAT_INTERVAL", "15000"}, "heartbeat.interval", "\"15s\""},
      {"no heartbeat", {"WEBSOCKET_HEARTBEAT_INTERVAL", "0"}, "heartbeat.interval", "\"0s\""},
      {"the time of the silent", {"WEBSOCKET_CONNECTION_TIMEOUT", "90000"}, "limits.idle_time", "\"90s\""},
      {"and in pings", {"WEBSOCKET_CONNECTION_TIMEOUT", "90000"}, "heartbeat.missed_max", "3"},
      {"one ping at the least", {"WEBSOCKET_CONNECTION_TIMEOUT", "20000"}, "heartbeat.missed_max", "1"},
      {"a thousand at the most", {"WEBSOCKET_CONNECTION_TIMEOUT", "600000000"}, "heartbeat.missed_max", "1000"},
      {"empty is not set", {"WEBSOCKET_MAX_CONNECTIONS", ""}, "limits.connections", "10000"},
  };
  for (const OtherNameRow& row : rows) {
    const auto loaded = load_configuration({.file = {}, .environment = {row.variable}, .flags = {}});
    ASSERT_TRUE(loaded.has_value()) << row.sentence << text_of(loaded.error().front());
    const auto keys = node_keys();
    const auto at = std::ranges::find(keys, row.key, &KeyRow<NodeOptions>::key);
    EXPECT_EQ(toml_value(*at, loaded->options), row.value) << row.sentence;
    const std::string origin = row.variable.text.empty() ? "default" : "environment " + row.variable.name;
    EXPECT_EQ(loaded->origins[static_cast<std::size_t>(at - keys.begin())], origin) << row.sentence;
  }
}

TEST(OtherVariables, StandAboveTheFileAndBelowTheKeysOwnVariable) {
  const TemporaryFile file{"limits.connections = 1\nheartbeat = { interval = \"10s\", missed_max = 5 }\n"};
  const auto connections = [&](std::vector<Setting> environment, std::vector<Setting> flags) {
    const auto loaded =
        load_configuration({.file = file.path(), .environment = std::move(environment), .flags = std::move(flags)});
    return loaded.value().options.core.limits.connections;
  };
  const Setting other{"WEBSOCKET_MAX_CONNECTIONS", "2"}, own{"RINGCAST_LIMITS_CONNECTIONS", "3"};
  EXPECT_EQ(connections({}, {}), 1U);
  EXPECT_EQ(connections({other}, {}), 2U);
  EXPECT_EQ(connections({own, other}, {}), 3U) << "whichever stands first";
  EXPECT_EQ(connections({other, own}, {}), 3U);
  EXPECT_EQ(connections({other, own}, {{"limits-connections", "4"}}), 4U);

  const auto missed = [&](std::vector<Setting> environment) {
    environment.push_back({"WEBSOCKET_CONNECTION_TIMEOUT", "30000"});
    const auto loaded = load_configuration({.file = file.path(), .environment = std::move(environment), .flags = {}});
    return loaded.value().options.core.heartbeat.missed_max;
  };
  EXPECT_EQ(missed({}), 3U);
  EXPECT_EQ(missed({{"RINGCAST_HEARTBEAT_MISSED_MAX", "7"}}), 7U);
  EXPECT_EQ(missed({{"RINGCAST_LIMITS_IDLE_TIME", "1m"}}), 5U) << "then it has set nothing at all";
  EXPECT_EQ(missed({{"RINGCAST_HEARTBEAT_INTERVAL", "0s"}}), 5U) << "there are no pings to count";
}

TEST(OtherVariables, OfNamespacesAreTheDefaultOfEveryRule) {
  const TemporaryFile file{
      "[[namespace]]\nmatch = \"a\"\n[[namespace]]\nmatch = \"b\"\nbatch_delay = \"0s\"\ndedupe.entries = 7\n"};
  const auto loaded = load_configuration(
      {.file = file.path(),
       .environment = {{"MESSAGE_BATCH_SIZE", "50"}, {"DEDUPE_CACHE_SIZE", "123"}, {"MESSAGE_BATCH_DELAY", "10"}},
       .flags = {}});
  ASSERT_TRUE(loaded.has_value()) << text_of(loaded.error().front());
  for (const NamespaceRule& rule : loaded->options.core.namespaces) {
    const bool says = rule.match == "b";
    EXPECT_EQ(rule.batch_delay, milliseconds{says ? 0 : 10}) << rule.match;
    EXPECT_EQ(rule.batch_max, says ? 0U : 50U) << rule.match << ": where nothing waits there is nothing to count";
    EXPECT_EQ(rule.dedupe.entries, says ? 7U : 123U) << rule.match;
  }
  const auto rows = namespace_keys();
  const auto at = std::ranges::find(rows, "batch_delay", &KeyRow<NamespaceRule>::key) - rows.begin();
  EXPECT_EQ(loaded->namespaces.front().keys[static_cast<std::size_t>(at)], "environment MESSAGE_BATCH_DELAY");
  EXPECT_EQ(loaded->namespaces.back().keys[static_cast<std::size_t>(at)], "environment MESSAGE_BATCH_DELAY");
}

TEST(OtherVariables, AreCheckedLikeAllOthers) {
  struct Row {
    std::vector<Setting> environment;
    std::string_view reported;
  };
  const Row rows[] = {
      {{{"WEBSOCKET_MAX_CONNECTIONS", "0"}},
       "environment WEBSOCKET_MAX_CONNECTIONS: limits.connections: 0 is out of range: 1 to 10000000\n"},
      {{{"WEBSOCKET_MAX_CONNECTIONS", "many"}},
       "environment WEBSOCKET_MAX_CONNECTIONS: limits.connections: 'many' is not a whole number\n"},
      {{{"WEBSOCKET_HEARTBEAT_INTERVAL", "30s"}},
       "environment WEBSOCKET_HEARTBEAT_INTERVAL: heartbeat.interval: '30s' is not a whole number of milliseconds\n"},
      {{{"WEBSOCKET_CONNECTION_TIMEOUT", "1"}},
       "environment WEBSOCKET_CONNECTION_TIMEOUT: limits.idle_time: 1ms is out of range: 10ms to 168h\n"},
      {{{"MESSAGE_BATCH_DELAY", "-1"}},
       "environment MESSAGE_BATCH_DELAY: namespace.batch_delay: '-1' is not a whole number of milliseconds\n"},
      {{{"MESSAGE_BATCH_DELAY", "10001"}},
       "environment MESSAGE_BATCH_DELAY: namespace.batch_delay: 10001ms is out of range: 0s to 10s\n"},
      {{{"MESSAGE_BATCH_DELAY", "6000"}},  // of every rule, and said once
       "environment MESSAGE_BATCH_DELAY: namespace.batch_delay: 6s is more than half of lag.time (10s): readers would "
       "be late through our own waiting\n"},
      {{{"MESSAGE_BATCH_SIZE", "50"}},
       "environment MESSAGE_BATCH_SIZE: namespace.batch_max: nothing waits: no namespace has a batch_delay\n"},
      {{{"DEDUPE_CACHE_SIZE", "0"}},
       "environment DEDUPE_CACHE_SIZE: namespace.dedupe.entries: 0 is out of range: 1 to 10000000\n"},
      {{{"MEMORY_WARNING_THRESHOLD", "70"}, {"MEMORY_CRITICAL_THRESHOLD", "85"}, {"MEMORY_EMERGENCY_THRESHOLD", "95"}},
       ""},
      {{{"MEMORY_WARNING_THRESHOLD", "60"}},
       "environment MEMORY_WARNING_THRESHOLD: memory.warning: not supported in this version (other steps of memory "
       "pressure); only 70 may be written\n"},
  };
  for (const Row& row : rows) EXPECT_EQ(problems_of(row.environment), row.reported);
}

TEST(OtherVariables, AreFoundInTheEnvironmentAndNothingElseIs) {
  const char* const environment[] = {"HOME=/root",   "WEBSOCKET_MAX_CONNECTIONS=5", "RINGCAST_ECHO=true",
                                     "WEBSOCKET_=1", "DEDUPE_CACHE_SIZE",           nullptr};
  const auto settings = environment_settings(environment);
  ASSERT_EQ(settings.size(), 2U);
  EXPECT_EQ(settings[0].name, "WEBSOCKET_MAX_CONNECTIONS");
  EXPECT_EQ(settings[1].name, "RINGCAST_ECHO");
}

TEST(OtherVariables, EachStandsForAKeyThatThereIs) {
  for (const OtherVariableRow& row : other_variables()) {
    const bool is_node = std::ranges::find(node_keys(), row.key, &KeyRow<NodeOptions>::key) != node_keys().end();
    const bool is_rule =
        std::ranges::find(namespace_keys(), row.key, &KeyRow<NamespaceRule>::key) != namespace_keys().end();
    const bool is_later = std::ranges::find(later_node_keys(), row.key, &LaterRow::key) != later_node_keys().end();
    EXPECT_TRUE(row.of == OtherVariableRow::Of::namespaces ? is_rule : is_node || is_later) << row.name;
  }
}

}  // namespace
}  // namespace ringcast
