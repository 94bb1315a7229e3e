// engine/shard/admin_desk.hpp: answers what the admin port asks of one shard, a little each turn.
//
// Owner    shard_core, if the node has an admin port.  Thread  the shard's.
// Memory   one question's names and one page of answers; the general heap's, for no message passes here.
// Failure  a question whose asker has gone is dropped; what a client would be refused is refused with the same code.
// Not here who may ask (admin/admin_gate), waiting (admin/shard_questions), formatting (admin/*_reports).
//
// Whatever has to look at many connections or channels goes over at most kAdminLooksPerTurn of them in a turn, in the
// order of their slots: what stays where it is, is seen exactly once, over all pages. One question is worked on at a
// time. Publishing, closing and forgetting go the ways of clients' commands and of housekeeping.
//
// A message that is stored before it is sent, and a history that lies in the store, are answered when the store has
// spoken, however long that takes: the shard does not wait. A question that comes meanwhile says that whoever asked the
// one before has gone (one is asked at a time, admin/shard_questions): its answer is not given any more. What was asked
// of the store is done all the same.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "alloc/base/time.hpp"
#include "engine/delivery/delivery.hpp"
#include "engine/session/sessions.hpp"
#include "engine/shard/admin_lane.hpp"
#include "engine/shard/channel_router.hpp"
#include "engine/stats/shard_stats.hpp"

namespace ringcast {

inline constexpr std::uint32_t kAdminLooksPerTurn = 512;  // some 20 us where each is a cache miss or two

class AdminDesk {
 public:
  AdminDesk(AdminLane& lane, Sessions& sessions, ChannelRouter& router, Delivery& delivery, ShardStats& stats)
      : lane_{&lane}, sessions_{&sessions}, router_{&router}, delivery_{&delivery}, stats_{&stats} {}

  /// Works on what was asked, within the bound of a turn.
  void advance(Now now);
  /// What became of a message that had to be stored first.
  void stored(const PublishReply& reply);
  /// advance() would do something.
  [[nodiscard]] bool has_work() const;

 private:
  struct Job {  // a question that takes more than one turn
    AdminQuestionHead asked;
    std::string channel;
    std::string user;
    std::uint32_t at = 0;        // the next slot
    bool waits = false;          // for the store
    std::uint64_t progress = 0;  // of the store when it was asked last
  };

  void take_question(Now now);
  void begin(const AdminQuestion& question, Now now);
  [[nodiscard]] bool can_go_on(const Job& job) const;
  void step(Job& job, Now now);
  void look_at_connections(Job& job, Now now);
  void look_at_channels(Job& job);
  void look_for_unused(Job& job, Now now);
  void answer_channel(const AdminQuestion& question);
  void look_at_history(Job& job, Now now);
  bool answer_publish(const AdminQuestion& question, Now now);
  void tell_published(const Published& published);
  [[nodiscard]] std::optional<ErrorCode> refusal_of(const AdminQuestion& question) const;
  [[nodiscard]] bool matches(const Job& job, const Connection& connection, std::uint32_t channel);
  /// Returns how many subscriptions were looked at.
  std::uint32_t add_connection(const Connection& connection, Now now);
  void add_channel(const Channel& channel, const HomeChannel& home);
  [[nodiscard]] bool page_is_full(const Job& job) const;
  void refuse(ErrorCode code) {
    answer_.refused = 1;
    answer_.code = code;
  }
  template <class Row>
  void put_row(const Row& row) {
    page_.append(reinterpret_cast<const char*>(&row), sizeof row);
    ++answer_.rows;
  }
  void finish();
  bool deliver();

  AdminLane* lane_;
  Sessions* sessions_;
  ChannelRouter* router_;
  Delivery* delivery_;
  ShardStats* stats_;
  std::optional<Job> job_;
  AdminAnswerHead answer_;
  std::string page_;           // what follows the answer's head
  bool answer_waits_ = false;  // it is finished, and has no room in the lane yet
};

}  // namespace ringcast
