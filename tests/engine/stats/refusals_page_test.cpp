// docs/refusals.md is held against the code: what it names is there, and what the code counts as a refusal is named.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/stats/counters.hpp"
#include "engine/stats/events.hpp"

namespace ringcast {
namespace {

using Names = std::set<std::string, std::less<>>;

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

std::string_view trimmed_cell(std::string_view cell) {
  const std::size_t first = cell.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return cell.substr(first, cell.find_last_not_of(' ') - first + 1);
}

/// What stands between two of these characters, one after the other.
std::vector<std::string> between(std::string_view text, char quote) {
  std::vector<std::string> found;
  for (std::size_t at = text.find(quote); at != std::string_view::npos; at = text.find(quote, at)) {
    const std::size_t end = text.find(quote, at + 1);
    if (end == std::string_view::npos) break;
    found.emplace_back(text.substr(at + 1, end - at - 1));
    at = end + 1;
  }
  return found;
}

struct Row {
  std::string what, answered, counters, event, tests;
};

/// The rows of all tables of five columns.
std::vector<Row> read_page() {
  std::vector<Row> rows;
  std::ifstream file{SOURCE_ROOT "/docs/refusals.md"};
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| ") || line.starts_with("| --- ") || line.starts_with("| what |")) continue;
    std::vector<std::string> cells;
    for (std::size_t at = 1; at < line.size();) {
      const std::size_t end = std::min(line.find('|', at), line.size());
      cells.emplace_back(trimmed_cell(std::string_view{line}.substr(at, end - at)));
      at = end + 1;
    }
    EXPECT_EQ(cells.size(), 5U) << line;
    if (cells.size() == 5) rows.push_back({cells[0], cells[1], cells[2], cells[3], cells[4]});
  }
  EXPECT_GT(rows.size(), 80U) << "the page has its tables";
  return rows;
}

std::string name_of(const CounterRow& row) {
  std::string name{row.label};
  if (!row.label_set.empty()) name.append("{").append(row.label_set).append("}");
  return name;
}

/// "Suite.Name" of every TEST, TEST_F and TEST_P.
Names all_tests() {
  Names names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator{SOURCE_ROOT "/tests"}) {
    if (!entry.path().string().ends_with("_test.cpp")) continue;
    const std::string text = content_of(entry.path());
    for (const std::string_view macro : {"\nTEST(", "\nTEST_F(", "\nTEST_P("}) {
      for (std::size_t at = text.find(macro); at != std::string::npos; at = text.find(macro, at)) {
        at += macro.size();
        const std::size_t end = text.find(')', at);
        std::string name = text.substr(at, end - at);
        std::erase_if(name, [](char c) { return c == ' ' || c == '\n'; });
        std::ranges::replace(name, ',', '.');
        names.insert(std::move(name));
      }
    }
  }
  return names;
}

TEST(RefusalsPage, EveryCounterAndEventThatItNamesIsThere) {
  Names counters;
  for (const CounterRow& row : kCounters) counters.insert(name_of(row));
  Names events;
  for (const EventRow& row : kEvents) events.emplace(row.label);
  for (const Row& row : read_page()) {
    for (const std::string& name : between(row.counters, '`')) EXPECT_TRUE(counters.contains(name)) << name;
    for (const std::string& name : between(row.event, '`')) EXPECT_TRUE(events.contains(name)) << name;
  }
}

TEST(RefusalsPage, EveryRowHasAnAnswerACounterAnEventAndATestOrSaysWhyNot) {
  for (const Row& row : read_page()) {
    EXPECT_FALSE(row.answered.empty()) << row.what;
    EXPECT_TRUE(row.counters.starts_with("none: ") || !between(row.counters, '`').empty()) << row.what;
    EXPECT_TRUE(row.event.starts_with("none: ") || between(row.event, '`').size() == 1) << row.what;
    EXPECT_FALSE(between(row.tests, '`').empty()) << row.what;
  }
}

TEST(RefusalsPage, EveryTestThatItNamesIsThere) {
  const Names tests = all_tests();
  ASSERT_GT(tests.size(), 500U) << "the tests were found";
  for (const Row& row : read_page()) {
    std::size_t sentences = 0;
    for (const std::string& name : between(row.tests, '`')) {
      if (!name.ends_with(".py")) {
        EXPECT_TRUE(tests.contains(name)) << name;
        continue;
      }
      const auto quoted = between(row.tests, '"');  // one behind each name of a file, in their order
      ASSERT_LT(sentences, quoted.size()) << name << " without a sentence, in: " << row.what;
      const std::string& sentence = quoted[sentences++];
      const std::string folder = name == "chromium_test.py" ? "/tests/web/" : "/tests/system/";
      EXPECT_TRUE(content_of(SOURCE_ROOT + folder + name).contains("\"" + sentence)) << name << ": " << sentence;
    }
  }
}

TEST(RefusalsPage, EveryRefusalThatTheCodeCountsOrNotesIsNamed) {
  const std::string page = content_of(SOURCE_ROOT "/docs/refusals.md");
  const Names labels{"connections_refused", "handshakes_failed", "handshake_timeouts",  "half_open_evicted",
                     "tokens_refused",      "auth_timeouts",     "permissions_refused", "permissions_revoked",
                     "rate_limited",        "usage_refusals",    "inflate_refused",     "deflate_declined",
                     "protocol_errors",     "tls_failed",        "tls_unfinished",      "admin_refused",
                     "config_reloads_refused"};
  for (const CounterRow& row : kCounters) {
    if (row.id == CounterId::connections_refused_limit) continue;  // of memory pressure, which refuses nobody yet
    if (labels.contains(row.label)) {
      EXPECT_TRUE(page.contains("`" + name_of(row) + "`")) << name_of(row);
    }
  }
  for (const EventRow& row : kEvents) {
    const bool refuses = row.label.ends_with("_refused") || row.label == "handshake_failed" ||
                         row.label == "tls_failed" || row.label == "protocol_error" || row.label == "client_errors" ||
                         row.label == "rate_limited" || row.label == "auth_timeout" || row.label == "auth_expired" ||
                         row.label == "access_revoked" || row.label == "half_open_evicted";
    if (refuses) {
      EXPECT_TRUE(page.contains("`" + std::string{row.label} + "`")) << row.label;
    }
  }
}

}  // namespace
}  // namespace ringcast
