#include "engine/reactor/turn_meter.hpp"

#include <gtest/gtest.h>

namespace ringcast {
namespace {

Instant at(int ms) { return Instant{milliseconds{ms}}; }

TEST(TurnBeacon, IsSilentOnlyBeyondWhatTheShardAnnounced) {
  TurnBeacon beacon;
  EXPECT_EQ(beacon.silent_for(at(5'000)), nanoseconds{0}) << "a shard that has not started is not silent";
  beacon.turning(at(1'000));
  EXPECT_EQ(beacon.silent_for(at(1'000)), nanoseconds{0});
  EXPECT_EQ(beacon.silent_for(at(2'500)), milliseconds{1'500}) << "a turn that does not end";
  beacon.sleeping(at(3'000), at(9'000));
  EXPECT_EQ(beacon.silent_for(at(8'999)), nanoseconds{0}) << "asleep as announced";
  EXPECT_EQ(beacon.silent_for(at(9'400)), milliseconds{400}) << "overslept";
}

TEST(TurnMeter, CountsBusyTimeOnlyForTurnsThatFoundWork) {
  TurnMeter meter;
  meter.turn(microseconds{5}, true);
  meter.turn(microseconds{9}, true);
  meter.turn(microseconds{100}, false);
  EXPECT_EQ(meter.turns, 3U);
  EXPECT_EQ(meter.turns_idle, 1U);
  EXPECT_EQ(meter.busy, microseconds{14});
  EXPECT_EQ(meter.longest, microseconds{9});
}

}  // namespace
}  // namespace ringcast
