// engine/presence/answering.hpp: works off what this shard is asked about who is there, a little each turn.
//
// Owner    Presence, by value.  Thread  the shard's.
// Memory   a Job for each question that waits, a page for the one that is worked on; bounded by kQuestionsMax for each
//          other shard, and by one question a connection for this one.
// Failure  none: of a channel or user that nobody knows, the answer is empty.
// Not here the parts of other shards (inquiries), the lanes (shard), who may ask (session).
//
// What is a table lookup and a walk over one page is answered at once. What has to look at every reader of a channel,
// or at everything that a user reads, goes over at most kLooksPerStep of them at a time. It goes backwards: a list here
// loses an element by moving its last one to that place, so what was not seen never moves to where all was seen.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "alloc/base/identifiers.hpp"
#include "codec/dialect/command.hpp"
#include "engine/delivery/delivery.hpp"
#include "engine/presence/directory.hpp"
#include "engine/presence/question.hpp"
#include "engine/presence/roster.hpp"
#include "engine/presence/user_table.hpp"

namespace ringcast {

inline constexpr std::uint32_t kLooksPerStep = 4'096;  // about 100 us where each is a cache miss

class Answering {
 public:
  using Logs = std::array<Handle, kForms>;

  Answering(std::uint32_t shards, Delivery& delivery, UserTable& users, const Rosters& rosters,
            const Directory& directory)
      : delivery_{&delivery}, users_{&users}, rosters_{&rosters}, directory_{&directory}, queues_(shards) {}

  void ask(ShardIndex from, Handle inquiry, Question question);
  [[nodiscard]] bool has_questions(ShardIndex from) const { return !queues_[value(from)].empty(); }
  /// The first question of that shard wants more looks: give it a step.
  [[nodiscard]] bool wants_step(ShardIndex from) const;
  /// The logs of a channel on this shard, for channel_readers; asked for by the subject's name.
  [[nodiscard]] std::string_view channel_wanted(ShardIndex from) const;
  /// logs  of channel_wanted(); null: nobody here reads it.
  void step(ShardIndex from, const Logs* logs);
  /// The first question's answer, as of now; wants_step() is false. The question is done with drop().
  [[nodiscard]] Answer answer(ShardIndex from);
  [[nodiscard]] Handle inquiry(ShardIndex from) const { return queues_[value(from)].front().inquiry; }
  void drop(ShardIndex from) { queues_[value(from)].pop_front(); }

 private:
  struct Job {
    Handle inquiry;
    Question question;
    std::optional<Page> page;      // while it is worked on
    Answer answer{};               // its numbers, as far as they are counted
    std::uint32_t form = 0;        // channel_readers: of which log
    std::uint32_t left = kNoSlot;  // not yet seen, counted from the front; kNoSlot: not begun
    bool seen_all = false;
  };
  [[nodiscard]] static bool is_long(const Question& question) {
    return question.kind == Question::Kind::channel_readers || question.kind == Question::Kind::user_channels;
  }
  void look_at_readers(Job& job, const Logs* logs);
  void look_at_user(Job& job);

  Delivery* delivery_;
  UserTable* users_;
  const Rosters* rosters_;
  const Directory* directory_;
  std::vector<std::deque<Job>> queues_;  // one a shard that asks
};

}  // namespace ringcast
