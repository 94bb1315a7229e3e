// tests/fuzz/fuzz.hpp: what the targets of this folder share: a claim that must hold, and input taken apart.
//
// Owner    each target.  Thread  one.  Memory  the target's.
// Failure  holds() stops the process with its sentence: libFuzzer keeps the input.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/bytes.hpp"

namespace ringcast::fuzz {

inline void holds(bool claim, std::string_view sentence) {
  if (claim) return;
  std::fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(sentence.size()), sentence.data());
  std::abort();
}

/// The first bytes of an input say how the rest is used.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_{data, size} {}

  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const std::uint8_t first = rest_.front();
    rest_ = rest_.subspan(1);
    return first;
  }
  [[nodiscard]] bool flag() { return (byte() & 1) != 0; }
  [[nodiscard]] Bytes rest() const { return rest_; }
  [[nodiscard]] std::string_view text() const { return as_text(rest_); }

 private:
  Bytes rest_;
};

/// Memory of its own, of exactly that size, so that one byte too far is seen.
inline std::vector<std::uint8_t> copy_of(Bytes bytes) {
  std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
  copy.shrink_to_fit();
  return copy;
}

}  // namespace ringcast::fuzz
