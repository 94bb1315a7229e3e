#include "alloc/queue/lru_set.hpp"

#include <algorithm>
#include <bit>

#include "alloc/base/ensure.hpp"

namespace ringcast {

LruMap::LruMap(std::uint32_t entries_max) : entries_max_{entries_max} {
  ensure(entries_max >= 1 && entries_max <= kEntriesMax, "an LRU map holds 1 to kEntriesMax entries");
}

std::optional<LruValue> LruMap::find(const LruKey& key, Instant now) {
  if (size_ == 0) return std::nullopt;
  const std::uint32_t slot = slot_of(key);
  const std::uint32_t entry = table_[slot];
  if (entry == kNone) return std::nullopt;
  if (entries_[entry].value.expires <= now) {
    drop(slot);
    return std::nullopt;
  }
  unlink(entry);
  link_newest(entry);
  return entries_[entry].value;
}

void LruMap::insert(const LruKey& key, const LruValue& value) {
  if (size_ > 0) {
    const std::uint32_t known = table_[slot_of(key)];
    if (known != kNone) {
      entries_[known].value = value;
      unlink(known);
      link_newest(known);
      return;
    }
  }
  if (size_ == entries_max_) {
    drop(slot_of(entries_[oldest_].key));
    ++evictions_;
  } else if (size_ == capacity_) {
    resize(std::min(entries_max_, std::max(kEntriesFirst, capacity_ * 2)));
  }
  const std::uint32_t entry = free_first_;
  free_first_ = entries_[entry].older;
  entries_[entry].key = key;
  entries_[entry].value = value;
  table_[slot_of(key)] = entry;
  link_newest(entry);
  ++size_;
}

bool LruMap::erase(const LruKey& key) {
  if (size_ == 0) return false;
  const std::uint32_t slot = slot_of(key);
  if (table_[slot] == kNone) return false;
  drop(slot);
  return true;
}

void LruMap::set_entries_max(std::uint32_t entries_max) {
  ensure(entries_max >= 1 && entries_max <= kEntriesMax, "an LRU map holds 1 to kEntriesMax entries");
  entries_max_ = entries_max;
  if (capacity_ > entries_max) shrink_to(entries_max);
}

void LruMap::shrink_to(std::uint32_t entries) {
  while (size_ > entries) {
    drop(slot_of(entries_[oldest_].key));
    ++evictions_;
  }
  if (size_ < capacity_) resize(size_);
}

std::uint32_t LruMap::table_slots_for(std::uint32_t entries) {
  return entries == 0 ? 0 : std::bit_ceil(entries + entries / 2 + 1);
}

std::size_t LruMap::bytes_for(std::uint32_t entries) { return bytes_of(entries, table_slots_for(entries)); }

std::uint32_t LruMap::entries_for(std::size_t bytes) {
  std::uint32_t fits = 1;
  std::uint32_t too_many = kEntriesMax + 1;
  while (fits + 1 < too_many) {
    const std::uint32_t middle = fits + (too_many - fits) / 2;
    (bytes_for(middle) <= bytes ? fits : too_many) = middle;
  }
  return fits;
}

std::uint32_t LruMap::home_of(const LruKey& key) const {
  // The golden ratio's multiple spreads keys that differ in few bits; its high bits are the well mixed ones.
  const std::uint64_t mixed = (key.low ^ std::rotl(key.high, 32)) * 0x9e37'79b9'7f4a'7c15;
  return static_cast<std::uint32_t>(mixed >> (64 - std::countr_zero(table_slots_)));
}

std::uint32_t LruMap::slot_of(const LruKey& key) const {
  std::uint32_t slot = home_of(key);
  while (table_[slot] != kNone && entries_[table_[slot]].key != key) slot = (slot + 1) & (table_slots_ - 1);
  return slot;
}

void LruMap::resize(std::uint32_t capacity) {
  const std::unique_ptr<Entry[]> before = std::move(entries_);
  const std::uint32_t oldest_before = oldest_;
  capacity_ = capacity;
  table_slots_ = table_slots_for(capacity);
  entries_ = capacity == 0 ? nullptr : std::make_unique<Entry[]>(capacity);
  table_ = capacity == 0 ? nullptr : std::make_unique_for_overwrite<std::uint32_t[]>(table_slots_);
  std::fill_n(table_.get(), table_slots_, kNone);
  newest_ = oldest_ = free_first_ = kNone;

  std::uint32_t used = 0;
  for (std::uint32_t from = oldest_before; from != kNone; from = before[from].newer) {
    entries_[used].key = before[from].key;
    entries_[used].value = before[from].value;
    table_[slot_of(entries_[used].key)] = used;
    link_newest(used++);
  }
  ensure(used == size_, "growing keeps every entry");
  for (std::uint32_t entry = capacity; entry-- > used;) {
    entries_[entry].older = free_first_;
    free_first_ = entry;
  }
}

void LruMap::link_newest(std::uint32_t entry) {
  entries_[entry].newer = kNone;
  entries_[entry].older = newest_;
  (newest_ == kNone ? oldest_ : entries_[newest_].newer) = entry;
  newest_ = entry;
}

void LruMap::unlink(std::uint32_t entry) {
  const auto [newer, older] = std::pair{entries_[entry].newer, entries_[entry].older};
  (newer == kNone ? newest_ : entries_[newer].older) = older;
  (older == kNone ? oldest_ : entries_[older].newer) = newer;
}

void LruMap::drop(std::uint32_t slot) {
  const std::uint32_t entry = table_[slot];
  clear_slot(slot);
  unlink(entry);
  entries_[entry].older = free_first_;
  free_first_ = entry;
  --size_;
}

/// Closes the gap instead of leaving a mark: an entry behind it moves up unless that would put it before its home.
void LruMap::clear_slot(std::uint32_t slot) {
  const std::uint32_t mask = table_slots_ - 1;
  std::uint32_t gap = slot;
  for (std::uint32_t probe = (gap + 1) & mask; table_[probe] != kNone; probe = (probe + 1) & mask) {
    const std::uint32_t home = home_of(entries_[table_[probe]].key);
    if (((probe - home) & mask) >= ((probe - gap) & mask)) {
      table_[gap] = table_[probe];
      gap = probe;
    }
  }
  table_[gap] = kNone;
}

bool LruMap::validate() const {
  std::uint32_t listed = 0;
  std::uint32_t newer = kNone;
  for (std::uint32_t entry = newest_; entry != kNone; entry = entries_[entry].older) {
    if (entries_[entry].newer != newer || ++listed > size_) return false;
    if (table_[slot_of(entries_[entry].key)] != entry) return false;
    newer = entry;
  }
  std::uint32_t free = 0;
  for (std::uint32_t entry = free_first_; entry != kNone && free <= capacity_; entry = entries_[entry].older) ++free;
  const auto filled = static_cast<std::uint32_t>(
      std::count_if(table_.get(), table_.get() + table_slots_, [](std::uint32_t entry) { return entry != kNone; }));
  return listed == size_ && filled == size_ && oldest_ == newer && free == capacity_ - size_;
}

}  // namespace ringcast
