#include "bench/system/limit/send_path.hpp"

#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "alloc/base/ensure.hpp"
#include "tools/client/socket.hpp"

namespace ringcast {
namespace {

constexpr int kSendFlags = MSG_DONTWAIT | MSG_NOSIGNAL;
constexpr int kStallMs = 10'000;  // a reader that takes nothing for so long is lost

class PlainSendPath final : public SendPath {
 public:
  void send(int fd, const std::uint8_t* data, std::uint32_t bytes) override {
    const ssize_t taken = ::send(fd, data, bytes, kSendFlags);
    if (taken == static_cast<ssize_t>(bytes)) [[likely]] return;
    if (taken < 0 && errno != EAGAIN && errno != EINTR) {
      broken_.push_back(fd);
      return;
    }
    const auto done = static_cast<std::uint32_t>(taken < 0 ? 0 : taken);
    finish(fd, data + done, bytes - done);
  }
  void flush() override {}
};

class RingSendPath final : public SendPath {
 public:
  RingSendPath() = default;
  ~RingSendPath() override {
    if (open_) io_uring_queue_exit(&ring_);
  }
  int open() {
    const int failure =
        io_uring_queue_init(2 * kBatchMax, &ring_,
                            IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL);
    open_ = failure == 0;
    return -failure;
  }
  void send(int fd, const std::uint8_t* data, std::uint32_t bytes) override {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    ensure(sqe != nullptr, "the ring has twice the entries of a batch");
    io_uring_prep_send(sqe, fd, data, bytes, kSendFlags | MSG_WAITALL);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = prepared_;
    slots_[prepared_++] = {fd, bytes, data};
    if (prepared_ == kBatchMax) flush();
  }
  void flush() override {
    if (prepared_ == 0) return;
    const int submitted = io_uring_submit(&ring_);
    ensure(submitted == static_cast<int>(prepared_), "SUBMIT_ALL takes the whole batch");
    io_uring_cqe* cqe = nullptr;
    while (io_uring_peek_cqe(&ring_, &cqe) == 0) {
      const Slot slot = slots_[cqe->user_data];
      const int result = cqe->res;
      io_uring_cqe_seen(&ring_, cqe);
      if (result < 0 && result != -EAGAIN && result != -EINTR) {
        broken_.push_back(slot.fd);
        continue;
      }
      const auto done = static_cast<std::uint32_t>(result < 0 ? 0 : result);
      finish(slot.fd, slot.data + done, slot.bytes - done);
    }
    prepared_ = 0;
  }

 private:
  struct Slot {
    int fd = -1;
    std::uint32_t bytes = 0;
    const std::uint8_t* data = nullptr;
  };
  io_uring ring_{};
  bool open_ = false;
  std::uint32_t prepared_ = 0;
  std::array<Slot, kBatchMax> slots_{};
};

}  // namespace

void SendPath::finish(int fd, const std::uint8_t* data, std::uint32_t bytes) {
  ++short_sends_;
  while (bytes > 0) {
    pollfd watched{.fd = fd, .events = POLLOUT, .revents = 0};
    if (::poll(&watched, 1, kStallMs) == 0) break;
    const ssize_t taken = ::send(fd, data, bytes, kSendFlags);
    if (taken < 0 && errno != EAGAIN && errno != EINTR) break;
    if (taken > 0) {
      data += taken;
      bytes -= static_cast<std::uint32_t>(taken);
    }
  }
  if (bytes > 0) broken_.push_back(fd);
}

std::unique_ptr<SendPath> plain_send_path() { return std::make_unique<PlainSendPath>(); }

Result<std::unique_ptr<SendPath>, std::string> io_uring_send_path() {
  auto path = std::make_unique<RingSendPath>();
  if (const int error = path->open(); error != 0) return unexpected("no io_uring: " + system_sentence(error));
  return std::unique_ptr<SendPath>{std::move(path)};
}

}  // namespace ringcast
