// engine/presence/inquiries.hpp: questions that this shard put to others, until every part of the answer is there.
//
// Owner    Presence, by value.  Thread  the shard's.
// Memory   an Inquiry for each question, with a page of names; bounded by one question a connection, and by what the
//          administrator asks at once. Charged to Purpose::users by the slab.
// Failure  none: every shard answers.
// Not here the answers of this shard (answering), the lanes (shard), who may ask (session).
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "alloc/base/identifiers.hpp"
#include "alloc/base/time.hpp"
#include "alloc/memory/slab.hpp"
#include "engine/presence/question.hpp"

namespace ringcast {

/// At one other shard at one time: answers come by the bulk lane, and a credit waits for each.
inline constexpr std::uint32_t kQuestionsMax = 32;

/// Who asked, and how the answer is to be recognized.
struct Asker {
  Handle connection;        // not valid(): not a connection of this shard
  std::string id{};         // of the command, echoed
  std::uint64_t token = 0;  // of whoever else asked
};

struct Answered {
  Asker asker;
  Question question;
  Answer answer;
};

/// Who hears of answers as soon as they are whole, so that no notice which is behind one gets before it.
class AnswerSink {
 public:
  virtual ~AnswerSink() = default;
  /// Lanes are being worked off: it may queue what is to be sent, and leave the rest for later.
  virtual void answered(Answered answered, Now now) = 0;
};

class Inquiries {
 public:
  explicit Inquiries(std::uint32_t shards, Budget& budget)
      : inquiries_{Handle::kNone - 1, &budget, Purpose::users}, to_ask_(shards), asked_(shards, 0) {}

  /// `shards`: one bit for each shard that knows a part of the answer.
  void ask(Question question, Asker asker, std::uint64_t shards);

  /// The next question for that shard; null: none may be put now. asked() once it is on its way.
  [[nodiscard]] const Question* next_for(ShardIndex shard);
  [[nodiscard]] Handle next_inquiry(ShardIndex shard) const { return to_ask_[value(shard)].front(); }
  void asked(ShardIndex shard);
  /// A part has come; its names are sorted. The whole answer, if it was the last part.
  [[nodiscard]] std::optional<Answered> answered(ShardIndex from, Handle inquiry, Answer part);
  [[nodiscard]] bool has_questions(ShardIndex shard) const { return !to_ask_[value(shard)].empty(); }
  [[nodiscard]] std::uint32_t open() const { return inquiries_.size(); }
  void release_unused() {
    if (inquiries_.size() < inquiries_.slot_end() / 4) inquiries_.release_unused();
  }

 private:
  struct Inquiry {
    Inquiry(Question what, Asker who, std::uint64_t shards)
        : question{std::move(what)}, asker{std::move(who)}, waiting{shards}, page{question.after, question.limit} {}
    Question question;
    Asker asker;
    std::uint64_t waiting;                // shards whose part is not there
    Answer answer{};                      // the sums
    Page page;                            // the names of all parts
    std::optional<std::string> known_to;  // the last name of a part that has more: behind it not all is known
  };
  Slab<Inquiry> inquiries_;
  std::vector<std::deque<Handle>> to_ask_;
  std::vector<std::uint32_t> asked_;  // on their way or being answered
};

}  // namespace ringcast
