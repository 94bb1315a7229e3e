// tools/pub.cpp: `ringcast pub`: one message, or one for each line of stdin, each acknowledged.
#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>

#include "codec/text/channel_name.hpp"
#include "codec/text/json.hpp"
#include "codec/text/json_write.hpp"
#include "codec/text/utf8.hpp"
#include "tools/client/client.hpp"
#include "tools/client/server_message.hpp"
#include "tools/publish_window.hpp"
#include "tools/subcommand.hpp"
#include "tools/terminal.hpp"
#include "tools/trust_options.hpp"

namespace ringcast {
namespace {

constexpr std::size_t kLineBytesMax = 64U
                                      << 20;  // far above any server's message limit: the server says what is too large
constexpr seconds kAcknowledgementTime{30};   // without an answer for this long, the server is taken to be gone

struct PubOptions {
  std::string url = kDefaultUrl;
  TlsTrustOptions trust;
  std::string channel, payload, event, message_id;
  bool has_payload = false;
  bool text = false;
  bool quiet = false;
  bool high_priority = false;
};

/// Reads lines from stdin without ever waiting for them: the socket is watched at the same time.
class StandardInput {
 public:
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] std::uint64_t line_number() const { return lines_; }
  [[nodiscard]] bool overlong() const { return overlong_; }

  /// The next whole line, without its newline; the last may lack one. Valid until the next call.
  [[nodiscard]] std::optional<std::string_view> next_line() {
    held_.erase(0, consumed_);
    consumed_ = 0;
    const std::size_t newline = held_.find('\n', scanned_);
    if (newline == std::string::npos && !(ended_ && !held_.empty())) {
      scanned_ = held_.size();
      overlong_ = held_.size() > kLineBytesMax;
      return std::nullopt;
    }
    std::string_view line{held_.data(), newline == std::string::npos ? held_.size() : newline};
    consumed_ = newline == std::string::npos ? held_.size() : newline + 1;
    scanned_ = 0;
    ++lines_;
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }

  /// Call when stdin is readable.
  void read_some() {
    char chunk[64U << 10];
    const ssize_t got = ::read(STDIN_FILENO, chunk, sizeof chunk);
    if (got > 0) {
      held_.append(chunk, static_cast<std::size_t>(got));
    } else if (got == 0 || errno != EINTR) {
      ended_ = true;
    }
  }

 private:
  std::string held_;
  std::size_t consumed_ = 0, scanned_ = 0;
  std::uint64_t lines_ = 0;
  bool ended_ = false, overlong_ = false;
};

class Publisher {
 public:
  Publisher(const PubOptions& options, Client client) : options_{options}, client_{std::move(client)} {}

  int run(const StopSignals& stop) {
    if (options_.has_payload) {
      if (!publish(options_.payload, 0)) return kExitFailure;
    }
    StandardInput input;
    Instant answered_last = monotonic_now();
    while (!StopSignals::requested()) {
      const bool more = !options_.has_payload && !input.ended();
      while (!options_.has_payload && window_.has_room()) {
        const auto line = input.next_line();
        if (!line) break;
        if (!line->empty() || options_.text) (void)publish(*line, input.line_number());
      }
      if (input.overlong()) {
        complain("pub", fmt::format("line {}: longer than {} bytes", input.line_number() + 1, kLineBytesMax));
        return kExitFailure;
      }
      if (!more && window_.outstanding() == 0) break;
      std::array<int, 2> also{stop.fd(), STDIN_FILENO};
      const bool reads = more && window_.has_room();
      const Instant patience = output_.pending() ? Instant{} : monotonic_now() + seconds{1};  // prints before it waits
      const auto event = client_.wait(patience, std::span{also}.first(reads ? 2 : 1));
      switch (event.kind) {
        case Client::Event::Kind::text:
          answered_last = monotonic_now();
          take(event.text);
          break;
        case Client::Event::Kind::other_readable:
          if (!StopSignals::requested() && reads) input.read_some();
          if (window_.outstanding() == 0) answered_last = monotonic_now();
          break;
        case Client::Event::Kind::timeout:
          if (!output_.flush()) return kExitFailure;
          if (window_.outstanding() == 0) answered_last = monotonic_now();
          break;
        case Client::Event::Kind::closed:
          (void)output_.flush();
          complain("pub", fmt::format("connection lost with {} unacknowledged: {} {}", window_.outstanding(),
                                      value(event.code), event.reason));
          return kExitFailure;
      }
      if (monotonic_now() - answered_last > kAcknowledgementTime) {
        complain("pub", fmt::format("no acknowledgement for {} s; {} outstanding", kAcknowledgementTime.count(),
                                    window_.outstanding()));
        return kExitFailure;
      }
    }
    client_.close(monotonic_now() + seconds{2});
    const bool written = output_.flush();
    const bool interrupted = window_.outstanding() > 0;
    if (interrupted) complain("pub", fmt::format("interrupted with {} unacknowledged", window_.outstanding()));
    return failures_ > 0 || interrupted || !written ? kExitFailure : kExitSuccess;
  }

 private:
  /// Queues one message. False: the payload is not fit to be sent, which was said.
  bool publish(std::string_view payload, std::uint64_t line) {
    data_.clear();
    if (options_.text) {
      if (!is_valid_utf8(payload)) return refuse(line, "not UTF-8");
      append_json_string(data_, payload);
    } else {
      if (const auto valid = validate_json(payload, kPayloadDepthMax); !valid) {
        return refuse(line, fmt::format("not JSON (byte {}: {}); --text publishes plain text", valid.error().at + 1,
                                        valid.error().sentence));
      }
      data_ = payload;
    }
    (void)window_.publish(client_, {.channel = options_.channel,
                                    .data = data_,
                                    .event = options_.event,
                                    .message_id = options_.message_id,
                                    .high_priority = options_.high_priority});
    return true;
  }

  bool refuse(std::uint64_t line, std::string_view sentence) {
    ++failures_;
    complain("pub", line > 0 ? fmt::format("line {}: {}", line, sentence) : std::string{sentence});
    return false;
  }

  void take(std::string_view text) {
    const auto message = reader_.read(text);
    if (!message) {
      ++failures_;
      complain("pub", fmt::format("the server sent something that is {}", message.error()));
      return;
    }
    switch (window_.take(*message)) {
      case PublishWindow::Answer::published:
        if (!options_.quiet) {
          output_.append_line(fmt::format("{}{}", value(message->seq), message->duplicate ? " duplicate" : ""));
        }
        break;
      case PublishWindow::Answer::refused:
        ++failures_;
        complain("pub", fmt::format("refused: {}: {}", message->code, message->words));
        break;
      case PublishWindow::Answer::other: break;
    }
  }

  const PubOptions& options_;
  Client client_;
  PublishWindow window_;
  ServerMessageReader reader_;
  Output output_;
  std::string data_;
  std::uint64_t failures_ = 0;
};

int run_pub(const PubOptions& options) {
  if (const auto fault = check_channel_name(options.channel); fault != ChannelNameFault::none) {
    complain("pub", fmt::format("'{}' is no channel: {}", options.channel, sentence_of(fault)));
    return kExitUsage;
  }
  const auto endpoint = parse_endpoint(options.url, options.trust);
  if (!endpoint) {
    complain("pub", endpoint.error());
    return kExitUsage;
  }
  const StopSignals stop;
  auto client = Client::open(with_native_target(*endpoint), {.also_readable = stop.fd()});
  if (!client) {
    complain("pub", client.error().sentence);
    return kExitFailure;
  }
  return Publisher{options, std::move(*client)}.run(stop);
}

}  // namespace

void add_pub_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<PubOptions>();
  CLI::App* command = app.add_subcommand("pub", "publish one message, or one for each line of stdin; prints each seq");
  command->add_option("--url", options->url, "where to connect to: ws://HOST:PORT[/PATH], wss://… or unix:/PATH")
      ->capture_default_str();
  add_trust_options(*command, options->trust);
  command->add_option("channel", options->channel, "the channel to publish to")->required();
  CLI::Option* payload =
      command->add_option("payload", options->payload, "a JSON value; without it, one is read from each line of stdin");
  command->add_option("--event", options->event, "the messages' event name");
  command->add_option("--message-id", options->message_id, "an id, by which the server knows a duplicate")
      ->needs(payload);
  command->add_flag("--text", options->text, "the payload is plain text: publish it as a JSON string");
  command->add_flag("--high-priority", options->high_priority,
                    "serve this channel first where a subscriber has several");
  command->add_flag("-q,--quiet", options->quiet, "do not print the seq of each message");
  command->callback([options, payload, &exit_code] {
    options->has_payload = payload->count() > 0;
    exit_code = run_pub(*options);
  });
}

}  // namespace ringcast
