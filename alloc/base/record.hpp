// alloc/base/record.hpp: a record of a lane: a fixed header, and the texts that it counts, one behind the other.
//
// Thread  any.  Memory  the caller's.
// Failure  ensure() on a record that is shorter than its header says: both ends are this program.
// Not here the lanes (alloc/queue), the headers (who sends and receives them).
#pragma once

#include <cstring>
#include <string_view>

#include "alloc/base/bytes.hpp"
#include "alloc/base/ensure.hpp"

namespace ringcast {

/// Takes texts off a record, in the order they were put there.
class RecordTexts {
 public:
  RecordTexts(Bytes record, std::size_t header_bytes) : rest_{as_text(record.subspan(header_bytes))} {}
  [[nodiscard]] std::string_view take(std::size_t bytes) {
    ensure(bytes <= rest_.size(), "a record is as long as its header says");
    const std::string_view text = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return text;
  }
  [[nodiscard]] std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

/// Puts a header and texts into the room reserved for a record.
class RecordWriter {
 public:
  template <class Header>
  RecordWriter(MutableBytes room, const Header& header) : room_{room} {
    store(room_.data(), header);
    room_ = room_.subspan(sizeof(Header));
  }
  void put(std::string_view text) {
    if (!text.empty()) std::memcpy(room_.data(), text.data(), text.size());
    room_ = room_.subspan(text.size());
  }
  /// What is left, for a part that writes itself.
  [[nodiscard]] MutableBytes rest() const { return room_; }

 private:
  MutableBytes room_;
};

}  // namespace ringcast
