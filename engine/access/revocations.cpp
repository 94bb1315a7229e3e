#include "engine/access/revocations.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "codec/text/json.hpp"
#include "codec/text/numbers.hpp"

namespace ringcast {
namespace {

constexpr std::uint64_t kSecondsMax = 9'000'000'000;  // as in tokens
constexpr std::string_view kSpace = " \t";

std::string_view trimmed_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  const std::size_t first = line.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(kSpace) - first + 1);
}

/// Takes a word, or a JSON string, off the front.
std::optional<std::string> take_name(std::string_view& rest) {
  rest = trimmed_line(rest);
  if (!rest.starts_with('"')) {
    const std::size_t end = std::min(rest.find_first_of(kSpace), rest.size());
    std::string word{rest.substr(0, end)};
    rest = trimmed_line(rest.substr(end));
    return word.empty() ? std::nullopt : std::optional{std::move(word)};
  }
  std::size_t end = 1;
  while (end < rest.size() && rest[end] != '"') end += rest[end] == '\\' ? 2 : 1;
  if (end >= rest.size() || !validate_json(rest.substr(0, end + 1))) return std::nullopt;
  const std::string_view inside = rest.substr(1, end - 1);
  std::string name(inside.size(), '\0');
  const auto size = unescape_json(inside, name.data());
  rest = trimmed_line(rest.substr(end + 1));
  if (!size || *size == 0) return std::nullopt;
  name.resize(*size);
  return name;
}

/// "before SECONDS" and nothing else.
std::optional<WallTime> take_before(std::string_view rest) {
  const auto word = take_name(rest);
  if (word != "before") return std::nullopt;
  const auto number = parse_uint64(rest);
  if (!number || *number > kSecondsMax) return std::nullopt;
  return WallTime{seconds{*number}};
}

}  // namespace

Result<Revocations, std::string> Revocations::read(std::string_view text) {
  Revocations revocations;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = trimmed_line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.empty() || line.starts_with('#')) continue;
    const auto fail = [&](std::string_view sentence) {
      return unexpected("line " + std::to_string(number) + ": " + std::string{sentence});
    };
    const auto kind = take_name(line);
    if (kind == "all") {
      const auto before = take_before(line);
      if (!before) return fail("'all' is followed by 'before' and seconds since 1970");
      revocations.all_before_ = std::max(revocations.all_before_, *before);
      continue;
    }
    if (kind != "token" && kind != "user") return fail("begins with none of 'token', 'user' and 'all'");
    auto name = take_name(line);
    if (!name) return fail("lacks a name, or its quotes do not end");
    if (kind == "token") {
      if (!line.empty()) return fail("has more than a token's id");
      revocations.tokens_.insert(std::move(*name));
    } else {
      const auto before = line.empty() ? std::optional{WallTime::max()} : take_before(line);
      if (!before) return fail("has more than a user, 'before' and seconds since 1970");
      WallTime& known = revocations.users_[std::move(*name)];
      known = std::max(known, *before);
    }
    if (revocations.size() > kRevocationsMax) {
      return fail("has more entries before it than the " + std::to_string(kRevocationsMax) + " that are kept");
    }
  }
  return revocations;
}

bool Revocations::has(std::string_view token_id, std::string_view user, WallTime issued) const {
  if (issued < all_before_) return true;
  if (!token_id.empty() && tokens_.contains(token_id)) return true;
  const auto entry = users_.find(user);
  return entry != users_.end() && issued < entry->second;
}

}  // namespace ringcast
