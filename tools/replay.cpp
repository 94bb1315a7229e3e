// tools/replay.cpp: `ringcast replay`: publishes captured feeds with their original timing, faster, or flat out.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "codec/text/numbers.hpp"
#include "tools/bearer_token.hpp"
#include "tools/book_snapshots.hpp"
#include "tools/capture_merge.hpp"
#include "tools/client/client.hpp"
#include "tools/client/server_message.hpp"
#include "tools/publish_window.hpp"
#include "tools/replay_schedule.hpp"
#include "tools/subcommand.hpp"
#include "tools/terminal.hpp"
#include "tools/trust_options.hpp"

namespace ringcast {
namespace {

constexpr seconds kAcknowledgementTime{30};  // without an answer for this long, the server is taken to be gone
constexpr std::uint64_t kRefusalsShownMax = 5;
constexpr double kSnapshotsMin = 0.001, kSnapshotsMax = 24 * 3'600;  // seconds

struct ReplayOptions {
  std::vector<std::string> files;
  std::string url = kDefaultUrl;
  BearerOptions bearer;
  TlsTrustOptions trust;
  std::string speed = "1";
  std::string prefix;
  double snapshots = 0;  // seconds of feed time between two snapshots of a book; 0: none are made
  bool loop = false;
};

class Replay {
 public:
  Replay(const ReplayOptions& options, Speed speed, Client client, int stop_fd)
      : options_{options}, speed_{speed}, client_{std::move(client)}, stop_fd_{stop_fd} {
    if (options.snapshots <= 0) return;
    books_.emplace(nanoseconds{static_cast<nanoseconds::rep>(options.snapshots * 1e9)}, [this](const auto& sentence) {
      progress_.clear();
      complain("replay", sentence);
    });
  }

  int run() {
    started_ = monotonic_now();
    answered_last_ = started_;
    do {
      auto feed = open(options_);
      if (!feed) {
        complain("replay", feed.error());
        return kExitFailure;
      }
      if (books_) books_->begin_round();
      const bool went_on = publish_all(*feed);
      add_up(*feed);
      if (!went_on) break;
      ++rounds_;
    } while (options_.loop && !StopSignals::requested() && files_failed_ == 0 && messages_ > 0);
    while (connected_ && window_.outstanding() > 0) {
      if (!step(monotonic_now() + seconds{1})) break;
      publish_snapshots();
    }
    if (connected_) client_.close(monotonic_now() + seconds{2});
    return summarize();
  }

  [[nodiscard]] static Result<CaptureMerge, std::string> open(const ReplayOptions& options) {
    return CaptureMerge::open(
        options.files, options.snapshots > 0 ? CaptureMerge::Snapshots::given : CaptureMerge::Snapshots::skipped);
  }

 private:
  /// Publishes one pass over the files. False: the connection broke, or we were told to stop.
  bool publish_all(CaptureMerge& feed) {
    std::optional<ReplaySchedule> schedule;
    while (const auto line = feed.next()) {
      if (!schedule) schedule.emplace(speed_, line->received, monotonic_now());
      if (line->kind == CaptureKind::order_book_snapshot) {
        books_->take_snapshot(feed.place(), *line);
        publish_snapshots();
        continue;
      }
      const Instant due = schedule->due(line->received);
      while (monotonic_now() < due || !window_.has_room(client_)) {
        const bool full = !window_.has_room(client_);
        if (!step(full ? monotonic_now() + seconds{1} : due)) return false;
        publish_snapshots();
      }
      channel_ = options_.prefix;
      channel_ += line->stream;
      const std::uint64_t id =
          window_.publish(client_, {.channel = channel_, .data = line->data, .event = {}, .message_id = {}});
      ++messages_sent_;
      if (books_) books_->take_message(feed.place(), *line, channel_, id);
      publish_snapshots();
      feed_time_ = line->received - schedule->first();
      // The kernel is asked once a turn, not once a message, when many are due at once.
      if (client_.queued_bytes() >= kBatchBytes && !step(Instant{})) return false;
    }
    return true;
  }

  /// Those that are due go out as soon as there is room.
  void publish_snapshots() {
    while (books_ && window_.has_room(client_)) {
      const auto due = books_->next();
      if (!due) return;
      snapshot_ids_.push_back(window_.publish(client_, {.channel = due->channel,
                                                        .data = due->data,
                                                        .event = {},
                                                        .message_id = {},
                                                        .snapshot = true,
                                                        .as_of = due->as_of}));
    }
  }

  /// Sends and receives until `until` or until something happened. False: it is over.
  bool step(Instant until) {
    const int also[]{stop_fd_};
    const auto event = client_.wait(until, also);
    const Instant now = monotonic_now();
    if (StopSignals::requested()) return false;
    if (window_.outstanding() == 0) answered_last_ = now;
    if (event.kind == Client::Event::Kind::text) {
      answered_last_ = now;
      take(event.text);
    } else if (event.kind == Client::Event::Kind::closed) {
      connected_ = false;
      complain("replay", fmt::format("connection lost with {} unacknowledged: {} {}", window_.outstanding(),
                                     value(event.code), event.reason));
      return false;
    } else if (now - answered_last_ > kAcknowledgementTime) {
      connected_ = false;
      complain("replay", fmt::format("no acknowledgement for {} s; {} outstanding", kAcknowledgementTime.count(),
                                     window_.outstanding()));
      return false;
    }
    if (progress_.due(now)) draw(now);
    return true;
  }

  void take(std::string_view text) {
    const auto message = reader_.read(text);
    if (!message) {
      ++refused_;
      complain("replay", fmt::format("the server sent something that is {}", message.error()));
      return;
    }
    if (books_) books_->take_answer(*message);
    const bool of_snapshot = is_of_snapshot(*message);
    switch (window_.take(*message)) {
      case PublishWindow::Answer::published:
        ++(of_snapshot ? snapshots_published_ : published_);
        duplicates_ += message->duplicate ? 1 : 0;
        break;
      case PublishWindow::Answer::refused:
        if (++refused_ > kRefusalsShownMax) break;
        progress_.clear();
        complain("replay", fmt::format("refused: {}: {}{}", message->code, message->words,
                                       refused_ == kRefusalsShownMax ? " (further ones are only counted)" : ""));
        break;
      case PublishWindow::Answer::other: break;
    }
  }

  /// Tells an answer to a snapshot from one to a message; asked once for each.
  bool is_of_snapshot(const ServerMessage& answer) {
    if (snapshot_ids_.empty()) return false;
    const auto id = parse_uint64(answer.id);
    return id && std::erase(snapshot_ids_, *id) > 0;
  }

  void draw(Instant now) {
    const double passed = std::chrono::duration<double>(now - started_).count();
    progress_.draw(fmt::format("replay: {} published, {} outstanding, {:.0f}/s, feed time {:.1f} s", published_,
                               window_.outstanding(), static_cast<double>(published_) / std::max(passed, 1e-9),
                               std::chrono::duration<double>(feed_time_).count()),
                   now);
  }

  void add_up(const CaptureMerge& feed) {
    progress_.clear();
    const auto totals = feed.totals();
    messages_ += totals.messages;
    skipped_ += totals.skipped;
    corrupt_ += totals.corrupt;
    if (rounds_ == 0) {
      for (const std::string& sentence : feed.corrupt_lines()) complain("replay", sentence);
    }
    for (const std::string& sentence : feed.errors()) {
      ++files_failed_;
      complain("replay", sentence);
    }
  }

  int summarize() {
    progress_.clear();
    const double passed = std::chrono::duration<double>(monotonic_now() - started_).count();
    Output output;
    output.append_line(
        fmt::format("published {} of {} messages in {:.2f} s ({:.0f}/s); {} duplicates, {} refused, {} skipped, {} "
                    "corrupt lines, {} files broken off",
                    published_, messages_sent_, passed, static_cast<double>(published_) / std::max(passed, 1e-9),
                    duplicates_, refused_, skipped_, corrupt_, files_failed_));
    if (books_) {
      const BookSnapshots::Summary books = books_->summary();
      output.append_line(
          fmt::format("books: {} of {} complete to the end, {} snapshots published; {} times updates were missing, {} "
                      "updates or snapshots made no sense, {} snapshots of the exchange could not be used",
                      books.valid, books.books, snapshots_published_, books.breaks, books.faults, books.unused));
    }
    const bool whole = output.flush() && refused_ == 0 && files_failed_ == 0 && connected_;
    // Stopping is the user's wish and no failure; what was sent must have been acknowledged even then, or it is
    // unknown.
    if (StopSignals::requested()) return whole ? kExitSuccess : kExitFailure;
    if (books_ && snapshots_published_ == 0) {
      complain("replay",
               "--snapshots: there was no book to publish: a capture needs depth updates and a snapshot of the "
               "exchange's that fits them");
      return kExitFailure;
    }
    return whole && window_.outstanding() == 0 ? kExitSuccess : kExitFailure;
  }

  static constexpr std::size_t kBatchBytes = 32U << 10;

  const ReplayOptions& options_;
  Speed speed_;
  Client client_;
  int stop_fd_;
  PublishWindow window_;
  ServerMessageReader reader_;
  ProgressLine progress_;
  std::optional<BookSnapshots> books_;
  std::vector<std::uint64_t> snapshot_ids_;  // of publishes that were not answered yet
  std::string channel_;
  Instant started_{}, answered_last_{};
  nanoseconds feed_time_{};
  std::uint64_t messages_sent_ = 0, published_ = 0, snapshots_published_ = 0, refused_ = 0, duplicates_ = 0;
  std::uint64_t messages_ = 0, skipped_ = 0, corrupt_ = 0, files_failed_ = 0, rounds_ = 0;
  bool connected_ = true;
};

int run_replay(const ReplayOptions& options) {
  const auto speed = Speed::parse(options.speed);
  if (!speed) {
    complain("replay", fmt::format("--speed '{}': a number above 0, or max", options.speed));
    return kExitUsage;
  }
  const auto parsed = parse_endpoint(options.url, options.trust).and_then([&](Endpoint place) {
    return with_token(std::move(place), options.bearer);
  });
  if (!parsed) {
    complain("replay", parsed.error());
    return kExitUsage;
  }
  if (options.snapshots != 0 && !(options.snapshots >= kSnapshotsMin && options.snapshots <= kSnapshotsMax)) {
    complain("replay", fmt::format("--snapshots must be {} to {} seconds of feed time", kSnapshotsMin, kSnapshotsMax));
    return kExitUsage;
  }
  if (const auto feed = Replay::open(options); !feed) {  // before anything is published
    complain("replay", feed.error());
    return kExitFailure;
  }
  const Endpoint endpoint = with_native_target(*parsed);
  const StopSignals stop;
  auto client = Client::open(endpoint, {.also_readable = stop.fd()});
  if (!client) {
    complain("replay", client.error().sentence);
    return kExitFailure;
  }
  return Replay{options, *speed, std::move(*client), stop.fd()}.run();
}

}  // namespace

void add_replay_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ReplayOptions>();
  CLI::App* command = app.add_subcommand("replay", "publish captured feeds with their original timing");
  command->add_option("files", options->files, "captures, gzip or plain; several are merged by receive time")
      ->required();
  command->add_option("--url", options->url, "where to connect to: ws://HOST:PORT[/PATH], wss://… or unix:/PATH")
      ->capture_default_str();
  add_bearer_options(*command, options->bearer);
  add_trust_options(*command, options->trust);
  command->add_option("--speed", options->speed, "1: as it was; N: so many times faster; max: flat out")
      ->capture_default_str();
  command
      ->add_option(
          "--snapshots", options->snapshots,
          "keep the order book of each depth stream, from the exchange's snapshot in the capture on, and publish "
          "it to the same channel every so many seconds of feed time, as a snapshot with its as_of_seq")
      ->type_name("SECONDS");
  command->add_flag("--loop", options->loop, "begin again at the end, until stopped");
  command->add_option("--prefix", options->prefix, "put this in front of each stream's name");
  command->callback([options, &exit_code] { exit_code = run_replay(*options); });
}

}  // namespace ringcast
