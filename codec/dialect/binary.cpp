#include "codec/dialect/binary.hpp"

#include <algorithm>
#include <utility>

#include "alloc/base/ensure.hpp"
#include "codec/text/json_write.hpp"

namespace ringcast {
namespace {

// What is sent is stored as it lies in memory: a little-endian machine is asserted in alloc/base/bytes.hpp.
static_assert(RCB_INVALID_MESSAGE == std::to_underlying(ErrorCode::invalid_message) + 1);
static_assert(RCB_NOT_SUPPORTED == std::to_underlying(ErrorCode::not_supported) + 1);
static_assert(RCB_NOT_SUPPORTED == std::to_underlying(ErrorCode::end), "every error code has a number");
static_assert(RCB_CONFLATED == std::to_underlying(GapReason::conflated) + 1);
static_assert(RCB_DROPPED == std::to_underlying(GapReason::dropped) + 1);
static_assert(RCB_EXPIRED == std::to_underlying(GapReason::expired) + 1);
static_assert(RCB_EPOCH == std::to_underlying(GapReason::epoch) + 1);

/// Makes room for one record at the end of `out`, writes its header and returns where the rest goes.
std::uint8_t* begin_record(std::string& out, const rcb_header& header) {
  const std::size_t before = out.size();
  out.resize(before + sizeof header + header.payload_bytes);
  auto* at = reinterpret_cast<std::uint8_t*>(out.data()) + before;
  store(at, header);
  return at + sizeof header;
}

bool says_as_of(const MessageView& message) { return message.snapshot && value(message.as_of) != 0; }

std::size_t gap_name_bytes(const GapView& gap) { return gap.reason == GapReason::epoch ? gap.channel.size() : 0; }

}  // namespace

std::size_t binary_message_size(const MessageView& message) {
  const std::size_t extra = says_as_of(message) ? sizeof message.as_of : 0;
  return sizeof(rcb_header) + extra + message.event.size() + message.message_id.size() + message.data.size();
}

std::uint8_t* write_binary_message(const MessageView& message, std::uint8_t* out) {
  rcb_header header{};
  header.version = RCB_VERSION;
  header.kind = RCB_MESSAGE;
  header.flags = static_cast<std::uint16_t>((message.snapshot ? RCB_SNAPSHOT : 0) | (message.stored ? RCB_STORED : 0));
  header.channel_id = message.channel_id;
  header.seq = value(message.seq);
  header.time_ns = static_cast<std::uint64_t>(message.published_at.time_since_epoch().count());
  header.payload_bytes = static_cast<std::uint32_t>(binary_message_size(message) - sizeof header);
  header.event_bytes = static_cast<std::uint8_t>(message.event.size());
  header.message_id_bytes = static_cast<std::uint8_t>(message.message_id.size());
  header.extra_bytes = says_as_of(message) ? sizeof message.as_of : 0;
  store(out, header);
  out += sizeof header;
  if (says_as_of(message)) {
    store(out, message.as_of);
    out += sizeof message.as_of;
  }
  out = write_text(message.event, out);
  out = write_text(message.message_id, out);
  return write_text(message.data, out);
}

std::size_t binary_gap_size(const GapView& gap) { return sizeof(rcb_header) + sizeof(rcb_gap) + gap_name_bytes(gap); }

std::uint8_t* write_binary_gap(const GapView& gap, std::uint8_t* out) {
  rcb_header header{};
  header.version = RCB_VERSION;
  header.kind = RCB_GAP;
  header.channel_id = gap.channel_id;
  header.seq = value(gap.from);
  header.payload_bytes = static_cast<std::uint32_t>(binary_gap_size(gap) - sizeof header);
  header.channel_bytes = static_cast<std::uint8_t>(gap_name_bytes(gap));
  header.extra_bytes = sizeof(rcb_gap);
  store(out, header);
  rcb_gap extra{};
  extra.to = value(gap.to);
  extra.epoch = value(gap.epoch);
  extra.reason = std::to_underlying(gap.reason) + 1U;
  store(out + sizeof header, extra);
  return write_text(gap.channel.substr(0, gap_name_bytes(gap)), out + sizeof header + sizeof extra);
}

void append_binary_published(std::string& out, const BinaryPublished& published) {
  rcb_header header{};
  header.version = RCB_VERSION;
  header.kind = RCB_PUBLISHED;
  header.flags = published.duplicate ? RCB_DUPLICATE : 0;
  header.channel_id = published.channel_id;
  header.seq = value(published.seq);
  header.payload_bytes = sizeof(rcb_published);
  header.extra_bytes = sizeof(rcb_published);
  rcb_published extra{};
  extra.request = published.request;
  extra.epoch = value(published.epoch);
  store(begin_record(out, header), extra);
}

void append_binary_error(std::string& out, const BinaryError& error) {
  ensure(error.channel.size() <= 255, "a channel that is blamed has a name that is one");
  rcb_header header{};
  header.version = RCB_VERSION;
  header.kind = RCB_ERROR;
  header.payload_bytes = static_cast<std::uint32_t>(sizeof(rcb_error) + error.channel.size() + error.message.size());
  header.channel_bytes = static_cast<std::uint8_t>(error.channel.size());
  header.extra_bytes = sizeof(rcb_error);
  rcb_error extra{};
  extra.request = error.request;
  extra.code = std::to_underlying(error.code) + 1U;
  if (error.retry_after) {
    extra.retry_after_ms = static_cast<std::uint32_t>(std::clamp<std::int64_t>(error.retry_after->count(), 0, ~0U));
  }
  std::uint8_t* at = begin_record(out, header);
  store(at, extra);
  at = write_text(error.channel, at + sizeof extra);
  (void)write_text(error.message, at);
}

}  // namespace ringcast
