// tools/client/frame_output.hpp: what a client has yet to send: bytes of the handshake, then masked frames.
//
// Owner    one a connection, by value.  Thread  the connection's.
// Memory   what was appended and not yet taken by the kernel; the caller bounds it by looking at pending_bytes().
// Failure  flush() says when the socket failed; nothing is sent after that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codec/websocket/close_code.hpp"
#include "codec/websocket/opcode.hpp"
#include "tools/client/random.hpp"
#include "tools/client/stream.hpp"

namespace ringcast {

class FrameOutput {
 public:
  /// Appends bytes that are no frame: the upgrade request.
  void append_raw(std::string_view bytes);
  /// Appends one whole message, masked, given in pieces.
  void append_message(Opcode opcode, std::span<const std::string_view> pieces, Prng& random);
  void append_text(std::span<const std::string_view> pieces, Prng& random) {
    append_message(Opcode::text, pieces, random);
  }
  void append_text(std::string_view text, Prng& random) { append_text({&text, 1}, random); }
  void append_control(Opcode opcode, Bytes payload, Prng& random);
  void append_close(CloseCode code, std::string_view reason, Prng& random);

  [[nodiscard]] std::size_t pending_bytes() const { return bytes_.size() - sent_; }

  enum class Flushed : std::uint8_t { all, blocked, failed };
  /// Sends as much as the socket takes. After `failed`, trouble() says why.
  [[nodiscard]] Flushed flush(Stream& stream);
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t sent_ = 0;  // of bytes_, already with the kernel
  std::string trouble_;   // not empty: it failed
};

}  // namespace ringcast
