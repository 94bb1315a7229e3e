#include "tools/load/payload_verifier.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ringcast {

std::optional<std::string> check_bare_payloads(std::string_view wire, const LoadOptions& options) {
  if (options.replays_feed()) return fmt::format("--feed needs ringcast's own dialects: not with --wire {}", wire);
  if (options.churn > 0) {
    return fmt::format("--churn needs a dialect that can tell where a subscriber joins: not with --wire {}", wire);
  }
  if (options.connections < options.channels) {
    return fmt::format("--wire {} has one channel a connection: --connections must be at least --channels", wire);
  }
  return std::nullopt;
}

PayloadVerifier::PayloadVerifier(const RunParts& parts, std::span<const PlannedConnection> connections,
                                 SlowTail slow_tail)
    : plan_{parts.plan},
      measure_from_{parts.control.measure_from},
      template_{parts.options.payload},
      slow_tail_{slow_tail} {
  for (const PlannedConnection& connection : connections) {
    Member& member = members_.emplace_back();
    member.target = connection.targets.front();  // check_bare_payloads: there is one
    member.sources = plan_.sources[member.target];
    member.first_order = orders_.size();
    member.slow = connection.slow;
    orders_.resize(orders_.size() + member.sources);
  }
}

void PayloadVerifier::take_stray(std::uint32_t index, std::string_view text) {
  ++(members_[index].slow ? slow_ : ordinary_).altered;
  note_fault(fmt::format("channel '{}': not a payload of ours: {}", channel_of(index), text.substr(0, 200)));
}

Verifier::Taken PayloadVerifier::take_payload(std::uint32_t index, std::string_view payload, Instant now) {
  Member& member = members_[index];
  count(payload.size());
  ++member.delivered;
  const auto fields = template_.read(payload);
  if (!fields || fields->source >= member.sources) [[unlikely]] {
    take_stray(index, payload);
    return Taken::message;
  }
  const auto verdict = orders_[member.first_order + fields->source].see(fields->counter);
  if (verdict != SequenceCheck::Verdict::next) [[unlikely]] {
    Tally& tally = member.slow ? slow_ : ordinary_;
    tally.duplicated += verdict == SequenceCheck::Verdict::duplicate ? 1 : 0;
    tally.reordered += verdict == SequenceCheck::Verdict::late ? 1 : 0;
  }
  if (!member.slow && fields->scheduled.time_since_epoch().count() >= measure_from_.load(std::memory_order_relaxed)) {
    record_latency(now - fields->scheduled);
  }
  return Taken::message;
}

/// How many messages of its channel there were up to the last that it has seen of each source.
std::uint64_t PayloadVerifier::seen(const Member& member) const {
  std::uint64_t seen = 0;
  for (std::uint32_t source = 0; source < member.sources; ++source) {
    seen += orders_[member.first_order + source].last();
  }
  return seen;
}

std::uint64_t PayloadVerifier::behind(const std::vector<bool>& open) const {
  std::uint64_t behind = 0;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (open[i] && seen(members_[i]) < published_[members_[i].target]) ++behind;
  }
  return behind;
}

void PayloadVerifier::settle(const std::vector<bool>& open) {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const Member& member = members_[i];
    Tally& tally = member.slow ? slow_ : ordinary_;
    const std::uint64_t last_seen = seen(member);
    const std::uint64_t last = std::max(published_[member.target], last_seen);
    const std::uint64_t tail = last - last_seen;
    const bool cut = member.slow && !open[i];  // closed by the server's policy
    const bool tail_dropped = member.slow && open[i] && slow_tail_ == SlowTail::dropped;
    tally.expected += cut ? last_seen : last;
    tally.delivered += member.delivered;
    tally.cut_off += cut ? tail : 0;
    tally.lost += cut || tail_dropped ? 0 : tail;
    tally.gap_messages += tail_dropped ? tail : 0;
    for (std::uint32_t source = 0; source < member.sources; ++source) {
      // Nothing tells of a gap here: where the server conflates or drops, what a slow reader missed is silent.
      (member.slow ? tally.gap_messages : tally.lost) += orders_[member.first_order + source].missing();
    }
  }
}

}  // namespace ringcast
