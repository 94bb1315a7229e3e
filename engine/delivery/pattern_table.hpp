// engine/delivery/pattern_table.hpp: the SUBSCRIBER side of patterns: which connections of this shard want which
// channels, what the homes have been asked, and which channels wait to be bound.
//
// Owner    pattern_traffic, by value.  Thread  the shard's.
// Memory   slabs of patterns and subscriptions to them, charged to Purpose::subscriptions; at most kAnnounceWindow
//          announcements a home; what a subscriber is to be told, until it is told: a turn, or until it is answered.
// Failure  no slot for a pattern or a subscription: subscribe() answers with a handle that is not valid.
// Not here joining a channel, the lanes (shard/pattern_traffic), permission and replies (session/pattern_flow), which
//          channels exist (channel/pattern_watches).
//
// Which channels exist is asked in rounds: who subscribes while the homes are looking waits for the next round, with
// everybody else who does. A thousand clients that come back at once cost two rounds.
#pragma once

#include <bit>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "alloc/base/identifiers.hpp"
#include "alloc/memory/slab.hpp"
#include "codec/dialect/command.hpp"
#include "codec/text/pattern.hpp"
#include "engine/channel/join_start.hpp"
#include "engine/channel/pattern_watches.hpp"
#include "engine/delivery/outbox.hpp"
#include "engine/stats/shard_stats.hpp"

namespace ringcast {

/// A channel that a pattern has bound; its messages wait until its reader has been told.
struct BoundChannel {
  Handle subscription;
  Epoch epoch{};
  Sequence seq{};                   // the last one before those that follow, or that were missed
  std::optional<bool> recovered{};  // the client resumed it; or (false) its first message was lost
  JoinStart::State state{};
  Sequence as_of{};                 // with a snapshot: every message from this seq on follows it
  std::uint32_t channel_id = 0;     // the channel's number in the binary dialect
};

/// Where the client left a channel that its pattern may bind.
struct NamedResume {
  std::string channel;
  ResumePoint point{};
};

/// One connection's wish for all channels that match one pattern.
struct PatternSubscription {
  enum class Phase : std::uint8_t {
    waiting,  // for a round that asks the homes what exists
    looking,  // which is under way
    bound,    // everything that existed is bound, or about to be
  };
  Outbox* reader = nullptr;
  std::uint32_t pattern = kNoSlot;         // the WatchedPattern's slot
  std::uint32_t of_reader_next = kNoSlot;  // the connection's others
  std::uint32_t joins = 0;                 // of its round, that wait for another shard
  SubscribeOptions options{};
  std::vector<NamedResume> resumes;  // by name; until the round is over
  std::vector<BoundChannel> untold;
  std::vector<std::string> ended;  // channels that were let go, until it is told
  ErrorCode stopped_by{};
  Phase phase = Phase::waiting;
  bool awaited = true;     // a subscribe command waits for it
  bool answer_due = true;  // and has not been answered: until then nothing of what came of it is told
  bool answered = false;   // "subscribed" has been queued, for this command or an earlier one
  bool listed = false;    // among those with something to tell
  bool stopped = false;   // a limit was met: it binds nothing more
  bool stop_told = false;
};

/// A pattern, for all connections of this shard that subscribe to it.
struct WatchedPattern {
  enum class Home : std::uint8_t {
    away,      // tells us nothing
    asked,     // what exists, and to tell us what begins
    watching,  // has said what exists, and tells us what begins
    leaving,   // was told that nobody here wants it any more
  };
  WatchedPattern(const Pattern& compiled, std::uint32_t shards) : pattern{compiled}, homes(shards, Home::away) {}

  Pattern pattern;
  std::uint32_t subscriptions = 0;
  std::uint32_t waiting = 0;           // of them, for the next round
  std::vector<std::uint32_t> binding;  // those that no limit has stopped
  std::vector<std::uint32_t> looking;  // those that the round is for
  std::vector<Home> homes;             // one a shard
  std::uint64_t unasked = 0;           // homes of the round that have not been asked yet, a bit each
  std::uint32_t answers = 0;           // of the round, to come; 0: there is none
  bool unsettled = false;              // in the list of those that have something to ask
};

/// What a home told, until everybody whom it concerns has been looked at.
struct Announcement {
  using Kind = PatternWatches::Word::Kind;
  Kind kind{};
  ShardIndex home{};
  Handle pattern;
  Epoch epoch{};
  Sequence after{};
  std::string channel;
};

class PatternTable {
 public:
  PatternTable(std::uint32_t shards, std::uint32_t subscriptions_max, Budget& budget, ShardStats& stats);

  // ---- who wants what ----

  /// The connection's subscription to the pattern, made if it has none; not valid() when there is no room. It waits for
  /// the next round.
  [[nodiscard]] Handle subscribe(Outbox& reader, const Pattern& pattern);
  void end(std::uint32_t subscription);
  [[nodiscard]] PatternSubscription* find(Handle handle) { return subscriptions_.find(handle); }
  [[nodiscard]] PatternSubscription& operator[](std::uint32_t slot) { return subscriptions_[slot]; }
  [[nodiscard]] Handle handle_of(std::uint32_t slot) const { return subscriptions_.handle_of(slot); }
  /// kNoSlot: the connection does not have it.
  [[nodiscard]] std::uint32_t find_of(const Outbox& reader, std::string_view pattern) const;
  /// The first of the connection's; of_reader_next leads on. kNoSlot: it has none.
  [[nodiscard]] std::uint32_t first_of(const Outbox& reader) const;
  [[nodiscard]] std::uint32_t count_of(const Outbox& reader) const;
  /// A subscription of this connection whose pattern matches, an answered one if there is one; kNoSlot if none does.
  [[nodiscard]] std::uint32_t match(const Outbox& reader, std::string_view channel) const;
  [[nodiscard]] const Pattern& pattern_of(const PatternSubscription& subscription) const {
    return patterns_[subscription.pattern].pattern;
  }
  [[nodiscard]] bool any() const { return patterns_.size() != 0; }

  // ---- what the homes are asked ----

  [[nodiscard]] WatchedPattern& watched(std::uint32_t slot) { return patterns_[slot]; }
  [[nodiscard]] WatchedPattern* find_watched(Handle pattern) { return patterns_.find(pattern); }
  [[nodiscard]] Handle watched_handle(std::uint32_t slot) const { return patterns_.handle_of(slot); }
  /// Calls ask(pattern, home) for who is to be asked, and leave(pattern, home) where nobody wants the pattern any more;
  /// each says in what state the home is then. Forgets patterns that nobody wants and no home watches.
  template <class Ask, class Leave>
  void settle(Ask&& ask, Leave&& leave);
  /// Something became due since the last settle().
  [[nodiscard]] bool has_due() const { return has_due_; }
  [[nodiscard]] bool settled() const { return unsettled_.empty(); }
  /// A home answered that it has let go.
  void left(Handle pattern, ShardIndex home);

  // ---- what is to be bound ----

  void announced(Announcement&& announcement) { announcements_.push_back(std::move(announcement)); }
  [[nodiscard]] bool has_announcements() const { return !announcements_.empty(); }
  [[nodiscard]] std::size_t announcements() const { return announcements_.size(); }
  /// The next subscription that the first announcement concerns. kNoSlot: there is no further one, done() with it.
  [[nodiscard]] std::uint32_t next_concerned();
  [[nodiscard]] const Announcement& front() const { return announcements_.front(); }
  /// The first announcement has been dealt with; says whose it was.
  ShardIndex done();

  // ---- what is to be said ----

  /// The subscription's channel has been joined: it is to be told of it.
  void bound(std::uint32_t subscription, const BoundChannel& channel);
  /// A channel that it held has been let go.
  void let_go(std::uint32_t subscription, std::string_view channel);
  /// It met a limit, and binds nothing more.
  void stop(std::uint32_t subscription, ErrorCode code);
  /// A join of its round has ended.
  void joined(std::uint32_t subscription);
  void answered(std::uint32_t subscription);
  /// Subscriptions whose subscribe can be answered now; for the caller to take.
  std::vector<Handle> ready;
  /// Answered subscriptions with channels, or a stop, that their readers do not know of; for the caller to take.
  std::vector<Handle> to_tell;

  void validate() const;

 private:
  struct OfReader {
    std::uint32_t first = kNoSlot;
    std::uint32_t count = 0;
  };

  void make_due(std::uint32_t pattern);
  void begin_round(std::uint32_t pattern);
  void answer_came(std::uint32_t pattern);
  [[nodiscard]] std::vector<std::uint32_t>& concerned_by(WatchedPattern& watched, Announcement::Kind kind) const {
    return kind == Announcement::Kind::exists ? watched.looking : watched.binding;
  }
  void stop_binding(std::uint32_t subscription);
  void remove(WatchedPattern& watched, Announcement::Kind kind, std::uint32_t subscription);
  void forget(std::uint32_t pattern);
  void check_ready(std::uint32_t subscription);
  void list(std::uint32_t subscription);

  std::uint32_t shards_;
  Slab<WatchedPattern> patterns_;
  Slab<PatternSubscription> subscriptions_;
  absl::flat_hash_map<std::string_view, std::uint32_t>
      by_text_;                                             // views of WatchedPattern::pattern, which does not move
  absl::flat_hash_map<std::uint32_t, OfReader> by_reader_;  // connection slot
  std::vector<std::uint32_t> unsettled_;
  std::vector<std::uint32_t> settling_;
  bool has_due_ = false;
  std::deque<Announcement> announcements_;
  std::size_t concerned_ = 0;  // subscriptions that the first of them has been shown to
  ShardStats* stats_;
};

template <class Ask, class Leave>
void PatternTable::settle(Ask&& ask, Leave&& leave) {
  using Home = WatchedPattern::Home;
  has_due_ = false;
  settling_.clear();
  settling_.swap(unsettled_);
  for (const std::uint32_t slot : settling_) {
    WatchedPattern& watched = patterns_[slot];
    watched.unsettled = false;
    const bool wanted = watched.subscriptions != 0;
    if (!wanted && watched.unasked != 0) {  // the round is for nobody any more
      watched.answers -= static_cast<std::uint32_t>(std::popcount(watched.unasked));
      watched.unasked = 0;
      if (watched.answers == 0) watched.looking.clear();
    }
    bool all_away = true;
    bool waits = false;  // for a credit
    for (std::uint32_t i = 0; i < shards_; ++i) {
      const ShardIndex home{static_cast<std::uint16_t>(i)};
      const std::uint64_t bit = std::uint64_t{1} << i;
      Home& state = watched.homes[i];
      if ((watched.unasked & bit) != 0 && (state == Home::away || state == Home::watching)) {
        const Home before = state;
        state = ask(slot, home);
        if (state == Home::asked) {
          watched.unasked &= ~bit;
        } else {
          state = before;
          waits = true;
        }
      } else if (!wanted && watched.answers == 0 && state == Home::watching) {
        state = leave(slot, home);
        waits = waits || state == Home::watching;
      }
      all_away = all_away && state == Home::away;
    }
    if (waits) {
      watched.unsettled = true;
      unsettled_.push_back(slot);
    } else if (all_away && !wanted) {
      forget(slot);
    }
  }
}

}  // namespace ringcast
