// engine/config/node_options.hpp: everything a node is told before it starts, as plain values.
//
// Owner    the composition root (node/), by value; filled by load.hpp, or by hand in a test.
// Thread   any (values).  Memory  its strings and lists.  Failure  none: load.hpp has validated what is in here.
// Not here how the values are written, named and checked (schema.hpp), the core's own options (engine/limits.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "alloc/base/time.hpp"
#include "engine/limits.hpp"
#include "engine/transport/tls_options.hpp"

namespace ringcast {

/// Where a listener is bound: a numeric address and port, or the path of a Unix socket.
struct ListenAddress {
  enum class Family : std::uint8_t { ipv4, ipv6, unix_path };
  Family family = Family::ipv4;
  std::string host = "127.0.0.1";  // numeric, without brackets; "localhost" has become 127.0.0.1; empty for unix_path
  std::uint16_t port = 0;          // 0: the kernel chooses
  std::string path;                // unix_path only
  bool loopback = true;            // reachable from this host only: 127.0.0.0/8, ::1 or a Unix socket
  bool plain = false;              // no TLS here, although there are certificates ("plain:127.0.0.1:9001")

  bool operator==(const ListenAddress&) const = default;
};

/// protocol.md section 9.
inline const ListenAddress kListenDefault{
    .family = ListenAddress::Family::ipv4, .host = "127.0.0.1", .port = 9001, .path = {}, .loopback = true};

inline const ListenAddress kAdminDefault{
    .family = ListenAddress::Family::ipv4, .host = "127.0.0.1", .port = 9002, .path = {}, .loopback = true};

struct ShardOptions {
  std::uint32_t count = 0;              // 0: one a usable core
  std::vector<std::uint32_t> cores;     // cores that shards are pinned to, in order; empty: those the process may use
  microseconds spin{50};                // how long an idle shard polls before it sleeps; measurements.md "wake"
};

/// Whose tokens are taken; without any key nobody has to authenticate.
struct AuthOptions {
  std::string key_file;    // PEM, or a secret
  std::string jwks_file;
  std::string secret;      // from the environment only: it is in no file, on no command line, never printed
  std::string issuer;      // empty: any
  std::string audience;    // empty: tokens for nobody in particular
  std::string revocation_file;
  milliseconds clock_skew{30'000};

  [[nodiscard]] bool has_key() const { return !key_file.empty() || !jwks_file.empty() || !secret.empty(); }
};

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error, off };
enum class LogFormat : std::uint8_t { text, json };
struct LogOptions {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::text;
};

/// The whole of it. `core.shards` is not set here: the node writes it once it knows how many cores it may use.
struct NodeOptions {
  std::string name = "default";         // statistics segment /dev/shm/ringcast.<name>, and the log's name
  std::vector<ListenAddress> listen{kListenDefault};  // at least one
  std::optional<ListenAddress> admin{kAdminDefault};  // empty: the node has no admin port
  CoreOptions core;                     // core.namespaces: the user's rules, then the shipped ones, then ">"
  ShardOptions shards;
  AuthOptions auth;
  std::string usage_log;                // the entitlement record's file; empty: none is kept
  LogOptions log;
  TlsOptions tls;
};

}  // namespace ringcast
