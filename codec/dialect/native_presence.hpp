// codec/dialect/native_presence.hpp: who is there, as the native dialect says it: answers to `presence`, and notices.
//
// Every function appends one JSON object to `out`. `id` is JSON text as the client sent it; when empty the member is
// left out.
//
// Thread  the shard's.  Memory  the caller's string.  Failure  none.
// Not here who is there (engine/presence), channel_state (native_reply.hpp).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ringcast {

/// {"type":"presence","id":..,"channel":..,"count":..,"anonymous":..,"users":[..],"next":..}
struct NativeChannelPresence {
  std::string_view id;
  std::string_view channel;
  std::uint64_t users = 0;      // in all, not only on this page
  std::uint64_t anonymous = 0;  // connections without a user
  std::uint64_t unlisted = 0;   // connections whose user could not be listed; left out when 0
  std::span<const std::string> page;
  bool more = false;  // "next" names the last of the page: ask for what comes after it
};
void append_native_presence(std::string& out, const NativeChannelPresence& presence);

/// {"type":"presence","id":..,"user":"42","connections":..,"channels":[..],"next":..}
struct NativeUserPresence {
  std::string_view id;
  std::string_view user;
  std::uint64_t connections = 0;
  std::span<const std::string> channels;
  bool more = false;
};
void append_native_presence(std::string& out, const NativeUserPresence& presence);

/// {"type":"presence","id":..,"user":"*","count":..,"connections":..,"users":[..],"next":..}
struct NativeNodePresence {
  std::string_view id;
  std::uint64_t users = 0;
  std::uint64_t connections = 0;  // of these users
  std::span<const std::string> page;
  bool more = false;
};
void append_native_presence(std::string& out, const NativeNodePresence& presence);

/// {"type":"user_joined","channel":..,"user":..} or user_left.
void append_native_user_notice(std::string& out, std::string_view channel, std::string_view user, bool joined);
/// {"type":"presence_missed","channel":..}: notices of the channel were left out, `presence` tells who is there.
void append_native_presence_missed(std::string& out, std::string_view channel);

}  // namespace ringcast
