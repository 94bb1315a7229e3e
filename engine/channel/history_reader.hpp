// engine/channel/history_reader.hpp: what of a channel's history a joiner is given: where it begins, and the messages.
//
// Thread   the home shard's.  Memory  none of its own.  Failure  none: what history has lost is a later start.
// Source   design.md, "Joining and resuming".
// Not here sending (delivery), getting it to another shard (shard/catch_up).
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "alloc/base/identifiers.hpp"
#include "alloc/log/frame_log.hpp"
#include "engine/channel/home_channel.hpp"
#include "engine/channel/join_start.hpp"
#include "engine/channel/stored_message.hpp"

namespace ringcast {

inline constexpr std::size_t kCatchUpBytesMax = 128_KiB;  // of frames in a chunk: two turns; one frame may be larger

/// The newest snapshot and every message from its as_of on are kept: a joiner can be given the channel's state.
[[nodiscard]] bool has_snapshot(const HomeChannel& home);

/// Where a joiner begins, by what it asked for, what the namespace keeps and what history still holds.
[[nodiscard]] JoinStart start_of(const HomeChannel& home, const JoinWish& wish);

/// The oldest seq that has to be kept for joiners although history.age is over; history.next() when none has.
[[nodiscard]] Sequence kept_for_joiners(const HomeChannel& home, Instant now);

/// A kept message, with channel, epoch and seq.
[[nodiscard]] inline MessageView kept_message(const HomeChannel& home, Bytes record, Sequence seq) {
  MessageView message = read_stored(record);
  message.stored = home.rule->durable();
  message.channel = *home.name;
  message.epoch = home.epoch;
  message.seq = seq;
  message.channel_id = home.channel_id;
  return message;
}

/// Calls see(message) for the kept messages in [from, end), in order, until it answers false.
template <class See>
void for_each_kept(const HomeChannel& home, Sequence from, Sequence end, See&& see) {
  while (from < end) {
    const auto run = home.history.run_from(from, kCatchUpBytesMax);
    if (!run) return;
    std::uint32_t begin = 0;
    for (std::uint32_t i = 0; i < run->frames; ++i) {
      const std::uint32_t record_end = run->end_of(i);
      const Sequence seq{value(run->first) + i};
      if (seq >= end || !see(kept_message(home, Bytes{run->data + begin, record_end - begin}, seq))) return;
      begin = record_end;
    }
    from = run->end();
  }
}

/// What the next chunk for a reader that wants `from` consists of.
struct ChunkPlan {
  Sequence first{};             // number of its first frame: after `from` where history has lost what lies between
  bool snapshot_first = false;  // that frame is the snapshot; messages follow from first + 1 on
};
/// start  of a joiner's first chunk; later ones begin where the last one ended.
[[nodiscard]] ChunkPlan plan_chunk(const HomeChannel& home, Sequence from, bool snapshot_first);

/// Calls see(number, message) for the frames of a planned chunk, messages below `end`, until it answers false.
template <class See>
void for_each_in_chunk(const HomeChannel& home, const ChunkPlan& plan, Sequence end, See&& see) {
  Sequence from = plan.first;
  if (plan.snapshot_first) {
    bool goes_on = true;
    for_each_kept(home, home.snapshot, next(home.snapshot),
                  [&](const MessageView& snapshot) { return goes_on = see(plan.first, snapshot); });
    if (!goes_on) return;
    from = next(from);
  }
  for_each_kept(home, from, end, [&](const MessageView& message) { return see(message.seq, message); });
}

}  // namespace ringcast
