#include "alloc/memory/shard_heap.hpp"

#include <array>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#ifndef RINGCAST_SYSTEM_ALLOCATOR
#include <mimalloc.h>
#endif

namespace ringcast {
namespace {

TEST(ShardHeap, HandsOutWritableMemoryOfTheAlignmentAskedFor) {
  ShardHeap heap;
  for (const std::size_t alignment : {1U, 8U, 16U, 64U, 256U, 4'096U}) {
    for (const std::size_t bytes : {0U, 1U, 7U, 64U, 1'000U, 70'000U}) {
      void* const memory = heap.allocate(bytes, alignment);
      ASSERT_NE(memory, nullptr);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % alignment, 0U) << bytes << " bytes";
      std::memset(memory, 0xab, bytes);
      heap.free(memory);
    }
  }
  EXPECT_EQ(heap.bytes_live(), 0U);
}

TEST(ShardHeap, CountsWhatIsLiveThroughRandomUse) {
  ShardHeap heap;
  std::mt19937 random{11};
  std::vector<std::pair<void*, std::size_t>> live;
  std::uint64_t asked = 0;
  for (int step = 0; step < 5'000; ++step) {
    if (random() % 2 == 0 || live.empty()) {
      const std::size_t bytes = 1 + random() % 3'000;
      live.emplace_back(heap.allocate(bytes), bytes);
      asked += bytes;
    } else {
      const std::size_t at = random() % live.size();
      heap.free(live[at].first);
      asked -= live[at].second;
      live[at] = live.back();
      live.pop_back();
    }
    ASSERT_GE(heap.bytes_live(), asked);
  }
  const ShardHeap::Figures figures = heap.figures();
  EXPECT_EQ(figures.blocks_live, live.size());
  EXPECT_EQ(figures.bytes_live, heap.bytes_live());
  EXPECT_GE(figures.bytes_committed, asked);
  for (const auto& [memory, bytes] : live) heap.free(memory);
  heap.collect();
  EXPECT_EQ(heap.figures().blocks_live, 0U);
  EXPECT_EQ(heap.bytes_live(), 0U);
}

TEST(ShardHeap, FreeingNullIsNothing) {
  ShardHeap heap;
  heap.free(nullptr);
  EXPECT_EQ(heap.figures().blocks_live, 0U);
}

TEST(ShardHeap, TellsByNullThatTheSystemHasNoMemory) {
  ShardHeap heap;
  EXPECT_EQ(heap.try_allocate(SIZE_MAX), nullptr);
  EXPECT_EQ(heap.try_allocate(SIZE_MAX - 100, 64), nullptr);
  EXPECT_EQ(heap.bytes_live(), 0U);
}

TEST(ShardHeap, EachThreadHasItsOwn) {
  std::vector<std::thread> shards;
  for (int shard = 0; shard < 2; ++shard) {
    shards.emplace_back([] {
      ShardHeap heap;
      std::vector<void*> live;
      for (std::size_t i = 1; i <= 1'000; ++i) live.push_back(heap.allocate(i));
      EXPECT_EQ(heap.figures().blocks_live, 1'000U);
      for (void* memory : live) heap.free(memory);
    });
  }
  for (std::thread& shard : shards) shard.join();
}

TEST(ShardHeapDeathTest, StopsOnAnotherThreadAndAtALeak) {
  EXPECT_DEATH(
      {
        ShardHeap heap;
        std::thread{[&heap] { heap.free(nullptr); }}.join();
      },
      "from the shard's thread");
  EXPECT_DEATH(
      {
        ShardHeap heap;
        (void)heap.allocate(1);
      },
      "ends empty");
}

#ifndef RINGCAST_SYSTEM_ALLOCATOR
TEST(ProcessAllocator, IsMimalloc) {
  void* const memory = std::calloc(1, 100);
  EXPECT_TRUE(mi_is_in_heap_region(memory));
  std::free(memory);
  auto* const object = new std::array<char, 100>;
  EXPECT_TRUE(mi_is_in_heap_region(object));
  delete object;
}
#endif

}  // namespace
}  // namespace ringcast
