#include "engine/ring/buffer_ring.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "engine/ring/ring.hpp"

namespace ringcast {
namespace {

constexpr Tag kReceive{Operation::receive, {.slot = 0, .generation = 1}};

class BufferRingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto ring = Ring::open({});
    ASSERT_TRUE(ring) << ring.error();
    ring_ = std::move(*ring);
    auto buffers = BufferRing::open(*ring_, {.group = 0, .count = 4, .bytes_each = 16});
    ASSERT_TRUE(buffers) << buffers.error();
    buffers_ = std::move(*buffers);
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds_.data()), 0);
  }
  void TearDown() override {
    close(fds_[0]);
    close(fds_[1]);
  }
  void write(const std::string& text) {
    ASSERT_EQ(::send(fds_[1], text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }

  std::unique_ptr<Ring> ring_;
  std::unique_ptr<BufferRing> buffers_;
  std::array<int, 2> fds_{};
};

TEST_F(BufferRingTest, HoldsWhatAMultishotReceiveTookUntilGivenBack) {
  write("twenty-four bytes of txt");
  ring_->receive_multishot(kReceive, fds_[0], 0);
  ring_->submit_and_reap();
  std::string got;
  for (const Completion& completion : ring_->take_completions()) {
    ASSERT_TRUE(completion.has_buffer);
    EXPECT_TRUE(completion.more);
    const auto bytes = buffers_->view(completion.buffer, static_cast<std::uint32_t>(completion.result));
    got.append(as_text(bytes));
    EXPECT_EQ(buffers_->held(), 1U);
    buffers_->give_back(completion.buffer);
  }
  EXPECT_EQ(got, "twenty-four bytes of txt");
  EXPECT_EQ(buffers_->held(), 0U);
  EXPECT_EQ(buffers_->publish(), 2U);
  EXPECT_EQ(buffers_->publish(), 0U);
}

TEST_F(BufferRingTest, WhenDryEndsTheReceiveAndServesTheNextOneOnceRefilled) {
  write(std::string(100, 'x'));
  ring_->receive_multishot(kReceive, fds_[0], 0);
  ring_->submit_and_reap();
  const auto first = ring_->take_completions();
  ASSERT_EQ(first.size(), 5U);
  EXPECT_EQ(first[4].result, -ENOBUFS);
  EXPECT_FALSE(first[4].more);
  std::size_t total = 0;
  for (const Completion& completion : first.first(4)) {
    total += buffers_->view(completion.buffer, static_cast<std::uint32_t>(completion.result)).size();
    buffers_->give_back(completion.buffer);
  }
  EXPECT_EQ(buffers_->publish(), 4U);
  ring_->receive_multishot(kReceive, fds_[0], 0);
  ring_->submit_and_reap();
  for (const Completion& completion : ring_->take_completions()) total += static_cast<std::size_t>(completion.result);
  EXPECT_EQ(total, 100U);
}

TEST_F(BufferRingTest, ABufferGivenBackTwiceIsFatal) {
  write("x");
  ring_->receive_multishot(kReceive, fds_[0], 0);
  ring_->submit_and_reap();
  const auto seen = ring_->take_completions();
  ASSERT_EQ(seen.size(), 1U);
  (void)buffers_->view(seen[0].buffer, 1);
  buffers_->give_back(seen[0].buffer);
  EXPECT_DEATH(buffers_->give_back(seen[0].buffer), "given to the kernel once");
}

}  // namespace
}  // namespace ringcast
