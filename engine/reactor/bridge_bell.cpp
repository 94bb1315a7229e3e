#include "engine/reactor/bridge_bell.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "alloc/base/ensure.hpp"

namespace ringcast {

BridgeBell::BridgeBell() : event_fd_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {}
BridgeBell::~BridgeBell() {
  if (event_fd_ >= 0) ::close(event_fd_);
}

void BridgeBell::ring_event() {
  const std::uint64_t one = 1;
  ensure(::write(event_fd_, &one, sizeof one) == sizeof one, "an eventfd takes a write");
}

void BridgeBell::wait(nanoseconds at_most) {
  pollfd waits{.fd = event_fd_, .events = POLLIN, .revents = 0};
  const auto time = std::max(at_most, nanoseconds{0});
  const timespec timeout{.tv_sec = time / seconds{1}, .tv_nsec = (time % seconds{1}).count()};
  if (::ppoll(&waits, 1, &timeout, nullptr) > 0) {
    std::uint64_t count = 0;
    (void)!::read(event_fd_, &count, sizeof count);
  }
}

}  // namespace ringcast
