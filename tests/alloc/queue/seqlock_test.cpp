#include "alloc/queue/seqlock.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <iterator>
#include <memory>
#include <thread>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ringcast {
namespace {

struct Sample {  // a value that shows whether it is whole; not a multiple of a word
  std::uint64_t number = 0;
  std::array<std::uint32_t, 9> copies{};
  std::uint8_t last = 0;
};
Sample sample(std::uint64_t number) {
  Sample made{.number = number, .copies = {}, .last = static_cast<std::uint8_t>(number)};
  made.copies.fill(static_cast<std::uint32_t>(number));
  return made;
}
bool is_whole(const Sample& seen) {
  for (const std::uint32_t copy : seen.copies) {
    if (copy != static_cast<std::uint32_t>(seen.number)) return false;
  }
  return seen.last == static_cast<std::uint8_t>(seen.number);
}

TEST(Seqlock, ReadsZerosBeforeTheFirstWriteAndThenTheLastValue) {
  Seqlock<Sample> lock;
  EXPECT_EQ(lock.writes(), 0U);
  EXPECT_EQ(lock.read()->number, 0U);
  lock.write(sample(7));
  lock.write(sample(8));
  Sample seen;
  ASSERT_TRUE(lock.try_read(seen));
  EXPECT_EQ(seen.number, 8U);
  EXPECT_TRUE(is_whole(seen));
  EXPECT_EQ(lock.writes(), 2U);
}

TEST(Seqlock, HoldsValuesOfAnySize) {
  Seqlock<std::uint8_t> byte;
  byte.write(200);
  EXPECT_EQ(byte.read(), 200);
  struct Odd {
    std::array<char, 13> text;
  };
  Seqlock<Odd> odd;
  odd.write(Odd{{"twelve chars"}});
  EXPECT_STREQ(odd.read()->text.data(), "twelve chars");
  static_assert(sizeof(Seqlock<Odd>) == 8 + 16);
}

// Large, so that a read without the second look at the version would meet the writer often, even on one core.
struct Large {
  std::array<std::uint64_t, 2'001> copies{};
};
TEST(Seqlock, ReadersNeverSeeHalfOfAValueNorGoBack) {
  const auto lock = std::make_unique<Seqlock<Large>>();
  std::atomic<bool> enough{false};
  std::atomic<bool> done{false};
  std::thread writer{[&] {
    Large value;
    for (std::uint64_t i = 1; i <= 20'000 && !enough.load(std::memory_order_relaxed); ++i) {
      value.copies.fill(i);
      lock->write(value);
      if (i % 4 == 0) std::this_thread::yield();
    }
    done.store(true);
  }};
  std::uint64_t torn = 0;
  std::uint64_t back = 0;
  std::uint64_t last = 0;
  Large seen;
  for (int values_seen = 0; values_seen < 300 && !done.load();) {
    if (!lock->try_read(seen)) continue;
    torn += std::count(seen.copies.begin(), seen.copies.end(), seen.copies[0]) == std::ssize(seen.copies) ? 0U : 1U;
    back += seen.copies[0] < last ? 1U : 0U;
    values_seen += seen.copies[0] != last ? 1 : 0;
    last = seen.copies[0];
  }
  enough.store(true);
  writer.join();
  EXPECT_EQ(torn, 0U);
  EXPECT_EQ(back, 0U);
  ASSERT_TRUE(lock->try_read(seen));
  EXPECT_GE(seen.copies[0], last);
  EXPECT_EQ(seen.copies[0], lock->writes());
}

TEST(Seqlock, IsReadByAnotherProcessThroughAReadOnlyMapping) {
  const int file = memfd_create("seqlock", 0);
  ASSERT_GE(file, 0);
  using Shared = Seqlock<Sample>;
  ASSERT_EQ(ftruncate(file, sizeof(Shared)), 0);
  void* const writable = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ASSERT_NE(writable, MAP_FAILED);
  static_cast<Shared*>(writable)->write(sample(99));  // a new file is all zero, which is a valid seqlock
  const pid_t child = fork();
  if (child == 0) {
    void* const readable = mmap(nullptr, sizeof(Shared), PROT_READ, MAP_SHARED, file, 0);
    Sample seen;
    const bool read = readable != MAP_FAILED && static_cast<const Shared*>(readable)->try_read(seen);
    _exit(read && seen.number == 99 && is_whole(seen) ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  munmap(writable, sizeof(Shared));
  close(file);
}

TEST(Seqlock, AWriterThatDiedHalfWayIsReportedAndNotWaitedFor) {
  Seqlock<Sample> lock;
  lock.write(sample(1));
  const std::uint64_t odd = 3;  // as after the first store of a write
  std::memcpy(static_cast<void*>(&lock), &odd, sizeof odd);
  Sample seen = sample(55);
  EXPECT_FALSE(lock.try_read(seen));
  EXPECT_EQ(seen.number, 55U);
  EXPECT_FALSE(lock.read().has_value());
}

}  // namespace
}  // namespace ringcast
