// codec/dialect/message.hpp: a message as the home shard hands it to the encoders.
//
// Thread  any; a view, valid for the call.
#pragma once

#include <cstdint>
#include <string_view>

#include "alloc/base/identifiers.hpp"
#include "alloc/base/time.hpp"

namespace ringcast {

struct MessageView {
  std::string_view channel;
  Epoch epoch{};
  Sequence seq{};
  WallTime published_at{};
  std::string_view event;       // empty: none
  std::string_view message_id;  // empty: none
  std::string_view data;        // one valid JSON value
  bool snapshot = false;
  Sequence as_of{};             // snapshot: the state after every message with a smaller seq; 0: not said, its own seq
  bool stored = false;          // comes from what a durable channel keeps, not as it is published
};

}  // namespace ringcast
