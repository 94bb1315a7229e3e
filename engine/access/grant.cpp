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

/// What every name that matches begins with.
std::string_view beginning_of(std::string_view pattern) {
  return pattern.substr(0, std::min(pattern.find_first_of("*>"), pattern.size()));
}

bool one_begins_the_other(std::string_view a, std::string_view b) { return a.starts_with(b) || b.starts_with(a); }

}  // namespace

bool Grant::owns(std::string_view channel) const {
  return is_user_channel(channel) && channel.substr(kUserPrefix.size()) == user;
}

bool Grant::may_subscribe(std::string_view channel) const {
  if (is_server_channel(channel)) return admin;
  return owns(channel) || matches_any(subscribe, channel);
}

bool Grant::may_subscribe_within(std::string_view pattern) const {
  if (is_server_channel(pattern)) return admin;
  const std::string_view wanted = beginning_of(pattern);
  const bool of_users = is_user_channel(pattern);
  if (of_users && std::string{kUserPrefix}.append(user).starts_with(wanted)) return true;
  return std::ranges::any_of(subscribe, [&](const Pattern& granted) {
    if (is_user_channel(granted.text()) != of_users) return false;  // neither matches names of the other kind
    return one_begins_the_other(beginning_of(granted.text()), wanted);
  });
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
