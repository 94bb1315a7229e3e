// alloc/queue/lru_set.hpp: what was seen lately, by the hash of its name (the dedupe window).
//
// Owner    a home shard, by value; one for all its channels.  Thread  the shard's.
// Memory   none until the first insert; then entries and table double up to bytes_for(entries_max). While it grows the
//          old and the new stand side by side.
// Failure  none: at the bound the least recently used entry goes, and is counted.
// Not here hashing, and what scopes a name (channel/dedupe).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "alloc/base/identifiers.hpp"
#include "alloc/base/time.hpp"

namespace ringcast {

/// A 128-bit hash; two names with one hash are one name to the map.
struct LruKey {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool operator==(const LruKey&) const = default;
};

/// What is remembered of a message: where it was sequenced, and until when that matters.
struct LruValue {
  Sequence seq{};
  Epoch epoch{};
  Instant expires{};
  bool operator==(const LruValue&) const = default;
};

class LruMap {
 public:
  static constexpr std::uint32_t kEntriesFirst = 64;
  static constexpr std::uint32_t kEntriesMax = 1U << 30;

  /// entries_max  1 to kEntriesMax.
  explicit LruMap(std::uint32_t entries_max);

  /// The value of a key that was inserted and has not expired (now < expires), and makes it the most recently used.
  /// An expired entry is dropped.
  [[nodiscard]] std::optional<LruValue> find(const LruKey& key, Instant now);
  /// Remembers or replaces; the entry becomes the most recently used. At the bound the least recently used goes.
  void insert(const LruKey& key, const LruValue& value);
  /// Forgets a key; false if it was not there.
  bool erase(const LruKey& key);
  /// Another bound from now on, 1 to kEntriesMax. What is beyond it goes at once: then as shrink_to().
  void set_entries_max(std::uint32_t entries_max);
  /// Forgets the least recently used until at most `entries` are left, and the memory that they need no more.
  /// A relief measure: takes time in proportion to what is left.
  void shrink_to(std::uint32_t entries);

  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] std::uint32_t entries_max() const { return entries_max_; }
  /// Entries that had to go although they had not been found to have expired.
  [[nodiscard]] std::uint64_t evictions() const { return evictions_; }
  /// What is held now.
  [[nodiscard]] std::size_t bytes() const { return bytes_of(capacity_, table_slots_); }
  /// What a map of so many entries holds when it is full.
  [[nodiscard]] static std::size_t bytes_for(std::uint32_t entries);
  /// The most entries with bytes_for(entries) <= bytes; at least 1.
  [[nodiscard]] static std::uint32_t entries_for(std::size_t bytes);
  /// Whether list, table and free entries agree; for tests.
  [[nodiscard]] bool validate() const;

 private:
  static constexpr std::uint32_t kNone = 0xffff'ffff;
  struct Entry {
    LruKey key;
    LruValue value;
    std::uint32_t newer = kNone;
    std::uint32_t older = kNone;  // also links the free entries
  };
  static_assert(sizeof(Entry) == 48, "56 bytes an entry with its table slots, if entries_max is a power of two");

  static std::uint32_t table_slots_for(std::uint32_t entries);
  static std::size_t bytes_of(std::uint32_t entries, std::uint32_t table_slots) {
    return entries * sizeof(Entry) + table_slots * sizeof(std::uint32_t);
  }
  [[nodiscard]] std::uint32_t home_of(const LruKey& key) const;
  [[nodiscard]] std::uint32_t slot_of(const LruKey& key) const;  // holding the key, or the empty one where it belongs
  void resize(std::uint32_t capacity);
  void link_newest(std::uint32_t entry);
  void unlink(std::uint32_t entry);
  void drop(std::uint32_t slot);
  void clear_slot(std::uint32_t slot);

  std::unique_ptr<Entry[]> entries_;
  std::unique_ptr<std::uint32_t[]> table_;  // entry numbers; linear probing; a power of two, at most two thirds full
  std::uint32_t capacity_ = 0;
  std::uint32_t table_slots_ = 0;
  std::uint32_t size_ = 0;
  std::uint32_t newest_ = kNone;
  std::uint32_t oldest_ = kNone;
  std::uint32_t free_first_ = kNone;
  std::uint32_t entries_max_;
  std::uint64_t evictions_ = 0;
};

}  // namespace ringcast
