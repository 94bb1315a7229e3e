// tools/sub.cpp: `ringcast sub`: prints what arrives; reconnects and resumes by itself.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "codec/dialect/command.hpp"
#include "codec/text/channel_name.hpp"
#include "codec/text/pattern.hpp"
#include "tools/bearer_token.hpp"
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
  BearerOptions bearer;
  TlsTrustOptions trust;
  std::vector<std::string> since;
  PrintingOptions subscriber;
  std::uint32_t retries = 0;     // 0: no bound
  std::optional<bool> conflate;  // unsaid: as the channel's namespace has it
  bool no_snapshot = false;
  bool compress = false;
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

/// Who issues tokens that expire writes the next one into the file.
void renew_token(Endpoint& endpoint, const BearerOptions& options) {
  auto token = read_token(options);
  if (token) {
    endpoint.token = std::move(*token);
  } else {
    remark("sub", token.error());
  }
}

int subscribe_until_done(const SubOptions& options, Endpoint endpoint, PrintingSubscriber& subscriber) {
  const StopSignals stop;
  Prng random;
  Backoff backoff;
  const bool exchange = options.subscriber.exchange;
  for (bool first = true;; first = false) {
    const auto opened = monotonic_now();
    if (!first && options.subscriber.renews_token) renew_token(endpoint, options.bearer);
    const auto personal = subscriber.personal_place();
    auto client = Client::open(personal ? with_since(endpoint, *personal) : endpoint,
                               {.also_readable = stop.fd(),
                                .offers_deflate = options.compress,
                                .takes_binary = options.subscriber.binary});
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
  if (options.conflate == false && subscriber.subscribe.max_rate > 0) {
    return "--no-conflate asks for every message, --max-rate for some";
  }
  const auto pattern = std::ranges::find_if(subscriber.channels, is_pattern);
  if (pattern != subscriber.channels.end() && (!options.since.empty() || subscriber.history > 0)) {
    return fmt::format("'{}' is a pattern: --since and --history are of single channels", *pattern);
  }
  if (options.since.empty()) return std::nullopt;
  if (options.since.size() != subscriber.channels.size()) {
    return "give --since once for each channel, in their order: an epoch belongs to one channel";
  }
  if (subscriber.history > 0) return "--history and --since both say where to begin";
  return std::nullopt;
}

Endpoint endpoint_of(const Endpoint& place, const PrintingOptions& wanted) {
  if (wanted.exchange) return with_exchange_target(place, wanted.channels, wanted.channels.size() > 1);
  return wanted.binary ? with_binary_target(place) : with_native_target(place);
}

/// options  what follows from them is filled in.
int run_sub(SubOptions& options) {
  PrintingOptions& wanted = options.subscriber;
  wanted.subscribe.has_conflate = options.conflate.has_value();
  wanted.subscribe.conflate = options.conflate.value_or(false);
  wanted.subscribe.snapshot = !options.no_snapshot;
  wanted.renews_token = !options.bearer.token && options.bearer.file;
  ChannelPositions positions;
  for (const std::string& channel : wanted.channels) {
    if (const auto fault = check_channel_name(channel); fault != ChannelNameFault::none) {
      complain("sub", fmt::format("'{}' is no channel: {}", channel, sentence_of(fault)));
      return kExitUsage;
    }
    if (const auto pattern = Pattern::compile(channel); !pattern) {
      complain("sub", fmt::format("'{}' is no pattern: {}", channel, sentence_of(pattern.error())));
      return kExitUsage;
    }
  }
  if (const auto fault = check(options)) {
    complain("sub", *fault);
    return kExitUsage;
  }
  for (std::size_t i = 0; i < options.since.size(); ++i) {
    const auto position = parse_resume_point(options.since[i]);
    if (!position) {
      complain("sub",
               fmt::format("'{}' is not EPOCH:SEQ (16 hexadecimal digits, a colon, a number)", options.since[i]));
      return kExitUsage;
    }
    positions[wanted.channels[i]] = ChannelPosition{*position};
  }
  const auto parsed = parse_endpoint(options.url, options.trust).and_then([&](Endpoint place) {
    return with_token(std::move(place), options.bearer);
  });
  if (!parsed) {
    complain("sub", parsed.error());
    return kExitUsage;
  }
  PrintingSubscriber subscriber{wanted, std::move(positions)};
  return subscribe_until_done(options, endpoint_of(*parsed, wanted), subscriber);
}

}  // namespace

void add_sub_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<SubOptions>();
  CLI::App* command = app.add_subcommand("sub", "print what arrives on channels; reconnects and resumes by itself");
  command->add_option("--url", options->url, "where to connect to: ws://HOST:PORT[/PATH], wss://… or unix:/PATH")
      ->capture_default_str();
  add_bearer_options(*command, options->bearer);
  add_trust_options(*command, options->trust);
  command->add_flag("--compress", options->compress, "offer permessage-deflate");
  PrintingOptions& subscriber = options->subscriber;
  command
      ->add_option(
          "channels", subscriber.channels,
          "the channels to subscribe to; or patterns, in quotes, of those that exist and those to come: 'a@*', "
          "'orders.>'")
      ->required();
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
  CLI::Option* conflate = command->add_flag_callback(
      "--conflate", [options] { options->conflate = true; },
      "when there is more than one message to send, only the newest");
  command
      ->add_flag_callback(
          "--no-conflate", [options] { options->conflate = false; },
          "every message, also where the channel conflates: a reader that is too slow for it is closed")
      ->excludes(conflate);
  command
      ->add_option("--max-rate", subscriber.subscribe.max_rate,
                   "messages a second: the first and the newest of each interval, the others are conflated")
      ->check(CLI::PositiveNumber);
  command->add_flag("--no-snapshot", options->no_snapshot, "begin with the next message, not with the channel's state");
  CLI::Option* binary = command->add_flag("--binary", subscriber.binary,
                                          "speak the binary dialect; payloads that are no text are printed in base64");
  command->add_flag("--exchange", subscriber.exchange, "speak the exchange dialect: prints payloads; cannot resume")
      ->excludes(binary);
  command->callback([options, &exit_code] { exit_code = run_sub(*options); });
}

}  // namespace ringcast
