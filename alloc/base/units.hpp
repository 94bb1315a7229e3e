// alloc/base/units.hpp: sizes as they are written in the documents.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ringcast {

inline constexpr std::size_t kCacheLineBytes = 64;  // fixed: the std:: constant depends on -mtune

consteval std::uint64_t operator""_KiB(unsigned long long n) { return n << 10; }
consteval std::uint64_t operator""_MiB(unsigned long long n) { return n << 20; }
consteval std::uint64_t operator""_GiB(unsigned long long n) { return n << 30; }

}  // namespace ringcast
