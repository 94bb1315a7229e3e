#include "tools/load/feed_verifier.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "codec/text/json_write.hpp"
#include "tools/load/exchange_join.hpp"

namespace ringcast {
namespace {

constexpr std::uint64_t kSearchMax = 20'000;  // messages looked at, either way, to find where a wrong one belongs

bool same(std::string_view left, std::string_view right) {
  return left.size() == right.size() && std::memcmp(left.data(), right.data(), left.size()) == 0;
}

}  // namespace

FeedVerifier::FeedVerifier(const LoadPlan& plan, std::span<const PlannedConnection> connections, const Feed& feed,
                           const FeedClock& clock)
    : plan_{plan}, connections_{connections}, feed_{feed}, clock_{clock} {
  for (const std::string& name : plan.names) {
    std::string& envelope = envelopes_.emplace_back(R"({"stream":)");
    append_json_string(envelope, name);
    envelope += R"(,"data":)";
  }
  members_.resize(connections.size());
  for (std::size_t i = 0; i < connections.size(); ++i) {
    for (const std::uint32_t target : connections[i].targets) {
      Subscription& subscription = members_[i].subscriptions.emplace_back();
      subscription.target = target;
    }
  }
}

std::string FeedVerifier::greeting(std::uint32_t) const { return std::string{kListSubscriptions}; }

std::string FeedVerifier::target(std::uint32_t index, std::string_view query) const {
  return exchange_target(streams_of(index), query);
}

std::vector<std::string> FeedVerifier::streams_of(std::uint32_t index) const {
  std::vector<std::string> streams;
  for (const std::uint32_t target : connections_[index].targets) streams.push_back(plan_.names[target]);
  return streams;
}

Verifier::Taken FeedVerifier::take(std::uint32_t index, std::string_view text, Instant now) {
  Member& member = members_[index];
  if (!member.joined) {
    const Taken taken = take_reply(index, text);
    member.joined = taken == Taken::joined;
    return taken;
  }
  if (member.subscriptions.size() == 1) {
    take_payload(index, member.subscriptions[0], text, now);
    return Taken::message;
  }
  for (Subscription& subscription : member.subscriptions) {
    const std::string& envelope = envelopes_[subscription.target];
    if (text.size() <= envelope.size() || text.back() != '}') continue;
    if (std::memcmp(text.data(), envelope.data(), envelope.size()) != 0) continue;
    take_payload(index, subscription, text.substr(envelope.size(), text.size() - envelope.size() - 1), now);
    return Taken::message;
  }
  ++tally_of(index).altered;
  note_fault(fmt::format("not a message of a subscribed stream: {}", text.substr(0, 200)));
  return Taken::notice;
}

Verifier::Taken FeedVerifier::take_reply(std::uint32_t index, std::string_view text) {
  trouble_ = exchange_join_fault(text, streams_of(index));
  return trouble_.empty() ? Taken::joined : Taken::refused;
}

bool FeedVerifier::take_packed(std::uint32_t index, Instant now) {
  Member& member = members_[index];
  if (!member.joined || member.subscriptions.size() != 1) return false;
  Subscription& subscription = member.subscriptions[0];
  const FeedStream& stream = feed_.streams()[subscription.target];
  const std::uint64_t place = subscription.order.last();
  if (place >= stream.payloads.size()) return false;  // more than there are: which one it is will be said by its text
  count(stream.payloads[place].size());
  ++subscription.delivered;
  (void)subscription.order.see(place + 1);
  if (!connections_[index].slow) record_latency(now - clock_.due(stream.received[place]));
  return true;
}

void FeedVerifier::take_payload(std::uint32_t index, Subscription& subscription, std::string_view payload,
                                Instant now) {
  count(payload.size());
  ++subscription.delivered;
  const FeedStream& stream = feed_.streams()[subscription.target];
  std::uint64_t place = subscription.order.last();  // of the one that is expected, from 0
  if (place >= stream.payloads.size() || !same(payload, stream.payloads[place])) [[unlikely]] {
    place = place_of(subscription, payload);
    if (place == stream.payloads.size()) {
      ++tally_of(index).altered;
      note_fault(fmt::format("stream '{}', message {}: not as it was published: {}", stream.name,
                             subscription.order.last() + 1, payload.substr(0, 200)));
      return;
    }
  }
  switch (subscription.order.see(place + 1)) {
    case SequenceCheck::Verdict::next:
    case SequenceCheck::Verdict::ahead: break;
    case SequenceCheck::Verdict::late: ++tally_of(index).reordered; break;
    case SequenceCheck::Verdict::duplicate: ++tally_of(index).duplicated; break;
  }
  // The payload is the file's, byte for byte, so its ids are those that were read from the file once.
  // Who skims reads only some of them: nothing can be said about their continuity.
  if (!stream.depth_ids.empty() && !connections_[index].skims) (void)subscription.depth.feed(stream.depth_ids[place]);
  if (!connections_[index].slow) record_latency(now - clock_.due(stream.received[place]));
}

/// Where in its stream an unexpected message belongs: ahead (some were lost), behind (doubled, reordered), or nowhere,
/// which is the stream's size.
std::uint64_t FeedVerifier::place_of(const Subscription& subscription, std::string_view payload) const {
  const auto& payloads = feed_.streams()[subscription.target].payloads;
  const std::uint64_t expected = subscription.order.last();
  for (std::uint64_t i = expected; i < std::min<std::uint64_t>(payloads.size(), expected + kSearchMax); ++i) {
    if (same(payload, payloads[i])) return i;
  }
  for (std::uint64_t i = std::min<std::uint64_t>(expected, payloads.size()); i > 0 && expected - i < kSearchMax; --i) {
    if (same(payload, payloads[i - 1])) return i - 1;
  }
  return payloads.size();
}

void FeedVerifier::left(std::uint32_t) {}  // feeds run without churn

void FeedVerifier::publishing_ended(const std::vector<std::uint64_t>& published) { published_ = published; }

std::uint64_t FeedVerifier::behind(const std::vector<bool>& open) const {
  std::uint64_t behind = 0;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (!open[i]) continue;
    for (const Subscription& subscription : members_[i].subscriptions) {
      behind += subscription.order.last() < published_[subscription.target] ? 1 : 0;
    }
  }
  return behind;
}

void FeedVerifier::settle(const std::vector<bool>& open) {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const bool slow = connections_[i].slow;
    Tally& tally = slow ? slow_ : ordinary_;
    for (const Subscription& subscription : members_[i].subscriptions) {
      const std::uint64_t last = std::max(published_[subscription.target], subscription.order.last());
      const std::uint64_t tail = last - subscription.order.last();
      const bool cut = slow && !open[i];
      tally.expected += cut ? subscription.order.last() : last;
      tally.delivered += subscription.delivered;
      // This dialect has no gap notice: where a channel conflates, what a slow reader skipped is silent by contract.
      (slow ? tally.gap_messages : tally.lost) += subscription.order.missing();
      tally.lost += cut ? 0 : tail;
      tally.cut_off += cut ? tail : 0;
      tally.depth_updates += subscription.depth.updates();
      tally.depth_breaks += subscription.depth.breaks();
    }
  }
}

}  // namespace ringcast
