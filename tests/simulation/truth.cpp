#include "tests/simulation/truth.hpp"

#include <algorithm>
#include <iterator>

#include "tests/simulation/checkers.hpp"

namespace ringcast::simulation {

PublishId Truth::add(Publish publish, std::string dedupe_key) {
  const auto id = static_cast<PublishId>(publishes_.size() + 1);
  publish.ids_before = ids_sent_;
  if (!dedupe_key.empty()) {
    ++ids_sent_;
    const auto [found, fresh] =
        class_by_key_.try_emplace(std::move(dedupe_key), static_cast<std::uint32_t>(classes_.size() + 1));
    if (fresh) classes_.emplace_back();
    publish.same_as = found->second;
  }
  by_content_.try_emplace(publish.data, id);
  publishes_.push_back(std::move(publish));
  return id;
}

std::optional<PublishId> Truth::find_content(std::string_view data) const {
  const auto found = by_content_.find(std::string{data});
  if (found == by_content_.end()) return std::nullopt;
  return found->second;
}

bool Truth::has_twins(const Publish& publish) const {
  return scenario_.channels[publish.channel].dedupe.by == DedupeBy::payload;
}

void Truth::delivered(PublishId id, Position at, Instant now) { bind(id, at, now); }

void Truth::delivered_without_seq(PublishId id) const {
  const Publish& publish = of(id);
  if (has_twins(publish)) return;  // another of the same content may have been the one
  check(!publish.refused, Checker::published, "publish {} was refused, and is delivered", id);
  check(!publish.answered_duplicate, Checker::dedupe, "publish {} was answered as a duplicate, and is delivered", id);
}

void Truth::answered(PublishId id, Position at, bool duplicate, Instant now) {
  Publish& publish = publishes_[id - 1];
  if (!duplicate) {
    bind(id, at, now);
    return;
  }
  check(publish.same_as != 0, Checker::dedupe, "publish {} has no id, and is answered as a duplicate of seq {}", id,
        value(at.seq));
  check(!publish.at || has_twins(publish), Checker::dedupe,
        "publish {} was delivered with seq {}, and is answered as a duplicate", id,
        publish.at ? value(publish.at->seq) : 0);
  publish.answered_duplicate = true;
  Class& same = classes_[publish.same_as - 1];
  if (const auto& stream = streams_[publish.channel][value(at.epoch)]; stream.contains(value(at.seq))) {
    const PublishId first = stream.at(value(at.seq));
    check(of(first).same_as == publish.same_as, Checker::dedupe,
          "publish {} is answered as a duplicate of seq {}, which is publish {} with another id", id, value(at.seq),
          first);
  }
  same.answered = at;
}

void Truth::refused(PublishId id) {
  Publish& publish = publishes_[id - 1];
  check(!publish.at || has_twins(publish), Checker::published, "publish {} was delivered with seq {}, and is refused",
        id, publish.at ? value(publish.at->seq) : 0);
  publish.refused = true;
}

void Truth::note_state_ages(const std::vector<NamespaceRule>& rules) {
  for (const NamespaceRule& rule : rules) {
    if (rule.state == StateKeeping::last) state_age_min_ = std::min(state_age_min_, rule.state_age);
  }
}

bool Truth::state_is_kept(std::uint32_t channel, Position at, Instant now) const {
  const auto stream = streams_[channel].find(value(at.epoch));
  if (stream == streams_[channel].end()) return false;
  const auto found = stream->second.find(value(at.seq));
  return found != stream->second.end() && now - of(found->second).sent_at < state_age_min_;
}

void Truth::bind(PublishId id, Position at, Instant now) {
  Publish& publish = publishes_[id - 1];
  check(value(at.seq) != 0, Checker::published, "publish {} has seq 0", id);
  check(!publish.refused || has_twins(publish), Checker::published, "publish {} was refused, and has seq {}", id,
        value(at.seq));
  if (publish.at) {
    check(*publish.at == at, Checker::order, "publish {} has seq {} of epoch {:x} and seq {} of epoch {:x}", id,
          value(publish.at->seq), value(publish.at->epoch), value(at.seq), value(at.epoch));
    return;
  }
  auto& stream = streams_[publish.channel][value(at.epoch)];
  const auto [place, fresh] = stream.try_emplace(value(at.seq), id);
  if (!fresh) {  // two publishes of one content: the duplicate stands for the first
    check(
        of(place->second).data == publish.data && of(place->second).same_as == publish.same_as && publish.same_as != 0,
        Checker::payload, "seq {} of {} is publish {} and publish {}", value(at.seq),
        scenario_.channels[publish.channel].name, place->second, id);
    publish.at = at;
    return;
  }
  publish.at = at;
  publish.known_at = now;
  ++messages_;
  check_duplicates(id);
  check_publisher_order(id, at);
}

/// Both were sequenced, `first` before `second`.
bool Truth::must_be_duplicate(const Publish& first, const Publish& second) const {
  if (first.at->epoch != second.at->epoch) return false;  // the channel was made anew meanwhile
  const DedupeOptions& options = scenario_.channels[second.channel].dedupe;
  if (ids_sent_ - first.ids_before >= options.entries) return false;  // the window may have moved on
  // Even if the first was sequenced as it was sent, and the second only as it became known.
  return second.known_at - first.sent_at < options.window;
}

void Truth::check_duplicates(PublishId id) {
  const Publish& publish = of(id);
  const Position at = *publish.at;
  if (publish.same_as == 0) return;
  Class& same = classes_[publish.same_as - 1];
  if (same.winner != 0 && same.winner != id) {
    const Publish& other = of(same.winner);
    const bool other_first = other.at->seq < at.seq;
    check(!must_be_duplicate(other_first ? other : publish, other_first ? publish : other), Checker::dedupe,
          "publishes {} and {} have the same id, and both were sequenced, as {} and {}", same.winner, id,
          value(other.at->seq), value(at.seq));
  } else if (same.winner == 0 && same.answered && same.answered->epoch == at.epoch) {
    const auto& stream = streams_[publish.channel][value(at.epoch)];
    const auto told = stream.find(value(same.answered->seq));
    check(told == stream.end() || of(told->second).same_as == publish.same_as, Checker::dedupe,
          "a duplicate of publish {} was told seq {}, which is another message", id, value(same.answered->seq));
  }
  check(!publish.answered_duplicate || has_twins(publish), Checker::dedupe,
        "publish {} was answered as a duplicate, and has seq {}", id, value(at.seq));
  same.winner = id;
}

void Truth::check_publisher_order(PublishId id, Position at) {
  const Publish& publish = of(id);
  if (has_twins(publish)) return;  // what was delivered may have been another client's
  auto& order = by_publisher_[{publish.publisher, publish.channel}];
  const auto [place, fresh] = order.try_emplace(id, at);
  check(fresh, Checker::order, "publish {} was sequenced twice", id);
  const auto agree = [&](const auto& before, const auto& after) {
    check(before.second.epoch != after.second.epoch || before.second.seq < after.second.seq, Checker::order,
          "publishes {} and {} of c{} went out in this order and have seq {} and {}", before.first, after.first,
          publish.publisher, value(before.second.seq), value(after.second.seq));
  };
  if (place != order.begin()) agree(*std::prev(place), *place);
  if (std::next(place) != order.end()) agree(*place, *std::next(place));
}

Position Truth::newest(std::uint32_t channel) const {
  Position newest;
  Instant known_at{};
  for (const auto& [epoch, stream] : streams_[channel]) {
    if (stream.empty() || of(stream.rbegin()->second).known_at < known_at) continue;
    known_at = of(stream.rbegin()->second).known_at;
    newest = {.epoch = Epoch{epoch}, .seq = Sequence{stream.rbegin()->first}};
  }
  return newest;
}

void Truth::numbered(std::uint32_t channel, Epoch epoch, std::uint32_t channel_id) {
  check(channel_id != 0, Checker::replies, "{} has no channel_id", scenario_.channels[channel].name);
  const auto [known, fresh] = numbers_.try_emplace(channel_id, channel, epoch);
  check(fresh || known->second == std::pair{channel, epoch}, Checker::replies,
        "channel_id {} is {} in epoch {:x}, and {} in epoch {:x}", channel_id,
        scenario_.channels[known->second.first].name, value(known->second.second), scenario_.channels[channel].name,
        value(epoch));
}

Sequence Truth::newest(std::uint32_t channel, Epoch epoch) const {
  const auto found = streams_[channel].find(value(epoch));
  return found == streams_[channel].end() || found->second.empty() ? Sequence{0}
                                                                   : Sequence{found->second.rbegin()->first};
}

}  // namespace ringcast::simulation
