// engine/channel/stored_message.hpp: how a message lies in a channel's history: fixed header, then the parts.
//
// Thread  any.  Memory  the caller's.  Failure  ensure() on a record that we did not write.
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
  std::uint8_t snapshot = 0;
  std::uint8_t reserved = 0;
};
static_assert(sizeof(StoredHeader) == 16);

[[nodiscard]] inline std::size_t stored_size(const MessageView& message) {
  return sizeof(StoredHeader) + message.event.size() + message.message_id.size() + message.data.size();
}

inline void write_stored(const MessageView& message, std::uint8_t* out) {
  ensure(message.event.size() <= 255 && message.message_id.size() <= 255, "the decoder bounds event and message id");
  store(out, StoredHeader{.published_at_ns = message.published_at.time_since_epoch().count(),
                          .data_bytes = static_cast<std::uint32_t>(message.data.size()),
                          .event_bytes = static_cast<std::uint8_t>(message.event.size()),
                          .message_id_bytes = static_cast<std::uint8_t>(message.message_id.size()),
                          .snapshot = message.snapshot ? std::uint8_t{1} : std::uint8_t{0}});
  out += sizeof(StoredHeader);
  for (const std::string_view part : {message.event, message.message_id, message.data}) {
    if (!part.empty()) std::memcpy(out, part.data(), part.size());
    out += part.size();
  }
}

/// The message of a record; channel, epoch and seq are the caller's to fill in.
[[nodiscard]] inline MessageView read_stored(Bytes record) {
  ensure(record.size() >= sizeof(StoredHeader), "a stored message has its header");
  const auto header = load<StoredHeader>(record.data());
  const std::string_view rest = as_text(record.subspan(sizeof(StoredHeader)));
  ensure(rest.size() == std::size_t{header.event_bytes} + header.message_id_bytes + header.data_bytes,
         "a stored message is as long as its header says");
  MessageView message;
  message.published_at = WallTime{nanoseconds{header.published_at_ns}};
  message.event = rest.substr(0, header.event_bytes);
  message.message_id = rest.substr(header.event_bytes, header.message_id_bytes);
  message.data = rest.substr(std::size_t{header.event_bytes} + header.message_id_bytes);
  message.snapshot = header.snapshot != 0;
  return message;
}

}  // namespace ringcast
