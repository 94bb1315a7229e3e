#include "alloc/queue/lru_set.hpp"

#include <algorithm>
#include <list>
#include <random>

#include <gtest/gtest.h>

namespace ringcast {
namespace {

constexpr Instant at(std::int64_t ns) { return Instant{nanoseconds{ns}}; }
constexpr LruKey key(std::uint64_t low, std::uint64_t high = 0) { return {.low = low, .high = high}; }
constexpr LruValue sequenced(std::uint64_t seq, Instant expires = Instant::max()) {
  return {.seq = Sequence{seq}, .epoch = Epoch{5}, .expires = expires};
}

TEST(LruMap, HoldsNothingUntilTheFirstInsert) {
  LruMap map{1'000'000};
  EXPECT_EQ(map.bytes(), 0U);
  EXPECT_EQ(map.find(key(1), at(0)), std::nullopt);
  EXPECT_FALSE(map.erase(key(1)));
  map.shrink_to(0);
  EXPECT_EQ(map.bytes(), 0U);
  EXPECT_TRUE(map.validate());
}

TEST(LruMap, FindsWhatWasInsertedByBothHalvesOfTheKey) {
  LruMap map{10};
  map.insert(key(1, 2), sequenced(7));
  EXPECT_EQ(map.find(key(1, 2), at(0)), sequenced(7));
  EXPECT_EQ(map.find(key(1, 3), at(0)), std::nullopt);
  EXPECT_EQ(map.find(key(2, 1), at(0)), std::nullopt);
  map.insert(key(1, 2), sequenced(8));
  EXPECT_EQ(map.size(), 1U);
  EXPECT_EQ(map.find(key(1, 2), at(0)), sequenced(8));
}

TEST(LruMap, AnExpiredEntryIsNotFoundAndIsDropped) {
  LruMap map{10};
  map.insert(key(1), sequenced(1, at(100)));
  EXPECT_TRUE(map.find(key(1), at(99)));
  EXPECT_EQ(map.size(), 1U);
  EXPECT_FALSE(map.find(key(1), at(100))) << "it holds before its expiry, not at it";
  EXPECT_EQ(map.size(), 0U);
  EXPECT_FALSE(map.find(key(1), at(0))) << "dropped is dropped";
  EXPECT_EQ(map.evictions(), 0U);
}

TEST(LruMap, EvictsTheLeastRecentlyUsedAtItsBound) {
  LruMap map{3};
  for (std::uint64_t i = 1; i <= 3; ++i) map.insert(key(i), sequenced(i));
  EXPECT_TRUE(map.find(key(1), at(0)));  // used again: 2 is the oldest now
  map.insert(key(4), sequenced(4));
  EXPECT_EQ(map.evictions(), 1U);
  EXPECT_FALSE(map.find(key(2), at(0)));
  EXPECT_TRUE(map.find(key(1), at(0)));
  EXPECT_TRUE(map.find(key(3), at(0)));
  map.insert(key(3), sequenced(33));  // known: nobody has to go
  EXPECT_EQ(map.evictions(), 1U);
  EXPECT_EQ(map.size(), 3U);
}

TEST(LruMap, ABoundOfOneRemembersTheLastOnly) {
  LruMap map{1};
  for (std::uint64_t i = 0; i < 100; ++i) {
    map.insert(key(i), sequenced(i));
    ASSERT_EQ(map.size(), 1U);
    ASSERT_TRUE(map.find(key(i), at(0)));
    ASSERT_TRUE(map.validate());
  }
  EXPECT_EQ(map.evictions(), 99U);
}

TEST(LruMap, GrowsByDoublingAndNeverBeyondTheBytesOfItsBound) {
  for (const std::uint32_t bound : {1U, 64U, 65U, 1'000U, 4'096U}) {
    LruMap map{bound};
    std::size_t steps = 0;
    for (std::uint64_t i = 0; i < bound * 2; ++i) {
      const std::size_t before = map.bytes();
      map.insert(key(i), sequenced(i));
      steps += map.bytes() != before ? 1 : 0;
      ASSERT_LE(map.bytes(), LruMap::bytes_for(bound));
    }
    EXPECT_EQ(map.bytes(), LruMap::bytes_for(bound));
    EXPECT_EQ(map.size(), bound);
    EXPECT_LE(steps, 8U);
    EXPECT_TRUE(map.validate());
  }
  EXPECT_EQ(LruMap::bytes_for(1U << 20), (1U << 20) * 56U) << "56 bytes an entry, as the header says";
}

TEST(LruMap, SaysHowManyEntriesABoundInBytesAllows) {
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{56}, std::size_t{3'583}, std::size_t{3'584},
                                  std::size_t{1'000'000}, std::size_t{256} << 20, std::size_t{1} << 50}) {
    const std::uint32_t entries = LruMap::entries_for(bytes);
    EXPECT_TRUE(entries == 1 || LruMap::bytes_for(entries) <= bytes) << bytes;
    EXPECT_TRUE(entries == LruMap::kEntriesMax || LruMap::bytes_for(entries + 1) > bytes) << bytes;
  }
}

TEST(LruMap, ShrinkingForgetsTheOldestAndGivesTheMemoryBack) {
  LruMap map{1'000};
  for (std::uint64_t i = 0; i < 1'000; ++i) map.insert(key(i), sequenced(i));
  map.shrink_to(10);
  EXPECT_EQ(map.size(), 10U);
  EXPECT_EQ(map.bytes(), LruMap::bytes_for(10));
  EXPECT_EQ(map.evictions(), 990U);
  EXPECT_FALSE(map.find(key(989), at(0)));
  EXPECT_TRUE(map.find(key(990), at(0)));
  EXPECT_TRUE(map.validate());
  map.insert(key(5'000), sequenced(1));
  EXPECT_EQ(map.size(), 11U);
  EXPECT_TRUE(map.validate());
  map.shrink_to(0);
  EXPECT_EQ(map.bytes(), 0U);
}

/// The same, said with a list: newest first.
class Model {
 public:
  explicit Model(std::size_t bound) : bound_{bound} {}
  std::optional<LruValue> find(const LruKey& wanted, Instant now) {
    const auto found = lookup(wanted);
    if (found == entries_.end()) return std::nullopt;
    if (found->second.expires <= now) {
      entries_.erase(found);
      return std::nullopt;
    }
    entries_.splice(entries_.begin(), entries_, found);
    return entries_.front().second;
  }
  void insert(const LruKey& wanted, const LruValue& value) {
    if (const auto found = lookup(wanted); found != entries_.end()) entries_.erase(found);
    if (entries_.size() == bound_) entries_.pop_back();
    entries_.emplace_front(wanted, value);
  }
  bool erase(const LruKey& wanted) {
    const auto found = lookup(wanted);
    if (found == entries_.end()) return false;
    entries_.erase(found);
    return true;
  }
  void shrink_to(std::size_t size) {
    while (entries_.size() > size) entries_.pop_back();
  }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  using Entries = std::list<std::pair<LruKey, LruValue>>;
  Entries::iterator lookup(const LruKey& wanted) {
    return std::find_if(entries_.begin(), entries_.end(), [&](const auto& entry) { return entry.first == wanted; });
  }
  Entries entries_;
  std::size_t bound_;
};

TEST(LruMap, AgreesWithAListOverRandomSteps) {
  for (const std::uint32_t bound : {1U, 2U, 3U, 17U, 64U, 100U}) {
    for (const std::uint32_t seed : {1U, 2U, 3U}) {
      SCOPED_TRACE(testing::Message() << "bound " << bound << " seed " << seed);
      std::mt19937 random{seed};
      LruMap map{bound};
      Model model{bound};
      std::int64_t now = 0;
      for (std::uint64_t step = 0; step < 6'000; ++step) {
        // Few keys, and keys in one row of the table, so that runs form, wrap around and are taken apart.
        const LruKey some = random() % 2 == 0 ? key(random() % (bound * 2)) : key(0, random() % 8 << 60);
        now += random() % 3;
        const auto choice = random() % 100;
        if (choice < 45) {
          const LruValue value = sequenced(step, at(now + random() % 300));
          map.insert(some, value);
          model.insert(some, value);
        } else if (choice < 85) {
          ASSERT_EQ(map.find(some, at(now)), model.find(some, at(now))) << step;
        } else if (choice < 99) {
          ASSERT_EQ(map.erase(some), model.erase(some)) << step;
        } else {
          const std::uint32_t most = static_cast<std::uint32_t>(random() % (bound + 1));
          map.shrink_to(most);
          model.shrink_to(most);
        }
        ASSERT_EQ(map.size(), model.size()) << step;
        ASSERT_TRUE(map.validate()) << step;
      }
    }
  }
}

TEST(LruMap, AnotherBoundHoldsAtOnce) {
  LruMap map{4};
  for (std::uint64_t i = 1; i <= 4; ++i) map.insert(key(i), sequenced(i));
  map.set_entries_max(6);
  for (std::uint64_t i = 5; i <= 7; ++i) map.insert(key(i), sequenced(i));
  EXPECT_EQ(map.size(), 6U);
  EXPECT_FALSE(map.find(key(1), at(0)));
  EXPECT_TRUE(map.find(key(2), at(0)));
  EXPECT_TRUE(map.validate());
  map.set_entries_max(2);
  EXPECT_EQ(map.size(), 2U);
  EXPECT_TRUE(map.find(key(2), at(0))) << "it was used last";
  EXPECT_TRUE(map.find(key(7), at(0)));
  map.insert(key(8), sequenced(8));
  EXPECT_EQ(map.size(), 2U);
  EXPECT_TRUE(map.validate());
  LruMap empty{100};
  empty.insert(key(1), sequenced(1));  // room for 64, one of it used
  empty.set_entries_max(10);
  for (std::uint64_t i = 2; i <= 20; ++i) empty.insert(key(i), sequenced(i));
  EXPECT_EQ(empty.size(), 10U);
  EXPECT_TRUE(empty.validate());
}

TEST(LruMapDeathTest, StopsAtABoundItCannotHold) {
  EXPECT_DEATH(LruMap{0}, "1 to kEntriesMax");
  EXPECT_DEATH(LruMap{LruMap::kEntriesMax + 1}, "1 to kEntriesMax");
}

}  // namespace
}  // namespace ringcast
