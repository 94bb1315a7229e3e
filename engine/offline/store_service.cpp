#include "engine/offline/store_service.hpp"

#include <algorithm>
#include <utility>

namespace ringcast {

StoreService::StoreService(MessageStore& store, StoreLanes& lanes, const OfflineOptions& options, Now now)
    : store_{&store}, options_{&options}, lanes_(lanes.shards()), tick_at_{now.mono + kStoreTick} {
  for (std::uint16_t i = 0; i < lanes.shards(); ++i) lanes_[i].rings = &lanes.of(ShardIndex{i});
}

bool StoreService::has_requests() const {
  return std::ranges::any_of(lanes_, [](const Lane& lane) { return !lane.rings->requests.empty(); });
}

Instant StoreService::next_deadline() const {
  const bool waits = std::ranges::any_of(lanes_, [](const Lane& lane) { return !lane.answers_kept.empty(); });
  return waits ? Instant{} : tick_at_;
}

bool StoreService::serve(Now now) {
  now_ = now;
  bool did = flush();
  if (now.mono >= tick_at_) {
    tick_at_ = now.mono + kStoreTick;
    tick(now);
  }
  did = take_writes() || did;
  did = serve_pages(now) || did;
  if (!did) store_->rest();
  return did;
}

// ---- messages and settlements ----

bool StoreService::take_writes() {
  taken_.clear();
  std::size_t bytes = 0;
  Stored<void> took;
  if (++first_lane_ >= lanes_.size()) first_lane_ = 0;
  for (std::size_t i = 0; i < lanes_.size() && took; ++i) {
    const auto number = static_cast<std::uint32_t>((first_lane_ + i) % lanes_.size());
    Lane& lane = lanes_[number];
    if (!lane.answers_kept.empty()) continue;  // its shard has to take those first
    while (took && taken_.size() < kStoreBatchRequests && bytes < kStoreBatchBytes) {
      const Bytes record = lane.rings->requests.peek();
      if (record.empty() || request_kind_of(record) == StoreRequestKind::load) break;
      bytes += record.size();
      took = take(number, record);
      lane.rings->requests.pop();  // its bytes stay until release()
    }
  }
  if (taken_.empty()) return false;
  if (in_transaction_ && took) took = store_->commit(now_.wall);
  if (took) {
    if (std::exchange(in_transaction_, false)) ++counters_.commits;
    finish();
  } else {
    fail(took.error());
  }
  for (Lane& lane : lanes_) lane.rings->requests.release();
  return true;
}

/// One request becomes a part of the transaction; or is noted to be refused, if it is of a generation that was.
Stored<void> StoreService::take(std::uint32_t number, Bytes record) {
  Taken taken;
  taken.lane = number;
  KeptMessage message;
  Settlement settlement;
  if (request_kind_of(record) == StoreRequestKind::message) {
    const auto header = load<StoreMessage>(record.data());
    RecordTexts texts{record, sizeof header};
    message = {.channel = texts.take(header.channel_bytes),
               .epoch = header.epoch,
               .seq = header.seq,
               .done = header.done,
               .floor = header.floor,
               .published_ns = header.published_ns,
               .publisher = header.publisher,
               .record = as_bytes(texts.take(header.record_bytes))};
    taken.generation = header.generation;
    taken.home = header.home;
    taken.seq = header.seq;
    taken.done = header.done;
    taken.bytes = header.record_bytes;
    taken.is_message = true;
  } else {
    const auto header = load<StoreSettle>(record.data());
    settlement = {.channel = RecordTexts{record, sizeof header}.take(header.channel_bytes),
                  .epoch = header.epoch,
                  .done = header.done,
                  .floor = header.floor};
    taken.generation = header.generation;
    taken.home = header.home;
    taken.done = header.done;
  }
  taken_.push_back(taken);
  if (taken.generation != lanes_[number].generation) return {};  // finish() refuses it
  if (state_ != StoreState::good) return unexpected(StoreFault{state_, {}});
  if (!in_transaction_) {
    if (auto begun = store_->begin(); !begun) return begun;
    in_transaction_ = true;
  }
  return taken.is_message ? store_->put(message) : store_->settle(settlement);
}

/// The transaction is committed: what was asked for is kept.
void StoreService::finish() {
  for (const Taken& taken : taken_) {
    Lane& lane = lanes_[taken.lane];
    if (taken.generation != lane.generation) {
      ++counters_.refused;
      answer(lane, StoreRefused{.state = state_, .generation = taken.generation, .home = taken.home});
      continue;
    }
    if (taken.is_message) {
      ++counters_.messages;
      counters_.bytes += taken.bytes;
    } else {
      ++counters_.settlements;
    }
    answer(lane, StoreStored{.generation = taken.generation, .home = taken.home, .seq = taken.seq, .done = taken.done});
  }
}

/// Nothing of the transaction was kept. What its shards ask for in the same generation is refused from now on.
void StoreService::fail(const StoreFault& fault) {
  if (std::exchange(in_transaction_, false)) store_->roll_back();
  const bool news = state_ == StoreState::good;
  for (const Taken& taken : taken_) {
    Lane& lane = lanes_[taken.lane];
    ++counters_.refused;
    answer(lane, StoreRefused{.state = fault.state, .generation = taken.generation, .home = taken.home});
    lane.taken = lane.taken || taken.generation == lane.generation;
  }
  for (Lane& lane : lanes_) {
    if (std::exchange(lane.taken, false)) ++lane.generation;
  }
  if (news) {
    ++counters_.faults;
    set_state(fault.state, fault.sentence);
  }
}

// ---- pages ----

bool StoreService::serve_pages(Now now) {
  std::uint32_t served = 0;
  for (Lane& lane : lanes_) {
    while (served < kStoreLoadsPerRound && lane.answers_kept.empty()) {
      const Bytes record = lane.rings->requests.peek();
      if (record.empty() || request_kind_of(record) != StoreRequestKind::load) break;
      serve_page(lane, record, now);
      lane.rings->requests.pop();
      lane.rings->requests.release();
      ++served;
    }
  }
  return served != 0;
}

void StoreService::serve_page(Lane& lane, Bytes record, Now now) {
  const auto request = load<StoreLoad>(record.data());
  const std::string_view channel = RecordTexts{record, sizeof request}.take(request.channel_bytes);
  StoreLoaded loaded{.home = request.home};
  page_.clear();
  const auto read = [&]() -> Stored<void> {
    if (state_ == StoreState::lost || state_ == StoreState::damaged) return unexpected(StoreFault{state_, {}});
    const auto known = store_->find(channel);
    if (!known) return unexpected(known.error());
    if (!*known) return {};
    loaded.known = 1;
    loaded.epoch = (*known)->epoch;
    loaded.next = (*known)->next;
    loaded.done = (*known)->done;
    const Sequence after = std::max(request.after, loaded.done);
    return store_->read(channel, after, now.wall - options_->age, kStorePageBytes, page_);
  }();
  if (!read) {
    loaded.failed = 1;
    page_.clear();
    if (state_ == StoreState::good) {
      ++counters_.faults;
      set_state(read.error().state, read.error().sentence);
    }
  }
  loaded.more = page_.more ? 1 : 0;
  loaded.messages = page_.messages;
  ++counters_.pages;
  counters_.messages_loaded += page_.messages;
  counters_.damaged += page_.damaged;
  if (page_.damaged != 0) {
    notes_.push_back({.before = state_,
                      .after = state_,
                      .sentence = std::to_string(page_.damaged) + " messages of '" + std::string{channel} +
                                  "' are not what was written, and are left out"});
  }
  RecordWriter out{room_for(lane, sizeof loaded + page_.bytes.size()), loaded};
  out.put(as_text(page_.bytes));
  done_with(lane);
}

// ---- state ----

void StoreService::tick(Now now) {
  if (state_ == StoreState::good) {
    if (const auto here = store_->check(); !here) {
      ++counters_.faults;
      set_state(here.error().state, here.error().sentence);
    }
  }
  if (state_ == StoreState::full && now.mono < full_until_) return;
  if (state_ != StoreState::good) {
    auto repaired = store_->repair(now.wall);
    if (!repaired) return;  // the fault is known, and was told
    ++counters_.repairs;
    set_state(StoreState::good, std::move(*repaired));
  }
  if (const auto cleaned = store_->clean(now.wall - options_->age, now.wall)) {
    counters_.expired += *cleaned;
  } else {
    ++counters_.faults;
    set_state(cleaned.error().state, cleaned.error().sentence);
  }
}

void StoreService::set_state(StoreState state, std::string sentence) {
  notes_.push_back({.before = state_, .after = state, .sentence = std::move(sentence)});
  state_ = state;
  if (state == StoreState::full) full_until_ = now_.mono + kStoreFullTime;
  for (Lane& lane : lanes_) answer(lane, StoreStateChanged{.state = state});
}

// ---- answers ----

/// Room for one answer; done_with() shows it to the shard. What has no room is kept, and goes out in order later.
MutableBytes StoreService::room_for(Lane& lane, std::size_t bytes) {
  if (lane.answers_kept.empty()) {
    if (const MutableBytes room = lane.rings->answers.reserve(bytes); !room.empty()) return room;
  }
  return lane.answers_kept.emplace_back(bytes);
}

void StoreService::done_with(Lane& lane) {
  if (!lane.answers_kept.empty()) return;
  lane.rings->answers.commit();
  if (lane.rings->answers.publish()) bells_ |= std::uint64_t{1} << number_of(lane);
}

template <class Record>
void StoreService::answer(Lane& lane, const Record& record) {
  store(room_for(lane, sizeof record).data(), record);
  done_with(lane);
}

/// Answers that had no room. Returns whether any went out.
bool StoreService::flush() {
  bool any = false;
  for (Lane& lane : lanes_) {
    while (!lane.answers_kept.empty()) {
      const std::vector<std::uint8_t>& kept = lane.answers_kept.front();
      const MutableBytes room = lane.rings->answers.reserve(kept.size());
      if (room.empty()) break;
      std::memcpy(room.data(), kept.data(), kept.size());
      lane.rings->answers.commit();
      lane.answers_kept.pop_front();
      any = true;
    }
    if (lane.rings->answers.publish()) bells_ |= std::uint64_t{1} << number_of(lane);
  }
  return any;
}

}  // namespace ringcast
