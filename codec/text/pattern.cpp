#include "codec/text/pattern.hpp"

namespace ringcast {
namespace {

constexpr bool ends_segment(char c) { return c == '.' || c == ':' || c == '@' || c == '/'; }

}  // namespace

std::string_view sentence_of(PatternError error) {
  switch (error) {
    case PatternError::not_a_name: return "a pattern must itself be a valid channel name";
    case PatternError::rest_not_last: return "in a pattern '>' may only be the last character";
  }
  return "the pattern is not valid";
}

Result<Pattern, PatternError> Pattern::compile(std::string_view text) {
  if (!is_valid_channel_name(text)) {
    return unexpected(PatternError::not_a_name);
  }
  const std::size_t rest = text.find('>');
  if (rest != std::string_view::npos && rest + 1 != text.size()) {
    return unexpected(PatternError::rest_not_last);
  }
  Pattern pattern;
  pattern.text_ = text;
  pattern.takes_rest_ = rest != std::string_view::npos;
  pattern.exact_ = !is_pattern(text);
  pattern.spells_server_ = text.starts_with(kServerPrefix);
  pattern.spells_user_ = text.starts_with(kUserPrefix);
  for (const char c : text.substr(0, rest)) {
    if (c != '*' || !pattern.glob_.ends_with('*')) {
      pattern.glob_.push_back(c);
    }
  }
  return pattern;
}

std::size_t Pattern::heap_bytes() const {
  const std::size_t in_place = std::string{}.capacity();
  std::size_t bytes = 0;
  for (const std::string* text : {&text_, &glob_}) bytes += text->capacity() > in_place ? text->capacity() + 1 : 0;
  return bytes;
}

bool Pattern::matches(std::string_view name) const {
  if ((is_server_channel(name) && !spells_server_) || (is_user_channel(name) && !spells_user_)) {
    return false;
  }
  // One star to fall back to is enough: a star never crosses a separator, so segments pair up one to one, and within a
  // segment the earliest place for the text before a star leaves the most for what comes after it.
  constexpr std::size_t kNone = std::string_view::npos;
  std::size_t at = 0, in = 0;
  std::size_t star = kNone, star_in = 0;  // the last star, and the first byte of the name that it does not take
  while (true) {
    if (in == glob_.size() && (takes_rest_ || at == name.size())) {
      return true;
    }
    if (in < glob_.size() && glob_[in] == '*') {
      star = in++;
      star_in = at;
      continue;
    }
    if (in < glob_.size() && at < name.size() && glob_[in] == name[at]) {
      if (ends_segment(name[at])) {
        star = kNone;
      }
      ++in;
      ++at;
      continue;
    }
    if (star == kNone || star_in == name.size() || ends_segment(name[star_in])) {
      return false;
    }
    in = star + 1;
    at = ++star_in;
  }
}

}  // namespace ringcast
