#include "engine/delivery/lag_policy.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace ringcast {
namespace {

constexpr Instant kNow{seconds{1'000}};
constexpr LagLimits kLag{.messages = 10, .bytes = 1'000, .time = seconds{10}};

using Fill = std::function<void(FrameLog&)>;

void append(FrameLog& log, int count, std::size_t bytes = 10, nanoseconds ago = seconds{1}) {
  for (int i = 0; i < count; ++i) log.append(as_bytes(std::string(bytes, 'x')), kNow - ago);
}

struct Verdict {
  enum Kind : std::uint8_t { keep, skip, disconnect } kind;
  std::uint64_t next = 0;
  GapReason reason{};
};
constexpr Verdict kKeep{Verdict::keep};
constexpr Verdict kClose{Verdict::disconnect};
constexpr Verdict conflate_to(std::uint64_t next) { return {Verdict::skip, next, GapReason::conflated}; }
constexpr Verdict drop_to(std::uint64_t next) { return {Verdict::skip, next, GapReason::dropped}; }

struct Row {
  std::string_view sentence;
  Fill fill;
  std::uint64_t wanted;
  // conflate | drop_oldest | disconnect, for a dialect with gap notices, then for the exchange's
  Verdict conflate, drop_oldest, disconnect;
  Verdict exchange_conflate, exchange_drop_oldest, exchange_disconnect;
};

const Row kRows[] = {
    {"nothing new", [](FrameLog& log) { append(log, 3); }, 4, kKeep, kKeep, kKeep, kKeep, kKeep, kKeep},
    {"in bounds", [](FrameLog& log) { append(log, 5); }, 1, kKeep, kKeep, kKeep, kKeep, kKeep, kKeep},
    {"as many messages as may be", [](FrameLog& log) { append(log, 10); }, 1, kKeep, kKeep, kKeep, kKeep, kKeep, kKeep},
    {"as many bytes as may be", [](FrameLog& log) { append(log, 4, 250); }, 1, kKeep, kKeep, kKeep, kKeep, kKeep, kKeep},
    {"as late as may be", [](FrameLog& log) { append(log, 2, 10, seconds{10}); }, 1, kKeep, kKeep, kKeep, kKeep, kKeep,
     kKeep},

    {"one message too many", [](FrameLog& log) { append(log, 11); }, 1, conflate_to(11), drop_to(2), kClose,
     conflate_to(11), kClose, kClose},
    {"far too many messages", [](FrameLog& log) { append(log, 40); }, 1, conflate_to(40), drop_to(31), kClose,
     conflate_to(40), kClose, kClose},
    {"one byte too many", [](FrameLog& log) { append(log, 3, 250); append(log, 1, 251); }, 1, conflate_to(4), drop_to(2),
     kClose, conflate_to(4), kClose, kClose},
    {"too late by a microsecond",
     [](FrameLog& log) {
       append(log, 2, 10, seconds{10} + microseconds{1});
       append(log, 3);
     },
     1, conflate_to(5), drop_to(3), kClose, conflate_to(5), kClose, kClose},
    {"everything is late: the newest is what can be had",
     [](FrameLog& log) { append(log, 5, 10, seconds{60}); }, 1, conflate_to(5), drop_to(5), kClose, conflate_to(5),
     kClose, kClose},
    {"the newest alone is late: there is nothing newer to go to",
     [](FrameLog& log) { append(log, 1, 10, seconds{60}); }, 1, kKeep, kKeep, kClose, kKeep, kClose, kClose},
    {"the newest alone has more bytes than the bound: no reader is to blame for it",
     [](FrameLog& log) { append(log, 1, 5'000); }, 1, kKeep, kKeep, kKeep, kKeep, kKeep, kKeep},
    {"such a message and one before it", [](FrameLog& log) { append(log, 1); append(log, 1, 5'000); }, 1, conflate_to(2),
     drop_to(2), kClose, conflate_to(2), kClose, kClose},

    {"overrun: what was wanted is dropped, what is left is within bounds",
     [](FrameLog& log) {
       append(log, 3, 302);  // a block
       append(log, 2);
       log.trim(Sequence{4}, kNow);
     },
     1, conflate_to(5), drop_to(4), kClose, conflate_to(5), kClose, kClose},
    {"overrun, and what is left is too much",
     [](FrameLog& log) {
       append(log, 3, 302);
       append(log, 12);
       log.trim(Sequence{4}, kNow);
     },
     1, conflate_to(15), drop_to(6), kClose, conflate_to(15), kClose, kClose},
    {"overrun, and nothing is left",
     [](FrameLog& log) {
       append(log, 3);
       log.shrink_to(0);
     },
     2, conflate_to(4), drop_to(4), kClose, conflate_to(4), kClose, kClose},

    {"a hole from upstream, messages behind it",
     [](FrameLog& log) {
       append(log, 2);
       log.skip_to(Sequence{5});
       append(log, 2);
     },
     3, conflate_to(6), drop_to(5), drop_to(5), conflate_to(6), kClose, kClose},
    {"a hole from upstream, nothing behind it yet",
     [](FrameLog& log) {
       append(log, 2);
       log.skip_to(Sequence{5});
     },
     3, conflate_to(5), drop_to(5), drop_to(5), conflate_to(5), kClose, kClose},
    {"a hole larger than the bound is not the reader's doing either",
     [](FrameLog& log) {
       append(log, 2);
       log.skip_to(Sequence{500});
       append(log, 1);
     },
     3, conflate_to(500), drop_to(500), drop_to(500), conflate_to(500), kClose, kClose},
    {"wanted lies inside a hole",
     [](FrameLog& log) {
       append(log, 2);
       log.skip_to(Sequence{5});
       append(log, 1);
     },
     4, conflate_to(5), drop_to(5), drop_to(5), conflate_to(5), kClose, kClose},
    {"a hole larger than the bound ahead of what is wanted and held: it does not wait for the reader",
     [](FrameLog& log) {
       append(log, 2);
       log.skip_to(Sequence{500});
     },
     1, kKeep, kKeep, kKeep, kKeep, kKeep, kKeep},
    {"too many messages, in front of a hole and behind it: what is left does not begin in the hole",
     [](FrameLog& log) {
       append(log, 5);
       log.skip_to(Sequence{500});
       append(log, 10);
     },
     1, conflate_to(509), drop_to(500), kClose, conflate_to(509), kClose, kClose},
    {"too many messages, and a hole at the head: the newest is a message that is there",
     [](FrameLog& log) {
       append(log, 12);
       log.skip_to(Sequence{500});
     },
     1, conflate_to(12), drop_to(3), kClose, conflate_to(12), kClose, kClose},
    {"everything is late, and a hole at the head",
     [](FrameLog& log) {
       append(log, 5, 10, seconds{60});
       log.skip_to(Sequence{500});
     },
     1, conflate_to(5), drop_to(5), kClose, conflate_to(5), kClose, kClose},
    {"a hole ahead of what is wanted and held: first what is there",
     [](FrameLog& log) {
       append(log, 2);
       log.skip_to(Sequence{5});
       append(log, 1);
     },
     2, kKeep, kKeep, kKeep, kKeep, kKeep, kKeep},
    {"a hole, and a reader that is too far behind what follows it",
     [](FrameLog& log) {
       append(log, 2);
       log.skip_to(Sequence{5});
       append(log, 11);
     },
     3, conflate_to(15), drop_to(6), kClose, conflate_to(15), kClose, kClose},
};

std::string text_of(const Verdict& verdict) {
  static constexpr std::string_view kKinds[] = {"keep", "skip", "disconnect"};
  std::string text{kKinds[verdict.kind]};
  if (verdict.kind == Verdict::skip) {
    text += " to " + std::to_string(verdict.next) + " " + std::string{name_of(verdict.reason)};
  }
  return text;
}

Verdict short_of(const LagVerdict& verdict) {
  return {static_cast<Verdict::Kind>(verdict.kind), value(verdict.next), verdict.reason};
}

Verdict judge(const Row& row, SlowPolicy policy, Dialect dialect) {
  BlockPool pool{nullptr};
  FrameLog log{pool, {.frames = 1'000, .bytes = 1_MiB}, Purpose::log_blocks, Sequence{1}};
  row.fill(log);
  return short_of(judge_lag(log, kLag, policy, dialect, Sequence{row.wanted}, Instant{}, kNow));
}

TEST(LagPolicy, WhatBecomesOfAReaderFollowsFromItsLagItsPolicyAndItsDialect) {
  for (const Row& row : kRows) {
    struct Case {
      SlowPolicy policy;
      Dialect dialect;
      Verdict expected;
    };
    const Case cases[] = {
        {SlowPolicy::conflate, Dialect::native, row.conflate},
        {SlowPolicy::drop_oldest, Dialect::native, row.drop_oldest},
        {SlowPolicy::disconnect, Dialect::native, row.disconnect},
        {SlowPolicy::conflate, Dialect::binary, row.conflate},
        {SlowPolicy::drop_oldest, Dialect::binary, row.drop_oldest},
        {SlowPolicy::disconnect, Dialect::binary, row.disconnect},
        {SlowPolicy::conflate, Dialect::exchange, row.exchange_conflate},
        {SlowPolicy::drop_oldest, Dialect::exchange, row.exchange_drop_oldest},
        {SlowPolicy::disconnect, Dialect::exchange, row.exchange_disconnect},
    };
    for (const Case& one : cases) {
      EXPECT_EQ(text_of(judge(row, one.policy, one.dialect)), text_of(one.expected))
          << row.sentence << ", policy " << static_cast<int>(one.policy) << ", "
          << (one.dialect == Dialect::native   ? "native"
              : one.dialect == Dialect::binary ? "binary"
                                               : "exchange");
    }
  }
}

TEST(LagPolicy, AResumedReaderIsNotLateForWhatWasOldWhenItJoined) {
  BlockPool pool{nullptr};
  FrameLog log{pool, {}, Purpose::log_blocks, Sequence{1}};
  append(log, 3, 10, seconds{60});
  const auto kind = [&](nanoseconds joined_ago) {
    return judge_lag(log, kLag, SlowPolicy::disconnect, Dialect::native, Sequence{1}, kNow - joined_ago, kNow).kind;
  };
  EXPECT_EQ(kind(seconds{0}), LagVerdict::Kind::keep);
  EXPECT_EQ(kind(seconds{10}), LagVerdict::Kind::keep);
  EXPECT_EQ(kind(seconds{11}), LagVerdict::Kind::disconnect);
}

TEST(LagPolicy, WhatHistoryLostIsToldAsExpiredAlsoWhereASnapshotTookItsNumber) {
  BlockPool pool{nullptr};
  FrameLog chunk{pool, {}, Purpose::log_blocks, Sequence{4}};
  append(chunk, 2);
  struct Case {
    bool place_taken;
    Dialect dialect;
    std::uint64_t wanted;
    Verdict expected;
  };
  const Verdict from_4{Verdict::skip, 4, GapReason::expired};
  for (const Case& one : {Case{false, Dialect::native, 4, kKeep}, Case{true, Dialect::native, 4, from_4},
                          Case{false, Dialect::native, 2, from_4}, Case{true, Dialect::native, 2, from_4},
                          Case{true, Dialect::native, 6, kKeep}, Case{true, Dialect::binary, 4, from_4},
                          Case{false, Dialect::exchange, 4, kKeep}, Case{true, Dialect::exchange, 4, kClose},
                          Case{false, Dialect::exchange, 2, kClose}}) {
    const LagVerdict verdict =
        judge_catch_up(chunk, one.place_taken, SlowPolicy::disconnect, one.dialect, Sequence{one.wanted});
    EXPECT_EQ(text_of(short_of(verdict)), text_of(one.expected)) << one.wanted << (one.place_taken ? ", taken" : "");
  }
}

TEST(LagPolicy, TheNativeAndTheBinaryDialectCarryGapNotices) {
  EXPECT_TRUE(carries_gap_notices(Dialect::native));
  EXPECT_TRUE(carries_gap_notices(Dialect::binary));
  EXPECT_FALSE(carries_gap_notices(Dialect::exchange));
  EXPECT_FALSE(carries_gap_notices(Dialect::undecided));
}

}  // namespace
}  // namespace ringcast
