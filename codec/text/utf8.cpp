#include "codec/text/utf8.hpp"

#include <array>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ringcast {
namespace {

// -- byte by byte: an automaton over classes of bytes, after RFC 3629 section 4 --

enum State : std::uint8_t {
  between,      // 0: at a character's start
  one_more,     // any continuation byte ends the character
  two_more,
  three_more,
  after_e0,     // A0-BF, else overlong
  after_ed,     // 80-9F, else a surrogate
  after_f0,     // 90-BF, else overlong
  after_f4,     // 80-8F, else above U+10FFFF
  rejected,
  states_end,
};
static_assert(between == 0, "Utf8Stream::complete() relies on it");

enum ByteClass : std::uint8_t {
  ascii, cont_80_8f, cont_90_9f, cont_a0_bf, lead_two, lead_e0, lead_three, lead_ed, lead_f0, lead_four, lead_f4, never,
  classes_end,
};

constexpr ByteClass class_of(unsigned byte) {
  if (byte < 0x80) return ascii;
  if (byte < 0x90) return cont_80_8f;
  if (byte < 0xa0) return cont_90_9f;
  if (byte < 0xc0) return cont_a0_bf;
  if (byte < 0xc2) return never;  // C0, C1: overlong
  if (byte < 0xe0) return lead_two;
  if (byte == 0xe0) return lead_e0;
  if (byte == 0xed) return lead_ed;
  if (byte < 0xf0) return lead_three;
  if (byte == 0xf0) return lead_f0;
  if (byte < 0xf4) return lead_four;
  if (byte == 0xf4) return lead_f4;
  return never;  // F5 and up: above U+10FFFF
}

constexpr State after(State state, ByteClass byte) {
  const bool low = byte == cont_80_8f;
  const bool middle = byte == cont_90_9f;
  const bool high = byte == cont_a0_bf;
  const bool continuation = low || middle || high;
  switch (state) {
    case between:
      switch (byte) {
        case ascii: return between;
        case lead_two: return one_more;
        case lead_e0: return after_e0;
        case lead_three: return two_more;
        case lead_ed: return after_ed;
        case lead_f0: return after_f0;
        case lead_four: return three_more;
        case lead_f4: return after_f4;
        default: return rejected;
      }
    case one_more: return continuation ? between : rejected;
    case two_more: return continuation ? one_more : rejected;
    case three_more: return continuation ? two_more : rejected;
    case after_e0: return high ? one_more : rejected;
    case after_ed: return low || middle ? one_more : rejected;
    case after_f0: return middle || high ? two_more : rejected;
    case after_f4: return low ? two_more : rejected;
    default: return rejected;
  }
}

constexpr auto kClasses = [] {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned byte = 0; byte < 256; ++byte) classes[byte] = class_of(byte);
  return classes;
}();
constexpr std::size_t kRowBytes = 16;  // at least classes_end; a power of two, so that a row is found by a shift
static_assert(classes_end <= kRowBytes);
constexpr auto kTransitions = [] {
  std::array<std::uint8_t, states_end * kRowBytes> table{};
  for (std::size_t state = 0; state < states_end; ++state) {
    for (std::size_t byte = 0; byte < classes_end; ++byte) {
      table[state * kRowBytes + byte] = after(static_cast<State>(state), static_cast<ByteClass>(byte));
    }
  }
  return table;
}();

std::uint8_t step(std::uint8_t state, std::uint8_t byte) {
  return kTransitions[state * kRowBytes + kClasses[byte]];
}

constexpr std::uint64_t kHighBits = 0x8080'8080'8080'8080;

/// Where the last character that `bytes` does not complete begins; bytes.size() if there is none. Looks only at
/// lead bytes: whether the text is valid is for others to find out.
std::size_t complete_prefix_bytes(Bytes bytes) {
  const std::size_t back_max = bytes.size() < 3 ? bytes.size() : 3;
  for (std::size_t back = 1; back <= back_max; ++back) {
    const std::uint8_t byte = bytes[bytes.size() - back];
    if (byte < 0x80) break;
    if (byte >= 0xc0) {
      const std::size_t length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
      return length > back ? bytes.size() - back : bytes.size();
    }
  }
  return bytes.size();
}

}  // namespace

namespace detail {

bool is_valid_utf8_scalar(Bytes bytes) {
  const std::uint8_t* at = bytes.data();
  const std::uint8_t* const end = at + bytes.size();
  std::uint8_t state = between;
  while (at != end) {
    if (state == between) {
      while (end - at >= 8 && (load<std::uint64_t>(at) & kHighBits) == 0) at += 8;
      if (at == end) break;
    }
    state = step(state, *at++);
    if (state == rejected) return false;
  }
  return state == between;
}

#if defined(__x86_64__)

namespace {

// -- 32 bytes at a time: every rule of RFC 3629 but one is about two neighbouring bytes, and can be written as three
// sets of nibbles: the high and low half of the first byte and the high half of the second. A rule is a bit, a nibble
// set a 16-byte table, so three shuffles and two ands find every broken rule of 32 pairs. The remaining rule, how
// many continuation bytes follow a lead byte, is the bit `continues_twice`: right exactly where a third or fourth
// byte belongs. (J. Keiser, D. Lemire, "Validating UTF-8 in less than one instruction per byte", 2021.)

constexpr std::uint16_t nibbles(unsigned from, unsigned to) {
  unsigned set = 0;
  for (unsigned n = from; n <= to; ++n) set |= 1U << n;
  return static_cast<std::uint16_t>(set);
}
constexpr std::uint16_t kAny = nibbles(0x0, 0xf);
constexpr std::uint16_t kContinuation = nibbles(0x8, 0xb);

struct PairRule {
  std::uint16_t first_high, first_low, second_high;
};
// Row i is bit i.
constexpr std::array<PairRule, 8> kPairRules{{
    {nibbles(0xc, 0xf), kAny, nibbles(0x0, 0x7) | nibbles(0xc, 0xf)},   // a lead byte without continuation
    {nibbles(0x0, 0x7), kAny, kContinuation},                           // a continuation of ASCII
    {nibbles(0xc, 0xc), nibbles(0x0, 0x1), kContinuation},              // C0, C1: overlong
    {nibbles(0xe, 0xe), nibbles(0x0, 0x0), nibbles(0x8, 0x9)},          // E0 80-9F: overlong
    {nibbles(0xe, 0xe), nibbles(0xd, 0xd), nibbles(0xa, 0xb)},          // ED A0-BF: surrogate
    {nibbles(0xf, 0xf), nibbles(0x0, 0x0) | nibbles(0x5, 0xf), nibbles(0x8, 0x8)},  // F0 80-8F overlong; F5+ too large
    {nibbles(0xf, 0xf), nibbles(0x4, 0xf), nibbles(0x9, 0xb)},          // F4 90-BF, F5 and up: too large
    {kContinuation, kAny, kContinuation},                               // continues_twice
}};

using NibbleTable = std::array<std::uint8_t, 16>;
constexpr NibbleTable table_of(std::uint16_t PairRule::*set) {
  NibbleTable table{};
  for (std::size_t rule = 0; rule < kPairRules.size(); ++rule) {
    for (std::size_t n = 0; n < 16; ++n) {
      if ((kPairRules[rule].*set >> n & 1) != 0) table[n] = static_cast<std::uint8_t>(table[n] | 1U << rule);
    }
  }
  return table;
}
alignas(16) constexpr NibbleTable kFirstHigh = table_of(&PairRule::first_high);
alignas(16) constexpr NibbleTable kFirstLow = table_of(&PairRule::first_low);
alignas(16) constexpr NibbleTable kSecondHigh = table_of(&PairRule::second_high);

__attribute__((target("avx2"))) inline __m256i both_lanes(const NibbleTable& table) {
  return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(table.data())));
}
__attribute__((target("avx2"))) inline __m256i high_nibbles(__m256i bytes) {
  return _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(0x0f));
}
/// The bytes of `block` moved up by Count places, the end of `before` in front.
template <int Count>
__attribute__((target("avx2"))) inline __m256i shifted(__m256i before, __m256i block) {
  return _mm256_alignr_epi8(block, _mm256_permute2x128_si256(before, block, 0x21), 16 - Count);
}
__attribute__((target("avx2"))) inline __m256i broken_rules(__m256i before, __m256i block) {
  const __m256i first = shifted<1>(before, block);
  const __m256i pairs = _mm256_and_si256(
      _mm256_and_si256(_mm256_shuffle_epi8(both_lanes(kFirstHigh), high_nibbles(first)),
                       _mm256_shuffle_epi8(both_lanes(kFirstLow), _mm256_and_si256(first, _mm256_set1_epi8(0x0f)))),
      _mm256_shuffle_epi8(both_lanes(kSecondHigh), high_nibbles(block)));
  // The top bit is set where the byte two back leads three (E0 and up), or the byte three back leads four (F0 and up).
  const __m256i third = _mm256_subs_epu8(shifted<2>(before, block), _mm256_set1_epi8(0xe0 - 0x80));
  const __m256i fourth = _mm256_subs_epu8(shifted<3>(before, block), _mm256_set1_epi8(0xf0 - 0x80));
  const __m256i belongs = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8(static_cast<char>(0x80)));
  return _mm256_xor_si256(pairs, belongs);
}

}  // namespace

__attribute__((target("avx2"))) bool is_valid_utf8_avx2(Bytes bytes) {
  const std::uint8_t* at = bytes.data();
  const std::uint8_t* const end = at + bytes.size();
  __m256i before = _mm256_setzero_si256();
  __m256i broken = _mm256_setzero_si256();
  int high_before = 0;
  for (; end - at >= 32; at += 32) {
    const __m256i block = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    const int high = _mm256_movemask_epi8(block);
    if ((high | high_before) != 0) broken = _mm256_or_si256(broken, broken_rules(before, block));
    before = block;
    high_before = high;
  }
  if (_mm256_testz_si256(broken, broken) == 0) return false;
  if (bytes.size() >= 32 && high_before == 0) {  // mostly the rest is ASCII too: look at it with some bytes seen before
    const __m256i last = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(end - 32));
    if (_mm256_movemask_epi8(last) == 0) return true;
  }
  // What is left, and the character that the last block began without ending, goes byte by byte.
  const Bytes blocks{bytes.data(), at};
  return is_valid_utf8_scalar(bytes.subspan(complete_prefix_bytes(blocks)));
}

namespace {
using Validate = bool (*)(Bytes);
Validate widest() {
  __builtin_cpu_init();  // this may run before the constructors that would have done it
  return __builtin_cpu_supports("avx2") ? is_valid_utf8_avx2 : is_valid_utf8_scalar;
}
const Validate kWidest = widest();  // immutable after start-up
}  // namespace

#else  // another processor: eight bytes of ASCII at a time

bool is_valid_utf8_avx2(Bytes bytes) { return is_valid_utf8_scalar(bytes); }
constexpr auto kWidest = is_valid_utf8_scalar;

#endif

}  // namespace detail

bool is_valid_utf8(Bytes bytes) { return detail::kWidest(bytes); }

std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t cut = bytes_max;
  while (cut > 0 && (static_cast<std::uint8_t>(text[cut]) & 0xc0) == 0x80) --cut;
  return text.substr(0, cut);
}

bool Utf8Stream::feed(Bytes piece) {
  std::size_t at = 0;
  while (at < piece.size() && state_ != between && state_ != rejected) state_ = step(state_, piece[at++]);
  if (state_ == rejected) return false;
  const Bytes rest = piece.subspan(at);
  const std::size_t whole = complete_prefix_bytes(rest);
  if (!is_valid_utf8(rest.first(whole))) {
    state_ = rejected;
    return false;
  }
  for (const std::uint8_t byte : rest.subspan(whole)) state_ = step(state_, byte);
  return state_ != rejected;
}

}  // namespace ringcast
