// tools/client/subscribe_command.hpp: what a client says in the native dialect to join channels and to ask for history.
//
// Thread  any.  Memory  the text.  Failure  none: names must be channels or patterns, options what the user wants.
// Not here what is answered (server_message.hpp), where to go on from (channel_position.hpp).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "codec/dialect/command.hpp"
#include "tools/client/channel_position.hpp"

namespace ringcast {

using ChannelPositions = std::map<std::string, ChannelPosition, std::less<>>;

/// Subscribes `channels`, each from where its position says; the positions of channels that a pattern among them bound
/// are said as well.
[[nodiscard]] std::string subscribe_command(std::span<const std::string> channels, const ChannelPositions& positions,
                                            const SubscribeOptions& options);

/// Asks for at most `limit` messages: those after `after`, or what the server gives without that.
[[nodiscard]] std::string history_command(std::string_view channel, const std::optional<ResumePoint>& after,
                                          std::uint64_t limit);

}  // namespace ringcast
