// engine/admin/openapi_document.hpp: the text of docs/openapi.json, made part of the program when it is built.
//
// Thread   any (a constant).  Memory  the program's.  Failure  none.
// Not here whether it is true: tests/system/admin_test.py checks every answer against it.
#pragma once

#include <string_view>

namespace ringcast {

[[nodiscard]] std::string_view openapi_document();

}  // namespace ringcast
