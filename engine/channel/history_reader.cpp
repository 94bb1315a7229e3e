#include "engine/channel/history_reader.hpp"

namespace ringcast {

bool has_snapshot(const HomeChannel& home) {
  return value(home.snapshot) != 0 && home.history.holds(home.snapshot) && home.as_of >= home.history.tail();
}

JoinStart start_of(const HomeChannel& home, const JoinWish& wish) {
  const Sequence head = home.history.next();
  JoinStart start{.next = head, .where = JoinStart::Where::head};
  if (wish.resumes) {
    const Sequence wanted = next(wish.resume.seq);
    const bool known = (home.rule->resume || wish.announced) && wish.resume.epoch == home.epoch && wanted <= head;
    if (known && (wanted == head || home.history.holds(wanted))) {
      start.next = wanted;
      start.where = JoinStart::Where::exactly;
      start.recovered = JoinStart::Recovered::yes;
      return start;
    }
    start.recovered = JoinStart::Recovered::no;
  }
  if (home.join_from) {
    start.next = std::min(*home.join_from, head);
    start.where = JoinStart::Where::exactly;
    return start;
  }
  if (!wish.wants_state) return start;
  switch (home.rule->state) {
    case StateKeeping::none: break;
    case StateKeeping::last:
      start.next = home.history.newest();
      start.where = JoinStart::Where::newest;
      break;
    case StateKeeping::snapshot_delta:
      if (!has_snapshot(home)) {
        start.state = JoinStart::State::none;
        break;
      }
      start.state = JoinStart::State::snapshot;
      start.where = JoinStart::Where::exactly;
      start.as_of = home.as_of;
      start.snapshot_first = home.as_of != home.snapshot;
      start.next = start.snapshot_first ? Sequence{value(home.as_of) - 1} : home.snapshot;
      break;
  }
  return start;
}

Sequence kept_for_joiners(const HomeChannel& home, Instant now) {
  if (now - home.used_at >= home.rule->state_age) return home.history.next();
  switch (home.rule->state) {
    case StateKeeping::none: break;
    case StateKeeping::last: return home.history.newest();
    case StateKeeping::snapshot_delta:
      if (has_snapshot(home)) return home.as_of;
      break;
  }
  return home.history.next();
}

ChunkPlan plan_chunk(const HomeChannel& home, Sequence from, bool snapshot_first) {
  if (snapshot_first || home.history.holds(from) || from >= home.history.next()) {
    return {.first = from, .snapshot_first = snapshot_first};
  }
  // History has lost it: deltas without those before them are worth nothing, so begin again with the newest snapshot.
  const Sequence tail = home.history.tail();
  if (home.rule->state == StateKeeping::snapshot_delta && has_snapshot(home)) {
    const JoinStart again = start_of(home, JoinWish{});
    if (again.next >= from && again.state == JoinStart::State::snapshot) {
      return {.first = again.next, .snapshot_first = again.snapshot_first};
    }
  }
  return {.first = tail};
}

}  // namespace ringcast
