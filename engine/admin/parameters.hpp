// engine/admin/parameters.hpp: what a request's path and query say, as values.
//
// Thread   any; pure.  Memory  the values returned.
// Failure  an empty optional: it is there and cannot be read.
// Not here bodies (actions), which parameter means what (answers, lists).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "codec/http/url.hpp"
#include "codec/text/channel_name.hpp"
#include "codec/text/numbers.hpp"

namespace ringcast {

/// The value of a query's parameter, decoded; empty if it is not there or cannot be decoded.
[[nodiscard]] inline std::optional<std::string> parameter(std::string_view query, std::string_view name) {
  std::array<char, 1'024> scratch;
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
