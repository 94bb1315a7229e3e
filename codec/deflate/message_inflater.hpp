// codec/deflate/message_inflater.hpp: unpacks one message of permessage-deflate at a time (RFC 7692 section 7.2.2).
//
// Owner    one a shard (or client), whatever the number of connections: every message stands alone, because
//          client_no_context_takeover is always agreed.  Thread  the owner's.
// Memory   none before the first message; then libdeflate's tables, a copy of the packed message, and one output buffer
//          that grows as it must, to message_bytes_max at most; trim() gives large ones back.
// Failure  an InflateError: the stream is corrupt, or unpacks to more than message_bytes_max. The output never exceeds
//          that bound, and a bomb costs at most twice the time of the largest message that is allowed.
// Not here whether a message is compressed (codec/websocket), whether its text is UTF-8 (who asked for it).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "alloc/base/bytes.hpp"
#include "alloc/base/result.hpp"

struct libdeflate_decompressor;

namespace ringcast {

enum class InflateError : std::uint8_t { corrupt, too_large };

inline constexpr std::size_t kInflaterBytes = 11'560;  // libdeflate 1.14, measured (docs/memory.md)

class MessageInflater {
 public:
  explicit MessageInflater(std::uint32_t message_bytes_max) : bytes_max_{message_bytes_max} {}

  /// The message in `packed`, which is a whole message's payload without the four bytes that its sender left off.
  /// returns  a view into our buffer, valid until the next call or trim().
  [[nodiscard]] Result<MutableBytes, InflateError> inflate(Bytes packed);

  /// Another bound from the next message on.
  void set_message_bytes_max(std::uint32_t bytes) { bytes_max_ = bytes; }

  /// Gives large buffers back.
  void trim();
  /// The bytes of heap memory held now.
  [[nodiscard]] std::size_t bytes_held() const {
    return in_.capacity + out_.capacity + (decompressor_ != nullptr ? kInflaterBytes : 0);
  }

 private:
  struct Free {
    void operator()(libdeflate_decompressor* decompressor) const;
  };
  struct Buffer {
    std::unique_ptr<std::uint8_t[]> bytes;
    std::size_t capacity = 0;
  };
  enum class Step : std::uint8_t { done, corrupt, no_room };

  [[nodiscard]] Step inflate_into(std::size_t packed_bytes, std::size_t& produced);

  std::unique_ptr<libdeflate_decompressor, Free> decompressor_;
  Buffer in_;
  Buffer out_;
  std::uint32_t bytes_max_;
};

}  // namespace ringcast
