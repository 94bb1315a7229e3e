#include "bench/system/limit/sealing.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <memory>
#include <vector>

#include "alloc/base/ensure.hpp"
#include "alloc/base/time.hpp"
#include "tools/client/socket.hpp"
#include "tools/load/options.hpp"

namespace ringcast {
namespace {

constexpr std::size_t kHeaderBytes = 5;        // RFC 8446 section 5.1
constexpr int kTagBytes = 16;                  // of all three AEADs of TLS 1.3
constexpr std::size_t kNonceBytes = 12;        // RFC 8446 section 5.3
constexpr std::size_t kKeyBytesMax = 32;       // AES-256, ChaCha20
constexpr std::uint8_t kApplicationData = 23;  // RFC 8446 section 5.1; behind the content, and sealed with it

struct FreeCipher {
  void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
};
struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER, FreeCipher>;
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

nanoseconds thread_cpu() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return seconds{time.tv_sec} + nanoseconds{time.tv_nsec};
}

/// One reader's key, and how many records it has had.
struct Key {
  Context context;
  std::array<std::uint8_t, kNonceBytes> nonce{};
  std::uint64_t records = 0;
};

/// RFC 8446 section 5.2: the header is authenticated, the content and its type are sealed, the tag stands behind them.
void seal(Key& key, const std::vector<std::uint8_t>& content, std::vector<std::uint8_t>& record) {
  std::array<std::uint8_t, kNonceBytes> nonce = key.nonce;
  for (std::size_t i = 0; i < sizeof key.records; ++i) {
    nonce[kNonceBytes - 1 - i] ^= static_cast<std::uint8_t>(key.records >> (8 * i));
  }
  ++key.records;
  const auto sealed_bytes = static_cast<std::uint16_t>(content.size() + 1 + kTagBytes);
  const std::array<std::uint8_t, kHeaderBytes> header{kApplicationData, 3, 3,
                                                      static_cast<std::uint8_t>(sealed_bytes >> 8),
                                                      static_cast<std::uint8_t>(sealed_bytes & 0xff)};
  EVP_CIPHER_CTX* const context = key.context.get();
  std::uint8_t* const to = record.data() + header.size();
  std::ranges::copy(header, record.begin());
  int aad = 0, first = 0, second = 0, last = 0;
  const bool sealed = EVP_EncryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr) == 1 &&
                      EVP_EncryptUpdate(context, nullptr, &aad, header.data(), static_cast<int>(header.size())) == 1 &&
                      EVP_EncryptUpdate(context, to, &first, content.data(), static_cast<int>(content.size())) == 1 &&
                      EVP_EncryptUpdate(context, to + first, &second, &kApplicationData, 1) == 1 &&
                      EVP_EncryptFinal_ex(context, to + first + second, &last) == 1 &&
                      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagBytes, to + content.size() + 1) == 1;
  ensure(sealed, "OpenSSL seals with a key that it took");
}

}  // namespace

Result<SealResult, std::string> measure_sealing(const SealOptions& options) {
  if (options.bytes == 0 || options.bytes > kSealBytesMax) {
    return unexpected(fmt::format("--seal-bytes must be 1 to {}", kSealBytesMax));
  }
  if (options.readers == 0 || options.readers > kSealReadersMax) {
    return unexpected(fmt::format("--connections must be 1 to {} with --seal", kSealReadersMax));
  }
  if (!(options.seconds > 0) || options.seconds > kSecondsMax) {
    return unexpected(std::string{"--seconds must be above 0 and at most a day"});
  }
  const Cipher cipher{EVP_CIPHER_fetch(nullptr, options.cipher.c_str(), nullptr)};
  if (!cipher || (EVP_CIPHER_get_flags(cipher.get()) & EVP_CIPH_FLAG_AEAD_CIPHER) == 0 ||
      EVP_CIPHER_get_iv_length(cipher.get()) != static_cast<int>(kNonceBytes)) {
    return unexpected(fmt::format("--seal: '{}' is no cipher of TLS 1.3 that OpenSSL has", options.cipher));
  }
  std::vector<Key> keys(options.readers);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    std::array<std::uint8_t, kKeyBytesMax> secret{};
    for (std::size_t j = 0; j < secret.size(); ++j) secret[j] = static_cast<std::uint8_t>(i >> (8 * (j % 4)));
    keys[i].context.reset(EVP_CIPHER_CTX_new());
    ensure(keys[i].context != nullptr && EVP_EncryptInit_ex2(keys[i].context.get(), cipher.get(), secret.data(),
                                                             keys[i].nonce.data(), nullptr) == 1,
           "OpenSSL takes a key of a cipher that it has");
  }
  const std::vector<std::uint8_t> content(options.bytes, 'x');
  std::vector<std::uint8_t> record(kHeaderBytes + content.size() + 1 + kTagBytes);
  SealResult result;
  const Instant end = monotonic_now() + nanoseconds{static_cast<nanoseconds::rep>(options.seconds * 1e9)};
  const nanoseconds before = thread_cpu();
  do {  // a round of all readers is what one message, or one batch of them, costs
    for (Key& key : keys) seal(key, content, record);
    result.records += keys.size();
  } while (monotonic_now() < end);
  result.cpu_seconds = std::chrono::duration<double>(thread_cpu() - before).count();
  return result;
}

std::string to_json(const SealOptions& options, const SealResult& result) {
  return fmt::format(R"({{"cipher":"{}","bytes":{},"readers":{},"records":{},"cpu_ns_per_record":{}}})"
                     "\n",
                     options.cipher, options.bytes, options.readers, result.records,
                     result.cpu_seconds * 1e9 / static_cast<double>(std::max<std::uint64_t>(result.records, 1)));
}

}  // namespace ringcast
