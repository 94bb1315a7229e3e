#include "tools/client/frame_output.hpp"

#include <cerrno>
#include <cstring>

#include "codec/websocket/frame_writer.hpp"

namespace ringcast {

void FrameOutput::append_raw(std::string_view bytes) {
  bytes_.insert(bytes_.end(), as_bytes(bytes).begin(), as_bytes(bytes).end());
}

void FrameOutput::append_message(Opcode opcode, std::span<const std::string_view> pieces, Prng& random) {
  std::size_t payload_bytes = 0;
  for (const std::string_view piece : pieces) payload_bytes += piece.size();
  const std::size_t header_bytes = frame_header_bytes(payload_bytes, Role::client);
  const std::size_t begin = bytes_.size();
  bytes_.resize(begin + header_bytes + payload_bytes);
  const MaskKey key = random.mask_key();
  write_frame_header(MutableBytes{bytes_}.subspan(begin), {.opcode = opcode}, payload_bytes, key);
  std::uint8_t* out = bytes_.data() + begin + header_bytes;
  for (const std::string_view piece : pieces) {
    if (!piece.empty()) std::memcpy(out, piece.data(), piece.size());
    out += piece.size();
  }
  apply_mask(MutableBytes{bytes_}.subspan(begin + header_bytes), key);
}

void FrameOutput::append_control(Opcode opcode, Bytes payload, Prng& random) {
  append_frame(bytes_, {.opcode = opcode}, payload, random.mask_key());
}

void FrameOutput::append_close(CloseCode code, std::string_view reason, Prng& random) {
  std::uint8_t frame[kControlFrameBytesMax];
  const std::size_t bytes = write_close_frame(frame, code, reason, random.mask_key());
  bytes_.insert(bytes_.end(), frame, frame + bytes);
}

FrameOutput::Flushed FrameOutput::flush(Stream& stream) {
  if (!trouble_.empty()) return Flushed::failed;
  while (sent_ < bytes_.size()) {
    const ssize_t taken = stream.send(bytes_.data() + sent_, bytes_.size() - sent_);
    if (taken >= 0) {
      sent_ += static_cast<std::size_t>(taken);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (sent_ > bytes_.size() / 2) {  // keeps the memory near what is pending
        bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(sent_));
        sent_ = 0;
      }
      return Flushed::blocked;
    } else if (errno != EINTR) {
      trouble_ = stream.trouble();
      return Flushed::failed;
    }
  }
  bytes_.clear();
  sent_ = 0;
  return Flushed::all;
}

}  // namespace ringcast
