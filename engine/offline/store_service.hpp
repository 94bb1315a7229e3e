// engine/offline/store_service.hpp: serves every shard's requests to the store: many in one transaction, pages of what
// is kept, and the state that the store is in.
//
// Owner    the bridge's thread (or the simulation), one.  Thread  the bridge's.
// Memory   a note a request of the transaction under way, one page, and answers that their ring has no room for; these
//          are bounded by what a shard may have asked for.
// Failure  a transaction that fails is refused as a whole, and everything its shards had asked for behind it: what was
//          numbered after a message that is not kept must not be kept either. The state says why, until a repair works.
// Not here keeping anything (message_store), waiting and waking (bridge).
//
// Requests of one shard are served in their order. A transaction takes what the rings hold when it begins: the busier
// the node, the more messages share one commit, and nobody waits for a timer.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "alloc/base/time.hpp"
#include "engine/limits.hpp"
#include "engine/offline/message_store.hpp"
#include "engine/offline/store_lane.hpp"

namespace ringcast {

inline constexpr std::uint32_t kStoreBatchRequests = 4'096;  // in a transaction
inline constexpr std::size_t kStoreBatchBytes = 8_MiB;       // the same in bytes: a commit stays within some 100 ms
inline constexpr std::uint32_t kStoreLoadsPerRound = 256;    // pages between two transactions
inline constexpr std::size_t kStorePageBytes = 64_KiB;       // of kept messages in an answer; one may be larger
inline constexpr milliseconds kStoreTick{1'000};             // checks, repairs, expiry
// A store that had no room for a message has room for something smaller: it is full for so long at least, so that
// people can see it, and is not good and full again once a second.
inline constexpr milliseconds kStoreFullTime{5'000};

struct StoreCounters {
  std::uint64_t commits = 0;
  std::uint64_t messages = 0;  // kept
  std::uint64_t bytes = 0;
  std::uint64_t settlements = 0;
  std::uint64_t pages = 0;
  std::uint64_t messages_loaded = 0;
  std::uint64_t refused = 0;  // requests
  std::uint64_t faults = 0;
  std::uint64_t repairs = 0;
  std::uint64_t expired = 0;  // messages too old, forgotten while their channel was not in use
  std::uint64_t damaged = 0;  // messages that were not what was written, left out
};

/// Something to be told to people, once.
struct StoreNote {
  StoreState before = StoreState::good;
  StoreState after = StoreState::good;
  std::string sentence;
};

class StoreService {
 public:
  StoreService(MessageStore& store, StoreLanes& lanes, const OfflineOptions& options, Now now);

  /// Serves what there is, within a bound. Returns whether that was anything.
  bool serve(Now now);
  /// One bit for each shard that got an answer since the last call.
  [[nodiscard]] std::uint64_t take_bells() { return std::exchange(bells_, 0); }
  /// A request waits.
  [[nodiscard]] bool has_requests() const;
  /// When serve() has something to do although nobody asked.
  [[nodiscard]] Instant next_deadline() const;
  [[nodiscard]] StoreState state() const { return state_; }
  [[nodiscard]] const StoreCounters& counters() const { return counters_; }
  [[nodiscard]] std::vector<StoreNote> take_notes() { return std::exchange(notes_, {}); }

 private:
  struct Lane {
    StoreLane* rings = nullptr;
    std::uint32_t generation = 0;                        // requests of an earlier one are refused
    std::deque<std::vector<std::uint8_t>> answers_kept;  // no room yet
    bool taken = false;                                  // has requests in the transaction under way
  };
  struct Taken {  // by the transaction under way
    std::uint32_t lane = 0;
    std::uint32_t generation = 0;
    Handle home;
    Sequence seq{};  // 0: a settlement
    Sequence done{};
    std::uint32_t bytes = 0;
    bool is_message = false;
  };

  bool take_writes();
  Stored<void> take(std::uint32_t lane, Bytes record);
  void finish();
  void fail(const StoreFault& fault);
  bool serve_pages(Now now);
  void serve_page(Lane& lane, Bytes record, Now now);
  void tick(Now now);
  void set_state(StoreState state, std::string sentence);
  MutableBytes room_for(Lane& lane, std::size_t bytes);
  void done_with(Lane& lane);
  template <class Record>
  void answer(Lane& lane, const Record& record);
  bool flush();
  [[nodiscard]] std::uint32_t number_of(const Lane& lane) const {
    return static_cast<std::uint32_t>(&lane - lanes_.data());
  }

  MessageStore* store_;
  const OfflineOptions* options_;
  std::vector<Lane> lanes_;
  std::vector<Taken> taken_;
  StorePage page_;
  StoreCounters counters_;
  std::vector<StoreNote> notes_;
  std::uint64_t bells_ = 0;
  Instant tick_at_{};
  Instant full_until_{};
  std::uint32_t first_lane_ = 0;
  Now now_{};  // of the call under way
  StoreState state_ = StoreState::good;
  bool in_transaction_ = false;
};

}  // namespace ringcast
