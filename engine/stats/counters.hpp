// engine/stats/counters.hpp: every counter and latency of a shard, one line each.
//
// Owner    this table.  Thread  any (constants).  Memory  8 bytes a row, shard and node block.
// Failure  a row that does not match its enumerator does not compile.
// Not here where the values live (shard_block.hpp), who adds to them (shard_stats.hpp), how they print (report.hpp).
//
// To add a counter: one enumerator in CounterId, one row in kCounters, at the same place. Readers find it by itself.
// A label shared by several rows is one metric with a label set (Prometheus: connections_closed{code="1000"}).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace ringcast {

enum class CounterKind : std::uint8_t {
  counter = 1,  // only grows; the node's value is the sum over shards
  gauge = 2,    // a number of now; the node's value is the sum over shards
  peak = 3,     // a highest or latest value; the node's value is the greatest of the shards
};

enum class CounterId : std::uint16_t {
  // connections
  connections_accepted,
  connections_refused_capacity,
  connections_refused_origin,
  connections_refused_host,
  connections_refused_limit,
  connections_refused_address,
  handshakes_failed_400,
  handshakes_failed_401,
  handshakes_failed_403,
  handshakes_failed_404,
  handshakes_failed_405,
  handshakes_failed_408,
  handshakes_failed_426,
  handshakes_failed_429,
  handshakes_failed_431,
  handshakes_failed_503,
  connections_open,
  connections_peak,
  connections_compressed,
  deflate_declined,
  closed_1000,
  closed_1001,
  closed_1002,
  closed_1003,
  closed_1007,
  closed_1008,
  closed_1009,
  closed_1013,
  closed_4001,
  closed_4002,
  closed_4003,
  closed_4008,
  closed_4009,
  closed_4010,
  closed_no_close,
  closed_other,
  users_unique,
  presence_users,
  presence_joined,
  presence_left,
  presence_unlisted,
  presence_graces_cut,
  presence_reports,
  presence_questions,
  notices_sent,
  notices_superseded,
  notices_missed,
  channels_stale,
  channels_became_stale,
  channels_became_live,
  // in
  bytes_received,
  bytes_sent,
  frames_received,
  messages_received,
  messages_in_bytes,
  commands_received,
  records_received,
  errors_sent_invalid_message,
  errors_sent_rate_limited,
  errors_sent_unauthorized,
  errors_sent_auth_required,
  errors_sent_auth_failed,
  errors_sent_processing_error,
  errors_sent_connection_closed,
  errors_sent_unknown_channel,
  errors_sent_too_many_subscriptions,
  errors_sent_message_too_large,
  errors_sent_overloaded,
  errors_sent_not_supported,
  protocol_errors,
  messages_inflated,
  inflate_refused_corrupt,
  inflate_refused_too_large,
  inflate_refused_utf8,
  echo_messages,
  last_activity,
  // channels, at home
  messages_published,
  messages_duplicate,
  messages_encoded,
  messages_deflated,
  deflate_saved_bytes,
  deflate_skipped_small,
  deflate_skipped_window,
  deflate_skipped_incompressible,
  publishes_parked,
  publishes_forwarded,
  channels_home,
  channels_expired,
  history_bytes,
  history_messages,
  // durable channels, at home
  durable_channels,
  offline_staged,
  offline_stored,
  offline_refused,
  offline_acks,
  offline_expired,
  offline_loaded,
  offline_channels_loaded,
  offline_loads_failed,
  // delivery
  channel_logs,
  log_bytes,
  subscriptions,
  subscriptions_total,
  gap_notices_conflated,
  gap_notices_dropped,
  gap_notices_expired,
  gap_notices_epoch,
  gap_messages_conflated,
  gap_messages_dropped,
  gap_messages_expired,
  gap_messages_epoch,
  conflations,
  conflations_chosen,
  drops,
  slow_disconnects,
  rate_waits,
  batch_waits,
  priority_yields,
  resumes_recovered,
  resumes_refused,
  catch_ups,
  catch_ups_total,
  catch_up_chunks,
  history_queries,
  patterns,
  patterns_refused,
  pattern_bindings,
  pattern_bindings_refused,
  channels_announced,
  // the ledger, copied from the consistent block by publish_ledger()
  ledger_offered,
  ledger_sent,
  ledger_conflated,
  ledger_dropped,
  ledger_abandoned,
  ledger_queued,
  // sending
  sends_submitted,
  sends_short,
  sends_again,
  sends_failed,
  remainders_copied,
  remainders_pinned,
  remainder_bytes,
  control_overflows,
  // the loop
  turns,
  turns_idle,
  sleeps,
  wakes_sent,
  wakes_received,
  timers_fired,
  busy_ns,
  // the mesh
  mesh_batches,
  mesh_bytes,
  mesh_lane_full,
  mesh_gaps,
  // resources and timeouts
  receive_buffers_exhausted,
  accept_paused,
  accept_errors,
  pings_sent,
  pongs_received,
  heartbeat_timeouts,
  idle_timeouts,
  handshake_timeouts,
  // the offline store, by the bridge
  store_commits,
  store_messages,
  store_bytes,
  store_refused,
  store_faults,
  store_repairs,
  store_expired,
  store_damaged,
  store_state,
  lifetime_ends,
  // access
  tokens_received_header,
  tokens_received_subprotocol,
  tokens_received_query,
  tokens_received_message,
  tokens_accepted,
  tokens_refused_malformed,
  tokens_refused_too_large,
  tokens_refused_unsigned,
  tokens_refused_wrong_algorithm,
  tokens_refused_unknown_key,
  tokens_refused_bad_signature,
  tokens_refused_bad_claims,
  tokens_refused_expired,
  tokens_refused_not_yet_valid,
  tokens_refused_wrong_issuer,
  tokens_refused_wrong_audience,
  tokens_refused_revoked,
  tokens_refused_other_user,
  tokens_waiting,
  tokens_waited,
  auth_timeouts,
  auth_notices,
  permissions_refused_subscribe,
  permissions_refused_publish,
  permissions_revoked,
  rate_limited_connection,
  rate_limited_publish,
  rate_limited_ping,
  rate_limited_user,
  rate_limited_address,
  half_open,
  half_open_evicted,
  proxy_headers_accepted,
  proxy_headers_malformed,
  proxy_headers_untrusted,
  forwarded_accepted,
  forwarded_untrusted,
  usage_records,
  usage_refusals,
  // the node
  config_reloads,
  config_reloads_refused,
  // TLS
  tls_handshakes,
  tls_resumed,
  tls_handshaking,
  tls_waited,
  tls_deferred,
  tls_unfinished,
  tls_failed_not_tls,
  tls_failed_version,
  tls_failed_parameters,
  tls_failed_alpn,
  tls_failed_certificate,
  tls_failed_record,
  tls_failed_renegotiation,
  tls_failed_refused,
  tls_failed_truncated,
  tls_failed_flood,
  tls_failed_slow,
  // the admin port; its threads count in the node's own block, through the control thread
  admin_requests,
  admin_actions,
  admin_questions,
  admin_questions_late,
  admin_refused_malformed_request,
  admin_refused_head_too_large,
  admin_refused_http_version,
  admin_refused_target_too_long,
  admin_refused_method_not_allowed,
  admin_refused_length_required,
  admin_refused_body_too_large,
  admin_refused_unsupported_media_type,
  admin_refused_foreign_origin,
  admin_refused_unknown_host,
  admin_refused_forwarded,
  admin_refused_remote_peer,
  admin_refused_auth_required,
  admin_refused_auth_failed,
  admin_refused_unauthorized,
  admin_refused_not_found,
  admin_refused_unknown_channel,
  admin_refused_unknown_connection,
  admin_refused_invalid_parameter,
  admin_refused_invalid_message,
  admin_refused_request_timeout,
  admin_refused_not_supported,
  admin_refused_not_stored,
  admin_refused_overloaded,
  admin_refused_busy,
  admin_refused_no_answer,
  admin_refused_internal_error,
  end,
};
inline constexpr std::size_t kCounterCount = std::to_underlying(CounterId::end);

struct CounterRow {
  CounterId id;
  CounterKind kind;
  std::string_view label;
  std::string_view label_set;  // "key=value", or empty
  std::string_view unit;
  std::string_view description;
};

inline constexpr auto kCounters = [] {
  using enum CounterId;
  using enum CounterKind;
  return std::to_array<CounterRow>({
      // connections
      {connections_accepted, counter, "connections_accepted", "", "connections", "Sockets accepted"},
      {connections_refused_capacity, counter, "connections_refused", "reason=capacity", "connections", "Refused with 503: the node or shard is full"},
      {connections_refused_origin, counter, "connections_refused", "reason=origin", "connections", "Refused with 403: a foreign Origin"},
      {connections_refused_host, counter, "connections_refused", "reason=host", "connections", "Refused with 403: an unknown Host"},
      {connections_refused_limit, counter, "connections_refused", "reason=limit", "connections", "Refused by memory pressure"},
      {connections_refused_address, counter, "connections_refused", "reason=address", "connections", "Refused with 429: a limit of their address"},
      {handshakes_failed_400, counter, "handshakes_failed", "status=400", "handshakes", "Handshakes answered 400: not a WebSocket upgrade"},
      {handshakes_failed_401, counter, "handshakes_failed", "status=401", "handshakes", "Handshakes answered 401: no token, or one that is not good"},
      {handshakes_failed_403, counter, "handshakes_failed", "status=403", "handshakes", "Handshakes answered 403: Origin or Host not allowed"},
      {handshakes_failed_404, counter, "handshakes_failed", "status=404", "handshakes", "Handshakes answered 404: no such path"},
      {handshakes_failed_405, counter, "handshakes_failed", "status=405", "handshakes", "Handshakes answered 405: method is not GET"},
      {handshakes_failed_408, counter, "handshakes_failed", "status=408", "handshakes", "Handshakes not complete within the handshake time"},
      {handshakes_failed_426, counter, "handshakes_failed", "status=426", "handshakes", "Handshakes answered 426: unsupported WebSocket version"},
      {handshakes_failed_429, counter, "handshakes_failed", "status=429", "handshakes", "Handshakes answered 429: a limit of their address"},
      {handshakes_failed_431, counter, "handshakes_failed", "status=431", "handshakes", "Handshakes answered 431: header block too large"},
      {handshakes_failed_503, counter, "handshakes_failed", "status=503", "handshakes", "Handshakes answered 503: at capacity"},
      {connections_open, gauge, "connections_open", "", "connections", "Connections open now"},
      {connections_peak, peak, "connections_peak", "", "connections", "Most connections open at one time on the node"},
      {connections_compressed, counter, "connections_compressed", "", "connections", "Connections that agreed on permessage-deflate"},
      {deflate_declined, counter, "deflate_declined", "", "connections", "Offers of permessage-deflate that were declined: for their terms, or it is off"},
      {closed_1000, counter, "connections_closed", "code=1000", "connections", "Closed with 1000: normal"},
      {closed_1001, counter, "connections_closed", "code=1001", "connections", "Closed with 1001: shutdown, or the client went away"},
      {closed_1002, counter, "connections_closed", "code=1002", "connections", "Closed with 1002: protocol error"},
      {closed_1003, counter, "connections_closed", "code=1003", "connections", "Closed with 1003: unsupported data"},
      {closed_1007, counter, "connections_closed", "code=1007", "connections", "Closed with 1007: invalid UTF-8, or a compressed message that does not unpack"},
      {closed_1008, counter, "connections_closed", "code=1008", "connections", "Closed with 1008: policy"},
      {closed_1009, counter, "connections_closed", "code=1009", "connections", "Closed with 1009: message too big"},
      {closed_1013, counter, "connections_closed", "code=1013", "connections", "Closed with 1013: try again later"},
      {closed_4001, counter, "connections_closed", "code=4001", "connections", "Closed with 4001: authentication failed"},
      {closed_4002, counter, "connections_closed", "code=4002", "connections", "Closed with 4002: authentication expired"},
      {closed_4003, counter, "connections_closed", "code=4003", "connections", "Closed with 4003: too many errors"},
      {closed_4008, counter, "connections_closed", "code=4008", "connections", "Closed with 4008: slow consumer"},
      {closed_4009, counter, "connections_closed", "code=4009", "connections", "Closed with 4009: heartbeat timeout"},
      {closed_4010, counter, "connections_closed", "code=4010", "connections", "Closed with 4010: disconnected by an administrator"},
      {closed_no_close, counter, "connections_closed", "code=1006", "connections", "Ended without a close frame"},
      {closed_other, counter, "connections_closed", "code=other", "connections", "Closed by the client with another code"},
      {users_unique, gauge, "users_unique", "", "users", "Users with at least one connection"},
      {presence_users, gauge, "presence_users", "", "users", "Users listed in channels with presence, once a channel"},
      {presence_joined, counter, "presence_changes", "change=joined", "changes", "Users that joined a channel with presence"},
      {presence_left, counter, "presence_changes", "change=left", "changes", "Users that left a channel with presence"},
      {presence_unlisted, counter, "presence_unlisted", "", "users", "Users counted but not listed: limits.presence"},
      {presence_graces_cut, counter, "presence_graces_cut", "", "users", "Users that left before their grace time was over: limits.presence"},
      {presence_reports, counter, "presence_reports", "", "reports", "Reports of users sent to other shards"},
      {presence_questions, counter, "presence_questions", "", "questions", "Questions about who is there"},
      {notices_sent, counter, "notices_sent", "", "notices", "Notices (user_joined, user_left, channel_state, presence_missed) queued, a reader"},
      {notices_superseded, counter, "notices_superseded", "", "notices", "Notices to other shards that a later change made void"},
      {notices_missed, counter, "notices_missed", "", "notices", "Notices left out for readers that do not read"},
      {channels_stale, gauge, "channels_stale", "", "channels", "Channels silent for their stale_after"},
      {channels_became_stale, counter, "channel_states", "state=stale", "changes", "Channels that became stale"},
      {channels_became_live, counter, "channel_states", "state=live", "changes", "Stale channels that became live again"},
      // in
      {bytes_received, counter, "bytes_received", "", "bytes", "Bytes taken from sockets"},
      {bytes_sent, counter, "bytes_sent", "", "bytes", "Bytes that the kernel accepted"},
      {frames_received, counter, "frames_received", "", "frames", "WebSocket frames received, control frames included"},
      {messages_received, counter, "messages_received", "", "messages", "Whole data messages received"},
      {messages_in_bytes, counter, "messages_in_bytes", "", "bytes", "Payload bytes of the messages received"},
      {commands_received, counter, "commands_received", "", "commands", "Client commands decoded"},
      {records_received, counter, "records_received", "", "records", "Publish records of the binary dialect decoded"},
      {errors_sent_invalid_message, counter, "errors_sent", "code=invalid_message", "errors", "Error replies 'invalid_message'"},
      {errors_sent_rate_limited, counter, "errors_sent", "code=rate_limited", "errors", "Error replies 'rate_limited'"},
      {errors_sent_unauthorized, counter, "errors_sent", "code=unauthorized", "errors", "Error replies 'unauthorized'"},
      {errors_sent_auth_required, counter, "errors_sent", "code=auth_required", "errors", "Error replies 'auth_required'"},
      {errors_sent_auth_failed, counter, "errors_sent", "code=auth_failed", "errors", "Error replies 'auth_failed'"},
      {errors_sent_processing_error, counter, "errors_sent", "code=processing_error", "errors", "Error replies 'processing_error'"},
      {errors_sent_connection_closed, counter, "errors_sent", "code=connection_closed", "errors", "Error replies 'connection_closed'"},
      {errors_sent_unknown_channel, counter, "errors_sent", "code=unknown_channel", "errors", "Error replies 'unknown_channel'"},
      {errors_sent_too_many_subscriptions, counter, "errors_sent", "code=too_many_subscriptions", "errors", "Error replies 'too_many_subscriptions'"},
      {errors_sent_message_too_large, counter, "errors_sent", "code=message_too_large", "errors", "Error replies 'message_too_large'"},
      {errors_sent_overloaded, counter, "errors_sent", "code=overloaded", "errors", "Error replies 'overloaded'"},
      {errors_sent_not_supported, counter, "errors_sent", "code=not_supported", "errors", "Error replies 'not_supported'"},
      {protocol_errors, counter, "protocol_errors", "", "errors", "Connections failed for breaking RFC 6455 or 7692"},
      {messages_inflated, counter, "messages_inflated", "", "messages", "Compressed messages received and unpacked"},
      {inflate_refused_corrupt, counter, "inflate_refused", "reason=corrupt", "messages", "Closed with 1007: a compressed message does not unpack"},
      {inflate_refused_too_large, counter, "inflate_refused", "reason=too_large", "messages", "Closed with 1009: a compressed message unpacks to too much"},
      {inflate_refused_utf8, counter, "inflate_refused", "reason=utf8", "messages", "Closed with 1007: a compressed text is not UTF-8"},
      {echo_messages, counter, "echo_messages", "", "messages", "Messages echoed on /echo"},
      {last_activity, peak, "last_activity", "", "ns since 1970", "When the node last received anything"},
      // channels, at home
      {messages_published, counter, "messages_published", "", "messages", "Messages sequenced"},
      {messages_duplicate, counter, "messages_duplicate", "", "messages", "Publishes answered as duplicates"},
      {messages_encoded, counter, "messages_encoded", "", "frames", "Frames encoded: one a message and wire form in use"},
      {messages_deflated, counter, "messages_deflated", "", "messages", "Messages compressed, once for all readers of an envelope"},
      {deflate_saved_bytes, counter, "deflate_saved_bytes", "", "bytes", "Bytes by which they got smaller, counted once, not once a reader"},
      {deflate_skipped_small, counter, "deflate_skipped", "reason=small", "messages", "Left plain although compressed ones are taken: below the threshold"},
      {deflate_skipped_window, counter, "deflate_skipped", "reason=window", "messages", "Left plain: who would take it compressed has a smaller window"},
      {deflate_skipped_incompressible, counter, "deflate_skipped", "reason=incompressible", "messages", "Left plain: it would not have got smaller"},
      {publishes_parked, counter, "publishes_parked", "", "publishes", "Publishes held back by back pressure"},
      {publishes_forwarded, counter, "publishes_forwarded", "", "publishes", "Publishes sent to the home of their channel"},
      {channels_home, gauge, "channels_home", "", "channels", "Channels that this shard is home to"},
      {channels_expired, counter, "channels_expired", "", "channels", "Channels removed because they were idle"},
      {history_bytes, gauge, "history_bytes", "", "bytes", "Bytes of history kept"},
      {history_messages, gauge, "history_messages", "", "messages", "Messages of history kept"},
      // durable channels, at home
      {durable_channels, gauge, "durable_channels", "", "channels", "Channels in use whose messages are stored"},
      {offline_staged, gauge, "offline_staged", "", "messages", "Messages that wait for the offline store"},
      {offline_stored, counter, "offline_stored", "", "messages", "Messages stored before anybody was sent them"},
      {offline_refused, counter, "offline_refused", "", "messages", "Messages refused because they could not be stored"},
      {offline_acks, counter, "offline_acks", "", "acknowledgements", "Acknowledgements of subscribers"},
      {offline_expired, counter, "offline_expired", "", "messages", "Messages forgotten beyond the bounds of [offline] before they were done with"},
      {offline_loaded, counter, "offline_loaded", "", "messages", "Messages that came from the offline store"},
      {offline_channels_loaded, counter, "offline_channels_loaded", "", "channels", "Times a channel's past was asked of the offline store"},
      {offline_loads_failed, counter, "offline_loads_failed", "", "channels", "Times a channel's past could not be read"},
      // delivery
      {channel_logs, gauge, "channel_logs", "", "logs", "Channel logs that exist"},
      {log_bytes, gauge, "log_bytes", "", "bytes", "Bytes of log blocks in use"},
      {subscriptions, gauge, "subscriptions", "", "subscriptions", "Subscriptions now"},
      {subscriptions_total, counter, "subscriptions_total", "", "subscriptions", "Subscriptions made"},
      {gap_notices_conflated, counter, "gap_notices", "reason=conflated", "notices", "Gap notices written: messages conflated"},
      {gap_notices_dropped, counter, "gap_notices", "reason=dropped", "notices", "Gap notices written: messages dropped"},
      {gap_notices_expired, counter, "gap_notices", "reason=expired", "notices", "Gap notices written: messages lost to history that expired"},
      {gap_notices_epoch, counter, "gap_notices", "reason=epoch", "notices", "Gap notices written: messages at a change of epoch"},
      {gap_messages_conflated, counter, "gap_messages", "reason=conflated", "messages", "Messages that gap notices named as conflated"},
      {gap_messages_dropped, counter, "gap_messages", "reason=dropped", "messages", "Messages that gap notices named as dropped"},
      {gap_messages_expired, counter, "gap_messages", "reason=expired", "messages", "Messages that gap notices named as lost to history that expired"},
      {gap_messages_epoch, counter, "gap_messages", "reason=epoch", "messages", "Messages that gap notices named as lost at a change of epoch"},
      {conflations, counter, "conflations", "", "events", "Times a slow reader was moved to the newest message"},
      {conflations_chosen, counter, "conflations_chosen", "", "events", "Times a reader that asked for the newest only was moved to it"},
      {drops, counter, "drops", "", "events", "Times a slow reader was moved to the tail of the log"},
      {slow_disconnects, counter, "slow_disconnects", "", "connections", "Readers closed with 4008 by the slow-reader policy"},
      {rate_waits, counter, "rate_waits", "", "events", "Times news of a subscription waited for the end of its interval"},
      {batch_waits, counter, "batch_waits", "", "events", "Times news of a channel waited for company"},
      {priority_yields, counter, "priority_yields", "", "turns", "Turns that began with a normal channel although a high one had news"},
      {resumes_recovered, counter, "resumes_recovered", "", "subscriptions", "Resumes that were given every missed message"},
      {resumes_refused, counter, "resumes_refused", "", "subscriptions", "Resumes answered recovered:false"},
      {catch_ups, gauge, "catch_ups", "", "subscriptions", "Subscriptions that are sent from history until their log holds what they want"},
      {catch_ups_total, counter, "catch_ups_total", "", "subscriptions", "Subscriptions that were, since the start"},
      {catch_up_chunks, counter, "catch_up_chunks", "", "chunks", "Chunks of history that readers were given"},
      {history_queries, counter, "history_queries", "", "queries", "History queries answered by this shard as the channel's home"},
      {patterns, gauge, "patterns", "", "patterns", "Patterns that connections subscribe to now"},
      {patterns_refused, counter, "patterns_refused", "", "patterns", "Patterns not subscribed to: a limit, or not valid"},
      {pattern_bindings, gauge, "pattern_bindings", "", "subscriptions", "Subscriptions that a pattern made and holds"},
      {pattern_bindings_refused, counter, "pattern_bindings_refused", "", "channels", "Channels that a pattern matched and could not bind"},
      {channels_announced, counter, "channels_announced", "", "channels", "Channels told to shards that watch a pattern"},
      // the ledger, copied from the consistent block by publish_ledger()
      {ledger_offered, counter, "ledger_offered", "", "messages", "Messages x readers offered at append"},
      {ledger_sent, counter, "ledger_sent", "", "messages", "Messages x readers sent in whole frames"},
      {ledger_conflated, counter, "ledger_conflated", "", "messages", "Messages x readers skipped by conflation"},
      {ledger_dropped, counter, "ledger_dropped", "", "messages", "Messages x readers dropped"},
      {ledger_abandoned, counter, "ledger_abandoned", "", "messages", "Messages x readers not sent to readers that left"},
      {ledger_queued, gauge, "ledger_queued", "", "messages", "Messages x readers waiting to be sent"},
      // sending
      {sends_submitted, counter, "sends_submitted", "", "sends", "SEND requests submitted"},
      {sends_short, counter, "sends_short", "", "sends", "Sends that took a part of their bytes"},
      {sends_again, counter, "sends_again", "", "sends", "Sends that took nothing: EAGAIN"},
      {sends_failed, counter, "sends_failed", "", "sends", "Sends that failed with another error"},
      {remainders_copied, counter, "remainders_copied", "", "remainders", "Broken frames copied into the connection"},
      {remainders_pinned, counter, "remainders_pinned", "", "remainders", "Broken frames kept in place by a pin"},
      {remainder_bytes, gauge, "remainder_bytes", "", "bytes", "Bytes of remainders that wait for their reader"},
      {control_overflows, counter, "control_overflows", "", "connections", "Clients paused because they left too many replies unread"},
      // the loop
      {turns, counter, "turns", "", "turns", "Turns of the loop"},
      {turns_idle, counter, "turns_idle", "", "turns", "Turns in which nothing happened"},
      {sleeps, counter, "sleeps", "", "sleeps", "Times the shard slept in the ring"},
      {wakes_sent, counter, "wakes_sent", "", "wakes", "Wake-ups sent to other shards"},
      {wakes_received, counter, "wakes_received", "", "wakes", "Wake-ups received from other shards"},
      {timers_fired, counter, "timers_fired", "", "timers", "Timers fired"},
      {busy_ns, counter, "busy_ns", "", "ns", "Time spent in turns that did something"},
      // the mesh
      {mesh_batches, counter, "mesh_batches", "", "batches", "Batches sent to other shards"},
      {mesh_bytes, counter, "mesh_bytes", "", "bytes", "Bytes sent to other shards"},
      {mesh_lane_full, counter, "mesh_lane_full", "", "events", "Times a lane had no room"},
      {mesh_gaps, counter, "mesh_gaps", "", "gaps", "Gap records sent because a lane lagged too far"},
      // resources and timeouts
      {receive_buffers_exhausted, counter, "receive_buffers_exhausted", "", "events", "Times the receive buffer ring ran dry"},
      {accept_paused, counter, "accept_paused", "", "events", "Times accepting was paused"},
      {accept_errors, counter, "accept_errors", "", "errors", "Accepts that failed"},
      {pings_sent, counter, "pings_sent", "", "pings", "Heartbeat pings sent"},
      {pongs_received, counter, "pongs_received", "", "pongs", "Pongs received"},
      {heartbeat_timeouts, counter, "heartbeat_timeouts", "", "connections", "Closed with 4009: pings unanswered"},
      {idle_timeouts, counter, "idle_timeouts", "", "connections", "Closed after the idle time"},
      {handshake_timeouts, counter, "handshake_timeouts", "", "connections", "Closed before their handshake was complete"},
      // the offline store, by the bridge
      {store_commits, counter, "store_commits", "", "transactions", "Transactions that the offline store committed"},
      {store_messages, counter, "store_messages", "", "messages", "Messages committed to the offline store"},
      {store_bytes, counter, "store_bytes", "", "bytes", "Bytes of these"},
      {store_refused, counter, "store_refused", "", "requests", "Requests that the offline store refused"},
      {store_faults, counter, "store_faults", "", "faults", "Times the offline store left its good state"},
      {store_repairs, counter, "store_repairs", "", "repairs", "Times it came back to it"},
      {store_expired, counter, "store_expired", "", "messages", "Messages too old, forgotten while nobody used their channel"},
      {store_damaged, counter, "store_damaged", "", "messages", "Messages that were not what was written, left out"},
      {store_state, peak, "store_state", "", "state", "0 good, 1 full, 2 failing, 3 lost, 4 damaged"},
      {lifetime_ends, counter, "lifetime_ends", "", "connections", "Closed with 1001 after limits.lifetime"},
      // access
      {tokens_received_header, counter, "tokens_received", "way=header", "tokens", "Tokens in an Authorization field"},
      {tokens_received_subprotocol, counter, "tokens_received", "way=subprotocol", "tokens", "Tokens in a subprotocol bearer.<token>"},
      {tokens_received_query, counter, "tokens_received", "way=query", "tokens", "Tokens in a URL, where others log them"},
      {tokens_received_message, counter, "tokens_received", "way=message", "tokens", "Tokens in an auth message"},
      {tokens_accepted, counter, "tokens_accepted", "", "tokens", "Tokens that were good"},
      {tokens_refused_malformed, counter, "tokens_refused", "reason=malformed", "tokens", "Tokens refused: no token at all"},
      {tokens_refused_too_large, counter, "tokens_refused", "reason=too_large", "tokens", "Tokens refused: too large"},
      {tokens_refused_unsigned, counter, "tokens_refused", "reason=unsigned", "tokens", "Tokens refused: alg none"},
      {tokens_refused_wrong_algorithm, counter, "tokens_refused", "reason=wrong_algorithm", "tokens", "Tokens refused: no key is for their algorithm"},
      {tokens_refused_unknown_key, counter, "tokens_refused", "reason=unknown_key", "tokens", "Tokens refused: no key has their kid"},
      {tokens_refused_bad_signature, counter, "tokens_refused", "reason=bad_signature", "tokens", "Tokens refused: the signature is not the key's"},
      {tokens_refused_bad_claims, counter, "tokens_refused", "reason=bad_claims", "tokens", "Tokens refused: a claim is missing or malformed"},
      {tokens_refused_expired, counter, "tokens_refused", "reason=expired", "tokens", "Tokens refused: expired"},
      {tokens_refused_not_yet_valid, counter, "tokens_refused", "reason=not_yet_valid", "tokens", "Tokens refused: not valid yet"},
      {tokens_refused_wrong_issuer, counter, "tokens_refused", "reason=wrong_issuer", "tokens", "Tokens refused: another issuer's"},
      {tokens_refused_wrong_audience, counter, "tokens_refused", "reason=wrong_audience", "tokens", "Tokens refused: for another audience"},
      {tokens_refused_revoked, counter, "tokens_refused", "reason=revoked", "tokens", "Tokens refused: revoked"},
      {tokens_refused_other_user, counter, "tokens_refused", "reason=other_user", "tokens", "Tokens refused: another user's than the connection's"},
      {tokens_waiting, gauge, "tokens_waiting", "", "connections", "Connections whose token waits to be checked"},
      {tokens_waited, counter, "tokens_waited", "", "tokens", "Tokens that had to wait: auth.verifications_per_second"},
      {auth_timeouts, counter, "auth_timeouts", "", "connections", "Closed with 4001: no token came in time"},
      {auth_notices, counter, "auth_notices", "", "notices", "Clients told that their token expires"},
      {permissions_refused_subscribe, counter, "permissions_refused", "operation=subscribe", "operations", "Subscriptions that the token does not allow"},
      {permissions_refused_publish, counter, "permissions_refused", "operation=publish", "operations", "Publishes that the token does not allow"},
      {permissions_revoked, counter, "permissions_revoked", "", "connections", "Closed with 1008: their token was revoked, or does not allow what they read"},
      {rate_limited_connection, counter, "rate_limited", "scope=connection", "commands", "Commands refused: too many of the connection"},
      {rate_limited_publish, counter, "rate_limited", "scope=publish", "commands", "Publishes refused: too many of the connection"},
      {rate_limited_ping, counter, "rate_limited", "scope=ping", "pings", "Ping frames not answered: too many of the connection"},
      {rate_limited_user, counter, "rate_limited", "scope=user", "commands", "Commands refused: too many of the user"},
      {rate_limited_address, counter, "rate_limited", "scope=address", "commands", "Commands refused: too many of the address"},
      {half_open, gauge, "half_open", "", "connections", "Connections whose handshake is not complete"},
      {half_open_evicted, counter, "half_open_evicted", "", "connections", "Reset before their handshake was complete, to make room for others"},
      {proxy_headers_accepted, counter, "proxy_headers", "verdict=accepted", "connections", "PROXY headers of trusted proxies"},
      {proxy_headers_malformed, counter, "proxy_headers", "verdict=malformed", "connections", "PROXY headers that could not be read"},
      {proxy_headers_untrusted, counter, "proxy_headers", "verdict=untrusted", "connections", "PROXY headers of others: refused with 400"},
      {forwarded_accepted, counter, "forwarded", "verdict=accepted", "requests", "Requests whose X-Forwarded-For was believed"},
      {forwarded_untrusted, counter, "forwarded", "verdict=untrusted", "requests", "Requests with an X-Forwarded-For that nobody vouches for: ignored"},
      {usage_records, counter, "usage_records", "", "records", "Lines for the entitlement record"},
      {usage_refusals, counter, "usage_refusals", "", "subscriptions", "Subscriptions refused because the entitlement record is behind"},
      // the node
      {config_reloads, counter, "config_reloads", "", "reloads", "Configurations that were loaded again and taken"},
      {config_reloads_refused, counter, "config_reloads_refused", "", "reloads", "Configurations that were loaded again and refused: nothing changed"},
      // TLS
      {tls_handshakes, counter, "tls_handshakes", "", "handshakes", "TLS handshakes completed"},
      {tls_resumed, counter, "tls_resumed", "", "handshakes", "Of them, resumed by a ticket"},
      {tls_handshaking, gauge, "tls_handshaking", "", "handshakes", "TLS handshakes under way now"},
      {tls_waited, counter, "tls_waited", "", "connections", "Connections that waited because tls.handshakes_max were under way"},
      {tls_deferred, counter, "tls_deferred", "", "steps", "Steps of handshakes put off to a later turn"},
      {tls_unfinished, counter, "tls_unfinished", "", "connections", "Ended before their TLS handshake was complete, without a mistake"},
      {tls_failed_not_tls, counter, "tls_failed", "reason=not_tls", "connections", "The first bytes were no TLS"},
      {tls_failed_version, counter, "tls_failed", "reason=version", "connections", "The client spoke no TLS above 1.1"},
      {tls_failed_parameters, counter, "tls_failed", "reason=parameters", "connections", "No cipher, group or signature in common"},
      {tls_failed_alpn, counter, "tls_failed", "reason=alpn", "connections", "The client offered protocols, but not http/1.1"},
      {tls_failed_certificate, counter, "tls_failed", "reason=certificate", "connections", "The client's certificate was missing or not trusted"},
      {tls_failed_record, counter, "tls_failed", "reason=record", "connections", "A broken record, or a handshake against the rules"},
      {tls_failed_renegotiation, counter, "tls_failed", "reason=renegotiation", "connections", "The client asked to renegotiate"},
      {tls_failed_refused, counter, "tls_failed", "reason=refused", "connections", "The client refused with an alert"},
      {tls_failed_truncated, counter, "tls_failed", "reason=truncated", "connections", "The connection ended within a record"},
      {tls_failed_flood, counter, "tls_failed", "reason=flood", "connections", "More input than a handshake may have, or answers left unread"},
      {tls_failed_slow, counter, "tls_failed", "reason=slow", "connections", "A handshake took a second while others waited"},
      // the admin port
      {admin_requests, counter, "admin_requests", "", "requests", "Admin requests received"},
      {admin_actions, counter, "admin_actions", "", "actions", "Admin requests that changed something"},
      {admin_questions, counter, "admin_questions", "", "questions", "Questions of the admin port that shards worked on"},
      {admin_questions_late, counter, "admin_questions_late", "", "questions", "Questions dropped because who asked had gone"},
      {admin_refused_malformed_request, counter, "admin_refused", "code=malformed_request", "requests", "Refused with 400: not HTTP, or ambiguous"},
      {admin_refused_head_too_large, counter, "admin_refused", "code=head_too_large", "requests", "Refused with 431: the head is too large"},
      {admin_refused_http_version, counter, "admin_refused", "code=http_version", "requests", "Refused with 505: another version than HTTP/1.1"},
      {admin_refused_target_too_long, counter, "admin_refused", "code=target_too_long", "requests", "Refused with 414: the target is too long"},
      {admin_refused_method_not_allowed, counter, "admin_refused", "code=method_not_allowed", "requests", "Refused with 405: the path has other methods"},
      {admin_refused_length_required, counter, "admin_refused", "code=length_required", "requests", "Refused with 411: a body without Content-Length"},
      {admin_refused_body_too_large, counter, "admin_refused", "code=body_too_large", "requests", "Refused with 413: the body is too large"},
      {admin_refused_unsupported_media_type, counter, "admin_refused", "code=unsupported_media_type", "requests", "Refused with 415: not JSON"},
      {admin_refused_foreign_origin, counter, "admin_refused", "code=foreign_origin", "requests", "Refused with 403: a web page from elsewhere"},
      {admin_refused_unknown_host, counter, "admin_refused", "code=unknown_host", "requests", "Refused with 403: a Host that is not the node's"},
      {admin_refused_forwarded, counter, "admin_refused", "code=forwarded", "requests", "Refused with 403: came through a proxy, without a token"},
      {admin_refused_remote_peer, counter, "admin_refused", "code=remote_peer", "requests", "Refused with 403: from another host"},
      {admin_refused_auth_required, counter, "admin_refused", "code=auth_required", "requests", "Refused with 401: no token"},
      {admin_refused_auth_failed, counter, "admin_refused", "code=auth_failed", "requests", "Refused with 401: a token that is not good"},
      {admin_refused_unauthorized, counter, "admin_refused", "code=unauthorized", "requests", "Refused with 403: no administrator's token"},
      {admin_refused_not_found, counter, "admin_refused", "code=not_found", "requests", "Refused with 404: no such path"},
      {admin_refused_unknown_channel, counter, "admin_refused", "code=unknown_channel", "requests", "Refused with 404: no such channel"},
      {admin_refused_unknown_connection, counter, "admin_refused", "code=unknown_connection", "requests", "Refused with 404: no such connection"},
      {admin_refused_invalid_parameter, counter, "admin_refused", "code=invalid_parameter", "requests", "Refused with 400: path or query is wrong"},
      {admin_refused_invalid_message, counter, "admin_refused", "code=invalid_message", "requests", "Refused with 400: a body that is wrong"},
      {admin_refused_request_timeout, counter, "admin_refused", "code=request_timeout", "requests", "Refused with 408: the request did not come in time"},
      {admin_refused_not_supported, counter, "admin_refused", "code=not_supported", "requests", "Refused with 501: not supported"},
      {admin_refused_not_stored, counter, "admin_refused", "code=not_stored", "requests", "Refused with 503: the offline store cannot keep the message"},
      {admin_refused_overloaded, counter, "admin_refused", "code=overloaded", "requests", "Refused with 503: readers lack their turns"},
      {admin_refused_busy, counter, "admin_refused", "code=busy", "requests", "Refused with 503: too many requests at a time"},
      {admin_refused_no_answer, counter, "admin_refused", "code=no_answer", "requests", "Refused with 504: a shard did not answer in time"},
      {admin_refused_internal_error, counter, "admin_refused", "code=internal_error", "requests", "Refused with 500: a mistake of the node's"},
  });
}();
static_assert(kCounters.size() == kCounterCount, "every counter has a row");
static_assert([] {
  for (std::size_t i = 0; i < kCounters.size(); ++i) {
    if (std::to_underlying(kCounters[i].id) != i) return false;
  }
  return true;
}(), "rows stand in the order of the enum");

/// Time differences, in nanoseconds, kept as histograms.
enum class LatencyId : std::uint8_t { receive_to_append, append_to_send, receive_to_send, end };
inline constexpr std::size_t kLatencyCount = std::to_underlying(LatencyId::end);

struct LatencyRow {
  LatencyId id;
  std::string_view label;
  std::string_view description;
};
inline constexpr std::array kLatencies{
    LatencyRow{LatencyId::receive_to_append, "receive_to_append", "From a publish's bytes to its frame in the log"},
    LatencyRow{LatencyId::append_to_send, "append_to_send", "From the frame in the log to the kernel, a reader"},
    LatencyRow{LatencyId::receive_to_send, "receive_to_send", "From a publish's bytes to the kernel, a reader"},
};
static_assert(kLatencies.size() == kLatencyCount, "every latency has a row");

/// The counter for a close code that was sent or received; codes without a row of their own are closed_other.
[[nodiscard]] constexpr CounterId closed_counter(std::uint16_t code) {
  switch (code) {
    case 1000: return CounterId::closed_1000;
    case 1001: return CounterId::closed_1001;
    case 1002: return CounterId::closed_1002;
    case 1003: return CounterId::closed_1003;
    case 1006: return CounterId::closed_no_close;
    case 1007: return CounterId::closed_1007;
    case 1008: return CounterId::closed_1008;
    case 1009: return CounterId::closed_1009;
    case 1013: return CounterId::closed_1013;
    case 4001: return CounterId::closed_4001;
    case 4002: return CounterId::closed_4002;
    case 4003: return CounterId::closed_4003;
    case 4008: return CounterId::closed_4008;
    case 4009: return CounterId::closed_4009;
    case 4010: return CounterId::closed_4010;
    default: return CounterId::closed_other;
  }
}

/// The counter for an HTTP status that refused a handshake; a status without a row of its own counts as 400.
[[nodiscard]] constexpr CounterId handshake_counter(std::uint16_t status) {
  switch (status) {
    case 401: return CounterId::handshakes_failed_401;
    case 403: return CounterId::handshakes_failed_403;
    case 404: return CounterId::handshakes_failed_404;
    case 405: return CounterId::handshakes_failed_405;
    case 408: return CounterId::handshakes_failed_408;
    case 426: return CounterId::handshakes_failed_426;
    case 429: return CounterId::handshakes_failed_429;
    case 431: return CounterId::handshakes_failed_431;
    case 503: return CounterId::handshakes_failed_503;
    default: return CounterId::handshakes_failed_400;
  }
}

inline constexpr std::size_t kErrorCounters = 12;  // protocol.md section 3, "Error codes"
static_assert(std::to_underlying(CounterId::errors_sent_not_supported) -
                      std::to_underlying(CounterId::errors_sent_invalid_message) + 1 == kErrorCounters,
              "one row an error code, in the order of ErrorCode (codec/dialect/command.hpp)");
/// The counter for an error reply; `code` is std::to_underlying(ErrorCode).
[[nodiscard]] constexpr CounterId error_counter(std::uint8_t code) {
  return static_cast<CounterId>(std::to_underlying(CounterId::errors_sent_invalid_message) + code);
}

inline constexpr std::size_t kTlsFailures = 11;
static_assert(std::to_underlying(CounterId::tls_failed_slow) - std::to_underlying(CounterId::tls_failed_not_tls) +
                      1 == kTlsFailures,
              "one row a reason, in the order of TlsFailure (engine/transport/tls_stream.hpp)");
/// The counter for a TLS connection that failed; `reason` is std::to_underlying(TlsFailure).
[[nodiscard]] constexpr CounterId tls_failed_counter(std::uint8_t reason) {
  return static_cast<CounterId>(std::to_underlying(CounterId::tls_failed_not_tls) + reason);
}

inline constexpr std::size_t kAdminErrorCounters = 27;
static_assert(std::to_underlying(CounterId::admin_refused_internal_error) -
                      std::to_underlying(CounterId::admin_refused_malformed_request) + 1 == kAdminErrorCounters,
              "one row an error, in the order of AdminError (engine/admin/admin_error.hpp)");
/// The counter for a refusal of the admin port; `error` is std::to_underlying(AdminError).
[[nodiscard]] constexpr CounterId admin_refused_counter(std::uint8_t error) {
  return static_cast<CounterId>(std::to_underlying(CounterId::admin_refused_malformed_request) + error);
}

inline constexpr std::size_t kGapReasons = 4;
/// The counters for a gap; `reason` is std::to_underlying(GapReason) (codec/dialect/command.hpp).
[[nodiscard]] constexpr CounterId gap_notice_counter(std::uint8_t reason) {
  return static_cast<CounterId>(std::to_underlying(CounterId::gap_notices_conflated) + reason);
}
[[nodiscard]] constexpr CounterId gap_message_counter(std::uint8_t reason) {
  return static_cast<CounterId>(std::to_underlying(CounterId::gap_messages_conflated) + reason);
}

}  // namespace ringcast
