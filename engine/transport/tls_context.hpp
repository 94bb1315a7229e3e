// engine/transport/tls_context.hpp: the node's certificates and the rules of its TLS, ready for connections.
//
// Owner    shared by the shards; each connection holds the one that it began with until it ends.  Thread  immutable
//          once loaded; any.
// Memory   the certificates and keys (about 20 KiB each), two ticket keys.
// Failure  load() says which file is wrong and why; the context before it stays in use then.
// Not here connections (tls_stream), when to load anew (node), which listeners speak TLS (listener).
//
// TLS 1.2 with forward secrecy and authenticated encryption only, and TLS 1.3; no compression, no renegotiation, no
// early data; ALPN http/1.1. Sessions resume by tickets, whose keys are the process's own: the present one, and the one
// before it, so that a reload or a rotation breaks nobody's resumption.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/result.hpp"
#include "alloc/base/time.hpp"
#include "engine/transport/tls_options.hpp"

struct ssl_ctx_st;
struct ssl_st;

namespace ringcast {

/// "3.0.17": OpenSSL's.
[[nodiscard]] std::string tls_library_version();
/// Whether the kernel could seal records itself (CONFIG_TLS): asked of it, not read from its version. It is for the
/// log: what we do with it, and why nothing, is in docs/adr/0016.
[[nodiscard]] bool kernel_offers_tls();

inline constexpr std::chrono::hours kTicketKeyTime{12};  // decision: a key opens tickets for two of these at most

class TlsContext {
 public:
  /// Reads the files. Ticket keys are taken over from `before`, and a new one is made when its is kTicketKeyTime old.
  [[nodiscard]] static Result<std::shared_ptr<const TlsContext>, std::string> load(const TlsOptions& options,
                                                                                   const TlsContext* before,
                                                                                   Instant now);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  /// For a new connection: the first certificate's; the client's server name may choose another.
  [[nodiscard]] ssl_ctx_st* first() const { return contexts_.front().get(); }
  /// The names that a certificate is for, for the log: "example.org, *.example.org".
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  /// When the ticket key in use was made.
  [[nodiscard]] Instant ticket_key_made() const { return keys_.front().made; }

 private:
  struct TicketKey {
    std::array<std::uint8_t, 16> name{};
    std::array<std::uint8_t, 32> cipher{};
    std::array<std::uint8_t, 32> mac{};
    Instant made{};
  };
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };
  struct Callbacks;  // what OpenSSL calls; in the .cpp

  TlsContext() = default;
  [[nodiscard]] std::string add(const TlsOptions& options, std::size_t index);
  void take_over_keys(const TlsContext* before, Instant now);

  std::vector<std::unique_ptr<ssl_ctx_st, Free>> contexts_;  // one a certificate
  std::vector<std::string> names_;
  std::vector<TicketKey> keys_;  // the present one first
};

}  // namespace ringcast
