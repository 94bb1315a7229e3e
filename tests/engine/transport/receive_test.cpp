#include <gtest/gtest.h>

#include "tests/engine/transport/harness.hpp"

namespace ringcast {
namespace {

using test::Harness;
using test::numbered;
using test::Peer;

TEST(Receive, DeliversEveryByteInOrder) {
  Harness harness;
  auto [peer, handle] = harness.accept_one();
  const std::string text = numbered(1U << 20);
  std::size_t written = 0;
  EXPECT_TRUE(harness.turn_until([&] {
    while (written < text.size()) {
      const std::size_t more = peer.write(text.substr(written, 30'000));
      if (more == 0) break;
      written += more;
    }
    return harness.events.received[handle.slot].size() == text.size();
  }));
  EXPECT_EQ(harness.events.received[handle.slot], text);
  EXPECT_EQ(harness.buffers->held(), 0U);
}

TEST(Receive, LosesNothingWhenBuffersRunOut) {
  Harness harness{{.silent_sends = true, .buffers = 2, .buffer_bytes = 64, .send_buffer_bytes = 0}};
  std::vector<std::pair<Peer, Handle>> connections;
  for (int i = 0; i < 8; ++i) connections.push_back(harness.accept_one());
  const std::string text = numbered(4'000);
  for (auto& [peer, handle] : connections) ASSERT_EQ(peer.write(text), text.size());
  EXPECT_TRUE(harness.turn_until([&] {
    for (auto& [peer, handle] : connections) {
      if (harness.events.received[handle.slot].size() != text.size()) return false;
    }
    return true;
  }));
  for (auto& [peer, handle] : connections) EXPECT_EQ(harness.events.received[handle.slot], text);
  EXPECT_GT(harness.transport->counters().buffers_exhausted, 0U);
  EXPECT_EQ(harness.buffers->held(), 0U);
}

TEST(Receive, PausedGetsAtMostWhatWasOnItsWayAndResumedGetsTheRest) {
  Harness harness;
  auto [peer, handle] = harness.accept_one();
  harness.act(ActionKind::pause_receive, handle);
  for (int i = 0; i < 5; ++i) harness.turn();
  peer.write("while paused");
  for (int i = 0; i < 5; ++i) harness.turn();
  EXPECT_EQ(harness.events.received[handle.slot], "");
  harness.act(ActionKind::resume_receive, handle);
  EXPECT_TRUE(harness.turn_until([&] { return harness.events.received[handle.slot] == "while paused"; }));
  EXPECT_TRUE(harness.events.ended.empty()) << "the cancelled receive is no end of the connection";
}

struct ToggleRow {
  const char* sentence;
  std::vector<ActionKind> actions;  // all in one turn
  bool receives;
};
TEST(Receive, TheLastOfPauseAndResumeCounts) {
  using enum ActionKind;
  const ToggleRow rows[] = {
      {"paused", {pause_receive}, false},
      {"paused and resumed before the cancel was done", {pause_receive, resume_receive}, true},
      {"paused, resumed, paused", {pause_receive, resume_receive, pause_receive}, false},
      {"paused twice, resumed once", {pause_receive, pause_receive, resume_receive}, true},
      {"resumed without a pause", {resume_receive}, true},
      {"paused, resumed, paused, resumed", {pause_receive, resume_receive, pause_receive, resume_receive}, true},
  };
  for (const ToggleRow& row : rows) {
    Harness harness;
    auto [peer, handle] = harness.accept_one();
    std::vector<Action> actions;
    for (const ActionKind kind : row.actions) actions.push_back({.kind = kind, .connection = handle});
    harness.transport->apply(actions);
    for (int i = 0; i < 5; ++i) harness.turn();
    peer.write("x");
    for (int i = 0; i < 5; ++i) harness.turn();
    EXPECT_EQ(harness.events.received[handle.slot], row.receives ? "x" : "") << row.sentence;
  }
}

TEST(Receive, TellsAnOrderlyEndFromAReset) {
  Harness harness;
  auto [orderly, first] = harness.accept_one();
  auto [broken, second] = harness.accept_one();
  orderly.write("last words");
  orderly.shutdown();
  broken.write("cut in the mid");
  EXPECT_TRUE(harness.turn_until([&, second = second] { return !harness.events.received[second.slot].empty(); }));
  broken.reset();
  EXPECT_TRUE(harness.turn_until([&] { return harness.events.ended.size() == 2; }));
  EXPECT_EQ(harness.events.received[first.slot], "last words");
  for (const auto& [handle, error] : harness.events.ended) EXPECT_EQ(error, handle == first ? 0 : ECONNRESET);
  EXPECT_EQ(harness.transport->connections(), 2U) << "closing them is the core's decision";
}

TEST(Receive, AfterTheEndResumeDoesNotReceiveAgain) {
  Harness harness;
  auto [peer, handle] = harness.accept_one();
  peer.close();
  EXPECT_TRUE(harness.turn_until([&] { return harness.events.ended.size() == 1; }));
  harness.act(ActionKind::resume_receive, handle);
  for (int i = 0; i < 10; ++i) harness.turn();
  EXPECT_EQ(harness.events.ended.size(), 1U);
}

}  // namespace
}  // namespace ringcast
