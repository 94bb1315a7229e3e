// tests/simulation/regression_seeds.hpp: seeds that once found something, each with what it found. They run first,
// always.
//
// A seed's meaning changes with the code of the simulation: a row is a memory, not a proof. The run of many seeds is.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace ringcast::simulation {

struct RegressionSeed {
  std::uint64_t seed;
  std::string_view sentence;
  bool is_long = false;
};

inline constexpr std::array kRegressionSeeds{
    RegressionSeed{4,
                   "a client's FIN found half a reply on the wire, and the connection was closed as if it were whole"},
    RegressionSeed{24,
                   "an unsubscribe of several unknown channels: the errors behind the fifth followed the close frame"},
    RegressionSeed{53,
                   "a refused subscribe closed the connection, and its answer was finished after it had been freed"},
    RegressionSeed{91,
                   "a sleeping shard noticed its shutdown deadline before its time to say goodbye: resets, no 1001"},
    RegressionSeed{126, "a reader moved between the logs of two forms amid one publish, and was offered it twice"},
    RegressionSeed{
        7336, "an exchange reader moved to the head of a hole kept its place among those with news: stuck for ever"},
    RegressionSeed{
        315, "a conflated exchange reader was moved into a hole at the head of its log, where nothing is sent from"},
    RegressionSeed{8281, "the node ended while a reader let its last ping pass: the checker took its 4009 for a fault"},
    RegressionSeed{
        171, "a channel's first message came as its home said that there is none: `seq` named it, and it never came"},
    RegressionSeed{382,
                   "a vandal sent a packed frame behind its handshake: the checker did not know that it was agreed"},
    RegressionSeed{
        2613, "a channel of last messages that a pattern had let go was bound again: the checker waited for its last"},
    RegressionSeed{55, "a refused subscribe may have taken a channel or not: the checker was sure that it had", true},
    RegressionSeed{68, "a channel's last message had outlived its state_age: the checker waited for it", true},
    RegressionSeed{190, "heartbeats were off and half an hour silent: the checker did not know that this closes", true},
    RegressionSeed{2625, "a slow reader of what conflates asked for every message: it had lost some before", true},
    RegressionSeed{6068, "a reader moved to a log with news as its socket was full: it waited for it twice", true},
    RegressionSeed{6844, "a snapshot took the number of a lost message, and nobody was told; the log had it", true},
    RegressionSeed{8301, "a personal channel was resumed, and history lost some of it: the checker knew of none", true},
};

}  // namespace ringcast::simulation
