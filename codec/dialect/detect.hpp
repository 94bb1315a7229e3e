// codec/dialect/detect.hpp: which dialect a first message on plain /ws is written in (protocol.md section 2).
//
// Thread  any.  Memory  none.  Failure  none: what is neither is native, whose decoder then says what is wrong.
#pragma once

#include <string_view>

#include "codec/dialect/command.hpp"

namespace ringcast {

/// exchange for a valid JSON object with a member `method` and no `type`; native for anything else.
[[nodiscard]] Dialect detect_dialect(std::string_view text);

}  // namespace ringcast
