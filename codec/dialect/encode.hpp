// codec/dialect/encode.hpp: one message in one wire form: the frame's payload, without a WebSocket header and before it
// is packed: only plain_of(form) matters.
//
// Thread  the shard's.  Memory  none: the caller provides exactly message_payload_size() bytes.  Failure  none.
#pragma once

#include <cstddef>
#include <cstdint>

#include "codec/dialect/command.hpp"
#include "codec/dialect/message.hpp"

namespace ringcast {

[[nodiscard]] std::size_t message_payload_size(Form form, const MessageView& message);
/// Writes message_payload_size() bytes; returns the byte after the last.
[[nodiscard]] std::uint8_t* write_message_payload(Form form, const MessageView& message, std::uint8_t* out);

}  // namespace ringcast
