// Subscribing to patterns (protocol.md section 3): who may, what they bind, and what their subscribers are told.
#include <algorithm>

#include "alloc/base/ensure.hpp"
#include "codec/dialect/native_reply.hpp"
#include "codec/text/pattern.hpp"
#include "engine/session/sessions.hpp"

namespace ringcast {

void Sessions::join_pattern(Connection& connection, JoinItem& joined, const Command& command, Now now) {
  const std::string_view text = joined.item.channel;
  const auto refuse = [&](const Refusal& refusal) {
    joined.answer.refusal = refusal;
    stats_->add(CounterId::patterns_refused);
  };
  const auto pattern = Pattern::compile(text);
  if (!pattern) {
    refuse({.code = ErrorCode::invalid_message, .sentence = sentence_of(pattern.error())});
    return;
  }
  if (const auto refusal = may_read(connection, text)) {
    refuse(*refusal);
    return;
  }
  if (const auto refusal = record_refuses(connection, now)) {
    refuse(*refusal);
    return;
  }
  if (patterns_->patterns_of(connection.outbox) >= options_->limits.patterns &&
      !patterns_->has_pattern(connection.outbox, text)) {
    refuse(
        {.code = ErrorCode::too_many_subscriptions, .sentence = "the connection has as many patterns as it may have"});
    return;
  }
  joined.pattern = patterns_->join_pattern(connection.outbox, *pattern,
                                           {.options = granted_options(connection, command),
                                            .resumes = command.resumes},
                                           now);
  if (!joined.pattern.valid()) {
    refuse({.code = ErrorCode::overloaded, .sentence = "the node has as many patterns as it may have"});
    return;
  }
  joined.answer.kind = JoinAnswer::Kind::waiting;
}

void Sessions::serve_patterns(Now now) {
  for (std::uint32_t left = kBindingsPerTurn; left != 0; --left) {
    const auto candidate = patterns_->next_candidate();
    if (!candidate) break;
    const Connection* connection = find(candidate->connection);
    ensure(connection != nullptr, "who has a pattern is there");
    patterns_->bind(!may_read(*connection, candidate->channel).has_value(), now);
  }
  while (const auto ready = patterns_->take_ready()) answer_pattern(*ready, now);
  tell_patterns(now);
}

void Sessions::tell_patterns(Now now) {
  while (const auto news = patterns_->take_news()) tell(*news, now);
}

/// All channels that existed are bound.
void Sessions::answer_pattern(const PatternPort::Ready& ready, Now now) {
  Connection* connection = find(ready.connection);
  JoinGroup* group = connection == nullptr ? nullptr : joins_.find(connection->join);
  ensure(group != nullptr, "a pattern that waits belongs to a subscribe");
  const auto item = std::ranges::find(group->items, ready.pattern, &JoinItem::pattern);
  ensure(item != group->items.end(), "a subscribe knows what it waits for");
  item->matched = ready.matched;
  item->answer.kind = JoinAnswer::Kind::joined;
  if (ready.stopped && connection->outbox.dialect == Dialect::exchange) {  // its answer is the error
    item->answer.kind = JoinAnswer::Kind::refused;
    item->answer.refusal = *ready.stopped;
    patterns_->stop_told(ready.pattern);
  }
  if (--group->waiting != 0) return;
  finish_join(*group, *connection, now);
  unstall(*connection, kStallJoin, now);
}

/// Says which channels a pattern let go, and which it has bound; only then lets their messages go. The exchange dialect
/// has no such notices.
void Sessions::tell(const PatternPort::News& news, Now now) {
  Connection& connection = *find(news.connection);
  if (speaks_native(connection.outbox.dialect)) {
    const bool binary = connection.outbox.dialect == Dialect::binary;
    for (std::size_t told = 0; told < news.ended.size();) {
      reply_.clear();
      NativeLetGo ended{reply_, news.pattern};
      while (told < news.ended.size() && reply_.size() < kReplyBytesMax - kSubscribedEntryBytesMax) {
        ended.add(news.ended[told++]);
      }
      ended.finish();
      send_text(connection, reply_, now);
    }
    for (std::size_t told = 0; told < news.channels.size();) {
      reply_.clear();
      NativeBound bound{reply_, news.pattern};
      for (; told < news.channels.size() && reply_.size() < kReplyBytesMax - kSubscribedEntryBytesMax; ++told) {
        const BoundChannel& channel = news.channels[told];
        bound.add({.channel = channels_->channel_of(channel.subscription.slot),
                   .epoch = channel.epoch,
                   .seq = channel.seq,
                   .recovered = channel.recovered,
                   .state = word_of(channel.state),
                   .as_of = channel.as_of,
                   .channel_id = binary ? channel.channel_id : 0,
                   .stale = channels_->tell_stale(channel.subscription)});
      }
      bound.finish();
      send_text(connection, reply_, now);
    }
  }
  for (const BoundChannel& channel : news.channels) channels_->release_messages(channel.subscription, now);
  if (news.stopped) tell_stopped(connection, news.pattern, *news.stopped, now);
}

/// Not the client's mistake: others decide how many channels there are.
void Sessions::tell_stopped(Connection& connection, std::string_view pattern, const Refusal& refusal, Now now) {
  reply_.clear();
  if (connection.outbox.dialect == Dialect::exchange) {
    append_exchange_refusal(reply_, {}, refusal.code, refusal.sentence);
  } else {
    append_native_error(
        reply_,
        NativeError{
            .id = {}, .code = refusal.code, .message = refusal.sentence, .channel = pattern, .retry_after = {}});
  }
  send_text(connection, reply_, now);
  stats_->add(error_counter(std::to_underlying(refusal.code)));
}

}  // namespace ringcast
