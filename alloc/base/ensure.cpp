#include "alloc/base/ensure.hpp"

#include <cstdio>
#include <cstdlib>

namespace ringcast {

void ensure_failed(const char* sentence, std::source_location where) noexcept {
  std::fprintf(stderr, "ringcast: invariant broken: %s (%s:%u, %s)\n", sentence, where.file_name(),
               static_cast<unsigned>(where.line()), where.function_name());
  std::fflush(stderr);
  std::abort();
}

}  // namespace ringcast
