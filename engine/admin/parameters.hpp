// engine/admin/parameters.hpp: what a request's path and query say, as values.
//
// Thread   any; pure.  Memory  the values returned.
// Failure  is_readable() says whether a query's values can be decoded: it is to be asked first, so that a filter that
//          nobody understands is refused, and not left out. An empty optional: it is not there, or no such value.
// Not here bodies (actions), which parameter means what (answers, lists).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "codec/http/url.hpp"
#include "codec/text/channel_name.hpp"
#include "codec/text/numbers.hpp"
#include "codec/text/utf8.hpp"

namespace ringcast {

inline constexpr std::size_t kAdminValueBytesMax = 1'024;  // decoded; a name has 255 at most, a position less

[[nodiscard]] inline bool is_readable(std::string_view query) {
  std::array<char, kAdminValueBytesMax> scratch;
  while (const auto pair = next_query_pair(query)) {
    const auto value = percent_decode(pair->value, scratch, Plus::space);
    if (!value || value->size() > kAdminValueBytesMax || !is_valid_utf8(*value)) return false;
  }
  return true;
}
/// The value of a query's parameter, decoded; empty if it is not there.
[[nodiscard]] inline std::optional<std::string> parameter(std::string_view query, std::string_view name) {
  std::array<char, kAdminValueBytesMax> scratch;
  const auto value = query_parameter(query, name, scratch);
  if (!value || !*value) return std::nullopt;
  return std::string{**value};
}
/// A parameter that is 1 or true, 0 or false; not there is false.
[[nodiscard]] inline std::optional<bool> flag(std::string_view query, std::string_view name) {
  const std::string text = parameter(query, name).value_or("0");
  if (text == "1" || text == "true") return true;
  if (text == "0" || text == "false") return false;
  return std::nullopt;
}

[[nodiscard]] inline std::string user_channel(std::string_view user) { return std::string{kUserPrefix}.append(user); }
[[nodiscard]] inline std::string project_channel(std::string_view project) {
  return std::string{"project:"}.append(project);
}

}  // namespace ringcast
