// tools/sub.cpp: `ringcast sub`: prints what arrives; reconnects and resumes by itself.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "codec/dialect/command.hpp"
#include "codec/text/channel_name.hpp"
#include "codec/text/json_write.hpp"
#include "codec/text/numbers.hpp"
#include "tools/client/backoff.hpp"
#include "tools/client/client.hpp"
#include "tools/client/server_message.hpp"
#include "tools/subcommand.hpp"
#include "tools/terminal.hpp"
#include "tools/trust_options.hpp"

namespace ringcast {
namespace {

constexpr seconds kSilenceBeforePing{
    45};                            // longer than the server's heartbeat: it is silent only when something is wrong
constexpr seconds kSilenceMax{60};  // then an unanswered ping: the path is dead although nobody said so

struct SubOptions {
  std::string url = kDefaultUrl;
  TlsTrustOptions trust;
  std::vector<std::string> channels;
  std::vector<std::string> since;
  bool json = false;
  bool exchange = false;
  bool compress = false;
  std::uint64_t count = 0;  // 0: no bound
};

/// How far a channel has come, so that a new connection can go on from there.
struct Position {
  /// What the next message may be: the one after `seq`; or, just after joining, also older state; or anything.
  enum class Next : std::uint8_t { following, following_or_state, unknown };
  std::optional<Epoch> epoch;
  Sequence seq{};  // the last one that was printed or told to be missed
  Next next = Next::following;

  [[nodiscard]] bool expects(Sequence arrived) const {
    return next == Next::unknown || arrived == ringcast::next(seq) ||
           (next == Next::following_or_state && arrived <= seq);
  }
};

std::optional<Position> parse_since(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto epoch = parse_epoch(text.substr(0, colon));
  const auto seq = parse_uint64(text.substr(colon + 1));
  if (!epoch || !seq) return std::nullopt;
  return Position{.epoch = epoch, .seq = Sequence{*seq}};
}

class Subscriber {
 public:
  enum class Outcome : std::uint8_t { done, lost, fatal };

  Subscriber(const SubOptions& options, std::map<std::string, Position, std::less<>> positions)
      : options_{options}, positions_{std::move(positions)} {}

  /// Talks over one connection until it ends, enough was printed, or we are told to stop.
  Outcome run(Client& client, const StopSignals& stop) {
    if (!options_.exchange) client.queue_text(subscribe_command());
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
          if (const auto outcome = take(event.text)) return *outcome == Outcome::done ? finish(client) : *outcome;
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

  /// True once something arrived on the current connection: the server works, so the next wait is short again.
  [[nodiscard]] bool was_served() { return std::exchange(served_, false); }
  [[nodiscard]] bool lost_anything() const { return silent_gaps_ > 0; }

 private:
  std::string subscribe_command() const {
    std::string command = R"({"type":"subscribe","id":1,"channels":[)";
    std::string resume;
    for (const std::string& channel : options_.channels) {
      if (!command.ends_with('[')) command += ',';
      append_json_string(command, channel);
      const auto position = positions_.find(channel);
      if (position == positions_.end() || !position->second.epoch) continue;
      if (!resume.empty()) resume += ',';
      append_json_string(resume, channel);
      resume += R"(:{"epoch":")";
      append_epoch(resume, *position->second.epoch);
      resume += R"(","seq":)";
      append_decimal(resume, value(position->second.seq));
      resume += '}';
    }
    command += ']';
    if (!resume.empty()) command += R"(,"resume":{)" + resume + "}";
    return command + "}";
  }

  std::optional<Outcome> take(std::string_view text) {
    if (options_.exchange) {
      served_ = true;
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
      case ServerMessage::Kind::subscribed:
        served_ = true;
        if (options_.json) output_.append_line(text);
        if (!reader_.for_each_subscribed(*message, [this](const SubscribedEntry& entry) { subscribed(entry); })) {
          complain("sub", "the server's answer to subscribe is not as the protocol says");
        }
        break;
      case ServerMessage::Kind::error: return take_error(*message);
      default: break;
    }
    return std::nullopt;
  }

  void subscribed(const SubscribedEntry& entry) {
    Position& position = positions_[std::string{entry.channel}];
    if (entry.recovered == false) {
      remark("sub", fmt::format("{}: could not go on from {}; messages may be missing before the next one",
                                entry.channel, value(position.seq)));
    }
    const bool goes_on = position.epoch == entry.epoch && entry.recovered == true;
    position.epoch = entry.epoch;
    if (!goes_on) {
      position.seq = entry.seq;
      position.next = Position::Next::following_or_state;
    }
  }

  std::optional<Outcome> take_message(const ServerMessage& message, std::string_view text) {
    Position& position = position_of(message.channel);
    if (!position.expects(message.seq)) {
      ++silent_gaps_;
      complain("sub", fmt::format("{}: {} follows {} without a gap notice", message.channel, value(message.seq),
                                  value(position.seq)));
    }
    position.next = Position::Next::following;
    position.seq = message.seq;
    if (options_.json) {
      output_.append_line(text);
    } else {
      output_.append_line(
          message.event.empty()
              ? fmt::format("{} {} {}", message.channel, value(message.seq), message.data)
              : fmt::format("{} {} {} {}", message.channel, value(message.seq), message.event, message.data));
    }
    return counted();
  }

  void take_gap(const ServerMessage& gap, std::string_view text) {
    Position& position = position_of(gap.channel);
    if (gap.reason == name_of(GapReason::epoch)) {
      position.epoch = gap.epoch;
      position.next = Position::Next::unknown;
    } else {
      position.seq = gap.to;
    }
    if (options_.json) output_.append_line(text);
    remark("sub", fmt::format("{}: missed {} to {} ({})", gap.channel, value(gap.from), value(gap.to), gap.reason));
  }

  std::optional<Outcome> take_error(const ServerMessage& error) {
    complain("sub", error.channel.empty() ? fmt::format("{}: {}", error.code, error.words)
                                          : fmt::format("{}: {}: {}", error.channel, error.code, error.words));
    if (++refusals_ >= options_.channels.size()) return Outcome::fatal;  // nothing is left to wait for
    return std::nullopt;
  }

  /// A channel that was not asked for by name (a pattern's, one's own) begins anywhere.
  Position& position_of(std::string_view channel) {
    const auto found = positions_.find(channel);
    if (found != positions_.end()) return found->second;
    Position& position = positions_[std::string{channel}];
    position.next = Position::Next::unknown;
    return position;
  }

  std::optional<Outcome> counted() {
    if (options_.count > 0 && ++printed_ >= options_.count) return Outcome::done;
    return std::nullopt;
  }

  Outcome finish(Client& client) {
    (void)output_.flush();
    client.close(monotonic_now() + seconds{2});
    return Outcome::done;
  }

  Outcome closed(const Client::Event& event) {
    refusals_ = 0;
    const std::string words = fmt::format("connection lost: {} {}", value(event.code), event.reason);
    switch (event.code) {
      case CloseCode::policy_violation:
      case CloseCode::authentication_failed:
      case CloseCode::authentication_expired:
      case CloseCode::too_many_errors:
      case CloseCode::disconnected_by_administrator:
        complain("sub", words);
        return Outcome::fatal;  // the same again would end the same
      default: remark("sub", words); return Outcome::lost;
    }
  }

  const SubOptions& options_;
  std::map<std::string, Position, std::less<>> positions_;
  ServerMessageReader reader_;
  Output output_;
  std::uint64_t printed_ = 0, silent_gaps_ = 0;
  std::size_t refusals_ = 0;
  bool served_ = false;
};

/// Waits; true if it was told to stop meanwhile.
bool sleep_unless_stopped(milliseconds time) {
  const Instant until = monotonic_now() + time;
  while (!StopSignals::requested() && monotonic_now() < until) {
    const timespec step{.tv_sec = 0, .tv_nsec = std::min<std::int64_t>(20'000'000, nanoseconds{time}.count())};
    nanosleep(&step, nullptr);
  }
  return StopSignals::requested();
}

int subscribe_until_done(const SubOptions& options, const Endpoint& endpoint, Subscriber& subscriber) {
  const StopSignals stop;
  Prng random;
  Backoff backoff;
  for (bool first = true;; first = false) {
    auto client = Client::open(endpoint, {.also_readable = stop.fd(), .offers_deflate = options.compress});
    if (StopSignals::requested()) return kExitSuccess;
    if (client) {
      if (!first)
        remark("sub",
               options.exchange ? "connected again; this dialect cannot tell what was missed" : "connected again");
      const auto outcome = subscriber.run(*client, stop);
      if (outcome == Subscriber::Outcome::done) return subscriber.lost_anything() ? kExitFailure : kExitSuccess;
      if (outcome == Subscriber::Outcome::fatal) return kExitFailure;
      if (subscriber.was_served()) backoff.reset();
    } else {
      const bool final = client.error().kind == ClientError::Kind::refused && client.error().status != 503;
      if (first || final) {
        complain("sub", client.error().sentence);
        return kExitFailure;
      }
      remark("sub", client.error().sentence);
    }
    if (sleep_unless_stopped(backoff.next(random))) return kExitSuccess;
  }
}

int run_sub(const SubOptions& options) {
  std::map<std::string, Position, std::less<>> positions;
  for (const std::string& channel : options.channels) {
    if (const auto fault = check_channel_name(channel); fault != ChannelNameFault::none) {
      complain("sub", fmt::format("'{}' is no channel: {}", channel, sentence_of(fault)));
      return kExitUsage;
    }
    positions[channel];
  }
  const bool one_each = options.since.size() == options.channels.size();
  if (!options.since.empty() && (!one_each || options.exchange)) {
    complain("sub", options.exchange
                        ? "the exchange dialect cannot resume: --since needs the native one"
                        : "give --since once for each channel, in their order: an epoch belongs to one channel");
    return kExitUsage;
  }
  for (std::size_t i = 0; i < options.since.size(); ++i) {
    const auto position = parse_since(options.since[i]);
    if (!position) {
      complain("sub",
               fmt::format("'{}' is not EPOCH:SEQ (16 hexadecimal digits, a colon, a number)", options.since[i]));
      return kExitUsage;
    }
    positions[options.channels[i]] = *position;
  }
  const auto parsed = parse_endpoint(options.url, options.trust);
  if (!parsed) {
    complain("sub", parsed.error());
    return kExitUsage;
  }
  const Endpoint endpoint = options.exchange
                                ? with_exchange_target(*parsed, options.channels, options.channels.size() > 1)
                                : with_native_target(*parsed);
  Subscriber subscriber{options, std::move(positions)};
  return subscribe_until_done(options, endpoint, subscriber);
}

}  // namespace

void add_sub_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<SubOptions>();
  CLI::App* command = app.add_subcommand("sub", "print what arrives on channels; reconnects and resumes by itself");
  command->add_option("--url", options->url, "where to connect to: ws://HOST:PORT[/PATH], wss://… or unix:/PATH")
      ->capture_default_str();
  add_trust_options(*command, options->trust);
  command->add_flag("--compress", options->compress, "offer permessage-deflate");
  command->add_option("channels", options->channels, "the channels to subscribe to")->required();
  command
      ->add_option("--since", options->since,
                   "EPOCH:SEQ, the last message that is known already; once for each channel")
      ->type_name("EPOCH:SEQ")
      ->take_all()
      ->allow_extra_args(false);
  command->add_flag("--json", options->json, "print the server's JSON objects as they are, gap notices too");
  command->add_option("--count", options->count, "end after so many messages")->check(CLI::PositiveNumber);
  command->add_flag("--exchange", options->exchange, "speak the exchange dialect: prints payloads; cannot resume");
  command->callback([options, &exit_code] { exit_code = run_sub(*options); });
}

}  // namespace ringcast
