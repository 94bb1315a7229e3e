#include "codec/http/head_reader.hpp"

#include <algorithm>

#include "codec/http/characters.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kVersionPrefix = "HTTP/";

/// Checks one byte given the one before; true if it ends a line.
Result<bool, HeadError> check_byte(char before, char c) {
  if (before == '\r' && c != '\n') return unexpected(HeadError::bare_line_ending);
  if (c == '\n') {
    if (before != '\r') return unexpected(HeadError::bare_line_ending);
    return true;
  }
  if (c != '\r' && !is_field_value_char(c)) return unexpected(HeadError::control_character);
  return false;
}

}  // namespace

Result<std::optional<HeadLines>, HeadError> find_head(std::string_view input, HeadLimits limits,
                                                      std::size_t seen_bytes) {
  const std::string_view bounded = input.substr(0, limits.head_bytes_max);
  // An earlier call stopped at its end: everything before was checked, but the empty line may straddle it.
  const std::size_t from = std::min(seen_bytes, bounded.size());
  const std::size_t begin = bounded.starts_with(kLineEnd) ? kLineEnd.size() : 0;
  for (std::size_t at = from; at < bounded.size(); ++at) {
    const auto ends_line = check_byte(at == 0 ? '\0' : bounded[at - 1], bounded[at]);
    if (!ends_line) return unexpected(ends_line.error());
    if (!*ends_line || at < begin + 1) continue;
    const std::string_view so_far = bounded.substr(begin, at + 1 - begin);
    if (so_far == kLineEnd) return unexpected(HeadError::bare_line_ending);  // a second empty line, no first line
    if (!so_far.ends_with("\r\n\r\n")) continue;
    const std::string_view lines = so_far.substr(0, so_far.size() - kLineEnd.size());
    const std::size_t first_end = lines.find(kLineEnd);
    return HeadLines{lines.substr(0, first_end), lines.substr(first_end + kLineEnd.size()), at + 1};
  }
  if (input.size() >= limits.head_bytes_max) return unexpected(HeadError::too_large);
  return std::nullopt;
}

Result<void, HeadError> read_fields(std::string_view rest, HeaderFields& fields, HeadLimits limits) {
  const std::size_t fields_max = std::min(limits.fields_max, kHeadFieldsMax);
  fields.count = 0;
  while (!rest.empty()) {
    const std::size_t line_bytes = rest.find(kLineEnd);  // every line has its end: find_head saw to it
    const std::string_view line = rest.substr(0, line_bytes);
    rest.remove_prefix(line_bytes + kLineEnd.size());
    if (line.front() == ' ' || line.front() == '\t') return unexpected(HeadError::folded_field);
    if (fields.count == fields_max) return unexpected(HeadError::too_many_fields);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
      return unexpected(HeadError::bad_field_name);
    }
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (!std::all_of(value.begin(), value.end(), is_field_value_char)) return unexpected(HeadError::bad_field_value);
    fields.rows[fields.count++] = {line.substr(0, colon), value};
  }
  return {};
}

Result<BodyFraming, HeadError> read_body_framing(const HeaderFields& fields) {
  BodyFraming framing;
  const std::size_t lengths = fields.occurrences("Content-Length");
  const std::size_t encodings = fields.occurrences("Transfer-Encoding");
  if (lengths > 0 && encodings > 0) return unexpected(HeadError::ambiguous_body);
  if (lengths > 1) return unexpected(HeadError::bad_content_length);
  if (lengths == 1) {
    constexpr std::size_t kDigitsMax = 18;  // below 10^18: no overflow to think about
    const std::string_view text = *fields.find("Content-Length");
    if (text.empty() || text.size() > kDigitsMax || !std::all_of(text.begin(), text.end(), is_digit)) {
      return unexpected(HeadError::bad_content_length);
    }
    std::uint64_t length = 0;
    for (const char c : text) length = length * 10 + static_cast<std::uint64_t>(c - '0');
    framing.content_length = length;
  }
  if (encodings > 0) {
    if (encodings > 1 || !equals_ignoring_case(*fields.find("Transfer-Encoding"), "chunked")) {
      return unexpected(HeadError::bad_transfer_encoding);
    }
    framing.chunked = true;
  }
  return framing;
}

Result<std::uint8_t, HeadError> read_version(std::string_view text) {
  const bool shaped = text.size() == 8 && text.starts_with(kVersionPrefix) && is_digit(text[5]) && text[6] == '.' &&
                      is_digit(text[7]);
  if (!shaped) return unexpected(HeadError::bad_version);
  if (text[5] != '1' || text[7] > '1') return unexpected(HeadError::unsupported_version);
  return static_cast<std::uint8_t>(text[7] - '0');
}

}  // namespace ringcast
