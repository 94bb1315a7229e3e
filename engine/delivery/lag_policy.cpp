#include "engine/delivery/lag_policy.hpp"

#include <algorithm>

namespace ringcast {
namespace {

bool within_bounds(const FrameLog& log, const LagLimits& lag, Sequence from, Instant late_from, Instant now) {
  const std::uint64_t messages = log.frames_from(from);
  if (messages > lag.messages) return false;
  // The newest alone may be larger than the bound, by its envelope: that is no reader's lag.
  if (messages > 1 && log.bytes_from(from) > lag.bytes) return false;
  // From when it could be sent: what waited before that, for room in a lane, is no reader's lag.
  const auto appended = log.appended_at(from);
  return !appended || now - std::max(*appended, late_from) <= lag.time;
}

/// The earliest held seq from which the lag is within bounds; the newest if none is.
Sequence earliest_within_bounds(const FrameLog& log, const LagLimits& lag, Sequence from, Instant late_from,
                                Instant now) {
  std::uint64_t low = value(std::max(from, log.tail()));
  std::uint64_t high = value(log.newest());
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (within_bounds(log, lag, Sequence{middle}, late_from, now)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  const auto run = log.run_from(Sequence{low}, 1);
  return run ? run->first : Sequence{low};  // not into a hole: one notice tells it all
}

}  // namespace

LagVerdict skip_to_newest(const FrameLog& log, Sequence wanted) {
  if (wanted >= log.next()) return {};
  const bool any = log.frames() != 0 && log.newest() >= wanted;
  const Sequence newest = any ? log.newest() : log.next();  // never into a hole: nothing would be sent from there
  if (newest <= wanted) return {};
  return {.kind = LagVerdict::Kind::skip, .next = newest, .reason = GapReason::conflated};
}

LagVerdict judge_lag(const FrameLog& log, const LagLimits& lag, SlowPolicy slow, Dialect dialect, Sequence wanted,
                     Instant late_from, Instant now) {
  using Kind = LagVerdict::Kind;
  if (wanted >= log.next()) return {};
  const bool held = log.holds(wanted);
  if (held && within_bounds(log, lag, wanted, late_from, now)) return {};

  // The first frame that can be sent at all; past the end if only a hole is left.
  const auto run = log.run_from(wanted, 1);
  const Sequence first_held = run ? run->first : log.next();

  switch (slow) {
    case SlowPolicy::conflate:
      return skip_to_newest(log, wanted);
    case SlowPolicy::drop_oldest: {
      if (!carries_gap_notices(dialect)) return {.kind = Kind::disconnect};
      if (first_held == log.next()) return {.kind = Kind::skip, .next = first_held, .reason = GapReason::dropped};
      const Sequence next = earliest_within_bounds(log, lag, first_held, late_from, now);
      if (next <= wanted) return {};
      return {.kind = Kind::skip, .next = next, .reason = GapReason::dropped};
    }
    case SlowPolicy::disconnect: break;
  }
  // A hole that is not the reader's doing: it kept up, but a lane of the mesh was overrun before the run got here.
  const bool hole_only =
      !held && wanted >= log.dropped_end() && within_bounds(log, lag, first_held, late_from, now);
  if (hole_only && carries_gap_notices(dialect)) {
    return {.kind = Kind::skip, .next = first_held, .reason = GapReason::dropped};
  }
  return {.kind = Kind::disconnect};
}

LagVerdict judge_lag(const FrameLog& log, const NamespaceRule& rule, Dialect dialect, Sequence wanted,
                     Instant late_from, Instant now) {
  return judge_lag(log, rule.lag, rule.slow, dialect, wanted, late_from, now);
}

LagVerdict judge_catch_up(const FrameLog& chunk, bool place_taken, SlowPolicy policy, Dialect dialect,
                          Sequence wanted) {
  using Kind = LagVerdict::Kind;
  if (wanted >= chunk.next() || (chunk.holds(wanted) && !place_taken)) return {};
  const bool tells = carries_gap_notices(dialect);
  if (!tells && policy != SlowPolicy::conflate) return {.kind = Kind::disconnect};
  const auto run = chunk.run_from(wanted, 1);
  return {.kind = Kind::skip,
          .next = run ? run->first : chunk.next(),
          .reason = tells ? GapReason::expired : GapReason::conflated};
}

}  // namespace ringcast
