// engine/channel/namespace_rules.hpp: which [[namespace]] table a channel falls under.
//
// Owner    shard_core, by value; a rule stays where it is for the life of the process, so that a pointer may be kept.
// Thread   the shard's.  Memory  the rules.  Failure  a pattern that does not compile (config refuses it earlier).
// Not here what a rule does: dedupe, sequencer and lag_policy read their part.
#pragma once

#include <string_view>
#include <vector>

#include "codec/text/pattern.hpp"
#include "engine/limits.hpp"

namespace ringcast {

class NamespaceRules {
 public:
  /// `rules` in order; a last rule with the defaults for every channel is added behind them.
  explicit NamespaceRules(const std::vector<NamespaceRule>& rules);

  /// The first rule whose pattern matches; there is always one.
  [[nodiscard]] const NamespaceRule& rule_of(std::string_view channel) const;
  /// The largest dedupe window that any rule asks for, in entries; 0 if all are off.
  [[nodiscard]] std::uint32_t dedupe_entries_max() const;

 private:
  struct Row {
    Pattern pattern;
    NamespaceRule rule;
  };
  std::vector<Row> rows_;
  NamespaceRule otherwise_;
};

}  // namespace ringcast
