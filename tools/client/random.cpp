#include "tools/client/random.hpp"

#include <sys/random.h>

#include <bit>

#include "alloc/base/bytes.hpp"
#include "alloc/base/ensure.hpp"

namespace ringcast {

Prng::Prng() {
  do {
    const ssize_t got = getrandom(state_.data(), sizeof state_, 0);
    ensure(got == static_cast<ssize_t>(sizeof state_), "getrandom gives 32 bytes at once (getrandom(2))");
  } while (state_ == std::array<std::uint64_t, 4>{});  // the one state that xoshiro never leaves
}

Prng::Prng(std::uint64_t seed) {
  for (std::uint64_t& word : state_) {  // splitmix64 spreads a small seed over the state
    seed += 0x9e37'79b9'7f4a'7c15;
    std::uint64_t mixed = seed;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58'476d'1ce4'e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d0'49bb'1331'11eb;
    word = mixed ^ (mixed >> 31);
  }
}

std::uint64_t Prng::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Prng::up_to(std::uint64_t limit) {
  if (limit == ~std::uint64_t{0}) return next();
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((static_cast<Wide>(next()) * (static_cast<Wide>(limit) + 1)) >> 64);
}

MaskKey Prng::mask_key() {
  MaskKey key;
  store(key.data(), static_cast<std::uint32_t>(next() >> 32));
  return key;
}

ClientNonce Prng::nonce() {
  ClientNonce nonce;
  store(nonce.data(), next());
  store(nonce.data() + 8, next());
  return nonce;
}

}  // namespace ringcast
