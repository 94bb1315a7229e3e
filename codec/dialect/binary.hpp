// codec/dialect/binary.hpp: the records of ringcast.v1.bin (protocol.md section 3), both ways.
//
// Owner    a shard owns one BinaryDecoder; what it returns lives until its next decode and as long as the message.
// Thread   the shard's.
// Memory   a few bytes in the decoder; encoders write into the caller's.
// Failure  CommandError with a static sentence; the id of the request if the header could be read.
// Not here the layout, which is the public header's; JSON commands on the same connection (native.hpp); whether a
//          payload must be JSON (engine: its namespace says so).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "alloc/base/bytes.hpp"
#include "alloc/base/result.hpp"
#include "alloc/base/time.hpp"
#include "codec/dialect/command.hpp"
#include "codec/dialect/message.hpp"
#include "codec/dialect/ringcast_binary.h"

namespace ringcast {

// ---- what clients say ----

/// A record's request number in the place of a JSON id, so that it travels wherever one does. Its first byte begins no
/// JSON text: whoever answers knows from the id alone which kind of answer is due.
struct BinaryRequest {
  std::uint64_t number = 0;
  bool wants_answer = false;  // otherwise only an error is answered
};
inline constexpr std::size_t kBinaryIdBytes = 9;
using BinaryId = std::array<char, kBinaryIdBytes>;

[[nodiscard]] BinaryId binary_id_of(const BinaryRequest& request);
/// The request that an id stands for; nothing if it is the id of a JSON command, or empty.
[[nodiscard]] std::optional<BinaryRequest> read_binary_id(std::string_view id);

class BinaryDecoder {
 public:
  struct Decoded {
    Command command;        // a publish, with `unchecked` data and an id of BinaryRequest
    std::size_t bytes = 0;  // of its record
  };
  /// Reads the first record.
  ///
  /// records  not empty: what is left of a binary message.
  /// returns  a command whose views live until the next decode and as long as `records`; or what is wrong: nothing
  ///          behind it in this message can be trusted then. The error's id is a BinaryRequest's, number 0 if there was
  ///          no header to read it from.
  [[nodiscard]] Result<Decoded, CommandError> decode(Bytes records);

 private:
  BinaryId id_{};
};

// ---- what they are told ----

/// The exact bytes of one message record, and the writing of them; returns the byte after the last.
[[nodiscard]] std::size_t binary_message_size(const MessageView& message);
[[nodiscard]] std::uint8_t* write_binary_message(const MessageView& message, std::uint8_t* out);

/// The same for a gap record. The channel's name is in it with GapReason::epoch, when its id is new.
[[nodiscard]] std::size_t binary_gap_size(const GapView& gap);
[[nodiscard]] std::uint8_t* write_binary_gap(const GapView& gap, std::uint8_t* out);

struct BinaryPublished {
  std::uint64_t request = 0;
  std::uint32_t channel_id = 0;
  Epoch epoch{};
  Sequence seq{};
  bool duplicate = false;
};
void append_binary_published(std::string& out, const BinaryPublished& published);

struct BinaryError {
  std::uint64_t request = 0;
  ErrorCode code = ErrorCode::invalid_message;
  std::string_view message{};  // in words, UTF-8
  std::string_view channel{};  // empty: left out; at most 255 bytes
  std::optional<milliseconds> retry_after{};
};
void append_binary_error(std::string& out, const BinaryError& error);

}  // namespace ringcast
