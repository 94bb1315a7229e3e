#include "engine/presence/presence.hpp"

#include <string>
#include <utility>

#include "alloc/base/ensure.hpp"
#include "codec/text/channel_name.hpp"
#include "engine/channel/home_shard.hpp"

namespace ringcast {

Presence::Presence(ShardIndex here, const CoreOptions& options, Delivery& delivery, RollingSend& sends, Budget& budget,
                   ShardStats& stats, Now now)
    : here_{here},
      shards_{options.shards},
      delivery_{&delivery},
      stats_{&stats},
      users_{budget},
      attendance_{options.shards, users_, budget},
      rosters_{options.shards, options.limits.presence, budget, stats, now},
      directory_{budget, stats},
      inquiries_{options.shards, budget},
      answering_{options.shards, delivery, users_, rosters_, directory_},
      fanout_{options.limits, delivery, sends, stats} {
  delivery.set_watch(*this);
}

ShardIndex Presence::directory_of(std::string_view user) const {
  std::string channel;
  channel.reserve(kUserPrefix.size() + user.size());
  channel += kUserPrefix;
  channel += user;
  return home_shard(channel, shards_);
}

// ---- whose connection it is ----

void Presence::set_user(Outbox& connection, std::string_view id) {
  if (user_of(connection) == id) return;
  const auto for_each_subscription = [&](auto&& f) {
    for (std::uint32_t slot = connection.subscription_first; slot != kNoSlot;) {
      const Subscription& subscription = delivery_->subscription(slot);
      slot = subscription.of_reader_next;
      if (subscription.reader_index == kNoSlot) continue;
      const ChannelLog& log = delivery_->log(subscription.cursor.log);
      if (log.rule->presence) f(subscription, log);
    }
  };
  for_each_subscription([this](const Subscription& one, const ChannelLog& log) { ended(one, log); });
  if (connection.user != kNoSlot) {
    const std::uint32_t before = connection.user;
    users_.leave(connection);
    connections_changed(before);
  }
  if (!id.empty()) {
    users_.enter(connection, id);
    connections_changed(connection.user);
  }
  for_each_subscription([this](const Subscription& one, const ChannelLog& log) { began(one, log); });
}

void Presence::connections_changed(std::uint32_t user) {
  attendance_.connections_changed(user, directory_of(users_[user].id));
  awake_ = true;
}

void Presence::began(const Subscription& subscription, const ChannelLog& log) {
  attendance_.came(*log.name, home_shard(*log.name, shards_), subscription.reader->user);
  awake_ = true;
}

void Presence::ended(const Subscription& subscription, const ChannelLog& log) {
  attendance_.went(*log.name, subscription.reader->user);
  awake_ = true;
}

// ---- questions ----

void Presence::ask(Question question, Asker asker) {
  stats_->add(CounterId::presence_questions);
  std::uint64_t shards = 0;
  switch (question.kind) {
    case Question::Kind::channel_users:
      shards = std::uint64_t{1} << value(home_shard(question.subject, shards_));
      break;
    case Question::Kind::user: shards = std::uint64_t{1} << value(directory_of(question.subject)); break;
    case Question::Kind::channel_readers:
    case Question::Kind::user_channels:
    case Question::Kind::users: shards = ~std::uint64_t{0} >> (kShardsMax - shards_); break;
  }
  inquiries_.ask(std::move(question), std::move(asker), shards);
  awake_ = true;
}

void Presence::question_came(ShardIndex from, Handle inquiry, Question question) {
  answering_.ask(from, inquiry, std::move(question));
  awake_ = true;
}

void Presence::answer_came(ShardIndex from, Handle inquiry, Answer part, Now now) {
  awake_ = true;  // a question that waited for its turn may be put now
  auto whole = inquiries_.answered(from, inquiry, std::move(part));
  if (whole && sink_ != nullptr) sink_->answered(std::move(*whole), now);
}

// ---- what the router carries ----

void Presence::apply(ShardIndex from, const Report& report, const NamespaceRule* rule, Now now) {
  if (report.kind == Report::Kind::connections) {
    directory_.apply(from, report);
    return;
  }
  ensure(rule != nullptr, "every channel has a rule");  // a shard that a reload has not reached may still count users
  rosters_.apply(from, report, rule->presence_grace, now);
  awake_ = true;
}

void Presence::settle() {
  awake_ = rosters_.has_changes();
  for (std::uint16_t i = 0; i < shards_ && !awake_; ++i) {
    const ShardIndex shard{i};
    awake_ = attendance_.has_reports(shard) || rosters_.has_notices(shard) || inquiries_.has_questions(shard) ||
             answering_.has_questions(shard);
  }
}

// ---- upkeep ----

void Presence::expire(Now now) {
  rosters_.expire(now);
  if (rosters_.has_changes()) awake_ = true;
}

void Presence::release_unused() {
  users_.release_unused();
  attendance_.release_unused();
  rosters_.release_unused();
  inquiries_.release_unused();
}

void Presence::validate() const {
  users_.validate();
  attendance_.validate();
  rosters_.validate();
  directory_.validate();
  ensure(awake_ || !rosters_.has_changes(), "a change is never forgotten");
}

}  // namespace ringcast
