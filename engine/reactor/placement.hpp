// engine/reactor/placement.hpp: how many shards there are, and which core each runs on.
//
// Owner    node, at start.  Thread  pin_this_thread(): the one to be pinned.  Memory  a list.
// Failure  place_shards() says which setting asks for what this machine does not give.
// Not here starting the threads (node).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "alloc/base/result.hpp"

namespace ringcast {

struct Placement {
  std::vector<std::uint32_t> core_of_shard;
  bool shared_cores = false;  // more shards than cores: polling would take time from a neighbour
};

/// count   0: one shard a core.
/// wanted  cores to use, in this order; empty: all usable ones.
/// usable  cores that the process may run on.
[[nodiscard]] Result<Placement, std::string> place_shards(std::uint32_t count, std::span<const std::uint32_t> wanted,
                                                          std::span<const std::uint32_t> usable);

/// The cores that this process may run on (its affinity mask), ascending.
[[nodiscard]] std::vector<std::uint32_t> usable_cores();
/// Whether the calling thread now runs on this core only.
[[nodiscard]] bool pin_this_thread(std::uint32_t core);
/// At most 15 characters are kept.
void name_this_thread(const std::string& name);

}  // namespace ringcast
