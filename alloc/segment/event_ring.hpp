// alloc/segment/event_ring.hpp: the last events of one thread, for whoever asks later: the flight recorder's memory.
//
// Owner    lies by value in a stats segment or anywhere else; no pointer, all zero is empty.
// Thread   one writer; readers anywhere, in another process too. Each shard has its own; a reader merges them by time.
// Memory   kEventRingEntries x 128 bytes: 512 KiB.
// Failure  none: the oldest event is overwritten; a reader tells a half-written one by its stamp and skips it.
// Not here what events there are (engine/stats/events.hpp), holding back floods (engine/stats/shard_stats.hpp).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "alloc/segment/ringcast_stats.h"

namespace ringcast {

inline constexpr std::uint32_t kEventRingEntries = 4'096;  // protocol.md section 6

class EventRing {
 public:
  /// Records one event; `event.stamp` is ours to fill. Returns its number, for repeat().
  std::uint64_t write(const rcs_event& event) {
    const std::uint64_t number = written_.load(std::memory_order_relaxed);
    Slot& slot = slots_[number % kEventRingEntries];
    Words words;
    std::memcpy(words.data(), &event, sizeof event);
    slot[0].store(2 * number + 1, std::memory_order_relaxed);
    for (std::size_t i = 1; i < kWords; ++i) slot[i].store(words[i], std::memory_order_release);
    slot[0].store(2 * number + 2, std::memory_order_release);
    written_.store(number + 1, std::memory_order_release);
    return number;
  }
  /// Says of an event that was recorded that one more like it was not. One word, so readers need no second stamp.
  void repeat(std::uint64_t number) {
    if (written_.load(std::memory_order_relaxed) - number > kEventRingEntries) return;  // overwritten since
    std::atomic<std::uint64_t>& word = slots_[number % kEventRingEntries][kRepeatsWord];
    const std::uint64_t before = word.load(std::memory_order_relaxed);
    if (before >> 32 != 0xffff'ffffU) word.store(before + (std::uint64_t{1} << 32), std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t written() const { return written_.load(std::memory_order_acquire); }
  /// Copies the event with this number; false when it is not (or no longer, or not yet) there.
  [[nodiscard]] bool read(std::uint64_t number, rcs_event& event) const {
    const Slot& slot = slots_[number % kEventRingEntries];
    if (slot[0].load(std::memory_order_acquire) != 2 * number + 2) return false;
    Words words;
    for (std::size_t i = 0; i < kWords; ++i) words[i] = slot[i].load(std::memory_order_acquire);
    if (slot[0].load(std::memory_order_relaxed) != 2 * number + 2) return false;
    std::memcpy(&event, words.data(), sizeof event);
    return true;
  }

 private:
  static constexpr std::size_t kWords = sizeof(rcs_event) / sizeof(std::uint64_t);
  static constexpr std::size_t kRepeatsWord = offsetof(rcs_event, code) / sizeof(std::uint64_t);
  static_assert(offsetof(rcs_event, repeats) == offsetof(rcs_event, code) + 4, "the upper half of the word");
  using Words = std::array<std::uint64_t, kWords>;
  using Slot = std::array<std::atomic<std::uint64_t>, kWords>;

  std::atomic<std::uint64_t> written_{0};
  std::array<std::uint64_t, 7> reserved_{};
  std::array<Slot, kEventRingEntries> slots_{};
};
static_assert(sizeof(EventRing) == sizeof(rcs_event_ring) + kEventRingEntries * sizeof(rcs_event));

/// Copies text into a field of fixed size: cut at a character's boundary, always ending in zero.
template <std::size_t Size>
void copy_text(char (&field)[Size], std::string_view text) {
  std::size_t length = text.size() < Size ? text.size() : Size - 1;
  if (length < text.size()) {
    while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xc0U) == 0x80U) --length;
  }
  std::memset(field, 0, Size);
  if (length > 0) std::memcpy(field, text.data(), length);  // an empty text may have no address
}

}  // namespace ringcast
