// What a connection may do, and how much of it: what its token grants, and how many commands are too many.
//
// None of this runs on a node without authentication and limits: a connection then has no Guard.
#include <algorithm>

#include "codec/dialect/binary.hpp"
#include "codec/dialect/native_reply.hpp"
#include "codec/text/pattern.hpp"
#include "engine/session/sessions.hpp"

namespace ringcast {
namespace {

constexpr milliseconds kRateRetry{1'000};  // of a user or an address: half of the window that slides

constexpr Refusal kNoSubscribe{.code = ErrorCode::unauthorized,
                               .sentence = "the token may not subscribe to this channel"};
constexpr Refusal kNoPublish{.code = ErrorCode::unauthorized, .sentence = "the token may not publish to this channel"};
constexpr Refusal kRecordBehind{.code = ErrorCode::overloaded,
                                .sentence = "the record of who subscribes to what is behind: try again"};

BucketLimits command_limits(const RateOptions& rate) {
  return {.per_second = rate.messages_per_second, .burst = rate.burst};
}
BucketLimits publish_limits(const RateOptions& rate) {
  const std::uint32_t burst = rate.publish_burst != 0 ? rate.publish_burst : 2 * rate.publish_per_second;
  return {.per_second = rate.publish_per_second, .burst = std::max(burst, 1U)};
}
milliseconds rounded_up(nanoseconds wait) { return std::chrono::ceil<milliseconds>(wait); }
/// Of a scope in the event: its place among the counters.
constexpr std::uint64_t number_of(CounterId scope) {
  return std::to_underlying(scope) - std::uint64_t{std::to_underlying(CounterId::rate_limited_connection)};
}

}  // namespace

// ---- permissions ----

/// A pattern is refused only if nothing that it means can be granted: each channel that it binds is asked about again.
std::optional<Refusal> Sessions::grant_refuses(const Grant& grant, Operation operation, std::string_view channel) {
  if (operation == Operation::publish) {
    return grant.may_publish(channel) ? std::nullopt : std::optional{kNoPublish};
  }
  const bool granted = is_pattern(channel) ? grant.may_subscribe_within(channel) : grant.may_subscribe(channel);
  return granted ? std::nullopt : std::optional{kNoSubscribe};
}

/// told  this command has left its event already: a thousand channels in one subscribe are one attempt.
void Sessions::note_refused(const Connection& connection, Operation operation, const Refusal& refusal,
                            std::string_view channel, bool told, Now now) {
  if (refusal.code != ErrorCode::unauthorized || connection.grant() == nullptr) return;
  const bool publishes = operation == Operation::publish;
  stats_->add(publishes ? CounterId::permissions_refused_publish : CounterId::permissions_refused_subscribe);
  if (!told) stats_->event(EventCode::permission_refused, now, publishes ? 1 : 0, connection.id, channel);
}

/// What is not written down does not begin.
std::optional<Refusal> Sessions::record_refuses(const Connection& connection, Now now) const {
  if (access_.journal == nullptr || access_.journal->has_room()) return std::nullopt;
  stats_->add(CounterId::usage_refusals);
  stats_->event(EventCode::usage_refused, now, 0, connection.id);
  return kRecordBehind;
}

/// What the token says of its bearer's subscriptions is stronger than what he asks for; but for his own channel, which
/// is nobody's feed.
SubscribeOptions Sessions::granted_options(const Connection& connection, const Command& command) {
  SubscribeOptions wanted = command.options;
  const Grant* grant = connection.grant();
  if (grant == nullptr) return wanted;
  if (command.items.size() == 1 && grant->owns(command.items.front().channel)) return wanted;
  wanted.imposed = grant->conflate || grant->max_rate != 0;
  if (grant->conflate) wanted.has_conflate = wanted.conflate = true;
  if (grant->max_rate != 0) {
    wanted.max_rate = wanted.max_rate == 0 ? grant->max_rate : std::min(wanted.max_rate, grant->max_rate);
  }
  return wanted;
}

// ---- rates ----

/// Whether a command may be carried out: not too many, and somebody has said who asks. If not, it has been answered.
bool Sessions::admit(Connection& connection, const Command& command, Now now) {
  Guard& guard = *connection.guard;
  const RateOptions& rate = options_->rate;
  if (retrying_) {
    // It was counted when it came.
  } else if (command.kind == CommandKind::publish) {
    if (const auto wait = guard.publishes.take(publish_limits(rate), now.mono)) {
      refuse_rate(connection, command, CounterId::rate_limited_publish, rounded_up(*wait), now);
      return false;
    }
  } else {
    if (const auto wait = guard.commands.take(command_limits(rate), now.mono)) {
      refuse_rate(connection, command, CounterId::rate_limited_connection, rounded_up(*wait), now);
      return false;
    }
    RateBoard* board = access_.boards != nullptr ? access_.boards->rates.get() : nullptr;
    const auto exceeds = [&](std::uint64_t name, std::uint32_t per_second) {
      return board != nullptr && per_second != 0 && name != 0 && !board->take(access_.here, name, per_second, now.mono);
    };
    if (exceeds(guard.user, rate.user_messages_per_second)) {
      refuse_rate(connection, command, CounterId::rate_limited_user, kRateRetry, now);
      return false;
    }
    if (exceeds(guard.site, rate.address_messages_per_second)) {
      refuse_rate(connection, command, CounterId::rate_limited_address, kRateRetry, now);
      return false;
    }
  }
  const bool for_strangers = command.kind == CommandKind::auth || command.kind == CommandKind::ping;
  if (options_->access.authenticates && guard.grant == nullptr && !for_strangers) {
    stats_->event(EventCode::permission_refused, now, command.kind == CommandKind::publish ? 1 : 0, connection.id,
                  command.channel);
    send_error(connection, command.id, ErrorCode::auth_required, "a token is required: send auth first",
               command.channel, now);
    return false;
  }
  return true;
}

/// A ping frame beyond the rate needs no answer of its own (RFC 6455 section 5.5.3).
bool Sessions::admit_ping(Connection& connection, Now now) {
  if (connection.guard == nullptr || !connection.guard->commands.take(command_limits(options_->rate), now.mono)) {
    return true;
  }
  constexpr CounterId kScope = CounterId::rate_limited_ping;
  stats_->add(kScope);
  stats_->event(EventCode::rate_limited, now, number_of(kScope), connection.id,
                kCounters[std::to_underlying(kScope)].label_set);
  return false;
}

void Sessions::refuse_rate(Connection& connection, const Command& command, CounterId scope, milliseconds wait,
                           Now now) {
  constexpr std::string_view kSentence = "too many messages";
  stats_->add(scope);
  stats_->event(EventCode::rate_limited, now, number_of(scope), connection.id,
                kCounters[std::to_underlying(scope)].label_set);
  if (const auto record = read_binary_id(command.id)) {
    append_binary_error(records_, {.request = record->number,
                                   .code = ErrorCode::rate_limited,
                                   .message = kSentence,
                                   .channel = command.channel,
                                   .retry_after = wait});
    send_records(connection, now);
  } else {
    reply_.clear();
    if (connection.outbox.dialect == Dialect::exchange) {
      append_exchange_refusal(reply_, command.id, ErrorCode::rate_limited, kSentence);
    } else {
      append_native_error(reply_, NativeError{.id = command.id,
                                              .code = ErrorCode::rate_limited,
                                              .message = kSentence,
                                              .channel = command.channel,
                                              .retry_after = wait});
    }
    send_text(connection, reply_, now);
  }
  // What others of its user or at its address do is not this client's mistake.
  if (scope == CounterId::rate_limited_user || scope == CounterId::rate_limited_address) {
    stats_->add(error_counter(std::to_underlying(ErrorCode::rate_limited)));
  } else {
    count_error(connection, ErrorCode::rate_limited, now);
  }
}

}  // namespace ringcast
