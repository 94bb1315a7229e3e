#include <gtest/gtest.h>

#include <algorithm>

#include "tests/engine/transport/harness.hpp"

namespace ringcast {
namespace {

using test::entry;
using test::Harness;
using test::numbered;
using test::Peer;

struct CloseRow {
  const char* sentence;
  ActionKind kind;
  bool polling;    // a wait_writable is in flight
  bool remainder;  // a remainder is in flight
  int peer_error;  // 0: the peer reads an orderly end
};
constexpr CloseRow kCloseRows[] = {
    {"close with an armed receive", ActionKind::close, false, false, 0},
    {"reset with an armed receive", ActionKind::reset, false, false, ECONNRESET},
    {"close with a poll in flight", ActionKind::close, true, false, 0},
    {"reset with a poll and a remainder in flight", ActionKind::reset, true, true, ECONNRESET},
};

TEST(Close, WaitsForWhatIsInFlightAndSaysClosedOnce) {
  for (const CloseRow& row : kCloseRows) {
    Harness harness{{.silent_sends = true, .buffers = 64, .buffer_bytes = 4'096, .send_buffer_bytes = 8'192}};
    auto [peer, handle] = harness.accept_one(8'192);
    const std::string large = numbered(1U << 20);
    if (row.polling || row.remainder) {  // a full socket: neither comes true by itself
      while (harness.send({entry(handle, large)}).at(0).result != -EAGAIN) {}
    }
    if (row.polling) harness.act(ActionKind::wait_writable, handle);
    if (row.remainder) {
      EXPECT_TRUE(harness.send({entry(handle, large, true)}).empty());
    }
    harness.act(row.kind, handle);
    EXPECT_TRUE(harness.turn_until([&, handle = handle] {
      return std::ranges::find(harness.events.closed_handles, handle) != harness.events.closed_handles.end();
    })) << row.sentence;
    EXPECT_EQ(std::ranges::count(harness.events.closed_handles, handle), 1) << row.sentence;
    EXPECT_EQ(harness.events.remainders.size(), row.remainder ? 1U : 0U) << row.sentence;
    EXPECT_TRUE(harness.events.writables.empty()) << row.sentence;
    EXPECT_TRUE(harness.turn_until([&, peer = &peer] {
      (void)peer->read();
      return peer->at_end() || peer->error() != 0;
    })) << row.sentence;
    EXPECT_EQ(peer.error(), row.peer_error) << row.sentence;
  }
}

TEST(Close, OfAConnectionWithNothingInFlightIsReportedAfterTheActions) {
  Harness harness;
  auto [peer, handle] = harness.accept_one();
  peer.close();
  EXPECT_TRUE(harness.turn_until([&] { return harness.events.ended.size() == 1; }));
  harness.act(ActionKind::close, handle);
  EXPECT_EQ(harness.events.closed_handles, std::vector<Handle>{handle});
  EXPECT_EQ(harness.transport->connections(), 0U);
}

TEST(Close, WhatTheCoreSaysOfAConnectionThatIsClosingAlreadyIsHarmless) {
  Harness harness;
  auto [peer, handle] = harness.accept_one();
  const Action actions[] = {{.kind = ActionKind::close, .connection = handle},
                            {.kind = ActionKind::resume_receive, .connection = handle},
                            {.kind = ActionKind::wait_writable, .connection = handle},
                            {.kind = ActionKind::reset, .connection = handle},
                            {.kind = ActionKind::close, .connection = handle}};
  harness.transport->apply(actions);
  EXPECT_TRUE(harness.turn_until([&] { return !harness.events.closed_handles.empty(); }));
  EXPECT_EQ(harness.events.closed_handles, std::vector<Handle>{handle});
}

TEST(Close, AfterShutdownWriteThePeerReadsTheEndAndCanStillSpeak) {
  Harness harness;
  auto [peer, handle] = harness.accept_one();
  harness.act(ActionKind::shutdown_write, handle);
  EXPECT_TRUE(harness.turn_until([&, peer = &peer] {
    (void)peer->read();
    return peer->at_end();
  }));
  peer.write("good-bye");
  EXPECT_TRUE(harness.turn_until([&, handle = handle] { return harness.events.received[handle.slot] == "good-bye"; }));
}

TEST(Close, ASlotThatIsUsedAgainHearsNothingOfItsFormerLife) {
  Harness harness;
  for (int round = 0; round < 50; ++round) {
    auto [peer, handle] = harness.accept_one();
    ASSERT_EQ(handle.slot, 0U) << "the recorder gives the freed slot again";
    peer.write("words for round " + std::to_string(round));
    if (round % 2 == 0) {
      EXPECT_TRUE(harness.turn_until([&] { return !harness.events.received[0].empty(); }));
      EXPECT_EQ(harness.events.received[0], "words for round " + std::to_string(round));
    }
    harness.act(round % 3 == 0 ? ActionKind::reset : ActionKind::close, handle);
    EXPECT_TRUE(harness.turn_until([&] { return harness.events.open.empty(); }));
    harness.events.received.clear();
  }
  EXPECT_EQ(harness.buffers->held(), 0U);
}

TEST(Close, ChurnLeavesNothingBehind) {
  Harness harness;
  for (int round = 0; round < 20; ++round) {
    std::vector<Peer> peers;
    for (int i = 0; i < 50; ++i) {
      peers.push_back(harness.connect());
      peers.back().write("hello");
    }
    EXPECT_TRUE(harness.turn_until([&] { return harness.events.open.size() == 50; }));
    std::vector<Action> actions;
    for (const Handle handle : harness.events.open) {
      actions.push_back({.kind = handle.slot % 2 == 0 ? ActionKind::close : ActionKind::reset, .connection = handle});
    }
    for (std::size_t i = 0; i < peers.size(); i += 3) peers[i].reset();
    harness.transport->apply(actions);
    EXPECT_TRUE(harness.turn_until([&] { return harness.events.open.empty(); }));
  }
  EXPECT_EQ(harness.transport->connections(), 0U);
  EXPECT_EQ(harness.buffers->held(), 0U);
}

}  // namespace
}  // namespace ringcast
