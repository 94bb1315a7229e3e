#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "tests/engine/transport/harness.hpp"

namespace ringcast {
namespace {

using test::Harness;
using test::Peer;

TEST(Accept, SaysWhoIsThere) {
  Harness harness;
  auto [peer, handle] = harness.accept_one();
  sockaddr_in own{};
  socklen_t size = sizeof own;
  ASSERT_EQ(getsockname(peer.fd(), reinterpret_cast<sockaddr*>(&own), &size), 0);
  const PeerInfo& info = harness.events.peers.at(0);
  EXPECT_EQ(info.port, ntohs(own.sin_port));
  EXPECT_EQ(info.address, (std::array<std::uint8_t, 16>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}));
  EXPECT_FALSE(info.unix_socket);
}

TEST(Accept, TakesAStormOfConnections) {
  Harness harness;
  std::vector<Peer> peers;
  for (int i = 0; i < 500; ++i) peers.push_back(harness.connect());
  EXPECT_TRUE(harness.turn_until([&] { return harness.events.open.size() == 500; }));
  EXPECT_EQ(harness.transport->counters().accepted, 500U);
}

TEST(Accept, SurvivesClientsThatResetBeforeTheyAreAccepted) {
  Harness harness;
  for (int i = 0; i < 100; ++i) harness.connect().reset();
  auto [peer, handle] = harness.accept_one();
  peer.write("still here");
  EXPECT_TRUE(harness.turn_until([&] { return harness.events.received[handle.slot] == "still here"; }));
}

TEST(Accept, ClosesTheSocketOfAConnectionThatTheCoreHasNoSlotFor) {
  Harness harness;
  harness.events.refuse = true;
  Peer peer = harness.connect();
  EXPECT_TRUE(harness.turn_until([&] {
    (void)peer.read();
    return peer.at_end() || peer.error() != 0;
  }));
  EXPECT_EQ(harness.transport->connections(), 0U);
}

TEST(Accept, AfterStopNobodyGetsIn) {
  Harness harness;
  harness.transport->stop_accepting();
  EXPECT_TRUE(harness.turn_until([&] { return harness.transport->accepts().in_flight() == 0; }));
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(harness.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_NE(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  close(fd);
}

/// Runs in a child with few descriptors; 0 if all went as it should, else the number of the line that did not.
int live_with_few_descriptors() {
  constexpr rlim_t kLimit = 100;
  const rlimit few{.rlim_cur = kLimit, .rlim_max = kLimit};
  if (setrlimit(RLIMIT_NOFILE, &few) != 0) return __LINE__;  // before the accept is armed: the kernel notes it then
  Harness harness;
  std::vector<Peer> waiting;
  for (int i = 0; i < 60; ++i) waiting.push_back(harness.connect());
  const int next = dup(0);
  close(next);
  const std::size_t fitting = kLimit - static_cast<rlim_t>(next);
  if (fitting < 5 || fitting > 50) return __LINE__;

  if (!harness.turn_until([&] { return harness.transport->accepts().paused(); })) return __LINE__;
  if (harness.events.open.size() != fitting) return __LINE__;
  if (harness.transport->accepts().counters().last_error != EMFILE) return __LINE__;

  // Paused, the loop sleeps: no completion comes and no system call is made but the wait itself.
  const std::uint64_t errors = harness.transport->accepts().counters().errors;
  const std::uint64_t submissions = harness.ring->submissions();
  for (int i = 0; i < 10; ++i) harness.turn();
  if (harness.transport->accepts().counters().errors != errors) return __LINE__;
  if (harness.ring->submissions() != submissions) return __LINE__;

  // The timer tries again, and goes back to sleep.
  for (int i = 0; i < 30; ++i) harness.turn();
  const std::uint64_t tries = harness.transport->accepts().counters().errors - errors;
  if (tries < 1 || tries > 3) return __LINE__;

  // A connection that closes lets the next one in at once.
  const Handle first = harness.events.open.front();
  harness.act(ActionKind::close, first);
  if (!harness.turn_until([&] { return harness.events.closed_handles.size() == 1; })) return __LINE__;
  for (int i = 0; i < 3 && harness.events.peers.size() <= fitting; ++i) harness.turn();
  if (harness.events.peers.size() != fitting + 1) return __LINE__;
  return 0;
}

TEST(Accept, PausesWithoutSpinningWhenDescriptorsRunOut) {
  const pid_t child = fork();
  if (child == 0) _exit(live_with_few_descriptors() % 256);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0) << "the line of live_with_few_descriptors() that failed, modulo 256";
}

TEST(DescriptorLimit, IsRaisedToTheHardOne) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit low{.rlim_cur = 64, .rlim_max = 256};
    setrlimit(RLIMIT_NOFILE, &low);
    const DescriptorLimit limit = raise_descriptor_limit();
    rlimit seen{};
    getrlimit(RLIMIT_NOFILE, &seen);
    _exit(limit.now == 256 && limit.hard == 256 && seen.rlim_cur == 256 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace ringcast
