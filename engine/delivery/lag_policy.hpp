// engine/delivery/lag_policy.hpp: what becomes of a reader that is behind: nothing, a jump forward, or the end.
//
// Thread   the shard's; pure functions.  Memory  none.  Failure  none.
// Source   design.md, "Slow readers"; protocol.md section 4 for dialects without a gap notice.
#pragma once

#include <cstdint>

#include "alloc/base/time.hpp"
#include "alloc/log/frame_log.hpp"
#include "codec/dialect/command.hpp"
#include "engine/limits.hpp"

namespace ringcast {

struct LagVerdict {
  enum class Kind : std::uint8_t {
    keep,        // send on from where it is
    skip,        // send on from `next`; what lies before it is accounted under `reason`
    disconnect,  // close with 4008
  };
  Kind kind = Kind::keep;
  Sequence next{};
  GapReason reason{};
};

/// Decides for a reader of `log` that wants `wanted` next.
///
/// Beyond the bounds (messages, bytes, age of the oldest unsent message) or overrun by the log, the policy decides.
/// A hole that came from upstream skips whatever the policy is, where the dialect can say so.
/// late_from  a message counts as late from then on at the earliest (when the reader joined with a resume).
[[nodiscard]] LagVerdict judge_lag(const FrameLog& log, const LagLimits& lag, SlowPolicy slow, Dialect dialect,
                                   Sequence wanted, Instant late_from, Instant now);
[[nodiscard]] LagVerdict judge_lag(const FrameLog& log, const NamespaceRule& rule, Dialect dialect, Sequence wanted,
                                   Instant late_from, Instant now);

/// For a reader that wants the newest only, however little it is behind: past everything that waits before that.
[[nodiscard]] LagVerdict skip_to_newest(const FrameLog& log, Sequence wanted);

/// The same for a reader that is sent a chunk of history: what history has lost is told as `expired`.
/// place_taken  what it wants is lost, and the snapshot that the chunk begins with goes by that number.
[[nodiscard]] LagVerdict judge_catch_up(const FrameLog& chunk, bool place_taken, SlowPolicy policy, Dialect dialect,
                                        Sequence wanted);

/// A dialect with gap notices; the exchange dialect has none.
[[nodiscard]] constexpr bool carries_gap_notices(Dialect dialect) { return speaks_native(dialect); }

}  // namespace ringcast
