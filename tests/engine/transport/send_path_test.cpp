#include "engine/transport/send_path.hpp"

#include <gtest/gtest.h>

#include "alloc/base/units.hpp"
#include "tests/engine/transport/harness.hpp"

namespace ringcast {
namespace {

using test::entry;
using test::Harness;
using test::HarnessOptions;
using test::numbered;
using test::Peer;

// Both shapes of a send are compiled in; which one runs is a flag of the probe.
class SendPathTest : public ::testing::TestWithParam<bool> {
 protected:
  HarnessOptions small_sockets() const {
    return {.silent_sends = GetParam(), .buffers = 64, .buffer_bytes = 4'096, .send_buffer_bytes = 8'192};
  }
  static constexpr int kSmallReceive = 8'192;
};

TEST_P(SendPathTest, AWholeSendReportsNothing) {
  Harness harness{{.silent_sends = GetParam(), .buffers = 64, .buffer_bytes = 4'096, .send_buffer_bytes = 0}};
  std::vector<std::pair<Peer, Handle>> connections;
  for (std::size_t i = 0; i < kSendBatchMax; ++i) connections.push_back(harness.accept_one());
  std::vector<std::string> texts;
  std::vector<SendEntry> batch;
  for (std::size_t i = 0; i < kSendBatchMax; ++i) texts.push_back(numbered(100 + i, i));
  for (std::size_t i = 0; i < kSendBatchMax; ++i) batch.push_back(entry(connections[i].second, texts[i]));
  EXPECT_TRUE(harness.send(batch).empty());
  for (std::size_t i = 0; i < kSendBatchMax; ++i) {
    std::string got;
    EXPECT_TRUE(harness.turn_until([&] { return (got += connections[i].first.read()).size() >= texts[i].size(); }));
    EXPECT_EQ(got, texts[i]);
  }
}

TEST_P(SendPathTest, ABatchIsOneSubmit) {
  Harness harness{{.silent_sends = GetParam(), .buffers = 64, .buffer_bytes = 4'096, .send_buffer_bytes = 0}};
  auto [peer, first] = harness.accept_one();
  auto [other, second] = harness.accept_one();
  const std::string text = "frame";
  const std::uint64_t enters = harness.ring->enters();
  (void)harness.send({entry(first, text), entry(second, text)});
  EXPECT_EQ(harness.ring->enters(), enters + 1);
}

TEST_P(SendPathTest, AReaderThatNeverReadsIsReportedShortThenFullAndOthersAreNot) {
  Harness harness{small_sockets()};
  auto [dead, first] = harness.accept_one(kSmallReceive);
  auto [alive, second] = harness.accept_one();
  const std::string large = numbered(64 * 1'024);
  const std::string small = "tick";
  std::uint64_t taken = 0;
  std::string heard;
  bool was_short = false;
  bool was_full = false;
  for (int i = 0; i < 200 && !was_full; ++i) {
    const auto reports = harness.send({entry(first, large), entry(second, small)});
    heard += alive.read();
    if (reports.empty()) {
      taken += large.size();
      continue;
    }
    ASSERT_EQ(reports.size(), 1U);
    ASSERT_EQ(reports[0].entry, 0U);
    was_full = reports[0].result == -EAGAIN;
    if (was_full) break;
    ASSERT_GT(reports[0].result, 0);
    ASSERT_LT(reports[0].result, static_cast<std::int32_t>(large.size()));
    was_short = true;
    taken += static_cast<std::uint64_t>(reports[0].result);
  }
  EXPECT_TRUE(was_short);
  EXPECT_TRUE(was_full);
  EXPECT_LT(taken, 1_MiB) << "TCP_NOTSENT_LOWAT and a small buffer let the kernel hide little";
  std::uint64_t received = 0;
  EXPECT_TRUE(harness.turn_until([&, dead = &dead] { return (received += dead->read().size()) >= taken; }));
  EXPECT_EQ(received, taken) << "what was reported as taken is what arrives";
  EXPECT_FALSE(heard.empty());
}

/// Sends `text` to a reader as the core would: short counts go on as remainders, -EAGAIN waits for writability. The
/// scratch memory is overwritten as soon as the reports are in.
std::string stream_through(Harness& harness, Peer& peer, Handle handle, const std::string& text,
                           std::size_t chunk_bytes) {
  std::string got;
  std::size_t at = 0;
  std::string remainder;
  for (int i = 0; i < 20'000 && got.size() < text.size(); ++i) {
    const bool busy = harness.events.remainders.empty() && !remainder.empty();
    if (!remainder.empty() && !busy) {
      EXPECT_EQ(harness.events.remainders.back().second, static_cast<std::int32_t>(remainder.size()));
      harness.events.remainders.clear();
      remainder.clear();
    }
    if (remainder.empty() && at < text.size()) {
      std::string scratch = text.substr(at, chunk_bytes);
      const auto reports = harness.send({entry(handle, scratch)});
      const std::size_t size = scratch.size();
      std::ranges::fill(scratch, '!');
      if (reports.empty()) {
        at += size;
      } else if (reports[0].result > 0) {
        const auto taken = static_cast<std::size_t>(reports[0].result);
        remainder = text.substr(at + taken, std::min<std::size_t>(size - taken, 1'000));
        at += taken + remainder.size();
        EXPECT_TRUE(harness.send({entry(handle, remainder, true)}).empty());
      } else {
        EXPECT_EQ(reports[0].result, -EAGAIN);
        harness.act(ActionKind::wait_writable, handle);
        const std::size_t before = harness.events.writables.size();
        EXPECT_TRUE(harness.turn_until([&] {
          got += peer.read();
          return harness.events.writables.size() > before;
        }));
      }
    }
    if (i % 7 == 0) got += peer.read();
    harness.ring->poll();
    for (const Completion& completion : harness.ring->take_completions())
      (void)harness.transport->handle(completion, harness.now);
  }
  return got;
}

TEST_P(SendPathTest, AStreamThroughAFullSocketIsWhole) {
  for (const std::size_t chunk_bytes : {std::size_t{700}, std::size_t{5'000}, std::size_t{64 * 1'024}}) {
    Harness harness{small_sockets()};
    auto [peer, handle] = harness.accept_one(kSmallReceive);
    const std::string text = numbered(2U << 20);
    EXPECT_EQ(stream_through(harness, peer, handle, text, chunk_bytes) == text, true) << chunk_bytes;
  }
}

TEST_P(SendPathTest, ARemainderCompletesOnceWhenTheReaderHasMadeRoom) {
  Harness harness{small_sockets()};
  auto [peer, handle] = harness.accept_one(kSmallReceive);
  const std::string large = numbered(1U << 20);
  EXPECT_TRUE(harness.send({entry(handle, large, true)}).empty());
  for (int i = 0; i < 10; ++i) harness.turn();
  EXPECT_TRUE(harness.events.remainders.empty());
  std::string got;
  EXPECT_TRUE(harness.turn_until([&, peer = &peer] { return (got += peer->read()).size() == large.size(); }));
  EXPECT_EQ(got == large, true);
  EXPECT_TRUE(harness.turn_until([&] { return !harness.events.remainders.empty(); }));
  EXPECT_EQ(harness.events.remainders, (std::vector<std::pair<Handle, std::int32_t>>{{handle, 1 << 20}}));
}

TEST_P(SendPathTest, WritableIsSaidOnceEvenIfAskedTwice) {
  Harness harness{small_sockets()};
  auto [peer, handle] = harness.accept_one(kSmallReceive);
  const std::string large = numbered(1U << 20);
  while (harness.send({entry(handle, large)}).at(0).result != -EAGAIN) {}
  harness.act(ActionKind::wait_writable, handle);
  harness.act(ActionKind::wait_writable, handle);
  for (int i = 0; i < 5; ++i) harness.turn();
  EXPECT_TRUE(harness.events.writables.empty()) << "the socket is full";
  EXPECT_TRUE(harness.turn_until([&, peer = &peer] {
    (void)peer->read();
    return !harness.events.writables.empty();
  }));
  for (int i = 0; i < 10; ++i) harness.turn();
  EXPECT_EQ(harness.events.writables, std::vector<Handle>{handle});
}

TEST_P(SendPathTest, APeerThatResetIsAReportAndNoSignal) {
  Harness harness{small_sockets()};
  auto [peer, handle] = harness.accept_one();
  peer.reset();
  EXPECT_TRUE(harness.turn_until([&] { return harness.events.ended.size() == 1; }));
  const std::string text = "too late";
  const auto reports = harness.send({entry(handle, text)});
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].result, -EPIPE);
}

TEST_P(SendPathTest, CompletionsFoundWhileSendingWaitUntilTheyAreTaken) {
  Harness harness{{.silent_sends = GetParam(), .buffers = 64, .buffer_bytes = 4'096, .send_buffer_bytes = 0}};
  auto [peer, handle] = harness.accept_one();
  peer.write("a command");
  const std::string text = "frame";
  for (int i = 0; i < 20; ++i) (void)harness.send({entry(handle, text)});
  EXPECT_EQ(harness.events.received[handle.slot], "") << "send() reacts to nothing but reports";
  EXPECT_TRUE(harness.turn_until([&, handle = handle] { return harness.events.received[handle.slot] == "a command"; }));
}

INSTANTIATE_TEST_SUITE_P(BothShapes, SendPathTest, ::testing::Values(true, false),
                         [](const auto& row) { return row.param ? "Silent" : "Reported"; });

TEST(SendPathDeathTest, RefusesWhatWouldCorruptAStream) {
  Harness harness;
  auto [peer, handle] = harness.accept_one();
  const std::string text = numbered(100);
  const std::string large = numbered(8U << 20);
  const std::string nothing;
  const std::vector<SendEntry> too_many(kSendBatchMax + 1, entry(handle, text));
  EXPECT_DEATH((void)harness.send({entry(handle, text), entry(handle, text)}), "at most one send a submit");
  EXPECT_DEATH((void)harness.send({entry(handle, text), entry(handle, text, true)}), "at most one send a submit");
  EXPECT_DEATH((void)harness.send(too_many), "at most kSendBatchMax");
  EXPECT_DEATH((void)harness.send({entry(handle, nothing)}), "a send has bytes");
  EXPECT_DEATH((void)harness.send({entry({.slot = 77, .generation = 1}, text)}), "an open connection");
  EXPECT_TRUE(harness.send({entry(handle, large, true)}).empty());
  EXPECT_DEATH((void)harness.send({entry(handle, text)}), "nothing is sent beside a remainder");
}

}  // namespace
}  // namespace ringcast
