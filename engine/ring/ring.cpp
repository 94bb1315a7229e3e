#include "engine/ring/ring.hpp"

#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>

#include <bit>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "alloc/base/ensure.hpp"

namespace ringcast {

namespace {

constexpr int kSubmitTriesMax = 5'000;  // a kernel out of memory is given about 5 s to recover
constexpr std::chrono::milliseconds kSubmitPause{1};

void set_tag(io_uring_sqe& sqe, Tag tag) { io_uring_sqe_set_data64(&sqe, pack(tag)); }

bool is_memory_shortage(int error) { return error == EAGAIN || error == ENOMEM || error == EBUSY; }

}  // namespace

Ring::Ring(const RingFeatures& features) : ring_{std::make_unique<io_uring>()}, features_{features} {}

Result<std::unique_ptr<Ring>, std::string> Ring::open(const RingOptions& options) {
  const std::uint64_t wanted = completions_max(options.demand);
  if (wanted > kCompletionEntriesMax) {
    return unexpected(std::to_string(options.demand.connections) +
                      " connections on one shard need more completions than one io_uring can hold (" +
                      std::to_string(wanted) + " of " + std::to_string(kCompletionEntriesMax) +
                      "): lower limits.connections or raise shards.count");
  }
  io_uring_params params{};
  params.flags =
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE;
  if (options.features.taskrun_flag) params.flags |= IORING_SETUP_TASKRUN_FLAG;
  params.cq_entries = static_cast<std::uint32_t>(std::bit_ceil(wanted));

  std::unique_ptr<Ring> ring{new Ring{options.features}};
  const int result = io_uring_queue_init_params(kSubmissionEntries, ring->ring_.get(), &params);
  if (result < 0) return unexpected(explain_ring_failure(-result, read_ring_disabled_sysctl()));
  ring->open_ = true;
  // Saves every enter a look-up of the ring among this thread's descriptors. A kernel that refuses is only slower.
  io_uring_register_ring_fd(ring->ring_.get());
  if ((params.features & IORING_FEAT_NODROP) == 0 || (params.features & IORING_FEAT_EXT_ARG) == 0 ||
      (params.features & IORING_FEAT_CQE_SKIP) == 0) {
    return unexpected(
        std::string{"this kernel's io_uring lacks NODROP, EXT_ARG or CQE_SKIP; ringcast needs Linux 6.1"});
  }
  ring->sends_.reserve(kSubmissionEntries);
  ring->sends_taken_.reserve(kSubmissionEntries);
  ring->arrived_.reserve(params.cq_entries);
  ring->taken_.reserve(params.cq_entries);
  return ring;
}

Ring::~Ring() {
  if (open_) io_uring_queue_exit(ring_.get());
}

io_uring_sqe& Ring::next_submission() {
  io_uring_sqe* sqe = io_uring_get_sqe(ring_.get());
  if (sqe == nullptr) {
    submit_and_reap();
    sqe = io_uring_get_sqe(ring_.get());
    ensure(sqe != nullptr, "a submitted queue has room");
  }
  return *sqe;  // what the last use left in it, each io_uring_prep_ function overwrites
}

void Ring::make_room(std::uint32_t count) {
  ensure(count <= kSubmissionEntries, "the queue can hold what is asked for");
  if (io_uring_sq_space_left(ring_.get()) < count) submit_and_reap();
}

void Ring::accept_multishot(Tag tag, int listener) {
  io_uring_sqe& sqe = next_submission();
  io_uring_prep_multishot_accept(&sqe, listener, nullptr, nullptr, SOCK_CLOEXEC);
  set_tag(sqe, tag);
}

void Ring::receive_multishot(Tag tag, int socket, std::uint16_t buffer_group) {
  io_uring_sqe& sqe = next_submission();
  io_uring_prep_recv_multishot(&sqe, socket, nullptr, 0, 0);
  sqe.flags |= IOSQE_BUFFER_SELECT;
  sqe.buf_group = buffer_group;
  set_tag(sqe, tag);
}

void Ring::send(Tag tag, int socket, const std::uint8_t* data, std::uint32_t size, SendShape shape) {
  io_uring_sqe& sqe = next_submission();
  const int wait = shape == SendShape::remainder ? 0 : MSG_DONTWAIT;
  io_uring_prep_send(&sqe, socket, data, size, MSG_NOSIGNAL | MSG_WAITALL | wait);
  if (shape == SendShape::silent) sqe.flags |= IOSQE_CQE_SKIP_SUCCESS;
  set_tag(sqe, tag);
}

void Ring::poll_writable(Tag tag, int socket) {
  io_uring_sqe& sqe = next_submission();
  io_uring_prep_poll_add(&sqe, socket, POLLOUT);
  set_tag(sqe, tag);
}

void Ring::read_event(Tag tag, int event_fd, std::uint64_t& count) {
  io_uring_sqe& sqe = next_submission();
  io_uring_prep_read(&sqe, event_fd, &count, sizeof count, 0);
  set_tag(sqe, tag);
}

void Ring::cancel(Tag tag, Tag target) {
  io_uring_sqe& sqe = next_submission();
  io_uring_prep_cancel64(&sqe, pack(target), 0);
  sqe.flags |= IOSQE_CQE_SKIP_SUCCESS;
  set_tag(sqe, tag);
}

void Ring::message(Tag tag, int other_ring_fd, Tag delivered) {
  io_uring_sqe& sqe = next_submission();
  io_uring_prep_msg_ring(&sqe, other_ring_fd, 0, pack(delivered), 0);
  sqe.flags |= IOSQE_CQE_SKIP_SUCCESS;
  set_tag(sqe, tag);
}

void Ring::submit_all() {
  for (int tries = 0; io_uring_sq_ready(ring_.get()) != 0; ++tries) {
    ensure(tries < kSubmitTriesMax, "the kernel takes submissions");
    ++enters_;
    const int result = io_uring_submit_and_get_events(ring_.get());
    if (result > 0) submissions_ += static_cast<std::uint64_t>(result);
    // Consumed in part: the kernel ran out of memory half-way. What it took stays taken; the rest is handed over again.
    reap();
    if (result >= 0 && io_uring_sq_ready(ring_.get()) == 0) break;
    if (result < 0) ensure(result == -EINTR || is_memory_shortage(-result), "io_uring_enter works");
    if (result != -EINTR) std::this_thread::sleep_for(kSubmitPause);
  }
}

void Ring::submit_and_reap() {
  if (io_uring_sq_ready(ring_.get()) != 0) {
    submit_all();
    return;
  }
  ++enters_;
  const int result = io_uring_get_events(ring_.get());
  ensure(result >= 0 || result == -EINTR || is_memory_shortage(-result), "io_uring_enter works");
  reap();
}

void Ring::poll() {
  if (io_uring_sq_ready(ring_.get()) != 0 || has_news() || must_be_asked()) submit_and_reap();
}

void Ring::wait(nanoseconds at_most) {
  if (!sends_.empty() || !arrived_.empty()) {
    submit_and_reap();
    return;
  }
  const auto whole = std::chrono::duration_cast<seconds>(at_most);
  __kernel_timespec timeout{.tv_sec = whole.count(), .tv_nsec = (at_most - whole).count()};
  io_uring_cqe* cqe = nullptr;
  ++enters_;
  const std::uint32_t ready = io_uring_sq_ready(ring_.get());
  const int result = io_uring_submit_and_wait_timeout(ring_.get(), &cqe, 1, &timeout, nullptr);
  ensure(result >= 0 || result == -ETIME || result == -EINTR || is_memory_shortage(-result), "io_uring_enter works");
  submissions_ += ready - io_uring_sq_ready(ring_.get());
  reap();
}

bool Ring::has_news() const {
  if (!sends_.empty() || !arrived_.empty() || io_uring_cq_ready(ring_.get()) != 0) return true;
  return !flag_is_stale_ && flag_is_set();
}

bool Ring::flag_is_set() const { return (IO_URING_READ_ONCE(*ring_->sq.kflags) & IORING_SQ_TASKRUN) != 0; }

void Ring::reap() {
  ensure(!io_uring_cq_has_overflow(ring_.get()), "the completion queue has room for everything outstanding");
  unsigned head = 0;
  unsigned count = 0;
  io_uring_cqe* cqe = nullptr;
  io_uring_for_each_cqe(ring_.get(), head, cqe) {
    ++count;
    const Completion completion{.user_data = cqe->user_data,
                                .result = cqe->res,
                                .buffer = static_cast<std::uint16_t>(cqe->flags >> IORING_CQE_BUFFER_SHIFT),
                                .has_buffer = (cqe->flags & IORING_CQE_F_BUFFER) != 0,
                                .more = (cqe->flags & IORING_CQE_F_MORE) != 0};
    (completion.tag().operation == Operation::send ? sends_ : arrived_).push_back(completion);
  }
  io_uring_cq_advance(ring_.get(), count);
  // The enter before this has run all work, or some of it with completions. What came since counts as stale as well:
  // the next poll() or wait() takes it all the same.
  flag_is_stale_ = count == 0 && flag_is_set();
}

std::span<const Completion> Ring::take_send_reports() {
  sends_taken_.clear();
  std::swap(sends_taken_, sends_);
  return sends_taken_;
}

std::span<const Completion> Ring::take_completions() {
  taken_.clear();
  std::swap(taken_, arrived_);
  return taken_;
}

int Ring::ring_fd() const { return ring_->ring_fd; }
std::uint32_t Ring::completion_entries() const { return ring_->cq.ring_entries; }

}  // namespace ringcast
