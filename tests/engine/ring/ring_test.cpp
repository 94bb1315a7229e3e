#include "engine/ring/ring.hpp"

#include <gtest/gtest.h>
#include <liburing.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <vector>

#include "engine/ring/buffer_ring.hpp"

namespace ringcast {
namespace {

Tag tag(Operation operation, std::uint32_t slot = 0, std::uint32_t generation = 0) {
  return {operation, {.slot = slot, .generation = generation}};
}

std::unique_ptr<Ring> open_ring(RingFeatures features = {}, RingDemand demand = {}) {
  auto ring = Ring::open({.demand = demand, .features = std::move(features)});
  EXPECT_TRUE(ring) << ring.error();
  return std::move(*ring);
}

struct Pair {
  std::array<int, 2> fds{};
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  Pair() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds.data()), 0); }
  ~Pair() {
    close(fds[0]);
    close(fds[1]);
  }
};

struct DemandRow {
  const char* sentence;
  RingDemand demand;
  bool opens;
  std::uint32_t entries;
};
constexpr DemandRow kDemandRows[] = {
    {"nothing but the submissions", {}, true, 2'048},
    {"10,000 connections on one shard",
     {.connections = 10'000, .receive_buffers = 1'024, .accepts = 4'096},
     true,
     32'768},
    {"as many as the kernel's bound allows", {.connections = 30'000, .receive_buffers = 1'024}, true, 65'536},
    {"more than one queue holds", {.connections = 40'000}, false, 0},
};

TEST(Ring, SizesItsCompletionQueueForEverythingOutstanding) {
  for (const DemandRow& row : kDemandRows) {
    auto ring = Ring::open({.demand = row.demand, .features = {}});
    EXPECT_EQ(ring.has_value(), row.opens) << row.sentence;
    if (ring) {
      EXPECT_EQ((*ring)->completion_entries(), row.entries) << row.sentence;
      EXPECT_GE((*ring)->completion_entries(), completions_max(row.demand)) << row.sentence;
    } else {
      EXPECT_NE(ring.error().find("limits.connections"), std::string::npos) << ring.error();
    }
  }
}

TEST(Ring, KeepsSendReportsApartFromEverythingElse) {
  const auto ring = open_ring();
  Pair pair;
  const std::array<std::uint8_t, 4> bytes{1, 2, 3, 4};
  ring->poll_writable(tag(Operation::writable, 5, 6), pair.fds[0]);
  ring->send(tag(Operation::send, 0, 1), pair.fds[0], bytes.data(), 4, SendShape::reported);
  ring->submit_and_reap();
  const auto reports = ring->take_send_reports();
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].result, 4);
  EXPECT_TRUE(ring->take_send_reports().empty());
  const auto others = ring->take_completions();
  ASSERT_EQ(others.size(), 1U);
  EXPECT_EQ(others[0].user_data, pack(tag(Operation::writable, 5, 6)));
  EXPECT_TRUE(ring->take_completions().empty());
}

TEST(Ring, SubmitsWhatFollowsABadEntry) {
  // Without SUBMIT_ALL the kernel stops at the first entry that it refuses.
  const auto ring = open_ring();
  Pair pair;
  const std::array<std::uint8_t, 1> bytes{7};
  ring->send(tag(Operation::send, 0, 1), -1, bytes.data(), 1, SendShape::silent);
  ring->send(tag(Operation::send, 1, 1), pair.fds[0], bytes.data(), 1, SendShape::silent);
  const std::uint64_t enters = ring->enters();
  ring->submit_and_reap();
  EXPECT_EQ(ring->enters(), enters + 1);
  const auto reports = ring->take_send_reports();
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].tag().subject.slot, 0U);
  EXPECT_EQ(reports[0].result, -EBADF);
  std::array<std::uint8_t, 8> got{};
  EXPECT_EQ(recv(pair.fds[1], got.data(), got.size(), MSG_DONTWAIT), 1);
}

TEST(Ring, SubmitsBeforeItsQueueIsFull) {
  const auto ring = open_ring();
  Pair pair;
  std::size_t seen = 0;
  for (std::uint32_t i = 0; i < 3 * kSubmissionEntries; ++i)
    ring->poll_writable(tag(Operation::writable, i), pair.fds[0]);
  ring->submit_and_reap();
  for (const Completion& completion : ring->take_completions()) EXPECT_EQ(completion.tag().subject.slot, seen++);
  EXPECT_EQ(seen, 3 * kSubmissionEntries);
}

TEST(Ring, CancelsByTagInSilenceAndSaysWhenThereWasNothing) {
  const auto ring = open_ring();
  const int event = eventfd(0, EFD_CLOEXEC);
  std::uint64_t count = 0;
  ring->read_event(tag(Operation::wake_event), event, count);
  ring->cancel(tag(Operation::cancel, 1), tag(Operation::wake_event));
  ring->submit_and_reap();
  ring->wait(seconds{1});
  auto seen = ring->take_completions();
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].tag().operation, Operation::wake_event);
  EXPECT_EQ(seen[0].result, -ECANCELED);
  ring->cancel(tag(Operation::cancel, 2), tag(Operation::wake_event));
  ring->submit_and_reap();
  seen = ring->take_completions();
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].tag().operation, Operation::cancel);
  EXPECT_EQ(seen[0].result, -ENOENT);
  close(event);
}

TEST(Ring, WaitsUntilAnEventOrTheEndOfTheTime) {
  for (const bool taskrun_flag : {false, true}) {
    const auto ring = open_ring({.silent_sends = false,
                                 .message_ring = false,
                                 .taskrun_flag = taskrun_flag,
                                 .incremental_buffers = false,
                                 .findings = {}});
    ring->wait(milliseconds{1});
    EXPECT_TRUE(ring->take_completions().empty());
    const int event = eventfd(0, EFD_CLOEXEC);
    std::uint64_t count = 0;
    ring->read_event(tag(Operation::wake_event), event, count);
    ring->submit_and_reap();
    ASSERT_EQ(eventfd_write(event, 3), 0);
    ring->wait(seconds{10});
    ASSERT_EQ(ring->take_completions().size(), 1U);
    EXPECT_EQ(count, 3U);
    close(event);
  }
}

TEST(Ring, WithTheTaskrunFlagSeesNewsWithoutASystemCall) {
  const auto found = probe_ring_features();
  ASSERT_TRUE(found);
  if (!found->taskrun_flag) GTEST_SKIP() << "this kernel has no TASKRUN_FLAG";
  const auto ring = open_ring(*found);
  const int event = eventfd(0, EFD_CLOEXEC);
  std::uint64_t count = 0;
  ring->read_event(tag(Operation::wake_event), event, count);
  ring->submit_and_reap();
  const std::uint64_t enters = ring->enters();
  EXPECT_FALSE(ring->has_news());
  ring->poll();
  EXPECT_EQ(ring->enters(), enters);
  ASSERT_EQ(eventfd_write(event, 1), 0);
  EXPECT_TRUE(ring->has_news());
  ring->poll();
  EXPECT_EQ(ring->enters(), enters + 1);
  EXPECT_EQ(ring->take_completions().size(), 1U);
  close(event);
}

/// Sets the kernel's announcement of work in a ring's memory, as the kernel itself does when it comes too late.
void announce_work(const Ring& ring) {
  io_uring other{};
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
  ASSERT_EQ(io_uring_queue_init_params(4, &other, &params), 0);  // tells where the flags lie in every ring
  io_uring_queue_exit(&other);
  const std::size_t bytes = params.sq_off.flags + sizeof(std::uint32_t);
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring.ring_fd(), IORING_OFF_SQ_RING);
  ASSERT_NE(memory, MAP_FAILED);
  auto* flags = reinterpret_cast<std::uint32_t*>(static_cast<std::uint8_t*>(memory) + params.sq_off.flags);
  std::atomic_ref{*flags}.fetch_or(IORING_SQ_TASKRUN);
  munmap(memory, bytes);
}

TEST(Ring, DoesNotBelieveAnAnnouncementBehindWhichThereIsNoWork) {
  const auto found = probe_ring_features();
  ASSERT_TRUE(found);
  if (!found->taskrun_flag) GTEST_SKIP() << "this kernel has no TASKRUN_FLAG";
  const auto ring = open_ring(*found);
  const int event = eventfd(0, EFD_CLOEXEC);
  std::uint64_t count = 0;
  ring->read_event(tag(Operation::wake_event), event, count);
  ring->submit_and_reap();
  EXPECT_FALSE(ring->must_be_asked());
  announce_work(*ring);
  EXPECT_TRUE(ring->has_news()) << "so far it may be true";
  ring->poll();
  EXPECT_FALSE(ring->has_news()) << "or its shard never sleeps";
  EXPECT_TRUE(ring->must_be_asked()) << "the flag says nothing more";

  ASSERT_EQ(eventfd_write(event, 1), 0);  // now there is work, and no news of it
  ring->poll();
  EXPECT_EQ(ring->take_completions().size(), 1U) << "poll() asks the kernel";
  EXPECT_FALSE(ring->must_be_asked()) << "which has taken back its announcement";

  ring->read_event(tag(Operation::wake_event), event, count);
  ring->submit_and_reap();
  announce_work(*ring);
  ring->poll();
  ASSERT_EQ(eventfd_write(event, 1), 0);
  ring->wait(seconds{5});
  EXPECT_EQ(ring->take_completions().size(), 1U) << "and wait() does not sleep over it";
  close(event);
}

/// Receives that the demand did not declare: one submit completes 128 x 32 times, and the queue has 2,048 entries.
void overflow_the_completion_queue() {
  const auto ring = open_ring();
  const auto buffers = BufferRing::open(*ring, {.group = 0, .count = 8'192, .bytes_each = 1});
  std::vector<Pair> pairs(128);
  for (const Pair& pair : pairs) {
    const std::array<std::uint8_t, 64> bytes{};
    if (::send(pair.fds[1], bytes.data(), bytes.size(), 0) != 64) return;
    ring->receive_multishot(tag(Operation::receive), pair.fds[0], 0);
  }
  ring->submit_and_reap();
}

TEST(RingDeathTest, AnOverflowingCompletionQueueIsFatal) {
  EXPECT_DEATH(overflow_the_completion_queue(), "the completion queue has room");
}

}  // namespace
}  // namespace ringcast
