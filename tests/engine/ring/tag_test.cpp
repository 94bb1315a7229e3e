#include "engine/ring/tag.hpp"

#include <gtest/gtest.h>

namespace ringcast {
namespace {

struct TagRow {
  const char* sentence;
  Operation operation;
  std::uint32_t slot;
  std::uint32_t generation;
};
constexpr TagRow kTagRows[] = {
    {"everything zero", Operation::none, 0, 0},
    {"a connection's receive", Operation::receive, 17, 3},
    {"the largest slot and generation", Operation::probe, kTagSlotMax, 0xffff'ffff},
    {"the generation does not reach the slot", Operation::send, 0, 0xffff'ffff},
};

TEST(Tag, ComesBackFromTheCompletionAsItWas) {
  for (const TagRow& row : kTagRows) {
    const Tag tag = unpack(pack({row.operation, {.slot = row.slot, .generation = row.generation}}));
    EXPECT_EQ(tag.operation, row.operation) << row.sentence;
    EXPECT_EQ(tag.subject, (Handle{.slot = row.slot, .generation = row.generation})) << row.sentence;
  }
}

TEST(TagDeathTest, StopsAtASlotBeyond24Bits) {
  EXPECT_DEATH((void)pack({Operation::receive, {.slot = kTagSlotMax + 1, .generation = 0}}), "room for the slot");
}

}  // namespace
}  // namespace ringcast
