#include "tools/load/native_verifier.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "codec/dialect/command.hpp"
#include "codec/text/channel_name.hpp"
#include "codec/text/json_write.hpp"
#include "codec/text/timestamp.hpp"
#include "tools/client/subscribe_command.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kAfterSeq = R"(,"timestamp":")";
constexpr std::string_view kBeforeData = R"(","data":)";
constexpr std::size_t kSeqDigitsMax = 20;
constexpr std::size_t kFixedBytes = kAfterSeq.size() + kTimestampBytes + kBeforeData.size() + 1;  // and the brace

}  // namespace

NativeVerifier::NativeVerifier(const LoadPlan& plan, std::span<const PlannedConnection> connections,
                               std::uint32_t payload_bytes, ChannelBases& bases, const std::atomic<bool>& publishing,
                               const std::atomic<std::int64_t>& measure_from, bool resumes)
    : plan_{plan},
      connections_{connections},
      template_{payload_bytes},
      bases_{bases},
      publishing_{publishing},
      measure_from_{measure_from},
      resumes_{resumes} {
  for (const std::string& name : plan.names) {
    std::string& prefix = prefixes_.emplace_back(R"({"type":"message","channel":)");
    append_json_string(prefix, name);
    prefix += R"(,"seq":)";
  }
  for (const PlannedConnection& connection : connections) {
    auto& own = subscriptions_.emplace_back();
    for (const std::uint32_t target : connection.targets) {
      Subscription& subscription = own.emplace_back();
      subscription.target = target;
    }
  }
}

std::string NativeVerifier::greeting(std::uint32_t index) const {
  std::vector<std::string> channels;
  ChannelPositions positions;
  for (const Subscription& subscription : subscriptions_[index]) {
    const std::string& name = channels.emplace_back(plan_.names[subscription.target]);
    if (!subscription.away) continue;
    positions[name] = ChannelPosition{{subscription.epoch, Sequence{subscription.seq.last()}}};
  }
  return subscribe_command(channels, positions, {});
}

std::string NativeVerifier::target(std::uint32_t, std::string_view query) const {
  return query.empty() ? "/ws/connect" : fmt::format("/ws/connect?{}", query);
}

/// Finds seq and payload where the server usually writes them; what lies between is compared (of the timestamp, its
/// frame), so nothing goes unseen.
bool NativeVerifier::read_fast(const Subscription& subscription, std::string_view text, Fast& fast) const {
  const std::string& prefix = prefixes_[subscription.target];
  const std::size_t payload_bytes = template_.size();
  if (text.size() < prefix.size() + 1 + kFixedBytes + payload_bytes) return false;
  if (text.size() > prefix.size() + kSeqDigitsMax + kFixedBytes + payload_bytes) return false;
  if (std::memcmp(text.data(), prefix.data(), prefix.size()) != 0) return false;
  const std::size_t digits_end = text.size() - kFixedBytes - payload_bytes;
  std::uint64_t seq = 0;
  for (std::size_t i = prefix.size(); i < digits_end; ++i) {
    const auto digit = static_cast<std::uint8_t>(text[i] - '0');
    if (digit > 9) return false;
    seq = seq * 10 + digit;
  }
  const char* rest = text.data() + digits_end;
  if (std::memcmp(rest, kAfterSeq.data(), kAfterSeq.size()) != 0) return false;
  rest += kAfterSeq.size();
  if (rest[10] != 'T' || rest[kTimestampBytes - 1] != 'Z') return false;
  rest += kTimestampBytes;
  if (std::memcmp(rest, kBeforeData.data(), kBeforeData.size()) != 0 || text.back() != '}') return false;
  fast.seq = seq;
  fast.payload = {rest + kBeforeData.size(), payload_bytes};
  return true;
}

Verifier::Taken NativeVerifier::take(std::uint32_t index, std::string_view text, Instant now) {
  auto& own = subscriptions_[index];
  Fast fast;
  if (own.size() == 1) {
    if (own[0].joined && read_fast(own[0], text, fast)) [[likely]] {
      return take_message(index, own[0], fast.seq, fast.payload, now);
    }
    return take_general(index, text, now);
  }
  constexpr std::string_view kStart = R"({"type":"message","channel":")";
  if (text.starts_with(kStart)) {
    const std::size_t end = text.find('"', kStart.size());
    Subscription* subscription = find(index, text.substr(kStart.size(), end - kStart.size()));
    if (subscription != nullptr && subscription->joined && read_fast(*subscription, text, fast)) {
      return take_message(index, *subscription, fast.seq, fast.payload, now);
    }
  }
  return take_general(index, text, now);
}

/// The connection's subscription to a channel; our names end in the target's number.
NativeVerifier::Subscription* NativeVerifier::find(std::uint32_t index, std::string_view channel) {
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

Verifier::Taken NativeVerifier::take_general(std::uint32_t index, std::string_view text, Instant now) {
  const auto message = reader_.read(text);
  if (!message) {
    ++tally_of(index).altered;
    note_fault(fmt::format("a message that is {}: {}", message.error(), text.substr(0, 200)));
    return Taken::notice;
  }
  switch (message->kind) {
    case ServerMessage::Kind::subscribed: return take_subscribed(index, *message);
    case ServerMessage::Kind::error:
      trouble_ = fmt::format("the server refused a subscription: {}: {}", message->code, message->words);
      return Taken::refused;
    case ServerMessage::Kind::message: {
      Subscription* subscription = find(index, message->channel);
      if (subscription == nullptr && is_user_channel(message->channel)) return Taken::notice;  // for `?user=`
      if (subscription == nullptr || !subscription->joined) {
        ++tally_of(index).altered;
        note_fault(fmt::format("a message of a channel that was not subscribed: {}", text.substr(0, 200)));
        return Taken::notice;
      }
      return take_message(index, *subscription, value(message->seq), message->data, now);
    }
    case ServerMessage::Kind::gap: {
      Subscription* subscription = find(index, message->channel);
      Tally& tally = tally_of(index);
      ++tally.gap_notices;
      if (subscription == nullptr || message->reason == name_of(GapReason::epoch)) {
        ++tally.altered;
        note_fault(fmt::format("a gap notice that makes no sense here: {}", text.substr(0, 200)));
        return Taken::notice;
      }
      const std::uint64_t told = subscription->seq.told_missing(value(message->from), value(message->to));
      subscription->told += told;
      tally.gap_messages += told;
      return Taken::notice;
    }
    default: return Taken::notice;
  }
}

Verifier::Taken NativeVerifier::take_subscribed(std::uint32_t index, const ServerMessage& message) {
  std::string fault;
  const bool read = reader_.for_each_subscribed(message, [&](const SubscribedEntry& entry) {
    Subscription* subscription = find(index, entry.channel);
    if (subscription == nullptr) {
      if (is_user_channel(entry.channel)) return;  // a user's own is joined without being asked for
      fault = fmt::format("subscribed names '{}', which was not asked for", entry.channel);
    } else if (subscription->away) {
      come_back(index, *subscription, entry);
    } else {
      join(*subscription, entry);
    }
  });
  if (!read) fault = "the server's answer to subscribe is not as the protocol says";
  if (!fault.empty()) {
    trouble_ = fault;
    return Taken::refused;
  }
  const bool all = std::ranges::all_of(subscriptions_[index], &Subscription::joined);
  return all && trouble_.empty() ? Taken::joined : trouble_.empty() ? Taken::notice : Taken::refused;
}

void NativeVerifier::join(Subscription& subscription, const SubscribedEntry& entry) {
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
void NativeVerifier::come_back(std::uint32_t index, Subscription& subscription, const SubscribedEntry& entry) {
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

Verifier::Taken NativeVerifier::take_message(std::uint32_t index, Subscription& subscription, std::uint64_t seq,
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
void NativeVerifier::close_account(Subscription& subscription, bool slow, std::uint64_t last_due) {
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

void NativeVerifier::left(std::uint32_t index) {
  for (Subscription& subscription : subscriptions_[index]) {
    if (resumes_ && subscription.joined) {
      subscription.joined = false;
      subscription.away = true;
    } else {
      close_account(subscription, connections_[index].slow, subscription.seq.last());
    }
  }
}

void NativeVerifier::publishing_ended(const std::vector<std::uint64_t>& published) { published_ = published; }

std::uint64_t NativeVerifier::final_seq(const Subscription& subscription) const {
  return bases_.of(subscription.target) + published_[subscription.target];
}

std::uint64_t NativeVerifier::behind(const std::vector<bool>& open) const {
  std::uint64_t behind = 0;
  for (std::size_t i = 0; i < subscriptions_.size(); ++i) {
    if (!open[i]) continue;
    for (const Subscription& subscription : subscriptions_[i]) {
      behind += subscription.joined && subscription.seq.last() < final_seq(subscription) ? 1 : 0;
    }
  }
  return behind;
}

void NativeVerifier::settle(const std::vector<bool>& open) {
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
