#include "alloc/memory/give_back.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace ringcast {
namespace {

TEST(GiveBack, LeavesNothingAndKeepsNoMemory) {
  std::vector<std::uint8_t> bytes(1'000);
  give_back(bytes);
  EXPECT_EQ(bytes.size(), 0U);
  EXPECT_EQ(bytes.capacity(), 0U);
  std::string text(1'000, 'x');
  give_back(text);
  EXPECT_EQ(text, "");
  EXPECT_EQ(text.capacity(), std::string{}.capacity());
}

}  // namespace
}  // namespace ringcast
