// tools/load/options.hpp: what a load run is asked to do, as plain values.
//
// Owner    the load command, by value; const once the run begins.  Thread  any.  Memory  its strings.
// Failure  check() gives a sentence.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/bearer_token.hpp"
#include "tools/client/tls_trust.hpp"
#include "tools/replay_schedule.hpp"
#include "tools/subcommand.hpp"

namespace ringcast {

struct LoadOptions {
  std::string url = kDefaultUrl;
  BearerOptions bearer;
  TlsTrustOptions trust;
  bool tls = false;       // wss:// although the URL says ws://
  bool compress = false;  // subscribers offer permessage-deflate
  double inflate = 100;   // percent of them that unpack and compare what is compressed; the others count it
  std::uint32_t connections = 100;
  std::uint32_t channels = 1;
  std::string wire = "native";  // how subscribers join and what they receive
  double rate = 1'000;          // messages published a second, over all channels
  std::uint32_t burst = 1;      // messages that are due at the same instant
  std::uint32_t payload = 128;  // bytes of JSON text
  double duration = 10;         // seconds that are measured
  double warmup = 1;            // seconds before, verified but not timed
  std::uint32_t publishers = 1;
  std::uint32_t threads = 1;      // that receive; publishing has its own
  bool one_thread = false;        // or is done by the one that receives, between its rounds
  bool poll = false;              // and there is no gap between these: needs a core of its own
  std::vector<std::string> feed;  // captures to publish instead of synthetic messages
  std::string speed = "1";
  std::uint32_t streams_per_connection = 2;
  std::optional<std::string> prefix;  // of channel names; default: "load." for synthetic ones, none for a feed's
  double slow = 0;                    // percent of the connections
  double churn = 0;                   // reconnects a second
  bool resume = false;                // by churn: dropped in any way, away for a while, back where they were
  double away = 1;                    // seconds, at most
  bool connect_only = false;          // nothing is published: connect, hold for `duration`, leave
  double drain = 10;                  // seconds without progress after which what is missing is lost
  std::string json, report;           // files
  std::int32_t pid = 0;               // the server's; 0: unknown
  std::string ledger;                 // the node's name; empty: not compared

  [[nodiscard]] bool replays_feed() const { return !feed.empty(); }
  [[nodiscard]] double slow_share() const { return slow / 100; }
  [[nodiscard]] double inflate_share() const { return inflate / 100; }
};

inline constexpr double kRateMax = 10e6;
inline constexpr std::uint32_t kBurstMax = 100'000;
inline constexpr double kSecondsMax = 24 * 3'600;

/// What is wrong with them, if anything. `speed` receives the parsed speed.
[[nodiscard]] std::optional<std::string> check(const LoadOptions& options, Speed& speed);

}  // namespace ringcast
