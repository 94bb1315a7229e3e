// tests/doubles/test_certificates.hpp: authorities and certificates made on the spot, in files that go with them.
//
// Owner    the test.  Thread  one.  Memory  OpenSSL's.
// Failure  ensure(): a test without its certificate proves nothing.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstring>
#include <memory>
#include <string>

#include "alloc/base/ensure.hpp"
#include "tests/doubles/temporary_file.hpp"

namespace ringcast::test {

/// A certificate with its key, PEM in two files; signed by itself or by an authority.
class TestCertificate {
 public:
  enum class Key : std::uint8_t { p256, rsa2048 };

  /// names  "DNS:a.example,DNS:*.b.example"; empty: an authority.
  explicit TestCertificate(const std::string& names, const TestCertificate* authority = nullptr, Key kind = Key::p256)
      : key_{kind == Key::p256 ? EVP_EC_gen("P-256") : EVP_RSA_gen(2'048)}, x509_{X509_new()} {
    static int serial = 0;
    ensure(key_ != nullptr && x509_ != nullptr, "OpenSSL makes a key");
    X509_set_version(x509_.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509_.get()), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x509_.get()), -3'600);
    X509_gmtime_adj(X509_getm_notAfter(x509_.get()), 24L * 3'600);
    X509_set_pubkey(x509_.get(), key_.get());
    const std::string subject = (names.empty() ? "authority " : "leaf ") + std::to_string(serial);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509_.get()), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(subject.c_str()), -1, -1, 0);
    X509* const issuer = authority != nullptr ? authority->x509_.get() : x509_.get();
    X509_set_issuer_name(x509_.get(), X509_get_subject_name(issuer));
    extend(NID_basic_constraints, names.empty() ? "critical,CA:TRUE" : "CA:FALSE");
    if (!names.empty()) extend(NID_subject_alt_name, names);
    EVP_PKEY* const signer = authority != nullptr ? authority->key_.get() : key_.get();
    ensure(X509_sign(x509_.get(), signer, EVP_sha256()) != 0, "OpenSSL signs a certificate");
    certificate_ = std::make_unique<TemporaryFile>(certificate_pem());
    key_file_ = std::make_unique<TemporaryFile>(key_pem(nullptr));
  }

  [[nodiscard]] const std::string& certificate_file() const { return certificate_->path(); }
  [[nodiscard]] const std::string& key_file() const { return key_file_->path(); }
  [[nodiscard]] X509* x509() const { return x509_.get(); }
  [[nodiscard]] EVP_PKEY* key() const { return key_.get(); }
  [[nodiscard]] std::string certificate_pem() const {
    return text([this](BIO* out) { return PEM_write_bio_X509(out, x509_.get()); });
  }
  /// passphrase  null: not encrypted.
  [[nodiscard]] std::string key_pem(const char* passphrase) const {
    return text([&](BIO* out) {
      return PEM_write_bio_PKCS8PrivateKey(
          out, key_.get(), passphrase != nullptr ? EVP_aes_128_cbc() : nullptr, passphrase,
          passphrase != nullptr ? static_cast<int>(std::strlen(passphrase)) : 0, nullptr, nullptr);
    });
  }

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(X509* x509) const { X509_free(x509); }
  };

  void extend(int nid, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    ensure(extension != nullptr && X509_add_ext(x509_.get(), extension, -1) == 1, "OpenSSL takes an extension");
    X509_EXTENSION_free(extension);
  }
  template <class Write>
  static std::string text(Write&& write) {
    BIO* const out = BIO_new(BIO_s_mem());
    ensure(write(out) == 1, "OpenSSL writes PEM");
    char* data = nullptr;
    const auto size = static_cast<std::size_t>(BIO_get_mem_data(out, &data));
    std::string pem{data, size};
    BIO_free(out);
    return pem;
  }

  std::unique_ptr<EVP_PKEY, Free> key_;
  std::unique_ptr<X509, Free> x509_;
  std::unique_ptr<TemporaryFile> certificate_, key_file_;
};

}  // namespace ringcast::test
