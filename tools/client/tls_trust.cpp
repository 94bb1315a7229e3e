#include "tools/client/tls_trust.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>

#include "alloc/base/ensure.hpp"

namespace ringcast {
namespace {

constexpr unsigned char kAlpnHttp11[] = "\x08http/1.1";

}  // namespace

TlsTrust::~TlsTrust() { SSL_CTX_free(context_); }

Result<std::shared_ptr<const TlsTrust>, std::string> TlsTrust::make(const TlsTrustOptions& options) {
  std::shared_ptr<TlsTrust> trust{new TlsTrust};
  trust->context_ = SSL_CTX_new(TLS_client_method());
  ensure(trust->context_ != nullptr, "OpenSSL can make a context");
  SSL_CTX* const context = trust->context_;
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_mode(context,
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);  // one read(2) for all the records that lie there, not two for each
  SSL_CTX_set_alpn_protos(context, kAlpnHttp11, sizeof kAlpnHttp11 - 1);
  ::signal(SIGPIPE, SIG_IGN);
  if (options.insecure) return std::shared_ptr<const TlsTrust>{std::move(trust)};
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  ERR_clear_error();
  const int loaded = options.ca.empty() ? SSL_CTX_set_default_verify_paths(context)
                                        : SSL_CTX_load_verify_file(context, options.ca.c_str());
  if (loaded != 1) {
    const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
    return unexpected("the authorities in '" + options.ca +
                      "' cannot be used: " + (reason != nullptr ? std::string{reason} : "the file cannot be read"));
  }
  return std::shared_ptr<const TlsTrust>{std::move(trust)};
}

}  // namespace ringcast
