// engine/time/calendar_queue.hpp: one deadline each for many members, met in steps by whole groups.
//
// Owner    the shard core, by value.  Thread  one.
// Memory   60 KB from the start, most of it list heads; 12 bytes a member number that was ever used, in chunks of
//          12 KB. Charged to the purpose given.
// Failure  none.
// Not here deadlines to the millisecond, or several of one owner (timer_wheel.hpp); reading a clock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "alloc/base/ensure.hpp"
#include "alloc/base/time.hpp"
#include "alloc/memory/budget.hpp"

namespace ringcast {

/// A calendar queue (R. Brown, CACM 31, 1988) of fixed width: a deadline is rounded up to a step, and a step's members
/// are a list. Members are numbers, as of a slab's slots, and the lists run through nodes of the queue's own: to add,
/// move or remove one does not touch the member itself, which for one of 10,000 connections that are pinged every 20 s
/// is a miss of the caches. A timer wheel moves its entries from level to level, by the thousand at once; here they
/// stay where they are. The price is precision: a step at most late.
class CalendarQueue {
 public:
  using Member = std::uint32_t;
  static constexpr std::uint32_t kBuckets = 4'096;
  /// From the present to a deadline.
  static constexpr std::uint64_t kStepsMax = std::uint64_t{1} << 31;
  static constexpr int kAhead = 4;

  /// start  the present.  step  at least 1 ns.  budget  may be null: nothing is charged; else it outlives the queue.
  explicit CalendarQueue(Instant start, nanoseconds step, Budget* budget = nullptr, Purpose purpose = Purpose::other);
  CalendarQueue(const CalendarQueue&) = delete;
  CalendarQueue& operator=(const CalendarQueue&) = delete;
  ~CalendarQueue();

  /// Adds a member, or moves it. A deadline that has passed is met a step after the present.
  void put(Member member, Instant deadline);
  /// False if it was not there.
  bool remove(Member member);
  [[nodiscard]] bool contains(Member member) const {
    return member < nodes() - kHeads && node(member + kHeads).next != kNone;
  }

  /// Calls f(Member) once for each member whose deadline, rounded up, is reached at `now`, step by step and within a
  /// step in the order of put(), and returns how many those were. The member is out of the queue before the call; f may
  /// put and remove any; what it puts is met at a later expire(). ahead(Member) is called for one that comes kAhead
  /// calls later, so that the caller can prefetch it. A `now` before the last one is taken as the last one; one that is
  /// more than kBuckets steps after it meets everybody who is due in the order of buckets, not of steps.
  template <class Function, class Ahead>
  std::size_t expire(Instant now, Function&& f, Ahead&& ahead) {
    begin_expire(now);
    std::size_t met = 0;
    while (node(kMet).next != kMet) {
      std::uint32_t later = node(kMet).next;
      for (int i = 0; i < kAhead && later != kMet; ++i) later = node(later).next;
      if (later != kMet) ahead(later - kHeads);
      const Member member = node(kMet).next - kHeads;
      unlink(member + kHeads);
      ++met;
      f(member);
    }
    expiring_ = false;
    return met;
  }

  /// When expire() has something to do next: never later than the next deadline, rounded up; earlier if somebody whose
  /// deadline is rounds away is in a bucket before that. Deadlines on a grid that divides the round, kBuckets steps,
  /// therefore wake nobody more often than the grid. Nothing while the queue is empty.
  [[nodiscard]] std::optional<Instant> next_deadline() const;

  [[nodiscard]] std::size_t size() const { return size_; }
  /// Whether every member lies where it must; for tests.
  [[nodiscard]] bool validate() const;

 private:
  using Step = std::uint64_t;
  static constexpr std::uint32_t kNone = 0xffff'ffff;
  static constexpr std::uint32_t kMet = kBuckets;       // head of the list that the expire() under way goes through
  static constexpr std::uint32_t kHeads = kBuckets + 1;  // the first node of a member
  static constexpr std::uint32_t kWordBits = 64;
  static constexpr std::uint32_t kWords = kBuckets / kWordBits;
  static constexpr std::uint32_t kChunkNodes = 1'024;
  static_assert(kWords == kWordBits, "a word has a bit for each of the words");

  struct Node {
    std::uint32_t next = kNone;  // none: in no list
    std::uint32_t previous = kNone;
    std::uint32_t step = 0;  // the low half of it
  };

  void begin_expire(Instant now);
  void meet(std::uint32_t bucket);
  void add_chunk();
  void link(std::uint32_t number, std::uint32_t head);
  void unlink(std::uint32_t number);
  [[nodiscard]] Node& node(std::uint32_t number) { return chunks_[number / kChunkNodes][number % kChunkNodes]; }
  [[nodiscard]] const Node& node(std::uint32_t number) const {
    return chunks_[number / kChunkNodes][number % kChunkNodes];
  }
  [[nodiscard]] std::uint32_t nodes() const { return static_cast<std::uint32_t>(chunks_.size()) * kChunkNodes; }
  [[nodiscard]] bool is_occupied(std::uint32_t bucket) const {
    return (occupied_[bucket / kWordBits] >> bucket % kWordBits & 1U) != 0;
  }
  [[nodiscard]] std::uint32_t first_bucket(std::uint32_t from) const;
  [[nodiscard]] Step step_of(Instant now) const;
  [[nodiscard]] Step step_not_before(Instant deadline) const;
  [[nodiscard]] Instant instant_of(Step step) const;
  /// How many steps a member's is after the present; it may be behind it.
  [[nodiscard]] std::int32_t steps_ahead(const Node& member) const {
    return static_cast<std::int32_t>(member.step - static_cast<std::uint32_t>(now_));
  }

  std::vector<std::unique_ptr<Node[]>> chunks_;    // of circular lists: heads, then members
  std::array<std::uint64_t, kWords> occupied_{};  // one bit a bucket
  std::uint64_t words_occupied_ = 0;              // one bit a word of those
  Step now_;                                       // every member's step is later, except those being met
  std::size_t size_ = 0;
  nanoseconds step_;
  Budget* budget_;
  Purpose purpose_;
  bool expiring_ = false;
};

}  // namespace ringcast
