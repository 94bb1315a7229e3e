#include "tests/simulation/conversation.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "codec/http/response_head.hpp"
#include "codec/text/numbers.hpp"
#include "engine/limits.hpp"
#include "tests/simulation/checkers.hpp"

namespace ringcast::simulation {
namespace {

constexpr AssemblerLimits kClientLimits{.message_bytes_max = 4U << 20};

}  // namespace

Conversation::Conversation(ConnectionId connection, Entry entry, const Scenario& scenario, Truth& truth,
                           Delivered& delivered, Coverage& coverage, Trace& trace, Instant now)
    : connection_{connection},
      entry_{entry},
      scenario_{scenario},
      truth_{truth},
      delivered_{delivered},
      coverage_{coverage},
      trace_{trace},
      assembler_{Role::client, kClientLimits},
      combined_{entry == Entry::exchange_streams},
      subscriptions_(scenario.channels.size()),
      attention_{connection, scenario.channels.size(), coverage},
      began_at_{now},
      heard_at_{now},
      answered_at_{now} {
  for (std::size_t i = 0; i < subscriptions_.size(); ++i) {
    subscriptions_[i].combined.push_back(combined_);
    subscriptions_[i].served.begin({}, scenario.channels[i]);
  }
}

// ---- what the client says ----

std::uint64_t Conversation::ask(Request request) {
  if (request.kind == Request::Kind::property) {
    combined_ = request.property_value;
    for (Subscription& subscription : subscriptions_) subscription.combined.push_back(combined_);
  }
  for (const std::uint32_t channel : request.channels) {
    subscriptions_[channel].asked = true;
    if (request.options.has_conflate && !request.options.conflate) subscriptions_[channel].asked_for_every = true;
  }
  if (!request.patterns.empty()) asks_for_patterns(request);
  requests_.emplace(++last_id_, std::move(request));
  return last_id_;
}

void Conversation::subscribes_by_path(std::uint32_t channel) {
  subscriptions_[channel].asked = subscriptions_[channel].exact = true;
  silent_requests_ = 1;
}

void Conversation::is_of_user(std::string user, std::optional<Position> since) {
  user_ = std::move(user);
  personal_due_ = native();
  personal_since_ = since;
}

// ---- what the server sends ----

void Conversation::heard(std::size_t count, Instant now) {
  heard_ += count;
  wordless_max_ = std::max(wordless_max_, now - std::exchange(heard_at_, now));
  while (!pongs_.empty() && pongs_.front() <= heard_) {
    pongs_.pop_front();
    silence_max_ = std::max(silence_max_, now - answered_at_);
    answered_at_ = now;
  }
}

void Conversation::taken(Bytes bytes, Instant now) {
  now_ = now;
  std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());  // the assembler unmasks in place
  MutableBytes rest{copy};
  const std::uint64_t end = offset_ + copy.size();
  if (!upgraded_) read_head(rest, now);
  if (!upgraded_) {
    offset_ = end;
    return;
  }
  require(rest.empty() || !assembler_.finished(), Checker::stream, "{} bytes follow the close frame", rest.size());
  while (!rest.empty()) {
    const auto event = assembler_.next(rest);
    offset_ = end - rest.size();
    if (!event) break;
    on_event(*event, now);
    if (assembler_.finished()) {
      require(rest.empty(), Checker::stream, "{} bytes follow the close frame", rest.size());
      break;
    }
  }
  offset_ = end;
}

void Conversation::read_head(MutableBytes& bytes, Instant now) {
  if (status_ != 0) {  // the body of a refusal
    bytes = {};
    return;
  }
  const std::size_t before = head_.size();
  head_.append(as_text(bytes));
  ResponseHead head;
  const auto parsed = parse_response_head(as_bytes(head_), head);
  require(parsed.has_value(), Checker::stream, "the answer to the handshake is not HTTP: {:.60}", head_);
  if (!parsed->has_value()) {
    bytes = {};
    return;
  }
  status_ = head.status;
  if (status_ != 101) {
    const bool late = status_ == 408 && now - began_at_ >= scenario_.options.limits.handshake_time - kTimerTick;
    const bool full = status_ == 503 && scenario_.options.limits.connections < 100;
    require(late || full || refusals_.contains(status_), Checker::stream,
            "the handshake is answered {} without a reason", status_);
    trace_.note("c{} handshake refused: {}", connection_, status_);
    coverage_.add(Seen::handshakes_refused);
    owed_ = false;
    reactions_.push_back(Reaction{offset_ + bytes.size(), Reaction::Kind::refused, {}});
    bytes = {};
    return;
  }
  upgraded_ = true;
  const std::string_view trouble = packed_wire.answered(head);
  require(trouble.empty(), Checker::stream, "{}", trouble);
  if (packed_wire.agreed()) assembler_.negotiate({.deflate = true});
  const std::size_t head_here = head.head_bytes - before;
  reactions_.push_back(Reaction{offset_ + head_here, Reaction::Kind::opened, {}});
  bytes = bytes.subspan(head_here);
}

void Conversation::ended_in_order() const {
  require(!assembler_.mid_message(), Checker::stream, "the server ends the stream within a frame");
}

void Conversation::on_event(const WsEvent& event, Instant now) {
  switch (event.kind) {
    case WsEvent::Kind::text:
      if (native()) {
        on_native(message_of(event), now);
      } else {
        on_exchange(message_of(event));
      }
      break;
    case WsEvent::Kind::binary:
      require(is_binary(entry_), Checker::stream, "a binary message in a text dialect");
      on_records(as_bytes(message_of(event)), now);
      break;
    case WsEvent::Kind::ping:
      reactions_.push_back(Reaction{offset_, Reaction::Kind::ping,
                                    std::vector<std::uint8_t>(event.payload.begin(), event.payload.end())});
      break;
    case WsEvent::Kind::pong: break;
    case WsEvent::Kind::close: on_close(event, now); break;
    case WsEvent::Kind::error: fail(Checker::stream, fmt::format("c{}: not RFC 6455: {}", connection_, event.what));
  }
}

/// Unpacked, if it was packed.
std::string_view Conversation::message_of(const WsEvent& event) {
  if (!event.compressed) return event.text();
  const auto unpacked = packed_wire.unpack(event.payload);
  require(unpacked.has_value(), Checker::stream, "a message that cannot be unpacked");
  coverage_.add(Seen::messages_packed);
  return *unpacked;
}

void Conversation::on_close(const WsEvent& event, Instant now) {
  const std::uint16_t code = value(event.code);
  close_code_ = code;
  owed_ = false;
  trace_.note("c{} close frame {} '{}'", connection_, code, event.what);
  struct CodeRow {
    std::uint16_t code;
    Seen seen;
  };
  constexpr std::array kCodes{CodeRow{1000, Seen::closed_1000}, CodeRow{1001, Seen::closed_1001},
                              CodeRow{1002, Seen::closed_1002}, CodeRow{1007, Seen::closed_1007},
                              CodeRow{1009, Seen::closed_1009}, CodeRow{4003, Seen::closed_4003},
                              CodeRow{4008, Seen::closed_4008}, CodeRow{4009, Seen::closed_4009}};
  for (const CodeRow& row : kCodes) {
    if (row.code == code) coverage_.add(row.seen);
  }
  reactions_.push_back(Reaction{offset_, Reaction::Kind::close, {}});
  if (excuses_.contains(code)) return;
  switch (code) {
    case 1000:
      require(ends_idle && std::max(wordless_max_, now - heard_at_) >= scenario_.options.limits.idle_time,
              Checker::close_code, "closed with 1000 '{}' {} ms after its last byte", event.what,
              (now - heard_at_).count() / 1'000'000);
      coverage_.add(Seen::closed_idle);
      return;
    case 1001: require(shutting_down, Checker::close_code, "closed with 1001, and the node does not end"); return;
    case 4008: {
      bool possible = false;
      for (std::size_t i = 0; i < subscriptions_.size(); ++i) {
        const SlowPolicy policy = scenario_.channels[i].slow;
        const bool ends = policy == SlowPolicy::disconnect || (!native() && policy == SlowPolicy::drop_oldest);
        possible = possible || (subscriptions_[i].asked && ends) || subscriptions_[i].asked_for_every;
      }
      require(possible, Checker::close_code, "closed with 4008, and none of its channels disconnects slow readers");
      return;
    }
    case 4003:
      require(scenario_.options.errors.errors_max != 0 && errors_seen_ >= scenario_.options.errors.errors_max,
              Checker::close_code, "closed with 4003 after {} errors", errors_seen_);
      return;
    case 4009:
      // Two pings stay unanswered for an interval each. The frame may have waited for its socket as a late pong came.
      require(heartbeat.count() != 0 && std::max(silence_max_, now - answered_at_) >= 2 * heartbeat - 2 * kTimerTick,
              Checker::close_code, "closed with 4009 {} ms after its last pong, and pings come every {} ms",
              (now - answered_at_).count() / 1'000'000, heartbeat.count());
      return;
    default:
      fail(Checker::close_code,
           fmt::format("c{}: closed with {} '{}' for no reason it gave", connection_, code, event.what));
  }
}

// ---- helpers ----

std::string Conversation::text_member(std::string_view name, bool required) {
  const JsonValue* member = json_.find(name);
  if (member == nullptr) {
    require(!required, Checker::stream, "a server message without '{}'", name);
    return {};
  }
  require(member->kind == JsonKind::string, Checker::stream, "'{}' is not a string", name);
  return std::string{json_.string_of(*member)};
}

std::uint64_t Conversation::number_member(std::string_view name) {
  const JsonValue* member = json_.find(name);
  require(member != nullptr && member->kind == JsonKind::number, Checker::stream, "'{}' is not a number", name);
  const auto number = parse_uint64(member->text);
  require(number.has_value(), Checker::stream, "'{}' is {}", name, member->text);
  return *number;
}

std::optional<std::uint64_t> Conversation::id_member() {
  const JsonValue* member = json_.find("id");
  if (member == nullptr || member->kind == JsonKind::null) return std::nullopt;
  const auto number = parse_uint64(member->text);
  require(number.has_value(), Checker::replies, "an answer to id {}, which was not sent", member->text);
  return number;
}

std::uint32_t Conversation::channel_named(std::string_view name) const {
  for (std::size_t i = 0; i < scenario_.channels.size(); ++i) {
    if (scenario_.channels[i].name == name) return static_cast<std::uint32_t>(i);
  }
  fail(Checker::stream, fmt::format("c{}: a message about channel '{}', which nobody named", connection_, name));
}

Request& Conversation::request(std::uint64_t id, Request::Kind kind) {
  const auto found = requests_.find(id);
  require(found != requests_.end(), Checker::replies, "id {} is answered, and nothing is open under it", id);
  require(found->second.kind == kind, Checker::replies, "id {} is answered as another kind of request", id);
  return found->second;
}

std::string Conversation::describe_open() const {
  std::string text = fmt::format("c{} waits for {} errors without id", connection_, errors_without_id_);
  for (const auto& [id, request] : requests_) {
    fmt::format_to(std::back_inserter(text), "; id {} (kind {}, publish {})", id, static_cast<int>(request.kind),
                   request.publish);
  }
  return text;
}

/// A command that is not yet answered may have changed them already: what chooses them, or gives the channel to a
/// pattern or takes it from one.
bool Conversation::terms_may_change(std::uint32_t channel) const {
  return std::ranges::any_of(requests_, [&](const auto& open) {
    const Request& asked = open.second;
    const bool named = asked.channels.contains(channel);
    if (named && Served::chosen(asked.options)) return true;
    return !patterns_.empty() && (named || names_pattern_of(asked, channel));
  });
}

bool Conversation::may_be_held(std::uint32_t channel) const {
  return subscriptions_[channel].served.has_rate() || scenario_.channels[channel].batch_delay.count() != 0;
}

void Conversation::count_message(Subscription& subscription, PublishId id, bool rate_applies) {
  const bool kept = subscription.served.takes(now_);
  require(kept || !rate_applies || shutting_down, Checker::rate, "publish {} is the third message of one interval", id);
  const std::size_t bytes = truth_.of(id).data.size();
  ++delivered_.messages;
  ++subscription.messages;
  subscription.newest = id;
  coverage_.add(Seen::messages_delivered);
  if (bytes > kPinnedFrameBytesMin) coverage_.add(Seen::messages_large);
}

// ---- the native dialect ----

void Conversation::on_native(std::string_view text, Instant now) {
  const auto read = json_.read(text);
  require(read.has_value() && *read == JsonKind::object, Checker::stream, "not a JSON object: {:.80}", text);
  const std::string type = text_member("type");
  if (type == "welcome") {
    require(!welcomed_, Checker::stream, "welcome twice");
    welcomed_ = true;
    return;
  }
  require(welcomed_, Checker::stream, "'{}' before welcome", type);
  if (type == "message") {
    on_message(now);
  } else if (type == "gap") {
    on_gap();
  } else if (type == "subscribed") {
    on_subscribed();
  } else if (type == "unsubscribed") {
    on_unsubscribed();
  } else if (type == "published") {
    on_published(now);
  } else if (type == "error") {
    on_error();
  } else if (type == "user_joined" || type == "user_left") {
    const std::uint32_t channel = channel_named(text_member("channel"));
    const std::string user = text_member("user");
    trace_.note("c{} {} {} in {}", connection_, type, user, scenario_.channels[channel].name);
    attention_.user_notice(channel, user, type == "user_joined");
  } else if (type == "channel_state") {
    const std::uint32_t channel = channel_named(text_member("channel"));
    trace_.note("c{} {} is {}", connection_, scenario_.channels[channel].name, text_member("state"));
    const bool stale = text_member("state") == "stale";
    attention_.state(channel, stale, stale ? number_member("seq") : 0);
  } else if (type == "presence_missed") {
    const std::uint32_t channel = channel_named(text_member("channel"));
    trace_.note("c{} missed notices of {}", connection_, scenario_.channels[channel].name);
    attention_.missed(channel);
  } else if (type == "presence") {
    on_presence();
  } else if (type == "pong") {
    const auto id = id_member();
    require(id.has_value(), Checker::replies, "a pong without id");
    (void)request(*id, Request::Kind::ping);
    requests_.erase(*id);
  } else {
    fail(Checker::stream, fmt::format("c{}: a message of type '{}'", connection_, type));
  }
}

void Conversation::on_message(Instant now) {
  require(!is_binary(entry_), Checker::stream, "a message as JSON in the binary dialect");
  const JsonValue* data = json_.find("data");
  require(data != nullptr, Checker::stream, "a message without data");
  const std::string event = text_member("event", false), message_id = text_member("message_id", false);
  Heard heard{.channel = channel_named(text_member("channel")),
              .seq = Sequence{number_member("seq")},
              .data = data->text,
              .event = event,
              .message_id = message_id,
              .snapshot = text_member("state", false) == "snapshot"};
  if (json_.find("as_of_seq") != nullptr) heard.as_of = number_member("as_of_seq");
  take_message(heard, now);
  coverage_.add(Seen::messages_native);
}

void Conversation::take_message(const Heard& heard, Instant now) {
  const std::uint32_t channel = heard.channel;
  const Sequence seq = heard.seq;
  const std::string& name = scenario_.channels[channel].name;
  Subscription& subscription = subscriptions_[channel];
  trace_.detail("c{} reads seq {} of {}{}", connection_, value(seq), name,
                heard.as_of ? fmt::format(", as of {}", *heard.as_of) : "");
  require(subscription.active, Checker::replies, "seq {} of {} without a subscription", value(seq), name);
  require(subscription.position_known, Checker::replies, "seq {} of {} before 'subscribed'", value(seq), name);
  const bool last_again = std::exchange(subscription.last_may_come, false) && next(seq) == subscription.next.seq;
  if (last_again) subscription.next.seq = seq;
  const bool beside = std::exchange(subscription.snapshot_may_come, false) && heard.snapshot && heard.as_of &&
                      seq != subscription.next.seq;
  if (beside) {
    require(*heard.as_of == value(subscription.next.seq) && seq > subscription.next.seq, Checker::continuity,
            "snapshot {} of {} is as of {}, and {} was to come", value(seq), name, *heard.as_of,
            value(subscription.next.seq));
    coverage_.add(Seen::snapshots_beside);
  }
  require(beside || seq >= subscription.next.seq, Checker::order, "seq {} of {} again: {} was to come", value(seq),
          name, value(subscription.next.seq));
  require(beside || seq == subscription.next.seq, Checker::continuity, "seq {} of {}, and {} was to come", value(seq),
          name, value(subscription.next.seq));
  const auto id = truth_.find_content(heard.data);
  require(id.has_value(), Checker::payload, "seq {} of {}: {} bytes that nobody published: {:.60}", value(seq), name,
          heard.data.size(), heard.data);
  const Publish& publish = truth_.of(*id);
  require(publish.channel == channel, Checker::payload, "seq {} of {} is publish {} of {}", value(seq), name, *id,
          scenario_.channels[publish.channel].name);
  if (scenario_.channels[channel].dedupe.by != DedupeBy::payload) {
    require(heard.event == publish.event, Checker::payload, "publish {} has another event", *id);
    require(heard.message_id == publish.message_id, Checker::payload, "publish {} has another message_id", *id);
  }
  require(publish.snapshot == heard.snapshot, Checker::payload, "publish {} is a snapshot: {}; delivered as one: {}",
          *id, publish.snapshot, heard.snapshot);
  attention_.message(channel, value(seq));
  if (scenario_.channels[channel].owner != 0) {
    require(user_ == std::to_string(scenario_.channels[channel].owner), Checker::presence,
            "a message for another user");
    coverage_.add(Seen::personal_messages);
  }
  truth_.delivered(*id, Position{subscription.next.epoch, seq}, now);
  if (!beside) subscription.next.seq = next(seq);
  count_message(subscription, *id, !beside && !subscription.from_history && !terms_may_change(channel));
}

void Conversation::on_gap() {
  require(!is_binary(entry_), Checker::stream, "a gap as JSON in the binary dialect");
  const std::uint32_t channel = channel_named(text_member("channel"));
  const std::string reason = text_member("reason");
  take_gap(channel, Sequence{number_member("from")}, Sequence{number_member("to")}, reason,
           reason == "epoch" ? parse_epoch(text_member("epoch")) : std::nullopt);
}

void Conversation::take_gap(std::uint32_t channel, Sequence from, Sequence to, std::string_view reason,
                            std::optional<Epoch> epoch) {
  const ChannelPlan& plan = scenario_.channels[channel];
  Subscription& subscription = subscriptions_[channel];
  trace_.note("c{} gap in {}: {} to {}, {}", connection_, plan.name, value(from), value(to), reason);
  require(subscription.active && subscription.position_known, Checker::continuity, "a gap in {} without a subscription",
          plan.name);
  const bool last_again = std::exchange(subscription.last_may_come, false) && next(from) == subscription.next.seq;
  if (last_again) subscription.next.seq = from;
  require(from == subscription.next.seq && to >= from, Checker::continuity,
          "a gap in {} from {} to {}, and {} was to come", plan.name, value(from), value(to),
          value(subscription.next.seq));
  delivered_.skipped_told += value(to) - value(from) + 1;
  subscription.next.seq = next(to);
  if (reason == "conflated") {
    coverage_.add(Seen::gaps_conflated);
    require(plan.slow == SlowPolicy::conflate, Checker::continuity, "{} does not conflate", plan.name);
    require(!subscription.served.every_message() || terms_may_change(channel), Checker::continuity,
            "every message of {} was asked for, and granted", plan.name);
  } else if (reason == "dropped") {
    coverage_.add(Seen::gaps_dropped);
    // A slow reader of a channel that conflates may ask for every message when its log has no more of what it lacks.
    const bool too_late = plan.slow == SlowPolicy::conflate && subscription.asked_for_every;
    require(plan.slow == SlowPolicy::drop_oldest || too_late || scenario_.options.shards > 1, Checker::continuity,
            "{} does not drop", plan.name);
  } else if (reason == "expired") {
    coverage_.add(Seen::gaps_expired);
    subscription.snapshot_may_come = plan.state == StateKeeping::snapshot_delta;
    require(subscription.from_history, Checker::continuity, "{} was not sent from history", plan.name);
  } else if (reason == "epoch") {
    require(epoch.has_value(), Checker::stream, "a gap with a broken epoch");
    subscription.next = Position{*epoch, Sequence{1}};
  } else {
    fail(Checker::stream, fmt::format("c{}: a gap for reason '{}'", connection_, reason));
  }
}

void Conversation::finish_channel(std::uint64_t id, Request& request, std::uint32_t channel) {
  require(request.channels.erase(channel) == 1, Checker::replies, "id {} is answered twice for {}", id,
          scenario_.channels[channel].name);
  if (request.channels.empty() && request.patterns.empty()) requests_.erase(id);
}

/// What records of the channel will say; only the binary dialect is told.
void Conversation::take_channel_id(std::uint32_t channel, Epoch epoch, const JsonReader& entry) {
  const JsonValue* said = entry.find("channel_id");
  if (!is_binary(entry_)) {
    require(said == nullptr, Checker::stream, "a channel_id in the native dialect");
    return;
  }
  const auto number = said == nullptr ? std::nullopt : parse_uint64(said->text);
  require(number.has_value() && *number <= ~std::uint32_t{0}, Checker::stream, "{} is subscribed to without an id",
          scenario_.channels[channel].name);
  subscriptions_[channel].channel_id = static_cast<std::uint32_t>(*number);
  truth_.numbered(channel, epoch, subscriptions_[channel].channel_id);
}

/// A joiner that does not go on from somewhere is given the channel's state, where its namespace keeps one.
void Conversation::begin_with_state(std::uint32_t channel, JsonReader& entry, Sequence newest) {
  Subscription& subscription = subscriptions_[channel];
  const JsonValue* said = entry.find("state");
  if (said != nullptr && entry.string_of(*said) == "snapshot") {
    const JsonValue* as_of = entry.find("as_of_seq");
    const auto as_of_seq = as_of == nullptr ? std::nullopt : parse_uint64(as_of->text);
    require(as_of_seq.has_value(), Checker::stream, "a broken as_of_seq");
    subscription.next.seq = Sequence{*as_of_seq};
    subscription.snapshot_may_come = true;
    subscription.from_history = true;
    coverage_.add(Seen::joins_with_snapshot);
  } else if (scenario_.channels[channel].state == StateKeeping::last && newest != Sequence{}) {
    // Before its time is over the last message must come; later it may.
    if (truth_.state_is_kept(channel, Position{subscription.next.epoch, newest}, now_)) {
      subscription.next.seq = newest;
      coverage_.add(Seen::joins_with_last);
    } else {
      subscription.last_may_come = true;
      coverage_.add(Seen::joins_with_old_last);
    }
    subscription.from_history = true;
  }
}

/// What nobody asked for by a command: a user's own channel.
void Conversation::on_personal_channel(const JsonReader& entry) {
  const auto member = [&](std::string_view name) {
    const JsonValue* found = entry.find(name);
    require(found != nullptr, Checker::stream, "'subscribed' without '{}'", name);
    return *found;
  };
  const std::string name{member("channel").inside_quotes()};
  require(personal_due_ && name == "user:" + user_, Checker::replies, "'subscribed' to {}, which nobody asked for",
          name);
  personal_due_ = false;
  personal_given_ = true;
  coverage_.add(Seen::personal_joins);
  const auto channel = std::ranges::find(scenario_.channels, name, &ChannelPlan::name);
  if (channel == scenario_.channels.end()) return;  // nobody publishes to it
  const auto index = static_cast<std::uint32_t>(channel - scenario_.channels.begin());
  const auto epoch = parse_epoch(member("epoch").inside_quotes());
  const auto seq = parse_uint64(member("seq").text);
  require(epoch.has_value() && seq.has_value(), Checker::stream, "a broken 'subscribed' to {}", name);
  const JsonValue* recovered = entry.find("recovered");
  require((recovered != nullptr) == personal_since_.has_value(), Checker::replies,
          "{} was joined {} a place to resume from, and 'recovered' says otherwise", name,
          personal_since_ ? "with" : "without");
  Subscription& subscription = subscriptions_[index];
  subscription.asked = subscription.active = subscription.exact = subscription.position_known = true;
  subscription.next = Position{*epoch, Sequence{*seq + 1}};
  if (recovered != nullptr && recovered->is_true()) {
    require(personal_since_->epoch == *epoch && value(personal_since_->seq) <= *seq, Checker::continuity,
            "{} recovered from {:x}:{} to {:x}:{}", name, value(personal_since_->epoch), value(personal_since_->seq),
            value(*epoch), *seq);
    subscription.next.seq = next(personal_since_->seq);
    subscription.from_history = true;
    coverage_.add(Seen::personal_resumes);
  }
  take_channel_id(index, *epoch, entry);
  attention_.subscribed(index, entry.find("liveness") != nullptr);
  trace_.note("c{} has its personal channel {} at {:x}:{}", connection_, name, value(*epoch), *seq);
}

void Conversation::on_presence() {
  const auto id = id_member();
  require(id.has_value(), Checker::replies, "a list of users without the id that was sent");
  (void)request(*id, Request::Kind::presence);
  requests_.erase(*id);
  const JsonValue* users = json_.find("users");
  require(users != nullptr && users->kind == JsonKind::array, Checker::stream, "a list of users without users");
  std::set<std::string> names;
  ArrayWalk walk{users->text};
  while (const auto element = walk.next()) names.emplace(element->inside_quotes());
  const JsonValue* channel = json_.find("channel");
  if (channel == nullptr) return;  // of the whole node: the world checks that when all is quiet
  const std::uint32_t index = channel_named(text_member("channel"));
  trace_.note("c{} list of {}: {} users", connection_, scenario_.channels[index].name, names.size());
  require(json_.find("next") == nullptr && number_member("count") == names.size(), Checker::presence,
          "the list of {} has {} users, and counts {}", scenario_.channels[index].name, names.size(),
          number_member("count"));
  attention_.listed(index, names);
}

void Conversation::on_subscribed() {
  if (json_.find("pattern") != nullptr) {
    on_bound();
    return;
  }
  const auto id = id_member();
  std::map<std::string, std::uint64_t> matched;
  if (!id) {
    const std::string list{json_.find("channels") == nullptr ? "" : json_.find("channels")->text};
    ArrayWalk own{list};
    const auto element = own.next();
    require(element.has_value() && !own.next(), Checker::replies, "'subscribed' without the id that was sent");
    JsonReader entry;
    require(entry.read(element->text).has_value(), Checker::stream, "'subscribed' with {}", element->text);
    on_personal_channel(entry);
    return;
  }
  const std::string channels{json_.find("channels") == nullptr ? "" : json_.find("channels")->text};
  ArrayWalk walk{channels};
  while (const auto element = walk.next()) {
    JsonReader reader;
    const auto read = reader.read(element->text);
    require(read.has_value() && *read == JsonKind::object, Checker::stream, "'subscribed' with {}", element->text);
    const auto member = [&](std::string_view name) {
      const JsonValue* found = reader.find(name);
      require(found != nullptr, Checker::stream, "'subscribed' without '{}'", name);
      return *found;
    };
    if (reader.find("pattern") != nullptr) {
      const auto count = parse_uint64(member("matched").text);
      require(count.has_value(), Checker::stream, "'subscribed' with {}", element->text);
      matched.emplace(reader.string_of(member("channel")), *count);
      continue;
    }
    const std::uint32_t channel = channel_named(reader.string_of(member("channel")));
    const auto epoch = parse_epoch(reader.string_of(member("epoch")));
    const auto seq = parse_uint64(member("seq").text);
    require(epoch.has_value() && seq.has_value(), Checker::stream, "'subscribed' with {}", element->text);
    Request& asked = request(*id, Request::Kind::subscribe);
    Subscription& subscription = subscriptions_[channel];
    const std::string& name = scenario_.channels[channel].name;
    const auto resume = asked.resume.find(channel);
    const JsonValue* recovered = reader.find("recovered");
    require(!Served::refused(asked.options, scenario_.channels[channel]), Checker::replies,
            "{} is subscribed to on terms that its namespace does not allow", name);
    if (!subscription.active || !subscription.exact || Served::chosen(asked.options)) {
      subscription.served.begin(asked.options, scenario_.channels[channel]);
    }
    if (Served::chosen(asked.options)) coverage_.add(Seen::options_granted);
    coverage_.add(Seen::subscribes);
    trace_.note("c{} subscribed to {} at {:x}:{}{}", connection_, name, value(*epoch), *seq,
                recovered == nullptr   ? ""
                : recovered->is_true() ? " recovered"
                                       : " not recovered");
    bool again = subscription.active;
    if (personal_given_ && name == "user:" + user_) {
      personal_given_ = false;
      again = again && resume == asked.resume.end();  // a place to resume from is followed
      if (!again) attention_.unsubscribed(channel);
    }
    if (again) {
      coverage_.add(Seen::subscribes_again);  // the cursor stays where it is
      const bool asked_for = resume != asked.resume.end();
      require((recovered != nullptr) == asked_for, Checker::replies,
              "{} is subscribed to again, and 'recovered' says {}", name, asked_for ? "nothing" : "something");
      if (recovered != nullptr && recovered->is_true()) {
        require(resume->second.epoch == *epoch && value(resume->second.seq) <= *seq, Checker::continuity,
                "{} has everything from {:x}:{} to {:x}:{}", name, value(resume->second.epoch),
                value(resume->second.seq), value(*epoch), *seq);
      }
    } else {
      subscription.active = true;
      subscription.position_known = true;
      subscription.from_history = false;
      subscription.next = Position{*epoch, Sequence{*seq + 1}};
      subscription.snapshot_may_come = subscription.last_may_come = false;
      const StateKeeping state = scenario_.channels[channel].state;
      const JsonValue* said = reader.find("state");
      const bool goes_on = recovered != nullptr && recovered->is_true();
      require((said != nullptr) == (state == StateKeeping::snapshot_delta && !goes_on), Checker::replies,
              "{} is subscribed with a state: {}", name, said != nullptr);
      if (!goes_on) begin_with_state(channel, reader, Sequence{*seq});
      take_channel_id(channel, *epoch, reader);
      if (resume != asked.resume.end()) {
        require(recovered != nullptr, Checker::replies, "a resume of {} without 'recovered'", name);
        coverage_.add(recovered->is_true() ? Seen::resumes_recovered : Seen::resumes_refused);
        if (recovered->is_true()) {
          require(resume->second.epoch == *epoch && value(resume->second.seq) <= *seq, Checker::continuity,
                  "{} recovered from {:x}:{} to {:x}:{}", name, value(resume->second.epoch), value(resume->second.seq),
                  value(*epoch), *seq);
          subscription.next.seq = next(resume->second.seq);
          subscription.from_history = true;
        }
      } else {
        require(recovered == nullptr, Checker::replies, "'recovered' for {}, and nothing was to be resumed", name);
      }
    }
    subscription.exact = true;
    attention_.subscribed(channel, reader.find("liveness") != nullptr);
    finish_channel(*id, asked, channel);
  }
  on_patterns_answered(*id, matched);
}

void Conversation::on_unsubscribed() {
  if (json_.find("pattern") != nullptr) {
    on_let_go();
    return;
  }
  const auto id = id_member();
  require(id.has_value(), Checker::replies, "'unsubscribed' without the id that was sent");
  const std::string channels{json_.find("channels") == nullptr ? "" : json_.find("channels")->text};
  ArrayWalk walk{channels};
  while (const auto element = walk.next()) {
    if (is_pattern(element->inside_quotes())) {
      on_pattern_left(*id, element->inside_quotes());
      continue;
    }
    const std::uint32_t channel = channel_named(element->inside_quotes());
    Request& asked = request(*id, Request::Kind::unsubscribe);
    subscriptions_[channel].exact = false;
    if (held(channel)) {  // a pattern goes on with it
      serve_by_patterns(channel);
    } else {
      subscriptions_[channel].active = false;
      subscriptions_[channel].position_known = false;
      attention_.unsubscribed(channel);
    }
    coverage_.add(Seen::unsubscribes);
    trace_.note("c{} unsubscribed from {}", connection_, scenario_.channels[channel].name);
    finish_channel(*id, asked, channel);
  }
}

void Conversation::on_published(Instant now) {
  const auto id = id_member();
  require(id.has_value(), Checker::replies, "'published' without an id");
  const std::uint32_t channel = channel_named(text_member("channel"));
  const auto epoch = parse_epoch(text_member("epoch"));
  const Sequence seq{number_member("seq")};
  const JsonValue* duplicate = json_.find("duplicate");
  require(epoch.has_value() && duplicate != nullptr && duplicate->kind == JsonKind::boolean, Checker::stream,
          "a broken 'published'");
  take_published(*id, channel, Position{*epoch, seq}, duplicate->is_true(), now);
}

void Conversation::take_published(std::uint64_t id, std::uint32_t channel, Position at, bool duplicate, Instant now) {
  const Request& asked = request(id, Request::Kind::publish);
  require(truth_.of(asked.publish).channel == channel, Checker::published, "publish {} is answered for {}",
          asked.publish, scenario_.channels[channel].name);
  std::uint64_t& last = last_published_[channel];
  require(id > last, Checker::replies, "publish id {} is answered after id {} of the same channel", id, last);
  last = id;
  trace_.note("c{} publish {} is {:x}:{}{}", connection_, asked.publish, value(at.epoch), value(at.seq),
              duplicate ? " (duplicate)" : "");
  if (duplicate) coverage_.add(Seen::duplicates_answered);
  truth_.answered(asked.publish, at, duplicate, now);
  requests_.erase(id);
}

void Conversation::on_error() {
  const auto id = id_member();
  const std::string code = text_member("code");
  const std::string channel = text_member("channel", false);
  take_error(id, code, channel, text_member("message"));
}

void Conversation::take_error(std::optional<std::uint64_t> id, std::string_view code, std::string_view channel,
                              std::string_view words) {
  ++errors_seen_;
  trace_.note("c{} error {} for id {} channel '{}': {}", connection_, code, id.value_or(0), channel, words);
  if (is_pattern(channel) && on_pattern_error(id, code, channel)) return;
  if (!id) {
    if (personal_due_ && channel == "user:" + user_) {  // there was no room for its personal channel
      personal_due_ = false;
      return;
    }
    if (errors_without_id_ != 0) {
      --errors_without_id_;
      return;
    }
    require(silent_requests_ != 0, Checker::replies, "an error '{}' that nothing asked for", code);
    --silent_requests_;
    coverage_.add(Seen::publishes_refused);
    return;
  }
  const auto found = requests_.find(*id);
  require(found != requests_.end(), Checker::replies, "an error for id {}, and nothing is open under it", *id);
  Request& asked = found->second;
  if (asked.kind == Request::Kind::publish) {
    coverage_.add(Seen::publishes_refused);
    truth_.refused(asked.publish);
  }
  if (code == "not_supported" && asked.kind == Request::Kind::subscribe) {
    require(!channel.empty(), Checker::replies, "id {} is not supported for no channel", *id);
    const ChannelPlan& plan = scenario_.channels[channel_named(channel)];
    if (Served::refused(asked.options, plan)) {
      coverage_.add(Seen::options_refused);
    } else {
      require(plan.bytes && !is_binary(entry_), Checker::replies, "id {} is not supported: {}", *id,
              text_member("message"));
    }
  }
  const bool of_channels = asked.kind == Request::Kind::subscribe || asked.kind == Request::Kind::unsubscribe;
  if (of_channels && !channel.empty()) {
    finish_channel(*id, asked, channel_named(channel));
  } else {
    requests_.erase(found);
  }
}

// ---- the exchange dialect ----

void Conversation::on_exchange(std::string_view text) {
  if (const auto id = truth_.find_content(text)) {
    on_exchange_message(*id, false);
    return;
  }
  const auto read = json_.read(text);
  require(read.has_value(), Checker::stream, "not JSON: {:.80}", text);
  require(*read == JsonKind::object, Checker::payload, "{} bytes that nobody published: {:.60}", text.size(), text);
  if (json_.find("stream") == nullptr) {
    on_exchange_reply();
    return;
  }
  const JsonValue* data = json_.find("data");
  require(data != nullptr && json_.members().size() == 2, Checker::stream, "a broken envelope: {:.80}", text);
  const auto id = truth_.find_content(data->text);
  require(id.has_value(), Checker::payload, "{} bytes that nobody published: {:.60}", data->text.size(), data->text);
  require(scenario_.channels[truth_.of(*id).channel].name == text_member("stream"), Checker::payload,
          "publish {} of {} comes as {}", *id, scenario_.channels[truth_.of(*id).channel].name, text_member("stream"));
  on_exchange_message(*id, true);
}

void Conversation::on_exchange_message(PublishId id, bool combined) {
  const std::uint32_t channel = truth_.of(id).channel;
  Subscription& subscription = subscriptions_[channel];
  trace_.detail("c{} reads publish {} of {}", connection_, id, scenario_.channels[channel].name);
  // What was already in a log when the form was switched may still come in the old one; it never switches back.
  while (!subscription.combined.empty() && subscription.combined.front() != combined) subscription.combined.pop_front();
  require(!subscription.combined.empty(), Checker::payload, "publish {} comes in the {} form", id,
          combined ? "combined" : "raw");
  require(subscription.asked, Checker::replies, "publish {} of {} without a subscription", id,
          scenario_.channels[channel].name);
  require(subscription.seen.insert(id).second || truth_.of(id).snapshot, Checker::order, "publish {} of {} comes twice",
          id, scenario_.channels[channel].name);
  truth_.delivered_without_seq(id);
  subscription.received.push_back(id);
  // What a joiner is given of a channel's state has no rate.
  // Nor has what a pattern gives it of a channel that began before it was bound.
  count_message(subscription, id, scenario_.channels[channel].state == StateKeeping::none && patterns_.empty());
  coverage_.add(combined ? Seen::messages_combined : Seen::messages_raw);
}

void Conversation::on_exchange_reply() {
  const auto id = id_member();
  if (json_.find("error") != nullptr) ++errors_seen_;
  if (!id) {
    if (json_.find("error") != nullptr && on_exchange_stop()) return;
    if (json_.find("error") != nullptr && errors_without_id_ == 0 && silent_requests_ != 0) {
      --silent_requests_;
      return;
    }
    require(json_.find("error") != nullptr && errors_without_id_ != 0, Checker::replies,
            "an answer that nothing asked for");
    --errors_without_id_;
    return;
  }
  const auto found = requests_.find(*id);
  require(found != requests_.end(), Checker::replies, "id {} is answered, and nothing is open under it", *id);
  const Request& asked = found->second;
  const bool done = json_.find("result") != nullptr;
  trace_.note("c{} id {} is {}", connection_, *id, done ? "done" : "refused");
  if (done && asked.kind == Request::Kind::property) coverage_.add(Seen::forms_switched);
  for (const std::uint32_t channel : asked.channels) {
    Subscription& subscription = subscriptions_[channel];
    if (done && asked.kind == Request::Kind::subscribe) {
      coverage_.add(subscription.active ? Seen::subscribes_again : Seen::subscribes);
      subscription.active = true;
      subscription.exact = true;
      subscription.perhaps = false;
    } else if (asked.kind == Request::Kind::subscribe) {  // something of the request was refused, perhaps this
      subscription.perhaps = subscription.perhaps || !subscription.exact;
      subscription.exact = true;
    } else if (done && asked.kind == Request::Kind::unsubscribe) {
      coverage_.add(Seen::unsubscribes);
      subscription.exact = subscription.perhaps = false;
      if (binds(channel)) continue;  // a pattern goes on with it
      std::deque<bool> forms = std::move(subscription.combined);
      subscription = Subscription{};
      subscription.served.begin({}, scenario_.channels[channel]);
      subscription.combined = std::move(forms);
      subscription.asked = asked_for(channel) || held(channel);
    }
  }
  on_exchange_patterns(asked, done);
  requests_.erase(found);
}

void Conversation::resolve(bool final) {
  if (native()) return;
  for (std::size_t i = 0; i < subscriptions_.size(); ++i) {
    Subscription& subscription = subscriptions_[i];
    const ChannelPlan& plan = scenario_.channels[i];
    while (subscription.resolved < subscription.received.size()) {
      const PublishId id = subscription.received[subscription.resolved];
      const std::optional<Position> at = truth_.of(id).at;
      if (!at && !final) break;
      ++subscription.resolved;
      if (truth_.of(id).snapshot) {  // it may come before its place, and again there
        ++subscription.snapshots_since;
        continue;
      }
      if (at && subscription.last && at->epoch == subscription.last->epoch) {
        require(at->seq > subscription.last->seq, Checker::order, "{} seq {} comes after seq {}", plan.name,
                value(at->seq), value(subscription.last->seq));
        const bool follows = distance(next(subscription.last->seq), at->seq) <= subscription.snapshots_since;
        if (!follows) coverage_.add(Seen::exchange_skips);
        require(follows || plan.slow == SlowPolicy::conflate, Checker::continuity,
                "{} seq {} (publish {}) comes after seq {}", plan.name, value(at->seq), id,
                value(subscription.last->seq));
      }
      subscription.last = at;
      subscription.snapshots_since = 0;
    }
  }
}

}  // namespace ringcast::simulation
