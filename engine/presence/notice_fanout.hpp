// engine/presence/notice_fanout.hpp: tells the readers of a channel on this shard what is no message: who joined or
// left, and whether the channel is stale.
//
// Owner    Presence, by value.  Thread  the shard's.
// Memory   one encoded frame; what a reader does not read lies in its control bytes, at most limits.notice_bytes of it.
// Failure  a reader that does not read is told no more of it; once it has read what there was it is told that it missed
//          something (presence_missed), and the channel's state if that is another one by now. Until then it gets no
//          messages either, so that it never sees one of a channel that it takes for stale.
// Not here when a channel is stale (liveness), who is present (roster), other shards (shard).
//
// A notice has no seq: it goes out with the replies, before the messages that wait. Readers of the exchange dialect get
// none. A reader whose "subscribed" has not been queued is told nothing: the answer says how things are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "alloc/base/time.hpp"
#include "alloc/base/units.hpp"
#include "codec/dialect/command.hpp"
#include "engine/delivery/delivery.hpp"
#include "engine/delivery/rolling_send.hpp"
#include "engine/stats/shard_stats.hpp"

namespace ringcast {

/// Of a reader that only waits for its turn, the control bytes above which notices are left out. Of one that does not
/// read: limits.notice_bytes.
inline constexpr std::size_t kNoticeBytesMax = kControlBytesMax / 2;
static_assert(kNoticeBytesMax > kReplyBytesMax, "the longest reply leaves room for notices");
static_assert(kNoticeBytesMax < kControlBytesMax, "notices never make a client's input pause");

/// A log whose readers are told what is no message.
[[nodiscard]] constexpr bool carries_notices(Form form) {
  return plain_of(form) != Form::exchange_raw && plain_of(form) != Form::exchange_combined;
}

class NoticeFanout {
 public:
  NoticeFanout(const LimitOptions& limits, Delivery& delivery, RollingSend& sends, ShardStats& stats)
      : unread_bytes_max_{limits.notice_bytes}, delivery_{&delivery}, sends_{&sends}, stats_{&stats} {}

  /// user_joined or user_left to every reader of the log. Returns how many readers were looked at.
  std::size_t tell_user(const ChannelLog& log, std::string_view user, bool joined, Now now);
  /// channel_state to every reader of the log that was told another one.
  std::size_t tell_liveness(const ChannelLog& log, Now now);
  /// The reader has read what there was: tells it what it missed.
  void tell_missed(Outbox& reader, Now now);
  /// A list of the channel's users is about to be sent: what the reader missed before it is told before it.
  void tell_missed_before_list(Outbox& reader, std::string_view channel, Now now);

 private:
  /// False: it reads too little, and will be told that it missed something.
  bool tell(Outbox& reader, Now now);
  void settle_liveness(Subscription& subscription, Now now);
  bool tell_state(Subscription& subscription, const ChannelLog& log, bool stale, Now now);
  void frame_text();
  void frame_missed(std::string_view channel);

  std::size_t unread_bytes_max_;
  Delivery* delivery_;
  RollingSend* sends_;
  ShardStats* stats_;
  std::string text_;
  std::string frame_;  // text_ as a WebSocket frame
};

}  // namespace ringcast
