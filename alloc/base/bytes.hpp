// alloc/base/bytes.hpp: views of bytes and text, and fixed-width numbers in them.
//
// Thread  any.  Memory  none.  Failure  none: the caller checks sizes; load and store are unaligned and never fault.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace ringcast {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

static_assert(std::endian::native == std::endian::little, "little-endian records are read in place");

[[nodiscard]] inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
[[nodiscard]] inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// Reads a T in the machine's order (little-endian) from any address.
template <class T>
  requires std::is_trivially_copyable_v<T>
[[nodiscard]] T load(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
template <class T>
  requires std::is_trivially_copyable_v<T>
void store(void* to, const T& value) {
  std::memcpy(to, &value, sizeof value);
}
/// Network order, as RFC 6455 section 5.2 writes extended lengths and close codes.
template <std::unsigned_integral T>
[[nodiscard]] T load_big_endian(const void* from) {
  return std::byteswap(load<T>(from));
}
template <std::unsigned_integral T>
void store_big_endian(void* to, T value) {
  store(to, std::byteswap(value));
}

}  // namespace ringcast
