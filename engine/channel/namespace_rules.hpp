// engine/channel/namespace_rules.hpp: which [[namespace]] table a channel falls under, also after a reload.
//
// Owner    shard_core, by value. A rule stays where it is while a channel may go by it, so that a pointer may be kept:
//          until forget_earlier(), once every channel has been told what follows its rule.
// Thread   the shard's.  Memory  the rules; those before a reload as well until they are forgotten.
// Failure  a pattern that does not compile (config refuses it earlier).
// Not here what a rule does: dedupe, sequencer and lag_policy read their part; telling the channels (shard).
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "codec/text/pattern.hpp"
#include "engine/limits.hpp"

namespace ringcast {

/// What of `wanted` a channel takes over that exists already. What decides which messages it carries, and who holds
/// what of it elsewhere, stays as it began.
void take_what_may_change(NamespaceRule& rule, const NamespaceRule& wanted);

class NamespaceRules {
 public:
  /// `rules` in order; a last rule with the defaults for every channel is added behind them.
  explicit NamespaceRules(const std::vector<NamespaceRule>& rules);

  /// The first rule whose pattern matches; there is always one.
  [[nodiscard]] const NamespaceRule& rule_of(std::string_view channel) const;
  /// The largest dedupe window that any rule asks for, in entries; 0 if all are off.
  [[nodiscard]] std::uint32_t dedupe_entries_max() const;

  /// Others from now on. The earlier ones stay for the channels that go by them.
  void replace(const std::vector<NamespaceRule>& rules);
  /// What a channel that went by `before` goes by now: its new rule, but for what stays as it began.
  [[nodiscard]] const NamespaceRule& rule_after(std::string_view channel, const NamespaceRule& before);
  /// No channel goes by an earlier rule any more.
  void forget_earlier() { earlier_.clear(); }
  [[nodiscard]] std::size_t earlier() const { return earlier_.size(); }

 private:
  struct Row {
    Pattern pattern;
    NamespaceRule rule;
  };
  struct Generation {
    std::vector<Row> rows;
    NamespaceRule otherwise;
    std::deque<NamespaceRule> mixed;  // of channels that began under other rules: as many as differ, not one a channel
  };
  [[nodiscard]] static std::unique_ptr<Generation> generation_of(const std::vector<NamespaceRule>& rules);

  std::unique_ptr<Generation> now_;
  std::vector<std::unique_ptr<Generation>> earlier_;
};

}  // namespace ringcast
