#include "codec/text/json.hpp"

#include <algorithm>

#include "alloc/base/ensure.hpp"
#include "codec/text/json_scan.hpp"

namespace ringcast {

using json_detail::Scanner;

namespace {

JsonKind kind_of(char first) {
  switch (first) {
    case '{': return JsonKind::object;
    case '[': return JsonKind::array;
    case '"': return JsonKind::string;
    case 't':
    case 'f': return JsonKind::boolean;
    case 'n': return JsonKind::null;
    default: return JsonKind::number;
  }
}

std::string_view between(const char* from, const char* to) { return {from, static_cast<std::size_t>(to - from)}; }

bool only_space_is_left(Scanner& scanner) {
  scanner.skip_space();
  return scanner.at_end() || scanner.fail("bytes follow the JSON value");
}

}  // namespace

Result<JsonKind, JsonError> validate_json(std::string_view text, std::uint32_t depth_max) {
  Scanner scanner{text};
  scanner.skip_space();
  const char* first = scanner.position();
  if (!scanner.value(depth_max) || !only_space_is_left(scanner)) {
    return unexpected(scanner.error());
  }
  return kind_of(*first);
}

JsonReader::JsonReader() { members_.reserve(kEnvelopeMembersMax); }

Result<JsonKind, JsonError> JsonReader::read(std::string_view text) {
  text_ = text;
  members_.clear();
  scratch_used_ = 0;
  Scanner scanner{text};
  scanner.skip_space();
  if (!scanner.at('{')) {
    return validate_json(text);
  }
  const auto failed = [&] {
    members_.clear();
    return unexpected(scanner.error());
  };
  (void)scanner.take('{');
  scanner.skip_space();
  bool more = !scanner.take('}');
  while (more) {
    scanner.skip_space();
    const char* name_begin = scanner.position();
    if (!scanner.string()) {
      return failed();
    }
    JsonMember member;
    member.name_has_escapes = scanner.saw_escape();
    member.name = unescaped(between(name_begin + 1, scanner.position() - 1), member.name_has_escapes);
    scanner.skip_space();
    if (!scanner.take(':')) {
      scanner.fail("a member's name must be followed by a colon");
      return failed();
    }
    scanner.skip_space();
    const char* value_begin = scanner.position();
    if (!scanner.value(kJsonDepthMax - 1)) {
      return failed();
    }
    const JsonKind kind = kind_of(*value_begin);
    member.value = {between(value_begin, scanner.position()), kind, kind == JsonKind::string && scanner.saw_escape()};
    if (find(member.name) != nullptr) {
      scanner.fail("an object has two members of one name");
      return failed();
    }
    if (members_.size() == kEnvelopeMembersMax) {
      scanner.fail("an object has too many members");
      return failed();
    }
    members_.push_back(member);
    scanner.skip_space();
    more = scanner.take(',');
    if (!more && !scanner.take('}')) {
      scanner.fail("after a value there must be a comma or the end of its object or array");
      return failed();
    }
  }
  if (!only_space_is_left(scanner)) {
    return failed();
  }
  return JsonKind::object;
}

const JsonValue* JsonReader::find(std::string_view name) const {
  const auto found = std::ranges::find(members_, name, &JsonMember::name);
  return found == members_.end() ? nullptr : &found->value;
}

std::string_view JsonReader::string_of(const JsonValue& string) {
  ensure(string.kind == JsonKind::string, "only a string has characters");
  return unescaped(string.inside_quotes(), string.has_escapes);
}

std::string_view JsonReader::unescaped(std::string_view inside_quotes, bool has_escapes) {
  if (!has_escapes) {
    return inside_quotes;
  }
  char* out = take_scratch(inside_quotes.size());
  const std::optional<std::size_t> bytes = unescape_json(inside_quotes, out);
  ensure(bytes.has_value(), "a validated string can be unescaped");
  scratch_used_ -= inside_quotes.size() - *bytes;
  return {out, *bytes};
}

char* JsonReader::spare(std::size_t bytes) { return take_scratch(bytes); }

char* JsonReader::take_scratch(std::size_t bytes) {
  // Each byte of the text is unescaped at most once, so the text's size bounds them all together.
  const std::size_t needed = text_.size() + kSpareBytes;
  if (scratch_used_ == 0 && scratch_bytes_ < needed) {
    scratch_ = std::make_unique_for_overwrite<char[]>(needed);
    scratch_bytes_ = needed;
  }
  ensure(bytes <= scratch_bytes_ - scratch_used_, "what is unescaped fits the scratch of its text");
  char* out = scratch_.get() + scratch_used_;
  scratch_used_ += bytes;
  return out;
}

}  // namespace ringcast
