// engine/delivery/outbox.hpp: what one connection still has to be sent: news, replies, the rest of a broken frame.
//
// Owner    session's Connection, by value; does not move while it is linked.  Thread  the shard's.
// Memory   about 100 bytes; Unsent only while replies or a remainder wait, charged to control and remainders.
// Failure  none.
// Not here choosing what goes next (rolling_send), closing (session).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "alloc/base/bytes.hpp"
#include "alloc/base/identifiers.hpp"
#include "alloc/base/time.hpp"
#include "alloc/log/block_pool.hpp"
#include "alloc/memory/budget.hpp"
#include "codec/dialect/command.hpp"
#include "engine/limits.hpp"

namespace ringcast {

inline constexpr std::uint32_t kNoSlot = Handle::kNone;

/// Bytes that wait for the socket.
struct Unsent {
  std::string control;              // whole frames (or HTTP bytes) of ours, in order; they go before any message
  std::size_t control_sent = 0;     // of which the kernel has taken so many

  const std::uint8_t* rest = nullptr;  // of a frame that the kernel took in part; nothing else goes out before it
  std::uint32_t rest_bytes = 0;
  bool rest_is_message = false;        // counts in the ledger as queued until it is sent
  bool rest_in_flight = false;         // its send has been submitted
  std::vector<std::uint8_t> copied;    // where `rest` points, if the frame was small
  BlockPin pin;                        // what keeps it in place, if it was large

  [[nodiscard]] std::size_t control_bytes() const { return control.size() - control_sent; }
};

struct Outbox {
  Handle connection;
  std::unique_ptr<Unsent> unsent;
  std::uint64_t bytes_sent = 0;             // that the kernel has taken
  Outbox* turn_next = nullptr;              // in the queue of connections with news
  std::uint32_t subscription_first = kNoSlot;
  std::uint32_t pending_first = kNoSlot;    // subscriptions with news, served in turn
  std::uint32_t pending_last = kNoSlot;
  std::uint32_t pending_high_last = kNoSlot;  // the last of those that stand in front: they go first
  std::uint32_t subscriptions = 0;
  Dialect dialect = Dialect::undecided;
  Form form = Form::native_json;
  bool queued : 1 = false;                  // in the turn queue
  bool blocked : 1 = false;                 // waits for writable()
  bool in_blocked_list : 1 = false;
  bool publishes : 1 = false;               // acknowledgements come often: keep the memory for them
  bool failed : 1 = false;                  // the socket is broken: nothing is sent any more
  bool messages_held : 1 = false;           // closing: only control bytes go out
  bool tell_when_empty : 1 = false;         // report OutboxEvent::empty once nothing is left
  bool encrypted : 1 = false;               // TLS: a turn is one record
  bool tell_control_low : 1 = false;        // report OutboxEvent::control_low once replies have drained
  bool notices_missed : 1 = false;          // it reads too little: notices were left out, and come before messages
  std::uint8_t high_turns = 0;              // in a row that began with a high channel while a normal one waited
  Instant news_at{};                        // when the oldest news of this turn was noticed
  Instant sent_at{};                        // when the kernel last took bytes
  Instant lag_floor{};                      // a resumed reader is not late for what was old when it joined
  std::uint32_t user = kNoSlot;             // whose connection it is: a slot in the shard's table of users
  std::uint32_t user_index = 0;             // its place among that user's connections

  [[nodiscard]] bool has_remainder() const { return unsent != nullptr && unsent->rest_bytes != 0; }
  [[nodiscard]] std::size_t control_bytes() const { return unsent == nullptr ? 0 : unsent->control_bytes(); }
  [[nodiscard]] std::size_t turn_bytes_max() const { return encrypted ? kTlsTurnBytesMax : kTurnBytesMax; }
  [[nodiscard]] bool has_news() const {
    return has_remainder() || control_bytes() != 0 || (pending_first != kNoSlot && !messages_held);
  }
};
static_assert(sizeof(Outbox) <= 104, "an idle connection has 512 bytes in all (design.md, Memory)");

/// What sending found out; told to the session after each batch, never called back.
struct OutboxEvent {
  enum class Kind : std::uint8_t {
    empty,          // nothing is left to send (asked for by tell_when_empty)
    control_low,    // few replies are left (asked for by tell_control_low)
    slow,           // beyond its lag bound, and the policy is to disconnect: close with 4008
    failed,         // the socket does not take bytes any more
    wait_writable,  // wants to hear when the socket takes bytes again
    chunk_wanted,   // a subscription that catches up has sent its chunk: for the channels, not for the session
  };
  Kind kind{};
  Handle connection;
  std::int32_t error = 0;      // failed: errno
  std::uint64_t messages = 0;  // slow: how far behind
  Handle subscription{};       // chunk_wanted
};

}  // namespace ringcast
