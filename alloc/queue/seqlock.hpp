// alloc/queue/seqlock.hpp: a small value that one writer replaces and any number of readers copy.
//
// Owner    lies by value wherever both sides see it, also in a mapped segment: no pointer, no lock, all zero is valid.
// Thread   one writer; readers anywhere, in another process too (a read-only mapping is enough).
// Memory   the value and one word.
// Failure  a reader that meets the writer says so; nobody waits. A writer that died half way leaves it unreadable.
// Not here larger things (a ring), counters (plain words).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <type_traits>

namespace ringcast {

/// The words are atomics, so a torn read is never undefined, only discarded. There is no fence (ThreadSanitizer knows
/// none): each word is stored with release and loaded with acquire, so a reader that saw a word of a newer value
/// also sees, in its second look at the version, that this value was begun. On x86-64 both are plain moves.
template <class T>
class Seqlock {
  static_assert(std::is_trivially_copyable_v<T>, "a value is copied word by word");
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

 public:
  static constexpr int kTriesDefault = 64;  // a write is a few stores: 64 misses: the writer is gone or stopped

  /// The writer's. Readers see the old value or the new one.
  void write(const T& value) {
    Words words{};
    std::memcpy(words.data(), &value, sizeof value);
    const std::uint64_t version = version_.load(std::memory_order_relaxed);
    version_.store(version + 1, std::memory_order_relaxed);
    for (std::size_t i = 0; i < kWords; ++i) words_[i].store(words[i], std::memory_order_release);
    version_.store(version + 2, std::memory_order_release);
  }

  /// Copies the value unless a write happened meanwhile; then `value` is untouched and the answer false.
  [[nodiscard]] bool try_read(T& value) const {
    const std::uint64_t before = version_.load(std::memory_order_acquire);
    if ((before & 1U) != 0) return false;
    Words words;
    for (std::size_t i = 0; i < kWords; ++i) words[i] = words_[i].load(std::memory_order_acquire);
    if (version_.load(std::memory_order_relaxed) != before) return false;
    std::memcpy(static_cast<void*>(&value), words.data(), sizeof value);
    return true;
  }
  /// Tries so often; nothing when the writer was met each time.
  [[nodiscard]] std::optional<T> read(int tries = kTriesDefault) const
    requires std::is_default_constructible_v<T>
  {
    T value{};
    for (int i = 0; i < tries; ++i) {
      if (try_read(value)) return value;
    }
    return std::nullopt;
  }
  /// How many values were written; 0: none yet, and a read gives all zero bytes.
  [[nodiscard]] std::uint64_t writes() const { return version_.load(std::memory_order_acquire) / 2; }

 private:
  static constexpr std::size_t kWords = (sizeof(T) + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t);
  using Words = std::array<std::uint64_t, kWords>;

  std::atomic<std::uint64_t> version_{0};  // odd while a write is under way
  std::array<std::atomic<std::uint64_t>, kWords> words_{};
};

}  // namespace ringcast
