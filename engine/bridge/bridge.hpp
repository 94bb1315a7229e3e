// engine/bridge/bridge.hpp: the thread that may wait for a disk, so that no shard has to.
//
// Owner    node; only where a namespace keeps messages.
// Thread   the functions are the control thread's, but for bell(); everything else is the bridge's own.
// Memory   the store's and the service's.
// Failure  start() says why there is no store. A store that fails later is a state, told to shards, health and the log.
// Not here what is stored and how (sqlite_store), requests and transactions (offline/store_service).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "alloc/base/result.hpp"
#include "alloc/base/units.hpp"
#include "alloc/queue/seqlock.hpp"
#include "engine/bridge/sqlite_store.hpp"
#include "engine/offline/store_service.hpp"
#include "engine/reactor/bridge_bell.hpp"
#include "engine/reactor/doorbell.hpp"
#include "engine/time/clock.hpp"

namespace ringcast {

inline constexpr milliseconds kStoreRetry{1};  // how soon answers that had no room are tried again

/// What the bridge tells the control thread.
struct BridgeReport {
  StoreState state = StoreState::good;
  std::uint8_t reserved[7]{};
  StoreCounters counters;
};
/// One change of the store's state, for the log.
struct BridgeNote {
  StoreState before = StoreState::good;
  StoreState after = StoreState::good;
  std::uint8_t reserved[6]{};
  std::array<char, 248> text{};
};
inline constexpr std::size_t kBridgeNotes = 16;  // kept for the control thread, which looks every quarter of a second

class Bridge {
 public:
  /// Opens the store and starts. Shards are rung through `doorbells`.
  [[nodiscard]] static Result<std::unique_ptr<Bridge>, std::string> start(const OfflineOptions& options,
                                                                          StoreLanes& lanes, DoorbellBoard& doorbells,
                                                                          Clock& clock);
  /// Stops, if stop() was not called.
  ~Bridge();
  Bridge(const Bridge&) = delete;
  Bridge& operator=(const Bridge&) = delete;

  [[nodiscard]] BridgeBell& bell() { return bell_; }
  /// Serves what was asked for up to now, closes the store, and waits for the thread. No shard may ask any more.
  void stop();

  [[nodiscard]] BridgeReport report() const;
  /// Calls tell(note) for every change of state that was not told yet.
  template <class Tell>
  void tell_notes(Tell&& tell) {
    for (std::uint64_t end = notes_written_.load(std::memory_order_acquire); notes_told_ < end; ++notes_told_) {
      if (end - notes_told_ > kBridgeNotes) notes_told_ = end - kBridgeNotes;
      if (const auto note = notes_[notes_told_ % kBridgeNotes].read()) tell(*note);
    }
  }

 private:
  Bridge(const OfflineOptions& options, StoreLanes& lanes, DoorbellBoard& doorbells, Clock& clock)
      : options_{options}, lanes_{lanes}, doorbells_{doorbells}, clock_{clock} {}

  void run();
  void publish(StoreService& service);
  void note(StoreState before, StoreState after, std::string_view sentence);

  OfflineOptions options_;
  StoreLanes& lanes_;
  DoorbellBoard& doorbells_;
  Clock& clock_;
  BridgeBell bell_;
  std::unique_ptr<SqliteStore> store_;
  std::thread thread_;
  std::atomic<bool> stopping_{false};                      // written by the control thread
  Seqlock<BridgeReport> report_;                           // written by the bridge
  std::array<Seqlock<BridgeNote>, kBridgeNotes> notes_{};  // written by the bridge
  std::atomic<std::uint64_t> notes_written_{0};            // written by the bridge
  std::uint64_t notes_told_ = 0;                           // the control thread's
};

}  // namespace ringcast
