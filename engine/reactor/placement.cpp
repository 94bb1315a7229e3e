#include "engine/reactor/placement.hpp"

#include <pthread.h>
#include <sched.h>

#include <algorithm>

#include "engine/limits.hpp"

namespace ringcast {

Result<Placement, std::string> place_shards(std::uint32_t count, std::span<const std::uint32_t> wanted,
                                            std::span<const std::uint32_t> usable) {
  if (usable.empty()) return unexpected(std::string{"the process may not run on any core"});
  for (const std::uint32_t core : wanted) {
    if (std::ranges::find(usable, core) == usable.end()) {
      return unexpected("shards.cores names core " + std::to_string(core) + ", which this process may not use");
    }
  }
  const std::span<const std::uint32_t> cores = wanted.empty() ? usable : wanted;
  const std::size_t shards = count == 0 ? std::min<std::size_t>(cores.size(), kShardsMax) : count;
  if (shards > kShardsMax) {
    return unexpected("shards.count is " + std::to_string(shards) + "; a node has at most " +
                      std::to_string(kShardsMax));
  }
  Placement placement{.core_of_shard = {}, .shared_cores = shards > cores.size()};
  for (std::size_t i = 0; i < shards; ++i) placement.core_of_shard.push_back(cores[i % cores.size()]);
  return placement;
}

std::vector<std::uint32_t> usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<std::uint32_t> cores;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return cores;
  for (std::uint32_t core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return cores;
}

bool pin_this_thread(std::uint32_t core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  return pthread_setaffinity_np(pthread_self(), sizeof set, &set) == 0;
}

void name_this_thread(const std::string& name) { pthread_setname_np(pthread_self(), name.substr(0, 15).c_str()); }

}  // namespace ringcast
