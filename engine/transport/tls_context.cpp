#include "engine/transport/tls_context.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "alloc/base/ensure.hpp"

namespace ringcast {
namespace {

// Forward secrecy and authenticated encryption only. TLS 1.3 has nothing else.
constexpr const char* kCiphersTls12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kGroups = "X25519:P-256:P-384";
constexpr long kTicketSeconds = 2L * 60 * 60;  // decision: a client that comes back later shakes hands anew
constexpr std::string_view kAlpnHttp11{"\x08http/1.1", 9};

std::string openssl_reason() {
  const unsigned long error = ERR_peek_last_error();
  const char* reason = error != 0 ? ERR_reason_error_string(error) : nullptr;
  if (reason != nullptr) return reason;
  return error != 0 && ERR_SYSTEM_ERROR(error) ? std::strerror(ERR_GET_REASON(error)) : "it cannot be read";
}

/// What a session is good for: a ticket that was given when clients had to show nothing, or something that other
/// authorities signed, is none under these (RFC 8446 section 4.6.1 leaves it to the server).
bool bind_sessions_to_authorities(SSL_CTX* context, const std::string& client_ca) {
  std::string authorities;
  if (!client_ca.empty()) {
    std::ifstream file{client_ca, std::ios::binary};
    authorities.assign(std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{});
    authorities += '\n';  // an empty file is not no file
  }
  std::array<unsigned char, SSL_MAX_SID_CTX_LENGTH> digest{};  // as many bytes as SHA-256 has
  return EVP_Digest(authorities.data(), authorities.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1 &&
         SSL_CTX_set_session_id_context(context, digest.data(), digest.size()) == 1;
}

/// Without a terminal to ask at: an encrypted key is refused, and does not stop the node to wait for a passphrase.
int no_passphrase(char*, int, int, void*) { return 0; }

/// The DNS names and addresses of a certificate.
std::string names_of(X509* certificate) {
  std::string names;
  auto* list = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(list); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(list, i);
    if (name->type != GEN_DNS) continue;
    const auto* text = ASN1_STRING_get0_data(name->d.dNSName);
    if (!names.empty()) names += ", ";
    names.append(reinterpret_cast<const char*>(text), static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
  }
  GENERAL_NAMES_free(list);
  return names;
}

}  // namespace

std::string tls_library_version() { return OpenSSL_version(OPENSSL_VERSION_STRING); }

bool kernel_offers_tls() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  constexpr char kName[] = "tls";
  // A kernel that knows the name says that the socket is not connected; one that does not, that there is no such thing.
  const bool known = ::setsockopt(fd, SOL_TCP, TCP_ULP, kName, sizeof kName) == 0 || errno == ENOTCONN;
  ::close(fd);
  return known;
}

struct TlsContext::Callbacks {
  /// The client named a server: the first certificate that is for it, or else the first of all.
  static int choose_certificate(SSL* ssl, int*, void* argument) {
    const auto& context = *static_cast<const TlsContext*>(argument);
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
    for (const auto& candidate : context.contexts_) {
      X509* certificate = SSL_CTX_get0_certificate(candidate.get());
      if (X509_check_host(certificate, name, 0, 0, nullptr) != 1) continue;
      if (SSL_get_SSL_CTX(ssl) != candidate.get()) SSL_set_SSL_CTX(ssl, candidate.get());
      return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
  }

  static int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_bytes,
                             const unsigned char* offered, unsigned offered_bytes, void*) {
    unsigned char* found = nullptr;
    const auto* ours = reinterpret_cast<const unsigned char*>(kAlpnHttp11.data());
    const int result = SSL_select_next_proto(&found, chosen_bytes, ours, static_cast<unsigned>(kAlpnHttp11.size()),
                                             offered, offered_bytes);
    if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;  // h2 only: it would not understand us
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
  }

  /// Seals a new ticket with the present key; opens one with the key that it names. 2: opened, but give a new one.
  static int ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                        int seal) {
    const auto& context = *static_cast<const TlsContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    const TicketKey* key = &context.keys_.front();
    if (seal != 0) {
      std::memcpy(name, key->name.data(), key->name.size());
      if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
    } else {
      const auto named = std::ranges::find_if(context.keys_, [name](const TicketKey& candidate) {
        return std::memcmp(candidate.name.data(), name, candidate.name.size()) == 0;
      });
      if (named == context.keys_.end()) return 0;  // an older process's: shake hands in full
      key = &*named;
    }
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {OSSL_PARAM_construct_octet_string(
                                   OSSL_MAC_PARAM_KEY, const_cast<std::uint8_t*>(key->mac.data()), key->mac.size()),
                               OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                               OSSL_PARAM_construct_end()};
    if (EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->cipher.data(), iv, seal) != 1 ||
        EVP_MAC_CTX_set_params(mac, parameters) != 1) {
      return -1;
    }
    return seal == 0 && key != &context.keys_.front() ? 2 : 1;
  }
};

void TlsContext::Free::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

TlsContext::~TlsContext() {
  for (TicketKey& key : keys_) OPENSSL_cleanse(&key, sizeof key);
}

Result<std::shared_ptr<const TlsContext>, std::string> TlsContext::load(const TlsOptions& options,
                                                                        const TlsContext* before, Instant now) {
  ensure(options.enabled() && options.certificates.size() == options.keys.size(), "each certificate has its key");
  std::shared_ptr<TlsContext> context{new TlsContext};
  for (std::size_t i = 0; i < options.certificates.size(); ++i) {
    ERR_clear_error();
    if (std::string trouble = context->add(options, i); !trouble.empty()) return unexpected(std::move(trouble));
  }
  context->take_over_keys(before, now);
  return std::shared_ptr<const TlsContext>{std::move(context)};
}

/// Empty, or what is wrong.
std::string TlsContext::add(const TlsOptions& options, std::size_t index) {
  contexts_.emplace_back(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* const context = contexts_.back().get();
  ensure(context != nullptr, "OpenSSL can make a context");
  const bool set = SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
                   SSL_CTX_set_cipher_list(context, kCiphersTls12) == 1 &&
                   SSL_CTX_set1_groups_list(context, kGroups) == 1 &&
                   bind_sessions_to_authorities(context, options.client_ca) &&
                   SSL_CTX_set_tlsext_ticket_key_evp_cb(context, &Callbacks::ticket_key) == 1 &&
                   SSL_CTX_set_num_tickets(context, 1) == 1;
  ensure(set, "OpenSSL knows what TLS is made of");
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(context,
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // tickets only: no memory of ours for who has left
  SSL_CTX_set_timeout(context, kTicketSeconds);
  SSL_CTX_set_app_data(context, this);
  SSL_CTX_set_tlsext_servername_callback(context, &Callbacks::choose_certificate);
  SSL_CTX_set_tlsext_servername_arg(context, this);
  SSL_CTX_set_alpn_select_cb(context, &Callbacks::choose_protocol, nullptr);
  SSL_CTX_set_default_passwd_cb(context, &no_passphrase);

  const std::string& certificate = options.certificates[index];
  const std::string& key = options.keys[index];
  const std::string not_its_own = "the key '" + key + "' does not belong to the certificate '" + certificate + "'";
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1) {
    return "the certificate '" + certificate + "' cannot be used: " + openssl_reason();
  }
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) {
    const int reason = ERR_GET_REASON(ERR_peek_last_error());
    if (reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH) return not_its_own;
    return "the key '" + key + "' cannot be used: " + openssl_reason();
  }
  if (SSL_CTX_check_private_key(context) != 1) return not_its_own;  // a key of another kind is taken for another one
  if (!options.client_ca.empty()) {
    STACK_OF(X509_NAME)* const authorities = SSL_load_client_CA_file(options.client_ca.c_str());
    if (authorities == nullptr || SSL_CTX_load_verify_file(context, options.client_ca.c_str()) != 1) {
      sk_X509_NAME_pop_free(authorities, X509_NAME_free);
      return "the clients' authority '" + options.client_ca + "' cannot be used: " + openssl_reason();
    }
    SSL_CTX_set_client_CA_list(context, authorities);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  names_.push_back(names_of(SSL_CTX_get0_certificate(context)));
  return {};
}

void TlsContext::take_over_keys(const TlsContext* before, Instant now) {
  if (before != nullptr) keys_ = before->keys_;
  if (!keys_.empty() && now - keys_.front().made < kTicketKeyTime) return;
  TicketKey key{.made = now};
  const bool random = RAND_bytes(key.name.data(), static_cast<int>(key.name.size())) == 1 &&
                      RAND_bytes(key.cipher.data(), static_cast<int>(key.cipher.size())) == 1 &&
                      RAND_bytes(key.mac.data(), static_cast<int>(key.mac.size())) == 1;
  ensure(random, "the kernel gives random bytes");
  keys_.insert(keys_.begin(), key);
  if (keys_.size() > 2) keys_.resize(2);
}

}  // namespace ringcast
