// codec/text/channel_name.hpp: which names a channel may have, and whose they are (protocol.md section 3).
//
// Thread  any.  Memory  none.  Failure  a fault with its sentence.
// Not here who may use a name (engine/access), patterns (pattern.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ringcast {

inline constexpr std::size_t kChannelNameBytesMax = 255;  // protocol.md sections 1 and 3
inline constexpr std::string_view kServerPrefix = "$";
inline constexpr std::string_view kUserPrefix = "user:";
inline constexpr std::size_t kUserIdBytesMax = kChannelNameBytesMax - kUserPrefix.size();

enum class ChannelNameFault : std::uint8_t { none, empty, too_long, not_utf8, control_character };

/// The first rule that the name breaks. Control characters are U+0000 to U+001F and U+007F to U+009F.
[[nodiscard]] ChannelNameFault check_channel_name(std::string_view name);
[[nodiscard]] inline bool is_valid_channel_name(std::string_view name) {
  return check_channel_name(name) == ChannelNameFault::none;
}
/// What to tell the peer; static text.
[[nodiscard]] std::string_view sentence_of(ChannelNameFault fault);

/// `$...`: the server's own; nobody else publishes there.
[[nodiscard]] inline bool is_server_channel(std::string_view name) { return name.starts_with(kServerPrefix); }
/// `user:<id>`: one user's own.
[[nodiscard]] inline bool is_user_channel(std::string_view name) { return name.starts_with(kUserPrefix); }
/// Whether a user may be called so: `user:<id>` is the name of one channel, and no pattern of several.
[[nodiscard]] bool is_valid_user_id(std::string_view id);

}  // namespace ringcast
