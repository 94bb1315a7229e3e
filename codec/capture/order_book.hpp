// codec/capture/order_book.hpp: the levels of one order book, and their one and only spelling.
//
// Owner    a BookKeeper, by value.  Thread  the owner's.
// Memory   about 100 bytes a level, at most BookLimits::levels_max levels a side.
// Failure  a BookFault; the book then holds a part of the change: clear it.
// Not here ids and continuity (book_keeper.hpp).
//
// Two books with the same levels are spelled with the same bytes, however they came about. That is how a subscriber's
// book is compared with one that was built from the capture.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "alloc/base/result.hpp"
#include "codec/capture/decimal_text.hpp"

namespace ringcast {

struct BookLimits {
  std::size_t levels_max =
      100'000;  // a side; the exchange answers with 5,000 at most, and updates add what is far away
};

enum class BookFault : std::uint8_t { malformed_level, too_many_levels };
[[nodiscard]] std::string_view sentence_of(BookFault fault);

class OrderBook {
 public:
  using Bids = std::map<DecimalText, DecimalText, std::greater<>>;  // the best first, as the exchange lists them
  using Asks = std::map<DecimalText, DecimalText, std::less<>>;

  explicit OrderBook(BookLimits limits = {}) : limits_{limits} {}

  void clear();
  /// Sets the quantities of these levels; a quantity of zero removes one.
  ///
  /// bids, asks  JSON arrays of ["price","quantity"]; what may follow in a level is ignored.
  [[nodiscard]] Result<void, BookFault> apply(std::string_view bids, std::string_view asks);

  [[nodiscard]] const Bids& bids() const { return bids_; }
  [[nodiscard]] const Asks& asks() const { return asks_; }
  /// Somebody would buy for as much as somebody would sell for: no state that an exchange ever has.
  [[nodiscard]] bool is_crossed() const;

  /// {"lastUpdateId":N,"bids":[["61837.63000000","3.78826000"],..],"asks":[..]}, as the exchange answers.
  void append_json(std::string& out, std::uint64_t last_update_id) const;

 private:
  template <class Levels>
  [[nodiscard]] Result<void, BookFault> apply_side(Levels& levels, std::string_view changes);

  BookLimits limits_;
  Bids bids_;
  Asks asks_;
};

}  // namespace ringcast
