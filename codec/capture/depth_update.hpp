// codec/capture/depth_update.hpp: what the exchange says about its order books: updates of them, and whole ones.
//
// Thread  any.  Memory  none; views into the payload.  Failure  nothing is returned; text that was never validated is
// safe.  Not here what the levels mean (order_book.hpp), in which order they are applied (book_keeper.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace ringcast {

struct DepthIds {
  std::uint64_t first = 0;                // U
  std::uint64_t last = 0;                 // u
  std::optional<std::uint64_t> previous;  // pu: futures only
};

struct DepthUpdate {
  DepthIds ids;
  std::string_view bids, asks;  // JSON as sent; empty: not there
};
/// A payload whose `e` is "depthUpdate"; nothing for any other.
[[nodiscard]] std::optional<DepthUpdate> read_depth_update(std::string_view payload);
[[nodiscard]] std::optional<DepthIds> read_depth_ids(std::string_view payload);

struct BookSnapshot {
  std::uint64_t last_update_id = 0;
  std::string_view bids, asks;  // JSON arrays as sent
};
/// A payload in the shape in which the exchange answers a REST request for a book; nothing for any other.
[[nodiscard]] std::optional<BookSnapshot> read_book_snapshot(std::string_view payload);

}  // namespace ringcast
