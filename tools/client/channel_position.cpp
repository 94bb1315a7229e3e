#include "tools/client/channel_position.hpp"

#include <algorithm>

namespace ringcast {
namespace {

Sequence before(Sequence seq) { return Sequence{value(seq) - (value(seq) > 0 ? 1 : 0)}; }

}  // namespace

std::optional<ResumePoint> ChannelPosition::resume_point() const {
  // Who was promised a snapshot and has not got it has nothing to go on from: the next join brings another.
  if (!epoch_ || next_ == Next::state) return std::nullopt;
  return ResumePoint{*epoch_, seq_};
}

ChannelPosition::Joined ChannelPosition::joined(const SubscribedEntry& entry) {
  const bool resumed = entry.recovered.has_value();
  if (entry.recovered == true && epoch_ == entry.epoch) {
    next_ = Next::following;
    return Joined::goes_on;
  }
  epoch_ = entry.epoch;
  if (entry.state == "snapshot") {
    seq_ = before(entry.as_of.value_or(Sequence{}));
    next_ = Next::state;
  } else {
    seq_ = entry.seq;
    next_ = Next::following_or_last;
  }
  return resumed ? Joined::starts_anew : Joined::fresh;
}

ChannelPosition::Took ChannelPosition::take(const ServerMessage& message) {
  const Next was = next_;
  const bool follows = message.seq == ringcast::next(seq_) && (was != Next::state || message.snapshot);
  if (follows || was == Next::anything || (was == Next::following_or_last && message.seq <= seq_)) {
    seq_ = message.seq;
    next_ = Next::following;
    return Took::next;
  }
  const bool state_may_come = was == Next::state || was == Next::following_or_state;
  if (state_may_come && message.snapshot && message.seq > seq_) {
    seq_ = message.as_of ? before(*message.as_of) : message.seq;
    next_ = Next::following;
    return Took::state;
  }
  if (message.seq <= seq_) return Took::repeated;
  seq_ = message.seq;
  next_ = Next::following;
  return Took::gap;
}

void ChannelPosition::take_gap(const ServerMessage& gap) {
  if (gap.reason == name_of(GapReason::epoch)) {
    epoch_ = gap.epoch;
    seq_ = Sequence{};  // none of the new epoch is known
    next_ = Next::anything;
    return;
  }
  seq_ = std::max(seq_, gap.to);
  next_ = gap.reason == name_of(GapReason::expired) ? Next::following_or_state : Next::following;
}

}  // namespace ringcast
