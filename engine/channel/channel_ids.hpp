// engine/channel/channel_ids.hpp: the numbers that channels have in the binary dialect: node-wide, none given twice.
//
// Owner    channel_router, by value.  Thread  the shard's.  Memory  8 bytes.
// Failure  take() gives 0 once this shard's part of 32 bits is used up, after 4,294,967,295 / shards channels (with
//          10,000 new ones a second on one shard: five days). Who wants to read such a channel in the binary dialect is
//          refused; nothing else is.
// Not here what they are for (codec/dialect/ringcast_binary.h).
#pragma once

#include <cstdint>

#include "alloc/base/identifiers.hpp"

namespace ringcast {

class ChannelIds {
 public:
  /// given  how many this shard has given already: for tests of the end.
  ChannelIds(std::uint32_t shards, ShardIndex here, std::uint64_t given = 0)
      : next_{given * shards + value(here) + 1}, step_{shards} {}

  /// Shards count in steps, so that no two give the same.
  [[nodiscard]] std::uint32_t take() {
    if (next_ > 0xffff'ffff) return 0;
    const auto id = static_cast<std::uint32_t>(next_);
    next_ += step_;
    return id;
  }

 private:
  std::uint64_t next_;
  std::uint32_t step_;
};

}  // namespace ringcast
