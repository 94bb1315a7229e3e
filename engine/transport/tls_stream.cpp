#include "engine/transport/tls_stream.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "alloc/base/ensure.hpp"

namespace ringcast {
namespace {

// ---- a BIO that keeps nothing: it reads from, and writes to, what TlsWire points at just now ----

TlsWire& wire_of(BIO* bio) { return *static_cast<TlsWire*>(BIO_get_data(bio)); }

int read_wire(BIO* bio, char* to, std::size_t wanted, std::size_t* got) {
  TlsWire& wire = wire_of(bio);
  BIO_clear_retry_flags(bio);
  *got = std::min(wanted, wire.in.size());
  if (*got == 0) {
    BIO_set_retry_read(bio);
    return 0;
  }
  std::memcpy(to, wire.in.data(), *got);
  wire.in = wire.in.subspan(*got);
  return 1;
}

int write_wire(BIO* bio, const char* from, std::size_t size, std::size_t* written) {
  std::vector<std::uint8_t>& out = *wire_of(bio).out;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(from);
  out.insert(out.end(), bytes, bytes + size);
  *written = size;
  return 1;
}

long control_wire(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

int create_wire(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

const BIO_METHOD* wire_method() {
  static const BIO_METHOD* const method = [] {  // immutable once made
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ringcast wire");
    ensure(made != nullptr && BIO_meth_set_read_ex(made, read_wire) == 1 &&
               BIO_meth_set_write_ex(made, write_wire) == 1 && BIO_meth_set_ctrl(made, control_wire) == 1 &&
               BIO_meth_set_create(made, create_wire) == 1,
           "OpenSSL takes a BIO method");
    return made;
  }();
  return method;
}

constexpr std::array<std::string_view, std::to_underlying(TlsFailure::end)> kSentences{
    "the first bytes are not TLS",
    "the client speaks no TLS above 1.1",
    "the client has no cipher, group or signature in common with us",
    "the client offers protocols, but not http/1.1",
    "the client's certificate is missing or not trusted",
    "a TLS record is broken",
    "renegotiation was asked for",
    "the client refused with an alert",
    "the connection ended within a TLS record",
    "the client sends more than it may, or leaves what it asked for unread",
    "the handshake took too long while others waited",
};

}  // namespace

std::string_view sentence_of(TlsFailure failure) {
  ensure(failure < TlsFailure::end, "a TLS failure is one of the enum's");
  return kSentences[std::to_underlying(failure)];
}

struct TlsStream::Callbacks {
  /// A warning no_renegotiation of ours says that the peer asked.
  static void info(const SSL* ssl, int where, int value) {
    if ((where & SSL_CB_WRITE_ALERT) != SSL_CB_WRITE_ALERT || (value & 0xff) != SSL_AD_NO_RENEGOTIATION) return;
    static_cast<TlsStream*>(SSL_get_app_data(ssl))->refuses_renegotiation_ = true;
  }
};

void TlsStream::Free::operator()(ssl_st* ssl) const { SSL_free(ssl); }

TlsStream::TlsStream(std::shared_ptr<const TlsContext> context, TlsWire& wire)
    : context_{std::move(context)}, wire_{&wire}, ssl_{SSL_new(context_->first())} {
  BIO* const bio = BIO_new(wire_method());
  ensure(ssl_ != nullptr && bio != nullptr, "OpenSSL can make a session");
  BIO_set_data(bio, wire_);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), this);
  SSL_set_info_callback(ssl_.get(), &Callbacks::info);
  SSL_set_accept_state(ssl_.get());
}

TlsStream::~TlsStream() = default;

void TlsStream::begin(Bytes in, std::vector<std::uint8_t>& out) {
  ensure(wire_->in.empty(), "one stream is at work at a time");
  wire_->in = in;
  wire_->out = &out;
}

std::size_t TlsStream::step(MutableBytes plain) {
  std::size_t got = 0;
  if (state_ == State::handshaking) {
    ERR_clear_error();
    const int result = SSL_accept(ssl_.get());
    const OSSL_HANDSHAKE_STATE at = SSL_get_state(ssl_.get());
    if (result == 1) {
      state_ = State::open;
      hello_seen_ = true;
    } else if (SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ) {
      fail(result);
    } else {
      hello_seen_ = at != TLS_ST_BEFORE && at != TLS_ST_SR_CLNT_HELLO;
    }
  }
  if (state_ == State::open) {
    ERR_clear_error();
    const int result = SSL_read_ex(ssl_.get(), plain.data(), plain.size(), &got);
    if (result != 1) {
      got = 0;
      const int error = SSL_get_error(ssl_.get(), result);
      if (error == SSL_ERROR_ZERO_RETURN) {
        state_ = State::ended;
      } else if (error != SSL_ERROR_WANT_READ) {
        fail(result);
      }
    }
    if (refuses_renegotiation_ && state_ != State::failed) {
      state_ = State::failed;
      failure_ = TlsFailure::renegotiation;
      detail_ = "no renegotiation";
      got = 0;
    }
  }
  if (state_ == State::ended || state_ == State::failed) wire_->in = {};  // nothing behind it counts
  ensure(got != 0 || wire_->in.empty(), "a stream that wants more has used up what there is");
  return got;
}

std::size_t TlsStream::write(Bytes plain, std::vector<std::uint8_t>& out) {
  if (state_ == State::failed) return 0;
  ensure(state_ != State::handshaking, "only an open stream is written to");
  ensure(!plain.empty(), "a record holds something");
  wire_->out = &out;
  std::size_t written = 0;
  ERR_clear_error();
  const std::size_t most = std::min(plain.size(), kTlsRecordPlainMax);
  const int result = SSL_write_ex(ssl_.get(), plain.data(), most, &written);
  if (result != 1) {
    fail(result);
    return 0;
  }
  return written;
}

void TlsStream::shut_down(std::vector<std::uint8_t>& out) {
  if (state_ != State::open && state_ != State::ended) return;
  wire_->out = &out;
  ERR_clear_error();
  (void)SSL_shutdown(ssl_.get());  // says whether the peer has ended, too; it may or may not
}

void TlsStream::fail(int result) {
  const unsigned long error = ERR_peek_error();
  state_ = State::failed;
  failure_ = failure_of(error);
  const char* reason = error != 0 ? ERR_reason_error_string(error) : nullptr;
  detail_ = reason != nullptr ? reason : (SSL_get_error(ssl_.get(), result) == SSL_ERROR_SYSCALL ? "end of input" : "");
  ERR_clear_error();
}

TlsFailure TlsStream::failure_of(unsigned long error) const {
  const int reason = ERR_GET_REASON(error);
  if (reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256) return TlsFailure::refused;
  switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER: return hello_seen_ ? TlsFailure::record : TlsFailure::not_tls;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW: return TlsFailure::version;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS: return TlsFailure::parameters;
    case SSL_R_NO_APPLICATION_PROTOCOL: return TlsFailure::alpn;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    case SSL_R_CERTIFICATE_VERIFY_FAILED: return TlsFailure::certificate;
    default: return TlsFailure::record;
  }
}

bool TlsStream::mid_record() const { return SSL_has_pending(ssl_.get()) == 1; }
bool TlsStream::resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
std::string_view TlsStream::version() const { return SSL_get_version(ssl_.get()); }
std::string_view TlsStream::server_name() const {
  const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
  return name != nullptr ? std::string_view{name} : std::string_view{};
}

}  // namespace ringcast
