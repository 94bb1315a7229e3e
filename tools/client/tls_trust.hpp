// tools/client/tls_trust.hpp: whom a tool believes when it connects by TLS.
//
// Owner    shared by an endpoint's copies; immutable once made.  Thread  any.
// Memory   OpenSSL's context with the authorities.
// Failure  make() says which file is wrong. Makes the process ignore SIGPIPE: OpenSSL writes to sockets by write(2).
// Not here connections (stream.hpp).
#pragma once

#include <memory>
#include <string>

#include "alloc/base/result.hpp"

struct ssl_ctx_st;

namespace ringcast {

struct TlsTrustOptions {
  std::string ca{};       // PEM file with authorities; empty: the system's
  bool insecure = false;  // believe anybody
};

class TlsTrust {
 public:
  [[nodiscard]] static Result<std::shared_ptr<const TlsTrust>, std::string> make(const TlsTrustOptions& options);
  ~TlsTrust();
  TlsTrust(const TlsTrust&) = delete;
  TlsTrust& operator=(const TlsTrust&) = delete;

  [[nodiscard]] ssl_ctx_st* context() const { return context_; }

 private:
  TlsTrust() = default;
  ssl_ctx_st* context_ = nullptr;
};

}  // namespace ringcast
