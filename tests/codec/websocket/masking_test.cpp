#include "codec/websocket/masking.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "tests/codec/guarded_bytes.hpp"

namespace ringcast {
namespace {

constexpr MaskKey kKey{0x37, 0xfa, 0x21, 0x3d};

TEST(Masking, GivesTheExampleOfRfc6455Section57) {
  std::array<std::uint8_t, 5> hello{'H', 'e', 'l', 'l', 'o'};
  apply_mask(hello, kKey);
  EXPECT_EQ(hello, (std::array<std::uint8_t, 5>{0x7f, 0x9f, 0x4d, 0x51, 0x58}));
  apply_mask(hello, kKey);
  EXPECT_EQ(as_text(hello), "Hello");
}

TEST(Masking, AllTheWaysAgreeAtEveryAlignmentLengthAndOffsetAndTouchNothingElse) {
  using Way = void (*)(MutableBytes, MaskKey);
  std::vector<Way> ways{detail::apply_mask_scalar, detail::apply_mask_sse2};
  if (__builtin_cpu_supports("avx2")) ways.push_back(detail::apply_mask_avx2);
  constexpr std::size_t kLengthMax = 200;  // three 64-byte steps and each kind of rest
  std::array<std::uint8_t, 64 + kLengthMax + 64> original;
  std::iota(original.begin(), original.end(), std::uint8_t{1});
  for (std::size_t alignment = 0; alignment < 64; ++alignment) {
    for (std::size_t length = 0; length <= kLengthMax; ++length) {
      for (std::size_t offset = 0; offset < 4; ++offset) {
        auto expected = original;
        for (std::size_t i = 0; i < length; ++i) expected[alignment + i] ^= kKey[(offset + i) % 4];
        for (const Way way : ways) {
          auto bytes = original;
          way(MutableBytes{bytes}.subspan(alignment, length), rotated(kKey, offset));
          ASSERT_EQ(bytes, expected) << alignment << ' ' << length << ' ' << offset;
        }
        auto bytes = original;
        apply_mask(MutableBytes{bytes}.subspan(alignment, length), kKey, offset + 4 * length);
        ASSERT_EQ(bytes, expected) << alignment << ' ' << length << ' ' << offset;
      }
    }
  }
}

TEST(Masking, NeverReadsBehindTheEnd) {
  GuardedBytes pages{4096};
  const std::vector<std::uint8_t> zeros(300);
  for (std::size_t length = 0; length <= zeros.size(); ++length) {
    const MutableBytes bytes = pages.place(Bytes{zeros}.first(length));
    apply_mask(bytes, kKey, 3);
    for (std::size_t i = 0; i < length; ++i) ASSERT_EQ(bytes[i], kKey[(3 + i) % 4]);
  }
}

}  // namespace
}  // namespace ringcast
