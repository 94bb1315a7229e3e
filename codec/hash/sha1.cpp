#include "codec/hash/sha1.hpp"

#include <openssl/sha.h>

#include "alloc/base/ensure.hpp"

namespace ringcast {

Sha1Digest sha1(Bytes bytes) {
  Sha1Digest digest{};
  // An empty span may have no address, and libcrypto is not asked to think about that.
  static constexpr std::uint8_t kNothing = 0;
  const unsigned char* from = bytes.empty() ? &kNothing : bytes.data();
  ensure(SHA1(from, bytes.size(), digest.data()) != nullptr, "libcrypto offers SHA-1");
  return digest;
}

}  // namespace ringcast
