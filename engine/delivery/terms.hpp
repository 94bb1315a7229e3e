// engine/delivery/terms.hpp: on what terms a subscription is served: what it asked for, as far as its namespace allows.
//
// Thread   any; values and a pure function.  Memory  none.
// Failure  a sentence for who asked for what the namespace does not allow; the error code is `not_supported`.
// Source   protocol.md section 3 (`options` of a subscribe) and section 9 (`slow`, `max_rate`).
// Not here the serving (rolling_send, held_news), the command (session).
//
// `slow = "conflate"` is a namespace's leave to leave messages out. Where it is not given nobody gets less than every
// message, whatever he asks for: a desk that misses trades by somebody's slip of an option would not know. To ask for
// more is always allowed, at one's own risk: every message, and 4008 beyond the lag bounds; the publishers of such a
// channel are not held back for it. Only a namespace's own max_rate leaves nothing to choose.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "alloc/base/result.hpp"
#include "alloc/base/time.hpp"
#include "codec/dialect/command.hpp"
#include "engine/limits.hpp"

namespace ringcast {

struct Terms {
  bool conflates = false;      // the newest only, whenever its turn comes
  bool complete = false;       // every message: beyond its bounds it is closed, not moved
  std::uint32_t max_rate = 0;  // messages a second; 0: as they come

  bool operator==(const Terms&) const = default;
};

/// Whether a subscribe says anything of how it wants to be served; if not, a subscription that is there stays as it is.
[[nodiscard]] constexpr bool chooses_terms(const SubscribeOptions& asked) {
  return asked.has_conflate || asked.max_rate != 0;
}

[[nodiscard]] inline Result<Terms, std::string_view> terms_of(const SubscribeOptions& asked,
                                                              const NamespaceRule& rule) {
  const bool may_leave_out = rule.slow == SlowPolicy::conflate;
  if (!may_leave_out && asked.conflate) {
    return unexpected(
        std::string_view{"the namespace of this channel does not conflate: its readers get every message"});
  }
  if (!may_leave_out && asked.max_rate != 0) {
    return unexpected(std::string_view{
        "the namespace of this channel does not conflate: a reader's rate cannot be limited without it"});
  }
  if (!may_leave_out) return Terms{};
  const bool complete = asked.has_conflate && !asked.conflate;
  if (complete && rule.max_rate != 0) {
    return unexpected(std::string_view{
        "the namespace of this channel limits the rate of every subscription: nobody gets every message"});
  }
  std::uint32_t rate = asked.max_rate != 0 ? asked.max_rate : rule.max_rate;
  if (rule.max_rate != 0) rate = std::min(rate, rule.max_rate);
  return Terms{.conflates = asked.conflate || rate != 0, .complete = complete, .max_rate = rate};
}

/// The policy for a subscription that is too far behind.
[[nodiscard]] constexpr SlowPolicy slow_policy(bool complete, const NamespaceRule& rule) {
  return complete ? SlowPolicy::disconnect : rule.slow;
}

/// From one message to the next, at the least: rounded up, so that no second has one too many.
[[nodiscard]] constexpr nanoseconds interval_of(std::uint32_t max_rate) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  return nanoseconds{(kSecond + max_rate - 1) / max_rate};
}

}  // namespace ringcast
