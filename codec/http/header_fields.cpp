#include "codec/http/header_fields.hpp"

#include <algorithm>

#include "codec/http/characters.hpp"

namespace ringcast {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

bool equals_ignoring_case(std::string_view left, std::string_view right) {
  return left.size() == right.size() &&
         std::equal(left.begin(), left.end(), right.begin(), [](char a, char b) { return lower(a) == lower(b); });
}

bool is_token(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char); }

std::string_view trimmed(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<std::string_view> next_list_element(std::string_view& rest) {
  while (!rest.empty()) {
    bool quoted = false;
    std::size_t at = 0;
    for (; at < rest.size() && (quoted || rest[at] != ','); ++at) {
      if (rest[at] == '"') {
        quoted = !quoted;
      } else if (quoted && rest[at] == '\\' && at + 1 < rest.size()) {
        ++at;
      }
    }
    const std::string_view element = trimmed(rest.substr(0, at));
    rest.remove_prefix(std::min(at + 1, rest.size()));
    if (!element.empty()) return element;
  }
  return std::nullopt;
}

std::optional<std::string_view> HeaderFields::find(std::string_view name) const {
  for (const HeaderField& row : *this) {
    if (equals_ignoring_case(row.name, name)) return row.value;
  }
  return std::nullopt;
}

std::size_t HeaderFields::occurrences(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(begin(), end(), [&](const HeaderField& row) { return equals_ignoring_case(row.name, name); }));
}

bool HeaderFields::has_token(std::string_view name, std::string_view token) const {
  for (const HeaderField& row : *this) {
    if (!equals_ignoring_case(row.name, name)) continue;
    std::string_view rest = row.value;
    while (const auto element = next_list_element(rest)) {
      if (equals_ignoring_case(*element, token)) return true;
    }
  }
  return false;
}

}  // namespace ringcast
