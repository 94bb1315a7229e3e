// engine/delivery/rolling_send.hpp: gives each connection its turn: from its cursors to the heads as they are now.
//
// Owner    shard_core, by value.  Thread  the shard's.
// Memory   scratch of kSendBatchMax turns (2 MiB, taken at start), the plans of one batch.
// Failure  a short or refused send is mapped back onto what it was to carry; nothing is sent twice or forgotten.
// Not here who has news (delivery), the socket (transport/send_path), what a slow reader deserves (lag_policy).
//
// A batch is prepared, submitted by the shell, and finished before the next one is prepared; cursors move only when it
// is finished. So at most one SEND a connection is under way, and between two batches every cursor says exactly what
// the kernel has taken. The one exception is a remainder: the rest of a frame that the kernel took in part; while it is
// in flight, its connection has no turn.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/delivery/delivery.hpp"
#include "engine/delivery/lag_policy.hpp"
#include "engine/limits.hpp"
#include "engine/seam/seam.hpp"
#include "engine/stats/shard_stats.hpp"

namespace ringcast {

class RollingSend {
 public:
  RollingSend(Delivery& delivery, Budget& budget, ShardStats& stats);
  ~RollingSend();

  /// The next batch; empty when nobody has news. Views stay valid until finish().
  std::span<const SendEntry> prepare(Now now);
  /// Applies what became of the batch.
  void finish(std::span<const SendReport> reports, Now now);
  /// The outcome of a remainder entry.
  void remainder_sent(Outbox& outbox, std::int32_t result, Now now);
  void writable(Outbox& outbox, Now now);

  /// Queues bytes of ours (whole frames or an HTTP head) before any message of this connection.
  void send_control(Outbox& outbox, std::string_view bytes, Now now);
  /// Gives back what the connection held, and accounts for a message that was in its remainder.
  void release(Outbox& outbox);

  /// Blocked connections beyond a lag bound in time are found here: their turn does not come.
  void check_blocked(Now now);

  /// What happened since the last call; valid until the next call into this object.
  std::span<const OutboxEvent> take_events();
  /// Connections that wait, or waited lately, for their socket.
  [[nodiscard]] std::span<Outbox* const> blocked() const { return blocked_; }
  [[nodiscard]] bool has_blocked() const { return !blocked_.empty(); }
  [[nodiscard]] bool in_batch() const { return in_batch_; }

 private:
  struct Part {
    enum class Kind : std::uint8_t { control, gap, frames, remainder };
    Kind kind{};
    GapReason reason{};
    std::uint32_t bytes = 0;
    std::uint32_t subscription = kNoSlot;
    const std::uint8_t* data = nullptr;  // gap: the notice
    Sequence next{};                     // gap: the seq that the reader is at afterwards
    bool snapshot_next = false;          // gap: what has that number is a snapshot, sent beside all messages
    FrameLog::Run run{};                 // frames
  };
  struct Plan {
    Outbox* outbox = nullptr;
    std::uint32_t part_first = 0;
    std::uint32_t parts = 0;
  };

  void plan_turn(Outbox& outbox, std::uint8_t* scratch, Now now);
  void plan_messages(Outbox& outbox, std::uint8_t* scratch, std::uint32_t& filled, const std::uint8_t*& direct,
                     Now now);
  [[nodiscard]] LagVerdict judge(const Subscription& subscription, const ChannelLog& log, const Outbox& outbox,
                                 Now now) const;
  bool plan_skip(Outbox& outbox, std::uint32_t slot, const LagVerdict& verdict, std::uint8_t* scratch,
                 std::uint32_t& filled);
  void apply(const Plan& plan, std::uint32_t accepted, Now now);
  void apply_control(Outbox& outbox, std::uint32_t accepted);
  void apply_gap(Outbox& outbox, const Part& part, std::uint32_t accepted);
  void apply_frames(Outbox& outbox, const Part& part, std::uint32_t accepted, Now now);
  void settle_pending(std::uint32_t slot, Instant now);
  void settle_catch_ups(const Plan& plan, Now now);
  void count_skipped(const Subscription& subscription, GapReason reason, std::uint64_t messages);
  void keep_rest(Outbox& outbox, const std::uint8_t* rest, std::uint32_t bytes, LogBlock* block, bool is_message);
  void clear_rest(Unsent& unsent);
  void after_turn(Outbox& outbox, bool took_all, Now now);
  void note_blocked(Outbox& outbox);
  void fail(Outbox& outbox, std::int32_t error);
  void tell_if_empty(Outbox& outbox);

  Delivery* delivery_;
  Budget* budget_;
  ShardStats* stats_;
  std::unique_ptr<std::uint8_t[]> scratch_;  // pages are touched only by turns that gather
  std::vector<SendEntry> entries_;
  std::vector<Plan> plans_;
  std::vector<Part> parts_;
  std::vector<OutboxEvent> events_;
  std::vector<OutboxEvent> taken_;
  std::vector<Outbox*> blocked_;   // wait, or waited lately, for their socket
  std::size_t lap_left_ = 0;       // turns until everybody who was in the queue when the lap began is caught up
  bool in_batch_ = false;
};

}  // namespace ringcast
