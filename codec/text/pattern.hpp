// codec/text/pattern.hpp: patterns over channel names, compiled once and matched often.
//
// `*` stands for any characters, also none, within one segment; segments end at . : @ /
// `>` at the end stands for whatever remains, also nothing. Everything else stands for itself, a separator too.
// A name in `$...` or `user:...` matches only a pattern that spells that prefix out (protocol.md section 3).
//
// Owner    who configures or subscribes it.  Thread  any, matching is const.  Memory  its own text, at most 255 bytes.
// Failure  a PatternError says which rule the text breaks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "alloc/base/result.hpp"
#include "codec/text/channel_name.hpp"

namespace ringcast {

enum class PatternError : std::uint8_t { not_a_name, rest_not_last };
[[nodiscard]] std::string_view sentence_of(PatternError error);

/// True if the text has a `*` or a `>`: as a subscription it means every channel it matches.
[[nodiscard]] inline bool is_pattern(std::string_view text) {
  return text.find_first_of("*>") != std::string_view::npos;
}

class Pattern {
 public:
  /// Refuses what could never name a channel, and a `>` that is not the last character.
  [[nodiscard]] static Result<Pattern, PatternError> compile(std::string_view text);

  /// time  at most name.size() * text().size() steps: one place to fall back to, never a stack of them.
  [[nodiscard]] bool matches(std::string_view name) const;

  [[nodiscard]] std::string_view text() const { return text_; }
  /// No wildcard: matches the one channel of this name.
  [[nodiscard]] bool is_exact() const { return exact_; }
  /// What its texts hold beside the pattern itself; none while both are short.
  [[nodiscard]] std::size_t heap_bytes() const;

 private:
  Pattern() = default;

  std::string text_;  // as written
  std::string glob_;  // without the final '>', runs of '*' as one
  bool takes_rest_ = false;
  bool exact_ = false;
  bool spells_server_ = false;
  bool spells_user_ = false;
};

}  // namespace ringcast
