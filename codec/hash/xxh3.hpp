// codec/hash/xxh3.hpp: fast hashes for routing and deduplication; not for security.
//
// Thread  any.  Memory  none.  Failure  none.
// Not here sha1 (handshake).
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "alloc/base/bytes.hpp"

namespace ringcast {

struct Hash128 {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  constexpr bool operator==(const Hash128&) const = default;
};

/// XXH3, 64 bits, seed 0: the same value in every process and release, so a channel's home can be computed outside.
[[nodiscard]] std::uint64_t hash64(std::string_view text);

/// XXH3, 128 bits. Equal hashes are taken for equal payloads: at 10,000 entries the odds of a collision are 1 in 10^30.
[[nodiscard]] Hash128 hash128(Bytes bytes, std::uint64_t seed = 0);

}  // namespace ringcast

template <>
struct std::hash<ringcast::Hash128> {
  std::size_t operator()(const ringcast::Hash128& value) const noexcept { return value.low; }
};
