#include "codec/text/channel_name.hpp"

#include "codec/text/json_scan.hpp"

namespace ringcast {

ChannelNameFault check_channel_name(std::string_view name) {
  if (name.empty()) {
    return ChannelNameFault::empty;
  }
  if (name.size() > kChannelNameBytesMax) {
    return ChannelNameFault::too_long;
  }
  const char* at = name.data();
  const char* end = at + name.size();
  while (at != end) {
    const auto byte = static_cast<unsigned char>(*at);
    if (byte < 0x80) {
      if (byte < 0x20 || byte == 0x7F) {
        return ChannelNameFault::control_character;
      }
      ++at;
      continue;
    }
    const std::uint32_t bytes = json_detail::utf8_sequence(at, end);
    if (bytes == 0) {
      return ChannelNameFault::not_utf8;
    }
    if (byte == 0xC2 && static_cast<unsigned char>(at[1]) < 0xA0) {  // U+0080 to U+009F
      return ChannelNameFault::control_character;
    }
    at += bytes;
  }
  return ChannelNameFault::none;
}

bool is_valid_user_id(std::string_view id) {
  return id.size() <= kUserIdBytesMax && is_valid_channel_name(id) && id.find_first_of("*>") == std::string_view::npos;
}

std::string_view sentence_of(ChannelNameFault fault) {
  switch (fault) {
    case ChannelNameFault::none: return "the channel name is valid";
    case ChannelNameFault::empty: return "a channel name must not be empty";
    case ChannelNameFault::too_long: return "a channel name has at most 255 bytes";
    case ChannelNameFault::not_utf8: return "a channel name must be UTF-8";
    case ChannelNameFault::control_character: return "a channel name has no control characters";
  }
  return "the channel name is not valid";
}

}  // namespace ringcast
