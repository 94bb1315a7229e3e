// alloc/queue/spsc_ring.hpp: records of varying size from one thread to another, without a lock.
//
// Owner    whoever wires the two threads (a mesh lane, a log lane); must not move.
// Thread   one producer and one consumer; each function names its side.
// Memory   `capacity` bytes, taken once; the owner charges them.
// Failure  a full ring gives an empty span to the producer: the caller keeps what it wanted to send.
// Not here waking the other side (engine/reactor), what a record means (the caller).
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>

#include "alloc/base/bytes.hpp"
#include "alloc/base/ensure.hpp"
#include "alloc/base/units.hpp"

namespace ringcast {

/// Positions of both sides, counted in bytes and wrapping with their type. What different threads write lies on
/// different cache lines, and a private line lies between the two shared ones, so that the prefetcher cannot join them.
template <std::unsigned_integral Index>
struct LaneIndexes {
  static_assert(std::atomic<Index>::is_always_lock_free);

  alignas(kCacheLineBytes) std::atomic<Index> published{0};  // written by the producer
  alignas(kCacheLineBytes) Index consumed_seen{0};           // the producer's copy; saves a cache miss
  Index written{0};                                          // the producer's: committed, perhaps not yet published
  alignas(kCacheLineBytes) std::atomic<Index> consumed{0};   // written by the consumer
  alignas(kCacheLineBytes) Index published_seen{0};          // the consumer's copy
  Index read{0};                                             // the consumer's: popped, perhaps not yet released
};
static_assert(sizeof(LaneIndexes<std::uint64_t>) == 4 * kCacheLineBytes);

/// A record is contiguous and 8-byte aligned. It lies behind a header of 8 bytes that holds its size; one that does not
/// fit before the ring's end is preceded by a skip mark and starts at the beginning.
///
/// commit() and pop() are private progress; publish() and release() show it to the other side with one store each, so a
/// batch costs one cache line's journey. A producer that afterwards looks whether the consumer sleeps must put a
/// sequentially consistent fence between publish() and that look; so must the consumer between its flag and empty().
template <std::unsigned_integral Index = std::uint64_t>
class SpscByteRing {
 public:
  static constexpr std::size_t kHeaderBytes = 8;
  static constexpr std::size_t kAlignment = 8;

  /// capacity  a power of two, 32 bytes to half of what Index can count.
  explicit SpscByteRing(std::size_t capacity) : capacity_{capacity} {
    ensure(std::has_single_bit(capacity) && capacity >= 4 * kHeaderBytes, "a ring's capacity is a power of two");
    ensure(capacity <= std::size_t{std::numeric_limits<Index>::max()} / 2 + 1, "the index tells full from empty");
    memory_.reset(static_cast<std::uint8_t*>(::operator new(capacity, std::align_val_t{kCacheLineBytes})));
  }
  SpscByteRing(const SpscByteRing&) = delete;
  SpscByteRing& operator=(const SpscByteRing&) = delete;

  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  /// The largest record: capacity / 2 - 8. With its header it is half the ring, so the skip before it (which is
  /// shorter, or the record would have fitted) and the record always fit an empty ring together.
  [[nodiscard]] std::size_t record_bytes_max() const { return capacity_ / 2 - kHeaderBytes; }

  // -- producer --

  /// Room for one record of `size` bytes, 1 to record_bytes_max(); empty when there is none now. A second reserve()
  /// without commit() forgets the first.
  [[nodiscard]] MutableBytes reserve(std::size_t size) {
    ensure(size >= 1 && size <= record_bytes_max(), "a record has 1 to record_bytes_max() bytes");
    reserved_bytes_ = 0;
    if (!has_room(size)) return {};
    const std::size_t offset = offset_of(indexes_.written);
    const std::size_t tail = capacity_ - offset;
    reserved_skip_ = 0;
    if (tail < record_span(size)) {
      store<std::uint64_t>(memory_.get() + offset, kSkipMark);
      reserved_skip_ = tail;
    }
    reserved_bytes_ = size;
    return {memory_.get() + record_offset() + kHeaderBytes, size};
  }
  /// Makes a record of the first `actual` reserved bytes (at least 1). The consumer sees it after publish().
  void commit(std::size_t actual) {
    ensure(actual >= 1 && actual <= reserved_bytes_, "a commit keeps 1 byte to all of what was reserved");
    store<std::uint64_t>(memory_.get() + record_offset(), actual);
    indexes_.written = plus(indexes_.written, reserved_skip_ + record_span(actual));
    reserved_bytes_ = 0;
  }
  void commit() { commit(reserved_bytes_); }
  /// Shows all committed records to the consumer. Returns whether there were any that it could not see before.
  bool publish() {
    if (indexes_.published.load(std::memory_order_relaxed) == indexes_.written) return false;
    indexes_.published.store(indexes_.written, std::memory_order_release);
    return true;
  }
  /// Whether reserve(size) would succeed now.
  [[nodiscard]] bool has_room(std::size_t size) {
    const std::size_t tail = capacity_ - offset_of(indexes_.written);
    const std::size_t span = record_span(size);
    const std::size_t wanted = tail < span ? tail + span : span;
    if (wanted <= capacity_ - distance(indexes_.consumed_seen, indexes_.written)) return true;
    indexes_.consumed_seen = indexes_.consumed.load(std::memory_order_acquire);
    return wanted <= capacity_ - distance(indexes_.consumed_seen, indexes_.written);
  }
  /// Whether the consumer has given back everything that was ever committed.
  [[nodiscard]] bool empty_for_producer() {
    indexes_.consumed_seen = indexes_.consumed.load(std::memory_order_acquire);
    return indexes_.consumed_seen == indexes_.written;
  }

  // -- consumer --

  /// The oldest record not yet popped; empty when there is none. Stays valid until release().
  [[nodiscard]] Bytes peek() { return peek_mutable(); }
  [[nodiscard]] MutableBytes peek_mutable() {
    if (indexes_.read == indexes_.published_seen) {
      indexes_.published_seen = indexes_.published.load(std::memory_order_acquire);
      if (indexes_.read == indexes_.published_seen) return {};
    }
    std::size_t offset = offset_of(indexes_.read);
    std::uint64_t header = load<std::uint64_t>(memory_.get() + offset);
    if (header == kSkipMark) {
      indexes_.read = plus(indexes_.read, capacity_ - offset);
      ensure(indexes_.read != indexes_.published_seen, "a skip mark is published with the record behind it");
      offset = 0;
      header = load<std::uint64_t>(memory_.get());
    }
    ensure(header >= 1 && header <= record_bytes_max(), "a record's header holds its size");
    return {memory_.get() + offset + kHeaderBytes, static_cast<std::size_t>(header)};
  }
  /// Steps over the record that peek() shows; there must be one. Its bytes stay until release().
  void pop() {
    const std::size_t size = peek_mutable().size();
    ensure(size != 0, "pop() steps over a record that is there");
    indexes_.read = plus(indexes_.read, record_span(size));
  }
  /// Gives the room of all popped records back to the producer.
  void release() {
    if (indexes_.consumed.load(std::memory_order_relaxed) == indexes_.read) return;
    indexes_.consumed.store(indexes_.read, std::memory_order_release);
  }
  /// Whether nothing is left to pop, looking at the producer's index itself.
  [[nodiscard]] bool empty() {
    indexes_.published_seen = indexes_.published.load(std::memory_order_acquire);
    return indexes_.read == indexes_.published_seen;
  }

  // -- any thread --

  /// Bytes published and not yet given back, headers, padding and skips included. A look from outside may be old.
  [[nodiscard]] std::size_t bytes_used() const {
    const Index consumed = indexes_.consumed.load(std::memory_order_acquire);  // first: the difference is never below 0
    const Index published = indexes_.published.load(std::memory_order_relaxed);
    return std::min(distance(consumed, published), capacity_);
  }

 private:
  static constexpr std::uint64_t kSkipMark = 0xffff'ffff'ffff'ffff;

  struct FreeMemory {
    void operator()(std::uint8_t* memory) const { ::operator delete(memory, std::align_val_t{kCacheLineBytes}); }
  };

  static Index plus(Index index, std::size_t bytes) { return static_cast<Index>(index + bytes); }
  static std::size_t distance(Index from, Index to) { return static_cast<Index>(to - from); }
  static std::size_t record_span(std::size_t size) {
    return kHeaderBytes + ((size + kAlignment - 1) & ~(kAlignment - 1));
  }
  [[nodiscard]] std::size_t offset_of(Index index) const { return std::size_t{index} & (capacity_ - 1); }
  /// Where the reserved record's header goes.
  [[nodiscard]] std::size_t record_offset() const {
    return reserved_skip_ != 0 ? 0 : offset_of(indexes_.written);
  }

  std::unique_ptr<std::uint8_t, FreeMemory> memory_;  // never changes
  std::size_t capacity_;                              // never changes
  LaneIndexes<Index> indexes_;
  alignas(kCacheLineBytes) std::size_t reserved_bytes_ = 0;  // the producer's; 0: nothing reserved
  std::size_t reserved_skip_ = 0;                            // the producer's
};

}  // namespace ringcast
