// codec/websocket/masking.hpp: the exclusive-or of RFC 6455 section 5.3, in place, as wide as the processor allows.
//
// Thread  any.  Memory  none.  Failure  none.
// Not here where keys come from: a client takes them from the operating system's random source.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "alloc/base/bytes.hpp"

namespace ringcast {

using MaskKey = std::array<std::uint8_t, 4>;

/// Masks or unmasks `bytes`.
/// offset  how many bytes of the same frame came before; only its low two bits matter.
void apply_mask(MutableBytes bytes, MaskKey key, std::size_t offset = 0);

/// The key as seen by a byte `offset` bytes later, so that the rest of a frame can start at offset 0.
[[nodiscard]] constexpr MaskKey rotated(MaskKey key, std::size_t offset) {
  // As one number, little-endian: bytes written one by one and then read together would stall the processor.
  return std::bit_cast<MaskKey>(std::rotr(std::bit_cast<std::uint32_t>(key), static_cast<int>(8 * (offset & 3))));
}

/// The ways to do the same thing, for the tests that prove them equal and for the bench.
namespace detail {
void apply_mask_scalar(MutableBytes bytes, MaskKey key);
void apply_mask_sse2(MutableBytes bytes, MaskKey key);
void apply_mask_avx2(MutableBytes bytes, MaskKey key);  // only where the processor has AVX2
}  // namespace detail

}  // namespace ringcast
