#include "engine/stats/report.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>

#include "codec/text/json.hpp"
#include "tests/engine/stats/example_node.hpp"

namespace ringcast {
namespace {

NodeView view_of(const std::string& name) {
  rcs_reader* reader = nullptr;
  char sentence[RCS_SENTENCE_BYTES];
  EXPECT_EQ(rcs_open(name.c_str(), &reader, sentence), RCS_OK) << sentence;
  auto view = take_view(reader);
  rcs_close(reader);
  EXPECT_TRUE(view.has_value());
  return std::move(*view);
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(NodeView, HoldsWhatTheNodeWrote) {
  const ExampleNode node{"view"};
  const NodeView view = view_of(node.name());
  EXPECT_EQ(view.name, node.name());
  EXPECT_EQ(view.server, "ringcast/9.9");
  EXPECT_EQ(view.counters.size(), kCounterCount);
  EXPECT_EQ(view.total("connections_accepted"), 21U);
  EXPECT_EQ(view.total("connections_peak"), 8U) << "the greatest, not the sum";
  EXPECT_EQ(view.total("connections_closed", "code=4008"), 4U);
  EXPECT_EQ(view.sum("connections_closed"), 4U);
  EXPECT_EQ(view.total("no_such_counter"), 0U);
  EXPECT_EQ(view.ledger.total.offered, 2'000U);
  EXPECT_TRUE(view.ledger.total.closed());
  ASSERT_NE(view.latency("receive_to_send"), nullptr);
  EXPECT_EQ(view.latency("receive_to_send")->distribution.count, 200U);
  EXPECT_NEAR(view.latency("receive_to_send")->mean(), 50'500, 1);
  EXPECT_TRUE(view.health.present);
  EXPECT_EQ(view.memory.record.accounted_bytes, 2'048U);
  ASSERT_EQ(view.findings.size(), 1U);
  EXPECT_EQ(view.findings[0].value, "6.1.0");
  ASSERT_EQ(view.channels.size(), 2U);
  EXPECT_EQ(view.channels[0].channel, "btcusdt@trade") << "busiest first, whichever shard it lives on";
  ASSERT_EQ(view.connections.size(), 1U);
  EXPECT_EQ(view.connections[0].peer, "[::1]:40000");
}

TEST(NodeView, TheLedgersRowsAreThoseOfTheSameInstantAsTheLedger) {
  ExampleNode node{"aligned"};
  node.shard(0).set(CounterId::ledger_sent, 1);  // a reader between the record and its rows
  const NodeView view = view_of(node.name());
  EXPECT_EQ(view.total("ledger_sent"), view.ledger.total.sent);
}

TEST(NodeView, WhatClientsWroteCannotMoveACursor) {
  const ExampleNode node{"escape"};
  const NodeView view = view_of(node.name());
  EXPECT_EQ(view.channels[1].channel, "eth?[2J\"usdt");
  ASSERT_EQ(view.events.size(), 1U);
  EXPECT_EQ(view.events[0].text, "10.0.0.9:1 ?]0;evil? ?");
}

struct PrintableRow {
  const char* sentence;
  std::string_view text;
  std::string_view printed;
};
using namespace std::string_view_literals;
constexpr PrintableRow kPrintableRows[] = {
    {"plain text stays", "btcusdt@trade", "btcusdt@trade"},
    {"letters of other scripts stay", "\u03b1\u4e2d\U0001f600", "\u03b1\u4e2d\U0001f600"},
    {"escape, bell, newline, delete, zero", "\x1b\x07\n\x7f\0"sv, "?????"},
    {"a control character of two bytes", "a\u009bb", "a?b"},
    {"a byte that is not UTF-8", "a\xff" "b", "a?b"},
    {"a character that is cut off", "a\xe4\xb8", "a??"},
    {"an overlong form", "\xc0\xaf", "??"},
};
TEST(NodeView, TerminalSafeReplacesWhatIsNot) {
  for (const PrintableRow& row : kPrintableRows) EXPECT_EQ(terminal_safe(row.text), row.printed) << row.sentence;
}

TEST(StatisticsDocument, IsJsonWithEveryPartAndWithoutAny) {
  const ExampleNode node{"json"};
  const NodeView view = view_of(node.name());
  const ReportParts all{.shards = true, .channels = true, .connections = true, .events = true, .histograms = true};
  for (const ReportParts& parts : {ReportParts{}, all}) {
    const std::string document = statistics_json(view, parts);
    EXPECT_TRUE(is_valid_json(document)) << document;
    EXPECT_FALSE(has(document, "\n"));
  }
  EXPECT_TRUE(is_valid_json(health_json(view))) << health_json(view);
  EXPECT_TRUE(is_valid_json(statistics_json(NodeView{}, all))) << "also of nothing at all";
}

TEST(StatisticsDocument, HasTheNamesOfTheDocumentsItGrewOutOf) {
  const ExampleNode node{"names"};
  const NodeView view = view_of(node.name());
  const std::string document = statistics_json(view, {});
  for (const std::string_view member :
       {"\"totalConnections\":21", "\"activeConnections\":8", "\"peakConnections\":8", "\"totalMessages\":200",
        "\"totalBroadcasts\":180", "\"droppedMessages\":20", "\"duplicateMessages\":6", "\"queueOverflows\":14",
        "\"reconnections\":0", "\"uniqueUsers\":0", "\"averageLatency\":0.051", "\"messagesSent\":1800",
        "\"messagesReceived\":200", "\"bytesSent\":2000000", "\"memoryUsage\":52428800", "\"startTime\":",
        "\"uptime\":", "\"lastActivity\":", "\"hub\":{\"active_connections\":8,\"total_connections\":21,"}) {
    EXPECT_TRUE(has(document, member)) << member << " in " << document;
  }
}

TEST(StatisticsDocument, ShowsTheLedgerAndWhetherItCloses) {
  ExampleNode node{"ledger"};
  EXPECT_TRUE(has(statistics_json(view_of(node.name()), {}),
                  "\"ledger\":{\"offered\":2000,\"sent\":1800,\"conflated\":80,\"dropped\":20,\"abandoned\":40,"
                  "\"queued\":60,\"closed\":true}"));
  node.shard(1).publish_ledger({.offered = 5, .sent = 4});
  EXPECT_TRUE(has(statistics_json(view_of(node.name()), {}), "\"closed\":false"));
}

TEST(StatisticsDocument, HasThePartsThatWereAskedFor) {
  const ExampleNode node{"parts"};
  const NodeView view = view_of(node.name());
  struct Row { const char* member; ReportParts parts; };
  const Row rows[] = {
      {"\"shards\":[{\"shard\":\"0\"", {.shards = true}},
      {"\"channels\":[{\"channel\":\"btcusdt@trade\"", {.channels = true}},
      {"\"connections\":[{", {.connections = true}},
      {"\"events\":[{", {.events = true}},
      {"\"buckets\":{", {.histograms = true}},
  };
  for (const Row& row : rows) {
    EXPECT_TRUE(has(statistics_json(view, row.parts), row.member)) << row.member;
    EXPECT_FALSE(has(statistics_json(view, {}), row.member)) << row.member;
  }
  EXPECT_TRUE(has(statistics_json(view, {.channels = true}), "\"epoch\":\"5f3c9a1e07d2b846\""));
  EXPECT_TRUE(has(statistics_json(view, {.events = true}),
                  "\"event\":\"slow_disconnected\",\"messages\":4097,\"connection\":5"));
}

TEST(StatisticsDocument, GathersCountersWithALabelSetUnderTheirLabel) {
  const ExampleNode node{"labels"};
  const std::string document = statistics_json(view_of(node.name()), {});
  EXPECT_TRUE(has(document, "\"connections_closed\":{\"1000\":0,"));
  EXPECT_TRUE(has(document, "\"4008\":4,"));
}

struct AnswerRow {
  const char* sentence;
  HealthState state;
  int exit_code;
  const char* word;
};
constexpr AnswerRow kAnswerRows[] = {
    {"healthy", HealthState::healthy, 0, "healthy"},
    {"degraded", HealthState::degraded, 1, "degraded"},
    {"unhealthy", HealthState::unhealthy, 2, "unhealthy"},
    {"critical", HealthState::critical, 2, "critical"},
};
TEST(HealthAnswer, IsTheStateOfTheLastCheckOfALiveNode) {
  ExampleNode node{"answer"};
  for (const AnswerRow& row : kAnswerRows) {
    node.check(row.state, {"because"});
    const HealthAnswer answer = health_answer(view_of(node.name()));
    EXPECT_EQ(answer.exit_code, row.exit_code) << row.sentence;
    EXPECT_EQ(answer.word, row.word) << row.sentence;
  }
}

TEST(HealthAnswer, OfANodeThatDoesNotLiveIsThreeWhateverItsLastCheckSaid) {
  const ExampleNode node{"stale"};
  NodeView view = view_of(node.name());
  for (const std::uint32_t liveness : {RCS_STALLED, RCS_STOPPED, RCS_DEAD}) {
    view.node.liveness = liveness;
    EXPECT_EQ(health_answer(view).exit_code, 3);
    EXPECT_EQ(health_answer(view).word, rcs_liveness_text(liveness));
  }
}

TEST(HealthAnswer, OfANodeThatWasNotCheckedYetIsStarting) {
  NodeView view = view_of(ExampleNode{"starting"}.name());
  view.health = {};
  EXPECT_EQ(health_answer(view).exit_code, 1);
  EXPECT_EQ(health_answer(view).word, "starting");
}

/// Checks the rules of the text format that scrapers insist on, and returns sample -> value.
std::map<std::string, std::string> parse_exposition(const std::string& text) {
  std::map<std::string, std::string> samples;
  std::set<std::string> finished;
  std::string family;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ")) {
      const std::string next = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(finished.insert(next).second) << next << " appears twice";
      family = next;
    } else if (line.starts_with("# TYPE ")) {
      EXPECT_TRUE(line.starts_with("# TYPE " + family + " ")) << line;
      const std::string type = line.substr(line.rfind(' ') + 1);
      EXPECT_TRUE(type == "counter" || type == "gauge" || type == "histogram") << line;
      EXPECT_EQ(type == "counter", family.ends_with("_total")) << line;
    } else {
      EXPECT_TRUE(line.starts_with(family)) << line << " stands under " << family;
      const std::size_t blank = line.rfind(' ');
      EXPECT_TRUE(samples.emplace(line.substr(0, blank), line.substr(blank + 1)).second) << line << " appears twice";
      std::size_t used = 0;
      (void)std::stod(line.substr(blank + 1), &used);
      EXPECT_EQ(used, line.size() - blank - 1) << line;
    }
  }
  return samples;
}

TEST(Prometheus, IsAWellFormedExpositionOfTheSameNumbers) {
  const ExampleNode node{"prometheus"};
  const auto samples = parse_exposition(prometheus_text(view_of(node.name())));
  struct Row { const char* sample; const char* value; };
  constexpr Row rows[] = {
      {"ringcast_up", "1"},
      {"ringcast_connections_accepted_total{shard=\"0\"}", "10"},
      {"ringcast_connections_accepted_total{shard=\"1\"}", "11"},
      {"ringcast_connections_open{shard=\"0\"}", "4"},
      {"ringcast_connections_closed_total{code=\"4008\",shard=\"1\"}", "2"},
      {"ringcast_ledger_sent_total{shard=\"0\"}", "900"},
      {"ringcast_ledger_queued{shard=\"0\"}", "30"},
      {"ringcast_ledger_closed", "1"},
      {"ringcast_health_state", "0"},
      {"ringcast_memory_purpose_bytes{purpose=\"history\"}", "2048"},
      {"ringcast_receive_to_send_seconds_count", "200"},
      {"ringcast_receive_to_send_seconds_bucket{le=\"+Inf\"}", "200"},
      {"ringcast_receive_to_send_seconds_bucket{le=\"5e-04\"}", "200"},
      {"ringcast_receive_to_send_seconds_bucket{le=\"1e-06\"}", "2"},
  };
  for (const Row& row : rows) {
    const auto found = samples.find(row.sample);
    ASSERT_NE(found, samples.end()) << row.sample;
    EXPECT_EQ(found->second, row.value) << row.sample;
  }
}

TEST(Prometheus, TheBucketsOfAHistogramOnlyGrow) {
  const ExampleNode node{"buckets"};
  std::istringstream lines{prometheus_text(view_of(node.name()))};
  double before = 0;
  int buckets = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("ringcast_receive_to_send_seconds_bucket")) continue;
    const double value = std::stod(line.substr(line.rfind(' ') + 1));
    EXPECT_GE(value, before) << line;
    before = value;
    ++buckets;
  }
  EXPECT_EQ(buckets, 23);
}

}  // namespace
}  // namespace ringcast
