// tools/book_snapshots.hpp: the order books of the captures that are replayed, and when which of them is published.
//
// Owner    replay, by value.  Thread  the command's.
// Memory   a book a depth stream, and one snapshot of it that waits to be published.
// Failure  a stream in which updates are missing has no book until the exchange's next snapshot: reported, the first
//          kReportsMax times, and counted. No clock, no socket: what to publish is taken from next().
// Not here the rules of a book (codec/capture/book_keeper.hpp), publishing (replay).
//
// A snapshot says the state as of a seq, and only the server numbers messages: many publishes are on their way when a
// book is due. So the book is spelled at once, and waits until the last update in it has been answered: the state after
// every message up to that one is as of the seq behind it, whatever was published meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/base/time.hpp"
#include "codec/capture/book_keeper.hpp"
#include "codec/capture/capture_line.hpp"
#include "tools/capture_merge.hpp"
#include "tools/client/server_message.hpp"

namespace ringcast {

class BookSnapshots {
 public:
  static constexpr std::uint64_t kReportsMax = 5;

  /// interval  of feed time, between two snapshots of a book; the first comes as soon as there is a book.
  /// report    gets a sentence about each thing that is wrong with a book.
  BookSnapshots(nanoseconds interval, std::function<void(const std::string&)> report)
      : interval_{interval}, report_{std::move(report)} {}

  /// The captures begin (again): books end, since what comes next does not follow.
  void begin_round();

  /// A line of a capture, in the order of the feed: a snapshot of the exchange's, or a message that was published to
  /// `channel`, to be answered as `id`.
  ///
  /// place  a snapshot belongs to a depth stream of the same file.
  void take_snapshot(const CapturePlace& place, const CaptureLine& line);
  void take_message(const CapturePlace& place, const CaptureLine& line, std::string_view channel, std::uint64_t id);
  /// What the server says to a publish, published or refused. Answers keep the order of a channel.
  void take_answer(const ServerMessage& answer);

  struct Due {
    std::string_view channel, data;  // valid until the next call of anything here
    Sequence as_of{};
  };
  /// A snapshot that is to be published now.
  [[nodiscard]] std::optional<Due> next();

  struct Summary {
    std::uint64_t books = 0, valid = 0, breaks = 0, faults = 0;
    std::uint64_t unused =
        0;  // snapshots of the exchange's that were too old, made no sense or belong to nothing known
  };
  [[nodiscard]] Summary summary() const;

 private:
  struct Book {
    BookKeeper keeper;
    Epoch epoch{};           // of the channel, as the last answer said
    Sequence newest{};       // the greatest seq that an answer said
    std::uint64_t last = 0;  // id of the publish of the last update
    bool answered = false;   // that one
    WallTime due{};          // meaningful while the book is valid
    enum class Stage : std::uint8_t { none, waits, ready } stage = Stage::none;
    std::uint64_t waits_for = 0;  // id of the publish whose answer makes it ready
    Sequence as_of{};             // ready
    std::string text;             // waits, ready
  };
  struct File {
    std::vector<Book*> books;  // of its depth streams
    // A snapshot that came before the first depth update.
    bool has_early = false;
    std::uint64_t early_id = 0;
    std::string early_bids, early_asks, early_place;
  };

  File& file_of(std::size_t file);
  Book* book_of(File& file, const CaptureLine& line, std::string_view channel);
  void offer(Book& book, const BookSnapshot& snapshot, WallTime received, const std::string& place);
  void pass(WallTime received);
  void spell(Book& book);
  void answered(Book& book);
  void report(const std::string& sentence);

  nanoseconds interval_;
  std::function<void(const std::string&)> report_;
  std::map<std::string, Book, std::less<>> books_;  // by channel
  std::vector<File> files_;
  WallTime earliest_due_ = WallTime::max();
  WallTime passed_{};  // how far the feed has come
  std::string given_;
  std::uint64_t reports_ = 0, unused_ = 0, ready_ = 0;
};

}  // namespace ringcast
