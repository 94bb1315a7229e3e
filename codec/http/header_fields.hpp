// codec/http/header_fields.hpp: the fields of one HTTP message head, and the questions asked of them.
//
// Owner    RequestHead or ResponseHead, by value.  Thread  any.
// Memory   3.2 KB in place, views into the buffer that was parsed; nothing else.
// Failure  none here: the parsers refuse what is malformed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ringcast {

inline constexpr std::size_t kHeadFieldsMax = 100;         // protocol.md section 1
inline constexpr std::size_t kHeadBytesMaxDefault = 16384;  // protocol.md section 1

[[nodiscard]] bool equals_ignoring_case(std::string_view left, std::string_view right);
/// RFC 9110 section 5.6.2: non-empty, letters, digits and !#$%&'*+-.^_`|~
[[nodiscard]] bool is_token(std::string_view text);
/// Without the spaces and tabs at either end.
[[nodiscard]] std::string_view trimmed(std::string_view text);

/// Takes the next element off a comma-separated list, trimmed; skips empty ones (RFC 9110 section 5.6.1).
/// Commas inside quoted strings do not separate. Empty: the list has ended.
[[nodiscard]] std::optional<std::string_view> next_list_element(std::string_view& rest);

struct HeaderField {
  std::string_view name;
  std::string_view value;  // trimmed
};

struct HeaderFields {
  std::array<HeaderField, kHeadFieldsMax> rows;  // the first `count` are set
  std::size_t count = 0;

  /// The value of the first field of that name, in any case; empty optional if there is none.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
  /// How many fields have that name.
  [[nodiscard]] std::size_t occurrences(std::string_view name) const;
  /// True if a comma-separated list in fields of that name contains the token, ignoring case.
  [[nodiscard]] bool has_token(std::string_view name, std::string_view token) const;

  [[nodiscard]] const HeaderField* begin() const { return rows.data(); }
  [[nodiscard]] const HeaderField* end() const { return rows.data() + count; }
};

}  // namespace ringcast
