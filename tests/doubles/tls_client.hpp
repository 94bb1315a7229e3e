// tests/doubles/tls_client.hpp: the client's end of TLS, as bytes: it can offer what no browser would.
//
// Owner    the test.  Thread  one.  Memory  OpenSSL's.  Failure  failed(), with OpenSSL's words.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/ensure.hpp"
#include "tests/doubles/test_certificates.hpp"

namespace ringcast::test {

struct TlsClientOptions {
  int version_min = TLS1_2_VERSION;
  int version_max = TLS1_3_VERSION;
  std::string server_name{};
  std::vector<std::string> protocols{};  // ALPN
  std::string ciphers{};                 // of TLS 1.2
  std::string groups{};
  const TestCertificate* authority = nullptr;    // whom it trusts; null: anybody
  const TestCertificate* certificate = nullptr;  // what it shows
  SSL_SESSION* session = nullptr;                // to be resumed
  bool renegotiates = false;
};

class TlsClient {
 public:
  explicit TlsClient(const TlsClientOptions& options = {}) : context_{SSL_CTX_new(TLS_client_method())}, ssl_{nullptr} {
    SSL_CTX_set_security_level(context_.get(), 0);  // it may offer what is long forbidden
    SSL_CTX_set_min_proto_version(context_.get(), options.version_min);
    SSL_CTX_set_max_proto_version(context_.get(), options.version_max);
    if (!options.ciphers.empty()) {
      ensure(SSL_CTX_set_cipher_list(context_.get(), options.ciphers.c_str()) == 1, "the test's ciphers exist");
    }
    if (!options.groups.empty()) {
      ensure(SSL_CTX_set1_groups_list(context_.get(), options.groups.c_str()) == 1, "the test's groups exist");
    }
    if (options.authority != nullptr) {
      X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), options.authority->x509());
      SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    }
    if (options.certificate != nullptr) {
      SSL_CTX_use_certificate(context_.get(), options.certificate->x509());
      SSL_CTX_use_PrivateKey(context_.get(), options.certificate->key());
    }
    SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_app_data(context_.get(), this);
    SSL_CTX_sess_set_new_cb(context_.get(), [](SSL* ssl, SSL_SESSION* session) {
      auto& self = *static_cast<TlsClient*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
      self.session_.reset(session);
      return 1;
    });
    ssl_.reset(SSL_new(context_.get()));
    from_server_ = BIO_new(BIO_s_mem());
    to_server_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_.get(), from_server_, to_server_);
    if (!options.server_name.empty()) SSL_set_tlsext_host_name(ssl_.get(), options.server_name.c_str());
    std::string wire;
    for (const std::string& protocol : options.protocols) wire += static_cast<char>(protocol.size()) + protocol;
    if (!wire.empty()) {
      SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(wire.data()),
                          static_cast<unsigned>(wire.size()));
    }
    if (options.session != nullptr) {  // a copy: OpenSSL resumes a session of TLS 1.3 once
      const std::unique_ptr<SSL_SESSION, Free> copy{SSL_SESSION_dup(options.session)};
      SSL_set_session(ssl_.get(), copy.get());
    }
    SSL_set_connect_state(ssl_.get());
  }

  /// Bytes from the server; what it says in them is appended to heard().
  void take(std::string_view bytes) {
    if (!bytes.empty()) BIO_write(from_server_, bytes.data(), static_cast<int>(bytes.size()));
    go_on();
  }
  void say(std::string_view text) {
    unsaid_.append(text);
    go_on();
  }
  /// Bytes for the server.
  std::string give() {
    go_on();
    std::string bytes(BIO_ctrl_pending(to_server_), '\0');
    if (!bytes.empty()) BIO_read(to_server_, bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  }
  void shut_down() { (void)SSL_shutdown(ssl_.get()); }
  void renegotiate() {
    (void)SSL_renegotiate(ssl_.get());
    (void)SSL_do_handshake(ssl_.get());
  }

  [[nodiscard]] bool open() const { return SSL_is_init_finished(ssl_.get()) == 1; }
  [[nodiscard]] bool failed() const { return !trouble_.empty(); }
  [[nodiscard]] const std::string& trouble() const { return trouble_; }
  [[nodiscard]] bool server_ended() const { return ended_; }
  [[nodiscard]] const std::string& heard() const { return heard_; }
  void forget_heard() { heard_.clear(); }
  [[nodiscard]] bool resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
  [[nodiscard]] std::string protocol() const {
    const unsigned char* chosen = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &chosen, &size);
    return {reinterpret_cast<const char*>(chosen), size};
  }
  [[nodiscard]] std::string version() const { return SSL_get_version(ssl_.get()); }
  /// What the server's certificate says it is for.
  [[nodiscard]] bool server_is(const std::string& name) const {
    X509* const certificate = SSL_get0_peer_certificate(ssl_.get());
    return certificate != nullptr && X509_check_host(certificate, name.c_str(), 0, 0, nullptr) == 1;
  }
  [[nodiscard]] SSL_SESSION* session() const { return session_.get(); }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
  };

  void go_on() {
    if (failed() || ended_) return;
    ERR_clear_error();
    if (!open()) {
      const int result = SSL_connect(ssl_.get());
      if (result != 1) {
        judge(result);
        return;
      }
    }
    while (!unsaid_.empty()) {
      const int written = SSL_write(ssl_.get(), unsaid_.data(), static_cast<int>(unsaid_.size()));
      if (written <= 0) break;
      unsaid_.erase(0, static_cast<std::size_t>(written));
    }
    char buffer[16'384];
    for (;;) {
      ERR_clear_error();
      const int got = SSL_read(ssl_.get(), buffer, sizeof buffer);
      if (got <= 0) {
        judge(got);
        return;
      }
      heard_.append(buffer, static_cast<std::size_t>(got));
    }
  }
  void judge(int result) {
    const int error = SSL_get_error(ssl_.get(), result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return;
    if (error == SSL_ERROR_ZERO_RETURN) {
      ended_ = true;
      return;
    }
    const char* const reason = ERR_reason_error_string(ERR_peek_error());
    trouble_ = reason != nullptr ? reason : "something without a reason";
  }

  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
  std::unique_ptr<SSL_SESSION, Free> session_;
  BIO* from_server_ = nullptr;
  BIO* to_server_ = nullptr;
  std::string unsaid_, heard_, trouble_;
  bool ended_ = false;
};

}  // namespace ringcast::test
