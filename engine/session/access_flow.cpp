// Who a connection is, and from where: tokens, proxies, limits of an address, how long it may stay.
//
// None of this runs on a node without authentication and limits: a connection then has no Guard.
#include <algorithm>
#include <array>

#include "codec/dialect/native_reply.hpp"
#include "codec/http/proxy_header.hpp"
#include "codec/http/response_writer.hpp"
#include "engine/access/authenticator.hpp"
#include "engine/access/trusted_proxies.hpp"
#include "engine/session/credentials.hpp"
#include "engine/session/sessions.hpp"

namespace ringcast {
namespace {

constexpr std::uint32_t kVerificationsAtOnce = 8;  // ADR 0013: what a message may have to wait for
constexpr std::uint32_t kAddressRefusals = 8;      // above the limit of an address, waiting for their 429
constexpr std::string_view kAddressRetrySeconds = "10";
constexpr std::uint32_t kRecheckedPerStep = 1'024;  // connections looked at in one step after a reload
constexpr seconds kWallLookAgain{60};               // tokens go by the wall clock, which may be set meanwhile
constexpr std::string_view kOtherTerms = "the token's terms are stricter: subscribe again";
constexpr milliseconds kHalfOpenGrace{1'000};  // a handshake that is younger is not reset for a newcomer's sake

static_assert(std::to_underlying(CounterId::tokens_refused_revoked) -
                      std::to_underlying(CounterId::tokens_refused_malformed) + 1 ==
                  kTokenErrors,
              "one row a reason, in the order of TokenError");
CounterId refusal_counter(TokenError error) {
  return static_cast<CounterId>(std::to_underlying(CounterId::tokens_refused_malformed) + std::to_underlying(error));
}
CounterId way_counter(TokenWay way) {
  return static_cast<CounterId>(std::to_underlying(CounterId::tokens_received_header) + std::to_underlying(way));
}
static_assert(std::to_underlying(CounterId::tokens_received_message) -
                      std::to_underlying(CounterId::tokens_received_header) ==
                  std::to_underlying(TokenWay::message),
              "one row a way, in the order of TokenWay");

/// Whether subscriptions have to keep to less under `fresh`.
bool asks_more(const Grant& fresh, const Grant& before) {
  const bool slower = fresh.max_rate != 0 && (before.max_rate == 0 || fresh.max_rate < before.max_rate);
  return slower || (fresh.conflate && !before.conflate);
}

}  // namespace

void Sessions::set_access(const SessionAccess& access) {
  access_ = access;
  decide_guards();
}

void Sessions::decide_guards() {
  const RateOptions& rate = options_->rate;
  guards_ = options_->access.authenticates || options_->limits.lifetime.count() != 0 ||
            options_->limits.connections_per_address != 0 || rate.messages_per_second != 0 ||
            rate.publish_per_second != 0 || rate.user_messages_per_second != 0 ||
            rate.address_messages_per_second != 0 || !options_->access.trusted_proxies.empty();
  ensure(!options_->access.authenticates || access_.authenticator != nullptr, "who authenticates has keys");
}

// ---- what a connection has beside the rest ----

/// Whether there is room for one more from there, be it to tell it that there is not.
bool Sessions::takes_address(const PeerInfo& peer) const {
  if (access_.boards == nullptr || access_.boards->connections == nullptr || peer.unix_socket) return true;
  if (is_trusted_proxy(options_->access.trusted_proxies, peer.address)) return true;
  const std::uint64_t site = site_name(peer.address);
  const std::uint32_t limit = options_->limits.connections_per_address;
  return site == 0 || limit == 0 || access_.boards->connections->count(site) < limit + kAddressRefusals;
}

void Sessions::begin_guard(Connection& connection, const PeerInfo& peer, Now now) {
  connection.guard = std::make_unique<Guard>(slot_of(connection));
  budget_->charge(Purpose::connections, sizeof(Guard));
  Guard& guard = *connection.guard;
  if (options_->limits.lifetime.count() != 0) guard.ends_at = now.mono + options_->limits.lifetime;
  if (peer.unix_socket) return;
  guard.proxied = is_trusted_proxy(options_->access.trusted_proxies, peer.address);
  if (!guard.proxied) settle_address(connection, now);
}

/// For a connection that was there when a reload brought the first limit; of its address nothing is counted.
void Sessions::give_guard(Connection& connection) {
  connection.guard = std::make_unique<Guard>(slot_of(connection));
  budget_->charge(Purpose::connections, sizeof(Guard));
}

/// What a reload changes: a message of who has yet to authenticate stays small.
std::uint32_t Sessions::message_bytes_of(const Connection& connection) const {
  const bool known = connection.guard != nullptr && connection.guard->grant != nullptr;
  const std::uint32_t bytes = options_->limits.message_bytes;
  return options_->access.authenticates && !known ? std::min<std::uint32_t>(bytes, kStrangerBytesMax) : bytes;
}

void Sessions::end_guard(Connection& connection) {
  if (connection.guard == nullptr) return;
  Guard& guard = *connection.guard;
  guard_wheel_.cancel(guard.timer);
  if (guard.counted) access_.boards->connections->remove(access_.here, guard.site);
  budget_->release(Purpose::connections, sizeof(Guard) + guard.grant_bytes);
  connection.guard.reset();
}

/// What an address is called on the node's boards; 0: limits are not for it.
std::uint64_t Sessions::site_name(const IpAddress& address) const {
  if (access_.boards == nullptr || (options_->access.spares_loopback && is_loopback(address))) return 0;
  return access_.boards->name_of(site_of(address));
}

/// The connection's address is known: it counts.
void Sessions::settle_address(Connection& connection, Now now) {
  Guard& guard = *connection.guard;
  guard.proxied = false;
  guard.site = site_name(connection.address);
  if (guard.site == 0 || access_.boards->connections == nullptr) return;
  const std::uint32_t before = access_.boards->connections->count(guard.site);
  access_.boards->connections->add(access_.here, guard.site);
  guard.counted = true;
  const std::uint32_t limit = options_->limits.connections_per_address;
  guard.over_address = limit != 0 && before >= limit;
  if (!guard.over_address) return;
  stats_->add(CounterId::connections_refused_address);
  stats_->event(EventCode::address_refused, now, before, options_->limits.connections_per_address,
                to_text(connection.address));
}

// ---- who is behind a proxy ----

/// False: more is to come, or the connection was refused.
bool Sessions::read_proxy_header(Connection& connection, MutableBytes& input, Now now) {
  Guard& guard = *connection.guard;
  if (guard.proxy_header_read || !looks_like_proxy_header(input)) return true;
  const auto parsed = parse_proxy_header(input);
  if (!parsed) {
    stats_->add(CounterId::proxy_headers_malformed);
    stats_->event(EventCode::proxy_refused, now, 0, connection.id, parsed.error());
    refuse(connection, 400, parsed.error(), now);
    input = {};
    return false;
  }
  if (!*parsed) {
    if (connection.inbox == nullptr) connection.inbox = std::make_unique<Inbox>();
    connection.inbox->head_seen = 0;
    return false;
  }
  guard.proxy_header_read = true;
  stats_->add(CounterId::proxy_headers_accepted);
  input = input.subspan((*parsed)->bytes);
  if (!(*parsed)->has_source) {  // the proxy itself, looking whether we are there
    guard.proxied = false;
    return true;
  }
  connection.address = (*parsed)->source;
  connection.port = (*parsed)->port;
  if (!is_trusted_proxy(options_->access.trusted_proxies, connection.address)) settle_address(connection, now);
  return true;
}

/// A head that could not be read was perhaps a PROXY header from somebody whose word means nothing.
std::string_view Sessions::why_unreadable(const Connection& connection, Bytes input, std::string_view sentence,
                                          Now now) {
  if (!looks_like_proxy_header(input)) return sentence;
  stats_->add(CounterId::proxy_headers_untrusted);
  stats_->event(EventCode::proxy_refused, now, 0, connection.id,
                "a PROXY header from an address that is no trusted proxy");
  return "a PROXY header is taken from trusted proxies only";
}

/// The last chance to say for whom a proxy connects. False: refused.
bool Sessions::admit_address(Connection& connection, const RequestHead& head, Now now) {
  Guard& guard = *connection.guard;
  const bool forwarded = head.fields.occurrences("X-Forwarded-For") != 0;
  if (guard.proxied) {
    if (forwarded) stats_->add(CounterId::forwarded_accepted);
    connection.address = forwarded_client(options_->access.trusted_proxies, connection.address, head.fields);
    settle_address(connection, now);
  } else if (forwarded && !serving_verification_) {  // then it is looked at for the second time
    stats_->add(CounterId::forwarded_untrusted);
  }
  if (!guard.over_address) return true;
  refuse_for_now(connection, 429, kAddressRetrySeconds, "this address has as many connections as it may have", now);
  return false;
}

// ---- tokens ----

/// Whether the connection's token may be checked now. If not it waits, first come first served, its input unread.
bool Sessions::take_verification(Connection& connection, Now now) {
  const BucketLimits limits{.per_second = options_->access.verifications_per_second, .burst = kVerificationsAtOnce};
  const bool its_turn = serving_verification_ || verification_queue_.empty();
  if (its_turn && !verifications_.take(limits, now.mono)) return true;
  stall(connection, kStallVerify);
  verification_queue_.push_back(connection.outbox.connection);
  stats_->add(CounterId::tokens_waited);
  stats_->set(CounterId::tokens_waiting, verification_queue_.size());
  return false;
}

void Sessions::serve_verifications(Now now) {
  const BucketLimits limits{.per_second = options_->access.verifications_per_second, .burst = kVerificationsAtOnce};
  while (!verification_queue_.empty() && verifications_.has(limits, now.mono)) {
    const Handle handle = verification_queue_.front();
    verification_queue_.pop_front();
    Connection* connection = find(handle);
    if (connection == nullptr || (connection->stall & kStallVerify) == 0) continue;
    serving_verification_ = true;
    unstall(*connection, kStallVerify, now);
    serving_verification_ = false;
  }
  stats_->set(CounterId::tokens_waiting, verification_queue_.size());
}

std::optional<Instant> Sessions::verification_deadline() const {
  if (verification_queue_.empty()) return std::nullopt;
  return verifications_.ready_at(
      {.per_second = options_->access.verifications_per_second, .burst = kVerificationsAtOnce});
}

/// What costs next to nothing to refuse must not use up the verifications of those who show a token of ours.
std::optional<TokenError> Sessions::refuse_at_sight(const Connection& connection, TokenWay way, std::string_view token,
                                                    Now now) {
  const auto error = access_.authenticator->refused_at_sight(token);
  if (!error) return std::nullopt;
  stats_->add(way_counter(way));
  note_refused_token(connection, *error, now);
  return error;
}

void Sessions::note_refused_token(const Connection& connection, TokenError error, Now now) {
  stats_->add(refusal_counter(error));
  stats_->event(EventCode::token_refused, now, std::to_underlying(error), connection.id, sentence_of(error));
}

Result<Grant, TokenError> Sessions::check_token(const Connection& connection, TokenWay way, std::string_view token,
                                                Now now) {
  stats_->add(way_counter(way));
  auto grant = access_.authenticator->verify(token, now.wall);
  if (grant) {
    stats_->add(CounterId::tokens_accepted);
  } else {
    note_refused_token(connection, grant.error(), now);
  }
  return grant;
}

/// Before the upgrade. `optional`: the dialect has a message for a token that comes later.
Sessions::Identified Sessions::identify(Connection& connection, const RequestHead& head, bool optional, Now now) {
  std::array<char, kTokenBytesMax + 1> scratch;
  const auto found = find_credentials(head, scratch);
  if (!found) {
    stats_->add(CounterId::tokens_refused_malformed);
    refuse(connection, 400, found.error(), now);
    return Identified::refused;
  }
  if (!*found) {
    if (optional) return Identified::later;
    refuse_token(connection, {}, now);
    return Identified::refused;
  }
  if (const auto error = refuse_at_sight(connection, (*found)->way, (*found)->token, now)) {
    refuse_token(connection, sentence_of(*error), now);
    return Identified::refused;
  }
  if (!take_verification(connection, now)) return Identified::waits;
  auto grant = check_token(connection, (*found)->way, (*found)->token, now);
  if (!grant) {
    refuse_token(connection, sentence_of(grant.error()), now);
    return Identified::refused;
  }
  take_grant(connection, std::move(*grant));
  return Identified::yes;
}

/// RFC 6750 section 3: a bearer token is wanted, and what was wrong with this one. `fault` empty: there was none.
void Sessions::refuse_token(Connection& connection, std::string_view fault, Now now) {
  constexpr std::uint16_t kUnauthorized = 401;
  const std::string_view sentence = fault.empty() ? "a token is required" : fault;
  stats_->add(handshake_counter(kUnauthorized));
  stats_->event(EventCode::handshake_failed, now, kUnauthorized, 0, sentence);
  std::string challenge{R"(Bearer realm="ringcast")"};
  if (!fault.empty()) challenge.append(R"(, error="invalid_token", error_description=")").append(fault).append("\"");
  std::string body{sentence};
  body += '\n';
  reply_.clear();
  ResponseWriter response{reply_, kUnauthorized};
  response.field("WWW-Authenticate", challenge).field("Connection", "close");
  response.end_with_body("text/plain; charset=utf-8", body);
  refuse(connection, 0, reply_, now);
}

void Sessions::take_grant(Connection& connection, Grant grant) {
  Guard& guard = *connection.guard;
  const std::size_t bytes = sizeof(Grant) + ringcast::grant_bytes(grant);
  budget_->charge(Purpose::connections, bytes);
  budget_->release(Purpose::connections, std::exchange(guard.grant_bytes, bytes));
  guard.grant = std::make_unique<Grant>(std::move(grant));
  guard.authenticate_by = Instant::max();
  guard.noticed = options_->access.expiry_notice.count() == 0;
  if (access_.boards != nullptr) guard.user = access_.boards->name_of(as_bytes(guard.grant->user));
  set_user(connection, guard.grant->user);
  connection.assembler.set_message_bytes_max(options_->limits.message_bytes);
}

/// The connection is open: from here on its guard has deadlines.
void Sessions::open_guard(Connection& connection, Now now) {
  Guard& guard = *connection.guard;
  if (options_->access.authenticates && guard.grant == nullptr) {
    guard.authenticate_by = now.mono + options_->limits.handshake_time;
    connection.assembler.set_message_bytes_max(
        std::min<std::uint32_t>(options_->limits.message_bytes, kStrangerBytesMax));
  }
  arm_guard(connection, now);
}

void Sessions::arm_guard(Connection& connection, Now now) {
  Guard& guard = *connection.guard;
  Instant next = std::min(guard.authenticate_by, guard.ends_at);
  if (guard.grant != nullptr) {
    const WallTime due = guard.noticed ? guard.grant->expires : guard.grant->expires - options_->access.expiry_notice;
    next = std::min(next, now.mono + std::clamp<nanoseconds>(due - now.wall, kTimerTick, kWallLookAgain));
  }
  if (next != Instant::max()) guard_wheel_.arm(guard.timer, next);
}

void Sessions::on_guard_timer(Connection& connection, Now now) {
  if (connection.phase != Connection::Phase::open) return;
  Guard& guard = *connection.guard;
  if (now.mono >= guard.ends_at) {
    stats_->add(CounterId::lifetime_ends);
    close(connection, CloseCode::going_away, "connections live for a limited time here: connect again", now);
  } else if (now.mono >= guard.authenticate_by) {
    stats_->add(CounterId::auth_timeouts);
    stats_->event(EventCode::auth_timeout, now, 0, connection.id);
    close(connection, CloseCode::authentication_failed, "no token came in time", now);
  } else if (guard.grant != nullptr && now.wall >= guard.grant->expires) {
    stats_->event(EventCode::auth_expired, now, 0, connection.id);
    close(connection, CloseCode::authentication_expired, "the token has expired", now);
  } else if (guard.grant != nullptr && !guard.noticed &&
             now.wall >= guard.grant->expires - options_->access.expiry_notice) {
    notice_expiry(connection, now);
  }
  if (connection.phase == Connection::Phase::open) arm_guard(connection, now);
}

/// The exchange dialect has no word for it; its clients are closed without.
void Sessions::notice_expiry(Connection& connection, Now now) {
  Guard& guard = *connection.guard;
  guard.noticed = true;
  if (connection.outbox.dialect == Dialect::exchange || connection.outbox.dialect == Dialect::undecided ||
      connection.service == Connection::Service::echo) {
    return;
  }
  stats_->add(CounterId::auth_notices);
  reply_.clear();
  append_native_auth_required(reply_, std::chrono::floor<milliseconds>(guard.grant->expires - now.wall));
  send_text(connection, reply_, now);
}

/// The `auth` message: a first token, or a newer one.
void Sessions::authenticate(Connection& connection, const Command& command, std::string_view text, Now now) {
  if (!options_->access.authenticates) {
    send_error(connection, command.id, ErrorCode::not_supported, "nobody has to authenticate here", {}, now);
    return;
  }
  std::string_view fault;
  Result<Grant, TokenError> grant = unexpected(TokenError::malformed);
  if (const auto error = refuse_at_sight(connection, TokenWay::message, command.token, now)) {
    fault = sentence_of(*error);
  } else if (!take_verification(connection, now)) {
    keep_command(connection, text);
    return;
  } else {
    grant = check_token(connection, TokenWay::message, command.token, now);
    if (!grant) fault = sentence_of(grant.error());
  }
  const Grant* before = connection.guard->grant.get();
  if (grant && before != nullptr && before->user != grant->user) {
    stats_->add(CounterId::tokens_refused_other_user);
    fault = "the token is another user's: a connection keeps its user";
    stats_->event(EventCode::token_refused, now, kTokenErrors, connection.id, fault);  // a number of its own
  }
  if (!fault.empty()) {
    send_error(connection, command.id, ErrorCode::auth_failed, fault, {}, now);
    close(connection, CloseCode::authentication_failed, fault, now);
    return;
  }
  const bool renewed = before != nullptr;
  const bool stricter = renewed && asks_more(*grant, *before);
  take_grant(connection, std::move(*grant));  // `before` is gone
  const Grant& granted = *connection.guard->grant;
  reply_.clear();
  append_native_auth_success(reply_, {.id = command.id,
                                      .user = granted.user,
                                      .expires_in = std::chrono::floor<milliseconds>(granted.expires - now.wall)});
  send_text(connection, reply_, now);
  arm_guard(connection, now);
  if (renewed) {
    recheck_subscriptions(connection, stricter, now);
  } else {
    join_personal_channel(connection, std::nullopt, now);
  }
}

// ---- what no longer stands ----

/// What is subscribed and no longer allowed, or not on these terms, ends the connection: it must not go on reading.
void Sessions::recheck_subscriptions(Connection& connection, bool stricter, Now now) {
  const Grant& grant = *connection.guard->grant;
  if (stricter && patterns_->patterns_of(connection.outbox) != 0) {
    revoke(connection, kOtherTerms, now);
    return;
  }
  for (std::uint32_t slot = connection.outbox.subscription_first; slot != kNoSlot;
       slot = channels_->next_subscription(slot)) {
    const std::string_view channel = channels_->channel_of(slot);
    const bool allowed = grant.may_subscribe(channel);
    if (allowed && !(stricter && !grant.owns(channel))) continue;
    revoke(connection, allowed ? kOtherTerms : "the token does not allow what is subscribed", now);
    return;
  }
}

void Sessions::revoke(Connection& connection, std::string_view why, Now now) {
  stats_->add(CounterId::permissions_revoked);
  stats_->event(EventCode::access_revoked, now, connection.outbox.subscriptions, connection.id, why);
  close(connection, CloseCode::policy_violation, why, now);
}

void Sessions::set_authenticator(const Authenticator* authenticator) {
  access_.authenticator = authenticator;
  recheck_from_ = 0;
}

/// After a reload every grant is looked at again, some at a time.
void Sessions::recheck_grants(Now now) {
  if (!rechecking()) return;
  const std::uint32_t end = std::min(recheck_from_ + kRecheckedPerStep, connections_.slot_end());
  for (; recheck_from_ < end; ++recheck_from_) {
    Connection* connection = connections_.at(recheck_from_);
    if (connection == nullptr || connection->phase != Connection::Phase::open || connection->guard == nullptr) continue;
    const Grant* grant = connection->guard->grant.get();
    if (grant != nullptr && !access_.authenticator->stands(*grant)) revoke(*connection, "the token was revoked", now);
  }
}

// ---- half-open ----

/// The node is full, and somebody here has taken a place without saying a word: the newcomer may have it.
bool Sessions::evict_half_open(Now now) {
  while (!half_open_.empty()) {
    Connection* oldest = find(half_open_.front());
    const bool waits_for_us = oldest != nullptr && (oldest->stall & kStallVerify) != 0;  // its request is in
    if (oldest == nullptr || oldest->phase != Connection::Phase::handshake || waits_for_us) {
      half_open_.pop_front();
      continue;
    }
    const nanoseconds age = now.wall - oldest->opened_at;
    if (age < kHalfOpenGrace) return false;
    half_open_.pop_front();
    stats_->add(CounterId::half_open_evicted);
    stats_->event(EventCode::half_open_evicted, now,
                  static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(age).count()), oldest->id);
    end(*oldest, ActionKind::reset, now);
    return true;
  }
  return false;
}

/// Remembers who came when, as long as it has not said its request; forgets those who have from time to time.
void Sessions::note_half_open(Handle connection) {
  if (half_open_.size() > 2 * std::size_t{stats_->get(CounterId::half_open)} + 64) {
    std::erase_if(half_open_, [this](Handle handle) {
      const Connection* known = connections_.find(handle);
      return known == nullptr || known->phase != Connection::Phase::handshake;
    });
  }
  half_open_.push_back(connection);
}

}  // namespace ringcast
