// tools/client/random.hpp: random numbers for mask keys, nonces and jitter, seeded by the operating system.
//
// Owner    one a thread, by value.  Thread  the owner's.  Memory  32 bytes.
// Failure  ensure(): a kernel without getrandom.
// Not here secrets: mask keys must be unpredictable to the page that runs a browser (RFC 6455 section 10.3); a tool
//          has no such page, so a fast generator with a random seed is enough.
#pragma once

#include <array>
#include <cstdint>

#include "codec/websocket/handshake.hpp"
#include "codec/websocket/masking.hpp"

namespace ringcast {

/// xoshiro256** (Blackman and Vigna).
class Prng {
 public:
  /// Seeds from getrandom(2).
  Prng();
  /// A fixed sequence, for tests.
  explicit Prng(std::uint64_t seed);

  std::uint64_t next();
  /// Uniform in [0, limit]; the bias of a 64-bit product is below 2^-32 for every limit that is used here.
  std::uint64_t up_to(std::uint64_t limit);
  MaskKey mask_key();
  ClientNonce nonce();

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace ringcast
