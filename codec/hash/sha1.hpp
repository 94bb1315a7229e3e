// codec/hash/sha1.hpp: SHA-1, which RFC 6455 asks for in the handshake and nothing else here uses.
//
// Thread  any.  Memory  libcrypto's, freed before return.  Failure  none.
#pragma once

#include <array>
#include <cstdint>

#include "alloc/base/bytes.hpp"

namespace ringcast {

using Sha1Digest = std::array<std::uint8_t, 20>;

[[nodiscard]] Sha1Digest sha1(Bytes bytes);

}  // namespace ringcast
