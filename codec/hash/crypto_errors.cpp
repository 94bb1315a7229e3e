#include "codec/hash/crypto_errors.hpp"

#include <openssl/err.h>

namespace ringcast {

void forget_crypto_errors() { ERR_clear_error(); }

unsigned count_crypto_errors() {
  unsigned count = 0;
  while (ERR_get_error() != 0) ++count;
  return count;
}

}  // namespace ringcast
