#include "tools/printing_subscriber.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "codec/text/channel_name.hpp"
#include "codec/text/json.hpp"
#include "codec/text/pattern.hpp"

namespace ringcast {
namespace {

constexpr seconds kSilenceBeforePing{
    45};                            // longer than the server's heartbeat: it is silent only when something is wrong
constexpr seconds kSilenceMax{60};  // then an unanswered ping: the path is dead although nobody said so
constexpr std::uint64_t kHistoryPageMax = 1'000;  // messages in one question; the server may give fewer at a time

bool says(const ServerMessage& error, ErrorCode code) { return error.code == name_of(code); }

}  // namespace

PrintingSubscriber::Outcome PrintingSubscriber::run(Client& client, const StopSignals& stop) {
  begin(client);
  const int also[]{stop.fd()};
  bool pinged = false;
  while (true) {
    const Instant patience = client.heard_at() + (pinged ? kSilenceMax : kSilenceBeforePing);
    const auto event = client.wait(output_.pending() ? Instant{} : patience, also);  // prints before it waits
    if (StopSignals::requested()) return finish(client);
    const nanoseconds silence = monotonic_now() - client.heard_at();
    if (silence < kSilenceBeforePing) pinged = false;
    switch (event.kind) {
      case Client::Event::Kind::text:
        if (const auto outcome = event.binary ? take_records(event.text) : take(client, event.text)) {
          if (*outcome == Outcome::done) return finish(client);
          (void)output_.flush();
          return *outcome;
        }
        break;
      case Client::Event::Kind::closed: (void)output_.flush(); return closed(event);
      case Client::Event::Kind::timeout:
        if (!output_.flush()) return Outcome::done;  // nobody reads any more
        if (silence >= kSilenceMax) {
          remark("sub", "connection lost: the server is silent");
          return Outcome::lost;
        }
        if (!pinged && silence >= kSilenceBeforePing) client.queue_ping();
        pinged = pinged || silence >= kSilenceBeforePing;
        break;
      case Client::Event::Kind::other_readable: break;
    }
    if (output_.failed()) return Outcome::done;
  }
}

void PrintingSubscriber::begin(Client& client) {
  refusals_ = 0;
  ++connections_;
  records_.forget_names();
  pattern_begins();
  if (options_.exchange) return;
  if (options_.history > 0 && !history_done_) {
    query_ = {};
    ask_history(client, std::nullopt, 1);
    return;
  }
  subscribe(client);
}

void PrintingSubscriber::subscribe(Client& client) {
  let_go_said_ = resumes_let_go_ && !let_go_.empty();
  if (let_go_said_ || let_go_.empty()) {
    client.queue_text(subscribe_command(options_.channels, positions_, options_.subscribe));
    return;
  }
  ChannelPositions held = positions_;
  for (const LetGo& gone : let_go_) held.erase(gone.channel);
  client.queue_text(subscribe_command(options_.channels, held, options_.subscribe));
}

// ---- history, before anything is subscribed: then the subscribe goes on where history ended ----

void PrintingSubscriber::ask_history(Client& client, const std::optional<ResumePoint>& after, std::uint64_t limit) {
  client.queue_text(history_command(options_.channels[query_.channel], after, std::min(limit, kHistoryPageMax)));
}

/// The next channel, or the subscribe.
void PrintingSubscriber::history_ended(Client& client) {
  const std::size_t following = query_.channel + 1;
  query_ = {.channel = following};
  if (following < options_.channels.size()) {
    ask_history(client, std::nullopt, 1);
    return;
  }
  history_done_ = true;
  subscribe(client);
}

/// The first answer only says where the channel is now; then what lies within the last N is asked for, page by page.
std::optional<PrintingSubscriber::Outcome> PrintingSubscriber::take_history(Client& client,
                                                                            const ServerMessage& history) {
  if (history_done_ || query_.channel >= options_.channels.size()) return std::nullopt;
  ChannelPosition& position = positions_[options_.channels[query_.channel]];
  const std::uint64_t wanted = options_.history;
  if (!query_.knows_newest) {
    query_.knows_newest = true;
    query_.newest = history.seq;
    const std::uint64_t newest = value(history.seq);
    position = ChannelPosition{{*history.epoch, Sequence{newest - std::min(newest, wanted)}}};
    if (newest == 0) {
      history_ended(client);
    } else {
      ask_history(client, position.resume_point(), wanted);
    }
    return std::nullopt;
  }
  Sequence last = position.seq();
  for (ArrayWalk walk{history.messages}; const auto element = walk.next();) {
    const auto message = inner_.read(element->text);
    if (!message || message->kind != ServerMessage::Kind::message) {
      accuse("the server's answer to history is not as the protocol says");
      break;
    }
    last = message->seq;
    ++query_.printed;
    print(*message, element->text);
    if (counted()) return Outcome::done;
  }
  const bool moved = last != position.seq();
  position = ChannelPosition{{*history.epoch, last}};
  if (moved && history.more && last < query_.newest) {
    ask_history(client, position.resume_point(), value(query_.newest) - value(last));
    return std::nullopt;
  }
  if (last < query_.newest) position = ChannelPosition{{*history.epoch, query_.newest}};  // it keeps nothing of them
  const std::uint64_t due = std::min(wanted, value(query_.newest));
  if (query_.printed < due) {
    remark("sub", fmt::format("{}: history keeps {} of the last {} messages", options_.channels[query_.channel],
                              query_.printed, due));
  }
  history_ended(client);
  return std::nullopt;
}

// ---- what arrives ----

std::optional<PrintingSubscriber::Outcome> PrintingSubscriber::take(Client& client, std::string_view text) {
  if (options_.exchange) {
    output_.append_line(text);
    return counted();
  }
  const auto message = reader_.read(text);
  if (!message) {
    complain("sub", fmt::format("the server sent something that is {}", message.error()));
    return std::nullopt;
  }
  switch (message->kind) {
    case ServerMessage::Kind::message: return take_message(*message, text);
    case ServerMessage::Kind::gap: take_gap(*message, text); break;
    case ServerMessage::Kind::history: return take_history(client, *message);
    case ServerMessage::Kind::subscribed: {
      if (options_.json) output_.append_line(text);
      const bool by_pattern = !message->pattern.empty();
      const auto take_entry = [&](const SubscribedEntry& entry) { take_subscribed(entry, by_pattern); };
      if (!reader_.for_each_subscribed(*message, take_entry)) {
        accuse("the server's answer to subscribe is not as the protocol says");
      }
      break;
    }
    case ServerMessage::Kind::unsubscribed:
      if (options_.json) output_.append_line(text);
      if (!reader_.for_each_unsubscribed(*message, [this](std::string_view channel) { take_let_go(channel); })) {
        accuse("the server's notice of channels that a pattern let go is not as the protocol says");
      }
      break;
    case ServerMessage::Kind::channel_state:
      notice(text, fmt::format("{}: {}", message->channel, message->state));
      break;
    case ServerMessage::Kind::user_joined:
      notice(text, fmt::format("{}: user {} joined", message->channel, message->user));
      break;
    case ServerMessage::Kind::user_left:
      notice(text, fmt::format("{}: user {} left", message->channel, message->user));
      break;
    case ServerMessage::Kind::error: return take_error(client, *message);
    default:
      if (message->type == "presence_missed") {
        notice(text, fmt::format("{}: users came and went without being told of", message->channel));
      }
      break;
  }
  return std::nullopt;
}

std::optional<PrintingSubscriber::Outcome> PrintingSubscriber::take_records(std::string_view message) {
  records_.begin(message);
  while (true) {
    const auto record = records_.next();
    if (!record) {
      accuse(fmt::format("the server sent something that is {}", record.error()));
      return std::nullopt;
    }
    if (!*record) return std::nullopt;
    ServerMessage said = **record;
    const std::string json = options_.json ? records_.json() : std::string{};
    if (said.kind == ServerMessage::Kind::gap) take_gap(said, json);
    if (said.kind != ServerMessage::Kind::message) continue;
    const std::string data = terminal_text(said.data);
    said.data = data;
    if (const auto outcome = take_message(said, json)) return outcome;
  }
}

/// A channel that was named, or that a pattern has bound.
void PrintingSubscriber::take_subscribed(const SubscribedEntry& entry, bool by_pattern) {
  if (entry.is_pattern) {
    patterns_answered_ = true;
    if (entry.matched == 0) remark("sub", fmt::format("{}: no channel matches yet", entry.channel));
    return;
  }
  if (entry.channel_id != 0) records_.name(entry.channel_id, entry.channel);
  ChannelPosition& position = positions_[std::string{entry.channel}];
  const Sequence had = position.seq();
  const std::optional<Epoch> epoch = position.epoch();
  if (by_pattern) {
    check_return(entry, position);
    bound_.emplace(entry.channel);
  }
  const bool snapshot = entry.state == "snapshot";
  if (position.joined(entry) == ChannelPosition::Joined::starts_anew) {
    remark("sub", epoch ? fmt::format("{}: could not go on from {}; {}", entry.channel, value(had),
                                      snapshot ? "a snapshot follows instead of what was between"
                                               : "messages may be missing before the next one")
                        : fmt::format("{}: what came before {} is lost", entry.channel, value(entry.seq) + 1));
  }
  if (entry.state == "none") {
    remark("sub",
           fmt::format("{}: no snapshot yet: what follows are changes of a state that is not known", entry.channel));
  }
}

std::optional<PrintingSubscriber::Outcome> PrintingSubscriber::take_message(const ServerMessage& message,
                                                                            std::string_view text) {
  // A channel that was not asked for by name (a pattern's, one's own) begins anywhere.
  ChannelPosition& position = positions_[std::string{message.channel}];
  const Sequence last = position.seq();
  switch (position.take(message)) {
    case ChannelPosition::Took::next:
    case ChannelPosition::Took::state: break;
    case ChannelPosition::Took::repeated:
      accuse(fmt::format("{}: {} came again after {}", message.channel, value(message.seq), value(last)));
      break;
    case ChannelPosition::Took::gap:
      accuse(fmt::format("{}: {} follows {} without a gap notice", message.channel, value(message.seq), value(last)));
      break;
  }
  print(message, text);
  return counted();
}

void PrintingSubscriber::take_gap(const ServerMessage& gap, std::string_view text) {
  positions_[std::string{gap.channel}].take_gap(gap);
  notice(text, fmt::format("{}: missed {} to {} ({})", gap.channel, value(gap.from), value(gap.to), gap.reason));
}

/// A pattern has bound a channel: whether it begins where it has to.
void PrintingSubscriber::check_return(const SubscribedEntry& entry, const ChannelPosition& position) {
  const bool unknown = !position.epoch();
  if (unknown && connections_ > 1 && value(entry.seq) > 0 && !entry.recovered) {
    remark("sub", fmt::format("{}: began while the connection was lost; what came up to {} is missing", entry.channel,
                              value(entry.seq)));
  }
  const auto gone = std::ranges::find(let_go_, entry.channel, &LetGo::channel);
  if (gone == let_go_.end()) return;
  // Let go on this connection, it comes back exactly where it was, or as another of the same name.
  if (gone->here && !entry.recovered && position.epoch() == entry.epoch && entry.seq != position.seq()) {
    accuse(fmt::format("{}: comes back at {}, but was let go at {}", entry.channel, value(entry.seq),
                       value(position.seq())));
  }
  let_go_.erase(gone);
}

/// Its place is kept: should it come back, also on another connection, it goes on there.
void PrintingSubscriber::take_let_go(std::string_view channel) {
  records_.forget(channel);
  if (const auto bound = bound_.find(channel); bound != bound_.end()) bound_.erase(bound);
  remember(channel, true);
}

/// Another connection: what was bound on the last one is resumed, what did not even come back there is let go.
void PrintingSubscriber::pattern_begins() {
  for (LetGo& gone : let_go_) gone.here = false;
  if (patterns_answered_) {
    for (const std::string& channel : lost_) {
      if (!bound_.contains(channel)) remember(channel, false);
    }
    lost_.clear();
  }
  lost_.merge(bound_);
  bound_.clear();
  patterns_answered_ = false;
}

void PrintingSubscriber::remember(std::string_view channel, bool here) {
  if (!positions_.contains(channel) || is_asked_for(channel)) return;
  const auto known = std::ranges::find(let_go_, channel, &LetGo::channel);
  if (known != let_go_.end()) let_go_.erase(known);
  let_go_.push_back({.channel = std::string{channel}, .here = here});
  if (let_go_.size() <= kLetGoMax) return;
  positions_.erase(let_go_.front().channel);
  let_go_.pop_front();
}

std::optional<ResumePoint> PrintingSubscriber::personal_place() const {
  const auto found = positions_.lower_bound(kUserPrefix);
  if (found == positions_.end() || !is_user_channel(found->first) || is_asked_for(found->first)) return std::nullopt;
  return found->second.resume_point();
}

bool PrintingSubscriber::is_asked_for(std::string_view channel) const {
  return std::ranges::find(options_.channels, channel) != options_.channels.end();
}

std::optional<PrintingSubscriber::Outcome> PrintingSubscriber::take_error(Client& client, const ServerMessage& error) {
  const bool asks_history = options_.history > 0 && !history_done_;
  if (asks_history && says(error, ErrorCode::unknown_channel)) {
    remark("sub", fmt::format("{}: nothing was published yet", options_.channels[query_.channel]));
    history_ended(client);
    return std::nullopt;
  }
  if (let_go_said_ && error.channel.empty() && says(error, ErrorCode::too_many_subscriptions)) {
    resumes_let_go_ = false;  // this node takes fewer channels than we remember
    subscribe(client);
    return std::nullopt;
  }
  complain("sub", error.channel.empty() ? fmt::format("{}: {}", error.code, error.words)
                                        : fmt::format("{}: {}: {}", error.channel, error.code, error.words));
  if (asks_history) {  // it can do without
    history_ended(client);
    return std::nullopt;
  }
  if (error.id.empty() && is_pattern(error.channel)) return std::nullopt;  // it has met a limit; what it has, goes on
  if (++refusals_ < options_.channels.size()) return std::nullopt;
  const bool later = says(error, ErrorCode::overloaded) || says(error, ErrorCode::rate_limited);
  return later ? Outcome::lost : Outcome::fatal;  // nothing is left to wait for here
}

// ---- what is printed ----

void PrintingSubscriber::print(const ServerMessage& message, std::string_view text) {
  if (options_.json) {
    output_.append_line(text);
    return;
  }
  output_.append(fmt::format("{} {} ", message.channel, value(message.seq)));
  if (message.snapshot) output_.append("(snapshot) ");
  if (message.stored) output_.append("(stored) ");
  if (!message.event.empty()) output_.append(fmt::format("{} ", message.event));
  output_.append_line(message.data);
}

/// What is not a message: for the user, and for a program that reads JSON.
void PrintingSubscriber::notice(std::string_view text, const std::string& sentence) {
  if (options_.json) output_.append_line(text);
  remark("sub", sentence);
}

void PrintingSubscriber::accuse(const std::string& sentence) {
  ++broken_promises_;
  complain("sub", sentence);
}

std::optional<PrintingSubscriber::Outcome> PrintingSubscriber::counted() {
  if (options_.count > 0 && ++printed_ >= options_.count) return Outcome::done;
  return std::nullopt;
}

// ---- the end ----

PrintingSubscriber::Outcome PrintingSubscriber::finish(Client& client) {
  (void)output_.flush();
  client.close(monotonic_now() + seconds{2});
  return Outcome::done;
}

PrintingSubscriber::Outcome PrintingSubscriber::closed(const Client::Event& event) {
  const std::string words = fmt::format("connection lost: {} {}", value(event.code), event.reason);
  switch (event.code) {
    case CloseCode::authentication_expired:
      if (options_.renews_token) {
        remark("sub", words);
        return Outcome::lost;
      }
      complain("sub", words);
      return Outcome::fatal;
    case CloseCode::policy_violation:
    case CloseCode::authentication_failed:
    case CloseCode::too_many_errors:
    case CloseCode::disconnected_by_administrator: complain("sub", words); return Outcome::fatal;
    default: remark("sub", words); return Outcome::lost;
  }
}

}  // namespace ringcast
