#include "tools/load/sequenced_verifier.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "codec/text/channel_name.hpp"
#include "tools/client/subscribe_command.hpp"

namespace ringcast {

SequencedVerifier::SequencedVerifier(const SequencedParts& parts)
    : plan_{parts.plan},
      connections_{parts.connections},
      template_{parts.payload_bytes},
      bases_{parts.bases},
      publishing_{parts.publishing},
      measure_from_{parts.measure_from},
      resumes_{parts.resumes} {
  for (const PlannedConnection& connection : connections_) {
    auto& own = subscriptions_.emplace_back();
    for (const std::uint32_t target : connection.targets) {
      Subscription& subscription = own.emplace_back();
      subscription.target = target;
    }
  }
}

std::string SequencedVerifier::greeting(std::uint32_t index) const {
  std::vector<std::string> channels;
  ChannelPositions positions;
  for (const Subscription& subscription : subscriptions_[index]) {
    const std::string& name = channels.emplace_back(plan_.names[subscription.target]);
    if (!subscription.away) continue;
    positions[name] = ChannelPosition{{subscription.epoch, Sequence{subscription.seq.last()}}};
  }
  return subscribe_command(channels, positions, {});
}

std::string SequencedVerifier::target(std::uint32_t, std::string_view query) const {
  return query.empty() ? "/ws/connect" : fmt::format("/ws/connect?{}", query);
}

/// The connection's subscription to a channel; our names end in the target's number.
SequencedVerifier::Subscription* SequencedVerifier::find(std::uint32_t index, std::string_view channel) {
  constexpr std::size_t kDigits = 6;
  if (channel.size() < kDigits) return nullptr;
  std::uint32_t target = 0;
  for (const char c : channel.substr(channel.size() - kDigits)) {
    if (c < '0' || c > '9') return nullptr;
    target = target * 10 + static_cast<std::uint32_t>(c - '0');
  }
  auto& own = subscriptions_[index];
  const auto found = std::ranges::lower_bound(own, target, {}, &Subscription::target);  // plan_synthetic sorts them
  if (found == own.end() || found->target != target || plan_.names[target] != channel) return nullptr;
  return &*found;
}

Verifier::Taken SequencedVerifier::take_reply(std::uint32_t index, const ServerMessage& message) {
  if (message.kind == ServerMessage::Kind::subscribed) return take_subscribed(index, message);
  if (message.kind != ServerMessage::Kind::error) return Taken::notice;
  trouble_ = fmt::format("the server refused a subscription: {}: {}", message.code, message.words);
  return Taken::refused;
}

Verifier::Taken SequencedVerifier::take_stray(std::uint32_t index, std::string_view fault, std::string_view text) {
  ++tally_of(index).altered;
  note_fault(fmt::format("a message that is {}: {}", fault, text.substr(0, 200)));
  return Taken::notice;
}

Verifier::Taken SequencedVerifier::take_gap(std::uint32_t index, Subscription& subscription, std::uint64_t from,
                                            std::uint64_t to) {
  Tally& tally = tally_of(index);
  ++tally.gap_notices;
  const std::uint64_t told = subscription.seq.told_missing(from, to);
  subscription.told += told;
  tally.gap_messages += told;
  return Taken::notice;
}

Verifier::Taken SequencedVerifier::take_subscribed(std::uint32_t index, const ServerMessage& message) {
  std::string fault;
  const bool read = reader_.for_each_subscribed(message, [&](const SubscribedEntry& entry) {
    Subscription* subscription = find(index, entry.channel);
    if (subscription == nullptr) {
      if (is_user_channel(entry.channel)) {  // a user's own is joined without being asked for
        given(index, entry);
        return;
      }
      fault = fmt::format("subscribed names '{}', which was not asked for", entry.channel);
      return;
    }
    subscription->away ? come_back(index, *subscription, entry) : join(*subscription, entry);
    named(index, *subscription, entry);
  });
  if (!read) fault = "the server's answer to subscribe is not as the protocol says";
  if (!fault.empty()) {
    trouble_ = fault;
    return Taken::refused;
  }
  const bool all = std::ranges::all_of(subscriptions_[index], &Subscription::joined);
  return all && trouble_.empty() ? Taken::joined : trouble_.empty() ? Taken::notice : Taken::refused;
}

void SequencedVerifier::join(Subscription& subscription, const SubscribedEntry& entry) {
  const std::uint64_t seq = value(entry.seq);
  const bool from_start = !publishing_.load(std::memory_order_acquire);
  if (from_start && !bases_.agree(subscription.target, seq)) {
    trouble_ =
        fmt::format("somebody else publishes to '{}': choose another --prefix", plan_.names[subscription.target]);
  }
  subscription.joined = true;
  subscription.epoch = entry.epoch;
  subscription.joined_seq = seq;
  subscription.untimed = 0;
  subscription.delivered = 0;
  subscription.told = 0;
  subscription.seq = SequenceCheck{seq};
  const std::uint64_t first = from_start ? 0 : SequenceCheck::kUnknown;
  subscription.counters.assign(plan_.sources[subscription.target], SequenceCheck{first});
}

/// What it has seen on its earlier connections goes on, and so do the numbers that it expects.
void SequencedVerifier::come_back(std::uint32_t index, Subscription& subscription, const SubscribedEntry& entry) {
  Tally& tally = tally_of(index);
  subscription.away = false;
  subscription.joined = true;
  if (entry.recovered == true && entry.epoch == subscription.epoch) {
    ++tally.resumed;
    subscription.untimed = value(entry.seq);
    tally.caught_up += value(entry.seq) - std::min(value(entry.seq), subscription.seq.last());
    return;
  }
  ++tally.unrecovered;
  note_fault(fmt::format("channel '{}': could not go on from seq {}; the newest is {}",
                         plan_.names[subscription.target], subscription.seq.last(), value(entry.seq)));
  close_account(subscription, connections_[index].slow, value(entry.seq));
  join(subscription, entry);
}

Verifier::Taken SequencedVerifier::take_message(std::uint32_t index, Subscription& subscription, std::uint64_t seq,
                                                std::string_view payload, Instant now) {
  using enum SequenceCheck::Verdict;
  count(payload.size());
  ++subscription.delivered;
  const auto by_seq = subscription.seq.see(seq);
  const auto fields = template_.read(payload);
  if (!fields || fields->source >= subscription.counters.size()) [[unlikely]] {
    ++tally_of(index).altered;
    note_fault(fmt::format("channel '{}' seq {}: not a payload of ours: {}", plan_.names[subscription.target], seq,
                           payload.substr(0, 200)));
    return Taken::message;
  }
  const auto by_counter = subscription.counters[fields->source].see(fields->counter);
  if (by_seq == duplicate || by_counter == duplicate) [[unlikely]] {
    ++tally_of(index).duplicated;
  } else if (by_seq == late || by_counter == late) [[unlikely]] {
    ++tally_of(index).reordered;
  }
  if (!connections_[index].slow && seq > subscription.untimed &&
      fields->scheduled.time_since_epoch().count() >= measure_from_.load(std::memory_order_relaxed)) {
    record_latency(now - fields->scheduled);
  }
  return Taken::message;
}

/// Adds up a subscription. `last_due` is the newest seq that it should have been sent.
void SequencedVerifier::close_account(Subscription& subscription, bool slow, std::uint64_t last_due) {
  if (!subscription.joined) return;
  Tally& tally = slow ? slow_ : ordinary_;
  const std::uint64_t last = std::max(last_due, subscription.seq.last());
  const std::uint64_t tail = last - subscription.seq.last();
  // A message that the server lost before it gave it a seq shows in the counters only; one that it lost after, in both.
  std::uint64_t by_counter = 0;
  for (const SequenceCheck& counter : subscription.counters) by_counter += counter.missing();
  const std::uint64_t by_seq = subscription.seq.missing() + subscription.told;
  tally.expected += last - subscription.joined_seq;
  tally.delivered += subscription.delivered;
  tally.lost += subscription.seq.missing() + (by_counter > by_seq ? by_counter - by_seq : 0) + tail;
  subscription.joined = false;
}

void SequencedVerifier::left(std::uint32_t index) {
  for (Subscription& subscription : subscriptions_[index]) {
    if (resumes_ && subscription.joined) {
      subscription.joined = false;
      subscription.away = true;
    } else {
      close_account(subscription, connections_[index].slow, subscription.seq.last());
    }
  }
}

void SequencedVerifier::publishing_ended(const std::vector<std::uint64_t>& published) { published_ = published; }

std::uint64_t SequencedVerifier::final_seq(const Subscription& subscription) const {
  return bases_.of(subscription.target) + published_[subscription.target];
}

std::uint64_t SequencedVerifier::behind(const std::vector<bool>& open) const {
  std::uint64_t behind = 0;
  for (std::size_t i = 0; i < subscriptions_.size(); ++i) {
    if (!open[i]) continue;
    for (const Subscription& subscription : subscriptions_[i]) {
      behind += subscription.joined && subscription.seq.last() < final_seq(subscription) ? 1 : 0;
    }
  }
  return behind;
}

void SequencedVerifier::settle(const std::vector<bool>& open) {
  for (std::size_t i = 0; i < subscriptions_.size(); ++i) {
    const bool slow = connections_[i].slow;
    for (Subscription& subscription : subscriptions_[i]) {
      subscription.joined = subscription.joined || subscription.away;  // who did not come back lost what it missed
      if (!subscription.joined) continue;
      const std::uint64_t last = final_seq(subscription);
      if (slow && !open[i]) {  // closed by the slow-consumer policy: what it was not sent any more is no loss
        slow_.cut_off += last > subscription.seq.last() ? last - subscription.seq.last() : 0;
        close_account(subscription, slow, subscription.seq.last());
      } else {
        close_account(subscription, slow, last);
      }
    }
  }
}

}  // namespace ringcast
