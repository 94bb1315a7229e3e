#include "tests/simulation/durable_world.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <tuple>

#include <fmt/format.h>

#include "tests/simulation/checkers.hpp"

namespace ringcast::simulation {
namespace {

constexpr std::size_t kWaitingMax = 64;  // publishes of a client without an answer
constexpr std::size_t kReadersMax = 12;
constexpr std::uint32_t kMessagesKeptAll = 1'000'000;  // more than a run publishes

NamespaceRule rule_from(std::string_view match, Keeping keeping, Dice& dice) {
  NamespaceRule rule;
  rule.match = match;
  rule.offline = keeping == Keeping::until_sent;
  rule.ack = keeping == Keeping::until_acknowledged;
  rule.dedupe.window = hours{24};
  rule.lag.messages = static_cast<std::uint32_t>(dice.one_in(2) ? 4'096 : dice.between(4, 64));
  rule.history.messages = static_cast<std::uint32_t>(dice.one_in(2) ? 1'000 : dice.between(1, 8));
  rule.history.age = milliseconds{dice.one_in(2) ? 300'000 : dice.between(100, 5'000)};
  if (dice.one_in(4)) rule.priority = Priority::high;
  return rule;
}

CoreOptions options_from(Dice& dice) {
  CoreOptions options;
  options.shards = static_cast<std::uint32_t>(dice.between(1, 3));
  options.heartbeat.interval = milliseconds{0};
  options.errors.errors_max = 0;
  if (dice.one_in(3)) options.limits.channel_idle_time = milliseconds{dice.between(200, 3'000)};
  options.offline.messages = dice.one_in(4) ? static_cast<std::uint32_t>(dice.between(3, 20)) : kMessagesKeptAll;
  options.offline.bytes = 256_MiB;
  options.namespaces = {rule_from("acked.>", Keeping::until_acknowledged, dice),
                        rule_from("away.>", Keeping::until_sent, dice)};
  return options;
}

/// The number behind a member, 0 if there is none: `"seq":` of a message.
std::uint64_t number_in(std::string_view text, std::string_view member) {
  const std::size_t at = text.find(member);
  std::uint64_t number = 0;
  if (at != std::string_view::npos) {
    std::from_chars(text.data() + at + member.size(), text.data() + text.size(), number);
  }
  return number;
}
/// The text behind a member, up to its quotation mark.
std::string_view text_in(std::string_view text, std::string_view member) {
  const std::size_t at = text.find(member);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = text.substr(at + member.size());
  return rest.substr(0, rest.find('"'));
}
std::string_view type_of(std::string_view text) { return text_in(text, R"({"type":")"); }

}  // namespace

DurableWorld::DurableWorld(std::uint64_t seed, bool print_trace)
    : dice_{seed ^ 0xd07a'b1e5}, trace_{print_trace}, options_{options_from(dice_)} {
  const bool bounded = options_.offline.messages != kMessagesKeptAll;
  const std::size_t channels = dice_.between(1, 4);
  for (std::size_t i = 0; i < channels; ++i) {
    const Keeping keeping = dice_.one_in(2) ? Keeping::until_sent : Keeping::until_acknowledged;
    const std::string_view prefix = keeping == Keeping::until_sent ? "away" : "acked";
    channels_.emplace_back(fmt::format("{}.{}", prefix, i), keeping, bounded);
  }
  epochs_.resize(channels);
  publishers_.resize(dice_.between(1, 4));
  trace_.set_now(now_.mono);
  trace_.note("durable seed {}: {} shards, {} channels, {} publishers, {} messages kept", seed, options_.shards,
              channels, publishers_.size(), options_.offline.messages);
  kept_.fault = [this](MemoryStore::Operation operation) -> std::optional<StoreState> {
    using enum MemoryStore::Operation;
    const bool writes = operation == write || operation == commit;
    if (writes && writes_until_kill_ != 0 && --writes_until_kill_ == 0) dying_ = true;
    if (dying_) return StoreState::failing;
    const bool unread = wrong_ != StoreState::failing && operation == read;
    const bool unseen = wrong_ == StoreState::full && operation == check;
    if (wrong_ && !unread && !unseen) return wrong_;
    if (operation != commit || commits_failing_ == 0) return std::nullopt;
    --commits_failing_;
    return StoreState::full;
  };
  start();
}

void DurableWorld::start() {
  node_ = std::make_unique<CoreHarness>(options_, 0, 0, &kept_);
  node_->now = now_;
}

/// kill -9: whatever was not committed has never been.
void DurableWorld::kill(std::string_view how) {
  hear_all();  // what sockets took before
  trace_.note("the node is killed {}", how);
  coverage_.add(Seen::store_kills);
  for (Publisher& publisher : publishers_) lose(publisher);
  for (DurableTruth& channel : channels_) channel.begins_anew();
  readers_.clear();
  now_ = node_->now;
  node_.reset();
  kept_.crash();
  dying_ = false;
  writes_until_kill_ = 0;
  start();
}

void DurableWorld::run(std::size_t steps) {
  for (std::size_t i = 0; i < steps; ++i) step();
  get_well();
  const bool in_peace = dice_.one_in(2);
  if (in_peace) end_in_peace();
  kill(in_peace ? "after it has ended" : "for the last time");
  everything_is_there();
}

void DurableWorld::step() {
  pass(nanoseconds{dice_.size(1'000, 20'000'000)});
  if (dice_.one_in(wrong_ ? 20 : 60)) pass(milliseconds{dice_.between(500, 3'000)});
  if (wrong_ && dice_.one_in(20)) {
    wrong_.reset();
    trace_.note("the store could be well");
  }
  const std::size_t action = dice_.below(100);
  if (action < 34) {
    publish();
  } else if (action < 46) {
    subscribe();
  } else if (action < 64) {
    acknowledge();
  } else if (action < 70) {
    leave();
  } else if (action < 78) {
    change_room();
  } else if (action < 79 && dice_.one_in(3)) {
    change_fault();
  } else if (action < 80 && dice_.one_in(2)) {
    if (dice_.one_in(2)) {
      writes_until_kill_ = static_cast<std::uint32_t>(dice_.between(1, 12));
    } else {
      kill("between two turns");
    }
  }
  take_turns();
  hear_all();
}

void DurableWorld::pass(nanoseconds time) {
  node_->now.mono += time;
  node_->now.wall += time;
  trace_.set_now(node_->now.mono);
}

void DurableWorld::take_turns() {
  for (std::size_t turns = dice_.below(6); turns != 0; --turns) {
    if (dice_.one_in(3)) {
      serve_store();
    } else {
      (void)node_->turn(static_cast<std::uint32_t>(dice_.below(options_.shards)));
    }
  }
}

void DurableWorld::serve_store() {
  (void)node_->service().serve(node_->now);
  if (!dying_) return;
  coverage_.add(Seen::store_kills_in_transaction);
  kill("within a transaction");
}

// ---- what clients do ----

void DurableWorld::publish() {
  Publisher& publisher = dice_.pick(publishers_);
  if (publisher.socket == nullptr) {
    const auto number = static_cast<std::size_t>(&publisher - publishers_.data());
    publisher.socket = &node_->connect(static_cast<std::uint32_t>(dice_.below(options_.shards)));
    node_->bytes(*publisher.socket, CoreHarness::request(fmt::format("/ws/connect?user=p{}", number)));
    return;
  }
  if (!publisher.greeted) return;
  if (dice_.one_in(80)) {
    trace_.note("a publisher leaves");
    node_->end(*publisher.socket, dice_.one_in(2) ? 0 : ECONNRESET);
    lose(publisher);
    return;
  }
  for (std::size_t left = dice_.between(1, 8); left != 0 && publisher.waiting.size() < kWaitingMax; --left) {
    std::uint64_t message = next_message_;
    std::size_t channel = dice_.below(channels_.size());
    if (!publisher.doubt.empty() && dice_.percent(40)) {
      std::tie(message, channel) = publisher.doubt.back();
      publisher.doubt.pop_back();
    } else {
      ++next_message_;
    }
    channels_[channel].asked(message);
    publisher.waiting.emplace(message, channel);
    coverage_.add(Seen::store_publishes);
    trace_.note("publish {} to {}", message, channels_[channel].name());
    const std::string data = fmt::format(R"({{"n":{},"p":"{}"}})", message, std::string(dice_.size(0, 4'000), 'p'));
    node_->text(*publisher.socket,
                fmt::format(R"({{"type":"publish","id":{0},"channel":"{1}","message_id":"{0}","data":{2}}})", message,
                            channels_[channel].name(), data));
  }
}

DurableWorld::Reader& DurableWorld::join(std::size_t channel, std::uint32_t shard,
                                         std::optional<std::uint64_t> resume) {
  Reader& reader = *readers_.emplace_back(std::make_unique<Reader>());
  reader.socket = &node_->connect(shard);
  reader.channel = channel;
  reader.resume = resume;
  node_->bytes(*reader.socket, CoreHarness::request("/ws/connect"));
  return reader;
}

void DurableWorld::subscribe() {
  if (readers_.size() >= kReadersMax) return;
  const std::size_t channel = dice_.below(channels_.size());
  std::optional<std::uint64_t> resume;
  if (!epochs_[channel].empty() && channels_[channel].last() != 0 && dice_.percent(30)) {
    resume = dice_.between(1, channels_[channel].last());
    channels_[channel].taken(*resume);  // it says that it has them, so they are done with
  }
  join(channel, static_cast<std::uint32_t>(dice_.below(options_.shards)), resume);
}

void DurableWorld::acknowledge() {
  if (readers_.empty()) return;
  Reader& reader = *dice_.pick(readers_);
  DurableTruth& channel = channels_[reader.channel];
  if (!reader.joined || reader.leaving || channel.keeping() != Keeping::until_acknowledged) return;
  if (reader.next <= reader.first) return;  // it has had nothing
  const std::uint64_t seq = dice_.one_in(2) ? reader.next - 1 : dice_.between(reader.first, reader.next - 1);
  channel.ack_asked(seq);
  trace_.note("an ack of seq {} of {}", seq, channel.name());
  node_->text(*reader.socket, fmt::format(R"({{"type":"ack",{}"channel":"{}","seq":{}}})",
                                          dice_.one_in(3) ? "" : R"("id":"a",)", channel.name(), seq));
}

void DurableWorld::leave() {
  if (readers_.empty()) return;
  Reader& reader = *dice_.pick(readers_);
  if (reader.leaving) return;
  trace_.note("a subscriber of {} leaves", channels_[reader.channel].name());
  reader.leaving = true;
  node_->end(*reader.socket, dice_.one_in(2) ? 0 : ECONNRESET);
}

void DurableWorld::change_room() {
  if (readers_.empty()) return;
  Reader& reader = *dice_.pick(readers_);
  if (!reader.greeted || reader.socket->closed) return;
  if (reader.socket->room == CoreClient::kUnlimited) {
    reader.socket->room = dice_.size(0, 20'000);
  } else {
    node_->make_room(*reader.socket, dice_.one_in(2) ? CoreClient::kUnlimited : dice_.size(1, 5'000));
  }
}

void DurableWorld::change_fault() {
  if (wrong_) return;
  if (dice_.one_in(2)) {
    commits_failing_ = static_cast<std::uint32_t>(dice_.between(1, 2));
    trace_.note("a commit will fail");
    return;
  }
  constexpr std::array kStates{StoreState::full, StoreState::failing, StoreState::lost};
  wrong_ = kStates[dice_.below(kStates.size())];
  coverage_.add(Seen::store_faults);
  trace_.note("the store is {}", name_of(*wrong_));
}

// ---- what they hear ----

/// First what the sockets have taken, of all; for that alone is done with, and what others are told may rest on it.
void DurableWorld::hear_all() {
  for (const auto& reader : readers_) collect(*reader);
  for (Publisher& publisher : publishers_) hear(publisher);
  for (const auto& reader : readers_) {
    for (const std::string& text : std::exchange(reader->texts, {})) hear(*reader, text);
  }
  std::erase_if(readers_, [](const auto& reader) { return reader->socket->closed; });
}

void DurableWorld::lose(Publisher& publisher) {
  for (const auto& [message, channel] : publisher.waiting) {
    channels_[channel].unanswered(message);
    publisher.doubt.emplace_back(message, channel);
  }
  publisher.waiting.clear();
  publisher.answered.clear();
  publisher.socket = nullptr;
  publisher.greeted = false;
}

void DurableWorld::hear(Publisher& publisher) {
  if (publisher.socket == nullptr) return;
  if (!publisher.greeted) publisher.greeted = !node_->take_head(*publisher.socket).empty();
  if (!publisher.greeted) return;
  for (const std::string& text : CoreHarness::take_texts(*publisher.socket)) {
    const std::string_view type = type_of(text);
    if (type == "welcome" || type == "subscribed") continue;  // to its personal channel
    const std::uint64_t message = number_in(text, R"("id":)");
    const auto at = publisher.waiting.find(message);
    check(at != publisher.waiting.end(), Checker::replies, "nobody waits for {}", text);
    const std::size_t channel = at->second;
    publisher.waiting.erase(at);
    if (type == "published") {
      const std::uint64_t seq = number_in(text, R"("seq":)");
      const bool duplicate = text.find(R"("duplicate":true)") != std::string::npos;
      trace_.note("publish {} is seq {}{}", message, seq, duplicate ? ", again" : "");
      if (duplicate) coverage_.add(Seen::store_duplicates);
      channels_[channel].published(message, seq, text_in(text, R"("epoch":")"));
      std::uint64_t& newest = publisher.answered[channel];
      check(duplicate || seq > newest, Checker::order, "seq {} of {} is answered behind seq {}", seq,
            channels_[channel].name(), newest);
      newest = std::max(newest, seq);
    } else {
      check(type == "error" && text_in(text, R"("code":")") == "processing_error", Checker::replies,
            "a publish is answered with {}", text);
      trace_.note("publish {} is refused", message);
      coverage_.add(Seen::store_refusals);
      channels_[channel].refused(message);
    }
  }
  if (publisher.socket->server_fin) node_->end(*publisher.socket);
  if (publisher.socket->closed) lose(publisher);
}

void DurableWorld::collect(Reader& reader) {
  if (!reader.greeted) {
    if (node_->take_head(*reader.socket).empty()) return;
    reader.greeted = true;
    if (reader.leaving) return;
    const DurableTruth& channel = channels_[reader.channel];
    reader.confirmed = channel.confirmed();
    const std::string resume = reader.resume ? fmt::format(R"(,"resume":{{"{}":{{"epoch":"{}","seq":{}}}}})",
                                                           channel.name(), epochs_[reader.channel], *reader.resume)
                                             : "";
    node_->text(*reader.socket,
                fmt::format(R"({{"type":"subscribe","id":1,"channels":["{}"]{}}})", channel.name(), resume));
    coverage_.add(Seen::store_joins);
  }
  for (std::string& text : CoreHarness::take_texts(*reader.socket)) {
    if (type_of(text) == "message") channels_[reader.channel].taken(number_in(text, R"("seq":)"));
    reader.texts.push_back(std::move(text));
  }
  if (reader.socket->server_fin && !reader.leaving) {  // too slow, or the node ends
    reader.leaving = true;
    node_->end(*reader.socket);
  }
}

void DurableWorld::hear(Reader& reader, std::string_view text) {
  DurableTruth& channel = channels_[reader.channel];
  const std::string_view type = type_of(text);
  if (type == "message") {
    hear_message(reader, text);
  } else if (type == "gap") {
    hear_gap(reader, text);
  } else if (type == "subscribed") {
    check(!reader.joined, Checker::replies, "a subscriber of {} is answered twice", channel.name());
    reader.joined = true;
    reader.recovered = text.find(R"("recovered":true)") != std::string_view::npos;
    reader.head = number_in(text, R"("seq":)");
    channel.joined(text_in(text, R"("epoch":")"), reader.head);
    epochs_[reader.channel] = text_in(text, R"("epoch":")");
    trace_.note("a subscriber of {} joins at {}{}", channel.name(), reader.head, reader.recovered ? ", resumed" : "");
  } else if (type == "acked") {
    const std::uint64_t seq = number_in(text, R"("seq":)");
    trace_.note("acked seq {} of {}", seq, channel.name());
    coverage_.add(Seen::store_acks);
    channel.ack_confirmed(seq);
  } else if (type == "error") {  // its channel cannot be read, or its acknowledgement cannot be stored
    check(text_in(text, R"("code":")") == "processing_error", Checker::replies, "a subscriber of {} is told {}",
          channel.name(), text);
    trace_.note("a subscriber of {} is refused", channel.name());
    if (!reader.joined && !reader.leaving) {
      coverage_.add(Seen::store_joins_refused);
      reader.leaving = true;
      node_->end(*reader.socket);
    }
  } else {
    check(type == "welcome", Checker::stream, "a subscriber of {} is told {}", channel.name(), text);
  }
}

/// What it is given first says where the node thinks it was.
void DurableWorld::begin(Reader& reader, std::uint64_t seq) {
  const DurableTruth& channel = channels_[reader.channel];
  check(reader.joined, Checker::replies, "a subscriber of {} is given seq {} before it was answered", channel.name(),
        seq);
  if (reader.recovered) {
    check(seq == *reader.resume + 1, Checker::continuity, "who resumed {} behind seq {} is given seq {}",
          channel.name(), *reader.resume, seq);
  } else {
    channel.begins(seq, reader.confirmed);
  }
  reader.first = reader.next = seq;
}

void DurableWorld::hear_message(Reader& reader, std::string_view text) {
  DurableTruth& channel = channels_[reader.channel];
  const std::uint64_t seq = number_in(text, R"("seq":)");
  const std::uint64_t message = number_in(text, R"("n":)");
  if (reader.first == 0) begin(reader, seq);
  check(seq == reader.next, seq < reader.next ? Checker::order : Checker::continuity,
        "seq {} of {}, and {} was to come", seq, channel.name(), reader.next);
  reader.next = seq + 1;
  const bool stored = text.find(R"("stored":true)") != std::string_view::npos;
  reader.unmarked = reader.unmarked || !stored;
  trace_.note("seq {} of {} is publish {}{}", seq, channel.name(), message, stored ? ", stored" : "");
  coverage_.add(stored ? Seen::store_messages_stored : Seen::store_messages_live);
  channel.delivered(seq, message);
}

void DurableWorld::hear_gap(Reader& reader, std::string_view text) {
  DurableTruth& channel = channels_[reader.channel];
  const std::uint64_t from = number_in(text, R"("from":)");
  const std::uint64_t to = number_in(text, R"("to":)");
  check(text_in(text, R"("reason":")") == "expired", Checker::continuity, "a subscriber of {} is told {}",
        channel.name(), text);
  if (reader.first == 0) begin(reader, from);
  check(from == reader.next, Checker::continuity, "a gap in {} from {}, and {} was to come", channel.name(), from,
        reader.next);
  reader.next = to + 1;
  trace_.note("{} to {} of {} have expired", from, to, channel.name());
  coverage_.add(Seen::store_gaps);
  channel.expired(from, to);
}

// ---- the end ----

/// The store is well, everybody reads: everything that waits comes to something.
void DurableWorld::get_well() {
  wrong_.reset();
  commits_failing_ = 0;
  writes_until_kill_ = 0;
  trace_.note("all is well from here on");
  for (const auto& reader : readers_) {
    if (!reader->socket->closed) node_->make_room(*reader->socket);
  }
  for (int i = 0; i < 4; ++i) {  // a handshake, what was to be asked behind it, and answers to that
    node_->run();
    node_->advance(seconds{2});
    hear_all();
  }
  for (const Publisher& publisher : publishers_) {
    check(publisher.waiting.empty(), Checker::replies, "{} publishes are never answered, the first is {}",
          publisher.waiting.size(), publisher.waiting.empty() ? 0 : publisher.waiting.begin()->first);
  }
  for (const auto& reader : readers_) {
    const DurableTruth& channel = channels_[reader->channel];
    if (reader->leaving) continue;
    check(reader->joined, Checker::replies, "a subscriber of {} is never answered", channel.name());
    const std::uint64_t has = reader->first == 0 ? reader->head : reader->next - 1;
    check(has >= channel.last(), Checker::liveness, "a subscriber of {} has what is up to {}, which is at {}",
          channel.name(), has, channel.last());
  }
  check(node_->count(CounterId::offline_staged) == 0, Checker::leak, "{} messages wait for a store that is well",
        node_->count(CounterId::offline_staged));
}

void DurableWorld::end_in_peace() {
  trace_.note("the node is asked to end");
  coverage_.add(Seen::store_peaceful_ends);
  for (std::uint32_t shard = 0; shard < options_.shards; ++shard) node_->core(shard).begin_shutdown(node_->now);
  node_->advance(seconds{2});
  hear_all();
  for (const auto& reader : readers_) node_->end(*reader->socket);
  for (const Publisher& publisher : publishers_) {
    if (publisher.socket != nullptr) node_->end(*publisher.socket);
  }
  node_->advance(seconds{1});
  hear_all();
  for (std::uint32_t shard = 0; shard < options_.shards; ++shard) {
    check(node_->core(shard).drained(), Checker::shutdown, "shard {} does not come to its end", shard);
  }
  for (const DurableTruth& channel : channels_) had_.push_back(channel.delivered_now());
}

/// Who comes to the next life is given all that was acknowledged to publishers and is not done with: in order, once.
/// After a peaceful end nothing comes again that was done with when it was sent.
void DurableWorld::everything_is_there() {
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    join(i, static_cast<std::uint32_t>(dice_.below(options_.shards)), std::nullopt);
  }
  for (int i = 0; i < 3; ++i) {
    node_->run();
    hear_all();
  }
  check(readers_.size() == channels_.size(), Checker::liveness, "{} of {} subscribers are left", readers_.size(),
        channels_.size());
  for (const auto& reader : readers_) {
    const DurableTruth& channel = channels_[reader->channel];
    check(reader->joined, Checker::replies, "a subscriber of {} is never answered", channel.name());
    channel.complete(reader->first, reader->head);
    check(reader->first == 0 || reader->next == reader->head + 1, Checker::liveness,
          "a subscriber of {} is given what is up to {}, and joined at {}", channel.name(), reader->next - 1,
          reader->head);
    check(!reader->unmarked, Checker::payload, "a stored message of {} is not marked as one", channel.name());
    const auto kept = kept_.channels().find(channel.name());
    check(kept == kept_.channels().end() || kept->second.messages.empty() ||
              kept->second.messages.begin()->first > channel.confirmed(),
          Checker::leak, "{} keeps messages although what is up to {} was acknowledged", channel.name(),
          channel.confirmed());
    if (!had_.empty() && channel.keeping() == Keeping::until_sent) {
      check(reader->first == 0 || reader->first > had_[reader->channel], Checker::order,
            "seq {} of {} comes again after a peaceful end", reader->first, channel.name());
    }
  }
}

}  // namespace ringcast::simulation
