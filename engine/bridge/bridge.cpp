#include "engine/bridge/bridge.hpp"

#include <pthread.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

namespace ringcast {

Result<std::unique_ptr<Bridge>, std::string> Bridge::start(const OfflineOptions& options, StoreLanes& lanes,
                                                           DoorbellBoard& doorbells, Clock& clock) {
  std::unique_ptr<Bridge> bridge{new Bridge{options, lanes, doorbells, clock}};
  if (!bridge->bell_.valid()) return unexpected(std::string{"no eventfd for the bridge: "} + std::strerror(errno));
  auto store = SqliteStore::open(options, clock.now().wall);
  if (!store) return unexpected("offline store: " + store.error());
  bridge->store_ = std::move(*store);
  if (!bridge->store_->opening_note().empty()) {
    bridge->note(StoreState::damaged, StoreState::good, bridge->store_->opening_note());
  }
  bridge->report_.write(BridgeReport{});
  bridge->thread_ = std::thread{[raw = bridge.get()] { raw->run(); }};
  return bridge;
}

Bridge::~Bridge() { stop(); }

void Bridge::stop() {
  if (!thread_.joinable()) return;
  stopping_.store(true, std::memory_order_release);
  bell_.ring_event();
  thread_.join();
}

void Bridge::run() {
  pthread_setname_np(pthread_self(), "bridge");
  StoreService service{*store_, lanes_, options_, clock_.now()};
  for (;;) {
    const bool stopping = stopping_.load(std::memory_order_acquire);  // before the look at the rings: none is missed
    const bool did = service.serve(clock_.now());
    for (std::uint64_t bells = service.take_bells(); bells != 0; bells &= bells - 1) {
      const ShardIndex shard{static_cast<std::uint16_t>(std::countr_zero(bells))};
      if (doorbells_.must_ring(shard)) doorbells_.ring_event(shard);
    }
    publish(service);
    if (did) continue;
    if (stopping) break;
    bell_.lie_down();
    const nanoseconds rest = service.next_deadline() - clock_.now().mono;
    if (!service.has_requests() && !stopping_.load(std::memory_order_acquire)) {
      bell_.wait(std::max<nanoseconds>(rest, kStoreRetry));
    }
    bell_.get_up();
  }
  store_.reset();  // also brings the log into the file
}

void Bridge::publish(StoreService& service) {
  report_.write(BridgeReport{.state = service.state(), .counters = service.counters()});
  for (const StoreNote& said : service.take_notes()) note(said.before, said.after, said.sentence);
}

void Bridge::note(StoreState before, StoreState after, std::string_view sentence) {
  BridgeNote made{.before = before, .after = after};
  const std::size_t size = std::min(sentence.size(), made.text.size() - 1);
  std::memcpy(made.text.data(), sentence.data(), size);
  const std::uint64_t number = notes_written_.load(std::memory_order_relaxed);
  notes_[number % kBridgeNotes].write(made);
  notes_written_.store(number + 1, std::memory_order_release);
}

BridgeReport Bridge::report() const { return report_.read().value_or(BridgeReport{}); }

}  // namespace ringcast
