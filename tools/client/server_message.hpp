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
  enum class Kind : std::uint8_t {
    welcome,
    subscribed,
    unsubscribed,
    message,
    published,
    gap,
    history,
    channel_state,
    user_joined,
    user_left,
    error,
    other,
  };
  Kind kind = Kind::other;
  std::string_view type;
  std::string_view id;                            // JSON text; empty: none
  std::string_view channel;                       // all but welcome and subscribed; error where one is at fault
  Sequence seq{};                                 // message, published; history: the newest that the channel has
  std::optional<Epoch> epoch;                     // published, history; gap with reason epoch
  std::string_view event, timestamp, message_id;  // message
  std::string_view data;                          // message: JSON text
  bool snapshot = false;                          // message: the channel's state, not a change of it
  std::optional<Sequence> as_of;                  // snapshot: after every message with a smaller seq; unsaid: its own
  Sequence from{}, to{};                          // gap
  std::string_view reason;                        // gap
  bool duplicate = false;                         // published
  bool stored = false;                            // message: published while its user was away
  std::string_view messages;                      // history: JSON array of messages, as subscribers get them
  bool more = false;                              // history: there are more behind them
  std::optional<bool> recovered;                  // history with `after`: nothing between that and the messages is lost
  std::string_view state;                         // channel_state: stale or live
  std::string_view user;                          // user_joined, user_left
  std::string_view code, words;                   // error: its code and message
  std::string_view channels;                      // subscribed, unsubscribed: JSON array
  std::string_view pattern;                       // the same, without being asked: whose channels they are
};

/// One entry of `subscribed`.
struct SubscribedEntry {
  std::string_view channel{};
  Epoch epoch{};
  Sequence seq{};                   // the newest that the channel has
  std::optional<bool> recovered{};  // answers a resume
  std::string_view state{};  // snapshot: it comes first; none: it was due and there is none; empty: nothing is due
  std::optional<Sequence> as_of{};  // with a snapshot: every message from this seq on follows it
  std::uint32_t channel_id = 0;     // in the binary dialect
  bool is_pattern = false;          // `channel` is one; epoch and seq say nothing
  std::uint64_t matched = 0;        // by the pattern: channels of the connection
};

class ServerMessageReader {
 public:
  [[nodiscard]] Result<ServerMessage, std::string_view> read(std::string_view text);

  /// Calls `visit` for each entry of a `subscribed` answer. False: an entry was not as the protocol says.
  [[nodiscard]] bool for_each_subscribed(const ServerMessage& message,
                                         const std::function<void(const SubscribedEntry&)>& visit);
  /// The same for an `unsubscribed` notice, whose entries are names.
  [[nodiscard]] bool for_each_unsubscribed(const ServerMessage& message,
                                           const std::function<void(std::string_view channel)>& visit);

 private:
  [[nodiscard]] std::string_view text_of(std::string_view member);
  [[nodiscard]] std::optional<std::uint64_t> number_of(std::string_view member) const;

  [[nodiscard]] bool read_entry(SubscribedEntry& entry);

  JsonReader reader_;
  JsonReader entries_;
};

}  // namespace ringcast
