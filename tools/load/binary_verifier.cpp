#include "tools/load/binary_verifier.hpp"

#include <algorithm>

#include "alloc/base/bytes.hpp"

namespace ringcast {

Verifier::Taken BinaryVerifier::take(std::uint32_t index, std::string_view records, Instant now) {
  const std::uint8_t* at = as_bytes(records).data();
  const std::uint8_t* const end = at + records.size();
  Taken taken = Taken::notice;
  rcb_record record;
  rcb_result result = RCB_END;
  while ((result = rcb_next(&at, end, &record)) == RCB_OK) {
    if (take_record(index, record, now) == Taken::message) taken = Taken::message;
  }
  return result == RCB_END ? taken : take_stray(index, "no record", "");
}

Verifier::Taken BinaryVerifier::take_record(std::uint32_t index, const rcb_record& record, Instant now) {
  const rcb_header& header = record.header;
  rcb_gap gap;
  const bool is_gap = rcb_get_gap(&record, &gap) == 1;
  if (header.kind != RCB_MESSAGE && !is_gap) return Taken::notice;  // of a later version
  const std::string_view data = as_text(Bytes{record.data, record.data_bytes});
  Subscription* subscription = find_id(index, header.channel_id);
  if (subscription == nullptr && header.channel_id != 0 && header.channel_id == given_[index]) return Taken::notice;
  if (subscription == nullptr || !subscription->joined) {
    return take_stray(index, "of a channel that was not subscribed", data);
  }
  if (is_gap) {
    if (gap.reason == RCB_EPOCH) return take_stray(index, "a gap that cannot be", data);
    return take_gap(index, *subscription, header.seq, gap.to);
  }
  const bool bare = header.flags == 0 && header.payload_bytes == record.data_bytes && header.time_ns != 0;
  if (!bare) [[unlikely]]
    return take_stray(index, "not as it was published", data);
  return take_message(index, *subscription, header.seq, data, now);
}

std::optional<Verifier::Taken> BinaryVerifier::take_other(std::uint32_t index, std::string_view text) {
  const auto message = reader_.read(text);
  if (!message) return take_stray(index, message.error(), text);
  if (message->kind == ServerMessage::Kind::message || message->kind == ServerMessage::Kind::gap) {
    return take_stray(index, "JSON where a record is due", text);
  }
  return take_reply(index, *message);
}

/// With another epoch a channel has another id.
void BinaryVerifier::named(std::uint32_t index, const Subscription& subscription, const SubscribedEntry& entry) {
  auto& own = names_[index];
  const auto position = static_cast<std::uint32_t>(&subscription - subscriptions_of(index).data());
  std::erase_if(own, [position](const Named& row) { return row.position == position; });
  own.insert(std::ranges::lower_bound(own, entry.channel_id, {}, &Named::channel_id),
             {.channel_id = entry.channel_id, .position = position});
}

SequencedVerifier::Subscription* BinaryVerifier::find_id(std::uint32_t index, std::uint32_t channel_id) {
  const auto& own = names_[index];
  const auto found = std::ranges::lower_bound(own, channel_id, {}, &Named::channel_id);
  return found == own.end() || found->channel_id != channel_id ? nullptr : &subscriptions_of(index)[found->position];
}

}  // namespace ringcast
