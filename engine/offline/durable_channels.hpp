// engine/offline/durable_channels.hpp: the channels of a home shard whose messages are in the offline store before
// anybody is sent them: what waits for the store, and what it has said.
//
// Owner    channel_router, by value.  Thread  the shard's.
// Memory   about 350 bytes a durable channel in use, and the messages that the store has not answered yet (blocks, at
//          most kStagedBytesMax and one message a shard; a lap's worth a channel); charged to Purpose::offline.
// Failure  a store that cannot keep a message refuses it, and all behind it, before anybody has seen them; a channel
//          that cannot be read is refused as a whole. Both say why.
// Not here keeping (store_service, bridge), numbering and history (channel), joining and sending (shard, delivery).
//
// The life of a message: stage() copies it; once the channel's past is known it gets its number and goes to the store;
// when its transaction is committed it goes into the channel's history and to its readers, and its publisher is told.
// So a number is kept before it is used, which lets a channel go on in the same epoch after any crash.
//
// What is kept: messages after `done`, which is the last one that a user has acknowledged (namespace `ack`), or that
// any connection was sent whole (namespace `offline` alone); within the bounds of [offline], oldest first.
//
// durable_channels.cpp: what is kept, and what the store is asked.  store_answers.cpp: what it says of that.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "alloc/base/identifiers.hpp"
#include "alloc/log/frame_log.hpp"
#include "alloc/memory/slab.hpp"
#include "codec/dialect/command.hpp"
#include "engine/channel/home_channel.hpp"
#include "engine/channel/publish_pipeline.hpp"
#include "engine/limits.hpp"
#include "engine/offline/store_lane.hpp"
#include "engine/offline/store_records.hpp"
#include "engine/stats/shard_stats.hpp"

namespace ringcast {

inline constexpr std::size_t kStagedBytesMax = 4_MiB;          // of messages that wait for the store, a shard
inline constexpr std::uint32_t kStoreLoadsMax = 16;            // pages asked for at once, a shard
inline constexpr std::uint32_t kAcksWaitingMax = 1'024;        // to be confirmed when they are stored, a shard
inline constexpr std::uint32_t kStoreAnswersPerDrain = 1'024;  // a bound on the store's share of a turn
inline constexpr std::uint32_t kExpiredPerSweep = 1'024;       // messages of a channel, each time it is looked at

inline constexpr std::string_view kAckNotStored = "the acknowledgement could not be stored; it may have to be repeated";

/// Who is to hear what became of a publish or an acknowledgement.
struct ReplyTo {
  ShardIndex shard{};
  Handle connection{};
  std::string_view id{};
};

struct DurableReply {
  enum class Kind : std::uint8_t { published, refused, acknowledged, ack_refused };
  Kind kind = Kind::published;
  ReplyTo to;
  std::string_view channel;
  Published published{};        // acknowledged: epoch and seq
  ErrorCode code{};             // refused, ack_refused
  std::string_view sentence{};  // the same; static text
};

/// What an answer of the store leads to; implemented by who owns histories, logs and lanes.
class DurableEvents {
 public:
  virtual ~DurableEvents() = default;
  /// The channel's past is in its history: who waits for it may join.
  virtual void channel_loaded(HomeChannel& home, Now now) = 0;
  /// The channel's past cannot be read. Nothing waits for the store in it; it is to be given up.
  virtual void channel_refused(HomeChannel& home, Now now) = 0;
  /// The message is kept: it is to be appended with the next number. `wall` is when it was published.
  virtual void message_kept(HomeChannel& home, const PublishRequest& request, WallTime wall, Now now) = 0;
  virtual void answered(const DurableReply& reply, Now now) = 0;
};

struct DurableChannel {
  struct AckWait {
    Sequence seq{};
    ShardIndex shard{};
    Handle connection;
    std::string id;
  };

  DurableChannel(BlockPool& pool, Handle of_home)
      : staged{pool, {.frames = ~0ULL, .bytes = ~0ULL}, Purpose::offline, Sequence{1}}, home{of_home} {}

  FrameLog staged;  // publishes not answered yet, numbered as they came; that is not their seq
  Handle home;
  Sequence answered{1};    // the first of `staged` that is not answered
  Sequence dispatched{1};  // the first that the store was not asked to keep
  Sequence next{1};        // seq of the next message that the store is asked to keep
  Sequence loaded{};       // up to here its past is in history
  Sequence done{};
  Sequence done_sent{};    // what the store was told of that
  Sequence done_stored{};  // and has confirmed
  Sequence floor{1};       // the oldest message that is to be kept
  Sequence floor_sent{1};
  std::vector<AckWait> acks;     // to be confirmed once they are stored
  std::uint32_t in_flight = 0;   // requests that the store has not answered
  std::uint32_t generation = 0;  // theirs
  bool loading = true;
  bool dirty = false;  // in the queue of those that have something for the store

  [[nodiscard]] std::uint64_t waiting() const { return distance(answered, staged.next()); }
};

class DurableChannels {
 public:
  /// lane  null: the node has no store, and every publish to a durable channel is refused.
  DurableChannels(const OfflineOptions& options, StoreLane* lane, std::uint32_t channels_max, Slab<HomeChannel>& homes,
                  PublishPipeline& pipeline, BlockPool& blocks, Budget& budget, ShardStats& stats);

  // ---- the life of a channel ----

  /// A home has been made: asks for its past. Until that has come, the channel is loading.
  void open(HomeChannel& home, Handle handle);
  [[nodiscard]] bool loading(const HomeChannel& home) const {
    const DurableChannel* channel = channels_.find(home.durable);
    return channel != nullptr && channel->loading;
  }
  /// Nothing waits, and all that its history holds can be loaded again.
  [[nodiscard]] bool may_close(const HomeChannel& home) const;
  void close(HomeChannel& home);
  /// The oldest message that its history has to hold; history.next() if none has to be.
  [[nodiscard]] Sequence floor_of(const HomeChannel& home) const { return channels_[home.durable.slot].floor; }

  // ---- publishing ----

  enum class Admission : std::uint8_t { taken, hold, refused };
  /// Whether stage() may be called now. hold: when progress() has moved, it may be otherwise.
  [[nodiscard]] Admission admit(const HomeChannel& home) const;
  /// Takes a message; what became of it is told by DurableEvents::answered().
  void stage(HomeChannel& home, const PublishRequest& request, const ReplyTo& to, Now now);

  // ---- what is done with ----

  /// Messages up to `seq` were sent, or acknowledged.
  void settle(HomeChannel& home, Sequence seq);
  /// The same; tells `to` when it is stored. False: there are as many waiting as there may be.
  [[nodiscard]] bool acknowledge(HomeChannel& home, Sequence seq, const ReplyTo& to);
  /// Messages that are too old are kept no longer.
  void expire(HomeChannel& home, Now now);

  // ---- the store ----

  /// Takes the store's answers.
  void drain(DurableEvents& events, Now now);
  /// Puts what waits into the lane, as far as there is room.
  void flush(DurableEvents& events, Now now);
  /// Whether the bridge has to be rung.
  [[nodiscard]] bool take_bell() { return std::exchange(bell_, false); }
  /// drain() or flush() has something to do.
  [[nodiscard]] bool has_work() const { return lane_ != nullptr && (fresh_ || !lane_->answers.empty()); }
  [[nodiscard]] bool has_store() const { return lane_ != nullptr; }
  /// As many messages wait as may, over all channels.
  [[nodiscard]] bool full() const { return staged_bytes_ >= kStagedBytesMax; }
  /// Grows with every answer, of the store or to who waits for it: then there may be room.
  [[nodiscard]] std::uint64_t progress() const { return progress_; }
  /// The store owes no answer, and everything was told that can be.
  [[nodiscard]] bool settled() const;
  [[nodiscard]] StoreState state() const { return lane_ == nullptr ? StoreState::failing : state_; }
  [[nodiscard]] std::uint32_t size() const { return channels_.size(); }
  void release_unused() { channels_.release_unused(); }
  void validate() const;

 private:
  /// Before the texts of a staged message, in this order: event, message id, request id, data.
  struct StagedHeader {
    Handle connection;
    std::uint64_t publisher = 0;
    std::int64_t received_ns = 0;
    std::int64_t wall_ns = 0;
    Epoch epoch{};   // duplicate: the first one's
    Sequence seq{};  // its own once dispatched; duplicate: the first one's
    std::uint32_t data_bytes = 0;
    ShardIndex shard{};
    std::uint8_t event_bytes = 0;
    std::uint8_t message_id_bytes = 0;
    std::uint8_t id_bytes = 0;
    bool snapshot = false;
    enum class Kind : std::uint8_t { message, duplicate, nonsense } kind = Kind::message;  // once dispatched
    bool high = false;
    Sequence as_of{};
  };
  struct Staged {
    StagedHeader header;
    std::uint8_t* place = nullptr;  // of the header, to be changed
    PublishRequest request;
    std::string_view id;
    [[nodiscard]] ReplyTo to() const { return {.shard = header.shard, .connection = header.connection, .id = id}; }
  };

  [[nodiscard]] DurableChannel& of(const HomeChannel& home) { return channels_[home.durable.slot]; }
  [[nodiscard]] Staged staged_at(const HomeChannel& home, const DurableChannel& channel, Sequence ordinal) const;
  void mark(DurableChannel& channel);
  void mark_all();
  bool dispatch(HomeChannel& home, DurableChannel& channel, DurableEvents& events, Now now);
  bool ask_to_keep(HomeChannel& home, DurableChannel& channel, Staged& staged);
  bool ask_to_settle(const HomeChannel& home, DurableChannel& channel);
  void ask_for_pages();
  void answer_staged(HomeChannel& home, DurableChannel& channel, Sequence stored, DurableEvents& events, Now now);
  void refuse_staged(HomeChannel& home, DurableChannel& channel, StoreState why, DurableEvents& events, Now now);
  void refuse(const HomeChannel& home, const Staged& staged, StoreState why, DurableEvents& events, Now now);
  void confirm(HomeChannel& home, DurableChannel& channel, DurableEvents& events, Now now);
  void forget_answered(DurableChannel& channel);
  void keep_within_bounds(HomeChannel& home, DurableChannel& channel);
  void on_loaded(Bytes record, DurableEvents& events, Now now);
  void on_stored(const StoreStored& answer, DurableEvents& events, Now now);
  void on_refused(const StoreRefused& answer, DurableEvents& events, Now now);
  void on_state(StoreState state);

  OfflineOptions options_;
  StoreLane* lane_;
  Slab<HomeChannel>* homes_;
  PublishPipeline* pipeline_;
  BlockPool* blocks_;
  ShardStats* stats_;
  Slab<DurableChannel> channels_;
  std::deque<Handle> loads_;  // channels that a page is to be asked for
  std::vector<Handle> dirty_;
  std::vector<Handle> flushing_;
  std::size_t staged_bytes_ = 0;
  std::uint64_t progress_ = 0;
  std::uint32_t loads_asked_ = 0;
  std::uint32_t acks_waiting_ = 0;
  std::uint32_t requests_ = 0;  // not answered, pages not counted
  std::uint32_t generation_ = 0;
  StoreState state_ = StoreState::good;
  bool bell_ = false;
  bool fresh_ = false;  // something was marked since the last flush()
};

}  // namespace ringcast
