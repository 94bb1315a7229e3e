#include "engine/config/print.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "engine/config/assign.hpp"
#include "engine/config/schema.hpp"
#include "tests/doubles/temporary_file.hpp"

namespace ringcast {
namespace {

Configuration load_or_fail(std::string_view text) {
  const TemporaryFile file{text};
  auto loaded = load_configuration({.file = file.path(), .environment = {}, .flags = {}});
  if (!loaded) ADD_FAILURE() << text_of(loaded.error().front());
  return loaded ? *std::move(loaded) : Configuration{};
}

/// Every value of every row, which is all that a configuration is.
std::string values_of(const Configuration& configuration) {
  std::string all;
  for (const auto& row : node_keys()) all += toml_value(row, configuration.options) + '\n';
  for (const NamespaceRule& rule : configuration.options.core.namespaces) {
    for (const auto& row : namespace_keys()) all += toml_value(row, rule) + '\n';
  }
  return all;
}

TEST(PrintConfiguration, WhatIsPrintedLoadsAsTheSame) {
  const std::string_view texts[] = {
      "#",
      "name = \"a\"\nlisten = [\"127.0.0.1:0\", \"[::1]:7\", \"unix:/tmp/a b\"]\nshards = { count = 2, cores = \"0-1\" "
      "}\n",
      "access = { origins = [\"https://a.b\", \"http://c:1\"], hosts = [\"a.b\"], insecure = true }\nlisten = "
      "\"0.0.0.0:5\"\n",
      "limits.message_bytes = \"8MiB\"\nheartbeat.interval = \"90s\"\nlog = { level = \"off\", format = \"json\" }\n",
      "[[namespace]]\nmatch = \"a\\\"\\\\b\"\nslow = \"conflate\"\n[[namespace]]\nmatch = \"*@trade\"\nlag.bytes = "
      "\"5MiB\"\n",
      "[[namespace]]\nmatch = \"*@bookTicker\"\nhistory = { messages = 10, bytes = 0 }\n",  // found by fuzzing
      "[[namespace]]\nmatch = \">\"\nresume = false\nhistory = { messages = 0, bytes = 0, age = \"0s\" }\n",
  };
  for (const std::string_view text : texts) {
    const Configuration first = load_or_fail(text);
    const std::string printed = print_configuration(first);
    const Configuration second = load_or_fail(printed);
    EXPECT_EQ(values_of(first), values_of(second)) << printed;
  }
}

TEST(PrintConfiguration, SaysWhereEachValueComesFromAndWhenAChangeTakesEffect) {
  const TemporaryFile file{"[limits]\nchannels = 7\n[[namespace]]\nmatch = \"a\"\n"};
  const auto loaded =
      load_configuration({.file = file.path(), .environment = {{"RINGCAST_ECHO", "true"}}, .flags = {{"name", "b"}}});
  ASSERT_TRUE(loaded.has_value());
  const std::string printed = print_configuration(*loaded);
  const auto has_line = [&](std::string_view value, std::string_view origin) {
    const std::size_t at = printed.find(value);
    const std::string line = at == std::string::npos ? "" : printed.substr(at, printed.find('\n', at) - at);
    EXPECT_TRUE(line.ends_with("  # " + std::string{origin})) << value << ": " << line;
  };
  has_line("name = \"b\"", "flag --name; restart");
  has_line("echo = true", "environment RINGCAST_ECHO; live");
  has_line("channels = 7", file.path() + ":2; live");
  has_line("connections = 10000", "default; live");
  has_line("origins = []", "default; new");
  has_line("[[namespace]]", file.path() + ":3");
  has_line("match = \"a\"", file.path() + ":4; live");
  has_line("payload = \"json\"", "default; new");
  has_line("match = \">\"", "shipped; live");
}

TEST(Schema, NamesAreUniqueInEveryForm) {
  std::set<std::string> keys, flags, variables;
  const auto add = [&](std::string_view key, std::string_view alias) {
    EXPECT_TRUE(keys.emplace(key).second) << key;
    EXPECT_TRUE(flags.insert(flag_name(key)).second) << key;
    EXPECT_TRUE(variables.insert(environment_name(key)).second) << key;
    if (!alias.empty()) {
      EXPECT_TRUE(flags.emplace(alias).second) << alias;
    }
  };
  for (const auto& row : node_keys()) add(row.key, row.flag_alias);
  for (const LaterRow& row : later_node_keys()) add(row.key, "");
  EXPECT_TRUE(flags.contains("limits-connections"));
  EXPECT_TRUE(variables.contains("RINGCAST_LIMITS_CONNECTIONS"));
}

TEST(Schema, EveryDefaultIsInItsOwnRange) {
  NodeOptions options;
  for (const auto& row : node_keys()) {
    const auto assigned = assign(row, options, PlainText{[&] {
                                   std::string text = toml_value(row, NodeOptions{});
                                   if (text.starts_with('"')) text = text.substr(1, text.size() - 2);
                                   return text == "[]" ? std::string{} : text;
                                 }()});
    EXPECT_TRUE(assigned.has_value()) << row.key << ": " << assigned.error();
  }
}

TEST(Schema, EveryKeyHasADescriptionOfOneLine) {
  for (const auto& row : node_keys()) {
    EXPECT_FALSE(row.description.empty() || row.description.contains('\n') || row.description.contains('|')) << row.key;
  }
  for (const auto& row : namespace_keys()) {
    EXPECT_FALSE(row.description.empty() || row.description.contains('\n') || row.description.contains('|')) << row.key;
  }
}

TEST(ConfigurationReference, TheCommittedPageIsCurrent) {
  const std::string path = SOURCE_ROOT "/docs/configuration.md";
  if (std::getenv("UPDATE_DOCS") != nullptr) std::ofstream{path} << configuration_reference();
  std::ifstream file{path};
  const std::string page{std::istreambuf_iterator<char>{file}, {}};
  EXPECT_EQ(page, configuration_reference()) << "renew it: UPDATE_DOCS=1 test_engine_config";
}

}  // namespace
}  // namespace ringcast
