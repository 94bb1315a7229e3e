// tools/client/record_reader.hpp: the records of the binary dialect, as what the native one would have said.
//
// Owner    one a connection, by value; what next() gives lives until the next call and as long as the message.
// Thread   the owner's.  Memory  the names of the channels that `subscribed` gave ids for.
// Failure  a static sentence: the rest of that message cannot be read. Kinds of a later version are skipped.
// Not here commands and their replies, which are JSON (server_message.hpp); the layout (the public header).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "alloc/base/result.hpp"
#include "codec/dialect/ringcast_binary.h"
#include "tools/client/server_message.hpp"

namespace ringcast {

class RecordReader {
 public:
  using Next = Result<std::optional<ServerMessage>, std::string_view>;

  /// What `subscribed` said: records of this id belong to this channel, and those of its earlier id come no more.
  void name(std::uint32_t channel_id, std::string_view channel);
  void forget(std::string_view channel);
  /// The same for every channel of a `subscribed`. Also who subscribes to nothing is told of one: of the channel of the
  /// user that its URL names, whose records it is sent.
  void name_all(ServerMessageReader& reader, const ServerMessage& subscribed);
  /// Another connection begins without any.
  void forget_names();

  /// Begins with the records of one binary message.
  void begin(std::string_view message);
  /// The next message, gap, published or error; nothing after the last.
  [[nodiscard]] Next next();
  /// The message or gap that next() gave last, as the native dialect writes it. A payload that is no JSON is
  /// "data_base64".
  [[nodiscard]] std::string json() const;

 private:
  [[nodiscard]] Next take();
  void read_message();
  void read_gap(const rcb_gap& gap);

  std::map<std::uint32_t, std::string> channels_;
  std::map<std::string, std::uint32_t, std::less<>> ids_;
  const std::uint8_t* at_ = nullptr;
  const std::uint8_t* end_ = nullptr;
  rcb_record record_{};
  ServerMessage message_;
  std::string request_;  // of published and error, in digits
};

/// The payload if it is text that does a terminal no harm; otherwise "base64:" and its characters.
[[nodiscard]] std::string terminal_text(std::string_view data);

}  // namespace ringcast
