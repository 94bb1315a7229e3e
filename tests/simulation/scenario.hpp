// tests/simulation/scenario.hpp: what one seed stands for: the node's options, its channels, its peers and their
// habits.
//
// Owner    the world, by value.  Thread  one.  Memory  a few lists.  Failure  none: every scenario is a valid node.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "alloc/base/time.hpp"
#include "engine/limits.hpp"
#include "tests/simulation/dice.hpp"

namespace ringcast::simulation {

struct ChannelPlan {
  std::string name;
  SlowPolicy slow = SlowPolicy::disconnect;
  DedupeOptions dedupe;
  StateKeeping state = StateKeeping::none;
  std::uint32_t max_rate = 0;
  milliseconds batch_delay{0};
  bool bytes = false;  // payload = "binary"
  bool presence = false;
  std::uint32_t owner = 0;  // of a personal channel; 0: it is none
};

/// How a client reads what it is sent.
enum class Reading : std::uint8_t { eager, sipping, stalling, never };

/// Who a client is; it keeps its habits over several connections.
struct ClientPlan {
  bool native = true;  // otherwise the exchange dialect
  bool binary = false;  // native, with records: the binary dialect
  bool publishes = false;
  bool vandal = false;    // breaks rules now and then
  bool dribbles = false;  // sends its handshake, and now and then more, byte by byte
  bool mute = false;      // does not answer pings or close frames
  bool churns = false;    // leaves and comes back
  bool floods = false;    // publishes as fast as it is taken, large messages mostly
  Reading reading = Reading::eager;
  std::uint32_t user = 0;  // 0: anonymous; otherwise the `user` it connects as
  bool patterns = false;   // subscribes to patterns too
};

enum class Ending : std::uint8_t {
  everybody_leaves,     // the network heals, everything arrives, all leave: nothing may remain
  shutdown_when_quiet,  // the network heals, everything arrives, then the node ends
  shutdown_in_chaos,    // the node ends in the middle of everything
};

struct Scenario {
  CoreOptions options;
  std::size_t bulk_bytes = 0;  // of a mesh lane
  std::vector<ChannelPlan> channels;
  std::vector<std::string> patterns;  // that match some of them, or none
  std::vector<ClientPlan> clients;
  Ending ending = Ending::everybody_leaves;

  // The network's habits, in percent.
  std::size_t short_sends = 0;     // a send takes less than there is room for
  std::size_t starving = 0;        // a shard gets no turn for a while
  std::size_t resets = 0;          // of client actions, in a thousand
  std::size_t jumps = 0;           // of steps, in a thousand: time leaps
  std::size_t reloads = 0;         // of steps, in a thousand: the node is given other options
  nanoseconds step_time_max{};     // time between two steps
  std::size_t starving_steps = 0;  // for how long a starved shard gets no turn
  std::size_t socket_bytes_max = 0;
  std::size_t payload_bytes_max = 0;
  std::size_t actions_per_turn = 0;  // how eager clients are compared with shards

  /// The longest that news may wait for its time although nothing is in its way: intervals and delays.
  [[nodiscard]] milliseconds held_max() const;

  /// Other options for the node while it runs: of what clients may rely on nothing is taken back, everything else is as
  /// the dice say.
  [[nodiscard]] CoreOptions reloaded(Dice& dice) const;

  [[nodiscard]] static Scenario from(Dice& dice);
  /// The same node for a long run: enough clients that read, leave and come back, and messages that are small.
  void lengthen();
};

}  // namespace ringcast::simulation
