// alloc/base/ensure.hpp: what must be true of ourselves, checked in every build.
//
// Thread   any.  Failure  prints the sentence with its place and aborts: a broken invariant is never sent on.
#pragma once

#include <source_location>

namespace ringcast {

[[noreturn]] void ensure_failed(const char* sentence, std::source_location where) noexcept;

/// Stops the process unless `holds`; `sentence` says what must be true, in words.
inline void ensure(bool holds, const char* sentence,
                   std::source_location where = std::source_location::current()) noexcept {
  if (!holds) [[unlikely]] {
    ensure_failed(sentence, where);
  }
}

}  // namespace ringcast
