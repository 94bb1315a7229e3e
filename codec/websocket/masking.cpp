#include "codec/websocket/masking.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ringcast {
namespace detail {

void apply_mask_scalar(MutableBytes bytes, MaskKey key) {
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] ^= key[i & 3];
}

#if defined(__x86_64__)

namespace {
// Every step below is a multiple of four bytes, so the key never has to be rotated.
std::uint8_t* mask_words(std::uint8_t* at, std::uint8_t* end, MaskKey key) {
  const auto key32 = load<std::uint32_t>(key.data());
  const std::uint64_t key64 = static_cast<std::uint64_t>(key32) << 32 | key32;
  for (; end - at >= 8; at += 8) store(at, load<std::uint64_t>(at) ^ key64);
  if (end - at >= 4) {
    store(at, load<std::uint32_t>(at) ^ key32);
    at += 4;
  }
  return at;
}
}  // namespace

void apply_mask_sse2(MutableBytes bytes, MaskKey key) {
  std::uint8_t* at = bytes.data();
  std::uint8_t* const end = at + bytes.size();
  const __m128i wide = _mm_set1_epi32(load<std::int32_t>(key.data()));
  for (; end - at >= 16; at += 16) {
    auto* const block = reinterpret_cast<__m128i*>(at);
    _mm_storeu_si128(block, _mm_xor_si128(_mm_loadu_si128(block), wide));
  }
  at = mask_words(at, end, key);
  apply_mask_scalar({at, end}, key);
}

__attribute__((target("avx2"))) void apply_mask_avx2(MutableBytes bytes, MaskKey key) {
  std::uint8_t* at = bytes.data();
  std::uint8_t* const end = at + bytes.size();
  const __m256i wide = _mm256_set1_epi32(load<std::int32_t>(key.data()));
  for (; end - at >= 64; at += 64) {
    auto* const first = reinterpret_cast<__m256i*>(at);
    auto* const second = reinterpret_cast<__m256i*>(at + 32);
    const __m256i one = _mm256_xor_si256(_mm256_loadu_si256(first), wide);
    const __m256i two = _mm256_xor_si256(_mm256_loadu_si256(second), wide);
    _mm256_storeu_si256(first, one);
    _mm256_storeu_si256(second, two);
  }
  if (end - at >= 32) {
    auto* const block = reinterpret_cast<__m256i*>(at);
    _mm256_storeu_si256(block, _mm256_xor_si256(_mm256_loadu_si256(block), wide));
    at += 32;
  }
  at = mask_words(at, end, key);
  apply_mask_scalar({at, end}, key);
}

#else  // another processor: the scalar loop, which compilers vectorise

void apply_mask_sse2(MutableBytes bytes, MaskKey key) { apply_mask_scalar(bytes, key); }
void apply_mask_avx2(MutableBytes bytes, MaskKey key) { apply_mask_scalar(bytes, key); }

#endif

namespace {
using ApplyMask = void (*)(MutableBytes, MaskKey);
ApplyMask widest() {
#if defined(__x86_64__)
  __builtin_cpu_init();  // this may run before the constructors that would have done it
  return __builtin_cpu_supports("avx2") ? apply_mask_avx2 : apply_mask_sse2;
#else
  return apply_mask_scalar;
#endif
}
const ApplyMask kWidest = widest();  // immutable after start-up
}  // namespace

}  // namespace detail

void apply_mask(MutableBytes bytes, MaskKey key, std::size_t offset) {
  detail::kWidest(bytes, rotated(key, offset));
}

}  // namespace ringcast
