#include "tools/load/native_verifier.hpp"

#include <cstring>

#include "codec/dialect/command.hpp"
#include "codec/text/channel_name.hpp"
#include "codec/text/json_write.hpp"
#include "codec/text/timestamp.hpp"

namespace ringcast {
namespace {

constexpr std::string_view kAfterSeq = R"(,"timestamp":")";
constexpr std::string_view kBeforeData = R"(","data":)";
constexpr std::size_t kSeqDigitsMax = 20;
constexpr std::size_t kFixedBytes = kAfterSeq.size() + kTimestampBytes + kBeforeData.size() + 1;  // and the brace

}  // namespace

NativeVerifier::NativeVerifier(const SequencedParts& parts) : SequencedVerifier{parts} {
  for (const std::string& name : parts.plan.names) {
    std::string& prefix = prefixes_.emplace_back(R"({"type":"message","channel":)");
    append_json_string(prefix, name);
    prefix += R"(,"seq":)";
  }
}

/// Finds seq and payload where the server usually writes them; what lies between is compared (of the timestamp, its
/// frame), so nothing goes unseen.
bool NativeVerifier::read_fast(const Subscription& subscription, std::string_view text, Fast& fast) const {
  const std::string& prefix = prefixes_[subscription.target];
  const std::size_t payload_bytes = payload_size();
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
  auto& own = subscriptions_of(index);
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

Verifier::Taken NativeVerifier::take_general(std::uint32_t index, std::string_view text, Instant now) {
  const auto message = reader_.read(text);
  if (!message) return take_stray(index, message.error(), text);
  if (message->kind != ServerMessage::Kind::message && message->kind != ServerMessage::Kind::gap) {
    return take_reply(index, *message);
  }
  Subscription* subscription = find(index, message->channel);
  if (subscription == nullptr && is_user_channel(message->channel)) return Taken::notice;  // for `?user=`
  if (subscription == nullptr || !subscription->joined) {
    return take_stray(index, "of a channel that was not subscribed", text);
  }
  if (message->kind == ServerMessage::Kind::message) {
    return take_message(index, *subscription, value(message->seq), message->data, now);
  }
  if (message->reason == name_of(GapReason::epoch)) return take_stray(index, "a gap that cannot be", text);
  return take_gap(index, *subscription, value(message->from), value(message->to));
}

}  // namespace ringcast
