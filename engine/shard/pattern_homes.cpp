// What homes and the shards of subscribers say to each other about patterns: watching, announcing, letting go.
#include <algorithm>
#include <utility>

#include "alloc/base/ensure.hpp"
#include "engine/shard/channel_router.hpp"
#include "engine/shard/pattern_traffic.hpp"

namespace ringcast {
namespace {

std::uint64_t bit(ShardIndex shard) { return std::uint64_t{1} << value(shard); }

}  // namespace

// ---- a turn ----

void PatternTraffic::work(Now) {
  let_go_left_ = kLetGoPerTurn;
  table_.settle([this](std::uint32_t pattern, ShardIndex home) { return ask(pattern, home); },
                [this](std::uint32_t pattern, ShardIndex home) { return leave(pattern, home); });
  if (!watches_.any()) return;
  std::uint32_t steps = kPatternStepsPerTurn;
  if (++first_ >= shards_) first_ = 0;
  for (std::uint32_t i = 0; i < shards_; ++i) {
    tell(ShardIndex{static_cast<std::uint16_t>((first_ + i) % shards_)}, steps);
  }
}

WatchedPattern::Home PatternTraffic::ask(std::uint32_t slot, ShardIndex home) {
  const std::string_view text = table_.watched(slot).pattern.text();
  const Handle handle = table_.watched_handle(slot);
  if (home == here_) {
    watches_.watch(here_, handle, text);
    return WatchedPattern::Home::asked;
  }
  const std::size_t bytes = sizeof(MeshWatch) + text.size();
  MutableBytes room = router_->request_room(home, bytes);
  if (room.empty()) return WatchedPattern::Home::away;  // no credit
  RecordWriter record{room, MeshWatch{.pattern_bytes = static_cast<std::uint8_t>(text.size()), .pattern = handle}};
  record.put(text);
  router_->push_control(home, room, bytes);
  return WatchedPattern::Home::asked;
}

WatchedPattern::Home PatternTraffic::leave(std::uint32_t slot, ShardIndex home) {
  const Handle handle = table_.watched_handle(slot);
  if (home == here_) {
    watches_.unwatch(here_, handle);
    return WatchedPattern::Home::away;
  }
  MutableBytes room = router_->request_room(home, sizeof(MeshUnwatch));
  if (room.empty()) return WatchedPattern::Home::watching;  // no credit
  store(room.data(), MeshUnwatch{.pattern = handle});
  router_->push_control(home, room, sizeof(MeshUnwatch));
  return WatchedPattern::Home::leaving;
}

bool PatternTraffic::can_tell(ShardIndex to) const {
  return peer(to).outstanding < kAnnounceWindow && !peer(to).blocked && watches_.pending(to);
}

void PatternTraffic::tell(ShardIndex to, std::uint32_t& steps) {
  peer(to).blocked = false;
  while (steps != 0 && can_tell(to)) {
    MutableBytes room;
    if (to != here_) {
      room = router_->bulk_room(to, sizeof(MeshAnnounce) + kChannelNameBytesMax);
      if (room.empty()) {
        peer(to).blocked = true;  // until that shard rings
        return;
      }
    }
    const auto word = watches_.next(to, router_->homes(), steps);
    if (!word) return;
    const HomeChannel* home = word->home;
    const std::string_view name = home == nullptr ? std::string_view{} : std::string_view{*home->name};
    const Epoch epoch = home == nullptr ? Epoch{} : home->epoch;
    if (home != nullptr) stats_->add(CounterId::channels_announced);
    ++peer(to).outstanding;
    if (to == here_) {
      table_.announced({.kind = word->kind,
                        .home = here_,
                        .pattern = word->pattern,
                        .epoch = epoch,
                        .after = word->after,
                        .channel = std::string{name}});
      continue;
    }
    RecordWriter record{room, MeshAnnounce{.what = word->kind,
                                           .channel_bytes = static_cast<std::uint8_t>(name.size()),
                                           .pattern = word->pattern,
                                           .epoch = epoch,
                                           .after = word->after}};
    record.put(name);
    router_->push_bulk(to, sizeof(MeshAnnounce) + name.size());
  }
}

void PatternTraffic::acknowledge() {
  for (std::uint32_t i = 0; i < shards_; ++i) {
    const std::uint32_t words = std::exchange(peers_[i].dealt_with, 0);
    if (words == 0) continue;
    const ShardIndex home{static_cast<std::uint16_t>(i)};
    MutableBytes room = router_->reply_room(home, sizeof(MeshAnnounced));
    store(room.data(), MeshAnnounced{.words = words});
    router_->push_control(home, room, sizeof(MeshAnnounced));
  }
}

bool PatternTraffic::has_work() const {
  if (table_.has_announcements() || table_.has_due() || !table_.ready.empty() || !table_.to_tell.empty()) return true;
  for (std::uint32_t i = 0; watches_.any() && i < shards_; ++i) {
    if (can_tell(ShardIndex{static_cast<std::uint16_t>(i)})) return true;
  }
  return false;
}

bool PatternTraffic::settled() const {
  if (table_.has_announcements() || table_.has_due() || !table_.settled()) return false;
  for (std::uint32_t i = 0; i < shards_; ++i) {
    if (peers_[i].outstanding != 0 || watches_.pending(ShardIndex{static_cast<std::uint16_t>(i)})) return false;
  }
  return true;
}

// ---- channels that begin, and that are let go ----

void PatternTraffic::begins(HomeChannel& home, Handle handle) {
  const std::uint64_t shards = std::exchange(home.announce_to, 0);
  watches_.begins(handle, home.last(), shards);  // who watches later finds that it exists
}

void PatternTraffic::let_go(Channel& channel, HomeChannel& home, Now now) {
  if (!home.remote.empty()) {
    ask_to_let_go(home, now);
    return;
  }
  if (watches_.pending(here_) || table_.has_announcements()) return;  // somebody may be about to join
  std::size_t readers = 0;
  for (const Handle handle : channel.logs) {
    const ChannelLog* log = delivery_->find_log(handle);
    if (log == nullptr) continue;
    if (!delivery_->only_patterns_read(*log)) return;
    readers += log->readers.size();
  }
  const bool first = let_go_left_ == kLetGoPerTurn;  // however many they are: it has to end some time
  if (readers == 0 || (readers > let_go_left_ && !first)) return;
  let_go_left_ -= static_cast<std::uint32_t>(std::min<std::size_t>(readers, let_go_left_));
  home.announce_to |= bit(here_);
  for (const Handle handle : channel.logs) {
    if (ChannelLog* log = delivery_->find_log(handle)) end_readers(*log, now);
  }
}

/// Only when that shard has dealt with all that it was told: then only what comes can bind again what it lets go.
void PatternTraffic::ask_to_let_go(HomeChannel& home, Now now) {
  const Handle handle = router_->channels()[home.channel].home_state;
  for (RemoteReader& reader : home.remote) {
    const ShardIndex to = reader.shard;
    if (reader.asked || !reader.greeted || reader.waiting || !watches_.any_of(to)) continue;
    if (now.mono - reader.asked_at < options_->limits.channel_idle_time) continue;
    if (watches_.pending(to) || peer(to).outstanding != 0 || !router_->has_spare_credit(to)) continue;
    const MutableBytes room = router_->bulk_room(to, sizeof(MeshIdle));
    if (room.empty()) continue;
    store(room.data(), MeshIdle{.log = reader.their_log, .home = handle});
    router_->push_bulk(to, sizeof(MeshIdle));
    router_->take_credit(to);
    reader.asked = true;
    reader.asked_at = now.mono;
  }
}

void PatternTraffic::end_readers(ChannelLog& log, Now now) {
  while (!log.readers.empty()) {
    const std::uint32_t slot = log.readers.back();
    const Outbox& reader = *delivery_->subscription(slot).reader;
    if (reader.dialect != Dialect::exchange) table_.let_go(table_.match(reader, *log.name), *log.name);
    delivery_->end_subscription(slot, now.mono);
  }
}

// ---- from other shards ----

void PatternTraffic::on_watch(ShardIndex from, Bytes record) {
  const auto header = load<MeshWatch>(record.data());
  watches_.watch(from, header.pattern, RecordTexts{record, sizeof header}.take(header.pattern_bytes));
}

void PatternTraffic::on_unwatch(ShardIndex from, Bytes record) {
  const auto header = load<MeshUnwatch>(record.data());
  watches_.unwatch(from, header.pattern);
  MutableBytes room = router_->reply_room(from, sizeof(MeshUnwatched));
  store(room.data(), MeshUnwatched{.pattern = header.pattern});
  router_->push_control(from, room, sizeof(MeshUnwatched));
}

void PatternTraffic::on_unwatched(ShardIndex from, Bytes record) {
  router_->give_credit(from);
  table_.left(load<MeshUnwatched>(record.data()).pattern, from);
}

void PatternTraffic::on_announce(ShardIndex from, Bytes record) {
  const auto header = load<MeshAnnounce>(record.data());
  if (header.what == PatternWatches::Word::Kind::looked) router_->give_credit(from);  // that of the watch
  table_.announced({.kind = header.what,
                    .home = from,
                    .pattern = header.pattern,
                    .epoch = header.epoch,
                    .after = header.after,
                    .channel = std::string{RecordTexts{record, sizeof header}.take(header.channel_bytes)}});
}

void PatternTraffic::on_announced(ShardIndex from, Bytes record) {
  const auto header = load<MeshAnnounced>(record.data());
  ensure(header.words <= peer(from).outstanding, "a shard deals with what it was told, once");
  peer(from).outstanding -= header.words;
}

void PatternTraffic::on_idle(ShardIndex from, Bytes record, Now now) {
  const auto header = load<MeshIdle>(record.data());
  MeshLetGo answer{.kept = 1, .log = header.log, .home = header.home};
  ChannelLog* log = delivery_->find_log(header.log);  // null: closed meanwhile, the detach is on its way
  if (log != nullptr && log->state == ChannelLog::State::live && delivery_->only_patterns_read(*log)) {
    const auto readers = static_cast<std::uint32_t>(log->readers.size());
    if (readers <= let_go_left_ || let_go_left_ == kLetGoPerTurn) {
      let_go_left_ -= std::min(readers, let_go_left_);
      answer.kept = 0;
      answer.next = log->log.next();
      end_readers(*log, now);
      router_->drop_log(header.log);
    }
  }
  MutableBytes room = router_->reply_room(from, sizeof answer);
  store(room.data(), answer);
  router_->push_control(from, room, sizeof answer);
}

void PatternTraffic::on_let_go(ShardIndex from, Bytes record, Now now) {
  router_->give_credit(from);
  const auto header = load<MeshLetGo>(record.data());
  HomeChannel* home = router_->homes().find(header.home);
  if (home == nullptr) return;  // nobody reads it any more
  const auto reader = std::ranges::find_if(home->remote, [&](const RemoteReader& candidate) {
    return candidate.shard == from && candidate.their_log == header.log;
  });
  if (reader == home->remote.end()) return;
  reader->asked = false;
  if (header.kept != 0) return;
  router_->forget_reader(*home, reader, now);
  if (header.next < home->history.next()) {  // published meanwhile: it begins anew over there
    watches_.begins(header.home, Sequence{value(header.next) - 1}, bit(from));
  } else {
    home->announce_to |= bit(from);
  }
}

}  // namespace ringcast
