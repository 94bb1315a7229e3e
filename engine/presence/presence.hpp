// engine/presence/presence.hpp: everything about users that one shard knows: its own, those of its channels, and those
// whose directory it is.
//
// Owner    shard_core, by value; delivery tells it of subscriptions, the router carries what it has for other shards.
// Thread   the shard's.
// Memory   as its parts say, all under Purpose::users.
// Failure  as its parts say.
// Not here who may ask (session), lanes and records (shard/presence_traffic), channels that fall silent (liveness).
//
// Three places know about a user. Its connections' shards count subscriptions (attendance) and tell transitions only.
// A channel's home adds them up and announces who joined and left (roster). The home of `user:<id>` adds up its
// connections (directory). What a shard has for itself takes the same way as what it has for others, without a lane, so
// one shard or many run the same code. While nobody has a user and no namespace has presence, nothing is ever awake.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/delivery/delivery.hpp"
#include "engine/delivery/rolling_send.hpp"
#include "engine/delivery/subscription_watch.hpp"
#include "engine/limits.hpp"
#include "engine/presence/answering.hpp"
#include "engine/presence/attendance.hpp"
#include "engine/presence/directory.hpp"
#include "engine/presence/inquiries.hpp"
#include "engine/presence/notice_fanout.hpp"
#include "engine/presence/roster.hpp"
#include "engine/presence/user_table.hpp"

namespace ringcast {

class Presence final : public SubscriptionWatch {
 public:
  Presence(ShardIndex here, const CoreOptions& options, Delivery& delivery, RollingSend& sends, Budget& budget,
           ShardStats& stats, Now now);

  // ---- whose connection it is ----

  /// The one place where a connection gets its user, or another one; its subscriptions go with it. Empty: nobody.
  void set_user(Outbox& connection, std::string_view id);
  [[nodiscard]] std::string_view user_of(const Outbox& connection) const {
    return connection.user == kNoSlot ? std::string_view{} : std::string_view{users_[connection.user].id};
  }

  void began(const Subscription& subscription, const ChannelLog& log) override;
  void ended(const Subscription& subscription, const ChannelLog& log) override;

  // ---- questions ----

  void ask(Question question, Asker asker);
  /// Who is given the answers; it outlives every question.
  void set_sink(AnswerSink& sink) { sink_ = &sink; }

  // ---- what the router carries; all of it may have work for `here` as well ----

  /// Something has to be carried, or was when it was last looked.
  [[nodiscard]] bool awake() const { return awake_; }
  /// Looks whether there still is.
  void settle();
  [[nodiscard]] bool take_report(ShardIndex to, Report& report) { return attendance_.take(to, report); }
  [[nodiscard]] const Attendance& attendance() const { return attendance_; }
  /// A report from a shard, perhaps from this one. `rule` is the channel's; null for Report::Kind::connections.
  void apply(ShardIndex from, const Report& report, const NamespaceRule* rule, Now now);
  [[nodiscard]] Rosters& rosters() { return rosters_; }
  [[nodiscard]] Inquiries& inquiries() { return inquiries_; }
  [[nodiscard]] Answering& answering() { return answering_; }
  [[nodiscard]] NoticeFanout& fanout() { return fanout_; }
  [[nodiscard]] const Directory& directory() const { return directory_; }
  void question_came(ShardIndex from, Handle inquiry, Question question);
  void answer_came(ShardIndex from, Handle inquiry, Answer part, Now now);

  /// Where the directory of a user is.
  [[nodiscard]] ShardIndex directory_of(std::string_view user) const;

  // ---- upkeep ----

  void expire(Now now);
  [[nodiscard]] std::optional<Instant> next_deadline() const { return rosters_.next_deadline(); }
  void release_unused();
  void validate() const;

 private:
  void connections_changed(std::uint32_t user);

  ShardIndex here_;
  std::uint32_t shards_;
  Delivery* delivery_;
  ShardStats* stats_;
  UserTable users_;
  Attendance attendance_;
  Rosters rosters_;
  Directory directory_;
  Inquiries inquiries_;
  Answering answering_;
  NoticeFanout fanout_;
  AnswerSink* sink_ = nullptr;
  bool awake_ = false;
};

}  // namespace ringcast
