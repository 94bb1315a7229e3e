// alloc/memory/budget.hpp: the bytes one shard holds, by purpose.
//
// Owner    the shard, by value; whatever reserves memory gets a reference and a purpose.
// Thread   the shard's writes; any thread may read the numbers (each is a plain relaxed load, together no snapshot).
// Memory   one word a purpose.
// Failure  releasing more than was charged is our own mistake and stops the process.
// Not here deciding what to do near the limit (engine/pressure), taking the memory (slab, shard_heap).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>

#include "alloc/base/ensure.hpp"
#include "alloc/base/units.hpp"

namespace ringcast {

/// What memory is held for. The order is that of the stats segment: add before `end`, never reorder.
enum class Purpose : std::uint8_t {
  log_blocks,
  history,
  connections,
  inboxes,
  control,
  remainders,
  subscriptions,
  channels,
  dedupe,
  mesh,
  receive_buffers,
  scratch,
  other,
  compression,
  users,
  offline,
  tls,
  admin,
  end
};
inline constexpr std::size_t kPurposeCount = std::to_underlying(Purpose::end);

struct PurposeRow {
  Purpose purpose;
  std::string_view name;   // as in metrics and reports
  std::string_view label;  // what it is, for people
};
inline constexpr std::array kPurposes{
    PurposeRow{Purpose::log_blocks, "log_blocks", "Blocks of channel logs"},
    PurposeRow{Purpose::history, "history", "Kept messages of channels with history"},
    PurposeRow{Purpose::connections, "connections", "State of connections"},
    PurposeRow{Purpose::inboxes, "inboxes", "Received bytes not yet decoded"},
    PurposeRow{Purpose::control, "control", "Replies, pongs and close frames waiting to be sent"},
    PurposeRow{Purpose::remainders, "remainders", "Rest of a frame that the kernel took in part"},
    PurposeRow{Purpose::subscriptions, "subscriptions", "Cursors and the subscription index"},
    PurposeRow{Purpose::channels, "channels", "State of channels"},
    PurposeRow{Purpose::dedupe, "dedupe", "Message ids of the dedupe window"},
    PurposeRow{Purpose::mesh, "mesh", "Lanes between shards"},
    PurposeRow{Purpose::receive_buffers, "receive_buffers", "Buffers lent to the kernel for receiving"},
    PurposeRow{Purpose::scratch, "scratch", "Memory that sends are gathered in"},
    PurposeRow{Purpose::other, "other", "Everything else"},
    PurposeRow{Purpose::compression, "compression", "What messages are packed and unpacked with"},
    PurposeRow{Purpose::users, "users", "Users, who is in which channel, and their directory"},
    PurposeRow{Purpose::offline, "offline", "Messages that wait for the offline store, and the lanes to it"},
    PurposeRow{Purpose::tls, "tls", "Sessions of TLS connections, and what is encrypted and not yet taken"},
    PurposeRow{Purpose::admin, "admin", "Lanes between a shard and the admin port"},
};
static_assert(kPurposes.size() == kPurposeCount, "every purpose has a row");
static_assert(
    [] {
      for (std::size_t i = 0; i < kPurposes.size(); ++i) {
        if (std::to_underlying(kPurposes[i].purpose) != i) return false;
      }
      return true;
    }(),
    "rows stand in the order of the purposes");

class Budget {
 public:
  static constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

  explicit Budget(std::uint64_t limit_bytes = kUnlimited) : limit_{limit_bytes} {}
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  /// Counts bytes that were taken. Never refuses: who can do without the memory asks fits() before taking it.
  void charge(Purpose purpose, std::size_t bytes) {
    add(used_[index(purpose)], bytes);
    add(total_, bytes);
  }
  /// Counts bytes given back; never more than are charged to the purpose.
  void release(Purpose purpose, std::size_t bytes) {
    std::atomic<std::uint64_t>& word = used_[index(purpose)];
    const std::uint64_t now = word.load(std::memory_order_relaxed);
    ensure(bytes <= now, "a budget releases at most what was charged to the purpose");
    word.store(now - bytes, std::memory_order_relaxed);
    total_.store(total_.load(std::memory_order_relaxed) - bytes, std::memory_order_relaxed);
  }

  [[nodiscard]] std::uint64_t used(Purpose purpose) const {
    return used_[index(purpose)].load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t total() const { return total_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t limit() const { return limit_.load(std::memory_order_relaxed); }
  /// A reload may lower the limit below what is held; nothing then fits until memory has been released.
  void set_limit(std::uint64_t bytes) { limit_.store(bytes, std::memory_order_relaxed); }

  /// Whether `bytes` more would stay within the limit.
  [[nodiscard]] bool fits(std::uint64_t bytes) const {
    const std::uint64_t held = total();
    const std::uint64_t most = limit();
    return held <= most && bytes <= most - held;
  }

 private:
  static std::size_t index(Purpose purpose) {
    ensure(purpose < Purpose::end, "a purpose is one of the table's");
    return std::to_underlying(purpose);
  }
  static void add(std::atomic<std::uint64_t>& word, std::uint64_t bytes) {  // single writer: no locked instruction
    word.store(word.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
  }

  alignas(kCacheLineBytes) std::array<std::atomic<std::uint64_t>, kPurposeCount> used_{};  // written by the shard
  std::atomic<std::uint64_t> total_{0};                                                    // written by the shard
  std::atomic<std::uint64_t> limit_;                                                       // written by the shard
};

}  // namespace ringcast
