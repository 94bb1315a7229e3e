// tests/simulation/durable_world.hpp: durable channels and their store, through kills and faults: a node of real cores
// and a real store service in one thread, with publishers and subscribers who come and go.
//
// The store is a double that answers when its turn comes, however late; fails for a while, or once; and keeps what was
// committed when the node is killed, which may be between any two of its calls: within a transaction, after a commit
// of which nobody has heard, before. The network is plain (tests/doubles/core_harness.hpp): what sockets do to a
// stream is the subject of the other world (world.hpp).
//
// Owner    the runner; one world a seed.  Thread  one.  Memory  a node's.
// Failure  run() throws CheckFailed; a broken invariant of the core aborts the process.
// Not here what was promised about a channel (durable_truth), SQLite and its files (tests/engine/bridge).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/doubles/core_harness.hpp"
#include "tests/doubles/memory_store.hpp"
#include "tests/simulation/coverage.hpp"
#include "tests/simulation/dice.hpp"
#include "tests/simulation/durable_truth.hpp"
#include "tests/simulation/trace.hpp"

namespace ringcast::simulation {

class DurableWorld {
 public:
  DurableWorld(std::uint64_t seed, bool print_trace);

  /// `steps` of chaos, over several lives of the node; then all is well, the node ends in peace or is killed once
  /// more, and who comes then must be given everything.
  void run(std::size_t steps);

  [[nodiscard]] const Trace& trace() const { return trace_; }
  [[nodiscard]] const Coverage& coverage() const { return coverage_; }

 private:
  struct Publisher {
    CoreClient* socket = nullptr;
    bool greeted = false;                                      // its handshake is done
    std::map<std::uint64_t, std::size_t> waiting;              // publishes without an answer, and their channels
    std::vector<std::pair<std::uint64_t, std::size_t>> doubt;  // those that will have none
    std::map<std::size_t, std::uint64_t> answered;             // the newest seq that it was told of, by channel
  };
  struct Reader {
    CoreClient* socket = nullptr;
    std::size_t channel = 0;
    std::uint64_t confirmed = 0;          // of its channel, when it asked
    std::optional<std::uint64_t> resume;  // the last one it says it has
    std::uint64_t first = 0;              // what it was given first, or told of; 0: nothing yet
    std::uint64_t next = 0;               // then: what comes next
    std::uint64_t head = 0;               // of the channel, when it joined
    bool greeted = false;
    bool joined = false;
    bool recovered = false;
    bool leaving = false;            // has ended its side
    bool unmarked = false;           // was given a message that is not marked as stored
    std::vector<std::string> texts;  // came, and were not looked at yet
  };

  void start();
  void kill(std::string_view how);
  void step();
  void pass(nanoseconds time);
  void take_turns();
  void serve_store();

  // What clients do.
  void publish();
  void subscribe();
  void acknowledge();
  void leave();
  void change_room();
  void change_fault();
  Reader& join(std::size_t channel, std::uint32_t shard, std::optional<std::uint64_t> resume);

  // What they hear.
  void hear_all();
  void hear(Publisher& publisher);
  void lose(Publisher& publisher);
  void collect(Reader& reader);
  void hear(Reader& reader, std::string_view text);
  void hear_message(Reader& reader, std::string_view text);
  void hear_gap(Reader& reader, std::string_view text);
  void begin(Reader& reader, std::uint64_t seq);

  // The end.
  void get_well();
  void end_in_peace();
  void everything_is_there();

  Dice dice_;
  Trace trace_;
  Coverage coverage_;
  CoreOptions options_;
  MemoryStore kept_;
  std::unique_ptr<CoreHarness> node_;
  Now now_{.mono = Instant{seconds{1'000}}, .wall = WallTime{seconds{1'790'000'000}}};
  std::vector<DurableTruth> channels_;
  std::vector<std::string> epochs_;  // by channel, as its last subscriber was told
  std::vector<std::uint64_t> had_;   // by channel, after a peaceful end: what somebody was given in that life
  std::vector<Publisher> publishers_;
  std::vector<std::unique_ptr<Reader>> readers_;
  std::uint64_t next_message_ = 1;
  std::optional<StoreState> wrong_;      // what the store is, if it is not well
  std::uint32_t commits_failing_ = 0;    // so many of the next commits
  std::uint32_t writes_until_kill_ = 0;  // 0: not that way
  bool dying_ = false;                   // the node was killed within a call of the store
};

}  // namespace ringcast::simulation
