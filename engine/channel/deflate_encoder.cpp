#include "engine/channel/deflate_encoder.hpp"

#include <cstring>

namespace ringcast {
namespace {

constexpr std::size_t kBufferBytesKept = 64U << 10;  // as long as messages are smaller, nothing is taken or given back

/// Room for `bytes`, without setting them to zero a second time.
std::uint8_t* room_in(std::vector<std::uint8_t>& buffer, std::size_t bytes) {
  if (buffer.size() < bytes) buffer.resize(bytes);
  return buffer.data();
}

}  // namespace

void DeflateEncoder::encode(const Logs& logs, Form plain, const MessageView& message, Instant received, Instant now) {
  const std::size_t bytes = message_payload_size(plain, message);
  const bool fits_small = fits_window(bytes, kSmallWindowBits);
  Bytes packed;
  if (bytes < threshold_) {
    stats_->add(CounterId::deflate_skipped_small);
  } else if (logs.large_window == nullptr && !fits_small) {
    stats_->add(CounterId::deflate_skipped_window);
  } else {
    packed = pack(plain, message, bytes);
  }
  const auto append = [&](FrameLog* log, bool window_fits) {
    if (log == nullptr) return;
    if (packed.empty() || !window_fits) {
      encode_frame(*log, plain, message, received, now);
      return;
    }
    ensure(log->next() == message.seq, "a log receives every message of its channel, in order");
    append_frame(*log, {.opcode = frame_opcode(plain), .compressed = true}, packed, received, now);
  };
  append(logs.small_window, fits_small);
  append(logs.large_window, true);
  if (bytes >= threshold_) settle();
}

/// Empty: it would not get smaller.
Bytes DeflateEncoder::pack(Form plain, const MessageView& message, std::size_t bytes) {
  std::uint8_t* const written = room_in(plain_, bytes);
  const std::uint8_t* const end = write_message_payload(plain, message, written);
  ensure(end == written + bytes, "an encoder writes exactly the size it said");
  std::uint8_t* const packed = room_in(packed_, bytes);
  const std::size_t packed_bytes = deflater_.deflate({written, bytes}, {packed, bytes - 1});
  if (packed_bytes == 0) {
    stats_->add(CounterId::deflate_skipped_incompressible);
  } else {
    stats_->add(CounterId::messages_deflated);
    stats_->add(CounterId::deflate_saved_bytes, bytes - packed_bytes);
  }
  return {packed, packed_bytes};
}

void DeflateEncoder::settle() {
  for (std::vector<std::uint8_t>* buffer : {&plain_, &packed_}) {
    if (buffer->capacity() > kBufferBytesKept) std::vector<std::uint8_t>{}.swap(*buffer);
  }
  const std::size_t held = plain_.capacity() + packed_.capacity() + deflater_.bytes_held();
  if (held == charged_) return;
  budget_->charge(Purpose::compression, held);
  budget_->release(Purpose::compression, charged_);
  charged_ = held;
}

}  // namespace ringcast
