// engine/channel/home_shard.hpp: where a channel is sequenced: the same on every shard for the life of the process.
//
// Thread  any.  Memory  none.  Failure  none.
#pragma once

#include <cstdint>
#include <string_view>

#include "alloc/base/identifiers.hpp"
#include "codec/hash/xxh3.hpp"

namespace ringcast {

[[nodiscard]] inline ShardIndex home_shard(std::string_view channel, std::uint32_t shards) {
  return ShardIndex{static_cast<std::uint16_t>(shards == 1 ? 0 : hash64(channel) % shards)};
}

}  // namespace ringcast
