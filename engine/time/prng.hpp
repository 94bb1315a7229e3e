// engine/time/prng.hpp: numbers that look random and follow from a seed alone.
//
// Owner    whoever needs chance (jitter, rotation, tests), by value; the seed comes in through the constructor.
// Thread   one.  Memory  32 bytes.  Failure  none.
// Not here secrets: keys, tokens and masks of a client come from the system.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "alloc/base/ensure.hpp"

namespace ringcast {

/// xoshiro256** (Blackman and Vigna, 2018), its state filled by splitmix64, as its authors advise.
class Prng {
 public:
  explicit constexpr Prng(std::uint64_t seed) {
    for (std::uint64_t& word : state_) {
      seed += 0x9e37'79b9'7f4a'7c15;
      std::uint64_t mixed = seed;
      mixed = (mixed ^ (mixed >> 30)) * 0xbf58'476d'1ce4'e5b9;
      mixed = (mixed ^ (mixed >> 27)) * 0x94d0'49bb'1331'11eb;
      word = mixed ^ (mixed >> 31);
    }
  }

  /// Any 64-bit number, each as likely.
  constexpr std::uint64_t next() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }
  /// 0 to bound - 1, each exactly as likely; bound is at least 1.
  std::uint64_t below(std::uint64_t bound) {
    ensure(bound > 0, "there is a number below the bound");
    const std::uint64_t uneven = (0 - bound) % bound;  // 2^64 mod bound: so many values would be one time too likely
    std::uint64_t drawn = next();
    while (drawn < uneven) drawn = next();
    return drawn % bound;
  }
  /// At least 0, below 1.
  constexpr double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace ringcast
