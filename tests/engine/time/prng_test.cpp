#include "engine/time/prng.hpp"

#include <array>

#include <gtest/gtest.h>

namespace ringcast {
namespace {

TEST(Prng, TheSameSeedGivesTheSameNumbersAndAnotherSeedOthers) {
  Prng a{7}, b{7}, c{8};
  int same = 0;
  for (int i = 0; i < 1'000; ++i) {
    const std::uint64_t drawn = a.next();
    EXPECT_EQ(drawn, b.next());
    same += drawn == c.next() ? 1 : 0;
  }
  EXPECT_EQ(same, 0);
}

// A straight transcription of both published algorithms, kept apart from the class on purpose.
TEST(Prng, IsXoshiro256StarStarSeededBySplitmix64) {
  std::uint64_t x = 42;
  std::uint64_t s[4];
  for (std::uint64_t& word : s) {
    std::uint64_t z = (x += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    word = z ^ (z >> 31);
  }
  EXPECT_EQ(s[0], 0xbdd732262feb6e95ULL) << "the known first output of splitmix64 for 42";
  Prng random{42};
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t five = s[1] * 5;
    const std::uint64_t expected = ((five << 7) | (five >> 57)) * 9;
    const std::uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 45) | (s[3] >> 19);
    ASSERT_EQ(random.next(), expected) << i;
  }
}

TEST(Prng, BelowStaysBelowAndReachesEveryNumberAboutAsOften) {
  Prng random{1};
  std::array<int, 10> hits{};
  for (int i = 0; i < 100'000; ++i) ++hits.at(random.below(hits.size()));
  for (const int count : hits) EXPECT_NEAR(count, 10'000, 500);  // more than 5 standard deviations
  for (int i = 0; i < 100; ++i) EXPECT_EQ(random.below(1), 0U);
}

TEST(Prng, BelowIsFairForBoundsThatDoNotDivideTheRange) {
  Prng random{2};
  constexpr std::uint64_t kBound = std::uint64_t{3} << 62;  // a plain remainder hits the lowest third twice as often
  int lowest_third = 0;
  for (int i = 0; i < 30'000; ++i) {
    const std::uint64_t drawn = random.below(kBound);
    ASSERT_LT(drawn, kBound);
    lowest_third += drawn < kBound / 3 ? 1 : 0;
  }
  EXPECT_NEAR(lowest_third, 10'000, 500);
}

TEST(Prng, UnitLiesBetweenZeroAndOneWithTheMeanInTheMiddle) {
  Prng random{3};
  double sum = 0;
  for (int i = 0; i < 100'000; ++i) {
    const double drawn = random.unit();
    ASSERT_GE(drawn, 0.0);
    ASSERT_LT(drawn, 1.0);
    sum += drawn;
  }
  EXPECT_NEAR(sum / 100'000, 0.5, 0.01);
}

TEST(PrngDeathTest, StopsWhenNoNumberIsBelowTheBound) {
  Prng random{1};
  EXPECT_DEATH(random.below(0), "a number below the bound");
}

}  // namespace
}  // namespace ringcast
