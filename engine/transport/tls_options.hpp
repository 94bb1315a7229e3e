// engine/transport/tls_options.hpp: what the configuration says about TLS, as plain values.
//
// Owner    NodeOptions, by value.  Thread  any (values).  Memory  its strings.
// Failure  none here: TlsContext::load says what is wrong with the files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ringcast {

struct TlsOptions {
  std::vector<std::string> certificates{};  // PEM files, each a chain with the node's own first; empty: no TLS
  std::vector<std::string> keys{};          // PEM files, as many and in the same order
  std::string client_ca{};                  // PEM file: who connects shows a certificate that one of these signed
  std::uint32_t handshakes_max = 256;       // under way at a time, a shard; others wait, within limits.handshake_time
  bool admin = false;                       // the admin port speaks TLS as well

  [[nodiscard]] bool enabled() const { return !certificates.empty(); }
};

}  // namespace ringcast
