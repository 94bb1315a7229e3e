// engine/access/shared_board.hpp: what a whole node counts by address or user although each shard only counts its own:
// open connections, and commands a second.
//
// Owner    node, or a test; one a node, outlives the shards.
// Thread   each shard writes its own cells; all shards read all of them. No cell has two writers, so there is neither a
//          lock nor a locked instruction; a reader may see a neighbour's number of a moment ago. Two shards that decide
//          in the same moment may let one more in, for each shard that there is.
// Memory   shards x kRows x cells x (4 or 8) bytes; taken once, only if the limits are on.
// Failure  none. Cells are chosen by hashes with a secret seed, and several names may share one: the least of kRows
//          cells is believed, so a number may be too great, never too small, and that only if every one of its cells is
//          shared by somebody busy.
// Not here what is done to who exceeds a limit (session).
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>

#include "alloc/base/ensure.hpp"
#include "alloc/base/identifiers.hpp"
#include "alloc/base/time.hpp"
#include "codec/hash/xxh3.hpp"
#include "engine/limits.hpp"

namespace ringcast {

namespace shared_board_detail {

/// A table of words: `shards` parts, each with `rows` rows of `cells`.
template <class Word>
class Cells {
 public:
  static constexpr std::size_t kRows = 3;
  using Places = std::array<std::size_t, kRows>;  // within one shard's part

  Cells(std::uint32_t shards, std::uint32_t cells, std::uint64_t seed)
      : shards_{shards}, mask_{cells - 1}, seed_{seed}, words_{std::make_unique<std::atomic<Word>[]>(part() * shards)} {
    ensure(std::has_single_bit(cells), "cells are a power of two");
  }

  [[nodiscard]] Places places_of(std::uint64_t name) const {
    Places places;
    std::uint64_t hash = seed_ ^ name;
    for (std::size_t row = 0; row < kRows; ++row) {
      hash = mixed(hash + 0x9e37'79b9'7f4a'7c15ULL);  // splitmix64: each row an independent hash
      places[row] = row * (mask_ + 1) + (hash & mask_);
    }
    return places;
  }
  [[nodiscard]] std::atomic<Word>& at(std::uint32_t shard, std::size_t place) const {
    return words_[part() * shard + place];
  }
  [[nodiscard]] std::uint32_t shards() const { return shards_; }
  [[nodiscard]] std::size_t bytes() const { return part() * shards_ * sizeof(Word); }

 private:
  [[nodiscard]] std::size_t part() const { return kRows * (mask_ + 1); }
  static std::uint64_t mixed(std::uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58'476d'1ce4'e5b9ULL;
    x = (x ^ x >> 27) * 0x94d0'49bb'1331'11ebULL;
    return x ^ x >> 31;
  }

  std::uint32_t shards_;
  std::size_t mask_;
  std::uint64_t seed_;
  std::unique_ptr<std::atomic<Word>[]> words_;
};

}  // namespace shared_board_detail

/// How many connections each address has open, on all shards together.
class ConnectionBoard {
 public:
  static constexpr std::uint32_t kCellsMin = 1U << 12;
  static constexpr std::uint32_t kCellsMax = 1U << 18;
  static constexpr std::uint32_t kCountMax = 1'000'000;  // of a limit; what it counts fits a cell many times over

  /// connections  the node's limit: with a cell for each, a stranger's share in an address's number stays rare.
  ConnectionBoard(std::uint32_t shards, std::uint32_t connections, std::uint64_t seed)
      : cells_{shards, std::clamp(std::bit_ceil(connections), kCellsMin, kCellsMax), seed} {}

  [[nodiscard]] std::uint32_t count(std::uint64_t address) const {
    std::uint32_t least = std::numeric_limits<std::uint32_t>::max();
    for (const std::size_t place : cells_.places_of(address)) {
      std::uint32_t sum = 0;
      for (std::uint32_t shard = 0; shard < cells_.shards(); ++shard) {
        sum += cells_.at(shard, place).load(std::memory_order_relaxed);
      }
      least = std::min(least, sum);
    }
    return least;
  }
  void add(ShardIndex here, std::uint64_t address) {
    for (const std::size_t place : cells_.places_of(address)) {
      auto& cell = cells_.at(value(here), place);
      cell.store(cell.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
  }
  void remove(ShardIndex here, std::uint64_t address) {
    for (const std::size_t place : cells_.places_of(address)) {
      auto& cell = cells_.at(value(here), place);
      const std::uint32_t before = cell.load(std::memory_order_relaxed);
      ensure(before != 0, "a connection is taken off once");
      cell.store(before - 1, std::memory_order_relaxed);
    }
  }
  [[nodiscard]] std::size_t bytes() const { return cells_.bytes(); }

 private:
  shared_board_detail::Cells<std::uint32_t> cells_;
};

/// How many commands each user or address has sent of late, on all shards together.
class RateBoard {
 public:
  static constexpr std::uint32_t kCells = 1U << 12;
  static constexpr nanoseconds kWindow = seconds{2};  // a burst is what two seconds allow
  static constexpr std::uint32_t kRateMax = 500'000;  // a cell counts a million a window

  RateBoard(std::uint32_t shards, std::uint64_t seed) : cells_{shards, kCells, seed} {}

  /// Counts one more, if with it `name` stays within `per_second` on average over the window that slides up to now.
  [[nodiscard]] bool take(ShardIndex here, std::uint64_t name, std::uint32_t per_second, Instant now) {
    const auto since = static_cast<std::uint64_t>(now.time_since_epoch().count());
    const std::uint64_t window = since / static_cast<std::uint64_t>(kWindow.count());
    const std::uint64_t elapsed = since % static_cast<std::uint64_t>(kWindow.count());
    const auto places = cells_.places_of(name);
    std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
    for (const std::size_t place : places) {
      std::uint64_t sum = 0;
      for (std::uint32_t shard = 0; shard < cells_.shards(); ++shard) {
        const Count count = count_at(shard, place, window);
        const std::uint64_t left = static_cast<std::uint64_t>(kWindow.count()) - elapsed;  // of the window before
        sum += count.current + count.before * left / static_cast<std::uint64_t>(kWindow.count());
      }
      least = std::min(least, sum);
    }
    const std::uint64_t allowed = per_second * static_cast<std::uint64_t>(kWindow / seconds{1});
    if (least >= allowed) return false;
    for (const std::size_t place : places) {
      Count count = count_at(value(here), place, window);
      count.current = std::min<std::uint64_t>(count.current + 1, kCountMask);
      cells_.at(value(here), place)
          .store((window & kWindowMask) << 40 | count.before << 20 | count.current, std::memory_order_relaxed);
    }
    return true;
  }
  [[nodiscard]] std::size_t bytes() const { return cells_.bytes(); }

 private:
  // A cell: 24 bits of the window's number, 20 of the count in the window before, 20 of the count in this one.
  static constexpr std::uint64_t kWindowMask = (1U << 24) - 1;
  static constexpr std::uint64_t kCountMask = (1U << 20) - 1;
  static_assert(kRateMax * std::uint64_t{2} <= kCountMask);

  struct Count {
    std::uint64_t before = 0, current = 0;
  };
  /// A cell's counts as seen from this window.
  [[nodiscard]] Count count_at(std::uint32_t shard, std::size_t place, std::uint64_t window) const {
    const std::uint64_t word = cells_.at(shard, place).load(std::memory_order_relaxed);
    const std::uint64_t age = (window - (word >> 40)) & kWindowMask;
    if (age == 0) return {.before = word >> 20 & kCountMask, .current = word & kCountMask};
    if (age == 1) return {.before = word & kCountMask, .current = 0};
    return {};
  }

  shared_board_detail::Cells<std::uint64_t> cells_;
};

/// Both, as a node has them; null where a limit is off.
struct AccessBoards {
  std::uint64_t seed = 0;  // secret: nobody can look for names that share an address's or a user's cells
  std::unique_ptr<ConnectionBoard> connections;
  std::unique_ptr<RateBoard> rates;

  [[nodiscard]] static AccessBoards make(const CoreOptions& options, std::uint64_t seed) {
    AccessBoards boards{.seed = seed, .connections = nullptr, .rates = nullptr};
    if (options.limits.connections_per_address != 0) {
      boards.connections = std::make_unique<ConnectionBoard>(options.shards, options.limits.connections, seed);
    }
    if (options.rate.user_messages_per_second != 0 || options.rate.address_messages_per_second != 0) {
      boards.rates = std::make_unique<RateBoard>(options.shards, seed);
    }
    return boards;
  }
  /// What a name is called on both; never 0.
  [[nodiscard]] std::uint64_t name_of(Bytes bytes) const { return hash128(bytes, seed).low | 1; }
  [[nodiscard]] std::size_t bytes() const {
    return (connections ? connections->bytes() : 0) + (rates ? rates->bytes() : 0);
  }
};

}  // namespace ringcast
