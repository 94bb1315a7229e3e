// tests/simulation/attention.hpp: what one native connection was told of users and of the channels' states.
//
// Owner    the conversation, by value.  Thread  one.  Memory  the users it heard of.
// Failure  CheckFailed: presence, state.
// Not here messages (conversation), whether a list is what it should be (world, in presence_checks.cpp).
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/checkers.hpp"
#include "tests/simulation/coverage.hpp"

namespace ringcast::simulation {

class Attention {
 public:
  Attention(std::uint32_t connection, std::size_t channels, Coverage& coverage)
      : connection_{connection}, channels_(channels), coverage_{coverage} {}

  void subscribed(std::uint32_t channel, bool stale);
  void unsubscribed(std::uint32_t channel) { channels_[channel] = {}; }
  /// Joined and left alternate; one that a list showed does not join again.
  void user_notice(std::uint32_t channel, const std::string& user, bool joined);
  void missed(std::uint32_t channel);
  /// A whole list: it is what the notices before it say.
  void listed(std::uint32_t channel, const std::set<std::string>& users);
  /// Stale and live alternate; a stale channel's newest message is `last`.
  void state(std::uint32_t channel, bool stale, std::uint64_t last);
  /// While it takes a channel for stale, it gets only what is from before.
  void message(std::uint32_t channel, std::uint64_t seq) const;

  /// Of a channel it reads: who it believes to be there (true) or not (false); nothing of those it never heard of.
  [[nodiscard]] const std::map<std::string, bool>& users(std::uint32_t channel) const {
    return channels_[channel].users;
  }
  [[nodiscard]] bool takes_for_stale(std::uint32_t channel) const { return channels_[channel].stale; }

 private:
  struct Channel {
    bool active = false;
    bool stale = false;
    std::uint64_t last = 0;             // while it is stale; where that was part of an answer, which may have waited:
                                        // not known
    bool complete = false;  // it had a list: who is not in `users` is not there
    std::map<std::string, bool> users;
  };

  std::uint32_t connection_;
  std::vector<Channel> channels_;
  Coverage& coverage_;
};

}  // namespace ringcast::simulation
