#include "alloc/memory/mapped_region.hpp"

#include <algorithm>
#include <cerrno>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace ringcast {
namespace {

std::size_t page_bytes() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

std::size_t pages_present(MutableBytes bytes) {
  std::vector<unsigned char> present(bytes.size() / page_bytes());
  EXPECT_EQ(mincore(bytes.data(), bytes.size(), present.data()), 0);
  return static_cast<std::size_t>(std::count_if(present.begin(), present.end(), [](unsigned char p) { return p & 1; }));
}

TEST(MappedRegion, HasWholePagesOfZeros) {
  for (const std::size_t bytes : {std::size_t{1}, page_bytes(), page_bytes() + 1, std::size_t{1'000'000}}) {
    const auto region = MappedRegion::map(bytes);
    ASSERT_TRUE(region) << bytes;
    EXPECT_GE(region->size(), bytes);
    EXPECT_LT(region->size(), bytes + page_bytes());
    EXPECT_EQ(region->size() % page_bytes(), 0U);
    EXPECT_EQ(std::count(region->bytes().begin(), region->bytes().end(), 0),
              static_cast<std::ptrdiff_t>(region->size()));
  }
}

TEST(MappedRegion, PrefaultBringsEveryPageInAtOnceAndTheDefaultNone) {
  const std::size_t bytes = 64 * page_bytes();
  EXPECT_EQ(pages_present(MappedRegion::map(bytes, Prefault::yes)->bytes()), 64U);
  const auto lazy = MappedRegion::map(bytes);
  ASSERT_TRUE(lazy);
  EXPECT_EQ(pages_present(lazy->bytes()), 0U);
}

TEST(MappedRegion, ReportsTheKernelsRefusal) {
  const auto region = MappedRegion::map(std::size_t{1} << 60);
  ASSERT_FALSE(region);
  EXPECT_EQ(region.error(), ENOMEM);
  const auto wrapping = MappedRegion::map(SIZE_MAX);
  ASSERT_FALSE(wrapping);
  EXPECT_EQ(wrapping.error(), ENOMEM);
}

TEST(MappedRegion, MovesItsPagesAndUnmapsThemOnce) {
  auto first = MappedRegion::map(page_bytes());
  ASSERT_TRUE(first);
  first->bytes()[0] = 42;
  std::uint8_t* const address = first->bytes().data();

  MappedRegion second{std::move(*first)};
  EXPECT_EQ(first->size(), 0U);
  EXPECT_EQ(second.bytes().data(), address);
  EXPECT_EQ(second.bytes()[0], 42);

  MappedRegion third = std::move(*MappedRegion::map(page_bytes()));
  third = std::move(second);
  EXPECT_EQ(third.bytes().data(), address);
  third = MappedRegion{};
  unsigned char present = 0;
  EXPECT_EQ(mincore(address, page_bytes(), &present), -1);
  EXPECT_EQ(errno, ENOMEM) << "nothing is mapped there any more";
}

}  // namespace
}  // namespace ringcast
