#include "engine/reactor/placement.hpp"

#include <gtest/gtest.h>

#include <string_view>
#include <thread>
#include <vector>

namespace ringcast {
namespace {

struct PlacementRow {
  const char* sentence;
  std::uint32_t count;
  std::vector<std::uint32_t> wanted;
  std::vector<std::uint32_t> usable;
  std::vector<std::uint32_t> cores;  // empty: refused
  bool shared;
  std::string_view refusal;
};
const PlacementRow kPlacementRows[] = {
    {"one shard a usable core", 0, {}, {0, 1, 5}, {0, 1, 5}, false, ""},
    {"fewer shards than cores", 2, {}, {0, 1, 5}, {0, 1}, false, ""},
    {"more shards than cores take turns", 3, {}, {4, 5}, {4, 5, 4}, true, ""},
    {"the listed cores in their order", 0, {5, 0}, {0, 1, 5}, {5, 0}, false, ""},
    {"a listed core that may not be used", 0, {2}, {0, 1}, {}, false, "core 2"},
    {"more than the most", 65, {}, {0}, {}, false, "at most 64"},
    {"no core at all", 0, {}, {}, {}, false, "may not run on any core"},
};

TEST(Placement, GivesEachShardACore) {
  for (const PlacementRow& row : kPlacementRows) {
    const auto placement = place_shards(row.count, row.wanted, row.usable);
    ASSERT_EQ(placement.has_value(), row.refusal.empty()) << row.sentence;
    if (!placement) {
      EXPECT_NE(placement.error().find(row.refusal), std::string::npos) << row.sentence << ": " << placement.error();
      continue;
    }
    EXPECT_EQ(placement->core_of_shard, row.cores) << row.sentence;
    EXPECT_EQ(placement->shared_cores, row.shared) << row.sentence;
  }
}

TEST(Placement, PinsAThreadToACoreItMayUseAndToNoOther) {
  const auto cores = usable_cores();
  ASSERT_FALSE(cores.empty());
  std::thread{[&] {
    EXPECT_TRUE(pin_this_thread(cores.back()));
    EXPECT_EQ(usable_cores(), std::vector<std::uint32_t>{cores.back()});
    EXPECT_FALSE(pin_this_thread(1'023));
  }}.join();
}

}  // namespace
}  // namespace ringcast
