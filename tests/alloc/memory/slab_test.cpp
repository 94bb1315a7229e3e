#include "alloc/memory/slab.hpp"

#include <array>
#include <memory>
#include <random>
#include <unordered_map>

#include <gtest/gtest.h>

namespace ringcast {
namespace {

struct Counted {  // knows how many of it are alive
  explicit Counted(int& count, std::uint64_t content = 0) : alive{&count}, value{content} { ++*alive; }
  Counted(const Counted&) = delete;
  ~Counted() { --*alive; }
  int* alive;
  std::uint64_t value;
};

TEST(Slab, TakesNoMemoryUntilTheFirstObject) {
  Budget budget;
  Slab<std::uint64_t> slab{1'000, &budget, Purpose::connections};
  EXPECT_EQ(slab.bytes_reserved(), 0U);
  EXPECT_EQ(budget.total(), 0U);
  EXPECT_EQ(slab.size(), 0U);
  EXPECT_EQ(slab.capacity(), 1'000U);
  EXPECT_EQ(slab.find(Handle{}), nullptr);
  EXPECT_EQ(slab.find(Handle{.slot = 0, .generation = 0}), nullptr);
}

TEST(Slab, GivesNoHandleAtItsBoundAndOneAgainAfterADeath) {
  constexpr std::uint32_t kChunk = Slab<std::uint64_t>::kChunkSlots;
  for (const std::uint32_t bound : {0U, 1U, 7U, kChunk, kChunk + 1}) {
    Slab<std::uint64_t> slab{bound};
    Handle last;
    for (std::uint32_t i = 0; i < bound; ++i) {
      last = slab.create(i);
      ASSERT_TRUE(last.valid()) << i << " of " << bound;
    }
    EXPECT_FALSE(slab.create(0U).valid()) << bound;
    EXPECT_EQ(slab.size(), bound);
    if (bound == 0) continue;
    slab.destroy(last);
    EXPECT_TRUE(slab.create(0U).valid()) << bound;
    EXPECT_FALSE(slab.create(0U).valid()) << bound;
  }
}

TEST(Slab, AStaleHandleFindsNothingAlthoughTheSlotLivesAgain) {
  Slab<std::uint64_t> slab{4};
  const Handle first = slab.create(1U);
  slab.destroy(first);
  EXPECT_EQ(slab.find(first), nullptr);
  const Handle second = slab.create(2U);
  EXPECT_EQ(second.slot, first.slot);
  EXPECT_NE(second, first);
  EXPECT_EQ(slab.find(first), nullptr);
  ASSERT_NE(slab.find(second), nullptr);
  EXPECT_EQ(*slab.find(second), 2U);
  EXPECT_EQ(slab.handle_of(second.slot), second);
}

TEST(Slab, ReusesTheLastFreedSlotFirst) {
  Slab<int> slab{10};
  std::array<Handle, 5> handles;
  for (Handle& handle : handles) handle = slab.create(0);
  slab.destroy(handles[1]);
  slab.destroy(handles[3]);
  EXPECT_EQ(slab.create(0).slot, handles[3].slot);
  EXPECT_EQ(slab.create(0).slot, handles[1].slot);
  EXPECT_EQ(slab.create(0).slot, 5U);
}

TEST(Slab, ObjectsNeverMove) {
  Slab<std::uint64_t> slab{100'000};
  const Handle first = slab.create(42U);
  const std::uint64_t* const address = slab.find(first);
  for (std::uint32_t i = 0; i < 50'000; ++i) ASSERT_TRUE(slab.create(i).valid());
  EXPECT_EQ(slab.find(first), address);
  EXPECT_EQ(*address, 42U);
}

TEST(Slab, RespectsTheAlignmentOfItsObjects) {
  struct alignas(128) Aligned {
    char byte = 0;
  };
  Slab<Aligned> slab{600};
  for (int i = 0; i < 600; ++i) {
    const Handle handle = slab.create();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(slab.find(handle)) % 128, 0U);
  }
}

TEST(Slab, AnObjectLargerThanAChunkHasOneOfItsOwn) {
  struct Block {
    std::array<std::uint8_t, 200'000> bytes;
  };
  Slab<Block> slab{3};
  const Handle first = slab.create();
  const std::size_t one = slab.bytes_reserved();
  EXPECT_GE(one, sizeof(Block));
  EXPECT_LT(one, sizeof(Block) + 4'096);
  const Handle second = slab.create();
  slab.find(second)->bytes.fill(7);
  slab.destroy(first);
  EXPECT_EQ(slab.find(second)->bytes[199'999], 7);
}

TEST(Slab, RunsEachDestructorOnce) {
  int alive = 0;
  {
    Slab<Counted> slab{5'000};
    std::vector<Handle> handles;
    for (int i = 0; i < 5'000; ++i) handles.push_back(slab.create(alive));
    EXPECT_EQ(alive, 5'000);
    for (std::size_t i = 0; i < handles.size(); i += 2) slab.destroy(handles[i]);
    EXPECT_EQ(alive, 2'500);
  }
  EXPECT_EQ(alive, 0);
}

TEST(Slab, VisitsLiveSlotsInOrderEvenWhileTheyAreDestroyed) {
  Slab<std::uint32_t> slab{100};
  for (std::uint32_t i = 0; i < 10; ++i) ASSERT_TRUE(slab.create(i).valid());
  slab.destroy(slab.handle_of(4));
  std::vector<std::uint32_t> seen;
  slab.for_each([&](std::uint32_t slot, std::uint32_t& value) {
    EXPECT_EQ(slot, value);
    seen.push_back(slot);
    if (slot == 2) slab.destroy(slab.handle_of(2));  // itself
    if (slot == 2) slab.destroy(slab.handle_of(7));  // one not yet visited
  });
  EXPECT_EQ(seen, (std::vector<std::uint32_t>{0, 1, 2, 3, 5, 6, 8, 9}));
  EXPECT_EQ(slab.size(), 7U);
}

TEST(Slab, ChargesWhatItReservesAndReleasesItAll) {
  Budget budget;
  {
    Slab<std::array<char, 1'000>> slab{10'000, &budget, Purpose::channels};
    std::vector<Handle> handles;
    for (int i = 0; i < 1'000; ++i) {
      handles.push_back(slab.create());
      ASSERT_EQ(budget.used(Purpose::channels), slab.bytes_reserved());
    }
    EXPECT_GE(slab.bytes_reserved(), 1'000'000U);
    for (const Handle handle : handles) slab.destroy(handle);
    EXPECT_EQ(budget.used(Purpose::channels), slab.bytes_reserved());
    EXPECT_EQ(budget.total(), budget.used(Purpose::channels));
  }
  EXPECT_EQ(budget.total(), 0U);
}

TEST(Slab, GivesBackChunksInWhichNothingLives) {
  Budget budget;
  using Object = std::array<std::uint8_t, 1'024>;
  constexpr std::uint32_t kSlots = Slab<Object>::kChunkSlots;
  Slab<Object> slab{kSlots * 4, &budget, Purpose::history};
  std::vector<Handle> handles;
  for (std::uint32_t i = 0; i < kSlots * 4; ++i) handles.push_back(slab.create());
  const std::size_t full = slab.bytes_reserved();
  EXPECT_EQ(slab.release_unused(), 0U);
  for (std::uint32_t i = kSlots; i < kSlots * 3; ++i) slab.destroy(handles[i]);  // the two in the middle
  slab.destroy(handles[0]);
  EXPECT_EQ(slab.release_unused(), 2 * kSlots * sizeof(Object));
  EXPECT_EQ(slab.bytes_reserved(), full - 2 * kSlots * sizeof(Object));
  EXPECT_EQ(budget.used(Purpose::history), slab.bytes_reserved());
  EXPECT_EQ(slab.find(handles[kSlots]), nullptr);

  EXPECT_EQ(slab.create().slot, 0U) << "a slot whose chunk is held comes first";
  const Handle again = slab.create();
  EXPECT_EQ(again.slot, kSlots);
  EXPECT_NE(again, handles[kSlots]) << "the generation outlives the chunk";
  EXPECT_EQ(slab.find(handles[kSlots]), nullptr);
  for (std::uint32_t i = 1; i < kSlots * 2; ++i) ASSERT_TRUE(slab.create().valid());
  EXPECT_FALSE(slab.create().valid());
  EXPECT_EQ(slab.bytes_reserved(), full);
}

TEST(Slab, AgreesWithAMapOverRandomLives) {
  for (const std::uint32_t seed : {1U, 2U, 3U}) {
    std::mt19937 random{seed};
    int alive = 0;
    Slab<Counted> slab{300};
    std::vector<std::pair<Handle, std::uint64_t>> model;
    std::vector<Handle> dead;
    for (int step = 0; step < 20'000; ++step) {
      const auto choice = random() % 100;
      if (choice < 55) {
        const std::uint64_t value = random();
        const Handle handle = slab.create(alive, value);
        ASSERT_EQ(handle.valid(), model.size() < 300) << "seed " << seed;
        if (handle.valid()) model.emplace_back(handle, value);
      } else if (choice < 99 && !model.empty()) {
        const std::size_t at = random() % model.size();
        slab.destroy(model[at].first);
        dead.push_back(model[at].first);
        model[at] = model.back();
        model.pop_back();
      } else if (choice == 99) {
        slab.release_unused();
      }
      ASSERT_EQ(slab.size(), model.size());
      ASSERT_EQ(static_cast<std::size_t>(alive), model.size());
      if (!dead.empty()) {
        ASSERT_EQ(slab.find(dead[random() % dead.size()]), nullptr);
      }
      if (!model.empty()) {
        const auto& [handle, value] = model[random() % model.size()];
        ASSERT_EQ(slab.find(handle)->value, value);
      }
    }
  }
}

TEST(SlabDeathTest, StopsAtUseAfterDeathByNumberAndAtASecondDeath) {
  Slab<int> slab{4};
  const Handle handle = slab.create(1);
  slab.destroy(handle);
  EXPECT_DEATH(slab.destroy(handle), "destroyed once");
  EXPECT_DEATH((void)slab[handle.slot], "alive when it is used");
  EXPECT_DEATH((void)slab[3'000], "alive when it is used");
  EXPECT_DEATH((void)slab.handle_of(handle.slot), "only a live slot");
}

}  // namespace
}  // namespace ringcast
