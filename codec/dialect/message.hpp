// codec/dialect/message.hpp: a message as the home shard hands it to the encoders, and a run of missing ones.
//
// Thread  any; a view, valid for the call.
#pragma once

#include <cstdint>
#include <string_view>

#include "alloc/base/identifiers.hpp"
#include "alloc/base/time.hpp"
#include "codec/dialect/command.hpp"

namespace ringcast {

struct MessageView {
  std::string_view channel{};
  Epoch epoch{};
  Sequence seq{};
  WallTime published_at{};
  std::string_view event{};       // empty: none
  std::string_view message_id{};  // empty: none
  std::string_view data{};        // one valid JSON value; bytes, where the namespace says so
  bool snapshot = false;
  Sequence as_of{};             // snapshot: the state after every message with a smaller seq; 0: not said, its own seq
  bool stored = false;           // comes from what a durable channel keeps, not as it is published
  std::uint32_t channel_id = 0;  // the channel's number in the binary dialect
};

/// A run of messages that a subscriber was not sent, told before the next one.
struct GapView {
  std::string_view channel{};
  Sequence from{};
  Sequence to{};  // the last one missed
  GapReason reason{};
  Epoch epoch{};  // with GapReason::epoch: the channel's new one; `from` and `to` are then of the old one
  std::uint32_t channel_id = 0;
};

}  // namespace ringcast
