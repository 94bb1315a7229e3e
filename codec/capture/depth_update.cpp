#include "codec/capture/depth_update.hpp"

#include "codec/text/json.hpp"
#include "codec/text/numbers.hpp"

namespace ringcast {

std::optional<DepthUpdate> read_depth_update(std::string_view payload) {
  bool is_update = false;
  std::optional<std::uint64_t> first, last, previous;
  DepthUpdate update;
  for (ObjectWalk walk{payload}; const std::optional<JsonMember> member = walk.next();) {
    const std::string_view text = member->value.text;
    if (member->name == "e") {
      is_update = text == "\"depthUpdate\"";
      if (!is_update) {
        return std::nullopt;
      }
    } else if (member->name == "U") {
      first = parse_uint64(text);
    } else if (member->name == "u") {
      last = parse_uint64(text);
    } else if (member->name == "pu") {
      previous = parse_uint64(text);
    } else if (member->name == "b") {
      update.bids = text;
    } else if (member->name == "a") {
      update.asks = text;
    }
  }
  if (!is_update || !first || !last) {
    return std::nullopt;
  }
  update.ids = {*first, *last, previous};
  return update;
}

std::optional<DepthIds> read_depth_ids(std::string_view payload) {
  const std::optional<DepthUpdate> update = read_depth_update(payload);
  return update ? std::optional{update->ids} : std::nullopt;
}

std::optional<BookSnapshot> read_book_snapshot(std::string_view payload) {
  BookSnapshot snapshot;
  std::optional<std::uint64_t> last;
  for (ObjectWalk walk{payload}; const std::optional<JsonMember> member = walk.next();) {
    const bool is_array = member->value.kind == JsonKind::array;
    if (member->name == "lastUpdateId") {
      last = parse_uint64(member->value.text);
    } else if (member->name == "bids" && is_array) {
      snapshot.bids = member->value.text;
    } else if (member->name == "asks" && is_array) {
      snapshot.asks = member->value.text;
    }
  }
  if (!last || snapshot.bids.empty() || snapshot.asks.empty()) {
    return std::nullopt;
  }
  snapshot.last_update_id = *last;
  return snapshot;
}

}  // namespace ringcast
