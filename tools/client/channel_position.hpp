// tools/client/channel_position.hpp: how far a subscriber has come in one channel: what may come next, and from where
// it goes on after a lost connection.
//
// Owner    who subscribes, one a channel, by value.  Thread  the owner's.  Memory  40 bytes.
// Failure  take() says what came instead of what had to; a reader who is told that nothing is missing can rely on it.
// Not here the connection, the wording of commands (subscribe_command.hpp).
#pragma once

#include <cstdint>
#include <optional>

#include "alloc/base/identifiers.hpp"
#include "codec/dialect/command.hpp"
#include "tools/client/server_message.hpp"

namespace ringcast {

class ChannelPosition {
 public:
  ChannelPosition() = default;
  /// Knows the message `seq` of `epoch` and all before it.
  explicit ChannelPosition(const ResumePoint& last) : epoch_{last.epoch}, seq_{last.seq} {}

  /// What a subscribe says, so that nothing is missing or doubled; nothing: join as one who was never there.
  [[nodiscard]] std::optional<ResumePoint> resume_point() const;

  enum class Joined : std::uint8_t {
    fresh,  // not resumed: nothing is missing, because nothing was had
    goes_on,
    starts_anew,  // resumed in vain: what was between is lost, unless a snapshot covers it
  };
  Joined joined(const SubscribedEntry& entry);

  enum class Took : std::uint8_t {
    next,
    state,     // the channel's state, outside the order: what it is the state of follows
    repeated,  // an older message again: nobody should ever see this
    gap,       // something is missing and was not told
  };
  Took take(const ServerMessage& message);
  /// A gap notice.
  void take_gap(const ServerMessage& gap);

  [[nodiscard]] std::optional<Epoch> epoch() const { return epoch_; }
  /// The last message that was received, or told to be missed, or is part of a state that was received.
  [[nodiscard]] Sequence seq() const { return seq_; }

 private:
  enum class Next : std::uint8_t {
    anything,            // nobody has said where it begins
    following,           // the one after seq_
    following_or_last,   // just joined: also the newest that there was
    state,               // a snapshot, and then the one after seq_
    following_or_state,  // history has lost something: perhaps a snapshot instead
  };

  std::optional<Epoch> epoch_;
  Sequence seq_{};
  Next next_ = Next::anything;
};

}  // namespace ringcast
