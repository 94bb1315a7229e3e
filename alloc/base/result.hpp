// alloc/base/result.hpp: the one place that names the expected type.
//
// Result<Value, Error> says that the peer may be wrong; `unexpected(error)` makes the failing side. std::expected of
// g++ 12 lacks and_then and clang refuses it, so this is tl::expected.
#pragma once

#include <tl/expected.hpp>

namespace ringcast {

template <class Value, class Error>
using Result = tl::expected<Value, Error>;

template <class Error>
[[nodiscard]] constexpr tl::unexpected<std::decay_t<Error>> unexpected(Error&& error) {
  return tl::unexpected<std::decay_t<Error>>(std::forward<Error>(error));
}

}  // namespace ringcast
