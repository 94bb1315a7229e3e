// tests/simulation/coverage.hpp: how often each situation that the simulation was made for really occurred.
//
// A simulation that never fills a lane proves nothing about full lanes: the runner adds these up over all seeds and
// demands that every one was seen.
//
// Owner    the world, by value.  Thread  one.  Memory  a word a situation.  Failure  none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace ringcast::simulation {

enum class Seen : std::uint8_t {
  messages_delivered,
  messages_native,
  messages_binary,
  messages_raw,
  messages_combined,
  messages_large,
  messages_packed,
  commands_packed,
  publishes,
  duplicates_answered,
  publishes_refused,
  records_published,
  records_broken,
  gaps_conflated,
  gaps_dropped,
  gaps_expired,
  joins_with_last,
  joins_with_old_last,
  joins_with_snapshot,
  snapshots_beside,
  exchange_skips,
  lane_overruns,
  subscribes,
  subscribes_again,
  resumes_recovered,
  resumes_refused,
  unsubscribes,
  forms_switched,
  sends_whole,
  sends_short,
  sends_again,
  sends_sealed,
  sends_failed,
  remainders,
  remainders_large,
  remainders_cut,
  receives_paused,
  late_bytes_after_pause,
  shards_starved,
  peers_reset,
  peers_vanished,
  peers_finished,
  clean_closes,
  handshakes_dribbled,
  handshakes_refused,
  accepts_refused,
  framing_broken,
  commands_broken,
  closed_1000,
  closed_idle,
  closed_1001,
  closed_1002,
  closed_1007,
  closed_1009,
  closed_4003,
  closed_4008,
  closed_4009,
  actions_reset,
  shutdowns_in_chaos,
  channels_expired,
  options_granted,
  options_refused,
  conflations_chosen,
  rate_waits,
  batch_waits,
  priority_yields,
  patterns_subscribed,
  patterns_unsubscribed,
  patterns_stopped,
  patterns_refused,
  channels_bound,
  channels_bound_later,
  channels_bound_again,
  channels_bound_late,
  channels_let_go,
  pattern_resumes,
  users_joined,
  users_left,
  lists_seen,
  notices_missed,
  notices_superseded,
  users_unlisted,
  channels_stale,
  channels_live,
  joins_while_stale,
  personal_joins,
  personal_resumes,
  personal_messages,
  store_publishes,
  store_duplicates,
  store_refusals,
  store_joins,
  store_joins_refused,
  store_messages_stored,
  store_messages_live,
  store_gaps,
  store_acks,
  store_faults,
  store_kills,
  store_kills_in_transaction,
  store_peaceful_ends,
  subscriptions_recorded,
  reloads,
  reloads_apart,
  end,
};
inline constexpr std::size_t kSituations = std::to_underlying(Seen::end);

struct SeenRow {
  Seen seen;
  std::string_view name;
};
#define RINGCAST_SEEN(name) \
  SeenRow { Seen::name, #name }
inline constexpr std::array kSeen{
    RINGCAST_SEEN(messages_delivered),
    RINGCAST_SEEN(messages_native),
    RINGCAST_SEEN(messages_binary),
    RINGCAST_SEEN(messages_raw),
    RINGCAST_SEEN(messages_combined),
    RINGCAST_SEEN(messages_large),
    RINGCAST_SEEN(messages_packed),
    RINGCAST_SEEN(commands_packed),
    RINGCAST_SEEN(publishes),
    RINGCAST_SEEN(duplicates_answered),
    RINGCAST_SEEN(publishes_refused),
    RINGCAST_SEEN(records_published),
    RINGCAST_SEEN(records_broken),
    RINGCAST_SEEN(gaps_conflated),
    RINGCAST_SEEN(gaps_dropped),
    RINGCAST_SEEN(gaps_expired),
    RINGCAST_SEEN(joins_with_last),
    RINGCAST_SEEN(joins_with_old_last),
    RINGCAST_SEEN(joins_with_snapshot),
    RINGCAST_SEEN(snapshots_beside),
    RINGCAST_SEEN(exchange_skips),
    RINGCAST_SEEN(lane_overruns),
    RINGCAST_SEEN(subscribes),
    RINGCAST_SEEN(subscribes_again),
    RINGCAST_SEEN(resumes_recovered),
    RINGCAST_SEEN(resumes_refused),
    RINGCAST_SEEN(unsubscribes),
    RINGCAST_SEEN(forms_switched),
    RINGCAST_SEEN(sends_whole),
    RINGCAST_SEEN(sends_short),
    RINGCAST_SEEN(sends_again),
    RINGCAST_SEEN(sends_sealed),
    RINGCAST_SEEN(sends_failed),
    RINGCAST_SEEN(remainders),
    RINGCAST_SEEN(remainders_large),
    RINGCAST_SEEN(remainders_cut),
    RINGCAST_SEEN(receives_paused),
    RINGCAST_SEEN(late_bytes_after_pause),
    RINGCAST_SEEN(shards_starved),
    RINGCAST_SEEN(peers_reset),
    RINGCAST_SEEN(peers_vanished),
    RINGCAST_SEEN(peers_finished),
    RINGCAST_SEEN(clean_closes),
    RINGCAST_SEEN(handshakes_dribbled),
    RINGCAST_SEEN(handshakes_refused),
    RINGCAST_SEEN(accepts_refused),
    RINGCAST_SEEN(framing_broken),
    RINGCAST_SEEN(commands_broken),
    RINGCAST_SEEN(closed_1000),
    RINGCAST_SEEN(closed_idle),
    RINGCAST_SEEN(closed_1001),
    RINGCAST_SEEN(closed_1002),
    RINGCAST_SEEN(closed_1007),
    RINGCAST_SEEN(closed_1009),
    RINGCAST_SEEN(closed_4003),
    RINGCAST_SEEN(closed_4008),
    RINGCAST_SEEN(closed_4009),
    RINGCAST_SEEN(actions_reset),
    RINGCAST_SEEN(shutdowns_in_chaos),
    RINGCAST_SEEN(channels_expired),
    RINGCAST_SEEN(options_granted),
    RINGCAST_SEEN(options_refused),
    RINGCAST_SEEN(conflations_chosen),
    RINGCAST_SEEN(rate_waits),
    RINGCAST_SEEN(batch_waits),
    RINGCAST_SEEN(priority_yields),
    RINGCAST_SEEN(patterns_subscribed),
    RINGCAST_SEEN(patterns_unsubscribed),
    RINGCAST_SEEN(patterns_stopped),
    RINGCAST_SEEN(patterns_refused),
    RINGCAST_SEEN(channels_bound),
    RINGCAST_SEEN(channels_bound_later),
    RINGCAST_SEEN(channels_bound_again),
    RINGCAST_SEEN(channels_bound_late),
    RINGCAST_SEEN(channels_let_go),
    RINGCAST_SEEN(pattern_resumes),
    RINGCAST_SEEN(users_joined),
    RINGCAST_SEEN(users_left),
    RINGCAST_SEEN(lists_seen),
    RINGCAST_SEEN(notices_missed),
    RINGCAST_SEEN(notices_superseded),
    RINGCAST_SEEN(users_unlisted),
    RINGCAST_SEEN(channels_stale),
    RINGCAST_SEEN(channels_live),
    RINGCAST_SEEN(joins_while_stale),
    RINGCAST_SEEN(personal_joins),
    RINGCAST_SEEN(personal_resumes),
    RINGCAST_SEEN(personal_messages),
    RINGCAST_SEEN(store_publishes),
    RINGCAST_SEEN(store_duplicates),
    RINGCAST_SEEN(store_refusals),
    RINGCAST_SEEN(store_joins),
    RINGCAST_SEEN(store_joins_refused),
    RINGCAST_SEEN(store_messages_stored),
    RINGCAST_SEEN(store_messages_live),
    RINGCAST_SEEN(store_gaps),
    RINGCAST_SEEN(store_acks),
    RINGCAST_SEEN(store_faults),
    RINGCAST_SEEN(store_kills),
    RINGCAST_SEEN(store_kills_in_transaction),
    RINGCAST_SEEN(store_peaceful_ends),
    RINGCAST_SEEN(subscriptions_recorded),
    RINGCAST_SEEN(reloads),
    RINGCAST_SEEN(reloads_apart),
};
#undef RINGCAST_SEEN
static_assert(kSeen.size() == kSituations, "every situation has a name");
static_assert(
    [] {
      for (std::size_t i = 0; i < kSeen.size(); ++i) {
        if (std::to_underlying(kSeen[i].seen) != i) return false;
      }
      return true;
    }(),
    "names stand in the order of the situations");

class Coverage {
 public:
  void add(Seen seen, std::uint64_t amount = 1) { counts_[std::to_underlying(seen)] += amount; }
  [[nodiscard]] std::uint64_t of(Seen seen) const { return counts_[std::to_underlying(seen)]; }
  Coverage& operator+=(const Coverage& other) {
    for (std::size_t i = 0; i < kSituations; ++i) counts_[i] += other.counts_[i];
    return *this;
  }

 private:
  std::array<std::uint64_t, kSituations> counts_{};
};

}  // namespace ringcast::simulation
