// codec/dialect/native.hpp: the native JSON dialect (protocol.md section 3), what clients say and message frames.
//
// Owner    a shard owns one NativeDecoder for all its connections; what it returns lives until its next decode.
// Thread   the shard's.
// Memory   the decoder's tables grow to limits.channels_max entries; the JsonReader's scratch. No heap once warmed up.
// Failure  CommandError with a static sentence, and the id if it could be read.
// Not here replies (native_reply.hpp), permission and meaning (engine), the WebSocket header (codec/websocket).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "alloc/base/result.hpp"
#include "codec/dialect/channel_items.hpp"
#include "codec/dialect/command.hpp"
#include "codec/dialect/message.hpp"
#include "codec/text/json.hpp"

namespace ringcast {

inline constexpr std::size_t kIdBytesMax = 128;         // of JSON text; it is echoed, so it must not amplify
inline constexpr std::size_t kEventBytesMax = 255;      // as a channel name
inline constexpr std::size_t kMessageIdBytesMax = 255;  // it is kept in the dedupe window

struct NativeLimits {
  std::size_t channels_max = 1'024;  // in one command; limits.subscriptions
};

class NativeDecoder {
 public:
  explicit NativeDecoder(NativeLimits limits = {});

  /// Others from the next message on.
  void set_limits(NativeLimits limits) { items_.set_channels_max(limits.channels_max); }

  /// Reads one text message. Members that are not known are ignored.
  ///
  /// text     the whole message; its size is bounded by the framer.
  /// returns  a command whose views live until the next decode and as long as `text`; or what is wrong.
  [[nodiscard]] Result<Command, CommandError> decode(std::string_view text);

 private:
  // Each fills command_ from the members that were read; false after refuse().
  [[nodiscard]] bool read_id();
  [[nodiscard]] bool read_kind_and_rest();
  [[nodiscard]] bool read_subscribe();
  [[nodiscard]] bool read_unsubscribe();
  [[nodiscard]] bool read_subscription();
  [[nodiscard]] bool read_publish();
  [[nodiscard]] bool read_history();
  [[nodiscard]] bool read_presence();
  [[nodiscard]] bool read_ack();
  [[nodiscard]] bool read_auth();
  [[nodiscard]] bool read_ping();

  [[nodiscard]] bool read_channels(const JsonValue& channels);
  [[nodiscard]] bool read_resume(const JsonValue& resume);
  [[nodiscard]] bool read_options(const JsonValue& options);
  [[nodiscard]] bool read_legacy_channel(std::string_view prefix, const JsonValue& object, std::string_view member);
  [[nodiscard]] bool read_channel();
  [[nodiscard]] bool read_limit(std::string_view sentence);
  [[nodiscard]] bool add_item(std::string_view channel);
  /// A string member that may be absent; its characters, at most `bytes_max`.
  [[nodiscard]] bool read_string(std::string_view member, std::size_t bytes_max, std::string_view& into,
                                 std::string_view sentence);
  [[nodiscard]] bool refuse(std::string_view sentence, std::string_view channel = {},
                            ErrorCode code = ErrorCode::invalid_message);

  struct TypeRow;
  static const TypeRow kTypes[];

  Command command_;
  CommandError error_;
  JsonReader reader_;
  ChannelItems items_;
  ChannelItems resumes_;
  bool has_pattern_ = false;  // among the items
};

/// The exact bytes of the message frame's payload:
/// {"type":"message","channel":..,"seq":..,"event":..,"timestamp":..,"message_id":..,"state":"snapshot","as_of_seq":..,
/// "stored":true,"data":..}, without the members that the message has not.
[[nodiscard]] std::size_t native_message_size(const MessageView& message);
/// Writes native_message_size(message) bytes; returns the byte after the last.
[[nodiscard]] std::uint8_t* write_native_message(const MessageView& message, std::uint8_t* out);

/// The exact bytes of {"type":"gap","channel":..,"from":..,"to":..,"reason":..} (and the epoch, if that is the reason),
/// and the writing of them.
[[nodiscard]] std::size_t native_gap_size(const GapView& gap);
[[nodiscard]] std::uint8_t* write_native_gap(const GapView& gap, std::uint8_t* out);

}  // namespace ringcast
