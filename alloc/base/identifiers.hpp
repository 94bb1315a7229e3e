// alloc/base/identifiers.hpp: the numbers that name things, each its own type.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

namespace ringcast {

enum class ShardIndex : std::uint16_t {};  // not a count: adding one to it does not compile
enum class Sequence : std::uint64_t {};    // 1, 2, 3… within a channel's epoch; 0 is "before the first"
enum class Epoch : std::uint64_t {};       // a channel's incarnation; written as 16 hexadecimal digits

[[nodiscard]] constexpr std::uint64_t value(Sequence seq) { return std::to_underlying(seq); }
[[nodiscard]] constexpr std::uint64_t value(Epoch epoch) { return std::to_underlying(epoch); }
[[nodiscard]] constexpr std::uint16_t value(ShardIndex shard) { return std::to_underlying(shard); }
[[nodiscard]] constexpr Sequence next(Sequence seq) { return Sequence{value(seq) + 1}; }
/// How many messages lie in [from, to); 0 when `from` is not before `to`.
[[nodiscard]] constexpr std::uint64_t distance(Sequence from, Sequence to) {
  return value(to) > value(from) ? value(to) - value(from) : 0;
}

/// Names one slot of a slab in one of its lives: a handle to a freed and reused slot compares unequal.
struct Handle {
  std::uint32_t slot = kNone;
  std::uint32_t generation = 0;

  static constexpr std::uint32_t kNone = 0xffff'ffff;
  [[nodiscard]] constexpr bool valid() const { return slot != kNone; }
  constexpr bool operator==(const Handle&) const = default;
};
static_assert(sizeof(Handle) == 8, "travels as the user data of a completion and in mesh records");

}  // namespace ringcast
