// engine/channel/stored_message.hpp: how a message lies in a channel's history: fixed header, then the parts.
//
// The same bytes lie in the offline store: whoever changes their form raises kStoreSchemaVersion (bridge/sqlite_store).
//
// Thread  any.  Memory  the caller's.  Failure  ensure() on a record that we did not write; is_stored() asks first.
#pragma once

#include <cstdint>
#include <string_view>

#include "alloc/base/bytes.hpp"
#include "alloc/base/ensure.hpp"
#include "codec/dialect/message.hpp"

namespace ringcast {

struct StoredHeader {
  std::int64_t published_at_ns = 0;  // since the Unix epoch
  std::uint32_t data_bytes = 0;
  std::uint8_t event_bytes = 0;
  std::uint8_t message_id_bytes = 0;
  std::uint8_t flags = 0;
  std::uint8_t reserved = 0;
};
static_assert(sizeof(StoredHeader) == 16);
inline constexpr std::uint8_t kStoredSnapshot = 1;
inline constexpr std::uint8_t kStoredAsOf = 2;  // its as_of lies behind the texts, 8 bytes

[[nodiscard]] inline std::size_t stored_size(const MessageView& message) {
  const std::size_t as_of = value(message.as_of) != 0 ? sizeof(Sequence) : 0;
  return sizeof(StoredHeader) + message.event.size() + message.message_id.size() + message.data.size() + as_of;
}

inline void write_stored(const MessageView& message, std::uint8_t* out) {
  ensure(message.event.size() <= 255 && message.message_id.size() <= 255, "the decoder bounds event and message id");
  const bool has_as_of = value(message.as_of) != 0;
  const int flags = (message.snapshot ? kStoredSnapshot : 0) | (has_as_of ? kStoredAsOf : 0);
  store(out, StoredHeader{.published_at_ns = message.published_at.time_since_epoch().count(),
                          .data_bytes = static_cast<std::uint32_t>(message.data.size()),
                          .event_bytes = static_cast<std::uint8_t>(message.event.size()),
                          .message_id_bytes = static_cast<std::uint8_t>(message.message_id.size()),
                          .flags = static_cast<std::uint8_t>(flags)});
  out += sizeof(StoredHeader);
  for (const std::string_view part : {message.event, message.message_id, message.data}) {
    if (!part.empty()) std::memcpy(out, part.data(), part.size());
    out += part.size();
  }
  if (has_as_of) store(out, message.as_of);
}

/// Whether these bytes are a record: asked of what was not written by this process.
[[nodiscard]] inline bool is_stored(Bytes record) {
  if (record.size() < sizeof(StoredHeader)) return false;
  const auto header = load<StoredHeader>(record.data());
  const std::size_t as_of = (header.flags & kStoredAsOf) != 0 ? sizeof(Sequence) : 0;
  return record.size() == sizeof header + header.event_bytes + header.message_id_bytes + header.data_bytes + as_of;
}

/// The message of a record; channel, epoch and seq are the caller's to fill in.
[[nodiscard]] inline MessageView read_stored(Bytes record) {
  ensure(record.size() >= sizeof(StoredHeader), "a stored message has its header");
  const auto header = load<StoredHeader>(record.data());
  const std::string_view rest = as_text(record.subspan(sizeof(StoredHeader)));
  const std::size_t texts = std::size_t{header.event_bytes} + header.message_id_bytes + header.data_bytes;
  const bool has_as_of = (header.flags & kStoredAsOf) != 0;
  ensure(rest.size() == texts + (has_as_of ? sizeof(Sequence) : 0), "a stored message is as long as its header says");
  MessageView message;
  message.published_at = WallTime{nanoseconds{header.published_at_ns}};
  message.event = rest.substr(0, header.event_bytes);
  message.message_id = rest.substr(header.event_bytes, header.message_id_bytes);
  message.data = rest.substr(std::size_t{header.event_bytes} + header.message_id_bytes, header.data_bytes);
  message.snapshot = (header.flags & kStoredSnapshot) != 0;
  if (has_as_of) message.as_of = load<Sequence>(as_bytes(rest).data() + texts);
  return message;
}

}  // namespace ringcast
