// What a client is told about the patterns that it subscribes to, and what it may expect of them.
#include <algorithm>
#include <utility>

#include "codec/text/numbers.hpp"
#include "tests/simulation/checkers.hpp"
#include "tests/simulation/conversation.hpp"

namespace ringcast::simulation {

/// It matches, and the channel's messages can be given to this client: bytes are for readers of records only.
bool Conversation::may_hold(const PatternTalk& pattern, std::uint32_t channel) const {
  const ChannelPlan& plan = scenario_.channels[channel];
  return pattern.pattern.matches(plan.name) && (!plan.bytes || is_binary(entry_));
}

/// A pattern that the client has matches it. Commands are answered in order: so the server saw it when it answered.
bool Conversation::held(std::uint32_t channel) const {
  return std::ranges::any_of(patterns_,
                             [&](const auto& one) { return one.second.active && may_hold(one.second, channel); });
}

/// A subscribe that is not answered yet names it, or a pattern that matches it.
bool Conversation::asked_for(std::uint32_t channel) const {
  return std::ranges::any_of(requests_, [&](const auto& open) {
    const Request& asked = open.second;
    return asked.kind == Request::Kind::subscribe &&
           (asked.channels.contains(channel) || names_pattern_of(asked, channel));
  });
}

bool Conversation::names_pattern_of(const Request& asked, std::uint32_t channel) const {
  return std::ranges::any_of(asked.patterns, [&](const std::string& text) {
    const auto pattern = patterns_.find(text);
    return pattern != patterns_.end() && pattern->second.pattern.matches(scenario_.channels[channel].name);
  });
}

bool Conversation::binds(std::uint32_t channel) const {
  return std::ranges::any_of(patterns_, [&](const auto& one) {
    return one.second.active && !one.second.stopped && may_hold(one.second, channel);
  });
}

/// On the terms of the pattern that holds it. Where several do and their terms differ, whose it is is the server's to
/// choose.
void Conversation::serve_by_patterns(std::uint32_t channel) {
  const ChannelPlan& plan = scenario_.channels[channel];
  std::optional<SubscribeOptions> options;
  for (const auto& [text, pattern] : patterns_) {
    if (!pattern.active || !may_hold(pattern, channel)) continue;
    const SubscribeOptions granted = Served::refused(pattern.options, plan) ? SubscribeOptions{} : pattern.options;
    if (options && *options != granted) {
      subscriptions_[channel].served.begin_open(plan);
      return;
    }
    options = granted;
  }
  subscriptions_[channel].served.begin(options.value_or(SubscribeOptions{}), plan);
}

void Conversation::asks_for_patterns(const Request& request) {
  if (request.kind != Request::Kind::subscribe) return;
  for (const std::string& text : request.patterns) {
    const auto compiled = Pattern::compile(text);
    if (!compiled) continue;  // it will be refused
    patterns_.try_emplace(text, PatternTalk{.pattern = *compiled, .options = {}, .resume = {}});
    for (std::size_t i = 0; i < subscriptions_.size(); ++i) {
      if (!compiled->matches(scenario_.channels[i].name)) continue;
      subscriptions_[i].asked = true;
      if (request.options.has_conflate && !request.options.conflate) subscriptions_[i].asked_for_every = true;
    }
  }
}

void Conversation::finish_pattern(std::uint64_t id, std::string_view text) {
  const auto found = requests_.find(id);
  require(found != requests_.end(), Checker::replies, "id {} is answered, and nothing is open under it", id);
  require(found->second.patterns.erase(std::string{text}) == 1, Checker::replies, "id {} is answered twice for {}", id,
          text);
  if (found->second.channels.empty() && found->second.patterns.empty()) requests_.erase(found);
}

void Conversation::on_patterns_answered(std::uint64_t id, const std::map<std::string, std::uint64_t>& matched) {
  for (const auto& [text, count] : matched) {
    const auto found = patterns_.find(text);
    require(found != patterns_.end(), Checker::replies, "pattern {} is answered, and was not asked for", text);
    PatternTalk& pattern = found->second;
    const Request& asked = request(id, Request::Kind::subscribe);
    const bool again = std::exchange(pattern.active, true);
    pattern.resume = asked.resume;
    pattern.stopped = false;
    pattern.fresh = count != 0;
    if (!again || Served::chosen(asked.options)) pattern.options = asked.options;
    for (std::uint32_t i = 0; again && Served::chosen(asked.options) && i < subscriptions_.size(); ++i) {
      if (subscriptions_[i].active && !subscriptions_[i].exact && may_hold(pattern, i)) serve_by_patterns(i);
    }
    coverage_.add(Seen::patterns_subscribed);
    trace_.note("c{} subscribed to pattern {}, which matches {}", connection_, text, count);
    finish_pattern(id, text);
  }
}

void Conversation::on_bound() {
  const std::string text = text_member("pattern");
  const auto found = patterns_.find(text);
  require(found != patterns_.end() && found->second.active, Checker::replies, "pattern {} binds, and was not asked for",
          text);
  const std::string channels{json_.find("channels") == nullptr ? "" : json_.find("channels")->text};
  ArrayWalk walk{channels};
  while (const auto element = walk.next()) on_bound_channel(found->second, element->text);
  found->second.fresh = false;
}

/// Channels that have been silent for long, and that nobody subscribed to by name.
void Conversation::on_let_go() {
  const std::string text = text_member("pattern");
  const auto found = patterns_.find(text);
  require(found != patterns_.end() && found->second.active, Checker::replies,
          "pattern {} lets go, and was not asked for", text);
  const std::string channels{json_.find("channels") == nullptr ? "" : json_.find("channels")->text};
  ArrayWalk walk{channels};
  while (const auto element = walk.next()) {
    const std::uint32_t channel = channel_named(element->inside_quotes());
    Subscription& subscription = subscriptions_[channel];
    require(
        subscription.active && !subscription.exact && found->second.pattern.matches(scenario_.channels[channel].name),
        Checker::replies, "pattern {} lets {} go, which it does not hold", text, scenario_.channels[channel].name);
    attention_.unsubscribed(channel);
    subscription.active = false;  // the position stays: nothing may be missing when it is bound again
    coverage_.add(Seen::channels_let_go);
    trace_.note("c{} lets {} go", connection_, scenario_.channels[channel].name);
  }
}

void Conversation::on_bound_channel(PatternTalk& pattern, std::string_view entry) {
  JsonReader reader;
  const auto read = reader.read(entry);
  require(read.has_value() && *read == JsonKind::object, Checker::stream, "a pattern binds {}", entry);
  const auto member = [&](std::string_view name) {
    const JsonValue* found = reader.find(name);
    require(found != nullptr, Checker::stream, "a pattern binds without '{}'", name);
    return *found;
  };
  const std::uint32_t channel = channel_named(reader.string_of(member("channel")));
  const auto epoch = parse_epoch(reader.string_of(member("epoch")));
  const auto seq = parse_uint64(member("seq").text);
  require(epoch.has_value() && seq.has_value(), Checker::stream, "a pattern binds {}", entry);
  const JsonValue* recovered = reader.find("recovered");
  const std::string& name = scenario_.channels[channel].name;
  require(pattern.pattern.matches(name), Checker::replies, "pattern {} binds {}", pattern.pattern.text(), name);
  Subscription& subscription = subscriptions_[channel];
  require(!subscription.active, Checker::replies, "pattern {} binds {}, which was subscribed to already",
          pattern.pattern.text(), name);
  trace_.note("c{} bound to {} at {:x}:{}{}", connection_, name, value(*epoch), *seq,
              recovered == nullptr   ? ""
              : recovered->is_true() ? " recovered"
                                     : " not recovered");
  const Position at{*epoch, Sequence{*seq + 1}};
  const bool again = subscription.position_known && subscription.next.epoch == *epoch;
  const auto resume = pattern.resume.find(channel);
  subscription.snapshot_may_come = subscription.last_may_come = false;
  subscription.from_history = true;
  if (again && recovered == nullptr && !pattern.fresh) {  // it was silent, and was let go
    coverage_.add(Seen::channels_bound_again);
    require(at.seq == subscription.next.seq, Checker::continuity, "{} is bound again at seq {}, and {} was to come",
            name, value(at.seq), value(subscription.next.seq));
    subscription.next = at;
  } else if (recovered != nullptr && recovered->is_true()) {
    require(resume != pattern.resume.end() && resume->second.epoch == *epoch && value(resume->second.seq) <= *seq,
            Checker::continuity, "{} recovered to {:x}:{}, and that was not asked for", name, value(*epoch), *seq);
    coverage_.add(Seen::pattern_resumes);
    subscription.next = Position{*epoch, next(resume->second.seq)};
  } else {
    // The answer to a pattern that is subscribed to again may bind nothing. The first notice behind it is then of a
    // channel that goes on, and begins with no state: only its position tells.
    const bool may_go_on = again && recovered == nullptr && at == subscription.next;
    subscription.next = at;
    if (recovered != nullptr || *seq != 0) begin_with_state(channel, reader, Sequence{*seq});
    if (may_go_on && scenario_.channels[channel].state == StateKeeping::last) {
      subscription.next = at;
      subscription.last_may_come = true;
    }
  }
  if (recovered == nullptr && *seq == 0) {
    coverage_.add(Seen::channels_bound_later);
  } else if (!again) {
    // Not from its first message on: it existed when the pattern was answered, or the home says that this was lost.
    const bool existed = pattern.fresh;
    const bool lost = recovered != nullptr && !recovered->is_true();
    require(existed || lost, Checker::continuity, "{} began after pattern {} was answered, and is bound at seq {}",
            name, pattern.pattern.text(), *seq);
    coverage_.add(existed ? Seen::channels_bound : Seen::channels_bound_late);
  }
  subscription.active = true;
  subscription.position_known = true;
  serve_by_patterns(channel);
  take_channel_id(channel, *epoch, reader);
  attention_.subscribed(channel, reader.find("liveness") != nullptr);
}

/// What no other pattern holds ends with it.
void Conversation::forget_pattern(PatternTalk& pattern) {
  pattern.active = pattern.stopped = pattern.fresh = false;
  for (std::uint32_t i = 0; i < subscriptions_.size(); ++i) {
    Subscription& subscription = subscriptions_[i];
    // The exchange dialect does not say what of a request it refused: such a pattern may hold the channel, or not.
    const bool goes_on = native() ? held(i) : binds(i);
    const bool certainly = subscription.exact && !subscription.perhaps;
    if (certainly || !pattern.pattern.matches(scenario_.channels[i].name)) continue;
    if (goes_on) {
      if (subscription.active) serve_by_patterns(i);
      continue;
    }
    std::deque<bool> forms = std::move(subscription.combined);
    const bool asked_for_every = subscription.asked_for_every, perhaps = subscription.perhaps;
    subscription = Subscription{};
    subscription.served.begin({}, scenario_.channels[i]);
    subscription.combined = std::move(forms);
    subscription.asked_for_every = asked_for_every;
    subscription.exact = subscription.perhaps = perhaps;
    attention_.unsubscribed(i);
    subscription.asked = perhaps || asked_for(i) || held(i);
  }
}

void Conversation::on_pattern_left(std::uint64_t id, std::string_view text) {
  const auto found = patterns_.find(std::string{text});
  require(found != patterns_.end(), Checker::replies, "pattern {} is unsubscribed, and was not subscribed to", text);
  (void)request(id, Request::Kind::unsubscribe);
  coverage_.add(Seen::patterns_unsubscribed);
  trace_.note("c{} unsubscribed from pattern {}", connection_, text);
  finish_pattern(id, text);
  forget_pattern(found->second);
}

/// True: the error was about a pattern.
bool Conversation::on_pattern_error(std::optional<std::uint64_t> id, std::string_view code, std::string_view text) {
  const auto found = patterns_.find(std::string{text});
  if (!id) {
    require(found != patterns_.end() && found->second.active, Checker::replies,
            "pattern {} stops, and was not asked for", text);
    require(code == "too_many_subscriptions" || code == "overloaded", Checker::replies, "pattern {} stops: {}", text,
            code);
    require(!found->second.stopped, Checker::replies, "pattern {} stops twice", text);
    found->second.stopped = true;
    coverage_.add(Seen::patterns_stopped);
    return true;
  }
  const auto asked = requests_.find(*id);
  if (asked == requests_.end() || !asked->second.patterns.contains(std::string{text})) return false;
  coverage_.add(Seen::patterns_refused);
  const bool subscribes = asked->second.kind == Request::Kind::subscribe;
  finish_pattern(*id, text);
  if (subscribes && found != patterns_.end() && !found->second.active) forget_pattern(found->second);
  return true;
}

// ---- the exchange dialect ----

void Conversation::on_exchange_patterns(const Request& request, bool done) {
  for (const std::string& text : request.patterns) {
    const auto found = patterns_.find(text);
    if (found == patterns_.end()) continue;
    PatternTalk& pattern = found->second;
    if (request.kind == Request::Kind::unsubscribe && done) {
      coverage_.add(Seen::patterns_unsubscribed);
      forget_pattern(pattern);
    } else if (request.kind == Request::Kind::subscribe) {
      pattern.active = true;
      pattern.stopped = false;
      if (done) {
        coverage_.add(Seen::patterns_subscribed);
      } else {  // one of its channels or patterns was refused, or a limit was met: what it binds is open
        pattern.stopped = true;
      }
    }
  }
}

/// An error that nothing asked for, in a dialect that does not say which pattern met its limit.
bool Conversation::on_exchange_stop() {
  const bool any = std::ranges::any_of(patterns_, [](const auto& one) { return one.second.active; });
  const JsonValue* error = json_.find("error");
  if (!any || error->text.find("the pattern matches") == std::string_view::npos) return false;
  for (auto& [text, pattern] : patterns_) pattern.stopped = true;
  coverage_.add(Seen::patterns_stopped);
  return true;
}

}  // namespace ringcast::simulation
