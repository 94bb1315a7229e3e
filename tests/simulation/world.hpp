// tests/simulation/world.hpp: a whole node in one thread: shard cores with real lanes, a simulated network, clock and
// clients.
//
// A shard sleeps as the real one does: its turn is run only when something arrived for it, a neighbour rang its
// doorbell, its next deadline has come, or it says itself that it is not idle. A wake-up that the core forgets is
// therefore never made up for by chance, and the liveness checker finds what waits for it.
//
// Owner    the runner; one world a seed.  Thread  one.  Memory  a node's.
// Failure  run() throws CheckFailed; a broken invariant of the core aborts the process.
// Not here what a seed stands for (scenario), the promises to clients (conversation), the sockets (network).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "alloc/memory/budget.hpp"
#include "engine/shard/mesh.hpp"
#include "engine/shard/shard_core.hpp"
#include "engine/stats/shard_block.hpp"
#include "engine/stats/shard_stats.hpp"
#include "tests/doubles/manual_clock.hpp"
#include "tests/simulation/client.hpp"
#include "tests/simulation/usage_check.hpp"

namespace ringcast::simulation {

// What a long run goes on for, and when it gives up.
inline constexpr std::size_t kLongMessagesMin = 2'000;
inline constexpr std::ptrdiff_t kLongReadersMin = 8;  // clients that were sent messages
inline constexpr std::uint64_t kLongJoinsMin = 20;
inline constexpr std::size_t kLongStepsMax = 1'000'000;

class World {
 public:
  World(std::uint64_t seed, bool print_trace, bool is_long = false);
  ~World();

  /// The whole life of the node: `steps` of chaos, then the scenario's ending, every checker running.
  void run(std::size_t steps);

  [[nodiscard]] const Trace& trace() const { return trace_; }
  [[nodiscard]] const Coverage& coverage() const { return coverage_; }
  /// Whether it has seen as many messages, readers and joins as a long run is to see.
  [[nodiscard]] bool is_long_enough();

 private:
  struct Shard {
    std::unique_ptr<ShardBlock> block = std::make_unique<ShardBlock>();
    std::unique_ptr<Budget> budget = std::make_unique<Budget>();
    std::unique_ptr<ShardStats> stats;
    std::unique_ptr<ShardCore> core;
    std::vector<std::uint64_t> floor;      // bytes by purpose when the core was new
    const CoreOptions* options = nullptr;  // what it goes by
    bool doorbell = false;
    bool asleep = false;            // it was idle when its last turn ended, and nobody looks again
    Instant wakes_at{};             // the deadline that it went to sleep with
    std::size_t starved_until = 0;  // step
    std::size_t fruitless_turns = 0;
    std::uint64_t audits = 0;
  };

  // The loop.
  void chaos_step();
  bool wants_turn(std::uint32_t shard);
  /// Returns whether anything at all happened in it.
  bool turn(std::uint32_t shard);
  bool deliver(std::uint32_t shard, std::size_t most);
  bool carry_out(std::uint32_t shard);
  void reload();
  void follow_reload(std::uint32_t shard);
  void pass_time(nanoseconds by);
  void wait_for_next_deadline(nanoseconds at_most);
  [[nodiscard]] Now now() { return clock_.now(); }

  // The checks.
  void note_bounds(const CoreOptions& options);
  void audit(std::uint32_t shard);
  void check_memory(std::uint32_t shard);
  void resolve_exchange(bool final);

  // The endings.
  void heal();
  void run_until_quiet(const char* what);
  /// Each client, connection and shard once; of the clients perhaps only one. False when nothing was left to do.
  bool round(const Client* only = nullptr);
  enum class Held : bool { apart, too };  // news whose time has not come
  void everything_arrives();
  void check_everything_arrived(Held held);
  void check_markers(const std::vector<std::pair<std::uint32_t, PublishId>>& markers);
  void one_message_each(Client& talker);
  bool keep_silent();
  void everybody_leaves();
  void tell_to_end(std::uint32_t index);
  void shut_down_in_peace();
  void shut_down_in_chaos();
  void wait_until_drained();
  void check_nothing_is_left();

  // presence_checks.cpp
  void let_graces_pass();
  void check_presence();
  void check_directory(std::uint32_t asker);
  [[nodiscard]] Answer ask(std::uint32_t shard, Question::Kind kind, const std::string& subject);

  Dice dice_;
  Trace trace_;
  Coverage coverage_;
  bool was_long_enough_ = false;
  bool is_long_;
  Scenario scenario_;
  ManualClock clock_;
  Truth truth_;
  Network network_;
  Mesh mesh_;
  UsageCheck usage_;
  std::vector<Shard> shards_;
  std::vector<Delivered> delivered_;
  std::vector<std::unique_ptr<Conversation>> conversations_;
  Surroundings surroundings_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<SendReport> reports_;
  std::vector<std::unique_ptr<const CoreOptions>> reloaded_;  // the newest last; earlier ones until nobody goes by them
  std::uint64_t lag_bytes_max_ = 0;                           // of all rules there ever were
  std::uint64_t history_bytes_max_ = 0;
  std::size_t step_ = 0;
};

}  // namespace ringcast::simulation
