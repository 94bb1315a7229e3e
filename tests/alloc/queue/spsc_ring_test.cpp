#include "alloc/queue/spsc_ring.hpp"

#include <algorithm>
#include <deque>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace ringcast {
namespace {

using Record = std::vector<std::uint8_t>;

Record make_record(std::size_t size, std::uint32_t seed) {
  Record record(size);
  std::uint32_t state = seed * 2'654'435'761U + 1;
  for (std::uint8_t& byte : record) {
    state = state * 1'664'525U + 1'013'904'223U;
    byte = static_cast<std::uint8_t>(state >> 24);
  }
  return record;
}

template <class Ring>
bool write(Ring& ring, const Record& record) {
  const MutableBytes room = ring.reserve(record.size());
  if (room.empty()) return false;
  EXPECT_EQ(room.size(), record.size());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(room.data()) % 8, 0U);
  std::copy(record.begin(), record.end(), room.begin());
  ring.commit();
  return true;
}

template <class Ring>
Record read(Ring& ring) {
  const Bytes bytes = ring.peek();
  Record record(bytes.begin(), bytes.end());
  if (!record.empty()) ring.pop();
  return record;
}

/// Puts both sides of an empty ring to the given offset.
template <class Ring>
void move_to(Ring& ring, std::size_t offset) {
  for (std::size_t at = 0; at < offset;) {
    const std::size_t step = offset - at == 24 || offset - at == 8 ? 24 : 16;  // spans of 16 and 24 reach any but 8
    ASSERT_TRUE(write(ring, Record(step - 8, 1)));
    ring.publish();
    ASSERT_EQ(read(ring).size(), step - 8);
    ring.release();
    at += step;
  }
}

TEST(SpscRing, StartsEmptyOnBothSides) {
  SpscByteRing<> ring{1'024};
  EXPECT_TRUE(ring.empty());
  EXPECT_TRUE(ring.empty_for_producer());
  EXPECT_TRUE(ring.peek().empty());
  EXPECT_EQ(ring.bytes_used(), 0U);
  EXPECT_EQ(ring.record_bytes_max(), 504U);
  EXPECT_FALSE(ring.publish()) << "there is nothing to show";
}

TEST(SpscRing, CommittedRecordsAreInvisibleUntilTheyArePublishedTogether) {
  SpscByteRing<> ring{1'024};
  ASSERT_TRUE(write(ring, make_record(10, 1)));
  ASSERT_TRUE(write(ring, make_record(20, 2)));
  EXPECT_TRUE(ring.empty());
  EXPECT_TRUE(ring.peek().empty());
  EXPECT_EQ(ring.bytes_used(), 0U);
  EXPECT_FALSE(ring.empty_for_producer());
  EXPECT_TRUE(ring.publish());
  EXPECT_FALSE(ring.publish());
  EXPECT_EQ(ring.bytes_used(), (8 + 16) + (8 + 24U));
  EXPECT_EQ(read(ring), make_record(10, 1));
  EXPECT_EQ(read(ring), make_record(20, 2));
  EXPECT_TRUE(ring.empty());
}

TEST(SpscRing, PoppedRoomIsTheProducersOnlyAfterRelease) {
  SpscByteRing<> ring{64};
  ASSERT_TRUE(write(ring, make_record(24, 1)));
  ASSERT_TRUE(write(ring, make_record(24, 2)));
  ring.publish();
  EXPECT_FALSE(ring.has_room(1));
  EXPECT_EQ(read(ring), make_record(24, 1));
  EXPECT_FALSE(ring.has_room(1));
  EXPECT_TRUE(ring.reserve(1).empty());
  ring.release();
  EXPECT_TRUE(ring.has_room(24));
  EXPECT_EQ(ring.bytes_used(), 32U);
  ASSERT_TRUE(write(ring, make_record(24, 3)));
  EXPECT_FALSE(ring.has_room(1));
  ring.publish();
  EXPECT_EQ(read(ring), make_record(24, 2));
  EXPECT_EQ(read(ring), make_record(24, 3));
  EXPECT_FALSE(ring.empty_for_producer());
  ring.release();
  EXPECT_TRUE(ring.empty_for_producer());
}

TEST(SpscRing, ACommitMayKeepLessThanWasReserved) {
  SpscByteRing<> ring{256};
  const MutableBytes room = ring.reserve(100);
  ASSERT_EQ(room.size(), 100U);
  room[0] = 1;
  room[1] = 2;
  ring.commit(2);
  ASSERT_TRUE(write(ring, make_record(5, 9)));
  ring.publish();
  EXPECT_EQ(read(ring), (Record{1, 2}));
  EXPECT_EQ(read(ring), make_record(5, 9));
  EXPECT_EQ(ring.bytes_used(), 32U);
}

TEST(SpscRing, AReservationWithoutCommitIsForgotten) {
  SpscByteRing<> ring{64};
  move_to(ring, 48);
  EXPECT_EQ(ring.reserve(24).size(), 24U);  // would skip 16 bytes
  EXPECT_FALSE(ring.publish());
  ASSERT_TRUE(write(ring, make_record(8, 1)));  // fits before the end
  ring.publish();
  EXPECT_EQ(ring.bytes_used(), 16U);
  EXPECT_EQ(read(ring), make_record(8, 1));
}

TEST(SpscRing, ASkipThatAPeekSteppedOverIsGivenBackWithoutTheRecordBehindIt) {
  SpscByteRing<> ring{64};
  move_to(ring, 48);
  ASSERT_TRUE(write(ring, make_record(24, 1)));
  ring.publish();
  EXPECT_EQ(ring.bytes_used(), 16U + 32U);
  EXPECT_EQ(ring.peek().size(), 24U);
  ring.release();
  EXPECT_EQ(ring.bytes_used(), 32U);
  EXPECT_EQ(read(ring), make_record(24, 1));
}

TEST(SpscRing, TheConsumerMayChangeARecordInPlace) {
  SpscByteRing<> ring{64};
  ASSERT_TRUE(write(ring, Record{1, 2, 3}));
  ring.publish();
  ring.peek_mutable()[1] = 9;
  EXPECT_EQ(read(ring), (Record{1, 9, 3}));
}

template <class Index>
void every_size_at_every_offset(std::size_t capacity) {
  for (std::size_t offset = 0; offset < capacity; offset += 8) {
    const std::size_t most = SpscByteRing<Index>{capacity}.record_bytes_max();
    for (std::size_t size = 1; size <= most; ++size) {
      SpscByteRing<Index> ring{capacity};
      move_to(ring, offset == 8 ? offset + capacity : offset);  // 8 is reached on the second round
      ASSERT_TRUE(ring.empty_for_producer());
      ASSERT_TRUE(ring.has_room(size)) << size << " at " << offset;
      ASSERT_TRUE(write(ring, make_record(size, 3))) << size << " at " << offset;
      const bool second = write(ring, make_record(size, 4));
      ring.publish();
      ASSERT_EQ(read(ring), make_record(size, 3)) << size << " at " << offset;
      if (second) {
        ASSERT_EQ(read(ring), make_record(size, 4)) << size << " at " << offset;
      }
      ASSERT_TRUE(read(ring).empty());
      ring.release();
      ASSERT_EQ(ring.bytes_used(), 0U);
      ASSERT_TRUE(ring.empty_for_producer());
    }
  }
}
TEST(SpscRing, AnEmptyRingTakesARecordOfAnyAllowedSizeAtAnyOffset) {
  every_size_at_every_offset<std::uint8_t>(64);
  every_size_at_every_offset<std::uint8_t>(128);
  every_size_at_every_offset<std::uint64_t>(128);
  every_size_at_every_offset<std::uint64_t>(256);
}

TEST(SpscRing, AnEightBitIndexWrapsThousandsOfTimes) {
  for (const std::size_t capacity : {32U, 64U, 128U}) {  // 128: half of what the index counts
    SpscByteRing<std::uint8_t> ring{capacity};
    for (std::uint32_t i = 0; i < 10'000; ++i) {
      const std::size_t size = 1 + i % ring.record_bytes_max();
      ASSERT_TRUE(write(ring, make_record(size, i)));
      ring.publish();
      ASSERT_FALSE(ring.empty());
      ASSERT_EQ(read(ring), make_record(size, i));
      ring.release();
      ASSERT_TRUE(ring.empty());
      ASSERT_TRUE(ring.empty_for_producer());
    }
  }
}

TEST(SpscRing, FullAndEmptyAreToldApartWithTheIndexAtEachPosition) {
  SpscByteRing<std::uint8_t> ring{128};
  for (std::uint32_t round = 0; round < 100; ++round) {
    for (std::uint32_t i = 0; i < 8; ++i) ASSERT_TRUE(write(ring, make_record(8, round + i))) << round;
    ring.publish();
    ASSERT_FALSE(ring.has_room(1));
    ASSERT_TRUE(ring.reserve(1).empty());
    ASSERT_EQ(ring.bytes_used(), 128U);
    ASSERT_FALSE(ring.empty());
    ASSERT_FALSE(ring.empty_for_producer());
    for (std::uint32_t i = 0; i < 8; ++i) ASSERT_EQ(read(ring), make_record(8, round + i));
    ring.release();
    ASSERT_EQ(ring.bytes_used(), 0U);
    move_to(ring, 16 * (round % 3));
  }
}

/// What the ring should do, said with a deque: spans in order, and a skip where a record would cross the end.
class Model {
 public:
  explicit Model(std::size_t capacity) : capacity_{capacity} {}
  [[nodiscard]] bool fits(std::size_t size) const { return held_ + skip(size) + span(size) <= capacity_; }
  void commit(Record record, std::size_t reserved) {
    const std::size_t bytes = skip(reserved) + span(record.size());
    position_ = (position_ + bytes) % capacity_;
    held_ += bytes;
    committed_.push_back({std::move(record), bytes});
  }
  void publish() {
    std::move(committed_.begin(), committed_.end(), std::back_inserter(published_));
    committed_.clear();
  }
  [[nodiscard]] const Record* front() const { return published_.empty() ? nullptr : &published_.front().record; }
  void pop() {
    popped_bytes_ += published_.front().bytes;
    published_.pop_front();
  }
  void release() { held_ -= std::exchange(popped_bytes_, 0); }
  [[nodiscard]] bool all_released() const { return held_ == 0; }
  [[nodiscard]] std::size_t bytes_published() const {
    return held_ - std::accumulate(committed_.begin(), committed_.end(), std::size_t{0},
                                   [](std::size_t sum, const Entry& entry) { return sum + entry.bytes; });
  }

 private:
  struct Entry {
    Record record;
    std::size_t bytes;
  };
  static std::size_t span(std::size_t size) { return 8 + (size + 7) / 8 * 8; }
  [[nodiscard]] std::size_t skip(std::size_t size) const {
    return position_ + span(size) > capacity_ ? capacity_ - position_ : 0;
  }
  std::size_t capacity_, position_ = 0, held_ = 0, popped_bytes_ = 0;
  std::deque<Entry> committed_, published_;
};

template <class Index>
void agree_with_model(std::size_t capacity, std::uint32_t seed) {
  SCOPED_TRACE(testing::Message() << "capacity " << capacity << " seed " << seed);
  std::mt19937 random{seed};
  SpscByteRing<Index> ring{capacity};
  Model model{capacity};
  for (std::uint32_t step = 0; step < 20'000; ++step) {
    switch (random() % 8) {
      case 0: case 1: case 2: {
        const std::size_t size = 1 + random() % ring.record_bytes_max();
        ASSERT_EQ(ring.has_room(size), model.fits(size)) << step;
        const MutableBytes room = ring.reserve(size);
        ASSERT_EQ(!room.empty(), model.fits(size)) << step;
        if (room.empty() || random() % 16 == 0) break;  // sometimes thought better of it
        const std::size_t actual = random() % 4 == 0 ? 1 + random() % size : size;
        const Record record = make_record(actual, step);
        std::copy(record.begin(), record.end(), room.begin());
        ring.commit(actual);
        model.commit(record, size);
        break;
      }
      case 3:
        ring.publish();
        model.publish();
        break;
      case 4: case 5: case 6: {
        const Record* const expected = model.front();
        const Bytes bytes = ring.peek();
        ASSERT_EQ(bytes.empty(), expected == nullptr) << step;
        ASSERT_EQ(ring.empty(), expected == nullptr) << step;
        if (expected == nullptr) break;
        ASSERT_TRUE(std::equal(bytes.begin(), bytes.end(), expected->begin(), expected->end())) << step;
        ring.pop();
        model.pop();
        break;
      }
      case 7:
        ring.release();
        model.release();
        ASSERT_EQ(ring.bytes_used(), model.bytes_published()) << step;
        ASSERT_EQ(ring.empty_for_producer(), model.all_released()) << step;
        break;
      default: break;
    }
  }
}
TEST(SpscRing, AgreesWithADequeOverRandomSteps) {
  for (const std::uint32_t seed : {1U, 2U, 3U, 4U}) {
    agree_with_model<std::uint8_t>(64, seed);
    agree_with_model<std::uint8_t>(128, seed);
    agree_with_model<std::uint16_t>(1'024, seed);
    agree_with_model<std::uint64_t>(4'096, seed);
  }
}

struct StressRow {
  std::string_view sentence;
  std::size_t capacity;
  std::uint32_t records, publish_every, release_every;
};

template <class Index>
void stress(const StressRow& row) {
  SCOPED_TRACE(row.sentence);
  SpscByteRing<Index> ring{row.capacity};
  const auto size_of = [&ring](std::uint32_t i) { return 1 + (i * 7'919U) % ring.record_bytes_max(); };
  std::thread producer{[&] {
    for (std::uint32_t i = 0; i < row.records; ++i) {
      MutableBytes room;
      while ((room = ring.reserve(size_of(i))).empty()) {
        ring.publish();  // what was held back for a batch must go, or both sides wait
        std::this_thread::yield();
      }
      for (std::size_t at = 0; at < room.size(); ++at) room[at] = static_cast<std::uint8_t>(i + at);
      ring.commit();
      if (i % row.publish_every == 0) ring.publish();
    }
    ring.publish();
  }};
  std::uint32_t damaged = 0;
  for (std::uint32_t i = 0; i < row.records; ++i) {
    Bytes bytes;
    while ((bytes = ring.peek()).empty()) {
      ring.release();
      std::this_thread::yield();
    }
    bool intact = bytes.size() == size_of(i);
    for (std::size_t at = 0; at < bytes.size(); ++at) intact &= bytes[at] == static_cast<std::uint8_t>(i + at);
    damaged += intact ? 0 : 1;
    ring.pop();
    if (i % row.release_every == 0) ring.release();
  }
  ring.release();
  producer.join();
  EXPECT_EQ(damaged, 0U);
  EXPECT_TRUE(ring.empty());
  EXPECT_TRUE(ring.empty_for_producer());
}
TEST(SpscRing, TwoThreadsPassEveryRecordUndamagedAndInOrder) {
  stress<std::uint8_t>({"a tiny ring whose index wraps at once", 128, 5'000, 1, 1});
  stress<std::uint16_t>({"batches on one side", 1'024, 20'000, 7, 1});
  stress<std::uint64_t>({"batches on the other", 4'096, 20'000, 1, 5});
  stress<std::uint64_t>({"batches on both", 65'536, 20'000, 16, 16});
}

TEST(SpscRingDeathTest, StopsAtMisuse) {
  EXPECT_DEATH(SpscByteRing<>{100}, "power of two");
  EXPECT_DEATH(SpscByteRing<>{16}, "power of two");
  EXPECT_DEATH(SpscByteRing<std::uint8_t>{256}, "full from empty");
  SpscByteRing<> ring{64};
  EXPECT_DEATH((void)ring.reserve(0), "1 to record_bytes_max");
  EXPECT_DEATH((void)ring.reserve(25), "1 to record_bytes_max");
  EXPECT_DEATH(ring.commit(), "what was reserved");
  EXPECT_DEATH(ring.pop(), "a record that is there");
  ASSERT_FALSE(ring.reserve(8).empty());
  EXPECT_DEATH(ring.commit(9), "what was reserved");
}

}  // namespace
}  // namespace ringcast
