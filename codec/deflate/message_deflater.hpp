// codec/deflate/message_deflater.hpp: packs one message of permessage-deflate at a time (RFC 7692 section 7.2.1).
//
// Owner    one a shard (or program): every message stands alone (server_no_context_takeover), so one packed frame is
//          for every reader.  Thread  the owner's.
// Memory   none before the first message; then libdeflate's tables, kDeflaterBytes. Output goes to the caller's buffer.
// Failure  none: a message that does not get smaller is sent as it is, which the extension allows for each message.
// Not here what is worth packing (who encodes), the frame around it (codec/websocket), unpacking (message_inflater).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "alloc/base/bytes.hpp"

struct libdeflate_compressor;

namespace ringcast {

inline constexpr std::size_t kDeflaterBytes = 668'295;  // libdeflate 1.14 at our level, measured (docs/memory.md)

class MessageDeflater {
 public:
  /// Packs `message` into `out`.
  /// returns  the size of the payload for a frame with RSV1; 0 if it does not fit `out`: give it fewer bytes than the
  ///          message has, and 0 says that packing does not pay.
  [[nodiscard]] std::size_t deflate(Bytes message, MutableBytes out);

  [[nodiscard]] std::size_t bytes_held() const { return compressor_ != nullptr ? kDeflaterBytes : 0; }

 private:
  struct Free {
    void operator()(libdeflate_compressor* compressor) const;
  };
  std::unique_ptr<libdeflate_compressor, Free> compressor_;
};

/// Whether every message of this size can be unpacked within a window of 2^bits bytes, whoever packed it: it has no
/// distance that is longer than itself.
[[nodiscard]] constexpr bool fits_window(std::size_t message_bytes, std::uint8_t window_bits) {
  return message_bytes <= (std::size_t{1} << window_bits);
}

}  // namespace ringcast
