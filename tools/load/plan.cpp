#include "tools/load/plan.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ringcast {
namespace {

void mark_slow(std::vector<PlannedConnection>& connections, double share) {
  std::uint64_t marked = 0;
  for (std::size_t i = 0; i < connections.size(); ++i) {
    const auto wanted = static_cast<std::uint64_t>(static_cast<double>(i + 1) * share + 1e-9);
    if (wanted <= marked) continue;
    connections[i].slow = true;
    connections[i].never_reads = marked % 2 == 0;
    marked = wanted;
  }
}

/// So many percent unpack: whole rounds of the streams, of which each has one reader, so that no stream goes unread.
void mark_skimming(std::vector<PlannedConnection>& connections, std::size_t streams, double inflate_share) {
  const auto unpacking = [inflate_share](std::size_t rounds) {  // how many of the first rounds
    return rounds == 0 ? std::size_t{0} : 1 + static_cast<std::size_t>(static_cast<double>(rounds - 1) * inflate_share);
  };
  for (std::size_t i = 0; i < connections.size(); ++i) {
    const std::size_t round = i / streams;
    connections[i].skims = unpacking(round + 1) == unpacking(round);
  }
}

}  // namespace

std::vector<std::uint32_t> LoadPlan::readers() const {
  std::vector<std::uint32_t> readers(names.size());
  for (const PlannedConnection& connection : connections) {
    for (const std::uint32_t target : connection.targets) ++readers[target];
  }
  return readers;
}

LoadPlan plan_synthetic(const LoadOptions& options) {
  LoadPlan plan;
  const std::string prefix = options.prefix.value_or("load.");
  for (std::uint32_t c = 0; c < options.channels; ++c) {
    plan.names.push_back(fmt::format("{}{:06}", prefix, c));
    const std::uint32_t rest = options.publishers % options.channels;
    plan.sources.push_back(
        options.publishers <= options.channels ? 1 : options.publishers / options.channels + (c < rest ? 1 : 0));
  }
  plan.connections.resize(options.connections);
  for (std::uint32_t i = 0; i < std::max(options.connections, options.channels); ++i) {
    plan.connections[i % options.connections].targets.push_back(i % options.channels);
  }
  mark_slow(plan.connections, options.slow_share());
  return plan;
}

LoadPlan plan_feed(const LoadOptions& options, const Feed& feed) {
  LoadPlan plan;
  const auto streams = static_cast<std::uint32_t>(feed.streams().size());
  for (const FeedStream& stream : feed.streams()) {
    plan.names.push_back(options.prefix.value_or("") + stream.name);
    plan.sources.push_back(1);
  }
  const std::uint32_t most = std::min(options.streams_per_connection, streams);
  plan.connections.resize(options.connections);
  for (std::uint32_t i = 0; i < options.connections; ++i) {
    const std::uint32_t count = 1 + (i / streams) % most;
    for (std::uint32_t j = 0; j < count; ++j) plan.connections[i].targets.push_back((i + j) % streams);
  }
  mark_slow(plan.connections, options.slow_share());
  mark_skimming(plan.connections, streams, options.inflate_share());
  return plan;
}

}  // namespace ringcast
