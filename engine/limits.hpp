// engine/limits.hpp: every limit of the engine: its unit, where it comes from, and how it relates to the others.
//
// Constants are fixed by the design; the structs are what configuration may change (engine/config maps keys onto them).
// Thread  any (values).  Memory  none.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "alloc/base/time.hpp"
#include "alloc/base/units.hpp"
#include "codec/text/ip_address.hpp"

namespace ringcast {

// ---- fixed ----

inline constexpr std::size_t kTurnBytesMax = 64_KiB;              // design.md, step 9 of the path of a message
inline constexpr std::size_t kTlsTurnBytesMax = 16_KiB;           // of a TLS connection: one record
inline constexpr std::size_t kSendBatchMax = 32;                  // sends a submit; measurements.md "When to send"
inline constexpr std::uint32_t kExpandShare = 4;                  // readers looked at for news, for each turn given
inline constexpr std::uint8_t kHighTurnsMax = 3;                  // a normal channel begins every fourth turn at least
inline constexpr std::size_t kPinnedFrameBytesMin = 16_KiB;       // larger broken frames are pinned, not copied
inline constexpr std::size_t kControlBytesMax = 256_KiB;          // replies left unread before a client's input pauses
inline constexpr std::uint8_t kLargeWindowBits = 15;              // RFC 7692: who does not ask for less
inline constexpr std::uint8_t kSmallWindowBits = 12;              // decision: 4 KiB at the client; most messages fit
inline constexpr std::size_t kReplyBytesMax = 64_KiB;             // one reply; a longer list is split or refused
inline constexpr std::uint32_t kHistoryQueryMax = 1'000;          // messages in one answer; `more` tells of the rest
inline constexpr std::uint32_t kHistoryQueryDefault = 100;
inline constexpr std::uint32_t kShardsMax = 64;                   // lanes grow with its square
inline constexpr std::uint32_t kConnectionsMax = 10'000'000;      // what limits.connections may be set to
inline constexpr std::uint32_t kChannelsMax = 100'000'000;        // the same for limits.channels
inline constexpr std::uint32_t kCommandChannelsMax = 1'024;       // channels in one subscribe
inline constexpr std::uint32_t kRefusalSlots = 256;                // above the limit, waiting for their 503
inline constexpr std::uint32_t kStrangerBytesMax = 16U << 10;     // a message of who has yet to authenticate
inline constexpr std::uint32_t kSweepSlotsPerTick = 4'096;        // of one kind looked at in one housekeeping
inline constexpr std::size_t kMeshBatchBytesMax = 32_KiB;         // of frames in a mesh record; one may be larger
inline constexpr std::size_t kMeshBacklogBytes = 256_KiB;         // of frames in a lane: more waits in the home's log
inline constexpr std::size_t kLapBytesMax = 64_KiB;               // a channel grows by so much a lap of the turn queue
inline constexpr std::uint32_t kLapLagShare = 8;                  // and by this part of its readers' lag bounds
inline constexpr milliseconds kPaceTime{1'000};                   // publishers are held so long for a shard that stalls
inline constexpr std::size_t kInboxPauseBytes = 64_KiB;           // unprocessed input above which receiving pauses
inline constexpr std::uint32_t kMeshRecordsPerDrain = 1'024;      // a bound on one lane's share of a turn
inline constexpr std::size_t kMeshBytesPerDrain = 256_KiB;         // the same for bulk: readers have turns in between
inline constexpr std::uint32_t kPatternsPerShardMax = 4'096;      // different ones: every new channel meets them all
inline constexpr std::uint32_t kPatternStepsPerTurn = 512;        // names and patterns compared: some 30 us of a turn
inline constexpr std::uint32_t kBindingsPerTurn = 128;            // joins that patterns make: some 100 us of a turn
inline constexpr std::uint32_t kAnnounceWindow = 64;              // channels told to a shard that it has not dealt with
inline constexpr std::uint32_t kLetGoPerTurn = 4'096;             // bindings of silent channels ended in a turn
inline constexpr milliseconds kTimerTick{1};
inline constexpr milliseconds kDeadlineStep{10};                  // deadlines of connections are rounded up to these
inline constexpr int kHeartbeatSteps = 128;                       // pings of connections go out together, in so many
inline constexpr milliseconds kHeartbeatStepMax{80};              // steps an interval, or in steps of this
inline constexpr milliseconds kLingerTime{2'000};                 // from our FIN to the peer's
inline constexpr milliseconds kReleaseInterval{10'000};           // how often empty chunks of slabs are looked for
inline constexpr milliseconds kLogLinger{10'000};                 // a log that lost its last reader is kept this long
inline constexpr milliseconds kShutdownSettle{100};               // from begin_shutdown to the first 1001
inline constexpr milliseconds kLagCheckInterval{50};              // how late a lag bound in time may be noticed
inline constexpr milliseconds kHousekeepingInterval{250};         // log trimming, ledger publication, channel expiry

// ---- configurable (protocol.md sections 1 and 9) ----

struct LimitOptions {
  std::uint32_t connections = 10'000;              // on the node; a shard gets an equal share, rounded up
  std::uint32_t connections_per_address = 0;       // on the node; 0: no limit
  std::uint32_t subscriptions = 1'024;             // a connection; channels that patterns bind count too
  std::uint32_t patterns = 64;                     // a connection
  std::uint32_t channels = 100'000;                // on the node, counted where they are home
  std::uint32_t presence = 200'000;                // users x channels that a shard lists; more are counted only
  std::uint32_t notice_bytes = 16U << 10;          // unread by a connection, above which notices are left out
  std::uint32_t message_bytes = 1U << 20;
  std::uint32_t header_bytes = 16U << 10;
  std::uint32_t header_fields = 100;
  milliseconds handshake_time{5'000};
  milliseconds idle_time{30 * 60 * 1'000};         // no traffic at all, while heartbeats are off
  milliseconds lifetime{0};                        // of a connection, however busy; 0: no limit
  milliseconds channel_idle_time{5 * 60 * 1'000};  // a channel without readers and messages expires after this
};

struct HeartbeatOptions {
  milliseconds interval{30'000};                   // 0: off
  milliseconds interval_exchange{20'000};          // protocol.md section 4
  std::uint32_t missed_max = 2;
};

struct AccessOptions {
  std::vector<std::string> origins;                // allow-listed origins, exact ("https://desk.example")
  std::vector<std::string> hosts;                  // allow-listed Host names, besides loopback names
  bool insecure = false;                           // listening off loopback without authentication
  bool authenticates = false;                      // a key is configured: who has no token may do nothing
  bool spares_loopback = true;                     // limits of an address are not for those on this host
  std::vector<IpRange> trusted_proxies{};          // whose word for whom they connect is believed
  std::uint32_t verifications_per_second = 2'000;  // of tokens, on each shard; ADR 0013
  milliseconds expiry_notice{30'000};              // before its token expires a client is told
};

/// How much a client may send. A rate of 0 is no limit.
struct RateOptions {
  std::uint32_t messages_per_second = 0;           // commands other than publish, of a connection
  std::uint32_t burst = 20;                        // of these, at once
  std::uint32_t publish_per_second = 0;            // publishes of a connection
  std::uint32_t publish_burst = 0;                 // of these, at once; 0: what two seconds allow
  std::uint32_t user_messages_per_second = 0;      // as messages_per_second, of a user on all of its connections
  std::uint32_t address_messages_per_second = 0;   // and of an address; the burst of both is what two seconds allow
};

struct CompressionOptions {
  bool enabled = true;                             // permessage-deflate is agreed to when a client offers it
  std::uint32_t threshold = 1U << 10;              // smaller messages go out as they are
};

struct ErrorBudgetOptions {
  std::uint32_t errors_max = 5;                    // 0: never closes
  milliseconds errors_window{10 * 60 * 1'000};
};

enum class SlowPolicy : std::uint8_t { conflate, drop_oldest, disconnect };
enum class StateKeeping : std::uint8_t { none, last, snapshot_delta };  // what a joiner is given of the past
enum class PayloadKind : std::uint8_t { json, binary };
enum class Priority : std::uint8_t { normal, high };
enum class DedupeBy : std::uint8_t { id, payload, off };
enum class DedupeScope : std::uint8_t { publisher, channel };

struct HistoryLimits {
  std::uint32_t messages = 1'000;
  std::uint64_t bytes = 1_MiB;
  milliseconds age{5 * 60 * 1'000};
  bool operator==(const HistoryLimits&) const = default;
};
struct LagLimits {
  std::uint32_t messages = 4'096;
  std::uint64_t bytes = 4_MiB;
  milliseconds time{10'000};

  /// How far a channel may run ahead of readers that only wait for their turn, well before the bounds are reached.
  [[nodiscard]] constexpr std::uint32_t pace_messages() const { return std::max(messages / kLapLagShare, 1U); }
  [[nodiscard]] constexpr std::uint64_t pace_bytes(std::uint64_t most) const {
    return std::clamp<std::uint64_t>(bytes / kLapLagShare, 1, most);
  }
  bool operator==(const LagLimits&) const = default;
};
struct DedupeOptions {
  DedupeBy by = DedupeBy::id;
  std::uint32_t entries = 10'000;
  milliseconds window{60'000};
  DedupeScope scope = DedupeScope::publisher;
  bool operator==(const DedupeOptions&) const = default;
};

/// One [[namespace]] table: what the channels that `match` binds get. The first that matches wins.
struct NamespaceRule {
  std::string match = ">";
  HistoryLimits history;
  LagLimits lag;
  SlowPolicy slow = SlowPolicy::disconnect;
  DedupeOptions dedupe;
  StateKeeping state = StateKeeping::none;
  milliseconds state_age{24 * 60 * 60 * 1'000};    // what `state` keeps is kept so long after the last publish
  PayloadKind payload = PayloadKind::json;
  Priority priority = Priority::normal;            // which of a connection's channels goes first
  milliseconds batch_delay{0};                     // 0: natural batching; else news waits so long for company
  std::uint32_t batch_max = 0;                     // 0: no bound; else so many messages do not wait any longer
  std::uint32_t max_rate = 0;                      // of every subscription, messages a second; 0: none
  milliseconds stale_after{0};                     // 0: nobody is told; else silence after which the channel is stale
  bool resume = true;
  bool presence = false;                           // users of the channel are counted and told
  milliseconds presence_grace{5'000};              // from a user's last connection to user_left
  bool offline = false;                            // messages for a user who is away are stored
  bool ack = false;                                // messages are kept until they are acknowledged
  bool operator==(const NamespaceRule&) const = default;

  /// Its messages are in the offline store before anybody is sent them; seq and epoch survive restarts.
  [[nodiscard]] constexpr bool durable() const { return offline || ack; }
};

/// What a committed message survives.
enum class StoreDurability : std::uint8_t {
  process,  // the death of the process
  power,    // also that of the machine
};

/// The store of messages for those who are away, and what a durable channel keeps in it.
struct OfflineOptions {
  std::string path;                                // its file; empty: there is no store
  std::uint32_t messages = 1'000;                  // a channel; the oldest are forgotten first
  std::uint64_t bytes = 4_MiB;                     // the same in bytes
  milliseconds age{24 * 60 * 60 * 1'000};          // the same in time
  std::uint64_t disk = 8_GiB;                      // what the file may grow to
  StoreDurability durability = StoreDurability::process;
};

struct ShutdownOptions {
  milliseconds deadline{10'000};
};

/// What one shard's core needs to know; the same on every shard of a node, but for the moment in which a reload reaches
/// one after the other.
struct CoreOptions {
  std::uint32_t shards = 1;
  LimitOptions limits;
  HeartbeatOptions heartbeat;
  AccessOptions access;
  ErrorBudgetOptions errors;
  CompressionOptions compression;
  RateOptions rate;
  std::vector<NamespaceRule> namespaces;           // a final rule ">" with the defaults always exists behind them
  ShutdownOptions shutdown;
  OfflineOptions offline;
  std::uint64_t memory_budget = 1_GiB;             // the node's
  bool echo = false;

  /// Whoever can connect may publish to personal channels and ask about users: authentication is off, and only
  /// programs on this host can connect.
  [[nodiscard]] bool trusts_everybody() const { return !access.insecure && !access.authenticates; }
};

static_assert(kTlsTurnBytesMax <= kTurnBytesMax);
static_assert(kPinnedFrameBytesMin <= kTurnBytesMax);
static_assert(kReplyBytesMax <= kControlBytesMax);

}  // namespace ringcast
