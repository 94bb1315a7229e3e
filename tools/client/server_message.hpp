// tools/client/server_message.hpp: what a server says in the native dialect, read on the client's side.
//
// Owner    a command owns one ServerMessageReader; what it returns lives until its next read and as long as the text.
// Thread   the owner's.  Memory  its JsonReader's.
// Failure  a static sentence: the text is not an object of the native dialect. Types that are not known are `other`.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "alloc/base/identifiers.hpp"
#include "alloc/base/result.hpp"
#include "codec/text/json.hpp"

namespace ringcast {

struct ServerMessage {
  enum class Kind : std::uint8_t { welcome, subscribed, message, published, gap, error, other };
  Kind kind = Kind::other;
  std::string_view type;
  std::string_view id;                            // JSON text; empty: none
  std::string_view channel;                       // message, published, gap; error where one is at fault
  Sequence seq{};                                 // message, published
  std::optional<Epoch> epoch;                     // published; gap with reason epoch
  std::string_view event, timestamp, message_id;  // message
  std::string_view data;                          // message: JSON text
  Sequence from{}, to{};                          // gap
  std::string_view reason;                        // gap
  bool duplicate = false;                         // published
  std::string_view code, words;                   // error: its code and message
  std::string_view channels;                      // subscribed: JSON array
};

/// One entry of `subscribed`.
struct SubscribedEntry {
  std::string_view channel;
  Epoch epoch{};
  Sequence seq{};                 // the newest that the channel has
  std::optional<bool> recovered;  // answers a resume
  std::uint32_t channel_id = 0;   // in the binary dialect
};

class ServerMessageReader {
 public:
  [[nodiscard]] Result<ServerMessage, std::string_view> read(std::string_view text);

  /// Calls `visit` for each entry of a `subscribed` answer. False: an entry was not as the protocol says.
  [[nodiscard]] bool for_each_subscribed(const ServerMessage& message,
                                         const std::function<void(const SubscribedEntry&)>& visit);

 private:
  [[nodiscard]] std::string_view text_of(std::string_view member);
  [[nodiscard]] std::optional<std::uint64_t> number_of(std::string_view member) const;

  JsonReader reader_;
  JsonReader entries_;
};

}  // namespace ringcast
