#include "tools/client/stream.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <cerrno>

#include "alloc/base/ensure.hpp"
#include "tools/client/tls_trust.hpp"

namespace ringcast {
namespace {

bool is_address(const std::string& host) {
  in6_addr binary{};
  return inet_pton(AF_INET, host.c_str(), &binary) == 1 || inet_pton(AF_INET6, host.c_str(), &binary) == 1;
}

}  // namespace

void Stream::Free::operator()(ssl_st* ssl) const { SSL_free(ssl); }

Stream::Stream(UniqueFd fd, const Endpoint& endpoint) : fd_{std::move(fd)} {
  if (!endpoint.secure) return;
  ensure(endpoint.trust != nullptr, "who connects by TLS knows whom to believe");
  tls_.reset(SSL_new(endpoint.trust->context()));
  ensure(tls_ != nullptr && SSL_set_fd(tls_.get(), fd_.get()) == 1, "OpenSSL can make a session");
  if (is_address(endpoint.host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls_.get()), endpoint.host.c_str());
  } else {
    SSL_set1_host(tls_.get(), endpoint.host.c_str());
    SSL_set_tlsext_host_name(tls_.get(), endpoint.host.c_str());
  }
  SSL_set_connect_state(tls_.get());
}

void Stream::reset() {
  holds_more_ = false;
  tls_.reset();
  fd_.reset();
}

/// What OpenSSL's answer is in the terms of recv(2) and send(2).
ssize_t Stream::judge(int result) {
  waits_to_read_ = false;
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      waits_to_read_ = true;
      errno = EAGAIN;
      return -1;
    case SSL_ERROR_WANT_WRITE: errno = EAGAIN; return -1;
    case SSL_ERROR_ZERO_RETURN: return 0;
    case SSL_ERROR_SYSCALL:
      if (errno == 0) return 0;
      return -1;
    default: break;
  }
  const unsigned long error = ERR_peek_error();
  const int reason = ERR_GET_REASON(error);
  if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) return 0;  // a WebSocket says itself where it ends
  const long verdict = SSL_get_verify_result(tls_.get());
  const char* const words = ERR_reason_error_string(error);
  tls_trouble_ = std::string{"TLS: "} + (words != nullptr ? words : "it failed");
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    tls_trouble_ += std::string{" ("} + X509_verify_cert_error_string(verdict) + ")";
  }
  errno = EPROTO;
  return -1;
}

ssize_t Stream::receive(std::uint8_t* to, std::size_t size) {
  if (tls_ == nullptr) return ::recv(fd_.get(), to, size, MSG_DONTWAIT);
  std::size_t filled = 0;
  while (filled < size) {  // a record at a time, as many as there are: epoll tells of bytes in the socket only
    std::size_t got = 0;
    ERR_clear_error();
    errno = 0;
    const int result = SSL_read_ex(tls_.get(), to + filled, size - filled, &got);
    if (result == 1) {
      filled += got;
      continue;
    }
    const ssize_t outcome = judge(result);
    holds_more_ = false;
    if (filled == 0) return outcome;
    break;  // an end or an error comes again the next time
  }
  holds_more_ = filled == size;
  return static_cast<ssize_t>(filled);
}

ssize_t Stream::send(const std::uint8_t* from, std::size_t size) {
  if (tls_ == nullptr) return ::send(fd_.get(), from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  std::size_t taken = 0;
  ERR_clear_error();
  errno = 0;
  const int result = SSL_write_ex(tls_.get(), from, size, &taken);
  if (result == 1) return static_cast<ssize_t>(taken);
  const ssize_t outcome = judge(result);
  if (outcome == 0) {
    errno = EPIPE;
    return -1;
  }
  return outcome;
}

void Stream::shut_down() {
  if (tls_ != nullptr && SSL_is_init_finished(tls_.get()) == 1) {
    ERR_clear_error();
    (void)SSL_shutdown(tls_.get());
  }
  ::shutdown(fd_.get(), SHUT_WR);
}

std::string Stream::agreed() const {
  if (tls_ == nullptr || SSL_is_init_finished(tls_.get()) != 1) return {};
  return std::string{SSL_get_version(tls_.get())} + " " + SSL_get_cipher_name(tls_.get());
}

std::string Stream::trouble() const { return !tls_trouble_.empty() ? tls_trouble_ : system_sentence(errno); }

}  // namespace ringcast
