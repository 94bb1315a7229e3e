#include "engine/channel/namespace_rules.hpp"

#include <algorithm>

#include "alloc/base/ensure.hpp"

namespace ringcast {

void take_what_may_change(NamespaceRule& rule, const NamespaceRule& wanted) {
  rule.match = wanted.match;
  rule.history = wanted.history;
  rule.lag = wanted.lag;
  rule.slow = wanted.slow;
  rule.dedupe = wanted.dedupe;
  rule.state = wanted.state;
  rule.state_age = wanted.state_age;
  rule.priority = wanted.priority;
  rule.batch_delay = wanted.batch_delay;
  rule.batch_max = wanted.batch_max;
  rule.max_rate = wanted.max_rate;
  rule.resume = wanted.resume;
}

NamespaceRules::NamespaceRules(const std::vector<NamespaceRule>& rules) : now_{generation_of(rules)} {}

std::unique_ptr<NamespaceRules::Generation> NamespaceRules::generation_of(const std::vector<NamespaceRule>& rules) {
  auto generation = std::make_unique<Generation>();
  generation->rows.reserve(rules.size());
  for (const NamespaceRule& rule : rules) {
    auto pattern = Pattern::compile(rule.match);
    ensure(pattern.has_value(), "configuration has checked every namespace pattern");
    generation->rows.push_back({std::move(*pattern), rule});
  }
  return generation;
}

const NamespaceRule& NamespaceRules::rule_of(std::string_view channel) const {
  for (const Row& row : now_->rows) {
    if (row.pattern.matches(channel)) return row.rule;
  }
  return now_->otherwise;
}

std::uint32_t NamespaceRules::dedupe_entries_max() const {
  std::uint32_t most = now_->otherwise.dedupe.entries;
  for (const Row& row : now_->rows) {
    if (row.rule.dedupe.by != DedupeBy::off) most = std::max(most, row.rule.dedupe.entries);
  }
  return most;
}

void NamespaceRules::replace(const std::vector<NamespaceRule>& rules) {
  earlier_.push_back(std::move(now_));
  now_ = generation_of(rules);
}

const NamespaceRule& NamespaceRules::rule_after(std::string_view channel, const NamespaceRule& before) {
  const NamespaceRule& wanted = rule_of(channel);
  NamespaceRule rule = before;
  take_what_may_change(rule, wanted);
  if (rule == wanted) return wanted;
  const auto known = std::ranges::find(now_->mixed, rule);
  return known != now_->mixed.end() ? *known : now_->mixed.emplace_back(std::move(rule));
}

}  // namespace ringcast
