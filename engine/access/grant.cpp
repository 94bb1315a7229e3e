#include "engine/access/grant.hpp"

#include <algorithm>

#include "codec/text/channel_name.hpp"

namespace ringcast {
namespace {

bool matches_any(const std::vector<Pattern>& patterns, std::string_view channel) {
  return std::ranges::any_of(patterns, [channel](const Pattern& pattern) { return pattern.matches(channel); });
}

std::size_t heap_bytes(const std::string& text) {
  return text.capacity() > std::string{}.capacity() ? text.capacity() + 1 : 0;
}

}  // namespace

bool Grant::owns(std::string_view channel) const {
  return is_user_channel(channel) && channel.substr(kUserPrefix.size()) == user;
}

bool Grant::may_subscribe(std::string_view channel) const {
  if (is_server_channel(channel)) return admin;
  return owns(channel) || matches_any(subscribe, channel);
}

bool Grant::may_publish(std::string_view channel) const {
  return !is_server_channel(channel) && matches_any(publish, channel);
}

std::size_t grant_bytes(const Grant& grant) {
  std::size_t bytes = heap_bytes(grant.user) + heap_bytes(grant.token_id);
  for (const auto* patterns : {&grant.subscribe, &grant.publish}) {
    bytes += patterns->capacity() * sizeof(Pattern);
    for (const Pattern& pattern : *patterns) bytes += pattern.heap_bytes();
  }
  return bytes;
}

}  // namespace ringcast
