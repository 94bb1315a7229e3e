// codec/dialect/encode.hpp: one message, or one gap notice, in one wire form: a frame's payload, without its header and
// before it is packed: only plain_of(form) matters.
//
// Thread  the shard's.  Memory  none: the caller provides exactly as many bytes as were announced.  Failure  none.
#pragma once

#include <cstddef>
#include <cstdint>

#include "codec/dialect/command.hpp"
#include "codec/dialect/message.hpp"

namespace ringcast {

[[nodiscard]] std::size_t message_payload_size(Form form, const MessageView& message);
/// Writes message_payload_size() bytes; returns the byte after the last.
[[nodiscard]] std::uint8_t* write_message_payload(Form form, const MessageView& message, std::uint8_t* out);

/// The same for a gap notice, in a form whose dialect has one: native_json or binary.
[[nodiscard]] std::size_t gap_payload_size(Form form, const GapView& gap);
[[nodiscard]] std::uint8_t* write_gap_payload(Form form, const GapView& gap, std::uint8_t* out);

}  // namespace ringcast
