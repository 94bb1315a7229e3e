#include "tests/simulation/attention.hpp"

namespace ringcast::simulation {

void Attention::subscribed(std::uint32_t channel, bool stale) {
  Channel& known = channels_[channel];
  if (!known.active) known = {};  // otherwise it reads on from where it is, and may have missed a notice
  known.active = true;
  known.stale = stale;
  known.last = ~std::uint64_t{0};
  if (stale) coverage_.add(Seen::joins_while_stale);
}

void Attention::user_notice(std::uint32_t channel, const std::string& user, bool joined) {
  Channel& known = channels_[channel];
  check(known.active, Checker::presence, "c{}: user {} of channel {}, which it does not read", connection_, user,
        channel);
  coverage_.add(joined ? Seen::users_joined : Seen::users_left);
  const auto at = known.users.find(user);
  if (at != known.users.end()) {
    check(at->second != joined, Checker::presence, "c{}: user {} of channel {} {} twice", connection_, user, channel,
          joined ? "joined" : "left");
  } else {
    check(joined || !known.complete, Checker::presence, "c{}: user {} left channel {}, and no list had it", connection_,
          user, channel);
  }
  known.users[user] = joined;
}

void Attention::missed(std::uint32_t channel) {
  Channel& known = channels_[channel];
  check(known.active, Checker::presence, "c{}: notices of channel {} missed, which it does not read", connection_,
        channel);
  coverage_.add(Seen::notices_missed);
  known.users.clear();
  known.complete = false;
}

void Attention::listed(std::uint32_t channel, const std::set<std::string>& users) {
  coverage_.add(Seen::lists_seen);
  Channel& known = channels_[channel];
  if (!known.active) return;
  for (const auto& [user, here] : known.users) {
    check(users.contains(user) == here, Checker::presence, "c{}: the list of channel {} {} user {}, who {}",
          connection_, channel, here ? "lacks" : "has", user, here ? "joined" : "left");
  }
  known.users.clear();
  for (const std::string& user : users) known.users[user] = true;
  known.complete = true;
}

void Attention::state(std::uint32_t channel, bool stale, std::uint64_t last) {
  Channel& known = channels_[channel];
  check(known.active, Checker::state, "c{}: the state of channel {}, which it does not read", connection_, channel);
  check(known.stale != stale, Checker::state, "c{}: channel {} is {} again", connection_, channel,
        stale ? "stale" : "live");
  known.stale = stale;
  known.last = last;
  coverage_.add(stale ? Seen::channels_stale : Seen::channels_live);
}

void Attention::message(std::uint32_t channel, std::uint64_t seq) const {
  const Channel& known = channels_[channel];
  check(!known.stale || seq <= known.last, Checker::state, "c{}: seq {} of channel {}, which is stale since seq {}",
        connection_, seq, channel, known.last);
}

}  // namespace ringcast::simulation
