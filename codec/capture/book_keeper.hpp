// codec/capture/book_keeper.hpp: keeps an order book as the exchange documents it: updates held until a snapshot comes,
// applied by their ids, and not trusted any more once one is missing.
//
// Owner    a consumer, one a stream.  Thread  the owner's.
// Memory   the book's, and held updates within KeeperLimits while there is no book.
// Failure  counted, and told by the verdict: a missing update, levels that make no sense or a crossed book end the
//          book; it is kept again from the next snapshot on.
// Not here files and channels (tools/book_snapshots.hpp).
//
// An update says which of the exchange's own update ids it covers: spot from U to u, futures from behind pu to u. The
// book as of id n may be given every update that begins at or before n + 1 and ends after n; quantities are absolute,
// so that what an update covers twice does no harm. An update that ends at or before n is old, and one that begins
// later says that something is missing. A snapshot that was taken between two updates, or in the middle of what one
// covers, so finds its place by the same rule as everything after it.
//
// An update is known only by its ids, and a snapshot has no name on it: it is believed when an update shows that it
// belongs to this stream, by covering its id.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "codec/capture/depth_update.hpp"
#include "codec/capture/order_book.hpp"

namespace ringcast {

struct KeeperLimits {
  std::size_t held_bytes_max = 16U << 20;  // a quarter of an hour of the busiest stream of tests/data
};

struct BookCounts {
  std::uint64_t applied = 0;       // updates
  std::uint64_t old = 0;           // updates that the book had already, from a snapshot
  std::uint64_t breaks = 0;        // updates before which others are missing
  std::uint64_t faults = 0;        // updates or snapshots that ended the book by what they said
  std::uint64_t held_dropped = 0;  // updates that waited for a snapshot in vain
  std::uint64_t snapshots_taken = 0;
  std::uint64_t snapshots_refused = 0;  // older than the updates that are held, or not of this stream
};

class BookKeeper {
 public:
  enum class State : std::uint8_t {
    waiting,   // no book: updates are held
    unproven,  // a snapshot, and no update yet that shows that it belongs here
    valid,
  };
  enum class Took : std::uint8_t {
    nothing,  // no depth update
    held,     // until a snapshot comes
    old,      // the book is newer
    applied,
    broken,  // updates are missing before this one: the book is over
    fault,   // its levels make no sense: the book is over
  };
  enum class TookSnapshot : std::uint8_t {
    taken,
    not_needed,  // the book is valid without it
    too_old,     // updates are missing between it and those that are held
    fault,       // its levels make no sense, or not with the updates that are held
  };

  explicit BookKeeper(BookLimits book_limits = {}, KeeperLimits limits = {}) : limits_{limits}, book_{book_limits} {}

  /// Takes the next payload of the stream.
  Took take_update(std::string_view payload);
  TookSnapshot take_snapshot(const BookSnapshot& snapshot);
  /// What comes next does not follow what was taken: there is no book until the next snapshot.
  void lose();

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool valid() const { return state_ == State::valid; }
  /// The updates that are held, while the book is not valid, cover this id.
  [[nodiscard]] bool holds(std::uint64_t update_id) const;
  /// The id up to which the book is complete; 0 while there is none.
  [[nodiscard]] std::uint64_t last_id() const { return state_ == State::waiting ? 0 : last_; }
  /// Levels that mean something only while state() is not waiting.
  [[nodiscard]] const OrderBook& book() const { return book_; }
  [[nodiscard]] const BookCounts& counts() const { return counts_; }
  /// The book as the exchange would answer it; only while state() is not waiting.
  void append_json(std::string& out) const { book_.append_json(out, last_); }

 private:
  struct Held {
    DepthIds ids;
    std::string payload;
  };
  void hold(const DepthIds& ids, std::string_view payload);
  void drop_held();
  [[nodiscard]] Took advance(const DepthUpdate& update);

  KeeperLimits limits_;
  OrderBook book_;
  State state_ = State::waiting;
  std::uint64_t last_ = 0;  // of the book
  std::deque<Held> held_;   // while the book is not valid; each follows the one before it
  std::size_t held_bytes_ = 0;
  BookCounts counts_;
};

}  // namespace ringcast
