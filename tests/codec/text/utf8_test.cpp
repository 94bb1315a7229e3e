#include "codec/text/utf8.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/codec/guarded_bytes.hpp"

namespace ringcast {
namespace {

/// RFC 3629 section 3, by decoding: the slowest and plainest way, against which the fast ones are judged.
/// Returns how many bytes belong to a valid beginning: text.size() for a valid or merely unfinished text.
std::size_t valid_beginning_bytes(std::string_view text, bool& complete) {
  complete = true;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const unsigned length = lead < 0x80 ? 1 : lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3
                            : lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
    if (length == 0) return at;
    std::uint32_t low = length == 1 ? lead : lead & (0x7fU >> length);
    std::uint32_t high = low;
    for (unsigned i = 1; i < length; ++i) {
      const bool there = at + i < text.size();
      const auto byte = static_cast<unsigned char>(there ? text[at + i] : '\0');
      if (there && (byte & 0xc0) != 0x80) return at + i;
      low = low << 6 | (there ? byte & 0x3fU : 0U);
      high = high << 6 | (there ? byte & 0x3fU : 0x3fU);
      if (!there) complete = false;
      // Can any code point between the lowest and the highest that may still come be valid?
      const unsigned left = 6 * (length - 1 - i);
      const std::uint32_t from = low << left;
      const std::uint32_t to = (high << left) | ((1U << left) - 1);
      const std::uint32_t smallest = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
      if (to < smallest || from > 0x10ffff || (from >= 0xd800 && to <= 0xdfff)) return at + i;
    }
    if (!complete) return text.size();
    at += length;
  }
  return text.size();
}

struct Utf8Row {
  std::string_view sentence, text;
  bool valid;
};
const Utf8Row kRows[] = {
    {"nothing", "", true},
    {"one byte, lowest", std::string_view{"\0", 1}, true},
    {"one byte, highest", "\x7f", true},
    {"two bytes, lowest", "\xc2\x80", true},
    {"two bytes, highest", "\xdf\xbf", true},
    {"three bytes, lowest", "\xe0\xa0\x80", true},
    {"three bytes, highest", "\xef\xbf\xbf", true},
    {"the last before the surrogates", "\xed\x9f\xbf", true},
    {"the first after the surrogates", "\xee\x80\x80", true},
    {"four bytes, lowest", "\xf0\x90\x80\x80", true},
    {"four bytes, F1", "\xf1\x80\x80\x80", true},
    {"four bytes, F3", "\xf3\xbf\xbf\xbf", true},
    {"four bytes, highest", "\xf4\x8f\xbf\xbf", true},
    {"Greek: kosme", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", true},
    {"a byte order mark is a character", "\xef\xbb\xbf", true},
    {"a lone continuation, lowest", "\x80", false},
    {"a lone continuation, highest", "\xbf", false},
    {"a continuation behind ASCII", "a\x80", false},
    {"one continuation too many", "\xc2\x80\x80", false},
    {"two continuations too many", "\xe0\xa0\x80\x80\x80", false},
    {"a fifth byte", "\xf0\x90\x80\x80\x80", false},
    {"overlong two bytes, C0", "\xc0\x80", false},
    {"overlong two bytes, C1", "\xc1\xbf", false},
    {"overlong slash", "\xc0\xaf", false},
    {"overlong three bytes, lowest", "\xe0\x80\x80", false},
    {"overlong three bytes, highest", "\xe0\x9f\xbf", false},
    {"overlong four bytes, lowest", "\xf0\x80\x80\x80", false},
    {"overlong four bytes, highest", "\xf0\x8f\xbf\xbf", false},
    {"surrogate, lowest", "\xed\xa0\x80", false},
    {"surrogate, high half's end", "\xed\xaf\xbf", false},
    {"surrogate, low half's begin", "\xed\xb0\x80", false},
    {"surrogate, highest", "\xed\xbf\xbf", false},
    {"a surrogate pair", "\xed\xa0\x80\xed\xb0\x80", false},
    {"just above U+10FFFF", "\xf4\x90\x80\x80", false},
    {"F4 with a high second byte", "\xf4\xbf\xbf\xbf", false},
    {"F5", "\xf5\x80\x80\x80", false},
    {"F7", "\xf7\xbf\xbf\xbf", false},
    {"F8, five bytes of old", "\xf8\x88\x80\x80\x80", false},
    {"FC, six bytes of old", "\xfc\x84\x80\x80\x80\x80", false},
    {"FE", "\xfe", false},
    {"FF", "\xff", false},
    {"two bytes, cut", "\xc2", false},
    {"three bytes, cut after one", "\xe1", false},
    {"three bytes, cut after two", "\xe1\x80", false},
    {"four bytes, cut after one", "\xf1", false},
    {"four bytes, cut after two", "\xf1\x80", false},
    {"four bytes, cut after three", "\xf1\x80\x80", false},
    {"two bytes, then ASCII instead", "\xc2\x41", false},
    {"three bytes, then ASCII instead", "\xe1\x80\x41", false},
    {"four bytes, then ASCII instead", "\xf1\x80\x80\x41", false},
    {"a lead byte instead of a continuation", "\xe1\xc2\x80", false},
    {"Autobahn's: kosme, then a surrogate, then text",
     "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80"
     "edited",
     false},
};

bool avx2_here() { return __builtin_cpu_supports("avx2") != 0; }

void expect_everywhere(std::string_view text, const std::string& sentence) {
  bool complete = false;
  const std::size_t good = valid_beginning_bytes(text, complete);
  const bool valid = good == text.size() && complete;
  EXPECT_EQ(detail::is_valid_utf8_scalar(as_bytes(text)), valid) << sentence;
  if (avx2_here()) {
    EXPECT_EQ(detail::is_valid_utf8_avx2(as_bytes(text)), valid) << sentence;
  }
  EXPECT_EQ(is_valid_utf8(text), valid) << sentence;

  Utf8Stream stream;  // byte by byte: refused exactly at the first byte that nothing can follow
  std::size_t accepted = 0;
  while (accepted < text.size() && stream.feed(as_bytes(text.substr(accepted, 1)))) ++accepted;
  EXPECT_EQ(accepted, good) << sentence;
  if (good == text.size()) {
    EXPECT_EQ(stream.complete(), complete) << sentence;
  }
}

TEST(Utf8, EachRowIsJudgedRightWholeAndByteByByte) {
  for (const Utf8Row& row : kRows) {
    EXPECT_EQ(is_valid_utf8(row.text), row.valid) << row.sentence;
    expect_everywhere(row.text, std::string{row.sentence});
  }
}

TEST(Utf8, EachRowIsJudgedTheSameAtEveryPlaceOfABlock) {
  GuardedBytes pages{4096};
  for (const Utf8Row& row : kRows) {
    for (std::size_t before = 0; before <= 66; ++before) {
      for (const std::size_t behind : {0U, 1U, 31U, 40U}) {
        const std::string text = std::string(before, 'x') + std::string{row.text} + std::string(behind, 'y');
        const Bytes placed = pages.place(as_bytes(text));
        ASSERT_EQ(is_valid_utf8(placed), row.valid) << row.sentence << " behind " << before << " letters";
        ASSERT_EQ(detail::is_valid_utf8_scalar(placed), row.valid)
            << row.sentence << " behind " << before << " letters";
      }
    }
  }
}

TEST(Utf8, AStreamJudgesEachRowTheSameAtEverySplitInThree) {
  for (const Utf8Row& row : kRows) {
    for (const std::size_t around : {0U, 33U}) {
      const std::string text = std::string(around, 'x') + std::string{row.text} + std::string(around, 'x');
      for (std::size_t first = 0; first <= text.size(); ++first) {
        for (std::size_t second = first; second <= text.size(); ++second) {
          const std::string_view view{text};
          Utf8Stream stream;
          const bool fed = stream.feed(as_bytes(view.substr(0, first))) &&
                           stream.feed(as_bytes(view.substr(first, second - first))) &&
                           stream.feed(as_bytes(view.substr(second)));
          ASSERT_EQ(fed && stream.complete(), row.valid) << row.sentence << " split at " << first << " and " << second;
        }
      }
    }
  }
}

TEST(Utf8, EveryCodePointIsValidUnlessASurrogate) {
  for (std::uint32_t point = 0; point <= 0x10ffff; ++point) {
    std::string text;
    if (point < 0x80) {
      text = {static_cast<char>(point)};
    } else if (point < 0x800) {
      text = {static_cast<char>(0xc0 | point >> 6), static_cast<char>(0x80 | (point & 63))};
    } else if (point < 0x10000) {
      text = {static_cast<char>(0xe0 | point >> 12), static_cast<char>(0x80 | (point >> 6 & 63)),
              static_cast<char>(0x80 | (point & 63))};
    } else {
      text = {static_cast<char>(0xf0 | point >> 18), static_cast<char>(0x80 | (point >> 12 & 63)),
              static_cast<char>(0x80 | (point >> 6 & 63)), static_cast<char>(0x80 | (point & 63))};
    }
    const bool surrogate = point >= 0xd800 && point <= 0xdfff;
    const std::string wide = std::string(30, 'a') + text + std::string(34, 'b');  // across a block's edge
    ASSERT_EQ(is_valid_utf8(text), !surrogate) << point;
    ASSERT_EQ(is_valid_utf8(wide), !surrogate) << point;
  }
}

TEST(Utf8, EveryPairAndEveryTripleWithALeadIsJudgedAsByDecoding) {
  for (unsigned first = 0x80; first < 0x100; ++first) {
    for (unsigned second = 0; second < 0x100; ++second) {
      const std::string pair{static_cast<char>(first), static_cast<char>(second)};
      expect_everywhere(pair, "pair");
      if (first < 0xc0) continue;
      for (const unsigned third : {0x00U, 0x7fU, 0x80U, 0x8fU, 0x90U, 0xbfU, 0xc0U, 0xffU}) {
        const std::string four = pair + static_cast<char>(third) + "\x80";
        bool complete = false;
        const bool valid = valid_beginning_bytes(four, complete) == four.size() && complete;
        const std::string wide = std::string(29, 'a') + four + std::string(33, 'a');
        ASSERT_EQ(is_valid_utf8(four), valid);
        ASSERT_EQ(is_valid_utf8(wide), valid) << first << ' ' << second << ' ' << third;
      }
    }
  }
}

TEST(Utf8, RandomTextsAreJudgedAlikeByAllTheWays) {
  std::mt19937_64 random{20'261'120};  // fixed: a failure repeats
  const std::string_view pieces[] = {"a",
                                     "bc",
                                     "\xc3\xa9",
                                     "\xe2\x82\xac",
                                     "\xf0\x9f\x98\x80",
                                     "\x80",
                                     "\xc0",
                                     "\xe2\x82",
                                     "\xf0\x9f",
                                     "\xed\xa0\x80",
                                     "0123456789abcdef0123456789abcdef"};
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    const std::uint64_t count = random() % 24;
    const bool only_good = random() % 2 == 0;
    for (std::uint64_t i = 0; i < count; ++i) {
      std::uint64_t pick = random() % 11;
      if (only_good && pick >= 5 && pick <= 9) pick -= 5;
      text += pieces[pick];
    }
    expect_everywhere(text, "round " + std::to_string(round));
  }
}

TEST(Utf8, AStreamThatSaidNoKeepsSayingNo) {
  Utf8Stream stream;
  EXPECT_FALSE(stream.feed(as_bytes("\xff")));
  EXPECT_FALSE(stream.feed(as_bytes("a")));
  EXPECT_FALSE(stream.feed({}));
  EXPECT_FALSE(stream.complete());
  stream.reset();
  EXPECT_TRUE(stream.feed(as_bytes("a")));
  EXPECT_TRUE(stream.complete());
}

TEST(Utf8, APrefixNeverEndsWithinACharacter) {
  const std::string_view text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
  const std::size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
  for (std::size_t bytes_max = 0; bytes_max < 12; ++bytes_max) {
    EXPECT_EQ(utf8_prefix(text, bytes_max).size(), expected[bytes_max]) << bytes_max;
  }
}

}  // namespace
}  // namespace ringcast
