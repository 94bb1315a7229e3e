// tools/sub.cpp: `ringcast sub`: prints what arrives; reconnects and resumes by itself.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "codec/text/channel_name.hpp"
#include "codec/text/numbers.hpp"
#include "tools/client/backoff.hpp"
#include "tools/client/client.hpp"
#include "tools/printing_subscriber.hpp"
#include "tools/subcommand.hpp"
#include "tools/terminal.hpp"
#include "tools/trust_options.hpp"

namespace ringcast {
namespace {

struct SubOptions {
  std::string url = kDefaultUrl;
  TlsTrustOptions trust;
  std::vector<std::string> since;
  PrintingOptions subscriber;
  std::uint32_t retries = 0;  // 0: no bound
  bool conflate = false;
  bool no_snapshot = false;
  bool compress = false;
};

std::optional<ResumePoint> parse_since(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto epoch = parse_epoch(text.substr(0, colon));
  const auto seq = parse_uint64(text.substr(colon + 1));
  if (!epoch || !seq) return std::nullopt;
  return ResumePoint{*epoch, Sequence{*seq}};
}

/// Waits; true if it was told to stop meanwhile.
bool sleep_unless_stopped(milliseconds time) {
  const Instant until = monotonic_now() + time;
  while (!StopSignals::requested() && monotonic_now() < until) {
    const timespec step{.tv_sec = 0, .tv_nsec = std::min<std::int64_t>(20'000'000, nanoseconds{time}.count())};
    nanosleep(&step, nullptr);
  }
  return StopSignals::requested();
}

int subscribe_until_done(const SubOptions& options, const Endpoint& endpoint, PrintingSubscriber& subscriber) {
  const StopSignals stop;
  Prng random;
  Backoff backoff;
  const bool exchange = options.subscriber.exchange;
  for (bool first = true;; first = false) {
    const auto opened = monotonic_now();
    auto client = Client::open(endpoint, {.also_readable = stop.fd(), .offers_deflate = options.compress});
    if (StopSignals::requested()) return kExitSuccess;
    milliseconds at_least{0};
    if (client) {
      if (!first) {
        remark("sub", exchange ? "connected again; this dialect cannot tell what was missed" : "connected again");
      }
      const auto outcome = subscriber.run(*client, stop);
      if (outcome == PrintingSubscriber::Outcome::done) return subscriber.was_wronged() ? kExitFailure : kExitSuccess;
      if (outcome == PrintingSubscriber::Outcome::fatal) return kExitFailure;
      backoff.lasted(monotonic_now() - opened);
    } else {
      const bool busy = client.error().status == 503;  // it is there, and says that it will take us later
      const bool final = client.error().kind == ClientError::Kind::refused && !busy;
      if ((first && !busy) || final) {
        complain("sub", client.error().sentence);
        return kExitFailure;
      }
      remark("sub", client.error().sentence);
      at_least = client.error().retry_after;
    }
    if (options.retries > 0 && backoff.failures() >= options.retries) {
      complain("sub", fmt::format("gave up: {} connections in a row failed or did not last", backoff.failures() + 1));
      return kExitFailure;
    }
    if (sleep_unless_stopped(backoff.next(random, at_least))) return kExitSuccess;
  }
}

/// What does not go together, if anything.
std::optional<std::string> check(const SubOptions& options) {
  const PrintingOptions& subscriber = options.subscriber;
  if (subscriber.exchange) {
    if (!options.since.empty()) return "the exchange dialect cannot resume: --since needs the native one";
    if (subscriber.history > 0) return "the exchange dialect knows no history: --history needs the native one";
    if (options.conflate || subscriber.subscribe.max_rate > 0 || options.no_snapshot) {
      return "the exchange dialect knows no options: --conflate, --max-rate and --no-snapshot need the native one";
    }
  }
  if (options.since.empty()) return std::nullopt;
  if (options.since.size() != subscriber.channels.size()) {
    return "give --since once for each channel, in their order: an epoch belongs to one channel";
  }
  if (subscriber.history > 0) return "--history and --since both say where to begin";
  return std::nullopt;
}

/// options  what follows from them is filled in.
int run_sub(SubOptions& options) {
  PrintingOptions& wanted = options.subscriber;
  wanted.subscribe.has_conflate = wanted.subscribe.conflate = options.conflate;
  wanted.subscribe.snapshot = !options.no_snapshot;
  ChannelPositions positions;
  for (const std::string& channel : wanted.channels) {
    if (const auto fault = check_channel_name(channel); fault != ChannelNameFault::none) {
      complain("sub", fmt::format("'{}' is no channel: {}", channel, sentence_of(fault)));
      return kExitUsage;
    }
  }
  if (const auto fault = check(options)) {
    complain("sub", *fault);
    return kExitUsage;
  }
  for (std::size_t i = 0; i < options.since.size(); ++i) {
    const auto position = parse_since(options.since[i]);
    if (!position) {
      complain("sub",
               fmt::format("'{}' is not EPOCH:SEQ (16 hexadecimal digits, a colon, a number)", options.since[i]));
      return kExitUsage;
    }
    positions[wanted.channels[i]] = ChannelPosition{*position};
  }
  const auto parsed = parse_endpoint(options.url, options.trust);
  if (!parsed) {
    complain("sub", parsed.error());
    return kExitUsage;
  }
  const Endpoint endpoint = wanted.exchange ? with_exchange_target(*parsed, wanted.channels, wanted.channels.size() > 1)
                                            : with_native_target(*parsed);
  PrintingSubscriber subscriber{wanted, std::move(positions)};
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
  PrintingOptions& subscriber = options->subscriber;
  command->add_option("channels", subscriber.channels, "the channels to subscribe to")->required();
  command
      ->add_option("--since", options->since,
                   "EPOCH:SEQ, the last message that is known already; once for each channel")
      ->type_name("EPOCH:SEQ")
      ->take_all()
      ->allow_extra_args(false);
  command
      ->add_option("--history", subscriber.history,
                   "print the last N messages of each channel before it goes on live, without a gap between the two")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command->add_flag("--json", subscriber.json, "print the server's JSON objects as they are, gap notices too");
  command->add_option("--count", subscriber.count, "end after so many messages")->check(CLI::PositiveNumber);
  command
      ->add_option("--retries", options->retries,
                   "give up, with status 1, after so many attempts in a row to connect again; otherwise never")
      ->check(CLI::PositiveNumber);
  command->add_flag("--conflate", options->conflate, "when there is more than one message to send, only the newest");
  command
      ->add_option("--max-rate", subscriber.subscribe.max_rate,
                   "messages a second: the first and the newest of each interval, the others are conflated")
      ->check(CLI::PositiveNumber);
  command->add_flag("--no-snapshot", options->no_snapshot, "begin with the next message, not with the channel's state");
  command->add_flag("--exchange", subscriber.exchange, "speak the exchange dialect: prints payloads; cannot resume");
  command->callback([options, &exit_code] { exit_code = run_sub(*options); });
}

}  // namespace ringcast
