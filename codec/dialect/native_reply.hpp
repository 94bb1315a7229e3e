// codec/dialect/native_reply.hpp: what the server answers in the native dialect (protocol.md section 3).
//
// Every function appends one JSON object to `out`. `id` is JSON text as the client sent it; when empty the member is
// left out.
//
// Thread  the shard's.  Memory  the caller's string.  Failure  none.
// Not here messages and gap notices (native.hpp): they are written at send time, without a string.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "alloc/base/identifiers.hpp"
#include "alloc/base/time.hpp"
#include "codec/dialect/command.hpp"
#include "codec/dialect/native.hpp"

namespace ringcast {

struct NativeWelcome {
  std::string_view connection_id;
  std::string_view server;  // "ringcast/1.0"
  milliseconds heartbeat{};
  std::string_view auth;  // "required", "anonymous" or "ok"
};
void append_native_welcome(std::string& out, const NativeWelcome& welcome);

struct SubscribedChannel {
  std::string_view channel;
  Epoch epoch{};
  Sequence seq{};                 // the newest that the channel has
  std::optional<bool> recovered;  // set when the client asked to resume
  std::string_view state;         // "snapshot": it comes first; "none": it was due and there is none; else empty
  Sequence as_of{};               // with a snapshot: every message from this seq on follows it
  std::uint32_t channel_id = 0;   // told in the binary dialect; 0: left out
  bool stale = false;             // nothing was published for the namespace's stale_after
};
/// {"type":"subscribed","id":..,"channels":[..]}, one channel at a time.
class NativeSubscribed {
 public:
  NativeSubscribed(std::string& out, std::string_view id);
  void add(const SubscribedChannel& channel);
  /// {"channel":"orders.*","pattern":true,"matched":17}
  void add_pattern(std::string_view pattern, std::uint64_t matched);
  void finish();

 protected:
  explicit NativeSubscribed(std::string& out) : out_{out} {}

 private:
  std::string& out_;
  bool first_ = true;
};

/// {"type":"subscribed","pattern":..,"channels":[..]}: channels that a pattern has bound, told before their messages.
class NativeBound : public NativeSubscribed {
 public:
  NativeBound(std::string& out, std::string_view pattern);
};
/// An entry of either is at most this long: a name of 255 bytes may be spelled with six for each.
inline constexpr std::size_t kSubscribedEntryBytesMax = 2'048;

/// {"type":"unsubscribed","id":..,"channels":["orders"]}, one channel at a time.
class NativeUnsubscribed {
 public:
  NativeUnsubscribed(std::string& out, std::string_view id);
  void add(std::string_view channel);
  void finish();

 protected:
  explicit NativeUnsubscribed(std::string& out) : out_{out} {}

 private:
  std::string& out_;
  bool first_ = true;
};

/// {"type":"unsubscribed","pattern":..,"channels":["orders"]}: channels that a pattern holds no longer.
class NativeLetGo : public NativeUnsubscribed {
 public:
  NativeLetGo(std::string& out, std::string_view pattern);
};

struct NativePublished {
  std::string_view id;
  std::string_view channel;
  Epoch epoch{};
  Sequence seq{};
  bool duplicate = false;
};
void append_native_published(std::string& out, const NativePublished& published);

/// An acknowledgement is stored: nothing up to `seq` is delivered again.
struct NativeAcked {
  std::string_view id;
  std::string_view channel;
  Sequence seq{};
};
void append_native_acked(std::string& out, const NativeAcked& acked);

/// {"type":"history","id":..,"channel":..,"epoch":..,"seq":..,"recovered":..,"messages":[..],"more":..}, one message
/// after the other, each exactly as a subscriber gets it.
class NativeHistory {
 public:
  struct Head {
    std::string_view id;
    std::string_view channel;
    Epoch epoch{};
    Sequence seq{};                 // the newest that the channel has
    std::optional<bool> recovered{};  // where the client said what it has: nothing after that is missing
  };
  NativeHistory(std::string& out, const Head& head);
  void add(const MessageView& message);
  /// more  the channel keeps messages behind the last one added.
  void finish(bool more);

 private:
  std::string& out_;
  bool first_ = true;
};

void append_native_gap(std::string& out, const GapView& gap);

enum class ChannelLiveness : std::uint8_t { live, stale };
/// last  the newest message of a channel that is stale: what still comes up to it is from before.
void append_native_channel_state(std::string& out, std::string_view channel, ChannelLiveness liveness, Sequence last);

/// The answer to `auth`: who the client is now, and for how long.
struct NativeAuthSuccess {
  std::string_view id;
  std::string_view user;
  milliseconds expires_in{};
};
void append_native_auth_success(std::string& out, const NativeAuthSuccess& success);
/// The notice that the token is about to expire: a new one is wanted within this time.
void append_native_auth_required(std::string& out, milliseconds expires_in);

void append_native_pong(std::string& out, std::string_view id);

struct NativeError {
  std::string_view id;
  ErrorCode code = ErrorCode::invalid_message;
  std::string_view message;                 // in words, UTF-8
  std::string_view channel;                 // empty: left out
  std::optional<milliseconds> retry_after;  // rate_limited and overloaded say it
};
void append_native_error(std::string& out, const NativeError& error);
void append_native_error(std::string& out, const CommandError& error);

}  // namespace ringcast
