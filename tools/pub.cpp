// tools/pub.cpp: `ringcast pub`: one message, or one for each line of stdin, each acknowledged; as JSON or as records.
#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>

#include "codec/dialect/native.hpp"
#include "codec/text/channel_name.hpp"
#include "codec/text/json.hpp"
#include "codec/text/json_write.hpp"
#include "codec/text/utf8.hpp"
#include "tools/bearer_token.hpp"
#include "tools/client/client.hpp"
#include "tools/client/record_reader.hpp"
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
  BearerOptions bearer;
  TlsTrustOptions trust;
  std::string channel, payload, event, message_id, file, priority = "normal", state;
  std::uint64_t as_of = 0;  // 0: not said
  bool has_payload = false;
  bool text = false;
  bool binary = false;
  bool quiet = false;
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
      while (!options_.has_payload && window_.has_room(client_)) {
        const auto line = input.next_line();
        if (!line) break;
        publish_line(*line, input.line_number());
      }
      if (input.overlong()) {
        complain("pub", fmt::format("line {}: longer than {} bytes", input.line_number() + 1, kLineBytesMax));
        return kExitFailure;
      }
      if (!more && window_.outstanding() == 0) break;
      std::array<int, 2> also{stop.fd(), STDIN_FILENO};
      const bool reads = more && window_.has_room(client_);
      const Instant patience = output_.pending() ? Instant{} : monotonic_now() + seconds{1};  // prints before it waits
      const auto event = client_.wait(patience, std::span{also}.first(reads ? 2 : 1));
      switch (event.kind) {
        case Client::Event::Kind::text:
          answered_last = monotonic_now();
          event.binary ? take_records(event.text) : take(event.text);
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
  /// Lines of text end as text ends anywhere; to bytes a carriage return is one of them.
  void publish_line(std::string_view line, std::uint64_t number) {
    if (!options_.binary && line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty() || options_.text) (void)publish(line, number);
  }

  /// Queues one message. False: the payload is not fit to be sent, which was said.
  bool publish(std::string_view payload, std::uint64_t line) {
    if (options_.binary) {  // bytes: the server knows whether they must be JSON
      (void)window_.publish_record(client_, publication_of(payload));
      return true;
    }
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
    (void)window_.publish(client_, publication_of(data_));
    return true;
  }

  [[nodiscard]] Publication publication_of(std::string_view data) const {
    return {.channel = options_.channel,
            .data = data,
            .event = options_.event,
            .message_id = options_.message_id,
            .high_priority = options_.priority == "high",
            .snapshot = !options_.state.empty(),
            .as_of = options_.as_of != 0 ? std::optional{Sequence{options_.as_of}} : std::nullopt};
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
    if (message->kind == ServerMessage::Kind::subscribed) records_.name_all(reader_, *message);
    take(*message);
  }

  void take_records(std::string_view message) {
    records_.begin(message);
    while (true) {
      const auto record = records_.next();
      if (!record) {
        ++failures_;
        complain("pub", fmt::format("the server sent something that is {}", record.error()));
        return;
      }
      if (!*record) return;
      take(**record);
    }
  }

  void take(const ServerMessage& message) {
    switch (window_.take(message)) {
      case PublishWindow::Answer::published:
        if (!options_.quiet) {
          output_.append_line(fmt::format("{}{}", value(message.seq), message.duplicate ? " duplicate" : ""));
        }
        break;
      case PublishWindow::Answer::refused:
        ++failures_;
        complain("pub", fmt::format("refused: {}: {}", message.code, message.words));
        break;
      case PublishWindow::Answer::other: break;
    }
  }

  const PubOptions& options_;
  Client client_;
  PublishWindow window_;
  ServerMessageReader reader_;
  RecordReader records_;
  Output output_;
  std::string data_;
  std::uint64_t failures_ = 0;
};

/// The content of a file, which is one payload; or why it cannot be read.
Result<std::string, std::string> read_file(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  std::ostringstream content;
  if (file.is_open() && file.peek() != std::ifstream::traits_type::eof()) content << file.rdbuf();
  if (!file.is_open() || file.bad() || content.fail()) {
    return unexpected(fmt::format("--file {}: cannot be read: {}", path, std::strerror(errno)));
  }
  return std::move(content).str();
}

/// What is wrong with what was asked for, if anything.
std::optional<std::string> check(const PubOptions& options) {
  if (const auto fault = check_channel_name(options.channel); fault != ChannelNameFault::none) {
    return fmt::format("'{}' is no channel: {}", options.channel, sentence_of(fault));
  }
  if (options.event.size() > kEventBytesMax) return fmt::format("--event has at most {} bytes", kEventBytesMax);
  if (options.message_id.size() > kMessageIdBytesMax) {
    return fmt::format("--message-id has at most {} bytes", kMessageIdBytesMax);
  }
  if (!is_valid_utf8(options.event) || !is_valid_utf8(options.message_id)) {
    return "--event and --message-id are UTF-8";
  }
  if (!options.message_id.empty() && !options.has_payload) {
    return "--message-id is of one message: give it as the payload or as --file";
  }
  return std::nullopt;
}

int run_pub(const PubOptions& options) {
  if (const auto fault = check(options)) {
    complain("pub", *fault);
    return kExitUsage;
  }
  const auto parsed = parse_endpoint(options.url, options.trust).and_then([&](Endpoint place) {
    return with_token(std::move(place), options.bearer);
  });
  if (!parsed) {
    complain("pub", parsed.error());
    return kExitUsage;
  }
  const Endpoint endpoint = options.binary ? with_binary_target(*parsed) : with_native_target(*parsed);
  const StopSignals stop;
  auto client = Client::open(endpoint, {.also_readable = stop.fd(), .takes_binary = options.binary});
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
  add_bearer_options(*command, options->bearer);
  add_trust_options(*command, options->trust);
  command->add_option("channel", options->channel, "the channel to publish to")->required();
  CLI::Option* payload =
      command->add_option("payload", options->payload, "a JSON value; without it, one is read from each line of stdin");
  CLI::Option* file = command->add_option("--file", options->file, "the payload is this file, as a whole")
                          ->type_name("FILE")
                          ->excludes(payload);
  command->add_option("--event", options->event, "the messages' event name");
  command->add_option("--message-id", options->message_id,
                      "an id of this message, by which the server knows a duplicate");
  command
      ->add_option("--priority", options->priority,
                   "high: serve this channel first where a subscriber has several; its order stays")
      ->check(CLI::IsMember({"normal", "high"}))
      ->capture_default_str();
  CLI::Option* state =
      command->add_option("--state", options->state, "snapshot: the payload is the state of the channel, not a change")
          ->check(CLI::IsMember({"snapshot"}));
  command
      ->add_option(
          "--as-of-seq", options->as_of,
          "of a snapshot: it is the state after every message with a smaller seq; otherwise, after all before it")
      ->type_name("SEQ")
      ->check(CLI::PositiveNumber)
      ->needs(state);
  CLI::Option* text =
      command->add_flag("--text", options->text, "the payload is plain text: publish it as a JSON string");
  command
      ->add_flag("--binary", options->binary,
                 "speak the binary dialect: the payload is bytes, as they are, where the channel's namespace allows it")
      ->excludes(text);
  command->add_flag("-q,--quiet", options->quiet, "do not print the seq of each message");
  command->callback([options, payload, file, &exit_code] {
    options->has_payload = payload->count() > 0 || file->count() > 0;
    if (file->count() > 0) {
      auto content = read_file(options->file);
      if (!content) {
        complain("pub", content.error());
        exit_code = kExitUsage;
        return;
      }
      options->payload = std::move(*content);
    }
    exit_code = run_pub(*options);
  });
}

}  // namespace ringcast
