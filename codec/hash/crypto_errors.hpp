// codec/hash/crypto_errors.hpp: leaves libcrypto as if nothing had failed.
//
// Thread   any; the queue of errors is the thread's own.  Memory  none.  Failure  none.
#pragma once

namespace ringcast {

/// Empties the calling thread's queue of libcrypto's errors. Whoever asks libcrypto something that may fail calls this
/// afterwards: TLS on the same thread would take what is left in the queue for a failure of its own (SSL_get_error(3)).
void forget_crypto_errors();
/// How many errors wait in the queue; for tests. Empties it.
[[nodiscard]] unsigned count_crypto_errors();

}  // namespace ringcast
