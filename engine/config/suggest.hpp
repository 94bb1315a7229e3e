// engine/config/suggest.hpp: what somebody who mistyped a key may have meant.
//
// Thread  any.  Memory  one row of distances.  Failure  none: no suggestion is an empty text.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace ringcast {

/// "; did you mean limits.connections?" if one of `names` is a few keystrokes away or ends like it; otherwise nothing.
[[nodiscard]] std::string did_you_mean(std::string_view name, std::span<const std::string> names);

/// The text with everything that a terminal could misread written as an escape.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace ringcast
