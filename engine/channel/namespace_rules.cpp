#include "engine/channel/namespace_rules.hpp"

#include <algorithm>

#include "alloc/base/ensure.hpp"

namespace ringcast {

NamespaceRules::NamespaceRules(const std::vector<NamespaceRule>& rules) {
  rows_.reserve(rules.size());
  for (const NamespaceRule& rule : rules) {
    auto pattern = Pattern::compile(rule.match);
    ensure(pattern.has_value(), "configuration has checked every namespace pattern");
    rows_.push_back({std::move(*pattern), rule});
  }
}

const NamespaceRule& NamespaceRules::rule_of(std::string_view channel) const {
  for (const Row& row : rows_) {
    if (row.pattern.matches(channel)) return row.rule;
  }
  return otherwise_;
}

std::uint32_t NamespaceRules::dedupe_entries_max() const {
  std::uint32_t most = otherwise_.dedupe.entries;
  for (const Row& row : rows_) {
    if (row.rule.dedupe.by != DedupeBy::off) most = std::max(most, row.rule.dedupe.entries);
  }
  return most;
}

}  // namespace ringcast
