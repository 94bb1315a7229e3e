#include "codec/capture/book_keeper.hpp"

#include <optional>

namespace ringcast {
namespace {

/// Everything between id `from` and this update is in this update.
bool follows(const DepthIds& ids, std::uint64_t from) {
  return ids.previous ? *ids.previous <= from : ids.first <= from + 1;
}

}  // namespace

void BookKeeper::hold(const DepthIds& ids, std::string_view payload) {
  held_.push_back({ids, std::string{payload}});
  held_bytes_ += payload.size();
  while (held_bytes_ > limits_.held_bytes_max && held_.size() > 1) {
    held_bytes_ -= held_.front().payload.size();
    held_.pop_front();
    ++counts_.held_dropped;
  }
}

void BookKeeper::drop_held() {
  held_.clear();
  held_bytes_ = 0;
}

void BookKeeper::lose() {
  state_ = State::waiting;
  book_.clear();
  drop_held();
}

bool BookKeeper::holds(std::uint64_t update_id) const {
  return !held_.empty() && follows(held_.front().ids, update_id) && update_id <= held_.back().ids.last;
}

// Gives an update to the book, if that is what it is for.
BookKeeper::Took BookKeeper::advance(const DepthUpdate& update) {
  if (update.ids.last <= last_) {
    ++counts_.old;
    return Took::old;
  }
  if (!follows(update.ids, last_)) {
    return Took::broken;
  }
  if (!book_.apply(update.bids, update.asks) || book_.is_crossed()) {
    return Took::fault;
  }
  last_ = update.ids.last;
  ++counts_.applied;
  return Took::applied;
}

BookKeeper::Took BookKeeper::take_update(std::string_view payload) {
  const std::optional<DepthUpdate> update = read_depth_update(payload);
  if (!update) {
    return Took::nothing;
  }
  Took took = state_ == State::waiting ? Took::held : advance(*update);
  switch (took) {
    case Took::applied:
      if (state_ == State::unproven) {
        state_ = State::valid;
        drop_held();
      }
      return took;
    case Took::broken:
      ++counts_.breaks;
      lose();
      hold(update->ids, payload);  // the next snapshot may be from before it
      return took;
    case Took::fault:
      ++counts_.faults;
      if (state_ == State::valid) {
        lose();
        return took;
      }
      state_ = State::waiting;  // the snapshot was not this stream's: the update is not to blame
      book_.clear();
      break;
    case Took::old:
      if (state_ == State::valid) {
        return took;
      }
      break;
    default: break;
  }
  // There is no book yet, or none to rely on: another snapshot may want it.
  if (!held_.empty() && update->ids.last <= held_.back().ids.last) {
    return Took::old;
  }
  if (!held_.empty() && !follows(update->ids, held_.back().ids.last)) {
    ++counts_.breaks;
    drop_held();  // what comes before a hole leads nowhere
    took = Took::broken;
  }
  hold(update->ids, payload);
  return took;
}

BookKeeper::TookSnapshot BookKeeper::take_snapshot(const BookSnapshot& snapshot) {
  if (state_ == State::valid) {
    return TookSnapshot::not_needed;
  }
  if (!held_.empty() && !follows(held_.front().ids, snapshot.last_update_id)) {
    ++counts_.snapshots_refused;
    return TookSnapshot::too_old;
  }
  state_ = State::waiting;
  book_.clear();
  last_ = snapshot.last_update_id;
  bool sound = book_.apply(snapshot.bids, snapshot.asks) && !book_.is_crossed();
  for (std::size_t i = 0; sound && i < held_.size(); ++i) {
    sound = advance(*read_depth_update(held_[i].payload)) != Took::fault;
  }
  if (!sound) {  // its own fault, or that of an update that another snapshot may be newer than
    ++counts_.faults;
    book_.clear();
    return TookSnapshot::fault;
  }
  ++counts_.snapshots_taken;
  const bool proven = holds(snapshot.last_update_id);
  state_ = proven ? State::valid : State::unproven;
  if (proven) {
    drop_held();
  }
  return TookSnapshot::taken;
}

}  // namespace ringcast
